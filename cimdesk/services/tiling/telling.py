"""How far tasks are, told through files: whoever does a task is in another process, perhaps on another computer.

The same folder carries the one word that goes the other way: a file that asks everybody to stop.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cimdesk.base.errors import Cancelled
from cimdesk.base.jobs import Progress

TOLD_EVERY = 0.2
"""How often a task notes how far it is, and looks whether it is still wanted, at most [s]."""
_STOP = "stop"


class Told:
    """Progress of a task, for whoever waits for it; raises `Cancelled` when nobody does any more.

    Parameters
    ----------
    folder : str
        Shared by all tasks of a pass.
    name : str
        Of the task among them.
    """

    def __init__(self, folder: str, name: str) -> None:
        self._path, self._stop = told_path(folder, name), Path(folder) / _STOP
        self._last = time.monotonic()

    def __call__(self, fraction: float | None, text: str = "") -> None:
        """Note a fraction from 0 to 1."""
        now = time.monotonic()
        if now - self._last < TOLD_EVERY:
            return
        self._last = now
        if self._stop.exists():
            raise Cancelled
        if fraction is not None:
            self._path.write_text(f"{fraction:.4f}")


def told_path(folder: str, name: str) -> Path:
    """Return where a task notes how far it is."""
    return Path(folder) / f"{name}.told"


@contextmanager
def asked_to_stop(*folders: Path) -> Iterator[None]:
    """Ask the tasks that tell of themselves in these folders to stop when the block does not come to its end."""
    for folder in folders:
        (folder / _STOP).unlink(missing_ok=True)
    try:
        yield
    except BaseException:
        for folder in folders:
            (folder / _STOP).touch()
        raise


class Share:
    """How much of a pass is done: tasks that are, and what those under way say of themselves.

    Parameters
    ----------
    progress : Progress
    text : str
        What is going on, for people.
    start, stop : float
        Progress at the ends of the pass.
    total : float
        Sum of the weights of all tasks.
    folder : str
        Where tasks tell of themselves.
    says_all : bool
        Tell also what has not changed: a large file that is read at once says nothing for long, and must not be taken to hang.
    """

    def __init__(
        self, progress: Progress, text: str, start: float, stop: float, total: float, folder: str, says_all: bool = False
    ) -> None:
        self._progress, self._text, self._folder, self._says_all = progress, text, folder, says_all
        self._start, self._length, self._total = start, stop - start, total
        self._done = 0.0
        self._told = -1.0
        self._under_way: dict[str, float] = {}

    def watch(self, name: str, weight: float) -> None:
        """Count from now on what a task says of itself."""
        self._under_way[name] = weight

    def add(self, name: str, weight: float) -> None:
        """Count a task that is done."""
        self._under_way.pop(name, None)
        self._done += weight

    def tell(self) -> None:
        """Tell how much is done, if that is more than before."""
        under_way = sum(_told(told_path(self._folder, name)) * weight for name, weight in self._under_way.items())
        share = min((self._done + under_way) / self._total, 1.0) if self._total else 1.0
        # What is said of a file may be half written, or be taken back; a bar never goes back.
        if share > self._told or self._says_all:
            self._told = max(share, self._told)
            self._progress(self._start + self._length * self._told, self._text)


def _told(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return 0.0
