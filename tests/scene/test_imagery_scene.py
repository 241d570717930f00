"""Picture layers in the scene: on flat ground, over terrain, in order, faded, credited."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.jobs import CancelToken
from cimdesk.model.document import RecordChange
from cimdesk.model.imagery import Imagery, Picture
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.terrain import Terrain
from cimdesk.model.workspace import Workspace
from cimdesk.scene.look import look_of
from cimdesk.scene.picture_ground import PIXELS, Place, Square, grounded
from cimdesk.scene.pictures import Member, Pictures
from cimdesk.scene.terrain_chunks import PictureRequest
from cimdesk.ui.credits_card import credits_of

UTM = Crs.epsg(32649)
EAST, NORTH = 430_000.0, 2_560_000.0
RED, GREEN, BLUE = (220, 40, 40), (40, 200, 60), (40, 60, 220)


class Halves:
    """Two colours side by side, west and east of a line; counts how often it is asked, and can be held up."""

    title, zooms, finest = "halves", (0, 1), 0.5

    def __init__(self, west=RED, east=BLUE, half=1000.0, attribution="© Halves", missing=0):
        self.crs = UTM
        self.bounds = np.array([[EAST - half, NORTH - half], [EAST + half, NORTH + half]])
        self.colors = west, east
        self.attribution = attribution
        self.missing = missing
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()

    def picture(self, box, crs, width, height, theme, cancel):
        self.asked += 1
        while not self.gate.wait(0.02):
            cancel.raise_if_cancelled()
        x = box[0, 0] + (np.arange(width) + 0.5) / width * (box[1, 0] - box[0, 0])
        y = box[1, 1] - (np.arange(height) + 0.5) / height * (box[1, 1] - box[0, 1])
        out = np.zeros((height, width, 4), dtype=np.uint8)
        out[:, x < EAST, :3], out[:, x >= EAST, :3] = self.colors
        inside_x = (x > self.bounds[0, 0]) & (x < self.bounds[1, 0])
        inside_y = (y > self.bounds[0, 1]) & (y < self.bounds[1, 1])
        out[..., 3] = 255 * (inside_y[:, None] & inside_x[None, :])
        return Picture(out, self.missing)

    def problems(self):
        return ()


def workspace_of(*sources, terrain=None, opacities=()):
    workspace = Workspace()
    records = [RecordChange("project", "settings", None, {"crs": "EPSG:32649", "origin": [EAST, NORTH, 0.0]})]
    data = {}
    for k, source in enumerate(sources):
        opacity = opacities[k] if opacities else 1.0
        layer = Layer(f"map{k}", f"Map {k}", LayerKind.IMAGERY, "map.tif", order=float(k), opacity=opacity)
        records.append(RecordChange("layer", layer.id, None, layer.to_record()))
        data[layer.id] = Imagery.of(source)
    if terrain is not None:
        layer = Layer("ground", "Ground", LayerKind.TERRAIN, "ground.tif")
        records.append(RecordChange("layer", "ground", None, layer.to_record()))
        data["ground"] = terrain
    workspace.apply(tuple(records), data)
    return workspace


def settled(stage, seconds=30.0):
    """Draw until all pictures are there and on the screen."""
    assert stage.scene.complete(seconds)
    time.sleep(0.1)
    assert stage.scene.complete(seconds)
    return stage.draw()


def from_above(stage, distance=1500.0):
    stage.draw()
    stage.scene.camera.set_view(0.0, 89.0, distance, (EAST, NORTH, 0.0))
    return settled(stage)


def is_like(pixel, color, tolerance=25):
    return np.abs(pixel.astype(int) - color).max() < tolerance


@pytest.mark.render
def test_a_picture_lies_on_the_ground_where_it_should(stage_of):
    picture = from_above(stage_of(workspace_of(Halves())))
    height, width, _ = picture.shape
    assert is_like(picture[height // 2, width // 4], RED)
    assert is_like(picture[height // 2, 3 * width // 4], BLUE)
    row = picture[height // 2].astype(int)
    seam = int(np.argmax(row[:, 2] > row[:, 0]))
    assert abs(seam - width / 2) <= 2


@pytest.mark.render
def test_the_upper_picture_hides_the_lower_and_a_faded_one_lets_it_through(stage_of):
    whole = from_above(stage_of(workspace_of(Halves(GREEN, GREEN), Halves())))
    assert is_like(whole[180, 160], GREEN)
    half = from_above(stage_of(workspace_of(Halves(GREEN, GREEN), Halves(), opacities=(0.5, 1.0))))
    assert is_like(half[180, 160], (np.array(GREEN) + RED) / 2)


@pytest.mark.render
def test_a_hidden_picture_goes_and_comes_back(stage_of):
    workspace = workspace_of(Halves())
    stage = stage_of(workspace)
    assert is_like(from_above(stage)[180, 160], RED)
    before = workspace.document.get("layer", "map0")
    workspace.apply((RecordChange("layer", "map0", before, {**before, "visible": False}),))
    assert not is_like(settled(stage)[180, 160], RED, 60)
    workspace.apply((RecordChange("layer", "map0", {**before, "visible": False}, before),))
    assert is_like(settled(stage)[180, 160], RED)


@pytest.mark.render
def test_terrain_is_draped(stage_of):
    heights = np.tile(np.linspace(0.0, 40.0, 200, dtype=np.float32), (200, 1))
    terrain = Terrain(heights, EAST - 1000.0, NORTH + 1000.0, 10.0, 10.0)
    picture = from_above(stage_of(workspace_of(Halves(), terrain=terrain)))
    assert picture[180, 160, 0] > 1.6 * picture[180, 160, 2]
    assert picture[180, 480, 2] > 1.6 * picture[180, 480, 0]


@pytest.mark.render
def test_what_is_shown_stays_until_the_finer_picture_is_there(stage_of):
    source = Halves(RED, RED)
    stage = stage_of(workspace_of(source))
    assert is_like(from_above(stage, 3000.0)[180, 320], RED)
    source.gate.clear()
    stage.scene.camera.set_view(0.0, 89.0, 400.0, (EAST, NORTH, 0.0))
    for _ in range(5):
        stage.scene.prepare()
        stage.window.Render()
    from cimdesk.scene.view import read_pixels

    assert is_like(read_pixels(stage.window)[180, 320], RED)
    source.gate.set()
    assert is_like(settled(stage)[180, 320], RED)


@pytest.mark.render
def test_pictures_alone_are_framed_and_beside_a_city_leave_the_view_to_it(stage_of):
    alone = stage_of(workspace_of(Halves(half=1000.0)))
    alone.draw()
    assert np.isfinite(alone.scene.visuals["map0"].extent).all()
    heights = np.zeros((20, 20), dtype=np.float32)
    beside = stage_of(workspace_of(Halves(half=900_000.0), terrain=Terrain(heights, EAST, NORTH, 10.0, 10.0)))
    beside.draw()
    assert np.isnan(beside.scene.visuals["map0"].extent).all()
    assert np.ptp(beside.scene.workspace.bounds()[:, 0]) == pytest.approx(200.0)


def test_far_pictures_fade_into_the_plain_ground():
    place = Place((0.0, 0.0), 100.0, 0.0, (EAST, NORTH))
    red = np.full((PIXELS, PIXELS, 4), (*RED, 255), dtype=np.uint8)
    found = grounded(red, place, Square(0, 0, 0), look_of("light"))
    assert is_like(found[PIXELS // 2, PIXELS // 2], RED, 2)
    assert not is_like(found[2, 2], RED, 60)


def test_draped_pictures_are_answered_once_for_those_who_still_want_them():
    pictures = Pictures(lambda: None)
    pictures.show("a", Member(Imagery.of(Halves()), 0.0, 1.0), "light")
    answers, unwanted = [], []
    done = threading.Event()
    box = (EAST - 100.0, NORTH - 100.0, EAST + 100.0, NORTH + 100.0)
    pictures.request(PictureRequest(box, (8, 8), unwanted.append, lambda: False))
    pictures.request(PictureRequest(box, (8, 8), lambda p: (answers.append(p), done.set()), lambda: True))
    assert done.wait(10.0)
    assert answers[0].shape == (8, 8, 4)
    assert is_like(answers[0][4, 1, :3], RED)
    assert not unwanted
    pictures.stop()


def test_outside_all_pictures_a_chunk_keeps_its_own_colours():
    pictures = Pictures(lambda: None)
    pictures.show("a", Member(Imagery.of(Halves()), 0.0, 1.0), "light")
    answers = []
    done = threading.Event()
    far = (EAST + 5000.0, NORTH, EAST + 5100.0, NORTH + 100.0)
    pictures.request(PictureRequest(far, (8, 8), lambda p: (answers.append(p), done.set()), lambda: True))
    assert done.wait(10.0)
    assert answers == [None]


def test_a_change_of_the_layers_is_told_once():
    pictures = Pictures(lambda: None)
    told = []
    pictures.changed.connect(lambda _: told.append(pictures.generation))
    member = Member(Imagery.of(Halves()), 0.0, 1.0)
    pictures.show("a", member, "light")
    pictures.show("a", member, "light")
    pictures.show("a", member, "dark")
    pictures.show("a", None, "dark")
    assert told == [1, 2, 3]


def test_pictures_are_composed_from_the_lowest_to_the_highest():
    pictures = Pictures(lambda: None)
    pictures.show("low", Member(Imagery.of(Halves(RED, RED, missing=2)), 2.0, 1.0), "light")
    pictures.show("high", Member(Imagery.of(Halves(GREEN, GREEN, half=50.0)), 1.0, 1.0), "light")
    box = (EAST - 100.0, NORTH - 100.0, EAST + 100.0, NORTH + 100.0)
    found = pictures.compose(box, (64, 64), CancelToken())
    assert is_like(found.pixels[32, 32, :3], GREEN, 3)
    assert is_like(found.pixels[4, 4, :3], RED, 3)
    assert found.missing == 2


def test_credits_name_what_is_visible():
    workspace = workspace_of(Halves(attribution="© A"), Halves(attribution="© B"), Halves(attribution="© A"))
    assert credits_of(workspace) == "© A  ·  © B"
    before = workspace.document.get("layer", "map1")
    workspace.apply((RecordChange("layer", "map1", before, {**before, "visible": False}),))
    assert credits_of(workspace) == "© A"
