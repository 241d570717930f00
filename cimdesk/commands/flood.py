"""Floods as people run them: a scenario as a job that adds its result to the project, or a scenario file to a result file."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress, no_progress
from cimdesk.base.paths import cache_dir
from cimdesk.commands.flood_apart import CHECKPOINT_EVERY, ApartRun, clock_words
from cimdesk.commands.flood_drainage import coupled
from cimdesk.commands.flood_exposure import building_depths, exposure_of
from cimdesk.commands.flood_kept import keep_scenario
from cimdesk.commands.flood_scenario import FloodForm, load_scenario, scenario_from_session
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.formats.flood_run import SUFFIX, RunFolder, unfinished
from cimdesk.model.appearance import default_style
from cimdesk.model.flood import FloodResult, FloodScenario
from cimdesk.model.layers import Layer, LayerKind, layers_of, new_layer_id

if TYPE_CHECKING:
    from cimdesk.analysis.flood.exchange import Exchange

__all__ = [
    "FloodForm", "building_depths", "exposure_of", "load_scenario", "resume_job", "run_file", "run_job", "scenario_from_session",
    "simulate", "summary", "unfinished_runs",
]  # fmt: skip

FAST_WATER = (
    "up to {share} of the wet cells run faster than a Froude number of 0.8, which the inertial engine is not made for. "
    "Run it again with the dynamic engine."
)


def run_job(
    session: Session,
    scenario: FloodScenario | Callable[[], FloodScenario],
    threads: int = 0,
    run: ApartRun | None = None,
    name: str = "",
) -> JobSpec[FloodResult]:
    """Return the job that simulates a scenario, writes its result beside the project and adds it as a layer, undoably.

    Parameters
    ----------
    session : Session
    scenario : FloodScenario or callable
        A callable is asked for the scenario within the job, for set-ups that take a while.
    threads : int
        0 for all cores.
    run : ApartRun or None
        By which the run can be looked at, held and left; its folder is chosen here.
    name : str
        What the job is called while the scenario is not known.
    """
    apart = run or ApartRun(RunFolder(Path()), threads)

    def compute(progress: Progress, cancel: CancelToken) -> FloodResult:
        ready = scenario if isinstance(scenario, FloodScenario) else scenario()
        file = free_name(results_folder(session), ready.name)
        apart.folder = RunFolder(file.with_name(file.name + SUFFIX))
        return apart.start(ready, inputs_hash(ready), progress, cancel)

    title = scenario.name if isinstance(scenario, FloodScenario) else name or tr("Flood")
    return _job(session, title, apart, compute)


def resume_job(session: Session, folder: RunFolder, run: ApartRun | None = None) -> JobSpec[FloodResult]:
    """Return the job that goes on with a run that was broken off, and ends like `run_job`."""
    apart = run or ApartRun(folder)
    apart.folder = folder

    def compute(progress: Progress, cancel: CancelToken) -> FloodResult:
        return apart.resume(None, progress, cancel)

    return _job(session, str(folder.begun.get("name", "")), apart, compute)


def _job(
    session: Session, title: str, apart: ApartRun, compute: Callable[[Progress, CancelToken], FloodResult]
) -> JobSpec[FloodResult]:
    place: dict[str, Path] = {}

    def work(progress: Progress, cancel: CancelToken) -> FloodResult:
        try:
            result = compute(progress, cancel)
            assert apart.scenario is not None
            file = apart.folder.path.with_suffix("")
            if apart.failure is not None or file.exists():
                name = result.name if apart.failure is None else _name_until(result)
                result, file = replace(result, name=name), free_name(file.parent, name)
            place["file"] = write_beside(file, result, apart.scenario)
        finally:
            _remove_if_empty(apart.folder.path.parent)
        apart.close()
        return result

    def done(result: FloodResult) -> None:
        attach(session, result, place["file"])
        if (failure := apart.told(result)) is not None:
            raise failure

    return JobSpec(tr("Simulating {name}").format(name=title), work, done, key="flood")


def results_folder(session: Session) -> Path:
    """Return the folder that results of a session are written to."""
    return session.path.parent / f"{session.path.stem}_results" if session.path else cache_dir() / "results"


def unfinished_runs(session: Session) -> list[RunFolder]:
    """Return the runs of a project that were broken off and can go on, the latest first."""
    return unfinished(results_folder(session))


def _name_until(result: FloodResult) -> str:
    return tr("{name}, until {time}").format(name=result.name, time=clock_words(float(result.times[-1])))


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def simulate(
    scenario: FloodScenario,
    threads: int = 0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    exchanges: Sequence[Exchange] = (),
) -> FloodResult:
    """Run a scenario with its frames packed; the result states its speed and what it was made from.

    ``exchanges`` give water to the surface and take it at every step, such as drains.

    Raises
    ------
    Cancelled
    """
    from cimdesk.formats.flood_result import PackedFrames

    progress(0.0, tr("Preparing the solver (the first time takes a while)"))
    from cimdesk.analysis.flood.inundation import run_inundation

    workers = threads if threads > 0 else (os.cpu_count() or 1)
    frames = PackedFrames(scenario.result_terrain.shape)
    started = time.perf_counter()
    if scenario.drainage is None:
        result = run_inundation(scenario, workers, progress, cancel, frames, exchanges)
    else:
        with coupled(scenario) as drains:
            result = run_inundation(scenario, workers, progress, cancel, frames, [*exchanges, drains])
            result = drains.finish(result)
    seconds = time.perf_counter() - started
    updates = result.statistics["cells"] * result.statistics["steps"] / seconds
    figures = {"seconds": seconds, "cell_updates_per_s": updates, "threads": workers, "inputs": inputs_hash(scenario)}
    return replace(result, statistics={**result.statistics, **figures})


def attach(session: Session, result: FloodResult, file: Path) -> str:
    """Add a result as a flood layer, shown instead of the others, in one undoable step; return the layer id."""
    document = session.workspace.document
    layer_id = new_layer_id(document.records("layer"), result.name)
    layer = Layer(
        layer_id,
        result.name,
        LayerKind.FLOOD,
        _relative(file.resolve(), session.base_dir.resolve()),
        order=-float(len(document.records("result"))),
        style=default_style(LayerKind.FLOOD, result),
    )
    record = {
        "name": result.name, "scenario": result.name, "layer": layer_id, "source": layer.source, "created": time.time(),
        "statistics": dict(result.statistics),
    }  # fmt: skip
    hidden = tuple(
        document.update("layer", other.id, visible=False)
        for other in layers_of(document)
        if other.kind is LayerKind.FLOOD and other.visible
    )
    records = (document.put("layer", layer_id, layer.to_record()), document.put("result", layer_id, record), *hidden)
    session.do(Edit(tr("Flood {name}").format(name=result.name), records, {layer_id: result}))
    if result.statistics.get("froude_warning"):
        share = f"{result.statistics['froude_high_fraction']:.0%}"
        session.messages.emit((layer_id, Problem(Severity.WARNING, "fast-water", result.name, FAST_WATER, {"share": share})))
    return layer_id


def run_file(
    scenario_path: Path | str,
    out: Path | str,
    threads: int = 0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    resume: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    device: str = "",
) -> dict[str, Any]:
    """Run a scenario file and write its result; return the figures of ``flood run --json``.

    Parameters
    ----------
    scenario_path, out : path
        While it runs, there is a folder named after ``out`` beside it.
    threads : int
        0 for all cores.
    progress, cancel
        Told and asked while it runs.
    resume : bool
        Go on with a run that was broken off.
    checkpoint_every : float
        [s of waiting].
    device : str
        ``cpu``, ``gpu`` or ``auto``; empty for what the file says.

    Returns
    -------
    dict
        With ``incomplete`` and ``problems`` where the run ended early and what there was is written.

    Raises
    ------
    DataError, UsageError, Cancelled
        Nothing is written then.
    """
    out = Path(out)
    if not out.absolute().parent.is_dir():
        raise DataError(out, "there is no folder to write the result into.", remedy="Make the folder first.")
    scenario = load_scenario(scenario_path, (lambda asked: replace(asked, device=device)) if device else None)
    apart = ApartRun(RunFolder(out.with_name(out.name + SUFFIX)), threads, checkpoint_every=checkpoint_every)
    inputs, cancel = inputs_hash(scenario), cancel or CancelToken()
    if resume:
        result = apart.resume(inputs, progress, cancel)
    else:
        result = apart.start(scenario, inputs, progress, cancel)
    _write_or_tell(out, result, apart, scenario)
    apart.close()
    figures = {"result": str(out), **summary(result)}
    if (failure := apart.told(result)) is not None:
        figures["problems"] = [{"severity": "error", "code": "ended-early", "where": str(out), "message": failure.localized()}]
    return figures


def _write_or_tell(out: Path, result: FloodResult, apart: ApartRun, scenario: FloodScenario) -> None:
    from cimdesk.formats.flood_result import write_result

    try:
        write_result(out, result, _crs(scenario))
        keep_scenario(out, scenario)
    except DataError as error:
        if not apart.folder.has_checkpoint:
            apart.folder.remove()
            raise
        raise DataError(
            out, "the result cannot be written; what was simulated is kept in {folder}. ({reason})",
            remedy="Make room on the disk, then run it again with --resume.", folder=apart.folder.path.name, reason=error.message,
        ) from error  # fmt: skip


def summary(result: FloodResult) -> dict[str, Any]:
    """Return the figures of a run, ready for JSON."""
    return {
        "name": result.name,
        **result.statistics,
        "gauges": [
            {
                "name": series.gauge.name,
                "max_depth_m": float(series.depths.max(initial=0.0)),
                "max_level_m": float(series.levels.max(initial=-np.inf)) if len(series.levels) else None,
                "final_level_m": float(series.levels[-1]) if len(series.levels) else None,
                "arrival_s": _arrival(series.times, series.depths),
                "time_s": series.times.tolist(),
                "level_m": series.levels.tolist(),
            }
            for series in result.gauges
        ],
        "lines": [
            {
                "name": line.gauge.name,
                "max_discharge_m3_s": float(np.abs(line.discharges).max(initial=0.0)),
                "volume_m3": float(np.trapezoid(line.discharges, line.times)) if len(line.times) > 1 else 0.0,
                "time_s": line.times.tolist(),
                "discharge_m3_s": line.discharges.tolist(),
            }
            for line in result.lines
        ],
    }


def _arrival(times: Any, depths: Any) -> float | None:
    wet = np.flatnonzero(depths > 0.05)
    return float(times[wet[0]]) if len(wet) else None


def inputs_hash(scenario: FloodScenario) -> str:
    """Return a short hash of what determines the result, so that a stale one can be told."""
    digest = hashlib.sha256()
    _digest(digest.update, replace(scenario, name="", metadata={}))
    return digest.hexdigest()[:16]


def _digest(update: Callable[[bytes], None], value: Any) -> None:
    """Hand every number and text within a value that matters in a comparison to ``update``, in a fixed order."""
    if is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, field.name) for field in fields(value) if field.compare]
    if isinstance(value, np.ndarray):
        update(str(value.shape).encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, list | tuple):
        for item in value:
            _digest(update, item)
    else:
        update(repr(value).encode())


def write_beside(file: Path, result: FloodResult, scenario: FloodScenario) -> Path:
    """Write a result and, beside it, the scenario it was made from; return the file of the result."""
    from cimdesk.formats.flood_result import write_result

    file.parent.mkdir(parents=True, exist_ok=True)
    write_result(file, result, _crs(scenario))
    keep_scenario(file, scenario)
    return file


def free_name(folder: Path, name: str) -> Path:
    """Return a file for a result of this name that neither another result nor another run has."""
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in name).strip("-") or "flood"
    names = [folder / f"{stem}.flood", *(folder / f"{stem}-{k}.flood" for k in range(2, 10_000))]
    return next(file for file in names if not file.exists() and not file.with_name(file.name + SUFFIX).exists())


def _crs(scenario: FloodScenario) -> Crs | None:
    definition = str(scenario.metadata.get("crs", ""))
    return Crs(definition) if definition else None


def _relative(file: Path, base: Path) -> str:
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else file.as_posix()
