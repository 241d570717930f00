"""Exposure: who and what is in the water at the clock, beside the flood it is compared with. Rows select what they count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.base.units import format_time
from cimdesk.model.city import CityModel
from cimdesk.model.document import Changes
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_comparison import against_of
from cimdesk.model.flood_statement import run_statement
from cimdesk.model.selection import AssetRef
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.exposure_rows import Headline, Row, amount_text, difference_text, rows_of
from cimdesk.ui.needs import flood_maps, flood_results
from cimdesk.ui.theme import current_theme

if TYPE_CHECKING:
    from cimdesk.commands.exposure_count import ExposureCount
    from cimdesk.commands.exposure_plan import ExposurePlan

MOST_ASSETS = 40
QUICK = 0.08
"""A step of the clock that takes longer [s] is counted beside the window from then on."""
STEP_MS = 40
NARROW = 80
"""Widths of a letter below which the table leaves a column out."""


@dataclass(frozen=True)
class Planned:
    """A flood made ready for counting."""

    plan: ExposurePlan
    flood: FloodResult
    has_time: bool


class ExposurePanel(QWidget):
    """Counts by use and depth class; planned once in a job when looked at, then counted at every step of the clock."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        self._planned: dict[str, Planned] = {}
        self._seconds = 0.0
        self._count: ExposureCount | None = None
        self._rows: list[Row] = []
        self.data: dict[str, Any] | None = None
        self.compared_data: dict[str, Any] | None = None
        self.note = QLabel()
        self.note.setObjectName("dim")
        self.note.setWordWrap(True)
        self.headline = Headline()
        self.table = _table(4)
        self.assets = _table(3)
        self.table.itemClicked.connect(self._on_row)
        self.assets.itemClicked.connect(self._on_asset)
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
        self.passable_label = QLabel()
        self.passable_label.setObjectName("dim")
        self.passable_label.setBuddy(self.passable)
        self.csv = QPushButton()
        self.csv.setObjectName("chip")
        self.csv.clicked.connect(self._on_csv)
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
        self._planned.clear()
        self._later.start()

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        for table in (self.table, self.assets):
            table.verticalHeader().setDefaultSectionSize(current_theme().px("row_px"))
        self._name_controls()
        self.note.setFont(current_theme().font(scale=0.9))
        self.refresh()

    def refresh(self) -> None:
        """Show the counts; floods not planned yet are planned beside the window."""
        floods = self._floods()
        shown, compared = self._keys(floods)
        for key in (shown, compared):
            if key and key not in self._planned and self.isVisible():
                self._plan(key, floods[key][1])
        has_counts = shown in self._planned
        for widget in (self.headline, self.table, self.assets, self.at_clock, self.passable, self.passable_label, self.csv):
            widget.setVisible(has_counts)
        if not has_counts:
            self.note.setText(tr("Counting…") if shown else tr("Run a flood, or show one, to count who and what is in the water."))
            return
        self.at_clock.setVisible(self._planned[shown].has_time)
        self._step()

    def _floods(self) -> dict[str, tuple[str, FloodResult | CityModel]]:
        floods: dict[str, tuple[str, FloodResult | CityModel]] = {k: (name, found) for k, name, found in flood_results(self._desk)}
        return floods | {key: (name, areas) for key, name, areas in flood_maps(self._desk)}

    def _keys(self, floods: Mapping[str, object]) -> tuple[str, str]:
        """Return the flood that is shown and the one it is compared with; empty for none."""
        workspace = self._desk.session.workspace
        shown = next((key for key in floods if workspace.layer(key).visible), "")
        against = against_of(workspace.layer(shown).options) if shown else None
        compared = against.layer if against is not None else self._desk.compared_flood
        return shown, compared if compared in floods and compared != shown else ""

    def _plan(self, key: str, result: FloodResult | CityModel) -> None:
        from cimdesk.commands.flood_areas import as_grid
        from cimdesk.commands.flood_exposure import plan_for

        session = self._desk.session
        in_sight = self._has_filter()

        def work(progress: Progress, cancel: CancelToken) -> Planned:
            plan = plan_for(session, result, in_sight)
            if isinstance(result, CityModel):
                return Planned(plan, as_grid(result), False)
            return Planned(plan, result, len(result.times) > 1)

        def done(planned: Planned) -> None:
            self._planned[key] = planned
            self.refresh()

        self._desk.run(JobSpec(tr("Counting exposure"), work, done, key=f"exposure:{key}"))

    def _step(self) -> None:
        """Count at the clock: at once where that is quick, else beside the window."""
        shown, compared = self._keys(self._floods())
        if shown not in self._planned or not self.isVisible():
            return
        if self._seconds < QUICK:
            started = perf_counter()
            counted = self._counted(shown, compared)
            self._seconds = perf_counter() - started
            self._show(shown, compared, *counted)
            return

        def work(progress: Progress, cancel: CancelToken) -> tuple[ExposureCount, ExposureCount | None]:
            started = perf_counter()
            counted = self._counted(shown, compared)
            self._seconds = perf_counter() - started
            return counted

        job = JobSpec(tr("Counting exposure"), work, lambda counted: self._show(shown, compared, *counted), key="exposure-step")
        self._desk.run(job)

    def _counted(self, shown: str, compared: str) -> tuple[ExposureCount, ExposureCount | None]:
        first = self._planned[shown]
        seconds = self._desk.session.clock.time - first.flood.start_time if self.is_at_clock(first) else None
        second = self._planned.get(compared)
        return self._count_of(first, seconds), None if second is None else self._count_of(second, seconds)

    def is_at_clock(self, planned: Planned) -> bool:
        """Whether counts follow the clock, and not the greatest depth."""
        return self.at_clock.isChecked() and planned.has_time

    def _count_of(self, planned: Planned, seconds: float | None) -> ExposureCount:
        from cimdesk.commands.exposure_count import count_exposure
        from cimdesk.commands.exposure_plan import depths_for

        flood = planned.flood
        time = None if seconds is None or not planned.has_time else flood.start_time + seconds
        return count_exposure(planned.plan.with_passable_depth(self.passable.value()), depths_for(flood, time))

    def _show(self, shown: str, compared: str, count: ExposureCount, other: ExposureCount | None) -> None:
        if shown not in self._planned:
            return
        self._count = count
        self.data = count.report()
        self.compared_data = None if other is None else other.report()
        self.headline.show_counts(self.data, self.compared_data)
        self._rows = rows_of(self.data, self.compared_data)
        self._fill_table(other is not None)
        self._fill_assets(self.data)
        self.note.setText(self._said(shown, compared))

    def _said(self, shown: str, compared: str) -> str:
        """Return what the counts are of, and what the run has to say of itself."""
        floods, planned, data = self._floods(), self._planned[shown], self.data
        if data is None or shown not in floods:
            return ""
        name, limit = floods[shown][0], f"{float(data['limits_m'][0]):.2f}"
        if isinstance(floods[shown][1], CityModel):
            note = tr("Depth ranks of {name}, each counted from its lower limit.").format(name=name)
        elif self.is_at_clock(planned):
            moment = format_time(self._desk.session.clock.time)
            note = tr("{name} at {time}, counted from {limit} m at the wall.").format(name=name, time=moment, limit=limit)
        else:
            note = tr("Greatest depth of {name}, counted from {limit} m at the wall.").format(name=name, limit=limit)
        if compared:
            note += " " + tr("Compared with {name}.").format(name=floods[compared][0])
        if self._has_filter():
            note += " " + tr("Only buildings that filters and hiding leave in sight.")
        if not isinstance(floods[shown][1], CityModel):
            note += " " + tr("Run: {statement}.").format(statement=run_statement(planned.flood))
        damage = data["damage"]
        if damage["total"] > 0.0 and not damage["verified"]:
            span = f"×{planned.plan.damage.low:g}–{planned.plan.damage.high:g}"
            note += " " + tr("Damage by {table} curves: unverified, {span}.").format(table=damage["table"], span=span)
        return note

    def _fill_table(self, with_difference: bool) -> None:
        table, rows = self.table, self._rows
        table.setRowCount(len(rows))
        table.setHorizontalHeaderLabels([tr("In the water"), tr("Count"), tr("Compared"), tr("Difference")])
        # Where there is little room the difference says enough.
        is_narrow = self.width() < NARROW * current_theme().px("font_px")
        table.setColumnHidden(2, not with_difference or is_narrow)
        table.setColumnHidden(3, not with_difference)
        for k, row in enumerate(rows):
            difference = "" if row.compared is None else difference_text(row.value - row.compared, row.unit)
            compared = "" if row.compared is None else amount_text(row.compared, row.unit)
            for column, text in enumerate((row.label, amount_text(row.value, row.unit), compared, difference)):
                table.setItem(k, column, _cell(text, column > 0))

    def _fill_assets(self, counts: dict[str, Any]) -> None:
        assets = counts["assets"][:MOST_ASSETS]
        cut_off = [] if counts["isolation"] is None else counts["isolation"]["facilities"]
        wet = {(asset["layer"], asset["id"]) for asset in assets}
        lines = [(asset, f"{asset['depth_m']:.2f} m") for asset in assets]
        lines += [(asset, tr("cut off")) for asset in cut_off if (asset["layer"], asset["id"]) not in wet]
        table = self.assets
        table.setRowCount(min(len(lines), MOST_ASSETS))
        table.setHorizontalHeaderLabels([tr("Facility"), tr("Kind"), tr("Depth")])
        for k, (asset, depth) in enumerate(lines[:MOST_ASSETS]):
            texts = (asset["name"] or asset["id"], tr(str(asset["kind"])), depth)
            for column, text in enumerate(texts):
                item = _cell(text, column == 2)
                item.setData(Qt.ItemDataRole.UserRole, AssetRef(asset["layer"], asset["id"]))
                table.setItem(k, column, item)

    def _on_row(self, item: QTableWidgetItem) -> None:
        refs = self._count.refs(self._rows[item.row()].key) if self._count is not None and item.row() < len(self._rows) else []
        if refs:
            self._desk.select(refs)

    def _on_asset(self, item: QTableWidgetItem) -> None:
        self._desk.select([item.data(Qt.ItemDataRole.UserRole)])
        self._desk.trigger("view.fit_selection")

    def _on_csv(self) -> None:
        """Write what is shown as a table."""
        from cimdesk.commands.flood_exposure import write_exposure_csv

        floods = self._floods()
        shown, _ = self._keys(floods)
        if self.data is None or shown not in self._planned:
            return
        flood = self._planned[shown].flood
        statement = None if isinstance(floods[shown][1], CityModel) else run_statement(flood)
        path = self._desk.ask.save_path(tr("Save exposure"), ".csv", tr("exposure"))
        data = {**self.data, "statement": statement}
        if path is not None and self._desk.attempt(write_exposure_csv, path, data, self._said(shown, "")) is not None:
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
        if self.isVisible() and self.at_clock.isChecked() and self._planned and not self._step_later.isActive():
            self._step_later.start()

    def _on_changed(self, changes: Changes) -> None:
        if changes.data or changes.touches("layer") or changes.touches("project"):
            moved = any(_sight(change.before) != _sight(change.after) for change in changes.records)
            if changes.data or moved or changes.touches("project"):
                self._planned.clear()
            self._soon()

    def _has_filter(self) -> bool:
        """Whether a layer shows a part of its features only."""
        return any(layer.shows_part for layer in self._desk.session.workspace.layers())

    def _soon(self) -> None:
        if self.isVisible():
            self._later.start()


def _sight(record: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Return what decides which features of a layer are in sight."""
    return tuple((record or {}).get(name) for name in ("filter", "hidden", "only"))


def _table(columns: int) -> QTableWidget:
    table = QTableWidget(0, columns)
    table.setFrameShape(QTableWidget.Shape.NoFrame)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.verticalHeader().setVisible(False)
    table.verticalHeader().setDefaultSectionSize(current_theme().px("row_px"))
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    table.horizontalHeader().setHighlightSections(False)
    return table


def _cell(text: str, is_number: bool) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    if is_number:
        item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item
