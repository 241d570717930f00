"""Rain that varies in space and soils that take water in, applied at their own pace between the steps of an engine.

Rain and losses of a few seconds are a few thousandths of a millimetre: too small to be added to metres of water at each step of
a float32 run, and dear to compute there. They are gathered for `PACE` seconds and applied at once, in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.analysis.flood import soil_kernels
from cimdesk.analysis.flood.grid import GridState, Tiles
from cimdesk.analysis.flood.ledger import FloodLedger
from cimdesk.analysis.flood.workers import Workers
from cimdesk.base.arrays import AnyArray, Float
from cimdesk.model.flood import FloodScenario
from cimdesk.model.flood_inputs import RainField

PACE = 5.0
"""Longest time for which rain and losses are gathered [s]."""
_MODELS = {"horton": soil_kernels.HORTON, "green-ampt": soil_kernels.GREEN_AMPT}


class Hydrology:
    """The rain field and the soil of a run.

    Attributes
    ----------
    memory : (R + 3, C + 3) float64
        What the soil remembers: Horton, the time on its curve [s]; Green-Ampt, the depth taken in so far [m].
    applied : float
        Seconds from the start up to which rain and losses are in the water.
    """

    def __init__(self, scenario: FloodScenario, state: GridState, tiles: Tiles, workers: Workers, ledger: FloodLedger) -> None:
        self._state, self._tiles, self._workers, self._ledger = state, tiles, workers, ledger
        self._rain = scenario.rain_field
        self._area = float(scenario.terrain.cell_x) ** 2
        self._field: tuple[int, AnyArray] = (-1, np.zeros((1, 1)))
        soil = scenario.soil
        self._model = soil_kernels.NO_SOIL if soil is None else _MODELS[soil.model]
        self._parameters: Float = np.zeros((1, 3)) if soil is None else np.ascontiguousarray(soil.parameters, dtype=np.float64)
        shape = state.h.shape if soil is not None else (1, 1)
        self._classes = np.zeros(shape, dtype=np.uint8)
        self.memory: Float = np.zeros(shape)
        if soil is not None:
            state.inside(self._classes)[:] = soil.classes
        self._fallen: Float = np.zeros(state.h.shape if self._rain is not None else (1, 1))
        self.applied = scenario.begin_time
        self._tile_rain = np.zeros_like(tiles.losses)
        self._tile_loss = np.zeros_like(tiles.losses)

    def __bool__(self) -> bool:
        return self._rain is not None or self._model != soil_kernels.NO_SOIL

    def follow(self, time: float, is_due: bool) -> None:
        """Bring rain and losses up to ``time`` [s], where `PACE` has gone by or they are due, as before an output."""
        if time - self.applied < PACE and not (is_due and time > self.applied):
            return
        has_rain = self._rain is not None and self._gather(self._rain, self.applied, time)
        self._tile_rain[:] = self._tile_loss[:] = 0.0
        self._apply(has_rain, time - self.applied)
        self._ledger.book("rain", float(self._tile_rain.sum()) * self._area)
        self._ledger.book("infiltration", float(self._tile_loss.sum()) * self._area)
        self.applied = time

    def _apply(self, has_rain: bool, seconds: float) -> None:
        """Bring what was gathered in some seconds to the water, and note rain and losses of each tile [m cells]."""
        s = self._state
        self._workers.each(
            soil_kernels.soil_tiles, s.h, s.lo, self._fallen, s.rain_share, self._classes, self._parameters, self.memory,
            self._tile_rain, self._tile_loss, has_rain, self._model, seconds,
        )  # fmt: skip

    def _gather(self, rain: RainField, first: float, last: float) -> bool:
        """Put the depth that falls between two times into ``_fallen``; return whether any does."""
        times = rain.times
        start, end = (int(np.searchsorted(times, time, side="right")) - 1 for time in (first, last))
        inside = self._state.inside(self._fallen)
        is_wet = False
        for k in range(max(start, 0), end + 1):
            until = min(last, times[k + 1]) if k + 1 < len(times) else last
            seconds = until - max(first, times[k])
            if seconds <= 0.0:
                continue
            field = self._rate(rain, k)
            inside[:] = field * seconds if not is_wet else inside + field * seconds
            is_wet = True
        return is_wet

    def _rate(self, rain: RainField, k: int) -> Any:
        if self._field[0] != k:
            self._field = (k, rain.rate(k).astype(np.float64))
        return self._field[1]
