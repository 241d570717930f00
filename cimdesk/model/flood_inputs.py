"""What drives and shapes a flood beyond one rain for all: rain that varies in space, soils, structures, lines. All on the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int32, UInt8
from cimdesk.model.terrain import Terrain


class RainField(Protocol):
    """Rain that varies in space: rates held between times.

    Attributes
    ----------
    times : (T,) float64
        Seconds from the start of the run, rising; rate ``k`` holds from ``times[k]`` to ``times[k + 1]``, the last for ever.
    """

    @property
    def times(self) -> Float: ...

    def rate(self, k: int) -> Float32:
        """Return the (R, C) float32 rain rate from ``times[k]`` on [m/s]."""
        ...


@dataclass(frozen=True)
class GaugedRain:
    """Rain between gauges: each cell gets its share of each gauge (Thiessen: one whole share; inverse distance: several).

    Attributes
    ----------
    times : (T,) float64
        [s from the start].
    rates : (T, K) float64
        Of each gauge from each time on [m/s].
    shares : (K, R, C) float32
        Of each gauge in each cell; they sum to one.
    """

    times: Float
    rates: Float
    shares: Float32

    def rate(self, k: int) -> Float32:
        """Return the (R, C) float32 rain rate from ``times[k]`` on [m/s]."""
        field: Float32 = np.tensordot(self.rates[k].astype(np.float32), self.shares, axes=1)
        return field


@dataclass(frozen=True)
class RadarRain:
    """Rain from a series of rasters, such as of a radar.

    Attributes
    ----------
    times : (T,) float64
        [s from the start].
    rates : (T, r, c) float32
        Of the rasters [m/s].
    rows : (R,) int32, columns : (C,) int32
        Row and column of the rasters over each row and column of the grid; -1 outside, where no rain falls.
    """

    times: Float
    rates: Float32
    rows: Int32
    columns: Int32

    def rate(self, k: int) -> Float32:
        """Return the (R, C) float32 rain rate from ``times[k]`` on [m/s]."""
        field: Float32 = self.rates[k][np.ix_(np.maximum(self.rows, 0), np.maximum(self.columns, 0))]
        covered = (self.rows >= 0)[:, np.newaxis] & (self.columns >= 0)
        return np.where(covered & np.isfinite(field), field, np.float32(0.0)).astype(np.float32)


@dataclass(frozen=True)
class Soil:
    """How the ground takes water in, by soil class.

    Attributes
    ----------
    model : str
        ``horton`` or ``green-ampt``.
    parameters : (K, 3) float64
        Horton: initial rate [m/s], final rate [m/s], decay [1/s]. Green-Ampt: conductivity [m/s], suction [m], deficit [-].
    classes : (R, C) uint8
        Row of ``parameters`` for each cell.
    """

    model: str
    parameters: Float
    classes: UInt8


@dataclass(frozen=True)
class Subgrid:
    """A run on coarse cells that know the ground within them.

    Attributes
    ----------
    factor : int
        Fine cells along the side of a coarse one.
    terrain : Terrain
        Coarse cells with the mean of their open ground; NaN where nothing of it is.
    is_closed : (r, c) bool
        Coarse cells without open ground.
    is_downscaled : bool
        Whether frames and result are those of the fine cells; otherwise they are water over the area of the coarse ones.
    """

    factor: int
    terrain: Terrain
    is_closed: Bool
    is_downscaled: bool = True


@dataclass(frozen=True)
class MovingBed:
    """Cells whose ground changes in time: a gate that opens, a dike that breaches.

    Attributes
    ----------
    cells : (N, 2) int
        Row and column.
    times : (T,) float64
        [s from the start], rising.
    heights : (T, N) float64
        Ground at those times, linear between [m].
    """

    cells: AnyArray
    times: Float
    heights: Float


@dataclass(frozen=True)
class Pump:
    """Lifts water out of a cell, to another one or out of the model.

    Attributes
    ----------
    cells : (1, 2) or (2, 2) int
        Intake, and outlet where there is one.
    capacity : float
        [m3/s].
    start_level, stop_level : float
        It starts when the water at the intake stands higher, and stops when lower [m].
    """

    name: str
    cells: AnyArray
    capacity: float
    start_level: float
    stop_level: float


@dataclass(frozen=True)
class Culvert:
    """A pipe or box through a dam or under a road; water runs either way.

    Attributes
    ----------
    cells : (2, 2) int
    inverts : (float, float)
        Lower edge at each end [m].
    width, height, length : float
        [m]; a pipe has ``height`` equal to ``width`` and ``is_round``.
    manning_n : float
    barrels : int
    has_flap : bool
        Water runs from the first end to the second only.
    """

    name: str
    cells: AnyArray
    inverts: tuple[float, float]
    width: float
    height: float
    length: float
    manning_n: float = 0.013
    barrels: int = 1
    is_round: bool = True
    has_flap: bool = False


@dataclass(frozen=True)
class Storage:
    """A tank or sunken garden that fills over a sill and gives back at a throttled rate.

    Attributes
    ----------
    cells : (N, 2) int
        Where water runs in.
    capacity : float
        [m3].
    sill : float
        Level above which water runs in [m].
    width : float
        Length of the sill [m].
    release : float
        Rate at which it empties into its first cell when the water there stands below the sill [m3/s].
    """

    name: str
    cells: AnyArray
    capacity: float
    sill: float
    width: float
    release: float = 0.0


@dataclass(frozen=True)
class LineBoundary:
    """A boundary along a line of cells inside the grid.

    Attributes
    ----------
    cells : (N, 2) int
    kind : str
        ``level`` holds the water there at ``values``, ``free`` lets it go at normal flow of ``slope``, ``critical`` at
        critical flow.
    times, values : (T,) float64
        Levels [s from the start, m].
    slope, manning_n : float
    """

    cells: AnyArray
    kind: str
    times: Float
    values: Float
    slope: float = 0.001
    manning_n: float = 0.035


@dataclass(frozen=True)
class HeldDepths:
    """Cells held at the depths that another run had there, such as the rim of a window in it.

    Attributes
    ----------
    cells : (N, 2) int
    times : (T,) float64
        [s from the start]; depths are linear between.
    depths : (T, N) float32
        [m].
    """

    cells: AnyArray
    times: Float
    depths: Float32


@dataclass(frozen=True)
class KnownDrains:
    """Drains that do not run again: manholes take water by their law under the head of another run; what they gave they give.

    Attributes
    ----------
    cells : (K + M, 2) int
        Of manholes, then of outfalls.
    times : (T,) float64
        [s from the start].
    flows : (T, K + M) float64
        Into the drains in the span before each time [m3/s].
    heads : (T, K) float64
        In the manholes [m].
    crests, open_share, limits : (K,) float64
        Ground around each manhole [m], what of it is not clogged, the most it takes [m3/s].
    area : float
        Open area of a manhole [m2].
    """

    cells: AnyArray
    times: Float
    flows: Float
    heads: Float
    crests: Float
    open_share: Float
    limits: Float
    area: float


Device: TypeAlias = Pump | Culvert | Storage | LineBoundary | HeldDepths | KnownDrains


@dataclass(frozen=True)
class LineGauge:
    """A line across which the discharge is kept, positive to the right of its direction.

    Attributes
    ----------
    name : str
    west_faces, north_faces : (N, 3) int
        Row, column and sign of the faces that the line follows; a face is named by the cell east, or south, of it.
    """

    name: str
    west_faces: AnyArray
    north_faces: AnyArray


@dataclass(frozen=True)
class LineSeries:
    """What crossed a line: times [s from the start], discharge [m3/s]."""

    gauge: LineGauge
    times: Float
    discharges: Float


def thiessen_shares(x: Float, y: Float, points: Float) -> Float32:
    """Return (K, R, C) float32 shares by which each cell (``x`` (C,), ``y`` (R,)) belongs to its nearest of (K, 2) points."""
    nearest = np.argmin(_distances2(x, y, points), axis=0)
    shares: Float32 = (nearest == np.arange(len(points))[:, np.newaxis, np.newaxis]).astype(np.float32)
    return shares


def inverse_distance_shares(x: Float, y: Float, points: Float, power: float = 2.0) -> Float32:
    """Return (K, R, C) float32 shares that fall off with the distance to the power; a cell at a point is wholly its."""
    weights = 1.0 / np.maximum(_distances2(x, y, points), 1e-6) ** (power / 2.0)
    shares: Float32 = (weights / weights.sum(axis=0)).astype(np.float32)
    return shares


def _distances2(x: Float, y: Float, points: Float) -> Float:
    away: Float = (x[np.newaxis, np.newaxis, :] - points[:, 0, np.newaxis, np.newaxis]) ** 2 + (
        y[np.newaxis, :, np.newaxis] - points[:, 1, np.newaxis, np.newaxis]
    ) ** 2
    return away


def merged_rates(series: Sequence[tuple[Float, Float]]) -> tuple[Float, Float]:
    """Return common times (T,) and rates (T, K) of several series of held rates, each (times, values)."""
    times = np.unique(np.concatenate([times for times, _ in series]))
    rates = np.zeros((len(times), len(series)))
    for k, (own, values) in enumerate(series):
        at = np.searchsorted(own, times, side="right") - 1
        rates[:, k] = np.where(at >= 0, values[np.maximum(at, 0)], 0.0)
    return times, rates
