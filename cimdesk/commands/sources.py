"""Bring files into the project: preview, add as layers, and load again what a project refers to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from cimdesk.base.arrays import UInt8
from cimdesk.base.crs import Crs, LocalFrame
from cimdesk.base.errors import CimdeskError, DataError, Problem, ServiceError, Severity, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress, no_progress
from cimdesk.commands import large
from cimdesk.commands.basemaps import small_picture
from cimdesk.commands.cards import Dataset, alike, datasets, derived_card, surveyed_already, surveyed_by
from cimdesk.commands.extruding import with_bodies
from cimdesk.commands.ground import settled
from cimdesk.commands.history import Edit
from cimdesk.commands.large_glance import glance
from cimdesk.commands.model_places import as_kept
from cimdesk.commands.placing import frame_for, place
from cimdesk.commands.points import prepare_glances
from cimdesk.commands.projects import is_project
from cimdesk.commands.session import Session
from cimdesk.commands.source_stages import MOST_AT_ONCE, take_stages, tells_changes
from cimdesk.commands.tiled import address_of, read_source
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.model.appearance import default_opacity, default_style
from cimdesk.model.city import CityModel
from cimdesk.model.document import RecordChange
from cimdesk.model.layers import Layer, new_layer_id
from cimdesk.model.terrain import Terrain, height_offset
from cimdesk.model.workspace import LayerData, bounds_of
from cimdesk.services.address_keys import with_keys, without_keys

_GRAVITY = (Severity.ERROR, Severity.WARNING, Severity.INFO)
LOCAL = "local"
"""Said instead of a reference system for coordinates that have none."""

Loaded: TypeAlias = "list[tuple[str, LoadedSource | CimdeskError]]"


@dataclass(frozen=True)
class Preview:
    """What would load from a path: the result or the error, never both.

    Attributes
    ----------
    picture : (h, w, 4) uint8 or None
        Of pictures a small one.
    surveyed : tuple of Problem
        Where layers of the project cover the same place already.
    large : str
        What will be done with a file that is too large to be held, and has not been read; empty for others.
    """

    path: Path
    result: ReadResult | None
    error: CimdeskError | None
    picture: UInt8 | None = None
    surveyed: tuple[Problem, ...] = ()
    large: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether something of it can be added."""
        return self.result is not None and (bool(self.result.sources) or bool(self.large))


@dataclass(frozen=True)
class Beside:
    """What a project holds already, frozen for a job that looks at files.

    Attributes
    ----------
    frame : LocalFrame or None
        None while the project lies nowhere.
    datasets : tuple of Dataset
    """

    frame: LocalFrame | None = None
    datasets: tuple[Dataset, ...] = ()

    @classmethod
    def of(cls, session: Session) -> Beside:
        """Return what is in a session's project now."""
        return cls(session.workspace.frame, datasets(session.workspace))


@dataclass(frozen=True)
class LoadedSource:
    """One source read and placed in the project's frame, ready to become a layer."""

    path: Path
    source: Source
    data: LayerData
    problems: tuple[Problem, ...]
    crs: str
    frame: LocalFrame

    def in_frame(self, frame: LocalFrame) -> LoadedSource:
        """Return the source in the frame that the project has by now: while it was read another one may have become the first."""
        if frame.crs == self.frame.crs:
            return self
        return replace(self, data=place(self.source.data, self.source.crs or Crs.parse(self.crs), frame), frame=frame)


def preview(
    paths: Sequence[Path],
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    beside: Beside | None = None,
    tiles: bool = False,
) -> list[Preview]:
    """Read files without changing anything and tell what each would give, ``beside`` what the project holds.

    With ``tiles``, what is too large to be held is not read, for it will be tiled.
    """
    previews = []
    for k, path in enumerate(paths):
        progress(k / len(paths), path.name)
        try:
            if tiles and (found := glance(path, cancel)) is not None:
                previews.append(Preview(path, found.result, None, large=found.words))
                continue
            options = ReadOptions(cancel=cancel or CancelToken(), progress=_part_of(progress, k, len(paths)))
            result = read_source(path, options, streams=True)
            surveyed = _surveyed(result, beside or Beside())
            previews.append(Preview(path, result, None, small_picture(result, cancel or CancelToken()), surveyed))
        except (DataError, ServiceError) as error:
            previews.append(Preview(path, None, error))
    return previews


