"""The plan of the demo city: river, streets, blocks and their quarters, bent along the river by a conformal map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.commands.demo import places
from cimdesk.commands.demo.places import Line

SPLIT_TARGET = {
    "cbd": 135.0, "office": 130.0, "civic": 200.0, "high": 170.0, "slab": 165.0, "courtyard": 145.0, "village": 118.0,
    "oldtown": 110.0, "industry": 230.0, "strip": 150.0, "lowrise": 130.0,
}  # fmt: skip
VILLAGES = (
    (-330.0, 1300.0, 1), (1500.0, 1700.0, 1), (-1700.0, 700.0, 1), (2900.0, 450.0, 1), (-500.0, 800.0, -1), (2300.0, 1000.0, -1),
)  # fmt: skip
"""Plan u, v and bank of the urban villages outside the designed core."""
UNSPLIT = frozenset({"park", "hill", "greenway", "civic"})


@dataclass(frozen=True)
class Warp:
    """Conformal map from plan to world: angles stay right, streets stay streets, the bank becomes a curve.

    ``w = z + sum(a * exp(i (k z + p)))`` with ``z = u + i v``: displacements fade with the distance from the river.

    Attributes
    ----------
    side : int
        1 for the north bank, -1 for the south bank (v then grows southwards).
    bank : float
        World northing of the straightened bank [m].
    """

    side: int
    bank: float

    # amplitude [m], wave number [1/m], phase, v where the wave is at full height and whether it fades towards the river.
    _WAVES = (
        (34.0, 2 * np.pi / 1500.0, 0.55, 0.0, False),
        (105.0, 2 * np.pi / 5600.0, -0.95, 0.0, False),
        (120.0, 2 * np.pi / 4300.0, 1.3, 3300.0, True),
    )

    def _waves(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shift, slope = np.zeros_like(z), np.ones_like(z)
        for amplitude, k, phase, height, falls in self._WAVES:
            if falls and self.side < 0:
                continue
            if falls:
                term = amplitude * np.exp(-1j * (k * z + phase) - k * height)
                slope -= 1j * k * term
            else:
                term = amplitude * np.exp(1j * (k * z + phase + (np.pi if self.side < 0 else 0.0)))
                slope += 1j * k * term
            shift += term
        return shift, slope

    def forward(self, u: Float, v: Float) -> Float:
        """Return (..., 2) world coordinates of plan coordinates."""
        z = np.asarray(u, dtype=np.float64) + 1j * np.asarray(v, dtype=np.float64)
        w = z + self._waves(z)[0]
        return np.stack([places.ORIGIN[0] + w.real, self.bank + self.side * w.imag], axis=-1)

    def inverse(self, xy: Float) -> Float:
        """Return (..., 2) plan coordinates of world ones, by Newton's method."""
        w = (xy[..., 0] - places.ORIGIN[0]) + 1j * self.side * (xy[..., 1] - self.bank)
        z = w.copy()
        for _ in range(5):
            shift, slope = self._waves(z)
            z -= (z + shift - w) / slope
        return np.stack([z.real, z.imag], axis=-1)

    def rotation(self, u: float, v: float) -> float:
        """Return how far the plan is turned at a point, counter-clockwise in the world [rad]."""
        slope = self._waves(np.array([u + 1j * v]))[1][0]
        return float(np.angle(slope)) * self.side


@dataclass(frozen=True)
class Street:
    """One stretch of a street between two ends, straight in the plan.

    Attributes
    ----------
    line : Line
    start, end : float
        Along the street [m].
    """

    side: int
    line: Line
    start: float
    end: float

    @property
    def is_road(self) -> bool:
        """Whether people drive on it."""
        return self.line.kind not in ("rail", "creek")


