"""Rasters of classes, such as land cover and soils: a code for each cell, with or without a palette of colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.series import read_table
from cimdesk.model.terrain import Terrain

DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".gtiff": "GTiff", ".asc": "AAIGrid", ".img": "HFA", ".bil": "EHdr"}
"""By suffix. VRT is left out: it names other files and addresses."""


def is_class_raster(path: Path) -> bool:
    """Return whether a file is a raster, by its name; whatever its colours mean, its numbers are codes."""
    return path.suffix.lower() in DRIVERS


def read_classes(path: Path, grid: Terrain, crs: Crs | None) -> Float:
    """Return the (R, C) float64 code at the centre of each cell of a grid; NaN where the raster has none.

    Only the part of the raster over the grid is read. One in another reference system is warped by nearest neighbour.

    Parameters
    ----------
    path : Path
    grid : Terrain
    crs : Crs or None
        Of the grid; None takes the raster to be in the same.

    Raises
    ------
    DataError
        If it cannot be read, has no place, or does not cover any of the grid.
    """
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError
    from rasterio.transform import from_origin
    from rasterio.warp import reproject

    rows, columns = grid.shape
    codes: Float = np.full((rows, columns), np.nan)
    place = from_origin(grid.west, grid.north, grid.cell_x, grid.cell_y)
    try:
        with rasterio.Env(GDAL_PAM_ENABLED=False), rasterio.open(path, driver=DRIVERS.get(path.suffix.lower())) as dataset:
            if dataset.transform.is_identity:
                raise DataError(
                    path, "the raster does not say where it lies.", remedy="Give it a world file or a reference system."
                )
            if dataset.count != 1 and dataset.colorinterp[0].name in ("red", "gray"):
                text = "the raster is a picture of {count} bands, without codes."
                raise DataError(path, text, remedy="Export the classes as one band of numbers.", count=dataset.count)
            target = crs.definition if crs is not None else dataset.crs
            reproject(
                rasterio.band(dataset, 1), codes, src_crs=dataset.crs or target or "EPSG:3857", dst_transform=place,
                dst_crs=target or dataset.crs or "EPSG:3857", dst_nodata=np.nan, resampling=Resampling.nearest,
            )  # fmt: skip
    except (RasterioError, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(path, "the raster cannot be read: {reason}", reason=str(error)) from error
    if not np.isfinite(codes).any():
        raise DataError(path, "the raster does not cover the terrain.", remedy="Check its reference system.")
    return codes


def name_of_code(code: float) -> str:
    """Return a code as tables write it: 50, not 50.0."""
    return f"{code:g}"


def read_roughness_table(path: Path) -> dict[str, float]:
    """Return Manning's n by class, from the columns ``class`` (or ``code``) and ``manning`` of a CSV.

    Raises
    ------
    DataError
        If the table cannot be read, a class comes twice or a value is no positive number.
    """
    try:
        rows = read_table(path, ("class", "manning"))
    except DataError as error:
        if error.values.get("column") != "class":
            raise
        rows = [{"class": row["code"], "manning": row["manning"]} for row in read_table(path, ("code", "manning"))]
    found: dict[str, float] = {}
    for line, row in enumerate(rows, start=2):
        name = row["class"]
        try:
            value = float(row["manning"])
        except ValueError:
            value = -1.0
        if not 0.0 < value < 10.0:
            text = "'{text}' is no Manning value; expected a number above zero."
            raise DataError(path, text, where=f"line {line}", text=row["manning"])
        if name in found:
            raise DataError(path, "class '{name}' comes twice.", where=f"line {line}", name=name)
        found[name] = value
    if not found:
        raise DataError(path, "the table has no rows.")
    return found
