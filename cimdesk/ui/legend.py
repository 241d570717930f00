"""The legend over the scene: what the colours mean, as much of it as there is room for, and the rest for a click."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.appearance import LegendCard
from cimdesk.model.sensors import STATUS_PALETTE, Status
from cimdesk.model.style import LegendEntry
from cimdesk.ui.theme import Theme, current_theme
from cimdesk.ui.view_card import PAD, Card, advance

MAX_ENTRIES = 9
TITLE_ROWS = 3
NARROWEST, WIDEST = 11.0, 21.0
"""How wide it is at most in a small and in a large view [heights of a letter]."""
SHARE = 0.27
"""Share of the view's width that it may take."""
TITLE_WIDTH = 13.0
"""Width that a title alone may ask for, before it takes another row [heights of a letter]."""
GAP = 0.45
"""Room between two blocks [rows]."""


class Legend(Card):
    """One block per coloured layer that is visible.

    Blocks that the view is too low for are left out; the last line says how many, and a click on it shows all in columns.

    Attributes
    ----------
    cards : list of LegendCard
        The blocks that are shown.
    is_open : bool
        Whether all are shown, however much of the view they cover.
    resized : Signal
        A click made it larger or smaller.
    """

    resized = Signal()

    def __init__(self, viewport: QWidget) -> None:
        super().__init__(viewport)
        self.cards: list[LegendCard] = []
        self.is_open = False
        self._all: list[LegendCard] = []
        self._columns: list[list[LegendCard]] = []
        self._left_out = 0
        self._most = MAX_ENTRIES
        self._widest = 10_000.0

    def set_cards(self, cards: list[LegendCard]) -> None:
        """Say what is coloured now."""
        self._all = [card for card in cards if card.entries]
        self._show(self._all)
        self.setVisible(bool(self.cards))
        self.updateGeometry()
        self.update()

    def fit(self, height: int, width: int) -> None:
        """Take no more than this much of a view [px]: leave the last blocks out, then the last entries of the first."""
        letter = current_theme().px("font_px")
        self._widest = min(max(SHARE * width, NARROWEST * letter), WIDEST * letter)
        self._left_out, self._most = 0, MAX_ENTRIES
        self._show(self._all)
        is_cut = self._needed(self._all) > height
        self.is_open = self.is_open and is_cut
        if self.is_open:
            self._columns = self._in_columns(height - self._row())
        while not self.is_open and len(self.cards) > 1 and self.sizeHint().height() > height:
            self._left_out += 1
            self._show(self.cards[:-1])
        if self._needed(self._columns[0] if self._columns else []) > height:
            self._most = max(2, int((height - 2 * PAD) / self._row()) - 2)
        # Only the line that can be clicked needs the mouse.
        takes_mouse = bool(self._left_out) or self.is_open
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, not takes_mouse)
        self.setToolTip(tr("Click to show the whole legend.") if self._left_out else "")
        self.setCursor(Qt.CursorShape.PointingHandCursor if takes_mouse else Qt.CursorShape.ArrowCursor)

    def sizeHint(self) -> QSize:
        width = sum(self._width(column) for column in self._columns) + PAD * max(len(self._columns) - 1, 0)
        height = max((self._needed(column) for column in self._columns), default=0.0)
        if self._left_out or self.is_open:
            height += self._row()
        return QSize(round(width) + 2 * PAD, round(height))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self.is_open = not self.is_open
        self.resized.emit()

    def draw(self, painter: QPainter, theme: Theme) -> None:
        row, x = self._row(), float(PAD)
        for column in self._columns:
            width = self._width(column)
            y = float(PAD - 2)
            for card in column:
                y = self._draw_card(painter, theme, card, QRectF(x, y, width, row)) + row * GAP
            x += width + PAD
        if self._left_out or self.is_open:
            painter.setFont(theme.font(QFont.Weight.DemiBold, 0.95))
            painter.setPen(theme.ink("accent"))
            text = tr("Show less") if self.is_open else tr("+{count} more").format(count=self._left_out)
            space = QRectF(PAD, self.height() - PAD + 2 - row, self.width(), row)
            painter.drawText(space, Qt.AlignmentFlag.AlignVCenter, text)

    def _draw_card(self, painter: QPainter, theme: Theme, card: LegendCard, line: QRectF) -> float:
        """Draw one block from ``line`` on; return where it ends."""
        row = line.height()
        painter.setFont(theme.font(QFont.Weight.Bold, 0.95))
        painter.setPen(theme.color("text"))
        for text in self._title(card, line.width()):
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, text)
            line.translate(0.0, row)
        for entry in card.entries[: self._most]:
            _draw_sample(painter, theme, QRectF(line.x(), line.y(), row, row), card.symbol, entry)
            _draw_text(painter, theme, line.adjusted(row * 1.4, 0.0, 0.0, 0.0), entry)
            line.translate(0.0, row)
        if len(card.entries) > self._most:
            painter.drawText(line.adjusted(row * 1.4, 0.0, 0.0, 0.0), Qt.AlignmentFlag.AlignVCenter, "…")
            line.translate(0.0, row)
        return line.y()

    def _show(self, cards: Sequence[LegendCard]) -> None:
        self.cards = list(cards)
        self._columns = [self.cards] if self.cards else []

    def _in_columns(self, height: float) -> list[list[LegendCard]]:
        """Return the blocks in columns no higher than this, where a block alone is not."""
        columns: list[list[LegendCard]] = []
        for card in self._all:
            if columns and self._needed([*columns[-1], card]) <= height:
                columns[-1].append(card)
            else:
                columns.append([card])
        return columns

    def _needed(self, cards: Sequence[LegendCard]) -> float:
        """Return how high a column of blocks is, with its rims [px]."""
        width = self._width(cards)
        rows = sum(len(self._title(card, width)) + self._shown(card) for card in cards)
        return (rows + GAP * max(0, len(cards) - 1)) * self._row() + 2 * PAD - 4

    def _width(self, cards: Sequence[LegendCard]) -> float:
        """Return how wide the text of a column is [px]: as its entries are; long titles take more rows instead."""
        theme, row = current_theme(), self._row()
        bold, plain, small = theme.font(QFont.Weight.Bold, 0.95), theme.font(scale=0.95), theme.font(scale=0.86)
        width = 0.0
        for card in cards:
            width = max(width, min(advance(bold, card.title), TITLE_WIDTH * theme.px("font_px")))
            for entry in card.entries[: self._most]:
                counted = advance(small, _count(entry)) + row * 0.8 if entry.count else 0.0
                width = max(width, advance(plain, entry.label) + row * 1.4 + counted)
        return min(width + 6.0, self._widest - 2 * PAD)

    @staticmethod
    def _title(card: LegendCard, width: float) -> list[str]:
        """Return a title in a few rows, broken at spaces; the last is cut where it is still too long."""
        metrics = QFontMetricsF(current_theme().font(QFont.Weight.Bold, 0.95))
        rows, words = [""], card.title.split(" ")
        for k, word in enumerate(words):
            longer = f"{rows[-1]} {word}".strip()
            if not rows[-1] or metrics.horizontalAdvance(longer) <= width:
                rows[-1] = longer
            elif len(rows) < TITLE_ROWS:
                rows.append(word)
            else:
                rows[-1] = " ".join([rows[-1], *words[k:]])
                break
        return [metrics.elidedText(text, Qt.TextElideMode.ElideRight, width + 1.0) for text in rows]

    def _shown(self, card: LegendCard) -> int:
        return min(len(card.entries), self._most) + (1 if len(card.entries) > self._most else 0)

    @staticmethod
    def _row() -> float:
        return current_theme().px("font_px") * 1.46


