"""The actions table: complete, without clashes, and every row works on a small project."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QAction, QKeySequence

from cimdesk.base.i18n import load_catalogue, set_language, tr
from cimdesk.base.paths import resource_dir
from cimdesk.model.selection import AssetRef
from cimdesk.ui.action_table import ACTIONS, BY_ID, MENUS, TOOLS
from cimdesk.ui.actions import shortcuts_page
from cimdesk.ui.bars import SHED_FIRST
from cimdesk.ui.layer_panel import MENU
from cimdesk.ui.needs import Need, reason
from tests.gui.windows import layer_named, open_sample, open_window, wait_for_jobs

pytestmark = pytest.mark.gui


def test_ids_are_unique():
    assert len(BY_ID) == len(ACTIONS)


def test_shortcuts_are_unique_and_understood():
    keys = [key for action in ACTIONS for key in action.shortcut.split("; ") if key]
    assert len(keys) == len(set(keys))
    assert all(QKeySequence(key).toString() for key in keys)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_has_a_tip_an_icon_a_menu_and_chinese(action):
    catalogue = load_catalogue("zh_CN")
    assert action.tip
    assert action.menu in MENUS
    assert (resource_dir() / "icons" / f"{action.id}.svg").is_file()
    assert action.text in catalogue
    assert action.tip in catalogue


def test_no_icon_is_left_over():
    known = set(BY_ID)
    left = [
        file.stem for file in (resource_dir() / "icons").glob("*.svg") if file.stem not in known and not file.stem.startswith("ui.")
    ]
    assert not left


def test_every_need_has_a_reason_in_both_languages():
    english = [reason(need) for need in Need if need]
    set_language("zh_CN")
    assert all(tr(text) != text for text in english)


def test_bars_and_menus_name_known_actions():
    assert {name for name in (*TOOLS, *SHED_FIRST, *MENU) if name} <= set(BY_ID)


def test_every_action_is_reachable_from_a_menu(qtbot):
    window = open_window(qtbot)
    shown = {action.objectName() for menu in window.menus.menus.values() for action in menu.actions() if not action.isSeparator()}
    assert shown == set(BY_ID)


def test_only_the_table_makes_commands(qtbot):
    window = open_window(qtbot)
    named = [action for action in window.findChildren(QAction) if action.shortcuts()]
    assert all(action.objectName() in BY_ID for action in named)


def test_a_disabled_action_says_why(qtbot):
    window = open_window(qtbot)
    assert not window.actions_["flood.run"].isEnabled()
    assert "needs a terrain" in window.actions_["flood.run"].toolTip()
    assert window.actions_.why_not("stage.mark") == "needs a selection"


def test_the_shortcuts_page_names_every_key():
    page = shortcuts_page()
    assert all(f"`{action.shortcut}`" in page for action in ACTIONS if action.shortcut)


SKIPPED = {"project.quit", "project.close", "project.demo"}


def test_every_action_runs_on_a_small_project(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path)
    desk = window.desk
    network = layer_named(window, "network")
    for action in ACTIONS:
        if action.id in SKIPPED:
            continue
        desk.select([AssetRef(network, "C2")])
        desk.ask.answers = {"text": "a name"} if action.id != "view.add_bookmark" else {"text": "Here"}
        window.actions_.trigger(action.id)
        wait_for_jobs(qtbot, window)
        if desk.session.workspace.document.get("layer", network) is None:
            (desk.session.redo if desk.session.history.undone else desk.session.undo)()
            qtbot.waitUntil(lambda: desk.session.workspace.data(network) is not None)
    window.set_presenting(False)
    desk.player.pause()
    assert not desk.ask.errors, desk.ask.errors


def test_closing_the_project_returns_to_the_start_page(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    assert window.pages.currentWidget() is window.panels.outer
    window.actions_.trigger("project.close")
    assert window.pages.currentWidget() is window.start
