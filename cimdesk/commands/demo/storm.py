"""The storm of 7 June 2026 that the demo city is shown with: its rain and the tide it met."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.units import parse_time

RECORD_START = parse_time("2026-06-07T10:00:00+08:00")
RECORD_END = parse_time("2026-06-07T16:00:00+08:00")
STORM_START = parse_time("2026-06-07T11:00:00+08:00")
STORM_DURATION = 3 * 3600.0
CLOCK_TIME = parse_time("2026-06-07T12:40:00+08:00")
STEP = 300.0
PEAK_RATIO = 0.4
# Guangzhou centre, 50-year return period: q [L/s/ha] = A / (t + b)^n, t in minutes; third-party transcription.
INTENSITY = (3623.399, 6.274, 0.598)
# Two-year return period of the same table, to which the sewers are designed.
DESIGN_INTENSITY = (5920.317, 14.646, 0.815)
LITRES_PER_HECTARE_PER_MM_MIN = 166.7


def rain_depths(offset: float = 0.0, factor: float = 1.0) -> Float:
    """Return (N,) rain of each five minutes of the record [mm]: a Chicago storm, ``offset`` seconds later, times ``factor``.

    Keifer and Chu (1957): the mean intensity of any duration around the peak is that of the formula.
    """
    edges = np.arange(RECORD_START, RECORD_END + STEP / 2, STEP)
    peak = STORM_START + PEAK_RATIO * STORM_DURATION + offset
    minutes = np.clip((edges - peak) / 60.0, -PEAK_RATIO * STORM_DURATION / 60.0, (1 - PEAK_RATIO) * STORM_DURATION / 60.0)
    before = -PEAK_RATIO * _depth(-minutes / PEAK_RATIO)
    after = (1.0 - PEAK_RATIO) * _depth(minutes / (1.0 - PEAK_RATIO))
    return np.asarray(np.diff(np.where(minutes < 0.0, before, after)) * factor)


def _depth(minutes: Float) -> Float:
    a, b, n = INTENSITY
    t = np.maximum(minutes, 0.0)
    return np.asarray(a / LITRES_PER_HECTARE_PER_MM_MIN * t / (t + b) ** n)


def record_times() -> Float:
    """Return (N,) ends of the five-minute steps of the record [POSIX s]."""
    return np.arange(RECORD_START + STEP, RECORD_END + STEP / 2, STEP)


def tide_level(times: Float) -> Float:
    """Return (N,) level of the river at ``times`` [m]: a semi-diurnal tide, high just after the rain's peak."""
    hours = (np.asarray(times) - parse_time("2026-06-07T12:50:00+08:00")) / 3600.0
    return np.asarray(0.82 + 1.08 * np.cos(2 * np.pi * hours / 12.42) + 0.14 * np.cos(4 * np.pi * hours / 12.42 + 0.6))
