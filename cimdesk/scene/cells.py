"""CellIndex: the feature nearest to a point on drawn triangles or lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.scene import toolkit as vtk
from cimdesk.scene.visual import Hit


class CellIndex:
    """Nearest cell of a mesh or of lines, by a locator that is built at the first question."""

    def __init__(self, data: Any, owner: AnyArray) -> None:
        self._data = data
        self._owner = owner
        self._locator: Any = None
        self._cell: Any = None

    def nearest(self, point: Float, tolerance: float) -> Hit | None:
        """Return the owner of the cell nearest to a local ``point``, if within ``tolerance`` [m]."""
        if not len(self._owner):
            return None
        if self._locator is None:
            self._locator = vtk.vtkStaticCellLocator()
            self._locator.SetDataSet(self._data)
            self._locator.BuildLocator()
            self._cell = vtk.vtkGenericCell()
        closest = [0.0, 0.0, 0.0]
        cell, sub, squared = vtk.reference(0), vtk.reference(0), vtk.reference(0.0)
        if not self._locator.FindClosestPointWithinRadius(list(point), tolerance, closest, self._cell, cell, sub, squared):
            return None
        return Hit(int(self._owner[int(cell)]), float(np.sqrt(float(squared))))