def _surveyed(result: ReadResult, beside: Beside) -> tuple[Problem, ...]:
    """Tell of every source whose place the project knows already; one that names no system is taken to lie in the project's."""
    frame = beside.frame
    if frame is None:
        return ()
    found: list[Problem] = []
    for source in result.sources:
        layer = Layer("", source.name, source.kind, source.name, options=source.options)
        new = Dataset(layer, source.data, derived_card(layer, source.data))
        same = alike(new, beside.datasets)
        if same:
            placed = place(source.data, source.crs or frame.crs, frame)
            found += surveyed_by(replace(new, data=placed), same)
    return tuple(found)


def open_job(session: Session, paths: Sequence[Path], crs: str = "") -> JobSpec[list[LoadedSource]]:
    """Return the job that reads ``paths`` and adds what they hold as layers, in one undoable step.

    Parameters
    ----------
    crs : str
        Reference system of sources that name none: ``EPSG:n``; ``local`` or empty takes their coordinates as they are.
    """
    frame = session.workspace.frame
    base = session.base_dir
    tiles = large.tiles_folder(session) if large.streams(session) else None
    made_anew: list[Path] = []

    def work(progress: Progress, cancel: CancelToken) -> list[LoadedSource]:
        return _read_all([_located(path, base) for path in paths], crs, frame, tiles, progress, cancel, made_anew)

    def done(loaded: list[LoadedSource]) -> None:
        before = {layer.id for layer in session.workspace.layers()}
        add_layers(session, loaded)
        for layer_id in before & set(layers_of_tiles(session, made_anew)):
            reload(session, layer_id)

    return JobSpec(tr("Opening {name}").format(name=_names(paths)), work, done)


def import_files(session: Session, paths: Sequence[Path], crs: str = "", progress: Progress = no_progress) -> list[Layer]:
    """Read files and add their layers now; return the new layers.

    Raises
    ------
    DataError
        If a file cannot be used at all; nothing is added then.
    UsageError
        If ``crs`` is no reference system.
    """
    before = set(session.workspace.document.records("layer"))
    job = open_job(session, paths, crs)
    loaded = job.work(progress, CancelToken())
    add_layers(session, loaded)
    return [layer for layer in session.workspace.layers() if layer.id not in before]


def add_layers(session: Session, loaded: Iterable[LoadedSource]) -> None:
    """Add loaded sources as layers in one undoable step; the first one decides where the project lies."""
    loaded = list(loaded)
    if not loaded:
        return
    document = session.workspace.document
    records: list[RecordChange] = []
    frame = session.workspace.frame or loaded[0].frame
    loaded = [item.in_frame(frame) for item in loaded]
    if session.workspace.frame is None:
        settings = {**session.workspace.settings, "crs": frame.crs.definition if frame.crs else "", "origin": list(frame.origin)}
        records.append(document.put("project", "settings", settings))
    data: dict[str, LayerData] = {}
    problems: dict[str, tuple[Problem, ...]] = {}
    taken = dict(document.records("layer"))
    for item in loaded:
        layer_id = new_layer_id(taken, item.source.name)
        layer = Layer(
            layer_id,
            item.source.name,
            item.source.kind,
            _relative(item.path, session.base_dir),
            item.source.part,
            item.crs,
            visible=item.source.visible,
            opacity=default_opacity(item.data),
            order=float(len(taken)),
            style=default_style(item.source.kind, item.data),
            options=dict(item.source.options),
        )
        taken[layer_id] = layer.to_record()
        records.append(RecordChange("layer", layer_id, None, layer.to_record()))
        data[layer_id] = item.data
        problems[layer_id] = item.problems
    label = tr("Add {name}").format(
        name=loaded[0].source.name if len(loaded) == 1 else tr("{count} layers").format(count=len(loaded))
    )
    session.do(Edit(label, tuple(records), data))
    before = [layer.id for layer in session.workspace.layers() if layer.id not in data]
    for layer_id, found in problems.items():
        _tell(session, layer_id, (*found, *surveyed_already(session.workspace, layer_id, before)))
    prepare_glances(session, data)
    for layer_id, city in data.items():
        # A source with versions, ends or conditions shows the city at a date only with its stages.
        if isinstance(city, CityModel) and len(city.features) <= MOST_AT_ONCE and tells_changes(city):
            take_stages(session, layer_id)


