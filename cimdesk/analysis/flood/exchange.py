"""Water exchanged with something else than the grid, such as drains, at given cells and every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cimdesk.analysis.flood import kernels
from cimdesk.base.arrays import AnyArray, Bool, Float, Int32

if TYPE_CHECKING:
    from cimdesk.analysis.flood.grid import GridState
    from cimdesk.model.terrain import Terrain


class Exchange(Protocol):
    """Gives water to cells of the surface and takes water from them.

    Attributes
    ----------
    cells : (K, 2) int
        Row and column of each cell; a cell may come more than once.
    """

    @property
    def cells(self) -> Int32: ...

    def step(self, time: float, dt: float, depths: Float, levels: Float) -> Float:
        """Return what should come in the step from ``time`` [s from the start] to ``time + dt``.

        Parameters
        ----------
        depths, levels : (K,) float64
            Water depth and water level of each cell now [m].

        Returns
        -------
        (K,) float64
            Volumes [m3], positive into the surface.
        """
        ...

    def accepted(self, volumes: Float) -> None:
        """Be told the (K,) float64 volumes [m3] that were in fact exchanged: a cell gives no more than it holds."""
        ...


class Exchanges:
    """All exchanges of a run, placed on its grid.

    Parameters
    ----------
    exchanges, terrain, is_open
    has_momentum : bool
        Whether discharges are those of the cells, as in the dynamic engine: water that is taken then takes its own along.
    """

    def __init__(self, exchanges: Sequence[Exchange], terrain: Terrain, is_open: Bool, has_momentum: bool = False) -> None:
        self._has_momentum = has_momentum
        self._area = terrain.cell_x * terrain.cell_y
        self._placed: list[tuple[Exchange, AnyArray, AnyArray, Float]] = []
        for exchange in exchanges:
            cells = np.asarray(exchange.cells, dtype=np.int64).reshape(-1, 2)
            rows, columns = cells[:, 0], cells[:, 1]
            inside = (rows >= 0) & (rows < is_open.shape[0]) & (columns >= 0) & (columns < is_open.shape[1])
            if not inside.all() or not is_open[rows, columns].all():
                raise ValueError("water is exchanged with a cell that is not open ground of the grid")
            beds = terrain.elevations[rows, columns].astype(np.float64)
            self._placed.append((exchange, rows + 1, columns + 1, beds))

    def __bool__(self) -> bool:
        return bool(self._placed)

    @property
    def all(self) -> list[Exchange]:
        """Every exchange, in the order in which they take their turn."""
        return [exchange for exchange, *_ in self._placed]

    def cells(self) -> tuple[AnyArray, AnyArray]:
        """Return the rows and columns of all cells."""
        rows = [rows - 1 for _, rows, _, _ in self._placed]
        columns = [columns - 1 for _, _, columns, _ in self._placed]
        return np.concatenate([np.zeros(0, int), *rows]), np.concatenate([np.zeros(0, int), *columns])

    def apply(self, state: GridState, time: float, dt: float) -> tuple[float, float]:
        """Exchange the water of one step; return what came and what went [m3]."""
        came = went = 0.0
        for exchange, rows, columns, beds in self._placed:
            depths = state.h[rows, columns].astype(np.float64) + state.lo[rows, columns]
            asked = np.asarray(exchange.step(time, dt, depths, depths + beds), dtype=np.float64)
            done = np.zeros(len(rows))
            kernels.exchange_at(state.h, state.lo, rows, columns, asked / self._area, done)
            if self._has_momentum:
                left = np.where(done < 0.0, (depths + done) / np.maximum(depths, 1e-30), 1.0)
                state.qx[rows, columns] *= left.astype(state.qx.dtype)
                state.qy[rows, columns] *= left.astype(state.qy.dtype)
            done *= self._area
            came += float(done[done > 0.0].sum())
            went -= float(done[done < 0.0].sum())
            exchange.accepted(done)
        return came, went
