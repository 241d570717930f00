"""A section through the city along a line: ground, water now and deepest, buildings, and the pipes below."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.units import format_time, format_utc
from cimdesk.model.appearance import UTILITY_COLORS, active_flood
from cimdesk.model.city import CityModel
from cimdesk.model.flood import FloodResult
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.terrain import Terrain
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import Workspace

MOST_POINTS = 900
WET = 0.01
"""Depth from which water is drawn [m]."""
NODE_REACH = 2.5
"""Nodes nearer to the line than this belong to the section [m]."""
ASSUMED_COVER = 1.5
"""Depth below the ground of pipes whose height is unknown [m]."""
DEFAULT_DIAMETER = 0.2


@dataclass(frozen=True)
class CutBuilding:
    """A building that the line goes through: where from and to along it, and between which heights [m]."""

    name: str
    start: float
    end: float
    foot: float
    top: float


@dataclass(frozen=True)
class CutPipe:
    """A pipe that the line crosses, or a node beside it.

    Attributes
    ----------
    along, axis, diameter : float
        Distance from the start of the line, height of the axis (of a node: its invert) and diameter [m].
    rim : float
        Of a node: ground it reaches up to [m]; NaN of pipes.
    is_assumed : bool
        Whether the height is not in the data.
    """

    layer: str
    name: str
    color: str
    along: float
    axis: float
    diameter: float
    rim: float = np.nan
    is_assumed: bool = False


@dataclass(frozen=True)
class Section:
    """What stands along a line.

    Attributes
    ----------
    along : (N,) float64
        Distance from the start [m].
    points : (N, 2) float64
        World coordinates.
    ground : (N,) float64
        [m]; NaN where unknown.
    flood : FloodResult or None
        The flood that is shown.
    cells : (N, 2) int
        Rows and columns of the flood's grid; -1 beyond it.
    deepest : (N,) float64
        Highest water level of the run [m]; NaN where it stays dry.
    """

    along: Float
    points: Float
    ground: Float
    flood: FloodResult | None
    cells: AnyArray
    deepest: Float
    buildings: tuple[CutBuilding, ...]
    pipes: tuple[CutPipe, ...]

    def level_at(self, time: float) -> Float:
        """Return (N,) the water level at a moment of the clock [m]; NaN where it is dry."""
        if self.flood is None:
            return np.full(len(self.along), np.nan)
        return self._level(self.flood.depth_at(time))

    def depth_at(self, time: float) -> Float:
        """Return (N,) the depth that the run has at a moment [m]; zero where it is dry."""
        bed = np.full(len(self.along), np.nan)
        if self.flood is not None:
            rows, columns = np.maximum(self.cells, 0).T
            bed = self.flood.terrain.elevations[rows, columns].astype(np.float64)
        depth: Float = np.nan_to_num(self.level_at(time) - bed)
        return depth

    def _level(self, depths: AnyArray) -> Float:
        assert self.flood is not None
        rows, columns = np.maximum(self.cells, 0).T
        depth = np.nan_to_num(depths[rows, columns].astype(np.float64))
        bed = self.flood.terrain.elevations[rows, columns].astype(np.float64)
        is_wet = (self.cells[:, 0] >= 0) & (depth > WET) & ~self.flood.is_blocked[rows, columns]
        return np.where(is_wet, bed + depth, np.nan)

    def node_level(self, pipe: CutPipe, time: float) -> float:
        """Return the water level in a node of the drains at a moment [m]; NaN where the run says nothing of it."""
        if self.flood is None or self.flood.drainage is None or np.isnan(pipe.rim):
            return np.nan
        state = self.flood.drainage.state_of(pipe.name, time - self.flood.start_time)
        return np.nan if state is None else pipe.axis + state.depth


def section_along(workspace: Workspace, line: Float) -> Section:
    """Return the section along an (P, 2 or 3) line of world coordinates, through what is visible.

    Raises
    ------
    UsageError
        If the line has no length.
    """
    line = np.asarray(line, dtype=np.float64)[:, :2]
    lengths = np.hypot(*np.diff(line, axis=0).T) if len(line) > 1 else np.zeros(0)
    total = float(lengths.sum())
    if total < 0.01:
        raise UsageError("A section needs a line of two points at least.")
    found = active_flood(workspace)
    flood = found[1] if found else None
    grid = _ground(workspace, flood)
    step = max(total / MOST_POINTS, min(grid.cell_x / 2.0 if grid is not None else 1.0, total / 50.0))
    along = np.linspace(0.0, total, int(np.ceil(total / step)) + 1)
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    points = np.column_stack([np.interp(along, ends, line[:, k]) for k in (0, 1)])
    ground = grid.sample(points) if grid is not None else np.full(len(along), np.nan)
    cells = np.full((len(along), 2), -1) if flood is None else _cells(flood.terrain, points)
    section = Section(along, points, ground, flood, cells, np.full(len(along), np.nan), (), ())
    deepest = section.deepest if flood is None else section._level(flood.max_depth)
    buildings: list[CutBuilding] = []
    pipes: list[CutPipe] = []
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        city = data.city if isinstance(data, TiledCity) else data
        if isinstance(city, CityModel) and city.meshes and layer.visible:
            buildings += _cut_city(city, line, ends)
        elif isinstance(data, UtilityNetwork) and layer.visible:
            pipes += _cut_network(layer.name, layer.style.color, data, line, ends, grid)
    return Section(along, points, ground, flood, cells, deepest, tuple(buildings), tuple(sorted(pipes, key=lambda p: p.along)))


def write_csv(section: Section, path: Path, time: float) -> list[Path]:
    """Write the section as a table, and what it crosses as a second one beside it; return the files."""
    from cimdesk.project.files import replacing

    level, depth = section.level_at(time), section.depth_at(time)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        moment = format_time(time) if section.flood is not None else ""
        writer.writerow(["along_m", "x", "y", "ground_m", "water_level_m", "depth_m", "highest_level_m", "time"])
        for k in range(len(section.along)):
            row = [section.along[k], *section.points[k], section.ground[k], level[k], depth[k], section.deepest[k]]
            writer.writerow([*("" if np.isnan(v) else f"{v:.3f}" for v in row), moment])
    written = [path]
    if section.buildings or section.pipes:
        beside = path.with_name(f"{path.stem}-crossings{path.suffix}")
        with replacing(beside) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["what", "layer", "name", "along_m", "to_m", "bottom_m", "top_m", "height_assumed"])
            for house in section.buildings:
                numbers = (house.start, house.end, house.foot, house.top)
                writer.writerow(["building", "", house.name, *(f"{v:.3f}" for v in numbers), ""])
            for pipe in section.pipes:
                half = 0.0 if np.isfinite(pipe.rim) else pipe.diameter / 2.0
                top = pipe.rim if np.isfinite(pipe.rim) else pipe.axis + half
                what = "node" if np.isfinite(pipe.rim) else "pipe"
                numbers = (pipe.along, pipe.along, pipe.axis - half, top)
                assumed = "yes" if pipe.is_assumed else ""
                writer.writerow([what, pipe.layer, pipe.name, *(f"{v:.3f}" for v in numbers), assumed])
        written.append(beside)
    return written


def section_figures(section: Section, time: float) -> dict[str, Any]:
    """Return what ``flood section --json`` tells of a moment of the clock [POSIX s]; what is unknown or dry is null.

    Returns
    -------
    dict
        ``length_m``, ``flood``, ``time``, ``along_m``, ``x``, ``y``, ``ground_m``, ``level_m``, ``depth_m``, ``highest_level_m``,
        ``max_depth_m``, ``max_depth_at_m``, ``wet_m``, ``buildings`` and ``pipes``.
    """
    level, depth = section.level_at(time), section.depth_at(time)
    flood, deepest = section.flood, int(np.argmax(depth))
    step = float(section.along[1] - section.along[0])
    return {
        "length_m": float(section.along[-1]), "flood": flood.name if flood else None,
        "time": format_utc(time) if flood else None, "along_m": _numbers(section.along), "x": _numbers(section.points[:, 0]),
        "y": _numbers(section.points[:, 1]), "ground_m": _numbers(section.ground), "level_m": _numbers(level),
        "depth_m": _numbers(depth) if flood else [None] * len(depth), "highest_level_m": _numbers(section.deepest),
        "max_depth_m": float(depth[deepest]) if flood else None,
        "max_depth_at_m": float(section.along[deepest]) if flood else None,
        "wet_m": float(np.count_nonzero(np.isfinite(level))) * step if flood else None,
        "buildings": [
            {"id": house.name, "from_m": house.start, "to_m": house.end, "foot_m": house.foot, "top_m": house.top}
            for house in section.buildings
        ],
        "pipes": [
            {
                "id": pipe.name, "layer": pipe.layer, "kind": "node" if np.isfinite(pipe.rim) else "pipe", "along_m": pipe.along,
                "axis_m": pipe.axis, "diameter_m": None if np.isfinite(pipe.rim) else pipe.diameter,
                "level_m": None if np.isnan(found := section.node_level(pipe, time)) else found, "height_assumed": pipe.is_assumed,
            }
            for pipe in section.pipes
        ],
    }  # fmt: skip


def _numbers(values: Float) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 4) for value in values]


def caption(section: Section, time: float) -> str:
    """Return what a figure of the section must say."""
    if section.flood is None:
        return tr("no flood is shown")
    facts = section.flood.statistics
    parts = [section.flood.name, format_time(time)]
    if "engine" in facts:
        parts.append(
            tr("engine {engine}, cell {cell} m").format(engine=tr(str(facts["engine"])), cell=f"{section.flood.terrain.cell_x:g}")
        )
    if "mass_error" in facts:
        parts.append(tr("mass error {error}").format(error=f"{float(facts['mass_error']):.0e}"))
    return "  ·  ".join(parts)


def _ground(workspace: Workspace, flood: FloodResult | None) -> Terrain | None:
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if isinstance(data, Terrain):
            return data
    return flood.terrain if flood is not None else None


def _cells(grid: Terrain, points: Float) -> AnyArray:
    columns = np.floor((points[:, 0] - grid.west) / grid.cell_x).astype(np.int64)
    rows = np.floor((grid.north - points[:, 1]) / grid.cell_y).astype(np.int64)
    inside = (rows >= 0) & (columns >= 0) & (rows < grid.shape[0]) & (columns < grid.shape[1])
    return np.where(inside[:, None], np.column_stack([rows, columns]), -1)


def _cut_city(city: CityModel, line: Float, ends: Float) -> list[CutBuilding]:
    """Cut the triangles of a city by the vertical planes through a line."""
    mesh = city.finest
    corners = mesh.vertices[mesh.triangles].astype(np.float64) + mesh.origin
    cut: dict[int, list[float]] = {}
    for k, (a, b) in enumerate(pairwise(line)):
        length = float(ends[k + 1] - ends[k])
        if length < 1e-9:
            continue
        ahead = (b - a) / length
        side = (corners[..., 0] - a[0]) * ahead[1] - (corners[..., 1] - a[1]) * ahead[0]
        crossed = np.flatnonzero((side.min(axis=1) < 0.0) & (side.max(axis=1) >= 0.0))
        s = (corners[crossed, :, :2] - a) @ ahead
        z, d = corners[crossed, :, 2], side[crossed]
        for i, j in ((0, 1), (1, 2), (2, 0)):
            passes = (d[:, i] < 0.0) != (d[:, j] < 0.0)
            share = d[passes, i] / (d[passes, i] - d[passes, j])
            at = s[passes, i] + share * (s[passes, j] - s[passes, i])
            height = z[passes, i] + share * (z[passes, j] - z[passes, i])
            on = (at >= 0.0) & (at <= length)
            for owner, place, level in zip(mesh.feature_index[crossed[passes][on]], at[on] + ends[k], height[on], strict=True):
                box = cut.setdefault(int(owner), [np.inf, -np.inf, np.inf, -np.inf])
                box[0], box[1] = min(box[0], place), max(box[1], place)
                box[2], box[3] = min(box[2], level), max(box[3], level)
    return [CutBuilding(str(city.features.ids[owner]), *box) for owner, box in cut.items() if box[1] - box[0] > 0.05]


def _cut_network(layer: str, color: str, network: UtilityNetwork, line: Float, ends: Float, grid: Terrain | None) -> list[CutPipe]:
    points, offsets = _link_points(network)
    first = np.flatnonzero(np.diff(np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)), append=-1) == 0)
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[first]
    start, step = points[first], points[first + 1] - points[first]
    color = color or UTILITY_COLORS[network.utility]
    found: list[CutPipe] = []
    for k, (a, b) in enumerate(pairwise(line)):
        across = b - a
        cross = step[:, 0] * across[1] - step[:, 1] * across[0]
        gap = a - start[:, :2]
        with np.errstate(divide="ignore", invalid="ignore"):
            on_pipe = (gap[:, 0] * across[1] - gap[:, 1] * across[0]) / cross
            on_line = (gap[:, 0] * step[:, 1] - gap[:, 1] * step[:, 0]) / cross
        for row in np.flatnonzero((on_pipe >= 0) & (on_pipe < 1) & (on_line >= 0) & (on_line <= 1)):
            place = start[row] + on_pipe[row] * step[row]
            height, is_assumed = _height(place, grid)
            diameter = float(network.diameters[owner[row]])
            diameter = diameter if np.isfinite(diameter) and diameter > 0 else DEFAULT_DIAMETER
            along = float(ends[k] + on_line[row] * (ends[k + 1] - ends[k]))
            name = str(network.links.ids[owner[row]])
            found.append(CutPipe(layer, name, color, along, height, diameter, is_assumed=is_assumed))
    return found + _near_nodes(layer, color, network, line, ends, grid)


def _near_nodes(layer: str, color: str, network: UtilityNetwork, line: Float, ends: Float, grid: Terrain | None) -> list[CutPipe]:
    xy = np.nan_to_num(network.positions[:, :2], nan=1e15)
    best = np.full(len(xy), np.inf)
    along = np.zeros(len(xy))
    for k, (a, b) in enumerate(pairwise(line)):
        squared = max(float((b - a) @ (b - a)), 1e-12)
        share = np.clip((xy - a) @ (b - a) / squared, 0.0, 1.0)
        gap = np.hypot(*(xy - (a + share[:, None] * (b - a))).T)
        nearer = gap < best
        best[nearer], along[nearer] = gap[nearer], (ends[k] + share * (ends[k + 1] - ends[k]))[nearer]
    nodes = []
    for row in np.flatnonzero(best <= NODE_REACH):
        height, is_assumed = _height(network.positions[row], grid)
        rim = height + ASSUMED_COVER if grid is None else float(grid.sample(network.positions[row][None, :2])[0])
        rim = rim if np.isfinite(rim) else height + ASSUMED_COVER
        nodes.append(CutPipe(layer, str(network.nodes.ids[row]), color, float(along[row]), height, 1.0, rim, is_assumed))
    return nodes


def _height(place: Float, grid: Terrain | None) -> tuple[float, bool]:
    if np.isfinite(place[2]):
        return float(place[2]), False
    ground = float(grid.sample(place[None, :2])[0]) if grid is not None else 0.0
    return (ground if np.isfinite(ground) else 0.0) - ASSUMED_COVER, True


def _link_points(network: UtilityNetwork) -> tuple[Float, AnyArray]:
    """Return the points of every link with its bends, and (L + 1,) offsets; links without a placed end have none."""
    assert network.bend_offsets is not None
    parts, counts = [np.zeros((0, 3))], []
    for row in range(len(network.links)):
        low, high = network.bend_offsets[row : row + 2]
        ends = network.positions[[network.start[row], network.end[row]]]
        whole = np.vstack([ends[:1], network.bend_points[low:high], ends[1:]])
        whole = whole if np.isfinite(ends[:, :2]).all() else whole[:0]
        parts.append(whole)
        counts.append(len(whole))
    return np.concatenate(parts), np.concatenate([[0], np.cumsum(np.array(counts, dtype=np.int64))])
