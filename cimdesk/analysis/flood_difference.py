"""The difference of two floods: on one grid, at the same moments, with where it became wetter and drier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32
from cimdesk.model.flood import FloodResult
from cimdesk.model.terrain import Terrain

WET = 0.03
"""Depth from which a cell counts as wet [m]."""
TELLING = 0.01
"""Smaller differences of depth [m] are none."""
_SAME = 1e-6


@dataclass(frozen=True)
class DifferenceFigures:
    """What the difference ``b - a`` amounts to.

    Attributes
    ----------
    largest_rise, largest_fall : float
        [m]; the fall is negative.
    mean, rms : float
        Over the cells wet in either [m].
    wetter, drier, newly_wet, no_longer_wet : float
        Areas [m2].
    volume : float
        Water more (positive) or less [m3].
    compared : float
        Area that both cover [m2].
    """

    largest_rise: float
    largest_fall: float
    mean: float
    rms: float
    wetter: float
    drier: float
    newly_wet: float
    no_longer_wet: float
    volume: float
    compared: float


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


def common_times(a: FloodResult, b: FloodResult) -> Float:
    """Return the output times [s from the start of each run] of ``a`` up to the end of the shorter run.

    Runs are laid over each other from their own start, whatever the clock says: a storm compared with itself a year later.
    """
    end = min(float(a.times[-1]), float(b.times[-1]))
    return np.asarray(a.times[a.times <= end + 1e-6], dtype=np.float64)


def figures_of(a: Float32, b: Float32, cell_area: float, telling: float = TELLING) -> DifferenceFigures:
    """Return what ``b - a`` amounts to.

    Parameters
    ----------
    a, b : (R, C) float32
        Depths on one grid [m]; NaN where a run has none, which is left out.
    cell_area : float
        [m2].
    telling : float
        Differences up to this are none [m].
    """
    covered = np.isfinite(a) & np.isfinite(b)
    first, second = a[covered].astype(np.float64), b[covered].astype(np.float64)
    difference = second - first
    wet = (first > WET) | (second > WET)
    of_wet = difference[wet]
    return DifferenceFigures(
        float(difference.max(initial=0.0)),
        float(difference.min(initial=0.0)),
        float(of_wet.mean()) if len(of_wet) else 0.0,
        float(np.sqrt(np.mean(of_wet**2))) if len(of_wet) else 0.0,
        float(np.count_nonzero((difference > telling) & wet)) * cell_area,
        float(np.count_nonzero((difference < -telling) & wet)) * cell_area,
        float(np.count_nonzero((first <= WET) & (second > WET))) * cell_area,
        float(np.count_nonzero((first > WET) & (second <= WET))) * cell_area,
        float(difference.sum()) * cell_area,
        float(np.count_nonzero(covered)) * cell_area,
    )
