"""Errors and problems read as one sentence with file, place and remedy, in the language in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from cimdesk.base.errors import (
    Cancelled,
    CimdeskError,
    DataError,
    EditError,
    Problem,
    ProjectError,
    ServiceError,
    Severity,
    UsageError,
)
from cimdesk.base.i18n import set_language


def test_an_error_says_what_where_and_what_to_do():
    error = DataError("city.json", "header says {said} bytes.", where="byte 8", remedy="Download {what} again.", said=96, what="it")
    assert str(error) == "city.json (byte 8): header says 96 bytes. Download it again."
    assert (error.message, error.remedy, error.path) == ("header says 96 bytes.", "Download it again.", Path("city.json"))


def test_an_error_without_a_place_is_just_its_message():
    assert str(EditError("No.")) == "No."
    assert EditError("No.").remedy == ""


def test_braces_in_a_message_without_values_are_left_alone():
    assert str(UsageError("write {x}")) == "write {x}"


def test_braces_in_values_are_left_alone():
    assert ProjectError("{reason}", reason="{curly}").message == "{curly}"


def test_an_error_is_told_in_the_language_in_use_and_logged_in_english():
    error = ProjectError("There is no such project.", path="a.gpkg")
    set_language("zh_CN")
    assert error.localized() == "a.gpkg: 没有该项目。"
    assert str(error) == "a.gpkg: There is no such project."


@pytest.mark.parametrize("kind", [ServiceError, ProjectError, EditError, UsageError])
def test_every_expected_failure_is_one_family(kind):
    assert issubclass(kind, CimdeskError)
    assert isinstance(DataError("f", "m"), CimdeskError)
    assert isinstance(Cancelled(), CimdeskError)


def test_a_problem_fills_its_template():
    problem = Problem(Severity.WARNING, "odd", "line 3", "{count} rows are odd", {"count": 2})
    assert problem.message == "2 rows are odd"
    assert str(problem.severity) == "warning"