@dataclass
class Block:
    """A plot between streets.

    Attributes
    ----------
    u0, u1, v0, v1 : float
        Plan rectangle, kerb to kerb.
    quarter : str
    outer : tuple of 4 floats
        The rectangle grown to the street centrelines: the ground that drains with it.
    street : Line
        The street of its address.
    """

    number: int
    side: int
    u0: float
    u1: float
    v0: float
    v1: float
    quarter: str
    outer: tuple[float, float, float, float]
    street: Line
    use: str = ""
    centre: Float = field(default_factory=lambda: np.zeros(2))
    angle: float = 0.0
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    def to_world(self, points: Float) -> Float:
        """Return (..., 2) world coordinates of coordinates in the block's own upright frame."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.stack(
            [self.centre[0] + c * points[..., 0] - s * points[..., 1], self.centre[1] + s * points[..., 0] + c * points[..., 1]],
            axis=-1,
        )


@dataclass(frozen=True)
class Plan:
    """The whole plan.

    Attributes
    ----------
    size : str
    seed : int
    window : tuple
        West, south, east, north of the demo [m].
    streets : list of Street
        Roads, railways and creeks.
    blocks : list of Block
    """

    size: str
    seed: int
    window: tuple[float, float, float, float]
    streets: list[Street]
    blocks: list[Block]

    @cached_property
    def warps(self) -> dict[int, Warp]:
        """The map of each bank."""
        return {1: Warp(1, places.ORIGIN[1]), -1: Warp(-1, places.ORIGIN[1] - places.RIVER_WIDTH)}

    def inside(self, xy: Float, margin: float = 0.0) -> np.ndarray:
        """Whether (..., 2) world points are in the window, ``margin`` from its edge."""
        west, south, east, north = self.window
        x, y = xy[..., 0], xy[..., 1]
        return (x > west + margin) & (x < east - margin) & (y > south + margin) & (y < north - margin)

    def ring(self, side: int, u0: float, u1: float, v0: float, v1: float, step: float = 15.0) -> Float:
        """Return the (P, 2) closed counter-clockwise world ring of a plan rectangle."""
        us = np.linspace(u0, u1, max(2, int(np.ceil((u1 - u0) / step)) + 1))
        vs = np.linspace(v0, v1, max(2, int(np.ceil((v1 - v0) / step)) + 1))
        u = np.concatenate([us, np.full(len(vs) - 1, u1), us[::-1][1:], np.full(len(vs) - 1, u0)])
        v = np.concatenate([np.full(len(us), v0), vs[1:], np.full(len(us) - 1, v1), vs[::-1][1:]])
        ring = self.warps[side].forward(u, v)
        return ring if side > 0 else ring[::-1]

    def street_ring(self, street: Street) -> Float:
        """Return the (P, 2) closed world ring of a street's surface."""
        half = street.line.width / 2.0
        if street.line.axis == "u":
            return self.ring(street.side, street.line.at - half, street.line.at + half, street.start, street.end)
        return self.ring(street.side, street.start, street.end, street.line.at - half, street.line.at + half)

    def street_points(self, street: Street, along: Float, offset: float = 0.0) -> Float:
        """Return (N, 2) world points at positions ``along`` a street, shifted sideways in the plan by ``offset``."""
        across = np.full(len(along), street.line.at + offset)
        pair = (across, along) if street.line.axis == "u" else (along, across)
        return self.warps[street.side].forward(*pair)


def make_plan(size: str, seed: int) -> Plan:
    """Return the plan of a size (``small`` or ``city``); the same seed gives the same plan."""
    rng = np.random.default_rng([seed, 1])
    window = places.WINDOWS[size]
    plan = Plan(size, seed, window, [], [])
    for side in (1, -1):
        u_lines, v_lines = _lines(side, size, rng)
        _lay_side(plan, side, u_lines, v_lines, rng)
    _place_frames(plan)
    _assign_uses(plan)
    return plan


def _lines(side: int, size: str, rng: np.random.Generator) -> tuple[list[Line], list[Line]]:
    """Return the main lines of one bank, the designed core first and drawn ones around it."""
    if size == "small":
        return (list(places.CORE_U), list(places.CORE_V)) if side > 0 else (list(places.SOUTH_U), list(places.SOUTH_V[:3]))
    names = [places.ARTERIAL_NAMES[k] for k in rng.permutation(len(places.ARTERIAL_NAMES))]
    if side > 0:
        u_lines, v_lines = list(places.CORE_U), list(places.CORE_V)
        v_lines += _spread("v", 1150.0, 3650.0, names, rng)
        west, east = 60.0, 1560.0
        creeks = places.CREEKS_CITY
    else:
        u_lines, v_lines = list(places.SOUTH_U), list(places.SOUTH_V)
        west, east, creeks = 150.0, 1450.0, places.CREEKS_SOUTH
    u_lines += [*_spread("u", west, -2500.0, names, rng), *_spread("u", east, 4200.0, names, rng)]
    u_lines += [Line("u", at, 30.0, "creek", f"Creek {k + 1}", f"{'沙车'[k]}河涌") for k, at in enumerate(creeks)]
    return _without_neighbours(u_lines), v_lines


