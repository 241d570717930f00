"""What the command line prints: one JSON document or plain lines on standard output, the rest on standard error."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from dataclasses import dataclass, field
from typing import Any

DONE, DONE_WITH_PROBLEMS = 0, 1
EXIT_USAGE, EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_CANCELLED = 2, 3, 4, 130
NO_DISPLAY = "There is no display to open a window on."


@dataclass(frozen=True)
class Outcome:
    """What a command found or did.

    Attributes
    ----------
    data : mapping
        Printed by ``--json``.
    lines : list of str
        Printed otherwise.
    status : int
        Exit status.
    """

    data: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    status: int = DONE


class Console:
    """Standard output and error of one command."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._is_terminal = sys.stderr.isatty()
        self._last = 0.0

    def progress(self, fraction: float | None, text: str = "") -> None:
        """Show how far the work is, on a terminal only and at most ten times a second."""
        now = time.monotonic()
        if not self._is_terminal or (now - self._last < 0.1 and fraction != 1.0):
            return
        self._last = now
        share = "" if fraction is None else f"{fraction:6.1%} "
        sys.stderr.write(f"\r\x1b[K{share}{text}")
        sys.stderr.flush()

    def note(self, text: str) -> None:
        """Say something on standard error."""
        self._clear_progress()
        print(text, file=sys.stderr)

    def error(self, text: str) -> None:
        """Say on standard error why the command stops."""
        self.note(f"cimdesk: {text}")

    def finish(self, outcome: Outcome) -> None:
        """Print the outcome."""
        self._clear_progress()
        if self.as_json:
            print(json.dumps(plain(outcome.data), ensure_ascii=False, indent=2, allow_nan=False))
        else:
            for line in outcome.lines:
                print(line)

    def _clear_progress(self) -> None:
        if self._is_terminal and self._last:
            sys.stderr.write("\r\x1b[K")


def has_display() -> bool:
    """Whether a window can open: Qt ends the process without a word of ours where it cannot."""
    named = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return not sys.platform.startswith("linux") or any(os.environ.get(name) for name in named)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Give a command the ``--json`` option."""
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def plain(value: Any) -> Any:
    """Return ``value`` as JSON can say it: numpy numbers and arrays as Python's, NaN and infinity as null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    # Arrays and numpy's numbers; the window starts through here and must not wait for numpy.
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
