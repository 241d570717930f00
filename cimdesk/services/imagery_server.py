"""Pictures from servers: tiles by addresses with gaps, WMTS and WMS, and PMTiles read in parts; kept on the disk."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import Cancelled, DataError, Problem, ServiceError, Severity
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
from cimdesk.services.tile_cache import TileCache
from cimdesk.services.tile_http import Limits, TilesetServer

MAX_TILE = 16 << 20
MAX_CAPABILITIES = 32 << 20
WORKERS = 6
"""Tiles asked for at a time: they mostly wait."""
PATIENCE = Limits(timeout=8.0, longest=30.0, tries=2, pause=0.25)
SILENT_FOR = 15.0
"""Seconds for which a server that failed a few times running is not asked at all."""
FAILURES = 3
LAST_ZOOM = 19
LAYER_MARK = "#layer="


@dataclass
class PictureServer(TilesetServer):
    """Files of one server, asked for by several threads that may each lose interest.

    Attributes
    ----------
    token : threading.local
        Holds the calling thread's cancel token.
    """

    limits: Limits = field(default_factory=lambda: PATIENCE)
    token: threading.local = field(default_factory=threading.local)

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ServiceError("{address} is no http address.", address=self.address[:120])
        self._home = (parts.hostname.lower(), parts.port)
        self._dead_until = 0.0
        self._failures = 0
        self.is_unwanted = self._is_unwanted

    def fetch(self, address: str, limit: int, cancel: CancelToken) -> bytes:
        """Return the bytes of a file, from the disk while it is fresh; raises BrokenPart and Cancelled."""
        if not self._may_ask(address):
            raise BrokenPart("unsafe-uri", "“{uri}” may not be asked for by this tileset; it is not read.", uri=_plain(address))
        self.token.cancel = cancel
        try:
            data = self._fetch(address, limit)
        except BrokenPart as broken:
            self._note(broken)
            raise
        finally:
            self.token.cancel = None
        self._failures = 0
        return data

    def part(self, address: str, offset: int, length: int, cancel: CancelToken) -> bytes:
        """Return some bytes of a file by a range request; raises BrokenPart and Cancelled."""
        name = f"{address}#bytes={offset}+{length}"
        kept = self.cache.get(name)
        if kept is not None and kept.is_fresh:
            return kept.data
        self.token.cancel = cancel
        reason = "offline"
        try:
            for attempt in range(self.limits.tries if time.monotonic() >= self._dead_until else 0):
                time.sleep(self.limits.pause * attempt)
                self._stop_if_unwanted()
                try:
                    return self._part_once(address, offset, length, name)
                except urllib.error.HTTPError as error:
                    with error:
                        reason = f"HTTP {error.code}"
                        if 400 <= error.code < 500 and error.code != 429:
                            break
                except (OSError, http.client.HTTPException, zlib.error, ValueError) as error:
                    reason = str(getattr(error, "reason", error))[:120]
        except BrokenPart as broken:
            self._note(broken)
            raise
        finally:
            self.token.cancel = None
        if kept is not None:
            return kept.data
        lost = BrokenPart("unreachable", "“{uri}” cannot be fetched: {reason}", uri=_plain(address), reason=reason)
        self._note(lost)
        raise lost

    def _part_once(self, address: str, offset: int, length: int, name: str) -> bytes:
        request = urllib.request.Request(
            address,
            headers={"User-Agent": "cimdesk", "Range": f"bytes={offset}-{offset + length - 1}", "Accept-Encoding": "identity"},
        )
        with self._opener().open(request, timeout=self.limits.timeout) as response:
            if response.status != 206:
                raise BrokenPart("no-ranges", "The server gives whole files only, no parts of them.")
            data = _whole_body(response, length, self)
            self._failures = 0
            self.cache.put(name, data, dict(response.headers.items()))
            return data

    def _note(self, broken: BrokenPart) -> None:
        """Leave a server alone for a while that fails again and again, so that nobody waits for it."""
        if broken.code == "cancelled":
            raise Cancelled from broken
        if broken.code == "unreachable":
            self._failures += 1
            if self._failures >= FAILURES:
                self._dead_until = max(self._dead_until, time.monotonic() + SILENT_FOR)

    def _is_unwanted(self) -> bool:
        cancel = getattr(self.token, "cancel", None)
        return cancel is not None and cancel.cancelled


def _whole_body(response: http.client.HTTPResponse, length: int, server: PictureServer) -> bytes:
    deadline = time.monotonic() + server.limits.longest
    data = bytearray()
    while len(data) < length and (chunk := response.read1(min(1 << 16, length - len(data)))):
        data += chunk
        if time.monotonic() > deadline:
            raise OSError("too slow")
        if server.is_unwanted():
            raise BrokenPart("cancelled", "No longer wanted.")
    return bytes(data)


class ServerTiles:
    """Tiles by an address with gaps; a `TileFiles`."""

    workers = WORKERS

    def __init__(self, server: PictureServer, template: Template, levels: tuple[Level, ...]) -> None:
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
            raise LostTileError(Problem(Severity.WARNING, broken.code, where, broken.template, broken.values)) from broken
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
    server = PictureServer(_filled_example(address), cache or TileCache())
    path = urlsplit(address).path.lower()
    if is_template(address):
        return _from_template(server, address, options)
    if path.endswith(".pmtiles"):
        return _from_archive(server, address, options)
    if path.endswith((".tif", ".tiff")):
        raise DataError(
            address,
            "a GeoTIFF on a server cannot be opened in place.",
            remedy="Download it and open the file, or open it through a WMTS service.",
        )
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


def offers(address: str, server: PictureServer | None = None) -> list[Offer]:
    """Return the maps of a WMTS or WMS; raises DataError and ServiceError."""
    address = _with_request(address.partition(LAYER_MARK)[0])
    server = server or PictureServer(address)
    try:
        data = server.fetch(address, MAX_CAPABILITIES, CancelToken())
    except BrokenPart as broken:
        raise _unreachable(broken) from broken
    return offers_of(data, address)


def _from_template(server: PictureServer, address: str, options: ReadOptions) -> ReadResult:
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


def _from_archive(server: PictureServer, address: str, options: ReadOptions) -> ReadResult:
    def fetch(offset: int, length: int, cancel: CancelToken) -> bytes:
        try:
            return server.part(address, offset, length, cancel)
        except BrokenPart as broken:
            problem = Problem(Severity.WARNING, broken.code, "", broken.template, broken.values)
            raise LostTileError(problem) from broken

    try:
        return archive_result(address, PmtilesFile(address, fetch, WORKERS), options)
    except (LostTileError, BrokenArchiveError) as error:
        reason = error.problem.message if isinstance(error, LostTileError) else str(error)
        raise ServiceError("{reason}", remedy="Check the address and the connection.", reason=reason) from error


def _from_offer(server: PictureServer, offer: Offer, options: ReadOptions) -> ReadResult:
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
    return ServiceError(broken.template, remedy="Check the address and the connection, then try again.", **broken.values)


def _plain(address: str) -> str:
    """Return an address without what may be a key."""
    return address.split("?", 1)[0][-120:]
