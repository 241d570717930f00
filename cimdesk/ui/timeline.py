"""Timeline: lanes of rain, wet area, alarms and works over the one clock, with a cursor to drag."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QToolTip, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.document import Changes
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.lanes import AlarmEvent, Work
from cimdesk.ui.theme import Theme, current_theme
from cimdesk.ui.timeline_lanes import LanePainter, Lanes, TimeAxis


class Timeline(QWidget):
    """The lanes. What they hold is gathered when the project changes and drawn once; moving the cursor draws a line."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        self._lanes = Lanes()
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
        self._lanes = Lanes.of(self._desk.session.workspace)
        self.redraw()

    def redraw(self) -> None:
        """Draw the lanes again: theme, language or size changed."""
        self._picture = None
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(900, round(current_theme().px("font_px") * 9.5))

    @property
    def is_empty(self) -> bool:
        """Whether nothing in the project has times, and nothing is on its way that may have some."""
        return self.axis.is_empty and not self._desk.is_loading

    @property
    def axis(self) -> TimeAxis:
        """Moments as pixel columns of this widget."""
        return TimeAxis(self._desk.session.clock.range, current_theme().px("font_px") * 9.4, float(self.width()))

    # --- drawing ---------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        if self._picture is None:
            self._picture = self._draw_lanes(theme)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        if not self.axis.is_empty and not self._was_loading:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            x = self.axis.x_of(self._desk.session.clock.time)
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
        self._hits = []
        if self.axis.is_empty or self._was_loading:
            painter.setPen(theme.color("dim"))
            painter.setFont(theme.font())
            words = tr("Nothing here has times yet: add readings, mark stages or run a flood.")
            if self._was_loading:
                words = tr("Loading…")
            painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, words)
        else:
            lanes = LanePainter(self._lanes, self.axis, float(self.height()))
            lanes.paint(painter, theme)
            self._hits = lanes.hits
        painter.end()
        return picture

    # --- events ----------------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            hit = self._hit(QPointF(event.pos()))
            text = hit[1] if hit else self._lanes.reading_at(self.axis.time_of(event.pos().x()))
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
        self._desk.session.clock.set_time(self.axis.time_of(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragging:
            self._desk.session.clock.set_time(self.axis.time_of(event.position().x()))

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
