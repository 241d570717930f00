"""Vector files: which are claimed, which refused, and what is left of damaged ones."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.encodings import decode_text
from cimdesk.formats.json_head import json_head
from cimdesk.formats.vector import READER, write_csv, write_geojson, write_geopackage
from tests.refusals import read_or_refused
from tests.unit.formats.vector_layers import POLYGONS, layer_of, read, texts

MUTATIONS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestClaimsAndRefusals:
    @pytest.mark.parametrize(
        ("name", "head"),
        [
            ("city.json", b'{"type":"CityJSON","version":"2.0"}'),
            ("tileset.json", b'{"asset":{"version":"1.1"},"geometricError":1,"root":{}}'),
            ("things.json", b'{"value":[{"@iot.id":1}]}'),
            ("net.inp", b"[JUNCTIONS]"),
            ("notes.txt", b"hello world\nsecond line"),
            ("series.csv", b"time,level\n2020-01-01,1"),
            ("city.gml", b'<core:CityModel xmlns:core="http://www.opengis.net/citygml/2.0">'),
            ("picture.png", b"\x89PNG"),
        ],
    )
    def test_other_files_are_left_to_others(self, name: str, head: bytes):
        assert READER.claim(Path(name), head) == 0.0

    @pytest.mark.parametrize(
        "start", ["<OGRVRTDataSource>", '<?xml version="1.0"?><!DOCTYPE kml [<!ENTITY a SYSTEM "file:///etc/passwd">]>']
    )
    def test_files_that_point_elsewhere_are_refused(self, tmp_path: Path, start: str):
        path = tmp_path / "evil.kml"
        path.write_text(start, encoding="utf-8")
        with pytest.raises(DataError, match="not opened"):
            read(path)

    def test_reading_gml_writes_nothing_beside_it(self, tmp_path: Path):
        path = tmp_path / "a.gml"
        path.write_text(
            '<?xml version="1.0"?><ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" '
            'xmlns:gml="http://www.opengis.net/gml"><gml:featureMember><ogr:a fid="a.0"><ogr:geometryProperty>'
            '<gml:Point srsName="EPSG:4547"><gml:coordinates>431205,2558410'
            "</gml:coordinates></gml:Point></ogr:geometryProperty><ogr:n>1</ogr:n></ogr:a></gml:featureMember></ogr:FeatureCollection>",
            encoding="utf-8",
        )
        result = read(path)
        assert dict(result.objects) == {"a": 1}
        assert [p.name for p in tmp_path.iterdir()] == ["a.gml"]

    @given(st.binary(max_size=200))
    @settings(deadline=None)
    def test_no_bytes_at_all_break_the_outline_of_a_json_file_or_a_text(self, data: bytes):
        json_head(data)
        assert isinstance(decode_text(data)[0], str)

    def test_the_outline_knows_the_top_keys_only(self):
        outline = json_head(b'{"a": {"type": "inner"}, "type": "FeatureCollection", "list": [1, {"x": 2}], "last": "y')
        assert list(outline.keys) == ["a", "type", "list", "last"]
        assert outline.value("type") == "FeatureCollection"
        assert list(json_head(b' [{"ts": 1, "_": 2}, {"other": 3}]').keys) == ["ts", "_"]


@pytest.fixture(scope="module")
def good_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    layer = layer_of(POLYGONS, name=texts("天河", None, "c"), floors=np.array([3, 4, 5]))
    write_geopackage(folder / "plan.gpkg", [("zones", layer, Crs.epsg(4547))])
    write_geojson(folder / "plan.geojson", layer_of(["POINT (113 23)", "POINT (114 24)"]), None)
    write_csv(folder / "plan.csv", layer)
    for suffix in (".shp", ".fgb"):
        pyogrio.raw.write(
            folder / f"plan{suffix}", shapely.to_wkb(shapely.from_wkt(POLYGONS)), [texts("天河", "b", "c")], ["name"],
            geometry_type="MultiPolygon" if suffix == ".fgb" else "Polygon", crs="EPSG:4547", promote_to_multi=True,
        )  # fmt: skip
    return folder


SUFFIXES = [".gpkg", ".geojson", ".csv", ".shp", ".fgb"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(part=st.floats(0.0, 1.0, exclude_max=True))
@MUTATIONS
def test_a_truncated_file_is_read_in_part_or_refused(tmp_path: Path, good_files: Path, suffix: str, part: float):
    good = (good_files / f"plan{suffix}").read_bytes()
    damage(tmp_path, good_files, suffix, good[: 1 + int(part * (len(good) - 1))])


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(flips=st.lists(st.tuples(st.integers(0, 199_999), st.integers(0, 255)), min_size=1, max_size=8))
@MUTATIONS
def test_flipped_bytes_never_escape_as_anything_but_a_refusal(
    tmp_path: Path, good_files: Path, suffix: str, flips: list[tuple[int, int]]
):
    bad = bytearray((good_files / f"plan{suffix}").read_bytes())
    for place, value in flips:
        bad[place % len(bad)] = value
    damage(tmp_path, good_files, suffix, bytes(bad))


@pytest.mark.parametrize("suffix", [".shx", ".dbf"])
@given(flips=st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 255)), min_size=1, max_size=8))
@MUTATIONS
def test_damaged_sidecars_never_escape_either(tmp_path: Path, good_files: Path, suffix: str, flips: list[tuple[int, int]]):
    damage(tmp_path, good_files, ".shp", (good_files / "plan.shp").read_bytes())
    bad = bytearray((good_files / f"plan{suffix}").read_bytes())
    for place, value in flips:
        bad[place % len(bad)] = value
    (tmp_path / f"plan{suffix}").write_bytes(bytes(bad))
    read_or_refused(read, tmp_path / "plan.shp")


def test_a_shapefile_of_absurd_lengths_without_an_index_is_read_to_where_it_makes_sense(tmp_path: Path, good_files: Path):
    data = bytearray((good_files / "plan.shp").read_bytes())
    (first,) = struct.unpack_from(">I", data, 104)
    struct.pack_into(">I", data, 100 + 8 + 2 * first + 4, 2**31)
    (tmp_path / "plan.shp").write_bytes(bytes(data))
    result = read(tmp_path / "plan.shp")
    assert len(result.sources[0].data.features) == 1


def damage(folder: Path, good: Path, suffix: str, data: bytes) -> None:
    if suffix == ".shp":
        for side in (".shx", ".dbf", ".prj", ".cpg"):
            shutil.copyfile(good / f"plan{side}", folder / f"plan{side}")
    path = folder / f"plan{suffix}"
    path.write_bytes(data)
    read_or_refused(read, path)
