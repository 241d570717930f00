"""Speed and memory of the scene beside one actor per building, in the same run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.layers import LayerKind
from tests.scene import cities
from tests.scene.stage import Stage

pytestmark = [pytest.mark.benchmark, pytest.mark.render]
ROOT = Path(__file__).resolve().parents[2]

_COMMON = """
import json, sys, time
import numpy as np
import vtkmodules.vtkRenderingOpenGL2
from tests.scene import cities
import pyvista as pv

def grown():
    for line in open('/proc/self/status'):
        if line.startswith('VmHWM'):
            return int(line.split()[1]) / 1024

def warm():
    plotter = pv.Plotter(off_screen=True, window_size=(1280, 720))
    plotter.add_mesh(pv.Cube())
    plotter.show(auto_close=False)
    plotter.close()

n = int(sys.argv[1])
rng = np.random.default_rng(0)
side = int(np.ceil(np.sqrt(n)))
x, y = (v.ravel()[:n].astype(float) * 30 for v in np.meshgrid(np.arange(side), np.arange(side)))
mesh = cities.boxes(x, y, *rng.uniform(10, 20, (2, n)), rng.uniform(6, 60, n), np.zeros(n), np.zeros(n))
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, as_strings
city = CityModel(FeatureTable(as_strings(range(n))), np.full(n, -1, np.int32), {"1": mesh})
warm()
before = grown()
start = time.perf_counter()
"""
_OURS = """
from tests.scene.stage import Stage
from cimdesk.model.layers import LayerKind
stage = Stage(cities.workspace_of(("buildings", LayerKind.BUILDINGS, city)), size=(1280, 720), quality="moving")
stage.draw()
opened = time.perf_counter() - start
frames = []
for k in range(7):
    stage.scene.camera.orbit(None, 2, 0)
    begin = time.perf_counter()
    stage.scene.prepare()
    stage.window.Render()
    frames.append(time.perf_counter() - begin)
"""
_NAIVE = """
plotter = pv.Plotter(off_screen=True, window_size=(1280, 720))
local = mesh.vertices.reshape(n, 8, 3)
faces = np.column_stack([np.full(10, 3), mesh.triangles[:10]]).ravel()
for k in range(n):
    plotter.add_mesh(pv.PolyData(local[k], faces), color='#f2ede3')
plotter.show(auto_close=False)
opened = time.perf_counter() - start
frames = []
for k in range(5):
    plotter.camera.azimuth += 1
    begin = time.perf_counter()
    plotter.render()
    frames.append(time.perf_counter() - begin)
