"""Readers of picture layers: which files and folders are pictures of the ground, and what is in them."""

from __future__ import annotations

import re
from contextlib import suppress
from html import unescape
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.imagery.decode import BadTileError, decoded, kind_of
from cimdesk.formats.imagery.folder import TileFolder, is_tile_folder
from cimdesk.formats.imagery.georaster import DRIVERS, open_pictures
from cimdesk.formats.imagery.grids import Tile, lonlat_box, web_mercator
from cimdesk.formats.imagery.mbtiles import SQLITE_MAGIC, MbtilesFile
from cimdesk.formats.imagery.pmtiles_file import MAGIC, BrokenArchiveError, LocalParts, PmtilesFile, unpacked
from cimdesk.formats.imagery.pyramid import LostTileError, RasterPyramid, TileFiles
from cimdesk.formats.imagery.vector_tiles import VectorPyramid
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.formats.remote_raster import RemoteDataset
from cimdesk.formats.tiff_head import looks_like_picture
from cimdesk.model.imagery import SPHERE_HALF, Imagery, PictureSource
from cimdesk.model.layers import LayerKind

MERCATOR = Crs.epsg(3857)
MOST_FILES = 2000
MAX_TILE = 32 << 20
_WORLD_FILES = {".png": (".pgw", ".pngw"), ".jpg": (".jgw", ".jpgw"), ".jpeg": (".jgw", ".jpegw"), ".webp": (".wpw", ".webpw"),
                ".jp2": (".j2w", ".jp2w")}  # fmt: skip
_PICTURE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"\x00\x00\x00\x0cjP", b"\xff\x4f\xff\x51")
_TAG = re.compile(r"<[^>]*>")


