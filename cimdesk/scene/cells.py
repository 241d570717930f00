"""CellIndex: the feature nearest to a point on drawn triangles or lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float
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
