"""Lists of named places as web charts keep them: ``[{"name": ..., "value": [longitude, latitude, number]}, ...]``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.json_head import JsonHead
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.formats.vector_shapes import point_shapes
from cimdesk.model.features import FeatureTable, VectorLayer, as_strings, column_of
from cimdesk.model.layers import LayerKind


def is_place_list(outline: JsonHead) -> bool:
    """Whether a JSON document begins like a list of named places."""
    return outline.is_array and "name" in outline and outline.value("value").startswith("[")


def read_place_list(path: Path, options: ReadOptions) -> ReadResult:
    """Read a list of places.

    Raises
    ------
    DataError
        If it is no valid JSON or holds no place.
    """
    import orjson

    try:
        document = orjson.loads(path.read_bytes())
    except (orjson.JSONDecodeError, OSError) as error:
        raise DataError(path, "this is no valid JSON ({reason}).", remedy="Download it again.", reason=error) from error
    rows = document[0] if document and isinstance(document[0], list) else document
    places = [row for row in rows if isinstance(row, dict)]
    xyz = np.array([_point(row.get("value")) for row in places], dtype=np.float64).reshape(-1, 3)
    is_placed = np.isfinite(xyz[:, :2]).all(axis=1)
    if not is_placed.any():
        raise DataError(path, "there are no places in the list.", remedy="Each needs a name and [longitude, latitude].")
    problems = []
    if not is_placed.all():
        template = "{count} features have no geometry; they are in the table only."
        problems.append(Problem(Severity.WARNING, "no-geometry", path.stem, template, {"count": int((~is_placed).sum())}))
    values = [row["value"][2] if isinstance(row.get("value"), list) and len(row["value"]) > 2 else None for row in places]
    columns = {"name": column_of([row.get("name") for row in places]), "value": column_of(values)}
    xyz[:, 2] = np.nan
    layer = VectorLayer(FeatureTable(as_strings(range(len(places))), columns), point_shapes(xyz))
    in_degrees = np.abs(xyz[is_placed][:, :2]).max() <= 360
    crs = options.crs_for(Crs.epsg(4326) if in_degrees else None)
    source = Source(path.stem, LayerKind.VECTOR, layer, crs, options=dict(options.extra))
    return ReadResult("List of places", None, None, {path.stem: len(places)}, layer.shapes.bounds, (source,), tuple(problems))


def _point(value: Any) -> tuple[float, float, float]:
    try:
        return float(value[0]), float(value[1]), np.nan
    except (TypeError, ValueError, IndexError, KeyError):
        return np.nan, np.nan, np.nan
