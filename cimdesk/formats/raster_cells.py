"""Cells of elevation rasters held in memory: windows, thinning, damaged blocks, and grids that do not point north."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.terrain import Terrain

if TYPE_CHECKING:
    from rasterio.windows import Window

    from cimdesk.formats.remote_raster import Dataset

MAX_CELLS = 16_000_000
"""Cells read at full resolution; larger grids are thinned through their overviews to at most this many."""
STRIP_CELLS = 2_000_000


@dataclass
class Reading:
    """What is decided and found while one raster is read."""

    path: Path
    options: ReadOptions
    problems: list[Problem]

    def note(self, severity: Severity, code: str, template: str, where: str = "", **values: Any) -> None:
        """Keep a problem that leaves the raster usable; ``template`` is filled with ``values``."""
        self.problems.append(Problem(severity, code, where, template, values))


def broken(path: Path, error: Exception) -> DataError:
    """Return the refusal of a raster on which the library gave up, with the first line of its reason."""
    reason = str(error.__cause__ or error).replace(str(path), path.name).strip().rstrip(".")
    return DataError(
        path,
        "the raster cannot be read ({reason}).",
        remedy="Copy or download it again, or convert it to GeoTIFF.",
        reason=reason.splitlines()[0] if reason else type(error).__name__,
    )


def read_upright(reading: Reading, dataset: Dataset, band: int) -> Terrain:
    """Read a raster whose rows and columns run along the axes."""
    from rasterio.windows import Window
    from rasterio.windows import transform as window_transform

    whole = Window(0, 0, dataset.width, dataset.height)
    window = _window(reading, dataset, whole)
    factor = _thinning(reading, window)
    rows, columns = -(-int(window.height) // factor), -(-int(window.width) // factor)
    values = _read_cells(reading, dataset, band, window, (rows, columns))
    transform = window_transform(window, dataset.transform)
    cell_x, cell_y = transform.a * window.width / columns, transform.e * window.height / rows
    west, north = transform.c, transform.f
    if cell_y > 0:  # row 0 is south
        values, north = values[::-1], north + cell_y * rows
    if cell_x < 0:
        values, west = values[:, ::-1], west + cell_x * columns
    return Terrain(np.ascontiguousarray(values), float(west), float(north), float(abs(cell_x)), float(abs(cell_y)))


def _window(reading: Reading, dataset: Dataset, whole: Window) -> Window:
    """Return the part that is asked for, in whole cells."""
    asked = reading.options.extra.get("window")
    if not asked:
        return whole
    from rasterio.errors import WindowError
    from rasterio.windows import Window, from_bounds

    try:
        part = from_bounds(*(float(value) for value in asked), transform=dataset.transform)
        left, top = max(0, int(np.floor(part.col_off + 1e-6))), max(0, int(np.floor(part.row_off + 1e-6)))
        right = min(dataset.width, int(np.ceil(part.col_off + part.width - 1e-6)))
        bottom = min(dataset.height, int(np.ceil(part.row_off + part.height - 1e-6)))
    except (WindowError, TypeError, ValueError) as error:
        raise DataError(
            reading.path, "the part asked for is no rectangle: {window}.", remedy="Give west, south, east, north.", window=asked
        ) from error
    if right <= left or bottom <= top:
        raise DataError(
            reading.path,
            "the part asked for lies outside the raster.",
            remedy="Its extent is {extent}.",
            extent=", ".join(f"{value:.6g}" for value in dataset.bounds),
        )
    return Window(left, top, right - left, bottom - top)


def _thinning(reading: Reading, window: Window) -> int:
    """Return the whole factor that brings the window under the cell budget, and say so when it is more than one."""
    budget = max(4, int(reading.options.extra.get("max_cells", MAX_CELLS)))
    cells = int(window.width) * int(window.height)
    factor = max(1, int(np.ceil(np.sqrt(cells / budget))))
    if factor > 1:
        reading.note(
            Severity.INFO,
            "thinned",
            "The raster has {cells} cells; it is read {factor} times coarser. Choose a part of it to see every cell.",
            cells=cells,
            factor=factor,
        )
    return factor


def _read_cells(reading: Reading, dataset: Dataset, band: int, window: Window, shape: tuple[int, int]) -> Float32:
    """Read a window as float32 of ``shape``, strip by strip; strips that are damaged stay NaN and are reported."""
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    rows, columns = shape
    out = np.full(shape, np.nan, dtype=np.float32)
    damaged = 0
    block = max(1, int(dataset.block_shapes[band - 1][0]) * rows // max(1, int(window.height)))
    step = max(block, STRIP_CELLS // max(columns, 1) // block * block)
    for top in range(0, rows, step):
        reading.options.cancel.raise_if_cancelled()
        reading.options.progress(top / rows, reading.path.name)
        bottom = min(rows, top + step)
        scale = window.height / rows
        part = Window(window.col_off, window.row_off + top * scale, window.width, (bottom - top) * scale)
        resampling = Resampling.nearest if rows == window.height else Resampling.average
        try:
            cells = dataset.read(band, window=part, out_shape=(bottom - top, columns), masked=True, resampling=resampling)
            out[top:bottom] = _elevations(dataset, band, cells)
        except RasterioError as error:
            damaged += _read_blocks(dataset, band, part, out[top:bottom])
            if not np.isfinite(out).any() and bottom == rows:
                raise broken(reading.path, error) from error
    if damaged:
        reading.note(
            Severity.ERROR,
            "damaged-blocks",
            "{count} blocks of the raster are damaged; there is no elevation there.",
            count=damaged,
        )
    return out


def _read_blocks(dataset: Dataset, band: int, part: Window, out: Float32) -> int:
    """Save what can be read of a damaged strip, block by block; return the number of blocks lost."""
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    rows, columns = out.shape
    height, width = dataset.block_shapes[band - 1]
    scale_y, scale_x = part.height / rows, part.width / columns
    lost = 0
    for top in range(0, rows, max(1, int(height / scale_y))):
        bottom = min(rows, top + max(1, int(height / scale_y)))
        for left in range(0, columns, max(1, int(width / scale_x))):
            right = min(columns, left + max(1, int(width / scale_x)))
            piece = Window(
                part.col_off + left * scale_x, part.row_off + top * scale_y, (right - left) * scale_x, (bottom - top) * scale_y
            )
            try:
                cells = dataset.read(band, window=piece, out_shape=(bottom - top, right - left), masked=True)
                out[top:bottom, left:right] = _elevations(dataset, band, cells)
            except RasterioError:
                lost += 1
    return lost


def _elevations(dataset: Dataset, band: int, cells: Any) -> Float32:
    """Return masked raw cells as metres: scale and offset applied, no-data and infinities as NaN."""
    scale, offset = dataset.scales[band - 1], dataset.offsets[band - 1]
    values = np.ma.getdata(cells).astype(np.float64 if (scale, offset) != (1.0, 0.0) else np.float32)
    if (scale, offset) != (1.0, 0.0):
        values = values * scale + offset
    values[np.ma.getmaskarray(cells)] = np.nan
    values[~np.isfinite(values)] = np.nan
    return np.asarray(values, dtype=np.float32)


def read_warped(reading: Reading, dataset: Dataset, band: int, found: Crs | None, gcps: bool) -> tuple[Terrain, Crs | None]:
    """Read a rotated or control-point raster, resampled to a grid that points north."""
    from rasterio.crs import CRS
    from rasterio.errors import RasterioError
    from rasterio.warp import Resampling, reproject

    count = dataset.width * dataset.height
    if count > MAX_CELLS:
        raise DataError(
            reading.path,
            "the raster is rotated and has {cells} cells, too many to straighten.",
            remedy="Straighten it with gdalwarp, then open the result.",
            cells=count,
        )
    if gcps:
        found = Crs.parse(dataset.gcps[1].to_wkt()) if dataset.gcps[1] else found
    values = _read_raw(reading, dataset, band)
    west, north, cell, shape = _upright_grid(reading.path, dataset, gcps)
    out = np.full(shape, np.nan, dtype=np.float32)
    # Source and target system are the same, so any system will do for the warp.
    system = CRS.from_epsg(3857)
    place = {"gcps": dataset.gcps[0]} if gcps else {"src_transform": dataset.transform}
    try:
        reproject(
            values, out, src_crs=system, dst_crs=system, dst_transform=_affine(west, north, cell), **place,
            src_nodata=np.nan, dst_nodata=np.nan, resampling=Resampling.bilinear,
        )  # fmt: skip
    except (RasterioError, ValueError) as error:
        raise broken(reading.path, error) from error
    reading.note(Severity.INFO, "straightened", "The raster is not aligned with north; it was resampled to a grid that is.")
    return Terrain(out, west, north, cell, cell), found


def _read_raw(reading: Reading, dataset: Dataset, band: int) -> Float32:
    from rasterio.windows import Window

    return _read_cells(reading, dataset, band, Window(0, 0, dataset.width, dataset.height), (dataset.height, dataset.width))


def _upright_grid(path: Path, dataset: Dataset, gcps: bool) -> tuple[float, float, float, tuple[int, int]]:
    """Return west, north, cell size and shape of the grid that covers a slanted raster."""
    if gcps:
        points = dataset.gcps[0]
        from rasterio.transform import from_gcps

        transform = from_gcps(points)
    else:
        transform = dataset.transform
    x, y = np.array([[x, y] for x in (0, dataset.width) for y in (0, dataset.height)], dtype=np.float64).T
    t = transform
    corners: Float = np.column_stack([t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f])
    low, high = corners.min(axis=0), corners.max(axis=0)
    cell = float(np.sqrt(abs(transform.determinant)))
    if not np.isfinite([*low, *high, cell]).all() or cell <= 0.0:
        raise misplaced(path)
    columns, rows = (max(1, int(np.ceil(extent / cell - 1e-6))) for extent in high - low)
    if rows * columns > 16 * dataset.width * dataset.height:  # stretched to a needle
        raise misplaced(path)
    return float(low[0]), float(high[1]), cell, (rows, columns)


def misplaced(path: Path) -> DataError:
    """Return the refusal of a raster whose cells would lie nowhere, or be stretched beyond any use."""
    return DataError(
        path,
        "the position and cell size the raster gives make no sense.",
        remedy="Export it again, or correct it with gdal_edit.",
    )


def _affine(west: float, north: float, cell: float) -> Any:
    from rasterio.transform import from_origin

    return from_origin(west, north, cell, cell)
