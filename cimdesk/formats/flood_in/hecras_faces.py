"""Faces around cells of HEC-RAS, tables of what their wetted area is, and velocities of cells made of those across them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float

_NEAR_NOTHING = 1e-6
"""Of the weights of a cell: what is added to both directions, so that one that no face tells of has no velocity."""


@dataclass(frozen=True)
class Faces:
    """The faces around cells, as far as what flows through them goes.

    Attributes
    ----------
    offsets : (C,) int64
        Where the faces of each cell begin in ``numbers``.
    numbers : (K,) int64
    normals : (F, 2) float64
        Unit vectors along which the velocity of a face is told: to the right of who goes from its first point to its second.
    lengths : (F,) float64
    tables : tuple of arrays or None
        Of each face its first row and number of rows in a table of level and wetted area, and that table.
    """

    offsets: AnyArray
    numbers: AnyArray
    normals: Float
    lengths: Float
    tables: tuple[AnyArray, Float] | None

    def fastest(self, speeds: Float) -> Float:
        """Return (C,) the largest of the (F,) values of each cell's faces."""
        return np.maximum.reduceat(np.nan_to_num(speeds[self.numbers]), self.offsets)

    def velocities(self, across: Float, levels: Float) -> tuple[Float, Float]:
        """Return (C,) velocities of the cells to the east and to the north, by weighted least squares over their faces.

        Parameters
        ----------
        across : (F,) float64
            Velocity across each face; NaN where there is none.
        levels : (C,) float64
            Level of the water in the cells.

        Notes
        -----
        As HEC-RAS does it (2D technical reference, numerical methods): the vector whose parts along the normals of the faces
        come nearest to the velocities there, each weighed by its wetted area; by its length where the file has no areas.
        """
        told, (east, north) = across[self.numbers], self.normals[self.numbers].T
        weights = np.where(np.isfinite(told), self._wetted(levels)[self.numbers], 0.0)

        def total(values: Float) -> Float:
            return np.asarray(np.add.reduceat(values, self.offsets))

        pushed = weights * np.nan_to_num(told)
        least = _NEAR_NOTHING * total(weights) + 1e-30
        ee, nn, en = total(weights * east * east) + least, total(weights * north * north) + least, total(weights * east * north)
        e, n = total(pushed * east), total(pushed * north)
        inverse = 1.0 / (ee * nn - en * en)
        return (nn * e - en * n) * inverse, (ee * n - en * e) * inverse

    def _wetted(self, levels: Float) -> Float:
        """Return (F,) the area of each face below the higher of the levels beside it; its length without tables."""
        if self.tables is None:
            return self.lengths
        highest = np.full(len(self.lengths), -1e30)
        counts = np.diff(np.append(self.offsets, len(self.numbers)))
        np.maximum.at(highest, self.numbers, np.repeat(np.nan_to_num(levels, nan=-1e30), counts))
        return table_values(highest, self.tables[0], self.tables[1], self.lengths)


def faces_of(group: Any, offsets: AnyArray, numbers: AnyArray) -> Faces:
    """Return the faces of a flow area: ``numbers`` of those around its cells, each beginning at its offset."""
    ends = np.asarray(group["Faces FacePoint Indexes"][:], dtype=np.int64)
    points = np.asarray(group["FacePoints Coordinate"][:], dtype=np.float64)
    along = points[ends[:, 1]] - points[ends[:, 0]]
    lengths = np.hypot(*along.T)
    normals = np.column_stack([along[:, 1], -along[:, 0]]) / np.maximum(lengths, 1e-12)[:, np.newaxis]
    if "Faces NormalUnitVector and Length" in group:
        stored = np.asarray(group["Faces NormalUnitVector and Length"][:], dtype=np.float64)
        normals, lengths = stored[:, :2], stored[:, 2]
    tables = None
    if "Faces Area Elevation Info" in group:
        info = np.asarray(group["Faces Area Elevation Info"][:], dtype=np.int64)
        values = np.asarray(group["Faces Area Elevation Values"][:], dtype=np.float64)[:, :2]
        tables = (info, values) if len(info) == len(lengths) and (info[:, 1] > 0).all() else None
    return Faces(offsets, numbers, normals, lengths, tables)


def table_values(levels: Float, info: AnyArray, table: Float, growth: Float) -> Float:
    """Return (N,) what the table of each cell (or face) says of its level: linear between rows, zero at and below the first.

    Parameters
    ----------
    levels : (N,) float64
    info : (N, 2) int64
        First row and number of rows of each.
    table : (R, 2) float64
        Levels, and volumes (or areas) below them.
    growth : (N,) float64
        What a unit of level above the last row adds.
    """
    first, count = info[:, 0], info[:, 1]
    last = first + np.maximum(count, 1) - 1
    owner = np.repeat(np.arange(len(info)), count)
    rows = np.repeat(first - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(count.sum())
    below = np.bincount(owner, table[rows, 0] <= levels[owner], minlength=len(info)).astype(np.int64)
    low = np.clip(first + below - 1, first, np.maximum(last - 1, first))
    high = np.minimum(low + 1, last)
    rise, gain = table[high, 0] - table[low, 0], table[high, 1] - table[low, 1]
    share = np.clip((levels - table[low, 0]) / np.where(rise > 0, rise, 1.0), 0.0, 1.0)
    volume = table[low, 1] + share * gain + np.maximum(levels - table[last, 0], 0.0) * growth
    return np.where(levels <= table[first, 0], 0.0, volume)
