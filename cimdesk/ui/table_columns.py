"""Columns of the attribute table: which are shown, kept for each layer, and how wide they are."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QTableView, QToolButton

from cimdesk.base.i18n import tr
from cimdesk.ui.desk import Desk
from cimdesk.ui.feature_model import FeatureModel
from cimdesk.ui.theme import current_theme

MEASURED_ROWS = 40
"""Rows that decide how wide a column is."""


class ColumnChooser(QToolButton):
    """The button with the menu of all columns."""

    def __init__(self, desk: Desk, model: FeatureModel, view: QTableView) -> None:
        super().__init__()
        self._desk = desk
        self._model = model
        self._view = view
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        menu.aboutToShow.connect(self._fill)
        menu.triggered.connect(self._on_chosen)
        self.setMenu(menu)

    def choose(self, names: list[str]) -> None:
        """Show only these columns of the layer, now and later."""
        self._model.show_columns(names)
        kept = dict(self._desk.settings.get("table_columns", {}))
        kept[self._model.layer] = self._model.columns
        self._desk.settings.put(table_columns=kept)
        self.fit()

    def show_kept(self) -> None:
        """Show the columns that were chosen for the layer, or all."""
        chosen = self._desk.settings.get("table_columns", {}).get(self._model.layer)
        if chosen:
            self._model.show_columns(chosen)
        self.fit()

    def fit(self) -> None:
        """Make columns as wide as their first rows and their name."""
        header = self._view.horizontalHeader()
        header.setSortIndicator(-1, header.sortIndicatorOrder())
        unit = current_theme().px("font_px")
        metrics, arrow = self._view.fontMetrics(), round(unit * 1.4)
        rows = range(min(MEASURED_ROWS, self._model.rowCount()))
        for column in range(self._model.columnCount()):
            name = str(self._model.headerData(column, Qt.Orientation.Horizontal))
            texts = [str(self._model.index(row, column).data()) for row in rows]
            widest = max([metrics.horizontalAdvance(name) + arrow, *(metrics.horizontalAdvance(text) for text in texts)])
            self._view.setColumnWidth(column, min(max(widest, unit * 4), unit * 22) + round(unit * 2.2))

    def _fill(self) -> None:
        menu = self.menu()
        menu.clear()
        every = menu.addAction(tr("All columns"))
        every.setData("")
        menu.addSeparator()
        shown = set(self._model.columns)
        for name in self._model.table.columns:
            action = menu.addAction(self._model.title_of(name))
            action.setData(name)
            action.setCheckable(True)
            action.setChecked(name in shown)

    def _on_chosen(self, action: QAction) -> None:
        name, shown = str(action.data()), set(self._model.columns)
        shown = set(self._model.table.columns) if not name else shown ^ {name}
        self.choose([column for column in self._model.table.columns if column in shown])
