"""Trees of the demo city: rows along the avenues and the promenade, groves in parks and on the hills."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.commands.demo.buildings import Building, CityFile
from cimdesk.commands.demo.plan import Plan
from cimdesk.model.terrain import Terrain

SPECIES = (("Ficus microcarpa", "细叶榕"), ("Bombax ceiba", "木棉"), ("Roystonea regia", "大王椰子"))


def write_trees(path: Path, plan: Plan, terrain: Terrain, buildings: list[Building]) -> int:
    """Write the trees as vegetation objects of CityJSON that share three templates; return how many there are."""
    rng = np.random.default_rng([plan.seed, 6])
    rows, groves = _avenue_trees(plan), _grove_trees(plan, rng)
    places_ = np.concatenate([rows, groves])
    places_ = places_[plan.inside(places_, 4.0)]
    places_ = places_[~_near_buildings(places_, buildings)]
    ground = terrain.sample(places_)
    is_dry = ground > 1.2
    places_, ground = places_[is_dry], ground[is_dry]
    document = CityFile("Liede Riverside demo: trees", plan)
    document.set_templates([_crown(6, 1.0), _crown(7, 0.85), _palm()])
    kinds = rng.choice(3, size=len(places_), p=[0.6, 0.28, 0.12])
    heights = np.round(rng.uniform(6.0, 12.5, len(places_)), 1)
    for k, (xy, z) in enumerate(zip(places_.tolist(), ground.tolist(), strict=True)):
        kind, height = int(kinds[k]), float(heights[k])
        spread = round(height * (0.36 if kind < 2 else 0.24), 2)
        attributes = {"species": SPECIES[kind][0], "species_zh": SPECIES[kind][1], "height_m": height}
        document.add_instance(f"T{k + 1:05d}", "SolitaryVegetationObject", attributes, kind, (*xy, z - 0.1), (spread, height))
    document.write(path)
    return len(places_)


def _avenue_trees(plan: Plan) -> Float:
    wanted = ("arterial", "secondary") if plan.size == "small" else ("arterial",)
    step = 13.0 if plan.size == "small" else 24.0
    found = []
    for street in plan.streets:
        if street.line.kind in wanted and street.line.width > 17.0:
            along = np.arange(street.start + 9.0, street.end - 8.0, step)
            if len(along):
                found += [plan.street_points(street, along, side * (street.line.width / 2.0 - 2.6)) for side in (-1.0, 1.0)]
    trees = np.concatenate(found)
    return np.asarray(trees[~_near_crossings(plan, trees)])


def _near_crossings(plan: Plan, trees: Float) -> np.ndarray:
    """Whether a tree stands on the carriageway of another street."""
    from shapely import STRtree, points, polygons

    roads = [s for s in plan.streets if s.is_road]
    tree = STRtree([polygons(plan.street_ring(s)) for s in roads])
    hits = np.bincount(tree.query(points(trees), predicate="within")[0], minlength=len(trees))
    return np.asarray(hits > 1)


def _grove_trees(plan: Plan, rng: np.random.Generator) -> Float:
    found = [np.zeros((0, 2))]
    spacing = (
        {"park": 13.0, "hill": 15.0, "greenway": 9.0} if plan.size == "small" else {"park": 24.0, "hill": 46.0, "greenway": 14.0}
    )
    for block in plan.blocks:
        if block.quarter in spacing:
            found.append(
                _grid(plan, block.side, (block.u0 + 3, block.u1 - 3, block.v0 + 3, block.v1 - 3), spacing[block.quarter], rng)
            )
    us = np.arange(-180.0, 1780.0, 11.0) if plan.size == "small" else np.arange(-2300.0, 3900.0, 19.0)
    for side in (1, -1):
        for v in (13.0, 29.0, 40.0):
            found.append(plan.warps[side].forward(us + 3.0 * np.sin(us + v), np.full(len(us), v)))
    return np.concatenate(found)


def _grid(plan: Plan, side: int, area: tuple[float, float, float, float], spacing: float, rng: np.random.Generator) -> Float:
    u, v = np.meshgrid(np.arange(area[0], area[1], spacing), np.arange(area[2], area[3], spacing))
    u = u.ravel() + rng.uniform(-0.42, 0.42, u.size) * spacing
    v = v.ravel() + rng.uniform(-0.42, 0.42, v.size) * spacing
    # A clearing follows a slow wave, so that groves have lawns and paths between them.
    is_lawn = np.sin(u / 23.0) * np.sin(v / 31.0 + 1.0) > 0.38
    keep = ~is_lawn & (u > area[0]) & (u < area[1]) & (v > area[2]) & (v < area[3])
    return plan.warps[side].forward(u[keep], v[keep])


def _near_buildings(trees: Float, buildings: list[Building]) -> np.ndarray:
    from shapely import STRtree, points, polygons

    tree = STRtree([polygons(b.footprint) for b in buildings])
    hits = np.zeros(len(trees), dtype=bool)
    hits[np.unique(tree.query(points(trees), predicate="dwithin", distance=4.0)[0])] = True
    return hits


def _crown(sides: int, waist: float) -> tuple[list[list[float]], list[list[int]]]:
    """Return a faceted crown of unit radius and height, standing on a short trunk."""
    rings = [(0.10, 0.20), (0.62, 0.26), (1.0, 0.52), (0.66 * waist, 0.84)]
    corners: list[list[float]] = []
    for radius, height in rings:
        for k in range(sides):
            a = 2 * np.pi * (k + 0.5 * height) / sides
            corners.append([round(radius * float(np.cos(a)), 4), round(radius * float(np.sin(a)), 4), height])
    corners += [[0.0, 0.0, 1.0], [0.10, 0.0, 0.0], [-0.05, 0.087, 0.0], [-0.05, -0.087, 0.0]]
    tip = len(rings) * sides
    faces = [
        [r * sides + k, r * sides + (k + 1) % sides, (r + 1) * sides + (k + 1) % sides, (r + 1) * sides + k]
        for r in range(len(rings) - 1)
        for k in range(sides)
    ]
    split = [[a, b, c] for a, b, c, _ in faces] + [[a, c, d] for a, _, c, d in faces]
    split += [[(len(rings) - 1) * sides + k, (len(rings) - 1) * sides + (k + 1) % sides, tip] for k in range(sides)]
    split += [[tip + 1, tip + 2, 2], [tip + 2, tip + 3, 4], [tip + 3, tip + 1, 0]]
    return corners, split


def _palm() -> tuple[list[list[float]], list[list[int]]]:
    """Return a palm: a slim trunk and a flat crown of eight leaves, unit size."""
    corners: list[list[float]] = [[0.0, 0.0, 1.0], [0.09, 0.0, 0.0], [-0.045, 0.078, 0.0], [-0.045, -0.078, 0.0], [0.0, 0.0, 0.86]]
    faces = [[1, 2, 4], [2, 3, 4], [3, 1, 4]]
    for k in range(8):
        a = 2 * np.pi * k / 8
        reach = [round(float(np.cos(a)), 4), round(float(np.sin(a)), 4), 0.74]
        side = [round(0.5 * float(np.cos(a + 0.5)), 4), round(0.5 * float(np.sin(a + 0.5)), 4), 0.93]
        corners += [reach, side]
        faces.append([0, 5 + 2 * k, 6 + 2 * k])
    return corners, faces
