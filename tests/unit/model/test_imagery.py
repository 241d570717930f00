"""Pictures over each other, and where they lie in other reference systems."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.base.crs import Crs
from cimdesk.model.imagery import SPHERE_HALF, Imagery, Picture, attributions, flattened, laid_over, moved_bounds


def pixels(*color):
    return np.full((2, 3, 4), color, dtype=np.uint8)


class OneColor:
    """A source of one colour."""

    title, zooms, finest = "one", (0, 1), 1.0
    crs = Crs.epsg(3857)

    def __init__(self, bounds, attribution="© us"):
        self.bounds = np.array(bounds, dtype=float)
        self.attribution = attribution

    def picture(self, box, crs, width, height, theme, cancel):
        return Picture(np.full((height, width, 4), 255, dtype=np.uint8))

    def problems(self):
        return ()


def test_an_opaque_picture_hides_what_is_below():
    assert np.array_equal(laid_over([(pixels(9, 9, 9, 255), 1.0), (pixels(1, 2, 3, 255), 1.0)], 2, 3), pixels(1, 2, 3, 255))


def test_a_see_through_picture_lets_the_lower_one_through():
    assert np.array_equal(laid_over([(pixels(9, 9, 9, 255), 1.0), (pixels(1, 2, 3, 0), 1.0)], 2, 3), pixels(9, 9, 9, 255))


def test_nothing_at_all_is_transparent():
    assert laid_over([], 2, 3).shape == (2, 3, 4)
    assert not laid_over([], 2, 3).any()


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.floats(0, 1))
def test_mixing_agrees_with_the_over_operator(low, high, alpha_low, alpha_high, opacity):
    found = laid_over([(pixels(low, 0, 0, alpha_low), 1.0), (pixels(high, 0, 0, alpha_high), opacity)], 2, 3)[0, 0].astype(float)
    top = alpha_high / 255.0 * opacity
    bottom = alpha_low / 255.0
    alpha = top + bottom * (1.0 - top)
    assert found[3] == pytest.approx(alpha * 255.0, abs=2.5)
    if alpha > 0.2:
        color = (high * top + low * bottom * (1.0 - top)) / alpha
        assert found[0] == pytest.approx(color, abs=4.0)


def test_flattening_leaves_opaque_colours_and_the_ground_as_they_are():
    ground = np.array([10, 20, 30], dtype=np.uint8)
    assert np.array_equal(flattened(pixels(200, 100, 50, 255), ground), pixels(200, 100, 50, 255)[..., :3])
    assert np.array_equal(flattened(pixels(200, 100, 50, 0), ground), np.broadcast_to(ground, (2, 3, 3)))


def test_a_box_in_another_system_holds_every_point_of_the_first():
    box = np.array([[1_241_660.0, 5_423_293.0], [1_261_131.0, 5_439_564.0]])
    mercator, utm = Crs.epsg(3857), Crs.epsg(32632)
    moved = moved_bounds(box, mercator, utm)
    inside = np.random.default_rng(1).uniform(box[0], box[1], (200, 2))
    there = mercator.transform(utm, np.column_stack([inside, np.zeros(200)]))[:, :2]
    assert (there >= moved[0] - 0.5).all()
    assert (there <= moved[1] + 0.5).all()


def test_pictures_of_the_whole_earth_are_expected_everywhere():
    imagery = Imagery.of(OneColor([[-SPHERE_HALF, -SPHERE_HALF], [SPHERE_HALF, SPHERE_HALF]])).in_system(Crs.epsg(32649))
    assert imagery.meets(np.array([[420_000.0, 2_550_000.0], [440_000.0, 2_570_000.0]]))


def test_pictures_elsewhere_are_not_asked():
    imagery = Imagery.of(OneColor([[0, 0], [100, 100]]))
    assert imagery.meets(np.array([[50.0, 50.0], [150.0, 150.0]]))
    assert not imagery.meets(np.array([[150.0, 50.0], [250.0, 150.0]]))


def test_each_credit_is_said_once():
    made = [Imagery.of(OneColor([[0, 0], [1, 1]], credit)) for credit in ("© A", "", "© B", "© A")]
    assert attributions(made) == ("© A", "© B")
