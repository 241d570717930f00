"""A flood in another reference system: every grid moved, frame by frame, no water made or lost beyond the change of scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float32
from cimdesk.base.crs import Crs
from cimdesk.formats.flood_result import PackedFrames
from cimdesk.model.flood import FloodResult, Gauge, GaugeSeries
from cimdesk.model.flood_flow import FlowFrames, blocks_over, packed_flow
from cimdesk.model.terrain import Terrain

MOST_CELLS = 16_000_000


def reproject_flood(result: FloodResult, source: Crs, target: Crs) -> FloodResult:
    """Return a flood on a north-up grid of another system; depths are means over the new cells, times the nearest ones."""
    from rasterio.transform import Affine
    from rasterio.warp import Resampling, calculate_default_transform, reproject

    old = result.terrain
    here = Affine(old.cell_x, 0.0, old.west, 0.0, -old.cell_y, old.north)
    west, south, east, north = old.west, old.north - old.shape[0] * old.cell_y, old.west + old.shape[1] * old.cell_x, old.north
    systems = {"src_crs": source.pyproj.to_wkt(), "dst_crs": target.pyproj.to_wkt()}
    there, width, height = calculate_default_transform(
        systems["src_crs"], systems["dst_crs"], old.shape[1], old.shape[0], west, south, east, north
    )
    if width * height > MOST_CELLS:
        shrink = (width * height / MOST_CELLS) ** 0.5
        there = Affine(there.a * shrink, 0.0, there.c, 0.0, there.e * shrink, there.f)
        width, height = int(width / shrink), int(height / shrink)

    def moved(grid: AnyArray, fill: float, method: Any) -> Float32:
        out = np.full((height, width), fill, dtype=np.float32)
        reproject(
            np.ascontiguousarray(grid, dtype=np.float32), out, src_transform=here, dst_transform=there, src_nodata=np.nan,
            dst_nodata=fill, resampling=method, **systems,
        )  # fmt: skip
        return out

    mean, nearest, nan = Resampling.bilinear, Resampling.nearest, float("nan")
    ground = moved(old.elevations, nan, mean)
    terrain = Terrain(ground, float(there.c), float(there.f), float(there.a), float(-there.e))
    frames = PackedFrames((height, width), step=getattr(result.depths, "step", 0.001))
    for depth in result.depths:
        frames.append(np.nan_to_num(moved(depth, 0.0, mean)))
    return replace(
        result, terrain=terrain, depths=frames.finish(), max_depth=np.nan_to_num(moved(result.max_depth, 0.0, mean)),
        arrival=moved(result.arrival, nan, nearest), is_blocked=moved(result.is_blocked, 0.0, nearest) > 0.5,
        envelopes={name: moved(grid, nan, nearest) for name, grid in result.envelopes.items()},
        gauges=tuple(_moved_gauge(series, source, target) for series in result.gauges),
        max_speed=moved(result.max_speed, nan, mean), max_depth_speed=moved(result.max_depth_speed, nan, mean),
        flow=None if result.flow is None else _moved_flow(result.flow, terrain, source, target),
    )  # fmt: skip


def _moved_flow(flow: FlowFrames, terrain: Terrain, source: Crs, target: Crs) -> FlowFrames:
    """Return velocities of blocks of the new grid: those of the old one there, turned as the grids are to each other."""
    _, blocks = blocks_over(terrain, float(len(flow)))
    rows, columns = blocks.shape
    west, north, width, height = blocks.grid
    x, y = np.meshgrid(west + (np.arange(columns) + 0.5) * width, north - (np.arange(rows) + 0.5) * height)
    there = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    here = target.transform(source, there)[:, :2]
    ahead = np.column_stack([here + np.array([flow.grid[2], 0.0]), np.zeros(len(here))])
    east = source.transform(target, ahead)[:, :2] - there[:, :2]
    east /= np.maximum(np.hypot(*east.T), 1e-300)[:, None]
    packed = []
    for k in range(len(flow)):
        u, v = flow.at_points(k, here).T
        packed.append(packed_flow(east[:, 0] * u - east[:, 1] * v, east[:, 1] * u + east[:, 0] * v))
    return blocks.with_frames(packed)


def _moved_gauge(series: GaugeSeries, source: Crs, target: Crs) -> GaugeSeries:
    gauge = series.gauge
    x, y, _ = source.transform(target, np.array([[gauge.x, gauge.y, 0.0]]))[0]
    return replace(series, gauge=Gauge(gauge.name, float(x), float(y)))
