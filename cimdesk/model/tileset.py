"""Tileset: a hierarchy of tiles with geometric errors, decoded tiles, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int, Int32, UInt8
from cimdesk.base.errors import Problem
from cimdesk.base.signals import Signal
from cimdesk.model.city import CityModel
from cimdesk.model.tile_point_columns import PointColumns
from cimdesk.model.tile_points import PointNotes, TilePoints

BENT = 60_000.0
"""Radius of tiles from which on a map is bent noticeably [m]."""


@dataclass(frozen=True)
class RequestVolumes:
    """Volumes that the eye must be in for tiles to be shown.

    Attributes
    ----------
    rows : (K,) int64
        Of the tiles.
    centres : (K, 3) float64
    axes : (K, 3, 3) float64
        Half axes of boxes, as rows; of spheres, three radii at right angles.
    is_round : (K,) bool
    """

    rows: Int
    centres: Float
    axes: Float
    is_round: Bool

    def closed_to(self, eye: Float) -> Int:
        """Return the rows that are not shown to an eye (3,) here; a volume without any space inside is open to all."""
        flat = np.abs(np.linalg.det(self.axes)) < 1e-12
        axes = np.where(flat[:, None, None], np.eye(3), self.axes)
        # Along the half axes everything inside lies between -1 and 1.
        shares = np.einsum("kj,kji->ki", eye - self.centres, np.linalg.inv(axes))
        reach = np.where(self.is_round, np.linalg.norm(shares, axis=1), np.abs(shares).max(axis=1))
        closed: Int = self.rows[(reach > 1.0) & ~flat]
        return closed

    def moved(self, transform: Callable[[Float], Float]) -> RequestVolumes:
        """Return the same volumes in another system."""
        centres = transform(self.centres)
        ends = transform((self.centres[:, None] + self.axes).reshape(-1, 3)).reshape(-1, 3, 3)
        return RequestVolumes(self.rows, centres, ends - centres[:, None], self.is_round)


@dataclass(frozen=True)
class Tileset:
    """A tile tree as arrays, parents before children.

    Attributes
    ----------
    parent : (N,) int32
        Row of the parent, -1 for the root.
    geometric_error : (N,) float64
        Error of showing the tile instead of its children [m].
    replaces : (N,) bool
        True where children replace the tile, False where they add to it.
    centres : (N, 3) float64, radii : (N,) float64
        Bounding spheres in world coordinates [m].
    contents : tuple of tuples of str
        Content references of each tile, relative to the tileset's folder; empty tuples for none.
    transforms : (N, 4, 4) float64
        Tile to tileset coordinates, parents' transforms included.
    version : str
    crs : str
        System of the world coordinates after placing; ``EPSG:4978`` (geocentric) unless the tileset says otherwise.
    missing : tuple of str
        Contents that are referred to and not there.
    metadata : mapping
    rises : (N,) float64 or None
        Half of each tile's height [m]; None takes the radius.
    reaches : (N, 2) float64 or None
        Half of how far each tile reaches along x and y [m]; None takes the radius.
    stubs : frozenset of int
        Rows below which there is more that has not been read yet.
    requests : RequestVolumes or None
        Where the eye must be for some tiles to be shown.
    """

    parent: Int32
    geometric_error: Float
    replaces: np.ndarray
    centres: Float
    radii: Float
    contents: tuple[tuple[str, ...], ...]
    transforms: Float
    version: str
    crs: str
    missing: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    rises: Float | None = None
    reaches: Float | None = None
    stubs: frozenset[int] = frozenset()
    requests: RequestVolumes | None = None

    @cached_property
    def children(self) -> tuple[Int, Int]:
        """(N + 1,) starts and (C,) rows: the children of row k are ``rows[starts[k]:starts[k + 1]]``."""
        order = np.argsort(self.parent, kind="stable")
        roots = int(np.count_nonzero(self.parent < 0))
        counts = np.bincount(self.parent[order[roots:]], minlength=len(self.parent))
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), order[roots:].astype(np.int64)

    @cached_property
    def is_empty(self) -> Bool:
        """(N,) whether a tile has no content."""
        return np.array([not references for references in self.contents], dtype=bool)

    @cached_property
    def is_stub(self) -> Bool:
        """(N,) whether there is more below a tile that has not been read yet."""
        found = np.zeros(len(self.parent), dtype=bool)
        found[list(self.stubs)] = True
        return found

    @property
    def heights(self) -> Float:
        """(N,) half of each tile's height [m]."""
        return self.radii if self.rises is None else self.rises

    @cached_property
    def halves(self) -> Float:
        """(N, 3) half sizes of upright boxes around the tiles; 0 for those that do not say where they are."""
        radii = np.nan_to_num(self.radii)
        if self.reaches is None:
            rises = np.nan_to_num(self.heights)
            # The sphere around an upright box is wider than the box is.
            wide = np.where(rises < radii, np.sqrt(np.maximum(radii**2 - rises**2, 0.0)), radii)
            return np.column_stack([wide, wide, rises])
        # Where the map bends over a wide tile, its half axes say too little.
        reaches = np.where((radii > BENT)[:, None], radii[:, None], np.minimum(np.nan_to_num(self.reaches), radii[:, None]))
        return np.column_stack([reaches, np.nan_to_num(self.heights)])

    @cached_property
    def bounds(self) -> Float:
        """(2, 3) world box of what is known to be there: the finest tiles, within the top ones; NaN where they do not say."""
        starts, _ = self.children
        is_finest = (starts[1:] == starts[:-1]) & (~self.is_empty | self.is_stub)
        tops, finest = self._box(self.parent < 0), self._box(is_finest)
        if not np.isfinite(finest).all():
            return tops
        return np.array([np.fmax(tops[0], finest[0]), np.fmin(tops[1], finest[1])])

    def _box(self, is_wanted: Bool) -> Float:
        rows = np.flatnonzero(is_wanted & np.isfinite(self.radii))
        if not len(rows):
            return np.full((2, 3), np.nan)
        if self.reaches is None:
            # A tile is about as wide as deep: a square inside the circle.
            reach = np.column_stack([self.radii[rows] / np.sqrt(2.0)] * 2 + [self.heights[rows]])
        else:
            reach = self.halves[rows]
        return np.array([(self.centres[rows] - reach).min(axis=0), (self.centres[rows] + reach).max(axis=0)])

    def refine(self, max_error: float) -> Int32:
        """Return the rows to show so that no shown tile's error exceeds ``max_error`` where finer ones exist.

        A tile without content shows nothing, so its children are opened whatever its error.
        """
        count = len(self.parent)
        has_children = np.zeros(count, dtype=bool)
        has_children[self.parent[self.parent >= 0]] = True
        is_empty = np.array([not references for references in self.contents], dtype=bool)
        opened = has_children & ((self.geometric_error > max_error) | is_empty)
        reached = np.zeros(count, dtype=bool)
        for row in range(count):
            parent = self.parent[row]
            reached[row] = parent < 0 or (reached[parent] and opened[parent])
        shown = reached & (~opened | ~self.replaces)
        return np.flatnonzero(shown).astype(np.int32)


