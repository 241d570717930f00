"""The Merewether street flood of 8 June 2007 (Australian Rainfall and Runoff, Project 15): stages against the field and TUFLOW.

The scenario is written as a TOML file from the case's own files, so the command line runs the very same one:
``write_scenario(folder_of_the_case, folder, cell)``.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from cimdesk.commands.flood import run_file
from cimdesk.formats.flood_result import read_result

pytestmark = pytest.mark.real


def case_of(real_data: Path) -> Path:
    folder = real_data / "flood" / "anuga" / "merewether"
    if not folder.is_dir():
        pytest.skip(f"no Merewether case at {folder}")
    return folder


def observed(case: Path) -> list[dict[str, float]]:
    """Return the five points with the observed stages and TUFLOW's."""
    with (case / "Observations" / "ObservationPoints.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))[1:]
    names = ("x", "y", "id", "draft", "observed", "tuflow")
    return [dict(zip(names, map(float, row), strict=True)) for row in rows if row]


def write_scenario(
    case: Path, folder: Path, cell: float, duration: str = "1000s", precision: str = "float32", engine: str = "inertial"
) -> Path:
    """Write the scenario of the case: houses blocked, smooth roads, 19.7 m3/s over a disc, open edges but the southern one."""
    relative = Path(os.path.relpath(case, folder)).as_posix()
    gauges = "".join(f'[[gauge]]\nname = "point {p["id"]:.0f}"\nat = [{p["x"]}, {p["y"]}]\n' for p in observed(case))
    edges = "".join(f'[[boundary]]\nedge = "{edge}"\nkind = "free"\nslope = 0.02\n' for edge in ("north", "east", "west"))
    text = f"""[scenario]
name = "Merewether, 8 June 2007"
terrain = "{relative}/topography1.zip"
cell = {cell}
duration = "{duration}"
output_every = "100s"
precision = "{precision}"
engine = "{engine}"
extent = [382250.0, 6354265.0, 382571.0, 6354681.0]
[surface]
manning = {{ default = 0.04, source = "{relative}/Road/RoadPolygon.csv", value = 0.02 }}
buildings = {{ source = "{relative}/houses", treatment = "block" }}
[[inflow]]
at = [382265.0, 6354280.0]
radius = 10.0
discharge = 19.7
{edges}{gauges}"""
    file = folder / "merewether.toml"
    file.write_text(text, encoding="utf-8")
    return file


def run(case: Path, folder: Path, cell: float, engine: str = "inertial") -> tuple[dict, list[tuple[float, float, float, float]]]:
    """Run the case; return the figures and (id, observed, TUFLOW, ours) of the five points."""
    figures = run_file(write_scenario(case, folder, cell, engine=engine), folder / "merewether.flood")
    stages = [
        (point["id"], point["observed"], point["tuflow"], gauge["final_level_m"])
        for point, gauge in zip(observed(case), figures["gauges"], strict=True)
    ]
    print(f"\n{engine}: {figures['cells']} cells of {cell} m, {figures['steps']} steps, {figures['seconds']:.1f} s")
    print(f"mass error {figures['mass_error']:.1e}, Froude number > 0.8 in {figures['froude_high_fraction']:.0%} of the wet cells")
    print("point  observed  TUFLOW  cimdesk  minus observed  minus TUFLOW  [m]")
    for number, field, tuflow, ours in stages:
        print(f"{number:5.0f}  {field:8.2f}  {tuflow:6.2f}  {ours:7.2f}  {ours - field:14.2f}  {ours - tuflow:12.2f}")
    return figures, stages


def assert_settled(figures: dict) -> None:
    for gauge in figures["gauges"]:
        times, levels = np.array(gauge["time_s"]), np.array(gauge["level_m"])
        late = levels[times > 900.0]
        assert np.ptp(late) < 0.05, f"{gauge['name']} still moves by {np.ptp(late):.3f} m"


def test_merewether_comes_to_rest_near_observed_and_tuflow_stages(real_data: Path, tmp_path: Path):
    figures, stages = run(case_of(real_data), tmp_path, 2.0)
    assert abs(figures["mass_error"]) < 1e-6
    assert_settled(figures)
    errors = np.array([ours - field for _, field, _, ours in stages])
    assert np.abs(errors).max() < 0.35
    assert np.sqrt(np.mean(errors**2)) < 0.25
    result = read_result(tmp_path / "merewether.flood")
    # Steady: the volume of the last two output times differs by less than a second of the inflow.
    assert abs(result.volume[-1] - result.volume[-2]) < 19.7
    assert result.statistics["froude_warning"], "the steep streets are faster than this engine is meant for, and it must say so"


def test_the_dynamic_engine_is_as_near_the_field_as_tuflow(real_data: Path, tmp_path: Path):
    figures, stages = run(case_of(real_data), tmp_path, 2.0, "dynamic")
    assert abs(figures["mass_error"]) < 1e-6
    assert_settled(figures)
    errors = np.array([ours - field for _, field, _, ours in stages])
    tuflow = np.array([theirs - field for _, field, theirs, _ in stages])
    apart = np.abs(errors - tuflow).mean()
    print(f"mean error {np.abs(errors).mean():.3f} m, TUFLOW's {np.abs(tuflow).mean():.3f} m, apart {apart:.3f} m")
    assert np.count_nonzero(np.abs(errors) <= 0.3) >= 4
    assert np.abs(errors).mean() <= np.abs(tuflow).mean() + 0.05
    assert not figures["froude_warning"]


@pytest.mark.slow
def test_merewether_at_one_metre(real_data: Path, tmp_path: Path):
    figures, stages = run(case_of(real_data), tmp_path, 1.0)
    assert abs(figures["mass_error"]) < 1e-6
    errors = np.array([ours - field for _, field, _, ours in stages])
    assert np.abs(errors).max() < 0.35
