"""Imagery: warping beside rasterio, vector tiles beside GDAL, a painted map, and the first full picture of a basemap."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.jobs import CancelToken
from cimdesk.commands import sources
from cimdesk.commands.session import Session
from cimdesk.formats import registry
from cimdesk.formats.imagery.grids import Tile
from cimdesk.formats.imagery.mvt import vector_parts
from cimdesk.formats.imagery.pmtiles_file import LocalParts, PmtilesFile
from cimdesk.formats.imagery.warp import placing, warp_grid, warped

pytestmark = pytest.mark.benchmark
MERCATOR, UTM = Crs.epsg(3857), Crs.epsg(32632)
SIDE = 512
FIRENZE = "basemap/protomaps(vector)ODbL_firenze.pmtiles"


def best(work, times=7):
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def test_warp_of_a_chunk(benchmark):
    from rasterio.transform import from_origin
    from rasterio.warp import Resampling, reproject

    west, north, pixel = 1_250_000.0, 5_432_000.0, 1.0
    picture = np.random.default_rng(1).integers(0, 256, (1024, 1024, 4), dtype=np.uint8)
    picture[..., 3] = 255
    there = MERCATOR.transform(UTM, np.array([[west + 512, north - 512, 0.0]]))[0, :2]
    box = np.array([there - 250.0, there + 250.0])
    bands = np.ascontiguousarray(np.moveaxis(picture, -1, 0))

    def ours():
        grid = warp_grid(placing(UTM, MERCATOR), box, SIDE, SIDE)
        return warped(picture, grid, (west, north), (pixel, -pixel))

    def theirs():
        out = np.zeros((4, SIDE, SIDE), dtype=np.uint8)
        step = 500.0 / SIDE
        reproject(
            bands, out, src_transform=from_origin(west, north, pixel, pixel), src_crs="EPSG:3857",
            dst_transform=from_origin(box[0, 0], box[1, 1], step, step), dst_crs="EPSG:32632", resampling=Resampling.bilinear,
        )  # fmt: skip
        return out

    ours()
    found = benchmark(ours)
    own, other = best(ours), best(theirs)
    inner = slice(8, -8)
    away = np.abs(np.moveaxis(theirs(), 0, -1)[inner, inner].astype(int) - found[inner, inner])
    print(f"\nwarp of {SIDE} px: {1e3 * own:.1f} ms, rasterio {1e3 * other:.1f} ms, {other / own:.1f} x; apart {away.mean():.2f}")
    assert away.mean() < 12.0  # of noise, where a quarter of a pixel changes everything
    assert own < other


def test_decoding_a_vector_tile(benchmark, real_data, tmp_path):
    import pyogrio

    file = PmtilesFile(real_data / FIRENZE, LocalParts(real_data / FIRENZE))
    data = file.read(Tile(14, 8704, 5971), CancelToken())
    path = tmp_path / "tile.mvt"
    path.write_bytes(data)

    def theirs():
        for name, _ in pyogrio.list_layers(path):
            pyogrio.raw.read(path, layer=name)

    vector_parts(data)
    benchmark(lambda: vector_parts(data))
    own, other = best(lambda: vector_parts(data)), best(theirs, 3)
    print(f"\nvector tile of {len(data) / 1e3:.0f} kB: {1e3 * own:.1f} ms, GDAL {1e3 * other:.1f} ms, {other / own:.1f} x")
    assert own < other


def test_painting_a_map_of_a_city_centre(benchmark, real_data):
    data = registry.read(real_data / FIRENZE).sources[0].data.in_system(UTM)
    centre = Crs.epsg(4326).transform(UTM, np.array([[11.2558, 43.7696, 0.0]]))[0, :2]
    box = np.array([centre - 500.0, centre + 500.0])
    data.picture(box, SIDE, SIDE)
    benchmark(lambda: data.picture(box, SIDE, SIDE))
    print(f"\nmap of {SIDE} px, tiles in memory: {1e3 * best(lambda: data.picture(box, SIDE, SIDE)):.0f} ms")


@pytest.mark.parametrize("name", [FIRENZE, "basemap/usgs-mt-whitney-8-15-webp-512.pmtiles"])
def test_first_full_picture(benchmark, real_data, name):
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    from tests.scene.stage import Stage

    def once():
        begun = time.perf_counter()
        session = Session()
        session.run(sources.open_job(session, [real_data / name]))
        stage = Stage(session.workspace, size=(1280, 720))
        try:
            first = None
            while not stage.scene.complete(0.0) or first is None:
                stage.window.Render()
                ground = next((v.ground for v in stage.scene.visuals.values() if getattr(v, "ground", None)), None)
                if first is None and ground is not None and ground.squares:
                    first = time.perf_counter() - begun
                time.sleep(0.002)
            stage.window.Render()
            whole = time.perf_counter() - begun
            frames = [best(stage.window.Render, 1) for _ in range(5)]
            return first, whole, min(frames)
        finally:
            stage.close()

    once()
    first, whole, frame = benchmark.pedantic(once, rounds=2)
    print(
        f"\n{Path(name).stem}: something after {first:.2f} s, all after {whole:.2f} s, a frame {1e3 * frame:.0f} ms at 1280 x 720"
    )
