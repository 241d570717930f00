"""Tilesets as layers: which are streamed, from where, and how what arrives reaches the tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from cimdesk.base.errors import Problem, Severity
from cimdesk.commands.basemaps import is_picture_address
from cimdesk.commands.session import Session
from cimdesk.formats import registry
from cimdesk.formats.pointcloud import PointCloudReader
from cimdesk.formats.raster_aimed import AimedSource
from cimdesk.formats.raster_tiles import is_terrain_address, read_served
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.formats.tiles3d import TilesetReader, place_of, read_from, title_of
from cimdesk.formats.tiles3d_paths import TilePlace, is_json
from cimdesk.formats.tiles3d_stream import TileStream
from cimdesk.model.imagery import Imagery
from cimdesk.model.layers import LayerKind
from cimdesk.model.points import PointCloud
from cimdesk.model.terrain import Terrain
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData, Workspace
from cimdesk.services.point_server import glance_at_cloud, is_cloud_address, open_cloud
from cimdesk.services.tile_apart import DecodingApart
from cimdesk.services.tile_http import TilesetServer
from cimdesk.services.tile_store import TileStore

WHOLE_TILES = 200
"""Contents up to which a tileset is held whole, so that tables and analyses have every feature at once."""
CHECKED_FILES, CHECKED_TILES = 200, 50
"""Files of the tree, and contents, that checking a tileset on a server asks for."""
SERVER_WORKERS = 6
"""Files fetched at a time from a server: they mostly wait."""
_ADDRESS = re.compile(r"^(https?):/+(?=[^/])", re.IGNORECASE)


def address_of(path: Path | str) -> str | None:
    """Return the http(s) address a path stands for; None for a file. Paths fold ``//`` into ``/``."""
    text = Path(path).as_posix() if isinstance(path, Path) else path
    return _ADDRESS.sub(r"\1://", text) if _ADDRESS.match(text) else None


def read_source(path: Path, options: ReadOptions, streams: bool) -> ReadResult:
    """Read a file, or open a tileset so that its tiles come with the view.

    Parameters
    ----------
    path : Path
        A file, a folder, or an http(s) address.
    options : ReadOptions
    streams : bool
        Whether somebody is going to look at it: otherwise everything is read now.

    Raises
    ------
    DataError
        If it cannot be used at all.
    """
    address = address_of(path)
    if address is not None and is_picture_address(address):
        from cimdesk.services.imagery_server import open_pictures

        return open_pictures(address, options)
    if address is not None and is_cloud_address(address):
        return open_cloud(address, options, streams=streams)
    if address is not None:
        server = TilesetServer(address)
        title = _title_of(server)
        if is_terrain_address(address):
            return read_served(server, server.name, title.name, options)
        if not streams:
            return read_from(server, server.name, title, options)
        return _streamed(server, server.name, title, options)
    reader = registry.reader_for(path)
    if streams and isinstance(reader, PointCloudReader):
        return reader.glance(path, options)
    if not streams or not isinstance(reader, TilesetReader):
        return registry.read(path, options)
    place, name, file = place_of(path)
    if not is_json(name):
        return registry.read(path, options)
    stream = TileStream(place, name)
    if not stream.is_placed or not _is_large(stream, options.max_error):
        return registry.read(path, options)
    return _result(stream, file, options)


def check_source(path: Path, options: ReadOptions) -> ReadResult:
    """Read a file as `read_source` does, but of a large tileset on a server no more than its top, of points no more than a view.

    Raises
    ------
    DataError, ServiceError
        If it cannot be used, or the server does not answer.
    """
    address = address_of(path)
    if address is None:
        return registry.read(path, options)
    if is_cloud_address(address) and (seen := glance_at_cloud(address, options)) is not None:
        return seen
    if is_picture_address(address) or is_terrain_address(address) or is_cloud_address(address):
        return read_source(path, options, streams=False)
    server = TilesetServer(address)
    stream = TileStream(server, server.name)
    for _ in range(CHECKED_FILES):
        options.cancel.raise_if_cancelled()
        if not stream.tileset.stubs:
            break
        stream.expand(min(stream.tileset.stubs))
    title = _title_of(server)
    if not stream.tileset.stubs and sum(map(len, stream.tileset.contents)) <= CHECKED_FILES:
        return read_from(server, server.name, title, options)
    return _sampled(stream, title, options)


