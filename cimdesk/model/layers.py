"""Layers: what is in the project, in which order, how visible and in which style. Each is one record of the document."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import count
from typing import Any

from cimdesk.model.document import Document, Record
from cimdesk.model.style import Style

TILED_FROM = "tiled_from"
"""Option of a layer: the file its tiles were made of."""


class LayerKind(StrEnum):
    """What a layer holds, which decides its group in the layer tree and how it is drawn."""

    BUILDINGS = "buildings"
    TILES = "tiles"
    POINTS = "points"
    TERRAIN = "terrain"
    VECTOR = "vector"
    NETWORK = "network"
    SENSORS = "sensors"
    FLOOD = "flood"
    IMAGERY = "imagery"


GROUPS: tuple[tuple[str, tuple[LayerKind, ...]], ...] = (
    ("City model", (LayerKind.BUILDINGS, LayerKind.TILES, LayerKind.POINTS, LayerKind.TERRAIN)),
    ("Underground", (LayerKind.NETWORK,)),
    ("Sensors", (LayerKind.SENSORS,)),
    ("Flood", (LayerKind.FLOOD,)),
    ("Planning", (LayerKind.VECTOR,)),
    ("Basemap", (LayerKind.IMAGERY,)),
)
"""Groups of the layer tree in order, by the English name of the group."""


@dataclass(frozen=True)
class Layer:
    """One layer of the project.

    Attributes
    ----------
    id : str
        Stable key of the record, short and readable (``buildings``, ``drainage-2``).
    name : str
        What people call it; editable.
    kind : LayerKind
    source : str
        Path of the file or folder, relative to the project file where that is possible; an address for services.
    part : str
        Which part of the source: a table or sub-layer name; empty for the whole.
    crs : str
        ``EPSG:n`` chosen by hand for sources that name none; empty to use what the source says.
    visible : bool
    opacity : float
        0..1.
    order : float
        Position within its group; smaller is higher.
    style : Style
    options : mapping
        What the reader was told (column names, time zone) and what the drawing needs (utility class, CIM level).
    filter : str
        Expression; features for which it is not true are neither drawn nor listed. Empty for all.
    hidden : sequence of str
        Features that are not drawn.
    only : sequence of str or None
        The only features drawn, when some are looked at alone; None for all.
    """

    id: str
    name: str
    kind: LayerKind
    source: str
    part: str = ""
    crs: str = ""
    visible: bool = True
    opacity: float = 1.0
    order: float = 0.0
    style: Style = field(default_factory=Style)
    options: Mapping[str, Any] = field(default_factory=dict)
    filter: str = ""
    hidden: Sequence[str] = ()
    only: Sequence[str] | None = None

    def to_record(self) -> dict[str, Any]:
        """Return the JSON-able form kept in table ``layer`` under `id`."""
        record = {
            "name": self.name, "kind": str(self.kind), "source": self.source, "part": self.part, "crs": self.crs,
            "visible": self.visible, "opacity": self.opacity, "order": self.order,
            "style": self.style.to_record(), "options": dict(self.options),
        }  # fmt: skip
        if self.filter:
            record["filter"] = self.filter
        if self.hidden:
            record["hidden"] = list(self.hidden)
        if self.only is not None:
            record["only"] = list(self.only)
        return record

    @staticmethod
    def from_record(layer_id: str, record: Record) -> Layer:
        """Return the layer of a record."""
        return Layer(
            layer_id,
            str(record["name"]),
            LayerKind(record["kind"]),
            str(record["source"]),
            str(record.get("part", "")),
            str(record.get("crs", "")),
            bool(record.get("visible", True)),
            float(record.get("opacity", 1.0)),
            float(record.get("order", 0.0)),
            Style.from_record(record.get("style", {})),
            dict(record.get("options", {})),
            str(record.get("filter") or ""),
            # Not copied: there may be many, and what was worked out for them is found again by the list itself.
            record.get("hidden") or (),
            record.get("only"),
        )

    @property
    def shows_part(self) -> bool:
        """Whether a filter, or hiding, keeps features out of sight."""
        return bool(self.filter or self.hidden) or self.only is not None

    def but(self, **fields: Any) -> Layer:
        """Return the layer with some fields replaced."""
        return replace(self, **fields)


def group_of(kind: LayerKind) -> str:
    """Return the English name of the group that layers of a kind are in."""
    return next(name for name, kinds in GROUPS if kind in kinds)


def layers_of(document: Document, guests: Iterable[Layer] = ()) -> list[Layer]:
    """Return every layer, by group and order, as the layer tree shows them, with some that the document does not have."""
    rank = {kind: k for k, (_, kinds) in enumerate(GROUPS) for kind in kinds}
    found = [Layer.from_record(key, record) for key, record in document.records("layer").items()]
    return sorted([*guests, *found], key=lambda layer: (rank[layer.kind], layer.order))


def new_layer_id(taken: Container[str], name: str) -> str:
    """Return a readable id, made from ``name``, that is not among those ``taken``."""
    base = "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-") or "layer"
    if base not in taken:
        return base
    return next(f"{base}-{k}" for k in count(2) if f"{base}-{k}" not in taken)
