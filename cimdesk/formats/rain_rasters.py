"""Series of rain rasters: all bands of a file, where they lie, and in which reference system."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float32
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.model.terrain import Terrain

MOST_VALUES = 500_000_000


def read_bands(path: Path) -> tuple[Terrain, Crs | None, Float32]:
    """Return the place of a raster (its first band as terrain), its system, and the (B, r, c) float32 values of all bands.

    No-data is NaN.

    Raises
    ------
    DataError
        If it cannot be read, is rotated, or is too large.
    """
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as dataset:
            if dataset.count * dataset.width * dataset.height > MOST_VALUES:
                raise DataError(path, "this raster is too large for rain.", remedy="Cut it to the model, or use fewer times.")
            if dataset.transform.b or dataset.transform.d or dataset.transform.e >= 0.0:
                raise DataError(path, "a raster of rain must have its rows along the parallels.", remedy="Warp it first.")
            values = dataset.read(masked=True).astype(np.float32).filled(np.nan)
            transform, system = dataset.transform, dataset.crs
    except (RasterioError, OSError, ValueError) as error:
        raise DataError(path, "the raster cannot be read: {reason}", reason=str(error)) from error
    place = Terrain(values[0], float(transform.c), float(transform.f), float(transform.a), float(-transform.e))
    return place, Crs.parse(system.to_wkt()) if system else None, values
