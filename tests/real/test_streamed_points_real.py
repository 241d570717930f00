"""Every real point tile, streamed: as many points, of the same colours and at the same places, as when it is read whole."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from cimdesk.formats import registry
from cimdesk.formats.tiles3d import place_of
from cimdesk.formats.tiles3d_stream import TileStream
from cimdesk.model.layers import LayerKind
from cimdesk.model.point_painter import painter_of
from cimdesk.model.point_style import RAMP_STEPS
from cimdesk.model.points import COLOR
from cimdesk.model.style import Style, StyleMode
from cimdesk.model.tile_point_columns import POINT_HEIGHT, PointColumns
from cimdesk.model.tile_point_style import legend_of, settled_by
from cimdesk.services.tile_store import TileStore

pytestmark = pytest.mark.real


def streamed(tmp_path, *contents):
    """Return the decoded tile of a tileset of these contents."""
    for content in contents:
        shutil.copy(content, tmp_path)
    root = {
        "boundingVolume": {"sphere": [0, 0, 0, 1e7]}, "geometricError": 0,
        "contents": [{"uri": content.name} for content in contents],
    }  # fmt: skip
    (tmp_path / "tileset.json").write_text(json.dumps({"asset": {"version": "1.1"}, "geometricError": 1, "root": root}))
    place, name, _ = place_of(tmp_path / "tileset.json")
    stream = TileStream(place, name)
    stream.aim(None, None)
    return stream.decode(0)


def test_every_point_tile_is_streamed_as_it_is_read(tmp_path, real_data, facts):
    found = sorted((real_data / "3dtiles" / "cesium-native" / "PointCloud").glob("*.pnts"))
    assert len(found) >= 13
    for k, path in enumerate(found):
        (tmp_path / str(k)).mkdir()
        tile = streamed(tmp_path / str(k), path)
        cloud = tile.block.cloud
        assert len(cloud) == facts[f"3dtiles/cesium-native/PointCloud/{path.name}"]["points"], path.name
        whole = next(source.data for source in registry.read(path).sources if source.kind is LayerKind.POINTS)
        block = whole.nodes.read(int(np.argmax(whole.tree.counts)))
        assert sorted(cloud.columns) == sorted(name for name in block.columns if name != COLOR and not name.startswith("normal_"))
        if cloud.colors is not None:
            assert sorted(map(tuple, cloud.colors.tolist())) == sorted(map(tuple, block.columns[COLOR].tolist())), path.name
        if "Batched" in path.name:
            assert cloud.has_groups
            assert len(cloud.names) > 1
            assert set(tile.ids[cloud.first :]) == set(cloud.names)


def test_points_of_gltf_come_with_their_properties(tmp_path, real_data):
    folder = real_data / "3dtiles" / "samples" / "glTF" / "EXT_structural_metadata" / "PropertyAttributesPointCloud"
    for path in folder.glob("*"):
        shutil.copy(path, tmp_path)
    place, name, _ = place_of(tmp_path / "tileset.json")
    stream = TileStream(place, name)
    clouds = []
    for row in range(len(stream.tileset.parent)):
        tile = stream.decode(row) if stream.tileset.contents[row] else None
        if tile is not None and tile.block is not None and tile.block.cloud is not None:
            clouds.append(tile.block.cloud)
    assert sum(map(len, clouds)) > 20_000
    assert all(cloud.columns for cloud in clouds)
    said = clouds[0].attributes(0, np.zeros(3))
    assert len(said) > 3


def test_real_points_can_be_coloured_by_what_each_says(real_data):
    folder = real_data / "3dtiles" / "samples" / "glTF" / "EXT_structural_metadata" / "PropertyAttributesPointCloud"
    place, name, _ = place_of(folder / "tileset.json")
    store = TileStore(TileStream(place, name))
    wanted = dict.fromkeys(np.flatnonzero(~store.tileset.is_empty).tolist(), 1.0)
    store.want(store, wanted, ())
    assert store.wait(30.0)
    columns = store.point_columns
    assert set(columns) == {"intensity", "classification", POINT_HEIGHT}
    assert set(columns["classification"].tolist()) == {"Buildings", "MediumVegetation"}
    ramp = Style(StyleMode.CONTINUOUS, attribute="intensity", clip=(0.0, 100.0))
    # The tileset states the range.
    assert [entry.label for entry in legend_of(ramp, columns)][:: RAMP_STEPS - 1] == ["0", "0.633"]


def test_real_properties_by_point_can_be_coloured(tmp_path, real_data):
    tile = streamed(tmp_path, real_data / "3dtiles" / "cesium-native" / "PointCloud" / "pointCloudWithPerPointProperties.pnts")
    columns = PointColumns()
    columns.note(0, tile.block.cloud, tile.block.origin)
    assert set(columns) == {*tile.block.cloud.columns, POINT_HEIGHT}
    for column in tile.block.cloud.own:
        style = settled_by(Style(StyleMode.CONTINUOUS, attribute=column), columns)
        colors = painter_of(style, tile.block.cloud.columns[column])(0, len(tile.block.cloud))
        assert len(np.unique(colors, axis=0)) > 1
