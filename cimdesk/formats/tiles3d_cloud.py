"""Points of one tile's contents, ready to draw: placed, with their colours and the features that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, Strings
from cimdesk.formats.pnts import PointPart
from cimdesk.formats.tiles3d_content import TileContent, merged_columns
from cimdesk.formats.tiles3d_points import joined_columns
from cimdesk.model.features import as_strings
from cimdesk.model.tile_points import TilePoints, packed

MOST_POINTS = 2_000_000
"""Points of one tile that are drawn; of more, evenly as many."""
_COLORS = ("red", "green", "blue")
_GROUPS = ("feature_id", "batch_id")
_UNSAID = (*_COLORS, "normal_x", "normal_y", "normal_z")


def cloud_of(
    opened: Sequence[tuple[str, TileContent]], place: Callable[[Float], Float], origin: Float | None, first: int
) -> tuple[TilePoints, Float, Strings, dict[str, AnyArray]] | None:
    """Return the points of a tile, their origin, and names and columns of their features; None without points.

    Parameters
    ----------
    opened : sequence of (str, TileContent)
    place : callable
        Takes (N, 3) tileset coordinates to the world; infinite where there is no place.
    origin : (3,) float64 or None
        Of the tile's block, where it has triangles.
    first : int
        Features that the tile has without those of points.
    """
    parts = [(reference, part) for reference, content in opened for part in content.clouds if len(part)]
    total = sum(len(part) for _, part in parts)
    if not total:
        return None
    parts = [(reference, _thinned(part, -(-total // MOST_POINTS))) for reference, part in parts]
    world = place(np.concatenate([part.points for _, part in parts]))
    is_placed = np.asarray(np.isfinite(world).all(axis=1))
    if not is_placed.any():
        return None
    centre = np.floor(np.median(world[is_placed], axis=0)) if origin is None else origin
    owner, names, blocks, own = _groups(parts)
    columns = joined_columns([part for _, part in parts])
    colors = None
    if all(name in columns for name in _COLORS):
        colors = np.column_stack([columns[name] for name in _COLORS]).astype(np.uint8)
    kept = {name: packed(values[is_placed]) for name, values in columns.items() if name not in _UNSAID}
    xyz = (world[is_placed] - centre).astype(np.float32)
    cloud = TilePoints(
        xyz,
        (owner[is_placed] + first).astype(np.int32),
        None if colors is None else np.ascontiguousarray(colors[is_placed]),
        kept,
        tuple(names),
        first,
        any(group in part.columns for _, part in parts for group in _GROUPS),
        _spacing(xyz),
        own,
    )
    return cloud, centre, as_strings(names), merged_columns(blocks)


def _thinned(part: PointPart, step: int) -> PointPart:
    """Return every ``step``-th point."""
    if step <= 1:
        return part
    return PointPart(part.points[::step], {name: values[::step] for name, values in part.columns.items()})


def _groups(
    parts: Sequence[tuple[str, PointPart]],
) -> tuple[Int, list[str], list[tuple[int, dict[str, AnyArray]]], frozenset[str]]:
    """Return the feature of each point, what identifies the features, their columns by part, and the columns of points alone."""
    own: set[str] = set()
    owners: list[Int] = []
    names: list[str] = []
    blocks: list[tuple[int, dict[str, AnyArray]]] = []
    times: dict[str, int] = {}
    for reference, part in parts:
        stem = str(PurePosixPath(reference).with_suffix("")) if PurePosixPath(reference).name else reference
        times[stem] = times.get(stem, 0) + 1
        stem = stem if times[stem] == 1 else f"{stem}~{times[stem]}"
        ids = next((part.columns[name] for name in _GROUPS if name in part.columns), None)
        if ids is None:
            owners.append(np.full(len(part), len(names), dtype=np.int64))
            names.append(f"{stem}.points")
            blocks.append((1, {"type": as_strings(["Points"]), "points": np.array([len(part)], dtype=np.int64)}))
            own |= set(part.columns) - set(_UNSAID)
            continue
        values, where, inverse = np.unique(ids, return_index=True, return_inverse=True)
        owners.append(inverse.astype(np.int64) + len(names))
        names += [f"{stem}.points#{value}" for value in values.tolist()]
        said = {name: column for name, column in part.columns.items() if name not in _UNSAID}
        columns = {name: column[where] for name, column in said.items() if _is_same(column, column[where][inverse])}
        own |= set(said) - set(columns)
        counts = np.bincount(inverse, minlength=len(values)).astype(np.int64)
        blocks.append((len(values), {"type": as_strings(["Points"] * len(values)), "points": counts, **columns}))
    return np.concatenate(owners), names, blocks, frozenset(own)


def _is_same(values: AnyArray, others: AnyArray) -> bool:
    return np.array_equal(values, others, equal_nan=values.dtype.kind == "f")


def _spacing(xyz: AnyArray) -> float:
    """Return about how far points lie from one another, as if they were on a surface [m]."""
    low, high = np.percentile(xyz, [2.0, 98.0], axis=0)
    extent = np.sort(high - low)[::-1]
    return float(max(np.sqrt(max(float(extent[0] * extent[1]), 1e-6) / len(xyz)), 1e-3))
