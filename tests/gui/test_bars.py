"""The bars stay whole when theme and language change."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint

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
