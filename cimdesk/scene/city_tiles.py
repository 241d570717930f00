"""Spatial tiles of a city mesh: which triangles are in one, and the actors that draw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int, Int32, offsets_from_counts
from cimdesk.model.mesh import Surface, TriangleMesh
from cimdesk.scene.cells import CellIndex
from cimdesk.scene.geometry import (
    actor_of,
    hide_lines_by_texels,
    hide_transparent_texels,
    poly_data,
    pull_to_eye,
    set_point_array,
    sharp_edges,
)
from cimdesk.scene.source_look import SourceLook
from cimdesk.scene.textures import FeatureTexture

FEATURES_PER_TILE = 2400


@dataclass
class Tile:
    """One batch of features; ``covered`` are those of its faces that pictures are drawn instead of, None for none."""

    actor: Any
    covered: Any
    edges: Any
    low: Float
    high: Float
    index: CellIndex

    @property
    def faces(self) -> list[Any]:
        """Actors of faces."""
        return [self.actor] if self.covered is None else [self.actor, self.covered]


class TileMaker:
    """Makes the tiles of one mesh.

    Attributes
    ----------
    hides : bool
        Whether features with a clear texel are left out of what is made from now on.
    """

    def __init__(self, mesh: TriangleMesh, count: int, texture: FeatureTexture, source: SourceLook | None) -> None:
        self.hides = False
        self._mesh = mesh
        self._texture = texture
        self._source = source
        self._entry = _entries(mesh, count, source)
        self._owner_of_vertex = np.full(len(mesh.vertices), -1, dtype=np.int64)
        self._owner_of_vertex[mesh.triangles.ravel()] = np.repeat(mesh.feature_index, 3)
        # Outlines of one feature after the other, and where those of each begin.
        edges = mesh.edges[(self._owner_of_vertex[mesh.edges] >= 0).all(axis=1)]
        owners = self._owner_of_vertex[edges[:, 0]]
        self._edges = edges[np.argsort(owners, kind="stable")]
        self._first_edge = offsets_from_counts(np.bincount(owners, minlength=count))

    def tile(self, rows: Int) -> Tile:
        """Return the actors of some triangles."""
        entry = self._entry[rows]
        triangles = self._mesh.triangles[rows]
        # A vertex is shared within a feature's surfaces of one kind only: it carries that texel.
        code = triangles.astype(np.int64) + entry[:, None] * np.int64(len(self._mesh.vertices))
        unique, compact = np.unique(code.ravel(), return_inverse=True)
        points = self._mesh.vertices[unique % len(self._mesh.vertices)]
        cells = compact.reshape(-1, 3).astype(np.int32)
        data = poly_data(points, cells)
        entries = unique // len(self._mesh.vertices)
        owner = self._mesh.feature_index[rows]
        low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
        edges = self._edge_actor(points, cells, owner, entries)
        coordinates = self._texture.coordinates(entries)
        index = CellIndex(data, owner)
        is_covered = None if self._source is None else self._source.is_covered(rows)
        if is_covered is None or not is_covered.any():
            return Tile(self._face_actor(data, coordinates), None, edges, low, high, index)
        plain = self._face_actor(poly_data(points, cells[~is_covered]), coordinates)
        return Tile(plain, self._face_actor(poly_data(points, cells[is_covered]), coordinates), edges, low, high, index)

    def _face_actor(self, data: Any, coordinates: Float32) -> Any:
        set_point_array(data, coordinates, "tcoords")
        actor = actor_of(data)
        actor.SetTexture(self._texture.texture)
        actor.GetProperty().SetInterpolationToFlat()
        if self.hides:
            hide_transparent_texels(actor)
        return actor

    def _edge_actor(self, points: Float32, cells: Int32, owner: Int32, entries: Int) -> Any:
        if len(self._mesh.edges):
            features = np.unique(owner)
            starts = self._first_edge[features]
            counts = self._first_edge[features + 1] - starts
            among = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
            edges = self._edges[np.repeat(starts, counts) + among]
            kept, compact = np.unique(edges.ravel(), return_inverse=True)
            data = poly_data(self._mesh.vertices[kept], lines=compact.reshape(-1, 2))
            entries = 2 * self._owner_of_vertex[kept]
        else:
            data = poly_data(points, lines=sharp_edges(points, cells, owner))
        set_point_array(data, self._texture.coordinates(entries), "tcoords")
        actor = actor_of(data)
        actor.SetTexture(self._texture.texture)
        hide_lines_by_texels(actor)
        actor.GetProperty().LightingOff()
        actor.PickableOff()
        pull_to_eye(actor)
        return actor


def tile_rows(mesh: TriangleMesh, count: int) -> list[Int]:
    """Return the triangle rows of each tile: features split by alternate medians of their centres."""
    if not len(mesh.triangles):
        return []
    first = np.full(count, -1, dtype=np.int64)
    first[mesh.feature_index[::-1]] = np.arange(len(mesh.triangles))[::-1]
    present = np.flatnonzero(first >= 0)
    centres = mesh.vertices[mesh.triangles[first[present], 0], :2]
    tile_of = np.zeros(count, dtype=np.int64)
    pieces = [np.arange(len(present))]
    done: list[Int] = []
    while pieces:
        piece = pieces.pop()
        if len(piece) <= FEATURES_PER_TILE:
            done.append(piece)
            continue
        axis = int(np.argmax(np.ptp(centres[piece], axis=0)))
        order = piece[np.argsort(centres[piece, axis], kind="stable")]
        pieces += [order[: len(order) // 2], order[len(order) // 2 :]]
    for number, piece in enumerate(done):
        tile_of[present[piece]] = number
    tile = tile_of[mesh.feature_index]
    order = np.argsort(tile, kind="stable")
    return np.split(order, np.cumsum(np.bincount(tile, minlength=len(done)))[:-1])


def _entries(mesh: TriangleMesh, count: int, source: SourceLook | None) -> Int:
    """Return (T,) texels: two per feature (walls, roofs), or one per material where the source gives colours."""
    roof = mesh.surface == Surface.ROOF
    entry: Int = mesh.feature_index.astype(np.int64) * 2 + roof
    return entry if source is None else source.entries(entry, 2 * count)
