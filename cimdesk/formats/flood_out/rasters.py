"""One grid of a flood as a GeoTIFF, plain or cloud-optimised."""

from __future__ import annotations

from pathlib import Path

from cimdesk.base.arrays import AnyArray
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.atomic import replacing
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.model.terrain import Terrain


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
    import rasterio
    import rasterio.shutil
    from rasterio.errors import RasterioError

    with replacing(path) as temporary:
        plain = temporary.with_suffix(".plain.tif")
        try:
            write_geotiff(plain, values, crs, grid=grid, nodata=nodata)
            overviews = "AVERAGE" if nodata is None else "NEAREST"
            with rasterio.Env(GDAL_PAM_ENABLED=False):
                rasterio.shutil.copy(plain, temporary, driver="COG", compress="deflate", overview_resampling=overviews)
        except RasterioError as error:
            raise DataError(path, "the raster cannot be written ({reason}).", reason=error) from error
        finally:
            plain.unlink(missing_ok=True)
    return path
