"""The way from a drawing to the map, for every way of saying it."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.formats.findings import Findings
from cimdesk.formats.ifc.reference import placing_of

FOOT = 0.3048
SURVEY_FOOT = 1200.0 / 3937.0
POINTS = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 5.0]])


def place(said: dict, unit: float = 1.0):
    findings = Findings()
    placing = placing_of(said, unit, findings)
    return placing, placing.place(POINTS), [problem.code for problem in findings.problems()]


def test_a_map_conversion_turns_and_shifts():
    turn = {"XAxisAbscissa": 0.0, "XAxisOrdinate": 2.0, "Eastings": 500.0, "Northings": 1000.0, "OrthogonalHeight": 30.0}
    placing, placed, codes = place({"system": {"Name": "EPSG:25832"}, "conversion": turn})
    assert placing.crs == Crs.epsg(25832)
    assert placed == pytest.approx(np.array([[500.0, 1000.0, 30.0], [500.0, 1010.0, 35.0]]))
    assert codes == []


def test_a_combined_scale_stretches_the_plan_and_not_the_heights():
    _, placed, _ = place({"system": {"Name": "EPSG:25832"}, "conversion": {"Scale": 0.9996}})
    assert placed[1] == pytest.approx([9.996, 0.0, 5.0])


@pytest.mark.parametrize("scale", [None, 0.001, 1.0])
def test_millimetres_come_out_right_whatever_the_scale_says(scale):
    said = {"system": {"Name": "EPSG:25832"}, "conversion": {"Eastings": 500.0} | ({} if scale is None else {"Scale": scale})}
    _, placed, codes = place(said, unit=0.001)
    assert placed[1] == pytest.approx([510.0, 0.0, 5.0])
    assert codes == (["scale-unit"] if scale == 1.0 else [])


def test_a_map_in_feet_gets_feet():
    said = {"system": {"Name": "EPSG:2965"}, "conversion": {"Eastings": 100.0}, "map_unit": SURVEY_FOOT}
    _, placed, _ = place(said, unit=SURVEY_FOOT)
    assert placed[1] == pytest.approx([100.0 + 10.0 / SURVEY_FOOT, 0.0, 5.0])


def test_a_map_unit_of_metres_in_a_system_of_feet_is_converted():
    said = {"system": {"Name": "EPSG:2965"}, "conversion": {"Eastings": 100.0}, "map_unit": 1.0}
    _, placed, _ = place(said)
    assert placed[:, 0] == pytest.approx([100.0 / SURVEY_FOOT, 110.0 / SURVEY_FOOT])


def test_what_the_world_system_of_the_file_shifts_is_taken_back():
    wcs = np.eye(4)
    wcs[:3, 3] = [1000.0, 2000.0, 0.0]
    _, placed, _ = place({"system": {"Name": "EPSG:25832"}, "conversion": {"Eastings": 5.0}, "wcs": wcs.tolist()}, unit=0.5)
    assert placed[0] == pytest.approx([5.0 - 1000.0 * 0.5, -2000.0 * 0.5, 0.0])


def test_vertical_datums_are_named():
    placing, _, _ = place({"system": {"Name": "EPSG:3878", "VerticalDatum": "N2000"}, "conversion": {}})
    assert placing.crs.code == "EPSG:3878+3900"


def test_a_rigid_operation_shifts_only():
    placing, placed, _ = place({"system": {"Name": "EPSG:25832"}, "rigid": [400.0, 800.0, 7.0]})
    assert placing.way == "rigid"
    assert placed[1] == pytest.approx([410.0, 800.0, 12.0])


def test_the_site_lies_where_its_latitude_and_longitude_say():
    site = np.eye(4)
    site[:3, 3] = [100.0, 0.0, 2.0]
    placing, _, codes = place({"latitude": 48.5, "longitude": 8.25, "elevation": 200.0, "site": site.tolist()})
    there = Crs.epsg(4326).transform(placing.crs, np.array([[8.25, 48.5, 200.0]]))[0]
    assert placing.place(np.array([[100.0, 0.0, 2.0]]))[0] == pytest.approx(there, abs=1e-6)
    assert codes == ["placed-by-site"]


def test_true_north_points_north():
    placing, _, _ = place({"latitude": 48.5, "longitude": 8.25, "true_north": [0.6, 0.8]})
    ends = placing.crs.transform(Crs.epsg(4326), placing.place(np.array([[0.0, 0.0, 0.0], [60.0, 80.0, 0.0]])))
    assert ends[1, 0] == pytest.approx(ends[0, 0], abs=1e-8)
    assert ends[1, 1] > ends[0, 1]


@pytest.mark.parametrize("said", [{}, {"latitude": 0.0, "longitude": 0.0}, {"system": {"Name": ""}, "conversion": {}}])
def test_what_says_nothing_stays_where_it_is(said):
    placing, placed, _ = place(said)
    assert placing.crs is None
    assert (placed == POINTS).all()


def test_unknown_systems_are_reported():
    placing, _, codes = place({"system": {"Name": "Our own grid"}, "conversion": {"Eastings": 1.0}})
    assert placing.crs is None
    assert codes == ["unknown-crs"]
