"""Scrubbing a flood of a million cells beside a mesh whose heights and colours change, in the same run.

Times are of the processor, of all threads together, so that other work on the machine does not count.
"""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest

from cimdesk.formats.flood_result import PackedFrames
from cimdesk.model.flood import FloodResult
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain
from tests.scene import cities
from tests.scene.stage import Stage

pytestmark = [pytest.mark.benchmark, pytest.mark.render]
CELLS, FRAMES, STEPS = 1000, 13, 36


def run() -> FloodResult:
    """Return valleys that fill, 1000 x 1000 cells of 2 m, 13 frames."""
    y, x = np.mgrid[0:CELLS, 0:CELLS].astype(np.float32)
    bed = (3.0 * np.sin(x / 90.0) * np.cos(y / 70.0) + 0.002 * x + 0.2 * np.sin(x / 7.0) * np.sin(y / 9.0)).astype(np.float32)
    frames = PackedFrames(bed.shape)
    for k in range(FRAMES):
        frames.append(np.maximum(-1.5 + 0.35 * k - bed, 0.0).astype(np.float32))
    deepest = np.asarray(frames[FRAMES - 1])
    terrain = Terrain(bed, cities.ORIGIN[0], cities.ORIGIN[1] + 2.0 * CELLS, 2.0, 2.0)
    zero, none = np.zeros_like(bed), np.zeros(FRAMES)
    return FloodResult(
        "valleys", terrain, np.zeros(bed.shape, bool), cities.T0, np.arange(FRAMES) * 300.0, frames.finish(), deepest, zero, zero,
        zero, (), none, none,
    )  # fmt: skip


def scrubbed(stage, result) -> float:
    """Return the mean time of a frame while the clock is drawn over the whole run [s]."""
    seconds = []
    for time in np.linspace(cities.T0 + 1.0, cities.T0 + result.times[-1], STEPS):
        started = process_time()
        stage.scene.set_time(float(time))
        stage.scene.prepare()
        stage.window.Render()
        seconds.append(process_time() - started)
    return float(np.mean(seconds[4:]))


def as_a_mesh(stage, result) -> float:
    """Return the median time of a frame where a mesh of all cells takes new heights and colours instead [s]."""
    import pyvista as pv

    terrain = result.terrain
    x, y = np.meshgrid(terrain.column_centres() - cities.ORIGIN[0], terrain.row_centres() - cities.ORIGIN[1])
    bed = terrain.elevations.astype(np.float32)
    grid = pv.StructuredGrid(x.astype(np.float32), y.astype(np.float32), bed).extract_surface(algorithm=None)
    grid["depth"] = np.zeros(grid.n_points, np.float32)
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    mapper, actor = vtkPolyDataMapper(), vtkActor()
    mapper.SetInputData(grid)
    mapper.SetScalarModeToUsePointFieldData()
    mapper.SelectColorArray("depth")
    mapper.SetScalarRange(0.0, 2.0)
    actor.SetMapper(mapper)
    stage.scene.show_only(("terrain",))
    stage.canvas_renderer = stage.scene.canvas.renderer
    stage.canvas_renderer.AddActor(actor)
    seconds = []
    for time in np.linspace(cities.T0 + 1.0, cities.T0 + result.times[-1], 4):
        started = process_time()
        depth = result.depth_at(float(time))
        grid["depth"] = depth.ravel(order="F")
        grid.points[:, 2] = (bed + depth).ravel(order="F")
        grid.Modified()
        stage.scene.prepare()
        stage.window.Render()
        seconds.append(process_time() - started)
    stage.canvas_renderer.RemoveActor(actor)
    return float(np.median(seconds[1:]))


def test_a_million_cells_are_scrubbed_at_fifteen_frames_a_second(monkeypatch):
    monkeypatch.setenv("LP_NUM_THREADS", "1")
    result = run()
    workspace = cities.workspace_of(("terrain", LayerKind.TERRAIN, result.terrain), ("flood", LayerKind.FLOOD, result))
    stage = Stage(workspace, size=(1280, 720), quality="moving")
    stage.draw()
    stage.scene.complete(30.0)
    scrubbed(stage, result)
    ours = min(scrubbed(stage, result) for _ in range(2))
    naive = as_a_mesh(stage, result)
    stage.close()
    print(f"\n1000 x 1000 cells scrubbed: {1 / ours:.1f} frames/s; a mesh {1 / naive:.1f} frames/s: {naive / ours:.1f} x")
    assert naive / ours >= 4.0
    assert 1.0 / ours >= 15.0
