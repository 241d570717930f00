"""Water on a mesh -> a flood on a grid, so that no water is gained or lost on the way.

Each cell holds the water of the parts of the mesh within it: areas of faces cut by the cells, and with values at nodes their
integrals, which are exact for what is linear between nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Problem, Severity
from cimdesk.base.i18n import tr
from cimdesk.formats.flood_in.mesh import Mesh, MeshFlow
from cimdesk.formats.flood_result import DEPTH_STEP, PackedFrames
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_flow import block_flow, blocks_over, packed_flow
from cimdesk.model.terrain import Terrain

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MOST_CELLS = 4_000_000
MOST_PARTS = 20_000_000
"""Cells that all faces may have in their boxes together."""
MOST_SIDE = 32_000
FINE = 1.6
"""Cells along the side of a face of middle size, where nobody chooses."""
WET = 0.03
ARRIVED = 0.05
LEAST_COVER = 0.5
"""Cells of which less is within the mesh are taken for ground beyond it, unless they hold water."""


@dataclass(frozen=True)
class Gridding:
    """How values of a mesh come to the cells of a grid.

    Attributes
    ----------
    grid : Terrain
        Without heights.
    weights : (R * C, N or F) csr matrix of float64
        Values to means over each cell, what is beyond the mesh being zero.
    cover : (R, C) float64
        Share of each cell within the mesh.
    """

    grid: Terrain
    weights: csr_matrix
    cover: Float

    def mean(self, values: AnyArray) -> Float:
        """Return (R, C) means over whole cells: as much in all as on the mesh."""
        return np.asarray(self.weights @ np.nan_to_num(values)).reshape(self.cover.shape)

    def within(self, values: AnyArray) -> Float:
        """Return (R, C) means over what of each cell is within the mesh and has a value; NaN where nothing is."""
        known = np.isfinite(values)
        share = self.cover if known.all() else np.asarray(self.weights @ known.astype(np.float64)).reshape(self.cover.shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(share > 1e-9, self.mean(values) / share, np.nan))


def grid_for(mesh: Mesh, cell: float | None) -> Terrain:
    """Return the grid over a mesh, its corner a multiple of the cell; the cell follows the faces unless one is given."""
    used = mesh.nodes[np.unique(mesh.faces[mesh.faces >= 0])]
    low, high = used.min(axis=0), used.max(axis=0)
    if cell is None:
        areas = mesh.areas()
        side = math.sqrt(float(np.median(areas[areas > 0]))) if (areas > 0).any() else 1.0
        cell = nice_below(side / FINE)
    # Damaged meshes have faces that lie over one another across the whole of it; each of their cells costs time.
    corners = np.where((mesh.faces >= 0)[..., np.newaxis], mesh.nodes[np.maximum(mesh.faces, 0)], np.nan)
    boxes = np.prod(np.nanmax(corners, axis=1) - np.nanmin(corners, axis=1), axis=1)
    whole = float(np.prod(np.maximum(high - low, 1e-9)))
    least = max(math.sqrt(whole / MOST_CELLS), math.sqrt(float(boxes.sum()) / MOST_PARTS), float((high - low).max()) / MOST_SIDE)
    cell = max(cell, least if cell >= least else nice_above(least))
    west, north = math.floor(low[0] / cell) * cell, math.ceil(high[1] / cell) * cell
    columns, rows = max(1, math.ceil((high[0] - west) / cell - 1e-9)), max(1, math.ceil((north - low[1]) / cell - 1e-9))
    return Terrain(np.zeros((rows, columns), dtype=np.float32), west, north, cell, cell)


def nice_below(size: float) -> float:
    """Return the largest of 1, 2, 5, 10 ... (and such fractions) that is not above ``size``."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= size * (1 + 1e-12))


