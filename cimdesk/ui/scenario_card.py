"""Scenario card: which flood is shown, and which it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QWidget

from cimdesk.base.i18n import tr
from cimdesk.commands.flood_outputs import show_map
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_maps import shown_map
from cimdesk.ui.desk import Desk
from cimdesk.ui.flood_page import map_choices
from cimdesk.ui.handlers_compare import choose_compared, compared_key
from cimdesk.ui.handlers_plan import choose_flood
from cimdesk.ui.needs import flood_results
from cimdesk.ui.theme import current_theme, paint_card

ROOM = 6.0
"""What the compass beside the card and the margins take [heights of a letter]; the card keeps clear of it."""
SHORTEST = 6
"""Letters of a name that are always shown."""
LONGEST = 28
"""Letters of a name that are shown where there is room."""
ARROW = " ▾"


class ScenarioCard(QWidget):
    """A card with two chips. Choosing a scenario shows its water; "today" shows the dry city."""

    def __init__(self, parent: QWidget, desk: Desk) -> None:
        super().__init__(parent)
        self._desk = desk
        self._label = QLabel()
        self._label.setStyleSheet("font-weight: 600;")
        self._versus = QLabel()
        self._versus.setObjectName("dim")
        self._what = QLabel()
        self._what.setObjectName("dim")
        self.shown = _chip()
        self.map = _chip()
        self.compared = _chip()
        self.shown.setMenu(QMenu(self.shown))
        self.compared.setMenu(QMenu(self.compared))
        self.map.setMenu(QMenu(self.map))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 12, 6)
        layout.setSpacing(10)
        for widget in (self._label, self.shown, self._what, self.map, self._versus, self.compared):
            layout.addWidget(widget)

    def refresh(self) -> None:
        """Read the floods of the project again."""
        workspace = self._desk.session.workspace
        floods = flood_results(self._desk)
        current = next((item for item in floods if workspace.layer(item[0]).visible), None)
        self._label.setText(tr("Scenario"))
        self._versus.setText(tr("compare with"))
        self.shown.setText(f"{current[1] if current else tr('Today')}{ARROW}")
        self._fill(self.shown.menu(), [("", tr("Today")), *((key, name) for key, name, _ in floods)], self._show)
        against = compared_key(self._desk)
        compared = next((name for key, name, _ in floods if key == against), tr("Today"))
        others = [(key, name) for key, name, _ in floods if current is None or key != current[0]]
        self.compared.setText(f"{compared}{ARROW}")
        self._fill(self.compared.menu(), [("", tr("Today")), *others], self._compare)
        for widget in (self._versus, self.compared):
            widget.setVisible(len(floods) > 0)
        self._refresh_map(current)
        self.setVisible(self._desk.is_open)
        self._label.setVisible(True)
        parent = self.parentWidget()
        if parent is not None:
            self._fit(parent.width() - round(ROOM * current_theme().px("font_px")))
        self.adjustSize()

    def _fit(self, room: int) -> None:
        """Leave the words between the chips out where there is little room, then shorten the names on the chips."""
        if self.sizeHint().width() > room:
            for word in (self._label, self._what, self._versus):
                word.setVisible(False)
        chips = [chip for chip in (self.shown, self.map, self.compared) if not chip.isHidden()]
        names = {chip: chip.text().removesuffix(ARROW) for chip in chips}
        for chip, name in names.items():
            chip.setToolTip(name)
            chip.setText(f"{_short(name, LONGEST)}{ARROW}")
        surplus = self.sizeHint().width() - room
        # The longest gives way first; none becomes shorter than what the others leave.
        while surplus > 0:
            longest = max(chips, key=lambda chip: chip.sizeHint().width())
            length = len(longest.text().removesuffix(ARROW))
            if length <= SHORTEST:
                return
            longest.setText(f"{_short(names[longest], length - 1)}{ARROW}")
            surplus = self.sizeHint().width() - room

    def _refresh_map(self, current: tuple[str, str, FloodResult] | None) -> None:
        """Say which map of the flood is shown, and offer the others."""
        for widget in (self._what, self.map):
            widget.setVisible(current is not None)
        if current is None:
            return
        key, _, result = current
        self._what.setText(tr("Show").lower())
        shown = shown_map(self._desk.session.workspace.layer(key), result)
        choices = map_choices(result)
        self.map.setText(f"{dict(choices)[shown]}{ARROW}")
        self._fill(self.map.menu(), choices, partial(self._show_map, key))

    def _show_map(self, layer_id: str, key: str) -> None:
        self._desk.attempt(show_map, self._desk.session, layer_id, key)

    def _fill(self, menu: QMenu, entries: list[tuple[str, str]], chosen: Callable[[str], None]) -> None:
        menu.clear()
        for key, name in entries:
            menu.addAction(name, partial(chosen, key))
        if menu is self.shown.menu():
            menu.addSeparator()
            menu.addAction(tr("Run flood…"), partial(self._desk.trigger, "flood.run"))

    def _show(self, key: str) -> None:
        self._desk.attempt(choose_flood, self._desk, key)

    def _compare(self, key: str) -> None:
        choose_compared(self._desk, key)
        self.refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        paint_card(painter, self, theme, 9.0)
        painter.end()


def _chip() -> QPushButton:
    chip = QPushButton()
    chip.setObjectName("chip")
    chip.setCursor(Qt.CursorShape.PointingHandCursor)
    chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return chip


def _short(name: str, most: int) -> str:
    """Return a name without its middle: floods of one storm differ at their ends."""
    if len(name) <= most:
        return name
    head = most // 2
    return f"{name[:head].rstrip()}…{name[len(name) - (most - 1 - head) :].lstrip()}"
