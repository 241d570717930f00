"""Hydrographs of HEC-RAS and of floods: what stands in the file comes out in SI, at its moments and places; bad files say why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats.hydrograph_files import chosen, read_hydrographs
from cimdesk.formats.observations_build import SensorRecord, result_of
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.hydrographs import DISCHARGE, LEVEL, Hydrograph, hydrographs_of

CFS = 0.3048**3
UNSTEADY = """Flow Title=Storm
Program Version=6.50
Boundary Location=    ,    ,    ,    ,    ,Town    ,    ,Upstream Inflow    ,
Interval=1HOUR
Flow Hydrograph= 12
    10001234.567    3000    4000    5000    6000    7000    8000    9000   10000
   11000   12000
Stage Hydrograph TW Check=0
Flow Hydrograph QMult= 0.5
DSS Path=
Use DSS=False
Use Fixed Start Time=True
Fixed Start Date/Time=02JAN1999,2400
Boundary Location=White    ,Muncie    ,237.6455,    ,    ,    ,    ,    ,
Interval=15MIN
Stage Hydrograph= 3
     930   931.5     932
Use Fixed Start Time=False
Fixed Start Date/Time=,
Boundary Location=    ,    ,    ,    ,    ,Town    ,    ,DS    ,
Friction Slope=0.0003,0
"""


def unsteady(folder: Path, text: str = UNSTEADY, units: str = "English Units") -> Path:
    (folder / "Town.prj").write_text(f"Proj Title=Town\n{units}\n", encoding="latin-1")
    path = folder / "Town.u01"
    path.write_text(text, encoding="latin-1")
    return path


def plan(path: Path) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["File Type"], file.attrs["Units System"] = b"HEC-RAS Results", b"US Customary"
        base = "Event Conditions/Unsteady/Boundary Conditions"
        table = file.create_dataset(f"{base}/Flow Hydrographs/2D: Town BCLine: Upstream", data=[[0.0, 100.0], [0.5, 900.0]])
        table.attrs["Interval"], table.attrs["Start Date"] = b"Days", b"18FEB1999 1200"
        table = file.create_dataset(f"{base}/Stage Hydrographs/2D: Town BCLine: Downstream", data=[[0.0, 10.0], [1.0, 20.0]])
        table.attrs["Interval"] = b"Days"
        lines = "Geometry/Boundary Condition Lines"
        file[f"{lines}/Attributes"] = np.array([(b"Upstream",)], dtype=[("Name", "S16")])
        file[f"{lines}/Polyline Info"] = np.array([[0, 2, 0, 1]])
        file[f"{lines}/Polyline Points"] = np.array([[0.0, 100.0], [40.0, 100.0]])
        series = "Results/Unsteady/Output/Output Blocks/Base Output/Unsteady Time Series"
        file[f"{series}/Time Date Stamp (ms)"] = np.array([b"18FEB1999 12:00:00:000", b"18FEB1999 13:00:00:000"])
        file[f"{series}/2D Flow Areas/Town/Boundary Conditions/Downstream"] = np.array([[11.0, 5.0], [12.0, 50.0]])
        file[f"{series}/2D Flow Areas/Town/Boundary Conditions/Downstream - Flow per Face"] = np.zeros((2, 2))
    return path


def by_name(found: list[Hydrograph]) -> dict[tuple[str, str], Hydrograph]:
    return {(one.name, one.quantity): one for one in found}


def test_tables_of_an_unsteady_flow_file_are_read_in_metres(tmp_path: Path):
    found = by_name(read_hydrographs(unsteady(tmp_path)))
    assert set(found) == {("Upstream Inflow", DISCHARGE), ("White Muncie 237.6455", LEVEL)}
    flow, stage = found["Upstream Inflow", DISCHARGE], found["White Muncie 237.6455", LEVEL]
    np.testing.assert_allclose(flow.values[:3], np.array([1000.0, 1234.567, 3000.0]) * 0.5 * CFS)
    assert len(flow.values) == 12
    assert flow.is_dated
    assert flow.times[0] == 915321600.0  # 24:00 of the second of January 1999
    assert np.diff(flow.times) == pytest.approx(3600.0)
    assert not stage.is_dated
    np.testing.assert_allclose(stage.times, [0.0, 900.0, 1800.0])
    np.testing.assert_allclose(stage.values, np.array([930.0, 931.5, 932.0]) * 0.3048)


def test_numbers_of_a_metric_project_stay_as_they_are(tmp_path: Path):
    found = by_name(read_hydrographs(unsteady(tmp_path, units="SI Units")))
    assert found["Upstream Inflow", DISCHARGE].values[0] == pytest.approx(500.0)


@pytest.mark.parametrize(
    ("old", "new", "said", "where"),
    [("3000", "30x0", "no row of numbers", "line 6"), ("= 12", "= 25", "cut short|no row of numbers", "line"),
     ("1HOUR", "SOMETIMES", "no interval", "line 4"), ("= 12", "= many", "no number of values", "line 5"),
     ("QMult= 0.5", "QMult= half", "'half' is no number", "line 9")],
)  # fmt: skip
def test_broken_flow_files_are_refused_with_their_line(tmp_path: Path, old: str, new: str, said: str, where: str):
    with pytest.raises(DataError, match=said) as caught:
        read_hydrographs(unsteady(tmp_path, UNSTEADY.replace(old, new, 1)))
    assert where in caught.value.where


def test_a_flow_file_without_its_project_does_not_guess_the_unit(tmp_path: Path):
    path = unsteady(tmp_path)
    (tmp_path / "Town.prj").unlink()
    with pytest.raises(DataError, match="feet or metres"):
        read_hydrographs(path)


def test_a_plan_gives_its_boundaries_and_what_came_through_them(tmp_path: Path):
    found = by_name(read_hydrographs(plan(tmp_path / "Town.p01.hdf")))
    flow = found["Upstream", DISCHARGE]
    np.testing.assert_allclose(flow.values, np.array([100.0, 900.0]) * CFS)
    assert flow.times.tolist() == [919339200.0, 919339200.0 + 43200.0]
    assert flow.place == (20.0, 100.0)  # half-way along its line
    stage = found["Downstream", LEVEL]  # as asked for, not as it came
    np.testing.assert_allclose(stage.values, np.array([10.0, 20.0]) * 0.3048)
    assert not stage.is_dated
    np.testing.assert_allclose(found["Downstream", DISCHARGE].values, np.array([5.0, 50.0]) * CFS)
    assert len(found) == 3


def test_a_plan_that_has_a_table_where_a_group_belongs_is_refused(tmp_path: Path):
    import h5py

    with h5py.File(plan(tmp_path / "Town.p01.hdf"), "a") as file:
        del file["Event Conditions/Unsteady/Boundary Conditions/Flow Hydrographs"]
        file["Event Conditions/Unsteady/Boundary Conditions/Flow Hydrographs"] = [1.0, 2.0]
    with pytest.raises(DataError, match="damaged"):
        read_hydrographs(tmp_path / "Town.p01.hdf")


def test_readings_of_sensors_are_hydrographs_where_they_are_flows_or_levels():
    records = [
        SensorRecord("a", "Bridge", "flow_rate", "l/s", (1.0, 2.0, 3.0), times=[0.0, 60.0, 120.0], values=[1000.0, np.nan, 3000.0]),
        SensorRecord("b", "Bridge", "temperature", "Cel", times=[0.0], values=[3.0]),
    ]
    data = result_of("x", "x", records, None, ReadOptions(), things=2).sources[0].data
    (one,) = hydrographs_of(data)
    assert (one.name, one.quantity, one.place) == ("Bridge", DISCHARGE, (1.0, 2.0))
    assert one.times.tolist() == [0.0, 120.0]  # a gap would be no water at all


def test_a_series_is_chosen_by_name_or_as_the_only_one(tmp_path: Path):
    found = read_hydrographs(plan(tmp_path / "Town.p01.hdf"))
    assert chosen(tmp_path, found, LEVEL, "").name == "Downstream"
    with pytest.raises(DataError, match="several") as caught:
        chosen(tmp_path, found, DISCHARGE, "")
    assert "'Upstream'" in caught.value.remedy
    with pytest.raises(DataError, match="no series 'Nile'"):
        chosen(tmp_path, found, DISCHARGE, "Nile")


def test_water_told_against_the_stream_is_turned_where_it_is_asked_for():
    one = Hydrograph("line", DISCHARGE, np.arange(3.0), np.array([0.01, -5.0, -8.0]))
    with pytest.raises(DataError, match="other way"):
        chosen(Path("a.hdf"), [one], DISCHARGE, "")
    np.testing.assert_allclose(chosen(Path("a.hdf"), [one], DISCHARGE, "", reverse=True).values, [0.0, 5.0, 8.0])


def test_files_without_hydrographs_and_damaged_ones_are_refused_in_one_message(tmp_path: Path):
    with pytest.raises(DataError, match="no such file"):
        read_hydrographs(tmp_path / "none.p01.hdf")
    path = plan(tmp_path / "Town.p01.hdf")
    content = path.read_bytes()
    random = np.random.default_rng(5)
    refused: list[DataError] = []
    for _ in range(25):
        damaged = bytearray(content)
        for at in random.integers(0, len(damaged), random.integers(1, 40)):
            damaged[at] = random.integers(0, 256)
        path.write_bytes(damaged[: random.integers(len(damaged) // 2, len(damaged))] if random.random() < 0.2 else damaged)
        try:
            read_hydrographs(path)
        except DataError as error:
            refused.append(error)
    assert refused
    assert all(str(path) in str(error) for error in refused)
