"""Towns of boxes as tilesets with levels of detail: leaves with single buildings, and coarse blocks above them."""

from __future__ import annotations

import json

import numpy as np

from tests.unit.formats.tile_files import Glb

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float32)
SIDES = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [1, 5, 7, 3]]
FACES = np.array([[side[0], *side[k : k + 2]] for side in SIDES for k in (1, 2)])
HIGHEST = 60.0


def boxes_glb(corners, sizes, batch_ids=None) -> bytes:
    """Return a GLB of axis-parallel boxes, each a feature."""
    count = len(corners)
    points = (CUBE[None] * sizes[:, None] + corners[:, None]).reshape(-1, 3).astype(np.float32)
    faces = (FACES[None] + 8 * np.arange(count)[:, None, None]).reshape(-1, 3).astype(np.uint32)
    ids = np.arange(count) if batch_ids is None else batch_ids
    return Glb().mesh(points=points, triangles=faces, _BATCHID=np.repeat(ids, 8).astype(np.float32)).write()


def buildings(level, x, y, tile, count, seed=1):
    """Return corners and sizes of ``count`` x ``count`` buildings in a leaf tile."""
    rng = np.random.default_rng([seed, x, y])
    step = tile / count
    grid = np.stack(np.meshgrid(np.arange(count), np.arange(count)), axis=-1).reshape(-1, 2) * step
    low = grid + [x * tile, y * tile] + rng.uniform(0.1, 0.25, (count**2, 2)) * step
    sizes = np.column_stack([rng.uniform(0.5, 0.7, (count**2, 2)) * step, rng.uniform(6.0, HIGHEST, count**2)])
    return np.column_stack([low, np.zeros(len(low))]), sizes


def write_town(folder, levels=4, tile=200.0, count=10, empty_top=False):
    """Write a quadtree tileset of ``4 ** levels`` leaves with ``count ** 2`` buildings each; return its path.

    Tiles above the leaves have 8 x 8 blocks with feature 0 only.
    """
    (folder / "t").mkdir(parents=True, exist_ok=True)

    def node(level, x, y):
        size = tile * 2 ** (levels - level)
        half = size / 2.0
        box = [x * size + half, y * size + half, HIGHEST / 2, half, 0, 0, 0, half, 0, 0, 0, HIGHEST / 2]
        entry = {"boundingVolume": {"box": box}, "refine": "REPLACE"}
        name = f"t/{level}_{x}_{y}.glb"
        if level == levels:
            corners, sizes = buildings(level, x, y, tile, count)
            (folder / name).write_bytes(boxes_glb(corners, sizes))
            return {**entry, "geometricError": 0.0, "content": {"uri": name}}
        if level or not empty_top:
            step = size / 8
            grid = np.stack(np.meshgrid(np.arange(8), np.arange(8)), axis=-1).reshape(-1, 2) * step + [x * size, y * size]
            corners = np.column_stack([grid + 0.1 * step, np.zeros(64)])
            sizes = np.tile([0.8 * step, 0.8 * step, HIGHEST / 2], (64, 1))
            (folder / name).write_bytes(boxes_glb(corners, sizes, np.zeros(64)))
            entry["content"] = {"uri": name}
        children = [node(level + 1, 2 * x + dx, 2 * y + dy) for dy in (0, 1) for dx in (0, 1)]
        return {**entry, "geometricError": size / 20.0, "children": children}

    root = node(0, 0, 0)
    path = folder / "tileset.json"
    path.write_text(json.dumps({"asset": {"version": "1.1"}, "geometricError": root["geometricError"] * 2, "root": root}))
    return path
