"""Reference systems in every form files use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from cimdesk.base.crs import Crs, LocalFrame


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("EPSG:4547", "EPSG:4547"),
        ("epsg:4547", "EPSG:4547"),
        (" 4547 ", "EPSG:4547"),
        ("EPSG:7415", "EPSG:7415"),
        ("EPSG:25832+5783", "EPSG:25832+5783"),
        ("EPSG:25832+EPSG:5783", "EPSG:25832+5783"),
        ("urn:ogc:def:crs:EPSG::4326", "EPSG:4326"),
        ("urn:ogc:def:crs:EPSG:9.9.1:4326", "EPSG:4326"),
        ("urn:ogc:def:crs,crs:EPSG::25832,crs:EPSG::5783", "EPSG:25832+5783"),
        ("urn:ogc:def:crs,crs:EPSG:6.12:3068,crs:EPSG:6.12:5783", "EPSG:3068+5783"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"),
        ("http://www.opengis.net/def/crs/OGC/0/CRS84h", "EPSG:4979"),
        ("http://www.opengis.net/def/crs/EPSG/0/7415", "EPSG:7415"),
        ("https://www.opengis.net/def/crs/EPSG/0/28992", "EPSG:28992"),
        ("http://www.opengis.net/gml/srs/epsg.xml#4326", "EPSG:4326"),
        (
            "http://www.opengis.net/def/crs-compound?1=http://www.opengis.net/def/crs/EPSG/0/25832"
            "&2=http://www.opengis.net/def/crs/EPSG/0/5783",
            "EPSG:25832+5783",
        ),
        ("https://epsg.io/4547", "EPSG:4547"),
        ("https://spatialreference.org/ref/epsg/4547/", "EPSG:4547"),
        ("+init=epsg:4547", "EPSG:4547"),
        ("urn:adv:crs:ETRS89_UTM32", "EPSG:25832"),
        ("urn:adv:crs:ETRS89_UTM32*DE_DHHN2016_NH", "EPSG:25832+7837"),
        ("urn:adv:crs:DE_DHDN_3GK2", "EPSG:31466"),
        ("WGS84", "EPSG:4326"),
        ("WGS 84 / UTM zone 49N", "EPSG:32649"),
        ("CGCS2000", "EPSG:4490"),
        ("CGCS2000_3_Degree_GK_CM_114E", "EPSG:4547"),
        ("CGCS2000 / 3-degree Gauss-Kruger CM 114E", "EPSG:4547"),
        ("CGCS2000_3_Degree_GK_Zone_38", "EPSG:4526"),
        ("2000国家大地坐标系", "EPSG:4490"),
        ("2000国家大地坐标系 3度带 中央子午线114", "EPSG:4547"),
        ("国家大地坐标系2000,中央经线114,三度带", "EPSG:4547"),
        ("CGCS2000 3度带 第38带", "EPSG:4526"),
        ("西安80 3度带 中央经线117", "EPSG:2384"),
        ("西安1980 6度带 中央经线117", "EPSG:2345"),
        ("北京54", "EPSG:4214"),
        ("北京1954 6度带 第20带", "EPSG:21420"),
        ("北京54 3度带 中央经线 114", "EPSG:2435"),
    ],
)
def test_a_reference_system_is_understood_as_written(text: str, code: str):
    assert Crs.parse(text).code == code


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "  ",
        "unknown",
        "local",
        "Delft",
        "EPSG:999999",
        "EPSG:1",
        "EPSG:1+2",
        "²",
        "9" * 5000,
        "+proj=nonsense",
        "{}",
        "PROJCS[",
    ],
)
def test_what_names_no_system_gives_none(text: str | None):
    assert Crs.parse(text) is None


@pytest.mark.parametrize("code", [4326, 4490, 4547, 4526, 2384, 2436, 3857, 27700, 28992, 32649])
@pytest.mark.parametrize("version", ["WKT1_ESRI", "WKT1_GDAL", "WKT2_2019"])
def test_well_known_text_gives_back_its_code(code: int, version: str):
    assert Crs.parse(CRS.from_epsg(code).to_wkt(version)).code == f"EPSG:{code}"


@pytest.mark.parametrize("code", [4547, 4526, 4490, 2384, 31467, 2326])
def test_well_known_text_that_gdal_made_of_an_esri_projection_file_gives_back_its_code(code: int):
    from rasterio.crs import CRS as RasterCrs  # noqa: N811

    projection = CRS.from_epsg(code).to_wkt("WKT1_ESRI")
    assert Crs.parse(RasterCrs.from_wkt(projection, morph_from_esri_dialect=True).to_wkt()).code == f"EPSG:{code}"


def test_a_system_that_only_borrows_a_name_keeps_its_own_definition():
    borrowed = CRS.from_epsg(4547).to_wkt("WKT1_ESRI").replace("500000.0", "400000.0")
    assert Crs.parse(borrowed).code is None


def test_a_compound_in_well_known_text_gives_both_codes():
    assert Crs.parse(CRS.from_user_input("EPSG:28992+5783").to_wkt()).code == "EPSG:28992+5783"


def test_a_system_of_no_register_has_no_code_and_still_transforms():
    crs = Crs.parse("+proj=tmerc +lat_0=23 +lon_0=113.2 +k=1 +x_0=40000 +y_0=30000 +ellps=GRS80 +units=m")
    assert crs.code is None
    there = crs.transform(Crs.epsg(4490), np.array([[40000.0, 30000.0, 5.0]]))
    np.testing.assert_allclose(there, [[113.2, 23.0, 5.0]], atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60))
def test_no_text_at_all_breaks_the_parser(text: str):
    found = Crs.parse(text)
    assert found is None or found.pyproj is not None


def test_transforming_there_and_back_is_the_identity():
    points = np.array([[431205.0, 2558410.0, 12.0], [500000.0, 2600000.0, 0.0]])
    there = Crs.epsg(4547).transform(Crs.epsg(4490), points)
    np.testing.assert_allclose(Crs.epsg(4490).transform(Crs.epsg(4547), there), points, atol=1e-6)
    assert 113 < there[0, 0] < 114, "x is longitude, whatever the authority's axis order"


def test_heights_pass_unchanged_when_one_side_has_no_vertical_datum():
    points = np.array([[85000.0, 447000.0, 3.5]])
    there = Crs.parse("EPSG:7415").transform(Crs.epsg(28992), points)
    np.testing.assert_allclose(there, points, atol=1e-6)


def test_the_local_frame_keeps_millimetres_at_a_northing_of_two_and_a_half_million():
    frame = LocalFrame.around(Crs.epsg(4547), np.array([431205.4, 2558410.2, 7.0]))
    points = np.array([[431205.401, 2558410.203, 7.001]])
    np.testing.assert_allclose(frame.to_world(frame.to_local(points)), points, atol=5e-4)
