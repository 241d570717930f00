"""Building shapes: footprints, and closed solids stacked from rings (podium, tower, setback, parapet, ridge roof)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cimdesk.base.arrays import Float


@dataclass
class Level:
    """A horizontal ring that closes a part of a building, with what rises or sinks inside it.

    Attributes
    ----------
    ring : (N, 2) float64
        Counter-clockwise, not closed, in the block's own frame.
    top : float
        Height above the ground floor [m].
    inner : list of Level
        Rings strictly inside: towers and setbacks when higher, parapet-walled roofs and courts when lower.
    roof : str
        ``flat``, ``gable`` or ``hip``; the latter two need four corners, the longer side first, and no inner rings.
    ridge : float
        Height of the ridge above ``top`` [m].
    """

    ring: Float
    top: float
    inner: list[Level] = field(default_factory=list)
    roof: str = "flat"
    ridge: float = 0.0

    @property
    def highest(self) -> float:
        """Highest point above the ground floor [m]."""
        return max([self.top + (self.ridge if self.roof != "flat" else 0.0), *(level.highest for level in self.inner)])


def rect(x: float, y: float, width: float, depth: float) -> Float:
    """Return the ring of a rectangle around a centre, its longer side first."""
    a, b = width / 2.0, depth / 2.0
    ring = np.array([[x - a, y - b], [x + a, y - b], [x + a, y + b], [x - a, y + b]])
    return ring if width >= depth else np.roll(ring, -1, axis=0)


def box(x0: float, y0: float, x1: float, y1: float) -> Float:
    """Return the ring of a rectangle from its corners."""
    return rect((x0 + x1) / 2.0, (y0 + y1) / 2.0, x1 - x0, y1 - y0)


def chamfered(x: float, y: float, width: float, depth: float, cut: float) -> Float:
    """Return the ring of a rectangle with its corners cut off."""
    a, b = width / 2.0, depth / 2.0
    half = [(-a + cut, -b), (a - cut, -b), (a, -b + cut), (a, b - cut)]
    return np.array([(x + p, y + q) for p, q in half] + [(x - p, y - q) for p, q in half])


def rounded(x: float, y: float, rx: float, ry: float, corners: int = 20, lobes: float = 0.0) -> Float:
    """Return the ring of an ellipse; ``lobes`` in 0..0.1 makes it a rounded triangle."""
    t = np.arange(corners) * 2 * np.pi / corners
    r = 1.0 + lobes * np.cos(3 * t)
    return np.column_stack([x + rx * r * np.cos(t), y + ry * r * np.sin(t)])


def cross(x: float, y: float, width: float, depth: float, notch: float) -> Float:
    """Return the ring of a cross-shaped plan: a rectangle with a notch at each corner."""
    a, b = width / 2.0, depth / 2.0
    c, d = a - notch, b - notch
    half = [(-c, -b), (c, -b), (c, -d), (a, -d), (a, d), (c, d)]
    return np.array([(x + p, y + q) for p, q in half] + [(x - p, y - q) for p, q in half])


def l_shape(x0: float, y0: float, x1: float, y1: float, depth: float, turn: int) -> Float:
    """Return an L along two edges of a box; ``turn`` 0..3 says round which corner (SW, SE, NE, NW)."""
    ring = np.array([(x0, y0), (x1, y0), (x1, y0 + depth), (x0 + depth, y0 + depth), (x0 + depth, y1), (x0, y1)])
    return _turned(ring, (x0, y0, x1, y1), turn)


def u_shape(x0: float, y0: float, x1: float, y1: float, depth: float, is_open_north: bool) -> Float:
    """Return a U along three edges of a box, open to the north or to the south."""
    d = depth
    ring = np.array(
        [(x0, y0), (x1, y0), (x1, y1), (x1 - d, y1), (x1 - d, y0 + d), (x0 + d, y0 + d), (x0 + d, y1), (x0, y1)],
    )
    return ring if is_open_north else _turned(ring, (x0, y0, x1, y1), 2)


def _turned(ring: Float, corners: tuple[float, float, float, float], turn: int) -> Float:
    x0, y0, x1, y1 = corners
    out = ring.copy()
    if turn in (1, 2):
        out[:, 0] = x0 + x1 - out[:, 0]
    if turn in (2, 3):
        out[:, 1] = y0 + y1 - out[:, 1]
    return out[::-1] if turn in (1, 3) else out


def inset(ring: Float, distance: float) -> Float:
    """Return the ring moved inwards by ``distance``, mitred."""
    before, after = np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0)
    d1, d2 = ring - before, after - ring
    n1 = np.column_stack([-d1[:, 1], d1[:, 0]]) / np.hypot(d1[:, 0], d1[:, 1])[:, None]
    n2 = np.column_stack([-d2[:, 1], d2[:, 0]]) / np.hypot(d2[:, 0], d2[:, 1])[:, None]
    mitre = n1 + n2
    return np.asarray(ring + distance * mitre * (2.0 / (mitre**2).sum(axis=1))[:, None])


def with_parapet(ring: Float, top: float, boxes: Sequence[Float] = (), height: float = 1.1, rise: float = 3.2) -> Level:
    """Return a flat-roofed level whose wall stands ``height`` above the roof, with machine rooms on it."""
    roof = Level(inset(ring, 0.35), top, [Level(b, top + rise) for b in boxes])
    return Level(ring, top + height, [roof])


def stepped(ring: Float, heights: Sequence[float], insets: Sequence[float]) -> Level:
    """Return a tower that steps in by ``insets`` at each of its ``heights`` but the last."""
    level = Level(ring, heights[0])
    at = level
    for top, distance in zip(heights[1:], insets, strict=True):
        ring = inset(ring, distance)
        at.inner.append(Level(ring, top))
        at = at.inner[0]
    return level


@dataclass
class Solid:
    """A closed shell as polygons: rings of vertex rows, the first outer, the others holes, with a surface each."""

    vertices: list[tuple[float, float, float]]
    faces: list[list[list[int]]]
    surfaces: list[int]


GROUND, WALL, ROOF = 0, 1, 2


def make_solid(level: Level, ring_of: dict[int, Float], base: float, floor: float) -> Solid:
    """Return the closed solid of a stack of levels.

    Parameters
    ----------
    level : Level
        The lowest ring, whose footprint is the building's.
    ring_of : mapping of id(level) to (N, 2) float64
        World coordinates of every level's ring.
    base, floor : float
        World height of the underside and of the ground floor [m].
    """
    solid = Solid([], [], [])
    low = _corners(solid, ring_of[id(level)], base)
    _face(solid, GROUND, low[::-1])
    _raise(solid, level, ring_of, low, floor)
    return solid


def _raise(solid: Solid, level: Level, ring_of: dict[int, Float], low: list[int], floor: float) -> None:
    """Add the walls from the ring of rows ``low`` to the level's top, and what closes it."""
    ring = ring_of[id(level)]
    high = _corners(solid, ring, floor + level.top)
    count = len(low)
    for a in range(count):
        b = (a + 1) % count
        _face(solid, WALL, [low[a], low[b], high[b], high[a]])
    if level.roof != "flat":
        _add_ridge(solid, level, ring, high, floor)
        return
    inner = [(child, _corners(solid, ring_of[id(child)], floor + level.top)) for child in level.inner]
    _face(solid, ROOF, high, *(rows[::-1] for _, rows in inner))
    for child, rows in inner:
        _raise(solid, child, ring_of, rows, floor)


def _add_ridge(solid: Solid, level: Level, ring: Float, high: list[int], floor: float) -> None:
    a, b, c, d = high
    west, east = (ring[0] + ring[3]) / 2.0, (ring[1] + ring[2]) / 2.0
    if level.roof == "hip":
        along = east - west
        short = float(np.hypot(*(ring[2] - ring[1]))) / 2.0 / max(float(np.hypot(*along)), 0.1)
        west, east = west + along * min(short, 0.42), east - along * min(short, 0.42)
    m, n = _corners(solid, np.array([west, east]), floor + level.top + level.ridge)
    end = ROOF if level.roof == "hip" else WALL
    _face(solid, ROOF, [a, b, n, m])
    _face(solid, ROOF, [c, d, m, n])
    _face(solid, end, [b, c, n])
    _face(solid, end, [d, a, m])


def _corners(solid: Solid, ring: Float, height: float) -> list[int]:
    first = len(solid.vertices)
    solid.vertices.extend((x, y, height) for x, y in ring.tolist())
    return list(range(first, first + len(ring)))


def _face(solid: Solid, surface: int, *rings: list[int]) -> None:
    solid.faces.append([list(ring) for ring in rings])
    solid.surfaces.append(surface)