def missing_layers(session: Session) -> list[Layer]:
    """Return the layers whose data is not loaded and not known to be unavailable."""
    workspace = session.workspace
    return [layer for layer in workspace.layers() if workspace.data(layer.id) is None and not workspace.unavailable(layer.id)]


def load_job(session: Session, layer_ids: Sequence[str] | None = None) -> JobSpec[Loaded] | None:
    """Return the job that reads the sources of layers without data; None when every layer has its data.

    A source that is missing or broken marks its layer unavailable; the layer stays in the project.
    """
    layers = missing_layers(session) if layer_ids is None else [session.workspace.layer(key) for key in layer_ids]
    if not layers:
        return None
    frame = session.workspace.frame
    base = session.base_dir
    streams = large.streams(session)

    def work(progress: Progress, cancel: CancelToken) -> Loaded:
        results: dict[tuple[str, str, str], ReadResult | CimdeskError] = {}
        loaded: Loaded = []
        for k, layer in enumerate(layers):
            cancel.raise_if_cancelled()
            progress(k / len(layers), layer.name)
            loaded.append((layer.id, _reload(layer, base, frame, streams, results, cancel)))
        return loaded

    def done(loaded: Loaded) -> None:
        attach_loaded(session, loaded)

    return JobSpec(tr("Loading {name}").format(name=tr("{count} layers").format(count=len(layers))), work, done, key="load-layers")


def attach_loaded(session: Session, loaded: Iterable[tuple[str, LoadedSource | CimdeskError]]) -> None:
    """Give layers their freshly read data, or mark them unavailable; not an edit."""
    present = session.workspace.document.records("layer")
    data: dict[str, LayerData | None] = {}
    for layer_id, item in loaded:
        if layer_id not in present:
            continue
        if isinstance(item, CimdeskError):
            session.workspace.mark_unavailable(layer_id, item.localized())
            _tell(
                session, layer_id, (Problem(Severity.ERROR, "source-unavailable", layer_id, "{text}", {"text": item.localized()}),)
            )
        else:
            data[layer_id] = item.data
            _tell(session, layer_id, item.problems)
    if data:
        session.workspace.apply((), settled(session.workspace, data))
        prepare_glances(session, data)


def reload(session: Session, layer_id: str) -> None:
    """Read a layer's source again, for a file that changed or came back; what was tiled of it is tiled again."""
    layer = session.workspace.layer(layer_id)
    tiles = _located(Path(layer.source), session.base_dir)
    if large.streams(session) and large.is_outdated(layer, tiles) and not large.How.of(layer.options).grounds:
        session.run(_tile_again_job(session, layer, tiles))
        return
    session.workspace.mark_unavailable(layer_id, tr("Loading…"))
    job = load_job(session, [layer_id])
    if job is not None:
        session.run(job)


def _tile_again_job(session: Session, layer: Layer, tiles: Path) -> JobSpec[large.Made]:
    """Return the job that tiles the changed file of a layer again; the layer shows the earlier state until that is done."""
    path = large.source_file(layer)
    assert path is not None

    def work(progress: Progress, cancel: CancelToken) -> large.Made:
        return large.tile_once(path, tiles, large.How.of(layer.options), progress, cancel)

    def done(made: large.Made) -> None:
        for layer_id in layers_of_tiles(session, [made.folder]):
            reload(session, layer_id)

    return JobSpec(tr("Tiling {name}").format(name=path.name), work, done, key=f"tiles:{tiles}")


