"""Elevation rasters -> Terrain: GeoTIFF and COG, Arc ASCII grids, the other DEM formats of GDAL, a raster in a zip.

Writing is in `raster_write`, changing the reference system in `raster_warp`, quantized-mesh tiles in `raster_tiles`.
"""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Severity
from cimdesk.formats.raster_cells import Reading, broken, misplaced, read_upright, read_warped
from cimdesk.formats.raster_large import LARGE, mosaic_files, read_large, read_mosaic, vertical_name
from cimdesk.formats.raster_tiles import DESCRIPTION, is_terrain_tile, is_tile_set, read_terrain_tile, read_tile_set
from cimdesk.formats.raster_warp import reproject_terrain
from cimdesk.formats.raster_write import write_ascii_grid, write_geotiff
from cimdesk.formats.registry import HEAD_BYTES, ReadOptions, ReadResult, Source, read_head
from cimdesk.formats.remote_raster import RemoteDataset
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from cimdesk.formats.remote_raster import Dataset

__all__ = ["READER", "RasterReader", "reproject_terrain", "write_ascii_grid", "write_geotiff"]

MAX_UNZIPPED = 2 << 30
MAX_RATIO = 2000

# What a folder of elevations may hold. VRT is left out: it names other files and addresses.
_DRIVERS = {
    ".tif": "GTiff", ".tiff": "GTiff", ".gtiff": "GTiff",
    ".asc": "AAIGrid", ".grd": "", ".hgt": "SRTMHGT", ".dem": "", ".dt0": "DTED", ".dt1": "DTED", ".dt2": "DTED",
    ".img": "HFA", ".bil": "EHdr", ".bip": "EHdr", ".flt": "EHdr",
}  # fmt: skip
_ALLOWED = ("GTiff", "AAIGrid", "GRASSASCIIGrid", "SRTMHGT", "USGSDEM", "DTED", "HFA", "EHdr", "GSAG", "GSBG", "GS7BG")
_DRIVER_NAMES = {"GTiff": "GeoTIFF", "AAIGrid": "Arc ASCII grid", "GRASSASCIIGrid": "GRASS ASCII grid"}
MAX_CELL_TEXT = 64
"""Most bytes one value of a text grid can take."""
_GRID_SIZE = re.compile(rb"^\s*(ncols|nrows)\s+(\d{1,12})\s*$", re.MULTILINE)
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class RasterReader:
    """Reads one band of an elevation raster as a `Terrain`.

    ``ReadOptions.extra`` may hold ``band`` (from 1), ``window`` ([west, south, east, north] in the raster's system)
    and ``max_cells``.
    """

    name = "Elevation raster"
    streams = True
    suffixes = (*_DRIVERS, ".terrain", ".zip")

    def claim(self, path: Path, head: bytes) -> float:
        """Return how surely the file is a raster."""
        suffix = path.suffix.lower()
        if not head and path.is_dir():
            return _claim_folder(path)
        if suffix == ".terrain":
            return 0.95
        if suffix == ".json":
            return 0.9 if is_tile_set(head) else 0.0
        if head[:4] in _TIFF_MAGIC:
            return 0.95
        if head[:5].lower() == b"ncols":
            return 0.95
        if head[:4] == b"PK\3\4" and suffix == ".zip":
            return 0.8 if _raster_members(path) else 0.0
        return 0.6 if suffix in _DRIVERS and head else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read the file; raises `DataError` when no elevation in it can be read."""
        if path.is_dir() and (path / DESCRIPTION).is_file():
            return read_tile_set(path / DESCRIPTION, options)
        if path.is_dir():
            return read_mosaic(path, options)
        if path.suffix.lower() == ".json":
            return read_tile_set(path, options)
        if is_terrain_tile(path):
            return read_terrain_tile(path, options)
        from rasterio.errors import NotGeoreferencedWarning

        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # told as a problem instead
            dataset, crs_text = _open(path, stack)
            return _read_dataset(path, dataset, crs_text, options)


READER = RasterReader()


def read_remote(dataset: RemoteDataset, title: str, options: ReadOptions) -> ReadResult:
    """Read a GeoTIFF on a server: whole where it is small, else bit by bit when it is looked at.

    Raises
    ------
    DataError
        If no elevation in it can be read, or it is large and not laid out along the axes.
    ServiceError
        If the server gives no more.
    """
    path = Path(title)
    if dataset.width * dataset.height > LARGE and not dataset.is_upright:
        raise DataError(
            path,
            "the raster is rotated and has {cells} cells, too many to straighten.",
            remedy="Straighten it with gdalwarp, then open the result.",
            cells=dataset.width * dataset.height,
        )
    return _read_dataset(path, dataset, "", options)


def _claim_folder(path: Path) -> float:
    """A folder of rasters is one terrain, unless something else in it says what it is."""
    if (path / "tileset.json").exists():
        return 0.0
    if (path / DESCRIPTION).is_file():
        return 0.9 if is_tile_set(read_head(path / DESCRIPTION)) else 0.0
    return 0.5 if mosaic_files(path) else 0.0


def _open(path: Path, stack: ExitStack) -> tuple[DatasetReader, str]:
    """Open a raster, or the only raster of a zip; also the text of a .prj packed with it."""
    import rasterio
    from rasterio.errors import RasterioError

    stack.enter_context(rasterio.Env(GDAL_PAM_ENABLED=False, GDAL_DISABLE_READDIR_ON_OPEN="FALSE"))
    try:
        if path.suffix.lower() == ".zip":
            name, data, projection = _unzip(path)
            memory = stack.enter_context(rasterio.MemoryFile(data, filename=Path(name).name))
            return stack.enter_context(memory.open(driver=_driver_of(Path(name)))), projection
        _refuse_false_size(path)
        return stack.enter_context(_open_first(path, [known] if (known := _driver_of(path)) else _ALLOWED)), ""
    except (RasterioError, ValueError) as error:
        raise broken(path, error) from error


def _driver_of(path: Path) -> str | None:
    return _DRIVERS.get(path.suffix.lower()) or None


def _open_first(path: Path, drivers: Sequence[str]) -> DatasetReader:
    """Open a raster with the first driver that knows it; GDAL's own search would follow a VRT to other files."""
    import rasterio
    from rasterio.errors import RasterioIOError

    for driver in drivers[:-1]:
        try:
            return rasterio.open(path, driver=driver, sharing=False)
        except RasterioIOError:
            continue
    return rasterio.open(path, driver=drivers[-1], sharing=False)


