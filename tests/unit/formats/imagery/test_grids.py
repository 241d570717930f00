"""Which tile lies where: answers known from the scheme itself."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.formats.imagery.grids import Level, Tile, level_for, lonlat_box, parent_of, web_mercator
from cimdesk.formats.imagery.templates import Template, is_template, quadkey, unknown_gaps


def test_florence_lies_in_the_tile_that_everybody_says():
    # 43.7696 N, 11.2558 E at zoom 14: the slippy-map formula of the OpenStreetMap wiki gives 8704, 5972.
    box = lonlat_box(11.2558, 43.7696, 11.2559, 43.7697)
    level = web_mercator(14, 14)[0]
    assert level.range_of(box) == (8704, 8704, 5972, 5972)


def test_one_tile_is_the_earth():
    level = web_mercator(0, 0)[0]
    assert level.pixel == pytest.approx(156543.03392804097)
    assert level.box(0, 0).ravel() == pytest.approx(
        [-20037508.342789244, -20037508.342789244, 20037508.342789244, 20037508.342789244]
    )


def test_boxes_outside_meet_no_tile():
    level = web_mercator(3, 3)[0]
    c0, c1, _, _ = level.range_of(np.array([[3e7, 0.0], [3.1e7, 1.0]]))
    assert c1 < c0


def test_levels_are_chosen_sharp_but_not_sharper():
    levels = web_mercator(0, 19)
    assert levels[level_for(levels, 1.2)].name == "17"
    assert levels[level_for(levels, 1e9)].name == "0"
    assert levels[level_for(levels, 1e-9)].name == "19"


def test_a_tile_is_a_quarter_of_its_parent():
    levels = web_mercator(2, 5)
    above, part = parent_of(levels, Tile(3, 5, 6))
    assert above == Tile(2, 2, 3)
    assert part == pytest.approx((0.5, 0.0, 1.0, 0.5))
    assert parent_of(levels, Tile(0, 1, 1)) is None


def test_tiles_across_two_of_a_coarser_level_have_no_parent():
    levels = (Level("a", 0.0, 100.0, 3.0, (10, 10), 4, 4), Level("b", 0.0, 100.0, 2.0, (10, 10), 5, 5))
    assert parent_of(levels, Tile(1, 1, 0)) is None
    assert parent_of(levels, Tile(1, 0, 0)) is not None


def test_quadkeys_are_those_of_the_documentation():
    # Bing Maps Tile System: tile (3, 5) at level 3 is 213.
    assert quadkey(3, 3, 5) == "213"


def test_gaps_are_filled():
    level = web_mercator(3, 3)[0]
    tile = Tile(0, 3, 5)
    assert Template("https://{s}.a/{z}/{x}/{y}{r}.png").address(level, tile) == "https://c.a/3/3/5.png"
    assert Template("https://a/{z}/{x}/{-y}.png").address(level, tile) == "https://a/3/3/2.png"
    assert Template("https://a/{q}?t={switch:p,q}").address(level, tile) == "https://a/213?t=p"
    assert Template("https://a/{TileMatrix}/{TileRow}/{TileCol}").address(level, tile) == "https://a/3/5/3"
    west, south, east, north = (float(v) for v in Template("{bbox-epsg-3857}").address(level, tile).split(","))
    assert [west, south, east, north] == pytest.approx(level.box(3, 5).ravel(), rel=1e-9)


def test_addresses_without_gaps_are_no_templates():
    assert not is_template("https://a/tileset.json")
    assert is_template("https://a/{z}/{x}/{y}.png")
    assert unknown_gaps("https://a/{z}/{x}/{y}.png?k={mine}") == ["mine"]
