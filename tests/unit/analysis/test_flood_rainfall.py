"""Design storms and hyetographs."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.analysis.flood.rainfall import StormFormula, chicago_hyetograph, rain_depth
from cimdesk.model.flood import Series

FORMULA = StormFormula(50, 3623.399, 6.274, 0.598)


@pytest.mark.parametrize("peak", [0.2, 0.4, 0.75])
def test_a_chicago_storm_holds_the_depth_of_its_formula(peak: float):
    storm = chicago_hyetograph(FORMULA, 7200.0, peak, 300.0)
    assert rain_depth(storm, 7200.0) == pytest.approx(float(FORMULA.depth(7200.0)), rel=1e-12)
    assert storm.values[-1] == 0.0
    assert len(storm.times) == 25


def test_the_heaviest_five_minutes_are_at_the_peak_and_as_the_formula_says():
    storm = chicago_hyetograph(FORMULA, 7200.0, 0.5, 60.0)
    assert storm.times[np.argmax(storm.values)] in (3540.0, 3600.0)
    steps = storm.values[:-1] * 60.0
    heaviest = max(steps[k : k + 60].sum() for k in range(len(steps) - 59))
    assert heaviest == pytest.approx(float(FORMULA.depth(3600.0)), rel=1e-3)


def test_the_units_are_those_of_the_trade():
    # 1 mm/min is 166.7 L/s/ha.
    one_mm_per_minute = StormFormula(1, 166.6667, 0.0, 0.0)
    assert float(one_mm_per_minute.depth(600.0)) == pytest.approx(0.010, rel=1e-5)


def test_a_peak_outside_the_storm_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        chicago_hyetograph(FORMULA, 7200.0, 1.0)


def test_held_rain_is_counted_only_as_long_as_it_falls():
    rain = Series(np.array([0.0, 600.0, 1200.0]), np.array([2e-5, 1e-5, 0.0]))
    assert rain_depth(rain, 300.0) == pytest.approx(0.006)
    assert rain_depth(rain, 9000.0) == pytest.approx(0.018)
