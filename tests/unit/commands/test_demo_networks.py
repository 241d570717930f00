"""The demo city's pipes and gauges: does water run downhill, is everything connected, do readings follow the rain?"""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.commands.demo import gauges, storm, swmm_file, water
from tests.unit.commands.demo_parts import small_parts


def test_every_manhole_drains_to_an_outfall():
    sewers = small_parts().sewers
    for start in range(len(sewers.xy)):
        node, steps = start, 0
        while sewers.to[node] >= 0:
            node, steps = int(sewers.to[node]), steps + 1
            assert steps < len(sewers.xy)
        assert sewers.is_outfall[node]


def test_sewers_fall_and_never_shrink_downstream():
    sewers = small_parts().sewers
    pipes = np.flatnonzero(sewers.to >= 0)
    down = sewers.to[pipes]
    assert (sewers.invert_up[pipes] > sewers.invert_down[pipes]).all()
    assert (sewers.invert_down[pipes] >= sewers.invert[down] - 1e-9).all()
    goes_on = ~sewers.is_outfall[down]
    assert (sewers.diameter[down[goes_on]] >= sewers.diameter[pipes[goes_on]]).all()


def test_sewers_lie_below_the_street():
    sewers = small_parts().sewers
    pipes = np.flatnonzero(sewers.to >= 0)
    assert (sewers.ground[pipes] - sewers.invert_up[pipes] - sewers.diameter[pipes] >= 0.99).all()


def test_catchments_cover_the_built_ground():
    parts = small_parts()
    area = sum(c.area for c in parts.sewers.catchments)
    west, south, east, north = parts.plan.window
    assert 0.55 < area / ((east - west) * (north - south)) < 0.9


def test_swmm_file_names_only_what_it_defines(tmp_path):
    parts = small_parts()
    path = tmp_path / "drainage.inp"
    swmm_file.write_swmm(path, parts.sewers, parts.terrain)
    sections = _sections(path)
    nodes = {row[0] for name in ("JUNCTIONS", "OUTFALLS", "STORAGE") for row in sections[name]}
    links = [row for name in ("CONDUITS", "PUMPS") for row in sections[name]]
    assert {end for row in links for end in row[1:3]} <= nodes
    assert {row[2] for row in sections["SUBCATCHMENTS"]} <= nodes
    assert {row[0] for row in sections["XSECTIONS"]} == {row[0] for row in sections["CONDUITS"]}
    assert {row[0] for row in sections["COORDINATES"]} == nodes
    outfalls = {row[0] for row in sections["OUTFALLS"]}
    into = [row[2] for row in links if row[2] in outfalls]
    assert len(into) == len(set(into)), "SWMM takes one link per outfall"


def test_epanet_file_is_one_connected_network(tmp_path):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    path = tmp_path / "water.inp"
    water.write_epanet(path, small_parts().mains)
    sections = _sections(path)
    names = [row[0] for name in ("JUNCTIONS", "RESERVOIRS", "TANKS") for row in sections[name]]
    row_of = {name: k for k, name in enumerate(names)}
    ends = np.array([[row_of[row[1]], row_of[row[2]]] for name in ("PIPES", "PUMPS", "VALVES") for row in sections[name]])
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(names), len(names)))
    assert connected_components(graph, directed=False)[0] == 1
    assert sum(float(row[2]) for row in sections["JUNCTIONS"]) == pytest.approx(sum(small_parts().mains.demands), rel=1e-3)


def _sections(path):
    sections, rows = {}, []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            rows = sections.setdefault(line.strip("[]"), [])
        elif line.strip():
            rows.append(line.split())
    return sections


def test_the_storm_brings_the_depth_its_formula_gives():
    a, b, n = storm.INTENSITY
    minutes = storm.STORM_DURATION / 60.0
    expected = a / (minutes + b) ** n / storm.LITRES_PER_HECTARE_PER_MM_MIN * minutes
    assert storm.rain_depths().sum() == pytest.approx(expected, rel=1e-9)


def test_the_storm_peaks_at_two_fifths_of_its_duration():
    peak = storm.record_times()[np.argmax(storm.rain_depths())]
    assert abs(peak - (storm.STORM_START + 0.4 * storm.STORM_DURATION)) <= storm.STEP


def test_there_are_five_rain_gauges_and_twenty_four_water_gauges():
    kinds = [gauge.quantity for gauge in small_parts().gauges]
    assert kinds.count("rainfall") == 5
    assert len(kinds) - 5 == 24


def test_streets_are_dry_before_the_rain_and_wettest_after_its_peak():
    times = storm.record_times()
    peak = times[np.argmax(storm.rain_depths())]
    for gauge in small_parts().gauges:
        if gauge.key.startswith("PS"):
            assert (gauge.values[times <= storm.STORM_START] == 0.0).all()
            assert times[np.argmax(gauge.values)] >= peak


def test_the_underpass_gauge_goes_through_every_limit():
    underpass = next(g for g in small_parts().gauges if g.key == "PS-014")
    assert underpass.values.max() > underpass.limits[2]


def test_one_gauge_falls_silent_and_the_others_do_not(tmp_path):
    path = tmp_path / "observations.csv"
    gauges.write_observations(path, small_parts().gauges)
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    last = {row[0]: row[1] for row in rows}
    assert last.pop(gauges.LOST_GAUGE) < "2026-06-07T12:10"
    assert set(last.values()) == {"2026-06-07T16:00:00+08:00"}
