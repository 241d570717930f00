"""S2 cells: squares on the six faces of a cube around the earth, halved thirty times. Just what bounding volumes need.

After the published S2 geometry (Google): quadratic projection, and the Hilbert curve that orders the cells of a face.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float, Int

MAX_LEVEL = 30
_TOKEN = re.compile(r"^[0-9a-fA-F]{1,16}$")
_PLACES = np.array([[0, 1, 3, 2], [0, 2, 3, 1], [3, 2, 0, 1], [3, 1, 0, 2]])
"""For each of the four ways the curve may run: the quarter (i in the upper bit, j in the lower) of each step."""
_TURNS = np.array([1, 0, 0, 3])
"""How each step changes the way the curve runs."""


@dataclass(frozen=True)
class S2Cell:
    """A cell by its face, and its column and row among the ``2**level`` of the face."""

    face: int
    i: int
    j: int
    level: int

    def child(self, depth: int, x: int, y: int) -> S2Cell:
        """Return the cell ``depth`` levels below at column ``x`` and row ``y`` within this one."""
        return S2Cell(self.face, (self.i << depth) + x, (self.j << depth) + y, self.level + depth)


def cell_of_token(token: object) -> S2Cell | None:
    """Return the cell of a token (hexadecimal, zeros at the end left out); None when it is none."""
    if not isinstance(token, str) or not _TOKEN.match(token):
        return None
    number = int(token.ljust(16, "0"), 16)
    lowest = number & -number
    zeros = lowest.bit_length() - 1
    if number == 0 or number >> 61 > 5 or zeros % 2 or zeros > 2 * MAX_LEVEL:
        return None
    faces, columns, rows, levels = cells_of_ids(np.array([number], dtype=np.uint64))
    return S2Cell(int(faces[0]), int(columns[0]), int(rows[0]), int(levels[0]))


def cells_of_ids(ids: np.ndarray) -> tuple[Int, Int, Int, Int]:
    """Return (N,) faces, columns, rows and levels of valid cell identifiers (N,) uint64."""
    numbers = ids.astype(np.uint64)
    faces = (numbers >> np.uint64(61)).astype(np.int64)
    lowest = numbers & (~numbers + np.uint64(1))
    levels = MAX_LEVEL - np.round(np.log2(lowest.astype(np.float64)) / 2.0).astype(np.int64)
    columns, rows = np.zeros_like(faces), np.zeros_like(faces)
    way = faces & 1
    for k in range(int(levels.max(initial=0))):
        is_deeper = k < levels
        step = ((numbers >> np.uint64(59 - 2 * k)) & np.uint64(3)).astype(np.int64)
        quarter = _PLACES[way, step]
        columns = np.where(is_deeper, 2 * columns + (quarter >> 1), columns)
        rows = np.where(is_deeper, 2 * rows + (quarter & 1), rows)
        way = np.where(is_deeper, way ^ _TURNS[step], way)
    return faces, columns, rows, levels


def angles_on(cell: S2Cell, parts: int) -> tuple[Float, Float]:
    """Return ((parts + 1)²,) longitudes and latitudes [rad] of a grid of points over a cell, corners included."""
    steps = np.arange(parts + 1) / parts
    size = 2.0**-cell.level
    s, t = (axis.ravel() for axis in np.meshgrid((cell.i + steps) * size, (cell.j + steps) * size, indexing="ij"))
    x, y, z = _direction(cell.face, _projected(s), _projected(t))
    return np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))


def _projected(share: Float) -> Float:
    """Return -1..1 on a face of the cube for 0..1 along it."""
    return np.where(share >= 0.5, (4.0 * share**2 - 1.0) / 3.0, (1.0 - 4.0 * (1.0 - share) ** 2) / 3.0)


def _direction(face: int, u: Float, v: Float) -> tuple[Float, Float, Float]:
    one = np.ones_like(u)
    axes = [(one, u, v), (-u, one, v), (-u, -v, one), (-one, -v, -u), (v, -one, -u), (v, u, -one)]
    return axes[face]
