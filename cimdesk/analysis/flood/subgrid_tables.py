"""What coarse cells know of the ground within them: how much water stands below a level, and what passes their faces at it.

After Casulli (2009), Int. J. Numer. Methods Fluids 60, 391-408, and Volp, van Prooijen and Stelling (2013), Water Resour. Res. 49,
4124-4135; conveyance by level as in SFINCS (van Ormondt and others 2025, Geosci. Model Dev. 18, 843). A cell has its hypsometry at
some quantiles of the ground, exact there and quadratic between. A face has the section of its two rows of fine cells, and a sill:
the lowest level at which water finds a way from the lowest ground of one cell to that of the other, so that a wall anywhere between
the two holds water back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.analysis.flood.kernels import CLOSED_HEIGHT
from cimdesk.base.arrays import AnyArray, Bool, Float
from cimdesk.base.compiled import njit

KNOTS = 16
"""Levels at which the hypsometry of a cell is kept."""
LEVELS = 20
"""Levels at which the section of a face is kept; they stand closer near its sill."""
LEAST_RANGE = 0.25
"""Sections are kept at least so far above the sill [m]; twice their relief otherwise."""
CLOSED = 0.5 * CLOSED_HEIGHT
"""Ground above this is closed [m]."""
_SWEEPS = 64


@dataclass(frozen=True)
class SubgridTables:
    """Tables of all cells and faces of a coarse grid, in the layout of `kernels`: all begin (R + 3, C + 3).

    Attributes
    ----------
    bottom : float
        Lowest ground of each cell above ``datum`` [m]; `CLOSED_HEIGHT` where there is none open.
    cells : (..., KNOTS, 3)
        At each knot: depth above the bottom [m], water held over the area of the cell [m], share of the cell that is wet.
    west, north : (..., 4)
        Of the western and northern faces: sill above ``datum`` [m], one over the range of the table [1/m], what flow depth and
        conveyance gain for each metre above the table.
    west_curve, north_curve : (..., LEVELS, 2)
        Flow depth (area over the width of the cell) [m] and conveyance (over the same width) to the power of 3/5.
    sills : lowest sill of the four faces of each cell [m above ``datum``].
    datum : float
        [m].
    """

    bottom: AnyArray
    cells: AnyArray
    west: AnyArray
    north: AnyArray
    west_curve: AnyArray
    north_curve: AnyArray
    sills: AnyArray
    datum: float

    @property
    def nbytes(self) -> int:
        """Memory in use [bytes]."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))


def subgrid_tables(ground: AnyArray, is_open: Bool, manning_n: Any, factor: int, real: Any = np.float64) -> SubgridTables:
    """Return the tables of coarse cells of ``factor`` by ``factor`` fine ones.

    Parameters
    ----------
    ground : (R factor, C factor) float
        Height of the fine cells [m].
    is_open : (R factor, C factor) bool
        Where water can be.
    manning_n : float or (R factor, C factor) array
        [s m-1/3]
    factor : int
    real : dtype
        Of the tables.

    Returns
    -------
    SubgridTables
    """
    rows, columns = ground.shape[0] // factor, ground.shape[1] // factor
    datum = float(np.floor(np.nanmin(np.where(is_open, ground, np.nan)))) if is_open.any() else 0.0
    fine = np.where(is_open, ground.astype(np.float64) - datum, CLOSED_HEIGHT)
    roughness = np.broadcast_to(np.asarray(manning_n, dtype=np.float64), fine.shape)
    shape = (rows + 3, columns + 3)
    bottom, cells = np.full(shape, CLOSED_HEIGHT), np.zeros((*shape, KNOTS, 3))
    lowest = np.zeros((*shape, 2), dtype=np.int64)
    _fill_cells(fine, factor, bottom, cells, lowest)
    west, north = np.zeros((*shape, 4)), np.zeros((*shape, 4))
    west[..., 0] = north[..., 0] = CLOSED_HEIGHT
    west_curve, north_curve = np.zeros((*shape, LEVELS, 2)), np.zeros((*shape, LEVELS, 2))
    _fill_faces(fine, roughness, factor, bottom, cells, lowest, west, west_curve)
    turned = np.ascontiguousarray(lowest.transpose(1, 0, 2)[..., ::-1])
    sides = (np.ascontiguousarray(fine.T), np.ascontiguousarray(roughness.T), factor, np.ascontiguousarray(bottom.T))
    turned_north, turned_curve = (
        np.ascontiguousarray(north.transpose(1, 0, 2)),
        np.ascontiguousarray(north_curve.transpose(1, 0, 2, 3)),
    )
    _fill_faces(*sides, np.ascontiguousarray(cells.transpose(1, 0, 2, 3)), turned, turned_north, turned_curve)
    north, north_curve = turned_north.transpose(1, 0, 2), turned_curve.transpose(1, 0, 2, 3)
    sills = np.full(shape, CLOSED_HEIGHT)
    sills[:-1, :-1] = np.minimum(np.minimum(west[:-1, :-1, 0], west[:-1, 1:, 0]), np.minimum(north[:-1, :-1, 0], north[1:, :-1, 0]))
    kept: list[AnyArray] = [
        np.ascontiguousarray(array, dtype=real) for array in (bottom, cells, west, north, west_curve, north_curve, sills)
    ]
    return SubgridTables(kept[0], kept[1], kept[2], kept[3], kept[4], kept[5], kept[6], datum)


