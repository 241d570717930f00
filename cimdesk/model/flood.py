"""FloodScenario (what is simulated) and FloodResult (what came out); both immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.model.drainage import Drainage, DrainageSeries
from cimdesk.model.flood_flow import FlowFrames
from cimdesk.model.flood_inputs import Device, LineGauge, LineSeries, MovingBed, RainField, Soil, Subgrid
from cimdesk.model.terrain import Terrain


@dataclass(frozen=True)
class Series:
    """A quantity against time, linear between points (hydrographs, levels) or held (rain rates).

    Attributes
    ----------
    times : (N,) float64
        Seconds from the start of the run, rising.
    values : (N,) float64
        SI: m3/s, m, or m/s for rain.
    """

    times: Float
    values: Float


@dataclass(frozen=True)
class Gauge:
    """A point whose depth and level are kept for the whole run."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Inflow:
    """Water entering at points: spread evenly over the cells within ``radius`` of each.

    Attributes
    ----------
    points : (N, 2) float64
        World coordinates.
    discharge : Series
        Total over all points [m3/s].
    radius : float
        [m]; zero puts it all in the cell of each point.
    """

    points: Float
    discharge: Series
    radius: float = 0.0


@dataclass(frozen=True)
class EdgeBoundary:
    """What happens at one edge of the grid.

    Attributes
    ----------
    edge : str
        ``north``, ``south``, ``west`` or ``east``.
    kind : str
        ``closed``, ``free`` (normal flow with ``slope``), ``level``, ``discharge``, or ``critical`` (a free fall).
    slope : float
        Bed slope for ``free`` [-].
    level : Series or None
        Water level [m] for ``level``.
    discharge : Series or None
        All that enters through the edge [m3/s], for ``discharge``.
    """

    edge: str
    kind: str = "closed"
    slope: float = 0.001
    level: Series | None = None
    discharge: Series | None = None


