"""Sensors, their observation series and thresholds, and values at a moment of the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int, UInt8, bounds_of_points, require_shape
from cimdesk.model.features import FeatureTable


class Status(IntEnum):
    """The status ladder, mild to severe; each has a shape as well as a colour."""

    NORMAL = 0
    ATTENTION = 1
    WARNING = 2
    ALARM = 3
    STALE = 4
    FAULT = 5
    MAINTENANCE = 6


STATUS_PALETTE: tuple[tuple[str, str], ...] = (
    ("Normal", "#1a9850"),
    ("Attention", "#2f7fc1"),
    ("Warning", "#e8870e"),
    ("Alarm", "#d73027"),
    ("Stale", "#9aa4af"),
    ("Fault", "#7b3294"),
    ("Maintenance", "#8c6d3f"),
)
"""English label and colour of each status, by code."""


@dataclass(frozen=True)
class Observations:
    """Time series of S sensors as one ragged pair of arrays, each series sorted by time.

    Attributes
    ----------
    offsets : (S + 1,) int64
    times : (M,) float64
        POSIX seconds (UTC), rising within each series.
    values : (M,) float64
        Readings in the sensor's unit; NaN is a gap.
    """

    offsets: Int
    times: Float
    values: Float

    @staticmethod
    def empty(sensors: int) -> Observations:
        """Return no observations for so many sensors."""
        return Observations(np.zeros(sensors + 1, dtype=np.int64), np.zeros(0), np.zeros(0))

    @staticmethod
    def from_rows(sensors: int, sensor: Int, times: Float, values: Float) -> Observations:
        """Return the series of unsorted rows: ``sensor`` (M,) row numbers, times and values (M,)."""
        order = np.lexsort((times, sensor))
        offsets = np.zeros(sensors + 1, dtype=np.int64)
        np.cumsum(np.bincount(sensor, minlength=sensors), out=offsets[1:])
        return Observations(offsets, times[order].astype(np.float64), values[order].astype(np.float64))

    def series(self, sensor: int) -> tuple[Float, Float]:
        """Return times and values of one sensor."""
        part = slice(self.offsets[sensor], self.offsets[sensor + 1])
        return self.times[part], self.values[part]

    def latest(self, time: float) -> tuple[Float, Float]:
        """Return (S,) time and value of each sensor's last reading at or before ``time``; NaN where there is none."""
        passed = np.concatenate([[0], np.cumsum(self.times <= time)])
        counts = passed[self.offsets[1:]] - passed[self.offsets[:-1]]
        rows = self.offsets[:-1] + counts - 1
        has = counts > 0
        safe = np.where(has, rows, 0)
        if not len(self.times):
            return np.full(len(counts), np.nan), np.full(len(counts), np.nan)
        return np.where(has, self.times[safe], np.nan), np.where(has, self.values[safe], np.nan)

    @property
    def time_range(self) -> tuple[float, float] | None:
        """First and last time of all series; None when there are none."""
        return (float(self.times.min()), float(self.times.max())) if len(self.times) else None


@dataclass(frozen=True)
class Sensors:
    """Sensors of one source.

    Attributes
    ----------
    features : FeatureTable
        One row per sensor (a SensorThings Datastream, or a station); columns ``name``, ``quantity`` (ObservedProperty id
        such as ``water_level``) and ``unit`` are always there.
    positions : (S, 3) float64
        World coordinates; NaN where unknown.
    thresholds : (S, 3) float64
        Attention, warning and alarm levels in the sensor's unit; NaN where none.
    stale_after : (S,) float64
        Seconds after which a silent sensor is stale.
    observations : Observations
    metadata : mapping
    condition : (S,) uint8 or None
        What the source itself says of each sensor: `Status.FAULT`, `Status.MAINTENANCE`, else `Status.NORMAL`; None when it
        says nothing.
    """

    features: FeatureTable
    positions: Float
    thresholds: Float
    stale_after: Float
    observations: Observations
    metadata: Mapping[str, Any] = field(default_factory=dict)
    condition: UInt8 | None = None

    def status_at(self, time: float) -> UInt8:
        """Return (S,) `Status` codes at a moment: the highest threshold reached, or stale when silent too long.

        A sensor that has never reported by then is stale; one without thresholds is normal. What the source says of a
        sensor (`condition`) comes before all of this.
        """
        seen, value = self.observations.latest(time)
        reached = np.where(np.isfinite(self.thresholds), value[:, None] >= self.thresholds, False)
        status = np.where(reached.any(axis=1), 3 - np.argmax(reached[:, ::-1], axis=1), Status.NORMAL)
        is_stale = ~np.isfinite(seen) | (time - seen > self.stale_after) | ~np.isfinite(value)
        status = np.where(is_stale, Status.STALE, status).astype(np.uint8)
        return status if self.condition is None else np.where(self.condition != Status.NORMAL, self.condition, status)

    def __post_init__(self) -> None:
        count = len(self.features)
        require_shape("positions", self.positions, count, 3)
        require_shape("thresholds", self.thresholds, count, 3)
        require_shape("stale_after", self.stale_after, count)
        if self.condition is not None:
            require_shape("condition", self.condition, count)

    @property
    def bounds(self) -> Float:
        """(2, 3) world minimum and maximum of the placed sensors; NaN when none is placed."""
        return bounds_of_points(self.positions)
