"""What the readers of mesh results have in common: the mesh, its ground, and its water at each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float
from cimdesk.base.crs import Crs

FARTHEST = 1e9
"""Coordinates beyond this are no place on the earth [m or feet]."""


@dataclass(frozen=True)
class Mesh:
    """Polygons over shared nodes.

    Attributes
    ----------
    nodes : (N, 2) float64
        World coordinates in the system of the source.
    faces : (F, M) int64
        Nodes of each face in order around it; -1 fills short rows.
    """

    nodes: Float
    faces: AnyArray

    @property
    def counts(self) -> AnyArray:
        """(F,) int64 corners of each face."""
        return np.asarray((self.faces >= 0).sum(axis=1))

    def areas(self) -> Float:
        """Return (F,) the area of each face [units of the nodes squared]."""
        following = self._following()
        here, there = self.nodes[np.maximum(self.faces, 0)], self.nodes[following]
        cross = here[..., 0] * there[..., 1] - here[..., 1] * there[..., 0]
        return np.asarray(0.5 * np.abs(np.where(self.faces >= 0, cross, 0.0).sum(axis=1)))

    def _following(self) -> AnyArray:
        """Return (F, M) the node after each corner; that of the last is the first."""
        after = np.roll(self.faces, -1, axis=1)
        return np.asarray(np.where(after >= 0, after, self.faces[:, :1]))

    def triangles(self) -> tuple[AnyArray, AnyArray]:
        """Return (T, 3) nodes of triangles that fan out from the first corner of each face, and (T,) their faces."""
        parts, owners = [], []
        for k in range(1, self.faces.shape[1] - 1):
            has = self.faces[:, k + 1] >= 0
            parts.append(np.column_stack([self.faces[has, 0], self.faces[has, k], self.faces[has, k + 1]]))
            owners.append(np.flatnonzero(has))
        return np.concatenate(parts), np.concatenate(owners)

    def moved(self, nodes: Float) -> Mesh:
        """Return the same faces over nodes that lie elsewhere."""
        return replace(self, nodes=nodes)


def no_speed(_index: int) -> Float | None:
    """Stand for the speed of results that tell none."""
    return None


def no_velocity(_index: int) -> tuple[AnyArray, AnyArray] | None:
    """Stand for the velocities of results that tell none."""
    return None


@dataclass(frozen=True)
class MeshFlow:
    """Water on a mesh.

    Attributes
    ----------
    name : str
    mesh : Mesh
    at_nodes : bool
        Whether ground, depth and speed are of the nodes and linear between them, or of the faces.
    bed : (N or F,) float64
        Ground [units of ``vertical``].
    times : (T,) float64
        Seconds from the start.
    depth : callable
        Number of a time -> (N or F,) depth, NaN where there is none.
    speed : callable
        Number of a time -> (N or F,) speed, or None.
    start_time : float
        [POSIX s]; 0 where the source names no date.
    crs : Crs or None
    vertical : float
        Metres of one unit of heights, depths and speeds.
    maximum : (N or F,) float64 or None
        Largest depth of the run where the source states it.
    statistics : mapping
    velocity : callable
        Number of a time -> (N or F,) velocities to the east and to the north, or None.
    """

    name: str
    mesh: Mesh
    at_nodes: bool
    bed: Float
    times: Float
    depth: Callable[[int], AnyArray]
    speed: Callable[[int], AnyArray | None] = no_speed
    start_time: float = 0.0
    crs: Crs | None = None
    vertical: float = 1.0
    maximum: Float | None = None
    statistics: Mapping[str, object] = field(default_factory=dict)
    velocity: Callable[[int], tuple[AnyArray, AnyArray] | None] = no_velocity


def usable_faces(nodes: Float, faces: AnyArray) -> Bool:
    """Return (F,) which faces have three corners or more, all at nodes that exist and have a place."""
    known = (faces >= 0) & (faces < len(nodes))
    wrong = (faces >= len(nodes)).any(axis=1)
    if not len(nodes):
        return np.zeros(len(faces), dtype=bool)
    placed = np.asarray((np.abs(nodes) < FARTHEST).all(axis=1))
    on_place = np.where(known, placed[np.clip(faces, 0, len(nodes) - 1)], True).all(axis=1)
    return np.asarray((known.sum(axis=1) >= 3) & ~wrong & on_place)
