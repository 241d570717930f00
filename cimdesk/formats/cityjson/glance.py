"""Where a CityJSON file of any size lies, as its metadata says, without reading the rest."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.formats.cityjson.header import read_crs
from cimdesk.formats.findings import Findings

BLOCK = 4 << 20
"""Bytes looked at in one go."""
MOST = 64 << 10
"""Bytes that metadata may have to be understood."""
_KEY = b'"metadata"'


@dataclass(frozen=True)
class Glance:
    """What the metadata of a file says.

    Attributes
    ----------
    crs : Crs or None
    extent : (2, 3) float64
    """

    crs: Crs | None
    extent: Float


def glance_at(path: Path) -> Glance | None:
    """Return where a file lies; None when its metadata does not tell."""
    try:
        for text in _after_key(path):
            said = _object(text)
            extent = _extent(said.get("geographicalExtent"))
            if extent is not None:
                return Glance(read_crs(said, Findings()), extent)
    except (OSError, EOFError, zlib.error):
        return None
    return None


def _after_key(path: Path) -> Iterator[str]:
    """Yield what follows each member that is called so."""
    with path.open("rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if is_packed else path.open("rb") as file:
        before = b""
        while block := file.read(BLOCK):
            data = before + block
            at = data.find(_KEY)
            while 0 <= at < len(data) - MOST:
                yield data[at + len(_KEY) : at + MOST].decode("utf-8", "replace")
                at = data.find(_KEY, at + 1)
            before = data[-MOST:]
        at = before.find(_KEY)
        while at >= 0:
            yield before[at + len(_KEY) :].decode("utf-8", "replace")
            at = before.find(_KEY, at + 1)


def _object(text: str) -> dict[str, Any]:
    try:
        found, _ = json.JSONDecoder().raw_decode(text.lstrip().removeprefix(":").lstrip())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _extent(value: Any) -> Float | None:
    """Return (2, 3) corners of six numbers that make sense."""
    if not isinstance(value, list) or len(value) != 6:
        return None
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in value):
        return None
    box = np.array(value, dtype=np.float64).reshape(2, 3)
    return box if np.isfinite(box).all() and (box[1] >= box[0]).all() and np.abs(box).max() > 0.0 else None
