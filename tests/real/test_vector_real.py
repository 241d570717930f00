"""Real vector files against facts found with independent tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.formats.registry import ReadOptions, ReadResult, read_head
from cimdesk.formats.vector import READER, network_from_lines
from cimdesk.model.features import ShapeKind

pytestmark = pytest.mark.real


def read(path: Path) -> ReadResult:
    assert READER.claim(path, read_head(path)) >= 0.3, path.name
    return READER.read(path, ReadOptions())


def test_every_geopackage_and_shapefile_agrees_with_its_facts(real_data: Path, facts: dict):
    found = {name: fact for name, fact in facts.items() if fact.get("parser") == "fiona (GDAL)"}
    assert len(found) >= 4
    for name, fact in found.items():
        result = read(real_data / name)
        assert dict(result.objects) == {layer: said["features"] for layer, said in fact["layers"].items()}, name
        for source in result.sources:
            said = fact["layers"][source.name]
            assert set(said["fields"]) <= set(source.data.features.columns), name
            assert source.data.shapes.kind == {"P": ShapeKind.POLYGON, "L": ShapeKind.LINE}.get(
                said["geom"].removeprefix("Multi")[0] if said["geom"] != "Point" else "", ShapeKind.POINT
            )
            if said["crs"].startswith("EPSG"):
                assert source.crs.code == result.crs == said["crs"], name
            else:
                assert source.crs is not None, name
                assert result.crs is None, name


def test_every_geojson_agrees_with_its_facts(real_data: Path, facts: dict):
    found = {
        name: fact for name, fact in facts.items() if fact.get("kind") == "FeatureCollection" and not name.startswith("sensors/")
    }
    assert len(found) >= 8
    for name, fact in found.items():
        result = read(real_data / name)
        assert sum(result.objects.values()) == fact["features"], name
        said = Crs.parse(fact["crs"]["name"]) if fact["crs"] else None
        assert result.crs == (said.code if said else None), name
        assert result.sources[0].crs is not None, name


def test_chinese_names_are_read_as_they_are_written(real_data: Path):
    layer = read(real_data / "vector/china/guang_dong.json").sources[0].data
    names = [value for column in layer.features.columns.values() if column.dtype == object for value in column.tolist()]
    assert any("广州" in str(name) for name in names)
    places = read(real_data / "vector/china/ShanghaiBuildingPrice.json")
    assert dict(places.objects) == {"ShanghaiBuildingPrice": 9995}
    assert places.sources[0].data.features.columns["name"][0] == "江海新村"


def test_curves_are_drawn_as_lines(real_data: Path):
    result = read(real_data / "vector/fiona/curves_line.csv")
    assert dict(result.objects) == {"curves_line": 9}
    assert not [p for p in result.problems if p.code == "no-place"]
    assert np.unique(result.sources[0].data.shapes.feature_of_ring).tolist() == list(range(9))


def test_open_street_map_extracts_are_read_by_layer(real_data: Path):
    result = read(real_data / "vector/osm/Helsinki.osm.pbf")
    assert result.format == "OpenStreetMap"
    assert result.objects["lines"] > 3000
    assert result.crs == "EPSG:4326"
    (west, south), (east, north) = result.extent[:, :2]
    assert 24 < west < east < 26
    assert 60 < south < north < 61


def test_the_pipes_of_a_real_water_network_join_at_their_junctions(real_data: Path):
    pipes = read(real_data / "networks_water/wntr/ky4_pipes.geojson").sources[0].data
    junctions = read(real_data / "networks_water/wntr/ky4_junctions.geojson").sources[0].data
    network, _ = network_from_lines(pipes, "water")
    assert len(network.links) == 1156
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(network.positions[:, :2]).query(junctions.shapes.coordinates[:, :2])
    assert (distance < 0.05).mean() > 0.99, "the ends of the pipes are the junctions of the network"
    assert network.nodes.columns["degree"].sum() == 2 * 1156


def test_house_outlines_without_a_header_are_read_as_points(real_data: Path):
    for path in sorted((real_data / "flood/anuga/merewether/houses").glob("*.csv")):
        result = read(path)
        assert len(result.sources[0].data.features) >= 3, path.name


def test_buildings_of_open_street_map_rise_to_the_heights_they_are_tagged_with(real_data: Path):
    from cimdesk.formats.extrusion import Extrusion, extrude
    from cimdesk.formats.findings import Findings

    result = read(real_data / "vector/osm/Helsinki.osm.pbf")
    areas = next(source.data for source in result.sources if source.part.partition("#")[0] == "multipolygons")
    tags = areas.features.columns["building"].tolist(), areas.features.columns["building:part"].tolist()
    city = extrude(areas, Extrusion(default=3.0), Findings())
    assert len(city.features) == sum(any(value not in (None, "no") for value in row) for row in zip(*tags, strict=True)) > 100
    low, high = city.finest.heights(len(city.features))
    levels = city.features.columns["building:levels"]
    told = [row for row, value in enumerate(levels.tolist()) if value is not None and value.isdigit() and int(value) > 0]
    heights = city.features.columns.get("height")
    # A dozen of its areas are damaged and stand in the table only.
    drawn = np.isfinite(low)
    assert drawn.sum() >= 480
    told = [row for row in told if drawn[row] and (heights is None or heights[row] is None)]
    assert len(told) > 50
    told = [row for row in told if low[row] == 0.0]
    assert np.allclose(high[told], [3.0 * int(levels[row]) for row in told], atol=1e-3)
    assert (high[drawn] > low[drawn]).all()


def test_footprints_of_a_geopackage_rise_at_their_places(real_data: Path):
    from cimdesk.formats.extrusion import Extrusion, extrude
    from cimdesk.formats.findings import Findings

    layer = read(real_data / "vector/sf/buildings.gpkg").sources[0].data
    city = extrude(layer, Extrusion(default=9.0), Findings())
    assert len(city.features) == 158
    assert np.allclose(city.bounds[:, :2], layer.shapes.bounds[:, :2], atol=0.01)
    assert city.bounds[1, 2] - city.bounds[0, 2] == pytest.approx(9.0, abs=1e-3)
