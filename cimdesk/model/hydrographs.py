"""Hydrographs: discharges and levels against time, of sensors, of floods or of other models, that may drive a flood here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.model.flood import FloodResult
from cimdesk.model.sensors import Sensors

DISCHARGE, LEVEL = "discharge", "level"
NOWHERE = (float("nan"), float("nan"))
QUANTITIES = {"flow_rate": DISCHARGE, "water_level": LEVEL}


@dataclass(frozen=True)
class Hydrograph:
    """A discharge or a level against time.

    Attributes
    ----------
    name : str
        As its source calls it.
    quantity : str
        ``discharge`` [m3/s] or ``level`` [m].
    times : (N,) float64
        Rising [s].
    values : (N,) float64
    is_dated : bool
        Whether the times are moments [POSIX s] and not seconds from the start of a run.
    place : (x, y) float
        Where it was seen, in the system of ``crs``; NaN where nobody says.
    crs : Crs or None
    """

    name: str
    quantity: str
    times: Float
    values: Float
    is_dated: bool = True
    place: tuple[float, float] = NOWHERE
    crs: Crs | None = None

    @property
    def has_place(self) -> bool:
        """Whether anybody says where it was seen."""
        return bool(np.isfinite(self.place).all())

    def place_in(self, crs: Crs | None) -> tuple[float, float]:
        """Return its place in another system; as it is where either is unknown."""
        if crs is None or self.crs is None or not self.has_place:
            return self.place
        x, y = self.crs.transform(crs, np.array([[*self.place, 0.0]]))[0, :2]
        return float(x), float(y)


def hydrographs_of(data: object, crs: Crs | None = None) -> list[Hydrograph]:
    """Return the discharges and levels that a layer holds, without gaps: readings of sensors, gauges and lines of a flood."""
    found = _of_sensors(data, crs) if isinstance(data, Sensors) else _of_flood(data, crs) if isinstance(data, FloodResult) else []
    return [cleaned(one) for one in found]


def _of_flood(data: FloodResult, crs: Crs | None) -> list[Hydrograph]:
    start, is_dated = data.start_time, data.start_time > 0.0
    levels = [
        Hydrograph(s.gauge.name, LEVEL, s.times + start, s.levels, is_dated, (s.gauge.x, s.gauge.y), crs) for s in data.gauges
    ]
    flows = [Hydrograph(s.gauge.name, DISCHARGE, s.times + start, s.discharges, is_dated, NOWHERE, crs) for s in data.lines]
    return [*levels, *flows]


def _of_sensors(sensors: Sensors, crs: Crs | None) -> list[Hydrograph]:
    columns = sensors.features.columns
    names = columns.get("name", sensors.features.ids)
    found = []
    for row, quantity in enumerate(columns["quantity"].tolist() if "quantity" in columns else ()):
        if quantity in QUANTITIES:
            times, values = sensors.observations.series(row)
            x, y = sensors.positions[row, :2].tolist()
            found.append(Hydrograph(str(names[row]), QUANTITIES[quantity], times, values, True, (x, y), crs))
    return found


def cleaned(one: Hydrograph) -> Hydrograph:
    """Return a hydrograph without gaps, its times rising."""
    times, values = np.asarray(one.times, dtype=np.float64), np.asarray(one.values, dtype=np.float64)
    known = np.isfinite(times) & np.isfinite(values)
    if known.all() and (np.diff(times) > 0.0).all():
        return one
    times, rows = np.unique(times[known], return_index=True)
    return Hydrograph(one.name, one.quantity, times, values[known][rows], one.is_dated, one.place, one.crs)
