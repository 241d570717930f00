"""The buildings of the demo city: placed on the ground, given years, people and addresses, and written as CityJSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.commands.demo import places
from cimdesk.commands.demo.plan import Block, Plan
from cimdesk.commands.demo.quarters import Draft, build_block
from cimdesk.commands.demo.shapes import Level, Solid, make_solid
from cimdesk.model.terrain import Terrain

SCALE = 0.001
SURFACES = [{"type": "GroundSurface"}, {"type": "WallSurface"}, {"type": "RoofSurface"}]
FLOOR_AREA_PER_PERSON = {
    "residential": 38.0, "village": 24.0, "office": 34.0, "retail": 40.0, "hotel": 45.0, "factory": 70.0, "school": 9.0,
    "hospital": 30.0, "elderly_care": 38.0, "culture": 90.0, "public": 60.0, "substation": 900.0,
}  # fmt: skip
"""Gross floor area per resident, or per person usually there [m2]; round planning figures."""
YEARS = {
    "cbd": (2004, 2025),
    "office": (1998, 2024),
    "civic": (2008, 2013),
    "high": (2003, 2023),
    "slab": (1978, 1999),
    "courtyard": (1986, 2012),
    "village": (1985, 2009),
    "oldtown": (1952, 1996),
    "industry": (1965, 2005),
    "strip": (1983, 2016),
    "lowrise": (1958, 2002),
    "park": (1990, 2015),
    "hill": (1929, 1931),
}
LANDMARKS = (
    ("Pearl River Finance Tower", "珠江金融大厦"),
    ("Liede Centre", "猎德中心"),
    ("Huacheng Plaza", "花城广场大厦"),
    ("Canton Exchange", "广交所大厦"),
    ("Haixin Tower", "海心大厦"),
    ("Linjiang One", "临江一号"),
    ("Kapok Tower", "木棉大厦"),
    ("Lingnan Bank Tower", "岭南银行大厦"),
    ("Sail Tower", "云帆大厦"),
    ("Jinsui Plaza", "金穗广场"),
    ("Five Rams Centre", "五羊中心"),
    ("Delta Insurance Building", "湾区保险大厦"),
    ("White Cloud Hotel", "白云宾馆"),
    ("Bay Gate", "湾区之门"),
)


@dataclass
class Building:
    """A building in the world.

    Attributes
    ----------
    key : str
    block : Block
    solid : Solid
        World coordinates.
    footprint : (N, 2) float64
        World ring, not closed.
    attributes : dict
        As written to the file.
    """

    key: str
    block: Block
    solid: Solid
    footprint: Float
    attributes: dict[str, Any]


def make_buildings(plan: Plan, terrain: Terrain) -> list[Building]:
    """Return every building of a plan that lies wholly in its window, block by block."""
    drafts: list[tuple[Block, Draft, dict[int, Float], np.random.Generator]] = []
    for block in plan.blocks:
        rng = np.random.default_rng([plan.seed, 4, block.number])
        for draft in build_block(block, rng):
            rings = {id(level): block.to_world(level.ring) for level in _levels(draft.level)}
            drafts.append((block, draft, rings, rng))
    footprints = [rings[id(draft.level)] for _, draft, rings, _ in drafts]
    starts = np.cumsum([0, *(len(ring) for ring in footprints)])
    corners = np.concatenate(footprints)
    is_inside = np.logical_and.reduceat(plan.inside(corners, 3.0), starts[:-1])
    heights = terrain.sample(np.clip(corners, *_sampled_box(terrain)))
    buildings: list[Building] = []
    numbers: dict[str, int] = {}
    names = iter(LANDMARKS)
    for k in np.flatnonzero(is_inside):
        block, draft, rings, rng = drafts[k]
        ground = heights[starts[k] : starts[k + 1]]
        solid = make_solid(draft.level, rings, float(ground.min()) - 0.3, float(np.median(ground)))
        if draft.level.highest > 118.0 and draft.name == ("", ""):
            draft.name = next(names, ("", ""))
        attributes = _attributes(draft, block, footprints[k], numbers, rng)
        buildings.append(Building(f"B{len(buildings) + 1:05d}", block, solid, footprints[k], attributes))
    return buildings


def _sampled_box(terrain: Terrain) -> tuple[Float, Float]:
    low, high = terrain.bounds[:, :2]
    return low + terrain.cell_x, high - terrain.cell_x


def _levels(level: Level) -> Iterator[Level]:
    yield level
    for inner in level.inner:
        yield from _levels(inner)


def _attributes(draft: Draft, block: Block, footprint: Float, numbers: dict[str, int], rng: np.random.Generator) -> dict[str, Any]:
    area = _area(footprint)
    floors = area * draft.storeys if not draft.level.inner else _floor_area(draft)
    first, last = YEARS.get(block.quarter, (1980, 2015))
    street = block.street
    numbers[street.en] = number = numbers.get(street.en, 0) + int(rng.integers(1, 3)) * 2 - 1
    people = round(floors / FLOOR_AREA_PER_PERSON[draft.use] * float(rng.uniform(0.75, 1.1)))
    attributes: dict[str, Any] = {}
    if draft.name[0]:
        attributes |= {"name": draft.name[0], "name_zh": draft.name[1]}
    return attributes | {
        "use": draft.use,
        "storeys": draft.storeys,
        "year": int(rng.integers(first, last + 1)),
        "people": people,
        "floor_area_m2": round(floors),
        "measuredHeight": round(float(draft.level.highest), 1),
        "quarter": block.quarter,
        "address": f"{number} {street.en}",
        "address_zh": f"{street.zh}{number}号",
    }


def _floor_area(draft: Draft) -> float:
    """Return the floor area of a stack of levels, storey by storey of its mean height [m2]."""
    height = max(draft.level.highest / max(draft.storeys, 1), 2.8)
    total, below = 0.0, 0.0
    todo = [(draft.level, 0.0)]
    while todo:
        level, below = todo.pop()
        total += _area(level.ring) * max(level.top - below, 0.0) / height
        todo.extend((inner, level.top) for inner in level.inner if inner.top > level.top)
    return total


def _area(ring: Float) -> float:
    # Relative to the first corner, so that the closing edge adds nothing.
    x, y = (ring - ring[0]).T
    return float(abs(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2.0)


def write_city(path: Path, plan: Plan, buildings: Sequence[Building]) -> None:
    """Write the buildings as CityJSON 2.0."""
    document = CityFile("Liede Riverside demo", plan)
    for building in buildings:
        document.add(building.key, "Building", building.attributes, [building.solid])
    document.write(path)


class CityFile:
    """A CityJSON 2.0 document being put together: millimetre vertices, one solid or several per object."""

    def __init__(self, title: str, plan: Plan) -> None:
        west, south, _, _ = plan.window
        self._translate = (west, south, 0.0)
        self._vertices: list[list[int]] = []
        self._objects: dict[str, Any] = {}
        self._templates: dict[str, Any] | None = None
        self._title = title

    def add(self, key: str, kind: str, attributes: dict[str, Any], solids: Sequence[Solid]) -> None:
        """Add an object made of one or more closed solids."""
        shells, values = [], []
        for solid in solids:
            first = len(self._vertices)
            points = (np.asarray(solid.vertices) - np.asarray(self._translate)) / SCALE
            self._vertices.extend(np.round(points).astype(np.int64).tolist())
            shells.append([[[first + row for row in ring] for ring in face] for face in solid.faces])
            values.append([list(solid.surfaces)])
        is_one = len(solids) == 1
        geometry = {
            "type": "Solid" if is_one else "MultiSolid",
            "lod": "2.2",
            "boundaries": [shells[0]] if is_one else [[shell] for shell in shells],
            "semantics": {"surfaces": SURFACES, "values": values[0] if is_one else values},
        }
        self._objects[key] = {"type": kind, "attributes": attributes, "geometry": [geometry]}

    def add_instance(
        self, key: str, kind: str, attributes: dict[str, Any], template: int, place: Sequence[float], size: Sequence[float]
    ) -> None:
        """Add an object that repeats a template, scaled, at a place."""
        matrix = [size[0], 0, 0, 0, 0, size[0], 0, 0, 0, 0, size[1], 0, 0, 0, 0, 1]
        point = np.round((np.asarray(place) - np.asarray(self._translate)) / SCALE).astype(np.int64).tolist()
        self._vertices.append(point)
        last = len(self._vertices) - 1
        geometry = {"type": "GeometryInstance", "template": template, "boundaries": [last], "transformationMatrix": matrix}
        self._objects[key] = {"type": kind, "attributes": attributes, "geometry": [geometry]}

    def set_templates(self, templates: Sequence[tuple[Sequence[Sequence[float]], Sequence[Sequence[int]]]]) -> None:
        """Set the templates: vertices of unit size and faces of each."""
        vertices: list[list[float]] = []
        shapes = []
        for corners, faces in templates:
            first = len(vertices)
            vertices.extend([list(corner) for corner in corners])
            surfaces = [[[first + k for k in face]] for face in faces]
            shapes.append({"type": "MultiSurface", "lod": "2.2", "boundaries": surfaces})
        self._templates = {"templates": shapes, "vertices-templates": vertices}

    def write(self, path: Path) -> None:
        """Write the document."""
        import orjson

        points = np.asarray(self._vertices, dtype=np.float64) * SCALE + np.asarray(self._translate)
        extent = [round(v, 3) for v in (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())]
        document: dict[str, Any] = {
            "type": "CityJSON",
            "version": "2.0",
            "transform": {"scale": [SCALE] * 3, "translate": list(self._translate)},
            "metadata": {
                "title": self._title,
                "referenceSystem": f"https://www.opengis.net/def/crs/EPSG/0/{places.CRS.split(':')[1]}",
                "referenceDate": "2026-05-31",
                "geographicalExtent": extent,
            },
            "CityObjects": self._objects,
            "vertices": self._vertices,
        }
        if self._templates is not None:
            document["geometry-templates"] = self._templates
        path.write_bytes(orjson.dumps(document))
