"""Point clouds on servers: COPC files, whose octree tells which few bytes a view needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from urllib.parse import urlsplit

from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings
from cimdesk.formats.pointcloud import read_copc
from cimdesk.formats.pointcloud_las import open_stream
from cimdesk.formats.registry import ReadOptions, ReadResult
from cimdesk.formats.remote_parts import PartsStream
from cimdesk.model.points import PointBlock, PointCloud, PointNodes, PointTree
from cimdesk.services.http_ranges import RemoteFile
from cimdesk.services.tile_cache import TileCache


def is_cloud_address(address: str) -> bool:
    """Return whether an http address names a LAS or LAZ file."""
    return urlsplit(address).path.lower().endswith((".laz", ".las"))


def open_cloud(address: str, options: ReadOptions, cache: TileCache | None = None) -> ReadResult:
    """Return what a COPC file at an http address gives; its points come with the view.

    Raises
    ------
    DataError
        If it is damaged, or a LAS or LAZ file without an octree.
    ServiceError
        If the server does not answer, or gives no parts of files.
    """
    file = RemoteFile(address, cache)
    path = Path(file.name)
    findings = Findings()
    with file.heeding(options.cancel):
        if file.read_at(0, 4) != b"LASF":
            raise DataError(path, "this is no LAS file: it does not begin with LASF.", remedy="Check the address.")
        las = open_stream(path, BufferedReader(PartsStream(file)), file.size, findings, reads_last=False)
        if not las.is_copc:
            raise DataError(
                path,
                "it has no octree (COPC), so that all of it would have to be fetched.",
                remedy="Convert it to COPC, for example with untwine, or download it and open the file.",
            )
        result = read_copc(las, file.read_at, file.size, options, findings)
    (source,) = result.sources
    assert isinstance(source.data, PointCloud)
    cloud = replace(source.data, nodes=ServedNodes(source.data.nodes, file))
    return replace(result, sources=(replace(source, data=cloud),))


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
