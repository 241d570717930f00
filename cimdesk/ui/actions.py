"""The QActions of a window, made from the table of actions: named, enabled, explained."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QAction, QKeySequence

from cimdesk.base.errors import CimdeskError
from cimdesk.base.i18n import tr
from cimdesk.ui.action_table import ACTIONS, BY_ID, CONTROLS, MENUS, TOOLS, Action
from cimdesk.ui.desk import Desk
from cimdesk.ui.needs import Need, available, reason
from cimdesk.ui.theme import icon

FIRST_ICONS = frozenset({*TOOLS, *CONTROLS, "view.add_bookmark"})
"""Actions whose icons are seen at once."""


class ActionSet(QObject):
    """The QActions of one window, made from the table and kept up to date."""

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.qactions: dict[str, QAction] = {}
        for action in ACTIONS:
            made = QAction(self)
            made.setObjectName(action.id)
            made.setCheckable(action.checked is not None)
            made.setShortcuts([QKeySequence(keys) for keys in action.shortcut.split("; ") if keys])
            made.triggered.connect(partial(self._on_triggered, action.id))
            self.qactions[action.id] = made
        # Icons that are only in menus are drawn after the window is there: they would take a third of its start.
        self._later = QTimer(self, singleShot=True, interval=150)
        self._later.timeout.connect(self._draw_other_icons)
        desk.trigger = self.trigger
        desk.availability_changed.connect(self.refresh)
        desk.player.changed.connect(self.refresh)

    def __getitem__(self, action_id: str) -> QAction:
        return self.qactions[action_id]

    def retranslate(self) -> None:
        """Say everything in the current language, with icons of the current theme."""
        for action in ACTIONS:
            made = self.qactions[action.id]
            made.setText(tr(action.text))
            made.setIconText(short_text(action))
            if action.id in FIRST_ICONS:
                made.setIcon(icon(action.id))
        self._later.start()
        self.refresh()

    def _draw_other_icons(self) -> None:
        for action in ACTIONS:
            if action.id not in FIRST_ICONS:
                self.qactions[action.id].setIcon(icon(action.id))

    def refresh(self) -> None:
        """Enable what can be done now; say why for what cannot."""
        met = available(self._desk)
        for action in ACTIONS:
            made = self.qactions[action.id]
            missing = action.needs & ~met
            made.setEnabled(not missing)
            if action.checked is not None:
                made.setChecked(action.checked(self._desk))
            made.setToolTip(tip_of(action, missing))
            made.setStatusTip("")
        self._name_history()

    def trigger(self, action_id: str) -> None:
        """Do an action by id, if it can be done now."""
        self.qactions[action_id].trigger()

    def why_not(self, action_id: str) -> str:
        """Return why an action cannot be done now; empty when it can."""
        return why_not(BY_ID[action_id].needs & ~available(self._desk))

    def _on_triggered(self, action_id: str, _checked: bool = False) -> None:
        action = BY_ID[action_id]
        try:
            action.handler(self._desk)
        except CimdeskError as error:
            self._desk.show_error(error)
        recent = [action_id, *(known for known in self._desk.settings.get("recent_actions", []) if known != action_id)]
        self._desk.settings.put(recent_actions=recent[:12])
        self.refresh()

    def _name_history(self) -> None:
        history = self._desk.session.history
        undo, redo = self.qactions["edit.undo"], self.qactions["edit.redo"]
        undo.setText(f"{tr('Undo')}: {history.undo_label}" if history.undo_label else tr("Undo"))
        redo.setText(f"{tr('Redo')}: {history.redo_label}" if history.redo_label else tr("Redo"))
        undo.setIconText(short_text(BY_ID["edit.undo"]))
        redo.setIconText(short_text(BY_ID["edit.redo"]))


def short_text(action: Action) -> str:
    """Return the words of a button: with a little air after its icon, and the key of what one looks for in a hurry."""
    words = tr(action.text).rstrip("…")
    return f"{words}  F5" if action.id == "present.start" else f"\u2009{words}"


def why_not(missing: Need) -> str:
    """Return the reasons of unmet needs as one phrase; empty when all are met."""
    return ", ".join(reason(need) for need in missing)


def tip_of(action: Action, missing: Need) -> str:
    """Return the tool tip: what it does, its keys, and why it is disabled."""
    keys = action.shortcut.split("; ")[0]
    text = tr(action.tip) + (f"  ({keys})" if keys else "")
    return f"{text}\n{tr('Not now:')} {why_not(missing)}" if missing else text


def shortcuts_page() -> str:
    """Return the help page of all keys as Markdown, from the table, in the current language."""
    lines = [f"# {tr('Shortcuts')}", ""]
    for menu in MENUS:
        rows = [action for action in ACTIONS if action.menu == menu and action.shortcut]
        if rows:
            lines += [f"## {tr(menu)}", "", f"| {tr('Keys')} | {tr('Command')} | {tr('What it does')} |", "| --- | --- | --- |"]
            lines += [f"| `{a.shortcut}` | {tr(a.text)} | {tr(a.tip)} |" for a in rows]
            lines.append("")
    return "\n".join(lines)
