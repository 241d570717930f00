"""CellIndex: the feature nearest to a point on drawn triangles or lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int32
from cimdesk.scene import toolkit as vtk
from cimdesk.scene.visual import Hit

MOST_LOOKED_AT = 400
"""Cells compared one by one where the nearest is hidden."""


class CellIndex:
    """Nearest cell of a mesh or of lines, by a locator that is built at the first question."""

    def __init__(self, data: Any, owner: AnyArray) -> None:
        self._data = data
        self._owner = owner
        self._locator: Any = None
        self._cell: Any = None

    def first_on(self, start: Float, end: Float, shown: Bool | None = None) -> Hit | None:
        """Return the owner of the first cell between two local points, and how far from the start it is [m]."""
        if not len(self._owner):
            return None
        self._build()
        points, ids = vtk.vtkPoints(), vtk.vtkIdList()
        self._locator.IntersectWithLine(list(start), list(end), 0.0, points, ids, self._cell)
        for k in range(ids.GetNumberOfIds()):
            owner = int(self._owner[ids.GetId(k)])
            if shown is None or shown[owner]:
                return Hit(owner, float(np.linalg.norm(np.array(points.GetPoint(k)) - start)))
        return None

    def _build(self) -> None:
        if self._locator is None:
            self._locator = vtk.vtkStaticCellLocator()
            self._locator.SetDataSet(self._data)
            self._locator.BuildLocator()
            self._cell = vtk.vtkGenericCell()

    def nearest(self, point: Float, tolerance: float, shown: Bool | None = None) -> Hit | None:
        """Return the owner of the cell nearest to a local ``point``, if within ``tolerance`` [m].

        ``shown`` (owners,) leaves those out that are not drawn; None takes all.
        """
        if not len(self._owner):
            return None
        self._build()
        closest = [0.0, 0.0, 0.0]
        cell, sub, squared = vtk.reference(0), vtk.reference(0), vtk.reference(0.0)
        if not self._locator.FindClosestPointWithinRadius(list(point), tolerance, closest, self._cell, cell, sub, squared):
            return None
        owner = int(self._owner[int(cell)])
        if shown is not None and not shown[owner]:
            return self._nearest_shown(point, tolerance, shown)
        return Hit(owner, float(np.sqrt(float(squared))))

    def _nearest_shown(self, point: Float, tolerance: float, shown: Bool) -> Hit | None:
        """Look through all cells near the point: two houses share a wall, and one of them is hidden."""
        ids = vtk.vtkIdList()
        low, high = point - tolerance, point + tolerance
        self._locator.FindCellsWithinBounds([low[0], high[0], low[1], high[1], low[2], high[2]], ids)
        best: Hit | None = None
        closest, parametric, weights = [0.0] * 3, [0.0] * 3, [0.0] * 8
        for k in range(min(ids.GetNumberOfIds(), MOST_LOOKED_AT)):
            owner = int(self._owner[ids.GetId(k)])
            if not shown[owner]:
                continue
            self._data.GetCell(ids.GetId(k), self._cell)
            sub, squared = vtk.reference(0), vtk.reference(0.0)
            if self._cell.EvaluatePosition(list(point), closest, sub, parametric, squared, weights) < 0:
                continue
            distance = float(np.sqrt(float(squared)))
            if distance <= tolerance and (best is None or distance < best.distance):
                best = Hit(owner, distance)
        return best


class TriangleIndex(CellIndex):
    """Nearest triangle of a mesh of some thousand: boxes around them take a hundredth of the time that a locator takes to build.

    Parameters
    ----------
    data : vtkPolyData
    owner : (T,) int
    points : (P, 3) float32
    triangles : (T, 3) int32
        Those of ``data``.
    """

    def __init__(self, data: Any, owner: AnyArray, points: Float32, triangles: Int32) -> None:
        super().__init__(data, owner)
        self._points = points
        self._triangles = triangles
        self._boxes: tuple[Float32, Float32] | None = None

    def nearest(self, point: Float, tolerance: float, shown: Bool | None = None) -> Hit | None:
        low, high = self._around()
        wide = np.float32(tolerance + 1e-3)
        near: Bool = np.ones(len(self._triangles), dtype=bool)
        for axis, place in enumerate(np.asarray(point, dtype=np.float32)):
            near &= (low[axis] <= place + wide) & (high[axis] >= place - wide)
        rows = np.flatnonzero(near)
        if shown is not None:
            rows = rows[shown[self._owner[rows]]]
        if not len(rows):
            return None
        away = distances_to_triangles(point, self._points[self._triangles[rows]].astype(np.float64))
        best = int(np.argmin(away))
        return Hit(int(self._owner[rows[best]]), float(away[best])) if away[best] <= tolerance else None

    def _around(self) -> tuple[Float32, Float32]:
        """Return (3, T) low and high corners of boxes around the triangles."""
        if self._boxes is None:
            columns = np.ascontiguousarray(self._points.T)
            a, b, c = (columns[:, self._triangles[:, k]] for k in range(3))
            self._boxes = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
        return self._boxes


def distances_to_triangles(point: Float, corners: Float) -> Float:
    """Return (N,) distances from a point (3,) to triangles (N, 3, 3) [m]."""
    sides = np.roll(corners, -1, axis=1) - corners
    to_point = point - corners
    squares = np.maximum(np.einsum("nij,nij->ni", sides, sides), 1e-30)
    along = np.clip(np.einsum("nij,nij->ni", to_point, sides) / squares, 0.0, 1.0)
    to_sides = np.linalg.norm(to_point - along[:, :, None] * sides, axis=2).min(axis=1)
    normals = np.cross(sides[:, 0], sides[:, 1])
    lengths = np.linalg.norm(normals, axis=1)
    normals /= np.maximum(lengths, 1e-30)[:, None]
    turns = np.einsum("nij,nj->ni", np.cross(sides, to_point), normals)
    is_over = (turns >= 0.0).all(axis=1) & (lengths > 1e-12)
    to_planes = np.abs(np.einsum("ni,ni->n", to_point[:, 0], normals))
    return np.asarray(np.where(is_over, to_planes, to_sides))


def meets_box(start: Float, end: Float, low: Float, high: Float) -> bool:
    """Whether the straight line between two points meets a box (slab method)."""
    way = end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (low - start) / way, (high - start) / way
    # Along an axis the line does not move on, it is inside for ever or never.
    still = way == 0.0
    if (still & ((start < low) | (start > high))).any():
        return False
    near = np.where(still, -np.inf, np.fmin(first, second)).max()
    far = np.where(still, np.inf, np.fmax(first, second)).min()
    return bool(max(near, 0.0) <= min(far, 1.0))
