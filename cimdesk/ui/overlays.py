"""Cards over the scene: compass, scale bar with reference system and time, and the tip under the cursor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_time
from cimdesk.model.appearance import LegendCard, active_flood, legend_cards
from cimdesk.model.document import Changes
from cimdesk.model.layers import LayerKind
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.theme import Theme, current_theme
from cimdesk.ui.view_card import MARGIN, PAD, Card, advance
from cimdesk.ui.viewport import Viewport

if TYPE_CHECKING:
    from cimdesk.scene.picking import Pick


class Compass(Card):
    """A dial whose needle points north; a click turns the view north."""

    def __init__(self, viewport: Viewport, desk: Desk) -> None:
        super().__init__(viewport)
        self._viewport = viewport
        self._desk = desk
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, False)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._heading = 0.0

    def follow(self) -> None:
        """Turn with the camera."""
        scene = self._viewport.scene
        heading = float(scene.camera.heading_deg) if scene is not None else 0.0
        if abs(heading - self._heading) > 0.2:
            self._heading = heading
            self.update()

    def sizeHint(self) -> QSize:
        side = round(current_theme().px("font_px") * 3.5)
        return QSize(side, side)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._desk.trigger("view.north")

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        half = self.width() / 2.0
        painter.setPen(QPen(theme.color("line"), 1.0))
        painter.setBrush(theme.color("card", theme.px("card_alpha")))
        painter.drawEllipse(QPointF(half, half), half - 1, half - 1)
        painter.translate(half, half)
        painter.rotate(-self._heading)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("alarm"))
        size = half * 0.34
        painter.drawPolygon(
            QPolygonF([QPointF(0, -size * 0.6), QPointF(size * 0.72, size * 0.7), QPointF(-size * 0.72, size * 0.7)])
        )
        painter.setPen(theme.color("text"))
        painter.setFont(theme.font(QFont.Weight.Bold, 0.86))
        painter.drawText(QRectF(-half, -half + 2, half * 2, half * 0.75), Qt.AlignmentFlag.AlignCenter, tr("N"))
        painter.setBrush(theme.color("dim"))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(QPointF(0.0, half * 0.66), 1.6, 1.6)
        painter.end()


class ScaleBar(Card):
    """Scale, reference system, and what every figure has to say: the time, and the model's mass error when water is shown."""

    def __init__(self, viewport: Viewport, desk: Desk) -> None:
        super().__init__(viewport)
        self._viewport = viewport
        self._desk = desk
        self._bar_px = 0.0
        self._text = ""

    def follow(self) -> None:
        """Measure again: the camera, the clock or the project changed."""
        per_pixel = self._viewport.metres_per_pixel()
        length = nice_length(per_pixel * current_theme().px("font_px") * 10.0)
        bar = length / per_pixel if per_pixel > 0 else 0.0
        frame = self._desk.session.workspace.frame
        code = (
            (frame.crs.definition if frame and frame.crs else "")
            if len(frame.crs.definition if frame and frame.crs else "") < 24
            else ""
        )
        first, last = self._desk.session.clock.range
        parts = [f"{length:g} m" if length < 1000 else f"{length / 1000:g} km", code or tr("local coordinates")]
        # A narrow view has no room for what the lower panels say as well.
        room = self._viewport.width() / current_theme().px("font_px")
        if room < 22:
            parts = parts[:1]
        if last > first and room > 40:
            now = self._desk.session.clock.time
            parts.append(format_time(now))
            found = active_flood(self._desk.session.workspace)
            end = found[1].start_time + float(found[1].times[-1]) if found else now
            if now > end:
                parts.append(tr("water as at the end of the run, {time}").format(time=format_time(end)[11:]))
        text = "  ·  ".join(parts)
        if (round(bar), text) != (round(self._bar_px), self._text):
            self._bar_px, self._text = bar, text
            self.setVisible(per_pixel > 0)
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        theme = current_theme()
        width = max(self._bar_px, advance(theme.font(scale=0.92), self._text))
        return QSize(round(width) + 2 * PAD, round(theme.px("font_px") * 2.1) + 12)

    def draw(self, painter: QPainter, theme: Theme) -> None:
        painter.setPen(QPen(theme.color("text"), 1.4))
        y = 12.0
        painter.drawPolyline(
            QPolygonF([QPointF(PAD, y - 4), QPointF(PAD, y), QPointF(PAD + self._bar_px, y), QPointF(PAD + self._bar_px, y - 4)])
        )
        painter.setFont(theme.font(scale=0.92))
        painter.drawText(QRectF(PAD, y + 2, self.width(), self.height() - y - 4), Qt.AlignmentFlag.AlignVCenter, self._text)


