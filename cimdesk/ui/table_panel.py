"""Attribute table of the current layer: sort, filter, and the same selection as everywhere else."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from cimdesk.base.arrays import Int
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.model.document import Changes
from cimdesk.model.features import FeatureTable
from cimdesk.model.selection import AssetRef
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.feature_model import FeatureModel, matching_rows, runs
from cimdesk.ui.theme import current_theme

AT_ONCE = 30_000
"""Tables up to this long are filtered on the spot, longer ones in a job."""


class TablePanel(QWidget):
    """The table with its layer chooser and filter."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        self._layer = ""
        self._following = False
        self.model = FeatureModel(self)
        self.layers = QComboBox()
        self.layers.setMinimumWidth(190)
        self.layers.activated.connect(self._on_layer_chosen)
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self.count = QLabel()
        self.count.setObjectName("dim")
        self.view = QTableView()
        self._set_up_view()
        self._wait = QTimer(self, singleShot=True, interval=180)
        self._wait.timeout.connect(self._apply_filter)
        self.filter.textChanged.connect(self._on_text)
        bar = QHBoxLayout()
        bar.setContentsMargins(14, 4, 14, 4)
        bar.setSpacing(10)
        bar.addWidget(self.layers)
        bar.addWidget(self.filter, 1)
        bar.addWidget(self.count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addWidget(self.view, 1)
        desk.session_changed.connect(self.bind)
        desk.layer_selected.connect(self.show_layer)
        self.bind()

    def _set_up_view(self) -> None:
        view = self.view
        view.setModel(self.model)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSortingEnabled(True)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setCornerButtonEnabled(False)
        view.setFrameShape(QTableView.Shape.NoFrame)
        view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        view.verticalHeader().setVisible(False)
        view.horizontalHeader().setSortIndicator(-1, view.horizontalHeader().sortIndicatorOrder())
        view.horizontalHeader().setStretchLastSection(True)
        view.horizontalHeader().setHighlightSections(False)
        view.selectionModel().selectionChanged.connect(self._on_selected)
        view.doubleClicked.connect(self._on_double_clicked)
        self.model.modelReset.connect(self._follow_selection)
        self.model.layoutChanged.connect(self._follow_selection)

    def showEvent(self, event: QShowEvent) -> None:
        """Bring the selection into sight, which moved while the table was hidden."""
        super().showEvent(event)
        self._follow_selection()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        session = self._desk.session
        self._links.clear()
        self._links.add(session.selection.changed, self._on_session_selection)
        self._links.add(session.workspace.changed, self._on_changed)
        self._fill_layers()
        self.show_layer(self._desk.current_layer)

    def show_layer(self, layer_id: str) -> None:
        """Show the attributes of a layer; one without attributes leaves the table as it is."""
        workspace = self._desk.session.workspace
        table = workspace.features(layer_id) if layer_id else None
        if table is None and workspace.features(self._layer) is not None:
            return
        if table is None:
            first = next((layer.id for layer in workspace.layers() if workspace.features(layer.id) is not None), "")
            layer_id, table = first, workspace.features(first) if first else None
        if layer_id != self._layer or table is not self.model.table:
            self._layer = layer_id
            self.filter.clear()
            self.model.set_table(table, workspace.data(layer_id) if layer_id else None)
            self._size_columns()
        self.layers.setCurrentIndex(max(0, self.layers.findData(self._layer)))
        self._tell_count()

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        self.filter.setPlaceholderText(tr("Filter: a word, or storeys>20"))
        self.view.verticalHeader().setDefaultSectionSize(current_theme().px("row_px"))
        self._tell_count()

    def _fill_layers(self) -> None:
        workspace = self._desk.session.workspace
        self.layers.clear()
        for layer in workspace.layers():
            if workspace.features(layer.id) is not None:
                self.layers.addItem(layer.name, layer.id)

    def _size_columns(self) -> None:
        """Make columns as wide as their first rows and their name."""
        header = self.view.horizontalHeader()
        header.setSortIndicator(-1, header.sortIndicatorOrder())
        unit = current_theme().px("font_px")
        metrics, arrow = self.view.fontMetrics(), round(unit * 1.4)
        for column in range(self.model.columnCount()):
            name = str(self.model.headerData(column, Qt.Orientation.Horizontal))
            texts = [str(self.model.index(row, column).data()) for row in range(min(40, self.model.rowCount()))]
            widest = max([metrics.horizontalAdvance(name) + arrow, *(metrics.horizontalAdvance(text) for text in texts)])
            self.view.setColumnWidth(column, min(max(widest, unit * 4), unit * 22) + round(unit * 2.2))

    def _on_text(self, _text: str) -> None:
        self._wait.start()

    def _apply_filter(self) -> None:
        table, text = self.model.table, self.filter.text()
        if not text.strip():
            self._on_matched((table, None))
        elif len(table) <= AT_ONCE:
            self._on_matched((table, matching_rows(table, text)))
        else:

            def work(progress: Progress, cancel: CancelToken) -> tuple[FeatureTable, Int | None]:
                return table, matching_rows(table, text)

            self._desk.run(JobSpec(tr("Filtering"), work, self._on_matched, key="filter"))

    def _on_matched(self, result: tuple[FeatureTable, Int | None]) -> None:
        table, rows = result
        if table is self.model.table:
            self.model.set_matching(rows)
            self._tell_count()

    def _tell_count(self) -> None:
        shown, total = self.model.rowCount(), len(self.model.table)
        text = (
            tr("{count} rows").format(count=f"{total:,}")
            if shown == total
            else tr("{shown} of {count} rows").format(shown=f"{shown:,}", count=f"{total:,}")
        )
        self.count.setText(text if total else "")

    def _on_layer_chosen(self, _row: int) -> None:
        self._desk.select_layer(str(self.layers.currentData()))

    def _on_selected(self, _new: QItemSelection, _old: QItemSelection) -> None:
        if self._following or not self._layer:
            return
        rows = [row for part in self.view.selectionModel().selection().toList() for row in range(part.top(), part.bottom() + 1)]
        refs = {AssetRef(self._layer, self.model.feature_of(row)) for row in dict.fromkeys(rows)}
        self._following = True
        self._desk.session.selection.set(refs)
        self._following = False

    def _on_session_selection(self, _refs: frozenset[AssetRef]) -> None:
        if not self._following:
            self._follow_selection()

    def _follow_selection(self) -> None:
        if not self._layer:
            return
        features = self._desk.session.selection.of_layer(self._layer)
        rows = self.model.rows_showing(self.model.table.rows_of(features)) if features else np.zeros(0, dtype=np.int64)
        wanted = QItemSelection()
        last = self.model.columnCount() - 1
        for first, end in runs(rows):
            wanted.select(self.model.index(first, 0), self.model.index(end, last))
        self._following = True
        self.view.selectionModel().select(wanted, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._following = False
        if len(rows):
            self.view.scrollTo(self.model.index(int(rows[0]), 0))

    def _on_double_clicked(self, _index: QModelIndex) -> None:
        self._desk.trigger("view.fit_selection")

    def _on_changed(self, changes: Changes) -> None:
        if changes.touches("layer") or changes.data:
            self._fill_layers()
            gone = self._desk.session.workspace.features(self._layer) is None
            self.show_layer("" if gone else self._layer)
            if gone:
                self.model.set_table(self._desk.session.workspace.features(self._layer))
