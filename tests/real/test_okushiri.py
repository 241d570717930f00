"""The tsunami of Okushiri 1993 in a wave tank of 1:400 (Matsuyama and Tanaka 2001): levels at three gauges against the tank."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cimdesk.analysis.flood.inundation import run_inundation
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Gauge, Series
from cimdesk.model.terrain import Terrain

pytestmark = pytest.mark.real
CELL = 0.028
GAUGES = (Gauge("ch5", 4.521, 1.196), Gauge("ch7", 4.521, 1.696), Gauge("ch9", 4.521, 2.196))


def tank(folder: Path) -> tuple[FloodScenario, np.ndarray]:
    """Return the scenario and the (N, 4) measurements: seconds, and centimetres at the gauges."""
    with zipfile.ZipFile(folder / "Benchmark_2_Bathymetry.zip") as archive:
        xyz = np.loadtxt(io.BytesIO(archive.read("Benchmark_2_Bathymetry.xya")), delimiter=",", skiprows=1)
    columns = np.unique(np.round(xyz[:, 0] / 0.014).astype(int))
    rows = np.unique(np.round(xyz[:, 1] / 0.014).astype(int))
    bed = np.full((len(rows), len(columns)), np.nan)
    bed[np.round(xyz[:, 1] / 0.014).astype(int) - rows[0], np.round(xyz[:, 0] / 0.014).astype(int) - columns[0]] = xyz[:, 2]
    assert np.isfinite(bed).all()
    # Points of a grid of 0.014 m: every second cell takes the four around its middle.
    even = bed[: bed.shape[0] // 2 * 2, : bed.shape[1] // 2 * 2]
    ground = even.reshape(even.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))[::-1].astype(np.float32)
    terrain = Terrain(np.ascontiguousarray(ground), -0.007, ground.shape[0] * CELL - 0.007, CELL, CELL)
    wave = np.loadtxt(folder / "Benchmark_2_input.txt", skiprows=1)
    edge = EdgeBoundary("west", "level", level=Series(wave[:, 0], wave[:, 1]))
    scenario = FloodScenario(
        "Okushiri", terrain, 0.0025, np.zeros(ground.shape, dtype=bool), 22.5, 22.5, boundaries=(edge,), gauges=GAUGES,
        initial_level=0.0, precision="float32", engine="dynamic",
    )  # fmt: skip
    return scenario, np.loadtxt(folder / "output_ch5-7-9.txt", skiprows=1)


def test_waves_run_up_as_in_the_tank(real_data: Path):
    folder = real_data / "flood" / "anuga"
    if not (folder / "Benchmark_2_Bathymetry.zip").is_file():
        pytest.skip(f"no wave tank at {folder}")
    scenario, measured = tank(folder)
    result = run_inundation(scenario)
    print(f"\n{result.statistics['cells']} cells, {result.statistics['steps']} steps")
    assert abs(result.statistics["mass_error"]) <= 1e-6
    within = measured[measured[:, 0] <= 22.5]
    for k, series in enumerate(result.gauges):
        tank_level = within[:, k + 1] / 100.0
        ours = np.interp(within[:, 0], series.times, series.levels)
        error = float(np.sqrt(np.mean((ours - tank_level) ** 2)))
        lag = within[np.argmax(ours), 0] - within[np.argmax(tank_level), 0]
        print(
            f"{series.gauge.name}: peak {ours.max() * 100:.2f} cm, in the tank {tank_level.max() * 100:.2f} cm, "
            f"{lag:+.2f} s; RMSE {error * 100:.2f} cm"
        )
        assert error <= 0.005
        assert ours.max() == pytest.approx(tank_level.max(), rel=0.1)
        assert abs(lag) <= 0.5
