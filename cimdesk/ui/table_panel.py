"""Attribute table of the current layer: sort, filter, and the same selection as everywhere else."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QSize
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QHBoxLayout, QHeaderView, QTableView, QToolButton, QVBoxLayout, QWidget

from cimdesk.base.arrays import Int
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.commands.table_export import clipboard_text, write_csv
from cimdesk.model.document import Changes
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.feature_model import FeatureModel
from cimdesk.ui.table_columns import ColumnChooser
from cimdesk.ui.table_figures import ColumnFigures
from cimdesk.ui.table_filter import RowFilter
from cimdesk.ui.table_selection import RowSelection
from cimdesk.ui.theme import current_theme, icon

MOST_COPIED = 200_000


class TablePanel(QWidget):
    """The table with its layer chooser and filter."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        self.model = FeatureModel(self)
        self.model.aside = self._sort_aside
        self.layers = QComboBox()
        self.layers.setMinimumWidth(190)
        self.layers.activated.connect(self._on_layer_chosen)
        self.view = QTableView()
        self._set_up_view()
        self.filter = RowFilter(desk, self.model, self)
        self.selection = RowSelection(desk, self.model, self.view, self)
        self.columns = ColumnChooser(desk, self.model, self.view)
        self.figures = ColumnFigures(desk, self.model, self.view, self)
        self.filter.applied.connect(self.figures.count_soon)
        self.selection.changed.connect(self.figures.count_soon)
        self._set_up_tools()
        self._lay_out()
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
        view.activated.connect(self._on_activated)

    def _set_up_tools(self) -> None:
        self.figures_button, self.copy_button, self.csv_button = (QToolButton() for _ in range(3))
        self.tools = (self.columns, self.figures_button, self.copy_button, self.csv_button)
        for button, name in zip(self.tools, ("ui.columns", "ui.sum", "ui.copy", "ui.csv"), strict=True):
            button.setObjectName("flat")
            button.setProperty("picture", name)
        self.figures_button.setCheckable(True)
        self.figures_button.setChecked(bool(self._desk.settings.get("table_figures", False)))
        self.figures_button.toggled.connect(self.figures.set_shown)
        self.figures.panel.setVisible(self.figures_button.isChecked())
        self.figures.fit()
        self.copy_button.clicked.connect(self.copy)
        self.csv_button.clicked.connect(self.export)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(14, 4, 14, 4)
        bar.setSpacing(10)
        bar.addWidget(self.layers)
        bar.addWidget(self.filter.field, 1)
        bar.addWidget(self.filter.count)
        for button in self.tools:
            bar.addWidget(button)
        body = QHBoxLayout()
        body.setContentsMargins(3, 0, 3, 0)
        body.setSpacing(12)
        body.addWidget(self.view, 1)
        body.addWidget(self.figures.panel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addLayout(body, 1)

    def showEvent(self, event: QShowEvent) -> None:
        """Bring the selection into sight, which moved while the table was hidden."""
        super().showEvent(event)
        self.selection.follow()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        session = self._desk.session
        self._links.clear()
        self._links.add(session.selection.changed, self.selection.on_session_selection)
        self._links.add(session.workspace.changed, self._on_changed)
        self._fill_layers()
        self.show_layer(self._desk.current_layer)

    def show_layer(self, layer_id: str) -> None:
        """Show the attributes of a layer; one without attributes leaves the table as it is."""
        workspace, model = self._desk.session.workspace, self.model
        table = workspace.features(layer_id) if layer_id else None
        if table is None and workspace.features(model.layer) is not None:
            return
        if table is None:
            layer_id = next((layer.id for layer in workspace.layers() if workspace.features(layer.id) is not None), "")
            table = workspace.features(layer_id) if layer_id else None
        if layer_id != model.layer or table is not model.table:
            if layer_id != model.layer:
                self.filter.field.clear()
            model.layer = layer_id
            model.set_table(table, workspace.data(layer_id) if layer_id else None)
            self.columns.show_kept()
            self.filter.apply()
        else:
            self.filter.follow_sight()
        self.layers.setCurrentIndex(max(0, self.layers.findData(model.layer)))
        self.filter.tell_count()

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        tips = (tr("Columns"), tr("Figures of a column"), tr("Copy"), tr("Save as CSV…"))
        for button, tip in zip(self.tools, tips, strict=True):
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.setIcon(icon(str(button.property("picture"))))
            button.setIconSize(QSize(current_theme().px("icon_px"), current_theme().px("icon_px")))
        self.figures.fit()
        self.view.verticalHeader().setDefaultSectionSize(current_theme().px("row_px"))
        self.filter.retranslate()

    def copy(self) -> None:
        """Put the selected rows, or all that are shown, on the clipboard."""
        rows = self.selection.wanted_rows()[:MOST_COPIED]
        QGuiApplication.clipboard().setText(clipboard_text(self.model.table, rows, self.model.columns))
        self._desk.message.emit(tr("{count} rows copied.").format(count=f"{len(rows):,}"))

    def export(self) -> None:
        """Save the selected rows, or all that are shown, as CSV."""
        path = self._desk.ask.save_path(tr("Save as CSV…"), ".csv", self.model.layer or "table")
        if path is None:
            return
        table, rows, columns = self.model.table, self.selection.wanted_rows(), self.model.columns

        def work(progress: Progress, cancel: CancelToken) -> int:
            return write_csv(path, table, rows, columns, progress, cancel)

        def done(count: int) -> None:
            self._desk.message.emit(tr("{count} rows saved as {name}.").format(count=f"{count:,}", name=path.name))

        self._desk.run(JobSpec(tr("Saving the table"), work, done, key="table-csv"))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def _fill_layers(self) -> None:
        workspace = self._desk.session.workspace
        self.layers.clear()
        for layer in workspace.layers():
            if workspace.features(layer.id) is not None:
                self.layers.addItem(layer.name, layer.id)

    def _sort_aside(self, work: Callable[[], Int], done: Callable[[Int], None]) -> None:
        def carried_out(progress: Progress, cancel: CancelToken) -> Int:
            return work()

        self._desk.run(JobSpec(tr("Sorting"), carried_out, done, key="sort-table"))

    def _on_layer_chosen(self, _row: int) -> None:
        self._desk.select_layer(str(self.layers.currentData()))

    def _on_activated(self, _index: QModelIndex) -> None:
        self._desk.trigger("view.fit_selection")

    def _on_changed(self, changes: Changes) -> None:
        if changes.touches("layer") or changes.data:
            self._fill_layers()
            gone = self._desk.session.workspace.features(self.model.layer) is None
            self.show_layer("" if gone else self.model.layer)
