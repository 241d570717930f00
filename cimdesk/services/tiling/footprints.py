"""Plain polygons with a column of heights -> bodies: what open building footprints are."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, offsets_from_counts
from cimdesk.formats.findings import Findings
from cimdesk.formats.polygons import Polygons, triangulate
from cimdesk.model.city_piece import CityPiece
from cimdesk.model.features import ShapeKind, VectorLayer
from cimdesk.model.mesh import Surface

STOREY = 3.0
"""Height of a storey where only their number is known [m]."""
_HEIGHTS = (
    "height", "building:height", "building_height", "measuredheight", "measured_height", "height_m", "hoehe", "h", "relh2",
    "roof_height", "b3_h_dak_50p", "mean_height", "hoogte", "高度", "建筑高度",
)  # fmt: skip
_STOREYS = (
    "building:levels",
    "building_levels",
    "levels",
    "num_floors",
    "storeys",
    "storeysaboveground",
    "floors",
    "floor",
    "层数",
    "楼层",
)
_GROUNDS = ("ground", "ground_elevation", "base", "base_height", "min_height", "elevation", "b3_h_maaiveld", "地面高程")


def extruded(layer: VectorLayer, height: str, findings: Findings) -> CityPiece:
    """Return polygons as bodies of their heights; those without a height lie flat.

    Parameters
    ----------
    layer : VectorLayer
    height : str
        Column of heights [m]; empty to look for one.
    findings : Findings
    """
    count = len(layer.features)
    parents = np.full(count, -1, dtype=np.int64)
    shapes = layer.shapes
    if shapes.kind is not ShapeKind.POLYGON:
        findings.add("not-tiled", "", "Points and lines have no bodies and are left out: {count}.", count=count)
        none = np.zeros(0, dtype=np.int64)
        table = layer.features.take(none)
        return CityPiece(table, none, np.zeros((0, 3)), none.reshape(0, 3), none, np.zeros(0, np.uint8))
    heights = _heights(layer, height, findings)
    grounds = _column(layer, _GROUNDS)
    points, triangles, rows, edges, edge_rows = _plan(layer)
    base = np.nan_to_num(points[:, 2])
    if grounds is not None:
        owner_of_point = _owners(layer)
        base = np.where(np.isfinite(grounds[owner_of_point]), grounds[owner_of_point], base)
    top = base + np.nan_to_num(heights[_owners(layer)])
    lower, upper = np.column_stack([points[:, :2], base]), np.column_stack([points[:, :2], top])
    n = len(points)
    raised = np.nan_to_num(heights) > 0.0
    a, b = edges[raised[edge_rows]].T
    wall_rows = edge_rows[raised[edge_rows]]
    floor = triangles[raised[rows]][:, ::-1]
    walls = np.concatenate([np.column_stack([a, b, b + n]), np.column_stack([a, b + n, a + n])])
    faces = np.concatenate([triangles + n, floor, walls])
    owner = np.concatenate([rows, rows[raised[rows]], wall_rows, wall_rows])
    kinds = [(Surface.ROOF, len(triangles)), (Surface.GROUND, len(floor)), (Surface.WALL, len(walls))]
    kind = np.repeat([int(code) for code, _ in kinds], [size for _, size in kinds]).astype(np.uint8)
    return CityPiece(layer.features, parents, np.concatenate([lower, upper]), faces, owner, kind)


def _plan(layer: VectorLayer) -> tuple[Float, Int, Int, Int, Int]:
    """Return points, triangles that look up, the feature of each, and the rings' edges with the body to their left."""
    shapes = layer.shapes
    points = np.asarray(shapes.coordinates, dtype=np.float64)
    lengths = np.diff(shapes.ring_offsets)
    starts = np.flatnonzero(~shapes.is_hole.astype(bool))
    counts = np.diff(np.append(starts, len(lengths)))
    origin = points[0] * [1, 1, 0] if len(points) else np.zeros(3)
    flat = np.nan_to_num((points - origin) * [1.0, 1.0, 0.0])
    found = triangulate(Polygons(flat, np.arange(len(points)), shapes.ring_offsets, offsets_from_counts(counts)))
    feature = shapes.feature_of_ring[starts].astype(np.int64)
    is_known = (found.triangles < len(points)).all(axis=1)
    triangles, polygon = found.triangles[is_known], found.polygon_of[is_known]
    down = found.normals[polygon, 2] < 0.0
    triangles = np.where(down[:, None], triangles[:, ::-1], triangles)
    ring_down = found.normals[found.polygon_of_edge, 2] < 0.0
    edges = np.where(ring_down[:, None], found.edges[:, ::-1], found.edges)
    return points, triangles, feature[polygon], edges, feature[found.polygon_of_edge]


def _owners(layer: VectorLayer) -> Int:
    return np.repeat(layer.shapes.feature_of_ring, np.diff(layer.shapes.ring_offsets)).astype(np.int64)


def _heights(layer: VectorLayer, wanted: str, findings: Findings) -> Float:
    found = _column(layer, (wanted.casefold(),)) if wanted else _column(layer, _HEIGHTS)
    storeys = None if wanted else _column(layer, _STOREYS)
    if found is None and storeys is None:
        findings.add("no-heights", "", "No column tells heights; the polygons lie flat. Name one with --height.")
        return np.zeros(len(layer.features))
    heights = np.full(len(layer.features), np.nan) if found is None else found
    if storeys is not None:
        heights = np.where(np.isfinite(heights), heights, storeys * STOREY)
    missing = int((~np.isfinite(heights)).sum())
    if missing:
        findings.add("no-heights", "", "Polygons without a height lie flat: {count}.", count=missing)
    return np.clip(heights, 0.0, 2000.0)


def _column(layer: VectorLayer, names: tuple[str, ...]) -> Float | None:
    """Return the first column of these names, whatever the case, as numbers."""
    known = {name.casefold(): values for name, values in layer.features.columns.items()}
    values = next((known[name] for name in names if name in known), None)
    return None if values is None else _as_numbers(values)


def _as_numbers(values: AnyArray) -> Float:
    if values.dtype.kind in "if":
        return values.astype(np.float64)
    out = np.full(len(values), np.nan)
    for row, value in enumerate(values.tolist()):
        try:
            out[row] = float(str(value).removesuffix("m").replace(",", "."))
        except ValueError:
            continue
    return out
