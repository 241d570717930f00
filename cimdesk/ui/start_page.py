"""Start page: what to do when nothing is open - new, open, demo city, and recent projects."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QKeyEvent, QLinearGradient, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.paths import cache_dir
from cimdesk.base.units import format_time
from cimdesk.commands import projects
from cimdesk.ui.desk import Desk
from cimdesk.ui.handlers_project import open_project
from cimdesk.ui.theme import current_theme, icon_pixmap

CARDS = (
    ("project.demo", "Demo city", "A river district with drains, gauges, a storm and works: see everything at once"),
    ("project.open", "Open…", "A project, or city data: CityJSON, 3D Tiles, GeoTIFF, GeoPackage, EPANET, SWMM, CSV"),
    ("project.new", "New project…", "An empty project file that keeps every edit"),
)
MOST_RECENT = 6

KEPT_PICTURE = (360, 240)
"""Size of the picture of a recent project [px]."""


class StartPage(QWidget):
    """Shown while nothing is open."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("start")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._desk = desk
        self.title = QLabel()
        self.title.setObjectName("big_title")
        self.subtitle = QLabel()
        self.subtitle.setObjectName("dim")
        self.subtitle.setWordWrap(True)
        self.cards = [StartCard(desk, *card) for card in CARDS]
        self.recent_heading = QLabel()
        self.recent_heading.setObjectName("heading")
        self.recent_heading.setContentsMargins(-14, 0, 0, 0)
        self.recent = QGridLayout()
        self.recent.setSpacing(14)
        self.left_over = QPushButton()
        self.left_over.setObjectName("link")
        self.left_over.clicked.connect(self._recover)
        self.hint = QLabel()
        self.hint.setObjectName("dim")
        row = QHBoxLayout()
        row.setSpacing(14)
        for card in self.cards:
            row.addWidget(card, 1)
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self.title)
        column.addWidget(self.subtitle)
        column.addSpacing(18)
        column.addLayout(row)
        column.addSpacing(16)
        column.addWidget(self.left_over)
        column.addWidget(self.recent_heading)
        column.addLayout(self.recent)
        column.addSpacing(10)
        column.addWidget(self.hint)
        column.addStretch(3)
        inner = QWidget()
        inner.setLayout(column)
        inner.setMaximumWidth(1180)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(36, 12, 36, 12)
        outer.addStretch(1)
        outer.addWidget(inner, 30)
        outer.addStretch(1)

    def refresh(self) -> None:
        """Read the recent projects again, and say everything in the current language and theme."""
        self.title.setText("cimdesk")
        self.subtitle.setText(tr("See the city, its pipes, its sensors and its water in one place, and plan with them."))
        self.hint.setText(tr("Or drop files and folders anywhere in this window."))
        for card in self.cards:
            card.update()
        while (item := self.recent.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
        known = projects.recent()[:MOST_RECENT]
        for k, entry in enumerate(known):
            self.recent.addWidget(RecentCard(self._desk, entry), k // 3, k % 3)
        for column in range(3):
            self.recent.setColumnStretch(column, 1)
        self.recent_heading.setText(tr("Recent projects").upper())
        self.recent_heading.setVisible(bool(known))
        left = projects.recoverable()
        self.left_over.setVisible(bool(left))
        if left:
            self.left_over.setText(tr("Go on with the untitled project of {time}").format(time=format_time(left[0].time)))

    def _recover(self) -> None:
        from cimdesk.commands import sources

        left = projects.recoverable()
        session = self._desk.attempt(projects.recover, left[0], self._desk.runner) if left else None
        if session is not None:
            self._desk.bind(session)
            job = sources.load_job(session)
            if job is not None:
                session.run(job)


class StartCard(QWidget):
    """A large button with an icon, a title and a line of what it does."""

    def __init__(self, desk: Desk, action: str, title: str, text: str) -> None:
        super().__init__()
        self._desk = desk
        self._action, self._title, self._text = action, title, text
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setAccessibleName(title)

    def sizeHint(self) -> QSize:
        unit = current_theme().px("font_px")
        return QSize(unit * 20, round(unit * 10.2))

    def minimumSizeHint(self) -> QSize:
        unit = current_theme().px("font_px")
        return QSize(unit * 11, round(unit * 10.2))

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        unit = theme.px("font_px")
        is_first = self._action == CARDS[0][0]
        lively = self.underMouse() or self.hasFocus()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("accent" if lively else "line"), theme.px("line_px")))
        painter.setBrush(theme.color("panel"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 10, 10)
        side = round(unit * 1.9)
        ratio = self.devicePixelRatioF()
        painter.drawPixmap(unit, unit, icon_pixmap(self._action, theme.tokens["accent" if is_first else "text"], side, ratio))
        left, width = unit, self.width() - 2 * unit
        painter.setPen(theme.color("text"))
        painter.setFont(theme.font(QFont.Weight.Bold, 1.15))
        painter.drawText(
            QRectF(left + side + unit * 0.7, unit, width - side, side), Qt.AlignmentFlag.AlignVCenter, tr(self._title).rstrip("…")
        )
        painter.setPen(theme.color("dim"))
        painter.setFont(theme.font(scale=0.95))
        words = QRectF(left, unit * 1.6 + side, width, self.height() - side - unit * 2)
        painter.drawText(words, Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap, tr(self._text))
        painter.end()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.rect().contains(event.position().toPoint()):
            self._desk.trigger(self._action)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._desk.trigger(self._action)
        else:
            super().keyPressEvent(event)


class RecentCard(QPushButton):
    """A recent project with its picture, and a mark when its file is missing."""

    def __init__(self, desk: Desk, entry: projects.Recent) -> None:
        super().__init__()
        self.setObjectName("recent")
        self._entry = entry
        unit = current_theme().px("font_px")
        self.setFixedHeight(round(unit * 5.6))
        self.setMinimumWidth(unit * 10)
        self.setToolTip(str(entry.path))
        self.setAccessibleName(entry.title)
        self.setEnabled(not entry.is_missing)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.clicked.connect(partial(open_project, desk, entry.path))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        theme = current_theme()
        unit = theme.px("font_px")
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        picture = QPixmap(str(project_picture(self._entry.path)))
        box = QRectF(8, 8, (self.height() - 16) * 1.5, self.height() - 16)
        shape = QPainterPath()
        shape.addRoundedRect(box, 6, 6)
        painter.save()
        painter.setClipPath(shape)
        if picture.isNull():
            sky = QLinearGradient(box.topLeft(), box.bottomLeft())
            sky.setColorAt(0.0, theme.color("accent_soft"))
            sky.setColorAt(1.0, theme.color("chip"))
            painter.fillRect(box, sky)
            side = round(unit * 1.8)
            at = box.center()
            painter.drawPixmap(
                round(at.x() - side / 2), round(at.y() - side / 2), icon_pixmap("project.demo", theme.tokens["dim"], side)
            )
        else:
            mode = Qt.AspectRatioMode.KeepAspectRatioByExpanding
            painter.drawPixmap(box.topLeft(), picture.scaled(box.size().toSize(), mode, Qt.TransformationMode.SmoothTransformation))
        painter.restore()
        left = box.right() + unit * 0.8
        width = self.width() - left - 8
        painter.setPen(theme.color("text"))
        painter.setFont(theme.font(QFont.Weight.DemiBold))
        elide = Qt.TextElideMode.ElideRight
        painter.drawText(
            QRectF(left, unit * 0.9, width, unit * 1.6),
            Qt.AlignmentFlag.AlignVCenter,
            painter.fontMetrics().elidedText(self._entry.title, elide, int(width)),
        )
        missing = self._entry.is_missing
        painter.setFont(theme.font(scale=0.86))
        painter.setPen(theme.ink("alarm" if missing else "dim"))
        words = tr("file is missing") if missing else format_time(self._entry.opened)
        painter.drawText(QRectF(left, unit * 2.5, width, unit * 1.4), Qt.AlignmentFlag.AlignVCenter, words)
        painter.setPen(theme.color("dim"))
        place = painter.fontMetrics().elidedText(str(self._entry.path.parent), Qt.TextElideMode.ElideMiddle, int(width))
        painter.drawText(QRectF(left, unit * 3.8, width, unit * 1.4), Qt.AlignmentFlag.AlignVCenter, place)
        painter.end()


def keep_picture(path: Path, picture: bytes) -> None:
    """Keep a small JPEG of what a project shows, for the next start."""
    project_picture(path).write_bytes(picture)


def project_picture(path: Path) -> Path:
    """Return where the small picture of a project is kept."""
    folder = cache_dir() / "thumbnails"
    folder.mkdir(exist_ok=True)
    return folder / f"{hashlib.sha256(str(path).encode()).hexdigest()[:20]}.jpg"
