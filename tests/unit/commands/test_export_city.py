"""Buildings written to every format they can have, whole, in part, and with what was decided since."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyogrio
import pytest

from cimdesk.base.errors import Cancelled, UsageError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands import lifecycle, sources
from cimdesk.commands.export import ExportOptions, export_job, export_layer, formats_for
from cimdesk.commands.session import Session
from cimdesk.formats import registry
from cimdesk.model.city import CityModel
from cimdesk.model.lifecycle import Stage
from cimdesk.model.selection import AssetRef
from tests import samples
from tests.unit.formats.cityjson_meaning import meaning


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = Session()
    sources.import_files(session, [samples.city_json(tmp_path / "city.city.json")])
    return session


@pytest.fixture
def layer(session: Session) -> str:
    return session.workspace.layers()[0].id


def city_of(session: Session, layer: str) -> CityModel:
    city = session.workspace.data(layer)
    assert isinstance(city, CityModel)
    return city


def test_a_layer_nobody_edited_is_its_file(session: Session, layer: str, tmp_path: Path):
    count = export_layer(session, layer, tmp_path / "out.city.json")
    assert count == len(city_of(session, layer).features)
    assert (tmp_path / "out.city.json").read_bytes() == (tmp_path / "city.city.json").read_bytes()


def test_the_file_a_layer_is_read_from_is_never_written_over(session: Session, layer: str, tmp_path: Path):
    before = (tmp_path / "city.city.json").read_bytes()
    with pytest.raises(UsageError, match="read from"):
        export_layer(session, layer, tmp_path / "city.city.json", ExportOptions(["b0"]))
    assert (tmp_path / "city.city.json").read_bytes() == before


def test_stages_become_attributes_when_asked_for(session: Session, layer: str, tmp_path: Path):
    first = str(city_of(session, layer).features.ids[0])
    lifecycle.mark(session, [AssetRef(layer, first)], Stage.CONSTRUCTION, 1.7e9, "Li", "permit given")
    session.clock.set_time(1.8e9)
    export_layer(session, layer, tmp_path / "plain.city.json")
    export_layer(session, layer, tmp_path / "staged.city.json", ExportOptions(stages=True))
    plain, staged = meaning(tmp_path / "plain.city.json"), meaning(tmp_path / "staged.city.json")
    assert staged["objects"][first]["attributes"].pop("lifecycle_stage") == "construction"
    assert staged == plain
    export_layer(session, layer, tmp_path / "staged.gpkg", ExportOptions(stages=True))
    _, _, _, fields = pyogrio.raw.read(tmp_path / "staged.gpkg", columns=["lifecycle_stage"])
    assert fields[0].tolist().count("construction") == 1


def test_buildings_become_outlines_with_heights(session: Session, layer: str, tmp_path: Path):
    import shapely

    city = city_of(session, layer)
    assert export_layer(session, layer, tmp_path / "out.gpkg") == len(city.features)
    meta, _, wkb, fields = pyogrio.raw.read(tmp_path / "out.gpkg")
    found = dict(zip(meta["fields"].tolist(), fields, strict=True))
    geometries = shapely.from_wkb(wkb)
    assert set(shapely.get_type_id(geometries).tolist()) <= {3, 6}
    mesh = city.finest
    low, high = mesh.heights(len(city.features))
    assert np.allclose(found["base_height"], low, atol=1e-3)
    assert np.allclose(found["top_height"], high, atol=1e-3)
    corners = mesh.world_vertices()[mesh.triangles]
    boxes = shapely.bounds(geometries)
    for row in range(len(city.features)):
        mine = corners[mesh.feature_index == row][:, :, :2].reshape(-1, 2)
        assert np.allclose(boxes[row], [*mine.min(axis=0), *mine.max(axis=0)], atol=2e-3)


def test_a_model_tells_attributes_on_a_click(session: Session, layer: str, tmp_path: Path):
    city = city_of(session, layer)
    first = str(city.features.ids[0])
    assert export_layer(session, layer, tmp_path / "out.glb", ExportOptions([first])) == 1
    text = (tmp_path / "out.glb").read_bytes()
    document = json.loads(text[20 : 20 + int.from_bytes(text[12:16], "little")])
    table = document["extensions"]["EXT_structural_metadata"]["propertyTables"][0]
    assert table["count"] == 1
    assert document["asset"]["extras"]["origin"] == city.finest.origin.tolist()
    back = registry.read(tmp_path / "out.glb").sources[0].data
    whole = registry.read(tmp_path / "city.city.json").sources[0].data
    wanted = whole.finest.of_features(whole.features.ids == first)
    corners = (wanted.world_vertices()[wanted.triangles]).reshape(-1, 3)
    assert np.allclose(back.bounds, [corners.min(axis=0), corners.max(axis=0)], atol=1e-2)


@pytest.mark.parametrize("name", ["tiles", "tiles/tileset.json", "town.3tz"])
def test_buildings_become_a_tileset_that_reads_back(session: Session, layer: str, tmp_path: Path, name: str):
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / name
    count = export_layer(session, layer, out)
    features = city_of(session, layer).features
    assert count == len(features)
    place = out.parent if name.endswith(".json") else out
    result = registry.read(place)
    back = result.sources[0].data
    assert set(back.city.features.ids.tolist()) == set(features.ids.tolist())
    assert not [problem for problem in result.problems if problem.severity == "error"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [name.partition("/")[0]]


def test_chosen_buildings_become_a_tileset_of_them_alone(session: Session, layer: str, tmp_path: Path):
    ids = [str(key) for key in city_of(session, layer).features.ids[:2]]
    assert export_layer(session, layer, tmp_path / "some", ExportOptions(ids)) == 2
    assert set(registry.read(tmp_path / "some").sources[0].data.city.features.ids.tolist()) == set(ids)


def test_a_folder_of_something_else_is_left_alone(session: Session, layer: str, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear all")
    with pytest.raises(UsageError, match="no tileset made by cimdesk"):
        export_layer(session, layer, tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear all"


def test_a_cancelled_export_leaves_nothing_behind(session: Session, layer: str, tmp_path: Path):
    (tmp_path / "out").mkdir()
    cancel = CancelToken()
    cancel.cancel()
    for suffix in formats_for(session.workspace.data(layer)):
        with pytest.raises(Cancelled):
            export_layer(session, layer, tmp_path / "out" / f"town{suffix}", ExportOptions(["b0"]), cancel=cancel)
    assert not list((tmp_path / "out").iterdir())


def test_an_export_job_tells_how_many_were_written(session: Session, layer: str, tmp_path: Path):
    told: list[int] = []
    session.run(export_job(session, layer, tmp_path / "out.city.jsonl", ExportOptions(), told.append))
    assert told == [len(city_of(session, layer).features)]
    assert meaning(tmp_path / "out.city.jsonl")["objects"] == meaning(tmp_path / "city.city.json")["objects"]


def test_every_building_keeps_its_outline_where_some_have_none(tmp_path: Path):
    from cimdesk.base.jobs import no_progress
    from cimdesk.commands.export_files import footprints

    city = registry.read(samples.city_json(tmp_path / "city.city.json")).sources[0].data
    first = city.features.ids[0]
    mesh = {lod: mesh.of_features(city.features.ids != first) for lod, mesh in city.meshes.items()}
    layer = footprints(type(city)(city.features, city.parents, mesh), None, no_progress, CancelToken())
    outlined = set(layer.shapes.feature_of_ring.tolist())
    assert outlined == set(range(1, len(city.features)))


def test_a_city_that_is_streamed_from_tiles_is_copied_from_the_file_they_were_made_of(tmp_path: Path):
    from dataclasses import replace

    from cimdesk.commands.large import TILED_FROM
    from cimdesk.commands.tiling import tile_files
    from cimdesk.formats.registry import ReadOptions
    from cimdesk.model.tileset import TiledCity

    source = tmp_path / "town.city.jsonl"
    plain = Session()
    (made,) = sources.import_files(plain, [samples.city_json(tmp_path / "city.city.json")])
    export_layer(plain, made.id, source)
    tile_files([source], tmp_path / "tiles")
    session = Session()
    (layer,) = sources.import_files(session, [tmp_path / "tiles"])
    document = session.workspace.document
    session.workspace.apply((document.update("layer", layer.id, options={**layer.options, TILED_FROM: str(source)}),), {})
    data = session.workspace.data(layer.id)
    assert isinstance(data, TiledCity)
    streamed = registry.read(tmp_path / "tiles", ReadOptions(extra={"stream": True})).sources[0].data
    session.workspace.apply((), {layer.id: replace(data, tiles=streamed.tiles)})
    first = next(iter(meaning(source)["objects"]))
    assert export_layer(session, layer.id, tmp_path / "some.city.jsonl", ExportOptions([first])) >= 1
    assert meaning(tmp_path / "some.city.jsonl")["objects"][first] == meaning(source)["objects"][first]
    assert export_layer(session, layer.id, tmp_path / "all.city.jsonl") == len(meaning(source)["objects"])
