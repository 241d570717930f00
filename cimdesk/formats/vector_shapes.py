"""Geometries of GDAL and GEOS <-> our ragged arrays, all features at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, offsets_from_counts
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer

_KIND_OF_TYPE = {0: ShapeKind.POINT, 1: ShapeKind.LINE, 2: ShapeKind.LINE, 3: ShapeKind.POLYGON}


@dataclass(frozen=True)
class Parts:
    """Geometries taken apart into single points, lines and polygons.

    Attributes
    ----------
    geometries : (P,) object
        Single shapely geometries.
    owners : (P,) int64
        Feature of each.
    kinds : (P,) int64
        `ShapeKind` of each.
    """

    geometries: AnyArray
    owners: Int
    kinds: Int


def geometries_from_wkb(wkb: AnyArray) -> tuple[AnyArray, Int]:
    """Return (N,) shapely geometries (None where there is none) and the rows whose geometry is damaged."""
    import shapely

    try:
        geometries = shapely.from_wkb(wkb, on_invalid="ignore")
    except NotImplementedError:  # a kind of geometry GEOS has no class for
        geometries = np.array([_from_wkb(value) for value in wkb], dtype=object)
    was_there = np.array([value is not None and len(value) > 0 for value in wkb], dtype=bool)
    return geometries, np.flatnonzero(was_there & shapely.is_missing(geometries))


def _from_wkb(value: bytes | None) -> Any:
    import shapely

    try:
        return None if value is None else shapely.from_wkb(value, on_invalid="ignore")
    except NotImplementedError:
        return None


def take_apart(geometries: AnyArray) -> Parts:
    """Return the single parts of (N,) geometries, collections within collections too; empty ones give none."""
    import shapely

    owners = np.arange(len(geometries))
    parts = np.asarray(geometries, dtype=object)
    while len(parts):
        multiple = shapely.get_type_id(parts) > 3
        if not multiple.any():
            break
        parts, index = shapely.get_parts(parts, return_index=True)
        owners = owners[index]
    keep = ~shapely.is_missing(parts) & ~shapely.is_empty(parts) if len(parts) else np.zeros(0, dtype=bool)
    parts, owners = parts[keep], owners[keep]
    types = shapely.get_type_id(parts)
    kinds = np.array([_KIND_OF_TYPE[int(t)] for t in types], dtype=np.int64)
    return Parts(parts, owners.astype(np.int64), kinds)


def shapes_of(parts: Parts, kind: ShapeKind, rows: AnyArray) -> Shapes:
    """Return the parts of one kind as arrays.

    Parameters
    ----------
    parts : Parts
    kind : ShapeKind
    rows : (M,) int64
        Features that are kept, rising; they are numbered 0..M-1 in the result.
    """
    import shapely

    chosen = parts.kinds == kind
    geometries, owners = parts.geometries[chosen], np.searchsorted(rows, parts.owners[chosen])
    if kind is ShapeKind.POLYGON:
        rings, polygon = shapely.get_rings(geometries, return_index=True)
        is_hole = np.zeros(len(rings), dtype=bool)
        is_hole[1:] = polygon[1:] == polygon[:-1]
        owners = owners[polygon]
    else:
        rings, is_hole = geometries, np.zeros(len(geometries), dtype=bool)
    coordinates = shapely.get_coordinates(rings, include_z=True)
    offsets = offsets_from_counts(shapely.get_num_coordinates(rings))
    return Shapes(kind, coordinates, offsets, owners.astype(np.int64), is_hole)


def geometries_of(shapes: Shapes, count: int) -> AnyArray:
    """Return (N,) shapely geometries of the features 0..N-1; None where a feature has none.

    Parameters
    ----------
    shapes : Shapes
        In any order of features; holes follow their outer ring.
    count : int
        Number of features.
    """
    import shapely

    out = np.full(count, None, dtype=object)
    if not len(shapes.feature_of_ring):
        return out
    has_z = not np.isnan(shapes.coordinates[:, 2]).all()
    xyz = np.nan_to_num(shapes.coordinates) if has_z else shapes.coordinates[:, :2]
    singles, owners = _singles(shapes, np.ascontiguousarray(xyz))
    order = np.argsort(owners, kind="stable")
    singles, owners = singles[order], owners[order]
    counts = np.bincount(owners, minlength=count)
    only = counts[owners] == 1
    out[owners[only]] = singles[only]
    if (counts > 1).any():
        several = np.flatnonzero(counts > 1)
        rank = np.searchsorted(several, owners[~only])
        make = {
            ShapeKind.POINT: shapely.multipoints,
            ShapeKind.LINE: shapely.multilinestrings,
            ShapeKind.POLYGON: shapely.multipolygons,
        }
        out[several] = make[shapes.kind](singles[~only], indices=rank)
    return out


def _singles(shapes: Shapes, xyz: Float) -> tuple[AnyArray, Int]:
    """Return single geometries and their owners."""
    import shapely

    counts = np.diff(shapes.ring_offsets)
    if shapes.kind is ShapeKind.POINT:
        return shapely.points(xyz), np.repeat(shapes.feature_of_ring, counts)
    ring_of_point = np.repeat(np.arange(len(counts)), counts)
    if shapes.kind is ShapeKind.LINE:
        return shapely.linestrings(xyz, indices=ring_of_point), shapes.feature_of_ring
    rings = shapely.linearrings(xyz, indices=ring_of_point)
    outer = np.flatnonzero(~shapes.is_hole)
    polygon_of_ring = np.cumsum(~shapes.is_hole) - 1
    holes, whose = rings[shapes.is_hole], polygon_of_ring[shapes.is_hole]
    polygons = shapely.polygons(rings[outer])
    if len(holes):
        pierced = np.unique(whose)
        polygons[pierced] = shapely.polygons(
            rings[outer[pierced]],
            holes=_padded(holes, np.searchsorted(pierced, whose), len(pierced)),
        )
    return polygons, shapes.feature_of_ring[outer]


def _padded(items: AnyArray, rows: Int, count: int) -> AnyArray:
    """Return (count, widest) items by row, padded with None."""
    counts = np.bincount(rows, minlength=count)
    out = np.full((count, int(counts.max())), None, dtype=object)
    order = np.argsort(rows, kind="stable")
    column = np.arange(len(rows)) - np.repeat(offsets_from_counts(counts)[:-1], counts)
    out[rows[order], column] = items[order]
    return out


def point_shapes(xyz: Float) -> Shapes:
    """Return one point per feature; features whose coordinates are not finite get none."""
    rows = np.flatnonzero(np.isfinite(xyz[:, :2]).all(axis=1))
    return Shapes(
        ShapeKind.POINT, xyz[rows].astype(np.float64), np.arange(len(rows) + 1, dtype=np.int64), rows.astype(np.int64),
        np.zeros(len(rows), dtype=bool),
    )  # fmt: skip


def split_by_kind(features: FeatureTable, parts: Parts) -> tuple[VectorLayer, ...]:
    """Return one layer per kind of geometry that occurs; features without any stay in the table of the most frequent kind."""
    kinds, counts = np.unique(parts.kinds, return_counts=True)
    if not len(kinds):
        nothing = np.zeros(0, dtype=np.int64)
        empty = Shapes(ShapeKind.POINT, np.zeros((0, 3)), np.zeros(1, dtype=np.int64), nothing, np.zeros(0, dtype=bool))
        return (VectorLayer(features, empty),)
    kinds = kinds[np.argsort(-counts, kind="stable")]
    everyone = np.arange(len(features))
    unplaced = np.setdiff1d(everyone, parts.owners)
    layers = []
    for kind in kinds.tolist():
        rows = np.unique(parts.owners[parts.kinds == kind])
        if kind == kinds[0]:
            rows = np.union1d(rows, unplaced)
        table = features if len(rows) == len(features) else features.take(rows)
        layers.append(VectorLayer(table, shapes_of(parts, ShapeKind(kind), rows)))
    return tuple(layers)
