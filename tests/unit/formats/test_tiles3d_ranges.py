"""Ranges and names of values that tilesets state; what is no range is no range."""

from __future__ import annotations

import pytest

from cimdesk.formats.tiles3d_ranges import stated_names, stated_ranges


def of_class(**properties):
    return {"statistics": {"classes": {"a": {"properties": properties}}}}


def test_ranges_of_both_versions_are_taken():
    old = {"properties": {"Height": {"minimum": 1, "maximum": 83.5}}}
    new = of_class(intensity={"min": 0, "max": 0.63, "mean": 0.3})
    assert stated_ranges(old) == {"Height": (1.0, 83.5)}
    assert stated_ranges({**old, **new}) == {"Height": (1.0, 83.5), "intensity": (0.0, 0.63)}


def test_classes_that_share_a_name_are_taken_together():
    classes = {key: {"properties": {"v": {"min": low, "max": low + 1}}} for key, low in (("a", 0), ("b", 10))}
    assert stated_ranges({"statistics": {"classes": classes}}) == {"v": (0.0, 11.0)}


@pytest.mark.parametrize(
    "entry",
    [None, [], 3, {}, {"min": 1}, {"min": 2, "max": 1}, {"min": "0", "max": 1}, {"min": True, "max": 2},
     {"min": [0, 0], "max": [1, 1]}, {"min": 0, "max": 10**400}, {"min": float("nan"), "max": 1}],
)  # fmt: skip
def test_what_is_no_range_is_left_out(entry):
    assert stated_ranges(of_class(v=entry)) == {}
    assert stated_ranges({"properties": {"v": entry}}) == {}


def test_names_of_values_that_occur_are_taken():
    assert stated_names(of_class(kind={"occurrences": {"Wall": 3, "Roof": 1}}, other={"occurrences": []})) == {
        "kind": ("Wall", "Roof")
    }
    assert stated_names(of_class(kind={"occurrences": dict.fromkeys(map(str, range(5000)), 1)})) == {}


@pytest.mark.parametrize("document", [{}, {"properties": []}, {"statistics": 5}, {"statistics": {"classes": [1]}}])
def test_broken_statements_are_none(document):
    assert stated_ranges(document) == {}
    assert stated_names(document) == {}
