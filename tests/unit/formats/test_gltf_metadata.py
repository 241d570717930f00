"""Property tables: vectors, gaps, defaults and arrays as the specification has them."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_metadata import PropertyTables
from cimdesk.formats.metadata_schema import Schema


def columns_of(kinds, count=2, enums=None, findings=None, **arrays):
    """Return the columns of a table whose properties have these values; a list gives values and offsets."""
    views, stored = [], {}
    for name, given in arrays.items():
        keys = dict(zip(("values", "stringOffsets", "arrayOffsets"), given if isinstance(given, list) else [given], strict=False))
        stored[name] = {}
        for key, value in keys.items():
            stored[name][key] = len(views)
            views.append(value if isinstance(value, bytes) else np.asarray(value).tobytes())
    table = {"class": "c", "count": count, "properties": stored}
    schema = Schema({"c": {"properties": kinds}}, enums or {})
    return PropertyTables({"propertyTables": [table]}, views.__getitem__, schema).columns(0, findings or Findings(), "x")


def test_vectors_are_scaled_and_moved_by_each_number():
    kind = {"type": "VEC2", "componentType": "UINT8", "normalized": True, "offset": [1, 2], "scale": [10, 100]}
    found = columns_of({"v": kind}, v=np.uint8([0, 255, 255, 0]))
    assert found["v"].tolist() == ["[1.0, 102.0]", "[11.0, 2.0]"]


def test_the_table_may_scale_otherwise_than_the_class():
    kinds = {"v": {"type": "SCALAR", "componentType": "INT16", "scale": 5}}
    schema = Schema({"c": {"properties": kinds}})
    table = {"class": "c", "count": 2, "properties": {"v": {"values": 0, "scale": 2, "offset": 1}}}
    tables = PropertyTables({"propertyTables": [table]}, [np.int16([1, -1]).tobytes()].__getitem__, schema)
    assert tables.columns(0, Findings(), "")["v"].tolist() == [3.0, -1.0]


@pytest.mark.parametrize(
    ("kind", "values", "wanted"),
    [
        ({"type": "SCALAR", "componentType": "INT16", "noData": -9}, np.int16([4, -9]), [4.0, None]),
        ({"type": "SCALAR", "componentType": "INT16", "noData": -9, "default": 2}, np.int16([4, -9]), [4.0, 2.0]),
        ({"type": "SCALAR", "componentType": "INT16", "noData": -9, "scale": 2}, np.int16([4, -9]), [8.0, None]),
        ({"type": "STRING", "noData": "?"}, [b"a?", np.uint32([0, 1, 2])], ["a", None]),
        ({"type": "STRING", "noData": "?", "default": "none"}, [b"a?", np.uint32([0, 1, 2])], ["a", "none"]),
        ({"type": "ENUM", "enumType": "e", "noData": "gap"}, np.uint16([7, 0]), ["yes", None]),
        ({"type": "ENUM", "enumType": "e", "noData": "gap", "default": "yes"}, np.uint16([7, 0]), ["yes", "yes"]),
        ({"type": "VEC2", "componentType": "INT8", "noData": [0, 0]}, np.int8([1, 2, 0, 0]), ["[1, 2]", None]),
        ({"type": "SCALAR", "componentType": "INT8", "array": True, "count": 2, "noData": [0, 0]},
         np.int8([1, 2, 0, 0]), ["[1, 2]", None]),
    ],
)  # fmt: skip
def test_no_data_is_a_gap_or_the_default(kind, values, wanted):
    enums = {"e": {"values": [{"name": "yes", "value": 7}, {"name": "gap", "value": 0}]}}
    found = columns_of({"v": kind}, enums=enums, v=values)["v"].tolist()
    assert [None if value != value else value for value in found] == wanted


def test_properties_left_out_of_a_table_have_their_default():
    found = columns_of({"v": {"type": "SCALAR", "componentType": "INT8", "default": 3}, "w": {"type": "STRING"}})
    assert {name: values.tolist() for name, values in found.items()} == {"v": [3, 3]}


def test_arrays_of_strings_of_any_length():
    kinds = {"v": {"type": "STRING", "array": True}}
    found = columns_of(kinds, v=[b"onetwothree", np.uint32([0, 3, 6, 11]), np.uint32([0, 1, 3])])
    assert found["v"].tolist() == ['["one"]', '["two", "three"]']


def test_booleans_are_bits():
    assert columns_of({"v": {"type": "BOOLEAN"}}, count=3, v=bytes([0b101]))["v"].tolist() == [True, False, True]


@pytest.mark.parametrize("kind", [{"type": "SCALAR"}, {"type": "MAT9"}, {"type": []}, {"type": "SCALAR", "componentType": {}}])
def test_types_nobody_knows_are_told_and_left_out(kind):
    findings = Findings()
    assert columns_of({"v": kind}, findings=findings, v=np.uint8([1, 2])) == {}
    assert [problem.code for problem in findings.problems()] == ["bad-property"]
