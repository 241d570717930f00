"""The bars stay whole when theme and language change."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint

from cimdesk.ui.theme import current_theme
from tests.gui.windows import open_window

pytestmark = pytest.mark.gui


def test_the_search_box_stays_at_the_right_edge_in_every_theme(qtbot):
    window = open_window(qtbot)
    for theme in ("projector", "light", "dark", "projector", "dark"):
        window.set_theme(theme)
        qtbot.wait(50)
        search = window.menus.search
        right = search.mapTo(window, QPoint(search.width(), 0)).x()
        assert window.width() - 40 <= right <= window.width(), theme


def test_the_projector_theme_is_as_large_in_proportion_on_a_low_screen(qtbot):
    window = open_window(qtbot, 1280, 720)
    window.set_theme("projector")
    small = current_theme().px("font_px")
    window.resize(1920, 1080)
    qtbot.waitUntil(lambda: current_theme().px("font_px") > small)
    large = current_theme().px("font_px")
    assert 0.95 < (small / 720) / (large / 1080) < 1.1
    window.set_theme("light")
    assert current_theme().px("font_px") < small
