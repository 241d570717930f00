"""Exports: an excerpt copied from its file, and outlines raised into buildings, beside the plain way."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from cimdesk.formats.cityjson import Excerpt, copy_excerpt
from cimdesk.formats.extrusion import Extrusion, extrude
from cimdesk.formats.findings import Findings
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer

pytestmark = pytest.mark.benchmark

LINES = 20_000


def town(path: Path, count: int = LINES) -> Path:
    """Write a sequence of ``count`` boxes."""
    head = {
        "type": "CityJSON", "version": "2.0", "transform": {"scale": [0.001] * 3, "translate": [430_000, 2_550_000, 0]},
        "metadata": {"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/4547"}, "CityObjects": {}, "vertices": [],
    }  # fmt: skip
    faces = [[[0, 3, 2, 1]], [[4, 5, 6, 7]], *([[k, (k + 1) % 4, (k + 1) % 4 + 4, k + 4]] for k in range(4))]
    with path.open("w") as file:
        file.write(json.dumps(head) + "\n")
        for k in range(count):
            x, y = k % 200 * 30_000, k // 200 * 30_000
            vertices = [[x + dx, y + dy, z] for z in (0, 12_000) for dx, dy in ((0, 0), (20_000, 0), (20_000, 20_000), (0, 20_000))]
            attributes = {"storeys": k % 9, "use": "flats", "rooms": [{"area": 12.5}]}
            geometry = [{"type": "Solid", "lod": "1.2", "boundaries": [faces]}]
            item = {f"b{k}": {"type": "Building", "attributes": attributes, "geometry": geometry}}
            file.write(json.dumps({"type": "CityJSONFeature", "id": f"b{k}", "CityObjects": item, "vertices": vertices}) + "\n")
    return path


def test_a_tenth_of_a_sequence_is_copied_in_little_memory(tmp_path: Path):
    source = town(tmp_path / "town.city.jsonl")
    wanted = {f"b{k}" for k in range(0, LINES, 10)}
    began = time.perf_counter()
    count = copy_excerpt(source, tmp_path / "some.city.jsonl", Excerpt(wanted), as_sequence=True)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    with source.open() as file:
        for line in file:
            json.loads(line)
    naive = time.perf_counter() - began
    tracemalloc.start()
    copy_excerpt(source, tmp_path / "again.city.jsonl", Excerpt(wanted), as_sequence=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(
        f"\nexcerpt: {LINES / seconds:,.0f} objects/s, peak {peak / 2**20:.1f} MiB; json.loads alone {LINES / naive:,.0f} objects/s"
    )
    assert count == len(wanted)
    # Everything is parsed, and what is chosen is numbered anew, written and brought safely to the disk.
    assert seconds < 2.5 * naive
    assert peak < 64 * 2**20


def test_a_hundred_thousand_outlines_rise_within_seconds():
    count = 100_000
    x, y = np.arange(count) % 400 * 30.0, np.arange(count) // 400 * 30.0
    ring = np.array([[0, 0], [20, 0], [20, 12], [0, 12], [0, 0]], dtype=float)
    points = np.empty((count * 5, 3))
    points[:, :2] = (np.column_stack([x, y])[:, None, :] + ring).reshape(-1, 2) + np.array([430_000.0, 2_550_000.0])
    points[:, 2] = np.nan
    table = FeatureTable(np.array([f"b{k}" for k in range(count)], dtype=object), {"height": np.full(count, 12.0)})
    layer = VectorLayer(
        table, Shapes(ShapeKind.POLYGON, points, np.arange(count + 1) * 5, np.arange(count), np.zeros(count, dtype=bool))
    )
    extrude(layer, Extrusion("height"), Findings())
    began = time.perf_counter()
    city = extrude(layer, Extrusion("height"), Findings())
    seconds = time.perf_counter() - began
    print(f"\nextrusion: {count / seconds:,.0f} outlines/s, {len(city.finest.triangles):,} triangles")
    assert seconds < 5.0
