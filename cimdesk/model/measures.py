"""Measures against floods as a person draws them: kept in the project as records, drawn in the scene, put on the grid of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.model.document import Document, Record

Places = tuple[tuple[float, float], ...]
LINE, PAIR, POINT, NODES = "line", "pair", "point", "nodes"
"""How a measure is given: a line of two points or more, two points, one point, nodes of the drains."""


@dataclass(frozen=True)
class Quantity:
    """A number of a measure: its field in a scenario file, what it starts with, unit and limits."""

    field: str
    start: float
    unit: str
    least: float
    most: float


@dataclass(frozen=True)
class Kind:
    """What there is to know about a kind of measure: how it is given, its numbers (the first is its size), its colour."""

    shape: str
    quantities: tuple[Quantity, ...]
    color: str


KINDS: Mapping[str, Kind] = {
    "wall": Kind(LINE, (Quantity("height", 1.5, "m", 0.1, 50.0),), "#c0392b"),
    "gate": Kind(LINE, (Quantity("height", 2.0, "m", 0.1, 50.0),), "#8e44ad"),
    "breach": Kind(LINE, (Quantity("width", 20.0, "m", 1.0, 2000.0), Quantity("over", 1800.0, "s", 60.0, 1e6)), "#d35400"),
    "opening": Kind(LINE, (Quantity("width", 8.0, "m", 0.5, 500.0),), "#00838f"),
    "pump": Kind(PAIR, (Quantity("capacity_m3_s", 1.0, "m3/s", 0.01, 500.0),), "#1565c0"),
    "culvert": Kind(PAIR, (Quantity("diameter", 1.5, "m", 0.1, 20.0),), "#5d4037"),
    "storage": Kind(POINT, (Quantity("capacity_m3", 5000.0, "m3", 1.0, 1e8),), "#2e7d32"),
    "unblock": Kind(NODES, (), "#00695c"),
}
"""By the name in a scenario file."""


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes
    ----------
    kind, name : str
    line : points
        World coordinates: its line, or its only or first point.
    to : points
        The second point of a pump or culvert; the line of the dike of a breach.
    numbers : mapping
        SI values by their field in a scenario file.
    nodes : tuple of str
        Drains to unblock.
    enabled : bool
        Whether it takes part in the next run.
    who, why : str
    time : float
        When it was drawn [POSIX s].
    """

    kind: str
    name: str
    line: Places = ()
    to: Places = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    enabled: bool = True
    who: str = ""
    time: float = 0.0
    why: str = ""

    @property
    def points(self) -> Float:
        """(N, 2) float64 places that it touches."""
        return np.array([*self.line, *self.to], dtype=np.float64).reshape(-1, 2)

    @property
    def size(self) -> float:
        """The first of its numbers; zero where it has none."""
        quantities = KINDS[self.kind].quantities
        return float(self.numbers.get(quantities[0].field, quantities[0].start)) if quantities else 0.0

    def to_record(self) -> dict[str, Any]:
        """Return the record of the document; its place is the middle of its points."""
        record: dict[str, Any] = {
            "name": self.name, "kind": self.kind, "enabled": self.enabled, "line": [list(point) for point in self.line],
            "to": [list(point) for point in self.to], "numbers": dict(self.numbers), "nodes": list(self.nodes), "who": self.who,
            "time": self.time, "why": self.why,
        }  # fmt: skip
        if len(self.points):
            record["place"] = [*(float(value) for value in self.points.mean(axis=0)), 0.0]
        return record

    @staticmethod
    def from_record(record: Record) -> Measure:
        """Return the measure of a record; what is missing or makes no sense keeps its default.

        Raises
        ------
        ValueError
            If it is of no kind that is known, or its places are none.
        """
        kind = str(record.get("kind", ""))
        if kind not in KINDS:
            raise ValueError(f"there is no kind of measure {kind!r}")
        numbers = record.get("numbers")
        return Measure(
            kind, str(record.get("name") or kind), _places(record.get("line")), _places(record.get("to")),
            {str(k): float(v) for k, v in numbers.items()} if isinstance(numbers, Mapping) else {},
            tuple(str(node) for node in record.get("nodes") or ()), bool(record.get("enabled", True)),
            str(record.get("who", "")), float(record.get("time") or 0.0), str(record.get("why", "")),
        )  # fmt: skip


def measures_of(document: Document) -> dict[str, Measure]:
    """Return the measures of a document by key, in the order drawn; rows that other software spoilt are none."""
    found = {}
    for key, record in document.records("measure").items():
        try:
            found[key] = Measure.from_record(record)
        except (ValueError, TypeError):
            continue
    return found


def _places(value: Any) -> Places:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple((float(x), float(y)) for x, y in value)
