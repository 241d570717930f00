"""Panels of the main window: where they lie around the viewport, how large they are, and which of them are shown."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QSplitter, QWidget

from cimdesk.ui.bottom_panel import BottomPanel
from cimdesk.ui.desk import Desk
from cimdesk.ui.theme import current_theme

NAMES = ("left", "right", "bottom")


class Panels(QObject):
    """The three panels and the splitters between them.

    Attributes
    ----------
    outer : QSplitter
        Everything around and under the viewport.
    """

    def __init__(
        self, window: QWidget, desk: Desk, left: tuple[QWidget, QWidget], view: QWidget, right: QWidget, bottom: BottomPanel
    ) -> None:
        super().__init__(window)
        self._window = window
        self._desk = desk
        self._right, self._bottom = right, bottom
        self.left = QSplitter(Qt.Orientation.Vertical)
        for widget in left:
            self.left.addWidget(widget)
        self.left.setStretchFactor(0, 1)
        self.left.setSizes([420, 150])
        self._middle = QSplitter(Qt.Orientation.Horizontal)
        for widget in (self.left, view, right):
            self._middle.addWidget(widget)
        self._middle.setStretchFactor(1, 1)
        self.outer = QSplitter(Qt.Orientation.Vertical)
        self.outer.addWidget(self._middle)
        self.outer.addWidget(bottom)
        self.outer.setStretchFactor(0, 1)
        for splitter in (self.left, self._middle, self.outer):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(1)
        self._unfolded = self.outer.sizes()
        bottom.folded.connect(self.fold)

    def toggle(self, name: str) -> None:
        """Show or hide ``left``, ``right`` or ``bottom``, and remember it."""
        panel = self._panel(name)
        panel.setVisible(panel.isHidden())
        self._desk.settings.put(**{f"show_{name}": not panel.isHidden()})
        self._desk.availability_changed.emit()

    def is_shown(self, name: str) -> bool:
        """Whether a panel is shown."""
        return not self._panel(name).isHidden()

    def show_wanted(self, any_at_all: bool = True) -> None:
        """Show the panels that were shown last; none while the city is presented."""
        settings = self._desk.settings
        for name in NAMES:
            self._panel(name).setVisible(any_at_all and bool(settings.get(f"show_{name}", True)))

    def show_tab(self, name: str) -> None:
        """Show one tab of the lower panel."""
        shell = self._desk.shell
        is_alone = shell is not None and shell.presenting
        if not self._bottom.isVisible() and self._desk.is_open and not is_alone:
            self._bottom.show()
        self._bottom.show_tab(name)

    def fit(self) -> None:
        """Give the panels the room that the theme's letters and the window's size ask for."""
        unit = current_theme().px("font_px")
        width, height = self._window.width(), self._window.height()
        side = min(round(unit * 20.6), round(width * 0.2))
        right = max(min(round(unit * 22.2), round(width * 0.22)), round(unit * 14.2))
        self._middle.setSizes([max(side, 190), max(320, width - side - right), max(right, 220)])
        # High enough for a few rows of a table: the row of tabs stays where it is when one goes from tab to tab.
        low = min(max(round(unit * 14.5), round(height * 0.22)), round(height * 0.3))
        self._unfolded = [max(240, height - low), low]
        self._share_height()

    def fold(self, on: bool) -> None:
        """Give the lower panel's room to the view while there is nothing in it, and back."""
        if on:
            self._unfolded = self.outer.sizes()
        self._share_height()

    def _share_height(self) -> None:
        above, low = self._unfolded
        left = self._bottom.maximumHeight() if self._bottom.is_folded else low
        self.outer.setSizes([above + low - left, left])

    def _panel(self, name: str) -> QWidget:
        return {"left": self.left, "right": self._right, "bottom": self._bottom}[name]