def layers_of_tiles(session: Session, folders: Sequence[Path]) -> list[str]:
    """Return the layers that show tilesets in these folders."""
    wanted = {folder.resolve() for folder in folders}
    layers = session.workspace.layers() if wanted else []
    return [layer.id for layer in layers if (session.base_dir / layer.source).resolve() in wanted]


def _read_all(
    paths: Sequence[Path],
    crs: str,
    frame: LocalFrame | None,
    tiles: Path | None,
    progress: Progress,
    cancel: CancelToken,
    made_anew: list[Path],
) -> list[LoadedSource]:
    """Read files; with a folder for ``tiles``, what is large is tiled there and streamed; new tilesets go to ``made_anew``."""
    options = ReadOptions(crs=_asked_crs(crs), cancel=cancel)
    loaded: list[LoadedSource] = []
    for k, path in enumerate(paths):
        cancel.raise_if_cancelled()
        progress(k / len(paths), path.name)
        if is_project(path):
            raise DataError(path, "this is a cimdesk project, no data file.", remedy="Open it, or add the files of its layers.")
        told = replace(options, progress=_part_of(progress, k, len(paths)))
        for result, place_of in _results(path, told, tiles, made_anew):
            if not result.sources:
                raise _nothing_in(path, result.problems)
            for source in result.sources:
                frame = frame or frame_for(source, place_of)
                loaded.append(_place(place_of, source, result, frame, options.crs, asked=bool(crs)))
    return loaded


def _results(path: Path, options: ReadOptions, tiles: Path | None, made_anew: list[Path]) -> Iterator[tuple[ReadResult, Path]]:
    """Yield what a file gives, and where that is read from: the file itself, or the tiles that what is large in it became."""
    parts = large.parts_of(path, options.crs) if tiles is not None else large.Parts()
    if tiles is None or not parts.tiled:
        yield read_source(path, options, tiles is not None), path
        return
    for part in parts.tiled:
        how = large.How(options.crs.definition if options.crs else "", part)
        made = large.tile_once(path, large.place_of_tiles(path, tiles, how), how, options.progress, options.cancel)
        made_anew += [made.folder] if made.is_new else []
        result = read_source(made.folder, options, streams=True)
        sources = tuple(large.named_after(source, path, how) for source in result.sources)
        yield replace(result, sources=sources, problems=(*made.problems, *result.problems)), made.folder
    for part in parts.held:
        yield read_source(path, replace(options, part=part), streams=True), path


def _part_of(progress: Progress, index: int, count: int) -> Progress:
    """Return the progress of one of several files as that of them all."""

    def tell(fraction: float | None, text: str = "") -> None:
        progress(None if fraction is None else (index + fraction) / count, text)

    return tell


def _place(path: Path, source: Source, result: ReadResult, frame: LocalFrame, fallback: Crs | None, asked: bool) -> LoadedSource:
    crs = source.crs or fallback
    problems = result.problems
    if crs is None and not asked:
        problems = (
            *problems,
            Problem(
                Severity.WARNING,
                "no-crs",
                source.name,
                "The file names no coordinate reference system; its coordinates are taken as they are. Give one with --crs.",
            ),
        )
    elif source.crs is not None and frame.crs is None:
        problems = (*problems, _unplaced(source, source.crs))
    chosen = fallback.definition if result.crs is None and fallback is not None else ""
    if source.crs is not None and frame.crs is None:
        # Where the project has no system, the layer itself knows in which one its coordinates are.
        chosen = source.crs.definition
    data = place(source.data, crs, frame)
    if isinstance(data, Terrain):
        data = data.raised(height_offset(source.options))
    if crs is not None and _is_somewhere(source.data) and not _is_somewhere(data):
        problems = (*problems, _outside(source, crs))
    return LoadedSource(path, source, data, problems, chosen, frame)


