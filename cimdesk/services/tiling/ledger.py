"""What a tiling run has done, on disk: a killed run goes on where it was, and one with other input begins anew."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from cimdesk.base.errors import DataError
from cimdesk.base.paths import cache_dir

ASK_EVERY = 0.2
"""How often one asks whether it is its turn [s]."""
LET_GO_IN = 3.0
"""How long others may keep files open that are to be replaced [s]."""
IN_USE = (5, 32)
"""What Windows says of files that are open: access denied, sharing violation."""
VERSION = 4
"""Of what lies in the working folder: with another one, a run begins anew."""


class Ledger:
    """The working folder of one run.

    Parameters
    ----------
    folder : Path
        Made, or taken over when it belongs to the same input.
    plan : dict
        Everything that decides on the result: input files with sizes and times, and options.
    """

    def __init__(self, folder: Path, plan: dict[str, Any]) -> None:
        self.folder = folder
        self.spill = folder / "spill"
        self.blocks = folder / "blocks"
        self.result = folder / "tileset"
        full = {"version": VERSION, **plan}
        try:
            # Without the tiles a run was killed while it put things away: what is left in its books says nothing any more.
            self.is_resumed = _read(folder / "plan.json") == full and self.result.is_dir()
            if not self.is_resumed:
                (folder / "plan.json").unlink(missing_ok=True)
                shutil.rmtree(folder, ignore_errors=True)
                for each in (self.spill, self.blocks, self.result):
                    each.mkdir(parents=True, exist_ok=True)
                _write(folder / "plan.json", full)
        except OSError as error:
            raise DataError(
                folder,
                "the file cannot be written ({reason}).",
                remedy="Choose a folder you may write to, with room on the disk.",
                reason=error.strerror or error,
            ) from error

    def note(self, book: str, entry: dict[str, Any]) -> None:
        """Add an entry to a book; it is on the disk, whole, when this returns."""
        with (self.folder / f"{book}.jsonl").open("ab") as file:
            file.write(orjson.dumps(entry) + b"\n")

    def entries(self, book: str) -> Iterator[dict[str, Any]]:
        """Yield the entries of a book; one that was being written when the run was killed is left out, and cut off."""
        path = self.folder / f"{book}.jsonl"
        if not path.exists():
            return
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)
        for line in data[:whole].splitlines():
            yield orjson.loads(line)

    def deliver(self, out: Path) -> None:
        """Put the finished tileset where it was asked for, in place of an earlier one, and drop the working folder.

        Raises
        ------
        DataError
            If another program keeps the earlier one open, as Windows lets it. The next run goes on here.
        """
        old = self.folder / "replaced"
        shutil.rmtree(old, ignore_errors=True)
        if out.exists():
            _moved(out, old, out)
        try:
            _moved(self.result, out, out)
        except (OSError, DataError):
            if old.exists():
                old.rename(out)
            raise
        shutil.rmtree(self.folder, ignore_errors=True)


def _moved(source: Path, target: Path, out: Path) -> None:
    """Rename a folder; what only looks at new files, such as a scanner, gets a moment to let go of them."""
    until = time.monotonic() + LET_GO_IN
    while True:
        try:
            source.rename(target)
        except OSError as error:
            if getattr(error, "winerror", None) not in IN_USE:
                raise
            if time.monotonic() > until:
                raise DataError(
                    out,
                    "the tileset cannot be replaced: another window or program has it open.",
                    remedy="Close what shows it and start the same again: only the last step is left.",
                ) from error
            time.sleep(ASK_EVERY)
        else:
            return


@contextmanager
def turn(out: Path, waiting: Callable[[], object]) -> Iterator[None]:
    """Keep other processes of this computer from tiling into ``out`` while the block runs; ``waiting`` is called while one does."""
    path = cache_dir() / "turns" / hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        while not _held(file.fileno()):
            waiting()
            time.sleep(ASK_EVERY)
        yield


def _held(descriptor: int) -> bool:
    """Return whether the file is this process's now; the system gives it back when the process ends, however that happens."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None


def _write(path: Path, value: Any) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_bytes(orjson.dumps(value))
    temporary.replace(path)
