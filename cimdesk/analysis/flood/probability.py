"""What several return periods say of one place: the annual chance of water above a depth, and the damage of an average year."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32


def reduced_variate(return_periods: Float) -> Float:
    """Return the Gumbel reduced variate of return periods [years], on which depths are interpolated.

    Annual maxima of rain and level are near straight lines on it (Gumbel 1958). A period of one year has a chance of 1 in every
    year; it is taken as 1.01 years, where the variate is finite.
    """
    chance = 1.0 / np.maximum(return_periods, 1.01)
    return np.asarray(-np.log(-np.log(1.0 - chance)), dtype=np.float64)


def annual_chance(
    depths: Sequence[AnyArray], return_periods: Sequence[float], threshold: float
) -> tuple[Float32, Float32, Float32]:
    """Return the annual chance that water exceeds a depth, and what the runs alone say of it.

    Between two return periods the deepest water is interpolated on the Gumbel variate. Nothing is said beyond the runs: what is
    exceeded in the smallest one has at least its chance, and is given that; what stays below in the largest is given 0.

    Parameters
    ----------
    depths : (T,) of (R, C) float
        Deepest water of each run [m], NaN as dry; in the order of ``return_periods``.
    return_periods : (T,) rising [years]
    threshold : float
        [m]

    Returns
    -------
    chance, least, most : (R, C) float32
        Interpolated, and the bounds that hold whatever lies between the runs.
    """
    periods = np.asarray(return_periods, dtype=np.float64)
    variate = reduced_variate(periods)
    # A larger storm never counts for less water than a smaller one, whatever pumps and waves do in a cell.
    stack = np.maximum.accumulate(np.nan_to_num(np.stack([np.asarray(d, dtype=np.float32) for d in depths])), axis=0)
    over = stack > threshold
    first = np.where(over.any(axis=0), over.argmax(axis=0), len(periods))
    least = np.append(1.0 / periods, 0.0)[first]
    most = np.append(1.0, 1.0 / periods)[first]
    chance = least.copy()
    between = (first > 0) & (first < len(periods))
    k = first[between]
    r, c = np.nonzero(between)
    low, high = stack[k - 1, r, c].astype(np.float64), stack[k, r, c].astype(np.float64)
    share = (threshold - low) / np.maximum(high - low, 1e-9)
    at = variate[k - 1] + np.clip(share, 0.0, 1.0) * (variate[k] - variate[k - 1])
    chance[between] = np.clip(1.0 - np.exp(-np.exp(-at)), 1.0 / periods[k], 1.0 / periods[k - 1])
    return chance.astype(np.float32), least.astype(np.float32), most.astype(np.float32)


def expected_annual(values: Sequence[float], return_periods: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of a loss over the years: the area under loss against annual chance.

    Returns
    -------
    expected : float
        Between the smallest and the largest return period of the runs, by trapezoids, nothing beyond them.
    least, most : float
        Bounds for any loss that grows with the return period: at the lower end of each interval of chance, and at the upper one
        with the largest loss for what is rarer than the runs. What is more frequent than the smallest run is in neither.
    """
    chance = 1.0 / np.asarray(return_periods, dtype=np.float64)
    loss = np.maximum.accumulate(np.asarray(values, dtype=np.float64))
    width = chance[:-1] - chance[1:]
    expected = float(np.sum(width * (loss[:-1] + loss[1:]) / 2.0))
    rare = float(loss[-1] * chance[-1])
    return expected, float(np.sum(width * loss[:-1])) + rare, float(np.sum(width * loss[1:])) + rare
