"""Writes the demo city: data files first, then the project over them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cimdesk.base.crs import Crs
from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress, no_progress
from cimdesk.commands.demo import places
from cimdesk.model.layers import LayerKind

if TYPE_CHECKING:
    from cimdesk.commands.demo.plan import Plan
    from cimdesk.commands.session import Session

METROPOLIS = "metropolis"
SIZES = (*places.WINDOWS, METROPOLIS)
MARK = ".demo-city"
"""Empty file in a data folder that a demo city wrote; a folder without it belongs to somebody else."""


@dataclass(frozen=True)
class DemoSummary:
    """What was written.

    Attributes
    ----------
    project : Path
        The project file.
    buildings, links, sensors : int
    files : tuple of Path
        The data files, beside the project in ``data``.
    """

    project: Path
    buildings: int
    links: int
    sensors: int
    files: tuple[Path, ...]


def generate(
    folder: Path,
    size: str = "small",
    seed: int = 7,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    storm: bool = False,
    fresh: bool = False,
) -> DemoSummary:
    """Write the demo city into a folder; the same size and seed give the same data files.

    A demo of this size and seed that is there already stays as it is, with whatever people have edited in it.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    size : str
        ``small`` (1.6 x 1.5 km), ``city`` (6 x 5 km) or ``metropolis`` (a streamed tileset of a million buildings on 86 x 86 km).
    seed : int
    storm : bool
        Whether to simulate the storm too and attach its result.
    fresh : bool
        Replace a demo that is there, and all edits in it; other files are left alone.

    Raises
    ------
    UsageError
        If there is no such size, a demo of another size or seed is there, or the folder holds other data.
    Cancelled
    """
    from cimdesk.commands.demo.metropolis.project import write_metropolis
    from cimdesk.commands.demo.project import PROJECT_NAME, run_demo_storm, write_project

    if size not in SIZES:
        raise UsageError("There is no demo city of size {size}; there are {sizes}.", size=size, sizes=", ".join(SIZES))
    cancel = cancel or CancelToken()
    project = folder / PROJECT_NAME
    if fresh or not project.exists():
        _clear(folder, PROJECT_NAME)
        if size == METROPOLIS:
            session = write_metropolis(folder, PROJECT_NAME, seed, progress, cancel)
        else:
            plan = write_files(folder / "data", size, seed, progress, cancel)
            session = write_project(folder, plan, progress)
    else:
        session = _kept(project, size, seed)
    if storm and size != METROPOLIS and not any(layer.kind is LayerKind.FLOOD for layer in session.workspace.layers()):
        run_demo_storm(session)
    made = session.workspace.settings["demo"]
    session.close()
    progress(1.0, tr("The demo city is ready"))
    files = tuple(sorted(path for path in (folder / "data").iterdir() if path.is_file() and path.name != MARK))
    return DemoSummary(project, made["buildings"], made["links"], made["sensors"], files)


def _kept(project: Path, size: str, seed: int) -> Session:
    """Open the demo that is there with its data; refuse one that is not what was asked for."""
    from cimdesk.commands import projects, sources

    session = projects.open_project(project)
    made = session.workspace.settings.get("demo") or {}
    if (made.get("size"), made.get("seed")) != (size, seed):
        session.close()
        raise UsageError(
            "There is another city already at {path}.", remedy="Choose another folder, or replace it with --fresh.", path=project
        )
    # A million buildings are read where somebody looks, not here.
    job = sources.load_job(session) if size != METROPOLIS else None
    if job is not None:
        session.run(job)
    return session


def generate_job(folder: Path, size: str = "small", seed: int = 7) -> JobSpec[DemoSummary]:
    """Return the job that writes the demo city."""
    return JobSpec(tr("Building the demo city"), lambda progress, cancel: generate(folder, size, seed, progress, cancel))


def write_files(folder: Path, size: str, seed: int, progress: Progress, cancel: CancelToken) -> Plan:
    """Write every data file and return the plan they show."""
    from cimdesk.commands.demo import (
        bridges,
        buildings,
        drainage,
        gauges,
        greenery,
        ground_plan,
        scenario,
        streets,
        swmm_file,
        utilities,
        water,
        works,
    )
    from cimdesk.commands.demo.plan import make_plan
    from cimdesk.commands.demo.terrain import make_terrain
    from cimdesk.formats.raster_write import write_geotiff

    folder.mkdir(parents=True, exist_ok=True)
    cancel.raise_if_cancelled()
    progress(0.0, tr("Terrain"))
    plan = make_plan(size, seed)
    terrain = make_terrain(plan)
    graph = streets.make_graph(plan)
    progress(0.03, tr("Buildings"))
    built = buildings.make_buildings(plan, terrain)
    cancel.raise_if_cancelled()
    progress(0.07, tr("Drainage"))
    sewers = drainage.make_sewers(plan, graph, terrain)
    record = gauges.make_gauges(plan, graph, terrain, sewers)
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        (tr("Terrain"), lambda: write_geotiff(folder / "terrain.tif", terrain, Crs(places.CRS))),
        (tr("Buildings"), lambda: buildings.write_city(folder / "city.city.json", plan, built)),
        (tr("Bridges"), lambda: bridges.write_bridges(folder / "bridges.city.json", plan, terrain)),
        (tr("Trees"), lambda: greenery.write_trees(folder / "trees.city.json", plan, terrain, built)),
        (tr("Streets"), lambda: ground_plan.write_roads(folder / "roads.gpkg", plan)),
        (tr("Land use"), lambda: ground_plan.write_landuse(folder / "landuse.gpkg", plan)),
        (tr("Drainage"), lambda: swmm_file.write_swmm(folder / "drainage.inp", sewers, terrain)),
        (tr("Water supply"), lambda: water.write_epanet(folder / "water.inp", water.make_mains(plan, graph, terrain, built))),
        (tr("Utilities"), lambda: utilities.write_utilities(folder, plan, graph, terrain)),
        (tr("Gauges"), lambda: gauges.write_stations(folder / "stations.csv", record)),
        (tr("Readings"), lambda: gauges.write_observations(folder / "observations.csv", record)),
        (tr("Works"), lambda: works.write_works(folder / "works.gpkg", plan)),
        (tr("Scenario"), lambda: scenario.write_scenario(folder, plan, terrain, record)),
    )
    for k, (text, write) in enumerate(steps):
        cancel.raise_if_cancelled()
        progress(0.1 + 0.45 * k / len(steps), text)
        write()
    return plan


def _clear(folder: Path, project: str) -> None:
    """Take away a demo written before: its project, its results and its data files; refuse to touch anything else."""
    if folder.exists() and not folder.is_dir():
        raise UsageError("{path} is a file. Name a folder for the demo city.", path=folder)
    ours = [folder / "data", folder / f"{Path(project).stem}_results"]
    foreign = not _is_demo(folder / project) if (folder / project).exists() else _is_foreign(ours)
    if foreign:
        raise UsageError("{path} holds other data already. Choose an empty folder for the demo city.", path=folder)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder / project, *folder.glob(f".{project}*"), *folder.glob(f"{project}-*")):
        path.unlink(missing_ok=True)
    for path in ours:
        if path.is_dir():
            shutil.rmtree(path)
    (folder / "data").mkdir()
    (folder / "data" / MARK).touch()


def _is_foreign(folders: Sequence[Path]) -> bool:
    taken = any(path.exists() and (not path.is_dir() or any(path.iterdir())) for path in folders)
    return taken and not (folders[0] / MARK).exists()


def _is_demo(project: Path) -> bool:
    from cimdesk.commands import projects

    session = projects.open_project(project, read_only=True)
    try:
        return bool(session.workspace.settings.get("demo"))
    finally:
        session.close()
