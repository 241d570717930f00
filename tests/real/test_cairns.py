"""A square kilometre of Cairns under a surge (an ANUGA run of Geoscience Australia), driven by its levels along the edges alone.

The data hold that run and a raster of the region, not its set-up: what comes in between the edges is the levels of every tenth
second there, without the momentum that crossed them, and the roughness is not told. So this shows how far the same water goes with
another engine, not which of the two is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import LinearNDInterpolator
from scipy.io import netcdf_file
from scipy.ndimage import binary_erosion

from cimdesk.analysis.flood.inundation import run_inundation
from cimdesk.model.flood import FloodResult, FloodScenario
from cimdesk.model.flood_inputs import HeldDepths
from cimdesk.model.terrain import Terrain

pytestmark = pytest.mark.real
CELL = 10.0
WET = 0.10
ROUGHNESS = 0.01


@dataclass
class Recorded:
    """The run of the file on a grid: ground (R, C), levels (T, R, C) at ``times``."""

    grid: Terrain
    times: np.ndarray
    levels: np.ndarray

    @property
    def depths(self) -> np.ndarray:
        return np.nan_to_num(np.maximum(self.levels - self.grid.elevations, 0.0))


def within(seen: Recorded, cells: int) -> np.ndarray:
    """Return (R, C) bool: ground so many cells and more from the edge of the mesh, a corner of which is cut off."""
    return binary_erosion(np.isfinite(seen.grid.elevations), np.ones((3, 3)), cells)


def recorded(file: Path) -> Recorded:
    with netcdf_file(file, mmap=False) as data:
        x, y, z, times, stage = (np.array(data.variables[name][:], dtype=float) for name in ("x", "y", "z", "time", "stage"))
    # The outermost triangles are left out: the mesh is not quite square.
    x0, y0 = x.min() + 20.0, y.min() + 20.0
    columns, rows = int((x.max() - 20.0 - x0) // CELL), int((y.max() - 20.0 - y0) // CELL)
    north = y0 + rows * CELL
    cx, cy = np.meshgrid(x0 + (np.arange(columns) + 0.5) * CELL, north - (np.arange(rows) + 0.5) * CELL)
    inside = LinearNDInterpolator(np.column_stack([x, y]), np.column_stack([z, stage.T]))(cx, cy)
    ground = Terrain(inside[..., 0].astype(np.float32), x0, north, CELL, CELL)
    return Recorded(ground, times, np.moveaxis(inside[..., 1:], 2, 0))


def run(seen: Recorded, manning_n: float, engine: str = "dynamic") -> FloodResult:
    shape = seen.grid.shape
    is_rim = np.isfinite(seen.grid.elevations) & ~within(seen, 1)
    cells = np.argwhere(is_rim)
    rim = HeldDepths(cells, seen.times, seen.depths[:, is_rim].astype(np.float32))
    start = np.where(seen.depths[0] > 0.01, seen.levels[0], seen.grid.elevations.astype(float))
    return run_inundation(
        FloodScenario(
            "Cairns", seen.grid, manning_n, np.zeros(shape, dtype=bool), float(seen.times[-1]), 10.0, devices=(rim,),
            initial_level=start, precision="float64", engine=engine,
        )
    )  # fmt: skip


def agreement(ours: FloodResult, seen: Recorded) -> dict[str, float]:
    """Return how near two runs are, three cells and more from the edge."""
    inner = within(seen, 3)
    depths = np.stack([np.asarray(depth)[inner] for depth in ours.depths])
    theirs = np.stack([depth[inner] for depth in seen.depths])
    wet, was_wet = depths > WET, theirs > WET
    both = wet & was_wet
    arrived, came = (np.where(mask.any(axis=0), seen.times[mask.argmax(axis=0)], np.nan) for mask in (wet, was_wet))
    lag = arrived - came
    return {
        "wet_agreement": float((wet & was_wet).sum() / (wet | was_wet).sum()),
        "depth_rmse_m": float(np.sqrt(((depths - theirs)[both] ** 2).mean())),
        "depth_bias_m": float((depths - theirs)[both].mean()),
        "peak_rmse_m": float(np.sqrt(((depths.max(axis=0) - theirs.max(axis=0)) ** 2).mean())),
        "lag_median_s": float(np.nanmedian(lag)),
        "lag_p90_s": float(np.nanpercentile(np.abs(lag), 90)),
        "volume_ratio": float(depths[-1].sum() / theirs[-1].sum()),
    }


@pytest.fixture(scope="module")
def seen(real_data: Path) -> Recorded:
    return recorded(real_data / "flood" / "mdal" / "cairns.sww")


def test_the_surge_goes_where_it_went(seen: Recorded):
    """Measured: wet area agrees to 93 %, depths of up to 6.5 m within 0.39 m (10 cm less on the whole), arrivals within a frame."""
    result = run(seen, ROUGHNESS)
    found = agreement(result, seen)
    print(f"\n{result.statistics['cells']} cells of {CELL:g} m, {result.statistics['steps']} steps: {found}")
    assert abs(result.statistics["mass_error"]) <= 1e-12
    assert found["wet_agreement"] >= 0.92
    assert found["depth_rmse_m"] <= 0.42
    assert abs(found["depth_bias_m"]) <= 0.12
    assert abs(found["lag_median_s"]) <= 10.0
    assert 0.90 <= found["volume_ratio"] <= 1.10


def test_the_inertial_engine_says_that_the_surge_is_not_its_case(seen: Recorded):
    statistics = run(seen, ROUGHNESS, "inertial").statistics
    assert statistics["froude_warning"]
    assert statistics["suggested_engine"] == "dynamic"


def test_water_without_friction_runs_to_its_end(seen: Recorded):
    result = run(seen, 0.001)
    assert abs(result.statistics["mass_error"]) <= 1e-12
    assert agreement(result, seen)["wet_agreement"] >= 0.80


def test_a_run_again_gives_the_levels_at_the_rim(seen: Recorded):
    """Along the edge itself the water is theirs at every frame: what differs inside is not in what was given."""
    result = run(seen, ROUGHNESS)
    ring = np.isfinite(seen.grid.elevations) & ~within(seen, 1)
    off = np.abs(np.asarray(result.depths[25])[ring] - seen.depths[25][ring])
    assert np.median(off) < 0.15
