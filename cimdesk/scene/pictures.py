"""Pictures for the ground, put together in threads of their own from all picture layers that are visible.

One `Pictures` serves a scene: terrain asks it for what is draped over its chunks, the flat ground for its squares.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import UInt8
from cimdesk.base.errors import Cancelled
from cimdesk.base.jobs import CancelToken
from cimdesk.base.signals import Signal
from cimdesk.model.imagery import Imagery, laid_over
from cimdesk.scene.terrain_chunks import PictureRequest

WORKERS = 3
RETRY_AFTER = 21.0
"""Seconds after which pictures that lack a part are made again."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """One picture layer as it is drawn: its place in the order, smaller is higher."""

    imagery: Imagery
    order: float
    opacity: float


@dataclass(frozen=True)
class Composed:
    """A picture of all layers, and how many of its parts did not come."""

    pixels: UInt8
    missing: int


@dataclass(eq=False)
class Job:
    """One picture to be made.

    Attributes
    ----------
    box : tuple of 4 floats
        West, south, east, north.
    size : tuple of 2 ints
        Width and height [px].
    priority : float
        The greater the sooner.
    done : callable
        Takes the picture, in the thread that made it.
    is_wanted : callable
    """

    box: tuple[float, float, float, float]
    size: tuple[int, int]
    priority: float
    done: Callable[[Composed], None]
    is_wanted: Callable[[], bool]


class _WhileWanted(CancelToken):
    """Cancelled as soon as nobody wants the picture."""

    def __init__(self, is_wanted: Callable[[], bool]) -> None:
        super().__init__()
        self._is_wanted = is_wanted

    @property
    def cancelled(self) -> bool:
        return not self._is_wanted()

    def raise_if_cancelled(self) -> None:
        if not self._is_wanted():
            raise Cancelled


class Pictures:
    """All visible picture layers of a scene as one; a `Drape` for terrain.

    Attributes
    ----------
    members : dict of str to Member
        By layer.
    theme : str
    changed : Signal of None
        Emitted when the pictures are others than before.
    generation : int
        Counts these changes.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.members: dict[str, Member] = {}
        self.theme = "light"
        self.changed: Signal[None] = Signal()
        self.generation = 0
        self._wake = wake
        self._lock = threading.Lock()
        self._draped: list[Job] = []
        self._wanted: dict[Hashable, Job] = {}
        self._running: set[Hashable] = set()
        self._threads = 0
        self._timer: threading.Timer | None = None

    @property
    def finest(self) -> float:
        """Size of the finest pixel of any layer [m]."""
        return min((member.imagery.finest for member in self.members.values()), default=1.0)

    @property
    def is_busy(self) -> bool:
        """Whether something is being made or waits for it."""
        with self._lock:
            return bool(self._running) or self._next() is not None

    def show(self, layer: str, member: Member | None, theme: str) -> None:
        """Add or change a layer, or take it away."""
        if self.members.get(layer) == member and theme == self.theme:
            return
        if member is None:
            self.members.pop(layer, None)
        else:
            self.members[layer] = member
        self.theme = theme
        self.refresh()

    def refresh(self) -> None:
        """Make all pictures anew; what is shown stays until they are there."""
        self.generation += 1
        self.changed.emit(None)

    def request(self, request: PictureRequest) -> None:
        """Begin to make a picture for a chunk of terrain."""

        def done(picture: Composed) -> None:
            if request.is_wanted():
                request.answer(picture.pixels if picture.pixels[..., 3].any() else None)

        west, south, east, north = request.bounds
        # Coarse ones first: they stand in for finer ones.
        job = Job(request.bounds, request.pixels, (east - west) * (north - south), done, request.is_wanted)
        with self._lock:
            self._draped.append(job)
            self._start()

    def want(self, jobs: Mapping[Hashable, Job]) -> None:
        """Replace what the flat ground asks for."""
        with self._lock:
            self._wanted = dict(jobs)
            self._start()

    def compose(self, box: tuple[float, float, float, float], size: tuple[int, int], cancel: CancelToken) -> Composed:
        """Return the picture of west, south, east, north, of width and height."""
        corners = np.array(box, dtype=np.float64).reshape(2, 2)
        width, height = size
        found: list[tuple[UInt8, float]] = []
        missing = 0
        for member in sorted(self.members.values(), key=lambda m: -m.order):
            if member.imagery.meets(corners):
                picture = member.imagery.picture(corners, width, height, self.theme, cancel)
                missing += picture.missing
                found.append((picture.pixels, member.opacity))
        return Composed(laid_over(found, height, width), missing)

    def stop(self) -> None:
        """Give everything up."""
        with self._lock:
            self._draped.clear()
            self._wanted.clear()
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    # --- the threads --------------------------------------------------------------------------------------------------

    def _next(self) -> tuple[Hashable, Job] | None:
        self._draped = [job for job in self._draped if job.is_wanted()]
        open_ = [(key, job) for key, job in self._wanted.items() if key not in self._running]
        open_ += [(id(job), job) for job in self._draped]
        return max(open_, key=lambda item: item[1].priority, default=None)

    def _start(self) -> None:
        for _ in range(min(WORKERS, len(self._wanted) + len(self._draped)) - self._threads):
            self._threads += 1
            threading.Thread(target=self._work, name="pictures", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                found = self._next()
                if found is None:
                    self._threads -= 1
                    return
                key, job = found
                if job in self._draped:
                    self._draped.remove(job)
                self._running.add(key)
            try:
                picture = self.compose(job.box, job.size, _WhileWanted(job.is_wanted))
                job.done(picture)
                if picture.missing:
                    self._try_later()
            except Cancelled:
                pass
            except Exception:
                # A picture that cannot be made is one square less, not the thread.
                log.exception("picture of %s", job.box)
            with self._lock:
                self._running.discard(key)
                self._wanted.pop(key, None)
            self._wake()

    def _try_later(self) -> None:
        with self._lock:
            if self._timer is not None:
                return
            self._timer = threading.Timer(RETRY_AFTER, self._again)
            self._timer.daemon = True
            self._timer.start()

    def _again(self) -> None:
        with self._lock:
            if self._timer is None:
                return
            self._timer = None
        self.refresh()
        self._wake()
