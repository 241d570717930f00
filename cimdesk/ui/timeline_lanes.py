"""Lanes of the timeline: the axis of time, and how rain, wet area, alarms and works are drawn over it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPolygonF

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_number, format_quantity, format_time
from cimdesk.model.lifecycle import STAGE_PALETTE
from cimdesk.model.sensors import STATUS_PALETTE, Status
from cimdesk.model.workspace import Workspace
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
from cimdesk.ui.theme import Theme

RIGHT_PX = 28.0
SHARES = (0.28, 0.21, 0.13, 0.38)
"""Of the height, for rain, wet area, alarms and works."""


@dataclass(frozen=True)
class TimeAxis:
    """Moments as pixel columns.

    Attributes
    ----------
    range : (float, float)
        First and last moment [POSIX s].
    left, width : float
        Where the axis begins, and the width of the widget [px].
    """

    range: tuple[float, float]
    left: float
    width: float

    @property
    def is_empty(self) -> bool:
        """Whether there is no span of time."""
        return self.range[1] <= self.range[0]

    def x_of(self, time: float) -> float:
        """Return the pixel column of a moment."""
        first, last = self.range
        return self.left + (time - first) / max(last - first, 1.0) * (self.width - self.left - RIGHT_PX)

    def time_of(self, x: float) -> float:
        """Return the moment at a pixel column."""
        first, last = self.range
        return first + (x - self.left) / max(self.width - self.left - RIGHT_PX, 1.0) * (last - first)


@dataclass(frozen=True)
class Lanes:
    """What the timeline shows, read from a project."""

    rain: RainLane | None = None
    wet: CurveLane | None = None
    alarms: list[AlarmEvent] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)

    @classmethod
    def of(cls, workspace: Workspace) -> Lanes:
        """Return the lanes of a workspace."""
        return cls(rain_lane(workspace), wet_area_lane(workspace), alarm_lane(workspace), works_lane(workspace))

    def reading_at(self, time: float) -> str:
        """Return what the lanes say of a moment, a line each."""
        lines = [format_time(time)]
        if self.rain is not None and len(self.rain.rates):
            k = int(np.searchsorted(self.rain.edges, time, side="right")) - 1
            if 0 <= k < len(self.rain.rates):
                lines.append(f"{tr('Rain')} {format_quantity(float(self.rain.rates[k]), 'mm/h')}")
        if self.wet is not None and len(self.wet.values):
            lines.append(f"{tr('Wet area')} {format_quantity(float(np.interp(time, self.wet.times, self.wet.values)), 'ha')}")
        return "\n".join(lines)


class LanePainter:
    """Draws lanes once, and remembers what lies where.

    Attributes
    ----------
    hits : list of (QRectF, str, object)
        What can be pointed at: its place, its tip, and the alarm or work it stands for.
    """

    def __init__(self, lanes: Lanes, axis: TimeAxis, height: float) -> None:
        self._lanes = lanes
        self._axis = axis
        self._height = height
        self.hits: list[tuple[QRectF, str, object]] = []

    def paint(self, painter: QPainter, theme: Theme) -> None:
        """Draw all lanes with their names, over the marks of time."""
        axis = self._axis
        bottom = self._height - theme.px("font_px") * 1.35
        self._draw_ticks(painter, theme, bottom)
        top = 12.0
        for (label, draw), share in zip(self._drawers(), SHARES, strict=True):
            height = (bottom - 12.0) * share
            area = QRectF(axis.left, top, axis.width - axis.left - RIGHT_PX, height - 3.0)
            painter.setFont(theme.font(scale=0.9))
            painter.setPen(theme.color("dim"))
            name = painter.fontMetrics().elidedText(label, Qt.TextElideMode.ElideRight, int(axis.left * 0.72))
            painter.drawText(QRectF(14, area.top(), axis.left - 20, area.height()), Qt.AlignmentFlag.AlignVCenter, name)
            painter.save()
            painter.setClipRect(area.adjusted(-6, -4, 6, 4))
            draw(painter, theme, area)
            painter.restore()
            top += height

    def _drawers(self) -> tuple[tuple[str, Callable[[QPainter, Theme, QRectF], None]], ...]:
        return (
            (tr("Rain mm/h"), self._draw_rain),
            (tr("Wet area ha"), self._draw_wet),
            (tr("Alarms"), self._draw_alarms),
            (tr("Works"), self._draw_works),
        )

    def _draw_ticks(self, painter: QPainter, theme: Theme, bottom: float) -> None:
        first, last = self._axis.range
        painter.setFont(theme.font(scale=0.8))
        most = max(2, int((self._axis.width - self._axis.left) / (theme.px("font_px") * 7)))
        for time in time_ticks(first, last, most):
            x = self._axis.x_of(time)
            painter.setPen(QPen(theme.color("line"), 1.0))
            painter.drawLine(QPointF(x, 10.0), QPointF(x, bottom))
            painter.setPen(theme.color("dim"))
            text = format_time(time)
            text = text[11:] if last - first < 2 * 86400 else text[:10]
            painter.drawText(QRectF(x - 60, bottom, 120, self._height - bottom), Qt.AlignmentFlag.AlignCenter, text)

    def _draw_rain(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        lane = self._lanes.rain
        if lane is None or not len(lane.rates):
            self._draw_nothing(painter, theme, area)
            return
        peak = max(float(np.nanmax(lane.rates)), 1e-9)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("rain"))
        stride = max(1, len(lane.rates) // 600)
        for k in range(0, len(lane.rates), stride):
            rate = float(np.nanmax(lane.rates[k : k + stride]))
            x0, x1 = self._axis.x_of(float(lane.edges[k])), self._axis.x_of(float(lane.edges[min(k + stride, len(lane.rates))]))
            if x1 < area.left() or x0 > area.right() or rate <= 0:
                continue
            height = max(1.0, rate / peak * area.height())
            painter.drawRect(QRectF(x0, area.bottom() - height, max(1.0, (x1 - x0) * 0.78), height))
        self._draw_peak(painter, theme, area, format_number(peak))

    def _draw_wet(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        lane = self._lanes.wet
        if lane is None or not len(lane.values):
            self._draw_nothing(painter, theme, area)
            return
        peak = max(float(lane.values.max()), 1e-9)
        points = [
            QPointF(self._axis.x_of(float(t)), area.bottom() - 1 - float(v) / peak * (area.height() - 3))
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
        if not self._lanes.alarms:
            self._draw_nothing(painter, theme, area)
            return
        painter.setPen(QPen(theme.color("panel"), 1.2))
        size = theme.px("font_px") * 0.36
        for event in self._lanes.alarms:
            x = self._axis.x_of(event.time)
            if not area.left() <= x <= area.right():
                continue
            at = QPointF(x, area.center().y())
            painter.setBrush(theme.ink("alarm" if event.status is Status.ALARM else "warning"))
            if event.status is Status.ALARM:
                painter.drawEllipse(at, size, size)
            else:
                painter.drawPolygon(QPolygonF([at + QPointF(0, -size), at + QPointF(size, size), at + QPointF(-size, size)]))
            words = f"{event.name}\n{tr(STATUS_PALETTE[event.status][0])}  ·  {format_time(event.time)}"
            self.hits.append((QRectF(x - 7, area.top(), 14, area.height()), words, event))

    def _draw_works(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        first, last = self._axis.range
        shown = [work for work in self._lanes.works if work.end > first and work.begin < last]
        if not shown:
            self._draw_nothing(painter, theme, area)
            return
        packed = pack_rows(shown, (last - first) / 200.0)
        unit = theme.px("font_px")
        bars = work_rows(area.height(), 1 + max(row for row, _ in packed), unit)
        painter.setFont(theme.font(scale=min(0.8, bars[0][1] / unit * 0.72)))
        for row, work in packed:
            x0, x1 = max(self._axis.x_of(work.begin), area.left()), min(self._axis.x_of(min(work.end, last)), area.right())
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
            self.hits.append((bar, words, work))

    def _draw_nothing(self, painter: QPainter, theme: Theme, area: QRectF) -> None:
        painter.setPen(QPen(theme.color("line"), 1.0, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(area.left(), area.center().y()), QPointF(area.right(), area.center().y()))

    def _draw_peak(self, painter: QPainter, theme: Theme, area: QRectF, text: str) -> None:
        painter.setClipping(False)
        painter.setFont(theme.font(QFont.Weight.Normal, 0.76))
        painter.setPen(theme.color("dim"))
        gutter = QRectF(0, area.top(), area.left() - 8, area.height())
        painter.drawText(gutter, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"≤ {text}")


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
