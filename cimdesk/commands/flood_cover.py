"""Roughness of a scenario from land cover: codes or polygons on the grid, and a table of Manning's n."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.base.crs import Crs, LocalFrame
from cimdesk.base.errors import DataError
from cimdesk.base.paths import resource_dir
from cimdesk.commands.placing import place
from cimdesk.formats import registry
from cimdesk.formats.class_rasters import is_class_raster, name_of_code, read_classes, read_roughness_table
from cimdesk.formats.scenario_inputs import CoverInput
from cimdesk.formats.tiff_head import PALETTE, PHOTOMETRIC, tiff_tags
from cimdesk.model.features import VectorLayer
from cimdesk.model.terrain import Terrain


def roughness_of(cover: CoverInput, default: float, grid: Terrain, crs: Crs | None) -> Float32:
    """Return the (R, C) float32 Manning's n of each cell of a grid [s m-1/3].

    Parameters
    ----------
    cover : CoverInput
    default : float
        Of ground without a class; classes that the table lacks take it only where ``cover`` says so.
    grid : Terrain
    crs : Crs or None
        Of the grid.

    Raises
    ------
    DataError
        If source or table cannot be used, or the table lacks a class.
    """
    table = read_roughness_table(cover.table)
    if is_class_raster(cover.source):
        codes = read_classes(cover.source, grid, crs)
        return _by_code(codes, {name: _value(cover, table, name, default) for name in _names(codes)}, default)
    from cimdesk.analysis.flood.footprints import cover_cells

    found = [source for source in registry.read(cover.source).sources if isinstance(source.data, VectorLayer)]
    if not found:
        raise DataError(cover.source, "this file holds nothing of the kind that the scenario needs here.")
    layer = place(found[0].data, found[0].crs, LocalFrame(crs, (0.0, 0.0, 0.0)))
    assert isinstance(layer, VectorLayer)
    column = layer.features.columns.get(cover.column)
    if column is None:
        text = "there is no column {column}."
        raise DataError(cover.source, text, remedy="Name the one that holds the class.", column=cover.column)
    index = cover_cells(grid, layer.shapes).index
    names = [name_of_code(value) if isinstance(value, float | int) else str(value) for value in column.tolist()]
    present = np.unique(index[index >= 0]).tolist()
    values = np.full(len(names), default)
    for row in present:
        values[row] = _value(cover, table, names[row], default)
    return np.where(index >= 0, values[np.maximum(index, 0)], default).astype(np.float32)


def standard_roughness(source: Path, grid: Terrain, crs: Crs | None) -> Float32:
    """Return the (R, C) float32 Manning's n of a land-cover raster after the table of the standards.

    Raises
    ------
    DataError
        If the raster cannot be used, or has none of the codes of the table.
    """
    standard = tomllib.loads((resource_dir() / "standards" / "roughness.toml").read_text(encoding="utf-8"))["worldcover"]
    table, default = {str(code): float(value) for code, value in standard["manning"].items()}, float(standard["default"])
    codes = read_classes(source, grid, crs)
    if not set(_names(codes)) & set(table):
        raise DataError(
            source,
            "its codes are none of {name}.",
            remedy="Write a scenario file that names a table for it.",
            name=standard["name"],
        )
    return _by_code(codes, table, default)


def is_land_cover(path: Path) -> bool:
    """Return whether a file may be a raster of land cover: one of codes, with a palette."""
    return is_class_raster(path) and tiff_tags(path).get(PHOTOMETRIC) == PALETTE


def _names(codes: Float) -> list[str]:
    return [name_of_code(code) for code in np.unique(codes[np.isfinite(codes)]).tolist()]


def _by_code(codes: Float, table: Mapping[str, float], default: float) -> Float32:
    manning: Float32 = np.full(codes.shape, default, dtype=np.float32)
    for code in np.unique(codes[np.isfinite(codes)]).tolist():
        manning[codes == code] = table.get(name_of_code(code), default)
    return manning


def _value(cover: CoverInput, table: dict[str, float], name: str, default: float) -> float:
    if name not in table and not cover.has_default:
        raise DataError(
            cover.table, "land cover '{name}' is not in the table.", remedy="Add a row for it, or give a default.", name=name
        )
    return table.get(name, default)
