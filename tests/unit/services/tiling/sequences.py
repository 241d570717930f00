"""CityJSON sequences of gabled houses for tests of tiling."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import numpy as np

SHELL = [
    [[3, 2, 1, 0]], [[0, 1, 5, 8, 4]], [[1, 2, 6, 5]], [[2, 3, 7, 9, 6]], [[3, 0, 4, 7]], [[5, 6, 9, 8]], [[4, 8, 9, 7]],
]  # fmt: skip
KINDS = [{"type": "GroundSurface"}, {"type": "WallSurface"}, {"type": "RoofSurface"}]
TRIANGLES = 16
"""Of one house."""


def header(crs: str | None = "https://www.opengis.net/def/crs/EPSG/0/4547") -> dict:
    return {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [0.001, 0.001, 0.001], "translate": [430_000.0, 2_556_000.0, 0.0]},
        "metadata": {"referenceSystem": crs} if crs else {},
        "CityObjects": {},
        "vertices": [],
    }


def house(number: int, x: float, y: float, wide: float = 10.0, deep: float = 14.0, eaves: float = 8.0, ridge: float = 11.0) -> dict:
    """Return one line: a house with its lower left corner at (x, y) metres from the translation."""
    corners = [[x, y, z] for z in (0.0, eaves)]
    vertices = []
    for _, _, z in corners:
        vertices += [[x, y, z], [x + wide, y, z], [x + wide, y + deep, z], [x, y + deep, z]]
    vertices += [[x + wide / 2, y, ridge], [x + wide / 2, y + deep, ridge]]
    key = f"house-{number:05d}"
    geometry = {
        "type": "Solid", "lod": "2", "boundaries": [deepcopy(SHELL)],
        "semantics": {"surfaces": KINDS, "values": [[0, 1, 1, 1, 1, 2, 2]]},
    }  # fmt: skip
    attributes = {"storeys": number % 7, "name": f"House {number}", "高度": ridge, "use": ("home", "office", None)[number % 3]}
    return {
        "type": "CityJSONFeature",
        "id": key,
        "CityObjects": {key: {"type": "Building", "attributes": attributes, "geometry": [geometry]}},
        "vertices": [[round(v * 1000) for v in vertex] for vertex in vertices],
    }


def write_sequence(path: Path, lines: list[dict | str], crs: str | None = "https://www.opengis.net/def/crs/EPSG/0/4547") -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in [header(crs), *lines]]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def scattered(count: int, across: float = 5000.0, seed: int = 2) -> list[dict]:
    """Return so many houses anywhere in a square."""
    places = np.random.default_rng(seed).random((count, 2)) * across
    return [house(k, float(x), float(y)) for k, (x, y) in enumerate(places)]
