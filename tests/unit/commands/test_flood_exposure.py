"""Who and what is wet: known answers in a town of boxes, and files that say what run they are of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.commands.exposure_count import count_exposure
from cimdesk.commands.exposure_plan import footprint_areas, plan_exposure
from cimdesk.commands.exposure_tables import damage_table, exposure_rules
from cimdesk.commands.flood_exposure import exposure_of, report_of, set_exits, write_exposure_csv
from cimdesk.commands.session import Session
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer, as_strings, column_of
from cimdesk.model.flood import FloodResult
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.network import LinkKind, NodeKind, Utility, UtilityNetwork
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import Observations, Sensors
from cimdesk.model.terrain import Terrain
from tests.unit.commands.exposure_town import boxes, with_layers

STATS = {"engine": "inertial", "cell": 2.0, "cfl": 0.6, "mass_error": 3e-8, "rain_m3": 800.0}


def run_of(*frames: np.ndarray, blocked: np.ndarray | None = None, **more) -> FloodResult:
    shape = frames[0].shape
    grid = Terrain(np.zeros(shape, dtype=np.float32), 0.0, shape[0] * 2.0, 2.0, 2.0)
    depths = np.stack([frame.astype(np.float32) for frame in frames])
    nothing = np.zeros(shape, dtype=np.float32)
    times = np.arange(len(frames)) * 600.0
    shut = np.zeros(shape, dtype=bool) if blocked is None else blocked
    deepest = depths.max(axis=0)
    result = FloodResult("Storm", grid, shut, 1000.0, times, depths, deepest, nothing, nothing, nothing, (), times, times)
    return replace(result, statistics=dict(STATS), **more)


def roads(*paths: list[tuple[float, float]], **columns: list) -> VectorLayer:
    points = np.array([(x, y, np.nan) for path in paths for x, y in path])
    offsets = np.concatenate([[0], np.cumsum([len(path) for path in paths])])
    shapes = Shapes(ShapeKind.LINE, points, offsets, np.arange(len(paths)), np.zeros(len(paths), dtype=bool))
    table = FeatureTable(as_strings([f"R{k}" for k in range(len(paths))]), {name: column_of(v) for name, v in columns.items()})
    return VectorLayer(table, shapes)


DRY = np.zeros((60, 60))


def water(west: float, south: float, east: float, north: float, depth: float) -> np.ndarray:
    found = DRY.copy()
    found[60 - int(north / 2) : 60 - int(south / 2), int(west / 2) : int(east / 2)] = depth
    return found


@pytest.fixture
def town() -> Session:
    """A street from west to east with a house, a school and a workshop of 10 m along it; a pump, a hydrant and a gauge."""
    session = Session()
    city = boxes(np.array([10.0, 50.0, 90.0]), np.array([66.0, 66.0, 66.0]), 10.0, ["residential", "school", "industrial"])
    street = roads([(0.0, 61.0), (120.0, 61.0)])
    network = UtilityNetwork(
        Utility.WATER,
        FeatureTable(as_strings(["H1", "J1"])),
        FeatureTable(as_strings(["P1"])),
        np.array([NodeKind.HYDRANT, NodeKind.JUNCTION], dtype=np.uint8),
        np.array([LinkKind.PUMP], dtype=np.uint8),
        np.array([[53.0, 61.0, 0.0], [57.0, 61.0, 0.0]]),
        np.array([0], dtype=np.int32),
        np.array([1], dtype=np.int32),
        np.array([0.2]),
        np.array([4.0]),
    )
    table = FeatureTable(as_strings(["G1"]), {name: as_strings([text]) for name, text in
                                             (("name", "Gauge"), ("quantity", "water_depth"), ("unit", "m"))})  # fmt: skip
    gauge = Sensors(table, np.array([[55.0, 59.0, 0.0]]), np.full((1, 3), np.nan), np.array([np.inf]), Observations.empty(1))
    with_layers(
        session.workspace,
        [
            (Layer("city", "Buildings", LayerKind.BUILDINGS, ""), city),
            (Layer("roads", "Roads", LayerKind.VECTOR, ""), street),
            (Layer("water", "Water", LayerKind.NETWORK, ""), network),
            (Layer("gauges", "Gauges", LayerKind.SENSORS, ""), gauge),
        ],
    )
    return session


def test_everything_in_a_flooded_square_is_counted_once(town):
    found = exposure_of(town, run_of(DRY, water(46, 56, 64, 80, 0.45)))
    assert found["buildings"] == {"school": 1, "industrial": 0, "residential": 0}
    assert found["buildings_total"] == 3
    # The school has two storeys and twenty people; the water reaches the lower one.
    assert found["people"] == 20.0
    assert found["people_by_storeys"] == {"1": 10.0}
    assert found["people_on_flooded_storeys"] == 10.0
    assert {(a["kind"], a["id"]) for a in found["assets"]} == {("school", "B1"), ("pump", "P1"), ("sensor", "G1")}
    assert found["network_parts"] == {"hydrant": 1}
    assert sum(found["roads_m"].values()) == pytest.approx(120.0)
    assert found["roads_m"]["Passable"] == pytest.approx(90.0)
    json_like = found["isolation"]
    assert json_like["passable_depth_m"] == 0.3


def test_counts_follow_the_clock(town):
    result = run_of(DRY, water(46, 56, 64, 80, 0.45), DRY)
    plan = plan_exposure(town.workspace, result)
    people = [report_of(plan, result, 1000.0 + t)["people"] for t in (-100.0, 0.0, 300.0, 600.0, 1200.0)]
    # Halfway between the frames the water is 0.225 m deep: above the limit of 0.15 m.
    assert people == [0.0, 0.0, 20.0, 20.0, 0.0]


def test_water_across_the_street_cuts_off_the_houses_behind_it(town):
    result = run_of(DRY, water(70, 56, 80, 66, 0.6))
    found = exposure_of(town, result)["isolation"]
    assert found["buildings"] == 1
    assert found["dry_buildings"] == 1
    assert found["people"] == 30.0
    assert found["flooded_m"] + found["cut_off_m"] + found["reachable_m"] == pytest.approx(120.0)
    assert found["cut_off_m"] > 30.0
    assert exposure_of(town, result, passable_depth=0.7)["isolation"]["buildings"] == 0


def test_the_places_roads_must_lead_to_decide_and_can_be_undone(town):
    result = run_of(DRY, water(70, 56, 80, 66, 0.6))
    set_exits(town, np.array([[120.0, 61.0]]))
    found = exposure_of(town, result)["isolation"]
    assert found["exits"] == [[120.0, 61.0]]
    assert found["buildings"] == 2
    town.undo()
    assert exposure_of(town, result)["isolation"]["exits"] is None


def test_roads_over_rivers_are_bridges():
    session = Session()
    with_layers(session.workspace, [(Layer("r", "Roads", LayerKind.VECTOR, ""), roads([(0.0, 61.0), (120.0, 61.0)]))])
    river = water(40, 0, 60, 120, 2.0)
    found = exposure_of(session, run_of(river, river))
    assert found["roads_m"]["Passable"] == pytest.approx(120.0)
    assert found["isolation"]["cut_off_m"] == 0.0


def test_roads_on_bridges_and_in_tunnels_stay_dry_and_do_not_meet_those_below():
    session = Session()
    lines = roads([(0.0, 61.0), (120.0, 61.0)], [(61.0, 0.0), (61.0, 120.0)], bridge=["yes", None])
    with_layers(session.workspace, [(Layer("r", "Roads", LayerKind.VECTOR, ""), lines)])
    found = exposure_of(session, run_of(DRY, water(0, 50, 120, 70, 1.0)))
    assert found["isolation"]["flooded_m"] < 60.0
    assert found["isolation"]["flooded_m"] > 19.0


def test_damage_is_area_times_price_times_share(town):
    found = exposure_of(town, run_of(DRY, water(46, 56, 64, 80, 0.5)))["damage"]
    assert found["by_class"]["Commercial and public"] == pytest.approx(100.0 * 4000.0 * 0.38)
    assert found["total"] == pytest.approx(152_000.0)
    assert (found["low"], found["high"]) == (pytest.approx(76_000.0), pytest.approx(228_000.0))
    assert found["verified"] is False
    assert "JRC105688" in found["source"]


def test_rows_name_the_assets_behind_them(town):
    counted = count_exposure(plan_exposure(town.workspace, run_of(DRY)), water(46, 56, 64, 80, 0.45).astype(np.float32))
    assert counted.refs("buildings:school") == [AssetRef("city", "B1")]
    assert counted.refs("people:4") == []
    assert counted.refs("people:3") == [AssetRef("city", "B1")]
    assert counted.refs("storeys:1") == [AssetRef("city", "B1")]
    assert counted.refs("damage:Commercial and public") == [AssetRef("city", "B1")]
    assert counted.refs("roads:3") == [AssetRef("roads", "R0")]
    assert counted.refs("isolation:roads") == [AssetRef("roads", "R0")]
    # The longer dry part, in the east, counts as reachable; the house in the west and the school in the water do not.
    assert counted.refs("isolation:buildings") == [AssetRef("city", "B0"), AssetRef("city", "B1")]
    assert counted.refs("parts:hydrant") == [AssetRef("water", "node:H1")]


def test_footprints_come_from_ground_faces_and_from_half_of_closed_bodies():
    city = boxes(np.array([0.0]), np.array([0.0]), 10.0)
    mesh = city.finest
    assert footprint_areas(mesh, np.zeros(1, dtype=np.int32)).tolist() == pytest.approx([100.0])
    plain = replace(mesh, surface=np.zeros_like(mesh.surface))
    assert footprint_areas(plain, np.zeros(1, dtype=np.int32)).tolist() == pytest.approx([100.0])


def test_a_file_says_what_run_it_is_of_and_hides_small_groups(town, tmp_path):
    path = tmp_path / "exposure.csv"
    data = exposure_of(town, run_of(DRY, water(6, 60, 24, 80, 0.45)))
    assert write_exposure_csv(path, data, "Storm") > 10
    text = path.read_text(encoding="utf-8-sig")
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert head[0] == "# Storm"
    for word in ("inertial", "2.00 m", "CFL 0.60", "3e-08", "55.6 mm", "screening"):
        assert word in head[1]
    assert "group,name,depth_class,amount,unit" in text
    data["people_by_depth"]["Serious"] = 4.0
    write_exposure_csv(path, data)
    assert "people,,Serious,< 10,1" in path.read_text(encoding="utf-8-sig")


def test_a_town_without_anything_is_all_zero():
    found = exposure_of(Session(), run_of(DRY))
    assert found["people"] == 0.0
    assert found["buildings"] == {}
    assert found["isolation"] is None
    assert found["damage"]["total"] == 0.0


BUILDINGS = "[buildings]\nstorey_height = 3.0\nfloor_height = 0.0\nreach = 200.0\n"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (BUILDINGS, "roads"),
        (BUILDINGS.replace("3.0", "0.0") + "[roads]\npassable_depth = 0.3", "buildings.storey_height"),
        (BUILDINGS + "[roads]\npassable_depth = 'deep'", "roads.passable_depth"),
    ],
)
def test_broken_rules_are_refused_with_their_place(tmp_path, text, where):
    (tmp_path / "exposure.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        exposure_rules(tmp_path / "exposure.toml")
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("row", "where"),
    [
        ("shares = [0.0, 0.5]", "class[1]"),
        ("shares = [0.0, 0.5, 0.4]", "class[1]"),
        ("shares = [0.0, 0.5, 1.4]", "class[1].shares"),
        ("shares = [0.0, 0.5, 'x']", "class[1].shares"),
        ("shares = [0.0, 0.5, 0.9]\ndepths = [0.0, 2.0, 1.0]", "class[1]"),
    ],
)
def test_broken_curves_are_refused_with_their_place(tmp_path, row, where):
    head = "depths = [0.0, 1.0, 2.0]\nlow_factor = 0.5\nhigh_factor = 1.5\n[[class]]\nname = 'a'\nvalue_per_m2 = 1.0\n"
    (tmp_path / "damage.toml").write_text(head + row, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        damage_table(tmp_path / "damage.toml")
    assert caught.value.where == where


def test_damaged_tables_are_one_message(tmp_path):
    (tmp_path / "damage.toml").write_text("[[class", encoding="utf-8")
    with pytest.raises(DataError, match="TOML"):
        damage_table(tmp_path / "damage.toml")
    with pytest.raises(DataError, match="no such file"):
        damage_table(tmp_path / "missing.toml")
