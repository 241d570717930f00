"""Chances from return periods: what the runs say is kept, what lies between is interpolated, nothing is made up beyond."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.analysis.flood.probability import annual_chance, expected_annual, reduced_variate

PERIODS = [2.0, 10.0, 50.0, 100.0]


def chance_of(*depths, threshold=0.3):
    grids = [np.array([[depth]], dtype=np.float32) for depth in depths]
    return tuple(float(grid[0, 0]) for grid in annual_chance(grids, PERIODS, threshold))


def test_what_the_smallest_run_floods_has_its_chance_at_least():
    assert chance_of(0.5, 0.6, 0.7, 0.8) == pytest.approx((0.5, 0.5, 1.0))


def test_what_no_run_floods_has_none_but_may_have_less_than_the_largest():
    assert chance_of(0.0, 0.0, 0.1, 0.2) == pytest.approx((0.0, 0.0, 0.01))


def test_a_depth_that_is_straight_on_gumbel_paper_is_found_exactly():
    line = 0.1 + 0.1 * reduced_variate(np.array(PERIODS))
    wanted = 25.0
    threshold = 0.1 + 0.1 * float(reduced_variate(np.array([wanted]))[0])
    chance, least, most = chance_of(*line, threshold=threshold)
    assert chance == pytest.approx(1 / wanted, rel=1e-4)
    assert (least, most) == pytest.approx((0.02, 0.1))


def test_less_water_in_a_larger_storm_does_not_lower_the_chance():
    assert chance_of(0.0, 0.5, 0.2, 0.6)[0] >= 0.1


@given(st.lists(st.floats(0, 3, width=32), min_size=4, max_size=4), st.floats(0.01, 2.0))
def test_the_chance_lies_between_its_bounds_and_falls_with_the_depth(depths, threshold):
    chance, least, most = chance_of(*depths, threshold=threshold)
    assert least - 1e-6 <= chance <= most + 1e-6
    assert chance_of(*depths, threshold=threshold + 0.1)[0] <= chance + 1e-6


def test_cells_without_data_are_dry():
    grids = [np.full((2, 2), np.nan, np.float32)] * 4
    assert not annual_chance(grids, PERIODS, 0.1)[0].any()


def test_the_damage_of_an_average_year_is_the_area_under_the_curve():
    expected, least, most = expected_annual([0.0, 100.0, 100.0], [2.0, 10.0, 100.0])
    assert expected == pytest.approx(0.4 * 50.0 + 0.09 * 100.0)
    assert least == pytest.approx(0.09 * 100.0 + 0.01 * 100.0)
    assert most == pytest.approx(0.4 * 100.0 + 0.09 * 100.0 + 0.01 * 100.0)
    assert least <= expected <= most
