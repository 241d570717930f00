"""Quantized-mesh terrain read as files: a description with its tiles in a folder, or one tile."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.quantized_mesh import BrokenTileError, TerrainTile, decode_tile
from cimdesk.formats.quantized_pyramid import Address, QuantizedMeshSource, lone_tile, open_layer
from cimdesk.formats.raster_large import overview_of
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.formats.tiles3d_paths import TilePlace, TilesetFolder
from cimdesk.model.layers import LayerKind

MAX_BYTES = 256 << 20
OVERVIEW_SIDE = 256
MAX_LISTED = 500_000
DESCRIPTION = "layer.json"
_TILE_SET = re.compile(rb'"(?:tilejson|format)"\s*:\s*"(?:quantized-mesh|heightmap|\d+\.\d+)')
_FLAT = re.compile(r"(\d{1,2})_(\d{1,9})_(\d{1,9})")
_FORMAT = "Quantized-mesh terrain"


def is_tile_set(head: bytes) -> bool:
    """Whether a JSON file describes a set of terrain tiles (``layer.json``)."""
    return bool(_TILE_SET.search(head)) and (b'"tiles"' in head or b'"tilejson"' in head or b"quantized-mesh" in head)


def read_tile_set(path: Path, options: ReadOptions) -> ReadResult:
    """Read the terrain that a ``layer.json`` describes, with the tiles beside it.

    Raises
    ------
    DataError
        If there are no tiles, or they cannot be one terrain.
    """
    folder = TilesetFolder(path.parent.resolve())
    source = open_layer(folder, path.name, _present(path.parent), options.extra.get("window"), path)
    return terrain_result(source, path.parent.name or path.stem, options)


def is_terrain_address(address: str) -> bool:
    """Whether an http(s) address is that of a description of terrain tiles."""
    return urlsplit(address).path.endswith(f"/{DESCRIPTION}")


def read_served(place: TilePlace, name: str, title: str, options: ReadOptions) -> ReadResult:
    """Read the terrain that a description on a server offers; raises `DataError`."""
    return terrain_result(open_layer(place, name, (), options.extra.get("window")), title, options)


def terrain_result(source: QuantizedMeshSource, title: str, options: ReadOptions) -> ReadResult:
    """Return what a pyramid gives: one terrain in longitude and latitude, heights above the ellipsoid."""
    terrain = overview_of(source, OVERVIEW_SIDE)
    if not np.isfinite(terrain.elevations).any():
        raise DataError(None, "none of its tiles can be read.", remedy="Download them again.")
    layer = source.meshes.layer
    problems = (
        Problem(
            Severity.INFO,
            "ellipsoid-heights",
            title,
            "Heights are above the WGS 84 ellipsoid; set the height offset of the layer to bring them to the local datum.",
        ),
    )
    crs = options.crs_for(Crs.epsg(4326))
    options_kept = {"attribution": layer.attribution} if layer.attribution else {}
    return ReadResult(
        _FORMAT,
        layer.version or None,
        "EPSG:4326",
        {"levels": source.deepest - layer.first + 1},
        terrain.bounds,
        (Source(title, LayerKind.TERRAIN, terrain, crs, options={**options.extra, **options_kept}),),
        problems,
    )


def _present(folder: Path) -> list[Address]:
    """Return level, column and row in the names of the tiles in a folder."""
    found: list[Address] = []
    for each in folder.glob("*.terrain"):
        if match := _FLAT.fullmatch(each.stem):
            found.append((int(match[1]), int(match[2]), int(match[3])))
    for file in folder.glob("[0-9]*/[0-9]*/[0-9]*.terrain"):
        names = file.parent.parent.name, file.parent.name, file.stem
        if all(name.isdigit() for name in names):
            found.append((int(names[0]), int(names[1]), int(names[2])))
        if len(found) >= MAX_LISTED:
            break
    return found


def is_terrain_tile(path: Path) -> bool:
    """Whether the name says it is a terrain tile."""
    return path.suffix.lower() == ".terrain"


def read_terrain_tile(path: Path, options: ReadOptions) -> ReadResult:
    """Return the terrain of one tile; without a place in its name (``level_column_row``) only its counts and heights.

    Raises
    ------
    DataError
        If it is no quantized mesh.
    """
    tile = _decoded(path)
    objects = {"vertices": len(tile.heights), "triangles": len(tile.triangles)}
    problems = []
    if not tile.is_whole:
        problems.append(
            Problem(Severity.ERROR, "height-out-of-range", path.name, "Some vertices lie outside the tile's range of heights.")
        )
    place = _FLAT.fullmatch(path.stem)
    if place is not None:
        source = lone_tile(TilesetFolder(path.parent.resolve()), (int(place[1]), int(place[2]), int(place[3])))
        found = terrain_result(source, path.stem, options)
        return ReadResult(_FORMAT, None, found.crs, objects, found.extent, found.sources, (*found.problems, *problems))
    without = Problem(
        Severity.WARNING,
        "tile-without-place",
        path.name,
        "A terrain tile does not say where it lies; it is counted and cannot be shown. Heights {low} to {high} m.",
        {"low": round(tile.low, 2), "high": round(tile.high, 2)},
    )
    return ReadResult("Quantized-mesh terrain tile", None, None, objects, None, (), (without, *problems))


def _decoded(path: Path) -> TerrainTile:
    data = _bytes_of(path)
    try:
        return decode_tile(data)
    except BrokenTileError as error:
        if str(error) == "heights":
            raise DataError(
                path, "the heights in the header of the terrain tile make no sense.", remedy="Download the tile again."
            ) from error
        raise DataError(
            path,
            "the terrain tile is cut short or no quantized mesh.",
            where=f"byte {len(data)}",
            remedy="Download the tile again.",
        ) from error


def _bytes_of(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path) as packed:
                data = packed.read(MAX_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(path, "the terrain tile cannot be unpacked.", remedy="Download the tile again.") from error
    return data
