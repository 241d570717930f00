"""Drains in a flood run: the network of a scenario placed on its grid, SWMM started for the run, its figures in the result."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Strings
from cimdesk.base.crs import Crs, LocalFrame
from cimdesk.base.errors import DataError
from cimdesk.commands.placing import place
from cimdesk.formats import registry
from cimdesk.model.drainage import Drainage, DrainageSeries
from cimdesk.model.flood import FloodResult, FloodScenario
from cimdesk.model.network import NodeKind, Utility, UtilityNetwork

if TYPE_CHECKING:
    from cimdesk.analysis.flood.drainage import DrainageExchange, Inlets, Outfalls
    from cimdesk.formats.scenario_inputs import DrainageInput
    from cimdesk.model.drainage import SewerState, SewerTotals
    from cimdesk.services.swmm import SewerProcess

RIM_TOLERANCE = 1.0
"""A manhole whose rim is farther than this from the ground of its cell is not at the surface there [m]."""
INLET_REACH, OUTFALL_REACH = 1, 2
"""Cells within which open ground is looked for around a manhole, and the lowest ground around an outfall."""


def read_drainage(asked: DrainageInput, crs: Crs | None) -> Drainage:
    """Return the drains of a scenario file, in the system of its terrain.

    Raises
    ------
    DataError
        If the file holds no drainage network with coordinates, or lacks a node that the scenario names.
    """
    found = [source for source in registry.read(asked.network).sources if isinstance(source.data, UtilityNetwork)]
    network = place(found[0].data, found[0].crs, LocalFrame(crs, (0.0, 0.0, 0.0))) if found else None
    if not isinstance(network, UtilityNetwork) or network.utility is not Utility.DRAINAGE or "options" not in network.metadata:
        raise DataError(asked.network, "this file holds no drainage network.", remedy="Give a SWMM input file.")
    if not np.isfinite(network.positions[:, :2]).all(axis=1).any():
        raise DataError(
            asked.network, "no node of the drainage network has coordinates.", remedy="Add a [COORDINATES] section to the file."
        )
    ids = network.nodes.ids
    clogging = np.full(len(ids), asked.clogging)
    for share, nodes in asked.clogged:
        clogging[_rows(asked, ids, nodes, "drainage.clogged")] = share
    is_sealed = np.zeros(len(ids), dtype=bool)
    is_sealed[_rows(asked, ids, asked.sealed, "drainage.sealed")] = True
    rims = np.asarray(network.nodes.columns["rim_elevation"], dtype=np.float64)
    return Drainage(
        source=str(asked.network), digest=hashlib.sha256(asked.network.read_bytes()).hexdigest()[:16], ids=ids,
        positions=network.positions[:, :2].copy(), rims=rims, inverts=network.positions[:, 2].copy(),
        is_outfall=network.node_kind == NodeKind.OUTFALL, is_sealed=is_sealed, clogging=clogging,
        intake_limit=asked.intake_limit, manhole_area=asked.manhole_area, step=asked.step,
        encoding=str(network.metadata.get("encoding", "utf-8")),
    )  # fmt: skip


def _rows(asked: DrainageInput, ids: Strings, nodes: Sequence[str], where: str) -> list[int]:
    row_of = {node: row for row, node in enumerate(ids.tolist())}
    missing = [node for node in nodes if node not in row_of]
    if missing:
        raise DataError(asked.path, "the drainage network has no node '{id}'.", where=where, id=missing[0])
    return [row_of[node] for node in nodes]


def can_run_drains() -> bool:
    """Return whether SWMM is installed."""
    from cimdesk.services.swmm import has_swmm

    return has_swmm()


def unblocked(scenario: FloodScenario, nodes: Sequence[str]) -> FloodScenario:
    """Return a scenario whose drains have these inlets cleared: the measure to compare a run with."""
    if scenario.drainage is None:
        return scenario
    clogging = np.where(np.isin(scenario.drainage.ids.astype(str), list(nodes)), 0.0, scenario.drainage.clogging)
    return replace(scenario, drainage=replace(scenario.drainage, clogging=clogging))


@dataclass(frozen=True)
class Placed:
    """Where drains meet a grid.

    Attributes
    ----------
    inlets, outfalls : (K,), (M,) int64
        Rows of the nodes.
    inlet_places, outfall_places : Inlets, Outfalls
    """

    inlets: Any
    outfalls: Any
    inlet_places: Inlets
    outfall_places: Outfalls


def place_drains(scenario: FloodScenario, drains: Drainage) -> Placed:
    """Return where the nodes of the drains meet the open ground of a scenario's grid.

    Raises
    ------
    DataError
        If no manhole does.
    """
    from cimdesk.analysis.flood.drainage import Inlets, Outfalls, inlet_cells, lowest_cells
    from cimdesk.analysis.flood.grid import cells_of

    beds = scenario.terrain.elevations.astype(np.float64)
    is_open: Bool = np.asarray(np.isfinite(beds) & ~scenario.is_blocked)
    is_placed: Bool = np.asarray(np.isfinite(drains.positions).all(axis=1))
    rows, columns, _ = cells_of(scenario, np.where(is_placed[:, np.newaxis], drains.positions, -1e7))
    cells, has_cell = inlet_cells(rows, columns, is_open, INLET_REACH)
    ground: Float = np.full(len(drains.ids), np.nan)
    ground[has_cell] = beds[cells[has_cell, 0], cells[has_cell, 1]]
    off = np.abs(np.nan_to_num(drains.rims - ground, nan=0.0))
    inlets = np.flatnonzero(has_cell & is_placed & ~drains.is_outfall & ~drains.is_sealed & (off <= RIM_TOLERANCE))
    outfalls = np.flatnonzero(has_cell & is_placed & drains.is_outfall)
    if not len(inlets):
        raise DataError(
            drains.source,
            "no manhole of the drainage network is on open ground of the grid.",
            remedy="Check its coordinate system and its rim levels.",
        )
    limits = np.full(len(inlets), drains.intake_limit)
    places = Inlets(cells[inlets], ground[inlets], 1.0 - drains.clogging[inlets], limits, drains.manhole_area)
    ends = lowest_cells(cells[outfalls], beds, is_open, OUTFALL_REACH)
    return Placed(inlets, outfalls, places, Outfalls(ends, beds[ends[:, 0], ends[:, 1]], drains.inverts[outfalls]))


@contextmanager
def coupled(scenario: FloodScenario) -> Iterator[DrainageRun]:
    """Start the drains of a scenario for one run and end them after it.

    Raises
    ------
    UsageError, DataError, ServiceError
        If SWMM is not installed, refuses the network, or stops.
    """
    from cimdesk.analysis.flood.drainage import DrainageExchange
    from cimdesk.services.swmm import SewerPlan, SewerProcess, require_swmm

    assert scenario.drainage is not None
    require_swmm()
    drains = scenario.drainage
    placed = place_drains(scenario, drains)
    beyond = () if drains.outside is None else np.setdiff1d(drains.outside.rows, placed.inlets)
    inlets = np.concatenate([placed.inlets, beyond]).astype(np.int64)
    plan = SewerPlan(
        source=Path(drains.source), ids=drains.ids, inlets=inlets, outfalls=placed.outfalls,
        manhole_area=drains.manhole_area, step=drains.step, start=scenario.start_time or None, duration=scenario.duration,
        encoding=drains.encoding,
    )  # fmt: skip
    with SewerProcess(plan) as process:
        sewers = RecordedSewers(process, drains.source)
        if drains.outside is not None:
            sewers = SewersBeyond(process, drains, len(placed.inlets), np.asarray(beyond))
        wide = 1 if scenario.subgrid is None else scenario.subgrid.factor
        area = scenario.terrain.cell_x * scenario.terrain.cell_y * wide**2
        exchange = DrainageExchange(
            placed.inlet_places, placed.outfall_places, sewers, area, sewer_step=drains.step, interval=max(drains.step, 1.0)
        )
        yield DrainageRun(scenario, drains, placed, sewers, exchange)


class RecordedSewers:
    """Sewers that keep what they were given, so that other ones of the same network can be brought to the same state.

    SWMM's own hot start keeps less than it needs to go on as it would have; the same input again gives the same to the last bit.
    """

    def __init__(self, process: SewerProcess, source: str) -> None:
        self._process, self._source = process, source
        self._steps: list[int] = []
        self._volumes: list[Float] = []
        self._levels: list[Float] = []

    @property
    def heads(self) -> Float:
        """(K,) float64 head at each inlet now [m]."""
        return self._process.heads

    def advance(self, steps: int, volumes: Float, levels: Float) -> SewerState:
        """Take some steps; see `cimdesk.analysis.flood.drainage.Sewers`."""
        self._steps.append(steps)
        self._volumes.append(volumes.copy())
        self._levels.append(levels.copy())
        return self._process.advance(steps, volumes, levels)

    def replay(self, heads: Float) -> None:
        """Go through all steps that were recorded; they must end at these (K,) heads.

        Raises
        ------
        DataError
            If they do not: SWMM or the network is another one than before.
        """
        for steps, volumes, levels in zip(self._steps, self._volumes, self._levels, strict=True):
            self._process.advance(steps, volumes, levels)
        if not np.array_equal(self.heads, heads):
            raise DataError(
                self._source, "the drains do not come to where they were: the network or SWMM has changed.",
                remedy="Run the scenario from its beginning.",
            )  # fmt: skip

    def depths(self) -> Float32:
        """Return (N,) float32 water above the invert at every node now [m]."""
        return self._process.depths()

    def totals(self) -> SewerTotals:
        """Return SWMM's own account so far."""
        return self._process.totals()