def _sampled(stream: TileStream, title: Path, options: ReadOptions) -> ReadResult:
    """Return what the coarsest tiles of a tileset hold, and that there are more."""
    result = _result(stream, title, options)
    tileset = stream.tileset
    rows = np.flatnonzero(~tileset.is_empty)[:CHECKED_TILES].tolist()
    features = triangles = 0
    problems = list(result.problems)
    for k, row in enumerate(rows):
        options.cancel.raise_if_cancelled()
        options.progress(k / len(rows))
        tile = stream.decode(row)
        features += len(tile.ids)
        triangles += 0 if tile.block is None else len(tile.block.triangles)
        problems += tile.problems
    values = {"files": len(tileset.stubs), "tiles": int((~tileset.is_empty).sum()) - len(rows)}
    template = "Only the top was looked at: {tiles} contents and {files} parts of the tree are not read."
    problems.append(Problem(Severity.INFO, "sampled", "", template, values))
    contents = sum(map(len, tileset.contents))
    objects = {**result.objects, "contents": contents, "features": features, "triangles": triangles}
    return replace(result, objects=objects, problems=tuple(problems))


def _title_of(server: TilesetServer) -> Path:
    parts = urlsplit(server.address)
    return Path(parts.path.strip("/") or parts.hostname or "tileset")


def publish(session: Session) -> bool:
    """Give the layers the features that tiles have brought since the last time; return whether there were any.

    Called now and then while tiles come, on the thread that owns the workspace; it is not an edit.
    """
    workspace = session.workspace
    fresh = {}
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if isinstance(data, TiledCity) and data.tiles is not None and data.tiles.feature_count > len(data.city.features):
            fresh[layer.id] = replace(data, tileset=data.tiles.tileset, city=data.tiles.city())
        _tell_fresh(workspace, layer.id, _met_since(data))
    if fresh:
        workspace.apply((), fresh)
    return bool(fresh)


def _tell_fresh(workspace: Workspace, layer_id: str, found: Sequence[Problem]) -> None:
    """Add problems to those that a layer has already, each once."""
    known = workspace.problems(layer_id)
    keys = {(problem.code, problem.where, problem.template) for problem in known}
    fresh = [problem for problem in found if (problem.code, problem.where, problem.template) not in keys]
    if fresh:
        workspace.set_problems(layer_id, (*known, *fresh))


def _met_since(data: LayerData | None) -> tuple[Problem, ...]:
    """Return what went wrong with tiles, pictures, elevations and points that come as they are looked at."""
    if isinstance(data, TiledCity):
        return () if data.tiles is None else data.tiles.problems()
    if isinstance(data, Imagery):
        return data.source.problems()
    if isinstance(data, PointCloud) and data.points is not None:
        return data.points.problems()
    return data.source.problems() if isinstance(data, Terrain) and isinstance(data.source, AimedSource) else ()


def _is_large(stream: TileStream, max_error: float) -> bool:
    """Return whether a tileset has more than fits well into memory, finer tiles, or some not for every eye."""
    tileset = stream.tileset
    if tileset.stubs or tileset.requests is not None or sum(map(len, tileset.contents)) > WHOLE_TILES:
        return True
    return not np.array_equal(tileset.refine(max_error), tileset.refine(0.0))


def _streamed(place: TilePlace, name: str, title: Path, options: ReadOptions) -> ReadResult:
    stream = TileStream(place, name)
    return _result(stream, title, options) if stream.is_placed else read_from(place, name, title, options)


def _result(stream: TileStream, file: Path, options: ReadOptions) -> ReadResult:
    store = TileStore(stream)
    store.decode = DecodingApart(stream, lambda: store.is_gentle)
    if isinstance(stream.place, TilesetServer):
        store.workers = SERVER_WORKERS
        stream.place.is_unwanted = store.is_unwanted
    tileset = stream.tileset
    data = TiledCity(tileset, store.city(), options.max_error, store)
    source = Source(title_of(file), LayerKind.TILES, data, options.crs_for(stream.crs))
    return ReadResult(
        format="3D Tiles",
        version=tileset.version or None,
        crs=None if stream.crs is None else stream.crs.definition,
        objects={"tiles": len(tileset.parent)},
        extent=tileset.bounds,
        sources=(source,),
        problems=stream.findings.problems(),
    )
