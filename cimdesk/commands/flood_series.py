"""Series that drive a flood: numbers, tables, and hydrographs of other models, with the place where those were seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.formats.hydrograph_files import chosen, entering, read_hydrographs
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.scenario_inputs import Driving, InflowInput, Points, SeriesInput
from cimdesk.formats.series import read_series
from cimdesk.model.flood import EdgeBoundary, Inflow, Series
from cimdesk.model.hydrographs import DISCHARGE, LEVEL, Hydrograph
from cimdesk.model.terrain import Terrain

EDGES = ("north", "east", "south", "west")


class OtherSeries:
    """Reads what drives a scenario; each file of another model once.

    Parameters
    ----------
    crs : Crs or None
        Of the run.
    """

    def __init__(self, crs: Crs | None) -> None:
        self._crs = crs
        self._files: dict[Path, list[Hydrograph]] = {}

    def amount(self, amount: Driving, quantity: str) -> tuple[Float, Float, bool]:
        """Return times [s], values in SI, and whether the times are moments [POSIX s].

        Raises
        ------
        DataError
        """
        if isinstance(amount, Path):
            return read_series(amount, quantity)
        if not isinstance(amount, SeriesInput):
            return np.zeros(1), np.array([amount]), False
        one = self._chosen(amount, quantity)
        if amount.at_start:
            return one.times - one.times[0], one.values, False
        return one.times, one.values, one.is_dated

    def place(self, inflow: InflowInput) -> Points:
        """Return where an inflow enters: as it was asked for, or where its series was seen.

        Raises
        ------
        DataError
            If nobody knows.
        """
        if inflow.points or not isinstance(inflow.discharge, SeriesInput):
            return inflow.points
        one = self._chosen(inflow.discharge, DISCHARGE)
        if not one.has_place:
            raise DataError(
                inflow.discharge.source, "it does not say where the water of '{name}' enters.", remedy="Write at = [x, y].",
                name=one.name,
            )  # fmt: skip
        return (one.place_in(self._crs),)

    def _chosen(self, asked: SeriesInput, quantity: str) -> Hydrograph:
        if asked.source not in self._files:
            self._files[asked.source] = read_hydrographs(asked.source)
        return chosen(asked.source, self._files[asked.source], quantity, asked.series, asked.reverse)


def of_file(path: Path, progress: Progress = no_progress, cancel: CancelToken | None = None) -> list[Hydrograph]:
    """Return the discharges and levels of a file.

    Parameters
    ----------
    path : Path
    progress, cancel
        Told and asked meanwhile.

    Raises
    ------
    DataError
    """
    return read_hydrographs(path, ReadOptions(progress=progress, cancel=cancel or CancelToken()))


def on_run(one: Hydrograph, start: float, duration: float) -> Series:
    """Return a hydrograph on the clock of a run that begins at a moment [POSIX s].

    One whose dates have nothing to do with the run begins with it.
    """
    first = start if one.is_dated and one.times[0] < start + duration and one.times[-1] > start else one.times[0]
    return Series(one.times - first, one.values)


def driven(
    entries: Sequence[tuple[Hydrograph, str, tuple[float, float] | None]],
    boundaries: Sequence[EdgeBoundary],
    start: float,
    duration: float,
) -> tuple[tuple[Inflow, ...], tuple[EdgeBoundary, ...]]:
    """Return inflows, and the edges of a run with what drives them.

    Parameters
    ----------
    entries : sequence of (Hydrograph, edge, place)
        An empty edge is an inflow at the place; a level holds along an edge, a discharge enters through it.
    boundaries : sequence of EdgeBoundary
        Of the run without them.
    start, duration : float
        [POSIX s], [s]

    Raises
    ------
    DataError
        If a discharge goes the other way, for it would take water out, or two series are at one edge.
    """
    inflows, edges = [], {boundary.edge: boundary for boundary in boundaries}
    at_edges = [edge for _, edge, _ in entries if edge]
    if len(set(at_edges)) < len(at_edges):
        raise DataError(None, "two series are at one edge.", remedy="Choose another edge or a place for one of them.")
    for one, edge, place in entries:
        series = on_run(entering(one, None, remedy="Choose another series, or a level."), start, duration)
        if edge:
            is_level = one.quantity == LEVEL
            edges[edge] = EdgeBoundary(
                edge, one.quantity, edges[edge].slope, series if is_level else None, None if is_level else series
            )
        elif place is not None:
            inflows.append(Inflow(np.array([place], dtype=np.float64), series))
    return tuple(inflows), tuple(edges[boundary.edge] for boundary in boundaries)


def is_on(terrain: Terrain, place: tuple[float, float]) -> bool:
    """Return whether a place is on a terrain."""
    (west, south, _), (east, north, _) = terrain.bounds.tolist()
    return bool(west <= place[0] <= east and south <= place[1] <= north)
