"""What lies on triangles: pictures, vertex colours, features and values from textures."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.srgb import to_linear, to_screen
from cimdesk.formats import gltf_textures
from cimdesk.formats.gltf_surface import barycentric_grid
from cimdesk.formats.gltf_textures import Texture
from tests.unit.formats.tile_files import SQUARE, Glb, tile, write_tileset
from tests.unit.formats.tile_reading import city_of, codes, mesh_of, read
from tests.unit.formats.tile_textures import UV, picture, textured, with_ids, with_values

RED, GREEN, BLUE, CLEAR = [255, 0, 0, 255], [0, 128, 0, 255], [0, 0, 255, 255], [0, 0, 0, 0]


def opened(tmp_path, glb, problems=()):
    result = read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()}))
    assert codes(result) == list(problems)
    return result


def colors_at(result, *places):
    """Return the colours of the triangles whose middles are nearest to some places."""
    mesh = mesh_of(result)
    middles = mesh.world_vertices()[mesh.triangles].mean(axis=1)[:, :2]
    return [mesh.colors[np.linalg.norm(middles - place, axis=1).argmin()].tolist() for place in places]


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_pictures_lie_on_the_triangles(tmp_path, form):
    result = opened(tmp_path, textured([[RED, GREEN], [BLUE, RED]], form))
    assert colors_at(result, (2, 8), (8, 8), (2, 2), (8, 2)) == [RED, GREEN, BLUE, RED]
    assert result.objects["triangles"] == 2
    assert mesh_of(result).bounds.tolist() == [[0, 0, 0], [10, 10, 0]]


def test_webp_is_taken_from_its_extension(tmp_path):
    glb = textured([[GREEN]], "WEBP")
    glb.document["textures"] = [{"extensions": {"EXT_texture_webp": {"source": 0}}}]
    assert colors_at(opened(tmp_path, glb), (5, 5)) == [GREEN]


def test_texture_transforms_move_scale_and_turn(tmp_path):
    pixels = [[RED, GREEN], [BLUE, CLEAR]]
    moved = {"extensions": {"KHR_texture_transform": {"offset": [0.5, 0], "scale": [0.5, 0.5]}}}
    assert colors_at(opened(tmp_path, textured(pixels, info=moved)), (5, 5)) == [GREEN]
    turned = {"extensions": {"KHR_texture_transform": {"rotation": np.pi / 2, "offset": [0, 1]}}}
    # A quarter turn counter-clockwise of the coordinates shows the picture turned clockwise.
    assert colors_at(opened(tmp_path, textured(pixels, info=turned)), (2, 8), (8, 8)) == [BLUE, RED]


@pytest.mark.parametrize(("wrap", "wanted"), [(10497, [RED, GREEN]), (33071, [GREEN, GREEN]), (33648, [GREEN, RED])])
def test_coordinates_beyond_the_picture_wrap_as_the_sampler_says(wrap, wanted):
    texture = Texture(np.array([[RED, GREEN]], np.uint8), (wrap, wrap), "", np.eye(2, 3))
    assert texture.sample(np.array([[1.25, 0.5], [1.75, 0.5]])).tolist() == wanted


def test_clear_parts_are_cut_away_and_edges_are_not_drawn_there(tmp_path):
    result = opened(tmp_path, textured([[RED, CLEAR], [CLEAR, CLEAR]], alphaMode="MASK"))
    mesh = mesh_of(result)
    corners = mesh.world_vertices()[mesh.triangles.ravel()]
    assert corners[:, 0].max() <= 5.5
    assert corners[:, 1].min() >= 4.5
    assert not len(mesh.edges)


def test_factors_vertex_colours_and_pictures_multiply(tmp_path):
    glb = textured([[[188, 188, 188, 255]]], primitive={"COLOR_0": np.tile(np.float32([1, 0.5, 0.25]), (4, 1))})
    glb.document["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"] = [0.5, 1, 1, 1]
    light = to_linear(np.array([188])) * [0.5, 0.5, 0.25]
    assert colors_at(opened(tmp_path, glb), (5, 5))[0][:3] == to_screen(light).tolist()


def test_vertex_colours_may_be_bytes(tmp_path):
    glb = Glb().mesh(COLOR_0=np.tile(np.uint8([255, 0, 0, 255]), (4, 1)))
    assert mesh_of(opened(tmp_path, glb)).colors[0].tolist() == RED


def test_screen_and_light_are_each_others_inverse():
    assert (to_screen(to_linear(np.arange(256))) == np.arange(256)).all()


def test_a_photograph_has_few_enough_colours_to_draw(tmp_path):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (64, 64, 3))
    colors = mesh_of(opened(tmp_path, textured(pixels))).colors
    assert len(np.unique(colors, axis=0)) <= 15**3
    assert not (colors[:, :3] == 255).all(axis=1).any()


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + bytes(30), picture([[RED]])[:40], b"GIF89a" + bytes(20)])
def test_broken_pictures_are_told_and_the_shape_is_drawn(tmp_path, data):
    assert opened(tmp_path, textured(data), ["bad-texture"]).objects["triangles"] == 2


def test_enormous_pictures_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(gltf_textures, "MAX_PIXELS", 3)
    opened(tmp_path, textured([[RED, RED], [RED, RED]]), ["texture-size"])


def areas(result):
    mesh, table = mesh_of(result), city_of(result).features
    a, b, c = mesh.world_vertices()[mesh.triangles].transpose(1, 0, 2)
    sizes = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return np.bincount(mesh.feature_index, weights=sizes, minlength=len(table))


def test_features_in_a_texture_are_shapes_of_their_own(tmp_path):
    ids = np.kron([[0, 0], [1, 2]], np.ones((8, 8), int))
    result = opened(tmp_path, with_ids(ids))
    assert city_of(result).features.columns["name"].tolist() == ["roof", "wall", "door"]
    assert areas(result) == pytest.approx([50, 25, 25], abs=1.5)


def test_null_features_in_a_texture_are_no_feature(tmp_path):
    result = opened(tmp_path, with_ids(np.kron([[7, 1]], np.ones((8, 4), int)), table=False, nullFeatureId=7))
    assert len(city_of(result).features) == 2
    assert {"a", "a#1"} == set(city_of(result).features.ids)


def test_values_in_a_texture_are_features_where_they_differ(tmp_path):
    pixels = np.kron([[10, 20]], np.ones((8, 4), int))[..., None] * [1, 1, 0, 0] + [0, 0, 2, 255]
    kinds = {"warmth": {"type": "SCALAR", "componentType": "UINT8", "offset": 5},
             "loss": {"type": "SCALAR", "componentType": "UINT16"},
             "state": {"type": "ENUM", "enumType": "s"}}  # fmt: skip
    channels = {"warmth": [0], "loss": [1, 2], "state": [2]}
    glb = with_values(
        pixels, kinds, {name: {"index": 0, "channels": each} for name, each in channels.items()},
        enums={"s": {"valueType": "UINT8", "values": [{"name": "sound", "value": 2}]}},
    )  # fmt: skip
    columns = city_of(opened(tmp_path, glb)).features.columns
    assert sorted(columns["warmth"].tolist()) == [15, 25]
    assert sorted(columns["loss"].tolist()) == [522, 532]
    assert columns["state"].tolist() == ["sound", "sound"]


def test_values_at_vertices_are_means_of_their_feature(tmp_path):
    glb = Glb().mesh(_HEAT=np.float32([1, 1, 3, 3]), extensions={"EXT_structural_metadata": {"propertyAttributes": [0]}})
    glb.document["extensions"] = {
        "EXT_structural_metadata": {
            "schema": {"classes": {"w": {"properties": {"heat": {"type": "SCALAR", "componentType": "FLOAT32", "scale": 2}}}}},
            "propertyAttributes": [{"class": "w", "properties": {"heat": {"attribute": "_HEAT"}}}],
        }
    }
    assert city_of(opened(tmp_path, glb)).features.columns["heat"].tolist() == [2.0]


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_cut_triangles_fill_the_whole_one_facing_the_same_way(parts):
    weights, pattern = barycentric_grid(parts)
    corners = np.array([[0.0, 0], [4, 0], [0, 3]])
    a, b, c = (weights @ corners)[pattern].transpose(1, 0, 2)
    sizes = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert len(pattern) == parts**2
    assert sizes == pytest.approx(np.full(parts**2, 6 / parts**2))


def test_coordinates_and_colours_that_are_too_few_are_left_out(tmp_path):
    glb = textured([[RED, GREEN]], primitive={"COLOR_0": np.float32([[0, 0, 1]])}, uv=UV[:2])
    result = opened(tmp_path, glb)
    assert result.objects["triangles"] == 2
    assert mesh_of(result).colors is None


def test_features_also_have_what_their_other_sets_say_where_it_is_one_thing(tmp_path):
    two = np.vstack([SQUARE, np.add(SQUARE, (20, 0, 0))]).astype(np.float32)
    glb = Glb().mesh(
        points=two, triangles=np.uint16([[0, 1, 2], [0, 2, 3], [4, 5, 6], [7, 4, 6]]),
        _FEATURE_ID_0=np.float32([0, 0, 0, 0, 1, 1, 1, 1]), _FEATURE_ID_1=np.float32([1, 1, 1, 1, 1, 1, 1, 1]),
        _FEATURE_ID_2=np.float32([0, 0, 0, 0, 1, 1, 1, 0]),
        extensions={"EXT_mesh_features": {"featureIds": [{"attribute": k, "propertyTable": k} for k in range(3)]}},
    )  # fmt: skip
    views = [glb.view(np.float32([10 * k, 10 * k + 1]).tobytes()) for k in range(3)]
    kind = {"type": "SCALAR", "componentType": "FLOAT32"}
    glb.document["extensions"] = {
        "EXT_structural_metadata": {
            "schema": {"classes": {f"c{k}": {"properties": {f"p{k}": kind}} for k in range(3)}},
            "propertyTables": [{"class": f"c{k}", "count": 2, "properties": {f"p{k}": {"values": views[k]}}} for k in range(3)],
        }
    }
    columns = city_of(opened(tmp_path, glb)).features.columns
    assert (columns["p0"].tolist(), columns["p1"].tolist()) == ([0, 1], [11, 11])
    assert columns["p2"] == pytest.approx([20, np.nan], nan_ok=True)
