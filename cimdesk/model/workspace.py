"""Workspace: the open document in memory with the data its layers refer to; it tells observers what an edit touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs, LocalFrame
from cimdesk.base.errors import Problem
from cimdesk.base.signals import Signal
from cimdesk.model.city import CityModel
from cimdesk.model.document import Changes, Document, RecordChange
from cimdesk.model.features import FeatureTable, VectorLayer
from cimdesk.model.flood import FloodResult
from cimdesk.model.imagery import Imagery
from cimdesk.model.layers import Layer, layers_of
from cimdesk.model.lifecycle import StageBook
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.points import PointCloud
from cimdesk.model.sensors import Sensors
from cimdesk.model.terrain import Terrain
from cimdesk.model.tileset import TiledCity

LayerData: TypeAlias = CityModel | TiledCity | Terrain | VectorLayer | UtilityNetwork | Sensors | FloodResult | PointCloud | Imagery


class Workspace:
    """The open document and its loaded data.

    Attributes
    ----------
    document : Document
        What the project file stores.
    stages : StageBook
        Stage histories, kept in step with the document.
    changed : Signal of Changes
        Emitted after every edit and whenever layer data is attached.
    """

    def __init__(self) -> None:
        self.document = Document()
        self.stages = StageBook()
        self.changed: Signal[Changes] = Signal()
        self._data: dict[str, LayerData] = {}
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._unavailable: dict[str, str] = {}
        self._frame: LocalFrame | None = None
        self._previews: dict[str, Mapping[str, Any]] = {}
        self._guests: dict[str, Layer] = {}

    def layers(self) -> list[Layer]:
        """Return every layer in the order of the layer tree; guests come before the others of their group."""
        return [self._as_previewed(layer) for layer in layers_of(self.document, self._guests.values())]

    def layer(self, layer_id: str) -> Layer:
        """Return one layer; raises KeyError when there is none."""
        if layer_id in self._guests:
            return self._guests[layer_id]
        record = self.document.get("layer", layer_id)
        if record is None:
            raise KeyError(layer_id)
        return self._as_previewed(Layer.from_record(layer_id, record))

    def show_guest(self, layer: Layer, data: LayerData | None) -> None:
        """Show a layer that is no part of the document, such as water that is still being simulated; without data it leaves.

        Nothing is edited, and nothing can be undone or saved.
        """
        if data is None:
            if self._guests.pop(layer.id, None) is None:
                return
            self._data.pop(layer.id, None)
        else:
            self._guests[layer.id], self._data[layer.id] = layer, data
        self.changed.emit(Changes(data=frozenset({layer.id})))

    def is_guest(self, layer_id: str) -> bool:
        """Whether a layer is shown without being part of the document."""
        return layer_id in self._guests

    def preview(self, layer_id: str, **fields: Any) -> None:
        """Show a layer as if some of its fields were others, until this is called again without any; nothing is edited.

        Parameters
        ----------
        layer_id : str
        **fields
            Fields of `Layer`, such as ``style`` and ``filter``.
        """
        if not fields and layer_id not in self._previews:
            return
        self._previews.pop(layer_id, None)
        if fields:
            self._previews[layer_id] = fields
        record = self.document.get("layer", layer_id)
        if record is not None:
            self.changed.emit(Changes((RecordChange("layer", layer_id, record, record),)))

    def _as_previewed(self, layer: Layer) -> Layer:
        fields = self._previews.get(layer.id)
        return layer.but(**fields) if fields else layer

    def data(self, layer_id: str) -> LayerData | None:
        """Return the loaded data of a layer in the project's reference system; None while loading or unavailable."""
        return self._data.get(layer_id)

    def problems(self, layer_id: str) -> tuple[Problem, ...]:
        """Return what was wrong with a layer's source."""
        return self._problems.get(layer_id, ())

    def unavailable(self, layer_id: str) -> str:
        """Return why a layer's source cannot be read; empty when it can."""
        return self._unavailable.get(layer_id, "")

    def features(self, layer_id: str) -> FeatureTable | None:
        """Return the attribute table of a layer: of a network the links; None for layers without features."""
        data = self._data.get(layer_id)
        return None if data is None else features_of(data)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Title, reference system and origin of the project."""
        return self.document.get("project", "settings") or {}

    @property
    def frame(self) -> LocalFrame | None:
        """The project's local frame; None until a first layer or person has set it."""
        if self._frame is None and "origin" in self.settings:
            east, north, height = self.settings["origin"]
            crs = Crs(self.settings["crs"]) if self.settings.get("crs") else None
            self._frame = LocalFrame(crs, (east, north, height))
        return self._frame

    def bounds(self, visible_only: bool = False) -> Float:
        """Return (2, 3) world bounds of all loaded data; NaN when there is none."""
        boxes: list[Float] = []
        pictures: list[Float] = []
        for layer in self.layers():
            data = self._data.get(layer.id)
            if data is None or (visible_only and not layer.visible):
                continue
            box = bounds_of(data)
            if np.isfinite(box[:, :2]).all():
                known = np.where(np.isfinite(box), box, 0.0)
                (pictures if isinstance(data, Imagery) else boxes).append(known)
        # A basemap of the whole country says nothing about where the city is, unless it is all there is.
        boxes = boxes or pictures
        if not boxes:
            return np.full((2, 3), np.nan)
        return np.array([np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)])

    def apply(self, records: tuple[RecordChange, ...], data: Mapping[str, LayerData | None] | None = None) -> Changes:
        """Change records and layer data together and tell the observers. Called by `commands.history` only.

        Parameters
        ----------
        records : tuple of RecordChange
        data : mapping of layer id to data or None
            Data to attach; None detaches. Data of removed layers is detached without being named.
        """
        self.document.apply(records)
        attached: dict[str, LayerData | None] = {
            change.key: None for change in records if change.table == "layer" and change.after is None and change.key in self._data
        }
        attached.update(data or {})
        for layer_id, value in attached.items():
            if value is None:
                self._data.pop(layer_id, None)
            else:
                self._data[layer_id] = value
                self._unavailable.pop(layer_id, None)
        changes = Changes(records, frozenset(attached))
        if changes.touches("project"):
            self._frame = None
        self.stages.apply(changes)
        self.changed.emit(changes)
        return changes

    def mark_unavailable(self, layer_id: str, reason: str) -> None:
        """Say why a layer's source cannot be read; the layer stays in the project."""
        self._unavailable[layer_id] = reason
        self._data.pop(layer_id, None)
        self.changed.emit(Changes(data=frozenset({layer_id})))

    def set_problems(self, layer_id: str, problems: tuple[Problem, ...]) -> None:
        """Keep what was wrong with a layer's source, for the messages panel."""
        self._problems[layer_id] = problems


def features_of(data: LayerData) -> FeatureTable | None:
    """Return the attribute table of any layer's data: of a network the links; None for data without features."""
    if isinstance(data, TiledCity):
        return data.city.features
    if isinstance(data, UtilityNetwork):
        return data.links
    return data.features if isinstance(data, CityModel | VectorLayer | Sensors) else None


def bounds_of(data: LayerData) -> Float:
    """Return (2, 3) world bounds of any layer's data; NaN where unknown."""
    if isinstance(data, VectorLayer):
        return data.shapes.bounds
    if isinstance(data, FloodResult):
        return data.terrain.bounds
    return data.bounds
