"""Attribute table of the current layer: sort, filter, and the same selection as everywhere else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QSize, Qt, QTimer
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from cimdesk.base.arrays import Bool, Int
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.commands.table_export import clipboard_text, write_csv
from cimdesk.model.classes import Statistics, statistics
from cimdesk.model.columns import is_number
from cimdesk.model.document import Changes
from cimdesk.model.expression import ExpressionError
from cimdesk.model.features import FeatureTable
from cimdesk.model.selection import AssetRef
from cimdesk.model.visibility import shown_rows
from cimdesk.ui.attributes import readable_name
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.feature_model import FeatureModel, matching_rows, runs
from cimdesk.ui.statistics_view import StatisticsView
from cimdesk.ui.theme import current_theme, icon

AT_ONCE = 30_000
"""Tables up to this long are filtered on the spot, longer ones in a job."""
MOST_PIECES = 400
MOST_COPIED = 200_000


class TablePanel(QWidget):
    """The table with its layer chooser and filter."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        self._layer = ""
        self._following = False
        self._shown: Bool | None = None
        self.model = FeatureModel(self)
        self.model.aside = self._sort_aside
        self.layers = QComboBox()
        self.layers.setMinimumWidth(190)
        self.layers.activated.connect(self._on_layer_chosen)
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self.count = QLabel()
        self.count.setObjectName("dim")
        self.view = QTableView()
        self.figures = StatisticsView()
        self._set_up_view()
        self._set_up_tools()
        self._wait = QTimer(self, singleShot=True, interval=180)
        self._wait.timeout.connect(self._apply_filter)
        self.filter.textChanged.connect(self._on_text)
        bar = QHBoxLayout()
        bar.setContentsMargins(14, 4, 14, 4)
        bar.setSpacing(10)
        bar.addWidget(self.layers)
        bar.addWidget(self.filter, 1)
        bar.addWidget(self.count)
        for button in self.tools:
            bar.addWidget(button)
        body = QHBoxLayout()
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(12)
        body.addWidget(self.view, 1)
        body.addWidget(self.figures)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addLayout(body, 1)
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

    def _set_up_tools(self) -> None:
        self.columns_button, self.figures_button, self.copy_button, self.csv_button = (QToolButton() for _ in range(4))
        self.tools = (self.columns_button, self.figures_button, self.copy_button, self.csv_button)
        for button, name in zip(self.tools, ("ui.columns", "ui.sum", "ui.copy", "ui.csv"), strict=True):
            button.setObjectName("flat")
            button.setProperty("picture", name)
        self.columns_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.columns_button)
        menu.aboutToShow.connect(self._fill_columns)
        menu.triggered.connect(self._on_column_chosen)
        self.columns_button.setMenu(menu)
        self.figures_button.setCheckable(True)
        self.figures_button.setChecked(bool(self._desk.settings.get("table_figures", False)))
        self.figures_button.toggled.connect(self._on_figures_toggled)
        self.figures.setVisible(self.figures_button.isChecked())
        self.figures.setFixedWidth(min(current_theme().px("font_px") * 30, 620))
        self.copy_button.clicked.connect(self.copy)
        self.csv_button.clicked.connect(self.export)
        self._figures_later = QTimer(self, singleShot=True, interval=120)
        self._figures_later.timeout.connect(self._show_figures)
        self.view.selectionModel().currentColumnChanged.connect(self._on_current_column)
        self.view.horizontalHeader().sectionClicked.connect(self._on_header)

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
            if layer_id != self._layer:
                self.filter.clear()
            self._layer = layer_id
            self.model.set_table(table, workspace.data(layer_id) if layer_id else None)
            chosen = self._desk.settings.get("table_columns", {}).get(layer_id)
            if chosen:
                self.model.show_columns(chosen)
            self._size_columns()
            self._shown = None
            self._apply_filter()
        else:
            self._follow_sight()
        self.layers.setCurrentIndex(max(0, self.layers.findData(self._layer)))
        self._tell_count()

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        self.filter.setPlaceholderText(tr("Filter: a word, or storeys > 20 and use = 'office'"))
        tips = (tr("Columns"), tr("Figures of a column"), tr("Copy"), tr("Save as CSV…"))
        for button, tip in zip(self.tools, tips, strict=True):
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.setIcon(icon(str(button.property("picture"))))
            button.setIconSize(QSize(current_theme().px("icon_px"), current_theme().px("icon_px")))
        self.figures.setFixedWidth(min(current_theme().px("font_px") * 30, 620))
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
        table, text, shown = self.model.table, self.filter.text(), self._in_sight()
        self._shown = shown
        if not text.strip():
            self._on_matched((table, None if shown is None else np.flatnonzero(shown).astype(np.int64), ""))
        elif len(table) <= AT_ONCE:
            self._on_matched(_matched(table, text, shown))
        else:

            def work(progress: Progress, cancel: CancelToken) -> tuple[FeatureTable, Int | None, str]:
                return _matched(table, text, shown)

            self._desk.run(JobSpec(tr("Filtering"), work, self._on_matched, key="filter"))

    def _in_sight(self) -> Bool | None:
        """Return which rows the layer's own filter, and hiding by hand, leave in sight."""
        workspace = self._desk.session.workspace
        if not self._layer or workspace.document.get("layer", self._layer) is None:
            return None
        return shown_rows(workspace, workspace.layer(self._layer))

    def _follow_sight(self) -> None:
        if self._in_sight() is not self._shown:
            self._apply_filter()

    def _on_matched(self, result: tuple[FeatureTable, Int | None, str]) -> None:
        table, rows, wrong = result
        if table is not self.model.table:
            return
        self._say_wrong(wrong)
        if not wrong:
            self.model.set_matching(rows)
            self._tell_count()
            self._figures_later.start()

    def _say_wrong(self, text: str) -> None:
        """Say what is wrong with the filter; an empty text for nothing."""
        if text:
            self.count.setText(text if len(text) < 70 else text[:69] + "…")
        self.filter.setToolTip(text)
        self.count.setObjectName("alarm" if text else "dim")
        self.count.style().unpolish(self.count)
        self.count.style().polish(self.count)

    def _tell_count(self) -> None:
        shown, total = self.model.rowCount(), len(self.model.table)
        text = (
            tr("{count} rows").format(count=f"{total:,}")
            if shown == total
            else tr("{shown} of {count} rows").format(shown=f"{shown:,}", count=f"{total:,}")
        )
        self.count.setText(text if total else "")

    def _sort_aside(self, work: Callable[[], Int], done: Callable[[Int], None]) -> None:
        def carried_out(progress: Progress, cancel: CancelToken) -> Int:
            return work()

        self._desk.run(JobSpec(tr("Sorting"), carried_out, done, key="sort-table"))

    def _on_layer_chosen(self, _row: int) -> None:
        self._desk.select_layer(str(self.layers.currentData()))

    def _on_selected(self, _new: QItemSelection, _old: QItemSelection) -> None:
        if self._following or not self._layer:
            return
        self.model.mark(None)
        parts = [(part.top(), part.bottom() + 1) for part in self.view.selectionModel().selection().toList()]
        rows = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(top, end) for top, end in parts)]))
        ids, layer = self.model.table.ids[self.model.order[rows]], self._layer
        if len(ids) <= AT_ONCE:
            self._choose(frozenset(AssetRef(layer, key) for key in ids.tolist()))
        else:

            def work(progress: Progress, cancel: CancelToken) -> frozenset[AssetRef]:
                return frozenset(AssetRef(layer, key) for key in ids.tolist())

            self._desk.run(JobSpec(tr("Selecting"), work, self._choose, key="select-rows"))

    def _choose(self, refs: frozenset[AssetRef]) -> None:
        self._following = True
        self._desk.session.selection.set(refs)
        self._following = False
        self._figures_later.start()

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
        pieces = runs(rows)
        for first, end in pieces if len(pieces) <= MOST_PIECES else []:
            wanted.select(self.model.index(first, 0), self.model.index(end, last))
        self._following = True
        self.model.mark(self.model.order[rows] if len(pieces) > MOST_PIECES else None)
        self._figures_later.start()
        self.view.selectionModel().select(wanted, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._following = False
        if len(rows):
            self.view.scrollTo(self.model.index(int(rows[0]), 0))

    def _on_double_clicked(self, _index: QModelIndex) -> None:
        self._desk.trigger("view.fit_selection")

    # --- columns, figures, copies ----------------------------------------------------------------------------------------

    def _fill_columns(self) -> None:
        menu = self.columns_button.menu()
        menu.clear()
        every = menu.addAction(tr("All columns"))
        every.setData("")
        menu.addSeparator()
        shown = set(self.model.columns)
        for name in self.model.table.columns:
            action = menu.addAction(" ".join(part for part in readable_name(name, self.model.data_of) if part))
            action.setData(name)
            action.setCheckable(True)
            action.setChecked(name in shown)

    def _on_column_chosen(self, action: QAction) -> None:
        name, shown = str(action.data()), set(self.model.columns)
        shown = set(self.model.table.columns) if not name else shown ^ {name}
        self.choose_columns([column for column in self.model.table.columns if column in shown])

    def choose_columns(self, names: list[str]) -> None:
        """Show only these columns of the layer, now and later."""
        self.model.show_columns(names)
        kept = dict(self._desk.settings.get("table_columns", {}))
        kept[self._layer] = self.model.columns
        self._desk.settings.put(table_columns=kept)
        self._size_columns()

    def _on_figures_toggled(self, on: bool) -> None:
        self._desk.settings.put(table_figures=on)
        self.figures.setVisible(on)
        self._figures_later.start()

    def _on_current_column(self, _current: QModelIndex, _former: QModelIndex) -> None:
        self._figures_later.start()

    def _on_header(self, _section: int) -> None:
        self._figures_later.start()

    def _column(self) -> str:
        """Return the column whose figures are shown: that of the current cell, or the sorted one, or the first with numbers."""
        names, table = self.model.columns, self.model.table
        current = self.view.currentIndex().column() if self.view.currentIndex().isValid() else 0
        for section in (current, self.view.horizontalHeader().sortIndicatorSection()):
            if 1 <= section <= len(names):
                return names[section - 1]
        return next((name for name in names if is_number(table.columns[name])), names[0] if names else "")

    def _show_figures(self) -> None:
        name = self._column()
        if not self.figures.isVisible() or not name:
            return
        table, rows = self.model.table, self.model.order
        chosen = table.rows_of(self._desk.session.selection.of_layer(self._layer))
        scope = tr("{count} rows").format(count=f"{len(rows):,}")
        if len(chosen) > 1:
            rows, scope = chosen, tr("{count} selected").format(count=f"{len(chosen):,}")
        title = " ".join(part for part in readable_name(name, self.model.data_of) if part)
        values, figures = table.columns[name], self.figures

        def work(progress: Progress, cancel: CancelToken) -> Statistics:
            return statistics(values if len(rows) == len(values) else values[rows])

        def done(found: Statistics) -> None:
            figures.show_figures(title, scope, found)

        if len(rows) <= AT_ONCE:
            done(statistics(values[rows]))
        else:
            figures.show_figures(title, tr("Counting…"), None)
            self._desk.run(JobSpec(tr("Counting"), work, done, key="figures"))

    def _rows_wanted(self) -> Int:
        """Return the table rows that copies hold: the selected ones in sight, or all shown, in the order of the table."""
        chosen = self.model.rows_showing(self.model.table.rows_of(self._desk.session.selection.of_layer(self._layer)))
        return self.model.order[chosen] if len(chosen) else self.model.order

    def copy(self) -> None:
        """Put the selected rows, or all that are shown, on the clipboard."""
        rows = self._rows_wanted()[:MOST_COPIED]
        QGuiApplication.clipboard().setText(clipboard_text(self.model.table, rows, self.model.columns))
        self._desk.message.emit(tr("{count} rows copied.").format(count=f"{len(rows):,}"))

    def export(self) -> None:
        """Save the selected rows, or all that are shown, as CSV."""
        path = self._desk.ask.save_path(tr("Save as CSV…"), ".csv", self._layer or "table")
        if path is None:
            return
        table, rows, columns = self.model.table, self._rows_wanted(), self.model.columns

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

    def _on_changed(self, changes: Changes) -> None:
        if changes.touches("layer") or changes.data:
            self._fill_layers()
            gone = self._desk.session.workspace.features(self._layer) is None
            self.show_layer("" if gone else self._layer)
            if gone:
                self.model.set_table(self._desk.session.workspace.features(self._layer))


def _matched(table: FeatureTable, text: str, shown: Bool | None) -> tuple[FeatureTable, Int | None, str]:
    """Return the table, the rows of it that fit a filter and are in sight, and what is wrong with the filter."""
    try:
        rows = matching_rows(table, text)
    except ExpressionError as error:
        return table, None, error.localized()
    return table, rows if shown is None else rows[shown[rows]], ""
