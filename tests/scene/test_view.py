"""Pictures without a window: sizes, themes, furniture, languages, and no display."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import current_language
from cimdesk.model.figure import SnapshotRequest
from cimdesk.scene.furniture import Captions, Furniture, Sides, scale_length, wrapped
from cimdesk.scene.look import look_of
from cimdesk.scene.view import Studio, reduced, snapshot, write_png
from tests.scene import cities

pytestmark = pytest.mark.render

REQUEST = SnapshotRequest(480, 270, time=cities.T0 + 3 * cities.HOUR, title="District")
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("theme", ["light", "dark", "projector"])
def test_a_picture_has_the_size_asked_for_in_every_theme(demo, theme):
    picture = snapshot(demo, replace(REQUEST, theme=theme))
    assert picture.shape == (270, 480, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 15


def test_furniture_frames_the_picture_and_can_be_left_out(demo):
    framed = snapshot(demo, REQUEST).astype(int)
    bare = snapshot(demo, replace(REQUEST, furniture=False)).astype(int)
    changed = np.abs(framed - bare).max(axis=2) > 20
    assert changed[:40, :120].mean() > 0.2
    assert changed[-12:].mean() > 0.2
    assert changed[120:160, 200:300].mean() < 0.05


@pytest.mark.parametrize("theme", ["light", "dark", "projector"])
@pytest.mark.parametrize("at", [0.0, 0.3, 0.5, 1.0])
def test_two_runs_side_by_side_have_a_line_and_names_between_them(theme, at):
    plain = np.full((360, 640, 3), 120, np.uint8)
    names = Sides(at, "A · Storm, without the measures", "B · Storm + Wall")
    parted = Furniture(plain, look_of(theme)).finish(Captions(sides=names)).astype(int)
    whole = Furniture(plain, look_of(theme)).finish(Captions()).astype(int)
    changed = np.abs(parted - whole).max(axis=2) > 20
    line = min(max(round(at * 640), 1), 638)
    assert changed[:, line - 1 : line + 2].any(axis=1).all(), "the line goes from top to bottom"
    assert not changed[200:, [k for k in range(640) if abs(k - line) > 8]].any(), "nothing else covers the city"
    assert changed[:120, : max(line - 12, 0)].any() == (at > 0.0)
    assert changed[:120, line + 12 :].any() == (at < 1.0)


def test_several_pictures_from_one_scene_are_those_drawn_one_by_one(demo):
    views = [
        REQUEST,
        replace(REQUEST, layers=tuple(layer.id for layer in demo.layers()[:1])),
        replace(REQUEST, theme="dark"),
        REQUEST,
    ]
    with Studio(demo) as studio:
        together = [studio.picture(view) for view in views]
    for view, picture in zip(views, together, strict=True):
        np.testing.assert_array_equal(picture, snapshot(demo, view))


def test_a_transparent_picture_has_no_sky(demo):
    picture = snapshot(demo, replace(REQUEST, transparent=True))
    assert picture.shape == (270, 480, 4)
    assert picture[2, 5, 3] == 0
    assert picture[..., 3].max() == 255


def test_only_the_layers_asked_for_are_drawn_and_the_workspace_stays(demo):
    everything = snapshot(demo, replace(REQUEST, furniture=False, camera=None)).astype(int)
    ground = snapshot(demo, replace(REQUEST, furniture=False, layers=("terrain",))).astype(int)
    assert np.abs(everything - ground).mean() > 4
    assert demo.layer("buildings").visible


def test_the_language_of_a_picture_does_not_leak(demo):
    chinese = snapshot(demo, replace(REQUEST, language="zh_CN"))
    assert current_language() == "en"
    assert np.abs(chinese.astype(int) - snapshot(demo, REQUEST).astype(int)).max() > 50


def test_a_bookmark_s_view_is_taken(demo):
    camera = {"target": [432200.0, 2558900.0, 10.0], "azimuth": 0.0, "elevation": 70.0, "distance": 600.0}
    near = snapshot(demo, replace(REQUEST, camera=camera, furniture=False)).astype(int)
    assert np.abs(near - snapshot(demo, replace(REQUEST, furniture=False)).astype(int)).mean() > 10


@pytest.mark.parametrize(("width", "height"), [(0, 100), (100, 9000)])
def test_impossible_sizes_are_refused(demo, width, height):
    with pytest.raises(UsageError, match="16 to 8192"):
        snapshot(demo, SnapshotRequest(width, height))


def test_png_text_says_how_the_picture_was_made(tmp_path):
    picture = np.zeros((20, 30, 3), dtype=np.uint8)
    write_png(tmp_path / "a.png", picture, {"Command": "cimdesk snapshot 海珠.gpkg"})
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (30, 20)
        assert image.text["Command"] == "cimdesk snapshot 海珠.gpkg"


def test_a_picture_needs_no_display(tmp_path):
    code = (
        "from tests.scene import cities; from cimdesk.model.figure import SnapshotRequest;"
        " from cimdesk.scene.view import snapshot, write_png;"
        "write_png(r'%s', snapshot(cities.demo_city(100, flood=False), SnapshotRequest(160, 90)))" % (tmp_path / "a.png")
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "VTK_DEFAULT_OPENGL_WINDOW")}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "a.png") as image:
        assert np.asarray(image).std() > 10


def test_importing_the_scene_loads_no_graphics():
    code = (
        "import sys, cimdesk.scene.scene, cimdesk.scene.view;"
        "print([m for m in sys.modules if m.startswith(('vtk', 'PIL', 'scipy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize(("metres_per_pixel", "metres"), [(1.0, 100.0), (0.37, 50.0), (12.0, 1000.0), (0.012, 1.0)])
def test_the_scale_bar_is_a_round_length_that_fits(metres_per_pixel, metres):
    length, pixels = scale_length(metres_per_pixel, 150.0)
    assert length == metres
    assert pixels == pytest.approx(length / metres_per_pixel)
    assert pixels <= 150.0


def test_long_notes_are_broken_into_lines():
    lines = wrapped("alpha beta gamma delta", 12, 80)
    assert " ".join(lines) == "alpha beta gamma delta"
    assert len(lines) > 1


def test_averaging_keeps_the_mean():
    picture = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    assert reduced(picture, 2).astype(float).mean() == pytest.approx(picture.mean(), abs=0.6)
