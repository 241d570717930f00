"""Bookmarks: saved views with thumbnails; a click goes there."""

from __future__ import annotations

import base64
import binascii

from PySide6.QtCore import QPoint, QSize, Qt, QTimer
from PySide6.QtGui import QIcon, QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QListView, QListWidget, QListWidgetItem, QMenu, QToolButton, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.commands import bookmarks
from cimdesk.model.document import Changes, Record
from cimdesk.ui.actions import ActionSet
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.theme import current_theme

PICTURE = (312, 176)
"""Size of a picture drawn for a bookmark that came without one [px]."""


class BookmarksPanel(QWidget):
    """Thumbnails in two columns."""

    def __init__(self, desk: Desk, actions: ActionSet, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._desk = desk
        self._links = Links()
        self.heading = QLabel()
        self.heading.setObjectName("heading")
        self.add = QToolButton()
        self.add.setObjectName("flat")
        self.add.setDefaultAction(actions["view.add_bookmark"])
        self.add.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self.list = QListWidget()
        self.list.setViewMode(QListView.ViewMode.IconMode)
        self.list.setResizeMode(QListView.ResizeMode.Adjust)
        self.list.setMovement(QListView.Movement.Static)
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        self.list.setWordWrap(False)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.itemClicked.connect(self._on_clicked)
        self.list.itemActivated.connect(self._on_clicked)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._on_menu)
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, 8, 0)
        head.addWidget(self.heading, 1)
        head.addWidget(self.add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 6)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self.list, 1)
        self._drawn: dict[str, QPixmap] = {}
        # Bookmarks made without a window get their picture one by one while nothing else happens.
        self._missing = QTimer(self, singleShot=True, interval=700)
        self._missing.timeout.connect(self._draw_next)
        desk.session_changed.connect(self.bind)
        self.bind()
        self.retranslate()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        self._links.clear()
        self._links.add(self._desk.session.workspace.changed, self._on_changed)
        self._drawn.clear()
        self.refresh()

    def refresh(self) -> None:
        """Show the bookmarks of the project again."""
        width = max(104, round(current_theme().px("font_px") * 6.0))
        size = QSize(width, round(width * 0.56))
        self.list.setIconSize(size)
        self.list.setGridSize(QSize(width + 12, size.height() + round(current_theme().px("font_px") * 1.9)))
        self.list.clear()
        for key, record in bookmarks.bookmarks(self._desk.session):
            item = QListWidgetItem(QIcon(thumbnail(record, size, self._drawn.get(key))), str(record["name"]))
            item.setData(Qt.ItemDataRole.UserRole, key)
            item.setToolTip(str(record["name"]))
            self.list.addItem(item)
        self.setVisible(self._desk.is_open)
        self._missing.start()

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        self.heading.setText(tr("Bookmarks").upper())
        self.refresh()

    def _draw_next(self) -> None:
        view = self._desk.view
        records = bookmarks.bookmarks(self._desk.session)
        key, camera = next(((k, r["camera"]) for k, r in records if not r.get("thumbnail") and k not in self._drawn), ("", None))
        if camera is None or view is None:
            return
        if self._desk.runner.jobs or self._desk.player.playing:
            self._missing.start()
            return
        picture = view.pictures.seen_from(dict(camera), *PICTURE)
        if not picture.isNull():
            self._drawn[key] = QPixmap.fromImage(picture)
            self.refresh()
        else:
            self._missing.start()

    def _on_clicked(self, item: QListWidgetItem) -> None:
        self._desk.go_to_bookmark(str(item.data(Qt.ItemDataRole.UserRole)))

    def _on_menu(self, at: QPoint) -> None:
        item = self.list.itemAt(at)
        if item is None:
            return
        key = str(item.data(Qt.ItemDataRole.UserRole))
        menu = QMenu(self)
        rename, remove = menu.addAction(tr("Rename")), menu.addAction(tr("Remove"))
        chosen = menu.exec(self.list.viewport().mapToGlobal(at))
        menu.deleteLater()
        if chosen is rename:
            name = self._desk.ask.text(tr("Rename"), tr("Name"), item.text())
            if name:
                self._desk.attempt(bookmarks.rename, self._desk.session, key, name)
        elif chosen is remove:
            self._desk.attempt(bookmarks.remove, self._desk.session, key)

    def _on_changed(self, changes: Changes) -> None:
        if changes.touches("bookmark") or changes.touches("layer"):
            self.refresh()


def thumbnail(record: Record, size: QSize, drawn: QPixmap | None = None) -> QPixmap:
    """Return the picture of a bookmark with rounded corners; a plain card when it has none."""
    theme = current_theme()
    picture = QPixmap() if drawn is None else drawn
    try:
        if picture.isNull():
            picture.loadFromData(base64.b64decode(str(record.get("thumbnail", ""))))
    except binascii.Error:
        picture = QPixmap()
    rounded = QPixmap(size)
    rounded.fill(Qt.GlobalColor.transparent)
    painter = QPainter(rounded)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    shape = QPainterPath()
    shape.addRoundedRect(0, 0, size.width(), size.height(), 5, 5)
    painter.setClipPath(shape)
    if picture.isNull():
        painter.fillRect(0, 0, size.width(), size.height(), theme.color("chip"))
    else:
        mode = Qt.AspectRatioMode.KeepAspectRatioByExpanding
        painter.drawPixmap(0, 0, picture.scaled(size, mode, Qt.TransformationMode.SmoothTransformation))
    painter.end()
    return rounded
