"""City models become tilesets: nothing is lost, coarse levels stand where fine ones do, bad input costs only itself."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.errors import Cancelled, DataError, UsageError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.tiling import tile_files
from cimdesk.formats import facing, registry, tiles3d_content
from cimdesk.formats.cityjson import READER as CITYJSON
from cimdesk.formats.crease_edges import weld
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from cimdesk.formats.tiles3d_paths import TilesetFolder
from cimdesk.formats.tiles3d_stream import TileStream
from cimdesk.services.tiling import build, inputs, ledger
from cimdesk.services.tiling.ledger import Ledger
from tests.unit.services.tiling.sequences import TRIANGLES, house, scattered, write_sequence


@pytest.fixture
def _small_tiles(monkeypatch):
    """Make leaves and stretches so small that a few hundred houses need several levels and tasks."""
    monkeypatch.setattr(build, "LEAF_FEATURES", 20)
    monkeypatch.setattr(build, "PRISMS", 60)
    monkeypatch.setattr(build, "CELLS", 8)
    monkeypatch.setattr(inputs.tasks_of, "__defaults__", (40_000,))


def tiled(folder, max_error=16.0):
    result = READER.read(folder, ReadOptions(max_error=max_error))
    assert not result.problems
    return result


def boxes_of(mesh, count):
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    corners = mesh.world_vertices()[mesh.triangles]
    np.minimum.at(low, mesh.feature_index, corners.min(axis=1))
    np.maximum.at(high, mesh.feature_index, corners.max(axis=1))
    return low, high


@pytest.mark.usefixtures("_small_tiles")
def test_a_sequence_comes_back_whole_with_ids_attributes_and_places(tmp_path):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(400))
    result = tile_files([path], tmp_path / "out", workers=1)
    assert (result.features, result.triangles, result.problems) == (400, 400 * TRIANGLES, [])
    wanted = CITYJSON.read(path, ReadOptions()).sources[0].data
    assert len(tiled(tmp_path / "out").sources[0].data.city.features) == 400
    found = tiled(tmp_path / "out", 0.0)
    assert found.crs == "EPSG:4547"
    city = found.sources[0].data.city
    assert set(city.features.ids) == set(wanted.features.ids)
    rows = wanted.features.rows_of(city.features.ids)
    for name, values in wanted.features.columns.items():
        got = city.features.columns[name]
        assert got.dtype == values.dtype, name
        assert list(got) == list(values[rows]), name
    low, high = boxes_of(city.meshes["tiles"], 400)
    wanted_low, wanted_high = boxes_of(wanted.finest, 400)
    assert np.abs(low - wanted_low[rows]).max() < 0.001
    assert np.abs(high - wanted_high[rows]).max() < 0.001


@pytest.mark.usefixtures("_small_tiles")
def test_every_level_stands_where_the_finest_does(tmp_path):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(400))
    tile_files([path], tmp_path / "out", workers=1)
    finest = tiled(tmp_path / "out", 0.0)
    tileset = finest.sources[0].data.tileset
    extent = finest.extent
    document = json.loads((tmp_path / "out" / "tileset.json").read_text())
    about = document["asset"]["extras"]["cimdesk"]
    shown = []
    for error in np.unique(tileset.geometric_error):
        # Without what it says about its features, the tileset is opened as coarse as is asked.
        about.pop("featureError", None)
        (tmp_path / "out" / "coarse.json").write_text(json.dumps(document))
        city = READER.read(tmp_path / "out" / "coarse.json", ReadOptions(max_error=float(error))).sources[0].data.city
        mesh = city.meshes["tiles"]
        shown.append(len(mesh.triangles))
        low, high = mesh.bounds
        assert np.abs(low[:2] - extent[0, :2]).max() < error
        assert np.abs(high[:2] - extent[1, :2]).max() < error
        assert low[2] == pytest.approx(0.0, abs=0.01)
        assert 8.0 < high[2] < 11.01
    assert shown == sorted(shown, reverse=True)
    assert shown[-1] < shown[0] / 10


@pytest.mark.usefixtures("_small_tiles")
def test_prisms_keep_the_volume_and_every_feature(tmp_path):
    path = write_sequence(tmp_path / "a.city.jsonl", [house(k, 30.0 * (k % 8), 30.0 * (k // 8)) for k in range(48)])
    tile_files([path], tmp_path / "out", workers=1)
    document = json.loads((tmp_path / "out" / "tileset.json").read_text())
    city = READER.read(tmp_path / "out", ReadOptions(max_error=document["root"]["geometricError"])).sources[0].data.city
    assert len(city.features) == 48
    mesh = city.meshes["tiles"]
    corners = mesh.vertices.astype(float)[mesh.triangles]
    volumes = np.bincount(mesh.feature_index, np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6.0)
    # Walls and roof without a floor: close it at the bottom, where the mesh's origin is not.
    low, high = boxes_of(mesh, 48)
    assert np.allclose(high[:, 2], 9.5, atol=0.01)
    assert np.allclose(high - low, [10.0, 14.0, 9.5], atol=0.02)
    assert len(volumes) == 48


def test_parts_stay_with_their_building_and_know_it(tmp_path):
    line = house(1, 100.0, 100.0)
    objects = line["CityObjects"]
    (key,) = objects
    objects["part"] = {**objects[key], "type": "BuildingPart", "parents": [key], "attributes": {"storeys": 3}}
    objects[key] = {"type": "Building", "attributes": {"name": "whole"}, "children": ["part"]}
    path = write_sequence(tmp_path / "a.city.jsonl", [line])
    assert tile_files([path], tmp_path / "out", workers=1).features == 2
    features = tiled(tmp_path / "out").sources[0].data.city.features
    assert set(features.ids) == {key, "part"}
    assert features.row(features.row_of("part"))["parent"] == key


def test_a_bad_line_costs_itself_and_is_named(tmp_path):
    good = scattered(5)
    cut = json.dumps(house(99, 0.0, 0.0))[:200]
    path = write_sequence(tmp_path / "a.city.jsonl", [*good[:3], cut, "not JSON at all", *good[3:]])
    result = tile_files([path], tmp_path / "out", workers=1)
    assert result.features == 5
    assert [problem.code for problem in result.problems] == ["bad-line", "bad-line"]
    assert all("byte" in problem.where for problem in result.problems)
    assert len(tiled(tmp_path / "out").sources[0].data.city.features) == 5


def test_a_bad_building_is_tiled_as_far_as_it_goes(tmp_path):
    broken = house(7, 50.0, 50.0)
    (item,) = broken["CityObjects"].values()
    item["geometry"][0]["boundaries"][0][2] = [[1, 2, 600, 5]]
    path = write_sequence(tmp_path / "a.city.jsonl", [broken, house(8, 90.0, 50.0)])
    result = tile_files([path], tmp_path / "out", workers=1)
    assert result.features == 2
    assert result.triangles == 2 * TRIANGLES - 2
    assert [problem.code for problem in result.problems] == ["vertex-out-of-range"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n"])
def test_stretches_meet_without_losing_or_repeating_a_line(tmp_path, ending, monkeypatch):
    lines = [json.dumps(each) for each in scattered(60)]
    path = write_sequence(tmp_path / "a.city.jsonl", [])
    path.write_bytes((path.read_text().strip() + ending + ending.join(lines)).encode())
    for stretch in (1000, 1013, 4096, 10**6):
        monkeypatch.setattr(inputs.tasks_of, "__defaults__", (stretch,))
        assert tile_files([path], tmp_path / "out", workers=1).features == 60
        assert len(tiled(tmp_path / "out").sources[0].data.city.features) == 60


def test_a_packed_sequence_is_tiled_like_a_plain_one(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs.tasks_of, "__defaults__", (5000,))
    plain = write_sequence(tmp_path / "a.city.jsonl", scattered(50))
    packed = tmp_path / "b.city.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert tile_files([packed], tmp_path / "out", workers=1).features == 50
    packed.write_bytes(packed.read_bytes()[:-40])
    with pytest.raises(DataError, match="damaged"):
        tile_files([packed], tmp_path / "other", workers=1)
    assert not (tmp_path / "other").exists()


def test_coordinates_without_a_system_stay_as_they_are(tmp_path):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(30), crs=None)
    tile_files([path], tmp_path / "out", workers=1)
    found = tiled(tmp_path / "out")
    assert found.crs is None
    wanted = CITYJSON.read(path, ReadOptions()).extent
    assert np.abs(found.extent - wanted).max() < 0.001


def test_footprints_with_heights_become_bodies(tmp_path):
    rings = [
        [[113.30 + 0.001 * k, 23.10], [113.3002 + 0.001 * k, 23.10], [113.3002 + 0.001 * k, 23.1003], [113.30 + 0.001 * k, 23.10]]
        for k in range(3)
    ]
    features = [
        {
            "type": "Feature",
            "properties": {"name": f"b{k}", "height": height},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        for k, (ring, height) in enumerate(zip(rings, [12.0, None, 40.0], strict=True))
    ]
    path = tmp_path / "plots.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    result = tile_files([path], tmp_path / "out", workers=1)
    assert result.features == 3
    assert [problem.code for problem in result.problems] == ["no-heights"]
    features = tiled(tmp_path / "out").sources[0].data.city.features
    heights = dict(zip(features.columns["name"], features.columns["measured_height"], strict=True))
    assert heights == {"b0": 12.0, "b1": 0.0, "b2": 40.0}


def test_a_cancelled_run_leaves_no_tileset_and_the_next_one_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs.tasks_of, "__defaults__", (5000,))
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(80))
    token = CancelToken()

    def stop(fraction, text=""):
        if fraction and fraction > 0.3:
            token.cancel()

    with pytest.raises(Cancelled):
        tile_files([path], tmp_path / "out", workers=1, progress=stop, cancel=token)
    assert not (tmp_path / "out").exists()
    seen = []
    result = tile_files([path], tmp_path / "out", workers=1, progress=lambda fraction, text="": seen.append(fraction))
    assert result.resumed
    assert seen[0] > 0.2
    assert result.features == 80
    assert len(tiled(tmp_path / "out").sources[0].data.city.features) == 80
    assert [each.name for each in tmp_path.iterdir() if "tiling" in each.name] == []


def test_a_run_killed_while_it_put_things_away_is_not_gone_on_with(tmp_path, monkeypatch):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(80))

    def killed(ledger, out):
        ledger.result.rename(out)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "deliver", killed)
        with pytest.raises(KeyboardInterrupt):
            tile_files([path], tmp_path / "out", workers=1)
    result = tile_files([path], tmp_path / "out", workers=1)
    assert not result.resumed
    assert len(list((tmp_path / "out").rglob("*.glb"))) == result.tiles
    assert len(tiled(tmp_path / "out").sources[0].data.city.features) == 80


def test_a_run_begins_anew_when_its_input_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs.tasks_of, "__defaults__", (5000,))
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(40))
    token = CancelToken()
    with pytest.raises(Cancelled):
        tile_files(
            [path], tmp_path / "out", workers=1, progress=lambda f, t="": token.cancel() if f and f > 0.2 else None, cancel=token
        )
    write_sequence(path, scattered(30, seed=9))
    result = tile_files([path], tmp_path / "out", workers=1)
    assert not result.resumed
    assert result.features == 30


def test_an_earlier_tileset_is_replaced_and_nothing_else(tmp_path):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(5))
    tile_files([path], tmp_path / "out", workers=1)
    write_sequence(path, scattered(6))
    assert tile_files([path], tmp_path / "out", workers=1).features == 6
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="no tileset"):
        tile_files([path], tmp_path / "mine", workers=1)
    with pytest.raises(UsageError, match="one of the files"):
        tile_files([path], tmp_path, workers=1)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def in_use(code):
    """Return what Windows raises when a folder has open files in it."""
    error = PermissionError(13, "Access is denied")
    error.winerror = code
    return error


@pytest.mark.parametrize("code", [5, 32])
@pytest.mark.parametrize("target", ["replaced", "out"])
def test_a_tileset_that_is_held_open_is_told_so_and_only_the_last_step_is_left(tmp_path, monkeypatch, code, target):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(5))
    tile_files([path], tmp_path / "out", workers=1)
    before = (tmp_path / "out" / "tileset.json").read_bytes()
    write_sequence(path, scattered(6))
    rename, tries = Path.rename, []

    def held(self, to):
        if Path(to).name == target and self.name != "replaced":
            tries.append(to)
            raise in_use(code)
        return rename(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", held)
        patch.setattr(ledger, "LET_GO_IN", 0.3)
        with pytest.raises(DataError, match="has it open") as caught:
            tile_files([path], tmp_path / "out", workers=1)
    assert "Close" in caught.value.remedy
    assert len(tries) > 1, "a scanner lets go after a moment"
    assert (tmp_path / "out" / "tileset.json").read_bytes() == before
    result = tile_files([path], tmp_path / "out", workers=1)
    assert (result.resumed, result.features) == (True, 6)
    assert [each.name for each in tmp_path.iterdir() if "tiling" in each.name] == []


def test_a_folder_that_may_not_be_written_is_no_full_disk(tmp_path, monkeypatch):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(5))

    def refused(self, to):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(DataError) as caught:
        tile_files([path], tmp_path / "out", workers=1)
    assert "may write" in caught.value.remedy


def test_files_without_a_city_are_refused(tmp_path):
    (tmp_path / "tide.csv").write_text("time,level_m\n0,1.0\n60,1.2\n")
    with pytest.raises(DataError):
        tile_files([tmp_path / "tide.csv"], tmp_path / "out", workers=1)
    with pytest.raises(DataError, match="no such file"):
        tile_files([tmp_path / "none.city.jsonl"], tmp_path / "out", workers=1)
    empty = write_sequence(tmp_path / "e.city.jsonl", [])
    with pytest.raises(DataError):
        tile_files([empty], tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_a_large_feature_is_cut_by_place_and_stays_one_feature(tmp_path):
    size = 60
    vertices = [[x * 50_000, y * 50_000, 0] for y in range(size) for x in range(size)]
    faces = [
        [[y * size + x, y * size + x + 1, (y + 1) * size + x + 1, (y + 1) * size + x]]
        for y in range(size - 1)
        for x in range(size - 1)
    ]
    ground = {
        "type": "LandUse",
        "attributes": {"name": "plain"},
        "geometry": [{"type": "MultiSurface", "lod": "1", "boundaries": faces}],
    }
    line = {"type": "CityJSONFeature", "id": "land", "CityObjects": {"land": ground}, "vertices": vertices}
    path = write_sequence(tmp_path / "a.city.jsonl", [line, house(1, 10.0, 10.0)])
    result = tile_files([path], tmp_path / "out", workers=1)
    assert result.features == 2
    found = tiled(tmp_path / "out", 0.0)
    assert found.objects["tiles"] > 4
    assert set(found.sources[0].data.city.features.ids) == {"land", "house-00001"}
    assert found.objects["triangles"] == 2 * (size - 1) ** 2 + TRIANGLES


def test_the_result_is_the_same_whoever_does_it(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs.tasks_of, "__defaults__", (20_000,))
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(120))
    tile_files([path], tmp_path / "one", workers=1)
    tile_files([path], tmp_path / "two", workers=2)
    files = sorted(each.relative_to(tmp_path / "one") for each in (tmp_path / "one").rglob("*") if each.is_file())
    assert files == sorted(each.relative_to(tmp_path / "two") for each in (tmp_path / "two").rglob("*") if each.is_file())
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)


def test_whole_files_are_tiled_too(tmp_path):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(10))
    tile_files([path], tmp_path / "first", workers=1)
    # A tileset is a city model like any other.
    again = tile_files([tmp_path / "first"], tmp_path / "second", workers=1)
    assert again.features == 10
    ids = registry.read(tmp_path / "second").sources[0].data.city.features.ids
    assert set(ids) == {f"house-{k:05d}" for k in range(10)}


def test_large_citygml_is_read_in_pieces_and_loses_nothing(tmp_path, monkeypatch):
    members = []
    for k in range(23):
        x, y = 430_000 + 40 * (k % 5), 2_556_000 + 40 * (k // 5)
        ring = f"{x} {y} 0 {x} {y + 10} 0 {x + 10} {y + 10} 0 {x + 10} {y} 0 {x} {y} 0"
        roof = f"{x} {y} 9 {x + 10} {y} 9 {x + 10} {y + 10} 9 {x} {y + 10} 9 {x} {y} 9"
        faces = "".join(
            f"<gml:surfaceMember><gml:Polygon><gml:exterior><gml:LinearRing><gml:posList>{each}</gml:posList>"
            "</gml:LinearRing></gml:exterior></gml:Polygon></gml:surfaceMember>"
            for each in (ring, roof)
        )
        members.append(
            f'<core:cityObjectMember><bldg:Building gml:id="b{k}"><bldg:storeysAboveGround>{k}</bldg:storeysAboveGround>'
            f"<bldg:lod1MultiSurface><gml:MultiSurface>{faces}</gml:MultiSurface></bldg:lod1MultiSurface></bldg:Building>"
            "</core:cityObjectMember>"
        )
    text = (
        '<core:CityModel xmlns:core="http://www.opengis.net/citygml/2.0" xmlns:bldg="http://www.opengis.net/citygml/building/2.0" '
        'xmlns:gml="http://www.opengis.net/gml"><gml:boundedBy><gml:Envelope srsName="EPSG:4547" srsDimension="3">'
        "<gml:lowerCorner>430000 2556000 0</gml:lowerCorner><gml:upperCorner>430300 2556300 9</gml:upperCorner></gml:Envelope>"
        f"</gml:boundedBy>{''.join(members)}</core:CityModel>"
    )
    path = tmp_path / "town.gml"
    path.write_text(text)
    tile_files([path], tmp_path / "whole", workers=1)
    monkeypatch.setattr(inputs, "STREAM_FROM", 1000)
    monkeypatch.setattr(inputs.read_pieces, "__defaults__", (7, False))
    result = tile_files([path], tmp_path / "pieces", workers=1)
    assert (result.features, result.problems) == (23, [])
    whole, pieces = tiled(tmp_path / "whole", 0.0), tiled(tmp_path / "pieces", 0.0)
    assert whole.objects == pieces.objects
    assert np.allclose(whole.extent, pieces.extent, atol=0.001)
    one, other = (each.sources[0].data.city.features for each in (whole, pieces))
    assert set(one.ids) == set(other.ids)
    assert sorted(one.columns["storeysAboveGround"]) == sorted(other.columns["storeysAboveGround"])


def test_a_tile_that_is_read_finds_vertices_at_the_same_place_once(tmp_path, monkeypatch):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(12, across=300.0))
    tile_files([path], tmp_path / "out", workers=1)
    stream = TileStream(TilesetFolder.of(tmp_path / "out" / "tileset.json"), "tileset.json")
    for row in np.flatnonzero(stream.tileset.is_stub).tolist():
        stream.expand(row)
    (row,) = np.flatnonzero(~stream.tileset.is_empty).tolist()
    calls = []
    for module in (tiles3d_content, facing):
        monkeypatch.setattr(module, "weld", lambda points: calls.append(len(points)) or weld(points))
    block = stream.decode(row).block
    assert len(calls) == 1
    assert block.is_outward.all()
    assert len(block.edges)