class SewersBeyond(RecordedSewers):
    """Sewers of which only some manholes are on the grid; the others take what they took in another run."""

    def __init__(self, process: SewerProcess, drains: Drainage, inside: int, beyond: Any) -> None:
        super().__init__(process, drains.source)
        assert drains.outside is not None
        self._inside, self._step, self._known = inside, drains.step, drains.outside
        self._columns = np.array([int(np.flatnonzero(drains.outside.rows == row)[0]) for row in beyond], dtype=np.int64)
        self._time = 0.0
        self._carried: Float = np.zeros(len(beyond))

    @property
    def heads(self) -> Float:
        """(K,) float64 head at each inlet on the grid now [m]."""
        return super().heads[: self._inside]

    def advance(self, steps: int, volumes: Float, levels: Float) -> SewerState:
        """Take some steps, with what came in beyond the grid meanwhile."""
        span = steps * self._step
        row = min(int(np.searchsorted(self._known.times, self._time + 0.5 * span)), len(self._known.times) - 1)
        self._carried += self._known.flows[row, self._columns].astype(np.float64) * span
        self._time += span
        state = super().advance(steps, np.concatenate([volumes, self._carried]), levels)
        self._carried -= state.received[self._inside :]
        return replace(state, heads=state.heads[: self._inside], received=state.received[: self._inside])


