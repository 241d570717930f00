"""Terrain from rasters that are too large for memory, and from folders of rasters that belong together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.raster_aimed import AimedSource
from cimdesk.formats.raster_pyramid import with_pyramid
from cimdesk.formats.raster_source import MosaicSource, RasterFile
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.formats.remote_raster import RemoteDataset
from cimdesk.model.elevation import LargeSource
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

OVERVIEW_SIDE = 1024
"""Cells along the longer side of the overview that is held in memory."""
LARGE = 16_000_000
"""Cells above which a raster is not read whole."""
BIG_BLOCK = 1 << 20
"""Cells of a block above which a file cannot be read in parts at a useful speed."""
PYRAMID_CELLS = 4_000_000
"""Cells of a mosaic from which on coarser copies are made for looking at all of it."""
MAX_PARTS = 20_000
RASTER_SUFFIXES = (".tif", ".tiff", ".gtiff", ".asc", ".hgt", ".dt0", ".dt1", ".dt2", ".img", ".flt", ".bil")


def vertical_name(crs: Crs | None) -> str:
    """Return the name of the vertical datum that a system says; empty for horizontal ones."""
    if crs is None:
        return ""
    if crs.pyproj.is_compound:
        return str(crs.pyproj.sub_crs_list[1].name)
    return str(crs.name) if crs.pyproj.is_geographic and len(crs.pyproj.axis_info) == 3 else ""


def read_large(path: Path, dataset: DatasetReader | RemoteDataset, band: int, found: Crs | None, options: ReadOptions) -> Terrain:
    """Return a terrain that reads its elevations from the file when they are needed, with an overview in memory.

    A file without overviews, or one that cannot be read in parts, gets coarser copies in the cache folder first.
    """
    if isinstance(dataset, RemoteDataset):
        served = RasterFile(path, band, str(dataset.driver), found, vertical=vertical_name(found), remote=dataset)
        return overview_of(AimedSource(served, found, found))
    base = RasterFile(path, band, str(dataset.driver), found, vertical=vertical_name(found))
    block = int(np.prod(dataset.block_shapes[band - 1]))
    is_plain = dataset.driver == "GTiff" and block <= BIG_BLOCK
    source: LargeSource = base
    if not is_plain or not dataset.overviews(band):
        source = with_pyramid(base, [path], band, found, 2 if is_plain else 1, options.progress, options.cancel)
    return overview_of(source)


def overview_of(source: LargeSource, side: int = 0) -> Terrain:
    """Return the terrain of a source: a coarse copy of all of it in memory, ``side`` cells along the longer side."""
    side = side or OVERVIEW_SIDE
    (west, south, _), (east, north, _) = source.bounds.tolist()
    cell = max((east - west) / side, (north - south) / side, source.cell)
    columns, rows = max(1, int(np.ceil((east - west) / cell - 1e-6))), max(1, int(np.ceil((north - south) / cell - 1e-6)))
    cell_x, cell_y = (east - west) / columns, (north - south) / rows
    values = source.read((west, south, east, north), rows, columns)
    return Terrain(values, west, north, cell_x, cell_y, source, source.vertical)


def mosaic_files(folder: Path) -> list[Path]:
    """Return the elevation rasters directly in a folder, by name."""
    try:
        names = sorted(each for each in folder.iterdir() if each.suffix.lower() in RASTER_SUFFIXES and each.is_file())
    except OSError:
        return []
    return names[:MAX_PARTS]


def read_mosaic(folder: Path, options: ReadOptions) -> ReadResult:
    """Read the rasters of a folder as one terrain.

    Raises
    ------
    DataError
        If none of them can be used.
    """
    problems: list[Problem] = []
    parts: list[RasterFile] = []
    files = mosaic_files(folder)
    for k, file in enumerate(files):
        options.cancel.raise_if_cancelled()
        options.progress(0.2 * k / max(len(files), 1), file.name)
        part = _part(file, options, problems)
        if part is not None:
            parts.append(part)
    if not parts:
        raise DataError(folder, "none of the {count} rasters in the folder can be read.", count=len(files))
    crs = parts[0].crs
    aligned = _in_one_system(parts, crs, problems)
    source: LargeSource = MosaicSource(aligned) if len(aligned) > 1 else aligned[0]
    size = source.bounds[1, :2] - source.bounds[0, :2]
    if float(np.prod(size / source.cell)) > PYRAMID_CELLS:
        cells = float(np.prod(size / source.cell))
        first = int(2 ** np.clip(np.ceil(np.log2(np.sqrt(cells / LARGE))) + 1, 1, 6))
        source = with_pyramid(source, [part.path for part in aligned], 1, crs, first, options.progress, options.cancel)
    terrain = overview_of(source)
    if not np.isfinite(terrain.elevations).any():
        raise DataError(folder, "none of the {count} rasters in the folder can be read.", count=len(files))
    return ReadResult(
        "Raster mosaic",
        None,
        crs.code if crs else None,
        {"files": len(aligned)},
        terrain.bounds,
        (Source(folder.name, LayerKind.TERRAIN, terrain, options.crs_for(crs), options=dict(options.extra)),),
        tuple(problems),
    )


def _part(file: Path, options: ReadOptions, problems: list[Problem]) -> RasterFile | None:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(file, sharing=False) as dataset:
                if dataset.driver == "VRT":
                    return None
                crs = Crs.parse(dataset.crs.to_wkt()) if dataset.crs else options.crs
                if dataset.transform.is_identity:
                    problems.append(
                        Problem(
                            Severity.WARNING, "no-georeference", file.name, "The raster does not say where it lies; it is left out."
                        )
                    )
                    return None
                return RasterFile(file, 1, str(dataset.driver), crs, vertical=vertical_name(crs))
    except (RasterioError, ValueError) as error:
        reason = str(error.__cause__ or error).splitlines()[0][:160]
        problems.append(
            Problem(
                Severity.ERROR, "broken-part", file.name, "A raster of the folder cannot be read ({reason}).", {"reason": reason}
            )
        )
        return None


def _in_one_system(parts: Sequence[RasterFile], crs: Crs | None, problems: list[Problem]) -> tuple[RasterFile, ...]:
    """Return the parts, those in other systems than the first one's brought into it."""
    aligned = []
    for part in parts:
        if part.crs == crs:
            aligned.append(part)
        elif crs is not None and part.crs is not None:
            aligned.append(part.aimed(part.crs, crs))
        else:
            problems.append(
                Problem(Severity.WARNING, "no-crs", part.path.name, "The raster names no reference system; it is left out.")
            )
    return tuple(aligned)
