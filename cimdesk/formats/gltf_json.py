"""JSON of files we do not trust: parsed strictly, and every value asked for in the type it should have."""

from __future__ import annotations

from typing import Any

from cimdesk.formats.tiles3d_paths import BrokenPart

LARGEST = 1e60
"""Numbers beyond this are damage: squares and products of them would not be finite."""


def json_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object of some bytes; a byte order mark and padding are allowed.

    Raises
    ------
    BrokenPart
        If it is no JSON, nested too deeply, or no object.
    """
    import orjson

    try:
        value = orjson.loads(data.removeprefix(b"\xef\xbb\xbf").rstrip(b"\0 \t\r\n"))
    except orjson.JSONDecodeError as error:
        raise BrokenPart("bad-json", "The JSON is broken at byte {byte}: {reason}", byte=error.pos, reason=error.msg) from error
    if not isinstance(value, dict):
        raise BrokenPart("bad-json", "The JSON is not an object.")
    return value


def as_dict(value: Any) -> dict[str, Any]:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_int(value: Any, default: int) -> int:
    """Return a whole number; ``default`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(value, float) and not value.is_integer()):
        return default
    return int(value)


def number_list(value: Any, count: int) -> list[float] | None:
    """Return ``count`` numbers that can still be multiplied with each other; None for anything else."""
    if not isinstance(value, list) or len(value) != count:
        return None
    if not all(isinstance(each, int | float) and not isinstance(each, bool) and abs(each) < LARGEST for each in value):
        return None
    return [float(each) for each in value]
