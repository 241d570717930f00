"""What the Project actions do: make, open, save, close, undo, redo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cimdesk.base.errors import CimdeskError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.base.paths import user_data_dir
from cimdesk.base.units import format_time
from cimdesk.model.layers import LayerKind
from cimdesk.ui.desk import Desk

if TYPE_CHECKING:
    from cimdesk.commands.basemaps import MapOffer

PROJECT_SUFFIX = ".gpkg"
MOST_PREVIEWED = 20
"""Files of a folder that are looked at before they are added; more are added at once, and Messages says what was wrong."""


def new_project(desk: Desk) -> None:
    """Make an empty project file and open it."""
    from cimdesk.commands import projects

    path = desk.ask.save_path(tr("New project"), PROJECT_SUFFIX, tr("city"))
    if path is not None:
        desk.bind(projects.create(path, path.stem, desk.runner))


def open_files(desk: Desk) -> None:
    """Ask for files and open them."""
    paths = desk.ask.files(tr("Open"))
    if paths:
        open_paths(desk, paths)


def open_folder(desk: Desk) -> None:
    """Ask for a folder and open it."""
    folder = desk.ask.folder(tr("Open folder"))
    if folder is not None:
        open_paths(desk, [folder])


def open_address(desk: Desk) -> None:
    """Ask for the address of a tileset, of tiles with {z}, {x} and {y}, of a map service or of PMTiles, and open it."""
    from cimdesk.commands import basemaps

    label = tr("Address of a tileset, of tiles with {z}/{x}/{y}, of a WMTS or WMS, or of a PMTiles, GeoTIFF, COPC, LAS or LAZ file")
    address = (desk.ask.text(tr("Open address"), label) or "").strip()
    if address and basemaps.is_service(address):
        desk.run(basemaps.maps_job(address, lambda maps: _open_map(desk, maps)))
    elif address:
        open_paths(desk, [Path(address)])


def _open_map(desk: Desk, maps: Sequence[MapOffer]) -> None:
    """Ask which of the maps of a service to open, when there are several."""
    titles = [offer.title if offer.title == offer.name else f"{offer.title} ({offer.name})" for offer in maps]
    chosen = 0 if len(maps) == 1 else desk.ask.choice(tr("Open address"), tr("Map"), titles)
    if chosen is not None:
        open_paths(desk, [Path(maps[chosen].address)])


def open_paths(desk: Desk, paths: Sequence[Path], ask_first: bool = True) -> None:
    """Open a project file, or show what data files hold and add them.

    Parameters
    ----------
    ask_first : bool
        Show the preview before anything changes; files given at the start are added at once unless they lack a reference system.
    """
    from cimdesk.commands import folders, projects
    from cimdesk.ui.handlers_flood import is_scenario, run_scenarios

    project = next((path for path in paths if projects.is_project(path)), None)
    if project is not None:
        open_project(desk, project)
        paths = [path for path in paths if path != project]
    scenarios = [path for path in paths if is_scenario(path)]
    if scenarios:
        run_scenarios(desk, scenarios)
        paths = [path for path in paths if path not in scenarios]
    plain = [path for path in paths if folders.is_plain_folder(path)]
    for folder in plain:
        look_through(desk, folder)
    paths = [path for path in paths if path not in plain]
    if paths:
        preview_paths(desk, paths, ask_first)


def look_through(desk: Desk, folder: Path) -> None:
    """Offer what in a folder can be opened, when it is no dataset by itself."""
    from cimdesk.commands import folders

    def work(progress: Progress, cancel: CancelToken) -> list[folders.Found]:
        return folders.files_in(folder, progress, cancel)

    def done(found: list[folders.Found]) -> None:
        chosen = [each.path for each in found] if len(found) == 1 else desk.ask.form("folder", desk, folder=folder, found=found)
        if chosen and len(chosen) > MOST_PREVIEWED:
            add_files(desk, chosen)
        elif chosen:
            preview_paths(desk, chosen)

    desk.run(JobSpec(tr("Looking through {name}").format(name=folder.name), work, done, key=f"folder:{folder}"))


def open_project(desk: Desk, path: Path) -> None:
    """Open a project file and load its layers."""
    from cimdesk.commands import projects, sources

    session = desk.attempt(projects.open_project, path, desk.runner)
    if session is None:
        return
    desk.bind(session)
    job = sources.load_job(session)
    if job is not None:
        session.run(job)


def preview_paths(desk: Desk, paths: Sequence[Path], ask_first: bool = True) -> None:
    """Read files beside the window, then show what they hold."""
    from cimdesk.commands import sources

    files = list(paths)
    beside = sources.Beside.of(desk.session)

    def work(progress: Progress, cancel: CancelToken) -> list[sources.Preview]:
        return sources.preview(files, progress, cancel, beside, tiles=True)

    def done(previews: list[sources.Preview]) -> None:
        unclear = [p for p in previews if p.error is not None or (p.is_usable and p.result is not None and p.result.crs is None)]
        if ask_first or unclear:
            desk.ask.form("preview", desk, previews=previews, done=lambda answer: _accept(desk, answer))
        else:
            _accept(desk, (files, ""))

    desk.run(JobSpec(tr("Looking at {name}").format(name=files[0].name), work, done, key="preview"))


def _accept(desk: Desk, answer: tuple[list[Path], str] | None) -> None:
    """Add files as layers, with the reference system the person chose for those that have none."""
    if answer is None or not answer[0]:
        return
    add_files(desk, answer[0], answer[1])


def add_files(desk: Desk, paths: Sequence[Path], crs: str = "") -> None:
    """Add files as layers of the open project, or of a new unnamed one."""
    from cimdesk.commands import projects, sources
    from cimdesk.ui import handlers_place

    if not desk.is_open:
        desk.bind(projects.scratch(desk.runner))
    job, known = sources.open_job(desk.session, list(paths), crs), {layer.id for layer in desk.session.workspace.layers()}

    def done(loaded: list[sources.LoadedSource]) -> None:
        if job.done is not None:
            job.done(loaded)
        # What was just added is what Style, Table, Export and Card are wanted for next.
        if fresh := [layer.id for layer in desk.session.workspace.layers() if layer.id not in known and layer.visible]:
            desk.select_layer(fresh[0])
        handlers_place.offer(desk, known)

    desk.run(replace(job, done=done))


def open_demo(desk: Desk) -> None:
    """Make the demo city, once, and open it."""
    from cimdesk.commands import demo
    from cimdesk.ui.handlers_flood import run_storm

    folder = user_data_dir() / "demo"
    existing = sorted(folder.glob(f"*{PROJECT_SUFFIX}"))
    if existing:
        open_project(desk, existing[0])
        return
    job = demo.generate_job(folder, "small", 7)

    def done(result: demo.DemoSummary) -> None:
        if job.done is not None:
            job.done(result)
        open_project(desk, result.project)
        # The city is there to look at while its storm is simulated.
        if not any(layer.kind is LayerKind.FLOOD for layer in desk.session.workspace.layers()):
            run_storm(desk)

    desk.run(JobSpec(job.title, job.work, done, key="demo"))


def save(desk: Desk) -> None:
    """Set a restore point; an unnamed project is asked for its name."""
    from cimdesk.commands import projects

    if desk.session.is_scratch:
        save_as(desk)
    else:
        projects.save(desk.session)
        desk.message.emit(tr("Saved."))
        desk.availability_changed.emit()


def return_to(desk: Desk) -> None:
    """Ask for a restore point and bring the project back to it; undo leads on again."""
    from cimdesk.commands import projects

    points = projects.restore_points(desk.session)[::-1]
    if not points:
        desk.message.emit(tr("There is no restore point yet; Save sets one."))
        return
    names = [f"{format_time(point.time)} · {point.name or tr('Saved')} · {point.who}  ({point.number})" for point in points]
    chosen = desk.ask.choice(tr("Return to"), tr("State to return to"), names)
    if chosen is not None and desk.attempt(projects.return_to, desk.session, points[chosen]) is not None:
        desk.message.emit(tr("Returned to {name}. Undo leads back.").format(name=format_time(points[chosen].time)))


def save_as(desk: Desk) -> None:
    """Save under another name and go on with that."""
    from cimdesk.commands import projects

    path = desk.ask.save_path(tr("Save as"), PROJECT_SUFFIX, desk.session.workspace.settings.get("title") or tr("city"))
    if path is not None:
        projects.save_as(desk.session, path)
        projects.remember(desk.session)
        desk.message.emit(tr("Saved as {name}.").format(name=path.name))
        desk.availability_changed.emit()


def close_project(desk: Desk) -> None:
    """Close the project and show the start page."""
    from cimdesk.commands.session import Session

    desk.bind(Session(runner=desk.runner))


def quit_window(desk: Desk) -> None:
    """Close the window."""
    if desk.shell:
        desk.shell.close()


def undo(desk: Desk) -> None:
    """Take back the last edit and say which."""
    label = desk.session.history.undo_label
    try:
        desk.session.undo()
    except CimdeskError as error:
        desk.show_error(error)
    else:
        desk.message.emit(tr("Undone: {label}").format(label=label))


def redo(desk: Desk) -> None:
    """Do the last undone edit again and say which."""
    label = desk.session.history.redo_label
    try:
        desk.session.redo()
    except CimdeskError as error:
        desk.show_error(error)
    else:
        desk.message.emit(tr("Done again: {label}").format(label=label))
