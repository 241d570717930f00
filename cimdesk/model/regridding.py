"""Values of one grid on the cells of another."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32
from cimdesk.model.terrain import Terrain

_SAME = 1e-6


def same_grid(a: Terrain, b: Terrain) -> bool:
    """Whether two grids have the same cells."""
    near = _SAME * max(a.cell_x, a.cell_y, 1.0) * 1000.0
    return (
        a.shape == b.shape
        and abs(a.cell_x - b.cell_x) <= _SAME * a.cell_x
        and abs(a.cell_y - b.cell_y) <= _SAME * a.cell_y
        and abs(a.west - b.west) <= near
        and abs(a.north - b.north) <= near
    )


class OntoGrid:
    """Brings values of one grid onto another: where that is finer, by the nearest cell; where it is coarser, by the mean.

    Blocked cells take no part in a mean. Cells that the first grid does not cover are NaN.
    """

    def __init__(self, source: Terrain, target: Terrain, is_blocked: Bool | None = None) -> None:
        self._is_same = same_grid(source, target)
        self._shape = target.shape
        if self._is_same:
            return
        sub_y = max(1, int(np.ceil(target.cell_y / source.cell_y - 1e-9)))
        sub_x = max(1, int(np.ceil(target.cell_x / source.cell_x - 1e-9)))
        rows, ok_rows = _cells(
            source.north, source.cell_y, source.shape[0], target.north, target.cell_y, target.shape[0], sub_y, -1
        )
        columns, ok_columns = _cells(
            source.west, source.cell_x, source.shape[1], target.west, target.cell_x, target.shape[1], sub_x, 1
        )
        self._index = np.ix_(rows, columns)
        self._sub = (sub_y, sub_x)
        self._takes_part = np.outer(ok_rows, ok_columns)
        if is_blocked is not None and sub_x * sub_y > 1:
            open_ones = self._takes_part & ~is_blocked[self._index]
            # A cell that is blocked all over keeps its own dry value.
            self._takes_part = np.where(self._spread(self._sums(open_ones) > 0), open_ones, self._takes_part)
        self._counts = self._sums(self._takes_part)

    def __call__(self, values: AnyArray) -> Float32:
        """Return (R, C) float32 of the values on the target grid."""
        if self._is_same:
            return np.asarray(values, dtype=np.float32)
        taken = np.where(self._takes_part, np.nan_to_num(values[self._index]), 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(self._counts > 0, self._sums(taken) / self._counts, np.nan), dtype=np.float32)

    def _sums(self, values: AnyArray) -> Float:
        rows, columns = self._shape
        return np.asarray(values.reshape(rows, self._sub[0], columns, self._sub[1]).sum(axis=(1, 3)), dtype=np.float64)

    def _spread(self, values: AnyArray) -> Bool:
        return np.asarray(np.repeat(np.repeat(values, self._sub[0], axis=0), self._sub[1], axis=1), dtype=bool)


def _cells(
    start: float, cell: float, count: int, target: float, target_cell: float, target_count: int, sub: int, sign: int
) -> tuple[AnyArray, Bool]:
    """Return the source cell under the middle of each part of the target cells of one axis, and whether there is one."""
    middles = target + sign * (np.arange(target_count * sub) + 0.5) * target_cell / sub
    number = np.floor(sign * (middles - start) / cell).astype(np.int64)
    inside = (number >= 0) & (number < count)
    return np.where(inside, number, 0), inside
