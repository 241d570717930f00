"""Checks and bounds of arrays."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.arrays import bounds_of_points, offsets_from_counts, require_shape

NAN = np.nan


@pytest.mark.parametrize(
    ("points", "bounds"),
    [
        ([[1, 2, 3], [4, 0, NAN]], [[1, 0, 3], [4, 2, 3]]),
        ([[1, 2, 3], [NAN, 9, 9], [np.inf, 9, 9]], [[1, 2, 3], [1, 2, 3]]),
        ([[1, 2, NAN]], [[1, 2, NAN], [1, 2, NAN]]),
        ([[NAN, NAN, 5]], [[NAN] * 3] * 2),
        (np.zeros((0, 3)), [[NAN] * 3] * 2),
    ],
)
def test_bounds_are_of_the_points_that_have_a_place(points, bounds):
    np.testing.assert_array_equal(bounds_of_points(np.array(points, dtype=np.float64)), np.array(bounds))


def test_offsets_run_over_the_counts():
    assert offsets_from_counts(np.array([2, 0, 3])).tolist() == [0, 2, 2, 5]


@pytest.mark.parametrize("shape", [(2,), (3, 2), (2, 3, 1)])
def test_an_array_of_another_shape_is_refused_by_its_name(shape):
    with pytest.raises(ValueError, match=r"places must have shape \(N, 3\)"):
        require_shape("places", np.zeros(shape), None, 3)
