"""Exposure: who and what is in the water at the clock, beside the flood it is compared with. Rows select what they count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_time
from cimdesk.model.city import CityModel
from cimdesk.model.document import Changes
from cimdesk.model.flood_statement import run_statement
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.exposure_counting import FloodCounter, Shown, Wanted
from cimdesk.ui.exposure_rows import Headline
from cimdesk.ui.exposure_tables import CountTable, FacilityTable
from cimdesk.ui.theme import current_theme

if TYPE_CHECKING:
    from cimdesk.commands.exposure_count import ExposureCount

STEP_MS = 40


class ExposurePanel(QWidget):
    """Counts by use and depth class; planned once in a job when looked at, then counted at every step of the clock."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        self._counter = FloodCounter(desk, self)
        self._counter.planned.connect(self.refresh)
        self._counter.counted.connect(self._show)
        self.data: dict[str, Any] | None = None
        self.compared_data: dict[str, Any] | None = None
        self.note = QLabel()
        self.note.setObjectName("dim")
        self.note.setWordWrap(True)
        self.headline = Headline()
        self.table = CountTable(desk)
        self.assets = FacilityTable(desk)
        self.at_clock = QPushButton()
        self.at_clock.setObjectName("chip")
        self.at_clock.setCheckable(True)
        self.at_clock.setChecked(True)
        self.at_clock.toggled.connect(self._on_mode)
        self.passable = QDoubleSpinBox()
        self.passable.setRange(0.05, 2.0)
        self.passable.setSingleStep(0.05)
        self.passable.setDecimals(2)
        self.passable.setSuffix(" m")
        self.passable.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.passable_label = QLabel()
        self.passable_label.setObjectName("dim")
        self.passable_label.setBuddy(self.passable)
        self.csv = QPushButton()
        self.csv.setObjectName("chip")
        self.csv.clicked.connect(self._on_csv)
        for button in (self.at_clock, self.csv):
            # A click leaves the keyboard where it is: the space bar goes on playing the clock.
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._lay_out()
        self._later = QTimer(self, singleShot=True, interval=120)
        self._later.timeout.connect(self.refresh)
        self._step_later = QTimer(self, singleShot=True, interval=STEP_MS)
        self._step_later.timeout.connect(self._step)
        self._set_passable_default()
        self.passable.valueChanged.connect(self._on_passable)
        desk.session_changed.connect(self.bind)
        desk.comparison_changed.connect(self._soon)
        self._name_controls()
        self.note.setFont(current_theme().font(scale=0.9))
        self.bind()

    def _lay_out(self) -> None:
        tools = QVBoxLayout()
        tools.setSpacing(4)
        for widget in (self.at_clock, self.passable_label, self.passable, self.csv):
            tools.addWidget(widget)
        tools.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(18)
        row.addWidget(self.headline, 2)
        row.addWidget(self.table, 7)
        row.addWidget(self.assets, 4)
        row.addLayout(tools)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 2, 14, 4)
        column.setSpacing(2)
        column.addLayout(row, 1)
        column.addWidget(self.note)

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        self._links.clear()
        self._links.add(self._desk.session.workspace.changed, self._on_changed)
        self._links.add(self._desk.session.clock.changed, self._on_time)
        self._counter.forget()
        self._later.start()

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        for table in (self.table, self.assets):
            table.fit()
        self._name_controls()
        self.note.setFont(current_theme().font(scale=0.9))
        self.refresh()

    def refresh(self) -> None:
        """Show the counts; floods not planned yet are planned beside the window."""
        if self.isVisible():
            self._counter.plan()
        shown = self._counter.shown()
        plan = self._counter.plan_of(shown.flood)
        for widget in (self.headline, self.table, self.assets, self.at_clock, self.passable, self.passable_label, self.csv):
            widget.setVisible(plan is not None)
        if plan is None:
            words = tr("Run a flood, or show one, to count who and what is in the water.")
            self.note.setText(tr("Counting…") if shown.flood else words)
            return
        self.at_clock.setVisible(plan.has_time)
        self._step()

    def _step(self) -> None:
        if self.isVisible():
            self._counter.count(Wanted(self.at_clock.isChecked(), self.passable.value()))

    def _show(self, shown: Shown, count: ExposureCount, other: ExposureCount | None) -> None:
        self.data = count.report()
        self.compared_data = None if other is None else other.report()
        self.headline.show_counts(self.data, self.compared_data)
        self.table.show_counts(count, self.data, self.compared_data, self)
        self.assets.show_counts(self.data)
        self.note.setText(self._said(shown))

    def _said(self, shown: Shown) -> str:
        """Return what the counts are of, and what the run has to say of itself."""
        floods, planned, data = self._counter.floods(), self._counter.plan_of(shown.flood), self.data
        if data is None or planned is None or shown.flood not in floods:
            return ""
        name, found = floods[shown.flood]
        limit = f"{float(data['limits_m'][0]):.2f}"
        if isinstance(found, CityModel):
            note = tr("Depth ranks of {name}, each counted from its lower limit.").format(name=name)
        elif self.at_clock.isChecked() and planned.has_time:
            moment = format_time(self._desk.session.clock.time)
            note = tr("{name} at {time}, counted from {limit} m at the wall.").format(name=name, time=moment, limit=limit)
        else:
            note = tr("Greatest depth of {name}, counted from {limit} m at the wall.").format(name=name, limit=limit)
        if shown.compared:
            note += " " + tr("Compared with {name}.").format(name=floods[shown.compared][0])
        if self._counter.has_filter():
            note += " " + tr("Only buildings that filters and hiding leave in sight.")
        if not isinstance(found, CityModel):
            note += " " + tr("Run: {statement}.").format(statement=run_statement(planned.flood))
        damage = data["damage"]
        if damage["total"] > 0.0 and not damage["verified"]:
            span = f"×{planned.plan.damage.low:g}–{planned.plan.damage.high:g}"
            note += " " + tr("Damage by {table} curves: unverified, {span}.").format(table=damage["table"], span=span)
        return note

    def _on_csv(self) -> None:
        """Write what is shown as a table."""
        from cimdesk.commands.flood_exposure import write_exposure_csv

        shown = Shown(self._counter.shown().flood, "")
        planned = self._counter.plan_of(shown.flood)
        if self.data is None or planned is None:
            return
        is_map = isinstance(self._counter.floods()[shown.flood][1], CityModel)
        statement = None if is_map else run_statement(planned.flood)
        path = self._desk.ask.save_path(tr("Save exposure"), ".csv", tr("exposure"))
        data = {**self.data, "statement": statement}
        if path is not None and self._desk.attempt(write_exposure_csv, path, data, self._said(shown)) is not None:
            self._desk.message.emit(tr("Written: {name}").format(name=path.name))

    def _set_passable_default(self) -> None:
        from cimdesk.commands.exposure_tables import exposure_rules

        rules = self._desk.attempt(exposure_rules)
        if rules is not None:
            self.passable.setValue(rules.passable_depth)

    def _name_controls(self) -> None:
        self.at_clock.setText(tr("At the clock") if self.at_clock.isChecked() else tr("Greatest depth"))
        self.at_clock.setToolTip(tr("Count at the moment of the clock, or at the greatest depth of the whole run"))
        self.passable_label.setText(tr("Roads pass up to"))
        self.passable.setAccessibleName(tr("Roads pass up to"))
        self.passable.setToolTip(tr("Deeper water stops traffic; what has no dry way out then is cut off"))
        self.csv.setText(tr("Table…"))

    def _on_mode(self, _checked: bool) -> None:
        self._name_controls()
        self._step_later.start()

    def _on_passable(self, _value: float) -> None:
        self._step_later.start()

    def _on_time(self, _time: float) -> None:
        if self.isVisible() and self.at_clock.isChecked() and self._counter.has_plans and not self._step_later.isActive():
            self._step_later.start()

    def _on_changed(self, changes: Changes) -> None:
        if self._counter.follow(changes):
            self._soon()

    def _soon(self) -> None:
        if self.isVisible():
            self._later.start()
