"""Runs of the inertial engine on a graphics processor: the same steps, inputs and results as on processors, within rounding.

Rain, infiltration, friction, walls, maxima and times are computed there. Drains, structures, inlets and edges are computed where
they always are, on the few cells they touch, which travel at each step; whole grids travel for frames, checkpoints and live views.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cimdesk.analysis.flood import cuda_kernels
from cimdesk.analysis.flood.cuda_devices import need_gpu
from cimdesk.analysis.flood.cuda_kernels import cuda
from cimdesk.analysis.flood.cuda_water import MAXIMA, WATER, DeviceWater, strip_sums, tile_sums
from cimdesk.analysis.flood.edges import EDGES
from cimdesk.analysis.flood.envelopes import ARRIVALS, DURATIONS, Envelopes
from cimdesk.analysis.flood.exchange import Exchange
from cimdesk.analysis.flood.grid import GRAVITY, GridState, Tiles, cells_of
from cimdesk.analysis.flood.hydrology import Hydrology
from cimdesk.analysis.flood.inertial import NOTED_EVERY, InertialEngine
from cimdesk.analysis.flood.ledger import FloodLedger
from cimdesk.analysis.flood.run import Run
from cimdesk.analysis.flood.workers import Workers
from cimdesk.base.arrays import AnyArray, Float32
from cimdesk.base.jobs import CancelToken
from cimdesk.model.flood import FloodResult, FloodScenario

NOTES_BYTES, HYDROLOGY_BYTES = 28, 20
"""What times of arrival and the like, and rain fields and soils, need for each cell on the device."""


class CudaInertialEngine(InertialEngine):
    """Advances the water on the device; the arrays of the state follow when they are asked for."""

    def __init__(
        self, scenario: FloodScenario, state: GridState, tiles: Tiles, workers: Workers, ledger: FloodLedger, water: DeviceWater,
        touched: dict[str, AnyArray], seen: AnyArray,
    ) -> None:  # fmt: skip
        super().__init__(scenario, state, tiles, workers, ledger)
        self._row_seams = self._column_seams = np.zeros((0, 3, 0, 0), dtype=self._real)
        self._water, self._kernels = water, cuda_kernels.step_kernels(scenario.precision)
        self._touched, self._looked_at = touched, _looked_at(scenario, state, touched, seen)
        self._device: dict[str, Any] = {}
        self._has_loss = scenario.infiltration > 0.0
        has_hydrology = scenario.soil is not None or scenario.rain_field is not None
        self._beside = NOTES_BYTES * scenario.timings + HYDROLOGY_BYTES * has_hydrology

    def load(self) -> None:
        """Bring everything to the device, unless it is there."""
        if self._water.is_loaded:
            return
        self._water.load(self._looked_at, self._touched, self._beside)
        count = len(self._tiles.depths)
        self._device = {
            "depths": cuda.to_device(np.zeros(count, dtype=np.float32)),
            "given": cuda.to_device(self._given), "is_given": cuda.to_device(self._is_given),
        }  # fmt: skip
        self._device["parts"], self._device["sums"] = strip_sums(count if self._has_loss else 1)

    def release(self) -> None:
        """Bring everything back and give the memory of the device back."""
        self._water.release()
        self._device = {}

    def step(self, time: float, dt: float, rain: float, loss: float, is_due: bool) -> None:
        """Advance to ``time + dt`` as `InertialEngine.step`."""
        self.load()
        real, device, water = self._real, self._device, self._water
        f = water.fields
        dt_dx, g_dt_dx = real(dt / self._dx), real(GRAVITY * dt / self._dx)
        for boundary in self._boundaries:
            self._give(boundary, time, dt)
        if self._is_given.any():
            device["given"].copy_to_device(self._given)
        self._steps += 1
        is_noted = is_due or self._steps % NOTED_EVERY == 0
        water.send_links()
        water.each(
            self._kernels.flow, f["h"], f["z"], f["k"], f["qx"], f["qy"], f["new_x"], f["new_y"], device["is_given"],
            device["given"], device["depths"], g_dt_dx, real(0.5) * real(dt),
        )  # fmt: skip
        water.each(self._kernels.limit, f["h"], f["new_x"], f["new_y"], f["limits"], dt_dx, self._keep)
        water.each(
            self._kernels.settle, f["h"], f["lo"], f["qx"], f["qy"], f["new_x"], f["new_y"], f["limits"], f["rain_share"],
            f["deepest"], f["speed2"], f["discharge2"], f["arrival"], device["depths"], device["parts"],
            dt_dx, real(rain), real(loss), real(time + dt), is_noted,
        )  # fmt: skip
        water.stepped(is_noted)
        if loss > 0.0:
            self._tiles.losses[:] = tile_sums(device["parts"], device["sums"])
        self._record_edges(dt_dx)
        self._tiles.depths[:] = device["depths"].copy_to_host()
        self._deepest = float(self._tiles.depths.max())

    def cell_discharges(self) -> tuple[AnyArray, AnyArray]:
        """Return the (R, C) unit discharges to the east and to the south in the cells [m2 s-1]."""
        self._water.fetch("qx", "qy")
        return super().cell_discharges()


def _looked_at(scenario: FloodScenario, state: GridState, touched: dict[str, AnyArray], seen: AnyArray) -> dict[str, AnyArray]:
    """Return the cells of each array that are looked at between steps: touched ones, gauges, open edges and lines."""
    rows, columns = (np.arange(size) for size in state.h.shape)
    cells, faces = [touched["h"], seen], {True: [np.zeros((0, 2), dtype=int)], False: [np.zeros((0, 2), dtype=int)]}
    for boundary in scenario.boundaries:
        if boundary.kind != "closed":
            edge = EDGES[boundary.edge]
            for index, chosen in ((edge.cells, cells), (edge.faces, faces[edge.is_across])):
                down, across = np.broadcast_arrays(rows[index[0]], columns[index[1]])
                chosen.append(np.column_stack([down, across]))
    for line in scenario.lines:
        faces[True].append(line.west_faces[:, :2] + 1)
        faces[False].append(line.north_faces[:, :2] + 1)
    found = {"h": cells, "lo": [touched["lo"]], "qx": faces[True], "qy": faces[False]}
    return {name: np.unique(np.concatenate(parts).astype(np.int32), axis=0) for name, parts in found.items()}


class CudaHydrology(Hydrology):
    """Rain fields and soils on the device."""

    def __init__(
        self, scenario: FloodScenario, state: GridState, tiles: Tiles, workers: Workers, ledger: FloodLedger,
        engine: CudaInertialEngine, water: DeviceWater,
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
        self, is_wanted: bool, state: GridState, tiles: Tiles, workers: Workers, begin: float, engine: CudaInertialEngine,
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
        If there is none.
    """

    def __init__(self, scenario: FloodScenario, threads: int, cancel: CancelToken, exchanges: Sequence[Exchange] = ()) -> None:
        self._device_name = need_gpu()
        super().__init__(scenario, threads, cancel, exchanges)
        engine, state, tiles, workers = self.engine, self.state, self.tiles, self._workers
        assert isinstance(engine, CudaInertialEngine)
        self._hydrology = CudaHydrology(scenario, state, tiles, workers, self.ledger, engine, self._water)
        self._envelopes = CudaEnvelopes(scenario.timings, state, tiles, workers, scenario.begin_time, engine, self._water)

    def _new_engine(self) -> CudaInertialEngine:
        self._water = DeviceWater(self.state, self.tiles)
        placed = [np.column_stack([rows, columns]) for rows, columns, _, _ in self._inflows]
        wet = _unique([*placed, np.column_stack(self._exchanges.cells()) + 1])
        touched = {"h": wet, "lo": wet, "z": _unique([np.column_stack(self._beds.cells()) + 1])}
        gauges = np.array([(gauge.x, gauge.y) for gauge in self.scenario.gauges], dtype=np.float64).reshape(-1, 2)
        rows, columns, _ = cells_of(self.scenario, gauges)
        seen = np.column_stack([rows, columns]).astype(np.int64) + 1
        return CudaInertialEngine(
            self.scenario, self.state, self.tiles, self._workers, self.ledger, self._water, touched, seen
        )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for part in (self.engine, self._hydrology, self._envelopes):
            assert isinstance(part, CudaInertialEngine | CudaHydrology | CudaEnvelopes)
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


def _unique(cells: Sequence[AnyArray]) -> AnyArray:
    return np.unique(np.concatenate([np.zeros((0, 2), dtype=np.int64), *cells]).astype(np.int64), axis=0)