def _spread(axis: str, start: float, stop: float, names: list[tuple[str, str]], rng: np.random.Generator) -> list[Line]:
    sign = 1.0 if stop > start else -1.0
    at, count = start, 0
    lines: list[Line] = []
    while True:
        at += sign * float(rng.uniform(235.0, 330.0))
        if (at - stop) * sign > 0:
            return lines
        count += 1
        zh, en = names.pop()
        names.insert(0, (zh, en))
        suffix = ("Avenue", "大道") if count % 3 == 0 else ("Road", "路")
        kind, width = ("arterial", 38.0) if count % 3 == 0 else ("secondary", 22.0)
        lines.append(Line(axis, round(at), width, kind, f"{en} {suffix[0]}", f"{zh}{suffix[1]}"))


def _without_neighbours(lines: list[Line]) -> list[Line]:
    """Return the lines with those too near a creek moved out, sorted by position."""
    creeks = [line for line in lines if line.kind == "creek"]
    kept = [line for line in lines if line.kind == "creek" or all(abs(line.at - creek.at) > 60.0 for creek in creeks)]
    return sorted(kept, key=lambda line: line.at)


def _lay_side(plan: Plan, side: int, u_lines: list[Line], v_lines: list[Line], rng: np.random.Generator) -> None:
    """Fill one bank with streets and blocks."""
    low_u, high_u = _reach(plan)
    u_lines, v_lines = _without_hill_roads(plan, side, u_lines, v_lines)
    for line in v_lines:
        plan.streets.extend(Street(side, line, a, b) for a, b in _pieces(line, low_u, high_u))
    high_v = v_lines[-1].at
    for line in u_lines:
        first = 0.0 if line.kind == "creek" else v_lines[0].at
        plan.streets.extend(Street(side, line, a, b) for a, b in _pieces(line, first, high_v))
    edges = [Line("u", low_u, 0.0, "none", "", ""), *u_lines, Line("u", high_u, 0.0, "none", "", "")]
    for low, high in pairwise(v_lines):
        present = [line for line in edges if line.covers(low.at, high.at)]
        for left, right in pairwise(present):
            _fill_cell(plan, side, (left, right, low, high), rng)


def _without_hill_roads(plan: Plan, side: int, u_lines: list[Line], v_lines: list[Line]) -> tuple[list[Line], list[Line]]:
    """Return the lines interrupted where both sides are hill: no street is built through the woods."""
    low_u, high_u = _reach(plan)
    us, vs = [low_u, *(line.at for line in u_lines), high_u], [line.at for line in v_lines]
    is_hill = np.array(
        [[quarter_at(plan, side, (a + b) / 2, (c + d) / 2) == "hill" for c, d in pairwise(vs)] for a, b in pairwise(us)]
    )
    new_u = []
    for k, line in enumerate(u_lines):
        woods = [(vs[j], vs[j + 1]) for j in range(len(vs) - 1) if is_hill[k, j] and is_hill[k + 1, j]]
        new_u.append(replace(line, gaps=(*line.gaps, *woods)))
    new_v = []
    for j, line in enumerate(v_lines):
        inner = 0 < j < len(vs) - 1
        woods = [(us[k], us[k + 1]) for k in range(len(us) - 1) if inner and is_hill[k, j - 1] and is_hill[k, j]]
        new_v.append(replace(line, gaps=(*line.gaps, *woods)))
    return new_u, new_v


def _reach(plan: Plan) -> tuple[float, float]:
    return (-190.0, 1790.0) if plan.size == "small" else (-2600.0, 4200.0)


def _pieces(line: Line, low: float, high: float) -> list[tuple[float, float]]:
    pieces, at = [], low
    for a, b in sorted(line.gaps):
        if a > at:
            pieces.append((at, min(a, high)))
        at = max(at, b)
    if at < high:
        pieces.append((at, high))
    return [(a, b) for a, b in pieces if b - a > 1.0]