def nice_above(size: float) -> float:
    """Return the smallest of 1, 2, 5, 10 ... (and such fractions) that is not below ``size``."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= size * (1 - 1e-12))


def gridding_of(mesh: Mesh, grid: Terrain, at_nodes: bool) -> Gridding:
    """Work out how values at the nodes, or of the faces, of a mesh come to a grid."""
    from scipy.sparse import coo_matrix

    from cimdesk.formats.flood_in.overlap import overlaps

    rows, columns = grid.shape
    x, y = (mesh.nodes[:, 0] - grid.west) / grid.cell_x, (grid.north - mesh.nodes[:, 1]) / grid.cell_y
    if at_nodes:
        triangles, _ = mesh.triangles()
        part, cell, area, centre = overlaps(x, y, triangles, rows, columns)
        source, share = _barycentric(x, y, triangles[part], centre)
        target = np.repeat(cell, 3)
        weights = (share * area[:, np.newaxis]).ravel()
        count = len(mesh.nodes)
        source = source.ravel()
    else:
        source, target, weights, _ = overlaps(x, y, mesh.faces, rows, columns)
        cell, area, count = target, weights, len(mesh.faces)
    matrix = coo_matrix((weights, (target, source)), shape=(rows * columns, count)).tocsr()
    cover: Any = np.bincount(cell, area, minlength=rows * columns)
    return Gridding(grid, matrix, cover.reshape(rows, columns))


def _barycentric(x: Float, y: Float, corners: AnyArray, centre: Float) -> tuple[AnyArray, Float]:
    """Return (P, 3) nodes, and their weights in the value at points within triangles."""
    ax, bx, cx = x[corners].T
    ay, by, cy = y[corners].T
    whole = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    px, py = centre.T
    with np.errstate(invalid="ignore", divide="ignore"):
        b = ((px - ax) * (cy - ay) - (cx - ax) * (py - ay)) / whole
        c = ((bx - ax) * (py - ay) - (px - ax) * (by - ay)) / whole
    share = np.column_stack([1.0 - b - c, b, c])
    return corners, np.where(np.isfinite(share), share, 1.0 / 3.0)


def in_metres(flow: MeshFlow) -> MeshFlow:
    """Return the water with its mesh in a system of metres, where its own is of degrees or feet."""
    crs = flow.crs
    if crs is None or (not crs.is_geographic and metres_per_unit(crs) == 1.0):
        return flow
    placed = np.isfinite(flow.mesh.nodes).all(axis=1)
    points = np.column_stack([flow.mesh.nodes, np.zeros(len(flow.mesh.nodes))])
    zone = metre_system(crs, points[placed])
    nodes = np.full_like(flow.mesh.nodes, np.nan)
    nodes[placed] = crs.transform(zone, points[placed])[:, :2]
    return replace(flow, mesh=flow.mesh.moved(nodes), crs=zone)


def metre_system(crs: Crs, points: Float) -> Crs:
    """Return the zone of UTM in whose middle (N, 3) points of another system lie."""
    lon, lat = crs.transform(Crs.epsg(4326), np.nanmean(points, axis=0)[np.newaxis])[0, :2]
    return Crs.epsg((32600 if lat >= 0 else 32700) + int((lon + 180.0) // 6.0) % 60 + 1)


def metres_per_unit(crs: Crs) -> float:
    """Return the metres of one unit of a projected system."""
    axes = crs.pyproj.axis_info
    return float(axes[0].unit_conversion_factor) if axes and not crs.is_geographic else 1.0


class Collector:
    """Takes the depths (and speeds) of one time after another; keeps frames, maxima, arrival, volume and wet area."""

    def __init__(self, grid: Terrain, deepest: float = 0.0, times: int = 1) -> None:
        self.frames = PackedFrames(grid.shape, step=DEPTH_STEP if deepest < 65.0 else deepest / 65000.0)
        self.max_depth: Float32 = np.zeros(grid.shape, dtype=np.float32)
        self.max_speed: Float32 = np.full(grid.shape, np.nan, dtype=np.float32)
        self.max_product: Float32 = np.full(grid.shape, np.nan, dtype=np.float32)
        self.arrival: Float32 = np.full(grid.shape, np.nan, dtype=np.float32)
        self._area = grid.cell_x * grid.cell_y
        self.volumes: list[float] = []
        self.wet_areas: list[float] = []
        self._factor, self._blocks = blocks_over(grid, float(times))
        self._flow: list[bytes] = []

    def add(
        self, time: float, depth: AnyArray, speed: AnyArray | None = None, velocity: tuple[AnyArray, AnyArray] | None = None
    ) -> None:
        """Take (R, C) depth [m], speed, and velocities to the east and north [m/s] at a time [s]; NaN is dry."""
        exact = np.maximum(np.nan_to_num(depth), 0.0)
        shown: Float32 = exact.astype(np.float32)
        self.frames.append(shown)
        np.maximum(self.max_depth, shown, out=self.max_depth)
        self.arrival[np.isnan(self.arrival) & (shown > ARRIVED)] = time
        self.volumes.append(float(exact.sum()) * self._area)
        self.wet_areas.append(float(np.count_nonzero(shown > WET)) * self._area)
        if speed is not None:
            fast = np.nan_to_num(speed).astype(np.float32)
            np.fmax(self.max_speed, fast, out=self.max_speed)
            np.fmax(self.max_product, fast * shown, out=self.max_product)
        if velocity is not None:
            east, north = (np.nan_to_num(part) * exact for part in velocity)
            self._flow.append(packed_flow(*block_flow(exact, east, north, self._factor)))

    def result(self, name: str, ground: Terrain, start: float, times: Float, statistics: dict[str, Any]) -> FloodResult:
        """Return the flood; ``ground`` has NaN where there is no model."""
        deepest = float(self.max_depth.max(initial=0.0))
        said = {
            "cell": ground.cell_x, "cells": int(self.max_depth.size), "max_depth_m": deepest,
            "wet_area_m2": float(np.count_nonzero(self.max_depth > WET)) * self._area, **statistics,
        }  # fmt: skip
        flow = self._blocks.with_frames(self._flow) if self._flow and len(self._flow) == len(self.frames) else None
        return FloodResult(
            name=name, flow=flow, terrain=ground, is_blocked=np.zeros(ground.shape, dtype=bool), start_time=start, times=times,
            depths=self.frames.finish(), max_depth=self.max_depth, max_speed=self.max_speed, max_depth_speed=self.max_product,
            arrival=self.arrival, gauges=(), volume=np.array(self.volumes), wet_area=np.array(self.wet_areas), statistics=said,
        )  # fmt: skip


def flood_of(flow: MeshFlow, options: ReadOptions, problems: list[Problem]) -> FloodResult:
    """Return water on a mesh as a flood on a grid, one time after another; tell what was chosen.

    ``options.extra["cell"]`` [m] is the size of the cells.
    """
    flow = in_metres(flow)
    wish = options.extra.get("cell")
    options.progress(0.0, tr("Laying the mesh on a grid"))
    grid = grid_for(flow.mesh, float(wish) if isinstance(wish, int | float) and wish > 0 else None)
    gridding = gridding_of(flow.mesh, grid, flow.at_nodes)
    bed = gridding.within(flow.bed) * flow.vertical
    deepest = 0.0 if flow.maximum is None else float(np.nanmax(flow.maximum, initial=0.0)) * flow.vertical
    collector = Collector(grid, deepest or _deepest(flow) * flow.vertical, len(flow.times))
    for k, depth, speed in _frames(flow, options):
        slow = None if speed is None else gridding.within(speed) * flow.vertical
        parts = flow.velocity(k)
        moves = None if parts is None else (gridding.within(parts[0]) * flow.vertical, gridding.within(parts[1]) * flow.vertical)
        collector.add(float(flow.times[k]), gridding.mean(depth) * flow.vertical, slow, moves)
    if flow.maximum is not None:
        np.maximum(collector.max_depth, gridding.mean(np.maximum(np.nan_to_num(flow.maximum), 0.0)) * flow.vertical,
                   out=collector.max_depth, casting="same_kind")  # fmt: skip
    beyond = (gridding.cover < LEAST_COVER) & (collector.max_depth < WET)
    ground = replace(grid, elevations=np.where(beyond, np.nan, bed).astype(np.float32))
    problems.append(
        Problem(
            Severity.INFO,
            "gridded",
            flow.name,
            "{count} faces are laid on a grid with cells of {cell} m; all water is kept.",
            {"count": len(flow.mesh.faces), "cell": f"{grid.cell_x:g}"},
        )
    )
    return collector.result(flow.name, ground, flow.start_time, flow.times, dict(flow.statistics))


def _frames(flow: MeshFlow, options: ReadOptions) -> Iterator[tuple[int, AnyArray, AnyArray | None]]:
    """Yield number, depth and speed of each time; depths below zero, and NaN, are dry."""
    count = len(flow.times)
    for k in range(count):
        options.cancel.raise_if_cancelled()
        options.progress(k / count, tr("Reading time {number} of {count}").format(number=k + 1, count=count))
        yield k, np.maximum(np.nan_to_num(flow.depth(k).astype(np.float64)), 0.0), flow.speed(k)


def _deepest(flow: MeshFlow) -> float:
    """Return the greatest depth of a few times, with room: it only decides how frames are packed."""
    picks = np.unique(np.linspace(0, len(flow.times) - 1, 5).astype(int)).tolist()
    return 2.0 * max(float(np.nan_to_num(flow.depth(k)).max(initial=0.0)) for k in picks)
