"""Buildings of the metropolis: where they stand, what they are, and their shapes with roofs, as prisms and as blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int
from cimdesk.commands.demo.metropolis.region import CELL, CELLS, DISTRICT_NAMES, Region, to_world
from cimdesk.model.features import FeatureTable, as_strings

STREET = 24.0
"""Along the edge of each cell [m]."""
STOREY = 3.2
FOOT = 0.6
"""How far walls go into the ground [m]."""
PITCH, TOP = 0.22, 2.6
"""Height of pitched roofs over their width, and of what stands on flat ones [m]."""
USES = ("residential", "commercial", "office", "industrial", "school", "hospital", "village house")
PLAIN, GABLED, STEPPED = 0, 1, 2
"""Kinds of shape: a smaller box on top, a pitched roof, a tower on a podium."""


@dataclass(frozen=True)
class Buildings:
    """Buildings as columns.

    Attributes
    ----------
    cell, number : (N,) int64
        Cell and number in it; they name a building for good.
    middle : (N, 2) float64
        In the reference system [m].
    size : (N, 2) float64
        Length and width [m].
    turn : (N,) float64
        Angle of the length [rad].
    foot, height : (N,) float64
        [m]
    kind, use, storeys, year, people, district : (N,) int64
    """

    cell: Int
    number: Int
    middle: Float
    size: Float
    turn: Float
    foot: Float
    height: Float
    kind: Int
    use: Int
    storeys: Int
    year: Int
    people: Int
    district: Int

    def __len__(self) -> int:
        return len(self.cell)

    def take(self, rows: AnyArray) -> Buildings:
        """Return some of them."""
        return Buildings(**{name: values[rows] for name, values in self.__dict__.items()})

    def table(self) -> FeatureTable:
        """Return their attributes."""
        ids = as_strings(f"B{cell:06d}-{number:02d}" for cell, number in zip(self.cell.tolist(), self.number.tolist(), strict=True))
        uses, names = np.array(USES, dtype=object), np.array(DISTRICT_NAMES, dtype=object)
        return FeatureTable(
            ids,
            {
                "use": uses[self.use],
                "storeys": self.storeys,
                "height": np.round(self.height, 1),
                "year": self.year,
                "people": self.people,
                "district": names[self.district],
            },
        )


def make_buildings(region: Region, columns: tuple[int, int], rows: tuple[int, int]) -> Buildings:
    """Return the buildings of a range of cells (first, after the last); each cell gives the same ones in whatever range."""
    grid_rows, grid_columns = np.meshgrid(np.arange(*rows), np.arange(*columns), indexing="ij")
    counts = region.counts[grid_rows, grid_columns].ravel()
    cells = (grid_rows * CELLS + grid_columns).ravel()
    cell = np.repeat(cells, counts).astype(np.int64)
    n = np.repeat(counts, counts)
    number = np.arange(len(cell)) - np.repeat(np.cumsum(counts) - counts, counts)
    dice = _Dice(region.seed, cell * 128 + number)
    per_side = np.ceil(np.sqrt(n)).astype(np.int64)
    slot = number * per_side**2 // np.maximum(n, 1)
    pitch = (CELL - STREET) / np.maximum(per_side, 1)
    free = np.column_stack([slot % np.maximum(per_side, 1), slot // np.maximum(per_side, 1)]) + 0.5
    size = pitch[:, None] * np.column_stack([0.50 + 0.20 * dice(1), 0.42 + 0.20 * dice(2)])
    size = np.clip(size, 5.0, [52.0, 34.0])
    loose = np.maximum(pitch[:, None] - 1.2 * size, 0.0) * (np.column_stack([dice(3), dice(4)]) - 0.5) * 0.8
    corner = np.column_stack([cell % CELLS, cell // CELLS]) * CELL
    place = corner + STREET / 2.0 + free * pitch[:, None] + loose
    centrality = np.clip(region.density.ravel()[cell] / 2_300.0, 0.0, 1.0)
    # A cell has one way to stand, and its buildings stray from it a little.
    turn = _Dice(region.seed, cell)(5) * 0.5 - 0.25 + 0.06 * (dice(6) - 0.5) + np.pi / 2.0 * (dice(7) < 0.35)
    use, storeys = _uses(dice, centrality, size)
    height = storeys * STOREY + 0.6 + 0.8 * dice(8)
    area = size[:, 0] * size[:, 1]
    kind = np.where((storeys <= 3) & (use != 1) & (use != 3), GABLED, np.where((storeys >= 12) & (area > 220.0), STEPPED, PLAIN))
    lived = np.array([0.030, 0.004, 0.0, 0.0, 0.0, 0.008, 0.024])[use]
    return Buildings(
        cell, number, to_world(place), size, turn, region.ground(place) - FOOT, height, kind, use, storeys,
        (2024 - 62 * dice(9) ** 1.4).astype(np.int64), np.rint(area * storeys * lived * (0.7 + 0.6 * dice(10))).astype(np.int64),
        region.districts(place),
    )  # fmt: skip


def _uses(dice: _Dice, centrality: Float, size: Float) -> tuple[Int, Int]:
    """Return uses and storeys: towers in the centre, houses in villages, halls where there is room."""
    pick = dice(11)
    is_rural = centrality < 0.28
    area = size[:, 0] * size[:, 1]
    use = np.select(
        [is_rural & (pick < 0.78), pick < 0.70, pick < 0.80, pick < 0.80 + 0.12 * centrality, pick < 0.965, pick < 0.99],
        [6, 0, 1, 2, 3, 4],
        5,
    )
    rise = np.select(
        [use == 6, use == 0, use == 1, use == 2, use == 3],
        [2.0 + 2.2 * dice(12), 5.0 + 4.0 * dice(12), 3.0 + 3.0 * dice(12), 8.0 + 8.0 * dice(12), 1.0 + 2.0 * dice(12)],
        3.0 + 4.0 * dice(12),
    )
    is_tower = (dice(13) < 0.04 + 0.16 * centrality) & (area > 160.0) & np.isin(use, (0, 2))
    rise = np.where(is_tower, 16.0 + 18.0 * dice(14) + 26.0 * centrality**3 * dice(15) ** 3, rise)
    return use.astype(np.int64), np.maximum(np.rint(rise), 1).astype(np.int64)


class _Dice:
    """Numbers from 0 to 1 that depend on the seed and the key of a building alone (SplitMix64)."""

    def __init__(self, seed: int, keys: Int) -> None:
        with np.errstate(over="ignore"):
            self._keys = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % (1 << 32)) * np.uint64(
                0xD1342543DE82EF95
            )

    def __call__(self, which: int) -> Float:
        with np.errstate(over="ignore"):
            z = self._keys + np.uint64(which) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
        return (z >> np.uint64(11)).astype(np.float64) / float(1 << 53)


# --- shapes -----------------------------------------------------------------------------------------------------------------

_BOX_POINTS = np.array([[x, y, z] for z in (0, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))], dtype=np.float64)
_WALLS = [[k, (k + 1) % 4, 4 + (k + 1) % 4, 4 + k] for k in range(4)]
_BOX = np.array([[q[0], *q[k : k + 2]] for q in [*_WALLS, [4, 5, 6, 7]] for k in (1, 2)])
_GABLE_POINTS = np.concatenate([_BOX_POINTS, [[-1, 0, 2], [1, 0, 2]]])
_GABLE = np.concatenate(
    [_BOX[:8], [[4, 5, 9], [4, 9, 8], [6, 7, 8], [6, 8, 9], [5, 6, 9], [7, 4, 8]]]
)  # fmt: skip


def prisms(buildings: Buildings) -> tuple[Float, Int, Int]:
    """Return points (P, 3) in the reference system, triangles and owners: a box for each building."""
    return _placed(buildings, _BOX_POINTS, _BOX, buildings.size, buildings.foot, buildings.foot + FOOT + buildings.height)


def shapes(buildings: Buildings) -> tuple[Float, Int, Int]:
    """Return points (P, 3) in the reference system, triangles and owners: roofs, podiums and what stands on roofs."""
    parts: list[tuple[Float, Int, Int]] = []
    for kind in (PLAIN, GABLED, STEPPED):
        rows = np.flatnonzero(buildings.kind == kind)
        if len(rows):
            some = buildings.take(rows)
            parts += [(points, triangles, rows[owner]) for points, triangles, owner in _of_kind(some, kind)]
    starts = np.cumsum([0, *(len(points) for points, _, _ in parts[:-1])])
    return (
        np.concatenate([points for points, _, _ in parts]),
        np.concatenate([triangles + start for (_, triangles, _), start in zip(parts, starts, strict=True)]),
        np.concatenate([owner for _, _, owner in parts]),
    )


def boxes(buildings: Buildings) -> tuple[Float, Float]:
    """Return (N, 3) lowest and highest corners of what `shapes` makes."""
    cos, sin = np.abs(np.cos(buildings.turn)), np.abs(np.sin(buildings.turn))
    long, wide = buildings.size.T / 2.0
    half = np.column_stack([long * cos + wide * sin, long * sin + wide * cos])
    rise = np.select(
        [buildings.kind == GABLED, buildings.kind == PLAIN], [PITCH * buildings.size[:, 1], np.full(len(buildings), TOP)]
    )
    top = buildings.foot + FOOT + buildings.height + rise
    return np.column_stack([buildings.middle - half, buildings.foot]), np.column_stack([buildings.middle + half, top])


def _of_kind(some: Buildings, kind: int) -> list[tuple[Float, Int, Int]]:
    top = some.foot + FOOT + some.height
    # What stands on another box begins inside it, low enough that no one sees its open end.
    inside = some.foot + 0.3 * (top - some.foot)
    if kind == GABLED:
        return [_placed(some, _GABLE_POINTS, _GABLE, some.size, some.foot, top, top + PITCH * some.size[:, 1])]
    if kind == STEPPED:
        podium = some.foot + FOOT + np.minimum(3.0 * STOREY, 0.4 * some.height)
        tower = np.maximum(some.size * 0.72, 10.0)
        return [
            _placed(some, _BOX_POINTS, _BOX, some.size, some.foot, podium),
            _placed(some, _BOX_POINTS, _BOX, np.minimum(tower, some.size), np.minimum(inside, podium), top),
        ]
    return [
        _placed(some, _BOX_POINTS, _BOX, some.size, some.foot, top),
        _placed(some, _BOX_POINTS, _BOX, some.size * 0.3, inside, top + TOP),
    ]


def _placed(
    some: Buildings, unit: Float, faces: Int, size: Float, low: Float, high: Float, ridge: Float | None = None
) -> tuple[Float, Int, Int]:
    """Return one unit shape for each building, sized, turned and placed."""
    cos, sin = np.cos(some.turn)[:, None], np.sin(some.turn)[:, None]
    x, y = unit[None, :, 0] * size[:, :1] / 2.0, unit[None, :, 1] * size[:, 1:] / 2.0
    points = np.empty((len(some), len(unit), 3))
    points[:, :, 0] = some.middle[:, :1] + x * cos - y * sin
    points[:, :, 1] = some.middle[:, 1:] + x * sin + y * cos
    levels = np.stack([low, high, high if ridge is None else ridge], axis=1)
    points[:, :, 2] = levels[:, unit[:, 2].astype(np.int64)]
    triangles = (faces[None] + len(unit) * np.arange(len(some))[:, None, None]).reshape(-1, 3)
    return points.reshape(-1, 3), triangles, np.repeat(np.arange(len(some)), len(faces))
