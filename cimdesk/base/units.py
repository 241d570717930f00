"""Numbers as people read them: unit symbols, sensible digits, ISO dates. SI inside, converted only here."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

DEFAULT_ZONE = "Asia/Shanghai"


def format_number(value: float, digits: int = 3) -> str:
    """Return ``value`` with ``digits`` significant digits, grouped thousands, and a dash for NaN."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 6)}f}"


def format_quantity(value: float, unit: str, digits: int = 3) -> str:
    """Return a number and its unit, such as ``0.62 m``."""
    text = format_number(value, digits)
    return f"{text} {unit}".strip()


def format_length(metres: float) -> str:
    """Return a length in m below 10 km, in km above."""
    return format_quantity(metres, "m") if abs(metres) < 10_000 else format_quantity(metres / 1000.0, "km")


def format_area(square_metres: float) -> str:
    """Return an area in m2, ha or km2, whichever reads best."""
    if abs(square_metres) < 10_000:
        return format_quantity(square_metres, "m²")
    if abs(square_metres) < 10_000_000:
        return format_quantity(square_metres / 1e4, "ha")
    return format_quantity(square_metres / 1e6, "km²")


def format_time(time: float, zone: str = DEFAULT_ZONE, seconds: bool = False) -> str:
    """Return POSIX seconds as ``2026-06-07 12:40`` local time of ``zone``."""
    moment = datetime.fromtimestamp(time, ZoneInfo(zone))
    return moment.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def parse_time(text: str, zone: str = DEFAULT_ZONE) -> float:
    """Return POSIX seconds of an ISO 8601 date or date-time; without a zone it is local time of ``zone``.

    Raises
    ------
    ValueError
        If the text is no ISO date.
    """
    moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.timestamp()


def format_utc(time: float) -> str:
    """Return POSIX seconds as ``2026-06-07T04:40:00Z``, the form kept in files."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_duration(text: str | float) -> float:
    """Return seconds of ``"3h"``, ``"90 min"``, ``"45s"``, ``"2d"`` or a plain number of seconds.

    Raises
    ------
    ValueError
        If the text is no duration.
    """
    if isinstance(text, int | float):
        return float(text)
    units = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
    stripped = text.strip().lower()
    number = stripped.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = stripped[len(number) :].strip() or "s"
    if unit not in units or not number:
        raise ValueError(f"{text!r} is no duration; write 3h, 90min or 45s")
    return float(number) * units[unit]
