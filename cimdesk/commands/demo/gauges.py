"""Gauges of the demo city and what they recorded in the storm: rain, water in streets and manholes, river and creek."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.units import DEFAULT_ZONE
from cimdesk.commands.demo import places, storm
from cimdesk.commands.demo.drainage import Sewers
from cimdesk.commands.demo.plan import Plan
from cimdesk.commands.demo.streets import StreetGraph
from cimdesk.model.terrain import Terrain

STREET_LIMITS = (0.15, 0.27, 0.40)
"""Depth on the carriageway for attention, warning and alarm [m]; the first is the design limit of GB 50014."""
LOST_GAUGE, LOST_AT = "PS-021", storm.STORM_START + 62 * 60.0


@dataclass
class Gauge:
    """A gauge and its record.

    Attributes
    ----------
    quantity : str
        ``rainfall`` [mm in five minutes], ``water_depth`` or ``water_level`` [m].
    limits : tuple of 3 floats or Nones
    values : (N,) float64
        At `storm.record_times`.
    """

    key: str
    name: str
    name_zh: str
    quantity: str
    xy: Float
    height: float
    limits: tuple[float | None, float | None, float | None]
    values: Float = field(default_factory=lambda: np.zeros(0))


def make_gauges(plan: Plan, graph: StreetGraph, terrain: Terrain, sewers: Sewers) -> list[Gauge]:
    """Return every gauge with its readings, rising and falling as its place makes it."""
    rng = np.random.default_rng([plan.seed, 10])
    gauges = _rain_gauges(plan, terrain, rng)
    gauges += _street_gauges(plan, graph, terrain, rng)
    gauges += _manhole_gauges(plan, sewers, rng)
    gauges += _river_gauges(plan, rng)
    return gauges


def _rain_gauges(plan: Plan, terrain: Terrain, rng: np.random.Generator) -> list[Gauge]:
    sites = (
        (620.0, 560.0, "Central axis", "中轴线"),
        (180.0, 380.0, "Xiancun", "冼村"),
        (1250.0, 505.0, "Liede hospital", "猎德医院"),
        (420.0, 870.0, "Hill park", "山顶公园"),
        (1470.0, 250.0, "Haiwen", "海文"),
    )
    out = []
    for k, (u, v, en, zh) in enumerate(sites):
        xy = plan.warps[1].forward(np.array(u), np.array(v))
        depths = storm.rain_depths(offset=(u - 800.0) / 9.0, factor=float(rng.uniform(0.88, 1.08)))
        values = np.round(depths * rng.uniform(0.93, 1.07, len(depths)) / 0.2) * 0.2
        height = float(terrain.sample(xy[None, :])[0]) + 2.0
        out.append(Gauge(f"RG-{k + 1:02d}", f"{en} rain gauge", f"{zh}雨量站", "rainfall", xy, height, (8.0, 12.0, 20.0), values))
    return out


def response(delay_min: float, memory_min: float, capacity_mm_per_h: float) -> Float:
    """Return (N,) shape of standing water after the storm, peak 1: rain beyond what the drains take, emptying slowly."""
    fine = np.repeat(storm.rain_depths() / 5.0, 5)
    excess = np.maximum(fine - capacity_mm_per_h / 60.0, 0.0)
    shift = int(delay_min)
    excess = np.concatenate([np.zeros(shift), excess])[: len(excess)]
    level, out = 0.0, np.empty(len(excess))
    for k, more in enumerate(excess):
        level += more - level / memory_min
        out[k] = level
    shape = out[4::5]
    return np.asarray(shape / shape.max())


def _street_gauges(plan: Plan, graph: StreetGraph, terrain: Terrain, rng: np.random.Generator) -> list[Gauge]:
    """Return the underpass gauge and those at street sags, the village's first."""
    u, v = places.UNDERPASS
    xy = plan.warps[1].forward(np.array(u + 4.0), np.array(v))
    deep = _noisy(1.38 * response(9, 95, 38.0), rng)
    ground = float(terrain.sample(xy[None, :])[0])
    out = [Gauge("PS-014", "Liede Avenue underpass", "猎德大道下穿隧道", "water_depth", xy, ground, STREET_LIMITS, deep)]
    core = np.flatnonzero((graph.side == 1) & (graph.uv[:, 0] > 0) & (graph.uv[:, 0] < 1600) & (graph.uv[:, 1] < 800))
    heights = terrain.sample(graph.xy[core])
    plane = np.column_stack([np.ones(len(core)), graph.uv[core, 1]])
    sag = plane @ np.linalg.lstsq(plane, heights, rcond=None)[0] - heights
    chosen: list[int] = []
    for row in np.argsort(-sag):
        node = int(core[row])
        if all(np.hypot(*(graph.xy[node] - graph.xy[other])) > 105.0 for other in chosen):
            chosen.append(node)
        if len(chosen) == 12:
            break
    names = _street_names(plan, graph)
    for k, node in enumerate(chosen):
        peak = float(np.clip(0.10 + 0.42 * sag[core == node][0], 0.03, 0.62))
        depths = _noisy(peak * response(4 + 2 * (k % 4), 30 + 9 * (k % 5), 62.0), rng)
        key = f"PS-{15 + k:03d}"
        en, zh = names[node]
        out.append(
            Gauge(
                key, en, zh, "water_depth", graph.xy[node], float(terrain.sample(graph.xy[node][None, :])[0]), STREET_LIMITS, depths
            )
        )
    return out


