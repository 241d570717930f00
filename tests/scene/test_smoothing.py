"""Smooth edges come where they do not hold up the window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from cimdesk.scene import smoothing as module
from cimdesk.scene.edge_kernels import smooth_edges
from cimdesk.scene.made_ready import MadeReady
from cimdesk.scene.smoothing import Smoothing


@dataclass
class Screen:
    has_graphics_card: bool = False
    size: tuple[int, int] = (1280, 720)


@pytest.fixture
def smoothing():
    found = Smoothing()
    found.limit = 0.1
    return found


def test_pictures_that_nobody_waits_for_are_always_smooth():
    assert Smoothing().wants(True, Screen())
    assert not Smoothing().wants(False, Screen())


def test_a_graphics_card_smooths_at_once(smoothing):
    assert smoothing.wants(True, Screen(has_graphics_card=True))


def test_the_first_picture_at_rest_is_plain_and_a_smooth_one_follows_when_there_is_time(smoothing):
    assert not smoothing.wants(True, Screen())
    assert smoothing.took(0.030, is_moving=False)
    assert smoothing.wants(True, Screen())
    assert not smoothing.took(0.085, is_moving=False)
    assert smoothing.wants(True, Screen())


def test_a_heavy_picture_stays_plain_and_asks_for_no_more_frames(smoothing):
    smoothing.wants(True, Screen())
    assert not smoothing.took(0.070, is_moving=False)
    assert not smoothing.wants(True, Screen())


def test_smoothing_that_took_too_long_is_not_done_again_until_the_camera_has_moved(smoothing):
    smoothing.wants(True, Screen())
    smoothing.took(0.030, is_moving=False)
    smoothing.wants(True, Screen())
    smoothing.took(0.150, is_moving=False)
    assert not smoothing.wants(True, Screen())
    smoothing.rest()
    smoothing.wants(True, Screen())
    assert not smoothing.took(0.020, is_moving=False)


def test_a_large_picture_is_expected_to_take_longer(smoothing):
    smoothing.wants(True, Screen(size=(3840, 2160)))
    assert not smoothing.took(0.030, is_moving=False)


def test_a_heavy_picture_is_smoothed_in_its_pixels_once_the_code_for_that_is_there(smoothing, monkeypatch):
    asked = []
    ready = MadeReady("none", lambda: None)
    monkeypatch.setattr(ready, "is_done", lambda tell: bool(asked) or asked.append(tell))
    monkeypatch.setattr(module, "_KERNEL", ready)
    smoothing.reads_back = True
    smoothing.wants(True, Screen())
    assert not smoothing.took(0.070, is_moving=False)
    assert not smoothing.by_hand
    assert len(asked) == 1
    assert not smoothing.wants(True, Screen())
    assert smoothing.by_hand
    assert not smoothing.took(0.075, is_moving=False)
    pixels = stairs(40)
    smoothing.smooth(pixels)
    assert len(np.unique(pixels[..., 0])) > 2
    smoothing.rest()
    assert not smoothing.by_hand
    plain = stairs(40)
    smoothing.smooth(plain)
    assert (plain == stairs(40)).all()


def test_nothing_is_left_to_do_where_nobody_reads_pictures_back(smoothing):
    for _ in range(3):
        assert not smoothing.wants(True, Screen())
        smoothing.took(0.070, is_moving=False)
        assert not smoothing.by_hand


# --- in the pixels -----------------------------------------------------------------------------------------------------------

NOWHERE = np.zeros((0, 4), dtype=np.int64)


def drawn(size, scale=1):
    """Return a picture of slanted edges, a disc and a line, a pixel being the middle of its square."""
    y, x = (np.mgrid[0 : size * scale, 0 : size * scale] + 0.5) / scale
    out = np.full((size * scale, size * scale, 3), 200.0)
    out[y < 0.13 * x + 40] = [90, 110, 140]
    out[(x - 150) ** 2 + (y - 150) ** 2 < 60**2] = [230, 60, 40]
    out[np.abs(y - 0.7 * x - 20) < 3] = [20, 20, 20]
    return out


def stairs(size):
    y, x = np.mgrid[0:size, 0:size]
    out = np.full((size, size, 4), 255, dtype=np.uint8)
    out[y < 0.2 * x + size / 3, :3] = 40
    return out


def with_alpha(picture):
    return np.dstack([picture, np.full(picture.shape[:2], 255)]).astype(np.uint8)


def test_smoothed_edges_are_nearer_to_what_a_finer_picture_shows():
    fine = drawn(256, 8).reshape(256, 8, 256, 8, 3).mean(axis=(1, 3))
    plain = with_alpha(drawn(256))
    smoothed = plain.copy()
    smooth_edges(smoothed, NOWHERE)
    errors = [np.sqrt(((picture[..., :3] - fine) ** 2).mean()) for picture in (plain, smoothed)]
    assert errors[1] < 0.6 * errors[0]


def test_pixels_away_from_edges_straight_edges_and_lettering_stay_as_they_are():
    picture = stairs(120)
    before = picture.copy()
    boxes = np.array([[0, 0, 60, 120], [-5, -5, 2, 2], [400, 1, 500, 2]], dtype=np.int64)
    smooth_edges(picture, boxes)
    changed = (picture != before).any(axis=2)
    assert not changed[:, :60].any()
    assert changed[:, 60:].any()
    y, x = np.nonzero(changed)
    assert np.abs(y - 0.2 * x - 40).max() < 2.5
    blocks = np.full((60, 60, 4), 255, dtype=np.uint8)
    blocks[20:, :, :3] = 30
    straight = blocks.copy()
    smooth_edges(straight, NOWHERE)
    assert (straight == blocks).all()


def test_noise_of_any_size_is_smoothed_without_harm():
    rng = np.random.default_rng(2)
    for size in ((1, 1), (2, 5), (3, 3), (40, 31)):
        picture = rng.integers(0, 256, (*size, 4), dtype=np.uint8)
        low, high = picture[..., :3].min(), picture[..., :3].max()
        alpha = picture[..., 3].copy()
        smooth_edges(picture, NOWHERE)
        assert low <= picture[..., :3].min()
        assert picture[..., :3].max() <= high
        assert (picture[..., 3] == alpha).all()


def test_frames_in_motion_say_nothing(smoothing):
    assert not smoothing.took(0.010, is_moving=True)
    assert not smoothing.wants(True, Screen())
