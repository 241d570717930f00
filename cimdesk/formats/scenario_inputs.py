"""What a scenario file asks for, as written: checked for form, with paths resolved and times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

Amount: TypeAlias = float | Path
"""A number, or the CSV or raster that holds it."""


@dataclass(frozen=True)
class SeriesInput:
    """A hydrograph in the result or the boundaries of another model.

    Attributes
    ----------
    source : Path
    series : str
        Its name there; empty for the only one of its kind.
    at_start : bool
        Whether its first value is that of the start of the run, whatever its dates are.
    reverse : bool
        Whether it is told against the stream.
    """

    source: Path
    series: str = ""
    at_start: bool = False
    reverse: bool = False


Driving: TypeAlias = float | Path | SeriesInput
"""A number, a CSV with a series, or a hydrograph of another model."""
Points: TypeAlias = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class RainGaugeInput:
    """A place where rain was measured, and its hyetograph."""

    at: tuple[float, float]
    hyetograph: Path


@dataclass(frozen=True)
class RainInput:
    """Rain from a hyetograph, at a constant rate [mm/h], as a design storm, between gauges, or from a series of rasters.

    Attributes
    ----------
    gauges : tuple of RainGaugeInput
    method : str
        Between gauges: ``thiessen`` or ``idw``.
    power : float
        Of the distance, for ``idw``.
    rasters : tuple of Path
        In order of time, rates in mm/h; a single file may have many bands.
    raster_step : float
        Between two rasters or bands [s].
    raster_start : float
        Of the first one [s from the start of the run].
    """

    hyetograph: Path | None = None
    rate_mm_per_h: float | None = None
    duration: float | None = None
    city: str = ""
    return_period: float = 0.0
    peak: float = 0.4
    step: float = 300.0
    gauges: tuple[RainGaugeInput, ...] = ()
    method: str = "thiessen"
    power: float = 2.0
    rasters: tuple[Path, ...] = ()
    raster_step: float = 300.0
    raster_start: float = 0.0


@dataclass(frozen=True)
class InflowInput:
    """Water entering at a point, along a line or over a polygon (a closed line) [m3/s]; no points: where its series was seen."""

    points: Points
    discharge: Driving
    radius: float = 0.0


@dataclass(frozen=True)
class BoundaryInput:
    """What happens at an edge of the grid, or along a line in it (``edge`` is empty then)."""

    edge: str
    kind: str
    slope: float = 0.001
    level: Driving | None = None
    discharge: Driving | None = None
    line: Points = ()


@dataclass(frozen=True)
class SoilInput:
    """Infiltration by class: a table of parameters, and a raster or polygons that say which class is where.

    Attributes
    ----------
    model : str
        ``horton`` or ``green-ampt``.
    rows : tuple of (class name, three numbers in SI)
    source : Path or None
        None uses the only row everywhere.
    column : str
        Attribute of the polygons that names the class.
    """

    model: str
    rows: tuple[tuple[str, tuple[float, float, float]], ...]
    source: Path | None = None
    column: str = "class"


@dataclass(frozen=True)
class MeasureInput:
    """A measure as written.

    Attributes
    ----------
    kind, name, where : str
        ``where`` is its place in the file, for messages.
    line, to : points
        Its line or first point; a second point, or the line of the dike that breaches.
    numbers : mapping
        SI values by field name; times in seconds from the start.
    nodes : tuple of str
        Drains to unblock.
    """

    kind: str
    name: str
    where: str
    line: Points = ()
    to: Points = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    flap: bool = False


@dataclass(frozen=True)
class ZoneInput:
    """Roughness inside the polygons of a file."""

    source: Path
    manning_n: float


@dataclass(frozen=True)
class CoverInput:
    """Roughness by class: a raster of codes or polygons, and a table of Manning's n.

    Attributes
    ----------
    source, table : Path
    column : str
        Attribute of the polygons that names the class.
    has_default : bool
        Whether ground without a class, or of a class that is not in the table, takes the default; otherwise it is refused.
    """

    source: Path
    table: Path
    column: str = "class"
    has_default: bool = False


@dataclass(frozen=True)
class DrainageInput:
    """Drains below the surface: a SWMM file and how its inlets take water [SI]."""

    path: Path
    network: Path
    clogging: float = 0.0
    intake_limit: float = float("inf")
    manhole_area: float = 1.167
    step: float = 1.0
    sealed: tuple[str, ...] = ()
    clogged: tuple[tuple[float, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class SubgridInput:
    """Compute on cells of so many cells of the terrain; the result on those of the terrain, or None: if they are not too many."""

    factor: int
    is_downscaled: bool | None = None


@dataclass(frozen=True)
class ScenarioInput:
    """A scenario as written, checked for form; see CLI help for the fields. Paths are absolute, times in seconds."""

    path: Path
    name: str
    terrain: Path
    cell: float | None
    duration: float
    output_every: float
    start_time: float | None = None
    precision: str = "float32"
    engine: str = "inertial"
    extent: tuple[float, float, float, float] | None = None
    manning_n: float = 0.035
    zones: tuple[ZoneInput, ...] = ()
    cover: CoverInput | None = None
    buildings: Path | None = None
    treatment: str = "block"
    raise_by: float = 3.0
    infiltration_mm_per_h: float = 0.0
    level: Amount | None = None
    depth: Amount | None = None
    gauges: tuple[tuple[str, float, float], ...] = ()
    rain: tuple[RainInput, ...] = ()
    inflows: tuple[InflowInput, ...] = ()
    boundaries: tuple[BoundaryInput, ...] = field(default_factory=tuple)
    drainage: DrainageInput | None = None
    soil: SoilInput | None = None
    lines: tuple[tuple[str, Points], ...] = ()
    measures: tuple[MeasureInput, ...] = ()
    subgrid: SubgridInput | None = None
    device: str = "cpu"
