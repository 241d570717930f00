"""The menu bar with the search box, and the toolbar. Both are made from the actions table."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QMenuBar, QPushButton, QSizePolicy, QToolBar, QToolButton, QWidget

from cimdesk.base.i18n import tr
from cimdesk.ui.action_table import ACTIONS, MENUS, TOOLS
from cimdesk.ui.actions import ActionSet
from cimdesk.ui.desk import Desk
from cimdesk.ui.theme import current_theme

ICON_ONLY = frozenset({"edit.undo", "edit.redo"})
"""Known well enough without words."""
SHED_FIRST = (
    "project.save",
    "select.box",
    "select.lasso",
    "project.open",
    "select.pick",
    "city.measure",
    "city.section",
    "review.report",
    "review.snapshot",
)
"""Which buttons lose their words first when the window is narrow."""
SEARCH_KEY = "Ctrl+K"


class MenuBar(QMenuBar):
    """Name, menus, search box."""

    def __init__(self, desk: Desk, actions: ActionSet, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.brand = QLabel("cimdesk")
        self.brand.setObjectName("brand")
        self.setCornerWidget(self.brand, Qt.Corner.TopLeftCorner)
        self.search = QPushButton()
        self.search.setObjectName("search")
        self.search.setCursor(Qt.CursorShape.IBeamCursor)
        self.search.clicked.connect(self._on_search)
        self._corner = QWidget()
        margins = QHBoxLayout(self._corner)
        margins.setContentsMargins(0, 3, 12, 3)
        margins.addWidget(self.search)
        self.setCornerWidget(self._corner, Qt.Corner.TopRightCorner)
        self._desk = desk
        self._width = 1600
        self.menus: dict[str, QMenu] = {}
        for name in MENUS:
            menu = self.addMenu("")
            menu.setToolTipsVisible(True)
            group = 0
            for action in ACTIONS:
                if action.menu == name:
                    if action.group != group:
                        menu.addSeparator()
                        group = action.group
                    menu.addAction(actions[action.id])
            self.menus[name] = menu

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        for name, menu in self.menus.items():
            menu.setTitle(tr(name))
        self.fit(self._width)

    def fit(self, width: int) -> None:
        """Say what the search is for where the menus leave room in ``width`` [px], else only its key."""
        self._width = width
        unit, pad = current_theme().px("font_px"), current_theme().px("menu_pad")
        letters = self.fontMetrics()
        menus = sum(letters.horizontalAdvance(menu.title()) + 2 * pad + 4 for menu in self.menus.values())
        room = width - menus - self.brand.sizeHint().width() - 4 * unit
        words = f"{tr('Search places, assets, commands…')}    {SEARCH_KEY}"
        letters = self.search.fontMetrics()
        needed = letters.horizontalAdvance(words) + 2 * unit
        fits = needed <= room
        self.search.setText(words if fits else SEARCH_KEY)
        self.search.setToolTip("" if fits else tr("Search places, assets, commands…"))
        wide = max(needed, min(24 * unit, 420, room))
        self.search.setFixedWidth(wide if fits else letters.horizontalAdvance(SEARCH_KEY) + 2 * unit)
        # A menu bar places its corners when it is resized, not when they change.
        self._corner.adjustSize()
        self.setCornerWidget(self._corner, Qt.Corner.TopRightCorner)
        self._corner.show()

    def _on_search(self) -> None:
        self._desk.trigger("help.commands")


class ToolBar(QToolBar):
    """The buttons used most; words give way to icons when the window is narrow."""

    def __init__(self, desk: Desk, actions: ActionSet, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMovable(False)
        self.setFloatable(False)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._width = 1600
        self.buttons: dict[str, QToolButton] = {}
        for name in TOOLS:
            if name:
                self.buttons[name] = self._add(actions, name)
            else:
                self.addSeparator()
        space = QWidget()
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(space)
        self.present = self._add(actions, "present.start")
        self.present.setObjectName("present")
        self.present.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)

    def fit(self, width: int) -> None:
        """Choose which buttons have words so that all fit into ``width``."""
        self._width = width
        for name, button in self.buttons.items():
            button.setToolButtonStyle(self._style(name, with_words=True))
        for name in (*SHED_FIRST, *(name for name in self.buttons if name not in SHED_FIRST)):
            if self._needed() <= width:
                return
            self.buttons[name].setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        side = current_theme().px("icon_px")
        self.setIconSize(QSize(side, side))
        for button in (*self.buttons.values(), self.present):
            button.setIconSize(QSize(side, side))
        self.fit(self._width)

    def _needed(self) -> int:
        gaps = 17 * TOOLS.count("") + 2 * len(self.buttons) + 44
        return sum(button.sizeHint().width() for button in self.buttons.values()) + self.present.sizeHint().width() + gaps

    def _add(self, actions: ActionSet, name: str) -> QToolButton:
        button = QToolButton()
        button.setDefaultAction(actions[name])
        button.setToolButtonStyle(self._style(name, with_words=True))
        self.addWidget(button)
        return button

    @staticmethod
    def _style(name: str, with_words: bool) -> Qt.ToolButtonStyle:
        words = with_words and name not in ICON_ONLY
        return Qt.ToolButtonStyle.ToolButtonTextBesideIcon if words else Qt.ToolButtonStyle.ToolButtonIconOnly
