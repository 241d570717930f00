"""Contents of tiles as one city model: a row for each feature, whichever other tiles are open, and one mesh in metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, UInt8
from cimdesk.base.crs import Crs
from cimdesk.formats.crease_edges import face_normals
from cimdesk.formats.picture_places import LaidPicture
from cimdesk.formats.tiles3d_content import TileContent, merged_columns
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.mesh import Surface, TriangleMesh

GEOCENTRIC = Crs.epsg(4978)
STEEP = 0.35
"""Cosine of the slope beyond which a face is a wall, about 70 degrees."""
_LASTING = ("gml_id", "gml:id", "gmlid", "gmlID", "GmlID", "uuid", "UUID", "guid", "GUID", "GlobalId", "globalid")
"""Columns whose values name a thing for good, by convention; they are used as identifiers where they are unique."""


def build_city(opened: Sequence[tuple[str, TileContent]], crs: Crs | None, metadata: Any) -> CityModel:
    """Return all contents as one city model: a row per feature, one mesh ``tiles``.

    Parameters
    ----------
    opened : sequence of (str, TileContent)
    crs : Crs or None
        Projected system for earth-centred contents; None leaves coordinates as they are.
    metadata : mapping
    """
    lasting = [name for _, content in opened for name in content.lasting]
    if opened and all(len(content.lasting) == len(content.names) for _, content in opened):
        return _merged_by_name(_build_city(opened, crs, metadata, lasting))
    return _build_city(opened, crs, metadata, feature_ids(opened))


def _merged_by_name(city: CityModel) -> CityModel:
    """Return a city with one row for each identifier: a feature that lies in several tiles is one feature."""
    known: dict[str, int] = {}
    rows = np.array([known.setdefault(str(key), len(known)) for key in city.features.ids], dtype=np.int32)
    if len(known) == len(rows):
        return city
    _, first = np.unique(rows, return_index=True)
    table, mesh = city.features.take(first), city.meshes["tiles"]
    mesh = replace(mesh, feature_index=rows[mesh.feature_index])
    merged = FeatureTable(table.ids, {**table.columns, **_measured(mesh, len(known))})
    return CityModel(merged, city.parents[first], {"tiles": mesh}, city.metadata)


def _build_city(opened: Sequence[tuple[str, TileContent]], crs: Crs | None, metadata: Any, ids: Sequence[str]) -> CityModel:
    columns = merged_columns([(len(content.names), content.columns) for _, content in opened])
    tiles = as_strings(reference for reference, content in opened for _ in content.names)
    kinds = columns.pop("type", np.full(len(ids), None, dtype=object))
    kinds = kinds if kinds.dtype == object else as_strings(kinds)
    kinds = np.array([kind or "Feature" for kind in kinds], dtype=object).reshape(-1)
    mesh = _mesh(opened, crs)
    table = FeatureTable(as_strings(ids), {"type": kinds, **columns, **_measured(mesh, len(ids)), "tile": tiles})
    return CityModel(table, np.full(len(ids), -1, dtype=np.int32), {"tiles": mesh}, dict(metadata))


def _measured(mesh: TriangleMesh, count: int) -> dict[str, Float]:
    """Return what the geometry itself tells of each feature [m]: many tilesets carry no attributes at all."""
    low, high = mesh.heights(count)
    return {"measured_height": (high - low).round(2), "ground_elevation": low.round(2)}


def feature_ids(opened: Sequence[tuple[str, TileContent]]) -> list[str]:
    """Return an identifier for every feature, the same whichever other tiles are open: a lasting name where the contents have one
    that is unique, else the content and the number in it."""
    stems = _unique_stems([reference for reference, _ in opened])
    plain = [f"{stem}#{name}" if name else stem for stem, (_, content) in zip(stems, opened, strict=True) for name in content.names]
    plain = _distinct(plain)
    for column in _LASTING:
        blocks = [content.columns.get(column) for _, content in opened]
        if not any(block is not None for block in blocks):
            continue
        values: list[str | None] = []
        for block, (_, content) in zip(blocks, opened, strict=True):
            found: list[Any] = [] if block is None else block.tolist()
            values += [str(v) if isinstance(v, str) and v else None for v in found] + [None] * (len(content.names) - len(found))
        named = [value for value in values if value]
        if len(named) == len(set(named)) and not set(named).intersection(plain):
            return [value or other for value, other in zip(values, plain, strict=True)]
    return plain


def _unique_stems(references: Sequence[str]) -> list[str]:
    """Return references without their suffix; one drawn at several places is numbered."""
    times: dict[str, int] = {}
    stems: list[str] = []
    for reference in references:
        stem = str(PurePosixPath(reference).with_suffix("")) if PurePosixPath(reference).name else reference
        times[stem] = times.get(stem, 0) + 1
        stems.append(stem if times[stem] == 1 else f"{stem}~{times[stem]}")
    return stems


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) == len(names):
        return names
    taken: set[str] = set()
    out: list[str] = []
    for name in names:
        other, k = name, 1
        while other in taken:
            k += 1
            other = f"{name}~{k}"
        taken.add(other)
        out.append(other)
    return out


def _mesh(opened: Sequence[tuple[str, TileContent]], crs: Crs | None) -> TriangleMesh:
    """Return all triangles around one origin; exact in float64 until then."""
    points: list[Float] = []
    triangles: list[AnyArray] = []
    features: list[AnyArray] = []
    colors: list[AnyArray] = []
    edges: list[AnyArray] = []
    parts = [part for _, content in opened for part in zip(content.laid, content.triangles, strict=True)]
    laid = LaidPicture.joined([(each, len(t)) for each, t in parts])
    vertex_start = feature_start = 0
    for _, content in opened:
        edges.append(content.edges() + vertex_start)
        for p, t, f, color in zip(content.points, content.triangles, content.features, content.colors, strict=True):
            points.append(p)
            triangles.append(t + vertex_start)
            features.append(f + feature_start)
            colors.append(np.broadcast_to(color, (len(t), 4)))
            vertex_start += len(p)
        feature_start += len(content.names)
    if not vertex_start:
        return TriangleMesh.empty()
    world = np.concatenate(points)
    if crs is not None:
        world = GEOCENTRIC.transform(crs, world)
    rows = np.concatenate(triangles)
    owners, paint = np.concatenate(features), np.concatenate(colors)
    if not np.isfinite(world).all():
        finite: Bool = np.asarray(np.isfinite(world).all(axis=1))
        keep = finite[rows].all(axis=1)
        rows, owners, paint, laid = rows[keep], owners[keep], paint[keep], laid and laid.kept(keep)
        world = np.where(finite[:, None], world, world[finite][0] if finite.any() else 0.0)
    origin = np.floor([axis.min() / 2 + axis.max() / 2 for axis in np.ascontiguousarray(world.T)])
    local = (world - origin).astype(np.float32)
    return TriangleMesh(
        local,
        rows.astype(np.int32),
        owners.astype(np.int32),
        surfaces_by_slope(local, rows),
        origin,
        np.concatenate(edges).astype(np.int32),
        colors=None if (paint == 255).all() else paint,
        pictures=laid,
    )


def surfaces_by_slope(points: Float32, triangles: AnyArray) -> UInt8:
    """Return (T,) `Surface` codes: tiles do not say what a face is, so flat and sloping ones are roofs and steep ones walls.

    Parameters
    ----------
    points : (V, 3) float32
    triangles : (T, 3) int
        Either winding: many exporters write double-sided faces without caring for it.
    """
    x, y, z = face_normals(points, [triangles[:, k] for k in range(3)])
    steep = np.abs(z) < STEEP * np.sqrt(x * x + y * y + z * z)
    return np.where(steep, Surface.WALL, Surface.ROOF).astype(np.uint8)
