"""Bridges of the demo city: the cable-stayed crossings, the creek bridges and the railway over the underpass."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.commands.demo import places
from cimdesk.commands.demo.buildings import CityFile
from cimdesk.commands.demo.plan import Plan, Street
from cimdesk.commands.demo.shapes import ROOF, WALL, Level, Solid, make_solid
from cimdesk.model.terrain import Terrain

DECK_WIDTH = 25.0
NAVIGATION_LEVEL = 15.5
"""Deck level over the fairway [m]."""


def write_bridges(path: Path, plan: Plan, terrain: Terrain) -> int:
    """Write every bridge of a plan as CityJSON; return how many there are."""
    document = CityFile("Liede Riverside demo: bridges", plan)
    count = 0
    for at, en, zh in places.RIVER_BRIDGES:
        solids = _river_bridge(plan, at)
        if solids:
            count += 1
            document.add(f"BR{count:03d}", "Bridge", {"name": en, "name_zh": zh, "use": "road bridge", "year": 2009}, solids)
    for solid, name, name_zh in [*_creek_bridges(plan, terrain), *_rail_bridge(plan, terrain)]:
        count += 1
        document.add(f"BR{count:03d}", "Bridge", {"name": name, "name_zh": name_zh, "use": "bridge", "year": 1996}, [solid])
    document.write(path)
    return count


def _creek_bridges(plan: Plan, terrain: Terrain) -> list[tuple[Solid, str, str]]:
    creeks = [s for s in plan.streets if s.line.kind == "creek"]
    out = []
    for street in plan.streets:
        if street.line.axis != "v" or street.side < 0 or street.line.kind == "creek":
            continue
        for creek in creeks:
            if street.start < creek.line.at < street.end and creek.start <= street.line.at <= creek.end:
                half, reach = street.line.width / 2.0, places.CREEK_WIDTH / 2.0 + 5.0
                ring = plan.ring(
                    1, creek.line.at - reach, creek.line.at + reach, street.line.at - half, street.line.at + half, 30.0
                )[:-1]
                if not plan.inside(ring, 3.0).all():
                    continue
                ends = plan.street_points(street, np.array([creek.line.at - reach - 4.0, creek.line.at + reach + 4.0]))
                level = float(terrain.sample(ends).max()) + 0.35
                deck = make_solid_of(ring, level - 1.1, level)
                out.append((deck, f"{street.line.en} bridge over {creek.line.en}", f"{street.line.zh}跨{creek.line.zh}桥"))
    return out


def _rail_bridge(plan: Plan, terrain: Terrain) -> list[tuple[Solid, str, str]]:
    u, v = places.UNDERPASS
    ring = plan.ring(1, u - 21.0, u + 21.0, v - 12.0, v + 12.0, 30.0)[:-1]
    side = plan.warps[1].forward(np.array([u - 15.0, u + 15.0]), np.array([v, v]))
    level = float(terrain.sample(side).max()) + 1.0
    return [(make_solid_of(ring, level - 1.1, level), "Railway bridge over Liede Avenue", "广深铁路猎德大道跨线桥")]


def make_solid_of(ring: Float, base: float, top: float) -> Solid:
    """Return the prism over a ring."""
    level = Level(ring, top)
    return make_solid(level, {id(level): ring}, base, 0.0)


def _river_bridge(plan: Plan, at: float) -> list[Solid]:
    """Return deck, piers, pylon and stays of a crossing; nothing where its axis is outside the window."""
    north, south = plan.warps[1], plan.warps[-1]
    has_avenue = any(
        isinstance(s, Street) and s.line.axis == "u" and abs(s.line.at - at) < 1.0 and s.side > 0 for s in plan.streets
    )
    bank_n, bank_s = north.forward(np.array(at), np.array(0.0)), south.forward(np.array(at), np.array(0.0))
    if not (plan.inside(bank_n) and has_avenue):
        return []
    landing = 268.0
    vs = np.linspace(landing, 0.0, 13)
    axis = [north.forward(np.full(13, at), vs)]
    levels = [_ramp(vs, landing)]
    t = np.linspace(0.0, 1.0, 16)[1:-1]
    axis.append(bank_n + (bank_s - bank_n) * t[:, None])
    levels.append(NAVIGATION_LEVEL - 5.4 * np.abs(2 * t - 1.0) ** 2)
    axis.append(south.forward(np.full(13, at), vs[::-1]))
    levels.append(_ramp(vs[::-1], landing))
    points, heights = np.concatenate(axis), np.concatenate(levels)
    keep = np.logical_and.accumulate(plan.inside(points, 16.0))
    points, heights = points[keep], heights[keep]
    solids = _deck(points, heights)
    pylon_at = bank_n + (bank_s - bank_n) * 0.5
    if plan.inside(pylon_at, 20.0):
        solids += _pylon(pylon_at, bank_s - bank_n, points, heights)
    return solids


def _ramp(v: Float, landing: float) -> Float:
    return np.asarray(np.interp(v, [0.0, landing], [NAVIGATION_LEVEL - 5.4, 4.1]))


def _deck(points: Float, heights: Float) -> list[Solid]:
    along = np.gradient(points, axis=0)
    along /= np.hypot(along[:, 0], along[:, 1])[:, None]
    across = np.column_stack([-along[:, 1], along[:, 0]]) * DECK_WIDTH / 2.0
    solids = []
    for k in range(len(points) - 1):
        ring = np.array(
            [points[k] - across[k], points[k + 1] - across[k + 1], points[k + 1] + across[k + 1], points[k] + across[k]]
        )
        solids.append(hexahedron(ring, heights[[k, k + 1, k + 1, k]] - 1.6, ring, heights[[k, k + 1, k + 1, k]]))
        if heights[k] > 6.5 and k % 2 == 0:
            for side in (-0.55, 0.55):
                pier = _square(points[k] + across[k] * side, 1.3)
                solids.append(make_solid_of(pier, -5.0, float(heights[k]) - 1.6))
    return solids


def _pylon(at: Float, course: Float, points: Float, heights: Float) -> list[Solid]:
    """Return two leaning legs that meet above the deck, their tie and a fan of stays to both sides."""
    along = course / np.hypot(*course)
    across = np.array([-along[1], along[0]])
    solids, top = [], 92.0
    for side in (-1.0, 1.0):
        shape = ((-5.0, 17.5, 4.2), (18.0, 19.5, 3.8), (52.0, 14.5, 3.0), (top, 2.2, 2.0))
        for (z0, reach0, half0), (z1, reach1, half1) in pairwise(shape):
            low, high = _square(at + across * side * reach0, half0, along), _square(at + across * side * reach1, half1, along)
            solids.append(hexahedron(low, np.full(4, z0), high, np.full(4, z1)))
        for k in range(1, 9):
            for way in (-1.0, 1.0):
                foot = at + along * way * (14.0 + 15.0 * k) + across * side * (DECK_WIDTH / 2.0 - 1.0)
                nearest = int(np.argmin(np.hypot(*(points - foot).T)))
                if np.hypot(*(points[nearest] - foot)) < 24.0:
                    head = at + across * side * np.interp(56.0 + 4.2 * k, [52.0, top], [14.5, 2.2])
                    solids.append(_stay(foot, float(heights[nearest]), head, 56.0 + 4.2 * k))
    tie = np.array(
        [
            at - across * 16.0 - along * 1.5,
            at + across * 16.0 - along * 1.5,
            at + across * 16.0 + along * 1.5,
            at - across * 16.0 + along * 1.5,
        ]
    )
    solids.append(make_solid_of(tie[::-1] if _is_clockwise(tie) else tie, 48.0, 51.5))
    return solids


def _stay(foot: Float, low: float, head: Float, high: float) -> Solid:
    return hexahedron(_square(foot, 0.22), np.full(4, low), _square(head, 0.22), np.full(4, high))


def _square(at: Float, half: float, along: Float | None = None) -> Float:
    a = np.array([1.0, 0.0]) if along is None else along
    b = np.array([-a[1], a[0]])
    return np.array([at - half * a - half * b, at + half * a - half * b, at + half * a + half * b, at - half * a + half * b])


def _is_clockwise(ring: Float) -> bool:
    d = ring - ring[0]
    return float(np.sum(d[:, 0] * np.roll(d[:, 1], -1) - np.roll(d[:, 0], -1) * d[:, 1])) < 0.0


def hexahedron(low: Float, low_heights: Float, high: Float, high_heights: Float) -> Solid:
    """Return the solid between two quadrilaterals, counter-clockwise seen from above, with a height at each corner."""
    if _is_clockwise(low):
        low, low_heights, high, high_heights = low[::-1], low_heights[::-1], high[::-1], high_heights[::-1]
    vertices = [(x, y, z) for (x, y), z in zip(low.tolist(), low_heights.tolist(), strict=True)]
    vertices += [(x, y, z) for (x, y), z in zip(high.tolist(), high_heights.tolist(), strict=True)]
    faces = [[[3, 2, 1, 0]], [[4, 5, 6, 7]], *([[a, (a + 1) % 4, (a + 1) % 4 + 4, a + 4]] for a in range(4))]
    return Solid(vertices, faces, [WALL, ROOF, WALL, WALL, WALL, WALL])
