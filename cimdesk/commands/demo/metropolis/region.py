"""The plan of the metropolis: ground, river, centre, towns and villages, and how many buildings stand in each cell of 200 m."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int, Int32
from cimdesk.commands.demo.places import CRS

CORNER = (387_000.0, 2_514_000.0)
"""South-western corner, in `CRS` [m]."""
SIDE = 86_000.0
"""7,396 km2."""
CELL = 200.0
CELLS = round(SIDE / CELL)
BUILDINGS = 1_000_000
MOST_IN_CELL = 100
TOWNS, VILLAGES, HILLS = 38, 1400, 90
CENTRE = (43_000.0, 43_500.0)
WATER = -2.0
TOO_HIGH, TOO_STEEP = 75.0, 0.10
DISTRICT_NAMES = (
    "Yuexiu 越秀", "Liwan 荔湾", "Haizhu 海珠", "Tianhe 天河", "Baiyun 白云", "Huangpu 黄埔", "Panyu 番禺", "Huadu 花都",
    "Nansha 南沙", "Zengcheng 增城", "Conghua 从化", "Xintang 新塘", "Shiqiao 市桥", "Dashi 大石",
    "Renhe 人和", "Jianggao 江高", "Taihe 太和",
    "Luogang 萝岗", "Yonghe 永和", "Xiancun 仙村", "Shitan 石滩", "Zhongxin 中新", "Taiping 太平", "Aotou 鳌头", "Huadong 花东",
    "Shiling 狮岭", "Tanbu 炭步", "Hualong 化龙", "Shiji 石碁", "Shawan 沙湾", "Dagang 大岗", "Dongchong 东涌", "Lanhe 榄核",
    "Huangge 黄阁", "Hengli 横沥", "Wanqingsha 万顷沙", "Nancun 南村", "Zhongcun 钟村", "Luopu 洛浦",
)  # fmt: skip


@dataclass(frozen=True)
class Region:
    """What the buildings stand on; local metres from `CORNER`, row 0 in the south.

    Attributes
    ----------
    heights : (CELLS + 1, CELLS + 1) float32
        Ground at the corners of the cells [m].
    counts : (CELLS, CELLS) int32
        Buildings in each cell.
    density : (CELLS, CELLS) float32
        What the counts come from [1/km2].
    seats : (D, 2) float64
        Centres of the districts.
    seed : int
    """

    heights: Float32
    counts: Int32
    density: Float32
    seats: Float
    seed: int

    def ground(self, places: Float) -> Float:
        """Return (N,) heights of the ground at (N, 2) local places, the same as the terrain shows."""
        at = np.clip(places / CELL, 0.0, CELLS - 1e-9)
        column, row = np.floor(at).astype(np.int64).T
        u, v = (at - np.floor(at)).T
        z = self.heights
        south = z[row, column] * (1 - u) + z[row, column + 1] * u
        north = z[row + 1, column] * (1 - u) + z[row + 1, column + 1] * u
        return np.asarray(south * (1 - v) + north * v, dtype=np.float64)

    def districts(self, places: Float) -> Int:
        """Return (N,) the district whose seat is nearest."""
        away = np.full(len(places), np.inf)
        nearest = np.zeros(len(places), dtype=np.int64)
        for number, seat in enumerate(self.seats):
            squared = ((places - seat) ** 2).sum(axis=1)
            closer = squared < away
            away[closer], nearest[closer] = squared[closer], number
        return nearest


@lru_cache(maxsize=2)
def make_region(seed: int, buildings: int = BUILDINGS) -> Region:
    """Return the region of a seed with this many buildings."""
    rng = np.random.default_rng([seed, 7400])
    corners = np.stack(np.meshgrid(np.arange(CELLS + 1) * CELL, np.arange(CELLS + 1) * CELL), axis=-1)
    heights = _ground(rng, corners)
    middles = np.stack(np.meshgrid((np.arange(CELLS) + 0.5) * CELL, (np.arange(CELLS) + 0.5) * CELL), axis=-1)
    seats, density = _settled(rng, middles)
    z = (heights[1:, 1:] + heights[:-1, 1:] + heights[1:, :-1] + heights[:-1, :-1]) / 4.0
    slope = np.hypot(heights[1:, 1:] - heights[1:, :-1], heights[1:, 1:] - heights[:-1, 1:]) / CELL
    lowest = np.minimum.reduce([heights[1:, 1:], heights[:-1, 1:], heights[1:, :-1], heights[:-1, :-1]])
    density[(z > TOO_HIGH) | (slope > TOO_STEEP) | (lowest < 1.0)] = 0.0
    return Region(heights.astype(np.float32), _counts(density, buildings), density.astype(np.float32), seats, seed)


def river(x: Float) -> tuple[Float, Float]:
    """Return the middle of the river and half its width at these places from the west [m]."""
    t = x / SIDE
    middle = 38_000.0 + 3_800.0 * np.sin(5.2 * t + 0.6) + 1_500.0 * np.sin(13.0 * t) - 9_000.0 * t**3
    return middle, 170.0 + 900.0 * t**2.4


def _ground(rng: np.random.Generator, at: Float) -> Float:
    x, y = at[..., 0], at[..., 1]
    z = 4.0 + np.clip(y - 45_000.0, 0.0, None) * 4e-4
    for _ in range(HILLS):
        # The mountains lie in the north and north-east; a few hills stand in the plain.
        north = rng.random() < 0.8
        place = rng.uniform(0, SIDE), rng.uniform(56_000.0, SIDE) if north else rng.uniform(0, 50_000.0)
        height = rng.uniform(90.0, 420.0) if north else rng.uniform(40.0, 160.0)
        wide, turn, long = rng.uniform(1_200.0, 4_200.0), rng.uniform(0, np.pi), rng.uniform(1.0, 2.2)
        u = (x - place[0]) * np.cos(turn) + (y - place[1]) * np.sin(turn)
        v = (y - place[1]) * np.cos(turn) - (x - place[0]) * np.sin(turn)
        bell = np.exp(-((u / (wide * long)) ** 2) - (v / wide) ** 2)
        z = z + (height if north else 0.6 * height) * np.clip(bell - 0.08, 0.0, None)
    ripples = np.sin(x / 611.0 + 1.3 * np.sin(y / 1703.0)) * np.sin(y / 733.0 + 1.1 * np.sin(x / 1409.0))
    z = z + np.clip((z - 12.0) / 60.0, 0.0, 1.0) * 14.0 * ripples
    for middle, half in _waters(x):
        away = np.abs(y - middle) - half
        share = np.clip(away / 500.0, 0.0, 1.0)
        z = np.where(away < 0.0, WATER, np.minimum(z, WATER + 5.5 + share * np.maximum(z, 0.0)))
    return np.asarray(z)


def _waters(x: Float) -> list[tuple[Float, Float]]:
    """Return the middles and half widths of the river's arms."""
    middle, half = river(x)
    south = middle - 7_000.0 - 9_000.0 * np.clip((x - 30_000.0) / 50_000.0, 0.0, 1.0)
    return [(middle, half), (south, 0.6 * half), (south - 11_000.0, 0.5 * half)]


