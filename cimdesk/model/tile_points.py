"""Points of a streamed tile: where they are, what is known of each, and which features they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cimdesk.base.arrays import AnyArray, Float, Float32, Int32, UInt8
from cimdesk.model.features import plain_value


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
    columns : mapping of str to (N,) array
        What the source says of each point.
    names : tuple of str
        What identifies the features that points belong to, in the order ``owner`` counts them from ``first``.
    first : int
        The tile's first feature that is one of points.
    has_groups : bool
        Whether the source itself puts points together to features; else all points of a content are one.
    spacing : float
        Distance between neighbours, about [m].
    """

    xyz: Float32
    owner: Int32
    colors: UInt8 | None
    columns: Mapping[str, AnyArray]
    names: tuple[str, ...]
    first: int
    has_groups: bool
    spacing: float

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
