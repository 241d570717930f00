"""Nested windows: a part of a run simulated again with something changed, held at its rim to what the whole run did there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cimdesk.analysis.flood.drainage import Inlets
from cimdesk.analysis.flood.grid import cells_of
from cimdesk.base.arrays import AnyArray, Bool, Float, Float32
from cimdesk.model.drainage import DrainageSeries
from cimdesk.model.flood import FloodResult, FloodScenario, Inflow, Series
from cimdesk.model.flood_inputs import (
    Device,
    GaugedRain,
    HeldDepths,
    KnownDrains,
    LineBoundary,
    LineGauge,
    MovingBed,
    RadarRain,
    RainField,
)
from cimdesk.model.terrain import Terrain

SIDES = ("west", "east", "north", "south")
HELD_EDGES = frozenset({"discharge"})
"""Kinds of edges that make sense only as a whole: where a window takes a part of one, the whole run's water is held there."""


@dataclass(frozen=True)
class Window:
    """Rows and columns of a grid: from the first up to but not with the last."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def part(self) -> tuple[slice, slice]:
        """What to index a grid with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    def holds(self, cells: AnyArray) -> Bool:
        """Return (N,) whether cells (N, 2) of the whole grid are inside."""
        rows, columns = cells[:, 0], cells[:, 1]
        inside: Bool = (rows >= self.top) & (rows < self.bottom) & (columns >= self.left) & (columns < self.right)
        return inside

    def own(self, cells: AnyArray) -> AnyArray:
        """Return cells (N, 2) of the whole grid as cells of the window."""
        return np.asarray(cells - np.array([self.top, self.left]))

    def grown(self, cells: int, shape: tuple[int, int]) -> Window:
        """Return the window wider by some cells on every side, within a grid of this shape."""
        return Window(
            max(self.top - cells, 0),
            min(self.bottom + cells, shape[0]),
            max(self.left - cells, 0),
            min(self.right + cells, shape[1]),
        )


def window_around(cells: AnyArray, margin: int, shape: tuple[int, int]) -> Window:
    """Return the window around cells (N, 2) with a margin on every side, within a grid of this shape."""
    (top, left), (bottom, right) = cells.min(axis=0).tolist(), cells.max(axis=0).tolist()
    return Window(top, bottom + 1, left, right + 1).grown(margin, shape)


def holding_devices(window: Window, devices: Sequence[Device], shape: tuple[int, int], margin: int) -> Window:
    """Return the window grown until no pump, culvert or storage lies partly in it."""
    while True:
        for device in devices:
            cells = np.asarray(device.cells)
            inside = window.holds(cells)
            if not isinstance(device, LineBoundary) and inside.any() and not inside.all():
                around = window_around(cells, margin, shape)
                window = Window(
                    min(window.top, around.top), max(window.bottom, around.bottom),
                    min(window.left, around.left), max(window.right, around.right),
                )  # fmt: skip
                break
        else:
            return window


def cut(scenario: FloodScenario, window: Window) -> FloodScenario:
    """Return the part of a scenario inside a window, without drains; what is beyond its rim is `Rim`'s."""
    part, ground = window.part, scenario.terrain
    terrain = Terrain(
        np.ascontiguousarray(ground.elevations[part]), ground.west + window.left * ground.cell_x,
        ground.north - window.top * ground.cell_y, ground.cell_x, ground.cell_y,
    )  # fmt: skip
    level, manning, soil = scenario.initial_level, scenario.manning_n, scenario.soil
    at_edge = _edges_met(window, ground.shape)
    kept = tuple(b for b in scenario.boundaries if b.edge in at_edge and b.kind not in HELD_EDGES)
    gauges = tuple(
        gauge for gauge in scenario.gauges
        if window.holds(np.column_stack(cells_of(scenario, np.array([[gauge.x, gauge.y]]))[:2]))[0]
    )  # fmt: skip
    return replace(
        scenario, subgrid=None, terrain=terrain, is_blocked=np.ascontiguousarray(scenario.is_blocked[part]),
        manning_n=manning if isinstance(manning, float) else np.ascontiguousarray(manning[part]),
        initial_level=level if level is None or isinstance(level, int | float) else np.ascontiguousarray(level[part]),
        soil=None if soil is None else replace(soil, classes=np.ascontiguousarray(soil.classes[part])),
        rain_field=_cut_rain(scenario.rain_field, window), inflows=_cut_inflows(scenario, window), boundaries=kept,
        gauges=gauges, beds=_cut_beds(scenario.beds, window), devices=_cut_devices(scenario.devices, window),
        lines=tuple(line for gauge in scenario.lines if (line := _cut_line(gauge, window)) is not None), drainage=None,
    )  # fmt: skip


def _edges_met(window: Window, shape: tuple[int, int]) -> set[str]:
    met = (window.left == 0, window.right == shape[1], window.top == 0, window.bottom == shape[0])
    return {side for side, is_met in zip(SIDES, met, strict=True) if is_met}


def _cut_rain(field: RainField | None, window: Window) -> RainField | None:
    rows, columns = window.part
    if isinstance(field, GaugedRain):
        return replace(field, shares=np.ascontiguousarray(field.shares[:, rows, columns]))
    if isinstance(field, RadarRain):
        return replace(field, rows=field.rows[rows], columns=field.columns[columns])
    return None if field is None else _WindowedRain(field, window)


@dataclass(frozen=True)
class _WindowedRain:
    """Any other rain that varies, seen through a window."""

    whole: RainField
    window: Window

    @property
    def times(self) -> Float:
        """Of the whole."""
        return self.whole.times

    def rate(self, k: int) -> Float32:
        """Return the rates inside the window [m/s]."""
        return np.ascontiguousarray(self.whole.rate(k)[self.window.part])


