"""Flat ground made of pictures where there is no terrain: a quadtree of squares, each as fine as it is seen."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from cimdesk.base.arrays import Float, UInt8
from cimdesk.model.imagery import flattened
from cimdesk.model.style import rgba
from cimdesk.scene.geometry import actor_of, poly_data, set_point_array
from cimdesk.scene.look import Look
from cimdesk.scene.pictures import Composed, Job, Pictures
from cimdesk.scene.terrain import HORIZON_SHARE
from cimdesk.scene.textures import PictureTexture
from cimdesk.scene.visual import View

PIXELS = 512
"""Pixels along a side of a square."""
STILL_PIXELS, MOVING_PIXELS = 1.1, 2.2
"""Pixels of the screen that one of a picture may take."""
STILL_BUDGET, MOVING_BUDGET = (0.040, 24), (0.004, 3)
"""Seconds and squares uploaded in one frame."""
MEMORY = 192 << 20
REACH = 10.0
"""Half the side of the ground, in radii of what is shown."""
FADE = (4.0, 9.5)
"""Where pictures begin to fade into the plain ground and where they have gone, in radii."""
DEEPEST = 22
XRAY_OPACITY = 0.5


class Square(NamedTuple):
    """A square of the quadtree: its level, its column from the west and its row from the south."""

    level: int
    column: int
    row: int


@dataclass(frozen=True)
class Place:
    """Where the ground lies.

    Attributes
    ----------
    centre : tuple of 2 floats
        Local.
    radius : float
        Of what is shown [m].
    height : float
        Local.
    origin : tuple of 2 floats
        World coordinates of the local zero.
    """

    centre: tuple[float, float]
    radius: float
    height: float
    origin: tuple[float, float]

    @property
    def side(self) -> float:
        """Side of the outermost square [m]."""
        return 2.0 * REACH * self.radius

    def corners(self, square: Square) -> tuple[float, float, float]:
        """Return west, south and side of a square, local."""
        side = self.side / 2**square.level
        west, south = (c - self.side / 2.0 for c in self.centre)
        return west + square.column * side, south + square.row * side, side


@dataclass
class Drawn:
    """A square with what draws it."""

    actor: Any
    texture: PictureTexture
    generation: int
    frame: int


class PictureGround:
    """Squares that follow the view.

    Attributes
    ----------
    place : Place or None
    joining, leaving : list of actors
        For the scene, taken away by whoever hands them over.
    is_waiting, is_pending : bool
        Whether a picture is on its way, and whether one waits to be uploaded.
    """

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        self.place: Place | None = None
        self.look: Look | None = None
        self.squares: dict[Square, Drawn] = {}
        self.joining: list[Any] = []
        self.leaving: list[Any] = []
        self.is_waiting = True
        self.is_pending = False
        self._done: dict[Square, tuple[int, UInt8 | None]] = {}
        self._empty: dict[Square, int] = {}
        self._asked: frozenset[Hashable] = frozenset()
        self._shown: frozenset[Square] = frozenset()
        self._frame = 0

    def lay(self, place: Place, look: Look) -> None:
        """Lie somewhere, in a look; what was drawn elsewhere goes."""
        if place == self.place and look is self.look:
            return
        if place != self.place:
            self.clear()
        self.place, self.look = place, look
        self.pictures.refresh()

    def clear(self) -> None:
        """Draw nothing any more."""
        self.leaving += [drawn.actor for drawn in self.squares.values()]
        self.squares.clear()
        self._done.clear()
        self._empty.clear()
        self._shown = frozenset()
        self._asked = frozenset()
        self.place = None
        self.pictures.want({})
        self.is_waiting = self.is_pending = False

    def prepare(self, view: View, xray: bool) -> None:
        """Choose the squares for a view, ask for those that are not there, upload some of those that came."""
        if self.place is None:
            return
        self._frame += 1
        self._upload(view.is_moving)
        allowed = (MOVING_PIXELS if view.is_moving else STILL_PIXELS) * view.pixel_scale
        choice = _Choice(self, view, allowed)
        shown = frozenset(choice.shown)
        for square in self._shown - shown:
            if square in self.squares:
                self.squares[square].actor.SetVisibility(False)
        for square in shown:
            drawn = self.squares[square]
            drawn.actor.SetVisibility(True)
            drawn.actor.GetProperty().SetOpacity(XRAY_OPACITY if xray else 1.0)
            (drawn.actor.ForceTranslucentOn if xray else drawn.actor.ForceOpaqueOn)()
        for square in choice.used:
            if square in self.squares:
                self.squares[square].frame = self._frame
        self._shown = shown
        self._ask(choice.wanted)
        self._make_room()
        self.is_pending = bool(self._done)
        self.is_waiting = bool(choice.wanted)

    def is_ready(self, square: Square) -> bool:
        """Return whether a square can be drawn, be it with the picture of before, or has nothing to draw."""
        return square in self.squares or square in self._empty

    def is_current(self, square: Square) -> bool:
        """Return whether a square shows what it should."""
        drawn = self.squares.get(square)
        known = drawn.generation if drawn is not None else self._empty.get(square, -1)
        return known == self.pictures.generation

    def is_empty(self, square: Square) -> bool:
        """Return whether there is nothing to draw in a square."""
        return square in self._empty and square not in self.squares

    def _ask(self, wanted: dict[Square, float]) -> None:
        assert self.place is not None
        jobs: dict[Hashable, Job] = {}
        asked: set[Hashable] = set()
        for square, priority in wanted.items():
            key = (self.pictures.generation, square)
            asked.add(key)
            if square not in self._done:
                jobs[key] = self._job(key, square, priority)
        self._asked = frozenset(asked)
        self.pictures.want(jobs)

    def _job(self, key: Hashable, square: Square, priority: float) -> Job:
        assert self.place is not None
        assert self.look is not None
        place, look, generation = self.place, self.look, self.pictures.generation
        west, south, side = place.corners(square)
        x, y = west + place.origin[0], south + place.origin[1]

        def done(picture: Composed) -> None:
            pixels = grounded(picture.pixels, place, square, look) if picture.pixels[..., 3].any() else None
            if key in self._asked and place == self.place:
                self._done[square] = (generation, pixels)

        return Job((x, y, x + side, y + side), (PIXELS, PIXELS), priority, done, lambda: key in self._asked)

    def _upload(self, is_moving: bool) -> None:
        seconds, most = MOVING_BUDGET if is_moving else STILL_BUDGET
        deadline = perf_counter() + seconds
        for square in sorted(self._done)[:most]:
            generation, pixels = self._done.pop(square)
            self._show(square, generation, pixels)
            if perf_counter() > deadline:
                break

    def _show(self, square: Square, generation: int, pixels: UInt8 | None) -> None:
        drawn = self.squares.get(square)
        if pixels is None:
            self._empty[square] = generation
            if drawn is not None:
                self.leaving.append(self.squares.pop(square).actor)
            return
        self._empty.pop(square, None)
        if drawn is not None:
            drawn.texture.replace(pixels)
            drawn.generation = generation
            return
        texture = PictureTexture(pixels)
        actor = self._actor(square)
        actor.SetTexture(texture.texture)
        actor.SetVisibility(False)
        self.squares[square] = Drawn(actor, texture, generation, self._frame)
        self.joining.append(actor)

    def _actor(self, square: Square) -> Any:
        assert self.place is not None
        west, south, side = self.place.corners(square)
        z = self.place.height
        points = np.array(
            [[west, south, z], [west + side, south, z], [west + side, south + side, z], [west, south + side, z]], dtype=np.float32
        )
        data = poly_data(points, np.array([[0, 1, 2], [0, 2, 3]]))
        set_point_array(data, np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32), "tcoords")
        actor = actor_of(data)
        actor.GetProperty().LightingOff()
        actor.UseBoundsOff()
        return actor

    def _make_room(self) -> None:
        most = MEMORY // (4 * PIXELS * PIXELS)
        if len(self.squares) <= most:
            return
        for square in sorted(self.squares, key=lambda s: self.squares[s].frame):
            if len(self.squares) <= most or self.squares[square].frame >= self._frame:
                break
            self.leaving.append(self.squares.pop(square).actor)


class _Choice:
    """The squares of one view.

    Attributes
    ----------
    shown : list of Square
    used : set of Square
    wanted : dict of Square to float
        Those that are not there, with how soon they are wanted.
    """

    def __init__(self, ground: PictureGround, view: View, allowed: float) -> None:
        assert ground.place is not None
        self.shown: list[Square] = []
        self.used: set[Square] = set()
        self.wanted: dict[Square, float] = {}
        self._ground, self._view, self._allowed = ground, view, allowed
        self._place = ground.place
        self._finest = ground.pictures.finest
        self._planes = frustum_planes(view.matrix)
        found = self._visit(Square(0, 0, 0))
        self.shown = [square for square in found if square in ground.squares] if found is not None else self._anything()

    def _visit(self, square: Square) -> list[Square] | None:
        """Return the squares that show this one, None when something of it is not there yet."""
        west, south, side = self._place.corners(square)
        if self._is_outside(west, south, side):
            return []
        pixels = self._size_of(west, south, side)
        self._note(square, pixels)
        if self._ground.is_empty(square) and self._ground.is_current(square):
            return []
        if pixels <= self._allowed or side / PIXELS < 0.75 * self._finest or square.level >= DEEPEST:
            return [square] if self._ground.is_ready(square) else None
        parts: list[Square] = []
        is_whole = True
        for column in (0, 1):
            for row in (0, 1):
                found = self._visit(Square(square.level + 1, 2 * square.column + column, 2 * square.row + row))
                is_whole = is_whole and found is not None
                parts += found or []
        if is_whole:
            return parts
        return [square] if self._ground.is_ready(square) else None

    def _note(self, square: Square, pixels: float) -> None:
        self.used.add(square)
        if not self._ground.is_current(square):
            self.wanted[square] = pixels

    def _anything(self) -> list[Square]:
        """Return squares that are there and lie in no other one that is, where the view cannot be filled yet."""
        there = sorted(square for square in self.used if square in self._ground.squares)
        return [square for square in there if not any(_ancestor(square, k) in self._ground.squares for k in range(square.level))]

    def _size_of(self, west: float, south: float, side: float) -> float:
        """Return how many pixels of the screen one of the square's takes, at its nearest."""
        eye = self._view.eye
        dx = max(west - eye[0], eye[0] - west - side, 0.0)
        dy = max(south - eye[1], eye[1] - south - side, 0.0)
        distance = max(float(np.sqrt(dx * dx + dy * dy + (eye[2] - self._place.height) ** 2)), 1.0)
        return side / PIXELS / (distance * self._view.slope)

    def _is_outside(self, west: float, south: float, side: float) -> bool:
        z = self._place.height
        for a, b, c, d in self._planes:
            # The corner farthest along the plane's normal.
            x = west + side if a > 0 else west
            y = south + side if b > 0 else south
            if a * x + b * y + c * z + d < 0.0:
                return True
        return False


