"""Vector tiles: the bytes of the specification, damaged ones, and the map they become."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.base.crs import Crs
from cimdesk.base.i18n import using_language
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.imagery.decode import BadTileError
from cimdesk.formats.imagery.grids import Tile, web_mercator
from cimdesk.formats.imagery.map_style import CLASS, PALETTES, classes_of, place_names
from cimdesk.formats.imagery.mvt import LINE, POINT, POLYGON, vector_parts
from cimdesk.formats.imagery.vector_tiles import VectorPyramid
from tests.unit.formats.imagery.tile_samples import feature, layer, line, ring, zigzag

MERCATOR = Crs.epsg(3857)
WHOLE = [(0, 0), (4096, 0), (4096, 4096), (0, 4096)]


class Tiles:
    """Tiles from a dictionary."""

    workers = 1

    def __init__(self, tiles):
        self.tiles = tiles

    def read(self, tile, cancel):
        return self.tiles.get(tile)


def map_of(tiles, has_land=False, zooms=(0, 0)):
    levels = web_mercator(*zooms, 512)
    bounds = np.array([[-2.1e7, -2.1e7], [2.1e7, 2.1e7]])
    return VectorPyramid("made", "© made", MERCATOR, bounds, levels, Tiles(tiles), has_land)


def test_the_polygon_of_the_specification_is_read():
    # Vector tile specification 2.1, 4.3.5.5: the polygon (3 6, 8 12, 20 34, 3 6).
    tile = layer("a", [feature(3, [9, 6, 12, 18, 10, 12, 24, 44, 15])])
    part = vector_parts(tile)[0]
    assert part.points.tolist() == [[3, 6], [8, 12], [20, 34]]
    assert part.kinds.tolist() == [POLYGON]


def test_the_lines_of_the_specification_are_read():
    # 4.3.5.4: (2 2, 2 10, 10 10) and (1 1, 3 5).
    tile = layer("a", [feature(2, [9, 4, 4, 18, 0, 16, 16, 0, 9, 17, 17, 10, 4, 8])])
    part = vector_parts(tile)[0]
    assert part.points.tolist() == [[2, 2], [2, 10], [10, 10], [1, 1], [3, 5]]
    assert part.starts.tolist() == [0, 3, 5]
    assert part.kinds.tolist() == [LINE]


def test_points_and_attributes_are_read():
    tags = [0, 0, 1, 2, 2, 3]
    tile = layer("a", [feature(1, [17, 10, 14, 3, 9], tags)], ["name", "height", "flat"], ["Dom", "unused", 91.5, True])
    part = vector_parts(tile)[0]
    assert part.kinds.tolist() == [POINT]
    assert part.points.tolist() == [[5, 7], [3, 2]]
    assert part.column("name").tolist() == ["Dom"]
    assert part.column("height").tolist() == [91.5]
    assert part.column("flat").tolist() == [True]
    assert part.column("none", "name").tolist() == ["Dom"]


def test_a_broken_feature_costs_itself_alone():
    lying = feature(3, [9 | 1 << 20, 6, 12])
    tile = layer("a", [lying, feature(3, ring((0, 0), (10, 0), (10, 10)))])
    part = vector_parts(tile)[0]
    assert part.kinds.tolist() == [0, POLYGON]
    assert part.owners.tolist() == [1]


@settings(deadline=None)
@given(st.data())
def test_damaged_bytes_give_a_tile_or_one_plain_refusal(data):
    whole = layer("roads", [feature(2, line((0, 0), (50, 60), (70, 20)), [0, 0])], ["highway"], ["primary"])
    tile = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        tile[data.draw(st.integers(0, len(tile) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(tile[: data.draw(st.integers(0, len(tile)))])
    try:
        parts = vector_parts(cut)
    except BadTileError:
        return
    for part in parts:
        assert len(part.starts) == len(part.owners) + 1
        assert part.starts[-1] == len(part.points)


def test_roads_are_told_apart_in_every_schema():
    for key, value, name, expected in (
        ("highway", "motorway", "roads", "highway"),
        ("class", "primary", "transportation", "major"),
        ("kind", "residential", "streets", "minor"),
        ("pmap:kind", "medium_road", "roads", "medium"),
        ("class", "rail", "transportation", "rail"),
    ):
        part = vector_parts(layer(name, [feature(2, line((0, 0), (9, 9)), [0, 0])], [key], [value]))[0]
        assert classes_of(part).tolist() == [CLASS[expected]], (key, value)


def test_what_is_underground_is_left_out():
    tile = layer("roads", [feature(2, line((0, 0), (9, 9)), [0, 0, 1, 1])], ["highway", "tunnel"], ["primary", "yes"])
    assert classes_of(vector_parts(tile)[0]).tolist() == [0]


def test_names_come_in_the_language_that_is_asked_for():
    names = ["广州市", "Guangzhou", "Canton", "city"]
    tile = layer("places", [feature(1, [9, 2, 2], [0, 2, 1, 0, 2, 1, 3, 3])], ["name", "name:zh", "name:en", "place"], names)
    part = vector_parts(tile)[0]
    assert place_names(part, "zh_CN").names.tolist() == ["广州市"]
    assert place_names(part, "en").names.tolist() == ["Guangzhou"]


def test_water_and_land_are_painted_in_their_colours():
    tile = layer("earth", [feature(3, ring((0, 0), (2048, 0), (2048, 4096), (0, 4096)))])
    found = map_of({Tile(0, 0, 0): tile}, has_land=True).picture(
        np.array([[-2e7, -2e7], [2e7, 2e7]]), MERCATOR, 64, 64, "light", CancelToken()
    )
    light = PALETTES["light"].fills
    assert "#{:02x}{:02x}{:02x}".format(*found.pixels[32, 10, :3]) == light["land"]
    assert "#{:02x}{:02x}{:02x}".format(*found.pixels[32, 54, :3]) == light["water"]
    assert found.pixels[..., 3].min() == 255


def test_themes_have_their_own_colours():
    made = map_of({Tile(0, 0, 0): layer("water", [feature(3, ring(*WHOLE))])})
    box = np.array([[-2e7, -2e7], [2e7, 2e7]])
    seen = {theme: made.picture(box, MERCATOR, 16, 16, theme, CancelToken()).pixels[8, 8].tolist() for theme in PALETTES}
    assert len({tuple(color) for color in seen.values()}) == 3


def test_where_there_is_no_tile_nothing_is_painted():
    found = map_of({}).picture(np.array([[-1e6, -1e6], [1e6, 1e6]]), MERCATOR, 16, 16, "light", CancelToken())
    assert not found.pixels.any()
    assert found.missing == 0


def test_a_missing_tile_is_made_of_its_parent():
    made = map_of({Tile(0, 0, 0): layer("water", [feature(3, ring(*WHOLE))])}, zooms=(0, 3))
    found = made.picture(np.array([[1e6, 1e6], [2e6, 2e6]]), MERCATOR, 64, 64, "light", CancelToken())
    assert found.pixels[..., 3].min() == 255


def test_neighbouring_pictures_agree_about_a_name_across_their_seam():
    names = [feature(1, [9, zigzag(2048), zigzag(2048)], [0, 0, 1, 1])]
    tile = layer("places", names, ["name", "place"], ["A rather long name", "city"])
    made = map_of({Tile(0, 0, 0): tile}, zooms=(0, 0))
    left = made.picture(np.array([[-2e4, -1e4], [0, 1e4]]), MERCATOR, 256, 256, "light", CancelToken()).pixels
    right = made.picture(np.array([[0, -1e4], [2e4, 1e4]]), MERCATOR, 256, 256, "light", CancelToken()).pixels
    both = made.picture(np.array([[-2e4, -1e4], [2e4, 1e4]]), MERCATOR, 512, 256, "light", CancelToken()).pixels
    assert np.array_equal(np.concatenate([left, right], axis=1), both)
    assert len(np.unique(both[128, 200:312].reshape(-1, 4), axis=0)) > 3


def test_another_language_letters_the_map_anew():
    names = [feature(1, [9, zigzag(2048), zigzag(2048)], [0, 0, 1, 1, 2, 2])]
    tile = layer("places", names, ["name:en", "name:zh", "place"], ["Guangzhou", "广州", "city"])
    made = map_of({Tile(0, 0, 0): tile})
    box = np.array([[-2e4, -1e4], [2e4, 1e4]])
    english = made.picture(box, MERCATOR, 256, 128, "light", CancelToken()).pixels
    with using_language("zh_CN"):
        chinese = made.picture(box, MERCATOR, 256, 128, "light", CancelToken()).pixels
    assert not np.array_equal(english, chinese)