@dataclass(frozen=True)
class TileBlock:
    """One decoded tile, ready to draw.

    Attributes
    ----------
    row : int
        Of the tile.
    features : (F,) int64
        Rows of its features in the layer's table.
    origin : (3,) float64
        World coordinates of the local zero of all points.
    points : (P, 3) float32, triangles : (T, 3) int32, owner : (T,) int32
        ``owner`` counts the tile's own features.
    point_owner : (P,) int32, is_roof : (P,) bool
    point_color : (P,) uint32
        RGBA bytes the source gives, 0 for none.
    surface : (T,) uint8
    edge_points : (Q, 3) float32, edges : (E, 2) int32
    anchors : (F, 3) float32
        Middle of the top of each feature; NaN for those without triangles.
    is_outward : (T,) bool or None
        Whether a triangle is seen from its front only, as part of a skin without holes.
    cloud : TilePoints or None
        Points that are no part of a face.
    bodies : (F, 3) float32 or None
        Sizes of the features as they really are, below their anchors, when the triangles show them as something else [m].
    size : int
        Memory it takes [bytes].
    """

    row: int
    features: Int
    origin: Float
    points: Float32
    triangles: Int32
    owner: Int32
    point_owner: Int32
    is_roof: Bool
    point_color: AnyArray
    surface: UInt8
    edge_points: Float32
    edges: Int32
    anchors: Float32
    is_outward: Bool | None = None
    cloud: TilePoints | None = None
    bodies: Float32 | None = None

    @property
    def size(self) -> int:
        """Memory it takes, drawn [bytes]: its arrays, and copies of what the graphics need."""
        arrays = (self.points, self.triangles, self.owner, self.point_owner, self.point_color, self.edge_points, self.edges)
        points = 0 if self.cloud is None else self.cloud.size
        return sum(array.nbytes for array in arrays) + len(self.points) * 20 + len(self.triangles) * 13 + 2048 + points


