"""What if: a flood run again with measures, on a window around them that takes its rim from the run before, or as a whole."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.analysis.flood.lines import cells_along
from cimdesk.base.arrays import AnyArray, Float, Float32
from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress, no_progress
from cimdesk.commands.flood import attach, free_name, inputs_hash, results_folder, run_job, simulate, summary, write_beside
from cimdesk.commands.flood_drainage import place_drains, unblocked
from cimdesk.commands.flood_kept import kept_scenario
from cimdesk.commands.flood_measures import place_measures
from cimdesk.commands.history import Edit
from cimdesk.commands.measures import as_inputs, measures
from cimdesk.commands.measures import summary as words_of
from cimdesk.commands.session import Session
from cimdesk.model.flood import FloodResult, FloodScenario
from cimdesk.model.measures import Measure

if TYPE_CHECKING:
    from cimdesk.analysis.flood.exchange import Exchange
    from cimdesk.analysis.flood.window import Window
    from cimdesk.commands.flood_apart import ApartRun
    from cimdesk.formats.scenario_inputs import MeasureInput

MARGIN, MARGIN_CELLS, MARGIN_SHARE = 250.0, 16, 0.75
"""Around the measures: at least so far [m], so many cells, and this share of their extent."""
QUICK = 15.0
"""A run that took no longer than this is run again as a whole [s]."""
MOST_SHARE = 0.6
"""A window that covers more than this share of the cells is no gain over the whole."""
RIM_CELLS, RIM_CHANGE = 3, 0.05
"""Where the water changes by more than this [m] so many cells from the rim, the window was too narrow and is widened."""
ROUNDS = 3
SAME = 0.01
"""Depths that differ less are the same [m]."""


@dataclass(frozen=True)
class Whatif:
    """A run to be made.

    Attributes
    ----------
    parent : FloodResult
    window : Window or None
        None runs the whole again.
    chosen : tuple of Measure
    """

    parent: FloodResult
    window: Window | None
    chosen: tuple[Measure, ...]


def plan(parent: FloodResult, chosen: Sequence[Measure], whole: bool | None = None) -> Whatif:
    """Decide whether a window around the measures is run, or the whole.

    Parameters
    ----------
    parent : FloodResult
    chosen : sequence of Measure
    whole : bool or None
        None decides by the time that the parent took and by the share of the grid that the window would have.

    Raises
    ------
    UsageError
        If there is no measure, or one lies off the grid.
    """
    if not chosen:
        raise UsageError("there is no measure that is switched on.", remedy="Draw one, or switch one on.")
    window = None if whole else _window(parent, chosen)
    if window is not None and whole is None:
        share = window.shape[0] * window.shape[1] / parent.max_depth.size
        if share > MOST_SHARE or float(parent.statistics.get("seconds", np.inf)) <= QUICK:
            window = None
    return Whatif(parent, window, tuple(chosen))


def _window(parent: FloodResult, chosen: Sequence[Measure]) -> Window:
    from cimdesk.analysis.flood.window import window_around

    cells = [_cells_of(parent, measure) for measure in chosen]
    touched = np.concatenate([found for found in cells if len(found)] or [np.zeros((0, 2), dtype=np.int64)])
    if not len(touched):
        raise UsageError("the measures lie off the grid of this flood.")
    extent = float(np.ptp(touched, axis=0).max())
    margin = int(np.ceil(max(MARGIN / parent.terrain.cell_x, MARGIN_CELLS, MARGIN_SHARE * extent)))
    return window_around(touched, margin, parent.terrain.shape)


def _cells_of(parent: FloodResult, measure: Measure) -> AnyArray:
    grid, points = parent.terrain, measure.points
    if measure.nodes and parent.drainage is not None:
        points = parent.drainage.positions[np.isin(parent.drainage.ids.astype(str), list(measure.nodes))]
    if len(measure.line) > 1:
        return cells_along(grid, points)[0]
    rows = np.floor((grid.north - points[:, 1]) / grid.cell_y).astype(np.int64)
    columns = np.floor((points[:, 0] - grid.west) / grid.cell_x).astype(np.int64)
    inside = (rows >= 0) & (rows < grid.shape[0]) & (columns >= 0) & (columns < grid.shape[1])
    return np.asarray(np.column_stack([rows, columns])[inside])


def with_measures(scenario: FloodScenario, asked: Sequence[MeasureInput], name: str, path: Path | None = None) -> FloodScenario:
    """Return a scenario with measures put on its grid.

    Raises
    ------
    DataError
        If one cannot be put there.
    """
    nodes = [node for measure in asked for node in measure.nodes]
    if nodes and scenario.drainage is None:
        raise DataError(path, "there are no drains to unblock in this flood.", remedy="Run it with drains.")
    placed = place_measures(scenario.terrain, scenario.is_blocked, tuple(m for m in asked if m.kind != "unblock"), path)
    changed = replace(
        scenario, name=name, terrain=placed.ground, beds=(*scenario.beds, *placed.beds),
        devices=(*scenario.devices, *placed.devices), metadata={**scenario.metadata, "measures": [m.name for m in asked]},
    )  # fmt: skip
    return unblocked(changed, nodes) if nodes else changed


def name_of(parent: FloodResult, chosen: Sequence[Measure]) -> str:
    """Return what a run with measures is called."""
    return f"{parent.name} + {words_of(chosen)}"


def run_window(
    scenario: FloodScenario,
    whatif: Whatif,
    threads: int = 0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> FloodResult:
    """Run the window of a what-if and return the result of the whole grid: the window's inside it, the parent's elsewhere.

    The window is widened and run again while the change of the water reaches its rim.

    Parameters
    ----------
    scenario : FloodScenario
        Of the whole grid, with the measures.
    """
    from cimdesk.analysis.flood.window import Rim, cut, holding_devices, largest_near_rim, rim_cells

    assert whatif.window is not None
    parent, shape = whatif.parent, whatif.parent.terrain.shape
    scenario = replace(scenario, duration=float(parent.times[-1]))
    started = time.perf_counter()
    window = holding_devices(whatif.window, scenario.devices, shape, MARGIN_CELLS)
    for turn in range(ROUNDS):
        nested = cut(scenario, window)
        rim = Rim(scenario, window, parent)
        exchanges: list[Exchange] = [rim, *_drains(scenario, parent, window)]
        result = simulate(nested, threads, progress, cancel, exchanges)
        change = result.max_depth - parent.max_depth[window.part]
        reach = largest_near_rim(change, window.own(rim_cells(scenario, window)), window.shape, RIM_CELLS)
        wider = holding_devices(window.grown(max(window.shape) // 2, shape), scenario.devices, shape, MARGIN_CELLS)
        if reach <= RIM_CHANGE or turn == ROUNDS - 1 or wider == window:
            break
        window = wider
    figures = {
        "seconds": time.perf_counter() - started, "parent": parent.name, "window": _extent(parent, window),
        "window_cells": int(result.max_depth.size), "window_rounds": turn + 1, "rim_change_m": reach, "rim_in_m3": rim.came,
        "rim_out_m3": rim.went, "threads": threads or (os.cpu_count() or 1), "inputs": inputs_hash(scenario),
        "measures": list(scenario.metadata.get("measures", ())),
    }  # fmt: skip
    return _composed(scenario, parent, result, window, figures)


def _drains(scenario: FloodScenario, parent: FloodResult, window: Window) -> list[Exchange]:
    from cimdesk.analysis.flood.window import RecordedDrains

    if scenario.drainage is None or parent.drainage is None:
        return []
    placed = place_drains(scenario, scenario.drainage)
    inlets, outfalls = placed.inlet_places, placed.outfall_places
    taken, let_out = window.holds(inlets.cells), window.holds(outfalls.cells)
    inside = replace(
        inlets, cells=window.own(inlets.cells[taken]), crests=inlets.crests[taken], open_share=inlets.open_share[taken],
        limits=inlets.limits[taken],
    )  # fmt: skip
    return [
        RecordedDrains(parent.drainage, inside, placed.inlets[taken], window.own(outfalls.cells[let_out]), placed.outfalls[let_out])
    ]


def _extent(parent: FloodResult, window: Window) -> list[float]:
    """Return west, south, east and north of a window."""
    grid = parent.terrain
    return [
        grid.west + window.left * grid.cell_x, grid.north - window.bottom * grid.cell_y,
        grid.west + window.right * grid.cell_x, grid.north - window.top * grid.cell_y,
    ]  # fmt: skip


def _composed(
    scenario: FloodScenario, parent: FloodResult, nested: FloodResult, window: Window, figures: Mapping[str, Any]
) -> FloodResult:
    from cimdesk.analysis.flood.inundation import WET_DEPTH
    from cimdesk.analysis.flood.window import merged_grids, rim_cells
    from cimdesk.formats.flood_result import PackedFrames

    area = parent.terrain.cell_x * parent.terrain.cell_y
    held = rim_cells(scenario, window)
    frames = PackedFrames(parent.terrain.shape)
    volume, wet_area = np.array(parent.volume, dtype=np.float64), np.array(parent.wet_area, dtype=np.float64)
    for k, whole in enumerate(parent.depths):
        depth: Float32 = np.array(whole, dtype=np.float32, copy=True)
        before = depth[window.part].copy()
        depth[window.part] = nested.depths[k]
        depth[held[:, 0], held[:, 1]] = np.asarray(whole)[held[:, 0], held[:, 1]]
        after = depth[window.part]
        volume[k] += float(after.sum(dtype=np.float64) - before.sum(dtype=np.float64)) * area
        wet_area[k] += float(np.count_nonzero(after > WET_DEPTH) - np.count_nonzero(before > WET_DEPTH)) * area
        frames.append(depth)
    grids = merged_grids(parent, nested, window, scenario.terrain)
    for name in ("max_depth", "max_speed", "max_depth_speed", "arrival"):
        grids[name][held[:, 0], held[:, 1]] = getattr(parent, name)[held[:, 0], held[:, 1]]
    gauges = {series.gauge.name: series for series in (*parent.gauges, *nested.gauges)}
    lines = {line.gauge.name: line for line in parent.lines}
    statistics = {
        **nested.statistics, "cells": int(grids["max_depth"].size), "max_depth_m": float(grids["max_depth"].max()),
        "wet_area_m2": float(np.count_nonzero(grids["max_depth"] > WET_DEPTH)) * area, **figures,
    }  # fmt: skip
    return replace(
        parent, name=scenario.name, depths=frames.finish(), volume=volume, wet_area=wet_area, statistics=statistics,
        gauges=tuple(gauges[series.gauge.name] for series in parent.gauges), lines=tuple(lines.values()), **grids,
    )  # fmt: skip


def whatif_job(
    session: Session,
    parent_id: str,
    keys: Sequence[str] = (),
    whole: bool | None = None,
    threads: int = 0,
    run: ApartRun | None = None,
) -> JobSpec[FloodResult]:
    """Return the job that runs a flood of the project again with measures and adds the result as a layer named after them.

    Parameters
    ----------
    session : Session
    parent_id : str
        Layer of the flood to compare with.
    keys : sequence of str
        Of the measures; all that are switched on when empty.
    whole : bool or None
        Run the whole grid, or the window; None decides.
    threads : int
        0 for all cores.
    run : ApartRun or None
        By which a run of the whole can be looked at, held and left.

    Raises
    ------
    UsageError, DataError
        If the flood cannot be run again, or there is no measure.
    """
    parent = session.workspace.data(parent_id)
    if not isinstance(parent, FloodResult):
        raise UsageError("choose a flood to run again with the measures.")
    file = session.base_dir / session.workspace.layer(parent_id).source
    known = measures(session)
    keys = tuple(keys) or tuple(key for key, measure in known.items() if measure.enabled)
    chosen = [known[key] for key in keys if key in known]
    whatif = plan(parent, chosen, whole)
    name = name_of(parent, chosen)

    def changed() -> FloodScenario:
        return with_measures(kept_scenario(file), as_inputs(chosen), name)

    record = {
        "name": name, "description": words_of(chosen), "storm": parent.name, "parent": parent_id, "measures": list(keys),
        "window": None if whatif.window is None else _extent(parent, whatif.window),
    }  # fmt: skip
    _keep_scenario_record(session, record)
    if whatif.window is None:
        return run_job(session, changed, threads, run, name)
    place: dict[str, Path] = {}

    def work(progress: Progress, cancel: CancelToken) -> FloodResult:
        scenario = changed()
        result = run_window(scenario, whatif, threads, progress, cancel)
        place["file"] = write_beside(free_name(results_folder(session), result.name), result, scenario)
        return result

    def done(result: FloodResult) -> None:
        attach(session, result, place["file"])

    return JobSpec(tr("Simulating {name}").format(name=name), work, done, key="flood")


def storm_with_measures(
    session: Session, storm: FloodScenario | Callable[[], FloodScenario], storm_name: str
) -> tuple[str, Callable[[], FloodScenario]]:
    """Return name and scenario of another storm with the measures that are switched on, and write both down as one scenario.

    Raises
    ------
    UsageError
        If no measure is switched on.
    """
    known = {key: measure for key, measure in measures(session).items() if measure.enabled}
    if not known:
        raise UsageError("there is no measure that is switched on.", remedy="Draw one, or switch one on.")
    chosen = tuple(known.values())
    name = f"{storm_name} + {words_of(chosen)}"

    def changed() -> FloodScenario:
        return with_measures(storm if isinstance(storm, FloodScenario) else storm(), as_inputs(chosen), name)

    record = {"name": name, "description": words_of(chosen), "storm": storm_name, "measures": list(known), "window": None}
    _keep_scenario_record(session, record)
    return name, changed


def _keep_scenario_record(session: Session, record: Mapping[str, Any]) -> None:
    """Write down what is run: which measures, in which storm. One scenario stands for it from then on."""
    document, name = session.workspace.document, record["name"]
    found = next((key for key, other in document.records("scenario").items() if other.get("name") == name), None)
    taken = document.records("scenario")
    key = found or next(text for k in range(1, len(taken) + 2) if (text := f"scenario-{k}") not in taken)
    if taken.get(key) != record:
        session.do(Edit(tr("Scenario {name}").format(name=name), (document.put("scenario", key, record),)))


def difference(before: FloodResult, after: FloodResult) -> dict[str, float]:
    """Return how the deepest water of two runs on one grid differs: largest rise and fall [m], areas higher and lower [m2].

    Ground that a measure raised is left out.
    """
    change: Float = after.max_depth.astype(np.float64) - before.max_depth
    is_same_ground = np.abs(after.terrain.elevations - before.terrain.elevations) < SAME
    change = np.where(is_same_ground & np.isfinite(change), change, 0.0)
    area = before.terrain.cell_x * before.terrain.cell_y
    return {
        "largest_rise_m": float(max(change.max(), 0.0)),
        "largest_fall_m": float(max(-change.min(), 0.0)),
        "higher_m2": float(np.count_nonzero(change > SAME)) * area,
        "lower_m2": float(np.count_nonzero(change < -SAME)) * area,
    }


def whatif_file(
    result_file: Path,
    measures_file: Path,
    out: Path,
    whole: bool | None = None,
    threads: int = 0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> tuple[dict[str, Any], FloodResult, FloodResult]:
    """Run a flood file again with the measures of another file; return the figures, the result before and the one after.

    Raises
    ------
    DataError, UsageError, Cancelled
        Nothing is written then.
    """
    from cimdesk.formats.flood_result import read_result
    from cimdesk.formats.scenario_measures import read_measures

    if not out.absolute().parent.is_dir():
        raise DataError(out, "there is no folder to write the result into.", remedy="Make the folder first.")
    asked = read_measures(measures_file)
    parent, scenario = read_result(result_file), kept_scenario(result_file)
    chosen = [Measure(one.kind, one.name, one.line, one.to, one.numbers, one.nodes) for one in asked]
    whatif = plan(parent, chosen, whole)
    changed = with_measures(scenario, asked, name_of(parent, chosen), measures_file)
    if whatif.window is None:
        result = simulate(changed, threads, progress, cancel)
    else:
        result = run_window(changed, whatif, threads, progress, cancel)
    write_beside(out, result, changed)
    return {"result": str(out), **summary(result)}, parent, result