def _unplaced(source: Source, crs: Crs) -> Problem:
    """Return what is told of a source whose system a project without one cannot use."""
    return Problem(
        Severity.WARNING,
        "crs-unused",
        source.name,
        "The project has no coordinate reference system, for its first file names none: coordinates in {crs} are taken as they "
        "are and may lie elsewhere than those of other files. Make a new project with this file first.",
        {"crs": crs.code or crs.name},
    )


def _is_somewhere(data: LayerData) -> bool:
    return bool(np.isfinite(bounds_of(data)[:, :2]).all())


def _outside(source: Source, crs: Crs) -> Problem:
    return Problem(
        Severity.ERROR,
        "outside-crs",
        source.name,
        "Its coordinates cannot be those of {crs}, so nothing of it can be shown. Open it with the system it was really made in.",
        {"crs": crs.code or crs.name},
    )


def _reload(
    layer: Layer,
    base: Path,
    frame: LocalFrame | None,
    streams: bool,
    results: dict[tuple[str, str, str], ReadResult | CimdeskError],
    cancel: CancelToken,
) -> LoadedSource | CimdeskError:
    path = _located(Path(layer.source), base)
    key = (layer.source, layer.crs, repr(layer.options))
    crs = Crs.parse(layer.crs)
    if (gone := large.missing_tiles(layer, path)) is not None:
        return gone
    if key not in results:
        try:
            results[key] = with_bodies(read_source(path, ReadOptions(crs=crs, cancel=cancel, extra=layer.options), streams), layer)
        except CimdeskError as error:
            results[key] = error
    result = results[key]
    if isinstance(result, CimdeskError):
        return result
    source = _matching(result.sources, layer)
    if source is None:
        return DataError(path, "it no longer holds {part}.", part=layer.part or str(layer.kind))
    try:
        loaded = _place(path, source, result, frame or frame_for(source, path), crs, asked=True)
        if large.is_outdated(layer, path):
            loaded = replace(loaded, problems=(*loaded.problems, large.changed_since(layer)))
        return replace(loaded, data=as_kept(loaded.data, layer.options))
    except DataError as error:
        return error


def _matching(sources: Sequence[Source], layer: Layer) -> Source | None:
    same = [source for source in sources if source.kind is layer.kind]
    return next((source for source in same if source.part == layer.part), same[0] if len(same) == 1 else None)


def _asked_crs(text: str) -> Crs | None:
    if not text or text == LOCAL:
        return None
    crs = Crs.parse(text)
    if crs is None:
        raise UsageError("{text} is no coordinate reference system; write EPSG:4547.", text=text)
    return crs


def _located(path: Path, base: Path) -> Path:
    address = address_of(path)
    return Path(with_keys(address)) if address is not None else base / path


def _relative(path: Path, base: Path) -> str:
    address = address_of(path)
    if address is not None:
        return without_keys(address)
    path, base = path.resolve(), base.resolve()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def _tell(session: Session, layer_id: str, problems: tuple[Problem, ...]) -> None:
    session.workspace.set_problems(layer_id, problems)
    for problem in problems:
        session.messages.emit((layer_id, problem))


def _names(paths: Sequence[Path]) -> str:
    return paths[0].name if len(paths) == 1 else tr("{count} files").format(count=len(paths))


def _nothing_in(path: Path, problems: tuple[Problem, ...]) -> DataError:
    """Return the refusal of a file that was understood and has nothing to show, with the worst thing found in it."""
    remedy = "Choose another file, or export this one again with what it should hold."
    worst = min(problems, key=lambda problem: _GRAVITY.index(problem.severity), default=None)
    if worst is None:
        return DataError(path, "there is nothing in it that can be shown.", remedy=remedy)
    return DataError(
        path, "there is nothing in it that can be shown: {finding}", where=worst.where, remedy=remedy, finding=worst.message
    )
