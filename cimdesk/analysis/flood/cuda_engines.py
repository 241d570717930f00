"""Both engines with their water on a graphics processor; see `cuda_run`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cimdesk.analysis.flood.cuda_dynamic_kernels import stage_kernels
from cimdesk.analysis.flood.cuda_inertial_kernels import step_kernels
from cimdesk.analysis.flood.cuda_kernels import cuda
from cimdesk.analysis.flood.cuda_water import WATER, DeviceWater, Links, strip_sums, tile_sums
from cimdesk.analysis.flood.dynamic import DynamicEngine
from cimdesk.analysis.flood.edges import EDGES
from cimdesk.analysis.flood.grid import GRAVITY, GridState, Tiles
from cimdesk.analysis.flood.inertial import NOTED_EVERY, InertialEngine
from cimdesk.analysis.flood.ledger import FloodLedger
from cimdesk.analysis.flood.workers import Workers
from cimdesk.base.arrays import AnyArray
from cimdesk.model.flood import EdgeBoundary, FloodScenario


class Places(NamedTuple):
    """Cells that others look at or change, by array: (N, 2) rows and columns in the padded arrays.

    Attributes
    ----------
    touched : dict of name to (N, 2) int
        Cells that may be changed between steps.
    seen : (N, 2) int
        Cells whose depth is looked at besides.
    """

    touched: dict[str, AnyArray]
    seen: AnyArray


class CudaInertialEngine(InertialEngine):
    """Advances the water on the device; the arrays of the state follow when they are asked for."""

    def __init__(
        self, scenario: FloodScenario, state: GridState, tiles: Tiles, workers: Workers, ledger: FloodLedger, water: DeviceWater,
        places: Places,
    ) -> None:  # fmt: skip
        super().__init__(scenario, state, tiles, workers, ledger)
        self._row_seams = self._column_seams = np.zeros((0, 3, 0, 0), dtype=self._real)
        self._water, self._kernels = water, step_kernels(scenario.precision)
        self._touched, self._looked_at = places.touched, _looked_at(scenario, state, places)
        self._device: dict[str, Any] = {}
        self._has_loss = scenario.infiltration > 0.0

    def load(self) -> None:
        """Bring everything to the device, unless it is there."""
        if self._water.is_loaded:
            return
        self._water.load(self._looked_at, self._touched, {"new_x": 0.0, "new_y": 0.0, "limits": 1.0})
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


class CudaDynamicEngine(DynamicEngine):
    """Advances the water on the device; the arrays of the state follow when they are asked for.

    What is beyond open edges is set where it always is, between stages, from the few cells along them.
    """

    def __init__(
        self, scenario: FloodScenario, state: GridState, tiles: Tiles, workers: Workers, ledger: FloodLedger, water: DeviceWater,
        places: Places,
    ) -> None:  # fmt: skip
        super().__init__(scenario, state, tiles, workers, ledger)
        self._mass_x = self._mass_y = np.zeros((0, 0), dtype=self._real)
        self._water, self._kernels = water, stage_kernels(scenario.precision)
        self._places = places
        self._looked_at = _looked_at_in_cells(scenario, state, places)
        self._device: dict[str, Any] = {}
        self._middle_sent: dict[str, Links] = {}
        self._middle_fetched: dict[str, Links] = {}
        self._has_loss = scenario.infiltration > 0.0

    def load(self) -> None:
        """Bring everything to the device, unless it is there."""
        if self._water.is_loaded:
            return
        within, beyond = (_along(self._boundaries, self._state.h.shape, place) for place in ("cells", "beyond"))
        sent = {name: unique_cells(self._places.touched[name], beyond) for name in ("h", "qx", "qy")}
        self._water.load(self._looked_at, self._places.touched | sent, {f"{name}_mid": 0.0 for name in WATER})
        if len(within):
            self._middle_fetched, self._middle_sent = (
                {"": Links(dict.fromkeys(("h", "qx", "qy"), cells), self._real)} for cells in (within, beyond)
            )
        count, nothing = len(self._tiles.depths), self._state.another()
        self._device = {
            "wet": cuda.to_device(np.zeros(count, dtype=np.int32)), "speeds": cuda.to_device(np.zeros(count, dtype=self._real)),
            "given": cuda.to_device(self._given), "is_given": cuda.to_device(self._is_given),
            "edges": cuda.to_device(self._edges), "flags": cuda.to_device(np.zeros_like(self._state.flags)),
            "faces": cuda.device_array((2, 4, *nothing.shape), dtype=self._real),
        }  # fmt: skip
        for side in range(2):
            for flux in range(4):
                self._device["faces"][side, flux].copy_to_device(nothing)
        self._device["parts"], self._device["sums"] = strip_sums(count if self._has_loss else 1)

    def release(self) -> None:
        """Bring everything back and give the memory of the device back."""
        self._water.release()
        self._device, self._middle_sent, self._middle_fetched = {}, {}, {}

    def step(self, time: float, dt: float, rain: float, loss: float, is_due: bool) -> None:
        """Advance to ``time + dt`` as `DynamicEngine.step`."""
        self.load()
        s, real, device, water, kernels = self._state, self._real, self._device, self._water, self._kernels
        f, dt_dx, gravity = water.fields, real(dt / self._dx), real(GRAVITY)
        start = tuple(f[name] for name in WATER)
        middle = tuple(f[f"{name}_mid"] for name in WATER)
        self._set_edges((s.h, s.lo, s.qx, s.qy), time)
        water.send_links()
        self._find_fluxes(start, 0)
        water.each(
            kernels.advance, *start, f["z"], f["k"], device["faces"], *middle, device["flags"], dt_dx, real(dt), gravity, self._keep
        )
        self._repair(start, middle, 0, real(1.0), dt_dx)
        self._set_middle_edges(middle, time + dt)
        self._find_fluxes(middle, 1)
        water.each(
            kernels.finish, *middle, f["z"], f["k"], device["faces"], *start, device["flags"], f["rain_share"], f["deepest"],
            f["speed2"], f["discharge2"], f["arrival"], device["wet"], device["speeds"], device["parts"],
            dt_dx, real(dt), gravity, self._keep, real(rain), real(loss), real(time + dt),
        )  # fmt: skip
        self._repair(middle, start, 1, real(0.5), dt_dx)
        water.stepped(True)
        if loss > 0.0:
            self._tiles.losses[:] = tile_sums(device["parts"], device["sums"])
        if self._boundaries:
            device["edges"].copy_to_host(self._edges)
        self._record_edges(dt_dx)
        self._tiles.depths[:] = device["wet"].copy_to_host()
        self._tiles.speeds[:] = device["speeds"].copy_to_host()
        self._fastest = float(self._tiles.speeds.max())

    def cell_discharges(self) -> tuple[AnyArray, AnyArray]:
        """Return the (R, C) unit discharges to the east and to the south in the cells [m2 s-1]."""
        self._water.fetch("qx", "qy")
        return super().cell_discharges()

    def _find_fluxes(self, water: tuple[Any, ...], stage: int) -> None:
        h, _, qx, qy = water
        device = self._device
        self._water.each(
            self._kernels.face, h, self._water.fields["z"], qx, qy, device["faces"], device["edges"], device["is_given"],
            device["given"], device["flags"], device["wet"], device["speeds"], stage, self._real(GRAVITY),
        )  # fmt: skip

    def _repair(self, source: tuple[Any, ...], target: tuple[Any, ...], stage: int, share: Any, dt_dx: Any) -> None:
        """Cut the outflows of cells that gave more than they hold."""
        h, _, qx, qy = source
        device = self._device
        self._water.each(
            self._kernels.repair, device["flags"], h, qx, qy, device["faces"], *target, device["edges"], stage, share,
            dt_dx, self._keep,
        )  # fmt: skip

    def _set_edges(self, water: tuple[AnyArray, ...], time: float) -> None:
        self._fill_edges(water, time)
        if self._is_given.any():
            self._device["given"].copy_to_device(self._given)

    def _set_middle_edges(self, middle: tuple[Any, ...], time: float) -> None:
        """Set what is beyond the edges in the last stage, from the cells along them."""
        if not self._boundaries:
            return
        on_device, here = dict(zip(WATER, middle, strict=True)), dict(zip(WATER, self._stage, strict=True))
        for links in self._middle_fetched.values():
            links.fetch(on_device, here)
        self._set_edges(self._stage, time)
        for links in self._middle_sent.values():
            links.send(on_device, here)


CudaEngine = CudaInertialEngine | CudaDynamicEngine
CUDA_ENGINES: dict[str, type[CudaEngine]] = {"inertial": CudaInertialEngine, "dynamic": CudaDynamicEngine}


def _looked_at(scenario: FloodScenario, state: GridState, places: Places) -> dict[str, AnyArray]:
    """Return the cells of each array that are looked at between steps: touched ones, gauges, open edges and lines."""
    shape, is_across = state.h.shape, {"qx": True, "qy": False}
    faces = {
        name: [
            _along(scenario.boundaries, shape, "faces", (across,)),
            *(cells for cells, side in _line_faces(scenario) if side == across),
        ]
        for name, across in is_across.items()
    }
    cells = [places.touched["h"], places.seen, _along(scenario.boundaries, shape, "cells")]
    return {"h": unique_cells(*cells), "lo": places.touched["lo"], **{name: unique_cells(*found) for name, found in faces.items()}}


def _looked_at_in_cells(scenario: FloodScenario, state: GridState, places: Places) -> dict[str, AnyArray]:
    """Return the same where discharges are those of cells: a face then looks at both of its cells."""
    along = _along(scenario.boundaries, state.h.shape, "cells")
    beside = {True: np.array([[0, 1]]), False: np.array([[1, 0]])}
    both: dict[bool, list[AnyArray]] = {True: [], False: []}
    for faces, across in _line_faces(scenario):
        both[across] += [faces, faces - beside[across]]
    return {
        "h": unique_cells(places.touched["h"], places.seen, along), "lo": places.touched["lo"],
        "qx": unique_cells(places.touched["qx"], along, *both[True]), "qy": unique_cells(places.touched["qy"], along, *both[False]),
    }  # fmt: skip


def _line_faces(scenario: FloodScenario) -> list[tuple[AnyArray, bool]]:
    """Return the faces of the lines in the padded arrays, and whether water crosses them along the rows."""
    return [
        (faces[:, :2] + 1, is_across)
        for line in scenario.lines for faces, is_across in ((line.west_faces, True), (line.north_faces, False))
    ]  # fmt: skip


def _along(
    boundaries: Sequence[EdgeBoundary], shape: tuple[int, ...], place: str, sides: tuple[bool, ...] = (True, False)
) -> AnyArray:
    """Return the (N, 2) ``cells``, ``beyond`` or ``faces`` of open edges that water crosses along the rows (True) or columns."""
    rows, columns = (np.arange(size) for size in shape)
    found = []
    for edge in (EDGES[boundary.edge] for boundary in boundaries if boundary.kind != "closed"):
        if edge.is_across in sides:
            down, across = getattr(edge, place)
            found.append(np.column_stack(np.broadcast_arrays(rows[down], columns[across])))
    return unique_cells(*found)


def unique_cells(*cells: AnyArray) -> AnyArray:
    """Return all of some (N, 2) cells once, in the order of the grid."""
    return np.unique(np.concatenate([np.zeros((0, 2), dtype=np.int64), *cells]).astype(np.int64), axis=0)
