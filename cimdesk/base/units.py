"""Numbers as people read them: unit symbols, sensible digits, ISO dates. SI inside, converted only here."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from cimdesk.base.arrays import Float

DEFAULT_ZONE = "Asia/Shanghai"
FIRST_MOMENT, LAST_MOMENT = -62e9, 253e9
"""Moments that every time zone can write with a four-digit year [POSIX s]; what lies beyond is a slip or a placeholder."""

_FOOT = 0.3048
# Spelling (lower case, without spaces) -> unit kept inside, factor, offset. UCUM codes where there is one.
_UNITS: dict[str, tuple[str, float, float]] = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters", "米", "masd", "maod", "mod"), ("m", 1.0, 0.0)),
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "毫米"), ("mm", 1.0, 0.0)),
    **dict.fromkeys(("cm", "centimetre", "厘米"), ("m", 0.01, 0.0)),
    **dict.fromkeys(("km", "千米", "公里"), ("m", 1000.0, 0.0)),
    **dict.fromkeys(("ft", "foot", "feet", "[ft_i]", "ft_us"), ("m", _FOOT, 0.0)),
    **dict.fromkeys(("in", "inch", "inches", "[in_i]"), ("mm", 25.4, 0.0)),
    **dict.fromkeys(("m3/s", "m³/s", "m^3/s", "m3s-1", "cms", "cumecs", "立方米/秒"), ("m3/s", 1.0, 0.0)),
    **dict.fromkeys(("ft3/s", "ft^3/s", "ft³/s", "cfs", "[cft_i]/s"), ("m3/s", _FOOT**3, 0.0)),
    **dict.fromkeys(("l/s", "lps", "升/秒"), ("m3/s", 1e-3, 0.0)),
    **dict.fromkeys(("m3/h", "m³/h", "cmh", "立方米/小时"), ("m3/s", 1.0 / 3600.0, 0.0)),
    **dict.fromkeys(("m/s", "ms-1", "米/秒"), ("m/s", 1.0, 0.0)),
    **dict.fromkeys(("ft/s", "fps"), ("m/s", _FOOT, 0.0)),
    **dict.fromkeys(("km/h",), ("m/s", 1.0 / 3.6, 0.0)),
    **dict.fromkeys(("mm/h", "mmh-1", "mm/hr", "毫米/小时"), ("mm/h", 1.0, 0.0)),
    **dict.fromkeys(("in/h", "in/hr"), ("mm/h", 25.4, 0.0)),
    **dict.fromkeys(("kpa", "千帕"), ("kPa", 1.0, 0.0)),
    **dict.fromkeys(("mpa", "兆帕"), ("kPa", 1000.0, 0.0)),
    **dict.fromkeys(("pa", "帕"), ("kPa", 1e-3, 0.0)),
    **dict.fromkeys(("bar",), ("kPa", 100.0, 0.0)),
    **dict.fromkeys(("psi",), ("kPa", 6.894757293168, 0.0)),
    **dict.fromkeys(("cel", "°c", "degc", "℃", "c", "degreecelsius", "degreescelsius", "摄氏度"), ("Cel", 1.0, 0.0)),
    **dict.fromkeys(("degf", "°f", "[degf]"), ("Cel", 5.0 / 9.0, -160.0 / 9.0)),
    **dict.fromkeys(("%", "percent"), ("%", 1.0, 0.0)),
    **dict.fromkeys(("mg/l",), ("mg/L", 1.0, 0.0)),
    **dict.fromkeys(("kw",), ("kW", 1.0, 0.0)),
}


def format_number(value: float, digits: int = 3) -> str:
    """Return ``value`` with ``digits`` significant digits, grouped thousands, and a dash for NaN."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 6)}f}"


def format_count(count: float) -> str:
    """Return a whole number with grouped thousands."""
    return f"{round(count):,}"


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


def unit_conversion(unit: str) -> tuple[str, float, float]:
    """Return how readings in ``unit`` are kept: the unit inside, a factor and an offset.

    A unit that is not known is kept as it is written: ``unit_conversion("NTU") == ("NTU", 1.0, 0.0)``.
    """
    text = unit.strip()
    return _UNITS.get(re.sub(r"\s+", "", text).lower(), (text, 1.0, 0.0))


def parse_time(text: str, zone: str = DEFAULT_ZONE) -> float:
    """Return POSIX seconds of an ISO 8601 date or date-time; without a zone it is local time of ``zone``.

    Reads ``2026/6/7 8:05`` and ``2026年6月7日 8:05`` as well, which spreadsheets write.

    Raises
    ------
    ValueError
        If the text is no date, or one that cannot be told in every zone.
    """
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _spreadsheet_time(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    try:
        time = moment.timestamp()
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range") from error
    if not FIRST_MOMENT < time < LAST_MOMENT:
        raise ValueError(f"{text!r} is out of range")
    return time


_LOOSE_TIME = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?"
    r"(?:[T\s]*(\d{1,2})[:：时](\d{1,2})[分]?(?:[:：]?(\d{1,2})(?:\.\d+)?秒?)?)?\s*(Z)?"
)


def _spreadsheet_time(text: str) -> datetime:
    if re.fullmatch(r"(19|20)\d{10}(\d\d)?", text):
        return datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S")
    found = _LOOSE_TIME.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no date")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC if found[7] else None)


_UTC = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?Z")


def parse_times(texts: Sequence[str], zone: str = DEFAULT_ZONE) -> Float:
    """Return (N,) POSIX seconds of many times at once; NaN where a text is no time.

    Plain numbers are seconds. Series whose times all end in ``Z`` take a vectorised path.
    """
    plain = np.array([text.strip() for text in texts], dtype=str)
    if len(plain) and all(map(_UTC.fullmatch, plain.tolist())):
        try:
            moments = np.char.rstrip(plain, "Z").astype("datetime64[ms]")
        except ValueError:
            pass  # some text is no time; the slow path finds which
        else:
            times = moments.astype(np.float64) / 1000.0
            return np.where(~np.isnat(moments) & (times > FIRST_MOMENT) & (times < LAST_MOMENT), times, np.nan)
    return np.array([_time_or_nan(str(text), zone) for text in plain], dtype=np.float64)


def _time_or_nan(text: str, zone: str) -> float:
    for parse in (lambda t: parse_time(t, zone), float):
        try:
            return parse(text)
        except (ValueError, OverflowError):
            continue
    return math.nan


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