class DrainageRun:
    """The drains of one run: an exchange of the run that also keeps what every node did."""

    def __init__(
        self, scenario: FloodScenario, drains: Drainage, placed: Placed, sewers: RecordedSewers, exchange: DrainageExchange
    ) -> None:
        self.exchange = exchange
        self._scenario, self._drains, self._placed, self._sewers = scenario, drains, placed, sewers
        self._times: list[float] = []
        self._depths: list[Float32] = []
        self._flows: list[Float32] = []
        self._passed: Float = exchange.passed.copy()
        self._delivered: Float = exchange.delivered.copy()
        self._every = scenario.output_every
        self._next = 0.0

    @property
    def cells(self) -> Any:
        """Cells that exchange; see `cimdesk.analysis.flood.exchange.Exchange`."""
        return self.exchange.cells

    def parts(self) -> dict[str, Any]:
        """Return what besides this changes in a run; see `cimdesk.analysis.flood.memory`."""
        return {"law": self.exchange, "ledger": self.exchange.ledger, "sewers": self._sewers}

    def catch_up(self) -> None:
        """Bring the pipes to where they were when what was put back was taken.

        Raises
        ------
        DataError
            If they do not come there.
        """
        self._sewers.replay(self.exchange.known_heads)

    def step(self, time: float, dt: float, depths: Float, levels: Float) -> Float:
        """Exchange, and keep the nodes' state at each output time."""
        if time >= self._next - 1e-9:
            self._keep(time)
        return self.exchange.step(time, dt, depths, levels)

    def accepted(self, volumes: Float) -> None:
        """Book what was exchanged."""
        self.exchange.accepted(volumes)

    def finish(self, result: FloodResult) -> FloodResult:
        """Bring the drains to the end of the run and return the result with their figures and series."""
        self.exchange.meet(self._scenario.duration)
        self._keep(self._scenario.duration)
        drains = self._drains
        rims = np.where(np.isfinite(drains.rims), drains.rims, np.nan)
        rims[self._placed.inlets] = self._placed.inlet_places.crests
        rims[drains.is_outfall] = np.nan
        series = DrainageSeries(
            drains.ids, drains.positions, drains.inverts, rims, np.array(self._times), np.stack(self._depths), np.stack(self._flows)
        )
        statistics = {**result.statistics, "drainage": self._figures(result, series)}
        return replace(result, statistics=statistics, drainage=series)

    def _keep(self, time: float) -> None:
        span = time - self._times[-1] if self._times else 1.0
        if span <= 0.0:
            return
        flows = np.zeros(len(self._drains.ids), dtype=np.float32)
        flows[self._placed.inlets] = (self.exchange.passed - self._passed) / span
        flows[self._placed.outfalls] = (self._delivered - self.exchange.delivered) / span
        self._times.append(time)
        self._depths.append(self._sewers.depths())
        self._flows.append(flows)
        self._passed = self.exchange.passed.copy()
        self._delivered = self.exchange.delivered.copy()
        self._next = (np.floor(time / self._every + 1e-9) + 1.0) * self._every

    def _figures(self, result: FloodResult, series: DrainageSeries) -> dict[str, Any]:
        exchange, ledger, totals = self.exchange, self.exchange.ledger, self._sewers.totals()
        surcharged = exchange.given > 1.0
        missing = exchange.mass_missing + float(result.statistics["mass_error"]) * float(result.volume.max(initial=0.0))
        held = max(float(result.volume.max(initial=0.0)), ledger.inflow, totals.stored, 1e-9)
        return {
            "network": Path(self._drains.source).name,
            "nodes": len(series.ids),
            "inlets": len(self._placed.inlets),
            "sealed": int(len(series.ids) - len(self._placed.inlets) - np.count_nonzero(self._drains.is_outfall)),
            "outfalls_on_grid": len(self._placed.outfalls),
            "inflow_m3": ledger.inflow,
            "surcharge_m3": ledger.surcharge,
            "outfall_m3": ledger.outfall + ledger.lost,
            "outfall_to_surface_m3": ledger.outfall_paid,
            "left_model_m3": ledger.lost,
            "stored_m3": totals.stored,
            "in_transit_m3": float(exchange.in_transit.sum() + exchange.owed.sum()),
            "surcharged_nodes": int(np.count_nonzero(surcharged)),
            "mass_error": missing / held,
            "swmm_continuity_error": totals.continuity_error,
            "step_s": exchange.sewer_step,
            "rain": "on the surface only",
        }
