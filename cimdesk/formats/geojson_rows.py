"""Rows of a GeoJSON file of any size, any stretch of them at once: GDAL alone would read from the start for each.

A stretch is handed to GDAL as a small file of its own, with the reference system that the large one names.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from cimdesk.base.crs import Crs
from cimdesk.formats.json_parts import Part, json_lines, json_parts, text_of, value_of
from cimdesk.formats.vector_gdal import ID_NAMES, LayerInfo, as_data_errors, info_of

SCAN_FROM = 16 << 20
"""Size from which a file is read stretch by stretch where rows are asked for [bytes]."""
SAMPLE = 1000
"""Features that are looked at to know their columns; a multiple of those at which stretches begin."""
LINES = (".geojsonl", ".geojsons", ".ndjson")
_NAME = "rows"


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Features of a file.

    Attributes
    ----------
    path : Path
    name : str
        Of the only table.
    part : Part
        Where its features are.
    system : bytes
        The ``crs`` member as it stands there; empty for none.
    are_lines : bool
        Whether each feature is a line of its own.
    is_whole : bool
        Whether the file comes to its end.
    """

    path: Path
    name: str
    part: Part
    system: bytes
    are_lines: bool
    is_whole: bool

    @property
    def count(self) -> int:
        """Number of features."""
        return self.part.count

    @property
    def crs(self) -> Crs | None:
        """The system that the file names; degrees where it names none; None where it says that there is none."""
        if not self.system:
            return Crs.epsg(4326)
        return None if self.system == b"null" else Crs.parse(self.sample.crs)

    @cached_property
    def sample(self) -> LayerInfo:
        """What GDAL says of the first features."""
        with as_data_errors(self.path), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return info_of(self.text(0, min(SAMPLE, self.count)), _NAME, None)

    @cached_property
    def naming(self) -> str:
        """Column that names every feature differently; empty when none does.

        The first features, some in the middle and the last ones are looked at: all of them would be the whole file.
        """
        for key in ID_NAMES:
            for field in self.sample.fields:
                if field.lower() == key and _all_differ(
                    [value for start in self._places() for value in self._values(start, field)]
                ):
                    return field
        return ""

    def _places(self) -> Iterable[int]:
        return dict.fromkeys(max(at, 0) // SAMPLE * SAMPLE for at in (0, self.count // 2, self.count - 1))

    def _values(self, start: int, field: str) -> list[object]:
        import pyogrio

        with as_data_errors(self.path), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = self.text(start, min(start + SAMPLE, self.count))
            columns = pyogrio.raw.read(text, columns=[field], read_geometry=False)[3]
        return list(columns[0].tolist()) if columns and columns[0].dtype.kind != "f" else [None]

    def text(self, start: int, stop: int) -> bytes:
        """Return some features as a file of their own."""
        features = self.part.text(self.path, start, stop)
        if self.are_lines:
            lines = (line.strip().removeprefix(b"\x1e") for line in features.split(b"\n"))
            features = b",".join(line for line in lines if line)
        system = b'"crs":' + self.system + b"," if self.system else b""
        return b'{"type":"FeatureCollection","name":"' + _NAME.encode() + b'",' + system + b'"features":[' + features + b"]}"

    def info(self, rows: int) -> LayerInfo:
        """Return what is to be read as so many rows of `text`."""
        return LayerInfo(_NAME, "GeoJSON", None, rows)


def feature_rows(path: Path) -> FeatureRows | None:
    """Return the rows of a file; None for one that is small, or no plain collection of features."""
    state = path.stat()
    return None if state.st_size < SCAN_FROM else _rows(path, state.st_size, state.st_mtime_ns)


def _all_differ(values: list[object]) -> bool:
    return None not in values and "" not in values and len(set(values)) == len(values)


@lru_cache(maxsize=4)
def _rows(path: Path, size: int, changed: int) -> FeatureRows | None:
    if path.suffix.lower() in LINES:
        return FeatureRows(path, path.stem, json_lines(path), b"", True, True)
    parts = json_parts(path)
    features = parts.members.get("features") if parts is not None else None
    if parts is None or features is None or value_of(path, parts.members.get("type")) != "FeatureCollection":
        return None
    name = value_of(path, parts.members.get("name"))
    system = text_of(path, parts.members.get("crs"))
    try:
        json.loads(system or b"null")
    except ValueError:
        return None
    return FeatureRows(path, str(name) if name else path.stem, features, system, False, parts.is_whole)
