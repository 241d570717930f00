"""Class limits of numbers, and the figures that describe a column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int
from cimdesk.model.columns import encode, is_number

MOST_SAMPLED = 4_000
"""Distinct values that natural breaks are found among; of more, evenly spaced ones of the sorted column."""


class Method(StrEnum):
    """How class limits are found."""

    QUANTILE = "quantile"
    EQUAL = "equal"
    NATURAL = "natural"
    PRETTY = "pretty"
    MANUAL = "manual"


def finite_of(values: AnyArray) -> Float:
    """Return the finite values of a column of numbers."""
    numbers = np.asarray(values, dtype=np.float64)
    return numbers[np.isfinite(numbers)]


def breaks_of(values: AnyArray, method: Method, count: int) -> tuple[float, ...]:
    """Return the rising limits between ``count`` classes, or fewer where there are not so many different values.

    Parameters
    ----------
    values : (N,) array of numbers
        NaN does not count.
    method : Method
        `Method.MANUAL` gives none: those limits are a person's.
    count : int
        Classes, at least 2.
    """
    finite = finite_of(values)
    if not len(finite) or count < 2 or method is Method.MANUAL:
        return ()
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return ()
    if method is Method.QUANTILE:
        found = np.quantile(finite, np.arange(1, count) / count)
    elif method is Method.NATURAL:
        found = natural_breaks(finite, count)
    else:
        found = _even_breaks(low, high, method, count)
    return _rising(found, low)


def all_breaks(ordered: Float, most: int) -> dict[tuple[Method, int], tuple[float, ...]]:
    """Return what `breaks_of` finds by every method and for every number of classes up to ``most``.

    Parameters
    ----------
    ordered : (N,) float64
        Finite values, rising.
    most : int
    """
    counts = range(2, most + 1)
    if not len(ordered) or ordered[0] == ordered[-1]:
        return {(method, count): () for method in Method for count in counts}
    low, high = float(ordered[0]), float(ordered[-1])
    natural = _natural_breaks(ordered, most)
    found = {(Method.QUANTILE, count): quantiles_of_sorted(ordered, np.arange(1, count) / count) for count in counts}
    found |= {(Method.NATURAL, count): natural[min(count, max(natural))] for count in counts}
    for method in (Method.EQUAL, Method.PRETTY):
        found |= {(method, count): _even_breaks(low, high, method, count) for count in counts}
    rising = {key: _rising(limits, low) for key, limits in found.items()}
    return rising | {(Method.MANUAL, count): () for count in counts}


def _even_breaks(low: float, high: float, method: Method, count: int) -> Float:
    if method is Method.EQUAL:
        return np.asarray(np.linspace(low, high, count + 1)[1:-1], dtype=np.float64)
    return np.array([value for value in pretty(low, high, count) if low < value < high])


def _rising(found: Float, low: float) -> tuple[float, ...]:
    return tuple(float(value) for value in np.unique(found) if value > low)


def quantiles_of_sorted(ordered: Float, shares: AnyArray) -> Float:
    """Return what `numpy.quantile` finds in (N,) rising values, N > 0, for shares 0..1, without looking at all of them."""
    places = (len(ordered) - 1) * np.asarray(shares, dtype=np.float64)
    before = np.floor(places).astype(np.int64)
    a, b = ordered[before], ordered[np.minimum(before + 1, len(ordered) - 1)]
    share = places - before
    return np.asarray(np.where(share >= 0.5, b - (b - a) * (1.0 - share), a + (b - a) * share), dtype=np.float64)


def pretty(low: float, high: float, count: int) -> list[float]:
    """Return round numbers that part a range into about ``count`` classes."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0)), key=lambda s: abs(math.log(s / raw)))
    first = math.floor(low / step)
    return [round(k * step, 12) for k in range(first, math.ceil(high / step) + 1)]


def natural_breaks(finite: Float, count: int) -> Float:
    """Return the (count - 1,) limits that make the classes as even within as can be (Jenks; Fisher 1958, exact).

    The optimum by dynamic programming over the distinct values with their weights; of columns with more than `MOST_SAMPLED`
    distinct values over as many quantiles. Each limit is the lowest value of its class.
    """
    found = _natural_breaks(finite, count)
    return found[max(found)]


