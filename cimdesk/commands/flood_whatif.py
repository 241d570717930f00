"""What if: a flood run again with measures, on a window around them that takes its rim from the run before, or as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.analysis.flood.lines import cells_along
from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress, no_progress
from cimdesk.commands.flood import attach, free_name, inputs_hash, results_folder, run_job, simulate, summary, write_beside
from cimdesk.commands.flood_apart import ApartRun
from cimdesk.commands.flood_drainage import unblocked
from cimdesk.commands.flood_kept import kept_scenario
from cimdesk.commands.flood_measures import place_measures
from cimdesk.commands.flood_nested import MARGIN_CELLS, SAME, Nested, extent, run_nested
from cimdesk.commands.history import Edit
from cimdesk.commands.measures import as_inputs, measures
from cimdesk.commands.measures import summary as words_of
from cimdesk.commands.session import Session
from cimdesk.formats.flood_run import SUFFIX, RunFolder
from cimdesk.model.flood import FloodResult, FloodScenario
from cimdesk.model.measures import Measure

if TYPE_CHECKING:
    from cimdesk.analysis.flood.window import Window
    from cimdesk.formats.scenario_inputs import MeasureInput

MARGIN, MARGIN_SHARE = 250.0, 0.75
"""Around the measures: at least so far [m], so many cells, and this share of their extent."""
QUICK = 15.0
"""A run that took no longer than this is run again as a whole [s]."""
MOST_SHARE = 0.6
"""A window that covers more than this share of the cells is no gain over the whole."""


@dataclass(frozen=True)
class Whatif:
    """A run to be made.

    Attributes
    ----------
    parent : FloodResult
    window : Window or None
        None runs the whole again.
    chosen : tuple of Measure
    live_drains : bool
        Whether the drains run again too where a window is run.
    """

    parent: FloodResult
    window: Window | None
    chosen: tuple[Measure, ...]
    live_drains: bool = False


def plan(parent: FloodResult, chosen: Sequence[Measure], whole: bool | None = None, live_drains: bool | None = None) -> Whatif:
    """Decide whether a window around the measures is run, or the whole.

    Parameters
    ----------
    parent : FloodResult
    chosen : sequence of Measure
    whole : bool or None
        None decides by the time that the parent took and by the share of the grid that the window would have.
    live_drains : bool or None
        Whether the drains run again in a window; None lets them where a measure unblocks some.

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
    if live_drains is None:
        live_drains = any(measure.nodes for measure in chosen)
    return Whatif(parent, window, tuple(chosen), live_drains and parent.drainage is not None)


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
    if changed.subgrid is not None and placed.beds:
        text = "gates and breaches cannot be simulated on coarse cells."
        raise DataError(path, text, remedy="Run it in a window, which has full detail.")
    return unblocked(changed, nodes) if nodes else changed


def name_of(parent: FloodResult, chosen: Sequence[Measure]) -> str:
    """Return what a run with measures is called."""
    return f"{parent.name} + {words_of(chosen)}"


