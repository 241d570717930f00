"""Vector plans: layers, kinds, encodings, missing sidecars, pipes that are lines, and every way a file can be damaged."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from cimdesk.base.crs import Crs
from cimdesk.base.errors import Cancelled, DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.vector import READER, write_csv, write_geojson, write_geopackage
from cimdesk.formats.vector_shapes import geometries_of, split_by_kind, take_apart
from cimdesk.model.features import FeatureTable, ShapeKind, as_strings
from tests.unit.formats.vector_layers import POLYGONS, codes, geojson, layer_of, read, texts


class TestShapes:
    @pytest.mark.parametrize(
        "wkt",
        [
            POLYGONS,
            ["LINESTRING (0 0, 1 1, 2 0)", "MULTILINESTRING ((0 0, 1 1), (5 5, 6 6))"],
            ["POINT (1 2)", "MULTIPOINT ((3 4), (5 6))", "POINT (7 8)"],
            ["POINT Z (1 2 3)", "POINT Z (4 5 6)"],
            ["POLYGON Z ((0 0 5, 9 0 5, 9 9 6, 0 0 5))"],
        ],
    )
    def test_geometries_survive_the_way_into_arrays_and_back(self, wkt: list[str]):
        layer = layer_of(wkt)
        assert shapely.to_wkt(geometries_of(layer.shapes, len(wkt)), rounding_precision=6).tolist() == wkt

    def test_features_without_geometry_stay_in_the_table(self):
        layer = layer_of(["POINT (1 2)", None, "POINT EMPTY"])
        assert len(layer.features) == 3
        assert layer.shapes.feature_of_ring.tolist() == [0]

    def test_a_collection_is_split_by_kind(self):
        layers = split_by_kind(
            FeatureTable(as_strings(["a", "b"])),
            take_apart(
                shapely.from_wkt(["GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1), MULTIPOINT ((3 4)))", "POINT (0 0)"])
            ),
        )
        assert [layer.shapes.kind for layer in layers] == [ShapeKind.POINT, ShapeKind.LINE]
        assert [layer.features.ids.tolist() for layer in layers] == [["a", "b"], ["a"]]


class TestGeoPackage:
    def test_layers_and_tables_written_are_read_back(self, tmp_path: Path):
        zones = layer_of(POLYGONS, name=texts("天河", None, "c"), floors=np.array([3, 4, 5]), area=np.array([1.5, np.nan, 2.5]))
        stops = layer_of(["POINT Z (1 2 3)", "POINT Z (4 5 6)"])
        rules = FeatureTable(as_strings(["r1"]), {"text": texts("keep")})
        path = tmp_path / "plan.gpkg"
        count = write_geopackage(path, [("zones", zones, Crs.epsg(4547)), ("stops", stops, Crs.epsg(4490)), ("rules", rules, None)])
        result = read(path)
        assert count == 6
        assert dict(result.objects) == {"zones": 3, "stops": 2, "rules": 1}
        assert result.format == "GeoPackage"
        assert result.crs == "EPSG:4547"
        found = {source.name: source for source in result.sources}
        assert found["zones"].data.features.columns["name"].tolist() == ["天河", None, "c"]
        assert found["zones"].data.features.columns["floors"].tolist() == [3, 4, 5]
        assert found["zones"].data.features.ids.tolist() == ["f0", "f1", "f2"]
        np.testing.assert_array_equal(found["zones"].data.features.columns["area"], [1.5, np.nan, 2.5])
        assert found["stops"].crs == Crs.epsg(4490)
        np.testing.assert_array_equal(found["stops"].data.shapes.coordinates, [[1, 2, 3], [4, 5, 6]])

    def test_one_layer_can_be_asked_for(self, tmp_path: Path):
        path = tmp_path / "plan.gpkg"
        write_geopackage(path, [("a", layer_of(["POINT (1 2)"]), None), ("b", layer_of(["POINT (3 4)"]), None)])
        assert [source.part for source in read(path, part="b").sources] == ["b"]
        with pytest.raises(DataError, match="no layer c"):
            read(path, part="c")

    def test_big_layers_are_read_in_chunks_that_can_be_cancelled(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        path = tmp_path / "many.gpkg"
        many = layer_of([f"POINT ({k} 0)" for k in range(250)], n=np.arange(250))
        write_geopackage(path, [("many", many, None)])
        monkeypatch.setattr("cimdesk.formats.vector_gdal.CHUNK", 100)
        told: list[float | None] = []
        result = read(path, progress=lambda fraction, text="": told.append(fraction))
        np.testing.assert_array_equal(result.sources[0].data.features.columns["n"], np.arange(250))
        assert len(told) >= 3
        cancel = CancelToken()
        with pytest.raises(Cancelled):
            read(path, cancel=cancel, progress=lambda fraction, text="": cancel.cancel())

    def test_a_failed_write_leaves_the_earlier_file_alone(self, tmp_path: Path):
        path = tmp_path / "plan.gpkg"
        write_geopackage(path, [("a", layer_of(["POINT (1 2)"]), None)])
        before = path.read_bytes()
        bad = FeatureTable(as_strings(["x"]), {"when": np.array([1 + 2j])})
        with pytest.raises((DataError, TypeError, ValueError, NotImplementedError)):
            write_geopackage(path, [("a", bad, None)])
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["plan.gpkg"]

    def test_a_system_of_no_register_is_kept_as_it_is(self, tmp_path: Path):
        local = Crs.parse("+proj=tmerc +lat_0=23 +lon_0=113.2 +k=1 +x_0=40000 +y_0=30000 +ellps=GRS80 +units=m")
        path = tmp_path / "local.gpkg"
        write_geopackage(path, [("a", layer_of(["POINT (40000 30000)"]), local)])
        result = read(path)
        assert result.crs is None
        there = result.sources[0].crs.transform(Crs.epsg(4490), np.nan_to_num(result.sources[0].data.shapes.coordinates))
        np.testing.assert_allclose(there[0, :2], [113.2, 23.0], atol=1e-8)


class TestGeoJson:
    def test_a_file_that_names_no_system_reports_none_and_is_longitude_latitude(self, tmp_path: Path):
        (tmp_path / "a.geojson").write_text(geojson({"type": "Point", "coordinates": [113.3, 23.1]}), encoding="utf-8")
        result = read(tmp_path / "a.geojson")
        assert result.crs is None
        assert result.sources[0].crs == Crs.epsg(4326)

    def test_the_old_crs_member_is_honoured(self, tmp_path: Path):
        crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}
        (tmp_path / "a.json").write_text(geojson({"type": "Point", "coordinates": [431205, 2558410]}, crs=crs), encoding="utf-8")
        result = read(tmp_path / "a.json")
        assert result.crs == "EPSG:4547"
        assert result.sources[0].crs == Crs.epsg(4547)

    def test_a_null_crs_member_means_unknown(self, tmp_path: Path):
        (tmp_path / "a.json").write_text(geojson({"type": "Point", "coordinates": [1, 2]}, crs=None), encoding="utf-8")
        result = read(tmp_path / "a.json")
        assert result.sources[0].crs is None
        assert "no-crs" in codes(result)

    def test_coordinates_that_are_no_degrees_are_not_taken_as_such(self, tmp_path: Path):
        (tmp_path / "a.geojson").write_text(geojson({"type": "Point", "coordinates": [431205, 2558410]}), encoding="utf-8")
        result = read(tmp_path / "a.geojson")
        assert result.sources[0].crs is None
        assert "not-degrees" in codes(result)

    def test_mixed_kinds_become_one_source_each(self, tmp_path: Path):
        line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
        point = {"type": "Point", "coordinates": [1, 2, 7]}
        (tmp_path / "mix.geojson").write_text(geojson(line, point, None, point), encoding="utf-8")
        result = read(tmp_path / "mix.geojson")
        assert dict(result.objects) == {"mix": 4}
        assert [source.part for source in result.sources] == ["mix#points", "mix#lines"]
        assert "no-geometry" in codes(result)
        assert len(result.sources[0].data.features) == 3, "the feature without geometry is kept"
        assert [source.part for source in read(tmp_path / "mix.geojson", part="mix#lines").sources] == ["mix#lines"]

    def test_what_is_written_is_longitude_latitude(self, tmp_path: Path):
        layer = layer_of(["LINESTRING Z (431205 2558410 3, 431305 2558410 4)"], name=texts("路"))
        write_geojson(tmp_path / "road.geojson", layer, Crs.epsg(4547))
        result = read(tmp_path / "road.geojson")
        back = Crs.epsg(4326).transform(Crs.epsg(4547), result.sources[0].data.shapes.coordinates)
        np.testing.assert_allclose(back, layer.shapes.coordinates, atol=1e-3)
        assert "crs" not in json.loads((tmp_path / "road.geojson").read_text(encoding="utf-8"))

    def test_a_list_of_places_of_a_web_chart_is_read(self, tmp_path: Path):
        rows = [{"name": "江海新村", "value": [121.46, 30.91, 25000]}, {"name": "东方冠郡", "value": [120.22, 30.2, 25186]}]
        path = tmp_path / "places.json"
        path.write_text(json.dumps([rows, 2]), encoding="utf-8")
        assert READER.claim(path, path.read_bytes()) > 0.5
        layer = read(path).sources[0].data
        assert layer.features.columns["name"].tolist() == ["江海新村", "东方冠郡"]
        assert layer.features.columns["value"].tolist() == [25000, 25186]
        np.testing.assert_allclose(layer.shapes.coordinates[:, :2], [[121.46, 30.91], [120.22, 30.2]])


class TestShapefile:
    @pytest.fixture
    def shapefile(self, tmp_path: Path):
        def make(encoding: str = "UTF-8") -> Path:
            path = tmp_path / "管线.shp"
            pyogrio.raw.write(
                path, shapely.to_wkb(shapely.points([[431205.0, 2558410.0], [431305.0, 2558510.0]])),
                [texts("燃气管线", "天河区珠江新城")], ["名称"], geometry_type="Point", crs="EPSG:4547", encoding=encoding,
            )  # fmt: skip
            return path

        return make

    @pytest.mark.parametrize("encoding", ["UTF-8", "GBK", "GB18030"])
    @pytest.mark.parametrize("with_cpg", [True, False])
    def test_chinese_text_is_read_whether_or_not_its_encoding_is_named(self, shapefile, encoding: str, with_cpg: bool):
        path = shapefile(encoding)
        if not with_cpg:
            path.with_suffix(".cpg").unlink()
        result = read(path)
        assert result.sources[0].data.features.columns["名称"].tolist() == ["燃气管线", "天河区珠江新城"]
        assert result.crs == "EPSG:4547"
        assert not result.problems

    @pytest.mark.parametrize("name", ["936", "ANSI 936", "gb2312"])
    def test_code_pages_go_by_many_names(self, shapefile, name: str):
        path = shapefile("GBK")
        path.with_suffix(".cpg").write_text(name, encoding="ascii")
        assert read(path).sources[0].data.features.columns["名称"].tolist()[0] == "燃气管线"

    def test_a_code_page_that_lies_is_overruled_and_reported(self, shapefile):
        path = shapefile("GBK")
        path.with_suffix(".cpg").write_text("UTF-8", encoding="ascii")
        result = read(path)
        assert result.sources[0].data.features.columns["名称"].tolist()[0] == "燃气管线"
        assert "wrong-encoding" in codes(result)

    def test_a_missing_index_is_made_anew_without_writing_beside_the_file(self, shapefile):
        path = shapefile()
        path.with_suffix(".shx").unlink()
        before = sorted(p.name for p in path.parent.iterdir())
        result = read(path)
        np.testing.assert_allclose(result.sources[0].data.shapes.coordinates[:, 0], [431205, 431305])
        assert "missing-shx" in codes(result)
        assert sorted(p.name for p in path.parent.iterdir()) == before

    def test_missing_attributes_and_projection_are_reported(self, shapefile):
        path = shapefile()
        path.with_suffix(".dbf").unlink()
        path.with_suffix(".prj").unlink()
        result = read(path)
        assert codes(result) == {"missing-dbf", "missing-prj"}
        assert result.crs is None
        assert len(result.sources[0].data.features) == 2

    def test_a_sidecar_alone_points_at_the_shapefile(self, shapefile):
        table = shapefile().with_suffix(".dbf")
        assert READER.claim(table, table.read_bytes()[:4096]) > 0
        with pytest.raises(DataError, match=r"part of 管线\.shp"):
            read(table)

    def test_a_zipped_shapefile_is_read(self, shapefile, tmp_path: Path):
        path = shapefile()
        archive = tmp_path / "plan.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            for suffix in (".shp", ".shx", ".dbf", ".prj", ".cpg"):
                packed.write(path.with_suffix(suffix), f"data/plan{suffix}")
        assert READER.claim(archive, archive.read_bytes()[:4096]) > 0.5
        assert len(read(archive).sources[0].data.features) == 2

    def test_fields_cut_in_the_middle_of_a_character_are_still_read(self, shapefile):
        path = shapefile("UTF-8")
        data = bytearray(path.with_suffix(".dbf").read_bytes())
        place = data.rindex("城".encode())
        data[place + 2 : place + 3] = b" "
        path.with_suffix(".dbf").write_bytes(bytes(data))
        assert read(path).sources[0].data.features.columns["名称"].tolist()[1].startswith("天河区珠江新")


class TestTables:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
    def test_points_of_any_encoding_are_read(self, tmp_path: Path, encoding: str):
        path = tmp_path / "stops.csv"
        path.write_bytes("编号,名称,经度,纬度\n01,珠江新城,113.32,23.12\n02,体育西,113.31,23.13\n".encode(encoding))
        assert READER.claim(path, path.read_bytes()) >= 0.6
        result = read(path)
        layer = result.sources[0].data
        assert layer.features.ids.tolist() == ["01", "02"]
        assert layer.features.columns["名称"].tolist() == ["珠江新城", "体育西"]
        assert result.crs == "EPSG:4326"

    def test_rows_without_a_place_are_reported_by_line(self, tmp_path: Path):
        (tmp_path / "a.csv").write_text("x,y,v\n1,2,3\nfoo,2,4\n5,6,7\n", encoding="utf-8")
        result = read(tmp_path / "a.csv")
        problem = next(p for p in result.problems if p.code == "no-place")
        assert (problem.where, problem.values) == ("line 3", {"count": 1})
        assert len(result.sources[0].data.features) == 3

    def test_wkt_is_read_curves_and_reference_system_included(self, tmp_path: Path):
        rows = [
            "name,WKT",
            'a,"SRID=4547;LINESTRING (0 0, 1 1)"',
            'b,"MULTICURVE (CIRCULARSTRING (0 0, 1 1, 2 0))"',
            'c,"POINT (broken"',
        ]
        (tmp_path / "a.csv").write_text("\n".join(rows), encoding="utf-8")
        result = read(tmp_path / "a.csv")
        assert result.crs == "EPSG:4547"
        layer = result.sources[0].data
        assert len(layer.shapes.ring_offsets) == 3
        arc = layer.shapes.ring(1)
        assert len(arc) > 10
        np.testing.assert_allclose(np.hypot(arc[:, 0] - 1, arc[:, 1]), 1.0, atol=1e-9)
        assert "no-place" in codes(result)

    def test_a_bare_list_of_coordinates_is_points(self, tmp_path: Path):
        (tmp_path / "house.csv").write_text("382373.6,6354401.5\n382368.0,6354398.6\n", encoding="utf-8")
        result = read(tmp_path / "house.csv")
        np.testing.assert_allclose(result.sources[0].data.shapes.coordinates[0, :2], [382373.6, 6354401.5])
        assert "no-header" in codes(result)

    def test_codes_with_leading_zeros_stay_text(self, tmp_path: Path):
        (tmp_path / "a.csv").write_text("x,y,code,n\n1,2,007,7\n3,4,010,\n", encoding="utf-8")
        columns = read(tmp_path / "a.csv").sources[0].data.features.columns
        assert columns["code"].tolist() == ["007", "010"]
        np.testing.assert_array_equal(columns["n"], [7, np.nan])

    def test_a_layer_written_as_csv_is_read_back(self, tmp_path: Path):
        layer = layer_of(POLYGONS, name=texts("天河", None, "c"))
        assert write_csv(tmp_path / "zones.csv", layer) == 3
        back = read(tmp_path / "zones.csv").sources[0].data
        assert back.features.columns["name"].tolist() == ["天河", None, "c"]
        np.testing.assert_allclose(back.shapes.coordinates[:, :2], layer.shapes.coordinates[:, :2])
