"""A streamed tileset higher or lower than it says: the same tiles, moved as they are handed on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from cimdesk.base.arrays import Float, Int
from cimdesk.base.errors import Problem
from cimdesk.base.signals import Signal
from cimdesk.model.city import CityModel
from cimdesk.model.tile_point_columns import PointColumns
from cimdesk.model.tile_points import PointNotes
from cimdesk.model.tileset import TileBlock, TiledCity, Tileset, TileSource
from cimdesk.services.tile_meshes import LoadedMeshes
from cimdesk.services.tile_notes import NotedPoints
from cimdesk.services.tile_store import TileStore


class RaisedTiles:
    """A `TileSource` that adds a height to another one.

    Attributes
    ----------
    base : TileStore
    lift : float
        Metres.
    notes : PointNotes
    point_columns : PointColumns
    """

    def __init__(self, base: TileStore, lift: float) -> None:
        self.base = base
        self.lift = lift
        self.notes: PointNotes = NotedPoints(self.block)
        self.point_columns = PointColumns.of(base.tileset.metadata)
        self._tree: tuple[Tileset, Tileset] | None = None
        self._blocks: dict[int, tuple[TileBlock, TileBlock]] = {}

    @property
    def arrived(self) -> Signal[None]:
        """Emitted when there is something new."""
        return self.base.arrived

    @arrived.setter
    def arrived(self, signal: Signal[None]) -> None:
        self.base.arrived = signal

    @property
    def is_gentle(self) -> bool:
        """Whether pictures come first now."""
        return self.base.is_gentle

    @is_gentle.setter
    def is_gentle(self, value: bool) -> None:
        self.base.is_gentle = value

    @property
    def tileset(self) -> Tileset:
        """The tree as far as it is known, moved."""
        tree, known = self.base.tileset, self._tree
        if known is None or known[0] is not tree:
            known = self._tree = (tree, raised_tree(tree, self.lift))
        return known[1]

    @property
    def is_full(self) -> bool:
        """Whether what is wanted does not fit into the memory allowed."""
        return self.base.is_full

    @property
    def is_busy(self) -> bool:
        """Whether something wanted is on its way."""
        return self.base.is_busy

    @property
    def feature_count(self) -> int:
        """Number of features seen so far."""
        return self.base.feature_count

    def want(self, client: object, wishes: Mapping[int, float], keep: Collection[int]) -> None:
        """Say what to bring and what not to let go."""
        self.base.want(client, wishes, keep)

    def forget(self, client: object) -> None:
        """Drop the wishes of a client."""
        self.base.forget(client)

    def block(self, row: int) -> TileBlock | None:
        """Return a tile, moved, when it is there; the same one as long as it stays."""
        block = self.base.block(row)
        if block is None:
            self._blocks.pop(row, None)
            return None
        known = self._blocks.get(row)
        if known is None or known[0] is not block:
            known = self._blocks[row] = (block, self._moved(block))
            self.point_columns.note(row, known[1].cloud, known[1].origin)
        return known[1]

    def is_lost(self, row: int) -> bool:
        """Return whether a tile cannot be had."""
        return self.base.is_lost(row)

    def feature_id(self, row: int) -> str:
        """Return the id of a feature by its row."""
        return self.base.feature_id(row)

    def rows_of(self, features: Collection[str]) -> Int:
        """Return the rows of the features that have been seen."""
        return self.base.rows_of(features)

    def problems(self) -> tuple[Problem, ...]:
        """Return what is missing or broken so far."""
        return self.base.problems()

    def city(self) -> CityModel:
        """Return the features seen so far, and the tiles in memory as a mesh that is put together when asked for."""
        city = self.base.city()
        meshes = LoadedMeshes(lambda: [self._moved(block) for block in self.base.finest_blocks()], len(city.features))
        return replace(city, meshes=meshes)

    def whole(self) -> CityModel:
        """Read everything at its finest and return it."""
        return raised_city(self.base.whole(), self.lift)

    def _moved(self, block: TileBlock) -> TileBlock:
        return replace(block, origin=block.origin + np.array([0.0, 0.0, self.lift]))


def raised_tree(tree: Tileset, lift: float) -> Tileset:
    """Return a tree with all tiles higher."""
    up: Float = np.array([0.0, 0.0, lift])
    requests = None if tree.requests is None else tree.requests.moved(lambda points: points + up)
    return replace(tree, centres=tree.centres + up, requests=requests)


def raised_city(city: CityModel, lift: float) -> CityModel:
    """Return a city with everything higher."""
    up = np.array([0.0, 0.0, lift])
    return replace(city, meshes={lod: replace(mesh, origin=mesh.origin + up) for lod, mesh in city.meshes.items()})


def raised(data: TiledCity, by: float) -> TiledCity:
    """Return a tileset, streamed or held whole, ``by`` metres higher than it is now."""
    if by == 0.0:
        return data
    if data.tiles is None:
        return replace(data, tileset=raised_tree(data.tileset, by), city=raised_city(data.city, by))
    base, lift = (data.tiles.base, data.tiles.lift) if isinstance(data.tiles, RaisedTiles) else (data.tiles, 0.0)
    assert isinstance(base, TileStore)
    lift += by
    tiles: TileSource = RaisedTiles(base, lift) if abs(lift) > 1e-9 else base
    return replace(data, tileset=tiles.tileset, city=tiles.city(), tiles=tiles)