def whatif_job(
    session: Session,
    parent_id: str,
    keys: Sequence[str] = (),
    whole: bool | None = None,
    threads: int = 0,
    run: ApartRun | None = None,
    live_drains: bool | None = None,
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
        By which the run can be looked at, held and left.
    live_drains : bool or None
        See `plan`.

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
    whatif = plan(parent, chosen, whole, live_drains)
    name = name_of(parent, chosen)

    def changed() -> FloodScenario:
        return with_measures(kept_scenario(file), as_inputs(chosen), name)

    record = {
        "name": name, "description": words_of(chosen), "storm": parent.name, "parent": parent_id, "measures": list(keys),
        "window": None if whatif.window is None else extent(parent, whatif.window),
    }  # fmt: skip
    _keep_scenario_record(session, record)
    if whatif.window is None:
        return run_job(session, changed, threads, run, name)
    return _window_job(session, whatif, changed, lambda: kept_scenario(file), record, run or ApartRun(RunFolder(Path()), threads))


def _window_job(
    session: Session, whatif: Whatif, changed: Callable[[], FloodScenario], before: Callable[[], FloodScenario],
    record: Mapping[str, Any], run: ApartRun,
) -> JobSpec[FloodResult]:  # fmt: skip
    files: dict[str, Path] = {}
    found: dict[str, Nested] = {}

    def work(progress: Progress, cancel: CancelToken) -> FloodResult:
        scenario, base = changed(), before()
        assert whatif.window is not None

        def simulate_window(nested: FloodScenario, is_shown: bool, share: Progress) -> FloodResult:
            return _simulate_apart(session, nested, run, is_shown, share, cancel)

        nested = run_nested(scenario, base, whatif.parent, whatif.window, simulate_window, whatif.live_drains, progress)
        found["nested"] = nested
        folder = results_folder(session)
        if nested.is_baseline_needed and nested.baseline is not None:
            files["baseline"] = write_beside(free_name(folder, nested.baseline.name), nested.baseline, nested.base or base)
        files["result"] = write_beside(free_name(folder, nested.result.name), nested.result, nested.scenario)
        return nested.result

    def done(result: FloodResult) -> None:
        baseline = found["nested"].baseline
        if "baseline" in files and baseline is not None:
            _keep_scenario_record(session, {**record, "baseline": attach(session, baseline, files["baseline"])})
        attach(session, result, files["result"])

    return JobSpec(tr("Simulating {name}").format(name=record["name"]), work, done, key="flood")


def _simulate_apart(
    session: Session, nested: FloodScenario, run: ApartRun, is_shown: bool, progress: Progress, cancel: CancelToken
) -> FloodResult:
    """Run a window in a process of its own; held, shown and left by ``run``, or only held by it."""
    one = run if is_shown else ApartRun(RunFolder(Path()), run.threads, control=run.control)
    file = free_name(results_folder(session), nested.name)
    one.folder = RunFolder(file.with_name(file.name + SUFFIX))
    try:
        result = one.start(nested, inputs_hash(nested), progress, cancel)
        if (failure := one.told(result)) is not None:
            raise failure
    finally:
        # A window says nothing by itself: what is left of one is not gone on with.
        one.folder.remove()
    return result


def run_window(
    scenario: FloodScenario,
    whatif: Whatif,
    threads: int = 0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    base: FloodScenario | None = None,
) -> Nested:
    """Run the window of a what-if in this process; without ``base`` it is not run without the measures."""
    assert whatif.window is not None

    def simulate_window(nested: FloodScenario, is_shown: bool, share: Progress) -> FloodResult:
        return simulate(nested, threads, share, cancel)

    return run_nested(scenario, base, whatif.parent, whatif.window, simulate_window, whatif.live_drains, progress)


def baseline_of(session: Session, parent_id: str, result: FloodResult) -> str:
    """Return the layer to compare a run with measures with: its window without them where that was needed, else the parent."""
    for record in session.workspace.document.records("scenario").values():
        found = str(record.get("baseline", ""))
        if record.get("name") == result.name and isinstance(session.workspace.data(found), FloodResult):
            return found
    return parent_id


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
    live_drains: bool | None = None,
) -> tuple[dict[str, Any], FloodResult, FloodResult]:
    """Run a flood file again with the measures of another file; return the figures, the result before and the one after.

    The result before is that of the window without the measures, where a window was run.

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
    whatif = plan(parent, chosen, whole, live_drains)
    changed = with_measures(scenario, asked, name_of(parent, chosen), measures_file)
    if whatif.window is None:
        result = simulate(changed, threads, progress, cancel)
    else:
        nested = run_window(changed, whatif, threads, progress, cancel, scenario)
        result, parent, changed = nested.result, nested.baseline or parent, nested.scenario
    write_beside(out, result, changed)
    return {"result": str(out), **summary(result)}, parent, result
