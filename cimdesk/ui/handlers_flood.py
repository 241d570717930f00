"""What the actions that run floods do: order them, hold them, go on with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cimdesk.base.i18n import tr
from cimdesk.base.jobs import JobSpec
from cimdesk.ui.desk import Desk

if TYPE_CHECKING:
    from cimdesk.commands.flood_apart import ApartRun
    from cimdesk.model.flood import FloodScenario

SCENARIO_SUFFIX = ".toml"


def run_flood(desk: Desk) -> None:
    """Ask for a scenario and simulate it beside the window."""
    from cimdesk.commands.flood_apart import dismiss_warm, warm_up

    warm_up()
    scenario = desk.ask.form("flood", desk)
    if scenario is not None:
        order(desk, getattr(scenario, "name", tr("Flood")), scenario)
    elif desk.floods.current is None:
        dismiss_warm()


def run_scenario_file(desk: Desk) -> None:
    """Ask for scenario files and simulate them."""
    files = desk.ask.files(tr("Run scenario file"))
    if files:
        run_scenarios(desk, files)


def is_scenario(path: Path) -> bool:
    """Return whether a file is a scenario, by its name."""
    return path.suffix.lower() == SCENARIO_SUFFIX


def run_scenarios(desk: Desk, files: Sequence[Path]) -> None:
    """Simulate scenario files, one after the other; what is wrong with one is told before it runs."""
    from cimdesk.commands import projects
    from cimdesk.commands.flood_scenario import load_for

    if not desk.is_open:
        desk.bind(projects.scratch(desk.runner))
    for file in files:
        order(desk, file.stem, load_for(desk.session, file))


def order(desk: Desk, name: str, scenario: FloodScenario | Callable[[], FloodScenario]) -> None:
    """Have a scenario simulated, after those that were asked for before."""
    from cimdesk.commands import flood

    session = desk.session

    def make(run: ApartRun) -> JobSpec[Any]:
        return flood.run_job(session, scenario, run=run, name=name)

    desk.floods.add(name, make)
    if desk.shell:
        desk.shell.panels.show_tab("timeline")


def run_ensemble(desk: Desk) -> None:
    """Ask for an ensemble and run it beside the window."""
    from cimdesk.commands import projects
    from cimdesk.commands.flood_ensemble_job import ensemble_job

    if not desk.is_open:
        desk.bind(projects.scratch(desk.runner))
    wish = desk.ask.form("ensemble", desk)
    if wish is not None:
        desk.run(ensemble_job(desk.session, wish, desk.message.emit))


def run_storm(desk: Desk) -> None:
    """Simulate the storm of the demo city."""
    from cimdesk.commands.demo.project import storm_job

    session = desk.session
    desk.floods.add(tr("Storm"), lambda run: storm_job(session, run))


def pause(desk: Desk) -> None:
    """Hold the flood at work, or let it go on."""
    desk.floods.toggle_pause()


def is_paused(desk: Desk) -> bool:
    """Whether the flood at work is held."""
    return desk.floods.is_paused


def continue_run(desk: Desk) -> None:
    """Go on with a flood that was broken off; ask which, where there are several."""
    from cimdesk.commands import flood

    found = flood.unfinished_runs(desk.session)
    names = [str(run.begun.get("name", "")) for run in found]
    chosen = desk.ask.choice(tr("Continue run"), tr("Run"), names) if len(found) > 1 else 0
    if chosen is None or not found:
        desk.floods.look_for_unfinished()
        return
    session, folder = desk.session, found[chosen]
    desk.floods.add(names[chosen], lambda run: flood.resume_job(session, folder, run))