def _fill_cell(plan: Plan, side: int, lines: tuple[Line, Line, Line, Line], rng: np.random.Generator) -> None:
    left, right, low, high = lines
    middle = ((left.at + right.at) / 2.0, (low.at + high.at) / 2.0)
    if not _near_window(plan, side, (left.at, right.at, low.at, high.at)):
        return
    quarter = quarter_at(plan, side, *middle)
    _split(plan, side, lines, quarter, rng, 0)


def _near_window(plan: Plan, side: int, cell: tuple[float, float, float, float]) -> bool:
    ring = plan.ring(side, *cell, step=60.0)
    west, south, east, north = plan.window
    low, high = ring.min(axis=0), ring.max(axis=0)
    return bool(low[0] < east and high[0] > west and low[1] < north and high[1] > south)


def _split(plan: Plan, side: int, lines: tuple[Line, Line, Line, Line], quarter: str, rng: np.random.Generator, depth: int) -> None:
    """Divide a cell by local streets until its blocks have the size its quarter likes."""
    left, right, low, high = lines
    wide, tall = right.at - left.at, high.at - low.at
    target = SPLIT_TARGET.get(quarter, 1e9)
    if quarter in UNSPLIT or max(wide, tall) < target * 1.25 or depth > 4:
        _add_block(plan, side, lines, quarter)
        return
    kind, width = ("lane", 7.0) if quarter == "village" else ("local", 13.0)
    en, zh = _local_name(rng)
    if wide >= tall:
        at = round(left.at + wide * float(rng.uniform(0.42, 0.58)))
        street = Line("u", at, width, kind, en, zh)
        plan.streets.append(Street(side, street, *_trimmed(low, high)))
        _split(plan, side, (left, street, low, high), quarter, rng, depth + 1)
        _split(plan, side, (street, right, low, high), quarter, rng, depth + 1)
    else:
        at = round(low.at + tall * float(rng.uniform(0.42, 0.58)))
        street = Line("v", at, width, kind, en, zh)
        plan.streets.append(Street(side, street, *_trimmed(left, right)))
        _split(plan, side, (left, right, low, street), quarter, rng, depth + 1)
        _split(plan, side, (left, right, street, high), quarter, rng, depth + 1)


def _trimmed(low: Line, high: Line) -> tuple[float, float]:
    """Return the ends of a local street between two lines: their centrelines, or the fence of a railway or creek."""
    closed = ("rail", "creek", "none")
    start = low.at + (low.width / 2.0 + 2.0 if low.kind in closed else 0.0)
    return start, high.at - (high.width / 2.0 + 2.0 if high.kind in closed else 0.0)


def _local_name(rng: np.random.Generator) -> tuple[str, str]:
    first = places.LOCAL_FIRST[int(rng.integers(len(places.LOCAL_FIRST)))]
    second = places.LOCAL_SECOND[int(rng.integers(len(places.LOCAL_SECOND)))]
    return f"{first[1]}{second[1]} Street", f"{first[0]}{second[0]}街"


def _add_block(plan: Plan, side: int, lines: tuple[Line, Line, Line, Line], quarter: str) -> None:
    left, right, low, high = lines
    is_there = (
        left.covers(low.at, high.at),
        right.covers(low.at, high.at),
        low.covers(left.at, right.at),
        high.covers(left.at, right.at),
    )
    halves = [line.width / 2.0 if there else 0.0 for line, there in zip(lines, is_there, strict=True)]
    roads = [line for line in (low, high, left, right) if line.kind not in ("rail", "creek", "none")]
    street = max(roads, key=lambda line: line.width)
    block = Block(
        len(plan.blocks), side, left.at + halves[0], right.at - halves[1], low.at + halves[2], high.at - halves[3], quarter,
        (left.at, right.at, low.at, high.at), street,
    )  # fmt: skip
    plan.blocks.append(block)


def _place_frames(plan: Plan) -> None:
    """Give each block its upright frame and the largest box that its curved kerbs leave in it."""
    for block in plan.blocks:
        warp = plan.warps[block.side]
        u, v = (block.u0 + block.u1) / 2.0, (block.v0 + block.v1) / 2.0
        block.centre = warp.forward(np.array(u), np.array(v))
        block.angle = warp.rotation(u, v)
        us, vs = np.linspace(block.u0, block.u1, 9), np.linspace(block.v0, block.v1, 9)
        west = _own(block, warp.forward(np.full(9, block.u0), vs))[:, 0].max()
        east = _own(block, warp.forward(np.full(9, block.u1), vs))[:, 0].min()
        near = _own(block, warp.forward(us, np.full(9, block.v0)))[:, 1]
        far = _own(block, warp.forward(us, np.full(9, block.v1)))[:, 1]
        south, north = (near.max(), far.min()) if block.side > 0 else (far.max(), near.min())
        block.box = (float(west), float(south), float(east), float(north))


