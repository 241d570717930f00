"""Numbers out of lists of positions: compiled or not they are the same, however they are written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimdesk.formats.citygml import positions
from cimdesk.formats.citygml.positions import numbers_of
from cimdesk.formats.findings import Findings


def told(texts: list[str]) -> tuple:
    findings = Findings()
    numbers, counts = numbers_of(texts, lambda text: f"t{text}", findings)
    return numbers.tolist(), counts.tolist(), [problem.where for problem in findings.problems()]


number = st.integers(-(10**9), 10**9).map(lambda thousandths: f"{thousandths / 1000:.3f}")
gap = st.sampled_from([" ", " ", " ", "\n", "  ", "\t"])
text = st.lists(st.tuples(number, gap), max_size=9).map(lambda parts: "".join(part + space for part, space in parts))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(text, min_size=1, max_size=6))
def test_compiled_code_and_plain_code_read_the_same(monkeypatch, texts):
    with monkeypatch.context() as patch:
        patch.setattr(positions, "WORTH", 10**9)
        plain = told(texts)
        patch.setattr(positions, "WORTH", 0)
        assert told(texts) == plain
    assert sum(plain[1]) == len(plain[0])
    assert not any(count % 3 for count in plain[1])


def test_numbers_by_twos_get_a_height_of_zero():
    assert told(["1 2 3 4", "5 6 7"]) == ([1, 2, 0, 3, 4, 0, 5, 6, 7], [6, 3], [])


def test_a_text_by_neither_twos_nor_threes_is_left_out_and_named():
    numbers, counts, problems = told(["1 2 3", "1 2 3 4 5", "7 8 9"])
    assert (numbers, counts) == ([1, 2, 3, 7, 8, 9], [3, 0, 3])
    assert problems == ["t1"]


@pytest.mark.parametrize(
    ("written", "number"),
    [("+1", 1.0), ("1e2", 100.0), ("2.", 2.0), ("00.5", 0.5), ("1234567890.1234567890", 1234567890.123456789)],
)
def test_unusual_numbers_are_read(written, number):
    assert told([f"0 0 {written}"]) == ([0, 0, number], [3], [])


def test_what_is_no_number_is_told_with_its_object():
    numbers, counts, problems = told(["1 2 3", "1 x 3"])
    assert np.isnan(numbers[4])
    assert counts == [3, 3]
    assert problems == ["t1"]
