"""Layer tree: the project's layers in their groups, as a Qt model over the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QByteArray, QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt

from cimdesk.base.errors import CimdeskError
from cimdesk.base.i18n import tr
from cimdesk.commands import layers
from cimdesk.model.document import Changes
from cimdesk.model.flood import FloodResult
from cimdesk.model.imagery import Imagery
from cimdesk.model.layers import GROUPS, TILED_FROM, Layer
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.sensors import Sensors
from cimdesk.model.terrain import Terrain, height_offset
from cimdesk.model.tileset import TiledCity
from cimdesk.ui.desk import Desk, Links

Index = QModelIndex | QPersistentModelIndex
MIME = "application/x-cimdesk-layer"

LAYER_ROLE = Qt.ItemDataRole.UserRole + 1
"""The Layer of a row, None for groups."""
DETAIL_ROLE = Qt.ItemDataRole.UserRole + 2
"""Count or kind shown at the right."""
STATE_ROLE = Qt.ItemDataRole.UserRole + 3
"""``ok``, ``loading`` or ``unavailable``."""
UTILITY_ROLE = Qt.ItemDataRole.UserRole + 4
"""The Utility of a network, None for other layers."""


class LayerTree(QAbstractItemModel):
    """Groups that have layers, and their layers. Edits go through commands, so they can be undone."""

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        self._groups: list[tuple[str, list[Layer]]] = []
        desk.session_changed.connect(self.bind)
        self.bind()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        self._links.clear()
        self._links.add(self._desk.session.workspace.changed, self._on_changed)
        self.rebuild()

    def rebuild(self) -> None:
        """Read all layers again."""
        self.beginResetModel()
        layers_now = self._desk.session.workspace.layers()
        groups = [(name, [layer for layer in layers_now if layer.kind in kinds]) for name, kinds in GROUPS]
        self._groups = [(name, members) for name, members in groups if members]
        self.endResetModel()

    def refresh(self) -> None:
        """Show every row again: language or theme changed."""
        for row in range(len(self._groups)):
            group = self.index(row, 0)
            self.dataChanged.emit(group, group)
            last = self.rowCount(group) - 1
            self.dataChanged.emit(self.index(0, 0, group), self.index(last, 0, group))

    def index_of(self, layer_id: str) -> QModelIndex:
        """Return the index of a layer; invalid when it is not there."""
        for g, (_, members) in enumerate(self._groups):
            for row, layer in enumerate(members):
                if layer.id == layer_id:
                    return self.index(row, 0, self.index(g, 0))
        return QModelIndex()

    # --- QAbstractItemModel ------------------------------------------------------------------------------------------------

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008 - Qt's own signature
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        return self.createIndex(row, column, parent.row() + 1 if parent.isValid() else 0)

    def parent(self, index: Index = QModelIndex()) -> QModelIndex:  # type: ignore[override]  # noqa: B008 - QObject.parent() shares the name
        group = index.internalId() if index.isValid() else 0
        return self.createIndex(group - 1, 0, 0) if group else QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        if not parent.isValid():
            return len(self._groups)
        return len(self._groups[parent.row()][1]) if not parent.internalId() else 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 1

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        layer = self._layer(index)
        return group_data(self._desk, *self._groups[index.row()], role) if layer is None else layer_data(self._desk, layer, role)

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        layer = self._layer(index)
        session = self._desk.session
        try:
            if role == Qt.ItemDataRole.CheckStateRole:
                visible = Qt.CheckState(value) == Qt.CheckState.Checked
                ids = [layer.id] if layer is not None else [member.id for member in self._groups[index.row()][1]]
                layers.set_visible(session, ids, visible)
            elif role == Qt.ItemDataRole.EditRole and layer is not None and str(value).strip() and value != layer.name:
                layers.rename(session, layer.id, str(value).strip())
            else:
                return False
        except CimdeskError as error:
            self._desk.show_error(error)
            return False
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        if self._layer(index) is None:
            return flags | Qt.ItemFlag.ItemIsDropEnabled
        return flags | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsDragEnabled | Qt.ItemFlag.ItemNeverHasChildren

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        layer = self._layer(indexes[0]) if indexes else None
        if layer is not None:
            data.setData(MIME, QByteArray(layer.id.encode()))
        return data

    def canDropMimeData(self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index) -> bool:
        if not data.hasFormat(MIME) or not parent.isValid():
            return False
        dragged = bytes(data.data(MIME).data()).decode()
        group = parent.row() if not parent.internalId() else parent.internalId() - 1
        return any(layer.id == dragged for layer in self._groups[group][1])

    def dropMimeData(self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index) -> bool:
        if not self.canDropMimeData(data, action, row, column, parent):
            return False
        dragged = bytes(data.data(MIME).data()).decode()
        members = self._groups[parent.row()][1] if not parent.internalId() else []
        before = members[row].id if 0 <= row < len(members) else None
        if before != dragged:
            self._desk.attempt(layers.move, self._desk.session, dragged, before)
        # The model is rebuilt by the edit; the view must not remove the row it dragged.
        return False

    # --- inside ------------------------------------------------------------------------------------------------------------

    def _layer(self, index: Index) -> Layer | None:
        group = index.internalId() if index.isValid() else 0
        return self._groups[group - 1][1][index.row()] if group else None

    def _on_changed(self, changes: Changes) -> None:
        if not changes.touches("layer") and not changes.data:
            return
        ids = {layer.id: layer for layer in self._desk.session.workspace.layers()}
        known = [layer.id for _, members in self._groups for layer in members]
        if list(ids) != known:
            self.rebuild()
            return
        self._groups = [(name, [ids[layer.id] for layer in members]) for name, members in self._groups]
        self.refresh()


def group_data(desk: Desk, name: str, members: Sequence[Layer], role: int) -> Any:
    """Return what a group shows in a role: its name, whether its layers are visible, how many features they have."""
    if role == Qt.ItemDataRole.DisplayRole:
        return tr(name)
    if role == Qt.ItemDataRole.CheckStateRole:
        shown = sum(layer.visible for layer in members)
        if not shown:
            return Qt.CheckState.Unchecked
        return Qt.CheckState.Checked if shown == len(members) else Qt.CheckState.PartiallyChecked
    if role == DETAIL_ROLE:
        total = sum(feature_count(desk, layer.id) for layer in members)
        return f"{total:,}" if total else ""
    return None


def layer_data(desk: Desk, layer: Layer, role: int) -> Any:
    """Return what a layer shows in a role."""
    workspace = desk.session.workspace
    if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
        return layer.name
    if role == Qt.ItemDataRole.CheckStateRole:
        return Qt.CheckState.Checked if layer.visible else Qt.CheckState.Unchecked
    if role == LAYER_ROLE:
        return layer
    if role == STATE_ROLE:
        if workspace.unavailable(layer.id):
            return "unavailable"
        return "ok" if workspace.data(layer.id) is not None else "loading"
    if role == DETAIL_ROLE:
        return detail(desk, layer)
    if role == UTILITY_ROLE:
        data = workspace.data(layer.id)
        return data.utility if isinstance(data, UtilityNetwork) else None
    if role == Qt.ItemDataRole.ToolTipRole:
        why = workspace.unavailable(layer.id)
        made_of = layer.options.get(TILED_FROM)
        source = tr("Tiled from {name}").format(name=made_of) if made_of else layer.source
        data = workspace.data(layer.id)
        lines = [layer.name, why or source, *(_heights(data, layer) if isinstance(data, Terrain) else ())]
        return "\n".join(lines)
    return None


def feature_count(desk: Desk, layer_id: str) -> int:
    """Return how many features a layer has; 0 for grids."""
    data = desk.session.workspace.data(layer_id)
    if isinstance(data, TiledCity):
        return len(data.city.features)
    table = desk.session.workspace.features(layer_id)
    return len(table) if table is not None else 0


def _heights(terrain: Terrain, layer: Layer) -> tuple[str, ...]:
    """Return what the heights of a terrain are measured from."""
    said = tr("Heights: {datum}").format(datum=terrain.vertical or tr("the file names no vertical datum"))
    offset = height_offset(layer.options)
    return (said,) if offset == 0.0 else (said, tr("Height offset {offset} m").format(offset=f"{offset:+.3f}"))


def detail(desk: Desk, layer: Layer) -> str:
    """Return the quiet words at the right of a layer: its count, opacity when faded, or its state."""
    workspace = desk.session.workspace
    if workspace.unavailable(layer.id):
        return tr("missing")
    data = workspace.data(layer.id)
    if data is None:
        return tr("loading…")
    if layer.opacity < 0.995:
        return f"{layer.opacity:.0%}"
    if isinstance(data, Terrain):
        return f"{data.finest_cell:.3g} m"
    if isinstance(data, FloodResult):
        return f"{data.terrain.cell_x:g} m"
    if isinstance(data, Imagery):
        return f"{data.finest:.2g} m"
    if isinstance(data, UtilityNetwork | Sensors):
        return f"{feature_count(desk, layer.id):,}"
    count = feature_count(desk, layer.id)
    return f"{count:,}" if count else ""
