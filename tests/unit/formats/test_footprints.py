"""Footprints from GeoParquet, FlatGeobuf and OpenStreetMap, and the bodies their heights make of them."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.errors import Cancelled, DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.formats import registry
from cimdesk.formats.extrusion import Extrusion, extrude, guessed_height, number_columns
from cimdesk.formats.findings import Findings
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.mesh import Surface
from tests.unit.formats import footprint_files as files


def volumes(city) -> np.ndarray:
    """Return the volume of each body by the divergence theorem; right only for closed ones that look outwards."""
    mesh = city.finest
    a, b, c = (mesh.vertices[mesh.triangles[:, k]].astype(np.float64) for k in range(3))
    return np.bincount(mesh.feature_index, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6.0, len(city.features))


@pytest.mark.parametrize("maker", [files.geoparquet, files.flatgeobuf])
def test_footprints_come_with_their_system_and_attributes(tmp_path, maker):
    result = registry.read(maker(tmp_path / f"blocks.{'parquet' if maker is files.geoparquet else 'fgb'}"))
    (source,) = result.sources
    assert result.crs == "EPSG:4547"
    assert not result.problems
    layer = source.data
    row = layer.features.row_of("court")
    assert layer.features.columns["height"][row] == 30.0
    assert np.isnan(layer.features.columns["height"][layer.features.row_of("b")])
    assert layer.shapes.is_hole.sum() == 1
    assert np.allclose(result.extent[:, :2], [[files.EAST, files.NORTH], [files.EAST + 60, files.NORTH + 80]])


def test_nested_and_fixed_columns_of_parquet_are_readable(tmp_path):
    features = registry.read(files.geoparquet(tmp_path / "b.parquet")).sources[0].data.features
    row = features.row(features.row_of("a"))
    assert row["names"] == '{"primary": "楼 a"}'
    assert row["fixed"] == 2.5
    assert row["built"].startswith("2024-05-01")
    assert "bbox" not in row


def test_parquet_that_says_nothing_of_a_system_is_in_degrees(tmp_path):
    geo = {"version": "1.0.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}}}
    assert registry.read(files.geoparquet(tmp_path / "b.parquet", geo)).crs == "EPSG:4326"
    geo["columns"]["geometry"]["crs"] = None
    result = registry.read(files.geoparquet(tmp_path / "c.parquet", geo))
    assert result.crs is None
    assert [problem.code for problem in result.problems] == ["no-crs"]


def test_plain_parquet_with_a_column_of_geometry_is_read(tmp_path):
    result = registry.read(files.geoparquet(tmp_path / "b.parquet", {}, geometry="geom"))
    assert result.objects == {"b": 3}
    assert result.sources[0].crs is None


@pytest.mark.parametrize("name", ["we[i]rd*.parquet", "it's.parquet"])
def test_signs_in_a_name_mean_themselves(tmp_path, name):
    files.geoparquet(tmp_path / "b.parquet").rename(tmp_path / name)
    assert registry.read(tmp_path / name).objects == {name.removesuffix(".parquet"): 3}


def test_damaged_and_foreign_parquet_is_refused(tmp_path):
    whole = files.geoparquet(tmp_path / "b.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.parquet"):
        registry.read(tmp_path / "cut.parquet")
    (tmp_path / "text.parquet").write_text("no parquet at all")
    with pytest.raises(DataError, match=r"text\.parquet"):
        registry.read(tmp_path / "text.parquet")
    geo = {"primary_column": "geometry", "columns": {"geometry": {"encoding": "polygon"}}}
    with pytest.raises(DataError, match="only WKB"):
        registry.read(files.geoparquet(tmp_path / "arrow.parquet", geo))
    with pytest.raises(DataError, match="no column of geometry"):
        registry.read(files.geoparquet(tmp_path / "table.parquet", {}, geometry="stuff"))


def test_reading_parquet_can_be_cancelled(tmp_path):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        registry.read(files.geoparquet(tmp_path / "b.parquet"), ReadOptions(cancel=cancel))


def test_bodies_are_closed_and_as_large_as_their_outline_times_their_height(tmp_path):
    layer = registry.read(files.geoparquet(tmp_path / "b.parquet")).sources[0].data
    city = extrude(layer, Extrusion(storey=3.2), Findings())
    # b tells only its storeys; the courtyard of the last one is empty.
    expected = {"a": 200.0 * 12.0, "b": 600.0 * 5 * 3.2, "court": (1600.0 - 400.0) * 30.0}
    found = dict(zip(city.features.ids.tolist(), volumes(city).tolist(), strict=True))
    assert found == pytest.approx(expected, rel=1e-5)
    assert set(city.finest.surface.tolist()) == {Surface.GROUND, Surface.WALL, Surface.ROOF}
    assert city.lods == ["1"]
    assert city.features.columns["type"].tolist() == ["Building"] * 3
    assert city.features.columns["height"][0] == 12.0


def test_a_unit_a_base_and_a_default_height_are_taken_at_their_word(tmp_path):
    layer = registry.read(files.flatgeobuf(tmp_path / "b.fgb")).sources[0].data
    table = layer.features
    columns = {"h_ft": np.where(table.ids == "b", np.nan, 100.0), "floor_ft": np.full(3, 10.0)}
    plain = type(layer)(type(table)(table.ids, columns), layer.shapes)
    findings = Findings()
    city = extrude(plain, Extrusion("h_ft", "floor_ft", default=9.0, unit=0.3048), findings)
    low, high = city.finest.heights(3)
    assert np.allclose(low, 3.048, atol=1e-4)
    wanted = {"a": 33.528, "b": 12.048, "court": 33.528}
    assert np.allclose(high, [wanted[key] for key in table.ids.tolist()], atol=1e-4)
    assert [problem.code for problem in findings.problems()] == ["no-heights"]


def test_of_openstreetmap_only_buildings_are_raised(tmp_path):
    result = registry.read(files.osm(tmp_path / "town.osm"))
    layer = next(source.data for source in result.sources if source.part.startswith("multipolygons"))
    assert layer.features.columns["height"][layer.features.row_of("way/1")] == "24 m"
    assert guessed_height(layer.features) == "height"
    assert {"height", "building:levels"} <= set(number_columns(layer.features))
    findings = Findings()
    city = extrude(layer, Extrusion(), findings)
    assert city.features.ids.tolist() == ["way/1", "way/2"]
    low, high = city.finest.heights(2)
    assert np.allclose([low, high], [[0.0, 6.0], [24.0, 12.0]])
    assert [problem.code for problem in findings.problems()] == ["not-buildings"]


def test_heights_that_cannot_be_are_not_believed():
    from cimdesk.formats.extrusion import _as_numbers

    texts = np.array(["12", "12,5 m", "30 ft", "30'", "8;9", "about 9", None, "", "-4"], dtype=object)
    assert np.allclose(_as_numbers(texts), [12, 12.5, 9.144, 9.144, 8, np.nan, np.nan, np.nan, -4], equal_nan=True)


def test_routes_of_openstreetmap_are_no_pipes():
    from cimdesk.formats.vector_osm import with_tags

    texts = np.array(['"network"=>"water","name"=>"7"'], dtype=object)
    lines = {"osm_id": np.array(["1"], dtype=object), "other_tags": texts}
    assert list(with_tags(lines)) == ["osm_id", "other_tags"]
    areas = with_tags({"osm_id": np.array([None]), "osm_way_id": np.array(["5"]), "other_tags": texts})
    assert (areas["id"][0], areas["network"][0], "other_tags" in areas) == ("way/5", "water", False)


def test_an_outline_that_crosses_itself_has_a_roof_all_the_same():
    from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer

    ring = np.array([[0, 0], [20, 20], [20, 0], [0, 20], [0, 0]], dtype=float)
    ring += np.array([files.EAST, files.NORTH])
    points = np.column_stack([ring, np.full(5, 4.0)])
    shapes = Shapes(ShapeKind.POLYGON, points, np.array([0, 5]), np.array([0]), np.array([False]))
    layer = VectorLayer(FeatureTable(np.array(["bow"], dtype=object), {"height": np.array([10.0])}), shapes)
    mesh = extrude(layer, Extrusion(), Findings()).finest
    corners = mesh.world_vertices()[mesh.triangles]
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    roof, floor = mesh.surface == Surface.ROOF, mesh.surface == Surface.GROUND
    assert sides[roof, 2].sum() / 2 == pytest.approx(200.0, rel=1e-6)
    assert sides[floor, 2].sum() / 2 == pytest.approx(-200.0, rel=1e-6)
    assert np.allclose(np.unique(corners[:, :, 2]), [4.0, 14.0])
