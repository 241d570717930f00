"""Every real network against what other programs say of it; every other file beside them is left to others."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.analysis.network.trace import Direction, flow_directions, passable_links, trace
from cimdesk.formats.hydraulic import EPANET_READER, SWMM_READER
from cimdesk.formats.registry import ReadOptions, read_head
from cimdesk.model.network import LinkKind, NodeKind

pytestmark = pytest.mark.real
WATER = ("junctions", "reservoirs", "tanks", "pipes", "pumps", "valves")
DRAINAGE = (
    "subcatchments", "raingages", "junctions", "outfalls", "dividers", "storage", "conduits", "pumps", "orifices", "weirs",
    "outlets",
)  # fmt: skip
REFUSED_ELSEWHERE = {
    "bad_syntax.inp": "unknown-section", "bad_times.inp": "bad-time", "bad_values.inp": "unknown-node", "valves.inp": "new-valve",
    "invalid_model.inp": "unknown-node",
}  # fmt: skip


@pytest.fixture(scope="module")
def networks(real_data):
    """Every .inp file, read: relative path -> (reader, result)."""
    found = {}
    for path in sorted(real_data.glob("networks_*/**/*.inp")):
        reader = max((EPANET_READER, SWMM_READER), key=lambda r: r.claim(path, read_head(path)))
        found[path.relative_to(real_data).as_posix()] = (reader, reader.read(path, ReadOptions()))
    assert len(found) > 40
    return found


def network_of(networks, name):
    return next(result.sources[0].data for path, (_, result) in networks.items() if path.endswith(name))


def test_water_is_read_as_epanet_and_drainage_as_swmm(networks):
    for path, (reader, _) in networks.items():
        assert reader is (EPANET_READER if path.startswith("networks_water") else SWMM_READER), path


def test_counts_are_those_of_wntr_and_of_the_sections(networks, facts):
    compared = 0
    for path, (_, result) in networks.items():
        fact = facts[path]
        rows = fact.get("sections") or fact.get("section_lines")
        if not rows:
            continue
        for name in WATER if path.startswith("networks_water") else DRAINAGE:
            wanted = fact[name] if "error" not in fact and name in fact else rows.get(name.upper(), 0)
            assert result.objects.get(name, 0) == wanted, (path, name)
            compared += 1
    assert compared > 300


def test_extents_lengths_and_durations_are_those_of_wntr(networks, facts):
    compared = 0
    for path, (_, result) in networks.items():
        fact = facts[path]
        if "bbox" not in fact:
            continue
        network = result.sources[0].data
        low, high = network.positions[:, :2].min(axis=0), network.positions[:, :2].max(axis=0)
        assert [*low, *high] == pytest.approx(fact["bbox"], abs=0.006), path
        pipes = network.link_kind == LinkKind.PIPE
        assert network.lengths[pipes].sum() == pytest.approx(fact["pipe_length_total_m"], abs=1e-3, rel=1e-8), path
        assert network.metadata["duration"] == fact["duration_s"]
        assert network.metadata["flow_units"] == fact["units"]
        compared += 1
    assert compared >= 17


def test_files_other_programs_refuse_load_with_the_reason_listed(networks):
    for path, (_, result) in networks.items():
        expected = REFUSED_ELSEWHERE.get(path.rsplit("/", 1)[1])
        if expected:
            assert expected in {problem.code for problem in result.problems}, path
            assert len(result.sources[0].data.nodes)


def test_whole_files_have_no_problems(networks):
    fine = {"crs-beside", "wide-links"}
    for path, (_, result) in networks.items():
        name = path.rsplit("/", 1)[1]
        if name not in REFUSED_ELSEWHERE and name != "model_full_features_network.inp":
            assert {problem.code for problem in result.problems} <= fine, (path, result.problems)


def test_neighbours_tell_the_reference_system(networks):
    crs = {path.rsplit("/", 1)[1]: result.sources[0].crs for path, (_, result) in networks.items()}
    assert crs["bellinge_small.inp"].code == "EPSG:32632"
    assert crs["ky4.inp"].code == "EPSG:3547"
    assert crs["Net3.inp"] is None


def test_diameters_are_plausible_metres(networks):
    for path, (_, result) in networks.items():
        network = result.sources[0].data
        sizes = network.diameters[np.isfinite(network.diameters)]
        assert ((sizes > 0) & (sizes <= 10)).all(), (path, sizes.min(), sizes.max())
        stated = network.links.columns.get("diameter", np.zeros(0))
        # Modellers write huge pipes for "no resistance": 15 m at Bellinge's outfall, 1000 inches at ky10's pumps.
        assert ("wide-links" in {problem.code for problem in result.problems}) == bool((stated > 10).any()), path


def test_nothing_else_in_these_folders_is_taken_for_a_network(real_data):
    others = [path for path in real_data.glob("networks_*/**/*") if path.is_file() and path.suffix != ".inp"]
    assert len(others) > 25
    for path in others:
        assert EPANET_READER.claim(path, read_head(path)) == SWMM_READER.claim(path, read_head(path)) == 0.0, path


def test_every_manhole_of_bellinge_drains_to_the_outfall(networks):
    network = network_of(networks, "bellinge_small.inp")
    outfall = network.nodes.row_of("G72F050_outfall")
    assert len(trace(network, Direction.UP, [outfall]).nodes) == len(network.nodes)
    for row in range(len(network.nodes)):
        assert outfall in trace(network, Direction.DOWN, [row]).nodes
    assert network.nodes.columns["drained_area"].sum() == pytest.approx(network.areas.features.columns["area"].sum())


def test_up_and_down_agree_on_real_water_networks(networks):
    for name in ("Net3.inp", "L-TOWN.inp", "ky4.inp"):
        network = network_of(networks, name)
        for row in range(0, len(network.nodes), max(1, len(network.nodes) // 7)):
            up = trace(network, Direction.UP, [row])
            assert np.isin(network.node_kind[up.sources], [NodeKind.RESERVOIR, NodeKind.TANK]).all()
            other = int(up.nodes[len(up.nodes) // 2])
            assert row in trace(network, Direction.DOWN, [other]).nodes


def test_water_flows_away_from_the_reservoirs_of_net3(networks):
    network = network_of(networks, "Net3.inp")
    tails, heads, unknown = flow_directions(network, passable_links(network))
    assert not unknown.any()
    for name in ("River", "Lake"):
        row = network.nodes.row_of(name)
        assert row not in heads
        assert row in tails


def test_isolating_a_main_of_ltown_shuts_valves_and_leaves_the_rest_supplied(networks):
    network = network_of(networks, "L-TOWN.inp")
    whole = trace(network, Direction.CONNECTED, [0])
    burst = int(np.flatnonzero(network.link_kind == LinkKind.PIPE)[400])
    found = trace(network, Direction.ISOLATE, links=[burst])
    assert len(found.nodes) <= len(whole.nodes)
    assert burst in found.links
    assert len(found.customers)
    assert not np.isin(found.valves, found.links).any()
