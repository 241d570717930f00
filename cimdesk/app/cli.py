"""The command line: every capability, scriptable, without a display. The same commands as the window's buttons."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from cimdesk import __version__
from cimdesk.app.console import (
    EXIT_CANCELLED,
    EXIT_REFUSED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    NO_DISPLAY,
    Console,
    Outcome,
    has_display,
)
from cimdesk.base.errors import Cancelled, CimdeskError, EditError, ServiceError, UsageError
from cimdesk.base.i18n import tr

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Handler = Callable[[argparse.Namespace, Console], Outcome]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status of the command line's contract."""
    console = Console(as_json=False)
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments), console)
    except (Cancelled, KeyboardInterrupt):
        # One that comes while classes are made from text, as in an import, is kept by Python as nobody's, and would end the
        # process by a signal after all; any other text that is executed clears that.
        exec("")
        console.error("Cancelled.")
        return EXIT_CANCELLED
    except (UsageError, EditError) as error:
        console.error(error.localized())
        return EXIT_USAGE
    except ServiceError as error:
        console.error(error.localized())
        return EXIT_UNREACHABLE
    except CimdeskError as error:
        console.error(error.localized())
        return EXIT_REFUSED
    except BrokenPipeError:
        # Whoever reads the output has seen enough; what Python still holds must not end in an error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in DISK_FULL:
            if error.filename is None:
                raise
            console.error(f"{error.filename}: {error.strerror}.")
            return EXIT_REFUSED
        console.error(tr("The disk is full ({name}). Make room on it and try again.").format(name=error.filename or gettempdir()))
        return EXIT_REFUSED


def _run(arguments: list[str], console: Console) -> int:
    first = next((argument for argument in arguments if not argument.startswith("-")), "")
    asks_help = bool({"-h", "--help", "--version"} & set(arguments))
    if not asks_help and (not arguments or Path(first).suffix):
        # No command is meant: the window need not wait for all of them to be loaded.
        return _open_window(arguments, ())
    with _stopped_like_ctrl_c():
        parser, names = _parser()
        if first in names or asks_help:
            parsed = parser.parse_args(arguments)
            console.as_json = getattr(parsed, "json", False)
            _set_language(parsed)
            handler: Handler = parsed.handler
            outcome = handler(parsed, console)
            console.finish(outcome)
            sys.stdout.flush()
            return outcome.status
    return _open_window(arguments, names)


@contextmanager
def _stopped_like_ctrl_c() -> Iterator[None]:
    """Let a stop from outside end a command as Ctrl+C does, so that nothing half-written stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _open_window(arguments: Sequence[str], commands: Collection[str]) -> int:
    parser = argparse.ArgumentParser(prog="cimdesk", description="Open the window on a project or on files.")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PROJECT or FILE")
    _add_window_options(parser)
    parsed = parser.parse_args(arguments)
    first = next(iter(parsed.paths), None)
    if first is not None and not first.suffix and not first.exists():
        parser.error(f"{first} is neither a command ({', '.join(sorted(commands))}) nor a file")
    if not has_display():
        parser.error(f"{tr(NO_DISPLAY)} {tr('cimdesk --help lists the commands that need none.')}")
    from cimdesk.app.main import run_window

    status: int = run_window(parsed.paths, theme=parsed.theme, language=parsed.lang)
    return status


def _add_window_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--theme", choices=("light", "dark", "projector"), help="colours of the window")
    parser.add_argument("--lang", choices=("en", "zh_CN"), help="language of the window")


def _parser() -> tuple[argparse.ArgumentParser, frozenset[str]]:
    from cimdesk.app import cli_city, cli_data, cli_flood, cli_output, cli_tile

    parser = argparse.ArgumentParser(
        prog="cimdesk",
        description="Desktop workstation for City Information Modelling. Without a command it opens the window.",
        epilog="Exit status: 0 done, 1 done with problems listed, 2 bad usage, 3 refused, 4 service unreachable, 130 cancelled.",
    )
    parser.add_argument("--version", action="version", version=f"cimdesk {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (cli_data, cli_tile, cli_city, cli_flood, cli_output):
        module.add_commands(commands)
    return parser, frozenset(commands.choices)


def _set_language(parsed: argparse.Namespace) -> None:
    language: Any = getattr(parsed, "lang", None)
    if language:
        from cimdesk.base.i18n import set_language

        set_language(language)