@dataclass(frozen=True)
class FloodScenario:
    """Everything a run needs, validated and in SI.

    Attributes
    ----------
    name : str
    terrain : Terrain
        Square cells of the computational size; NaN cells are outside the model.
    manning_n : float or (R, C) float32
        Roughness [s m-1/3].
    is_blocked : (R, C) bool
        Cells inside buildings, which no water enters.
    duration, output_every : float
        [s].
    start_time : float
        Moment of the clock at which the run begins [POSIX s].
    rain : Series or None
        Rate [m/s], each value held until the next time.
    infiltration : float
        Constant loss rate [m/s].
    inflows, boundaries, gauges : tuples
    initial_level : float or (R, C) array or None
        Water level at the start [m]; None starts dry.
    precision : str
        ``float32`` or ``float64``.
    engine : str
        ``inertial``, or ``dynamic`` for the full shallow-water equations.
    rain_on_blocked : str
        ``shed`` puts the rain of blocked cells on their open neighbours; ``drop`` leaves it out.
    drainage : Drainage or None
        Drains below the surface; rain then falls on the surface alone and SWMM's own runoff is off.
    rain_field : RainField or None
        Rain that varies in space, besides ``rain``.
    soil : Soil or None
        Infiltration by soil class, besides ``infiltration``.
    beds : tuple of MovingBed
        Gates and breaches.
    devices : tuple of Device
        Pumps, culverts, storages and boundaries along lines.
    lines : tuple of LineGauge
        Lines across which the discharge is kept.
    timings : bool
        Whether the time of the peak, further times of arrival and durations are kept too.
    subgrid : Subgrid or None
        Coarse cells to compute on; everything else is placed on the cells of the terrain.
    begin_time : float
        Seconds from the start at which the run begins, in the water of ``initial_level``; an output time.
    device : str
        ``cpu``, ``gpu`` (a graphics processor), or ``auto`` for that where there is one. The result is the same within rounding.
    """

    name: str
    terrain: Terrain
    manning_n: float | Float32
    is_blocked: np.ndarray
    duration: float
    output_every: float
    start_time: float = 0.0
    rain: Series | None = None
    infiltration: float = 0.0
    inflows: tuple[Inflow, ...] = ()
    boundaries: tuple[EdgeBoundary, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    initial_level: float | Float | None = None
    precision: str = "float32"
    engine: str = "inertial"
    rain_on_blocked: str = "shed"
    drainage: Drainage | None = None
    rain_field: RainField | None = None
    soil: Soil | None = None
    beds: tuple[MovingBed, ...] = ()
    devices: tuple[Device, ...] = ()
    lines: tuple[LineGauge, ...] = ()
    timings: bool = False
    subgrid: Subgrid | None = None
    begin_time: float = 0.0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    device: str = field(default="cpu", compare=False)

    @property
    def result_terrain(self) -> Terrain:
        """The grid of frames and result."""
        return self.terrain if self.subgrid is None or self.subgrid.is_downscaled else self.subgrid.terrain

    @property
    def result_blocked(self) -> np.ndarray:
        """Which cells of that grid no water enters, though there is ground."""
        if self.subgrid is None or self.subgrid.is_downscaled:
            return self.is_blocked
        return self.subgrid.is_closed & np.isfinite(self.subgrid.terrain.elevations)


@dataclass(frozen=True)
class GaugeSeries:
    """What a gauge saw: its times [s from start], depth [m] and level [m]."""

    gauge: Gauge
    times: Float
    depths: Float
    levels: Float


@dataclass(frozen=True)
class FloodResult:
    """Frames and envelopes of a run.

    Attributes
    ----------
    terrain : Terrain
        The grid the run used; frames have its shape.
    is_blocked : (R, C) bool
    start_time : float
        [POSIX s].
    times : (F,) float64
        Seconds from the start of each frame.
    depths : (F, R, C) float32
        Water depth of each frame [m].
    max_depth, max_speed, max_depth_speed : (R, C) float32
        Running maxima over all steps [m, m/s, m2/s].
    arrival : (R, C) float32
        Seconds until the depth first exceeds 0.05 m; NaN where it never does.
    gauges : tuple of GaugeSeries
    volume, wet_area : (F,) float64
        Water in the model [m3] and area deeper than 0.03 m [m2] of each frame.
    rain : Series or None
        The rain of the run [m/s].
    statistics : mapping
        ``cells``, ``steps``, ``seconds``, ``cell_updates_per_s``, ``mass_error``, engine, cell, limits: what every figure states.
    drainage : DrainageSeries or None
        The nodes of the drains, where the run had any.
    lines : tuple of LineSeries
        What crossed the lines of the scenario.
    envelopes : mapping of name to (R, C) float32
        Further grids over the run: ``peak_time``, ``arrival_0.10``, ``arrival_0.30``, ``duration_0.05`` and so on [s].
    flow : FlowFrames or None
        Velocities of each frame, where they are known.
    """

    name: str
    terrain: Terrain
    is_blocked: np.ndarray
    start_time: float
    times: Float
    depths: Float32
    max_depth: Float32
    max_speed: Float32
    max_depth_speed: Float32
    arrival: Float32
    gauges: tuple[GaugeSeries, ...]
    volume: Float
    wet_area: Float
    rain: Series | None = None
    statistics: Mapping[str, Any] = field(default_factory=dict)
    drainage: DrainageSeries | None = None
    lines: tuple[LineSeries, ...] = ()
    envelopes: Mapping[str, Float32] = field(default_factory=dict)
    flow: FlowFrames | None = None

    def frame_at(self, time: float) -> tuple[int, int, float]:
        """Return the frames around a clock ``time`` [POSIX s] and the weight of the second, for blending."""
        at = time - self.start_time
        later = int(np.searchsorted(self.times, at, side="right"))
        first = min(max(later - 1, 0), len(self.times) - 1)
        second = min(max(later, 0), len(self.times) - 1)
        span = self.times[second] - self.times[first]
        weight = float(np.clip((at - self.times[first]) / span, 0.0, 1.0)) if span > 0 else 0.0
        return first, second, weight

    def depth_at(self, time: float) -> Float32:
        """Return the (R, C) float32 depth at a clock time [POSIX s], blended between frames; dry before the start."""
        if time < self.start_time:
            return np.zeros(self.terrain.shape, dtype=np.float32)
        first, second, weight = self.frame_at(time)
        blended: Float32 = self.depths[first] * np.float32(1.0 - weight) + self.depths[second] * np.float32(weight)
        return blended
