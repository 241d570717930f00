"""Section: what stands along a drawn line, with the water at the clock; a window beside the scene."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.errors import CimdeskError
from cimdesk.base.i18n import tr
from cimdesk.base.units import format_number
from cimdesk.commands.flood_section import CutPipe, Section, caption, section_along, write_csv
from cimdesk.model.appearance import DEPTH_CLASSES, SPILL_COLOR
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.lanes import value_ticks
from cimdesk.ui.theme import Theme, current_theme

if TYPE_CHECKING:
    from cimdesk.ui.viewport import Viewport

HIGHEST_SHOWN = 14.0
"""Metres above the highest ground or water that buildings are shown; towers are cut off there."""
LEAST_SPAN = 3.0


class SectionWindow(QWidget):
    """The chart of a section with its buttons; follows the line that is measured, the clock and the flood."""

    def __init__(self, desk: Desk, view: Viewport) -> None:
        super().__init__(view.window(), Qt.WindowType.Tool)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._desk, self._view = desk, view
        self._links = Links()
        self._line: list[tuple[float, float, float]] = []
        self.chart = SectionChart(desk)
        self.note = QLabel()
        self.note.setObjectName("dim")
        self.note.setWordWrap(True)
        self.csv = QPushButton()
        self.csv.clicked.connect(self.save_csv)
        self.png = QPushButton()
        self.png.clicked.connect(self.save_png)
        row = QHBoxLayout()
        row.addWidget(self.note, 1)
        row.addWidget(self.csv)
        row.addWidget(self.png)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 10)
        column.addWidget(self.chart, 1)
        column.addLayout(row)
        view.measured.connect(self.follow)
        desk.session_changed.connect(self.close)
        session = desk.session
        self._links.add(session.workspace.changed, self._on_changed)
        self._links.add(session.clock.changed, self._on_time)
        unit = current_theme().px("font_px")
        self.resize(unit * 62, unit * 27)
        self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the current language."""
        self.setWindowTitle(tr("Section"))
        self.csv.setText(tr("Save table…"))
        self.png.setText(tr("Save picture…"))
        self._tell()

    def follow(self, points: Sequence[tuple[float, float, float]]) -> None:
        """Show the section along these world points; they are the line that is being drawn."""
        self._line = list(points)
        self._cut()

    def save_csv(self) -> None:
        """Ask for a file and write the section as tables."""
        path = self._desk.ask.save_path(tr("Save table…"), ".csv", "section.csv")
        if path is None or self.chart.section is None:
            return
        try:
            written = write_csv(self.chart.section, path, self._desk.session.clock.time)
        except (CimdeskError, OSError) as error:
            self._desk.ask.show_error(error)
            return
        self._desk.message.emit(tr("Saved {names}").format(names=", ".join(file.name for file in written)))

    def save_png(self) -> None:
        """Ask for a file and save the chart as it is."""
        path = self._desk.ask.save_path(tr("Save picture…"), ".png", "section.png")
        if path is not None and self.chart.section is not None:
            self.write_png(path)
            self._desk.message.emit(tr("Saved {names}").format(names=path.name))

    def write_png(self, path: Path) -> None:
        """Save the chart, twice as sharp as on the screen."""
        from PySide6.QtGui import QImage

        picture = QImage(self.chart.size() * 2, QImage.Format.Format_RGB32)
        picture.setDevicePixelRatio(2.0)
        picture.fill(current_theme().color("panel"))
        self.chart.render(picture)
        picture.save(str(path))

    def closeEvent(self, event: object) -> None:
        self._links.clear()
        if self._view.tool == "measure":
            self._view.set_tool("pick")

    def _cut(self) -> None:
        section = None
        if len(self._line) > 1:
            line = np.array(self._line)
            if float(np.hypot(*np.diff(line[:, :2], axis=0).T).sum()) > 0.5:
                section = section_along(self._desk.session.workspace, line)
        self.chart.show_section(section)
        self._tell()

    def _tell(self) -> None:
        section = self.chart.section
        ready = section is not None
        self.csv.setEnabled(ready)
        self.png.setEnabled(ready)
        if section is None:
            self.note.setText(tr("Click the points of a line in the scene."))
            return
        self.note.setText(caption(section, self._desk.session.clock.time))

    def _on_changed(self, _value: object) -> None:
        self._cut()

    def _on_time(self, _time: float) -> None:
        self.chart.update()
        self._tell()


