"""Pictures from servers: tiles by addresses with gaps, WMTS and WMS, and PMTiles read in parts; kept on the disk."""

from __future__ import annotations

from urllib.parse import urlsplit

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, ServiceError, Severity
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.imagery.decode import BadTileError, decoded, kind_of
from cimdesk.formats.imagery.grids import Level, Tile, web_mercator
from cimdesk.formats.imagery.ogc import Offer, offers_of
from cimdesk.formats.imagery.pmtiles_file import BrokenArchiveError, PmtilesFile
from cimdesk.formats.imagery.pyramid import LostTileError, RasterPyramid
from cimdesk.formats.imagery.reader import archive_result, tiled_result
from cimdesk.formats.imagery.templates import Template, is_template, unknown_gaps
from cimdesk.formats.imagery.vector_tiles import VectorPyramid
from cimdesk.formats.registry import ReadOptions, ReadResult
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.model.imagery import SPHERE_HALF, PictureSource
from cimdesk.services.http_ranges import RangeServer
from cimdesk.services.raster_server import open_raster
from cimdesk.services.tile_cache import TileCache

MAX_TILE = 16 << 20
MAX_CAPABILITIES = 32 << 20
WORKERS = 6
"""Tiles asked for at a time: they mostly wait."""
LAST_ZOOM = 19
LAYER_MARK = "#layer="


class ServerTiles:
    """Tiles by an address with gaps; a `TileFiles`."""

    workers = WORKERS

    def __init__(self, server: RangeServer, template: Template, levels: tuple[Level, ...]) -> None:
        self._server = server
        self._template = template
        self._levels = levels

    def read(self, tile: Tile, cancel: CancelToken) -> bytes | None:
        """Return the bytes of a tile; None where the server says that there is none (404, 204)."""
        level = self._levels[tile.level]
        where = f"{level.name}/{tile.column}/{tile.row}"
        try:
            data = self._server.fetch(self._template.address(level, tile), MAX_TILE, cancel)
        except BrokenPart as broken:
            if broken.code == "missing-content" and broken.values.get("status") in (404, 410):
                return None
            raise LostTileError(broken.problem(Severity.WARNING, where)) from broken
        if data and kind_of(data) == "text":
            problem = Problem(
                Severity.WARNING, "no-picture", where, "The server answered with a text: {text}",
                {"text": " ".join(data[:200].decode("utf-8", "replace").split())[:120]},
            )  # fmt: skip
            raise LostTileError(problem)
        return data or None


def is_picture_address(address: str) -> bool:
    """Return whether an http address is one of pictures rather than of a tileset of models."""
    path = urlsplit(address).path.lower()
    query = urlsplit(address).query.lower()
    is_service = (
        "service=wmts" in query or "service=wms" in query or "wmtscapabilities" in path or "request=getcapabilities" in query
    )
    return is_template(address) or is_service or path.endswith((".pmtiles", ".tif", ".tiff", "/wmts", "/wms"))


def open_pictures(address: str, options: ReadOptions, cache: TileCache | None = None) -> ReadResult:
    """Return what an http address of pictures gives.

    Raises
    ------
    DataError, ServiceError
        If it cannot be used; several maps of a service are told by name.
    """
    address, _, layer = address.partition(LAYER_MARK)
    server = RangeServer(_filled_example(address), cache or TileCache())
    path = urlsplit(address).path.lower()
    if is_template(address):
        return _from_template(server, address, options)
    if path.endswith(".pmtiles"):
        return _from_archive(server, address, options)
    if path.endswith((".tif", ".tiff")):
        return open_raster(address, options, cache)
    found = offers(address, server)
    if layer:
        found = [offer for offer in found if offer.name == layer]
    if len(found) != 1:
        names = ", ".join(offer.name for offer in offers(address, server)[:12])
        raise DataError(
            address,
            "the service offers several maps: {names}.",
            remedy="Choose one by writing {mark}NAME after the address.",
            names=names,
            mark=LAYER_MARK,
        )
    return _from_offer(server, found[0], options)


def offers(address: str, server: RangeServer | None = None) -> list[Offer]:
    """Return the maps of a WMTS or WMS; raises DataError and ServiceError."""
    address = _with_request(address.partition(LAYER_MARK)[0])
    server = server or RangeServer(address)
    try:
        data = server.fetch(address, MAX_CAPABILITIES, CancelToken())
    except BrokenPart as broken:
        raise _unreachable(broken) from broken
    return offers_of(data, address)