class PictureReader:
    """Reads georeferenced pictures, and folders of them as one mosaic."""

    name = "Georeferenced picture"
    streams = True
    suffixes = tuple(DRIVERS)

    def claim(self, path: Path, head: bytes) -> float:
        """Return how surely the file is a picture of the ground."""
        if not head and path.is_dir():
            return 0.7 if pictures_in(path) else 0.0
        suffix = path.suffix.lower()
        if head[:2] in (b"II", b"MM"):
            return 0.97 if looks_like_picture(path) else 0.0
        if head.startswith(_PICTURE_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
            return 0.9 if suffix in (".jp2", ".j2k") or has_world_file(path) else 0.2
        return 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Open the pictures; raises `DataError` when none can be read or the file has no place."""
        paths = pictures_in(path) if path.is_dir() else [path]
        return _opened(paths, path.stem, options)


def read_remote(dataset: RemoteDataset, title: str, options: ReadOptions) -> ReadResult:
    """Open a picture on a server; raises `DataError` when it cannot be read or has no place, and `ServiceError`."""
    return _opened([Path(title)], Path(title).stem, options, dataset)


def _opened(paths: list[Path], title: str, options: ReadOptions, remote: RemoteDataset | None = None) -> ReadResult:
    source, objects, findings, said = open_pictures(paths, title, options.crs_for(None) if options.force_crs else None, remote)
    crs = options.crs_for(said)
    source.crs = crs or source.crs
    kind = {"GTiff": "GeoTIFF", "JP2OpenJPEG": "JPEG 2000"}.get(DRIVERS.get(paths[0].suffix.lower(), ""), "picture")
    return ReadResult(
        format=f"{kind} picture" if kind != "picture" else "Georeferenced picture",
        version=None,
        crs=said.code if said else None,
        objects=objects,
        extent=Imagery.of(source).bounds,
        sources=(Source(title, LayerKind.IMAGERY, Imagery.of(source), crs, options=dict(options.extra)),),
        problems=tuple(findings.problems()),
    )


class MbtilesReader:
    """Reads MBTiles of pictures and of vector tiles."""

    name = "MBTiles"
    streams = True
    suffixes = (".mbtiles",)

    def claim(self, path: Path, head: bytes) -> float:
        """Return how surely the file is MBTiles."""
        return 0.97 if path.suffix.lower() == ".mbtiles" and head.startswith(SQLITE_MAGIC) else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Open the tiles; raises `DataError` when the database is damaged or has none."""
        file = MbtilesFile(path)
        said = file.metadata
        samples = file.samples()
        if not samples:
            raise DataError(path, "there are no tiles in it.", remedy="Export it again with at least one zoom level.")
        bounds = _said_bounds(said.get("bounds", ""))
        if bounds is None:
            bounds = np.array([[-SPHERE_HALF, -SPHERE_HALF], [SPHERE_HALF, SPHERE_HALF]])
        title = said.get("name") or path.stem
        source = tiled_source(path, title, plain(said.get("attribution", "")), bounds, file.zooms, file, _whole_one(samples), said)
        count = file.count()
        return tiled_result("MBTiles", said.get("version"), source, {} if count is None else {"tiles": count}, options)


class PmtilesReader:
    """Reads PMTiles of pictures and of vector tiles."""

    name = "PMTiles"
    streams = True
    suffixes = (".pmtiles",)

    def claim(self, path: Path, head: bytes) -> float:
        """Return how surely the file is PMTiles."""
        return 0.99 if head.startswith(MAGIC) else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Open the tiles; raises `DataError` when the archive is damaged or its tiles cannot be shown."""
        try:
            return archive_result(path, PmtilesFile(path, LocalParts(path)), options)
        except BrokenArchiveError as error:
            raise DataError(
                path, "the tiles cannot be read ({reason}).", remedy="Copy or download the file again.", reason=str(error)
            ) from error


class TileFolderReader:
    """Reads folders of tiles, zoom/column/row.png."""

    name = "Folder of tiles"
    streams = True
    suffixes = ()

    def claim(self, path: Path, head: bytes) -> float:
        """Return how surely the folder holds tiles."""
        return 0.8 if not head and path.is_dir() and is_tile_folder(path) else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Open the tiles; raises `DataError` when there are none that can be read."""
        folder = TileFolder(path)
        c0, c1, r0, r1 = folder.columns_and_rows()
        level = web_mercator(folder.zooms[0], folder.zooms[0])[0]
        bounds = np.array([level.box(c0, r1)[0], level.box(c1, r0)[1]])
        first = folder.first()
        if first is None:
            raise DataError(path, "there are no tiles in it.", remedy="Export it again with at least one zoom level.")
        source = tiled_source(path, path.name, "", bounds, folder.zooms, folder, first, {})
        return tiled_result("Folder of tiles", None, source, {"zooms": folder.zooms[1] - folder.zooms[0] + 1}, options)


def archive_result(path: Path | str, archive: PmtilesFile, options: ReadOptions) -> ReadResult:
    """Return what a PMTiles archive holds, wherever it is; raises `DataError` when its tiles cannot be shown."""
    said = archive.metadata
    title = str(said.get("name") or "") or Path(str(path)).stem
    if archive.kind in ("avif", "mlt"):
        raise cannot_show(path, archive.kind)
    probe = b"" if archive.kind == "mvt" else (_first_tile(archive) or b"")
    source = tiled_source(
        path, title, plain(str(said.get("attribution") or "")), archive.bounds, archive.zooms, archive, probe, said
    )
    return tiled_result("PMTiles", "3", source, {"tiles": archive.count}, options)


def tiled_source(
    path: Path | str,
    title: str,
    attribution: str,
    bounds: Float,
    zooms: tuple[int, int],
    files: TileFiles,
    first: bytes,
    said: dict[str, Any],
) -> PictureSource:
    """Return the source of tiles in the XYZ scheme: of vectors when ``first``, one of them, is no picture or is empty.

    Raises
    ------
    DataError
        If the tiles are of a kind that cannot be shown.
    """
    kind = kind_of(first)
    if kind in ("avif", "text"):
        raise cannot_show(path, kind)
    if kind in ("", "gzip"):
        layers = said.get("vector_layers") or _json_layers(said)
        names = {str(layer.get("id", "")) for layer in layers if isinstance(layer, dict)}
        has_land = bool(names & {"earth", "land"}) and "landcover_class" not in names
        return VectorPyramid(title, attribution, MERCATOR, bounds, web_mercator(*zooms, 512), _Unpacked(files), has_land)
    try:
        side = int(decoded(first).shape[0])
    except BadTileError:  # this one is told when it is seen; others may be whole
        side = 256
    return RasterPyramid(title, attribution, MERCATOR, bounds, web_mercator(*zooms, side), files)


def tiled_result(
    name: str, version: str | None, source: PictureSource, objects: dict[str, int], options: ReadOptions
) -> ReadResult:
    """Return the result for a source of tiles."""
    imagery = Imagery.of(source)
    problems = []
    if float((imagery.bounds[1, :2] - imagery.bounds[0, :2]).max()) > SPHERE_HALF:
        problems.append(
            Problem(Severity.INFO, "whole-earth", source.title, "It covers much of the earth; open data of your city before it.")
        )
    first, last = source.zooms
    return ReadResult(
        format=name,
        version=version,
        crs=source.crs.code,
        objects={**objects, "levels": last - first + 1},
        extent=imagery.bounds,
        sources=(Source(source.title, LayerKind.IMAGERY, imagery, source.crs, options=dict(options.extra)),),
        problems=tuple(problems),
    )


class _Unpacked:
    """Vector tiles as files keep them, unpacked."""

    def __init__(self, files: TileFiles) -> None:
        self._files = files
        self.workers = files.workers

    def read(self, tile: Tile, cancel: CancelToken) -> bytes | None:
        data = self._files.read(tile, cancel)
        if data is None:
            return None
        try:
            return unpacked(data, MAX_TILE)
        except BrokenArchiveError as error:
            where = f"{tile.level}/{tile.column}/{tile.row}"
            raise LostTileError(
                Problem(Severity.ERROR, "unreadable-tile", where, "The tile cannot be read ({reason}).", {"reason": str(error)})
            ) from error


def pictures_in(path: Path) -> list[Path]:
    """Return the colour pictures of a folder in order, if what it holds are such pictures."""
    try:
        found = sorted(p for p in islice(path.iterdir(), MOST_FILES) if p.suffix.lower() in DRIVERS and p.is_file())
    except OSError:
        return []
    tiffs = [p for p in found if p.suffix.lower() in (".tif", ".tiff", ".gtiff")]
    if tiffs:
        return tiffs if looks_like_picture(tiffs[0]) else []
    return [p for p in found if p.suffix.lower() == ".jp2" or has_world_file(p)]


def has_world_file(path: Path) -> bool:
    """Return whether a picture has a world file beside it."""
    endings = (*_WORLD_FILES.get(path.suffix.lower(), ()), ".wld")
    return any(path.with_suffix(e).is_file() or path.with_suffix(e.upper()).is_file() for e in endings)


def plain(markup: str) -> str:
    """Return an attribution without its HTML tags."""
    return " ".join(unescape(_TAG.sub(" ", markup[:4000])).split())[:300]


def cannot_show(path: Path | str, kind: str) -> DataError:
    """Return the refusal of tiles of a kind that is not decoded."""
    names = {"avif": "AVIF", "mlt": "MapLibre Tiles", "text": "text"}
    return DataError(
        path,
        "its tiles are {kind}; PNG, JPEG, WebP and Mapbox vector tiles can be shown.",
        remedy="Export it with one of these.",
        kind=names.get(kind, kind),
    )


def _whole_one(samples: list[bytes]) -> bytes:
    """Return the first tile that is a whole picture, else the first."""
    for data in samples:
        with suppress(BadTileError):
            decoded(data)
            return data
    return samples[0]


def _first_tile(archive: PmtilesFile) -> bytes | None:
    """Return any tile near the middle of an archive, to see what its tiles are."""
    levels = web_mercator(*archive.zooms)
    for k, level in enumerate(levels):
        c0, c1, r0, r1 = level.range_of(archive.bounds)
        try:
            data = archive.read(Tile(k, (c0 + c1) // 2, (r0 + r1) // 2), CancelToken())
        except LostTileError:
            continue
        if data:
            return data
    return None


def _said_bounds(text: str) -> Float | None:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if not (west < east and south < north):
        return None
    return lonlat_box(west, south, east, north)


def _json_layers(said: dict[str, Any]) -> list[Any]:
    """Return the vector layers that MBTiles name in their row ``json``."""
    import orjson

    try:
        found = orjson.loads(said.get("json") or "{}")
    except orjson.JSONDecodeError:
        return []
    layers = found.get("vector_layers", []) if isinstance(found, dict) else []
    return layers if isinstance(layers, list) else []


PICTURES = PictureReader()
MBTILES = MbtilesReader()
PMTILES = PmtilesReader()
FOLDERS = TileFolderReader()
