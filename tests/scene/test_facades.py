"""Pictures on faces, on the screen: in their places, gone with what is hidden, under the selection, and with any other style."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cimdesk.formats.picture_places import PictureFolder
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.layers import LayerKind
from cimdesk.model.mesh import Surface, TriangleMesh
from cimdesk.model.pictured import FacePictures, PictureFile
from cimdesk.model.selection import AssetRef
from cimdesk.scene import facade_pages
from cimdesk.scene.facade_pages import PAGE, RIM, painted_page, plan_pages
from cimdesk.scene.facades import Facades
from tests.scene import cities

RED, GREEN, BLUE, WHITE = (220, 20, 20), (20, 180, 20), (20, 20, 220), (240, 240, 240)


def picture(path, size=64) -> PictureFile:
    """Write a picture of four colours: red and green above, blue and white below."""
    pixels = np.empty((size, size, 3), dtype=np.uint8)
    half = size // 2
    pixels[:half, :half], pixels[:half, half:], pixels[half:, :half], pixels[half:, half:] = RED, GREEN, BLUE, WHITE
    Image.fromarray(pixels).save(path)
    return PictureFile(path, (size, size))


def plates(files, repeats=1.0) -> CityModel:
    """Return squares of 20 m above the ground, 30 m apart towards the east, each with one picture, and a speck on the ground."""
    square = np.array([[0, 0, 0], [20, 0, 0], [20, 20, 0], [0, 20, 0]], dtype=np.float32)
    count = len(files)
    vertices = np.concatenate([square + np.array([30.0 * k, 0, 5.0]) for k in range(count)]).astype(np.float32)
    triangles = np.concatenate([np.array([[0, 1, 2], [0, 2, 3]]) + 4 * k for k in range(count)]).astype(np.int32)
    owner = np.repeat(np.arange(count), 2).astype(np.int32)
    corners = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], dtype=np.float32) * np.float32(repeats)
    speck = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], dtype=np.float32)
    vertices, triangles = np.concatenate([vertices, speck]), np.concatenate([triangles, [[4 * count + k for k in range(3)]]])
    laid = FacePictures(tuple(files), np.arange(2 * count), owner, np.tile(corners, (count, 1, 1)))
    owner = np.append(owner, 0).astype(np.int32)
    roofs = np.full(2 * count + 1, int(Surface.ROOF), dtype=np.uint8)
    mesh = TriangleMesh(vertices, triangles.astype(np.int32), owner, roofs, np.asarray(cities.ORIGIN), pictures=laid)
    kinds = np.full(count, "Building", dtype=object)
    return CityModel(FeatureTable(as_strings(f"p{k}" for k in range(count)), {"type": kinds}), np.full(count, -1), {"2": mesh})


@pytest.fixture
def workspace(tmp_path):
    return cities.workspace_of(("plates", LayerKind.BUILDINGS, plates([picture(tmp_path / f"{k}.png") for k in range(3)])))


def seen(stage, points) -> list[str]:
    """Return what colour is seen at places from straight above: that of the picture that is nearest, or ``other``."""
    assert stage.scene.complete(20.0)
    image = stage.draw()
    names = {"red": RED, "green": GREEN, "blue": BLUE, "white": WHITE}
    found = []
    for east, north in points:
        x, y = stage.pixel((east + cities.ORIGIN[0], north + cities.ORIGIN[1], 5.0))
        color = image[y, x].astype(float)
        hue = {name: np.dot(color, each) / np.linalg.norm(color) / np.linalg.norm(each) for name, each in names.items()}
        best = max(hue, key=hue.get)
        found.append(best if hue[best] > 0.97 else "other")
    return found


QUARTERS = [(5, 15), (15, 15), (5, 5), (15, 5)]


@pytest.mark.render
def test_pictures_lie_upright_in_their_places(workspace, stage_of):
    stage = stage_of(workspace, size=(400, 300))
    stage.look(0, 89, 110, (40, 10, 5))
    assert seen(stage, QUARTERS) == ["red", "green", "blue", "white"]
    assert seen(stage, [(x + 60, y) for x, y in QUARTERS]) == ["red", "green", "blue", "white"]


@pytest.mark.render
def test_hidden_features_take_their_pictures_with_them_and_bring_them_back(workspace, stage_of):
    stage = stage_of(workspace, size=(400, 300))
    stage.look(0, 89, 110, (40, 10, 5))
    assert seen(stage, QUARTERS)[0] == "red"
    cities.restyle(workspace, "plates", hidden=["p0"])
    assert not {"red", "green", "blue"}.intersection(seen(stage, QUARTERS))
    assert seen(stage, [(35, 15)]) == ["red"]
    cities.restyle(workspace, "plates", hidden=[])
    assert seen(stage, QUARTERS) == ["red", "green", "blue", "white"]


@pytest.mark.render
def test_another_style_shows_its_colours_and_no_pictures(workspace, stage_of):
    stage = stage_of(workspace, size=(400, 300))
    stage.look(0, 89, 110, (40, 10, 5))
    assert seen(stage, QUARTERS)[0] == "red"
    neutral = workspace.layer("plates").style
    cities.restyle(workspace, "plates", style=replace(neutral, color="#14b414").to_record())
    assert len(set(seen(stage, QUARTERS)) - {"red", "blue", "white"}) == 1
    cities.restyle(workspace, "plates", style=neutral.to_record())
    assert seen(stage, QUARTERS) == ["red", "green", "blue", "white"]


@pytest.mark.render
def test_many_selected_are_in_the_colour_of_the_selection(workspace, stage_of, monkeypatch):
    stage = stage_of(workspace, size=(400, 300))
    stage.look(0, 89, 110, (40, 10, 5))
    assert seen(stage, QUARTERS)[0] == "red"
    (visual,) = stage.scene.visuals.values()
    monkeypatch.setattr(visual, "most_outlined", 1)
    stage.scene.set_selection(frozenset({AssetRef("plates", "p0"), AssetRef("plates", "p1")}))
    assert not {"red", "green", "white"}.intersection(seen(stage, QUARTERS))
    assert seen(stage, [(65, 15)]) == ["red"]
    stage.scene.set_selection(frozenset())
    assert seen(stage, QUARTERS) == ["red", "green", "blue", "white"]


@pytest.mark.render
def test_a_picture_goes_on_where_its_places_do(tmp_path, stage_of):
    city = plates([picture(tmp_path / "a.png")], repeats=2.0)
    stage = stage_of(cities.workspace_of(("plates", LayerKind.BUILDINGS, city)), size=(300, 300))
    stage.look(0, 89, 40, (10, 10, 5))
    assert seen(stage, [(2.5, 7.5), (12.5, 7.5), (2.5, 17.5), (7.5, 2.5)]) == ["red", "red", "red", "white"]


@pytest.mark.render
def test_a_picture_that_turns_out_to_be_damaged_leaves_the_face_plain(tmp_path, stage_of, caplog):
    files = [picture(tmp_path / "a.png"), picture(tmp_path / "b.png")]
    whole = files[0].path.read_bytes()
    files[0].path.write_bytes(whole[: len(whole) // 2])
    stage = stage_of(cities.workspace_of(("plates", LayerKind.BUILDINGS, plates(files))), size=(400, 300))
    stage.look(0, 89, 110, (40, 10, 5))
    assert "red" not in seen(stage, QUARTERS)
    assert seen(stage, [(35, 15)]) == ["red"]
    assert "a.png" in caplog.text


def test_a_layer_of_pictures_is_shown_with_them_from_the_start(tmp_path):
    from cimdesk.model.appearance import default_style
    from cimdesk.model.style import NEUTRAL, StyleMode

    city = plates([picture(tmp_path / "a.png")])
    style = default_style(LayerKind.BUILDINGS, city)
    assert (style.mode, style.color) == (StyleMode.SINGLE, NEUTRAL)


# --- pages ----------------------------------------------------------------------------------------------------------------


def test_pictures_on_pages_do_not_overlap(tmp_path):
    rng = np.random.default_rng(5)
    files = [PictureFile(tmp_path / f"{k}.png", (int(w), int(h))) for k, (w, h) in enumerate(rng.integers(1, 900, (60, 2)))]
    pages = plan_pages(files, np.zeros(60, dtype=bool), np.ones(60, dtype=bool))
    assert sorted(spot.picture for page in pages for spot in page.spots) == list(range(60))
    for page in pages:
        taken = np.zeros((page.height, page.width), dtype=np.int32)
        for spot in page.spots:
            rows = slice(spot.top - RIM, spot.top + spot.height + RIM)
            columns = slice(spot.left - RIM, spot.left + spot.width + RIM)
            assert taken[rows, columns].shape == (spot.height + 2 * RIM, spot.width + 2 * RIM)
            taken[rows, columns] += 1
        assert taken.max() == 1
        assert max(page.width, page.height) <= PAGE


def test_pages_keep_within_their_memory_and_leave_out_what_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(facade_pages, "BUDGET", 1_000_000)
    files = [PictureFile(tmp_path / f"{k}.png", (1000, 500)) for k in range(40)]
    used = np.arange(40) < 30
    pages = plan_pages(files, np.zeros(40, dtype=bool), used)
    spots = [spot for page in pages for spot in page.spots]
    assert {spot.picture for spot in spots} == set(range(30))
    assert sum(spot.width * spot.height for spot in spots) == pytest.approx(1_000_000, rel=0.05)
    assert all(abs(spot.width / spot.height - 2.0) < 0.1 for spot in spots)


def test_places_on_a_page_are_those_of_the_picture(tmp_path):
    files = [picture(tmp_path / f"{k}.png", 16 + 4 * k) for k in range(6)]
    (page,) = plan_pages(files, np.zeros(6, dtype=bool), np.ones(6, dtype=bool))
    pixels = painted_page(page, files)
    for spot in page.spots:
        for place, color in (((0.25, 0.75), RED), ((0.75, 0.75), GREEN), ((0.25, 0.25), BLUE), ((0.75, 0.25), WHITE)):
            x, y = page.placed(spot, np.array(place)) * [page.width, page.height]
            assert tuple(pixels[int(page.height - y), int(x)]) == color


def test_tint_and_cutoff_are_those_of_the_material(tmp_path):
    pixels = np.full((8, 8, 4), 255, dtype=np.uint8)
    pixels[:, :4, 3] = 60
    Image.fromarray(pixels).save(tmp_path / "a.png")
    files = [PictureFile(tmp_path / "a.png", (8, 8), tint=(0.5, 1.0, 0.0), alpha=alpha) for alpha in (0.5, 0.0, None)]
    (page,) = plan_pages(files, np.zeros(3, dtype=bool), np.ones(3, dtype=bool))
    image = painted_page(page, files)
    found = {spot.picture: image[spot.top + 2, [spot.left + 1, spot.left + 6]].tolist() for spot in page.spots}
    # Half the light is 188 of 255 in sRGB.
    assert found[0] == [[188, 255, 0, 0], [188, 255, 0, 255]]
    assert found[1] == [[188, 255, 0, 255]] * 2
    assert found[2] == [[188, 255, 0, 60], [188, 255, 0, 255]]


def test_nobody_wants_a_page_any_longer(tmp_path):
    files = [picture(tmp_path / "a.png")]
    (page,) = plan_pages(files, np.zeros(1, dtype=bool), np.ones(1, dtype=bool))
    assert painted_page(page, files, lambda: False) is None


def test_files_are_found_once_however_often_they_are_named(tmp_path):
    from cimdesk.formats.findings import Findings

    picture(tmp_path / "a.png")
    folder = PictureFolder(tmp_path / "city.gml", Findings())
    assert [folder.number("a.png", False) for _ in range(3)] == [0, 0, 0]
    assert folder.number("a.png", True) == 1
    assert len(folder.files) == 2


def test_nobody_is_woken_once_pictures_are_no_longer_wanted(tmp_path):
    mesh = next(iter(plates([picture(tmp_path / "a.png")]).meshes.values()))
    assert mesh.pictures is not None
    woken: list[int] = []
    facades = Facades(mesh, mesh.pictures, lambda: woken.append(1))
    facades.stop()
    facades.start()
    assert facades._thread is not None
    facades._thread.join(10.0)
    assert not woken
