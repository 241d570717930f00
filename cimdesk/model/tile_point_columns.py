"""What is known of single points of streamed tiles: samples of their columns, enough to choose colours by."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.model.features import FeatureTable
from cimdesk.model.style import Style
from cimdesk.model.tile_points import PointValues, TextColumn, TilePoints

POINT_HEIGHT = "point_height"
"""What colours call the third coordinate of points of tiles, beside what their source says."""
SAMPLED = 20_000
"""Values kept of each column; up to twice as many."""
MOST_COLUMNS = 64
MOST_DISTINCT = 256
_NOTHING: Mapping[str, Any] = MappingProxyType({})
"""Different values of a column up to which all of them are known, however rare."""


def values_of(cloud: TilePoints, origin: Float, name: str) -> PointValues | None:
    """Return what is known of each point of a tile under a name, heights included; None for nothing."""
    if name == POINT_HEIGHT and name not in cloud.columns:
        heights: AnyArray = cloud.xyz[:, 2].astype(np.float64) + origin[2]
        return heights
    return cloud.columns.get(name)


@dataclass
class _Sample:
    """Values of one column: every ``step``-th of those seen, the least and the greatest, and every one that differs if few do."""

    step: int = 1
    count: int = 0
    pieces: list[AnyArray] = field(default_factory=list)
    low: float = np.inf
    high: float = -np.inf
    distinct: dict[Any, None] | None = field(default_factory=dict)

    def add(self, values: PointValues) -> None:
        piece = _texts_at(values, self.step) if isinstance(values, TextColumn) else values[:: self.step].copy()
        self.pieces.append(piece)
        self.count += len(piece)
        self._note_ends(values)
        while self.count > 2 * SAMPLED:
            # Pieces of single values would never grow smaller by themselves.
            self.pieces = [np.concatenate(self._alike())[::2]]
            self.step, self.count = self.step * 2, len(self.pieces[0])

    def whole(self, stated: tuple[float, float] | None, named: tuple[str, ...] = ()) -> AnyArray:
        """Return the sample with what must not be missing from it: ends, and values that are rare."""
        pieces = self._alike()
        if pieces[0].dtype == object:
            return np.concatenate([*pieces, np.array([*(self.distinct or ()), *named], dtype=object)])
        seen = [self.low, self.high] if self.distinct is None else [*map(float, self.distinct)]
        extra = np.unique([value for value in (*seen, *(stated or ())) if np.isfinite(value)])
        kind = np.result_type(*pieces)
        if kind.kind == "f" or (extra != np.floor(extra)).any():
            kind = np.dtype(np.float64)
        elif kind.kind != "b":
            kind = np.dtype(np.int64)
        return np.concatenate([piece.astype(kind) for piece in (*pieces, extra)])

    def _alike(self) -> list[AnyArray]:
        """Return the pieces all as numbers, or all as texts where some are."""
        if any(piece.dtype == object for piece in self.pieces) and not all(piece.dtype == object for piece in self.pieces):
            self.distinct = None
            self.pieces = [piece if piece.dtype == object else _as_texts(piece) for piece in self.pieces]
        return self.pieces

    def _note_ends(self, values: PointValues) -> None:
        if isinstance(values, TextColumn):
            self._note_distinct(values.names)
            return
        numbers = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        if len(numbers):
            self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))
        if values.dtype.kind == "f" or values.itemsize > 2:
            self.distinct = None
        elif self.distinct is not None:
            self._note_distinct(np.unique(values).tolist())

    def _note_distinct(self, found: Any) -> None:
        if self.distinct is not None:
            self.distinct.update(dict.fromkeys(found))
            if len(self.distinct) > MOST_DISTINCT:
                self.distinct = None


class PointColumns(Mapping[str, AnyArray]):
    """Samples of the columns that tell points apart; safe to ask from several threads.

    Attributes
    ----------
    settled : list of (dict, Style)
        What was found for styles, by the records of those; of the thread that draws.

    Parameters
    ----------
    stated : mapping of str to (float, float)
        Least and greatest value of a property in the whole tileset, where it says so.
    named : mapping of str to tuple of str
        Names of all values of a property that occur in the tileset, where it says so.
    """

    def __init__(
        self, stated: Mapping[str, tuple[float, float]] = _NOTHING, named: Mapping[str, tuple[str, ...]] = _NOTHING
    ) -> None:
        self.stated = stated
        self.named = named
        self.settled: list[tuple[dict[str, Any], Style]] = []
        self._lock = threading.Lock()
        self._seen: set[int] = set()
        self._samples: dict[str, _Sample] = {}
        self._whole: dict[str, AnyArray] = {}

    @staticmethod
    def of(metadata: Mapping[str, Any]) -> PointColumns:
        """Return the columns of a tileset, of which no point is known yet."""
        return PointColumns(metadata.get("ranges") or {}, metadata.get("values") or {})

    def note(self, row: int, cloud: TilePoints | None, origin: Float) -> None:
        """Take note of the points of a tile, the first time it comes."""
        if cloud is None or not len(cloud):
            return
        with self._lock:
            if row in self._seen:
                return
            self._seen.add(row)
            for name in (*sorted(cloud.own), POINT_HEIGHT):
                values = values_of(cloud, origin, name)
                if values is not None and (name in self._samples or len(self._samples) < MOST_COLUMNS):
                    self._samples.setdefault(name, _Sample()).add(values)
                    self._whole.pop(name, None)

    def sample(self) -> Mapping[str, AnyArray]:
        """Return the columns as they are known now."""
        return {name: self[name] for name in self}

    def spans_all(self, name: str, low: float, high: float) -> bool:
        """Return whether all points of the tileset, seen or not, are stated to lie between two values."""
        stated = self.stated.get(name)
        return stated is not None and low <= stated[0] and stated[1] <= high

    def __getitem__(self, name: str) -> AnyArray:
        with self._lock:
            if name not in self._whole:
                self._whole[name] = self._samples[name].whole(self.stated.get(name), self.named.get(name, ()))
            return self._whole[name]

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(sorted(self._samples, key=lambda name: (name == POINT_HEIGHT, name.casefold())))

    def __len__(self) -> int:
        return len(self._samples)

    def __contains__(self, name: object) -> bool:
        return name in self._samples


@dataclass(frozen=True)
class SampledTable(FeatureTable):
    """A table of features together with samples of the columns of their points, which are as long as they are."""

    def __post_init__(self) -> None:
        # Columns of points are not those of the features.
        return


def with_points(table: FeatureTable | None, samples: Mapping[str, AnyArray]) -> FeatureTable | None:
    """Return what a layer can be coloured by: columns of its points first, then those of its features."""
    if not samples:
        return table
    known = FeatureTable.empty() if table is None else table
    return SampledTable(known.ids, {**samples, **{name: column for name, column in known.columns.items() if name not in samples}})


def _texts_at(values: TextColumn, step: int) -> AnyArray:
    names = np.array([None, *values.names], dtype=object)
    return np.asarray(names[values.codes[::step]])


def _as_texts(values: AnyArray) -> AnyArray:
    return np.array([str(value) for value in values.tolist()], dtype=object)
