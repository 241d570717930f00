"""Tilesets as layers: which are streamed, from where, and how what arrives reaches the tables."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from cimdesk.commands.basemaps import is_picture_address
from cimdesk.commands.session import Session
from cimdesk.formats import registry
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.formats.tiles3d import TilesetReader, place_of, read_from, title_of
from cimdesk.formats.tiles3d_paths import TilePlace, is_json
from cimdesk.formats.tiles3d_stream import TileStream
from cimdesk.model.imagery import Imagery
from cimdesk.model.layers import LayerKind
from cimdesk.model.tileset import TiledCity
from cimdesk.services.tile_http import TilesetServer
from cimdesk.services.tile_store import TileStore

WHOLE_TILES = 200
"""Contents up to which a tileset is held whole, so that tables and analyses have every feature at once."""
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
    if address is not None:
        server = TilesetServer(address)
        title = Path(urlsplit(server.address).path.strip("/") or urlsplit(server.address).hostname or "tileset")
        if not streams:
            return read_from(server, server.name, title, options)
        return _streamed(server, server.name, title, options)
    if not streams or not isinstance(registry.reader_for(path), TilesetReader):
        return registry.read(path, options)
    place, name, file = place_of(path)
    if not is_json(name):
        return registry.read(path, options)
    stream = TileStream(place, name)
    if not stream.is_placed or not _is_large(stream, options.max_error):
        return registry.read(path, options)
    return _result(stream, file, options)


def publish(session: Session) -> bool:
    """Give the layers the features that tiles have brought since the last time; return whether there were any.

    Called now and then while tiles come, on the thread that owns the workspace; it is not an edit.
    """
    workspace = session.workspace
    fresh = {}
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if isinstance(data, TiledCity) and data.tiles is not None:
            if data.tiles.feature_count > len(data.city.features):
                fresh[layer.id] = replace(data, tileset=data.tiles.tileset, city=data.tiles.city())
            found = data.tiles.problems()
            if len(found) > len(workspace.problems(layer.id)):
                workspace.set_problems(layer.id, found)
        if isinstance(data, Imagery) and len(found := data.source.problems()) > len(workspace.problems(layer.id)):
            workspace.set_problems(layer.id, found)
    if fresh:
        workspace.apply((), fresh)
    return bool(fresh)


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
