"""Parts of the style panel: the histogram with its limits, the list of colours with counts, ramps as small pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QColorDialog, QListWidget, QListWidgetItem, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from cimdesk.base.arrays import AnyArray, Int, UInt8
from cimdesk.base.i18n import tr
from cimdesk.base.units import format_number
from cimdesk.model.classes import histogram, percentiles
from cimdesk.model.ramps import ramp_levels
from cimdesk.model.style import hex_color
from cimdesk.ui.layer_tree import Index
from cimdesk.ui.theme import current_theme

BINS = 56
GRAB_PX = 7


@dataclass(frozen=True)
class Swatch:
    """One line of a `SwatchList`: a key, what is said, the colour, and how many features have it."""

    key: str
    label: str
    color: str
    count: int = -1
    fixed: bool = False


class SwatchList(QListWidget):
    """Colours with their labels and counts. A click on a colour chooses another.

    Attributes
    ----------
    recolored : Signal of (key, colour)
    """

    recolored = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setItemDelegate(_SwatchDelegate(self))
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemClicked.connect(self._on_clicked)
        self.itemActivated.connect(self._on_clicked)
        self.most_rows = 12

    def show_swatches(self, swatches: Sequence[Swatch]) -> None:
        """Show these lines."""
        self.clear()
        for swatch in swatches:
            item = QListWidgetItem(swatch.label)
            item.setData(Qt.ItemDataRole.UserRole, swatch)
            item.setToolTip(swatch.label if swatch.fixed else tr("Click for another colour"))
            self.addItem(item)
        rows = min(max(len(swatches), 1), self.most_rows)
        self.setFixedHeight(rows * (current_theme().px("row_px") + 2) + 4)

    def swatches(self) -> list[Swatch]:
        """Return the lines shown."""
        return [self.item(row).data(Qt.ItemDataRole.UserRole) for row in range(self.count())]

    def _on_clicked(self, item: QListWidgetItem) -> None:
        swatch: Swatch = item.data(Qt.ItemDataRole.UserRole)
        if not swatch.fixed and (color := choose_color(self, swatch.color)):
            self.recolored.emit(swatch.key, color)


class _SwatchDelegate(QStyledItemDelegate):
    """Draws a colour, a label, and a count at the right."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        swatch: Swatch = index.data(Qt.ItemDataRole.UserRole)
        theme, rect = current_theme(), option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = rect.height() * 0.56
        chip = QRectF(rect.left() + 4, rect.center().y() + 0.5 - side / 2, side * 1.7, side)
        painter.setPen(QPen(theme.color("dim", 120), 0.8))
        painter.setBrush(QColor(swatch.color))
        painter.drawRoundedRect(chip, 3.5, 3.5)
        painter.setPen(theme.color("dim"))
        count = f"{swatch.count:,}" if swatch.count >= 0 else ""
        width = painter.fontMetrics().horizontalAdvance(count)
        space = QRect(round(chip.right()) + 10, rect.top(), rect.right() - round(chip.right()) - 16, rect.height())
        painter.drawText(space, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, count)
        painter.setPen(theme.color("text"))
        label = painter.fontMetrics().elidedText(swatch.label, Qt.TextElideMode.ElideRight, space.width() - width - 12)
        painter.drawText(space, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, label)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, current_theme().px("row_px") + 2)


