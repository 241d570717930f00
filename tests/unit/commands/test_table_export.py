"""Tables as CSV and for the clipboard: what is shown, in its order, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.commands.table_export import clipboard_text, write_csv
from cimdesk.model.features import FeatureTable, as_strings, column_of

TABLE = FeatureTable(
    as_strings(["a", "b", "c"]),
    {"name": column_of(["猎德", None, "=cmd()"]), "height": np.array([1.5, np.nan, 3.0]), "storeys": np.array([1, 2, 3])},
)


def test_rows_and_columns_come_as_asked(tmp_path):
    path = tmp_path / "out.csv"
    assert write_csv(path, TABLE, np.array([2, 0]), ["storeys", "name"]) == 2
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [["id", "storeys", "name"], ["c", "3", "'=cmd()"], ["a", "1", "猎德"]]


def test_missing_values_are_empty():
    assert clipboard_text(TABLE, np.array([1]), ["name", "height"]).splitlines() == ["id\tname\theight", "b\t\t"]


def test_a_folder_that_is_not_there_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(DataError):
        write_csv(tmp_path / "no" / "out.csv", TABLE, np.array([0]), ["name"])
    assert not list(tmp_path.iterdir())
