"""The lists of the lower panel: alarms, and messages about the loaded files."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from cimdesk.base.errors import Problem, Severity
from cimdesk.base.i18n import tr
from cimdesk.model.appearance import describe, value_text
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import Status
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.handlers_data import alarms
from cimdesk.ui.theme import current_theme, icon_pixmap

MOST = 500
_STATUS_TOKEN = {Status.ATTENTION: "attention", Status.WARNING: "warning", Status.ALARM: "alarm"}
_SEVERITY = {
    Severity.INFO: ("ui.info", "attention"),
    Severity.WARNING: ("ui.warning", "warning"),
    Severity.ERROR: ("ui.error", "alarm"),
}


class LinkedList(QWidget):
    """A list whose entries lead to assets or layers; says so when it is empty."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.list = QListWidget()
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        self.list.setUniformItemSizes(True)
        self.list.itemActivated.connect(self._on_chosen)
        self.list.itemClicked.connect(self._on_chosen)
        self.empty = QLabel()
        self.empty.setObjectName("dim")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.empty, 1)

    def entries(self) -> list[tuple[str, str, str, AssetRef | str]]:
        """Return (icon, colour token, text, where it leads) of each entry."""
        raise NotImplementedError

    def nothing(self) -> str:
        """Return what to say when there are no entries."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Fill the list again."""
        theme = current_theme()
        found = self.entries()
        self.list.clear()
        for icon, token, text, target in found[:MOST]:
            item = QListWidgetItem(icon_pixmap(icon, theme.ink(token).name(), theme.px("icon_px")), text)
            item.setData(Qt.ItemDataRole.UserRole, target)
            item.setSizeHint(QSize(100, theme.px("row_px") + 2))
            self.list.addItem(item)
        self.list.setVisible(bool(found))
        self.empty.setVisible(not found)
        self.empty.setText(self.nothing())

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        self.refresh()

    def _on_chosen(self, item: QListWidgetItem) -> None:
        target = item.data(Qt.ItemDataRole.UserRole)
        if isinstance(target, AssetRef):
            self.desk.select([target])
            self.desk.trigger("view.fit_selection")
        elif target:
            self.desk.select_layer(str(target))


class AlarmsPanel(LinkedList):
    """Sensors in attention, warning or alarm at the clock, the worst first."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        self._links = Links()
        self._later = QTimer(self, singleShot=True, interval=200)
        self._later.timeout.connect(self.refresh)
        desk.session_changed.connect(self.bind)
        self.bind()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        self._links.clear()
        self._links.add(self.desk.session.clock.changed, self._soon)
        self._links.add(self.desk.session.workspace.changed, self._soon)
        self._later.start()

    def entries(self) -> list[tuple[str, str, str, AssetRef | str]]:
        workspace, time = self.desk.session.workspace, self.desk.session.clock.time
        rows: list[tuple[str, str, str, AssetRef | str]] = []
        for ref, status in alarms(self.desk)[:MOST]:
            icon = "sensors.next_alarm" if status is Status.ALARM else "ui.warning" if status is Status.WARNING else "ui.info"
            rows.append((icon, _STATUS_TOKEN[status], f"{describe(workspace, ref)}    {value_text(workspace, ref, time)}", ref))
        return rows

    def nothing(self) -> str:
        return tr("No sensor is above a threshold at this time.")

    def _soon(self, _value: object) -> None:
        if self.isVisible() and not self._later.isActive():
            self._later.start()


class MessagesPanel(LinkedList):
    """What was found wrong while loading, linked to its object."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        desk.problems_changed.connect(self.refresh)
        self.refresh()

    def entries(self) -> list[tuple[str, str, str, AssetRef | str]]:
        worst = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
        ordered = sorted(self.desk.problems, key=lambda item: worst[item[1].severity])
        return [
            (*_SEVERITY[problem.severity], self._text(layer, problem), self._target(layer, problem))
            for layer, problem in ordered[:MOST]
        ]

    def nothing(self) -> str:
        return tr("Nothing was found wrong in the loaded files.")

    def _text(self, layer_id: str, problem: Problem) -> str:
        workspace = self.desk.session.workspace
        name = workspace.layer(layer_id).name if workspace.document.get("layer", layer_id) is not None else layer_id
        place = f"  ({problem.where})" if problem.where else ""
        return f"{name}{place}:  {problem.message}"

    def _target(self, layer_id: str, problem: Problem) -> AssetRef | str:
        table = self.desk.session.workspace.features(layer_id)
        if table is not None:
            for word in (problem.where, *problem.where.replace(",", " ").split()):
                if word in table:
                    return AssetRef(layer_id, word)
        return layer_id
