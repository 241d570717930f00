"""Runs on a graphics processor: the same steps, inputs and results as on processors, within rounding.

Rain, infiltration, friction, walls, maxima and times are computed there. Drains, structures, inlets and edges are computed where
they always are, on the few cells they touch, which travel at each step; whole grids travel for frames, checkpoints and live views.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cimdesk.analysis.flood import cuda_kernels
from cimdesk.analysis.flood.cuda_devices import memory_needed, need_gpu, refuse_large
from cimdesk.analysis.flood.cuda_engines import CUDA_ENGINES, CudaEngine, Places, unique_cells
from cimdesk.analysis.flood.cuda_kernels import cuda
from cimdesk.analysis.flood.cuda_water import MAXIMA, WATER, DeviceWater, strip_sums, tile_sums
from cimdesk.analysis.flood.envelopes import ARRIVALS, DURATIONS, Envelopes
from cimdesk.analysis.flood.exchange import Exchange
from cimdesk.analysis.flood.grid import GridState, Tiles, cells_of
from cimdesk.analysis.flood.hydrology import Hydrology
from cimdesk.analysis.flood.ledger import FloodLedger
from cimdesk.analysis.flood.run import Run
from cimdesk.analysis.flood.workers import Workers
from cimdesk.base.arrays import AnyArray, Float32
from cimdesk.base.jobs import CancelToken
from cimdesk.model.flood import FloodResult, FloodScenario


class CudaHydrology(Hydrology):
    """Rain fields and soils on the device."""

    def __init__(
        self, scenario: FloodScenario, state: GridState, tiles: Tiles, workers: Workers, ledger: FloodLedger,
        engine: CudaEngine, water: DeviceWater,
    ) -> None:  # fmt: skip
        super().__init__(scenario, state, tiles, workers, ledger)
        self._engine, self._water = engine, water
        self._device: dict[str, Any] = {}

    def fetch(self) -> None:
        """Bring what the soil remembers up to date."""
        if self._device:
            self._device["memory"].copy_to_host(self.memory)

    def release(self) -> None:
        """Give the memory of the device back."""
        self.fetch()
        self._device = {}

    def _apply(self, has_rain: bool, seconds: float) -> None:
        self._engine.load()
        device, f = self._device, self._water.fields
        if not device:
            for name, array in (("classes", self._classes), ("parameters", self._parameters), ("memory", self.memory)):
                device[name] = cuda.to_device(array)
            device["fallen"] = cuda.to_device(self._fallen)
            for name in ("rain", "loss"):
                device[f"{name} parts"], device[f"{name} sums"] = strip_sums(len(self._tile_rain))
        elif has_rain:
            device["fallen"].copy_to_device(self._fallen)
        self._water.each(
            cuda_kernels.soil_cells, f["h"], f["lo"], device["fallen"], f["rain_share"], device["classes"], device["parameters"],
            device["memory"], device["rain parts"], device["loss parts"], has_rain, self._model, seconds,
        )  # fmt: skip
        self._tile_rain[:] = tile_sums(device["rain parts"], device["rain sums"])
        self._tile_loss[:] = tile_sums(device["loss parts"], device["loss sums"])
        self._water.stepped(False)


class CudaEnvelopes(Envelopes):
    """Times of the peak, of arrival and durations, noted on the device."""

    def __init__(
        self, is_wanted: bool, state: GridState, tiles: Tiles, workers: Workers, begin: float, engine: CudaEngine,
        water: DeviceWater,
    ) -> None:  # fmt: skip
        self._engine, self._water = engine, water
        self._device: dict[str, Any] = {}
        self._is_begun = False
        super().__init__(is_wanted, state, tiles, workers, begin)
        self._is_begun = True

    def fetch(self) -> None:
        """Bring the notes up to date."""
        for name, array in self._device.items():
            array.copy_to_host(vars(self)[name])

    def release(self) -> None:
        """Give the memory of the device back."""
        self.fetch()
        self._device = {}

    def _note(self, time: float) -> None:
        if not self._is_begun:
            super()._note(time)
            return
        self._engine.load()
        if not self._device:
            self._device = {name: cuda.to_device(vars(self)[name]) for name in ("seen", "peak", "arrivals", "durations")}
        device, f, real = self._device, self._water.fields, self._state.h.dtype.type
        self._water.each(
            cuda_kernels.note_cells, f["h"], f["deepest"], device["seen"], device["peak"], device["arrivals"],
            device["durations"], cuda.to_device(np.array(ARRIVALS, dtype=real)), cuda.to_device(np.array(DURATIONS, dtype=real)),
            np.float32(time), np.float32(time - self.noted),
        )  # fmt: skip
        self.noted = time


class CudaRun(Run):
    """A run whose water is on a graphics processor.

    Raises
    ------
    ServiceError
        If there is none, or it has too little memory free.
    """

    def __init__(self, scenario: FloodScenario, threads: int, cancel: CancelToken, exchanges: Sequence[Exchange] = ()) -> None:
        self._device_name = need_gpu()
        refuse_large(memory_needed(scenario), int(min(cuda.current_context().get_memory_info()[0], 2**62)))
        super().__init__(scenario, threads, cancel, exchanges)
        engine, state, tiles, workers = self.engine, self.state, self.tiles, self._workers
        assert isinstance(engine, CudaEngine)
        self._hydrology = CudaHydrology(scenario, state, tiles, workers, self.ledger, engine, self._water)
        self._envelopes = CudaEnvelopes(scenario.timings, state, tiles, workers, scenario.begin_time, engine, self._water)

    def _new_engine(self) -> CudaEngine:
        self._water = DeviceWater(self.state, self.tiles)
        placed = [np.column_stack([rows, columns]) for rows, columns, _, _ in self._inflows]
        exchanged = np.column_stack(self._exchanges.cells()) + 1
        wet = np.concatenate([*placed, exchanged]).astype(np.int64)
        touched = {"h": wet, "lo": wet, "z": np.column_stack(self._beds.cells()) + 1}
        if self.scenario.engine == "dynamic":
            touched |= {"qx": exchanged, "qy": exchanged}
        gauges = np.array([(gauge.x, gauge.y) for gauge in self.scenario.gauges], dtype=np.float64).reshape(-1, 2)
        rows, columns, _ = cells_of(self.scenario, gauges)
        places = Places({name: unique_cells(cells) for name, cells in touched.items()}, np.column_stack([rows, columns]) + 1)
        engine = CUDA_ENGINES[self.scenario.engine]
        return engine(self.scenario, self.state, self.tiles, self._workers, self.ledger, self._water, places)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for part in (self.engine, self._hydrology, self._envelopes):
            assert isinstance(part, CudaEngine | CudaHydrology | CudaEnvelopes)
            part.release()

    @property
    def depth(self) -> AnyArray:
        """(R, C) view of the depths now [m]."""
        self._water.fetch("h")
        return super().depth

    def parts(self) -> dict[str, Any]:
        """Return the objects that hold all that changes, up to date."""
        self._fetch_all()
        return super().parts()

    def mass_error(self) -> float:
        """Return the water that is missing now, as a share of the largest volume held."""
        self._water.fetch("h", "lo")
        return super().mass_error()

    def frame(self) -> Float32:
        """Return the (R, C) float32 depths now."""
        self._water.fetch(*WATER)
        return super().frame()

    def flow(self) -> bytes:
        """Return the velocities of blocks of cells now."""
        self._water.fetch(*WATER)
        return super().flow()

    def envelopes(self) -> tuple[Float32, Float32, Float32, Float32]:
        """Return the running maxima and the time of arrival."""
        self._water.fetch(*MAXIMA)
        return super().envelopes()

    def result(self, times: Any, depths: Float32) -> FloodResult:
        """Return what has been simulated so far."""
        self._fetch_all()
        return super().result(times, depths)

    def statistics(self) -> dict[str, Any]:
        """Return the figures of what has been simulated so far."""
        self._water.fetch(*MAXIMA)
        return super().statistics() | {"device": "gpu", "device_name": self._device_name}

    def _fetch_all(self) -> None:
        self._water.fetch()
        for part in (self._hydrology, self._envelopes):
            assert isinstance(part, CudaHydrology | CudaEnvelopes)
            part.fetch()
