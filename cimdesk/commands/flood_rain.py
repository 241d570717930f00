"""Rain of a scenario: hyetographs, design storms, gauges and rasters, all on the clock of the run; and its soils."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float, UInt8
from cimdesk.base.crs import Crs, LocalFrame
from cimdesk.base.errors import DataError
from cimdesk.commands.flood_tables import design_storm
from cimdesk.commands.placing import place
from cimdesk.formats import registry, series
from cimdesk.formats.class_rasters import is_class_raster, name_of_code, read_classes
from cimdesk.formats.rain_rasters import read_bands
from cimdesk.formats.scenario_inputs import RainInput, ScenarioInput, SoilInput
from cimdesk.model.features import VectorLayer
from cimdesk.model.flood import Series
from cimdesk.model.flood_inputs import (
    GaugedRain,
    RadarRain,
    RainField,
    Soil,
    inverse_distance_shares,
    merged_rates,
    thiessen_shares,
)
from cimdesk.model.terrain import Terrain

MM_PER_H = 1.0 / 3.6e6
MOST_RASTERS = 4096


def is_uniform(rain: RainInput) -> bool:
    """Whether it rains the same everywhere."""
    return not rain.gauges and not rain.rasters


def made_rain(rain: RainInput, duration: float) -> tuple[Float, Float]:
    """Return times [s] and held rates [m/s] of rain at a constant rate or of a design storm."""
    if rain.rate_mm_per_h is not None:
        length = rain.duration if rain.duration is not None else duration
        return np.array([0.0, length]), np.array([rain.rate_mm_per_h * MM_PER_H, 0.0])
    storm = design_storm(rain.city, rain.return_period, rain.duration or 7200.0, rain.peak, rain.step)
    return storm.times, storm.values


def ended(rain: Series) -> Series:
    """Return rain that stops one interval after its last row, where the file does not end with zero itself."""
    if rain.values[-1] == 0.0 or len(rain.times) < 2:
        return rain
    return Series(np.append(rain.times, 2 * rain.times[-1] - rain.times[-2]), np.append(rain.values, 0.0))


def added(rains: list[Series]) -> Series | None:
    """Return the sum of several rains; None for none."""
    if len(rains) < 2:
        return rains[0] if rains else None
    times, rates = merged_rates([(rain.times, rain.values) for rain in rains])
    return Series(times, rates.sum(axis=1))


def gauge_series(asked: ScenarioInput) -> list[tuple[Float, Float, bool]]:
    """Return what the rain gauges of a scenario saw, in their order: times, rates [m/s], and whether the times are moments."""
    return [series.read_series(gauge.hyetograph, "rain") for rain in asked.rain for gauge in rain.gauges]


def rain_field(asked: ScenarioInput, grid: Terrain, crs: Crs | None, gauges: list[Series]) -> RainField | None:
    """Return the rain that varies in space; None where there is none.

    Parameters
    ----------
    asked : ScenarioInput
    grid : Terrain
    crs : Crs or None
        Of the grid.
    gauges : list of Series
        As `gauge_series` read them, on the clock of the run.

    Raises
    ------
    DataError
        If there are two such rains, or rasters cannot be used.
    """
    varying = [rain for rain in asked.rain if not is_uniform(rain)]
    if len(varying) > 1:
        raise DataError(asked.path, "there can be one rain that varies in space.", where="rain", remedy="Put all gauges into one.")
    if not varying:
        return None
    rain = varying[0]
    if rain.rasters:
        return _radar(rain, grid, crs)
    points = np.array([gauge.at for gauge in rain.gauges])
    x, y = grid.column_centres(), grid.row_centres()
    thiessen = rain.method == "thiessen"
    shares = thiessen_shares(x, y, points) if thiessen else inverse_distance_shares(x, y, points, rain.power)
    times, rates = merged_rates([(one.times, one.values) for one in map(ended, gauges)])
    return GaugedRain(times, rates, shares)


def _radar(rain: RainInput, grid: Terrain, crs: Crs | None) -> RadarRain:
    bands, first = [], None
    for path in rain.rasters:
        terrain, own, values = read_bands(path)
        if crs is not None and own is not None and own.pyproj != crs.pyproj and own.code != crs.code:
            raise DataError(
                path, "the rain is in {own}, the terrain in {crs}.", remedy="Reproject one of them.", own=own.name, crs=crs.name
            )
        if first is not None and terrain.shape != first.shape:
            raise DataError(path, "this raster has another size than the first one.")
        first = terrain if first is None else first
        bands.append(values)
    assert first is not None
    rates = np.concatenate(bands).astype(np.float32) * np.float32(MM_PER_H)
    if len(rates) > MOST_RASTERS:
        raise DataError(rain.rasters[0], "{count} rasters of rain are too many.", count=len(rates))
    with np.errstate(invalid="ignore"):
        if (rates < 0.0).any():
            raise DataError(rain.rasters[0], "the rain has negative values.")
    times: Float = rain.raster_start + rain.raster_step * np.arange(len(rates) + 1, dtype=np.float64)
    columns = np.floor((grid.column_centres() - first.west) / first.cell_x).astype(np.int32)
    rows = np.floor((first.north - grid.row_centres()) / first.cell_y).astype(np.int32)
    columns[columns >= first.shape[1]] = -1
    rows[rows >= first.shape[0]] = -1
    if (np.maximum(columns, -1) < 0).all() or (np.maximum(rows, -1) < 0).all():
        raise DataError(rain.rasters[0], "the rain lies beside the terrain.", remedy="Check their reference systems.")
    nothing = np.zeros((1, *rates.shape[1:]), dtype=np.float32)
    return RadarRain(times, np.concatenate([rates, nothing]), np.maximum(rows, -1), np.maximum(columns, -1))


def soil_of(asked: SoilInput | None, grid: Terrain, crs: Crs | None) -> Soil | None:
    """Return the soil of a scenario on its grid; None where there is none.

    Raises
    ------
    DataError
        If the source knows a class that the table lacks, or leaves part of the grid without one.
    """
    if asked is None:
        return None
    parameters = np.array([values for _, values in asked.rows], dtype=np.float64)
    if asked.source is None:
        return Soil(asked.model, parameters, np.zeros(grid.shape, dtype=np.uint8))
    names = {name: k for k, (name, _) in enumerate(asked.rows)}
    if is_class_raster(asked.source):
        classes = _raster_classes(asked, read_classes(asked.source, grid, crs), names)
    else:
        data = [source for source in registry.read(asked.source).sources if isinstance(source.data, VectorLayer)]
        if not data:
            raise DataError(asked.source, "this file holds nothing of the kind that the scenario needs here.")
        found = data[0]
        placed = place(found.data, found.crs, LocalFrame(crs, (0.0, 0.0, 0.0)))
        assert isinstance(placed, VectorLayer)
        classes = _polygon_classes(asked, placed, grid, names)
    return Soil(asked.model, parameters, classes)


def _raster_classes(asked: SoilInput, values: Float, names: dict[str, int]) -> UInt8:
    classes: UInt8 = np.zeros(values.shape, dtype=np.uint8)
    for value in np.unique(values[np.isfinite(values)]):
        classes[values == value] = _row(asked, name_of_code(value), names)
    return classes


def _polygon_classes(asked: SoilInput, layer: VectorLayer, grid: Terrain, names: dict[str, int]) -> UInt8:
    from cimdesk.analysis.flood.footprints import cover_cells

    column = layer.features.columns.get(asked.column)
    if column is None:
        raise DataError(
            asked.source, "there is no column {column}.", remedy="Name the one that holds the class.", column=asked.column
        )
    index = cover_cells(grid, layer.shapes).index
    rows = np.array([_row(asked, str(value), names) for value in column], dtype=np.uint8)
    return np.where(index >= 0, rows[np.maximum(index, 0)], np.uint8(0)).astype(np.uint8)


def _row(asked: SoilInput, name: str, names: dict[str, int]) -> int:
    if name not in names:
        raise DataError(asked.source, "soil class '{name}' is not in the table.", remedy="Add a row for it.", name=name)
    return names[name]
