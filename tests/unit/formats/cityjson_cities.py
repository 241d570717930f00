"""Small cities for the tests: a unit cube in every wrapping CityJSON has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cimdesk.formats.cityjson import READER
from cimdesk.formats.registry import ReadOptions, ReadResult

CUBE = [[0, 0, 0], [1000, 0, 0], [1000, 1000, 0], [0, 1000, 0], [0, 0, 1000], [1000, 0, 1000], [1000, 1000, 1000], [0, 1000, 1000]]
FACES = [[[3, 2, 1, 0]], [[4, 5, 6, 7]], [[0, 1, 5, 4]], [[1, 2, 6, 5]], [[2, 3, 7, 6]], [[3, 0, 4, 7]]]
"""Ground, roof, then four walls, counter-clockwise seen from outside."""
TRANSFORM = {"scale": [0.001, 0.001, 0.001], "translate": [420_000.0, 2_560_000.0, 5.0]}


def solid(lod: str = "2", **more: Any) -> dict[str, Any]:
    """Return the cube as a Solid."""
    return {"type": "Solid", "lod": lod, "boundaries": [FACES], **more}


def semantics() -> dict[str, Any]:
    """Return the semantics of `solid`."""
    kinds = [{"type": "GroundSurface"}, {"type": "RoofSurface"}, {"type": "WallSurface"}]
    return {"surfaces": kinds, "values": [[0, 1, 2, 2, 2, 2]]}


def city(objects: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a CityJSON 2.0 object with one cube, or with these objects."""
    if objects is None:
        objects = {"house": {"type": "Building", "geometry": [solid(semantics=semantics())]}}
    return {"type": "CityJSON", "version": "2.0", "transform": TRANSFORM, "CityObjects": objects, "vertices": CUBE, **more}


def building(*geometry: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a building of these geometries."""
    return {"type": "Building", "geometry": list(geometry), **more}


def read(folder: Path, content: Any, name: str = "a.city.json") -> ReadResult:
    """Write ``content`` (text, bytes or JSON) and read it."""
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return READER.read(path, ReadOptions())


def lines(*items: Any) -> str:
    """Return items as lines of JSON; text is taken as it is."""
    return "\n".join(item if isinstance(item, str) else json.dumps(item) for item in items) + "\n"


def codes(result: ReadResult) -> set[str]:
    """Return the codes of all problems."""
    return {problem.code for problem in result.problems}