class HoverTip(Card):
    """Name and coloured value of what is under the cursor."""

    def __init__(self, viewport: Viewport) -> None:
        super().__init__(viewport)
        self._label = ""
        self._value = ""
        self.hide()

    def show_pick(self, pick: Pick | None, at: QPoint) -> None:
        """Show a tip near the cursor, or hide it."""
        if pick is None or pick.ref is None:
            self.hide()
            return
        self._label, self._value = pick.label, pick.value
        parent = self.parentWidget()
        size = self.sizeHint()
        x, y = at.x() + 18, at.y() - size.height() - 10
        if parent is not None:
            x = min(x, parent.width() - size.width() - MARGIN)
            y = y if y > MARGIN else at.y() + 22
        self.setGeometry(x, y, size.width(), size.height())
        self.update()
        self.show()

    def sizeHint(self) -> QSize:
        theme = current_theme()
        width = max(advance(theme.font(QFont.Weight.Bold, 0.95), self._label), advance(theme.font(scale=0.95), self._value))
        row = theme.px("font_px") * 1.45
        return QSize(round(width) + 2 * PAD, round(row * (2 if self._value else 1)) + PAD)

    def draw(self, painter: QPainter, theme: Theme) -> None:
        row = theme.px("font_px") * 1.45
        painter.setPen(theme.color("text"))
        painter.setFont(theme.font(QFont.Weight.Bold, 0.95))
        painter.drawText(QRectF(PAD, PAD / 2, self.width(), row), Qt.AlignmentFlag.AlignVCenter, self._label)
        painter.setFont(theme.font(scale=0.95))
        painter.drawText(QRectF(PAD, PAD / 2 + row, self.width(), row), Qt.AlignmentFlag.AlignVCenter, self._value)