class TileSource(Protocol):
    """Gives decoded tiles as they come; safe to ask from several threads.

    Attributes
    ----------
    tileset : Tileset
        The tree as far as it is known; later ones only have more rows.
    arrived : Signal of None
        Emitted in any thread when there is something new.
    is_gentle : bool
        Set while the camera moves: pictures come first then.
    notes : PointNotes
        Names single points.
    point_columns : PointColumns
        What is known of single points, in part.
    """

    arrived: Signal[None]
    is_gentle: bool

    @property
    def notes(self) -> PointNotes: ...
    @property
    def point_columns(self) -> PointColumns: ...

    @property
    def tileset(self) -> Tileset: ...
    @property
    def is_full(self) -> bool:
        """Whether what is wanted does not fit into the memory allowed."""
        ...

    @property
    def feature_count(self) -> int: ...

    def want(self, client: object, wishes: Mapping[int, float], keep: Collection[int]) -> None:
        """Say what to bring (rows with their priorities, for this view alone) and what not to let go."""
        ...

    def forget(self, client: object) -> None:
        """Drop the wishes of a client."""
        ...

    def block(self, row: int) -> TileBlock | None:
        """Return a tile when it is there."""
        ...

    def is_lost(self, row: int) -> bool:
        """Return whether a tile cannot be had."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether something wanted is on its way."""
        ...

    def feature_id(self, row: int) -> str:
        """Return the id of a feature by its row."""
        ...

    def rows_of(self, features: Collection[str]) -> Int:
        """Return the rows of the features that have been seen."""
        ...

    def city(self) -> CityModel:
        """Return the features seen so far, and the tiles in memory as a mesh that is put together when asked for."""
        ...

    def whole(self) -> CityModel:
        """Read everything at its finest and return it; slow, and as large as the tileset."""
        ...

    def problems(self) -> tuple[Problem, ...]:
        """Return what is missing or broken so far."""
        ...


@dataclass(frozen=True)
class TiledCity:
    """A tileset opened to a chosen error: the tree, and the loaded tiles merged into one city model.

    Attributes
    ----------
    tiles : TileSource or None
        Brings tiles for the view where the tileset is not held whole; ``city`` then has what was seen so far.
    """

    tileset: Tileset
    city: CityModel
    max_error: float
    tiles: TileSource | None = None

    def whole(self) -> CityModel:
        """Return every feature with its geometry, for what must not leave out what nobody has looked at; may read for long."""
        return self.city if self.tiles is None else self.tiles.whole()

    def point(self, feature: str) -> dict[str, Any]:
        """Return everything known of a single point that was pointed at; nothing for all else."""
        return {} if self.tiles is None else self.tiles.notes.attributes(feature)

    @property
    def bounds(self) -> Float:
        """(2, 3) world minimum and maximum; NaN when unknown."""
        return self.city.bounds if self.tiles is None else self.tileset.bounds
