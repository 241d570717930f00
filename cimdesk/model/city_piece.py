"""CityPiece: some features of a city with their triangles in double precision, on their way from a file into tiles."""

from __future__ import annotations

from dataclasses import dataclass

from cimdesk.base.arrays import AnyArray, Float, Int, UInt8
from cimdesk.model.features import FeatureTable


@dataclass(frozen=True)
class CityPiece:
    """Features and their triangles at the finest level of detail each has.

    Attributes
    ----------
    features : FeatureTable
    parents : (N,) int64
        Row of the feature each is a part of, -1 for none.
    points : (V, 3) float64
        World coordinates.
    triangles : (T, 3) int64
        Counter-clockwise seen from outside.
    owner : (T,) int64
        Row of the feature.
    kind : (T,) uint8
        `Surface` code.
    colors : (T, 4) uint8 or None
    parent_names : (N,) object or None
        Ids of what features are parts of that are in another piece; None for the others.
    """

    features: FeatureTable
    parents: Int
    points: Float
    triangles: Int
    owner: Int
    kind: UInt8
    colors: UInt8 | None = None
    parent_names: AnyArray | None = None