class HistogramView(QWidget):
    """How often which value occurs, in the colours it gets; limits can be dragged.

    Attributes
    ----------
    limits_changed : Signal of tuple of float
        While a limit is dragged.
    """

    limits_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self._counts: Int = np.zeros(0, dtype=np.int64)
        self._colors: UInt8 = np.zeros((0, 4), dtype=np.uint8)
        self._range = (0.0, 1.0)
        self._beyond = (False, False)
        self._log = False
        self.limits: tuple[float, ...] = ()
        self._dragged = -1

    def show_values(self, values: AnyArray, log: bool = False) -> None:
        """Count these values; those far beyond the others belong to the bars at the ends, which then say so."""
        counted = values[values > 0] if log else values
        (low, high), (least, most) = percentiles(counted, 0.5, 99.5), percentiles(counted, 0.0, 100.0)
        room = high - low
        low, high = least if low - least <= room else low, most if most - high <= room else high
        self._range, self._log = (low, high if high > low else low + 1.0), log
        self._beyond = (least < low, most > high)
        self._counts = histogram(np.clip(counted, *self._range), BINS, *self._range, log=log)
        self.update()

    def show_colors(self, colors: UInt8, limits: Sequence[float]) -> None:
        """Draw the bars in (BINS, 4) colours, with these limits."""
        self._colors, self.limits = colors, tuple(limits)
        self.update()

    def ends(self) -> tuple[str, str]:
        """Return what is written at the ends of the axis; signs where there are values beyond."""
        low, high = (_end(value) for value in self._range)
        return f"≤ {low}" if self._beyond[0] else low, f"≥ {high}" if self._beyond[1] else high

    def middles(self) -> AnyArray:
        """Return (BINS,) the value in the middle of each bar."""
        return self._value_at((np.arange(BINS) + 0.5) / BINS)

    def sizeHint(self) -> QSize:
        return QSize(200, round(current_theme().px("font_px") * 7))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plot = self._plot()
        highest = max(int(self._counts.max(initial=0)), 1)
        width = plot.width() / BINS
        painter.setPen(Qt.PenStyle.NoPen)
        for k, count in enumerate(self._counts.tolist()):
            # A root keeps rare values visible beside frequent ones.
            height = plot.height() * (count / highest) ** 0.6
            color = QColor(hex_color(self._colors[k])) if k < len(self._colors) else theme.color("accent")
            painter.setBrush(color)
            painter.drawRect(QRectF(plot.left() + k * width, plot.bottom() - height, max(width - 0.7, 0.7), height))
        painter.setPen(QPen(theme.color("line"), 1.0))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        for limit in self.limits:
            x = plot.left() + self._place(limit) * plot.width()
            painter.setPen(QPen(theme.color("text"), 1.4))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
            painter.setBrush(theme.color("text"))
            painter.drawEllipse(QPointF(x, plot.top() + 1), 3.2, 3.2)
        painter.setFont(theme.font(scale=0.86))
        painter.setPen(theme.color("dim"))
        line = QRectF(plot.left(), plot.bottom() + 2, plot.width(), self.height() - plot.bottom() - 2)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, self.ends()[0])
        painter.drawText(line, Qt.AlignmentFlag.AlignRight, self.ends()[1])
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._dragged = self._limit_at(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._dragged < 0:
            self.setCursor(Qt.CursorShape.SplitHCursor if self._limit_at(x) >= 0 else Qt.CursorShape.ArrowCursor)
            return
        part = min(max((x - self._plot().left()) / self._plot().width(), 0.0), 1.0)
        moved = list(self.limits)
        moved[self._dragged] = float(self._value_at(np.array([part]))[0])
        self.limits = tuple(sorted(moved))
        self._dragged = self.limits.index(moved[self._dragged])
        self.limits_changed.emit(self.limits)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragged = -1

    def _plot(self) -> QRectF:
        return QRectF(4, 5, self.width() - 8, self.height() - round(current_theme().px("font_px") * 1.5) - 5)

    def _limit_at(self, x: float) -> int:
        plot = self._plot()
        gaps = [abs(plot.left() + self._place(limit) * plot.width() - x) for limit in self.limits]
        nearest = min(range(len(gaps)), key=gaps.__getitem__, default=-1)
        return nearest if nearest >= 0 and gaps[nearest] <= GRAB_PX else -1

    def _place(self, value: float) -> float:
        low, high = self._range
        if self._log:
            low, high, value = (float(np.log10(max(part, 1e-300))) for part in (low, high, value))
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def _value_at(self, part: AnyArray) -> AnyArray:
        low, high = self._range
        if self._log:
            return np.asarray(10.0 ** (np.log10(max(low, 1e-300)) + part * np.log10(high / max(low, 1e-300))))
        return np.asarray(low + part * (high - low))


def _end(value: float) -> str:
    """Return a number at an end of the axis; whole numbers, such as years, without decimals or commas."""
    return f"{value:.0f}" if value.is_integer() or 1000.0 <= value <= 2200.0 else format_number(value)


def ramp_icon(name: str, reverse: bool, width: int, height: int) -> QIcon:
    """Return a ramp as a picture for a list of choices."""
    pixmap = QPixmap(width, height)
    pixmap.fill(Qt.GlobalColor.transparent)
    levels = ramp_levels(name, reverse)
    gradient = QLinearGradient(0, 0, width, 0)
    for k in range(17):
        gradient.setColorAt(k / 16, QColor(hex_color(levels[round(k / 16 * (len(levels) - 1))])))
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(gradient)
    painter.drawRoundedRect(QRectF(0, 0, width, height), 3, 3)
    painter.end()
    return QIcon(pixmap)


def choose_color(parent: QWidget, color: str) -> str:
    """Ask for a colour; empty when cancelled."""
    chosen = QColorDialog.getColor(QColor(color), parent, tr("Colour"))
    return chosen.name() if chosen.isValid() else ""
