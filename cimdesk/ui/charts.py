"""Charts drawn with QPainter: series of the selected sensors over time with thresholds and the clock, and sparklines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from cimdesk.base.arrays import Float
from cimdesk.base.i18n import tr
from cimdesk.base.units import format_number, format_time
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import Sensors
from cimdesk.model.style import CATEGORY_COLORS
from cimdesk.model.workspace import Workspace
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.lanes import time_ticks, value_ticks
from cimdesk.ui.theme import Theme, current_theme

MOST_SERIES = 8
MOST_POINTS = 1200


@dataclass(frozen=True)
class Curve:
    """One series to draw: times (N,) [POSIX s], values (N,), and what is written beside it."""

    name: str
    unit: str
    times: Float
    values: Float
    thresholds: tuple[float, float, float]


def curve_of(workspace: Workspace, ref: AssetRef) -> Curve | None:
    """Return the readings of a sensor; None for anything else."""
    data = workspace.data(ref.layer)
    if not isinstance(data, Sensors) or ref.feature not in data.features:
        return None
    row = data.features.row_of(ref.feature)
    times, values = data.observations.series(row)
    columns = data.features.columns
    limits = tuple(float(v) for v in data.thresholds[row])
    return Curve(str(columns["name"][row]), str(columns["unit"][row] or ""), times, values, (limits[0], limits[1], limits[2]))


def _tick_text(value: float) -> str:
    """Return a round value as it is, without a sign of nought."""
    value = round(value, 9) + 0.0
    return f"{value:,.0f}" if value.is_integer() else f"{value:g}"


def thin(times: Float, values: Float, most: int = MOST_POINTS) -> tuple[Float, Float]:
    """Return at most about ``most`` points that keep every peak: the least and greatest of each stretch."""
    if len(times) <= most:
        return times, values
    size = int(np.ceil(len(times) / (most / 2)))
    count = int(np.ceil(len(times) / size))
    padded = np.concatenate([values, np.full(count * size - len(values), np.nan)]).reshape(count, size)
    lowest = np.where(np.isfinite(padded), padded, np.inf).argmin(axis=1)
    highest = np.where(np.isfinite(padded), padded, -np.inf).argmax(axis=1)
    base = np.arange(count) * size
    picks = np.unique(np.concatenate([base + lowest, base + highest, [len(times) - 1]]))
    return times[picks], values[picks]


class SeriesChart(QWidget):
    """Readings of the selected sensors. A click sets the clock."""

    def __init__(self, desk: Desk, compact: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._compact = compact
        self._links = Links()
        self.curves: list[Curve] = []
        self._later = QTimer(self, singleShot=True, interval=60)
        self._later.timeout.connect(self.gather)
        desk.session_changed.connect(self.bind)
        self.bind()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        session = self._desk.session
        self._links.clear()
        self._links.add(session.selection.changed, self._soon)
        self._links.add(session.workspace.changed, self._soon)
        self._links.add(session.clock.changed, self._on_time)
        self._later.start()

    def gather(self) -> None:
        """Read the series of the selected sensors; of the first ones when none is selected."""
        workspace = self._desk.session.workspace
        refs = sorted(self._desk.session.selection.refs)[:200]
        curves = [curve for ref in refs if (curve := curve_of(workspace, ref)) is not None]
        if not curves and not self._compact:
            curves = _first_curves(workspace)
        self.curves = [curve for curve in curves if len(curve.times)][:MOST_SERIES]
        if self._compact:
            self.setVisible(bool(self.curves))
        self.update()

    def retranslate(self) -> None:
        """Draw again in the current language and theme."""
        self.update()

    def sizeHint(self) -> QSize:
        unit = current_theme().px("font_px")
        return QSize(200, round(unit * (7.4 if self._compact else 10)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        area, (first, last) = self._area(), self._range()
        if last > first:
            self._desk.session.clock.set_time(first + (event.position().x() - area.left()) / max(area.width(), 1) * (last - first))

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.curves:
            painter.setPen(theme.color("dim"))
            painter.drawText(
                QRectF(self.rect()),
                Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap,
                tr("Select sensors to see their readings."),
            )
            painter.end()
            return
        area, (first, last), (low, high) = self._area(), self._range(), self._limits()
        self._draw_axes(painter, theme, area, (first, last), (low, high))
        for k, curve in enumerate(self.curves):
            self._draw_curve(painter, _curve_color(theme, k), curve, area, (first, last), (low, high))
        x = area.left() + (self._desk.session.clock.time - first) / max(last - first, 1.0) * area.width()
        if area.left() <= x <= area.right():
            painter.setPen(QPen(theme.color("accent"), 1.4))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.end()

    def _area(self) -> QRectF:
        unit = current_theme().px("font_px")
        right = unit * 0.6 if self._compact else self._names_width() + unit * 1.5
        top = unit * (1.3 if self._unit else 0.7)
        return QRectF(unit * 3.2, top, self.width() - unit * 3.2 - right, self.height() - top - unit * 1.5)

    @property
    def _unit(self) -> str:
        """The unit that all curves share; empty where they do not."""
        units = {curve.unit for curve in self.curves}
        return units.pop() if len(units) == 1 else ""

    def _name_of(self, curve: Curve) -> str:
        return f"{curve.name} [{curve.unit}]" if curve.unit and not self._unit else curve.name

    def _names_width(self) -> float:
        """Return what the names need, at most two fifths of the chart."""
        unit = current_theme().px("font_px")
        metrics = QFontMetricsF(current_theme().font(scale=0.88))
        widest = max((metrics.horizontalAdvance(self._name_of(curve)) for curve in self.curves), default=0.0)
        return min(widest + unit * 2.0, self.width() * 0.4)

    def _range(self) -> tuple[float, float]:
        first, last = self._desk.session.clock.range
        if last > first:
            return first, last
        return min(float(c.times[0]) for c in self.curves), max(float(c.times[-1]) for c in self.curves)

    def _limits(self) -> tuple[float, float]:
        finite = [c.values[np.isfinite(c.values)] for c in self.curves]
        ends = [v for part in finite if len(part) for v in (float(part.min()), float(part.max()))]
        limits = [t for c in self.curves for t in c.thresholds if np.isfinite(t)]
        if ends:
            # A threshold far above every reading would flatten the curves; it is left out of the scale.
            span = max(ends) - min(ends)
            ends += [t for t in limits if t <= max(ends) + max(span, 1e-6) * 1.5]
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        pad = (high - low) * 0.08 or max(abs(high) * 0.1, 0.05)
        return (low - pad if low < 0 or low > pad else 0.0), high + pad

    def _draw_axes(
        self, painter: QPainter, theme: Theme, area: QRectF, times: tuple[float, float], limits: tuple[float, float]
    ) -> None:
        painter.setFont(theme.font(scale=0.8))
        unit = theme.px("font_px")
        low, high = limits
        if self._unit:
            painter.setPen(theme.color("dim"))
            top = QRectF(4, 0, area.left() + unit * 4, area.top() - unit * 0.2)
            painter.drawText(top, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self._unit)
        for value in value_ticks(low, high, max(2, min(4, int(area.height() / (unit * 2.0))))):
            y = area.bottom() - (value - low) / max(high - low, 1e-12) * area.height()
            painter.setPen(QPen(theme.color("line"), 1.0))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(theme.color("dim"))
            box = QRectF(0, y - unit, area.left() - 5, unit * 2)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, _tick_text(value))
        for time in time_ticks(*times, max(2, int(area.width() / (unit * 7)))):
            x = area.left() + (time - times[0]) / max(times[1] - times[0], 1.0) * area.width()
            text = format_time(time)
            text = text[11:] if times[1] - times[0] < 2 * 86400 else text[5:10]
            painter.drawText(QRectF(x - 50, area.bottom() + 2, 100, unit * 1.3), Qt.AlignmentFlag.AlignCenter, text)
        if len(self.curves) == 1:
            above = -1e9
            for limit, token in reversed(list(zip(self.curves[0].thresholds, ("attention", "warning", "alarm"), strict=True))):
                if np.isfinite(limit) and low <= limit <= high:
                    y = area.bottom() - (limit - low) / (high - low) * area.height()
                    painter.setPen(QPen(theme.ink(token), 1.2, Qt.PenStyle.DashLine))
                    painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
                    # Close limits share the room of one label: the most severe one is said.
                    if y - above > unit * 1.1:
                        label = QRectF(area.left(), y - unit * 1.15, area.width() - 2, unit * 1.1)
                        painter.drawText(label, Qt.AlignmentFlag.AlignRight, f"{_limit_name(token)} {format_number(limit)}")
                        above = y

    def _draw_curve(
        self, painter: QPainter, color: QColor, curve: Curve, area: QRectF, times: tuple[float, float], limits: tuple[float, float]
    ) -> None:
        t, v = thin(curve.times, curve.values)
        x = area.left() + (t - times[0]) / max(times[1] - times[0], 1.0) * area.width()
        y = area.bottom() - (v - limits[0]) / max(limits[1] - limits[0], 1e-12) * area.height()
        painter.save()
        painter.setClipRect(area.adjusted(-1, -3, 1, 3))
        painter.setPen(QPen(color, 1.8))
        gaps = np.flatnonzero(~np.isfinite(y))
        for part in np.split(np.arange(len(t)), gaps):
            part = part[np.isfinite(y[part])]
            if len(part):
                painter.drawPolyline(QPolygonF([QPointF(float(a), float(b)) for a, b in zip(x[part], y[part], strict=True)]))
        painter.restore()
        if not self._compact:
            self._draw_name(painter, color, curve, area)

    def _draw_name(self, painter: QPainter, color: QColor, curve: Curve, area: QRectF) -> None:
        theme = current_theme()
        unit = theme.px("font_px")
        row = QRectF(area.right() + unit, area.top() + self.curves.index(curve) * unit * 1.35, self._names_width(), unit * 1.3)
        painter.setPen(QPen(color, 2.4))
        painter.drawLine(QPointF(row.left(), row.center().y()), QPointF(row.left() + unit, row.center().y()))
        painter.setPen(theme.color("text"))
        painter.setFont(theme.font(scale=0.88))
        text = self._name_of(curve)
        space = row.adjusted(unit * 1.4, 0, 0, 0)
        painter.drawText(
            space,
            Qt.AlignmentFlag.AlignVCenter,
            painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(space.width())),
        )

    def _soon(self, _value: object) -> None:
        self._later.start()

    def _on_time(self, _time: float) -> None:
        if self.curves:
            self.update()


def _first_curves(workspace: Workspace) -> list[Curve]:
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if isinstance(data, Sensors):
            keys = [str(key) for key in data.features.ids[:4]]
            return [curve for key in keys if (curve := curve_of(workspace, AssetRef(layer.id, key))) is not None]
    return []


def _curve_color(theme: Theme, k: int) -> QColor:
    return theme.color("attention") if k == 0 else QColor(CATEGORY_COLORS[k % len(CATEGORY_COLORS)])


def _limit_name(token: str) -> str:
    return {"attention": tr("Attention"), "warning": tr("Warning"), "alarm": tr("Alarm")}[token]