class Overlays(QWidget):
    """Places the cards over a viewport and keeps them current. Itself invisible."""

    def __init__(self, viewport: Viewport, desk: Desk) -> None:
        super().__init__()
        from cimdesk.ui.credits_card import CreditsCard
        from cimdesk.ui.legend import Legend
        from cimdesk.ui.scenario_card import ScenarioCard
        from cimdesk.ui.swipe_handle import SwipeHandle

        self._viewport = viewport
        self._desk = desk
        self._links = Links()
        self.swipe = SwipeHandle(viewport, desk)
        self.scenario = ScenarioCard(viewport, desk)
        self.compass = Compass(viewport, desk)
        self.legend = Legend(viewport)
        self.scale = ScaleBar(viewport, desk)
        self.credits = CreditsCard(viewport, desk)
        self.tip = HoverTip(viewport)
        self._sight = (False, False)
        self._width = 0
        # Many changes in one turn of the event loop place the cards once.
        self._later = QTimer(self, singleShot=True, interval=30)
        self._later.timeout.connect(self.refresh)
        self.legend.resized.connect(self.place)
        viewport.camera_moved.connect(self._on_camera)
        viewport.hovered.connect(self._on_hovered)
        desk.session_changed.connect(self.bind)
        desk.availability_changed.connect(self._on_availability)
        desk.layer_selected.connect(self._on_layer)
        self.bind()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        session = self._desk.session
        self._links.clear()
        self._links.add(session.workspace.changed, self._on_changed)
        self._links.add(session.clock.changed, self._on_time)
        self._links.add(session.clock.range_changed, self._on_time)
        self._later.start()

    def refresh(self) -> None:
        """Say everything again and place the cards."""
        session = self._desk.session
        self._sight = self._sight_now()
        xray, covered = self._sight
        networks = {layer.id for layer in session.workspace.layers() if layer.kind is LayerKind.NETWORK}
        floods = {layer.id for layer in session.workspace.layers() if layer.kind is LayerKind.FLOOD}
        cards = legend_cards(session.workspace, session.clock.time)
        # What one works on is explained first, then the water and its flow: where there is little room, the rest is left out.
        cards.sort(key=lambda card: (card.layer != self._desk.current_layer, card.layer not in floods))
        self.legend.set_cards(order_cards(cards, networks, xray, covered))
        self.scenario.refresh()
        self.compass.follow()
        self.scale.follow()
        self.credits.follow()
        self.swipe.follow()
        self.place()

    def place(self) -> None:
        """Put the cards into the corners of the view."""
        width, height = self._viewport.width(), self._viewport.height()
        if width != self._width:
            # Not at once: menus must not be filled anew while the style sheet goes through all widgets.
            self._width = width
            self._later.start()
        head = MARGIN + self.scenario.sizeHint().height()
        if self.swipe.is_on:
            names = max(head, MARGIN + self.compass.sizeHint().height()) + MARGIN // 2
            head = names + self.swipe.names_height
        self.legend.fit(height - head - 2 * MARGIN, width)
        for card, corner in ((self.scenario, "tl"), (self.compass, "tr"), (self.legend, "bl"), (self.scale, "br")):
            size = card.sizeHint()
            x = MARGIN if corner[1] == "l" else width - MARGIN - size.width()
            y = MARGIN if corner[0] == "t" else height - MARGIN - size.height()
            card.setGeometry(x, y, size.width(), size.height())
        if self.swipe.is_on:
            self.swipe.place(names)
        overlap = self.legend.isVisible() and self.legend.geometry().intersects(self.scale.geometry())
        if overlap:
            self.scale.move(self.scale.x(), max(self.compass.geometry().bottom(), head) + MARGIN)
        small = self.credits.sizeHint()
        right = width - MARGIN if overlap else self.scale.x() - MARGIN // 2
        self.credits.setGeometry(right - small.width(), height - MARGIN - small.height(), small.width(), small.height())

    def _on_layer(self, _layer: str) -> None:
        self._later.start()

    def _on_changed(self, _changes: Changes) -> None:
        self._later.start()

    def _on_time(self, _value: object) -> None:
        self.scale.follow()
        if not self._later.isActive():
            self._later.start()

    def _on_availability(self) -> None:
        if self._sight_now() != self._sight:
            self._later.start()

    def _sight_now(self) -> tuple[bool, bool]:
        """Return whether one looks through the ground, and whether it hides what is under it."""
        scene = self._viewport.scene
        return (scene.xray, scene.hides_underground) if scene is not None else (False, False)

    def _on_camera(self) -> None:
        self.tip.hide()
        self._on_availability()
        self.compass.follow()
        self.scale.follow()
        self.place()

    def _on_hovered(self, pick: Pick | None) -> None:
        self.tip.show_pick(pick, self._viewport.pointer.position.toPoint())


def order_cards(cards: list[LegendCard], networks: set[str], xray: bool, covered: bool) -> list[LegendCard]:
    """Return the cards in the order of what matters: networks first in the X-ray view, not at all while the ground hides them."""
    under = [card for card in cards if card.layer in networks]
    above = [card for card in cards if card.layer not in networks]
    return [*under, *above] if xray else above if covered else cards


def nice_length(wanted: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not above ``wanted`` [m]."""
    if wanted <= 0 or not math.isfinite(wanted):
        return 0.0
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= wanted * (1 + 1e-9))
