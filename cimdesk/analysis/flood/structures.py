"""Structures in the water: pumps, culverts, storages and lines as exchanges; gates and breaches as ground that moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cimdesk.analysis.flood.exchange import Exchange
from cimdesk.analysis.flood.grid import GRAVITY, GridState
from cimdesk.base.arrays import AnyArray, Float
from cimdesk.model.flood_inputs import Culvert, Device, HeldDepths, KnownDrains, LineBoundary, MovingBed, Pump, Storage

WEIR = 0.54
"""Discharge coefficient of a free weir: Q = 2/3 WEIR w d^1.5 sqrt(2 g)."""
ENTRANCE_AND_EXIT_LOSS = 1.5
"""Of a culvert: half a velocity head at a square-edged entrance, one at the exit."""
ORIFICE = 0.6
"""Contraction at a submerged inlet."""
EQUALISING = 0.25
"""Share of the difference between two cells that a culvert evens out in one step at most, so that it does not swing."""


class PumpExchange:
    """A pump: runs between its two levels, hands on what it could take."""

    def __init__(self, pump: Pump, area: float) -> None:
        self._pump = pump
        self.cells: AnyArray = np.asarray(pump.cells)
        self._is_on = False
        self._lifted = 0.0
        self.removed = 0.0

    def step(self, time: float, dt: float, depths: Float, levels: Float) -> Float:
        """Return the (1 or 2,) volumes wanted [m3]."""
        if levels[0] > self._pump.start_level:
            self._is_on = True
        elif levels[0] < self._pump.stop_level:
            self._is_on = False
        wanted = np.zeros(len(self.cells))
        if self._is_on:
            wanted[0] = -self._pump.capacity * dt
        if len(wanted) > 1:
            # What was taken in the step before; the intake may have given less than was asked of it.
            wanted[1] = self._lifted
        return wanted

    def accepted(self, volumes: Float) -> None:
        """Keep what was taken for the outlet."""
        if len(volumes) > 1:
            self._lifted += -float(volumes[0]) - float(volumes[1])
        else:
            self.removed -= float(volumes[0])

    @property
    def held(self) -> float:
        """Water in the pipe between intake and outlet [m3]."""
        return self._lifted


class CulvertExchange:
    """A culvert: the lesser of what its inlet lets in and what its barrel carries, towards the lower level.

    Inlet: weir while its crown is dry, orifice when drowned. Barrel: head loss of entrance, exit and Manning friction, flowing
    full as far as the water stands in it. (FHWA HDS-5, Hydraulic Design of Highway Culverts, 2012, chapter 3, in outline.)
    """

    def __init__(self, culvert: Culvert, area: float) -> None:
        self._culvert = culvert
        self._area = area
        self.cells: AnyArray = np.asarray(culvert.cells)
        self.held = 0.0

    def step(self, time: float, dt: float, depths: Float, levels: Float) -> Float:
        """Return the (2,) volumes wanted [m3]."""
        c = self._culvert
        up, down = (0, 1) if levels[0] >= levels[1] else (1, 0)
        if c.has_flap and up == 1:
            return np.array([0.0, self.held])
        discharge = culvert_discharge(c, float(levels[up]), float(levels[down]), c.inverts[up], c.inverts[down])
        even = EQUALISING * float(levels[up] - levels[down]) * self._area
        volume = min(discharge * dt, max(even, 0.0), float(depths[up]) * self._area)
        wanted = np.zeros(2)
        wanted[up], wanted[down] = -volume, volume
        wanted[1] += self.held
        return wanted

    def accepted(self, volumes: Float) -> None:
        """Keep the difference, if the upper cell gave less than the lower one got, and even it out in the next step."""
        self.held -= float(volumes.sum())


def culvert_discharge(culvert: Culvert, upper: float, lower: float, upper_invert: float, lower_invert: float) -> float:
    """Return the discharge [m3/s] of a culvert for the levels at both ends [m]."""
    head = upper - upper_invert
    if head <= 0.0 or upper <= lower:
        return 0.0
    width, height = culvert.width, culvert.height
    area = (np.pi / 4.0 if culvert.is_round else 1.0) * width * height
    perimeter = np.pi * width if culvert.is_round else 2.0 * (width + height)
    filled = min(head / height, 1.0)
    weir = 2.0 / 3.0 * WEIR * width * filled**0.5 * head**1.5 * np.sqrt(2.0 * GRAVITY)
    orifice = ORIFICE * area * np.sqrt(2.0 * GRAVITY * max(head - 0.5 * height, 1e-9)) if head > height else np.inf
    drop = upper - max(lower, lower_invert + 0.5 * min(head, height))
    losses = ENTRANCE_AND_EXIT_LOSS + 2.0 * GRAVITY * culvert.manning_n**2 * culvert.length / (area / perimeter) ** (4.0 / 3.0)
    barrel = filled * area * np.sqrt(2.0 * GRAVITY * max(drop, 0.0) / losses)
    return float(culvert.barrels * min(weir, orifice, barrel))


class StorageExchange:
    """A tank that fills over a sill and empties again at a throttled rate."""

    def __init__(self, storage: Storage, area: float) -> None:
        self._storage = storage
        self._area = area
        self.cells: AnyArray = np.asarray(storage.cells)
        self.held = 0.0

    def step(self, time: float, dt: float, depths: Float, levels: Float) -> Float:
        """Return the (N,) volumes wanted [m3]."""
        s = self._storage
        over = np.maximum(levels - s.sill, 0.0)
        each = 2.0 / 3.0 * WEIR * (s.width / len(levels)) * over**1.5 * np.sqrt(2.0 * GRAVITY) * dt
        taken = np.minimum(each, np.minimum(over, depths) * self._area)
        room = max(s.capacity - self.held, 0.0)
        if taken.sum() > room:
            taken *= room / taken.sum()
        wanted = -taken
        if s.release > 0.0 and levels[0] < s.sill and not taken.any():
            wanted[0] += min(s.release * dt, self.held)
        return np.asarray(wanted)

    def accepted(self, volumes: Float) -> None:
        """Book what came in and went out."""
        self.held -= float(volumes.sum())


class LineExchange:
    """A boundary along a line inside the grid: held at a level, or let out at normal or critical flow."""

    def __init__(self, line: LineBoundary, area: float) -> None:
        self._line = line
        self._area = area
        self.cells: AnyArray = np.asarray(line.cells)

    def step(self, time: float, dt: float, depths: Float, levels: Float) -> Float:
        """Return the (N,) volumes wanted [m3]."""
        line, width = self._line, np.sqrt(self._area)
        if line.kind == "level":
            wanted = np.interp(time + dt, line.times, line.values) - (levels - depths)
            return np.asarray((np.maximum(wanted, 0.0) - depths) * self._area)
        if line.kind == "critical":
            speed = np.sqrt(GRAVITY * depths)
        else:
            speed = depths ** (2.0 / 3.0) * np.sqrt(line.slope) / line.manning_n
        return np.asarray(-np.minimum(depths * speed * width * dt, 0.5 * depths * self._area))

    def accepted(self, volumes: Float) -> None:
        """What crosses the line is in the ledger of the run already."""


def exchanges_of(devices: Sequence[Device], area: float) -> list[Exchange]:
    """Return the exchange of each device, for cells of an ``area`` [m2]."""
    from cimdesk.analysis.flood.recorded import HeldExchange, KnownDrainsExchange

    kinds: dict[type, Any] = {
        Pump: PumpExchange, Culvert: CulvertExchange, Storage: StorageExchange, LineBoundary: LineExchange,
        HeldDepths: HeldExchange, KnownDrains: KnownDrainsExchange,
    }  # fmt: skip
    return [kinds[type(device)](device, area) for device in devices]


def devices_statistics(devices: Sequence[Exchange]) -> dict[str, float]:
    """Return what pumps and storages hold or have lifted out, and what crossed a held rim [m3], where there are any."""
    from cimdesk.analysis.flood.recorded import HeldExchange

    storages = [device.held for device in devices if isinstance(device, StorageExchange)]
    pumps = [device.removed for device in devices if isinstance(device, PumpExchange)]
    found = {}
    if storages:
        found["stored_m3"] = float(sum(storages))
    if pumps:
        found["pumped_out_m3"] = float(sum(pumps))
    for device in devices:
        if isinstance(device, HeldExchange):
            found |= {"rim_in_m3": device.came, "rim_out_m3": device.went}
    return found


class MovingBeds:
    """The ground of gates and breaches, brought to each moment. Water stays where it is: only the ground below it moves."""

    def __init__(self, beds: Sequence[MovingBed], state: GridState) -> None:
        self._beds = [(bed, bed.cells[:, 0] + 1, bed.cells[:, 1] + 1) for bed in beds]
        self._state = state
        self._until = -1.0
        self.follow(0.0)

    def __bool__(self) -> bool:
        return bool(self._beds)

    def follow(self, time: float) -> bool:
        """Bring the ground to a time [s]; return whether any of it moved."""
        z, moved = self._state.z, False
        for bed, rows, columns in self._beds:
            if self._until >= bed.times[-1]:
                continue
            at = min(max(int(np.searchsorted(bed.times, time, side="right")) - 1, 0), len(bed.times) - 1)
            after = min(at + 1, len(bed.times) - 1)
            span = bed.times[after] - bed.times[at]
            share = min(max((time - bed.times[at]) / span, 0.0), 1.0) if span > 0.0 else 0.0
            heights = (1.0 - share) * bed.heights[at] + share * bed.heights[after]
            if not np.array_equal(z[rows, columns], heights.astype(z.dtype)):
                z[rows, columns] = heights
                moved = True
        self._until = time
        return moved

    def cells(self) -> tuple[AnyArray, AnyArray]:
        """Return rows and columns of all of it."""
        return (
            np.concatenate([np.zeros(0, int), *(rows - 1 for _, rows, _ in self._beds)]),
            np.concatenate([np.zeros(0, int), *(columns - 1 for _, _, columns in self._beds)]),
        )