def _own(block: Block, xy: Float) -> Float:
    d = xy - block.centre
    c, s = np.cos(block.angle), np.sin(block.angle)
    return np.stack([c * d[..., 0] + s * d[..., 1], -s * d[..., 0] + c * d[..., 1]], axis=-1)


def quarter_at(plan: Plan, side: int, u: float, v: float) -> str:
    """Return what kind of quarter a place of the plan is."""
    if side > 0:
        for u0, u1, v0, v1, quarter in places.CORE_QUARTERS:
            if u0 <= u <= u1 and v0 <= v <= v1:
                return quarter
        if 570.0 <= v <= 745.0:
            return "strip"
    return _outer_quarter(plan.seed, side, u, v)


def _outer_quarter(seed: int, side: int, u: float, v: float) -> str:
    rng = np.random.default_rng([seed, 2, int(u + 9000.0), int(v), side + 1])
    draw = float(rng.random())
    if side > 0 and v > 2450.0 + 330.0 * np.sin(u / 700.0) + 120.0 * np.sin(u / 230.0):
        return "hill"
    if draw < 0.055 and v > 260.0:
        return "park"
    for cu, cv, cs in VILLAGES:
        if cs == side and np.hypot(u - cu, v - cv) < 330.0:
            return "village"
    centre = min(
        np.hypot((u - 630.0) / 1.4, v - 1500.0 if side > 0 else 900.0), np.hypot(u - 2000.0, v - 350.0 if side < 0 else 900.0)
    )
    if centre < 420.0:
        return ("cbd", "office", "office", "courtyard")[int(draw * 4)]
    if u > 2700.0 + 300.0 * np.sin(v / 400.0) and v > 500.0:
        return "industry" if draw < 0.6 else "slab"
    if u < -900.0 and 200.0 < v < 1500.0:
        return "oldtown" if draw < 0.7 else "courtyard"
    if v < 260.0 and side < 0 and -100.0 < u < 1700.0:
        # Low creative quarters face the new centre, so that its skyline is seen from across the river.
        return ("courtyard", "lowrise", "park", "slab")[int(draw * 4)]
    if v < 260.0:
        return "high" if draw < 0.75 else "office"
    kinds: Sequence[str] = ("slab", "slab", "courtyard", "courtyard", "high", "oldtown", "oldtown", "lowrise", "office", "slab")
    return kinds[int(draw * 9.99)]


def _assign_uses(plan: Plan) -> None:
    """Set aside blocks for schools, hospitals, care homes and substations, evenly over the city."""
    wanted = [("school", 195.0, 260.0), ("hospital", 1290.0, 500.0), ("elderly_care", 1420.0, 380.0), ("substation", 1400.0, 615.0)]
    taken: set[int] = set()
    for use, u, v in wanted:
        _take_nearest(plan, taken, use, 1, u, v)
    if plan.size == "city":
        rng = np.random.default_rng([plan.seed, 3])
        for use, count in (("school", 26), ("hospital", 7), ("elderly_care", 12), ("substation", 10)):
            for _ in range(count):
                _take_nearest(
                    plan, taken, use, int(rng.choice([1, 1, -1])), float(rng.uniform(-2000, 3700)), float(rng.uniform(100, 2400))
                )


def _take_nearest(plan: Plan, taken: set[int], use: str, side: int, u: float, v: float) -> None:
    fits = (
        ("slab", "courtyard", "lowrise", "industry", "oldtown") if use != "substation" else ("industry", "slab", "strip", "oldtown")
    )
    free = [b for b in plan.blocks if b.quarter in fits and b.number not in taken and b.side == side]
    if free:
        best = min(free, key=lambda b: (b.u0 + b.u1 - 2 * u) ** 2 + (b.v0 + b.v1 - 2 * v) ** 2)
        best.use = use
        taken.add(best.number)
