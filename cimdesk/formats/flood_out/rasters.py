"""One grid of a flood as a GeoTIFF, plain or cloud-optimised, at once or strip by strip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.atomic import replacing
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.model.terrain import Terrain

CACHE_MB = 64
"""What GDAL may keep in memory of the rasters that it writes [MB]."""


def write_grid(path: Path, values: AnyArray, grid: Terrain, crs: Crs | None, is_cog: bool = False) -> Path:
    """Write (R, C) values; NaN, and 0 of whole numbers, is no data.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    nodata = 0 if values.dtype.kind in "iu" else None
    if not is_cog:
        return write_geotiff(path, values, crs, grid=grid, nodata=nodata)
    from rasterio.errors import RasterioError

    with replacing(path) as temporary:
        plain = temporary.with_suffix(".plain.tif")
        try:
            write_geotiff(plain, values, crs, grid=grid, nodata=nodata)
            _as_cog(plain, temporary, nodata is not None)
        except RasterioError as error:
            raise DataError(path, "the raster cannot be written ({reason}).", reason=error) from error
        finally:
            plain.unlink(missing_ok=True)
    return path


def _as_cog(plain: Path, target: Path, is_whole: bool) -> None:
    import rasterio
    import rasterio.shutil

    overviews = "NEAREST" if is_whole else "AVERAGE"
    with rasterio.Env(GDAL_PAM_ENABLED=False, GDAL_CACHEMAX=CACHE_MB):
        rasterio.shutil.copy(plain, target, driver="COG", compress="deflate", overview_resampling=overviews, bigtiff="if_safer")


@contextmanager
def strip_writer(
    path: Path, grid: Terrain, crs: Crs | None, is_whole: bool, is_cog: bool
) -> Iterator[Callable[[int, AnyArray], None]]:
    """Yield what writes strips of a raster from north to south: their first row, and (r, C) values, bytes or float32.

    When the block ends well the file takes the place of what was there; with an error nothing is left behind.

    Parameters
    ----------
    path : Path
    grid : Terrain
        Where the cells of the whole lie; its heights are not looked at.
    crs : Crs or None
    is_whole : bool
        Bytes, of which 0 is no data, rather than numbers, of which NaN is.
    is_cog : bool

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    import rasterio
    from rasterio.crs import CRS
    from rasterio.errors import RasterioError
    from rasterio.transform import from_origin
    from rasterio.windows import Window

    rows, columns = grid.shape
    profile: dict[str, Any] = {
        "driver": "GTiff", "dtype": "uint8" if is_whole else "float32", "count": 1, "height": rows, "width": columns,
        "crs": CRS.from_wkt(crs.pyproj.to_wkt()) if crs else None, "nodata": 0 if is_whole else np.nan,
        "transform": from_origin(grid.west, grid.north, grid.cell_x, grid.cell_y), "tiled": False,
        "compress": "deflate", "predictor": 2 if is_whole else 3, "bigtiff": "if_safer",
    }  # fmt: skip
    with replacing(path) as temporary:
        plain = temporary.with_suffix(".plain.tif") if is_cog else temporary
        try:
            with rasterio.Env(GDAL_PAM_ENABLED=False, GDAL_CACHEMAX=CACHE_MB), rasterio.open(plain, "w", **profile) as file:

                def write(top: int, values: AnyArray) -> None:
                    file.write(values, 1, window=Window(0, top, columns, len(values)))

                yield write
            if is_cog:
                _as_cog(plain, temporary, is_whole)
        except RasterioError as error:
            raise DataError(path, "the raster cannot be written ({reason}).", reason=error) from error
        finally:
            if is_cog:
                plain.unlink(missing_ok=True)
