"""One member of an ensemble: the scenario with its storm and measures, simulated in this process alone.

Run as a module it is a child of `flood_ensemble`; `on_worker` is the same for a worker of a Dask cluster.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from cimdesk.base.errors import Cancelled, CimdeskError
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.base.workers import RefusalError, serve
from cimdesk.formats.scenario_inputs import RainInput, ScenarioInput

ASKED_EVERY = 1.0
"""How often a worker of a cluster asks whether to stop [s]."""


def simulate_member(task: dict[str, Any], progress: Progress = no_progress, cancel: CancelToken | None = None) -> dict[str, Any]:
    """Simulate one member, unless its result is there already, and return its figures.

    Raises
    ------
    DataError, UsageError
    Cancelled
        Nothing is written then.
    """
    from cimdesk.commands.flood import inputs_hash, simulate
    from cimdesk.commands.flood_scenario import load_scenario

    scenario = load_scenario(task["scenario"], lambda asked: changed(asked, task))
    out = Path(task["out"])
    figures = _kept(out, inputs_hash(scenario))
    is_kept = figures is not None
    if figures is None:
        from cimdesk.base.crs import Crs
        from cimdesk.formats.flood_result import write_result

        result = simulate(scenario, 1, progress, cancel)
        definition = str(scenario.metadata.get("crs", ""))
        write_result(out, result, Crs(definition) if definition else None)
        figures = dict(result.statistics)
    wanted = ("mass_error", "max_depth_m", "wet_area_m2", "seconds", "engine", "cell")
    return {
        "set": task["set"], "return_period": task["return_period"], "result": str(out), "kept": is_kept,
        **{key: figures.get(key) for key in wanted},
    }  # fmt: skip


def changed(asked: ScenarioInput, task: dict[str, Any]) -> ScenarioInput:
    """Return a scenario file's content with the storm and the measures of a member."""
    from cimdesk.formats.scenario_measures import read_measures

    period = float(task["return_period"])
    if task["city"]:
        rain: tuple[RainInput, ...] = (RainInput(city=task["city"], return_period=period, duration=task["storm_duration"]),)
    else:
        rain = tuple(replace(each, return_period=period) if each.city else each for each in asked.rain)
    measures = read_measures(Path(task["measures"])) if task["measures"] else ()
    unblocked = tuple(node for measure in measures for node in measure.nodes)
    drainage = asked.drainage
    if unblocked and drainage is not None:
        drainage = replace(drainage, clogged=(*drainage.clogged, (0.0, unblocked)))
    built = tuple(measure for measure in measures if measure.kind != "unblock")
    name = f"{asked.name}, {task['set']}, {period:g}"
    return replace(asked, name=name, rain=rain, measures=(*asked.measures, *built), drainage=drainage)


def _kept(out: Path, inputs: str) -> dict[str, Any] | None:
    """Return the figures of a result that is there and was made from the same input."""
    from cimdesk.formats.flood_result import read_result

    try:
        figures = dict(read_result(out).statistics)
    except CimdeskError:
        return None
    return figures if figures.get("inputs") == inputs else None


def on_worker(task: dict[str, Any], stop: str) -> dict[str, Any]:
    """Simulate one member on a worker of a cluster; the event named ``stop`` ends it."""
    import distributed

    library: Any = distributed
    token, event = CancelToken(), library.Event(stop, client=library.get_client())
    asked = time.monotonic()

    def progress(fraction: float | None, text: str = "") -> None:
        nonlocal asked
        if time.monotonic() - asked > ASKED_EVERY:
            asked = time.monotonic()
            if event.is_set():
                token.cancel()

    try:
        return simulate_member(task, progress, token)
    except Cancelled:
        return {"refusal": {"path": task["out"], "message": "cancelled"}}
    except CimdeskError as error:
        return {"refusal": {"path": str(getattr(error, "path", task["scenario"])), "message": str(error)}}


def _told_by(tell: Any) -> Progress:
    def progress(fraction: float | None, text: str = "") -> None:
        tell(fraction, text)

    return progress


def _work(task: dict[str, Any], tell: Any) -> dict[str, Any]:
    try:
        return simulate_member(task, _told_by(tell))
    except CimdeskError as error:
        raise RefusalError({"path": str(getattr(error, "path", task["scenario"])), "message": str(error)}) from error


if __name__ == "__main__":
    serve(_work)
