"""Lines that draw a network: which columns mean what, which ends are one node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.formats.vector import network_from_lines, write_geopackage
from cimdesk.formats.vector_network import PipeColumns, utilities_of, utility_of, with_ground
from cimdesk.model.features import VectorLayer
from cimdesk.model.layers import LayerKind
from cimdesk.model.network import LinkKind, Utility
from cimdesk.model.terrain import Terrain
from tests.unit.formats.vector_layers import layer_of, read, texts


class TestNetworks:
    def star(self, **columns) -> VectorLayer:
        return layer_of(["LINESTRING (0 0, 5 0, 10 0)", "LINESTRING (10.01 0, 10 10)", "LINESTRING (20 0, 10 0.02)"], **columns)

    def test_ends_within_tolerance_are_one_node(self):
        network, problems = network_from_lines(self.star(), Utility.GAS)
        assert len(network.nodes) == 4
        assert network.nodes.columns["degree"].max() == 3
        assert network.end[0] == network.start[1] == network.end[2]
        np.testing.assert_allclose(network.lengths, [10.0, 10.0, 10.0], atol=0.01)
        np.testing.assert_allclose(network.link_points(0)[1], [5, 0, np.nan])
        assert not problems

    @pytest.mark.parametrize(
        ("name", "values", "expected"),
        [
            ("diameter_mm", [200.0, 300.0, 0.0], [0.2, 0.3, np.nan]),
            ("diameter_m", [0.2, 0.3, 0.4], [0.2, 0.3, 0.4]),
            ("管径(mm)", [200.0, 300.0, 400.0], [0.2, 0.3, 0.4]),
            ("管径", ["DN200", "500X300", None], [0.2, 0.3, np.nan]),
            ("DN", [110, 160, 200], [0.11, 0.16, 0.2]),
        ],
    )
    def test_diameters_are_metres_by_the_unit_in_the_name_or_their_size(self, name: str, values: list, expected: list[float]):
        column = texts(*values) if any(isinstance(v, str) for v in values) else np.array(values)
        network, _ = network_from_lines(self.star(**{name: column}), "gas")
        np.testing.assert_allclose(network.diameters, expected)

    def test_depths_become_elevations_under_a_terrain(self):
        layer = self.star(起点埋深=np.array([1.0, 2.0, 3.0]), 终点埋深=np.array([2.0, 1.5, 2.0]))
        network, _ = network_from_lines(layer, Utility.WATER)
        assert np.isnan(network.positions[:, 2]).all()
        ground = Terrain(np.full((40, 40), 8.0, np.float32), -10.0, 30.0, 1.0, 1.0)
        placed = with_ground(network, ground)
        np.testing.assert_allclose(placed.positions[:, 2], [7.0, 6.0, 6.5, 5.0])
        assert placed.bend_points[0, 2] == pytest.approx(6.5)

    def test_levels_in_columns_and_in_the_lines_are_used(self):
        columns = PipeColumns(start_level="a", end_level="b")
        network, _ = network_from_lines(self.star(a=np.array([5.0, 4.0, 6.0]), b=np.array([4.0, 3.0, 4.0])), "drainage", columns)
        np.testing.assert_allclose(network.positions[:, 2], [5, 4, 3, 6])
        spatial, _ = network_from_lines(layer_of(["LINESTRING Z (0 0 5, 9 0 4)"]), "drainage")
        np.testing.assert_allclose(spatial.positions[:, 2], [5, 4])

    def test_lines_in_degrees_are_measured_along_the_ellipsoid(self):
        network, _ = network_from_lines(layer_of(["LINESTRING (113 23, 113 23.001)"]), "power", crs=Crs.epsg(4490))
        assert network.lengths[0] == pytest.approx(110.75, abs=0.1)
        assert network.link_kind[0] == LinkKind.CABLE

    def test_parts_of_one_feature_get_their_own_names(self):
        network, _ = network_from_lines(layer_of(["MULTILINESTRING ((0 0, 1 1), (1 1, 2 2))", "LINESTRING (0 0, 0 0)"]), "gas")
        assert network.links.ids.tolist() == ["f0", "f0-2"]

    @pytest.mark.parametrize(
        ("text", "utility"),
        [
            ("gas_pipes", "gas"), ("天然气管线", "gas"), ("RQ", "gas"), ("power lines", "power"), ("DL", "power"),
            ("通信", "telecom"), ("water_supply_pipes", "water"), ("给水管网", "water"), ("雨水管", "drainage"),
            ("stormwater", "drainage"), ("热力", "heat"),
            ("waterways", None), ("pipes", None), ("gaspar", None), ("roads", None), ("trunk", None),
        ],
    )  # fmt: skip
    def test_utilities_are_known_by_their_names(self, text: str, utility: str | None):
        assert utility_of(text) == utility

    def test_a_layer_of_gas_pipes_is_read_as_a_network(self, tmp_path: Path):
        path = tmp_path / "utilities.gpkg"
        roads = layer_of(["LINESTRING (0 0, 50 50)"])
        write_geopackage(
            path, [("gas_pipes", self.star(diameter_mm=np.array([110.0, 160.0, 200.0])), Crs.epsg(4547)), ("roads", roads, None)]
        )
        result = read(path)
        assert [(source.name, source.kind) for source in result.sources] == [
            ("gas_pipes", LayerKind.NETWORK),
            ("roads", LayerKind.VECTOR),
        ]
        network = result.sources[0].data
        assert network.utility is Utility.GAS
        np.testing.assert_allclose(network.diameters, [0.11, 0.16, 0.2])
        assert result.sources[0].options["utility"] == "gas"
        assert dict(result.objects) == {"gas_pipes": 3, "roads": 1}
        plain = read(path, extra={"utility": "none"})
        assert {source.kind for source in plain.sources} == {LayerKind.VECTOR}

    def test_a_column_of_utilities_splits_a_layer(self, tmp_path: Path):
        layer = self.star(管线类型=texts("燃气", "给水", "燃气"))
        assert {str(k): v.tolist() for k, v in utilities_of("survey", layer).items()} == {"gas": [0, 2], "water": [1]}
        path = tmp_path / "survey.gpkg"
        write_geopackage(path, [("survey", layer, None)])
        result = read(path)
        assert {source.data.utility for source in result.sources} == {Utility.GAS, Utility.WATER}
        gas = next(source for source in result.sources if source.data.utility is Utility.GAS)
        again = read(path, part=gas.part).sources
        assert [source.data.links.ids.tolist() for source in again] == [["f0", "f2"]]

    def test_lines_of_a_road_plan_stay_a_plan(self):
        assert utilities_of("roads", self.star(kind=texts("gas", "power", None))) == {}
        assert utilities_of("power", self.star()) == {}
        assert utilities_of("gas_pipes", layer_of(["POINT (1 2)"])) == {}
