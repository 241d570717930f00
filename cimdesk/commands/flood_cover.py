"""Roughness of a scenario from land cover: codes or polygons on the grid, and a table of Manning's n."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float32
from cimdesk.base.crs import Crs, LocalFrame
from cimdesk.base.errors import DataError
from cimdesk.commands.placing import place
from cimdesk.formats import registry
from cimdesk.formats.class_rasters import is_class_raster, name_of_code, read_classes, read_roughness_table
from cimdesk.formats.scenario_inputs import CoverInput
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
    manning: Float32 = np.full(grid.shape, default, dtype=np.float32)
    if is_class_raster(cover.source):
        codes = read_classes(cover.source, grid, crs)
        for code in np.unique(codes[np.isfinite(codes)]).tolist():
            manning[codes == code] = _value(cover, table, name_of_code(code), default)
        return manning
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


def _value(cover: CoverInput, table: dict[str, float], name: str, default: float) -> float:
    if name not in table and not cover.has_default:
        raise DataError(
            cover.table, "land cover '{name}' is not in the table.", remedy="Add a row for it, or give a default.", name=name
        )
    return table.get(name, default)
