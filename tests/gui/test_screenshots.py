"""Pictures of the window in every theme, language and size, to be looked at. Written where ``CIMDESK_SCREENSHOTS`` says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cimdesk.base.i18n import LANGUAGES
from cimdesk.model.selection import AssetRef
from cimdesk.ui.handlers_project import open_project
from cimdesk.ui.theme import THEMES
from tests.gui.windows import layer_named, open_window, wait_for_jobs

pytestmark = [pytest.mark.gui, pytest.mark.slow, pytest.mark.timeout(1200)]

SIZES = ((1280, 720), (1920, 1080))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    from cimdesk.commands.demo import generate

    given = os.environ.get("CIMDESK_SCREENSHOT_PROJECT")
    return Path(given) if given else generate(tmp_path_factory.mktemp("demo"), "small", 7, storm=True).project


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    wanted = os.environ.get("CIMDESK_SCREENSHOTS")
    made = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    made.mkdir(parents=True, exist_ok=True)
    return made


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_look_of_the_window(qtbot, project, folder, size):
    window = open_window(qtbot, *size)
    desk = window.desk
    for theme in THEMES:
        window.set_theme(theme)
        for language in LANGUAGES:
            desk.set_language(language)
            qtbot.wait(150)
            assert window.grab().save(str(folder / f"start-{theme}-{language}-{size[0]}.png"))
    window.set_theme("light")
    open_project(desk, project)
    wait_for_jobs(qtbot, window, 240_000)
    first, last = desk.session.clock.range
    desk.session.clock.set_time(first + (last - first) * 0.42)
    network = layer_named(window, "network")
    desk.select([AssetRef(network, str(desk.session.workspace.features(network).ids[10]))])
    qtbot.wait(4000)
    for theme in THEMES:
        window.set_theme(theme)
        for language in LANGUAGES:
            desk.set_language(language)
            for tab in ("timeline", "exposure", "charts"):
                window.panels.show_tab(tab)
                wait_for_jobs(qtbot, window, 240_000)
                qtbot.wait(1200)
                assert window.grab().save(str(folder / f"window-{theme}-{language}-{size[0]}-{tab}.png"))
    desk.set_language("en")
    window.actions_.trigger("present.start")
    qtbot.wait(2500)
    assert window.grab().save(str(folder / f"presenting-{size[0]}.png"))
    window.actions_.trigger("select.clear")