"""
_END = "\nprint(json.dumps({'open': opened, 'frame': float(np.median(frames)), 'memory': grown() - before}))"


def measured(way: str, count: int) -> dict[str, float]:
    environment = {**os.environ, "VTK_DEFAULT_OPENGL_WINDOW": "vtkEGLRenderWindow", "LP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", _COMMON + way + _END, str(count)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def say(text: str) -> None:
    print(f"\n[scene] {text}")


def test_10000_buildings_open_20_times_faster_in_an_eighth_of_the_memory():
    ours, naive = measured(_OURS, 10_000), measured(_NAIVE, 10_000)
    opened, memory, frame = (naive[key] / ours[key] for key in ("open", "memory", "frame"))
    say(f"10,000 buildings, open to first frame: {ours['open']:.2f} s, naive {naive['open']:.1f} s: {opened:.0f} x faster")
    say(f"10,000 buildings, memory: {ours['memory']:.0f} MB, naive {naive['memory']:.0f} MB: 1/{memory:.0f}")
    say(
        f"10,000 buildings, overview frame: {ours['frame'] * 1e3:.0f} ms, naive {naive['frame'] * 1e3:.0f} ms: {frame:.1f} x faster"
    )
    assert opened >= 20
    assert memory >= 8
    assert frame >= 4


@pytest.fixture(scope="module")
def city_of_20000():
    terrain = cities.river_terrain()
    city = cities.district(terrain, 26_800)
    workspace = cities.workspace_of(
        ("terrain", LayerKind.TERRAIN, terrain),
        ("buildings", LayerKind.BUILDINGS, city),
        ("flood", LayerKind.FLOOD, cities.storm(terrain, city)),
    )
    stage = Stage(workspace, size=(1280, 720), quality="moving")
    stage.look(345, 20, 2300, (1200, 1200, 10))
    yield stage
    stage.close()


def median_ms(work, repeats=9) -> float:
    times = []
    for _ in range(repeats):
        begin = perf_counter()
        work()
        times.append(perf_counter() - begin)
    return float(np.median(times)) * 1e3


def test_20000_buildings_on_terrain_move_smoothly(city_of_20000):
    stage = city_of_20000
    cities.restyle(stage.scene.workspace, "flood", visible=False)
    stage.draw()

    def frame():
        stage.scene.camera.orbit(None, 3, 0)
        stage.scene.prepare()
        stage.window.Render()

    stage.scene.set_quality("moving")
    overview = median_ms(frame)
    cities.restyle(stage.scene.workspace, "flood", visible=True)
    stage.draw()
    flooded = median_ms(frame)
    count = len(stage.scene.workspace.features("buildings"))
    say(f"{count} buildings on terrain, 1280 x 720, overview frame: {overview:.0f} ms, with flood water {flooded:.0f} ms")
    # A loaded software renderer varies by half; the figure to reach is 120 ms on an idle one.
    assert overview < 240


def test_smooth_edges_in_the_pixels_of_a_street_beside_those_of_the_shader(city_of_20000):
    from cimdesk.scene.edge_kernels import smooth_edges

    stage = city_of_20000
    cities.restyle(stage.scene.workspace, "flood", visible=False)
    stage.look(345, 12, 500, (1200, 1200, 10))
    stage.scene.set_quality("moving")
    picture = stage.draw()
    pixels = np.dstack([picture, np.full(picture.shape[:2], 255, dtype=np.uint8)])
    nowhere = np.zeros((0, 4), dtype=np.int64)
    smooth_edges(pixels.copy(), nowhere)

    def frame(shader):
        stage.scene.camera.orbit(None, 0.01, 0)
        stage.scene.prepare()
        stage.scene.canvas.set_smooth(shader)
        stage.window.Render()

    shader = median_ms(lambda: frame(True)) - median_ms(lambda: frame(False))
    ours = median_ms(lambda: smooth_edges(pixels.copy(), nowhere))
    say(f"smooth edges of a street, 1280 x 720: {ours:.1f} ms in the pixels, {shader:.0f} ms by the shader ({shader / ours:.1f}x)")
    assert ours < shader


def test_picking_takes_under_two_milliseconds(city_of_20000):
    stage = city_of_20000
    stage.draw()
    rng = np.random.default_rng(0)
    places = rng.uniform([100, 300], [1180, 600], (40, 2))
    for x, y in places:
        stage.scene.pick(x, y)
    times = [median_ms(lambda x=x, y=y: stage.scene.pick(x, y), 3) for x, y in places]
    say(f"pick in 20,000 buildings: median {np.median(times):.2f} ms, worst {max(times):.2f} ms")
    assert np.median(times) <= 2.0


def test_recolouring_100000_buildings_takes_under_five_milliseconds():
    n = 100_000
    x, y = (v.ravel()[:n].astype(float) * 25 for v in np.meshgrid(np.arange(317), np.arange(317)))
    ones = np.ones(n)
    mesh = cities.boxes(x, y, 12 * ones, 12 * ones, 9 * ones, 0 * ones, 0 * ones)
    city = CityModel(FeatureTable(as_strings(range(n))), np.full(n, -1, np.int32), {"1": mesh})
    stage = Stage(cities.workspace_of(("buildings", LayerKind.BUILDINGS, city)), quality="moving")
    begin = perf_counter()
    stage.draw()
    opened = perf_counter() - begin
    visual = stage.scene.visuals["buildings"]
    colors = np.random.default_rng(0).integers(1, 255, (n, 4), dtype=np.uint8)
    ours = median_ms(lambda: visual.paint(colors))
    rgb = np.empty((len(mesh.triangles) * 3, 3), dtype=np.uint8)
    naive = median_ms(lambda: np.copyto(rgb, np.repeat(colors[mesh.feature_index, :3], 3, axis=0)))
    stage.close()
    say(f"100,000 buildings opened in {opened:.1f} s; recoloured in {ours:.1f} ms, {naive / ours:.0f} x faster than vertex colours")
    assert ours <= 5.0


def test_a_flood_frame_swaps_in_place(city_of_20000):
    visual = city_of_20000.scene.visuals["flood"]
    moments = iter(cities.T0 + np.linspace(600.0, 20000.0, 40))
    swap = median_ms(lambda: visual.set_time(float(next(moments))))
    rows, columns = visual.result.terrain.shape
    per_512 = swap * 512 * 512 / (rows * columns)
    say(f"flood frame {rows} x {columns}: {swap:.1f} ms; {per_512:.1f} ms for 512 x 512")
    assert per_512 <= 60.0


def test_a_still_scene_renders_nothing(city_of_20000):
    stage = city_of_20000
    stage.draw()
    stage.waiting = 0
    idle = median_ms(stage.scene.prepare)
    say(f"idle: {stage.waiting} frames asked for; preparing a frame {idle:.1f} ms")
    assert stage.waiting == 0
