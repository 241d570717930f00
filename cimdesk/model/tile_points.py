"""Points of a streamed tile: where they are, what is known of each, and which features they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32, Int32, UInt8
from cimdesk.model.features import plain_value


@dataclass(frozen=True)
class TextColumn:
    """Texts of points, each different one kept once.

    Attributes
    ----------
    names : tuple of str
    codes : (N,) array of unsigned integers
        One more than the row of ``names``; 0 where a point has no text.
    """

    names: tuple[str, ...]
    codes: AnyArray

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int) -> str | None:
        code = int(self.codes[index])
        return self.names[code - 1] if code else None

    @property
    def nbytes(self) -> int:
        """Memory it takes [bytes]."""
        return self.codes.nbytes + sum(len(name) + 64 for name in self.names)


PointValues = AnyArray | TextColumn
"""What is known of each point under one name: (N,) numbers, or texts."""


def packed(values: AnyArray) -> PointValues:
    """Return a column in as little memory as holds every value: narrow numbers, each text once."""
    if values.dtype.kind in "OU":
        return _packed_texts(values)
    if values.dtype.kind in "iu" and len(values):
        low, high = int(values.min()), int(values.max())
        narrow = np.promote_types(np.min_scalar_type(low), np.min_scalar_type(high))
        return values.astype(narrow) if narrow.kind in "iu" and narrow.itemsize < values.itemsize else values
    if values.dtype == np.float64:
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        return single if np.array_equal(single.astype(np.float64), values, equal_nan=True) else values
    return values


def _packed_texts(values: AnyArray) -> TextColumn:
    texts = values.tolist()
    index: dict[Any, int] = dict.fromkeys((None, ""), 0)
    for text in dict.fromkeys(texts):
        index.setdefault(text, len(index) - 1)
    codes = np.fromiter(map(index.__getitem__, texts), dtype=np.uint32, count=len(texts))
    names = tuple(str(text) for text in list(index)[2:])
    return TextColumn(names, codes.astype(np.min_scalar_type(len(names))))


@dataclass(frozen=True)
class TilePoints:
    """The points of one tile that are no part of a face.

    Attributes
    ----------
    xyz : (N, 3) float32
        From the origin of the tile's block [m].
    owner : (N,) int32
        Feature of each, counted among the tile's own.
    colors : (N, 3) uint8 or None
        As the source gives them.
    columns : mapping of str to PointValues
        What the source says of each point.
    names : tuple of str
        What identifies the features that points belong to, in the order ``owner`` counts them from ``first``.
    first : int
        The tile's first feature that is one of points.
    has_groups : bool
        Whether the source itself puts points together to features; else all points of a content are one.
    spacing : float
        Distance between neighbours, about [m].
    own : frozenset of str
        Columns that tell points of one feature apart; the others are known of the features.
    """

    xyz: Float32
    owner: Int32
    colors: UInt8 | None
    columns: Mapping[str, PointValues]
    names: tuple[str, ...]
    first: int
    has_groups: bool
    spacing: float
    own: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.xyz)

    @property
    def size(self) -> int:
        """Memory they take, drawn [bytes]."""
        own = self.xyz.nbytes + self.owner.nbytes + sum(column.nbytes for column in self.columns.values())
        return own + (0 if self.colors is None else self.colors.nbytes) + len(self.xyz) * 36 + 2048

    def point_id(self, index: int) -> str:
        """Return the identifier of one point: that of its group and its number in the tile."""
        return f"{self.names[int(self.owner[index]) - self.first]}@{index}"

    def attributes(self, index: int, origin: Float) -> dict[str, Any]:
        """Return everything known of one point as plain values."""
        east, north, height = (self.xyz[index] + origin).round(3).tolist()
        found: dict[str, Any] = {"x": east, "y": north, "height": height}
        if self.colors is not None:
            found["color"] = " ".join(str(int(part)) for part in self.colors[index])
        found.update({name: plain_value(column[index]) for name, column in self.columns.items()})
        return found


class PointNotes(Protocol):
    """Names single points that somebody pointed at."""

    def note(self, row: int, index: int) -> str | None:
        """Return the identifier of a point of a tile that is there; None when it is not."""
        ...

    def attributes(self, feature: str) -> dict[str, Any]:
        """Return everything known of a point that was named; nothing for others."""
        ...
