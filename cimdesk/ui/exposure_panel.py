"""Exposure: who and what is in the water of the shown flood, beside the one it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.base.units import format_length
from cimdesk.model.appearance import DEPTH_CLASSES
from cimdesk.model.city import CityModel
from cimdesk.model.document import Changes
from cimdesk.model.flood import FloodResult
from cimdesk.model.selection import AssetRef
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.needs import flood_maps, flood_results
from cimdesk.ui.theme import current_theme

FEW = 10
"""Counts of people below this are not shown exactly."""
MOST_ASSETS = 40


@dataclass(frozen=True)
class Row:
    """One line of the table: a label, the shown count, and the one compared with."""

    label: str
    value: float
    compared: float | None
    unit: str = ""
    ref: AssetRef | None = None


class ExposurePanel(QWidget):
    """Counts by use and depth class, with the difference to the compared flood; counted in a job when looked at."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        self._counted: dict[str, dict[str, Any]] = {}
        self.note = QLabel()
        self.note.setObjectName("dim")
        self.note.setWordWrap(True)
        self.headline = Headline()
        self.table = _table(4)
        self.assets = _table(3)
        self.assets.itemClicked.connect(self._on_asset)
        row = QHBoxLayout()
        row.setSpacing(18)
        row.addWidget(self.headline, 2)
        row.addWidget(self.table, 4)
        row.addWidget(self.assets, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 2, 14, 6)
        column.setSpacing(4)
        column.addLayout(row, 1)
        column.addWidget(self.note)
        self._later = QTimer(self, singleShot=True, interval=120)
        self._later.timeout.connect(self.refresh)
        desk.session_changed.connect(self.bind)
        desk.comparison_changed.connect(self._soon)
        self.bind()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        self._links.clear()
        self._links.add(self._desk.session.workspace.changed, self._on_changed)
        self._counted.clear()
        self._later.start()

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        for table in (self.table, self.assets):
            table.verticalHeader().setDefaultSectionSize(current_theme().px("row_px"))
        self.refresh()

    def refresh(self) -> None:
        """Show the counts; floods not counted yet are counted beside the window."""
        floods: dict[str, tuple[str, FloodResult | CityModel]] = {k: (name, found) for k, name, found in flood_results(self._desk)}
        floods |= {key: (name, areas) for key, name, areas in flood_maps(self._desk)}
        workspace = self._desk.session.workspace
        shown = next((key for key in floods if workspace.layer(key).visible), "")
        compared = self._desk.compared_flood if self._desk.compared_flood in floods else ""
        for key in (shown, compared):
            if key and key not in self._counted and self.isVisible():
                self._count(key, floods[key][1])
        counts, other = self._counted.get(shown), self._counted.get(compared)
        has_counts = counts is not None
        for widget in (self.headline, self.table, self.assets):
            widget.setVisible(has_counts)
        if counts is None:
            self.note.setText(tr("Counting…") if shown else tr("Run a flood, or show one, to count who and what is in the water."))
            return
        against = floods[compared][0] if compared else ""
        limit = f"{float(counts['limits_m'][0]):.2f}"
        text = "Greatest depth of {name}, counted from {limit} m at the wall."
        if isinstance(floods[shown][1], CityModel):
            text = "Depth ranks of {name}, each counted from its lower limit."
        note = tr(text).format(name=floods[shown][0], limit=limit)
        note += " " + tr("Compared with {name}.").format(name=against) if against else ""
        note += " " + tr("Only buildings that filters and hiding leave in sight.") if self._has_filter() else ""
        self.note.setText(note)
        self.headline.show_counts(counts, other)
        self._fill_table(rows_of(counts, other), bool(compared))
        self._fill_assets(counts)

    def _count(self, key: str, result: FloodResult | CityModel) -> None:
        from cimdesk.commands.flood_exposure import exposure_of

        session = self._desk.session
        in_sight = self._has_filter()

        def work(progress: Progress, cancel: CancelToken) -> dict[str, Any]:
            return exposure_of(session, result, in_sight=in_sight)

        def done(counts: dict[str, Any]) -> None:
            self._counted[key] = counts
            self.refresh()

        self._desk.run(JobSpec(tr("Counting exposure"), work, done, key=f"exposure:{key}"))

    def _fill_table(self, rows: list[Row], with_difference: bool) -> None:
        table = self.table
        table.setRowCount(len(rows))
        table.setHorizontalHeaderLabels([tr("In the water"), tr("Count"), tr("Compared"), tr("Difference")])
        for column in (2, 3):
            table.setColumnHidden(column, not with_difference)
        for k, row in enumerate(rows):
            difference = "" if row.compared is None else f"{row.value - row.compared:+,.0f}"
            compared = "" if row.compared is None else _amount(row.compared, row.unit)
            for column, text in enumerate((row.label, _amount(row.value, row.unit), compared, difference)):
                table.setItem(k, column, _cell(text, column > 0))

    def _fill_assets(self, counts: dict[str, Any]) -> None:
        assets = counts["assets"][:MOST_ASSETS]
        table = self.assets
        table.setRowCount(len(assets))
        table.setHorizontalHeaderLabels([tr("Facility"), tr("Kind"), tr("Depth")])
        for k, asset in enumerate(assets):
            texts = (asset["name"] or asset["id"], tr(str(asset["kind"])), f"{asset['depth_m']:.2f} m")
            for column, text in enumerate(texts):
                item = _cell(text, column == 2)
                item.setData(Qt.ItemDataRole.UserRole, AssetRef(asset["layer"], asset["id"]))
                table.setItem(k, column, item)

    def _on_asset(self, item: QTableWidgetItem) -> None:
        self._desk.select([item.data(Qt.ItemDataRole.UserRole)])
        self._desk.trigger("view.fit_selection")

    def _on_changed(self, changes: Changes) -> None:
        if changes.data or changes.touches("layer"):
            if changes.data or any(_sight(change.before) != _sight(change.after) for change in changes.records):
                self._counted.clear()
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


