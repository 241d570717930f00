"""Parts of JSON files are found without decoding them: any nesting, any spacing, any text, any block."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.formats import json_parts as module
from cimdesk.formats.json_parts import json_lines, json_parts, text_of, value_of

NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text('ab"\\{}[],: \n', max_size=6),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text('k"\\{,', max_size=3), inside, max_size=4),
    max_leaves=20,
)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 7)
    monkeypatch.setattr(module, "EVERY", 2)
    module._parts.cache_clear()
    module._lines.cache_clear()


def written(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(text, encoding="utf-8")
    return path


@settings(max_examples=150, deadline=None)
@given(document=st.dictionaries(st.text('key"\\[', max_size=4), NESTED, min_size=1, max_size=5), indent=st.sampled_from([None, 1]))
def test_every_member_and_any_stretch_of_it_comes_back_as_it_was(tmp_path_factory, document, indent):
    path = written(tmp_path_factory, json.dumps(document, indent=indent))
    parts = json_parts(path)
    assert parts.is_whole
    assert list(parts.members) == list(document)
    for key, value in document.items():
        part = parts.members[key]
        assert json.loads(text_of(path, part)) == value
        if isinstance(value, list | dict):
            assert part.count == len(value)
        if isinstance(value, list):
            for start in range(0, len(value), 2):
                for stop in {min(start + 2, len(value)), min(start + 4, len(value))}:
                    assert json.loads(b"[" + part.text(path, start, stop) + b"]") == value[start:stop]


def test_a_file_that_is_cut_off_gives_what_was_whole(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": 1, "rows": [{"x": 1}, {"x": 2}, {"x": [3, 4')
    parts = json_parts(path)
    assert not parts.is_whole
    rows = parts.members["rows"]
    assert rows.count == 2
    assert json.loads(b"[" + rows.text(path, 0, 2) + b"]") == [{"x": 1}, {"x": 2}]


@pytest.mark.parametrize("text", ["[1, 2]", "hello", '"a"', " "])
def test_what_is_no_object_has_no_parts(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    assert json_parts(path) is None


def test_an_object_of_endless_members_is_left_to_others(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(dict.fromkeys(map(str, range(500)), 0)))
    monkeypatch.setattr(module, "MOST_NOTES", 100)
    monkeypatch.setattr(module, "BLOCK", 1 << 20)
    assert json_parts(path) is None


def test_values_that_are_too_large_or_broken_are_none(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": [1, 2, 3], "b": nonsense, "c": "\\u00e9"}')
    members = json_parts(path).members
    assert value_of(path, members["a"], most=3) is None
    assert value_of(path, members["b"]) is None
    assert value_of(path, members["c"]) == "é"
    assert value_of(path, None) is None


def test_lines_that_hold_nothing_are_not_counted(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n1\r\n\n  \n2\n3\n4\n\n5")
    lines = json_lines(path)
    assert lines.count == 5
    assert lines.text(path, 2, 4).split() == [b"3", b"4"]
    assert lines.text(path, 4, 5).split() == [b"5"]
    assert np.all(np.diff(lines.starts) > 0)
