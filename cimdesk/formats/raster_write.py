"""Terrain and grids of numbers -> GeoTIFF (tiled, with overviews) and Arc ASCII grid, each written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.errors import DataError
from cimdesk.formats.atomic import replacing
from cimdesk.model.terrain import Terrain

if TYPE_CHECKING:
    from cimdesk.base.crs import Crs

ASCII_NODATA = -9999.0
TILE = 256


def write_geotiff(
    path: Path | str, data: Terrain | AnyArray, crs: Crs | None, grid: Terrain | None = None, nodata: float | None = None
) -> Path:
    """Write a grid as a tiled, compressed GeoTIFF with overviews.

    Parameters
    ----------
    path : path
    data : Terrain or (R, C) or (B, R, C) array
        Row 0 is north. NaN of float arrays is the no-data value.
    crs : Crs or None
    grid : Terrain, optional
        Where an array lies; needed unless ``data`` is a Terrain.
    nodata : float, optional
        No-data value of integer arrays.

    Returns
    -------
    path
        Where it was written.
    """
    import rasterio
    from rasterio.crs import CRS
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError
    from rasterio.transform import from_origin

    place = data if isinstance(data, Terrain) else grid
    if place is None:
        raise ValueError("an array needs the grid it lies on")
    values = _bands(data.elevations if isinstance(data, Terrain) else data)
    if values.shape[1:] != place.shape:
        raise ValueError(f"array of {values.shape[1:]} cells on a grid of {place.shape}")
    is_float = values.dtype.kind == "f"
    profile: dict[str, Any] = {
        "driver": "GTiff", "dtype": values.dtype.name, "count": len(values), "height": values.shape[1], "width": values.shape[2],
        "crs": CRS.from_wkt(crs.pyproj.to_wkt()) if crs else None, "nodata": np.nan if is_float else nodata,
        "transform": from_origin(place.west, place.north, place.cell_x, place.cell_y),
        "tiled": True, "blockxsize": TILE, "blockysize": TILE, "compress": "deflate", "predictor": 3 if is_float else 2,
        "bigtiff": "if_safer",
    }  # fmt: skip
    with replacing(path) as temporary:
        try:
            with rasterio.Env(GDAL_PAM_ENABLED=False), rasterio.open(temporary, "w", **profile) as file:
                file.write(values)
                if factors := _overviews(values.shape[1:]):
                    file.build_overviews(factors, Resampling.average if is_float else Resampling.nearest)
        except RasterioError as error:
            raise DataError(path, "the raster cannot be written ({reason}).", reason=error) from error
    return Path(path)


def _bands(values: AnyArray) -> AnyArray:
    values = values[np.newaxis] if values.ndim == 2 else values
    return values.astype(np.uint8) if values.dtype == bool else values


def _overviews(shape: tuple[int, ...]) -> list[int]:
    factors: list[int] = []
    size = max(shape)
    while size > 2 * TILE:
        factors.append(2 ** (len(factors) + 1))
        size //= 2
    return factors


def write_ascii_grid(path: Path | str, terrain: Terrain, decimals: int = 3) -> Path:
    """Write an Arc ASCII grid; the format knows square cells only and no reference system.

    Raises
    ------
    DataError
        If the cells are not square.
    """
    if not np.isclose(terrain.cell_x, terrain.cell_y, rtol=1e-9):
        raise DataError(path, "an ASCII grid has square cells; these are not.", remedy="Write a GeoTIFF instead.")
    rows, columns = terrain.shape
    header = (
        f"ncols {columns}\nnrows {rows}\nxllcorner {terrain.west!r}\nyllcorner {terrain.north - rows * terrain.cell_y!r}\n"
        f"cellsize {terrain.cell_x!r}\nNODATA_value {ASCII_NODATA:.0f}"
    )
    cells = np.where(np.isfinite(terrain.elevations), terrain.elevations, ASCII_NODATA)
    with replacing(path) as temporary:
        np.savetxt(temporary, cells, fmt=f"%.{decimals}f", header=header, comments="")
    return Path(path)
