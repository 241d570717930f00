"""How each kind of quarter is built up: from a block's box to the shapes and uses of its buildings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.commands.demo.plan import Block
from cimdesk.commands.demo.shapes import (
    Level,
    box,
    chamfered,
    cross,
    inset,
    l_shape,
    rect,
    rounded,
    stepped,
    u_shape,
    with_parapet,
)

Box = tuple[float, float, float, float]


@dataclass
class Draft:
    """A building before it stands in the world."""

    level: Level
    use: str
    storeys: int
    name: tuple[str, str] = ("", "")


Builder = Callable[[Block, Box, np.random.Generator], Iterator[Draft]]


def build_block(block: Block, rng: np.random.Generator) -> list[Draft]:
    """Return the buildings of one block, in the block's own frame; none where the block is too small or green."""
    x0, y0, x1, y1 = block.box
    if x1 - x0 < 14.0 or y1 - y0 < 14.0:
        return []
    build = _BUILDERS.get(block.use or block.quarter)
    return [] if build is None else list(build(block, block.box, rng))


def _shrunk(box_: Box, by: float) -> Box:
    return box_[0] + by, box_[1] + by, box_[2] - by, box_[3] - by


def _cbd(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """Podiums with one or two towers, tallest beside the central axis."""
    x0, y0, x1, y1 = _shrunk(area, 7.5)
    u, v = (block.u0 + block.u1) / 2.0, (block.v0 + block.v1) / 2.0
    near = np.exp(-(((u - 630.0) / 260.0) ** 2) - ((v - 200.0) / 260.0) ** 2) if block.side > 0 and v < 600.0 else 0.25
    plaza = float(rng.uniform(0.0, 0.16)) * (x1 - x0)
    x0, x1 = (x0 + plaza, x1) if rng.random() < 0.5 else (x0, x1 - plaza)
    podium = Level(chamfered((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, 4.0), float(rng.choice([15.0, 20.0, 24.0])))
    is_wide = (x1 - x0) >= (y1 - y0)
    long = (x1 - x0) if is_wide else (y1 - y0)
    count = 2 if long > 86.0 and rng.random() < 0.8 else 1
    for k in range(count):
        t = (k + 0.5) / count
        shift = float(rng.uniform(-0.12, 0.12)) * min(x1 - x0, y1 - y0)
        x, y = (x0 + t * (x1 - x0), (y0 + y1) / 2 + shift) if is_wide else ((x0 + x1) / 2 + shift, y0 + t * (y1 - y0))
        room = min(long / count, min(x1 - x0, y1 - y0) - 2 * abs(shift)) - 8.0
        if room < 20.0:
            continue
        height = 105.0 + 165.0 * near * float(rng.uniform(0.62, 1.0)) + float(rng.uniform(0.0, 30.0))
        podium.inner.append(_tower(x, y, min(room, 50.0), height, rng))
    top = podium.highest
    use = "hotel" if rng.random() < 0.18 else "office"
    yield Draft(podium, use, round(top / 4.2))


def _tower(x: float, y: float, size: float, height: float, rng: np.random.Generator) -> Level:
    """Return a tall tower within ``size`` of a centre, in one of several manners."""
    manner = int(rng.integers(6))
    slim = float(rng.uniform(0.72, 1.0))
    if manner == 0:
        ring = chamfered(x, y, size, size * slim, size * 0.16)
        return stepped(ring, [height * 0.72, height * 0.87, height * 0.95, height], [size * 0.06, size * 0.07, size * 0.1])
    if manner == 1:
        ring = rounded(x, y, size * 0.46, size * 0.46, 24, 0.075)
        return stepped(ring, [height * 0.55, height * 0.82, height], [1.6, 1.8])
    if manner == 2:
        ring = rect(x, y, size, size * 0.66 * slim)
        core = rect(x, y, size * 0.42, size * 0.26)
        return with_parapet(ring, height, [core], 4.5, 11.0)
    if manner == 3:
        ring = cross(x, y, size, size * slim, size * 0.13)
        level = stepped(ring, [height * 0.8, height * 0.93], [2.4])
        level.inner[0].inner.append(Level(rect(x, y, 7.0, 7.0), height, [Level(rect(x, y, 2.2, 2.2), height + 34.0)]))
        return level
    if manner == 4:
        ring = chamfered(x, y, size * 0.92, size * 0.92 * slim, 8.5)
        return stepped(ring, [height * 0.4, height * 0.62, height * 0.8, height * 0.92, height], [1.9, 2.1, 2.4, 3.2])
    ring = rect(x, y, size * 0.86, size * 0.86 * slim)
    return with_parapet(ring, height, [rect(x, y, size * 0.4, size * 0.34)], 6.0, 4.0)


def _office(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """Mid-rise office and hotel slabs on low podiums, two or three to a block."""
    x0, y0, x1, y1 = _shrunk(area, 6.0)
    parts = max(1, int((x1 - x0) // 52.0))
    step = (x1 - x0) / parts
    for k in range(parts):
        a, b = x0 + k * step + 4.0, x0 + (k + 1) * step - 4.0
        height = float(rng.uniform(38.0, 112.0))
        podium = Level(box(a, y0, b, y1), float(rng.choice([9.0, 13.5])))
        depth = min(y1 - y0 - 8.0, float(rng.uniform(22.0, 38.0)))
        y = float(rng.uniform(y0 + depth / 2 + 4.0, y1 - depth / 2 - 4.0))
        width = min(b - a - 7.0, 44.0)
        ring = chamfered((a + b) / 2, y, width, depth, 3.0) if rng.random() < 0.4 else rect((a + b) / 2, y, width, depth)
        podium.inner.append(with_parapet(ring, height, [rect((a + b) / 2, y, width * 0.4, depth * 0.4)], 2.5, 5.0))
        use = str(rng.choice(["office", "office", "hotel", "retail"]))
        yield Draft(podium, use, round(height / 3.9))


def _civic(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """The cultural group at the head of the central axis: opera house, museum, library."""
    x0, y0, x1, y1 = _shrunk(area, 7.0)
    w, h = x1 - x0, y1 - y0
    ring = rounded(x0 + w * 0.3, y0 + h * 0.36, w * 0.27, h * 0.28, 28, 0.035)
    yield Draft(stepped(ring, [11.0, 19.0, 25.0, 29.0], [3.2, 3.4, 3.6]), "culture", 4, ("Pearl Opera House", "珠江歌剧院"))
    ring = box(x0 + w * 0.64, y0 + 2.0, x1 - 1.0, y0 + h * 0.6)
    court = Level(inset(ring, 9.0), 6.0)
    yield Draft(Level(ring, 27.0, [court]), "culture", 5, ("Lingnan Museum", "岭南博物馆"))
    ring = box(x0 + w * 0.08, y0 + h * 0.74, x1 - w * 0.12, y1 - 1.0)
    yield Draft(with_parapet(ring, 24.0, [inset(ring, 8.0)], 2.0, 6.0), "culture", 5, ("District Library", "区图书馆"))


def _high(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """A gated estate: cross-shaped residential towers round a garden, shops along the avenue."""
    x0, y0, x1, y1 = _shrunk(area, 6.0)
    storeys = int(rng.integers(24, 34))
    columns = max(1, int((x1 - x0) // 50.0))
    rows = max(1, int((y1 - y0 - 14.0) // 48.0))
    shop = box(x0 + 3.0, y0, x1 - 3.0, y0 + 11.0)
    if y1 - y0 > 64.0:
        yield Draft(with_parapet(shop, 8.4), "retail", 2)
        y0 += 15.0
    for r in range(rows):
        for c in range(columns):
            if rows > 2 and columns > 2 and 0 < r < rows - 1 and 0 < c < columns - 1:
                continue
            x = x0 + (c + 0.5) * (x1 - x0) / columns + float(rng.uniform(-2.0, 2.0))
            y = y0 + (r + 0.5) * (y1 - y0) / rows + float(rng.uniform(-3.0, 3.0))
            size = float(rng.uniform(25.0, 30.0))
            if min(x - x0, x1 - x, y - y0, y1 - y) < size / 2:
                continue
            n = storeys + int(rng.integers(-3, 4))
            ring = cross(x, y, size, size * 0.86, size * 0.2)
            yield Draft(with_parapet(ring, n * 3.0, [rect(x, y, 9.0, 7.0)], 1.4, 5.0), "residential", n)


def _slab(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """Parallel rows of walk-up slabs facing south, the older estates' way."""
    x0, y0, x1, y1 = _shrunk(area, 4.5)
    is_new = rng.random() < 0.3
    storeys, depth, pitch = (
        (int(rng.integers(11, 19)), 14.0, 36.0) if is_new else (int(rng.integers(6, 10)), 11.5, float(rng.uniform(24.0, 28.0)))
    )
    rows = max(1, int((y1 - y0 - depth) // pitch) + 1)
    gap = (y1 - y0 - depth) / (rows - 1) if rows > 1 else 0.0
    length = float(rng.uniform(38.0, 58.0))
    count = max(1, round((x1 - x0 + 9.0) / (length + 9.0)))
    for r in range(rows):
        y = y0 + depth / 2 + r * gap
        for c in range(count):
            a = x0 + c * (x1 - x0 + 9.0) / count
            b = a + (x1 - x0 + 9.0) / count - 9.0
            shift = float(rng.uniform(0.0, 4.0))
            n = max(3, storeys + int(rng.integers(-1, 2)))
            ring = box(a + shift, y - depth / 2, b - 4.0 + shift, y + depth / 2)
            stairs = [rect(a + shift + (b - 4.0 - a) * t, y, 4.2, 5.5) for t in ((0.25, 0.75) if b - a > 30.0 else (0.5,))]
            yield Draft(with_parapet(ring, n * 3.0, stairs, 0.9, 2.8), "residential", n)


def _courtyard(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """Buildings along the edges round a court: bars, Ls or a U, sometimes a hall inside."""
    x0, y0, x1, y1 = _shrunk(area, 4.0)
    w, h = x1 - x0, y1 - y0
    depth, gap = float(rng.uniform(12.0, 14.5)), 7.0
    storeys = int(rng.integers(6, 13))
    if min(w, h) < 3.2 * depth:
        yield from _bars(x0, y0, x1, y1, min(depth, h / 2 - 3.0), storeys, rng)
        return
    manner = int(rng.integers(3))
    rings: list[Float]
    if manner == 0:
        rings = [box(x0, y0, x1, y0 + depth), u_shape(x0, y0 + depth + gap, x1, y1, depth, False)]
    elif manner == 1:
        rings = [
            l_shape(x0, y0, x1 - depth - gap, y1 - depth - gap, depth, 0),
            l_shape(x0 + depth + gap, y0 + depth + gap, x1, y1, depth, 2),
        ]
    else:
        mid = float(rng.uniform(0.4, 0.6)) * w
        rings = [u_shape(x0, y0, x0 + mid - gap / 2, y1, depth, True), u_shape(x0 + mid + gap / 2, y0, x1, y1, depth, False)]
        if min(mid, w - mid) < 2.6 * depth + gap:
            rings = [box(x0, y0, x1, y0 + depth), u_shape(x0, y0 + depth + gap, x1, y1, depth, False)]
    for ring in rings:
        n = max(4, storeys + int(rng.integers(-2, 3)))
        x, y = ((ring[0] + ring[1]) / 2.0 + _inward(ring, 0) * depth * 0.5).tolist()
        stairs = [rect(x, y, 4.5, 4.5)]
        yield Draft(with_parapet(ring, 0.9 + n * 3.1, stairs, 1.0, 3.0), "residential" if rng.random() < 0.85 else "office", n)
    if manner == 0 and w > 75.0 and h > 75.0:
        hall = rect((x0 + x1) / 2, (y0 + y1) / 2 + 2.0, min(24.0, w - 2 * depth - 20.0), min(14.0, h - 2 * depth - 24.0))
        yield Draft(Level(hall, 5.0, roof="hip", ridge=3.2), "public", 1)


def _inward(ring: Float, k: int) -> Float:
    d = ring[(k + 1) % len(ring)] - ring[k]
    return np.asarray(np.array([-d[1], d[0]]) / np.hypot(*d))


def _bars(x0: float, y0: float, x1: float, y1: float, depth: float, storeys: int, rng: np.random.Generator) -> Iterator[Draft]:
    for low, high in ((y0, y0 + depth), (y1 - depth, y1)):
        parts = max(1, int((x1 - x0) // 48.0))
        step = (x1 - x0) / parts
        for k in range(parts):
            n = max(3, storeys + int(rng.integers(-2, 2)))
            yield Draft(with_parapet(box(x0 + k * step + 2.0, low, x0 + (k + 1) * step - 2.0, high), n * 3.1), "residential", n)


def _village(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """An urban village: handshake houses a metre or two apart, an ancestral hall with its forecourt."""
    x0, y0, x1, y1 = _shrunk(area, 1.6)
    hall: Box | None = None
    if min(x1 - x0, y1 - y0) > 60.0 and rng.random() < 0.4:
        cx, cy = x0 + (x1 - x0) * float(rng.uniform(0.35, 0.65)), y0 + (y1 - y0) * float(rng.uniform(0.4, 0.6))
        hall = (cx - 12.0, cy - 19.0, cx + 12.0, cy + 13.0)
        names = ("Li Ancestral Hall", "李氏大宗祠") if block.number % 2 else ("Lin Ancestral Hall", "林氏宗祠")
        yield Draft(Level(rect(cx, cy + 5.0, 20.0, 13.0), 5.2, roof="gable", ridge=4.2), "culture", 1, names)
    y, row = y0, 0
    while y + 7.0 < y1:
        depth = min(float(rng.uniform(8.5, 12.5)), y1 - y)
        x = x0 + float(rng.uniform(0.0, 2.0))
        while x + 6.5 < x1:
            width = min(float(rng.uniform(7.5, 13.0)), x1 - x)
            cell = (x, y, x + width, y + depth)
            if hall is None or cell[2] < hall[0] or cell[0] > hall[2] or cell[3] < hall[1] or cell[1] > hall[3]:
                yield _house(cell, rng)
            x += width + float(rng.choice([1.1, 1.3, 1.6, 2.6], p=[0.35, 0.3, 0.2, 0.15]))
        row += 1
        y += depth + (float(rng.uniform(2.4, 3.4)) if row % 2 == 0 else float(rng.uniform(1.1, 1.6)))


def _house(cell: Box, rng: np.random.Generator) -> Draft:
    x0, y0, x1, y1 = cell
    y1 -= float(rng.uniform(0.0, 1.2))
    storeys = int(rng.choice([3, 4, 5, 6, 7], p=[0.14, 0.24, 0.3, 0.22, 0.1]))
    top = storeys * 3.0 + 0.3
    level = Level(box(x0, y0, x1, y1), top)
    if rng.random() < 0.62:
        a = float(rng.uniform(x0 + 0.5, max(x0 + 0.6, x1 - 4.2)))
        level.inner.append(Level(box(a, y1 - 4.4, a + 3.2, y1 - 0.7), top + 2.7))
    return Draft(level, "village", storeys)


def _oldtown(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """Narrow lots round the block's edge, shops below and flats above, and a denser inside."""
    ring_area, depth = _shrunk(area, 1.8), float(rng.uniform(13.0, 16.0))
    for ring in range(3):
        x0, y0, x1, y1 = ring_area
        if x1 - x0 < depth * 1.2 or y1 - y0 < depth:
            return
        d = min(depth, (y1 - y0) / 2 - 1.0)
        if d < 7.0:
            yield from _lots((x0, y0, x1, y1), True, rng)
            return
        yield from _lots((x0, y0, x1, y0 + d), True, rng)
        yield from _lots((x0, y1 - d, x1, y1), True, rng)
        if y1 - y0 > 2 * d + 9.0 and x1 - x0 > 2 * d + 4.0:
            yield from _lots((x0, y0 + d + 1.0, x0 + d, y1 - d - 1.0), False, rng)
            yield from _lots((x1 - d, y0 + d + 1.0, x1, y1 - d - 1.0), False, rng)
        ring_area = _shrunk(ring_area, depth + (7.0 if ring else 5.0))


def _lots(area: Box, is_row: bool, rng: np.random.Generator) -> Iterator[Draft]:
    x0, y0, x1, y1 = area
    low, high = (x0, x1) if is_row else (y0, y1)
    at = low
    while at + 7.0 < high:
        width = float(rng.uniform(9.0, 17.0))
        end = min(at + width, high)
        if high - end < 7.5:
            end = high
        storeys = int(rng.choice([4, 5, 6, 7, 8, 9], p=[0.12, 0.2, 0.26, 0.2, 0.14, 0.08]))
        cut = float(rng.uniform(0.0, 1.6))
        ring = box(at, y0 + cut, end, y1) if is_row else box(x0 + cut, at, x1, end)
        use = "retail" if rng.random() < 0.15 else "residential"
        yield Draft(with_parapet(ring, storeys * 3.1, [], 0.9), use, storeys)
        at = end + 0.8


def _industry(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """Sheds in rows and an office at the gate."""
    x0, y0, x1, y1 = _shrunk(area, 9.0)
    office = box(x0, y0, x0 + min(34.0, x1 - x0), y0 + 13.0)
    yield Draft(with_parapet(office, 14.0), "office", 4)
    y = y0 + 21.0
    while y + 20.0 < y1:
        depth = min(float(rng.uniform(22.0, 32.0)), y1 - y)
        x = x0
        while x + 26.0 < x1:
            length = min(float(rng.uniform(34.0, 74.0)), x1 - x)
            height = float(rng.uniform(8.0, 13.0))
            ring = box(x, y, x + length, y + depth)
            is_gabled = length > depth and rng.random() < 0.75
            level = Level(ring, height, roof="gable", ridge=depth * 0.13) if is_gabled else with_parapet(ring, height + 2.0)
            yield Draft(level, "factory", 1 if is_gabled else 2)
            x += length + float(rng.uniform(9.0, 14.0))
        y += depth + float(rng.uniform(10.0, 14.0))


def _strip(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """Shops, markets and small hotels along an avenue, one plot deep."""
    x0, y0, x1, y1 = _shrunk(area, 4.0)
    x = x0
    depth = min(y1 - y0, float(rng.uniform(17.0, 24.0)))
    is_south = rng.random() < 0.5
    while x + 15.0 < x1:
        width = min(float(rng.uniform(19.0, 44.0)), x1 - x)
        low = y0 if is_south else y1 - depth
        storeys = int(rng.integers(12, 19)) if rng.random() < 0.16 and width < 36.0 else int(rng.integers(3, 9))
        ring = box(x, low, x + width, low + depth)
        rooms = [rect(x + width / 2, low + depth / 2, 6.0, 5.0)]
        use = str(rng.choice(["retail", "office", "hotel", "residential"], p=[0.4, 0.2, 0.1, 0.3]))
        yield Draft(with_parapet(ring, storeys * 3.4, rooms, 1.1, 3.4), use, storeys)
        if y1 - y0 > depth + 17.0 and rng.random() < 0.8:
            back = box(x + 1.0, y1 - 10.5, x + width - 2.0, y1) if is_south else box(x + 1.0, y0, x + width - 2.0, y0 + 10.5)
            yield Draft(with_parapet(back, 3.2 * 3, [], 0.9), "residential", 3)
        x += width + float(rng.uniform(5.0, 11.0))


def _lowrise(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """Garden houses with hipped and gabled roofs below the hill."""
    x0, y0, x1, y1 = _shrunk(area, 4.5)
    rows, columns = max(1, int((y1 - y0) // 21.0)), max(1, int((x1 - x0) // 20.0))
    for r in range(rows):
        for c in range(columns):
            if rng.random() < 0.06:
                continue
            x = x0 + (c + 0.5) * (x1 - x0) / columns + float(rng.uniform(-1.2, 1.2))
            y = y0 + (r + 0.5) * (y1 - y0) / rows + float(rng.uniform(-1.6, 1.6))
            width, depth = float(rng.uniform(11.5, 14.5)), float(rng.uniform(9.0, 11.0))
            storeys = int(rng.choice([2, 3, 3, 4]))
            roof = "hip" if rng.random() < 0.6 else "gable"
            yield Draft(
                Level(rect(x, y, width, depth), storeys * 3.1, roof=roof, ridge=float(rng.uniform(2.6, 3.8))),
                "residential",
                storeys,
            )


def _park(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """Two pavilions; the rest is trees."""
    x0, y0, x1, y1 = _shrunk(area, 18.0)
    for _ in range(2):
        x, y = float(rng.uniform(x0, x1)), float(rng.uniform(y0, y1))
        yield Draft(Level(rect(x, y, 10.0, 7.0), 4.0, roof="hip", ridge=2.6), "public", 1)
        x0 = x + 20.0
        if x1 - x0 < 10.0:
            return


def _hill(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """A pagoda on the crown of the park hill."""
    if block.v0 > 1200.0:
        return
    x, y = 330.0 - (block.u0 + block.u1) / 2.0, 900.0 - (block.v0 + block.v1) / 2.0
    ring = rounded(x, y, 11.0, 11.0, 8)
    heights = [7.0, 13.0, 18.5, 23.5, 28.0, 32.0, 38.0]
    yield Draft(stepped(ring, heights, [1.3] * 5 + [1.6]), "culture", 6, ("Zhenjiang Pagoda", "镇江楼"))


def _school(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """Classrooms in a U and a gymnasium; the other half of the plot is the sports ground."""
    x0, y0, x1, y1 = _shrunk(area, 6.0)
    middle = x0 + (x1 - x0) * 0.5
    names = ("Liede Primary School", "猎德小学") if block.number % 2 else ("Linjiang Middle School", "临江中学")
    top = y1 - 26.0 if y1 - y0 > 75.0 else y1
    depth = min(11.0, (middle - 4.0 - x0) / 3.0, (top - y0) / 2.5)
    yield Draft(with_parapet(u_shape(x0, y0, middle - 4.0, top, depth, False), 16.5, [], 1.2), "school", 5, names)
    if y1 - y0 > 75.0:
        gym = box(x0, y1 - 20.0, x0 + min(34.0, middle - 4.0 - x0), y1)
        yield Draft(Level(gym, 9.0, roof="gable", ridge=3.0), "school", 1)


def _hospital(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """A ward tower on a treatment podium, and outpatients in front."""
    x0, y0, x1, y1 = _shrunk(area, 6.0)
    middle = y0 + (y1 - y0) * 0.36
    podium = Level(box(x0, middle + 5.0, x1, y1), 18.0)
    w, d = min(66.0, x1 - x0 - 10.0), min(19.0, y1 - middle - 12.0)
    ring = rect((x0 + x1) / 2, (middle + 5.0 + y1) / 2, w, d)
    podium.inner.append(with_parapet(ring, 66.0, [rect((x0 + x1) / 2, (middle + 5.0 + y1) / 2, 16.0, d * 0.5)], 1.5, 4.5))
    names = ("Tianhe People's Hospital", "天河人民医院")
    yield Draft(podium, "hospital", 17, names)
    front = box(x0 + 6.0, y0, x1 - 6.0, middle - 5.0)
    yield Draft(with_parapet(front, 17.0, [inset(front, min(6.0, (middle - 5.0 - y0) / 3))], 1.2, 3.6), "hospital", 4)


def _elderly_care(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """A care home round a garden open to the south."""
    x0, y0, x1, y1 = _shrunk(area, 7.0)
    x1 = min(x1, x0 + 72.0)
    n = int(rng.integers(4, 7))
    names = ("Haiwen Elderly Care Home", "海文颐养院")
    yield Draft(with_parapet(u_shape(x0, y0, x1, y1, 13.0, False), n * 3.3, [], 1.2), "elderly_care", n, names)


def _substation(block: Block, area: Box, rng: np.random.Generator) -> Iterator[Draft]:
    """An indoor 110 kV substation and its control building."""
    x0, y0, x1, y1 = _shrunk(area, 6.0)
    w = min(44.0, x1 - x0)
    names = ("Machang 110 kV Substation", "马场110千伏变电站")
    yield Draft(with_parapet(box(x0, y0, x0 + w, y0 + min(24.0, y1 - y0)), 14.0), "substation", 2, names)
    if y1 - y0 > 46.0:
        yield Draft(with_parapet(box(x0, y0 + 31.0, x0 + 20.0, y0 + 43.0), 7.0), "substation", 2)


_BUILDERS: dict[str, Builder] = {
    "cbd": _cbd, "office": _office, "civic": _civic, "high": _high, "slab": _slab, "courtyard": _courtyard, "village": _village,
    "oldtown": _oldtown, "industry": _industry, "strip": _strip, "lowrise": _lowrise, "park": _park, "hill": _hill,
    "school": _school,
    "hospital": _hospital, "elderly_care": _elderly_care, "substation": _substation,
}  # fmt: skip
