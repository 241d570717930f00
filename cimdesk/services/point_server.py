"""Point clouds on servers: COPC files, whose octree tells which few bytes a view needs, and others, which are fetched whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from cimdesk.base.errors import DataError, Problem, ServiceError, Severity
from cimdesk.base.jobs import Progress
from cimdesk.formats.findings import Findings
from cimdesk.formats.pointcloud import READER, read_copc
from cimdesk.formats.pointcloud_las import LasFile, open_stream
from cimdesk.formats.registry import ReadOptions, ReadResult
from cimdesk.formats.remote_parts import PartsStream
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.model.points import PointBlock, PointCloud, PointNodes, PointTree
from cimdesk.services import whole_files
from cimdesk.services.http_ranges import RemoteFile
from cimdesk.services.kept_files import fetch_file, is_kept, kept_state
from cimdesk.services.tile_cache import TileCache
from cimdesk.services.whole_files import FileServer, FileState

MAGIC = b"LASF"
FETCHING = 0.9
"""Share of the progress that fetching a file takes; the rest is reading it."""


def is_cloud_address(address: str) -> bool:
    """Return whether an http address names a LAS or LAZ file."""
    return urlsplit(address).path.lower().endswith((".laz", ".las"))


@dataclass(frozen=True)
class SeenCloud:
    """What the first bytes of a file at an address tell.

    Attributes
    ----------
    file : RemoteFile or None
        Where the server gives parts of it.
    las : LasFile or None
        Its header, where it could be read from a part.
    state : FileState
    findings : Findings
    """

    file: RemoteFile | None
    las: LasFile | None
    state: FileState
    findings: Findings

    @property
    def is_copc(self) -> bool:
        """Whether it can be shown in parts."""
        return self.las is not None and self.las.is_copc


def see_cloud(address: str, options: ReadOptions, cache: TileCache | None = None) -> SeenCloud:
    """Look at the beginning of a LAS or LAZ file at an http address.

    Raises
    ------
    DataError
        If it is no such file.
    ServiceError
        If the server does not answer.
    Cancelled
    """
    findings = Findings()
    try:
        file = RemoteFile(address, cache)
    except ServiceError as error:
        return SeenCloud(None, None, _state_without_parts(address, error, options), findings)
    with file.heeding(options.cancel):
        if file.read_at(0, 4) != MAGIC:
            raise DataError(file.name, "this is no LAS file: it does not begin with LASF.", remedy="Check the address.")
        las = open_stream(Path(file.name), BufferedReader(PartsStream(file)), file.size, findings, reads_last=False)
    return SeenCloud(file, las, FileState(file.size, file.mark), findings)


def _state_without_parts(address: str, error: ServiceError, options: ReadOptions) -> FileState:
    """Return the state of a file whose server gives no parts of files, or of the one that is kept while it does not answer."""
    code = error.__cause__.code if isinstance(error.__cause__, BrokenPart) else ""
    kept = kept_state(address)
    if code == "unreachable" and kept is not None:
        return kept
    if code != "no-ranges":
        raise error
    server = FileServer(address)
    try:
        with server.heeding(lambda: options.cancel.cancelled):
            return server.state_of(address)
    except BrokenPart as broken:
        raise _refused(broken) from broken


def _refused(broken: BrokenPart) -> ServiceError:
    return ServiceError(broken.template, remedy=broken.remedy, **broken.values)


def open_cloud(address: str, options: ReadOptions, cache: TileCache | None = None, streams: bool = True) -> ReadResult:
    """Return what a LAS or LAZ file at an http address gives.

    The points of a COPC file come with the view. Any other file is fetched whole, once, and read from the disk then.

    Parameters
    ----------
    address : str
    options : ReadOptions
    cache : TileCache or None
    streams : bool
        Whether somebody is going to look at it: a large file that has yet to be prepared is then glanced at.

    Raises
    ------
    DataError
        If it is damaged, or the disk has no room for it.
    ServiceError
        If the server does not answer, or the file is too large to be fetched.
    Cancelled
    """
    seen = see_cloud(address, options, cache)
    if seen.file is None or seen.las is None or not seen.las.is_copc:
        path = fetch_file(address, MAGIC, _first_of(options.progress, FETCHING), options.cancel, seen.state)
        told = replace(options, progress=_rest_of(options.progress, FETCHING))
        return READER.glance(path, told) if streams else READER.read(path, told)
    with seen.file.heeding(options.cancel):
        result = read_copc(seen.las, seen.file.read_at, seen.file.size, options, seen.findings)
    (source,) = result.sources
    assert isinstance(source.data, PointCloud)
    cloud = replace(source.data, nodes=ServedNodes(source.data.nodes, seen.file))
    return replace(result, sources=(replace(source, data=cloud),))


def glance_at_cloud(address: str, options: ReadOptions, cache: TileCache | None = None) -> ReadResult | None:
    """Return what is known of a file that has to be fetched whole, without fetching it; None where nothing has to be.

    Its only problem says how large it is.

    Raises
    ------
    DataError, ServiceError, Cancelled
        As `open_cloud` does.
    """
    seen = see_cloud(address, options, cache)
    if seen.is_copc or is_kept(address, seen.state):
        return None
    if seen.state.size > whole_files.MOST_BYTES:
        raise _refused(whole_files.too_large(Path(urlsplit(address).path).name))
    las = seen.las
    size = f"{seen.state.size / 1e6:,.0f}" if seen.state.size >= 0 else "–"
    template = "The whole file ({size} MB) is fetched once when it is added, and kept on this disk."
    told = Problem(Severity.INFO, "whole-file", "", template, {"size": size})
    if las is None:
        return ReadResult("LAS", None, None, {}, None, (), (told,))
    return ReadResult(
        "LAZ" if las.is_compressed else "LAS",
        las.version,
        None if las.crs is None else las.crs.code or las.crs.name,
        {"points": las.announced},
        np.array([las.low, las.high]),
        (),
        (*seen.findings.problems(), told),
    )


def _first_of(progress: Progress, share: float) -> Progress:
    def tell(fraction: float | None, text: str = "") -> None:
        progress(None if fraction is None else share * fraction, text)

    return tell


def _rest_of(progress: Progress, share: float) -> Progress:
    def tell(fraction: float | None, text: str = "") -> None:
        progress(None if fraction is None else share + (1.0 - share) * fraction, text)

    return tell


@dataclass(frozen=True)
class ServedNodes:
    """Nodes whose bytes come from a server; a `PointNodes`."""

    nodes: PointNodes
    file: RemoteFile

    @property
    def tree(self) -> PointTree:
        """The nodes as the source has them."""
        return self.nodes.tree

    def read(self, row: int) -> PointBlock:
        """Return one node; raises DataError, ServiceError and Cancelled."""
        return self.nodes.read(row)

    def read_while(self, row: int, is_wanted: Callable[[], bool]) -> PointBlock:
        """Return one node, as long as it is wanted; raises Cancelled when it is no longer."""
        with self.file.server.heeding(lambda: not is_wanted()):
            return self.nodes.read(row)
