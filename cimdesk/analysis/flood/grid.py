"""The computational grid: arrays inside a closed ring, cut into tiles of which only the wet ones are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.analysis.flood.kernels import CLOSED_HEIGHT
from cimdesk.base.arrays import AnyArray, Bool, Float, Int32
from cimdesk.model.flood import FloodScenario

TILE_ROWS, TILE_COLUMNS = 64, 512
GRAVITY = 9.81
SMALLEST_YARD = 25
"""Open cells enclosed by buildings, from which on they take roof water."""


@dataclass
class GridState:
    """Arrays that every engine has, all (R + 3, C + 3) of the run's precision; see `kernels` for the layout.

    Attributes
    ----------
    h, lo : depth and the remainder it cannot hold [m]
    z : bed height, `CLOSED_HEIGHT` where no water comes [m]
    k : gravity times Manning's n squared
    qx, qy : unit discharge to the east and to the south, at faces or in cells as the engine has it [m2 s-1]
    flags : which rows of which tiles hold a cell that would give more than it has
    rain_share : cells' worth of rain each cell receives
    deepest, speed2, discharge2, arrival : running maxima (of squares) and time of arrival
    """

    h: AnyArray
    lo: AnyArray
    z: AnyArray
    k: AnyArray
    qx: AnyArray
    qy: AnyArray
    flags: AnyArray
    rain_share: AnyArray
    deepest: AnyArray
    speed2: AnyArray
    discharge2: AnyArray
    arrival: AnyArray

    def inside(self, array: AnyArray) -> AnyArray:
        """Return the (R, C) view of the grid's own cells."""
        return array[1:-2, 1:-2]

    def another(self, fill: float = 0.0) -> AnyArray:
        """Return one more array of this shape and precision."""
        return np.zeros_like(self.h) if fill == 0.0 else np.full_like(self.h, fill)

    def volume(self, cell_area: float) -> float:
        """Return the water in the grid [m3], summed in float64."""
        inside = self.inside(self.h).sum(dtype=np.float64) + self.inside(self.lo).sum(dtype=np.float64)
        return float(inside * cell_area)


