"""Expressions: what they mean, what they refuse and where, and that nothing in them is ever executed."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.evaluation import like_test, matching, values_of
from cimdesk.model.expression import MAX_DEPTH, ExpressionError, names_of, parse, quoted
from cimdesk.model.features import FeatureTable, as_strings, column_of

TABLE = FeatureTable(
    as_strings(["a", "b", "c", "d"]),
    {
        "height": np.array([10.0, 25.0, np.nan, 40.0]),
        "storeys": np.array([3, 8, 1, 12]),
        "use": column_of(["office", "Residential", None, "商业"]),
        "floor_area_m2": np.array([100.0, 200.0, 300.0, 400.0]),
        "名称": column_of(["东塔", "West tower", "it's", None]),
        "listed": np.array([True, False, False, True]),
        "and": np.array([1.0, 2.0, 3.0, 4.0]),
    },
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("height > 20", "bd"),
        ("not height > 20", "a"),
        ("height is null", "c"),
        ("height is not null and storeys < 10", "ab"),
        ("storeys between 3 and 8", "ab"),
        ("storeys not between 3 and 8", "cd"),
        ("use = 'OFFICE'", "a"),
        ("use != 'office'", "bd"),
        ("use in ('office', '商业')", "ad"),
        ("use not in ('office')", "bd"),
        ("storeys in (1, 12)", "cd"),
        ("use like 'res%'", "b"),
        ("use contains 'SIDEN'", "b"),
        ("use startswith 'off'", "a"),
        ("名称 = '东塔'", "a"),
        ("名称 contains '塔' or 名称 endswith 'tower'", "ab"),
        ("名称 = 'it''s'", "c"),
        ('"floor area m2" / storeys > 30', "acd"),
        ("[floor_area_m2] - 100 = 0", "a"),
        ('"and" >= 3', "cd"),
        ("listed", "ad"),
        ("not listed and height > 0", "b"),
        ("if(listed, storeys, 0) > 5", "d"),
        ("coalesce(height, 99) > 30", "cd"),
        ("max(storeys, 5) = 5", "ac"),
        ("length(use) = 2", "d"),
        ("number('12 m') = 12", "abcd"),
        ("lower(use) = 'residential'", "b"),
        ("height > 20 or use = 'office' and storeys < 2", "bd"),
        ("(height > 20 or use = 'office') and storeys < 10", "ab"),
        ("storeys + 1 * 2 = 5", "a"),
        ("-storeys < -7", "bd"),
        ("storeys % 2 = 0", "bd"),
        ("round(height / 3, 1) = 8.3", "b"),
        ("id = 'c'", "c"),
        ("use = '商业' 且 storeys ＞ 5", "d"),
        ("use is null or use in （'office'）", "ac"),
        ("1 = 1", "abcd"),
        ("null = 1", ""),
        ("1 / 0 > 5", ""),
    ],
)
def test_an_expression_holds_for_the_rows_it_says(expression, expected):
    assert "".join(TABLE.ids[matching(expression, TABLE)]) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("", 0),
        ("height >", 8),
        ("height > 5 storeys", 11),
        ("heigth > 5", 0),
        ("storeys > 2 and wrong = 1", 16),
        ("(height > 5", 11),
        ("use = 'office", 6),
        ("height ! 5", 7),
        ("storeys in 5", 11),
        ("sin(height) > 0", 0),
        ("round() > 0", 6),
        ("use > 5 + ", 10),
        ("height", 0),
        ("use + 1 > 2", 0),
        ("height and listed", 0),
        ("use < 5", 4),
        ("and height", 0),
        ("height is 5", 10),
    ],
)
def test_what_cannot_be_understood_says_where(expression, position):
    with pytest.raises(ExpressionError) as caught:
        matching(expression, TABLE)
    assert caught.value.position == position
    assert caught.value.localized()


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ExpressionError, match="Is it height"):
        matching("heigt > 5", TABLE)


@pytest.mark.parametrize("text", ["__import__('os').system('x') = 1", "listed.__class__ = 1", "lambda: 1", "open('x') = 1"])
def test_nothing_of_the_program_can_be_reached(text):
    with pytest.raises(ExpressionError):
        matching(text, TABLE)


def test_deep_nesting_is_refused_and_long_chains_are_not():
    with pytest.raises(ExpressionError, match="nested"):
        parse("(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1) + " = 1")
    assert matching(" or ".join(f"storeys = {k}" for k in range(60)), TABLE).all()
    assert matching("not " * 500 + "listed", TABLE).tolist() == [True, False, False, True]


@given(st.text(max_size=60))
def test_any_text_is_either_read_or_refused(text):
    position = 0
    try:
        matching(text, TABLE)
    except ExpressionError as error:
        position = error.position
    assert 0 <= position <= max(len(text), 1)


@given(st.text(alphabet="ab%_", max_size=8), st.text(alphabet="ab", max_size=8))
def test_patterns_agree_with_a_regular_expression(pattern, text):
    import re

    slow = re.fullmatch("".join(".*" if c == "%" else "." if c == "_" else c for c in pattern), text)
    assert like_test(pattern)(text) == bool(slow)


def test_a_hostile_pattern_is_quick():
    start = time.perf_counter()
    like_test("%a" * 200 + "%b")("a" * 20_000)
    assert time.perf_counter() - start < 2.0


@given(st.text(min_size=1, max_size=20).filter(lambda name: "\x00" not in name))
def test_every_name_can_be_quoted(name):
    assert names_of(parse(f"{quoted(name)} > 0")) == [name]


def test_values_keep_texts_and_missing_ones():
    assert values_of("use", TABLE).tolist() == ["office", "Residential", None, "商业"]
    assert values_of("storeys * 2", TABLE).tolist() == [6, 16, 2, 24]
    assert values_of("'no ' + text(storeys)", TABLE).tolist() == ["no 3", "no 8", "no 1", "no 12"]


def test_words_beside_a_comparison_are_texts_when_asked_leniently():
    assert TABLE.ids[matching("use = office", TABLE, lenient=True)].tolist() == ["a"]
    with pytest.raises(ExpressionError):
        matching("use = office", TABLE)


def test_an_expression_on_an_empty_table_is_empty():
    assert len(matching("height > 2", TABLE.take(np.zeros(0, dtype=int)))) == 0
