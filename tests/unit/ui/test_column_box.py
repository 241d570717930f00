"""Lists of columns show titles and give names."""

from __future__ import annotations

import pytest

from cimdesk.ui.column_box import ColumnBox, column_titles

NAMES = ["id", "floor_area_m2", "attributes.address"]


@pytest.fixture
def box(qtbot):
    box = ColumnBox(NAMES, None)
    qtbot.addWidget(box)
    return box


def test_columns_are_listed_by_their_titles(box):
    assert [box.itemText(row) for row in range(box.count())] == ["none", "id", "floor area m²", "address"]


@pytest.mark.parametrize("name", ["", *NAMES, "people / 10"])
def test_what_is_shown_is_what_is_chosen(box, name):
    box.show_chosen(name)
    assert box.chosen(box.currentText()) == name


def test_columns_that_read_alike_have_their_name_behind():
    assert column_titles(["floor_area", "floorArea", "use"], None) == ["floor area (floor_area)", "floor area (floorArea)", "use"]