def _from_template(server: RangeServer, address: str, options: ReadOptions) -> ReadResult:
    if gaps := unknown_gaps(address):
        raise DataError(
            address,
            "nothing is known for {gaps} in the address.",
            remedy="Write its value instead.",
            gaps=", ".join(f"{{{g}}}" for g in gaps),
        )
    levels = web_mercator(0, LAST_ZOOM)
    files = ServerTiles(server, Template(address), levels)
    probe = _probe(files, levels, options.cancel)
    title = urlsplit(address).hostname or address
    bounds = np.array([[-SPHERE_HALF, -SPHERE_HALF], [SPHERE_HALF, SPHERE_HALF]])
    source: PictureSource
    is_vector = kind_of(probe) in ("", "gzip") if probe else urlsplit(address).path.lower().endswith((".pbf", ".mvt"))
    if is_vector:
        levels = web_mercator(0, 15, 512)
        source = VectorPyramid(title, "", Crs.epsg(3857), bounds, levels, ServerTiles(server, Template(address), levels), False)
    else:
        side = _side_of(probe, address) if probe else 256
        levels = web_mercator(0, LAST_ZOOM, side)
        source = RasterPyramid(
            title, known_attribution(address), Crs.epsg(3857), bounds, levels, ServerTiles(server, Template(address), levels)
        )
    return tiled_result("XYZ tiles", None, source, {}, options)


def _from_archive(server: RangeServer, address: str, options: ReadOptions) -> ReadResult:
    def fetch(offset: int, length: int, cancel: CancelToken) -> bytes:
        try:
            return server.part(address, offset, length, cancel)
        except BrokenPart as broken:
            raise LostTileError(broken.problem(Severity.WARNING)) from broken

    try:
        return archive_result(address, PmtilesFile(address, fetch, WORKERS), options)
    except (LostTileError, BrokenArchiveError) as error:
        reason = error.problem.message if isinstance(error, LostTileError) else str(error)
        raise ServiceError("{reason}", remedy="Check the address and the connection.", reason=reason) from error


def _from_offer(server: RangeServer, offer: Offer, options: ReadOptions) -> ReadResult:
    files = ServerTiles(server, offer.template, offer.levels)
    source = RasterPyramid(offer.title, offer.attribution, offer.crs, offer.bounds, offer.levels, files)
    return tiled_result("WMS" if "{bbox}" in offer.template.text else "WMTS", None, source, {}, options)


def _probe(files: ServerTiles, levels: tuple[Level, ...], cancel: CancelToken) -> bytes | None:
    """Return any tile near the middle of the earth; None where the server has none there, as one of a single city."""
    for zoom in (0, 1, 2, 3):
        try:
            data = files.read(Tile(zoom, levels[zoom].columns // 2, levels[zoom].rows // 2), cancel)
        except LostTileError as error:
            raise ServiceError(
                "The server gives no tiles. {reason}",
                remedy="Check the address and the connection, then try again.",
                reason=error.problem.message,
            ) from error
        if data:
            return data
    return None


def _side_of(data: bytes, address: str) -> int:
    try:
        return int(decoded(data).shape[0])
    except BadTileError as error:
        raise DataError(address, "its tiles are no pictures ({reason}).", remedy="Check the address.", reason=str(error)) from error


def known_attribution(address: str) -> str:
    """Return whom tiles of an address are owed to: what is known of the host, else the host itself."""
    host = (urlsplit(address).hostname or "").lower().replace("{s}.", "")
    for ending, credit in _CREDITS.items():
        if host.endswith(ending):
            return credit
    return host


_CREDITS = {
    "openstreetmap.org": "© OpenStreetMap contributors",
    "openstreetmap.fr": "© OpenStreetMap contributors",
    "opentopomap.org": "© OpenStreetMap contributors, SRTM | © OpenTopoMap (CC-BY-SA)",
    "arcgisonline.com": "© Esri and its data providers",
    "tianditu.gov.cn": "天地图 © 国家地理信息公共服务平台",
    "cartocdn.com": "© OpenStreetMap contributors © CARTO",
    "basemap.nationalmap.gov": "USGS The National Map",
    "geoportail.gouv.fr": "© IGN",
}


def _filled_example(address: str) -> str:
    """Return an address whose host has no gaps."""
    level = Level("0", -1.0, 1.0, 1.0, (1, 1), 1, 1)
    return Template(address).address(level, Tile(0, 0, 0)) if is_template(address) else address


def _with_request(address: str) -> str:
    parts = urlsplit(address)
    query = parts.query.lower()
    if "request=" in query or parts.path.lower().endswith(".xml"):
        return address
    service = "WMS" if "service=wms" in query or parts.path.lower().endswith("/wms") else "WMTS"
    more = f"REQUEST=GetCapabilities&SERVICE={service}" if "service=" not in query else "REQUEST=GetCapabilities"
    return f"{address}{'&' if parts.query else '?'}{more}"


def _unreachable(broken: BrokenPart) -> ServiceError:
    remedy = "Check the address and the connection, then try again." if broken.code == "unreachable" else broken.remedy
    return ServiceError(broken.template, remedy=remedy, **broken.values)
