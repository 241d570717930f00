"""How fast CityJSON becomes triangles, beside cjio doing the same in the same run."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from cimdesk.formats.cityjson import READER
from cimdesk.formats.cityjson.reader import read_cityjson
from cimdesk.formats.registry import ReadOptions

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

USES = ("residential", "office", "retail", "industry", "school")


def gabled_buildings(count: int, seed: int = 7) -> dict:
    """Return a CityJSON city of gabled LoD2 houses: 8 surfaces each, semantics, attributes."""
    rng = np.random.default_rng(seed)
    columns = int(np.ceil(np.sqrt(count)))
    objects: dict[str, dict] = {}
    vertices: list[list[int]] = []
    semantics = [{"type": "GroundSurface"}, {"type": "WallSurface"}, {"type": "RoofSurface"}]
    for k in range(count):
        x, y = (k % columns) * 25_000, (k // columns) * 25_000
        wide, deep, eaves, rise = (int(v) for v in rng.integers([7_000, 8_000, 4_000, 1_000], [14_000, 18_000, 30_000, 4_000]))
        b = len(vertices)
        for z in (0, eaves):
            vertices += [[x, y, z], [x + wide, y, z], [x + wide, y + deep, z], [x, y + deep, z]]
        vertices += [[x + wide // 2, y, eaves + rise], [x + wide // 2, y + deep, eaves + rise]]
        shell = [
            [[b + 3, b + 2, b + 1, b]],
            [[b, b + 1, b + 5, b + 8, b + 4]], [[b + 1, b + 2, b + 6, b + 5]],
            [[b + 2, b + 3, b + 7, b + 9, b + 6]], [[b + 3, b, b + 4, b + 7]],
            [[b + 5, b + 6, b + 9, b + 8]], [[b + 4, b + 8, b + 9, b + 7]],
        ]  # fmt: skip
        attributes = {
            "function": USES[int(rng.integers(5))], "yearOfConstruction": int(rng.integers(1920, 2024)),
            "measuredHeight": round((eaves + rise) / 1000, 2), "storeysAboveGround": eaves // 3000,
            "address": f"Street {k // 40} no. {k % 40}",
            "owner": f"Owner of plot {k:07d}", "roofType": "gable", "population": int(rng.integers(0, 60)), "heated": bool(k % 3),
            "surveyed": f"20{k % 20 + 4:02d}-0{k % 9 + 1}-1{k % 9}", "cadastre": f"GZ-{k % 97:03d}-{k:08d}",
            "material": "reinforced concrete frame", "fireRating": "class II",
            "remark": "generated for measuring, no real building",
        }  # fmt: skip
        geometry = {
            "type": "Solid",
            "lod": "2",
            "boundaries": [shell],
            "semantics": {"surfaces": semantics, "values": [[0, 1, 1, 1, 1, 2, 2]]},
        }
        objects[f"building-{k:06d}"] = {"type": "Building", "attributes": attributes, "geometry": [geometry]}
    return {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [0.001, 0.001, 0.001], "translate": [420_000.0, 2_560_000.0, 0.0]},
        "metadata": {"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/4547"},
        "CityObjects": objects,
        "vertices": vertices,
    }


@pytest.fixture(scope="module")
def city_of(tmp_path_factory: pytest.TempPathFactory):
    """Return a function that writes a city of so many buildings once."""
    folder = tmp_path_factory.mktemp("cities")

    def make(count: int) -> Path:
        path = folder / f"{count}.city.json"
        if not path.exists():
            path.write_bytes(msgspec.json.encode(gabled_buildings(count)))
        return path

    return make


def read_here(path: Path) -> int:
    """Return the number of triangles our reader makes."""
    (source,) = read_cityjson(path, ReadOptions()).sources
    return len(source.data.meshes["2"].triangles)


def read_with_cjio(path: Path) -> int:
    """Return the number of triangles cjio makes: its load and its quicker triangulation."""
    from cjio import cityjson

    with path.open(encoding="utf-8") as file:
        city = cityjson.reader(file)
    city.triangulate(sloppy=True)
    return sum(len(s) for o in city.j["CityObjects"].values() for g in o["geometry"] for s in g["boundaries"])


def test_reads_a_city_to_triangles_eight_times_faster_than_cjio(benchmark, city_of):
    path = city_of(2_000)
    assert read_here(path) == 2_000 * 16
    start = time.perf_counter()
    assert read_with_cjio(path) == 2_000 * 16
    theirs = time.perf_counter() - start
    benchmark.pedantic(read_here, args=(path,), rounds=5, warmup_rounds=1)
    ours = benchmark.stats.stats.min
    benchmark.extra_info.update(megabytes=path.stat().st_size / 1e6, cjio_seconds=theirs, ratio=theirs / ours)
    print(f"\n{path.stat().st_size / 1e6:.1f} MB: {ours:.3f} s here, {theirs:.2f} s with cjio, {theirs / ours:.0f} times")
    assert theirs / ours >= 8.0


def test_reads_forty_thousand_buildings_in_seconds(benchmark, city_of):
    path = city_of(40_000)
    assert READER.claim(path, path.read_bytes()[:4096]) > 0.9
    triangles = benchmark.pedantic(read_here, args=(path,), rounds=3)
    print(f"\n{path.stat().st_size / 1e6:.1f} MB: {benchmark.stats.stats.min:.2f} s")
    assert triangles == 40_000 * 16
    assert benchmark.stats.stats.min < 10.0
