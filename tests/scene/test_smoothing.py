"""Smooth edges come where they do not hold up the window."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

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


def test_frames_in_motion_say_nothing(smoothing):
    assert not smoothing.took(0.010, is_moving=True)
    assert not smoothing.wants(True, Screen())
