"""First pass: one task's features, sorted by the unit they lie in, to the disk. Runs in any process, here or on a cluster."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Int, box_of_points
from cimdesk.base.collector import collector_paused
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Cancelled, CimdeskError, Problem, Severity
from cimdesk.formats.extrusion import Extrusion
from cimdesk.formats.findings import Findings
from cimdesk.formats.metadata_write import TableSummary
from cimdesk.formats.tiles3d_grid import TileGrid, flat_places
from cimdesk.model.city_piece import CityPiece
from cimdesk.model.features import FeatureTable
from cimdesk.services.tiling.footprints import Raising
from cimdesk.services.tiling.inputs import Task, pieces_of
from cimdesk.services.tiling.items import Items, items_of
from cimdesk.services.tiling.pieces import with_parent_names
from cimdesk.services.tiling.spill import Town, encode_town, write_spill
from cimdesk.services.tiling.telling import Told


@dataclass(frozen=True)
class ScatterSetup:
    """What all tasks of the first pass share; plain values, so that it can be sent anywhere.

    Attributes
    ----------
    folder : str
        Where spill files go.
    cells : dict
        Record of the grid of units.
    crs : str
        System of the tiles; empty for none.
    given : str
        System of files that name none; empty for none.
    extrusion : dict
        Record of how plain polygons are raised.
    part : str
        The only part of files that is wanted; empty for all.
    grounds : str
        File of heights on which outlines stand; empty for their own.
    heads : dict of str to bytes
        Header of each sequence, and what stretches of objects have to know, by path.
    systems : dict of str to str
        System of each sequence, by path.
    """

    folder: str
    cells: dict[str, Any]
    crs: str
    given: str
    extrusion: dict[str, Any]
    part: str
    grounds: str
    heads: dict[str, bytes]
    systems: dict[str, str]


def scatter(setup: ScatterSetup, task: Task) -> dict[str, Any]:
    """Do one task; return what the second pass has to know of it, as plain values."""
    findings = Findings()
    sorting = _Sorting(setup, task, findings)
    name = f"{name_of(task.number)}.town"
    with collector_paused():
        places = write_spill(Path(setup.folder) / name, sorting.segments())
    if task.rows is not None:
        # The library that reads stretches of text keeps each in a cycle.
        gc.collect()
    return {
        "task": task.number,
        "file": name,
        "segments": [[x, y, n, t, at, size] for (x, y, n, t), (at, size) in zip(sorting.written, places, strict=True)],
        "summary": sorting.summary.to_record(),
        "heights": sorting.heights if np.isfinite(sorting.heights).all() else None,
        "problems": [problem_record(problem) for problem in findings.problems()],
        "bytes": task.size,
    }


def name_of(number: int) -> str:
    """Return the name of a task among the files of the pass."""
    return f"{number:07d}"


class _Sorting:
    """One task being done.

    Attributes
    ----------
    written : list of (x, y, features, triangles)
        Of each segment.
    summary : TableSummary
    heights : list of two floats
        Lowest and highest place.
    """

    def __init__(self, setup: ScatterSetup, task: Task, findings: Findings) -> None:
        self.written: list[tuple[int, int, int, int]] = []
        self.summary = TableSummary()
        self.heights = [np.inf, -np.inf]
        self._setup = setup
        self._task = task
        self._findings = findings

    def segments(self) -> Iterator[bytes]:
        """Yield the segments, piece by piece."""
        setup, task, findings = self._setup, self._task, self._findings
        cells = TileGrid.from_record(setup.cells)
        target = Crs(setup.crs) if setup.crs else None
        own = setup.systems.get(task.path, setup.given)
        head, system = setup.heads.get(task.path, b""), Crs(own) if own else None
        told = Told(setup.folder, name_of(task.number))
        try:
            raising = Raising(Extrusion(**setup.extrusion), setup.grounds)
            for piece, crs in pieces_of(task, head, system, raising, findings, setup.part, told):
                told(None)
                if len(piece.features):
                    yield from self._piece(_placed(piece, crs, target, findings), cells)
        except Cancelled:
            raise
        except CimdeskError as error:
            findings.error("unreadable", Path(task.path).name, "{text}", text=error.localized())

    def _piece(self, piece: CityPiece, cells: TileGrid) -> Iterator[bytes]:
        table = with_parent_names(piece)
        self.summary.add(len(table), table.columns)
        if len(piece.points):
            heights = piece.points[:, 2]
            self.heights = [min(self.heights[0], float(heights.min())), max(self.heights[1], float(heights.max()))]
        for unit, town in towns_of(piece, table, cells):
            self.written.append((*unit, len(town.features), len(town.triangles)))
            yield encode_town(town)


def towns_of(piece: CityPiece, table: FeatureTable, cells: TileGrid) -> list[tuple[tuple[int, int], Town]]:
    """Return the parts of a piece by the unit (column, row) each lies in."""
    items = items_of(piece)
    plan = flat_places(cells.crs, items.centre)
    plan = np.where(np.isfinite(plan), plan, np.nan_to_num(plan[np.isfinite(plan).all(axis=1)][:1].sum(axis=0)))
    units = cells.cells_of(plan, 0)
    found, number = np.unique(units, axis=0, return_inverse=True)
    number = number.ravel()
    if len(found) == 1:
        return [((int(found[0, 0]), int(found[0, 1])), _town(piece, table, items, plan, None, None))]
    of_triangle = number[items.owner]
    order = np.argsort(of_triangle, kind="stable")
    stops = np.searchsorted(of_triangle[order], np.arange(len(found) + 1))
    item_order = np.argsort(number, kind="stable")
    item_stops = np.searchsorted(number[item_order], np.arange(len(found) + 1))
    towns = []
    for k, (x, y) in enumerate(found.tolist()):
        mine = order[stops[k] : stops[k + 1]]
        chosen = item_order[item_stops[k] : item_stops[k + 1]]
        towns.append(((int(x), int(y)), _town(piece, table, items, plan, chosen, mine)))
    return towns


def _town(piece: CityPiece, table: FeatureTable, items: Items, plan: Float, chosen: Int | None, mine: Int | None) -> Town:
    """Return a town of the ``chosen`` items with the triangles ``mine``; None for all."""
    from cimdesk.services.tiling.kernels import part

    if chosen is None or mine is None:
        features, item_feature, points, triangles, owner = table, items.feature, piece.points, piece.triangles, items.owner
        kind, colors = piece.kind, piece.colors
        places = plan
    else:
        rows, item_feature = np.unique(items.feature[chosen], return_inverse=True)
        features, places = table.take(rows), plan[chosen]
        points, triangles = part(piece.points, piece.triangles[mine])
        owner = np.searchsorted(chosen, items.owner[mine])
        kind, colors = piece.kind[mine], None if piece.colors is None else piece.colors[mine]
    origin = np.floor(box_of_points(points).sum(axis=0) / 2.0) if len(points) else np.zeros(3)
    local = (points - origin).astype(np.float32)
    return Town(features, item_feature.ravel(), places, origin, local, triangles, owner, kind, colors)


def _placed(piece: CityPiece, crs: Crs | None, target: Crs | None, findings: Findings) -> CityPiece:
    """Return a piece in the system of the tiles, without triangles that have no place there."""
    points = piece.points
    if crs is not None and target is not None and crs != target:
        points = crs.transform(target, points)
    if np.isfinite(points.sum()):
        return replace(piece, points=points)
    is_somewhere: Bool = np.asarray(np.isfinite(points).all(axis=1))
    keep = np.asarray(is_somewhere[piece.triangles].all(axis=1), dtype=np.bool_)
    lost = len(np.unique(piece.owner[~keep]))
    findings.error("outside-crs", "", "Objects with coordinates that are no place in their system: {count}.", count=lost)
    points = np.where(is_somewhere[:, None], points, points[is_somewhere][:1].sum(axis=0))
    colors = None if piece.colors is None else piece.colors[keep]
    triangles, owner, kind = piece.triangles[keep], piece.owner[keep], piece.kind[keep]
    return replace(piece, points=points, triangles=triangles, owner=owner, kind=kind, colors=colors)


def problem_record(problem: Problem) -> list[Any]:
    """Return a problem as plain values."""
    values = {name: value if isinstance(value, int | float | str) else str(value) for name, value in problem.values.items()}
    return [str(problem.severity), problem.code, problem.where, problem.template, values, problem.remedy]


def problem_of(record: list[Any]) -> Problem:
    """Return the problem of plain values."""
    severity, code, where, template, values, remedy = record
    return Problem(Severity(severity), code, where, template, values, remedy)
