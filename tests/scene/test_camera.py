"""How the camera moves: upright, above the ground, holding on to what was grabbed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.scene.camera import CLEARANCE, CameraControl


def control(height=0.0) -> CameraControl:
    camera = CameraControl(lambda x, y: None, lambda eye: height, lambda: (1280, 720))
    camera.set_view(0.0, 40.0, 1000.0, (431000.0, 2558000.0, 0.0))
    return camera


def on_screen(camera, point):
    right = np.cross(camera.forward, camera.up)
    offset = np.asarray(point) - camera.eye
    half = np.tan(np.radians(20.0))
    ahead = offset @ camera.forward
    return 640 + offset @ right / ahead / half * 360, 360 - offset @ camera.up / ahead / half * 360


def test_panning_keeps_the_grabbed_point_under_the_cursor():
    camera = control()
    grabbed = camera._on_plane(700.0, 420.0, 0.0)
    camera.pan(700, 420, 640, 400)
    camera.pan(640, 400, 500, 450)
    assert on_screen(camera, grabbed) == pytest.approx((500, 450), abs=0.01)


def test_zooming_keeps_the_point_under_the_cursor():
    camera = control()
    point = camera._on_plane(900.0, 500.0, 0.0)
    camera.zoom(900, 500, 2.0)
    assert on_screen(camera, point) == pytest.approx((900, 500), abs=0.01)
    assert camera.distance == pytest.approx(500.0)


def test_orbiting_keeps_the_pivot_in_place():
    camera = control()
    pivot = (431100.0, 2558050.0, 20.0)
    before = on_screen(camera, pivot)
    camera.orbit(pivot, 120, 30)
    assert on_screen(camera, pivot) == pytest.approx(before, abs=0.05)


def test_looking_north_puts_east_on_the_right():
    camera = control()
    assert np.cross(camera.forward, camera.up) == pytest.approx([1.0, 0.0, 0.0])
    camera.set_view(90.0, 10.0)
    assert np.cross(camera.forward, camera.up) == pytest.approx([0.0, -1.0, 0.0], abs=1e-12)
    assert camera.heading_deg == 90.0


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["pan", "orbit", "zoom"]), st.floats(-400, 400), st.floats(-400, 400), st.floats(0.2, 5.0)),
        max_size=12,
    )
)
def test_no_gesture_rolls_the_camera_or_takes_it_underground(gestures):
    camera = control(height=12.0)
    for kind, dx, dy, factor in gestures:
        if kind == "pan":
            camera.pan(640, 360, 640 + dx, 360 + dy / 2)
        elif kind == "orbit":
            camera.orbit(None, dx, dy)
        else:
            camera.zoom(640 + dx, 360 + dy / 2, factor)
    assert np.cross(camera.forward, camera.up)[2] == pytest.approx(0.0, abs=1e-9)
    assert camera.up[2] >= -1e-9
    assert camera.eye[2] >= 12.0 + CLEARANCE - 1e-6
    assert np.isfinite(camera.eye).all()


def test_underground_views_need_the_xray():
    camera = control()
    camera.orbit(None, 0, -400)
    assert camera.eye[2] >= CLEARANCE - 1e-9
    camera.may_go_under = True
    camera.orbit(None, 0, -400)
    assert camera.eye[2] < 0.0


def test_a_bookmark_brings_the_view_back():
    camera = control()
    camera.orbit(None, 77, 13)
    record = camera.to_record()
    other = control()
    other.from_record(record)
    assert other.eye == pytest.approx(camera.eye)
    assert other.to_record() == record


def test_framing_brings_every_corner_into_the_picture():
    camera = control()
    low, high = np.array([430000.0, 2557000.0, 0.0]), np.array([432000.0, 2558500.0, 120.0])
    camera.frame(low, high)
    for x in (low[0], high[0]):
        for y in (low[1], high[1]):
            for z in (low[2], high[2]):
                column, row = on_screen(camera, (x, y, z))
                assert -1 <= column <= 1281
                assert -1 <= row <= 721


def test_unknown_presets_are_refused():
    with pytest.raises(ValueError, match="no view"):
        control().look_from("sideways")


@pytest.mark.parametrize(("preset", "elevation"), [("top", 90.0), ("south", 14.0), ("oblique", 24.0), ("north_up", 90.0)])
def test_presets_look_down_as_they_say(preset, elevation):
    camera = control()
    camera.look_from(preset)
    assert camera.elevation == elevation