@njit(nogil=True, cache=True)
def _fill_cells(fine, factor, bottom, cells, lowest):  # type: ignore[no-untyped-def]
    """Write hypsometry and the place of the lowest ground of every cell."""
    area = factor * factor
    heights, marks, queue = np.empty(area), np.zeros((factor, factor), np.int32), np.empty(area, np.int64)
    for i in range(bottom.shape[0] - 3):
        for j in range(bottom.shape[1] - 3):
            part = fine[i * factor : (i + 1) * factor, j * factor : (j + 1) * factor]
            count = 0
            for a in range(factor):
                for b in range(factor):
                    if part[a, b] < CLOSED:
                        heights[count] = part[a, b]
                        count += 1
            if count == 0:
                continue
            place = _lowest_of_largest(part, marks, queue)
            lowest[i + 1, j + 1, 0], lowest[i + 1, j + 1, 1] = i * factor + place // factor, j * factor + place % factor
            ranked = np.sort(heights[:count])
            bottom[i + 1, j + 1] = ranked[0]
            _hypsometry(ranked, area, cells[i + 1, j + 1])


@njit(nogil=True, cache=True)
def _hypsometry(ranked, area, knots):  # type: ignore[no-untyped-def]
    """Write depth, water held and wet share at the quantiles of some heights in order."""
    count, below, k = len(ranked), 0.0, 0
    for knot in range(KNOTS):
        at = (knot * (count - 1) + (KNOTS - 1) // 2) // (KNOTS - 1)
        height = ranked[at] - ranked[0]
        while k < count and ranked[k] - ranked[0] <= height:
            below += ranked[k] - ranked[0]
            k += 1
        knots[knot, 0], knots[knot, 1], knots[knot, 2] = height, max(k * height - below, 0.0) / area, k / area


@njit(nogil=True, cache=True)
def _lowest_of_largest(part, marks, queue):  # type: ignore[no-untyped-def]
    """Return the lowest fine cell of the largest open piece of a cell: yards that walls close in are none of its ways."""
    size = part.shape[0]
    marks[:] = 0
    most, found = 0, 0
    for start in range(size * size):
        if marks[start // size, start % size] or part[start // size, start % size] >= CLOSED:
            continue
        first, last, low = 0, 1, start
        queue[0] = start
        marks[start // size, start % size] = 1
        while first < last:
            a, b = queue[first] // size, queue[first] % size
            first += 1
            if part[a, b] < part[low // size, low % size]:
                low = a * size + b
            for da, db in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                c, d = a + da, b + db
                if 0 <= c < size and 0 <= d < size and not marks[c, d] and part[c, d] < CLOSED:
                    marks[c, d] = 1
                    queue[last] = c * size + d
                    last += 1
        if last > most:
            most, found = last, low
    return found


@njit(nogil=True, cache=True)
def _sill(fine, top, left, height, width, start, end):  # type: ignore[no-untyped-def]
    """Return the lowest level at which water gets from one fine cell to another within a rectangle."""
    cost = np.full((height, width), CLOSED_HEIGHT)
    cost[start[0] - top, start[1] - left] = fine[start[0], start[1]]
    for _sweep in range(_SWEEPS):
        changed = False
        for back in range(2):
            for n in range(height * width):
                m = height * width - 1 - n if back else n
                a, b = m // width, m % width
                z = fine[top + a, left + b]
                if z >= CLOSED:
                    continue
                best = cost[a, b]
                if a > 0:
                    best = min(best, max(z, cost[a - 1, b]))
                if a + 1 < height:
                    best = min(best, max(z, cost[a + 1, b]))
                if b > 0:
                    best = min(best, max(z, cost[a, b - 1]))
                if b + 1 < width:
                    best = min(best, max(z, cost[a, b + 1]))
                if best < cost[a, b]:
                    cost[a, b] = best
                    changed = True
        if not changed:
            break
    return cost[end[0] - top, end[1] - left]


@njit(nogil=True, cache=True)
def wet_share(knots, depth):  # type: ignore[no-untyped-def]
    """Return the share of a cell that is wet where water stands ``depth`` [m] above its lowest ground."""
    if depth <= 0.0:
        return 0.0
    last = 0
    while last + 1 < KNOTS and knots[last + 1, 0] <= depth:
        last += 1
    if last + 1 == KNOTS:
        return knots[last, 2]
    return knots[last, 2] + (knots[last + 1, 2] - knots[last, 2]) * (depth - knots[last, 0]) / (knots[last + 1, 0] - knots[last, 0])


@njit(nogil=True, cache=True)
def _fill_faces(fine, roughness, factor, bottom, cells, lowest, faces, curves):  # type: ignore[no-untyped-def]
    """Write sill and section of the western faces of all cells, the edges of the grid among them."""
    rows, columns = bottom.shape[0] - 3, bottom.shape[1] - 3
    crests, rough = np.empty(factor), np.empty(factor)
    for i in range(1, rows + 1):
        for j in range(1, columns + 2):
            has_west, has_east = j > 1 and bottom[i, j - 1] < CLOSED, j <= columns and bottom[i, j] < CLOSED
            if not (has_west or has_east) or (1 < j <= columns and not (has_west and has_east)):
                continue
            count, low, high = 0, CLOSED_HEIGHT, -CLOSED_HEIGHT
            for a in range(factor):
                row = (i - 1) * factor + a
                west, east = (
                    (j - 1) * factor - 1 if has_west else (j - 1) * factor,
                    (j - 1) * factor if has_east else (j - 1) * factor - 1,
                )
                crest = max(fine[row, west], fine[row, east])
                if crest < CLOSED:
                    crests[count], rough[count] = crest, 0.5 * (roughness[row, west] + roughness[row, east])
                    low, high = min(low, crest), max(high, crest)
                    count += 1
            if count == 0:
                continue
            sill = low
            if has_west and has_east:
                sill = max(low, _sill(fine, (i - 1) * factor, (j - 2) * factor, factor, 2 * factor, lowest[i, j - 1], lowest[i, j]))
            if sill >= CLOSED:
                continue
            reach = 2.0 * max(high - sill, 0.5 * LEAST_RANGE)
            open_share, swift = count / factor, np.mean(1.0 / rough[:count]) * count / factor
            faces[i, j, 0], faces[i, j, 1], faces[i, j, 2], faces[i, j, 3] = sill, 1.0 / reach, open_share, swift**0.6
            for k in range(LEVELS):
                above = reach * (k / (LEVELS - 1)) ** 2
                area, passed = 0.0, 0.0
                for a in range(count):
                    depth = sill + above - crests[a]
                    if depth > 0.0:
                        area += depth
                        passed += depth ** (5.0 / 3.0) / rough[a]
                share = open_share
                if has_west:
                    share = min(share, wet_share(cells[i, j - 1], sill + above - bottom[i, j - 1]))
                if has_east:
                    share = min(share, wet_share(cells[i, j], sill + above - bottom[i, j]))
                # Waves never run faster than on the depth above the sill, however little of the cells is wet.
                curves[i, j, k, 0] = min(area / factor, share * above)
                curves[i, j, k, 1] = min(passed / factor, swift * above ** (5.0 / 3.0)) ** 0.6


def held_below(tables: SubgridTables, level: float) -> Float:
    """Return (R + 3, C + 3) float64 water held over the area of each cell where it stands at a ``level`` [m]."""
    held = np.zeros(tables.bottom.shape)
    _held(tables.bottom, tables.cells, level - tables.datum, held)
    return held


@njit(nogil=True, cache=True)
def _held(bottom, cells, level, held):  # type: ignore[no-untyped-def]
    for i in range(bottom.shape[0]):
        for j in range(bottom.shape[1]):
            depth = level - bottom[i, j]
            if bottom[i, j] >= CLOSED or depth <= 0.0:
                continue
            knots, last = cells[i, j], 0
            while last + 1 < KNOTS and knots[last + 1, 0] <= depth:
                last += 1
            over = depth - knots[last, 0]
            held[i, j] = knots[last, 1] + knots[last, 2] * over
            if last + 1 < KNOTS:
                span = knots[last + 1, 0] - knots[last, 0]
                bend = (knots[last + 1, 1] - knots[last, 1] - knots[last, 2] * span) / (span * span)
                held[i, j] += max(bend, 0.0) * over * over
