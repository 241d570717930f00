"""Hazard maps in CityGML: ranks become classes of depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.formats.citygml import READER
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.appearance import default_style
from cimdesk.model.flood_areas import classes_of, is_flood_map
from cimdesk.model.layers import LayerKind

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<core:CityModel xmlns:core="http://www.opengis.net/citygml/2.0" xmlns:bldg="http://www.opengis.net/citygml/building/2.0"
 xmlns:wtr="http://www.opengis.net/citygml/waterbody/2.0" xmlns:gml="http://www.opengis.net/gml"
 xmlns:uro="https://www.geospatial.jp/iur/uro/2.0">
<gml:boundedBy><gml:Envelope srsName="http://www.opengis.net/def/crs/EPSG/0/6677" srsDimension="3"/></gml:boundedBy>
"""
CODES = """<gml:Dictionary xmlns:gml="http://www.opengis.net/gml"><gml:name>rank</gml:name>
<gml:dictionaryEntry><gml:Definition><gml:description>0.3m以上1m未満</gml:description><gml:name>7</gml:name></gml:Definition>
</gml:dictionaryEntry></gml:Dictionary>"""


def square(x: float, y: float, size: float, z: float = 5.0) -> str:
    # The plane system of Japan counts north first.
    corners = [(y, x), (y, x + size), (y + size, x + size), (y + size, x), (y, x)]
    numbers = " ".join(f"{a} {b} {z}" for a, b in corners)
    return (
        "<gml:MultiSurface><gml:surfaceMember><gml:Polygon><gml:exterior><gml:LinearRing><gml:posList>"
        f"{numbers}</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></gml:surfaceMember></gml:MultiSurface>"
    )


def water(key: str, x: float, said: str, size: float = 10.0) -> str:
    risk = f"<uro:floodingRiskAttribute><uro:WaterBodyRiverFloodingRiskAttribute>{said}</uro:WaterBodyRiverFloodingRiskAttribute>"
    return (
        f'<core:cityObjectMember><wtr:WaterBody gml:id="{key}"><wtr:lod1MultiSurface>{square(x, 0.0, size)}</wtr:lod1MultiSurface>'
        f"{risk}</uro:floodingRiskAttribute></wtr:WaterBody></core:cityObjectMember>\n"
    )


def read(tmp_path: Path, *members: str):
    path = tmp_path / "udx" / "fld.gml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD + "".join(members) + "</core:CityModel>", encoding="utf-8")
    return READER.read(path, ReadOptions())


def test_ranks_are_classes_of_depth(tmp_path):
    members = [water(f"w{k}", 20.0 * k, f"<uro:rank>{k}</uro:rank>") for k in range(1, 7)]
    (source,) = read(tmp_path, *members).sources
    assert source.kind is LayerKind.FLOOD
    assert is_flood_map(source.data)
    columns = source.data.features.columns
    assert columns["depthClass"].tolist() == ["< 0.5 m", "0.5 – 3 m", "3 – 5 m", "5 – 10 m", "10 – 20 m", "≥ 20 m"]
    assert columns["depthFrom"].tolist() == [0.0, 0.5, 3.0, 5.0, 10.0, 20.0]
    assert np.isnan(columns["depthTo"][-1])


def test_the_legend_has_the_official_colours(tmp_path):
    (source,) = read(tmp_path, water("w", 0.0, "<uro:rank>2</uro:rank>")).sources
    style = default_style(source.kind, source.data)
    assert style.attribute == "depthClass"
    assert style.categories["0.5 – 3 m"] == "#ffd8c0"
    assert [each.low for each in classes_of(source.data)] == [0.0, 0.5, 3.0, 5.0, 10.0, 20.0]


def test_a_code_list_beside_the_file_is_believed_first(tmp_path):
    (tmp_path / "codelists").mkdir()
    (tmp_path / "codelists" / "rankOrg.xml").write_text(CODES, encoding="utf-8")
    result = read(tmp_path, water("w", 0.0, '<uro:rankOrg codeSpace="../codelists/rankOrg.xml">7</uro:rankOrg>'))
    assert result.sources[0].data.features.columns["depthClass"].tolist() == ["0.3 – 1 m"]
    assert not result.problems


def test_ranks_of_a_municipality_without_a_list_are_told(tmp_path):
    result = read(tmp_path, water("w", 0.0, "<uro:rankOrg>1</uro:rankOrg>"))
    assert result.sources[0].data.features.columns["depthClass"].tolist() == ["< 0.5 m"]
    assert [problem.code for problem in result.problems] == ["national-ranks"]


def test_a_depth_in_metres_falls_into_its_class(tmp_path):
    (source,) = read(tmp_path, water("w", 0.0, '<uro:depth uom="m">3.2</uro:depth>')).sources
    assert source.data.features.columns["depthClass"].tolist() == ["3 – 5 m"]


def test_buildings_in_the_same_file_stay_buildings(tmp_path):
    house = (
        '<core:cityObjectMember><bldg:Building gml:id="b"><bldg:lod0FootPrint>' + square(100.0, 0.0, 8.0) + "</bldg:lod0FootPrint>"
        "</bldg:Building></core:cityObjectMember>"
    )
    flood, rest = read(tmp_path, water("w", 0.0, "<uro:rank>2</uro:rank>"), house).sources
    assert (flood.kind, rest.kind) == (LayerKind.FLOOD, LayerKind.BUILDINGS)
    assert flood.data.features.ids.tolist() == ["w"]
    assert rest.data.features.ids.tolist() == ["b"]
    assert all((mesh.feature_index == 0).all() for mesh in (*flood.data.meshes.values(), *rest.data.meshes.values()))


@pytest.mark.parametrize("said", ["", "<uro:rank>99</uro:rank>", "<uro:rankOrg>deep</uro:rankOrg>"])
def test_water_without_a_known_rank_stays_water(tmp_path, said):
    (source,) = read(tmp_path, water("w", 0.0, said or "<uro:description>1</uro:description>")).sources
    assert source.kind is LayerKind.BUILDINGS
