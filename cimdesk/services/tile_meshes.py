"""Meshes of streamed tiles: of those in memory, and of everything at its finest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from cimdesk.base.arrays import Float32
from cimdesk.base.errors import DataError
from cimdesk.formats.tiles3d import MAX_TRIANGLES, shown_rows
from cimdesk.model.mesh import Surface, TriangleMesh
from cimdesk.model.tileset import TileBlock, Tileset


class LoadedMeshes(Mapping[str, TriangleMesh]):
    """The tiles in memory as the one mesh ``tiles``, put together when somebody asks for it.

    Parameters
    ----------
    blocks : callable
        Gives the tiles in memory that no finer one replaces.
    count : int
        Number of features.
    """

    def __init__(self, blocks: Callable[[], list[TileBlock]], count: int) -> None:
        self._blocks = blocks
        self._count = count
        self._mesh: TriangleMesh | None = None

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return iter(("tiles",))

    def __getitem__(self, name: str) -> TriangleMesh:
        if name != "tiles":
            raise KeyError(name)
        if self._mesh is None:
            self._mesh = merged_mesh(self._blocks(), self._count)
        return self._mesh


def merged_mesh(blocks: list[TileBlock], count: int) -> TriangleMesh:
    """Return tiles as one mesh of the first ``count`` features."""
    return TriangleMesh.merged([_mesh_of(block, count) for block in blocks if len(block.triangles)])


def finest_of(tileset: Tileset, blocks: Mapping[int, TileBlock]) -> list[TileBlock]:
    """Return the tiles that no finer one among them replaces."""
    coarse: set[int] = set()
    for row in blocks:
        parent = int(tileset.parent[row])
        while parent >= 0:
            if tileset.replaces[parent]:
                coarse.add(parent)
            parent = int(tileset.parent[parent])
    return [block for row, block in blocks.items() if row not in coarse]


def all_blocks(tileset: Tileset, read: Callable[[int], TileBlock | None]) -> list[TileBlock]:
    """Return every tile of the finest level, as far as it can be read.

    Raises
    ------
    DataError
        If it is more than this machine can be expected to hold.
    """
    parts: list[TileBlock] = []
    triangles = 0
    for row in shown_rows(tileset, 0.0).tolist():
        if tileset.is_empty[row]:
            continue
        block = read(row)
        if block is not None:
            parts.append(block)
            triangles += len(block.triangles)
        if triangles > MAX_TRIANGLES:
            raise DataError(
                None, "the tileset has more than {count} triangles.", count=MAX_TRIANGLES, remedy="Choose a smaller part of it."
            )
    return parts


def _mesh_of(block: TileBlock, count: int) -> TriangleMesh:
    if block.bodies is not None:
        return _boxes_of(block, block.bodies, count)
    rows = block.features[block.owner]
    is_known = rows < count
    return TriangleMesh(
        block.points, block.triangles[is_known], rows[is_known].astype(np.int32), block.surface[is_known], block.origin
    )


def _boxes_of(block: TileBlock, sizes: Float32, count: int) -> TriangleMesh:
    """Return a box for each feature where it really is: what the tile shows stands for others as well."""
    from cimdesk.services.tiling.shapes import boxes_mesh

    anchors = block.anchors.astype(np.float64)
    half = sizes[:, :2] / 2.0
    low = np.column_stack([anchors[:, :2] - half, anchors[:, 2] - sizes[:, 2]])
    points, triangles, number = boxes_mesh(np.column_stack([low, low + sizes]))
    rows = block.features[number]
    known = np.flatnonzero(rows < count)
    is_roof = np.ptp(points[triangles[known], 2], axis=1) == 0.0
    surface = np.where(is_roof, Surface.ROOF, Surface.WALL).astype(np.uint8)
    return TriangleMesh(
        points.astype(np.float32), triangles[known].astype(np.int32), rows[known].astype(np.int32), surface, block.origin
    )