def _settled(rng: np.random.Generator, at: Float) -> tuple[Float, Float]:
    """Return the seats of the districts and the density of buildings [1/km2]."""
    x, y = at[..., 0], at[..., 1]
    away = np.hypot(x - CENTRE[0], 1.15 * (y - CENTRE[1]))
    density = 5.0 + 2_300.0 * np.exp(-((away / 9_500.0) ** 2)) + 420.0 * np.exp(-((away / 20_000.0) ** 2))
    seats = [CENTRE]
    for _ in range(TOWNS):
        near = rng.random() < 0.6
        reach = rng.uniform(7_000.0, 26_000.0) if near else rng.uniform(22_000.0, 46_000.0)
        turn = rng.uniform(0, 2 * np.pi)
        place = np.clip(np.array(CENTRE) + reach * np.array([np.cos(turn), np.sin(turn)]), 2_000.0, SIDE - 2_000.0)
        wide, peak = rng.uniform(1_100.0, 3_000.0), rng.uniform(700.0, 1_700.0)
        density += peak * np.exp(-(((x - place[0]) ** 2 + (y - place[1]) ** 2) / wide**2))
        seats.append((float(place[0]), float(place[1])))
    for place in rng.uniform(1_000.0, SIDE - 1_000.0, (VILLAGES, 2)):
        wide, peak = rng.uniform(180.0, 420.0), rng.uniform(700.0, 1_800.0)
        low, high = (np.clip(((place - 4 * wide) / CELL).astype(int), 0, CELLS), ((place + 4 * wide) / CELL).astype(int) + 1)
        part = np.s_[low[1] : high[1], low[0] : high[0]]
        density[part] += peak * np.exp(-(((x[part] - place[0]) ** 2 + (y[part] - place[1]) ** 2) / wide**2))
    # Parks, campuses, works and rail yards: a town is no smooth heap.
    density *= np.where(rng.random(density.shape) < 0.07, 0.08, rng.uniform(0.6, 1.25, density.shape))
    return np.array(seats), density


def _counts(density: Float, buildings: int) -> Int32:
    """Return whole numbers of buildings in each cell that come to exactly ``buildings``."""
    most = float(MOST_IN_CELL)
    share = density.ravel()
    low, high = 0.0, most / max(float(share[share > 0].min()), 1e-9)
    for _ in range(80):
        factor = (low + high) / 2.0
        low, high = (factor, high) if np.minimum(share * factor, most).sum() < buildings else (low, factor)
    total = np.cumsum(np.minimum(share * high, most))
    ends = np.floor(total * (buildings / total[-1]) + 0.5).astype(np.int64)
    counts: Int32 = np.diff(ends, prepend=0).astype(np.int32).reshape(density.shape)
    return counts


def to_world(places: Float) -> Float:
    """Return (N, 2) local places in the reference system."""
    return np.asarray(places + np.array(CORNER))


__all__ = ["BUILDINGS", "CELL", "CELLS", "CORNER", "CRS", "DISTRICT_NAMES", "SIDE", "Region", "make_region", "river", "to_world"]
