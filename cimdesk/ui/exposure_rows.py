"""What the exposure table lists: rows of counts beside those compared with, and the few numbers everybody asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_count, format_length
from cimdesk.model.appearance import DEPTH_CLASSES
from cimdesk.ui.theme import current_theme

FEW = 10
"""Counts of people below this are not shown exactly."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    key : str
        What `ExposureCount.refs` calls the assets behind it; empty for none.
    label : str
    value : float
    compared : float or None
    unit : str
        ``m``, ``people``, a currency, or empty for a count.
    """

    key: str
    label: str
    value: float
    compared: float | None
    unit: str = ""


def rows_of(counts: dict[str, Any], other: dict[str, Any] | None) -> list[Row]:
    """Return the rows: what is cut off, buildings by use, people, roads, parts of networks, damage."""
    return [
        *_isolation_rows(counts, other),
        *_building_rows(counts, other),
        *_depth_rows("people", "people_by_depth", tr("People"), "people", counts, other),
        *_storey_rows(counts, other),
        *_depth_rows("roads", "roads_m", tr("Roads"), "m", counts, other),
        *_part_rows(counts, other),
        *_damage_rows(counts, other),
    ]


def _isolation_rows(counts: dict[str, Any], other: dict[str, Any] | None) -> list[Row]:
    found, against = counts["isolation"], None if other is None else other["isolation"]
    if found is None:
        return []
    texts = (
        ("isolation:buildings", tr("No dry way out: buildings"), "buildings", ""),
        ("isolation:buildings", tr("No dry way out: people"), "people", "people"),
        ("isolation:roads", tr("Roads cut off"), "cut_off_m", "m"),
    )
    return [
        Row(key, label, float(found[name]), None if against is None else float(against[name]), unit)
        for key, label, name, unit in texts
        if found[name] or (against is not None and against[name])
    ]


def _building_rows(counts: dict[str, Any], other: dict[str, Any] | None) -> list[Row]:
    rows = []
    for use, count in counts["buildings"].items():
        compared = None if other is None else float(other["buildings"].get(use, 0))
        if count or compared:
            rows.append(Row(f"buildings:{use}", f"{tr('Buildings')}: {tr(str(use))}", float(count), compared))
    return rows


def _depth_rows(group: str, name: str, label: str, unit: str, counts: dict[str, Any], other: dict[str, Any] | None) -> list[Row]:
    rows = []
    for k, (depth, amount) in enumerate(list(counts[name].items())[1:], start=1):
        compared = None if other is None else float(other[name].get(depth, 0.0))
        if amount or compared:
            rows.append(Row(f"{group}:{k}", f"{label}: {tr(str(depth))}", float(amount), compared, unit))
    return rows


def _storey_rows(counts: dict[str, Any], other: dict[str, Any] | None) -> list[Row]:
    amount = float(counts["people_on_flooded_storeys"])
    compared = None if other is None else float(other["people_on_flooded_storeys"])
    if not amount and not compared:
        return []
    return [Row("storeys:1", tr("People on flooded storeys"), amount, compared, "people")]


def _part_rows(counts: dict[str, Any], other: dict[str, Any] | None) -> list[Row]:
    before = None if other is None else other["network_parts"]
    return [
        Row(f"parts:{kind}", f"{tr('In water')}: {tr(kind)}", float(count), None if before is None else float(before.get(kind, 0)))
        for kind, count in counts["network_parts"].items()
    ]


def _damage_rows(counts: dict[str, Any], other: dict[str, Any] | None) -> list[Row]:
    damage = counts["damage"]
    before = None if other is None else other["damage"]
    rows = []
    for name, lost in damage["by_class"].items():
        compared = None if before is None else float(before["by_class"].get(name, 0.0))
        if lost or compared:
            rows.append(Row(f"damage:{name}", f"{tr('Damage')}: {tr(name)}", float(lost), compared, damage["currency"]))
    return rows


def amount_text(value: float, unit: str) -> str:
    """Return an amount as the table shows it."""
    if unit == "m":
        return format_length(value)
    if unit == "people":
        return people_short(value)
    return money_text(value, unit) if unit else f"{value:,.0f}"


def money_text(value: float, currency: str) -> str:
    """Return money in two figures that count: more would pretend what depth curves do not know."""
    for size, word in ((1e9, tr("billion")), (1e6, tr("million"))):
        if abs(value) >= size:
            return f"{value / size:.2g} {word} {currency}"
    return f"{format_count(float(f'{value:.2g}'))} {currency}"


def difference_text(value: float, unit: str) -> str:
    """Return a difference with its sign."""
    if unit in ("", "people"):
        return f"{value:+,.0f}"
    sign = "+" if value > 0 else "-" if value < 0 else ""
    return sign + amount_text(abs(value), unit)


def people_short(value: float) -> str:
    """Return a number of people; few are not told exactly."""
    return f"< {FEW}" if 0 < value < FEW else f"{value:,.0f}"


class Headline(QWidget):
    """The numbers everybody asks for, and the people by depth as one bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: dict[str, Any] = {}
        self._other: dict[str, Any] | None = None

    def show_counts(self, counts: dict[str, Any], other: dict[str, Any] | None) -> None:
        """Show these counts, with the difference to ``other``."""
        self._counts, self._other = counts, other
        self.setMinimumWidth(current_theme().px("font_px") * (14 if other is not None else 10))
        self.update()

    def sizeHint(self) -> QSize:
        unit = current_theme().px("font_px")
        return QSize(unit * 16, unit * 8)

    def _pairs(self) -> list[tuple[str, str, float | None]]:
        counts, other = self._counts, self._other
        buildings = sum(counts["buildings"].values())
        before = sum(other["buildings"].values()) if other else None
        change = None if other is None else float(counts["people"]) - float(other["people"])
        return [
            (f"{buildings:,}", tr("buildings"), None if before is None else buildings - before),
            (people_short(float(counts["people"])), tr("people"), change),
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._counts:
            return
        theme = current_theme()
        unit = theme.px("font_px")
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for k, (number, word, change) in enumerate(self._pairs()):
            y = k * unit * 2.4
            painter.setPen(theme.color("text"))
            painter.setFont(theme.font(QFont.Weight.Bold, 1.7))
            width = painter.fontMetrics().horizontalAdvance(number)
            painter.drawText(QRectF(0, y, self.width(), unit * 2.2), Qt.AlignmentFlag.AlignVCenter, number)
            painter.setFont(theme.font())
            painter.setPen(theme.color("dim"))
            words = word + (f"   {change:+,.0f}" if change is not None else "")
            painter.drawText(QRectF(width + unit * 0.6, y, self.width(), unit * 2.4), Qt.AlignmentFlag.AlignVCenter, words)
        self._draw_bar(painter, unit * 5.2)
        painter.end()

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
        painter.drawText(
            QRectF(0, y + 10, self.width(), theme.px("font_px") * 1.7), Qt.AlignmentFlag.AlignVCenter, tr("people by depth")
        )