def new_state(scenario: FloodScenario, is_open: Bool) -> GridState:
    """Return the arrays at the start of a run; ``is_open`` (R, C) tells where water can be."""
    real = np.dtype(scenario.precision)
    rows, columns = scenario.terrain.shape

    # One block of memory, which the system gives in large pages.
    block = np.zeros((11, rows + 3, columns + 3), dtype=real)
    h, lo, z, k, qx, qy, share, deepest, speed2, discharge2, arrival = block
    z[:], k[:], arrival[:] = CLOSED_HEIGHT, GRAVITY * 0.035**2, np.inf
    ground = scenario.terrain.elevations.astype(np.float64)
    z[1:-2, 1:-2] = np.where(is_open, ground, CLOSED_HEIGHT)
    k[1:-2, 1:-2] = GRAVITY * np.asarray(scenario.manning_n, dtype=np.float64) ** 2
    share[1:-2, 1:-2] = rain_shares(is_open, np.isfinite(ground), scenario.rain_on_blocked)
    if scenario.initial_level is not None:
        with np.errstate(invalid="ignore"):
            depth = np.asarray(scenario.initial_level, dtype=np.float64) - ground
        h[1:-2, 1:-2] = np.where(is_open & (depth > 0.0), depth, 0.0)
    tile_columns = -(-columns // TILE_COLUMNS)
    deepest[:] = h
    return GridState(
        h=h, lo=lo, z=z, k=k, qx=qx, qy=qy, flags=np.zeros((rows + 3, tile_columns + 2), dtype=np.uint8), rain_share=share,
        deepest=deepest, speed2=speed2, discharge2=discharge2, arrival=arrival,
    )  # fmt: skip


def rain_shares(is_open: Bool, is_ground: Bool, rain_on_blocked: str) -> Float:
    """Return (R, C) float64 cells' worth of rain that each open cell receives.

    Parameters
    ----------
    is_open, is_ground : (R, C) bool
        Where water can be; where the terrain has a height (open or built on).
    rain_on_blocked : str
        ``shed`` gives the rain of a blocked cell to the nearest open one, as roofs do; ``drop`` leaves it out. Light wells
        and gaps closed in by buildings get no roof water: it would stand metres deep there, where in truth pipes take it.
    """
    share = is_open.astype(np.float64)
    blocked = is_ground & ~is_open
    if rain_on_blocked != "shed" or not blocked.any() or not is_open.any():
        return share
    from scipy.ndimage import distance_transform_edt, label

    parts, _ = label(is_open)
    is_large = np.bincount(parts.ravel()) >= SMALLEST_YARD
    is_large[0] = False
    takes = is_large[parts] if is_large.any() else is_open
    nearest = distance_transform_edt(~takes, return_distances=False, return_indices=True)
    np.add.at(share, (nearest[0][blocked], nearest[1][blocked]), 1.0)
    return share


class Tiles:
    """The grid cut into tiles of `TILE_ROWS` by `TILE_COLUMNS`, and which of them water may reach in the next step.

    Water moves one cell a step, so a dry tile with dry neighbours cannot change. A tile once wet stays active.

    Attributes
    ----------
    active : (T, 6) int64
        First row, end row, first column, end column in the padded arrays, tile column from 1, and tile number.
    shape : (int, int)
        Rows and columns of tiles; they are numbered row by row.
    active_cells : int
        How many cells those have.
    depths, losses, speeds : (all tiles,) float64
        Of each tile in the last step: largest depth [m] (in the dynamic engine, wet cells), infiltration [m cells], and in the
        dynamic engine speed of waves [m s-1].
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.shape = (-(-rows // TILE_ROWS), -(-columns // TILE_COLUMNS))
        down, across = self.shape
        row_cuts = [1 + min(r * TILE_ROWS, rows) for r in range(down + 1)]
        column_cuts = [1 + min(c * TILE_COLUMNS, columns) for c in range(across + 1)]
        table = [
            (row_cuts[r], row_cuts[r + 1], column_cuts[c], column_cuts[c + 1], c + 1, r * across + c)
            for r in range(down)
            for c in range(across)
        ]
        self._all = np.array(table, dtype=np.int64)
        self._is_wet = np.zeros(self.shape, dtype=bool)
        self.depths: Float = np.zeros(down * across)
        self.losses: Float = np.zeros(down * across)
        self.speeds: Float = np.zeros(down * across)
        self._use(self._all[:0])

    def activate_all(self) -> None:
        """Compute every tile from now on."""
        self._is_wet[:] = True
        self._use(self._all)

    def activate_at(self, rows: AnyArray, columns: AnyArray) -> None:
        """Compute from now on the tiles of these cells of the grid."""
        self._grow(rows // TILE_ROWS, columns // TILE_COLUMNS)

    def follow_water(self) -> None:
        """Activate the neighbours of tiles that have become wet."""
        if len(self.active) == len(self._all):
            return
        wet = (self.depths.reshape(self.shape) > 0.0) & ~self._is_wet
        if wet.any():
            self._grow(*np.nonzero(wet))

    def _grow(self, rows: AnyArray, columns: AnyArray) -> None:
        self._is_wet[rows, columns] = True
        near = np.zeros((self.shape[0] + 2, self.shape[1] + 2), dtype=bool)
        for dr in range(3):
            for dc in range(3):
                near[dr : dr + self.shape[0], dc : dc + self.shape[1]] |= self._is_wet
        self._use(self._all[near[1:-1, 1:-1].ravel()])

    def _use(self, active: AnyArray) -> None:
        self.active = active
        self.active_cells = int(((active[:, 1] - active[:, 0]) * (active[:, 3] - active[:, 2])).sum())


def cells_of(scenario: FloodScenario, xy: Float) -> tuple[Int32, Int32, Bool]:
    """Return rows, columns and whether they are on the grid, for (N, 2) world points."""
    terrain = scenario.terrain
    columns = np.floor((xy[:, 0] - terrain.west) / terrain.cell_x).astype(np.int64)
    rows = np.floor((terrain.north - xy[:, 1]) / terrain.cell_y).astype(np.int64)
    inside = (rows >= 0) & (rows < terrain.shape[0]) & (columns >= 0) & (columns < terrain.shape[1])
    return rows.astype(np.int32), columns.astype(np.int32), inside


def inflow_cells(scenario: FloodScenario, is_open: Bool, points: Float, radius: float) -> tuple[AnyArray, AnyArray, Float]:
    """Return rows, columns and shares (summing to one) of the open cells that an inflow enters; empty where there is none."""
    terrain = scenario.terrain
    shares: dict[tuple[int, int], float] = {}
    rows, columns, inside = cells_of(scenario, points)
    placed = 0
    for p in range(len(points)):
        cells = [(int(rows[p]), int(columns[p]))] if inside[p] else []
        if radius > 0.0:
            reach = int(radius / terrain.cell_x) + 1
            r, c = np.mgrid[rows[p] - reach : rows[p] + reach + 1, columns[p] - reach : columns[p] + reach + 1]
            x = terrain.west + (c + 0.5) * terrain.cell_x
            y = terrain.north - (r + 0.5) * terrain.cell_y
            near = np.hypot(x - points[p, 0], y - points[p, 1]) <= radius
            near &= (r >= 0) & (c >= 0) & (r < terrain.shape[0]) & (c < terrain.shape[1])
            cells = list(zip(r[near].tolist(), c[near].tolist(), strict=True)) or cells
        cells = [cell for cell in cells if is_open[cell]]
        placed += bool(cells)
        for cell in cells:
            shares[cell] = shares.get(cell, 0.0) + 1.0 / len(cells)
    index: Any = np.array(sorted(shares), dtype=np.int64).reshape(-1, 2)
    weights = np.array([shares[key] for key in sorted(shares)], dtype=np.float64) / max(placed, 1)
    return index[:, 0], index[:, 1], weights
