"""The main window: menus, toolbar, panels around the viewport, and what happens between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from cimdesk.base.i18n import language_changed, tr
from cimdesk.ui.settings import WindowSettings
from cimdesk.ui.theme import apply_theme, current_theme, load_theme

if TYPE_CHECKING:
    from cimdesk.model.document import Changes
    from cimdesk.ui.desk import Asker

BETWEEN_PAINTS_MS = 10
"""Pause in which the window shows what it has before the next part is loaded [ms]."""


class MainWindow(QMainWindow):
    """One window on one project.

    It shows itself in three steps, so that it is there soon: an empty frame, then the panels, then the 3D view. Each step loads
    what it needs when the one before is on the screen.

    Attributes
    ----------
    filled : Signal
        The panels are there, and ``desk`` with them.
    """

    filled = Signal()

    def __init__(self, asker: Asker | None = None, at_once: bool = True) -> None:
        super().__init__()
        self.presenting = False
        self.is_filled = False
        self._asker = asker
        self._view_stale = True
        self._painted = False
        self._warm = QTimer(self, singleShot=True, interval=BETWEEN_PAINTS_MS)
        self._warm.timeout.connect(self._next_step)
        self.setWindowTitle("cimdesk")
        self.setAcceptDrops(True)
        self.setMinimumSize(960, 600)
        self.resize(QSize(1600, 900).boundedTo(self.screen().availableSize()))
        geometry = WindowSettings().get("geometry", "")
        if geometry:
            self.restoreGeometry(QByteArray.fromBase64(geometry.encode()))
        if at_once:
            self.fill()

    def fill(self) -> None:
        """Make the panels and everything they need."""
        from cimdesk.ui.actions import ActionSet
        from cimdesk.ui.asker import WindowAsker
        from cimdesk.ui.bars import MenuBar, ToolBar
        from cimdesk.ui.bookmarks_panel import BookmarksPanel
        from cimdesk.ui.bottom_panel import BottomPanel
        from cimdesk.ui.desk import Desk, Links
        from cimdesk.ui.inspector import Inspector
        from cimdesk.ui.layer_panel import LayerPanel
        from cimdesk.ui.overlays import Overlays
        from cimdesk.ui.palette import Palette
        from cimdesk.ui.ready_columns import ReadyColumns
        from cimdesk.ui.start_page import StartPage
        from cimdesk.ui.status_bar import StatusBar
        from cimdesk.ui.viewport import Viewport

        self._use_theme(current_theme().name)
        self.desk = Desk(self._asker or WindowAsker(), self)
        self._ready_columns = ReadyColumns(self.desk)
        self._links = Links()
        self.actions_ = ActionSet(self.desk, self)
        self.view = Viewport()
        self.overlays = Overlays(self.view, self.desk)
        self.layers = LayerPanel(self.desk, self.actions_)
        self.bookmarks = BookmarksPanel(self.desk, self.actions_)
        self.inspector = Inspector(self.desk)
        self.bottom = BottomPanel(self.desk, self.actions_)
        self.start = StartPage(self.desk)
        self.status = StatusBar(self.desk)
        self.menus = MenuBar(self.desk, self.actions_)
        self.tools = ToolBar(self.desk, self.actions_)
        self._lay_out()
        self.palette_ = Palette(self.desk, self.actions_, self)
        self.desk.shell = self
        if isinstance(self.desk.ask, WindowAsker):
            self.desk.ask.parent = self
            self.desk.ask.project_folder = lambda: path.parent if (path := self.desk.project_path) is not None else None
        self._connect()
        self.panels.show_wanted()
        self.view.navigation = str(self.desk.settings.get("navigation", "qgis"))
        self.panels.fit()
        self.is_filled = True
        self._on_session()
        self.retranslate()
        self.tools.fit(self.width())
        self.menus.fit(self.width())
        self.filled.emit()

    def _lay_out(self) -> None:
        from cimdesk.ui.window_panels import Panels

        self.panels = Panels(self, self.desk, (self.layers, self.bookmarks), self.view, self.inspector, self.bottom)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.start)
        self.pages.addWidget(self.panels.outer)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.pages, 1)
        column.addWidget(self.status)
        self.setCentralWidget(body)
        self.setMenuBar(self.menus)
        self.addToolBar(self.tools)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        for action in self.actions_.qactions.values():
            self.addAction(action)

    def _connect(self) -> None:
        self.desk.session_changed.connect(self._on_session)
        self.desk.availability_changed.connect(self._name_window)
        self.view.pointed.connect(self.status.show_position)
        self.view.placed.connect(self.inspector.show_place)
        self.view.measured.connect(self.status.guide_measuring)
        language_changed.connect(self.retranslate)

    # --- what handlers ask of the window (desk.Shell) ----------------------------------------------------------------------

    def set_theme(self, name: str) -> None:
        """Use another theme at once."""
        self._use_theme(name)
        self.panels.fit()
        self.retranslate()
        self.view.set_theme(name)

    def show_palette(self, search: bool = False) -> None:
        """Open the command palette, or with ``search`` the search of places and assets."""
        self.palette_.open(search=search)

    def set_presenting(self, on: bool) -> None:
        """Show only the city in large type, or everything again."""
        if on == self.presenting:
            return
        self.presenting = on
        for widget in (self.menus, self.tools, self.status):
            widget.setVisible(not on)
        self.panels.show_wanted(not on)
        for sheet in self.findChildren(QWidget, "style_panel"):
            sheet.setVisible(not on)
        self.set_theme("projector" if on else str(self.desk.settings.get("theme", "light")))
        if on:
            self._was_maximized = self.isMaximized()
            self.showFullScreen()
        elif self._was_maximized:
            self.showMaximized()
        else:
            self.showNormal()
        self.view.setFocus()

    def toggle_full_screen(self) -> None:
        """Use the whole screen, or not."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    # --- following -----------------------------------------------------------------------------------------------------------

    def retranslate(self, _language: str = "") -> None:
        """Say everything in the current language and theme."""
        QApplication.setFont(current_theme().font())
        self.actions_.retranslate()
        self.menus.retranslate()
        self.tools.retranslate()
        for panel in (self.layers, self.bookmarks, self.inspector, self.bottom, self.status):
            panel.retranslate()
        self.start.refresh()
        self.overlays.refresh()
        self._name_window()

    def _on_session(self, _session: object = None) -> None:
        self._links.clear()
        self._links.add(self.desk.session.workspace.changed, self._on_changed)
        self._view_stale = True
        self._show_page()
        if self._painted:
            self._warm.start()

    def _on_changed(self, changes: Changes) -> None:
        if changes.touches("layer"):
            self._show_page()

    def _show_page(self) -> None:
        is_open = self.desk.is_open
        if not is_open:
            self.start.refresh()
        self.pages.setCurrentWidget(self.panels.outer if is_open else self.start)
        self.overlays.place()

    def _next_step(self) -> None:
        """Go on with what is missing: the panels first, then the view, which loads the drawing libraries."""
        if self.is_filled:
            self._show_view()
        else:
            self.fill()
            self._warm.start()

    def _show_view(self) -> None:
        if self._view_stale:
            self._view_stale = False
            self.view.show_session(self.desk.session)
            self.desk.availability_changed.emit()
            self.overlays.refresh()

    def _name_window(self) -> None:
        session = self.desk.session
        title = str(session.workspace.settings.get("title") or "") or (tr("Untitled project") if self.desk.is_open else "")
        star = " •" if self.desk.is_open and (session.is_scratch or session.is_dirty) else ""
        if session.read_only:
            star = f" ({tr('read only')})"
        self.setWindowTitle(f"{title}{star} – cimdesk" if title else "cimdesk")

    # --- events --------------------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Leave the space bar to a button or tick that has the keyboard; elsewhere it plays the clock."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            is_plain_space = event.key() == Qt.Key.Key_Space and event.modifiers() == Qt.KeyboardModifier.NoModifier
            if is_plain_space and _uses_space(self.focusWidget()):
                event.accept()
                return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            self._warm.start()
        if not self.is_filled:
            painter = QPainter(self)
            painter.setPen(current_theme().color("dim"))
            painter.setFont(current_theme().font(scale=1.6))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "cimdesk")
            painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if not self.is_filled:
            return
        if load_theme(current_theme().name, self.height()) is not current_theme():
            self.set_theme(current_theme().name)
        self.tools.fit(self.width())
        self.menus.fit(self.width())
        if self.palette_.isVisible():
            self.palette_.place()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        from cimdesk.ui.handlers_project import open_paths

        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        if paths and self.is_filled:
            open_paths(self.desk, paths)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if self.is_filled and event.type() == QEvent.Type.WindowStateChange and not self.isFullScreen() and self.presenting:
            self.set_presenting(False)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.is_filled:
            self._warm.stop()
            super().closeEvent(event)
            return
        from cimdesk.ui.start_page import KEPT_PICTURE, keep_picture

        if self.desk.project_path is not None and self.view.renders:
            keep_picture(self.desk.project_path, self.view.pictures.thumbnail(*KEPT_PICTURE))
        if not self.presenting:
            self.desk.settings.put(geometry=bytes(self.saveGeometry().toBase64().data()).decode(), tab=self.bottom.tab)
        self.release()
        super().closeEvent(event)

    def release(self) -> None:
        """Stop everything that runs and let go of the graphics and the project; safe twice."""
        self._warm.stop()
        if not self.is_filled:
            return
        language_changed.disconnect(self.retranslate)
        self._ready_columns.stop()
        self.desk.player.pause()
        self.desk.floods.leave()
        self.desk.runner.close()
        self.view.release()
        self.desk.session.close()

    def _use_theme(self, name: str) -> None:
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        if load_theme(name, self.height()) is not current_theme():
            apply_theme(application, name, self.height())


def _uses_space(widget: QWidget | None) -> bool:
    """Return whether the space bar does something in a widget: presses it, opens it, or ticks its row."""
    if isinstance(widget, QAbstractItemView):
        return bool(widget.currentIndex().flags() & Qt.ItemFlag.ItemIsUserCheckable)
    return isinstance(widget, QAbstractButton | QComboBox)