def _cut_inflows(scenario: FloodScenario, window: Window) -> tuple[Inflow, ...]:
    kept = []
    for inflow in scenario.inflows:
        rows, columns, _ = cells_of(scenario, inflow.points)
        inside = window.holds(np.column_stack([rows, columns]))
        if inside.any():
            discharge = inflow.discharge
            shared = Series(discharge.times, discharge.values * (np.count_nonzero(inside) / len(inside)))
            kept.append(replace(inflow, points=inflow.points[inside], discharge=shared))
    return tuple(kept)


def _cut_beds(beds: Sequence[MovingBed], window: Window) -> tuple[MovingBed, ...]:
    kept = []
    for bed in beds:
        inside = window.holds(bed.cells)
        if inside.any():
            kept.append(MovingBed(window.own(bed.cells[inside]), bed.times, np.ascontiguousarray(bed.heights[:, inside])))
    return tuple(kept)


def _cut_devices(devices: Sequence[Device], window: Window) -> tuple[Device, ...]:
    kept: list[Device] = []
    for device in devices:
        cells = np.asarray(device.cells)
        inside = window.holds(cells)
        if inside.all() or (isinstance(device, LineBoundary) and inside.any()):
            kept.append(replace(device, cells=window.own(cells[inside])))
    return tuple(kept)


def _cut_line(gauge: LineGauge, window: Window) -> LineGauge | None:
    """Return a line gauge that lies wholly inside, rim not included; None otherwise."""
    faces = np.concatenate([gauge.west_faces[:, :2], gauge.north_faces[:, :2]])
    if not len(faces) or not window.holds(faces).all():
        return None
    shift = np.array([window.top, window.left, 0])
    return LineGauge(gauge.name, gauge.west_faces - shift, gauge.north_faces - shift)


def rim_of(scenario: FloodScenario, window: Window, parent: FloodResult) -> HeldDepths:
    """Return what holds the cells along the rim of a window at the depths that the whole run had there, frame by frame.

    Edges of the window that are edges of the whole grid are left to the boundaries of the scenario there.
    """
    whole = rim_cells(scenario, window)
    depths = np.stack([np.asarray(depth)[whole[:, 0], whole[:, 1]] for depth in parent.depths]).astype(np.float32)
    return HeldDepths(window.own(whole), np.asarray(parent.times, dtype=np.float64), depths)


def rim_cells(scenario: FloodScenario, window: Window) -> AnyArray:
    """Return (N, 2) open cells of the whole grid along the sides of a window that are held."""
    held_edges = {boundary.edge for boundary in scenario.boundaries if boundary.kind in HELD_EDGES}
    free = _edges_met(window, scenario.terrain.shape) - held_edges
    held = np.zeros(window.shape, dtype=bool)
    for side, line in zip(SIDES, (held[:, 0], held[:, -1], held[0], held[-1]), strict=True):
        if side not in free:
            line[:] = True
    is_open = np.isfinite(scenario.terrain.elevations[window.part]) & ~scenario.is_blocked[window.part]
    cells: AnyArray = np.argwhere(held & is_open) + np.array([window.top, window.left])
    return cells


def known_drains(
    series: DrainageSeries, inlets: Inlets, inlet_rows: AnyArray, outfalls: AnyArray, outfall_rows: AnyArray
) -> KnownDrains:
    """Return the drains of a window as another run had them: inlets and cells (M, 2) of outfalls, with rows in its series."""
    rows = np.concatenate([inlet_rows, outfall_rows]).astype(np.int64)
    return KnownDrains(
        np.concatenate([inlets.cells, outfalls]).astype(np.int64), np.asarray(series.times, dtype=np.float64),
        series.exchange[:, rows].astype(np.float64),
        (series.depths[:, inlet_rows] + series.inverts[inlet_rows]).astype(np.float64),
        inlets.crests, inlets.open_share, inlets.limits, inlets.area,
    )  # fmt: skip


def largest_near_rim(change: Float32, held: AnyArray, shape: tuple[int, int], within: int) -> float:
    """Return the largest change of depth within some cells of the held rim [m]: small when the window is wide enough.

    Parameters
    ----------
    change : (r, c) float32
    held : (N, 2) int
        Cells of the window that are held.
    """
    if not len(held):
        return 0.0
    near = np.zeros(shape, dtype=bool)
    for row, column in ((held[:, 0] + dr, held[:, 1] + dc) for dr in (-within, 0, within) for dc in (-within, 0, within)):
        ok = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
        near[row[ok], column[ok]] = True
    near[held[:, 0], held[:, 1]] = False
    # Roofs that the rim cuts through shed their rain on other cells than before: single ones, which say nothing.
    from scipy.ndimage import median_filter

    change = median_filter(change, 3)
    return float(np.abs(change[near]).max(initial=0.0)) if near.any() else 0.0


def merged_grids(parent: FloodResult, nested: FloodResult, window: Window, ground: Terrain) -> dict[str, Any]:
    """Return the grids of a result that is the window's inside it and the whole run's elsewhere."""
    grids: dict[str, Any] = {"terrain": ground}
    for name in ("max_depth", "max_speed", "max_depth_speed", "arrival"):
        grids[name] = _merged(getattr(parent, name), getattr(nested, name), window)
    grids["envelopes"] = {
        name: _merged(values, nested.envelopes[name], window)
        for name, values in parent.envelopes.items()
        if name in nested.envelopes
    }
    return grids


def _merged(whole: Float32, part: Float32, window: Window) -> Float32:
    merged: Float32 = np.array(whole, copy=True)
    merged[window.part] = part
    return merged
