"""A tiling run from files to a tileset: scatter, build, merge, deliver."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from cimdesk.base.arrays import Float, Int
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.formats.extrusion import Extrusion
from cimdesk.formats.findings import Findings
from cimdesk.formats.metadata_write import TableSummary
from cimdesk.formats.tiles3d_grid import Extent, TileGrid
from cimdesk.formats.tiles3d_write import Place, TilesetWriter
from cimdesk.services.tiling.build import CELLS, SUMMARY_FILE, BuildSetup, build_unit, merge_blocks, unit_name
from cimdesk.services.tiling.executors import Executor, Hired
from cimdesk.services.tiling.inputs import InputFile, Task, tasks_of, total_bytes
from cimdesk.services.tiling.ledger import Ledger
from cimdesk.services.tiling.scatter import ScatterSetup, name_of, problem_of, scatter
from cimdesk.services.tiling.states import states_of
from cimdesk.services.tiling.telling import Share, asked_to_stop

UNIT = 2048.0
"""Side of the squares that are built at a time [m]."""
SMALL = 24 << 20
"""Bytes of input below which other processes do not pay for their start."""
SCATTER_SHARE, BUILD_SHARE, MERGE_SHARE = 0.55, 0.94, 0.98
"""Progress at the ends of the passes."""
MAX_PROBLEMS = 500


@dataclass(frozen=True)
class TilingRequest:
    """What to tile, where to, and by whom.

    Attributes
    ----------
    files : tuple of InputFile
    out : Path
        Folder of the tileset.
    crs : Crs or None
        Metric system in which places are kept; None for coordinates without a system.
    given : Crs or None
        System of files that name none.
    extrusion : Extrusion
        How plain polygons are raised.
    workers : int
        Processes; 0 for as many as there are cores.
    scheduler : str
        Address of a Dask scheduler; empty for this computer.
    plan : str
        Kept in the tileset, to know it again.
    grounds : str
        File of heights on which outlines stand; empty for their own.
    unit : float
        Side of the squares that are built at a time [m].
    """

    files: tuple[InputFile, ...]
    out: Path
    crs: Crs | None
    given: Crs | None = None
    extrusion: Extrusion = field(default_factory=Extrusion)
    workers: int = 0
    scheduler: str = ""
    plan: str = ""
    grounds: str = ""
    unit: float = UNIT


@dataclass
class TilingResult:
    """What a run gave.

    Attributes
    ----------
    tiles, features, triangles : int
        Contents written, features in them, and triangles at full detail.
    seconds : float
    problems : list of Problem
    resumed : bool
        Whether part of it had been done before.
    """

    tiles: int = 0
    features: int = 0
    triangles: int = 0
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)
    resumed: bool = False


def run_tiling(
    request: TilingRequest,
    place: Float,
    findings: Findings,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> TilingResult:
    """Tile files into a folder; what was there is replaced when everything is done, and not before.

    Parameters
    ----------
    request : TilingRequest
    place : (3,) float64
        A place in the city, in ``request.crs``.
    findings : Findings
        What was found while looking at the files.

    Raises
    ------
    DataError
        If no feature can be used, or the disk does not take the result.
    ServiceError
        If the cluster does not answer.
    Cancelled
        The working folder stays, and the next run goes on from it.
    """
    began = time.monotonic()
    cancel = cancel or CancelToken()
    cells = TileGrid.cells(request.crs, place, request.unit)
    ledger = Ledger(_working_folder(request.out), _plan(request, cells))
    with Hired(_workers(request), request.scheduler) as executor, asked_to_stop(ledger.spill, ledger.blocks):
        done = _scatter(request, cells, ledger, executor, findings, progress, cancel)
        summary = _summary(done, findings)
        if not summary.rows:
            raise _nothing(request, findings)
        units = _units(done)
        places = np.array(sorted(units), dtype=np.int64)
        grid, levels, corner = cells.around(places.min(axis=0), places.max(axis=0))
        setup = BuildSetup(str(ledger.spill), str(ledger.result), str(ledger.blocks), grid.to_record(), levels)
        (ledger.blocks / SUMMARY_FILE).write_bytes(orjson.dumps(summary.to_record()))
        built = _build(setup, units, corner, ledger, executor, progress, cancel)
        tiles, errors, coarse = _merge(setup, built, executor, progress, cancel)
    triangles = sum(segment[3] for entry in done for segment in entry["segments"])
    _finish(
        ledger, grid, levels, tiles, errors, coarse, done, {"features": summary.rows, "triangles": triangles, "plan": request.plan}
    )
    ledger.deliver(request.out)
    progress(1.0)
    problems = list(findings.problems())
    return TilingResult(len(tiles), summary.rows, triangles, time.monotonic() - began, problems, ledger.is_resumed)


def _working_folder(out: Path) -> Path:
    return out.with_name(f".{out.name}.tiling")


def _plan(request: TilingRequest, cells: TileGrid) -> dict[str, Any]:
    """Return everything that decides on the result."""
    inputs = [state for file in request.files for state in states_of(file.path)]
    given = request.given.definition if request.given else ""
    extrusion, parts = request.extrusion.to_record(), [file.part for file in request.files]
    return {
        "inputs": inputs, "cells": cells.to_record(), "given": given, "extrusion": extrusion, "parts": parts,
        "plan": request.plan,
    }  # fmt: skip


def _workers(request: TilingRequest) -> int:
    if request.workers:
        return request.workers
    import os

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if total_bytes(request.files) < SMALL else cores


def _scatter(
    request: TilingRequest,
    cells: TileGrid,
    ledger: Ledger,
    executor: Executor,
    findings: Findings,
    progress: Progress,
    cancel: CancelToken,
) -> list[dict[str, Any]]:
    """Do the first pass; return the entries of all tasks, in their order."""
    done = {entry["task"]: entry for entry in ledger.entries("scatter")}
    setup = ScatterSetup(
        str(ledger.spill),
        cells.to_record(),
        request.crs.definition if request.crs else "",
        request.given.definition if request.given else "",
        request.extrusion.to_record(),
        request.files[0].part,
        request.grounds,
        _heads(request, ledger, findings, progress, cancel),
        {str(file.path): file.crs.definition for file in request.files if file.crs is not None},
    )
    total, text = max(total_bytes(request.files), 1), tr("Sorting by place")
    share = Share(progress, text, 0.0, SCATTER_SHARE, total, str(ledger.spill), says_all=True)

    def todo() -> Iterator[tuple[ScatterSetup, Task]]:
        for task in _tasks(request.files):
            if task.number not in done:
                share.watch(name_of(task.number), task.size)
                yield setup, task

    for entry in done.values():
        share.add(name_of(entry["task"]), entry["bytes"])
    share.tell()
    for entry in executor.run(scatter, todo(), cancel, share.tell):
        ledger.note("scatter", entry)
        done[entry["task"]] = entry
        share.add(name_of(entry["task"]), entry["bytes"])
        share.tell()
    return [done[number] for number in sorted(done)]


def _heads(request: TilingRequest, ledger: Ledger, findings: Findings, progress: Progress, cancel: CancelToken) -> dict[str, bytes]:
    """Return what tasks have to know of each file besides their stretch of it."""

    def told(fraction: float | None, text: str = "") -> None:
        progress(0.0, tr("Looking at the file"))

    heads = {str(file.path): file.head.line for file in request.files if file.head is not None}
    for number, file in enumerate(request.files):
        if file.large is not None:
            heads[str(file.path)] = file.large.prepare(ledger.spill, f"file{number}", findings, told, cancel)
    return heads


def _tasks(files: Sequence[InputFile]) -> Iterator[Task]:
    number = 0
    for file in files:
        for task in tasks_of(file, number):
            number = task.number + 1
            yield task


def _summary(done: Sequence[dict[str, Any]], findings: Findings) -> TableSummary:
    summary = TableSummary()
    for entry in done:
        summary.merge(TableSummary.from_record(entry["summary"]))
        for record in entry["problems"]:
            problem = problem_of(record)
            findings.add(problem.code, problem.where, problem.template, problem.severity, problem.remedy, **problem.values)
    return summary


def _units(done: Sequence[dict[str, Any]]) -> dict[tuple[int, int], list[tuple[str, int, int]]]:
    """Return where the segments of each unit are, always in the same order."""
    units: dict[tuple[int, int], list[tuple[str, int, int]]] = defaultdict(list)
    for entry in done:
        for x, y, _, _, at, size in entry["segments"]:
            units[int(x), int(y)].append((entry["file"], at, size))
    return dict(units)


def _build(
    setup: BuildSetup,
    units: dict[tuple[int, int], list[tuple[str, int, int]]],
    corner: Int,
    ledger: Ledger,
    executor: Executor,
    progress: Progress,
    cancel: CancelToken,
) -> list[dict[str, Any]]:
    """Do the second pass; return the entries of all units."""
    built = {tuple(entry["unit"]): entry for entry in ledger.entries("build")}
    names = {(x - int(corner[0]), y - int(corner[1])): places for (x, y), places in units.items()}
    weights = {unit: sum(size for _, _, size in names[unit]) for unit in names}
    share = Share(progress, tr("Building tiles"), SCATTER_SHARE, BUILD_SHARE, sum(weights.values()), setup.blocks)

    def todo() -> Iterator[tuple[BuildSetup, tuple[int, int], list[tuple[str, int, int]]]]:
        # The largest first: one that comes last would keep everybody waiting.
        for unit in sorted(names, key=lambda unit: -weights[unit]):
            if unit not in built:
                share.watch(unit_name(unit), weights[unit])
                yield setup, unit, names[unit]

    for unit in built:
        share.add(unit_name(unit), weights[unit])
    share.tell()
    for entry in executor.run(build_unit, todo(), cancel, share.tell):
        ledger.note("build", entry)
        unit = tuple(entry["unit"])
        built[unit] = entry
        share.add(unit_name(unit), weights[unit])
        share.tell()
    return [built[unit] for unit in sorted(names)]


def _merge(
    setup: BuildSetup, built: Sequence[dict[str, Any]], executor: Executor, progress: Progress, cancel: CancelToken
) -> tuple[dict[Place, Extent], list[tuple[int, float]], int]:
    """Write the levels above the units; return all tiles with where they are, errors by level, and the finest level of blocks (-1
    for none).
    """
    tiles = dict(_tile_of(tile) for entry in built for tile in entry["tiles"])
    errors = [(int(level), float(error)) for entry in built for level, error in entry["errors"]]
    coarse = max((level for entry in built for level in entry["coarse"]), default=-1)
    above = [{tuple(entry["unit"]) for entry in built}]
    for _ in range(setup.level):
        above.append({(x >> 1, y >> 1) for x, y in above[-1]})
    total, text = sum(len(places) for places in above[1:]), tr("Building tiles seen from afar")
    share = Share(progress, text, BUILD_SHARE, MERGE_SHARE, total, setup.blocks)
    share.tell()
    for level, places in zip(range(setup.level - 1, -1, -1), above[1:], strict=True):
        for entry in executor.run(merge_blocks, ((setup, level, x, y) for x, y in sorted(places)), cancel, share.tell):
            share.add("", 1.0)
            share.tell()
            if entry["tile"] is not None:
                place, extent = _tile_of(entry["tile"])
                tiles[place] = extent
                coarse = max(coarse, level)
            errors.append((level, float(entry["error"])))
    return tiles, errors, coarse


def _tile_of(record: Sequence[float]) -> tuple[Place, Extent]:
    level, x, y, west, south, east, north, low, high = record
    return (int(level), int(x), int(y)), (west, south, east, north, low, high)


def _finish(
    ledger: Ledger,
    grid: TileGrid,
    levels: int,
    tiles: dict[Place, Extent],
    errors: Sequence[tuple[int, float]],
    coarse: int,
    done: Sequence[dict[str, Any]],
    counts: dict[str, Any],
) -> None:
    """Write the subtrees and the tileset file."""
    heights = np.array([entry["heights"] for entry in done if entry["heights"]] or [[0.0, 0.0]])
    root = root_error(grid, errors)
    about: dict[str, Any] = {**counts, "unitLevel": levels}
    if coarse >= 0:
        # At this error and below every feature is there.
        about["featureError"] = root / 2.0**coarse * 0.999
    TilesetWriter(ledger.result, grid).finish(tiles, root, (float(heights[:, 0].min()), float(heights[:, 1].max())), about)


def root_error(grid: TileGrid, errors: Sequence[tuple[int, float]]) -> float:
    """Return the geometric error of the root, so that halving it level by level tells of nearly every tile what was measured.

    Half a cell of blocks is the least that is said; a few tiles with towers that stand out do not spoil it for all.
    """
    least = grid.size(0) / CELLS / 2.0
    scaled = sorted(error * 2.0**level for level, error in errors)
    usual = scaled[int(0.9 * (len(scaled) - 1))] if scaled else 0.0
    return max(least, usual)


def _nothing(request: TilingRequest, findings: Findings) -> DataError:
    worst = next(iter(findings.problems()), None)
    remedy = "Choose another file, or export this one again with what it should hold."
    path = request.files[0].path
    if worst is None:
        return DataError(path, "there is nothing in it that can be shown.", remedy=remedy)
    return DataError(
        path, "there is nothing in it that can be shown: {finding}", where=worst.where, remedy=remedy, finding=worst.message
    )
