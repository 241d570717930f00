"""A project that somebody else edits: the window says so from the start."""

from __future__ import annotations

import pytest

from cimdesk.commands import projects
from cimdesk.ui.handlers_project import open_project
from tests.gui.windows import open_window

pytestmark = pytest.mark.gui


def test_a_project_open_elsewhere_is_told_as_read_only(qtbot, tmp_path):
    elsewhere = projects.create(tmp_path / "city.gpkg", "City")
    try:
        window = open_window(qtbot)
        open_project(window.desk, tmp_path / "city.gpkg")
        assert window.desk.session.read_only
        assert window.status.saved.text().startswith("read only: ")
        assert "(read only)" in window.windowTitle()
    finally:
        elsewhere.close()
