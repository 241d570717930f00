"""The difference of two floods that are on one grid: where it became wetter and drier, and by how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.model.flood import FloodResult

WET = 0.03
"""Depth from which a cell counts as wet [m]."""
TELLING = 0.01
"""Smaller differences of depth [m] are none."""


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
