"""A terrain of 4097 x 4097 cells read bit by bit, beside all of it as one mesh: opening, frames, chunks, memory."""

from __future__ import annotations

import gc
import os
import time

import numpy as np
import psutil
import pytest
import rasterio
from rasterio.transform import from_origin

from cimdesk.base.jobs import CancelToken, no_progress
from cimdesk.commands import sources
from cimdesk.commands.session import Session
from cimdesk.formats import registry

pytestmark = pytest.mark.benchmark
SIDE = 4097


@pytest.fixture(scope="module")
def mountains(tmp_path_factory):
    """Hills on all scales: noise whose amplitude falls with its frequency."""
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    os.environ["CIMDESK_HOME"] = str(tmp_path_factory.mktemp("home"))
    rng = np.random.default_rng(3)
    frequency = np.hypot(np.fft.rfftfreq(SIDE), np.fft.fftfreq(SIDE)[:, None])
    frequency[0, 0] = 1.0
    z = np.fft.irfft2(frequency**-2.1 * np.exp(2j * np.pi * rng.random(frequency.shape)), s=(SIDE, SIDE))
    z = (900.0 * ((z - z.min()) / np.ptp(z)) ** 1.5).astype(np.float32)
    path = tmp_path_factory.mktemp("terrain") / "mountains.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:32649", "tiled": True, "compress": "deflate"}
    with rasterio.open(path, "w", width=SIDE, height=SIDE, transform=from_origin(400_000, 2_600_000, 5, 5), **profile) as file:
        file.write(z, 1)
    return path


def resident():
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6


class InWindow:
    def start(self, job):
        job.done(job.work(no_progress, CancelToken()))


def frame(stage):
    begun = time.perf_counter()
    stage.scene.prepare()
    # Smoothing edges costs the same whatever is drawn.
    stage.scene.canvas.renderer.SetUseFXAA(False)
    stage.window.Render()
    stage.window.WaitForCompletion()
    return time.perf_counter() - begun


def settled(stage):
    begun = time.perf_counter()
    worst = 0.0
    first = None
    while True:
        worst = max(worst, frame(stage))
        (visual,) = stage.scene.visuals.values()
        if first is None and visual.choice.shown:
            first = time.perf_counter() - begun
        if not (visual.is_waiting or visual.is_pending):
            return first, worst, time.perf_counter() - begun
        time.sleep(0.005)


def steady(stage, times=9):
    return min(frame(stage) for _ in range(times))


def views(stage):
    """Frame times of the whole (still and moving) and of a place near the ground, without smoothed edges."""
    stage.scene.fit()
    first, worst, whole = settled(stage)
    overview = steady(stage)
    stage.scene.set_quality("moving")
    settled(stage)
    moving = steady(stage)
    stage.scene.set_quality("still")
    at = np.array([410_000.0, 2_590_000.0, 0.0])
    stage.scene.camera.set_view(30.0, 12.0, 900.0, (at[0], at[1], stage.scene.places.ground_under(at)))
    settled(stage)
    return first, worst, whole, overview, moving, steady(stage)


def full_mesh(path):
    """Draw every cell as two triangles, as a plain viewer does; return build time, and a frame of the overview."""
    from cimdesk.scene.geometry import actor_of, poly_data
    from tests.scene.stage import Stage

    stage = Stage(Session().workspace, size=(1280, 720), quality="moving")
    begun = time.perf_counter()
    with rasterio.open(path) as file:
        z = file.read(1)
    rows, columns = z.shape
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32) * 5, -np.arange(rows, dtype=np.float32) * 5)
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    number = np.arange(len(points), dtype=np.int32).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]))
    triangles = np.concatenate([np.column_stack([a, d, c]), np.column_stack([a, c, b])])
    data = poly_data(points, triangles)
    stage.scene.canvas.renderer.AddActor(actor_of(data))
    built = time.perf_counter() - begun
    stage.scene.canvas.renderer.ResetCamera()
    stage.window.Render()
    stage.window.WaitForCompletion()
    times = []
    for _ in range(2):
        begun = time.perf_counter()
        stage.window.Render()
        stage.window.WaitForCompletion()
        times.append(time.perf_counter() - begun)
    held = resident()
    stage.close()
    return built, min(times), held


def test_a_terrain_of_4097_is_looked_at_in_chunks(mountains):
    from tests.scene.stage import Stage

    begun = time.perf_counter()
    registry.read(mountains)
    with_pyramid = time.perf_counter() - begun
    before = resident()
    session = Session(runner=InWindow())
    begun = time.perf_counter()
    session.run(sources.open_job(session, [mountains]))
    opened = time.perf_counter() - begun
    stage = Stage(session.workspace, size=(1280, 720))
    # The mesh beside it is drawn without sky and plane too.
    stage.scene.make_transparent()
    first, worst, whole, overview, moving, street = views(stage)
    (visual,) = stage.scene.visuals.values()
    begun = time.perf_counter()
    for key in list(visual.chunks)[:40]:
        visual._build(key)
    chunk = (time.perf_counter() - begun) / min(40, len(visual.chunks))
    memory = resident() - before
    held = sum(each.chunk.block.size for each in visual.chunks.values()) / 1e6
    stage.close()
    at_first = resident()
    built, naive, held_whole = full_mesh(mountains)
    naive_memory = held_whole - at_first
    print(
        f"\nfirst time with its pyramid {with_pyramid:.2f} s, then opened in {opened * 1e3:.0f} ms"
        f"\nfirst chunk after {first * 1e3:.0f} ms, worst frame {worst * 1e3:.0f} ms, whole view {whole:.2f} s"
        f"\noverview {overview * 1e3:.1f} ms, moving {moving * 1e3:.1f} ms, street {street * 1e3:.1f} ms"
        f"\nchunk {chunk * 1e3:.1f} ms; {len(visual.chunks)} chunks {held:.0f} MB, process +{memory:.0f} MB"
        f"\nall triangles: built in {built:.1f} s, frame {naive * 1e3:.0f} ms, +{naive_memory:.0f} MB"
        f"\nratio {naive / overview:.0f} x, moving {naive / moving:.0f} x"
    )
    assert naive > 50.0 * overview
    assert memory < 450.0
