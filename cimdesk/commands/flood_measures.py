"""Measures of a scenario on its grid: walls and openings change the ground, gates and breaches move it, the rest are devices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.analysis.flood.lines import cells_along, faces_along
from cimdesk.base.arrays import AnyArray, Bool, Float
from cimdesk.base.errors import DataError
from cimdesk.formats.scenario_inputs import BoundaryInput, MeasureInput, Points
from cimdesk.model.flood import Series
from cimdesk.model.flood_inputs import Culvert, Device, LineBoundary, LineGauge, MovingBed, Pump, Storage
from cimdesk.model.terrain import Terrain

ON_GRADE = 0.05
"""A storage without a sill takes water that stands this high above its ground [m]."""


@dataclass(frozen=True)
class Placed:
    """What measures make of a grid: the ground at the start, its moving parts, and what exchanges water."""

    ground: Terrain
    beds: tuple[MovingBed, ...]
    devices: tuple[Device, ...]


def place_measures(ground: Terrain, is_blocked: Bool, measures: tuple[MeasureInput, ...], path: Path | None) -> Placed:
    """Put measures on the grid, in their order: openings and walls first, as gates and breaches lie in walls.

    Raises
    ------
    DataError
        If one is off the grid, inside a building, crosses itself, or takes the cells of another.
    """
    order = ("opening", "wall", "gate", "breach", "pump", "culvert", "storage")
    placer = _Placer(ground, is_blocked, path)
    for measure in sorted(measures, key=lambda measure: order.index(measure.kind)):
        getattr(placer, f"place_{measure.kind}")(measure)
    return Placed(placer.grown(), tuple(placer.beds), tuple(placer.devices))


def place_line_gauge(grid: Terrain, name: str, points: Points, path: Path | None) -> LineGauge:
    """Return a line gauge on the grid.

    Raises
    ------
    DataError
        If the line lies off the grid.
    """
    west, north = faces_along(grid, np.array(points))
    if len(west) + len(north) == 0:
        raise DataError(path, "gauge '{name}' crosses no cells of the grid.", remedy="Move it.", name=name)
    return LineGauge(name, west, north)


def place_line_boundary(
    grid: Terrain, is_open: Bool, boundary: BoundaryInput, level: Series | None, manning_n: float, path: Path | None
) -> LineBoundary:
    """Return a boundary along a line on the grid.

    Raises
    ------
    DataError
        If no open cell lies on the line.
    """
    cells, _ = cells_along(grid, np.array(boundary.line))
    cells = cells[is_open[cells[:, 0], cells[:, 1]]]
    if not len(cells):
        raise DataError(path, "a boundary line meets no open ground of the grid.", where="boundary", remedy="Move it.")
    held = level or Series(np.zeros(1), np.zeros(1))
    return LineBoundary(cells, boundary.kind, held.times, held.values, boundary.slope, manning_n)


class _Placer:
    """The grid while measures are put on it."""

    def __init__(self, ground: Terrain, is_blocked: Bool, path: Path | None) -> None:
        self._ground = ground
        self._heights: Float = ground.elevations.astype(np.float64)
        self._is_open = np.isfinite(self._heights) & ~is_blocked
        self._path = path
        self._moving: dict[tuple[int, int], str] = {}
        self.beds: list[MovingBed] = []
        self.devices: list[Device] = []

    def grown(self) -> Terrain:
        """Return the terrain with the ground as it now is."""
        return replace(self._ground, elevations=self._heights.astype(np.float32))

    def place_wall(self, measure: MeasureInput) -> None:
        """Raise the cells along the line."""
        cells = self._along(measure)
        self._raise(cells, self._crests(measure, cells))

    def place_opening(self, measure: MeasureInput) -> None:
        """Lower the cells along the line to a level, or to the slope between its ends: what runs below a bridge."""
        line = np.array(measure.line)
        cells, along = cells_along(self._ground, line)
        if len(cells) < 2:
            raise self._error(measure, "'{name}' lies off the grid.")
        first, last = self._heights[tuple(cells[0])], self._heights[tuple(cells[-1])]
        if not (np.isfinite(first) and np.isfinite(last)):
            raise self._error(measure, "'{name}' begins or ends where there is no ground.")
        wide, near = self._within(line, measure.numbers.get("width", self._ground.cell_x))
        bed = np.interp(near, along, np.interp(along, [along[0], along[-1]], [first, last]))
        bed = np.full(len(wide), measure.numbers["level"]) if "level" in measure.numbers else bed
        at = (wide[:, 0], wide[:, 1])
        self._heights[at] = np.fmin(self._heights[at], bed)

    def place_gate(self, measure: MeasureInput) -> None:
        """Raise the cells along the line, and let them go down and up again in time."""
        cells = self._along(measure)
        at, numbers = (cells[:, 0], cells[:, 1]), measure.numbers
        crests = self._crests(measure, cells)
        sills = np.minimum(np.full(len(cells), numbers["sill"]) if "sill" in numbers else self._heights[at], crests)
        if "open_at" in numbers:
            times, states = [numbers["open_at"], numbers["open_at"] + numbers.get("open_over", 60.0)], [crests, sills]
            if "close_at" in numbers:
                if numbers["close_at"] <= times[-1]:
                    raise self._error(measure, "'{name}' would close before it has opened.")
                times += [numbers["close_at"], numbers["close_at"] + numbers.get("open_over", 60.0)]
                states += [sills, crests]
            self._move(measure, cells, np.array(times), np.array(states))
        self._heights[at] = crests

    def place_breach(self, measure: MeasureInput) -> None:
        """Lower the cells of a dike from the middle outwards, while the notch deepens."""
        numbers, middle = measure.numbers, np.array(measure.line[0])
        width, start = numbers["width"], numbers.get("start", 0.0)
        over = numbers.get("over", 1800.0)
        if measure.to:
            cells, near = self._within(np.array(measure.to), numbers.get("across", 4.0 * self._ground.cell_x))
            _, along = self._within(np.array(measure.to), numbers.get("across", 4.0 * self._ground.cell_x), middle)
            away = np.abs(near - along)
        else:
            rows, columns = np.indices(self._ground.shape)
            x, y = self._ground.column_centres()[columns], self._ground.row_centres()[rows]
            distance = np.hypot(x - middle[0], y - middle[1])
            cells = np.argwhere(distance <= 0.5 * width)
            away = distance[cells[:, 0], cells[:, 1]]
        taken = away <= max(0.5 * width, 0.5 * self._ground.cell_x)
        cells, away = cells[taken], away[taken]
        cells, away = self._lowerable(measure, cells, away, numbers["bottom"])
        crests = self._heights[cells[:, 0], cells[:, 1]]
        # Half of the time to widen; each cell then goes down until the end.
        begins = np.unique(np.concatenate([start + over * away / max(width, 1e-9), [start + over]]))
        sinking = np.clip((begins[:, np.newaxis] - (start + over * away / width)) / (over - over * away / width), 0.0, 1.0)
        self._move(measure, cells, begins, crests + (np.minimum(numbers["bottom"], crests) - crests) * sinking)

    def place_pump(self, measure: MeasureInput) -> None:
        """Put the ends of a pump into open cells."""
        cells = np.array([self._cell(measure, point) for point in (*measure.line, *measure.to)])
        ground, numbers = self._heights[tuple(cells[0])], measure.numbers
        begin = numbers.get("start_level", ground + numbers.get("start_depth", 0.1))
        end = numbers.get("stop_level", min(begin, ground + 0.5 * numbers.get("start_depth", 0.1)))
        self.devices.append(Pump(measure.name, cells, numbers["capacity_m3_s"], float(begin), float(end)))

    def place_culvert(self, measure: MeasureInput) -> None:
        """Put the ends of a culvert into open cells; its inverts are the ground there unless given."""
        cells = np.array([self._cell(measure, point) for point in (*measure.line, *measure.to)])
        if (cells[0] == cells[1]).all():
            raise self._error(measure, "both ends of '{name}' are in one cell.")
        numbers = measure.numbers
        own = [float(self._heights[tuple(cell)]) for cell in cells]
        is_round = "diameter" in numbers
        width = numbers["diameter"] if is_round else numbers["width"]
        (x0, y0), (x1, y1) = measure.line[0], measure.to[0]
        self.devices.append(Culvert(
            measure.name, cells, (numbers.get("invert_from", own[0]), numbers.get("invert_to", own[1])), width,
            width if is_round else numbers["height"], float(np.hypot(x1 - x0, y1 - y0)), numbers.get("manning", 0.013),
            int(numbers.get("barrels", 1)), is_round, measure.flap,
        ))  # fmt: skip

    def place_storage(self, measure: MeasureInput) -> None:
        """Put the inlets of a storage into open cells."""
        cells = np.array([self._cell(measure, point) for point in measure.line])
        ground = float(self._heights[cells[:, 0], cells[:, 1]].min())
        numbers = measure.numbers
        self.devices.append(Storage(
            measure.name, cells, numbers["capacity_m3"], numbers.get("sill", ground + ON_GRADE),
            numbers.get("width", len(cells) * self._ground.cell_x), numbers.get("release_m3_s", 0.0),
        ))  # fmt: skip

    # --- places ----------------------------------------------------------------------------------------------------------------

    def _along(self, measure: MeasureInput) -> AnyArray:
        line = np.array(measure.line)
        if _crosses_itself(line):
            raise self._error(measure, "the line of '{name}' crosses itself.", "Draw it as two measures.")
        cells, _ = cells_along(self._ground, line)
        cells = cells[self._is_open[cells[:, 0], cells[:, 1]]]
        if not len(cells):
            raise self._error(measure, "'{name}' meets no open ground of the grid.")
        return cells

    def _crests(self, measure: MeasureInput, cells: AnyArray) -> Float:
        ground = self._heights[cells[:, 0], cells[:, 1]]
        wanted = measure.numbers
        crests: Float = np.full(len(cells), wanted["crest"]) if "crest" in wanted else ground + wanted["height"]
        return np.maximum(crests, ground)

    def _raise(self, cells: AnyArray, crests: Float) -> None:
        at = (cells[:, 0], cells[:, 1])
        self._heights[at] = np.maximum(self._heights[at], crests)

    def _cell(self, measure: MeasureInput, point: tuple[float, float]) -> tuple[int, int]:
        grid = self._ground
        column = int(np.floor((point[0] - grid.west) / grid.cell_x))
        row = int(np.floor((grid.north - point[1]) / grid.cell_y))
        if not (0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]) or not self._is_open[row, column]:
            raise self._error(measure, "an end of '{name}' is not on open ground of the grid.")
        return row, column

    def _within(self, line: Float, width: float, point: Float | None = None) -> tuple[AnyArray, Float]:
        """Return the open cells within half a width of a line, and how far along it each (or one point) is."""
        from shapely import LineString, Point, distance, line_locate_point, points

        path = LineString(line)
        rows, columns = np.nonzero(self._is_open)
        x, y = self._ground.column_centres()[columns], self._ground.row_centres()[rows]
        half = max(0.5 * width, 0.71 * self._ground.cell_x)
        low, high = line.min(axis=0) - half, line.max(axis=0) + half
        near = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])
        at = points(x[near], y[near])
        close = distance(at, path) <= half
        along = line_locate_point(path, at[close] if point is None else Point(point))
        return np.column_stack([rows[near][close], columns[near][close]]), np.asarray(along, dtype=np.float64)

    def _lowerable(self, measure: MeasureInput, cells: AnyArray, away: Float, bottom: float) -> tuple[AnyArray, Float]:
        is_open = self._is_open[cells[:, 0], cells[:, 1]]
        cells, away = cells[is_open], away[is_open]
        high = self._heights[cells[:, 0], cells[:, 1]] > bottom
        if not high.any():
            raise self._error(measure, "nothing at '{name}' is higher than its bottom.", "Give a lower bottom, or move it.")
        return cells[high], away[high]

    def _move(self, measure: MeasureInput, cells: AnyArray, times: Float, heights: Float) -> None:
        for cell in map(tuple, cells.tolist()):
            other = self._moving.setdefault(cell, measure.name)
            if other != measure.name:
                raise self._error(measure, "'{name}' and '{other}' overlap.", "Move one of them.", other=other)
        self.beds.append(MovingBed(cells, times, heights))

    def _error(self, measure: MeasureInput, template: str, remedy: str = "", **values: Any) -> DataError:
        return DataError(self._path, template, where=measure.where, remedy=remedy, name=measure.name, **values)


def _crosses_itself(line: Float) -> bool:
    from shapely import LineString, is_simple

    return not bool(is_simple(LineString(line)))