def _refuse_false_size(path: Path) -> None:
    """Refuse an Arc ASCII grid with far fewer or more bytes than its cells need: GDAL would look for them for hours."""
    said = dict(_GRID_SIZE.findall(read_head(path)[:1000].lower()))
    if len(said) < 2:
        return
    cells, size = int(said[b"ncols"]) * int(said[b"nrows"]), path.stat().st_size
    if not 2 * cells - 1 <= size <= MAX_CELL_TEXT * cells + HEAD_BYTES:
        raise DataError(
            path,
            "the grid says it has {cells} cells; that does not fit its {size} bytes.",
            remedy="Copy or download it again, or convert it to GeoTIFF.",
            cells=cells,
            size=size,
        )


def _raster_members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [info.filename for info in archive.infolist() if Path(info.filename).suffix.lower() in _DRIVERS]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def _unzip(path: Path) -> tuple[str, bytes, str]:
    """Return name and bytes of the only raster in a zip, and the text of its .prj."""
    members = _raster_members(path)
    if len(members) != 1:
        raise DataError(
            path,
            "the zip holds {count} rasters; only a zip of exactly one can be opened.",
            remedy="Unpack it and open the rasters one by one.",
            count=len(members),
        )
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(members[0])
            if info.file_size > MAX_UNZIPPED or info.file_size > MAX_RATIO * max(info.compress_size, 1):
                raise DataError(
                    path,
                    "{name} would unpack to {size} bytes from {packed}; that is not believable for a raster.",
                    remedy="Unpack it yourself if you trust it, and open the raster.",
                    name=info.filename,
                    size=info.file_size,
                    packed=info.compress_size,
                )
            with archive.open(info) as file:
                data = file.read(info.file_size)
            beside = str(Path(info.filename).with_suffix(".prj").as_posix())
            projection = archive.read(beside)[:100_000].decode("utf-8", "replace") if beside in archive.namelist() else ""
    except (zipfile.BadZipFile, OSError, RuntimeError, EOFError, zlib.error) as error:
        raise broken(path, error) from error
    return info.filename, data, projection


