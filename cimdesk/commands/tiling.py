"""Tile city models of any size: files in, a 3D Tiles 1.1 tileset out."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.commands.placing import project_crs_for
from cimdesk.formats.extrusion import Extrusion
from cimdesk.formats.findings import Findings
from cimdesk.formats.tiles3d_stated import is_written_tileset
from cimdesk.services.tiling.inputs import InputFile, place_of, survey
from cimdesk.services.tiling.run import TilingRequest, TilingResult, run_tiling


def tile_files(
    paths: Sequence[Path],
    out: Path,
    crs: Crs | None = None,
    height: str = "",
    workers: int = 0,
    scheduler: str = "",
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    plan: str = "",
    extrusion: Extrusion | None = None,
    part: str = "",
    grounds: str = "",
) -> TilingResult:
    """Tile files into the folder ``out``.

    Parameters
    ----------
    paths : sequence of Path
    out : Path
        A folder that is not there yet, is empty, or holds a tileset made by this function.
    crs : Crs or None
        System of files that name none.
    height : str
        Column of heights of plain polygons; empty to look for one.
    workers : int
        Processes; 0 for as many as there are cores.
    scheduler : str
        Address of a Dask scheduler; empty for this computer.
    plan : str
        Kept in the tileset, to know it again.
    extrusion : Extrusion or None
        How plain polygons are raised, where ``height`` does not say enough.
    part : str
        Table of a file of outlines; empty for all.
    grounds : str
        File of heights on which outlines stand (`footprints.write_grounds`); empty for their own.

    Raises
    ------
    UsageError
        If ``out`` holds something else.
    DataError
        If a file cannot be used at all, or the disk does not take the tiles.
    """
    _refuse_other(out, paths)
    findings = Findings()
    text = tr("Looking at the file")
    files = tuple(survey(path, findings, crs, part, lambda fraction, _="": progress(0.0, text)) for path in paths)
    target, there = _target_of(files, crs)
    raised = extrusion or Extrusion(height)
    request = TilingRequest(files, out.absolute(), target, crs, raised, workers, scheduler, plan, grounds)
    try:
        return run_tiling(request, there, findings, progress, cancel)
    except OSError as error:
        remedy = "Make room on the disk and start the same again: it goes on where it was."
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            remedy = "Choose a folder you may write to, with room on the disk."
        raise DataError(out, "the tiles cannot be written ({reason}).", remedy=remedy, reason=error.strerror or error) from error


def _target_of(files: Sequence[InputFile], crs: Crs | None) -> tuple[Crs | None, Float]:
    """Return the system of the tiles, and a place (3,) in it; ``crs`` is that of files that name none."""
    own, place = place_of(files)
    own = own or crs
    if own is None:
        return None, np.nan_to_num(place, posinf=0.0, neginf=0.0)
    target = project_crs_for(own, place)
    return target, np.nan_to_num(own.transform(target, place[None, :])[0], posinf=0.0, neginf=0.0)


def _refuse_other(out: Path, paths: Sequence[Path]) -> None:
    if any(path.resolve() == out.resolve() or out.resolve() in path.resolve().parents for path in paths):
        raise UsageError("{name} holds one of the files to tile.", name=str(out))
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not is_written_tileset(out)):
        raise UsageError("{name} is there already and is no tileset made by cimdesk; choose another folder.", name=str(out))
