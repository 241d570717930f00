"""Design storms and hyetographs as rate series. The tables of storms are data, handed in; none are constants here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.model.flood import Series

LITRES_PER_SECOND_PER_HECTARE = 1.0e-7
"""In m/s."""


@dataclass(frozen=True)
class StormFormula:
    """Intensity of rain against its duration for one return period: ``q = a / (t + b) ** n``.

    Attributes
    ----------
    return_period : float
        [years].
    a, b, n : float
        Such that ``t`` in minutes gives ``q`` in L s-1 ha-1.
    """

    return_period: float
    a: float
    b: float
    n: float

    def depth(self, duration: Float | float) -> Float:
        """Return the rain depth [m] of the storm of this ``duration`` [s]."""
        minutes = np.asarray(duration, dtype=np.float64) / 60.0
        rate = self.a / (minutes + self.b) ** self.n * LITRES_PER_SECOND_PER_HECTARE
        return np.asarray(rate * minutes * 60.0)


def chicago_hyetograph(formula: StormFormula, duration: float, peak: float = 0.4, step: float = 300.0) -> Series:
    """Return the Chicago design storm: every window around its peak holds what the formula gives for that duration.

    Keifer and Chu (1957), J. Hydraul. Div. ASCE 83(HY4). Rates are exact means over the steps, so the whole depth is that of
    the formula for ``duration``.

    Parameters
    ----------
    formula : StormFormula
    duration : float
        [s].
    peak : float
        Share of the duration before the peak, 0..1.
    step : float
        Length of the steps [s].

    Returns
    -------
    Series
        Rates [m/s], each held until the next time; the last is zero.
    """
    if not 0.0 < peak < 1.0:
        raise ValueError(f"the peak lies between 0 and 1 of the storm, not at {peak}")
    count = max(1, round(duration / step))
    edges = np.linspace(0.0, duration, count + 1)
    from_peak = edges - peak * duration
    before = peak * formula.depth(np.maximum(-from_peak, 0.0) / peak)
    after = (1.0 - peak) * formula.depth(np.maximum(from_peak, 0.0) / (1.0 - peak))
    fallen = after - before
    rates = np.diff(fallen) / np.diff(edges)
    return Series(edges, np.append(rates, 0.0))


def rain_depth(rain: Series, duration: float) -> float:
    """Return the depth [m] that held ``rain`` rates give until ``duration`` [s]."""
    ends = np.append(rain.times[1:], max(duration, float(rain.times[-1])))
    spans = np.clip(np.minimum(ends, duration) - rain.times, 0.0, None)
    return float((spans * rain.values).sum())
