"""Figures of one column of the attribute table: of the selected rows, or of all that are shown."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QTimer
from PySide6.QtWidgets import QTableView

from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.model.classes import Statistics, statistics
from cimdesk.model.columns import is_number
from cimdesk.ui.desk import Desk
from cimdesk.ui.feature_model import FeatureModel
from cimdesk.ui.statistics_view import StatisticsView
from cimdesk.ui.theme import current_theme

AT_ONCE = 30_000
"""Rows up to this many are counted on the spot, more in a job."""


class ColumnFigures(QObject):
    """Counts the column one looks at, and again when other rows are shown or selected.

    Attributes
    ----------
    panel : StatisticsView
        Shows the figures.
    """

    def __init__(self, desk: Desk, model: FeatureModel, view: QTableView, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._model = model
        self._view = view
        self.panel = StatisticsView()
        self._later = QTimer(self, singleShot=True, interval=120)
        self._later.timeout.connect(self._show)
        view.selectionModel().currentColumnChanged.connect(self._on_current_column)
        view.horizontalHeader().sectionClicked.connect(self._on_header)

    def set_shown(self, on: bool) -> None:
        """Show the figures, or not; remembered."""
        self._desk.settings.put(table_figures=on)
        self.panel.setVisible(on)
        self.count_soon()

    def count_soon(self) -> None:
        """Count again in a moment; many wishes make one count."""
        self._later.start()

    def fit(self) -> None:
        """Follow the size of the theme's letters."""
        self.panel.setFixedWidth(min(current_theme().px("font_px") * 30, 620))

    def _on_current_column(self, _current: QModelIndex, _former: QModelIndex) -> None:
        self.count_soon()

    def _on_header(self, _section: int) -> None:
        self.count_soon()

    def _column(self) -> str:
        """Return the column whose figures are shown: that of the current cell, or the sorted one, or the first with numbers."""
        names, table = self._model.columns, self._model.table
        current = self._view.currentIndex().column() if self._view.currentIndex().isValid() else 0
        for section in (current, self._view.horizontalHeader().sortIndicatorSection()):
            if 1 <= section <= len(names):
                return names[section - 1]
        return next((name for name in names if is_number(table.columns[name])), names[0] if names else "")

    def _show(self) -> None:
        name = self._column()
        if not self.panel.isVisible() or not name:
            return
        table, rows = self._model.table, self._model.order
        chosen = table.rows_of(self._desk.session.selection.of_layer(self._model.layer))
        scope = tr("{count} rows").format(count=f"{len(rows):,}")
        if len(chosen) > 1:
            rows, scope = chosen, tr("{count} selected").format(count=f"{len(chosen):,}")
        title = self._model.title_of(name)
        values, panel = table.columns[name], self.panel

        def work(progress: Progress, cancel: CancelToken) -> Statistics:
            return statistics(values if len(rows) == len(values) else values[rows])

        def done(found: Statistics) -> None:
            panel.show_figures(title, scope, found)

        if len(rows) <= AT_ONCE:
            done(statistics(values[rows]))
        else:
            panel.show_figures(title, tr("Counting…"), None)
            self._desk.run(JobSpec(tr("Counting"), work, done, key="figures"))
