"""Small vector layers and how tests read files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import shapely

from cimdesk.formats.registry import ReadOptions, ReadResult
from cimdesk.formats.vector import READER
from cimdesk.formats.vector_shapes import split_by_kind, take_apart
from cimdesk.model.features import FeatureTable, VectorLayer, as_strings

POLYGONS = [
    "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 2 1, 2 2, 1 1), (3 3, 4 3, 4 4, 3 3))",
    "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5), (5.5 5.2, 5.8 5.2, 5.8 5.4, 5.5 5.2)))",
    "POLYGON ((20 0, 29 0, 29 9, 20 0))",
]


def layer_of(wkt: list[str | None], **columns) -> VectorLayer:
    parts = take_apart(shapely.from_wkt(np.array(wkt, dtype=object)))
    table = FeatureTable(as_strings(f"f{k}" for k in range(len(wkt))), {name: np.asarray(v) for name, v in columns.items()})
    return split_by_kind(table, parts)[0]


def texts(*values: str | None) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def read(path: Path, **options) -> ReadResult:
    return READER.read(path, ReadOptions(**options))


def codes(result: ReadResult) -> set[str]:
    return {problem.code for problem in result.problems}


def geojson(*geometries: dict | None, **members) -> str:
    features = [{"type": "Feature", "properties": {"n": k}, "geometry": g} for k, g in enumerate(geometries)]
    return json.dumps({"type": "FeatureCollection", **members, "features": features})