class SectionChart(QWidget):
    """Draws a section."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.section: Section | None = None

    def show_section(self, section: Section | None) -> None:
        """Draw this section from now on."""
        self.section = section
        self.update()

    def sizeHint(self) -> QSize:
        unit = current_theme().px("font_px")
        return QSize(unit * 60, unit * 22)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(scale=0.88))
        if self.section is None:
            painter.setPen(theme.color("dim"))
            painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, tr("Click the points of a line in the scene."))
            painter.end()
            return
        SectionPainter(painter, theme, self.section, QRectF(self.rect()), self._desk.session.clock.time).draw()
        painter.end()


class SectionPainter:
    """Draws one section into a rectangle."""

    def __init__(self, painter: QPainter, theme: Theme, section: Section, rect: QRectF, time: float) -> None:
        self.painter, self.theme, self.section, self.time = painter, theme, section, time
        unit = theme.px("font_px")
        self.unit = unit
        self.area = QRectF(unit * 3.6, unit * 2.6, rect.width() - unit * 4.6, rect.height() - unit * 4.8)
        self.key = self._placed_key()
        self.area.setTop(self.area.top() + self.key[-1][1])
        self.level = section.level_at(time)
        low, high = _heights(section, self.level)
        self.low, self.high = low, high
        self.length = max(float(section.along[-1]), 1e-6)

    def draw(self) -> None:
        """Draw everything, from what is behind to what is in front."""
        self._axes()
        self.painter.save()
        self.painter.setClipRect(self.area)
        self._buildings()
        self._deepest()
        self._water()
        self._ground()
        self._pipes()
        self.painter.restore()
        self._key()

    def _x(self, along: AnyArray | float) -> AnyArray:
        return np.asarray(self.area.left() + np.asarray(along) / self.length * self.area.width())

    def _y(self, height: AnyArray | float) -> AnyArray:
        return np.asarray(self.area.bottom() - (np.asarray(height) - self.low) / (self.high - self.low) * self.area.height())

    def _axes(self) -> None:
        painter, theme, unit = self.painter, self.theme, self.unit
        heights = value_ticks(self.low, self.high, max(2, int(self.area.height() / (unit * 2.6))))
        decimals = _decimals(heights)
        for value in heights:
            y = float(self._y(value))
            painter.setPen(QPen(theme.color("line"), 1.0))
            painter.drawLine(QPointF(self.area.left(), y), QPointF(self.area.right(), y))
            painter.setPen(theme.color("dim"))
            box = QRectF(0, y - unit, self.area.left() - 6, unit * 2)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{value + 0.0:,.{decimals}f}")
        for value in value_ticks(0.0, self.length, max(2, int(self.area.width() / (unit * 8)))):
            x = float(self._x(value))
            box = QRectF(x - 60, self.area.bottom() + 3, 120, unit * 1.5)
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, f"{format_number(value)} m")
        painter.drawText(QRectF(2, 2, unit * 6, unit * 1.5), Qt.AlignmentFlag.AlignLeft, tr("Height [m]"))

    def _buildings(self) -> None:
        painter, theme = self.painter, self.theme
        for house in self.section.buildings:
            x0, x1 = float(self._x(house.start)), float(self._x(house.end))
            top, foot = float(self._y(min(house.top, self.high + 1.0))), float(self._y(min(house.foot, house.top)))
            box = QRectF(x0, top, x1 - x0, max(foot - top, 1.0))
            painter.fillRect(box, QColor("#d9d2c3") if theme.name != "dark" else QColor("#5d5a54"))
            painter.setPen(QPen(theme.color("dim"), 1.2))
            painter.drawRect(box)
            if box.width() > self.unit * 5:
                painter.setPen(QColor("#3a352b") if theme.name != "dark" else theme.color("text"))
                name = painter.fontMetrics().elidedText(house.name, Qt.TextElideMode.ElideMiddle, int(box.width()) - 6)
                spot = QRectF(box.left(), max(box.top(), self.area.top()) + 3, box.width(), self.unit * 1.4)
                painter.drawText(spot, Qt.AlignmentFlag.AlignCenter, name)

    def _ground(self) -> None:
        known = np.isfinite(self.section.ground)
        if not known.any():
            return
        fill = QColor("#b9b2a2") if self.theme.name != "dark" else QColor("#4a4d50")
        for part in _runs(known):
            x, y = self._x(self.section.along[part]), self._y(self.section.ground[part])
            bottom = self.area.bottom()
            outline = [QPointF(float(a), float(b)) for a, b in zip(x, y, strict=True)]
            self.painter.setPen(Qt.PenStyle.NoPen)
            self.painter.setBrush(QBrush(fill))
            self.painter.drawPolygon(QPolygonF([QPointF(float(x[0]), bottom), *outline, QPointF(float(x[-1]), bottom)]))
            self.painter.setPen(QPen(self.theme.color("text"), 1.6))
            self.painter.drawPolyline(QPolygonF(outline))
        self.painter.setBrush(Qt.BrushStyle.NoBrush)

    def _water(self) -> None:
        """Fill what is between ground and water level, in the colour of its depth."""
        depth = self.section.depth_at(self.time)
        for part in _runs(np.isfinite(self.level)):
            x, top = self._x(self.section.along[part]), self._y(self.level[part])
            bed = np.where(np.isfinite(self.section.ground[part]), self.section.ground[part], self.level[part] - depth[part])
            foot = self._y(np.minimum(bed, self.level[part] - depth[part]))
            # Smoothed edges of neighbouring strips would let the ground through.
            self.painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            for k in range(len(x) - 1):
                color = next(c for low, high, c in reversed(DEPTH_CLASSES) if depth[part][k] >= low or low == DEPTH_CLASSES[0][0])
                strip = [(x[k], top[k]), (x[k + 1] + 0.6, top[k + 1]), (x[k + 1] + 0.6, foot[k + 1]), (x[k], foot[k])]
                self.painter.setPen(Qt.PenStyle.NoPen)
                self.painter.setBrush(QColor(color))
                self.painter.drawPolygon(QPolygonF([QPointF(float(a), float(b)) for a, b in strip]))
            self.painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
            self.painter.setPen(QPen(QColor(DEPTH_CLASSES[-1][2]), 1.8))
            self.painter.drawPolyline(QPolygonF([QPointF(float(a), float(b)) for a, b in zip(x, top, strict=True)]))

    def _deepest(self) -> None:
        self.painter.setPen(QPen(self.theme.color("alarm"), 1.4, Qt.PenStyle.DashLine))
        for part in _runs(np.isfinite(self.section.deepest)):
            x, y = self._x(self.section.along[part]), self._y(self.section.deepest[part])
            self.painter.drawPolyline(QPolygonF([QPointF(float(a), float(b)) for a, b in zip(x, y, strict=True)]))

    def _pipes(self) -> None:
        across = self.area.width() / self.length
        up = self.area.height() / (self.high - self.low)
        for pipe in self.section.pipes:
            x, y = float(self._x(pipe.along)), float(self._y(pipe.axis))
            if np.isfinite(pipe.rim):
                self._node(pipe, x, y)
                continue
            # A circle of the pipe's size, in the scales of the chart, and never too small to see.
            wide, high = max(pipe.diameter * across, 7.0), max(pipe.diameter * up, 7.0)
            self.painter.setPen(
                QPen(self.theme.color("text"), 1.4, Qt.PenStyle.DotLine if pipe.is_assumed else Qt.PenStyle.SolidLine)
            )
            self.painter.setBrush(QColor(pipe.color))
            self.painter.drawEllipse(QPointF(x, y), wide / 2, high / 2)

    def _node(self, pipe: CutPipe, x: float, y: float) -> None:
        top = float(self._y(pipe.rim))
        box = QRectF(x - 4.0, top, 8.0, max(y - top, 4.0))
        self.painter.setPen(QPen(QColor(pipe.color), 1.8))
        self.painter.setBrush(self.theme.color("panel"))
        self.painter.drawRect(box)
        level = self.section.node_level(pipe, self.time)
        if np.isfinite(level) and level > pipe.axis:
            water = float(self._y(level))
            over = level > pipe.rim + 0.01
            color = QColor(SPILL_COLOR if over else DEPTH_CLASSES[2][2])
            self.painter.fillRect(QRectF(x - 2.6, water, 5.2, y - water), color)

    def _placed_key(self) -> list[tuple[float, float, QColor, Qt.PenStyle, str]]:
        """Return where each line of the key stands, its colour, its kind and what it means, in as many rows as that takes."""
        theme, unit = self.theme, self.unit
        entries = [(theme.color("text"), Qt.PenStyle.SolidLine, tr("ground"))]
        if self.section.flood is not None:
            entries.append((QColor(DEPTH_CLASSES[-1][2]), Qt.PenStyle.SolidLine, tr("water now")))
            entries.append((theme.color("alarm"), Qt.PenStyle.DashLine, tr("deepest")))
        seen: dict[str, str] = {pipe.layer: pipe.color for pipe in self.section.pipes}
        entries += [(QColor(color), Qt.PenStyle.SolidLine, layer) for layer, color in seen.items()]
        metrics = QFontMetricsF(theme.font(QFont.Weight.Normal, 0.88))
        start = self.area.left() + unit * 5
        x, y = start, 0.0
        placed: list[tuple[float, float, QColor, Qt.PenStyle, str]] = []
        for color, style, text in entries:
            width = metrics.horizontalAdvance(text)
            if x > start and x + unit * 2.1 + width > self.area.right() + unit * 0.6:
                x, y = start, y + unit * 1.6
            placed.append((x, y, color, style, text))
            x += width + unit * 3.6
        return placed

    def _key(self) -> None:
        """Draw what the lines mean, above the chart."""
        painter, theme, unit = self.painter, self.theme, self.unit
        painter.setFont(theme.font(QFont.Weight.Normal, 0.88))
        for x, y, color, style, text in self.key:
            painter.setPen(QPen(color, 2.6, style))
            painter.drawLine(QPointF(x, y + unit * 1.1), QPointF(x + unit * 1.7, y + unit * 1.1))
            painter.setPen(theme.color("text"))
            box = QRectF(x + unit * 2.1, y + unit * 0.2, self.area.width(), unit * 1.8)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)


def _heights(section: Section, level: Float) -> tuple[float, float]:
    """Return the range of heights to show."""
    lows = np.concatenate([section.ground, [pipe.axis - pipe.diameter for pipe in section.pipes]])
    highs = np.concatenate([section.ground, level, section.deepest, [pipe.rim for pipe in section.pipes]])
    low = float(np.nanmin(lows)) if np.isfinite(lows).any() else 0.0
    high = float(np.nanmax(highs)) if np.isfinite(highs).any() else low
    tops = [house.top for house in section.buildings]
    if tops:
        high = max(high, min(max(tops), high + HIGHEST_SHOWN))
    pad = max(0.08 * (high - low), 0.3)
    return low - pad, max(high + pad, low + LEAST_SPAN)


def _runs(mask: AnyArray) -> list[slice]:
    """Return the stretches of two points and more where the mask is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 1]


def _decimals(ticks: list[float]) -> int:
    """Return the decimals in which all ticks can be told."""
    return next((count for count in range(4) if all(abs(round(tick, count) - tick) < 1e-6 for tick in ticks)), 4)


def open_section(desk: Desk) -> None:
    """Open the section of the line that is measured; without one, begin to draw it."""
    view = cast("Viewport", desk.view)
    window = SectionWindow(desk, view)
    gesture = view.pointer.gesture
    if gesture.kind == "measure" and len(gesture.world) > 1:
        window.follow(gesture.world)
    else:
        view.set_tool("measure")
    window.show()
