"""The flat plan of the demo city as vector files: street surfaces and centrelines, parks, water and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.commands.demo import places
from cimdesk.commands.demo.plan import Plan

LANES = {"arterial": 8, "secondary": 4, "local": 2, "lane": 1}
CLASSES_ZH = {"arterial": "主干路", "secondary": "次干路", "local": "支路", "lane": "街巷"}


def write_layer(path: Path, layer: str, shapes: Sequence[Any], columns: Mapping[str, Sequence[Any]], kind: str) -> None:
    """Write (or add) one layer of a GeoPackage.

    Parameters
    ----------
    shapes : sequence of shapely geometries
    columns : mapping of name to one value per shape
        All str, all int or all float.
    kind : str
        OGC name of the geometry type, such as ``Polygon`` or ``LineString Z``.
    """
    import pyogrio
    from shapely import to_wkb

    data = []
    for values in columns.values():
        is_text = any(isinstance(value, str) for value in values)
        data.append(np.array(values, dtype=object) if is_text else np.array(values))
    pyogrio.raw.write(
        path, to_wkb(np.asarray(shapes, dtype=object)), field_data=data, fields=np.array(list(columns), dtype=object), layer=layer,
        driver="GPKG", geometry_type=kind, crs=places.CRS, append=path.exists(), SPATIAL_INDEX="YES",
    )  # fmt: skip


def write_roads(path: Path, plan: Plan) -> None:
    """Write the street surfaces, one polygon per class and named street, and the centrelines."""
    from shapely import box, intersection, linestrings, polygons, union_all

    roads = [s for s in plan.streets if s.is_road]
    window = box(*plan.window)
    named: dict[tuple[str, str], list[int]] = {}
    for k, street in enumerate(roads):
        named.setdefault((street.line.kind, street.line.en if street.line.kind != "lane" else "lanes"), []).append(k)
    rings = [polygons(plan.street_ring(s)) for s in roads]
    shapes: list[Any] = []
    rows: list[Sequence[Any]] = []
    for (kind, _), members in named.items():
        shape = intersection(union_all([rings[k] for k in members]), window)
        if not shape.is_empty:
            line = roads[members[0]].line
            shapes.append(_as_multi(shape))
            rows.append((line.en, line.zh, kind, line.width))
    columns = _columns(("name", "name_zh", "class", "width_m"), rows)
    write_layer(path, "road_surface", shapes, columns, "MultiPolygon")
    lines = [
        linestrings(plan.street_points(s, np.linspace(s.start, s.end, max(2, int((s.end - s.start) / 25.0) + 1)))) for s in roads
    ]
    kept = [(intersection(line, window), s) for line, s in zip(lines, roads, strict=True)]
    kept = [(line, s) for line, s in kept if line.geom_type == "LineString" and not line.is_empty]
    rows = [(s.line.en, s.line.zh, s.line.kind, CLASSES_ZH[s.line.kind], s.line.width, LANES[s.line.kind]) for _, s in kept]
    columns = _columns(("name", "name_zh", "class", "class_zh", "width_m", "lanes"), rows)
    write_layer(path, "road_centreline", [line for line, _ in kept], columns, "LineString")


def write_landuse(path: Path, plan: Plan) -> None:
    """Write parks, water and plots."""
    from shapely import box, intersection, polygons

    window = box(*plan.window)
    parks = [
        (b.quarter, polygons(plan.ring(b.side, b.u0, b.u1, b.v0, b.v1)))
        for b in plan.blocks
        if b.quarter in ("park", "hill", "greenway")
    ]
    low, high = (-190.0, 1790.0) if plan.size == "small" else (-2600.0, 4200.0)
    for side in (1, -1):
        parks.append(("promenade", polygons(plan.ring(side, low, high, 1.0, places.PROMENADE))))
    names = {
        "park": ("Park", "公园"),
        "hill": ("Hill park", "山地公园"),
        "greenway": ("Creek greenway", "河涌绿道"),
        "promenade": ("Riverside promenade", "滨江步道"),
    }
    rows, shapes = [], []
    for kind, shape in parks:
        clipped = intersection(shape, window)
        if not clipped.is_empty:
            shapes.append(_as_multi(clipped))
            rows.append((*names[kind], kind, round(float(clipped.area))))
    write_layer(path, "parks", shapes, _columns(("name", "name_zh", "kind", "area_m2"), rows), "MultiPolygon")
    us = np.linspace(low, high, 300)
    bank_n, bank_s = plan.warps[1].forward(us, np.zeros(300)), plan.warps[-1].forward(us, np.zeros(300))
    water = [("Pearl River", "珠江", intersection(polygons(np.vstack([bank_n, bank_s[::-1]])), window))]
    half = places.CREEK_WIDTH / 2.0
    for street in plan.streets:
        if street.line.kind == "creek":
            at = street.line.at
            ring = polygons(plan.ring(1, at - half, at + half, street.start, street.end))
            water.append((street.line.en, street.line.zh, intersection(ring, window)))
    water = [(en, zh, shape) for en, zh, shape in water if not shape.is_empty]
    rows = [(en, zh, "river" if en == "Pearl River" else "creek", round(float(shape.area))) for en, zh, shape in water]
    write_layer(
        path, "water", [_as_multi(w[2]) for w in water], _columns(("name", "name_zh", "kind", "area_m2"), rows), "MultiPolygon"
    )
    plots = [b for b in plan.blocks if b.quarter not in ("park", "hill", "greenway")]
    shapes = [intersection(polygons(plan.ring(b.side, b.u0, b.u1, b.v0, b.v1)), window) for b in plots]
    rows = [(f"P{b.number:04d}", b.quarter, b.use or b.quarter, round(float(s.area))) for b, s in zip(plots, shapes, strict=True)]
    is_there = [not s.is_empty for s in shapes]
    rows = [row for row, there in zip(rows, is_there, strict=True) if there]
    shapes = [_as_multi(s) for s, there in zip(shapes, is_there, strict=True) if there]
    write_layer(path, "plots", shapes, _columns(("plot", "quarter", "use", "area_m2"), rows), "MultiPolygon")


def _as_multi(shape: Any) -> Any:
    from shapely import multipolygons

    return shape if shape.geom_type == "MultiPolygon" else multipolygons([shape])


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: [row[k] for row in rows] for k, name in enumerate(names)}
