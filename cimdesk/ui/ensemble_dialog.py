"""Form: an ensemble - a scenario file, return periods and sets of measures - with every run it takes as a table."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from cimdesk.base.errors import CimdeskError, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.units import parse_duration
from cimdesk.commands.flood_ensemble import AS_IS, THRESHOLDS, Ensemble, shown_thresholds
from cimdesk.commands.flood_ensemble_job import DRAWN, EnsembleWish
from cimdesk.commands.flood_tables import storm_cities
from cimdesk.commands.measures import measures
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked

USUAL_YEARS = "2, 5, 10, 20, 50, 100"
STORM_SECONDS = 7200.0


class EnsembleDialog(FormDialog):
    """Asks for an ensemble; the table says which runs there will be and which are there already."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(tr("Ensemble"), tr("Run"), parent, width=52)
        self._desk = desk
        self._files: list[Path] = []
        drawn = [measure for measure in measures(desk.session).values() if measure.enabled]
        self.scenario = QLineEdit()
        self.folder = QLineEdit()
        self.years = QLineEdit(USUAL_YEARS)
        self.storm = QComboBox()
        self.storm.addItem(tr("the design storm of the scenario"), "")
        for key, (city, _) in storm_cities().items():
            self.storm.addItem(tr("Design storm, {city}").format(city=tr(city)), key)
        self.length = QLineEdit("2h")
        self.drawn = QCheckBox(tr("the {count} measures that are drawn and switched on").format(count=len(drawn)))
        self.drawn.setEnabled(bool(drawn))
        self.drawn.setChecked(bool(drawn))
        self.measures = QLineEdit()
        self.measures.setReadOnly(True)
        self.measures.setPlaceholderText(tr("none"))
        self.threshold = QComboBox()
        for depth in THRESHOLDS:
            self.threshold.addItem(f"{depth:g} m", depth)
        self.workers = QSpinBox()
        self.workers.setRange(1, max(os.cpu_count() or 1, 1))
        self.workers.setValue(max(os.cpu_count() or 1, 1))
        self.table = QTableWidget()
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.table.setAccessibleName(tr("Runs"))
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self._add_rows()
        for edit in (self.scenario, self.folder, self.years, self.length):
            edit.textChanged.connect(self._show_runs)
        self.drawn.toggled.connect(self._show_runs)
        self.storm.currentIndexChanged.connect(self._show_runs)
        self.storm.currentIndexChanged.connect(self._show_length)
        self._show_length()
        self._show_runs()

    def _add_rows(self) -> None:
        self.row(tr("Scenario file"), self._with_button(self.scenario, self._choose_scenario))
        self.row(tr("Return periods [years]"), self.years)
        self.row(tr("Rain"), self.storm)
        self.row(tr("Rain lasts"), self.length)
        self.row(tr("Measures"), self.drawn)
        self.row(tr("Files of measures"), self._with_button(self.measures, self._choose_measures))
        self.row(tr("Results into"), self._with_button(self.folder, self._choose_folder))
        self.row(tr("Map the chance of"), self.threshold)
        self.row(tr("Runs at once"), self.workers)
        self.body.addWidget(self.table)

    def _with_button(self, edit: QLineEdit, choose: object) -> QWidget:
        holder = QWidget()
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 0, 0)
        button = QPushButton(tr("Choose…"))
        button.clicked.connect(choose)
        line.addWidget(edit, 1)
        line.addWidget(button)
        return holder

    def _choose_scenario(self) -> None:
        files = self._desk.ask.files(tr("Scenario file"))
        if files:
            self.scenario.setText(str(files[0]))
            if not self.folder.text():
                self.folder.setText(str(files[0].parent / f"{files[0].stem}-ensemble"))

    def _choose_folder(self) -> None:
        folder = self._desk.ask.folder(tr("Results into"))
        if folder is not None:
            self.folder.setText(str(folder))

    def _choose_measures(self) -> None:
        self._files = list(self._desk.ask.files(tr("Files of measures")))
        self.measures.setText(", ".join(file.name for file in self._files))
        self._show_runs()

    def wish(self) -> EnsembleWish:
        """Return what is asked for.

        Raises
        ------
        UsageError
            If it makes no sense.
        """
        if not self.scenario.text().strip() or not self.folder.text().strip():
            raise UsageError("an ensemble needs a scenario file and a folder for its results.")
        try:
            length = parse_duration(self.length.text()) if self.storm.currentData() else STORM_SECONDS
        except ValueError as error:
            raise UsageError("{text} is no time; write 30min or 2h.", text=self.length.text()) from error
        ensemble = Ensemble(
            Path(self.scenario.text().strip()), shown_thresholds(self.years.text()), Path(self.folder.text().strip()),
            tuple(self._files), str(self.storm.currentData() or ""), length,
        )  # fmt: skip
        return EnsembleWish(ensemble, self.drawn.isChecked(), self.workers.value(), float(self.threshold.currentData()))

    def _show_length(self) -> None:
        self.rows.setRowVisible(self.length, bool(self.storm.currentData()))

    def _show_runs(self) -> None:
        """Show return periods against sets of measures, and which of the runs are there."""
        try:
            wish = self.wish()
            file = wish.ensemble.scenario
            if not file.is_file():
                raise UsageError("there is no file {path}.", path=file)
        except CimdeskError as error:
            self.table.setRowCount(0)
            self.table.setColumnCount(0)
            self.note.setText(error.message)
            self.accept_button.setEnabled(False)
            return
        periods = sorted(set(wish.ensemble.return_periods))
        sets = [name for name, _ in wish.ensemble.sets] + ([DRAWN] if wish.with_drawn else [])
        self.table.setRowCount(len(sets))
        self.table.setColumnCount(len(periods))
        self.table.setHorizontalHeaderLabels([tr("{years:g} years").format(years=years) for years in periods])
        said = {AS_IS: tr("as it is"), DRAWN: tr("drawn measures")}
        self.table.setVerticalHeaderLabels([said.get(name, name) for name in sets])
        for row, name in enumerate(sets):
            for column, years in enumerate(periods):
                cell = QTableWidgetItem(_state_of(wish.ensemble.file(name, years)))
                cell.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                self.table.setItem(row, column, cell)
        self.note.setText(tr("{count} runs; those that are there from the same input are kept.").format(count=wish.runs))
        self.accept_button.setEnabled(True)


def _state_of(file: Path) -> str:
    """Return whether a run is there."""
    return tr("there") if file.is_file() else "·"


def ask(parent: QWidget | None, desk: Desk) -> EnsembleWish | None:
    """Ask for an ensemble."""
    dialog = asked(EnsembleDialog(desk, parent))
    return None if dialog is None else dialog.wish()
