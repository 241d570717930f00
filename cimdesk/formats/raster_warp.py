"""A terrain in another coordinate reference system, resampled in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.errors import UsageError
from cimdesk.model.terrain import Terrain

if TYPE_CHECKING:
    from cimdesk.base.crs import Crs

MAX_CELLS = 32_000_000


def reproject_terrain(terrain: Terrain, crs: Crs, target: Crs, cell: float | None = None) -> Terrain:
    """Return ``terrain`` on a north-up grid of another reference system (bilinear).

    Parameters
    ----------
    terrain : Terrain
        Grid in ``crs``; degrees when that is geographic.
    crs, target : Crs
        System of ``terrain`` and the one wanted. Heights are not converted between vertical datums.
    cell : float, optional
        Cell size in the target's unit; by default what keeps the number of cells along the diagonal.

    Returns
    -------
    Terrain
        NaN where the source has no elevation.

    Raises
    ------
    UsageError
        If the grid cannot be expressed in ``target``, or would have more than 32 million cells.
    """
    if crs == target and cell is None:
        return terrain
    from rasterio.crs import CRS
    from rasterio.errors import RasterioError
    from rasterio.transform import from_origin
    from rasterio.warp import Resampling, calculate_default_transform, reproject

    source, wanted = (CRS.from_wkt(horizontal_wkt(system)) for system in (crs, target))
    rows, columns = terrain.shape
    (west, south, _), (east, north, _) = terrain.bounds.tolist()
    try:
        transform, width, height = calculate_default_transform(
            source, wanted, columns, rows, west, south, east, north, resolution=cell
        )
        if width is None or height is None or not 0 < width * height <= MAX_CELLS:
            raise UsageError("The terrain would have {cells} cells; choose a larger cell size.", cells=(width or 0) * (height or 0))
        out = np.full((height, width), np.nan, dtype=np.float32)
        reproject(
            terrain.elevations, out,
            src_crs=source, src_transform=from_origin(terrain.west, terrain.north, terrain.cell_x, terrain.cell_y),
            dst_crs=wanted, dst_transform=transform,
            src_nodata=np.nan, dst_nodata=np.nan, resampling=Resampling.bilinear,
        )  # fmt: skip
    except (RasterioError, ValueError) as error:
        raise UsageError(
            "The terrain cannot be brought from {source} to {target}.",
            remedy="Check that the reference system of the file is the right one.",
            source=crs.code or crs.name,
            target=target.code or target.name,
        ) from error
    source = None if terrain.source is None else terrain.source.aimed(crs, target)
    place = float(transform.c), float(transform.f), float(transform.a), float(-transform.e)
    return Terrain(out, *place, source, terrain.vertical)


def horizontal_wkt(crs: Crs) -> str:
    """Return WKT of the horizontal part; a vertical datum would need grids that may not be installed."""
    system = crs.pyproj
    if system.is_compound:
        system = system.sub_crs_list[0]
    return str(system.to_2d().to_wkt("WKT2_2019"))