def _natural_breaks(finite: Float, most: int) -> dict[int, Float]:
    """Return natural limits by the number of classes, from one up to ``most`` or the number of distinct values."""
    values, weights = np.unique(finite, return_counts=True)
    if len(values) > MOST_SAMPLED // 4:
        values, weights = np.unique(np.quantile(finite, np.linspace(0.0, 1.0, MOST_SAMPLED // 4)), return_counts=True)
    w = np.concatenate([[0.0], np.cumsum(weights)])
    s = np.concatenate([[0.0], np.cumsum(weights * values)])
    q = np.concatenate([[0.0], np.cumsum(weights * values**2)])
    # spread[i, j]: sum of squares about the mean of values i..j-1.
    i, j = np.ogrid[: len(values) + 1, : len(values) + 1]
    inside = np.where(j > i, w[j] - w[i], 1.0)
    spread = np.where(j > i, np.maximum(q[j] - q[i] - (s[j] - s[i]) ** 2 / inside, 0.0), np.inf)
    cost = spread[0]
    cuts: list[Int] = []
    found = {1: np.zeros(0)}
    for count in range(2, min(most, len(values)) + 1):
        total = cost[:, None] + spread
        cuts.append(total.argmin(axis=0))
        cost = total.min(axis=0)
        limits: list[float] = []
        end = len(values)
        for cut in reversed(cuts):
            end = int(cut[end])
            limits.append(float(values[end]))
        found[count] = np.array(limits[::-1])
    return found


def histogram(values: AnyArray, bins: int, low: float, high: float, log: bool = False) -> Int:
    """Return (bins,) counts of the finite values between two limits, even steps of the value or of its logarithm."""
    finite = finite_of(values)
    if log:
        finite = np.log10(finite[finite > 0])
        low, high = (math.log10(low), math.log10(high)) if low > 0 and high > low else (0.0, 1.0)
    if not high > low:
        return np.zeros(bins, dtype=np.int64)
    position = ((finite - low) * (bins / (high - low))).astype(np.int64)
    inside = (finite >= low) & (finite <= high)
    return np.bincount(np.minimum(position[inside], bins - 1), minlength=bins).astype(np.int64)


def percentiles(values: AnyArray, low: float, high: float) -> tuple[float, float]:
    """Return the values at two percentiles, 0..100; (0, 1) where there are none."""
    finite = finite_of(values)
    if not len(finite):
        return 0.0, 1.0
    found = np.percentile(finite, [low, high])
    return float(found[0]), float(found[1])


@dataclass(frozen=True)
class Statistics:
    """What a column holds.

    Attributes
    ----------
    count, missing, distinct : int
    numbers : mapping of name to value
        ``min max mean median sum std`` of numbers; empty for texts.
    top : tuple of (text, count)
        The most frequent values, most first.
    """

    count: int
    missing: int
    distinct: int
    numbers: dict[str, float]
    top: tuple[tuple[str, int], ...]


def statistics(values: AnyArray, most: int = 5) -> Statistics:
    """Return the figures of a column, or of a part of one."""
    if is_number(values):
        finite = finite_of(values)
        unique, counts = np.unique(finite, return_counts=True)
        numbers = {}
        if len(finite):
            numbers = {
                "min": float(finite.min()), "max": float(finite.max()), "mean": float(finite.mean()),
                "median": float(np.median(finite)), "sum": float(finite.sum()), "std": float(finite.std()),
            }  # fmt: skip
        first = np.argsort(-counts, kind="stable")[:most]
        top = tuple((f"{unique[k]:g}", int(counts[k])) for k in first) if len(unique) <= 50 else ()
        return Statistics(len(finite), len(values) - len(finite), len(unique), numbers, top)
    encoded = encode(values)
    counts = encoded.counts
    first = np.argsort(-counts, kind="stable")[:most]
    top = tuple((encoded.names[k], int(counts[k])) for k in first)
    return Statistics(len(values) - encoded.missing, encoded.missing, len(encoded.names), {}, top)
