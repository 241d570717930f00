"""FeatureTable: attributes of many features as columns; and Shapes: their points, lines or polygons as ragged arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, Strings, bounds_of_points, require_shape


@dataclass(frozen=True)
class FeatureTable:
    """Attributes of N features.

    Attributes
    ----------
    ids : (N,) object
        Stable identifier of each feature, str, unique within the table.
    columns : mapping of str to (N,) array
        float64 (NaN is missing), int64, bool, or object holding str and None (None is missing).
    """

    ids: Strings
    columns: Mapping[str, AnyArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.columns.items():
            require_shape(f"column {name}", values, len(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    @staticmethod
    def from_rows(ids: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> FeatureTable:
        """Return the table of one mapping per feature; each column gets the narrowest dtype that holds its values."""
        names: dict[str, None] = {}
        for row in rows:
            names.update(dict.fromkeys(row))
        columns = {name: column_of([row.get(name) for row in rows]) for name in names}
        return FeatureTable(as_strings(ids), columns)

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {str(key): row for row, key in enumerate(self.ids)}

    def row_of(self, feature_id: str) -> int:
        """Return the row of a feature; raises KeyError when there is none."""
        return self._row_of[feature_id]

    def rows_of(self, feature_ids: Iterable[str]) -> Int:
        """Return (M,) rows of the features that exist, in the order asked."""
        rows = self._row_of
        return np.array([rows[key] for key in feature_ids if key in rows], dtype=np.int64)

    def __contains__(self, feature_id: str) -> bool:
        return feature_id in self._row_of

    def row(self, index: int) -> dict[str, Any]:
        """Return the attributes of one feature as plain Python values; missing ones are None."""
        return {name: plain_value(values[index]) for name, values in self.columns.items()}

    def take(self, rows: AnyArray) -> FeatureTable:
        """Return the table of these ``rows`` (indices or mask)."""
        return FeatureTable(self.ids[rows], {name: values[rows] for name, values in self.columns.items()})

    @staticmethod
    def empty() -> FeatureTable:
        """Return a table of nothing."""
        return FeatureTable(np.zeros(0, dtype=object))


def as_strings(values: Iterable[Any]) -> Strings:
    """Return an object array of the str of each value."""
    out = [str(value) for value in values]
    array = np.empty(len(out), dtype=object)
    array[:] = out
    return array


def column_of(values: Sequence[Any]) -> AnyArray:
    """Return one column for Python values: bool, int64, float64 or object of str and None (the narrowest that fits)."""
    present = [value for value in values if value is not None]
    kinds = {type(value) for value in present}
    if kinds == {bool} and len(present) == len(values):
        return np.array(values, dtype=bool)
    if kinds == {int} and len(present) == len(values) and all(abs(v) < 2**63 for v in present):
        return np.array(values, dtype=np.int64)
    if kinds and kinds <= {int, float} and all(abs(v) < 2**63 for v in present if type(v) is int):
        return np.array([np.nan if value is None else float(value) for value in values])
    import json

    array = np.empty(len(values), dtype=object)
    array[:] = [
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str) for value in values
    ]
    return array


def plain_value(value: Any) -> Any:
    """Return a numpy scalar as int, float, bool, str or None (for NaN)."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and value != value else value


class ShapeKind(IntEnum):
    """What the parts of a shape are."""

    POINT = 0
    LINE = 1
    POLYGON = 2


@dataclass(frozen=True)
class Shapes:
    """Points, lines or polygons of N features as ragged arrays.

    Attributes
    ----------
    kind : ShapeKind
    coordinates : (P, 3) float64
        World coordinates; z is NaN where the source gives none.
    ring_offsets : (R + 1,) int64
        Rows of ``coordinates`` where each point set, line or ring starts. Rings are closed (last = first).
    feature_of_ring : (R,) int64
        Owner of each ring.
    is_hole : (R,) bool
        Polygon rings that are holes of the nearest earlier outer ring.
    """

    kind: ShapeKind
    coordinates: Float
    ring_offsets: Int
    feature_of_ring: Int
    is_hole: np.ndarray

    def ring(self, index: int) -> Float:
        """Return the (P, 3) coordinates of one ring."""
        return self.coordinates[self.ring_offsets[index] : self.ring_offsets[index + 1]]

    @property
    def bounds(self) -> Float:
        """(2, 3) world minimum and maximum; NaN where there are no coordinates."""
        return bounds_of_points(self.coordinates)


@dataclass(frozen=True)
class VectorLayer:
    """Features of a plan: roads, parcels, works, zones, gas or power lines drawn as plain vectors."""

    features: FeatureTable
    shapes: Shapes
