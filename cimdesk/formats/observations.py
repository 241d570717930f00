"""Readings of sensors -> Sensors: CSV tables, SensorThings payloads, and what the gauge services of two countries send.

Which of them a JSON file is, its keys say; each has its module (`observations_csv`, `_sta`, `_defra`, `_usgs`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.encodings import decode_text
from cimdesk.formats.json_head import JsonHead, json_head
from cimdesk.formats.observations_build import finite
from cimdesk.formats.observations_csv import is_counted, layout_of, read_observation_table
from cimdesk.formats.observations_defra import is_defra, read_defra
from cimdesk.formats.observations_sta import is_sensor_things, read_sensor_things
from cimdesk.formats.observations_usgs import is_rdb, is_usgs, read_rdb, read_usgs
from cimdesk.formats.registry import ReadOptions, ReadResult, Source, read_head
from cimdesk.formats.text_table import parse_table
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer, as_strings, column_of
from cimdesk.model.layers import LayerKind

_TABLES = (".csv", ".tsv", ".txt")
MAX_JSON = 2 << 30


class ObservationReader:
    """Reads readings. ``ReadOptions.extra`` may hold ``zone``: the time zone of times that name none."""

    name = "Sensor readings"
    suffixes = (*_TABLES, ".json", ".rdb")

    def claim(self, path: Path, head: bytes) -> float:
        """Return how surely the file holds readings."""
        if not head:
            return 0.0
        if outline := json_head(head):
            return _claim_json(outline)
        if path.suffix.lower() not in (*_TABLES, ".rdb"):
            return 0.0
        text = decode_text(head)[0]
        if is_rdb(text):
            return 0.95
        if text.startswith("#") or "\0" in text:
            return 0.0
        return _claim_table(path, text)

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read the file; raises `DataError` when it holds no readings."""
        head = read_head(path)
        outline = json_head(head)
        if outline is None:
            if is_rdb(decode_text(head)[0]):
                return read_rdb(path, options)
            return read_observation_table(path, options)
        document = _load(path)
        options.cancel.raise_if_cancelled()
        if _is_warnings(outline):
            return _read_warnings(path, document, options)
        if is_defra(outline):
            return read_defra(path, document, options)
        if is_usgs(outline):
            return read_usgs(path, document, options)
        return read_sensor_things(path, document, options)


READER = ObservationReader()


def _claim_json(outline: JsonHead) -> float:
    if is_defra(outline) or is_usgs(outline) or _is_warnings(outline):
        return 0.95
    return 0.9 if is_sensor_things(outline) else 0.0


def _claim_table(path: Path, text: str) -> float:
    try:
        table = parse_table(path, text.rsplit("\n", 1)[0] if "\n" in text.strip() else text, "utf-8")
    except DataError:
        return 0.0
    layout = layout_of(table.header, table.rows[0] if table.rows else ())
    if layout is None or is_counted(table, layout):
        return 0.0
    if layout.value >= 0:
        return 0.85
    return 0.7 if table.header[layout.time] else 0.4


def _load(path: Path) -> Any:
    """Return a JSON document; raises `DataError` naming the place where it breaks."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise DataError(path, "the file is larger than 2 GB.", remedy="Save it in parts, or as CSV.")
        return orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise DataError(
            path, "this is no valid JSON ({reason}).", where=where, remedy="Save or download it again.", reason=error.msg
        ) from error
    except OSError as error:
        raise DataError(path, "the file cannot be opened ({reason}).", reason=error.strerror or error) from error


def _is_warnings(outline: JsonHead) -> bool:
    return "floods" in outline and '"ta_code"' in outline.text


def _read_warnings(path: Path, document: Any, options: ReadOptions) -> ReadResult:
    """Return flood warnings as points of a plan; they are messages, not readings."""
    rows = [row for row in document.get("floods") or () if isinstance(row, dict)]
    if not rows:
        raise DataError(path, "there are no flood warnings in the file.", remedy="Ask the service again.")
    xyz = np.array([_warning_place(row) for row in rows], dtype=np.float64).reshape(-1, 3)
    names = ("ta_name", "severity", "severity_value", "situation", "situation_changed", "message_received", "ta_description")
    table = FeatureTable(
        as_strings(row.get("ta_code") or k for k, row in enumerate(rows)),
        {name: column_of([row.get(name) for row in rows]) for name in names},
    )
    if len(set(table.ids.tolist())) < len(rows):
        table = FeatureTable(as_strings(range(len(rows))), table.columns)
    placed = np.flatnonzero(np.isfinite(xyz[:, :2]).all(axis=1))
    shapes = Shapes(
        ShapeKind.POINT,
        xyz[placed],
        np.arange(len(placed) + 1, dtype=np.int64),
        placed.astype(np.int64),
        np.zeros(len(placed), dtype=bool),
    )
    crs = options.crs_for(Crs.epsg(4326))
    source = Source(path.stem, LayerKind.VECTOR, VectorLayer(table, shapes), crs, options=dict(options.extra))
    return ReadResult("Flood warnings (Defra)", None, None, {"rows": len(rows)}, shapes.bounds, (source,), ())


def _warning_place(row: dict[str, Any]) -> tuple[float, float, float]:
    try:
        x, y = orjson.loads(str(row.get("geometry") or ""))["coordinates"][:2]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return np.nan, np.nan, np.nan
    return finite(x), finite(y), np.nan