def _read_dataset(path: Path, dataset: Dataset, crs_text: str, options: ReadOptions) -> ReadResult:
    reading = Reading(path, options, [])
    found = Crs.parse(dataset.crs.to_wkt() if dataset.crs else crs_text)
    band = _band(reading, dataset)
    gcps = bool(dataset.gcps[0]) and dataset.transform.is_identity
    if gcps and dataset.gcps[1]:
        found = Crs.parse(dataset.gcps[1].to_wkt())
    place = np.array(tuple(dataset.transform)[:6], dtype=np.float64)
    if not gcps and not (np.isfinite(place).all() and abs(dataset.transform.determinant) > 0):
        raise misplaced(path)
    if _is_large(reading, dataset):
        terrain = read_large(path, dataset, band, found, options)
        reading.note(
            Severity.INFO,
            "large",
            "The raster has {cells} cells; they are read when they are looked at.",
            cells=dataset.width * dataset.height,
        )
    elif not gcps and place[1] == 0 and place[3] == 0:
        terrain = read_upright(reading, dataset, band)
    else:
        terrain, found = read_warped(reading, dataset, band, found, gcps)
    _report(reading, dataset, terrain, found)
    driver = str(dataset.driver)
    crs = options.crs_for(found)
    terrain = replace(terrain, vertical=vertical_name(found))
    return ReadResult(
        format=_DRIVER_NAMES.get(driver, driver),
        version=None,
        crs=found.code if found else None,
        objects={"bands": dataset.count, "width": dataset.width, "height": dataset.height},
        extent=terrain.bounds,
        sources=(Source(path.stem, LayerKind.TERRAIN, terrain, crs, options=dict(options.extra)),),
        problems=tuple(reading.problems),
    )


def _is_large(reading: Reading, dataset: Dataset) -> bool:
    """Whether a raster is to be read bit by bit, when it is looked at."""
    asked = {"max_cells", "window"} & reading.options.extra.keys()
    is_placed = bool(dataset.gcps[0]) or not dataset.transform.is_identity
    return dataset.width * dataset.height > LARGE and is_placed and not asked and reading.path.suffix.lower() != ".zip"


def _band(reading: Reading, dataset: Dataset) -> int:
    band = int(reading.options.extra.get("band", 1))
    if not 1 <= band <= dataset.count:
        raise DataError(reading.path, "there is no band {band}; the raster has {count}.", band=band, count=dataset.count)
    if dataset.count > 1 and "band" not in reading.options.extra:
        reading.note(
            Severity.INFO, "several-bands", "The raster has {count} bands; band 1 is taken as the elevation.", count=dataset.count
        )
    if dataset.dtypes[band - 1] == "uint8":
        reading.note(
            Severity.WARNING,
            "looks-like-picture",
            "The values are whole numbers from 0 to 255: this looks like a picture or a class map, not elevations.",
            where=f"band {band}",
        )
    return band


def _report(reading: Reading, dataset: Dataset, terrain: Terrain, found: Crs | None) -> None:
    """Say what a planner should know before trusting the terrain."""
    if not np.isfinite(terrain.elevations).any():
        raise DataError(
            reading.path,
            "no cell of the raster has an elevation.",
            remedy="Check its no-data value ({nodata}) and the band.",
            nodata=dataset.nodata,
        )
    if dataset.transform.is_identity and not dataset.gcps[0]:
        reading.note(
            Severity.WARNING, "no-georeference", "The raster does not say where it lies; its cells are placed from 0, 0 at 1 m."
        )
    if found is None and reading.options.crs is None:
        reading.note(Severity.WARNING, "no-crs", "The file names no coordinate reference system.")
        if np.abs(terrain.bounds[:, 0]).max() <= 180 and np.abs(terrain.bounds[:, 1]).max() <= 90 and terrain.cell_x < 0.02:
            reading.note(
                Severity.WARNING,
                "looks-like-degrees",
                "The cells look like degrees; say so with a geographic system such as EPSG:4326.",
            )
