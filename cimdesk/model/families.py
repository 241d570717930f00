"""Parts of buildings look like the whole: where a part has no value of its own, that of the building it belongs to counts."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from cimdesk.base.arrays import AnyArray, Int
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData, Workspace, features_of


class _Filled(Mapping[str, AnyArray]):
    """Columns whose gaps are filled from the top of each family, each when it is first asked for."""

    def __init__(self, columns: Mapping[str, AnyArray], roots: Int) -> None:
        self._columns = columns
        self._roots = roots
        self._filled: dict[str, AnyArray] = {}

    def __getitem__(self, name: str) -> AnyArray:
        if name not in self._filled:
            self._filled[name] = _filled(self._columns[name], self._roots)
        return self._filled[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


@dataclass(frozen=True)
class FamilyTable(FeatureTable):
    """A table of city objects in which parts have the values of the whole.

    Attributes
    ----------
    roots : (N,) int64
        Row of the top-level object of each.
    """

    roots: Int = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        # The columns are as long as those they are made from; looking at them would fill them all.
        return


def _filled(values: AnyArray, roots: Int) -> AnyArray:
    if values.dtype == object:
        missing = np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    elif values.dtype.kind == "f":
        missing = np.isnan(values)
    else:
        return values
    missing &= roots != np.arange(len(values))
    if not missing.any():
        return values
    out = values.copy()
    out[missing] = values[roots[missing]]
    return out


def roots_of(parents: AnyArray) -> Int:
    """Return (N,) the row of the top-level object of each city object; one in a circle is its own."""
    roots = np.arange(len(parents), dtype=np.int64)
    for _ in range(32):
        above = np.where(parents[roots] >= 0, parents[roots], roots)
        if np.array_equal(above, roots):
            return roots
        roots = above
    return np.arange(len(parents), dtype=np.int64)


_known: list[tuple[weakref.ref[CityModel], FamilyTable]] = []
_KEPT = 8


def styled_table(data: LayerData) -> FeatureTable | None:
    """Return the table that decides how the features of a layer look; None for data without features."""
    city = data.city if isinstance(data, TiledCity) else data
    if not isinstance(city, CityModel) or not len(city.parents) or int(city.parents.max()) < 0:
        return features_of(data)
    for known, table in _known:
        if known() is city:
            return table
    roots = roots_of(city.parents)
    made = FamilyTable(city.features.ids, _Filled(city.features.columns, roots), roots)
    _known.append((weakref.ref(city), made))
    _known[:] = [item for item in _known if item[0]() is not None][-_KEPT:]
    return made


def styled_features(workspace: Workspace, layer_id: str) -> FeatureTable | None:
    """Return the table that decides how the features of a layer look; None while there is none."""
    data = workspace.data(layer_id)
    return None if data is None else styled_table(data)
