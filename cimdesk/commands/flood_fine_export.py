"""Rasters of a run on coarse cells at the resolution of its fine ground, strip by strip, so that they may be of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float32
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.jobs import CancelToken, Progress
from cimdesk.commands.flood_kept import kept_scenario
from cimdesk.model.flood import FloodResult, FloodScenario
from cimdesk.model.flood_maps import KEYS, from_frames, values_of
from cimdesk.model.terrain import Terrain

STRIP_CELLS = 1_000_000
"""Fine cells that are worked on at once, at most, but for one row of coarse cells."""
MOST_OPEN = 48
"""Files that are written at once."""


@dataclass(frozen=True)
class FineGrid:
    """One raster to write.

    Attributes
    ----------
    path : Path
    map : str
        Key of a map of the whole run, ``ground``, or empty for a frame.
    frame : int
        Number of the frame.
    is_whole : bool
        Whether its values are whole numbers, 0 being none.
    """

    path: Path
    map: str = ""
    frame: int = -1
    is_whole: bool = False


def can_be_fine(result: FloodResult) -> bool:
    """Return whether a result is on coarse cells that know the ground within them."""
    told = result.statistics.get("subgrid")
    return isinstance(told, dict) and not told.get("is_downscaled", True)


def fine_scenario(result: FloodResult, file: Path) -> FloodScenario:
    """Return the scenario beside a result on coarse cells, its grids left in the file.

    Raises
    ------
    UsageError
        If the result is on its fine cells already.
    DataError
        If the scenario is not there, or of another run.
    """
    if not can_be_fine(result):
        raise UsageError("this flood was not computed on coarse cells, or is on the fine ones already.", remedy="Leave --fine out.")
    scenario = kept_scenario(file, mapped=True)
    subgrid = scenario.subgrid
    if subgrid is None or tuple(size * subgrid.factor for size in result.terrain.shape) != scenario.terrain.shape:
        raise DataError(file, "the scenario beside this flood is of another run.", remedy="Run the scenario again.")
    return scenario


def write_fine(
    grids: Sequence[FineGrid],
    result: FloodResult,
    scenario: FloodScenario,
    crs: Crs | None,
    is_cog: bool,
    progress: Progress,
    cancel: CancelToken,
) -> list[Path]:
    """Write maps and frames of a result on coarse cells as rasters of the fine ground below its levels.

    The water in a coarse cell stands at one level over its fine ground, as much as the run had in it.

    Raises
    ------
    DataError
        If a file cannot be written; those that were there stay.
    """
    from cimdesk.formats.flood_out.rasters import strip_writer

    known = set(result.envelopes) | {"max_depth", "max_speed", "max_depth_speed", "arrival"}
    if any(grid.map in KEYS and grid.map.startswith(("arrival_", "peak", "duration")) and grid.map not in known for grid in grids):
        result = replace(result, envelopes={**from_frames(result), **result.envelopes})
    strips = list(_strips(scenario))
    batches = [grids[k : k + MOST_OPEN] for k in range(0, len(grids), MOST_OPEN)]
    for turn, batch in enumerate(batches):
        with ExitStack() as files:
            place = scenario.terrain
            writers = [files.enter_context(strip_writer(grid.path, place, crs, grid.is_whole, is_cog)) for grid in batch]
            for number, (top, bottom) in enumerate(strips):
                cancel.raise_if_cancelled()
                progress((turn + number / len(strips)) / len(batches), batch[0].path.name)
                below = _Below(result, scenario, top, bottom)
                for grid, write in zip(batch, writers, strict=True):
                    write(top * below.factor, below.values(grid))
    return [grid.path for grid in grids]


def _strips(scenario: FloodScenario) -> Iterator[tuple[int, int]]:
    """Yield first and last row, excluded, of coarse cells of each strip."""
    assert scenario.subgrid is not None
    factor, (rows, columns) = scenario.subgrid.factor, scenario.terrain.shape
    step = max(1, STRIP_CELLS // (columns * factor))
    for top in range(0, rows // factor, step):
        yield top, min(top + step, rows // factor)


class _Below:
    """The fine ground below a strip of coarse cells, and what stands on it."""

    def __init__(self, result: FloodResult, scenario: FloodScenario, top: int, bottom: int) -> None:
        from cimdesk.analysis.flood.subgrid_tables import subgrid_tables

        assert scenario.subgrid is not None
        self.factor = scenario.subgrid.factor
        self._result, self._part = result, slice(top, bottom)
        rows = slice(top * self.factor, bottom * self.factor)
        grid = scenario.terrain
        self.ground: Float32 = np.array(grid.elevations[rows], dtype=np.float32)
        self.is_blocked = np.array(scenario.is_blocked[rows])
        self._is_open = np.isfinite(self.ground) & ~self.is_blocked
        manning = scenario.manning_n
        manning = manning if isinstance(manning, float) else np.array(manning[rows])
        self._tables = subgrid_tables(self.ground, self._is_open, manning, self.factor, np.dtype(scenario.precision))
        self._terrain = Terrain(self.ground, grid.west, grid.north - rows.start * grid.cell_y, grid.cell_x, grid.cell_y)
        self._maxima: FloodResult | None = None

    def values(self, grid: FineGrid) -> AnyArray:
        """Return the values of a raster in this strip."""
        if grid.map == "ground":
            return self.ground
        if not grid.map:
            return np.where(self._is_open, self._depths(self._result.depths[grid.frame]), np.float32(np.nan))
        values = values_of(self.maxima, grid.map)
        return np.nan_to_num(values).astype(np.uint8) if grid.is_whole else values

    def _depths(self, held: Any) -> Float32:
        from cimdesk.analysis.flood.subgrid import shown_depths

        return shown_depths(self._tables, self.ground, self._is_open, np.asarray(held)[self._part], self.factor)

    @property
    def maxima(self) -> FloodResult:
        """The run in this strip without its frames: depths of the fine cells, all else of the coarse ones around them."""
        if self._maxima is None:
            from cimdesk.analysis.flood.grid import GRAVITY
            from cimdesk.analysis.flood.kernels import ARRIVAL_DEPTH
            from cimdesk.analysis.flood.run import FROUDE_CAP

            deepest = self._depths(self._result.max_depth)
            # As the run itself does where it shows its fine cells: shallow water beside deep one is not as fast.
            fastest = np.minimum(self._spread(self._result.max_speed), FROUDE_CAP * np.sqrt(GRAVITY * deepest)).astype(np.float32)
            arrival = np.where(deepest > ARRIVAL_DEPTH, self._spread(self._result.arrival), np.float32(np.nan)).astype(np.float32)
            self._maxima = replace(
                self._result, terrain=self._terrain, is_blocked=self.is_blocked, max_depth=deepest, max_speed=fastest,
                max_depth_speed=self._spread(self._result.max_depth_speed), arrival=arrival, gauges=(), lines=(), flow=None,
                envelopes={name: self._spread(values) for name, values in self._result.envelopes.items()},
            )  # fmt: skip
        return self._maxima

    def _spread(self, values: Any) -> Float32:
        part = np.asarray(values)[self._part].astype(np.float32)
        return np.repeat(np.repeat(part, self.factor, axis=0), self.factor, axis=1)
