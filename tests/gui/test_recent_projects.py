"""Projects that were open come back on the start page."""

from __future__ import annotations

import pytest

from cimdesk.commands import projects
from cimdesk.ui.handlers_project import close_project, open_project
from cimdesk.ui.start_page import RecentCard
from tests.gui.windows import open_window

pytestmark = pytest.mark.gui


def test_a_project_that_was_open_is_on_the_start_page(qtbot, tmp_path):
    path = tmp_path / "riverside.gpkg"
    projects.create(path, "Riverside").close()
    window = open_window(qtbot)
    open_project(window.desk, path)
    close_project(window.desk)
    assert projects.recent()[0].path == path
    assert window.findChildren(RecentCard)[0].accessibleName() == "Riverside"


def test_saving_under_another_name_is_remembered_and_an_untitled_project_is_not(qtbot, tmp_path):
    window = open_window(qtbot)
    window.desk.bind(projects.scratch(window.desk.runner))
    untitled = window.desk.session.path
    assert untitled not in [entry.path for entry in projects.recent()]
    window.desk.ask.answers["save_path"] = tmp_path / "named.gpkg"
    window.actions_.trigger("project.save_as")
    assert projects.recent()[0].path == tmp_path / "named.gpkg"