class Headline(QWidget):
    """The two numbers everybody asks for, and the people by depth as one bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: dict[str, Any] = {}
        self._other: dict[str, Any] | None = None

    def show_counts(self, counts: dict[str, Any], other: dict[str, Any] | None) -> None:
        """Show these counts, with the difference to ``other``."""
        self._counts, self._other = counts, other
        self.update()

    def sizeHint(self) -> QSize:
        unit = current_theme().px("font_px")
        return QSize(unit * 16, unit * 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._counts:
            return
        theme = current_theme()
        unit = theme.px("font_px")
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        buildings = sum(self._counts["buildings"].values())
        before = sum(self._other["buildings"].values()) if self._other else None
        pairs = (
            (f"{buildings:,}", tr("buildings"), None if before is None else buildings - before),
            (_people(float(self._counts["people"])), tr("people"), self._people_change()),
        )
        for k, (number, word, change) in enumerate(pairs):
            y = k * unit * 2.7
            painter.setPen(theme.color("text"))
            painter.setFont(theme.font(QFont.Weight.Bold, 1.7))
            width = painter.fontMetrics().horizontalAdvance(number)
            painter.drawText(QRectF(0, y, self.width(), unit * 2.4), Qt.AlignmentFlag.AlignVCenter, number)
            painter.setFont(theme.font())
            painter.setPen(theme.color("dim"))
            words = word + (f"   {change:+,.0f}" if change is not None else "")
            painter.drawText(QRectF(width + unit * 0.6, y, self.width(), unit * 2.6), Qt.AlignmentFlag.AlignVCenter, words)
        self._draw_bar(painter, unit * 5.7)
        painter.end()

    def _people_change(self) -> float | None:
        return None if self._other is None else float(self._counts["people"]) - float(self._other["people"])

    def _draw_bar(self, painter: QPainter, y: float) -> None:
        theme = current_theme()
        shares = list(self._counts["people_by_depth"].values())[1:]
        total = sum(shares)
        if total < FEW:
            return
        x = 0.0
        width = self.width() - 8.0
        painter.setPen(Qt.PenStyle.NoPen)
        for k, share in enumerate(shares):
            painter.setBrush(QColor(DEPTH_CLASSES[min(k, len(DEPTH_CLASSES) - 1)][2]))
            painter.drawRect(QRectF(x, y, width * share / total, 9))
            x += width * share / total
        painter.setPen(theme.color("dim"))
        painter.setFont(theme.font(scale=0.84))
        painter.drawText(QRectF(0, y + 10, self.width(), 22), Qt.AlignmentFlag.AlignVCenter, tr("people by depth"))


def rows_of(counts: dict[str, Any], other: dict[str, Any] | None) -> list[Row]:
    """Return the table's rows: buildings by use, people and roads by depth class."""
    rows = []
    for use, count in counts["buildings"].items():
        if count:
            compared = None if other is None else float(other["buildings"].get(use, 0))
            rows.append(Row(f"{tr('Buildings')}: {tr(str(use))}", float(count), compared))
    for name, label, unit in (("people_by_depth", tr("People"), ""), ("roads_m", tr("Roads"), "m")):
        for depth, amount in list(counts[name].items())[1:]:
            if amount:
                compared = None if other is None else float(other[name].get(depth, 0.0))
                rows.append(
                    Row(
                        f"{label}: {tr(str(depth))}",
                        float(amount),
                        compared,
                        unit or ("people" if name.startswith("people") else ""),
                    )
                )
    return rows


def _amount(value: float, unit: str) -> str:
    if unit == "m":
        return format_length(value)
    return _people(value) if unit == "people" else f"{value:,.0f}"


def _people(value: float) -> str:
    return f"< {FEW}" if 0 < value < FEW else f"{value:,.0f}"


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