def _draw_text(painter: QPainter, theme: Theme, space: QRectF, entry: LegendEntry) -> None:
    """Draw what an entry means, and how many there are at the right."""
    count = _count(entry)
    painter.setFont(theme.font(scale=0.86))
    painter.setPen(theme.color("dim"))
    painter.drawText(space, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, count)
    room = space.width() - painter.fontMetrics().horizontalAdvance(count) - (8 if count else -2)
    painter.setFont(theme.font(scale=0.95))
    painter.setPen(theme.color("text"))
    text = painter.fontMetrics().elidedText(entry.label, Qt.TextElideMode.ElideRight, int(room))
    painter.drawText(space, Qt.AlignmentFlag.AlignVCenter, text)


def _draw_sample(painter: QPainter, theme: Theme, cell: QRectF, symbol: str, entry: LegendEntry) -> None:
    """Draw the colour of an entry as what it colours looks like."""
    middle, color = cell.center(), entry.color
    painter.setPen(QPen(theme.color("dim", 90), 0.8))
    painter.setBrush(QColor(color))
    status = next((k for k, (label, _) in enumerate(STATUS_PALETTE) if entry.label in (label, tr(label))), None)
    if symbol == "point" and status is not None:
        _draw_status(painter, theme, cell, Status(status), color)
    elif symbol == "point":
        painter.drawEllipse(QPointF(middle.x(), middle.y() + 0.5), cell.height() * 0.25, cell.height() * 0.25)
    elif symbol == "line":
        width = max(2.5, cell.height() * 0.15)
        ends = QPointF(cell.left() + 1, middle.y() + 0.5), QPointF(cell.right(), middle.y() + 0.5)
        # White lines, such as of slow water, need a rim.
        for shade, wide in ((theme.color("dim"), width + 1.6), (QColor(color), width)):
            painter.setPen(QPen(shade, wide, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(*ends)
    elif symbol == "ramp" and not entry.count:
        # The steps of a ramp join.
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRect(QRectF(cell.left(), cell.top(), cell.width() * 1.05, cell.height() + 0.5))
    else:
        painter.drawRoundedRect(
            QRectF(cell.left(), middle.y() - cell.height() * 0.24, cell.width() * 1.05, cell.height() * 0.5), 3, 3
        )


def _count(entry: LegendEntry) -> str:
    return f"{entry.count:,}" if entry.count else ""


def _draw_status(painter: QPainter, theme: Theme, cell: QRectF, status: Status, color: str) -> None:
    """Draw the head of a pin in miniature: colour, mark, and hollow when it is stale."""
    from cimdesk.scene.pins import MARKS

    radius = cell.height() * 0.37
    is_hollow = status is Status.STALE
    painter.setPen(QPen(QColor(color), radius * 0.3 if is_hollow else 0.8))
    painter.setBrush(theme.color("card") if is_hollow else QColor(color))
    painter.drawEllipse(cell.center(), radius * (0.85 if is_hollow else 1.0), radius * (0.85 if is_hollow else 1.0))
    before = painter.font()
    painter.setFont(theme.font(QFont.Weight.Bold, 0.72))
    painter.setPen(QColor(color) if is_hollow else QColor("#ffffff"))
    painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, MARKS.get(status, ""))
    painter.setFont(before)
