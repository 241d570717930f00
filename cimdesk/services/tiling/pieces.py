"""Pieces of a city for tiling: a model as a piece, a piece as smaller ones, and who belongs to whom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cimdesk.base.arrays import Bool, Int, starts_of_runs
from cimdesk.formats.picture_colors import colored_by_pictures
from cimdesk.model.city import CityModel
from cimdesk.model.city_piece import CityPiece
from cimdesk.model.features import FeatureTable

PARENT = "parent"
"""Column with the id of the object that a part belongs to."""


def piece_of_city(city: CityModel) -> CityPiece:
    """Return a city model as one piece: of each feature the finest level of detail it has."""
    city = replace(city, meshes={lod: colored_by_pictures(mesh) for lod, mesh in city.meshes.items()})
    names = city.lods
    finest = np.full(len(city.features), -1, dtype=np.int64)
    for level, name in enumerate(names):
        finest[city.meshes[name].feature_index] = level
    points, triangles, owner, kind, colors = [], [], [], [], []
    start = 0
    has_colors = any(mesh.colors is not None for mesh in city.meshes.values())
    for level, name in enumerate(names):
        mesh = city.meshes[name]
        mine = finest[mesh.feature_index] == level
        points.append(mesh.world_vertices())
        triangles.append(mesh.triangles[mine].astype(np.int64) + start)
        owner.append(mesh.feature_index[mine].astype(np.int64))
        kind.append(mesh.surface[mine])
        white = np.full((int(mine.sum()), 4), 255, dtype=np.uint8)
        colors.append(white if mesh.colors is None else mesh.colors[mine])
        start += len(mesh.vertices)
    none = np.zeros((0, 3))
    return CityPiece(
        city.features,
        city.parents.astype(np.int64),
        np.concatenate([none, *points]),
        np.concatenate([none.astype(np.int64), *triangles]),
        np.concatenate([np.zeros(0, np.int64), *owner]),
        np.concatenate([np.zeros(0, np.uint8), *kind]),
        np.concatenate(colors) if has_colors else None,
    )


def split_piece(piece: CityPiece, most: int) -> list[CityPiece]:
    """Return a piece as several of at most about ``most`` features; parts stay with what they are parts of."""
    count = len(piece.features)
    if count <= most:
        return [piece]
    rank = tops_of(piece.parents)
    order = np.argsort(rank, kind="stable")
    starts = starts_of_runs(rank[order])
    cuts = [0]
    for stop in [*starts[1:].tolist(), count]:
        if stop - cuts[-1] >= most:
            cuts.append(stop)
    cuts += [count] if cuts[-1] < count else []
    number = np.empty(count, dtype=np.int64)
    for k in range(len(cuts) - 1):
        number[order[cuts[k] : cuts[k + 1]]] = k
    return [_only(piece, number == k, number[piece.owner] == k) for k in range(len(cuts) - 1)]


def _only(piece: CityPiece, wanted: Bool, mine: Bool) -> CityPiece:
    renumbered = np.cumsum(wanted) - 1
    parents = piece.parents[wanted]
    used, triangles = np.unique(piece.triangles[mine].ravel(), return_inverse=True)
    return CityPiece(
        piece.features.take(wanted),
        np.where(parents >= 0, renumbered[np.maximum(parents, 0)], -1),
        piece.points[used],
        triangles.reshape(-1, 3),
        renumbered[piece.owner[mine]],
        piece.kind[mine],
        None if piece.colors is None else piece.colors[mine],
    )


def tops_of(parents: Int) -> Int:
    """Return (N,) the outermost object of each feature, itself where it is no part."""
    top = np.where(parents >= 0, parents, np.arange(len(parents)))
    for _ in range(max(len(parents), 2).bit_length()):
        above = top[top]
        if np.array_equal(above, top):
            break
        top = above
    return top


def with_parent_names(piece: CityPiece) -> FeatureTable:
    """Return the features with the ids of what they are parts of as a column, where any is a part."""
    if not (piece.parents >= 0).any() and piece.parent_names is None:
        return piece.features
    names = np.full(len(piece.parents), None, dtype=object) if piece.parent_names is None else piece.parent_names.copy()
    is_part = piece.parents >= 0
    names[is_part] = piece.features.ids[piece.parents[is_part]]
    column = PARENT if PARENT not in piece.features.columns else f"{PARENT} id"
    return FeatureTable(piece.features.ids, {**piece.features.columns, column: names})
