"""TriangleMesh: triangles that know which feature they belong to and which kind of surface they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32, Int32, UInt8, require_shape, starts_of_runs
from cimdesk.model.pictured import FacePictures


class Surface(IntEnum):
    """What a face of a city object is."""

    UNKNOWN = 0
    GROUND = 1
    WALL = 2
    ROOF = 3
    OPENING = 4
    OTHER = 5


@dataclass(frozen=True)
class TriangleMesh:
    """Triangles of many features in one set of arrays.

    Attributes
    ----------
    vertices : (V, 3) float32
        Local coordinates [m] relative to ``origin``.
    triangles : (T, 3) int32
        Vertex rows, counter-clockwise seen from outside.
    feature_index : (T,) int32
        Row of the owner in its FeatureTable.
    surface : (T,) uint8
        `Surface` code of each triangle.
    origin : (3,) float64
        World coordinates of the local zero.
    edges : (E, 2) int32
        Vertex rows of the outlines of the original polygons, drawn as quiet lines; may be empty.
    colors : (T, 4) uint8 or None
        Colours given by the source (materials); None when it gives none.
    pictures : FacePictures or None
        Pictures given by the source.
    """

    vertices: Float32
    triangles: Int32
    feature_index: Int32
    surface: UInt8
    origin: Float = field(default_factory=lambda: np.zeros(3))
    edges: Int32 = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int32))
    colors: UInt8 | None = None
    pictures: FacePictures | None = None

    def __post_init__(self) -> None:
        require_shape("vertices", self.vertices, None, 3)
        require_shape("triangles", self.triangles, None, 3)
        require_shape("feature_index", self.feature_index, len(self.triangles))
        require_shape("surface", self.surface, len(self.triangles))
        require_shape("edges", self.edges, None, 2)

    @staticmethod
    def empty() -> TriangleMesh:
        """Return a mesh of nothing."""
        return TriangleMesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), np.zeros(0, np.int32), np.zeros(0, np.uint8))

    @property
    def bounds(self) -> Float:
        """(2, 3) float64 world minimum and maximum; NaN for an empty mesh."""
        if not len(self.vertices):
            return np.full((2, 3), np.nan)
        return np.array([self.vertices.min(axis=0), self.vertices.max(axis=0)], dtype=np.float64) + self.origin

    @property
    def colored_share(self) -> float:
        """Share of the triangles to which the source gives a colour other than white, or a picture; 0 for an empty mesh."""
        has = np.zeros(len(self.triangles), dtype=bool)
        if self.colors is not None:
            has = (self.colors[:, :3] != 255).any(axis=1)
        if self.pictures is not None:
            has[self.pictures.triangles] = True
        return float(has.mean()) if len(has) else 0.0

    def world_vertices(self) -> Float:
        """Return (V, 3) float64 world coordinates."""
        return self.vertices.astype(np.float64) + self.origin

    def heights(self, features: int) -> tuple[Float, Float]:
        """Return (N,) lowest and highest world height of each of so many features; NaN for those without triangles."""
        height = self.vertices[:, 2].astype(np.float64)
        a, b, c = (height[self.triangles[:, k]] for k in range(3))
        low, high = spans(np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c), self.feature_index, features)
        is_empty = low > high
        return np.where(is_empty, np.nan, low + self.origin[2]), np.where(is_empty, np.nan, high + self.origin[2])

    def moved_to(self, origin: Float) -> TriangleMesh:
        """Return the same mesh with its vertices relative to another world ``origin`` (3,)."""
        shift = self.origin - np.asarray(origin, dtype=np.float64)
        vertices = (self.vertices.astype(np.float64) + shift).astype(np.float32)
        return replace(self, vertices=vertices, origin=np.asarray(origin, np.float64))

    def of_features(self, is_wanted: np.ndarray) -> TriangleMesh:
        """Return the triangles whose feature is wanted; ``is_wanted`` is (features,) bool. Vertices are kept, edges dropped."""
        keep = is_wanted[self.feature_index]
        return TriangleMesh(
            self.vertices,
            self.triangles[keep],
            self.feature_index[keep],
            self.surface[keep],
            self.origin,
            colors=None if self.colors is None else self.colors[keep],
            pictures=None if self.pictures is None else self.pictures.kept(keep),
        )

    @staticmethod
    def merged(meshes: Sequence[TriangleMesh]) -> TriangleMesh:
        """Return one mesh of several, around the first one's origin; feature indices are taken as they are."""
        if not meshes:
            return TriangleMesh.empty()
        placed = [meshes[0], *(mesh.moved_to(meshes[0].origin) for mesh in meshes[1:])]
        starts = np.cumsum([0, *(len(mesh.vertices) for mesh in placed[:-1])]).astype(np.int32)
        colored = any(mesh.colors is not None for mesh in placed)
        white = np.uint8(255)
        return TriangleMesh(
            np.concatenate([mesh.vertices for mesh in placed]),
            np.concatenate([mesh.triangles + start for mesh, start in zip(placed, starts, strict=True)]),
            np.concatenate([mesh.feature_index for mesh in placed]),
            np.concatenate([mesh.surface for mesh in placed]),
            placed[0].origin,
            np.concatenate([mesh.edges + start for mesh, start in zip(placed, starts, strict=True)]),
            np.concatenate([np.full((len(m.triangles), 4), white) if m.colors is None else m.colors for m in placed])
            if colored
            else None,
            FacePictures.merged([(mesh.pictures, len(mesh.triangles)) for mesh in placed]),
        )


def spans(low: AnyArray, high: AnyArray, owner: AnyArray, count: int) -> tuple[AnyArray, AnyArray]:
    """Return (count,) the least of ``low`` and the greatest of ``high`` among the rows of each owner; infinite where it has none.

    Parameters
    ----------
    low, high : (N,) float
    owner : (N,) int
        Best nearly in order: then nothing is sorted.
    count : int
    """
    least, most = np.full(count, np.inf, dtype=low.dtype), np.full(count, -np.inf, dtype=high.dtype)
    if len(owner):
        order = np.argsort(owner, kind="stable")
        sorted_owner = owner[order]
        first = starts_of_runs(sorted_owner)
        least[sorted_owner[first]] = np.minimum.reduceat(low[order], first)
        most[sorted_owner[first]] = np.maximum.reduceat(high[order], first)
    return least, most
