"""Timeline: lanes of rain, wet area, alarms and works over the one clock, with a cursor to drag."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import (
    QColor,
    QFont,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_number, format_quantity, format_time
from cimdesk.model.document import Changes
from cimdesk.model.lifecycle import STAGE_PALETTE
from cimdesk.model.sensors import STATUS_PALETTE, Status
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.lanes import (
    AlarmEvent,
    CurveLane,
    RainLane,
    Work,
    alarm_lane,
    pack_rows,
    rain_lane,
    time_ticks,
    wet_area_lane,
    works_lane,
)
from cimdesk.ui.theme import Theme, current_theme


class Timeline(QWidget):
    """The lanes. What they hold is gathered when the project changes and drawn once; moving the cursor draws a line."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        self._rain: RainLane | None = None
        self._wet: CurveLane | None = None
        self._alarms: list[AlarmEvent] = []
        self._works: list[Work] = []
        self._picture: QPixmap | None = None
        self._hits: list[tuple[QRectF, str, object]] = []
        self._dragging = False
        self.setMouseTracking(True)
        self.setMinimumHeight(90)
        self._later = QTimer(self, singleShot=True, interval=60)
        self._later.timeout.connect(self.gather)
        self._was_loading = False
        desk.runner.changed.connect(self._on_jobs)
        desk.session_changed.connect(self.bind)
        self.bind()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        session = self._desk.session
        self._links.clear()
        self._links.add(session.clock.changed, self._on_time)
        self._links.add(session.clock.range_changed, self._on_range)
        self._links.add(session.workspace.changed, self._on_changed)
        self._later.start()

    def gather(self) -> None:
        """Read the lanes from the project again."""
        workspace = self._desk.session.workspace
        self._rain = rain_lane(workspace)
        self._wet = wet_area_lane(workspace)
        self._alarms = alarm_lane(workspace)
        self._works = works_lane(workspace)
        self.redraw()

    def redraw(self) -> None:
        """Draw the lanes again: theme, language or size changed."""
        self._picture = None
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(900, round(current_theme().px("font_px") * 9.5))

    # --- places ----------------------------------------------------------------------------------------------------------

    @property
    def _left(self) -> float:
        return current_theme().px("font_px") * 9.4

    def x_of(self, time: float) -> float:
        """Return the pixel column of a moment."""
        first, last = self._desk.session.clock.range
        span = max(last - first, 1.0)
        return self._left + (time - first) / span * (self.width() - self._left - 28.0)

    def time_of(self, x: float) -> float:
        """Return the moment at a pixel column."""
        first, last = self._desk.session.clock.range
        return first + (x - self._left) / max(self.width() - self._left - 28.0, 1.0) * (last - first)

    # --- drawing ---------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        if self._picture is None:
            self._picture = self._draw_lanes(theme)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        first, last = self._desk.session.clock.range
        if last > first and not self._was_loading:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            x = self.x_of(self._desk.session.clock.time)
            painter.setPen(QPen(theme.color("accent"), 2.0))
            painter.drawLine(QPointF(x, 8.0), QPointF(x, self.height() - 4.0))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("accent"))
            painter.drawEllipse(QPointF(x, 8.0), 5.5, 5.5)
        painter.end()

    def _draw_lanes(self, theme: Theme) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(theme.color("panel"))
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._hits.clear()
        first, last = self._desk.session.clock.range
        if last <= first or self._was_loading:
            painter.setPen(theme.color("dim"))
            painter.setFont(theme.font())
            words = tr("Nothing here has times yet: add readings, mark stages or run a flood.")
            if self._was_loading:
                words = tr("Loading…")
            painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, words)
            painter.end()
            return picture
        line = theme.px("font_px")
        bottom = self.height() - line * 1.35
        heights = [(bottom - 12.0) * share for share in (0.28, 0.21, 0.13, 0.38)]
        top = 12.0
        drawers = (self._draw_rain, self._draw_wet, self._draw_alarms, self._draw_works)
        labels = (tr("Rain mm/h"), tr("Wet area ha"), tr("Alarms"), tr("Works"))
        self._draw_ticks(painter, theme, bottom)
        for draw, label, height in zip(drawers, labels, heights, strict=True):
            area = QRectF(self._left, top, self.width() - self._left - 28.0, height - 3.0)
            painter.setFont(theme.font(scale=0.9))
            painter.setPen(theme.color("dim"))
            name = painter.fontMetrics().elidedText(label, Qt.TextElideMode.ElideRight, int(self._left * 0.72))
            painter.drawText(QRectF(14, area.top(), self._left - 20, area.height()), Qt.AlignmentFlag.AlignVCenter, name)
            painter.save()
            painter.setClipRect(area.adjusted(-6, -4, 6, 4))
            draw(painter, theme, area)
            painter.restore()
            top += height
        painter.end()
        return picture

    def _draw_ticks(self, painter: QPainter, theme: Theme, bottom: float) -> None:
        first, last = self._desk.session.clock.range
        painter.setFont(theme.font(scale=0.8))
        most = max(2, int((self.width() - self._left) / (theme.px("font_px") * 7)))
        for time in time_ticks(first, last, most):
            x = self.x_of(time)
            painter.setPen(QPen(theme.color("line"), 1.0))
            painter.drawLine(QPointF(x, 10.0), QPointF(x, bottom))
            painter.setPen(theme.color("dim"))
            text = format_time(time)
            text = text[11:] if last - first < 2 * 86400 else text[:10]
            painter.drawText(QRectF(x - 60, bottom, 120, self.height() - bottom), Qt.AlignmentFlag.AlignCenter, text)

    def _draw_rain(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        lane = self._rain
        if lane is None or not len(lane.rates):
            self._draw_nothing(painter, theme, area)
            return
        peak = max(float(np.nanmax(lane.rates)), 1e-9)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("rain"))
        stride = max(1, len(lane.rates) // 600)
        for k in range(0, len(lane.rates), stride):
            rate = float(np.nanmax(lane.rates[k : k + stride]))
            x0, x1 = self.x_of(float(lane.edges[k])), self.x_of(float(lane.edges[min(k + stride, len(lane.rates))]))
            if x1 < area.left() or x0 > area.right() or rate <= 0:
                continue
            height = max(1.0, rate / peak * area.height())
            painter.drawRect(QRectF(x0, area.bottom() - height, max(1.0, (x1 - x0) * 0.78), height))
        self._draw_peak(painter, theme, area, format_number(peak))

    def _draw_wet(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        lane = self._wet
        if lane is None or not len(lane.values):
            self._draw_nothing(painter, theme, area)
            return
        peak = max(float(lane.values.max()), 1e-9)
        points = [
            QPointF(self.x_of(float(t)), area.bottom() - 1 - float(v) / peak * (area.height() - 3))
            for t, v in zip(lane.times, lane.values, strict=True)
        ]
        fill = QPolygonF([QPointF(points[0].x(), area.bottom()), *points, QPointF(points[-1].x(), area.bottom())])
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("water", 46))
        painter.drawPolygon(fill)
        painter.setPen(QPen(theme.color("water"), 2.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points))
        self._draw_peak(painter, theme, area, format_number(peak))

    def _draw_alarms(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        if not self._alarms:
            self._draw_nothing(painter, theme, area)
            return
        painter.setPen(QPen(theme.color("panel"), 1.2))
        size = theme.px("font_px") * 0.36
        for event in self._alarms:
            x = self.x_of(event.time)
            if not area.left() <= x <= area.right():
                continue
            at = QPointF(x, area.center().y())
            painter.setBrush(theme.color("alarm" if event.status is Status.ALARM else "warning"))
            if event.status is Status.ALARM:
                painter.drawEllipse(at, size, size)
            else:
                painter.drawPolygon(QPolygonF([at + QPointF(0, -size), at + QPointF(size, size), at + QPointF(-size, size)]))
            words = f"{event.name}\n{tr(STATUS_PALETTE[event.status][0])}  ·  {format_time(event.time)}"
            self._hits.append((QRectF(x - 7, area.top(), 14, area.height()), words, event))

    def _draw_works(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        first, last = self._desk.session.clock.range
        shown = [work for work in self._works if work.end > first and work.begin < last]
        if not shown:
            self._draw_nothing(painter, theme, area)
            return
        packed = pack_rows(shown, (last - first) / 200.0)
        unit = theme.px("font_px")
        bars = work_rows(area.height(), 1 + max(row for row, _ in packed), unit)
        painter.setFont(theme.font(scale=min(0.8, bars[0][1] / unit * 0.72)))
        for row, work in packed:
            x0, x1 = max(self.x_of(work.begin), area.left()), min(self.x_of(min(work.end, last)), area.right())
            offset, height = bars[row]
            gap = 1.0 if height > unit * 0.5 else 0.5
            bar = QRectF(x0, area.top() + offset + gap, max(x1 - x0, 4.0), height - 2 * gap)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(_stage_tint(theme, int(work.stage)))
            painter.drawRoundedRect(bar, height * 0.4, height * 0.4)
            painter.setPen(theme.color("text"))
            if height >= unit:
                text = painter.fontMetrics().elidedText(work.label, Qt.TextElideMode.ElideRight, int(bar.width() - 14))
                painter.drawText(bar.adjusted(8, 0, -4, 0), Qt.AlignmentFlag.AlignVCenter, text)
            until = format_time(work.end)[:10] if math.isfinite(work.end) else "…"
            stage = tr(STAGE_PALETTE[work.stage][0])
            count = tr("{count} assets").format(count=len(work.assets))
            words = f"{work.label}\n{stage}  ·  {format_time(work.begin)[:10]} – {until}\n{count}"
            self._hits.append((bar, words, work))

    def _draw_nothing(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        painter.setPen(QPen(theme.color("line"), 1.0, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(area.left(), area.center().y()), QPointF(area.right(), area.center().y()))

    def _draw_peak(self, painter: QPainter, theme: Theme, area: QRectF, text: str) -> None:
        painter.setClipping(False)
        painter.setFont(theme.font(QFont.Weight.Normal, 0.76))
        painter.setPen(theme.color("dim"))
        gutter = QRectF(0, area.top(), area.left() - 8, area.height())
        painter.drawText(gutter, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"≤ {text}")

    # --- events ----------------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            hit = self._hit(QPointF(event.pos()))
            text = hit[1] if hit else self._reading_at(self.time_of(event.pos().x()))
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        hit = self._hit(event.position())
        if hit is not None and isinstance(hit[2], AlarmEvent):
            self._desk.session.clock.set_time(hit[2].time)
            self._desk.select([hit[2].ref])
            return
        if hit is not None and isinstance(hit[2], Work):
            self._desk.select(list(hit[2].assets))
        self._dragging = True
        self._desk.session.clock.set_time(self.time_of(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragging:
            self._desk.session.clock.set_time(self.time_of(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragging = False

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._desk.player.step(1 if event.angleDelta().y() < 0 else -1)
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._picture = None
        super().resizeEvent(event)

    def _hit(self, at: QPointF) -> tuple[QRectF, str, object] | None:
        return next((hit for hit in reversed(self._hits) if hit[0].contains(at)), None)

    def _reading_at(self, time: float) -> str:
        lines = [format_time(time)]
        if self._rain is not None and len(self._rain.rates):
            k = int(np.searchsorted(self._rain.edges, time, side="right")) - 1
            if 0 <= k < len(self._rain.rates):
                lines.append(f"{tr('Rain')} {format_quantity(float(self._rain.rates[k]), 'mm/h')}")
        if self._wet is not None and len(self._wet.values):
            lines.append(f"{tr('Wet area')} {format_quantity(float(np.interp(time, self._wet.times, self._wet.values)), 'ha')}")
        return "\n".join(lines)

    def _on_jobs(self) -> None:
        if self._desk.is_loading != self._was_loading:
            # The span grows with every layer; axes that jump tell nothing.
            self._was_loading = self._desk.is_loading
            self.gather()

    def _on_time(self, _time: float) -> None:
        self.update()

    def _on_range(self, _range: tuple[float, float]) -> None:
        self.redraw()

    def _on_changed(self, changes: Changes) -> None:
        if changes.data or changes.touches("stage_event") or changes.touches("layer"):
            self._later.start()


def work_rows(space: float, count: int, unit: float) -> list[tuple[float, float]]:
    """Return offset and height [px] of rows of bars in a lane.

    Where not all have room for words, the last ones share what is left as stripes; a tip names those.
    """
    wanted = unit * 1.05
    named = count if count * wanted <= space else max(0, int(space // wanted) - 1)
    tall = min(space / count, unit * 1.25) if named == count else wanted
    slim = min((space - named * tall) / max(1, count - named), unit * 0.7)
    return [(min(k, named) * tall + max(0, k - named) * slim, tall if k < named else slim) for k in range(count)]


def _stage_tint(theme: Theme, stage: int) -> QColor:
    color = QColor(STAGE_PALETTE[stage][1])
    color.setAlpha(120 if theme.is_dark else 110)
    return color