def frustum_planes(matrix: Float) -> list[tuple[float, float, float, float]]:
    """Return the four side planes and the near one of a view, inwards, from local coordinates to clip coordinates."""
    rows = matrix
    planes = [rows[3] + rows[0], rows[3] - rows[0], rows[3] + rows[1], rows[3] - rows[1], rows[3] + rows[2]]
    return [(float(p[0]), float(p[1]), float(p[2]), float(p[3])) for p in planes]


def grounded(picture: UInt8, place: Place, square: Square, look: Look) -> UInt8:
    """Return a (h, w, 4) picture over the plain ground, which fades into the haze as (h, w, 3)."""
    west, south, side = place.corners(square)
    height, width = picture.shape[:2]
    x = west + (np.arange(width) + 0.5) / width * side - place.centre[0]
    y = south + side - (np.arange(height) + 0.5) / height * side - place.centre[1]
    ground, horizon, sky = (np.array(rgba(c)[:3], dtype=np.float32) for c in (look.ground, look.horizon, look.sky))
    if max(np.abs(x).max(), np.abs(y).max()) <= place.radius * 0.7:
        return flattened(picture, ground.astype(np.uint8))
    away = np.hypot(x[None, :], y[:, None]).astype(np.float32) / np.float32(place.radius)
    haze = horizon + (sky - horizon) * np.float32(HORIZON_SHARE)
    share = np.clip((away - 1.0) / 11.0, 0.0, 1.0) ** 0.6
    base = (ground + (haze - ground) * share[..., None]).astype(np.uint8)
    fade = 1.0 - np.clip((away - FADE[0]) / (FADE[1] - FADE[0]), 0.0, 1.0)
    faded = picture.copy()
    faded[..., 3] = picture[..., 3] * fade
    return flattened(faded, base)


def _ancestor(square: Square, level: int) -> Square:
    shift = square.level - level
    return Square(level, square.column >> shift, square.row >> shift)
