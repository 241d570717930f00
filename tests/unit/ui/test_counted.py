"""Counts as people read them."""

from __future__ import annotations

import pytest

from cimdesk.base.i18n import using_language
from cimdesk.ui.counted import counted


@pytest.mark.parametrize(
    ("name", "count", "english", "chinese"),
    [
        ("tiles", 1, "1 tile", "1 个瓦片"),
        ("tiles", 1200, "1,200 tiles", "1,200 个瓦片"),
        ("missing", 1, "1 missing", "1 个缺失"),
        ("Building", 13, "13 Building", "13 建筑物"),
        ("IfcPipeSegment", 3, "3 IfcPipeSegment", "3 IfcPipeSegment"),
        ("roads of 2024", 2, "2 roads of 2024", "2 roads of 2024"),
    ],
)
def test_objects_are_counted_in_both_languages(name, count, english, chinese):
    assert counted(name, count) == english
    with using_language("zh_CN"):
        assert counted(name, count) == chinese
