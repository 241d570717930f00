"""Windows nested in a run: the part around some measures simulated with and without them, between what the whole did around it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import Progress, no_progress
from cimdesk.commands.flood import inputs_hash
from cimdesk.commands.flood_drainage import place_drains
from cimdesk.commands.flood_fine_part import fine_part, is_coarse
from cimdesk.model.drainage import DrainageSeries, OutsideFlows
from cimdesk.model.flood import FloodResult, FloodScenario, GaugeSeries
from cimdesk.model.flood_flow import FlowFrames, packed_flow
from cimdesk.model.flood_inputs import KnownDrains, LineSeries, Storage

if TYPE_CHECKING:
    from cimdesk.analysis.flood.window import Window

MARGIN_CELLS = 16
RIM_CELLS, RIM_CHANGE = 3, 0.05
"""Where the water changes by more than this [m] so many cells from the rim, the window was too narrow and is widened."""
ROUNDS = 3
SPIN_UP = 600.0
"""Before anything differs, a window runs at least so long: it begins in the depths of a frame, but at rest [s]."""
SAME = 0.01
"""Depths that differ less are the same [m]."""
FEW = 99.0
"""Per cent of the wet cells within which a window agrees with the whole."""


Simulate = Callable[[FloodScenario, bool, Progress], FloodResult]
"""Carries out a run of a window; the flag tells whether its water may be looked at meanwhile."""


@dataclass(frozen=True)
class Nested:
    """What came of a window, both on the whole grid; on the fine cells around it where the whole is on coarse ones.

    Attributes
    ----------
    result : FloodResult
        With the measures inside the window, the run before elsewhere.
    baseline : FloodResult or None
        Without the measures: what to compare with. None where the window was not run without them.
    scenario, base : FloodScenario, FloodScenario or None
        What would give them again, as a whole.
    is_part : bool
        Whether they are on a part of the whole, at another detail.
    """

    result: FloodResult
    baseline: FloodResult | None
    scenario: FloodScenario
    base: FloodScenario | None
    is_part: bool = False

    @property
    def is_baseline_needed(self) -> bool:
        """Whether the window alone changes the water, so that only its own baseline tells what the measures do."""
        if self.baseline is None:
            return False
        return self.is_part or float(self.result.statistics["nesting_error_m"]) > SAME


def run_nested(
    scenario: FloodScenario,
    base: FloodScenario | None,
    parent: FloodResult,
    window: Window,
    simulate: Simulate,
    live_drains: bool = False,
    progress: Progress = no_progress,
) -> Nested:
    """Run a window with the measures, and without them.

    The window is widened and run again while the change of the water reaches its rim.

    Parameters
    ----------
    scenario, base : FloodScenario
        Of the whole grid, with the measures and without; without the latter the window is run once.
    parent : FloodResult
        The whole run, without the measures.
    window : Window
    simulate : Simulate
    live_drains : bool
        Whether the drains run again, as a whole; manholes beyond the window then take what they took. Otherwise those in it stand
        under the heads that they had.
    progress : Progress

    Raises
    ------
    DataError, ServiceError, Cancelled
    """
    started = time.perf_counter()
    is_part = is_coarse(scenario)
    if is_part:
        part = fine_part(scenario, base or scenario, parent, window)
        scenario, parent, window = part.scenario, part.parent, part.window
        base = None if base is None else part.base
    kept = (scenario, base)
    length = float(parent.times[-1])
    scenario = replace(scenario, duration=length, subgrid=None)
    base = None if base is None else replace(base, duration=length, subgrid=None)
    begin = 0 if base is None or live_drains else first_frame(scenario, base, parent)
    run = _wide_enough(scenario, base, parent, window, live_drains, begin, simulate, progress)
    plain, result, window = run.plain, run.result, run.window
    figures = {
        "seconds": time.perf_counter() - started, "parent": parent.name, "window": extent(parent, window),
        "window_cells": int(result.max_depth.size), "window_rounds": run.rounds, "rim_change_m": run.reach,
        "inputs": inputs_hash(scenario), "measures": list(scenario.metadata.get("measures", ())),
        "begin_s": float(parent.times[begin]), "drains": _drains_word(scenario, live_drains),
        "threads": result.statistics.get("threads", os.cpu_count() or 1),
    }  # fmt: skip
    baseline = None
    if base is not None and plain is not None:
        figures |= _nesting_error(parent, plain, window)
        words = tr("{name}, without the measures").format(name=parent.name)
        baseline = _composed(replace(base, name=words), parent, plain, window, begin, {**figures, "measures": []})
    return Nested(_composed(scenario, parent, result, window, begin, figures), baseline, *kept, is_part)


@dataclass(frozen=True)
class _WindowRun:
    """Runs of a window that is wide enough, with the measures and without; how many it took, and the change at its rim [m]."""

    window: Window
    result: FloodResult
    plain: FloodResult | None
    rounds: int
    reach: float


def _wide_enough(
    scenario: FloodScenario,
    base: FloodScenario | None,
    parent: FloodResult,
    window: Window,
    live_drains: bool,
    begin: int,
    simulate: Simulate,
    progress: Progress,
) -> _WindowRun:
    """Run a window, and a wider one while the change of the water reaches its rim."""
    from cimdesk.analysis.flood.window import holding_devices, largest_near_rim, rim_cells

    shape = parent.terrain.shape
    window = holding_devices(window, scenario.devices, shape, MARGIN_CELLS)
    turn, plain = 0, None
    while True:
        turn += 1
        if base is not None:
            plain = simulate(_nested(base, parent, window, live_drains, begin), False, _share(progress, 0.0, 0.5))
        result = simulate(_nested(scenario, parent, window, live_drains, begin), True, _share(progress, 0.5 if base else 0.0, 1.0))
        before = parent.max_depth[window.part] if plain is None else plain.max_depth
        reach = largest_near_rim(result.max_depth - before, window.own(rim_cells(scenario, window)), window.shape, RIM_CELLS)
        wider = holding_devices(window.grown(max(window.shape) // 2, shape), scenario.devices, shape, MARGIN_CELLS)
        if reach <= RIM_CHANGE or turn == ROUNDS or wider == window:
            return _WindowRun(window, result, plain, turn, reach)
        window = wider


def _share(progress: Progress, first: float, last: float) -> Progress:
    def tell(fraction: float | None, text: str = "") -> None:
        progress(None if fraction is None else first + (last - first) * fraction, text)

    return tell


def first_frame(scenario: FloodScenario, base: FloodScenario, parent: FloodResult) -> int:
    """Return the frame of the parent that a window can begin at: the last one well before anything differs.

    What frames do not hold, such as the water in the soil or in tanks, has to be there from the start.
    """
    same = (
        np.array_equal(scenario.terrain.elevations, base.terrain.elevations, equal_nan=True)
        and len(scenario.devices) == len(base.devices)
        and scenario.drainage is base.drainage
    )
    if not same or scenario.soil is not None or any(isinstance(device, Storage) for device in scenario.devices):
        return 0
    moments = []
    for bed in scenario.beds[len(base.beds) :]:
        ground = base.terrain.elevations[bed.cells[:, 0], bed.cells[:, 1]]
        moved = np.flatnonzero((np.abs(bed.heights - ground) > 1e-4).any(axis=1))
        if len(moved):
            moments.append(float(bed.times[max(int(moved[0]) - 1, 0)]) if moved[0] else 0.0)
    return max(int(np.searchsorted(parent.times, min(moments, default=0.0) - SPIN_UP, side="right")) - 1, 0)


def _nested(scenario: FloodScenario, parent: FloodResult, window: Window, live_drains: bool, begin: int) -> FloodScenario:
    """Return the scenario of a window, with all that another process needs to run it."""
    from cimdesk.analysis.flood.window import cut, rim_of

    known = None if live_drains else _recorded(scenario, parent, window)
    nested = cut(scenario, window)
    held = rim_of(scenario, window, parent)
    nested = replace(nested, devices=(*nested.devices, held, *([] if known is None else [known])))
    if live_drains and scenario.drainage is not None and parent.drainage is not None:
        rows = place_drains(scenario, scenario.drainage).inlets
        beyond = OutsideFlows(rows, parent.drainage.times, np.ascontiguousarray(parent.drainage.exchange[:, rows]))
        nested = replace(nested, drainage=replace(scenario.drainage, outside=beyond))
    if begin:
        depth = np.asarray(parent.depths[begin])[window.part].astype(np.float64)
        nested = replace(nested, begin_time=float(parent.times[begin]), initial_level=nested.terrain.elevations + depth)
    return nested


def _drains_word(scenario: FloodScenario, live_drains: bool) -> str:
    return "none" if scenario.drainage is None else "run" if live_drains else "recorded"


def _recorded(scenario: FloodScenario, parent: FloodResult, window: Window) -> KnownDrains | None:
    from cimdesk.analysis.flood.window import known_drains

    if scenario.drainage is None or parent.drainage is None:
        return None
    placed = place_drains(scenario, scenario.drainage)
    inlets, outfalls = placed.inlet_places, placed.outfall_places
    taken, let_out = window.holds(inlets.cells), window.holds(outfalls.cells)
    inside = replace(
        inlets, cells=window.own(inlets.cells[taken]), crests=inlets.crests[taken], open_share=inlets.open_share[taken],
        limits=inlets.limits[taken],
    )  # fmt: skip
    return known_drains(
        parent.drainage, inside, placed.inlets[taken], window.own(outfalls.cells[let_out]), placed.outfalls[let_out]
    )


def _nesting_error(parent: FloodResult, plain: FloodResult, window: Window) -> dict[str, float]:
    """Return how far a window without measures is from the run it is in: of the wet cells, what all but few are within [m]."""
    off = np.abs(plain.max_depth - parent.max_depth[window.part])
    wet = (plain.max_depth > SAME) | (parent.max_depth[window.part] > SAME)
    some = off[wet].astype(np.float64)
    return {
        "nesting_error_m": float(np.percentile(some, FEW)) if len(some) else 0.0,
        "nesting_rmse_m": float(np.sqrt((some**2).mean())) if len(some) else 0.0,
    }


def extent(parent: FloodResult, window: Window) -> list[float]:
    """Return west, south, east and north of a window."""
    grid = parent.terrain
    return [
        grid.west + window.left * grid.cell_x, grid.north - window.bottom * grid.cell_y,
        grid.west + window.right * grid.cell_x, grid.north - window.top * grid.cell_y,
    ]  # fmt: skip


def _composed(
    scenario: FloodScenario, parent: FloodResult, nested: FloodResult, window: Window, begin: int, figures: Mapping[str, Any]
) -> FloodResult:
    from cimdesk.analysis.flood.inundation import WET_DEPTH
    from cimdesk.analysis.flood.window import merged_grids, rim_cells
    from cimdesk.formats.flood_result import PackedFrames

    area = parent.terrain.cell_x * parent.terrain.cell_y
    held = rim_cells(scenario, window)
    frames = PackedFrames(parent.terrain.shape)
    volume, wet_area = np.array(parent.volume, dtype=np.float64), np.array(parent.wet_area, dtype=np.float64)
    earlier = np.zeros(window.shape, dtype=np.float32)
    for k, whole in enumerate(parent.depths):
        depth: Float32 = np.array(whole, dtype=np.float32, copy=True)
        before = depth[window.part].copy()
        if k < begin:
            np.maximum(earlier, before, out=earlier)
            frames.append(depth)
            continue
        depth[window.part] = nested.depths[k - begin]
        depth[held[:, 0], held[:, 1]] = np.asarray(whole)[held[:, 0], held[:, 1]]
        after = depth[window.part]
        volume[k] += float(after.sum(dtype=np.float64) - before.sum(dtype=np.float64)) * area
        wet_area[k] += float(np.count_nonzero(after > WET_DEPTH) - np.count_nonzero(before > WET_DEPTH)) * area
        frames.append(depth)
    if begin:
        came = parent.arrival[window.part]
        arrival = np.where(came < parent.times[begin], came, nested.arrival).astype(np.float32)
        nested = replace(nested, max_depth=np.maximum(nested.max_depth, earlier), arrival=arrival)
    grids = merged_grids(parent, nested, window, scenario.terrain)
    for name in ("max_depth", "max_speed", "max_depth_speed", "arrival"):
        grids[name][held[:, 0], held[:, 1]] = getattr(parent, name)[held[:, 0], held[:, 1]]
    statistics = {
        **nested.statistics, "cells": int(grids["max_depth"].size), "max_depth_m": float(grids["max_depth"].max()),
        "wet_area_m2": float(np.count_nonzero(grids["max_depth"] > WET_DEPTH)) * area, **figures,
    }  # fmt: skip
    if "rain_m3" in parent.statistics:  # what fell on the window alone would be little for the whole
        statistics["rain_m3"] = parent.statistics["rain_m3"]
    return replace(
        parent, name=scenario.name, depths=frames.finish(), volume=volume, wet_area=wet_area, statistics=statistics,
        gauges=_gauges(parent, nested), lines=_lines(parent, nested),
        drainage=_drainage(parent, nested), flow=_flow(parent, nested, window, begin), **grids,
    )  # fmt: skip


def _gauges(parent: FloodResult, nested: FloodResult) -> tuple[GaugeSeries, ...]:
    """Return what the gauges of the whole run saw, at its times: those in the window what they saw there."""
    inside = {series.gauge.name: series for series in nested.gauges}
    found = []
    for series in parent.gauges:
        own = inside.get(series.gauge.name)
        if own is not None and len(own.times):
            depths = _spliced(series.times, series.depths, own.times, own.depths)
            series = replace(series, depths=depths, levels=depths + (series.levels - series.depths))
        found.append(series)
    return tuple(found)


def _lines(parent: FloodResult, nested: FloodResult) -> tuple[LineSeries, ...]:
    """Return what crossed the lines of the whole run, at its times: those wholly in the window what crossed them there."""
    inside = {series.gauge.name: series for series in nested.lines}
    found = []
    for series in parent.lines:
        own = inside.get(series.gauge.name)
        if own is not None and len(own.times):
            series = replace(series, discharges=_spliced(series.times, series.discharges, own.times, own.discharges))
        found.append(series)
    return tuple(found)


def _spliced(times: Float, before: Float, since: Float, after: Float) -> Float:
    """Return (T,) values at the times of one series: of another, linear between its own times, from where that begins.

    A window takes other steps than the whole run, so it notes at other times.
    """
    return np.where(times < since[0], before, np.interp(times, since, after))


def _drainage(parent: FloodResult, nested: FloodResult) -> DrainageSeries | None:
    """Return what the nodes did: those that did not meet the surface in the window as before."""
    before, now = parent.drainage, nested.drainage
    if before is None or now is None or now.exchange.shape != before.exchange.shape:
        return before
    idle = ~(now.exchange != 0.0).any(axis=0)
    return replace(now, exchange=np.where(idle, before.exchange, now.exchange))


def _flow(parent: FloodResult, nested: FloodResult, window: Window, begin: int) -> FlowFrames | None:
    """Return the velocities of the whole run, in the blocks within the window those of the window."""
    whole, part = parent.flow, nested.flow
    if whole is None or part is None or len(part) + begin != len(whole):
        return whole
    west, north, width, height = whole.grid
    rows, columns = np.indices(whole.shape)
    x, y = west + (columns + 0.5) * width, north - (rows + 0.5) * height
    left, bottom, right, top = extent(parent, window)
    inside = (x > left) & (x < right) & (y > bottom) & (y < top)
    points = np.column_stack([x[inside], y[inside]])
    frames = list(whole.packed[:begin])
    for k in range(begin, len(whole)):
        velocity = np.array(whole.frame(k))
        velocity[:, inside] = part.at_points(k - begin, points).T
        frames.append(packed_flow(velocity[0], velocity[1]))
    return whole.with_frames(frames)
