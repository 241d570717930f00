"""The histogram of the style panel reaches as far as its values, or says that it does not."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.i18n import using_language
from cimdesk.ui.style_parts import HistogramView
from cimdesk.ui.theme import load_theme


@pytest.fixture
def view(qtbot):
    view = HistogramView()
    qtbot.addWidget(view)
    return view


def test_the_axis_reaches_the_greatest_value_when_that_is_not_far(view):
    view.show_values(np.array([1.0] * 300 + [20.0] * 300 + [48.0] * 5 + [66.0]))
    assert view.ends() == ("1", "66")


def test_values_far_beyond_the_others_are_counted_at_the_end_that_says_so(view):
    view.show_values(np.array([*np.arange(1000) % 11, 1e6]))
    assert view.ends() == ("0", "≥ 10")
    assert view._counts.sum() == 1001


def test_quotation_marks_are_proportional_in_english_alone(qapp):
    before = qapp.font()
    english = load_theme("light").font()
    try:
        qapp.setFont(english)
        with using_language("zh_CN"):
            chinese = load_theme("light").font()
    finally:
        qapp.setFont(before)
    assert (len(english.featureTags()), len(chinese.featureTags())) == (1, 0)
