"""Outlines whose buildings are too many to be held: tiled in the background, and added as a streamed layer."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.commands import large
from cimdesk.commands.history import Edit
from cimdesk.commands.placing import frame_for, place
from cimdesk.commands.session import Session
from cimdesk.commands.tiled import address_of, read_source
from cimdesk.formats.extrusion import EXTRUDE, Extrusion
from cimdesk.formats.registry import ReadOptions, Source
from cimdesk.model.appearance import default_style
from cimdesk.model.document import RecordChange
from cimdesk.model.features import VectorLayer
from cimdesk.model.layers import Layer, new_layer_id
from cimdesk.model.terrain import Terrain
from cimdesk.services.tiling.footprints import write_grounds

KEPT = 7 * 86400.0
"""How long the heights for tiles that were never finished stay, in case they are gone on with [s]."""
_GROUND = ".ground.npz"


@dataclass(frozen=True)
class LoadedTiles:
    """Tiles of outlines, ready to become a layer."""

    source: Source
    folder: Path
    problems: tuple[Problem, ...]


def are_too_many(session: Session, layer: Layer, data: VectorLayer) -> bool:
    """Return whether the buildings of a layer's outlines should be tiled instead of held; on the command line never."""
    is_file = address_of(layer.source) is None and (session.base_dir / layer.source).is_file()
    return large.streams(session) and is_file and len(data.features) >= large.OUTLINES_FROM


def tiles_job(
    session: Session, layer: Layer, data: VectorLayer, extrusion: Extrusion, terrain: Terrain | None, name: str
) -> JobSpec[LoadedTiles]:
    """Return the job that tiles the outlines of a layer's file as buildings and adds them, in one undoable step.

    Parameters
    ----------
    layer, data
        The outlines.
    extrusion : Extrusion
    terrain : Terrain or None
        What every building is set down on; None for the heights of the outlines.
    name : str
        Of the new layer.

    Raises
    ------
    UsageError
        If the outlines of a network's file are meant, that are no table of their own.
    """
    if "@" in layer.part:
        raise UsageError("{name} has no outlines that could become buildings.", name=layer.name)
    path = (session.base_dir / layer.source).absolute()
    folder, frame = large.tiles_folder(session), session.workspace.frame

    def work(progress: Progress, cancel: CancelToken) -> LoadedTiles:
        how = large.How(layer.crs, layer.part.partition("#")[0], extrusion.to_record())
        grounds = None if terrain is None else _grounds_file(folder, path, how, data, terrain)
        if grounds is not None:
            how = replace(how, grounds=str(grounds))
        # Named by the state of the file: a layer of an earlier one keeps its tiles.
        out = folder / f"{large.stem_of(path)}-{large.plan_of(path, how)[:8]}"
        made = large.tile_once(path, out, how, progress, cancel)
        if grounds is not None:
            with suppress(OSError):  # the tiles say themselves where they stand
                grounds.unlink()
        result = read_source(made.folder, ReadOptions(crs=Crs.parse(layer.crs), cancel=cancel), streams=True)
        if not result.sources:
            raise DataError(path, "there is nothing in it that can be shown.")
        source = large.named_after(result.sources[0], path, how)
        options = {**source.options, EXTRUDE: extrusion.to_record()}
        placed = place(source.data, source.crs or Crs.parse(layer.crs), frame or frame_for(source, path))
        source = replace(source, name=name, data=placed, options=options)
        return LoadedTiles(source, made.folder, (*made.problems, *result.problems))

    def done(found: LoadedTiles) -> None:
        _add(session, layer, found)

    return JobSpec(tr("Extruding {name}").format(name=layer.name), work, done)


def ground_below(data: VectorLayer, terrain: Terrain) -> Float:
    """Return (N,) the lowest ground under the corners of each feature, NaN where there is none [m]."""
    shapes = data.shapes
    owner = np.repeat(shapes.feature_of_ring, np.diff(shapes.ring_offsets))
    heights = terrain.sample(shapes.coordinates)
    lowest = np.full(len(data.features), np.inf)
    np.fmin.at(lowest, owner, heights)
    return np.where(np.isfinite(lowest), lowest, np.nan)


def _grounds_file(folder: Path, path: Path, how: large.How, data: VectorLayer, terrain: Terrain) -> Path:
    """Write on which heights the outlines stand; the name of the file tells them.

    It is needed until the tiles are made, which another window may be doing. What earlier runs left behind, because they were
    cancelled and not gone on with, is removed.
    """
    heights = ground_below(data, terrain)
    digest = hashlib.sha256(json.dumps([str(path), how.to_record()], sort_keys=True).encode() + heights.tobytes()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{large.stem_of(path)}-{digest}{_GROUND}"
    for left in folder.glob(f"*{_GROUND}"):
        with suppress(OSError):  # another window may do the same
            if left != out and time.time() - left.stat().st_mtime > KEPT:
                left.unlink()
    if not out.is_file():
        write_grounds(out, data.features.ids, heights)
    return out


def _add(session: Session, layer: Layer, found: LoadedTiles) -> None:
    known, source = session.workspace.document.records("layer"), found.source
    key = new_layer_id(known, source.name)
    made = Layer(
        key, source.name, source.kind, _relative(found.folder, session.base_dir), source.part, order=float(len(known)),
        style=default_style(source.kind, source.data), options=dict(source.options),
    )  # fmt: skip
    label = tr("Extrude {name}").format(name=layer.name)
    changes = [RecordChange("layer", key, None, made.to_record())]
    # So many outlines would hide the buildings. Tiling takes minutes: they may be gone by now.
    if layer.id in known:
        changes.append(session.workspace.document.update("layer", layer.id, visible=False))
    session.do(Edit(label, tuple(changes), {key: source.data}))
    session.workspace.set_problems(key, found.problems)
    for problem in found.problems:
        session.messages.emit((key, problem))


def _relative(folder: Path, base: Path) -> str:
    folder, base = folder.resolve(), base.resolve()
    return folder.relative_to(base).as_posix() if folder.is_relative_to(base) else str(folder)
