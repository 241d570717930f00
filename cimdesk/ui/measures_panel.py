"""Tab of the measures against floods: a list to switch, change and take away, and the button that runs the flood again."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QSize, Qt, QTimer
from PySide6.QtGui import QBrush, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QStackedWidget,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_time
from cimdesk.commands import measures
from cimdesk.model.document import Changes
from cimdesk.model.measures import KINDS
from cimdesk.ui.actions import ActionSet
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.theme import current_theme, icon_pixmap

BUTTONS = (
    "measure.wall", "measure.gate", "measure.breach", "measure.opening", "measure.pump", "measure.culvert", "measure.storage",
    "measure.unblock",
)  # fmt: skip
NAME, KIND, SIZE, WHO, WHEN, WHY = range(6)
CELL_PADDING = 8
"""Room at either side of a cell, as in the style sheet [px]."""


class MeasuresPanel(QWidget):
    """The measures of the project, one row each."""

    def __init__(self, desk: Desk, actions: ActionSet, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        self._is_filling = False
        self.tree = QTreeWidget()
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setFrameShape(QTreeWidget.Shape.NoFrame)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.tree.setColumnCount(6)
        self.tree.itemChanged.connect(self._on_item)
        self.tree.itemSelectionChanged.connect(self._on_selected)
        self.tree.itemDoubleClicked.connect(self._on_double)
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.customContextMenuRequested.connect(self._on_menu)
        self.empty = QLabel()
        self.empty.setObjectName("dim")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        self.pages = QStackedWidget()
        self.tree.setObjectName("measures")
        self.pages.addWidget(self.tree)
        self.pages.addWidget(self.empty)
        self.buttons: list[QToolButton] = []
        head = QHBoxLayout()
        head.setContentsMargins(8, 2, 8, 2)
        head.setSpacing(2)
        for name in BUTTONS:
            head.addWidget(self._button(actions, name, Qt.ToolButtonStyle.ToolButtonIconOnly))
        head.addStretch(1)
        head.addWidget(self._button(actions, "measure.run", Qt.ToolButtonStyle.ToolButtonTextBesideIcon))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self.pages, 1)
        # A row that is being changed must not be taken away while its signal is on its way.
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self.refresh)
        desk.session_changed.connect(self.bind)
        self.bind()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        self._links.clear()
        self._links.add(self._desk.session.workspace.changed, self._on_changed)
        self.refresh()

    def refresh(self) -> None:
        """Show the measures of the project again."""
        chosen = set(self.keys())
        self._is_filling = True
        self.tree.clear()
        theme = current_theme()
        for key, measure in measures.measures(self._desk.session).items():
            when = format_time(measure.time) if measure.time else ""
            words = [measure.name, measures.kind_name(measure.kind), measures.size_words(measure), measure.who, when, measure.why]
            item = QTreeWidgetItem(words)
            item.setData(NAME, Qt.ItemDataRole.UserRole, key)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable)
            item.setCheckState(NAME, Qt.CheckState.Checked if measure.enabled else Qt.CheckState.Unchecked)
            item.setIcon(KIND, icon_pixmap(f"measure.{measure.kind}", KINDS[measure.kind].color, theme.px("icon_px")))
            if not measure.enabled:
                for column in range(1, 6):
                    item.setForeground(column, QBrush(theme.color("dim")))
            self.tree.addTopLevelItem(item)
            item.setSelected(key in chosen)
        self._is_filling = False
        # The style forgets the room beside the box that is ticked.
        header, room = self.tree.header(), 2 * CELL_PADDING
        header.resizeSection(NAME, max(self.tree.sizeHintForColumn(NAME) + room, header.sectionSizeHint(NAME)))
        self.pages.setCurrentIndex(0 if self.tree.topLevelItemCount() else 1)

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        self.tree.setHeaderLabels([tr("Name"), tr("Kind"), tr("Size"), tr("By"), tr("Drawn"), tr("Why")])
        header = self.tree.header()
        for column in range(1, 6):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.empty.setText(tr("No measures yet. Draw a wall, a gate or a pump in the view, then run the flood again with it."))
        side = current_theme().px("icon_px")
        for button in self.buttons:
            button.setIconSize(QSize(side, side))
        self.refresh()

    def keys(self) -> list[str]:
        """Return the keys of the chosen rows."""
        return [str(item.data(NAME, Qt.ItemDataRole.UserRole)) for item in self.tree.selectedItems()]

    def remove_chosen(self) -> None:
        """Take the chosen measures away."""
        if keys := self.keys():
            self._desk.attempt(measures.remove, self._desk.session, keys)

    def change_size(self, key: str) -> None:
        """Ask for the numbers of a measure, one after the other."""
        measure = measures.measures(self._desk.session)[key]
        numbers = dict(measure.numbers)
        for quantity in KINDS[measure.kind].quantities:
            label = f"{measures.quantity_name(quantity.field)} [{quantity.unit.replace('m3', 'm³')}]"
            text = self._desk.ask.text(measure.name, label, f"{numbers.get(quantity.field, quantity.start):g}")
            if text is None:
                return
            try:
                value = float(text.replace(",", "."))
            except ValueError:
                self._desk.message.emit(tr("'{value}' is no number.").format(value=text))
                return
            numbers[quantity.field] = min(max(value, quantity.least), quantity.most)
        self._desk.attempt(measures.change, self._desk.session, key, numbers=numbers)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self.remove_chosen()
        else:
            super().keyPressEvent(event)

    def _button(self, actions: ActionSet, name: str, style: Qt.ToolButtonStyle) -> QToolButton:
        button = QToolButton()
        button.setObjectName("flat")
        button.setDefaultAction(actions[name])
        button.setToolButtonStyle(style)
        self.buttons.append(button)
        return button

    def _on_changed(self, changes: Changes) -> None:
        if changes.touches("measure"):
            self._later.start()

    def _on_item(self, item: QTreeWidgetItem, column: int) -> None:
        if self._is_filling or column not in (NAME, WHY):
            return
        key, session = str(item.data(NAME, Qt.ItemDataRole.UserRole)), self._desk.session
        measure = measures.measures(session).get(key)
        if measure is None:
            return
        on = item.checkState(NAME) == Qt.CheckState.Checked
        if on != measure.enabled:
            self._desk.attempt(measures.set_enabled, session, [key], on)
        elif column == NAME and item.text(NAME).strip() and item.text(NAME) != measure.name:
            self._desk.attempt(measures.change, session, key, name=item.text(NAME).strip())
        elif column == WHY and item.text(WHY) != measure.why:
            self._desk.attempt(measures.change, session, key, why=item.text(WHY))

    def _on_selected(self) -> None:
        scene = self._desk.view.scene if self._desk.view is not None else None
        if scene is not None and not self._is_filling:
            scene.show_measure(next(iter(self.keys()), ""))

    def _on_double(self, item: QTreeWidgetItem, column: int) -> None:
        if column in (NAME, WHY):
            self.tree.editItem(item, column)
        elif column == SIZE:
            self.change_size(str(item.data(NAME, Qt.ItemDataRole.UserRole)))

    def _on_menu(self, at: QPoint) -> None:
        item = self.tree.itemAt(at)
        if item is None:
            return
        menu = QMenu(self)
        rename, size, why = menu.addAction(tr("Rename")), menu.addAction(tr("Change size…")), menu.addAction(tr("Say why"))
        remove = menu.addAction(tr("Remove"))
        chosen = menu.exec(self.tree.viewport().mapToGlobal(at))
        menu.deleteLater()
        if chosen is rename:
            self.tree.editItem(item, NAME)
        elif chosen is size:
            self.change_size(str(item.data(NAME, Qt.ItemDataRole.UserRole)))
        elif chosen is why:
            self.tree.editItem(item, WHY)
        elif chosen is remove:
            self.remove_chosen()