def _street_names(plan: Plan, graph: StreetGraph) -> list[tuple[str, str]]:
    names: list[list[tuple[str, str, float]]] = [[] for _ in graph.xy]
    for stretch in graph.stretches:
        for node in (stretch.first, stretch.last):
            line = stretch.street.line
            if all(line.en != other[0] for other in names[node]):
                names[node].append((line.en, line.zh, line.width))
    best = [sorted(found, key=lambda item: -item[2])[:2] for found in names]
    return [(" / ".join(item[0] for item in found), "-".join(item[1] for item in found)) for found in best]


def _noisy(values: Float, rng: np.random.Generator) -> Float:
    noise = rng.normal(0.0, 0.006, len(values)) * (values > 0.01)
    return np.asarray(np.round(np.maximum(values + noise, 0.0), 3))


def _manhole_gauges(plan: Plan, sewers: Sewers, rng: np.random.Generator) -> list[Gauge]:
    """Return gauges in trunk manholes: depth above the invert, alarm at the rim."""
    uv = plan.warps[1].inverse(sewers.xy)
    is_core = (uv[:, 0] > 0) & (uv[:, 0] < 1600) & (uv[:, 1] > 50) & (uv[:, 1] < 760) & ~sewers.is_outfall
    order = [int(k) for k in np.argsort(-sewers.diameter, kind="stable") if is_core[k]]
    chosen: list[int] = []
    for k in order:
        if all(np.hypot(*(sewers.xy[k] - sewers.xy[other])) > 170.0 for other in chosen):
            chosen.append(k)
        if len(chosen) == 7:
            break
    out = []
    for k, node in enumerate(chosen):
        rim = float(sewers.ground[node] - sewers.invert[node])
        d = float(sewers.diameter[node])
        surcharge = (0.35, 0.6, 0.8, 0.95, 1.0, 0.7, 0.5)[k]
        depth = 0.12 * d + (rim * surcharge) * response(6, 22 + 6 * k, 8.0)
        limits = (round(d, 2), round((d + rim) / 2, 2), round(rim - 0.1, 2))
        name = f"Manhole {sewers.node_name(node)}, {sewers.street[node]}"
        values = _noisy(np.minimum(depth, rim + 0.1), rng)
        out.append(
            Gauge(
                f"GW-{k + 1:02d}",
                name,
                f"检查井 {sewers.node_name(node)}",
                "water_depth",
                sewers.xy[node],
                float(sewers.invert[node]),
                limits,
                values,
            )
        )
    return out


def _river_gauges(plan: Plan, rng: np.random.Generator) -> list[Gauge]:
    tide = storm.tide_level(storm.record_times())
    runoff = response(14, 55, 5.0)
    sites = (
        (700.0, -4.0, "Pearl River, Haixin quay", "珠江海心码头", 0.04),
        (1500.0, -4.0, "Pearl River, Machang quay", "珠江马场码头", 0.05),
        (1010.0, 120.0, "Liede Creek, mouth", "猎德涌河口", 0.35),
        (1010.0, 560.0, "Liede Creek, Huangpu Avenue", "猎德涌黄埔大道", 0.9),
    )
    out = []
    for k, (u, v, en, zh, rise) in enumerate(sites):
        xy = plan.warps[1].forward(np.array(u), np.array(v))
        values = np.round(tide + rise * runoff + rng.normal(0.0, 0.008, len(tide)), 3)
        out.append(Gauge(f"SW-{k + 1:02d}", en, zh, "water_level", xy, 0.0, (1.9, 2.3, 2.7), values))
    return out


def write_stations(path: Path, gauges: Sequence[Gauge]) -> None:
    """Write one row per gauge: place, what it measures, limits, and after how long a silent one is stale."""
    header = (
        "station_id",
        "name",
        "name_zh",
        "quantity",
        "unit",
        "easting",
        "northing",
        "height",
        "attention",
        "warning",
        "alarm",
        "stale_after_s",
    )
    units = {"rainfall": "mm", "water_depth": "m", "water_level": "m"}
    rows: list[Sequence[Any]] = [
        (
            gauge.key, gauge.name, gauge.name_zh, gauge.quantity, units[gauge.quantity], f"{gauge.xy[0]:.2f}", f"{gauge.xy[1]:.2f}",
            f"{gauge.height:.2f}", *("" if limit is None else limit for limit in gauge.limits), 900,
        )
        for gauge in gauges
    ]  # fmt: skip
    _write_csv(path, [header, *rows])


def write_observations(path: Path, gauges: Sequence[Gauge]) -> None:
    """Write the readings in long form, local time with its zone."""
    rows: list[Sequence[Any]] = [("station_id", "time", "value")]
    times = storm.record_times()
    texts = [iso_time(time) for time in times]
    for gauge in gauges:
        for k, value in enumerate(gauge.values.tolist()):
            if gauge.key == LOST_GAUGE and times[k] > LOST_AT:
                break
            rows.append((gauge.key, texts[k], f"{value:.3f}".rstrip("0").rstrip(".")))
    _write_csv(path, rows)


def iso_time(time: float) -> str:
    """Return ISO 8601 local time with its zone."""
    return datetime.fromtimestamp(float(time), ZoneInfo(DEFAULT_ZONE)).isoformat(timespec="seconds")


def _write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
