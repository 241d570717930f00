"""Far blocks: each has the attributes of its main building, the same one whoever merges, and colours have the shares of volumes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.base.errors import Cancelled
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.tiling import tile_files
from cimdesk.formats.tiles3d_stated import StatedBodies, bodies_record, stated_bodies
from cimdesk.services.tiling import build, inputs, ledger
from cimdesk.services.tiling.blocks import Blocks, by_lot, merged_blocks
from tests.unit.formats.tile_reading import whole_stream
from tests.unit.services.tiling.sequences import house, scattered, write_sequence


def blocks_at(places, sizes, heights):
    """Return a block for each place (east, north), as wide as deep; its score is its volume."""
    places, sizes, heights = (np.asarray(values, dtype=float) for values in (places, sizes, heights))
    low = np.column_stack([places - sizes[:, None] / 2.0, np.zeros(len(places))])
    high = np.column_stack([places + sizes[:, None] / 2.0, heights])
    boxes = np.column_stack([low, high, sizes**2, np.zeros(len(places))])
    return Blocks(boxes, sizes**2 * heights, np.arange(len(places)))


@pytest.fixture
def _far_tiles(monkeypatch):
    """Make leaves, cells and stretches so small that a few hundred houses have several levels of blocks."""
    monkeypatch.setattr(build, "LEAF_FEATURES", 20)
    monkeypatch.setattr(build, "PRISMS", 60)
    monkeypatch.setattr(build, "CELLS", 8)
    monkeypatch.setattr(inputs.tasks_of, "__defaults__", (40_000,))


def tiles_of(folder):
    """Return every tile of a tileset that was decoded, with its level."""
    stream = whole_stream(folder / "tileset.json")
    tileset = stream.tileset
    return [(int(tileset.contents[row][0].split("/")[1]), stream.decode(row)) for row in np.flatnonzero(~tileset.is_empty).tolist()]


def digests(folder):
    return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


def test_of_two_buildings_in_a_cell_the_larger_one_names_the_block():
    both = blocks_at([[5.0, 5.0], [20.0, 20.0]], [10.0, 9.0], [6.0, 40.0])
    merged = merged_blocks(both, 32.0)
    assert merged.main.tolist() == [1]
    assert merged.score.tolist() == [9.0 * 9.0 * 40.0]


def test_a_surface_does_not_name_a_block_of_buildings():
    field, house_on_it = ([16.0, 16.0], 30.0, 0.1), ([16.0, 16.0], 3.0, 3.0)
    merged = merged_blocks(blocks_at(*zip(field, house_on_it, strict=True)), 32.0)
    assert sorted(merged.main.tolist()) == [0, 1]
    assert dict(zip(merged.main.tolist(), merged.boxes[:, 6].tolist(), strict=True)) == {0: 900.0, 1: 9.0}


def test_of_equal_ones_the_first_stays():
    assert merged_blocks(blocks_at([[5.0, 5.0], [20.0, 20.0], [9.0, 9.0]], [8.0] * 3, [6.0] * 3), 32.0).main.tolist() == [0]


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500), st.floats(3, 30), st.floats(1, 90)), min_size=1, max_size=60))
def test_through_any_levels_the_main_building_is_the_same(houses):
    places, sizes, heights = np.array([each[:2] for each in houses]), [each[2] for each in houses], [each[3] for each in houses]
    ids = [f"b{k}" for k in range(len(houses))]
    lots = by_lot(blocks_at(places, sizes, heights), ids)
    # One cell of all: whatever was merged before, the highest score of all bodies of a kind remains.
    for cells in ((4096.0,), (64.0, 4096.0), (32.0, 128.0, 512.0, 4096.0)):
        merged = lots
        for cell in cells:
            merged = merged_blocks(merged, cell)
        assert set(merged.main.tolist()) <= set(range(len(houses)))
        assert lots.score.max() in merged.score
        assert np.array_equal(merged.score, lots.score[merged.main])


def test_colours_from_afar_have_the_shares_of_what_they_stand_for():
    rng = np.random.default_rng(3)
    places = rng.random((40_000, 2)) * 8_000.0
    # One in twenty is a tower with a third of all volume: by size alone, every far block would be one.
    is_tower = rng.random(len(places)) < 0.05
    blocks = by_lot(blocks_at(places, np.full(len(places), 12.0), np.where(is_tower, 90.0, 9.0)), [f"b{k}" for k in range(40_000)])
    far = merged_blocks(merged_blocks(blocks, 64.0), 256.0)
    share = is_tower[far.main].mean()
    assert is_tower[blocks.main].mean() < 0.06
    assert share == pytest.approx(0.05 * 90.0 / (0.05 * 90.0 + 0.95 * 9.0), abs=0.06)


@pytest.mark.usefixtures("_far_tiles")
def test_far_tiles_have_the_ids_attributes_and_places_of_buildings(tmp_path):
    houses = scattered(400)
    path = write_sequence(tmp_path / "a.city.jsonl", houses)
    result = tile_files([path], tmp_path / "out", workers=1)
    known = {key: item["attributes"] for each in houses for key, item in each["CityObjects"].items()}
    corners = {each["id"]: np.array(each["vertices"][0]) / 1000.0 + [430_000.0, 2_556_000.0, 0.0] for each in houses}
    far = [(level, tile) for level, tile in tiles_of(tmp_path / "out") if tile.block is not None and tile.block.bodies is not None]
    assert {level for level, _ in far} >= {0, 1}
    for _, tile in tiles_of(tmp_path / "out"):
        # Prisms end at the mean height of the roof, blocks where they may; the house is as high in every one.
        assert tile.columns["measured_height"] == pytest.approx(11.0, abs=0.02)
    for _, tile in far:
        assert not tile.problems
        assert len(set(tile.ids)) == len(tile.ids)
        assert set(np.unique(tile.block.owner)) == set(range(len(tile.ids)))
        for row, key in enumerate(tile.ids):
            said = {name: tile.columns[name][row] for name in ("storeys", "name", "高度", "use")}
            assert said == known[key]
            assert tile.columns["measured_height"][row] == pytest.approx(11.0, abs=0.02)
            assert tile.columns["ground_elevation"][row] == pytest.approx(0.0, abs=0.02)
            top = tile.block.anchors[row] + tile.block.origin
            assert np.allclose(top, corners[key] + [5.0, 7.0, 11.0], atol=0.02)
            assert np.allclose(tile.block.bodies[row], [10.0, 14.0, 11.0], atol=0.02)
    assert result.features == len({key for _, tile in tiles_of(tmp_path / "out") for key in tile.ids})


def test_the_larger_of_two_neighbours_is_the_block_of_both_in_the_tiles(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "PRISMS", 1)
    monkeypatch.setattr(build, "LEAF_FEATURES", 1)
    monkeypatch.setattr(build, "CELLS", 2)
    lines = [house(1, 100.0, 100.0), house(2, 130.0, 100.0, wide=20.0, eaves=30.0, ridge=33.0)]
    tile_files([write_sequence(tmp_path / "a.city.jsonl", lines)], tmp_path / "out", workers=1)
    (root,) = [tile for level, tile in tiles_of(tmp_path / "out") if level == 0]
    assert root.ids.tolist() == ["house-00002"]
    assert root.columns["name"].tolist() == ["House 2"]


def test_far_tiles_are_the_same_whoever_makes_them_and_after_a_stop(tmp_path):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(400))
    tile_files([path], tmp_path / "one", workers=1)
    token = CancelToken()

    def stop(fraction, text=""):
        if fraction and fraction > 0.7:
            token.cancel()

    with pytest.raises(Cancelled):
        tile_files([path], tmp_path / "again", workers=1, progress=stop, cancel=token)
    assert tile_files([path], tmp_path / "again", workers=1).resumed
    tile_files([path], tmp_path / "two", workers=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "again") == digests(tmp_path / "two")


@pytest.mark.usefixtures("_far_tiles")
def test_a_folder_that_an_earlier_program_left_half_done_is_begun_anew(tmp_path, monkeypatch):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(100))
    token = CancelToken()
    monkeypatch.setattr(ledger, "VERSION", ledger.VERSION - 1)
    with pytest.raises(Cancelled):
        tile_files(
            [path], tmp_path / "out", workers=1, progress=lambda f, t="": token.cancel() if f and f > 0.7 else None, cancel=token
        )
    monkeypatch.undo()
    assert not tile_files([path], tmp_path / "out", workers=1).resumed


@pytest.mark.usefixtures("_far_tiles")
def test_a_road_cut_by_place_is_one_feature_in_far_tiles(tmp_path):
    squares = [[[100 * k, 0, 0], [100 * k + 100, 0, 0], [100 * k + 100, 100, 0], [100 * k, 100, 0]] for k in range(60)]
    road = {
        "type": "Road",
        "attributes": {"name": "ring"},
        "geometry": [
            {"type": "MultiSurface", "lod": "1", "boundaries": [[[4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3]] for k in range(60)]}
        ],
    }
    vertices = [[x * 1000, y * 1000, z] for square in squares for x, y, z in square]
    line = {"type": "CityJSONFeature", "id": "ring", "CityObjects": {"ring": road}, "vertices": vertices}
    tile_files([write_sequence(tmp_path / "a.city.jsonl", [line])], tmp_path / "out", workers=1)
    (root,) = [tile for level, tile in tiles_of(tmp_path / "out") if level == 0]
    assert root.ids.tolist() == ["ring"]


@pytest.mark.parametrize(
    "said",
    [
        "text",
        {},
        {"tops_cm": [[1, 2, 3]] * 2},
        {"tops_cm": 5, "sizes_cm": 5},
        {"tops_cm": {"0": 1}, "sizes_cm": None},
        {"tops_cm": [[1, 2, 1e300]] * 2, "sizes_cm": [[1, 2, 3]] * 2},
        {"tops_cm": [[1, 2, 3]] * 2, "sizes_cm": [[1, 2, -3]] * 2},
        {"tops_cm": [[1, 2, 3]], "sizes_cm": [[1, 2, 3]]},
        {"tops_cm": [[1, 2, 3], [1]], "sizes_cm": [[1, 2, 3]] * 2},
        {"tops_cm": [["a", "b", "c"]] * 2, "sizes_cm": [[1, 2, 3]] * 2},
        {"tops_cm": [[1, 2, 10**400]] * 2, "sizes_cm": [[1, 2, 3]] * 2},
        {"tops_cm": [[1, 2, float("nan")]] * 2, "sizes_cm": [[1, 2, 3]] * 2},
    ],
)
def test_places_that_cannot_be_are_not_believed(said):
    assert stated_bodies({"asset": {"extras": {"cimdesk": said}}}, 2) is None


def test_places_are_read_as_they_were_written():
    bodies = StatedBodies(np.array([[10.0, 20.25, 3.0]]), np.array([[-2_377_451.12, 5_386_988.37, 1.5]]))
    record = {name: values.tolist() for name, values in bodies_record(bodies)["cimdesk"].items()}
    found = stated_bodies({"asset": {"extras": {"cimdesk": record}}}, 1)
    assert np.allclose(found.tops, bodies.tops)
    assert np.allclose(found.sizes, bodies.sizes)
