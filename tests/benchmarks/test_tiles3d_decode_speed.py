"""Decoding of contents beside the plain way: instances laid out at once, packed buffers in compiled loops."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_instances import Crowd, Primitive, instance_matrices, repeated, rotations
from cimdesk.formats.meshopt import decode_meshopt
from cimdesk.formats.meshopt_kernels import unpack_attributes, unpack_triangles
from cimdesk.formats.tiles3d_content import ContentReader
from cimdesk.formats.tiles3d_paths import TilesetFolder
from tests.unit.formats.tile_files import square_glb
from tests.unit.formats.tile_instances import i3dm

pytestmark = pytest.mark.benchmark
PACKED = json.loads((Path(__file__).parents[1] / "unit" / "formats" / "data" / "meshopt.json").read_text())


def seconds_of(work):
    start = perf_counter()
    work()
    return perf_counter() - start


def crowd_of(count):
    rng = np.random.default_rng(1)
    turns = rotations(rng.normal(size=(count, 4)))
    return Crowd(instance_matrices(rng.uniform(0, 1e4, (count, 3)), turns, rng.uniform(1, 2, (count, 3))), np.arange(count))


def test_ten_thousand_instances_are_laid_out_at_once(benchmark):
    rng = np.random.default_rng(2)
    model = Primitive(rng.normal(size=(60, 3)), rng.integers(0, 60, (40, 3)), np.full(4, 255, np.uint8), None)
    crowd = crowd_of(10_000)

    def one_by_one():
        points, triangles = [], []
        for k, matrix in enumerate(crowd.matrices):
            points.append(model.points @ matrix[:3, :3].T + matrix[:3, 3])
            triangles.append(model.triangles + 60 * k)
        return np.concatenate(points), np.concatenate(triangles)

    result = benchmark(repeated, model, crowd, Findings(), "")
    points, triangles = one_by_one()
    assert result.points == pytest.approx(points)
    assert (result.triangles == triangles).all()
    assert benchmark.stats["min"] < seconds_of(one_by_one)


def test_an_instanced_tile_of_ten_thousand(benchmark, tmp_path):
    positions = np.random.default_rng(3).uniform(0, 1e4, (10_000, 3)).astype("<f4")
    data = i3dm(square_glb(), count=10_000, POSITION=positions, table={"name": [str(k) for k in range(10_000)]})
    (tmp_path / "a.i3dm").write_bytes(data)
    reader = ContentReader(TilesetFolder(tmp_path), Findings())
    (content,) = benchmark(reader.read, "a.i3dm", np.eye(4))
    assert len(content.names) == 10_000
    assert benchmark.stats["min"] < 0.5


@pytest.mark.parametrize(
    ("name", "kernel", "factor"), [("noise", unpack_attributes, 20), ("triangles_shuffled", unpack_triangles, 20)]
)
def test_packed_buffers_are_unpacked_many_times_faster_than_in_python(benchmark, name, kernel, factor):
    case = PACKED[name]
    data = base64.b64decode(case["packed"])
    packed = np.frombuffer(data, np.uint8)
    benchmark(decode_meshopt, data, case, 1 << 20)
    shape = (case["count"], case["byteStride"]) if kernel is unpack_attributes else case["count"]
    out = np.zeros(shape, np.uint8 if kernel is unpack_attributes else np.uint32)
    with np.errstate(over="ignore"):
        plain = seconds_of(lambda: kernel.py_func(packed, out))
    assert benchmark.stats["min"] * factor < plain
