"""Tileset: a hierarchy of tiles with geometric errors, and the pure choice of which to show."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int, Int32, UInt8
from cimdesk.base.errors import Problem
from cimdesk.base.signals import Signal
from cimdesk.model.city import CityModel

MOST_TILES = 300
"""Tiles drawn at a time: more of them cost more than what they show."""
COARSER, MOST_STEPS = 1.5, 60


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
        # A tile is about as wide as deep: a square inside the circle.
        reach = np.column_stack([self.radii[rows] / np.sqrt(2.0)] * 2 + [self.heights[rows]])
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

    @property
    def size(self) -> int:
        """Memory it takes, drawn [bytes]: its arrays, and copies of what the graphics need."""
        arrays = (self.points, self.triangles, self.owner, self.point_owner, self.point_color, self.edge_points, self.edges)
        return sum(array.nbytes for array in arrays) + len(self.points) * 20 + len(self.triangles) * 13 + 2048


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
    """

    arrived: Signal[None]
    is_gentle: bool

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

    @property
    def bounds(self) -> Float:
        """(2, 3) world minimum and maximum; NaN when unknown."""
        return self.city.bounds if self.tiles is None else self.tileset.bounds


@dataclass(frozen=True)
class TileView:
    """What decides which tiles to show.

    Attributes
    ----------
    eye : (3,) float64
        World coordinates.
    planes : (K, 4) float64
        Sides of the view as unit normals that point inwards, and offsets.
    slope : float
        Metres per pixel at one metre distance.
    max_pixels : float
        Error on the screen that is good enough [px].
    """

    eye: Float
    planes: Float
    slope: float
    max_pixels: float


@dataclass(frozen=True)
class TileChoice:
    """What to show and what to bring.

    Attributes
    ----------
    shown : tuple of int
        Rows to draw: all of them ready.
    wanted : mapping of int to float
        Rows to bring or to read on, with their priorities.
    kept : frozenset of int
        Rows that stand in until better ones are there, and all those above.
    complete : bool
        Whether everything the view asks for is shown.
    coarser : int
        How often the error allowed had to grow so that few enough tiles suffice.
    """

    shown: tuple[int, ...]
    wanted: Mapping[int, float]
    kept: frozenset[int]
    complete: bool
    coarser: int = 0


@dataclass
class _Walk:
    """The tiles in view, parents before children, and which of them were opened."""

    rows: list[int]
    pixels: list[float]
    opened: set[int]
    below: dict[int, list[int]]

    def ends(self, tileset: Tileset) -> int:
        """Return how many tiles it comes to, at the least: below what has not been read there is one more each."""
        return len(self.rows) - len(self.opened) + int(np.count_nonzero(tileset.is_stub[list(self.opened)]))


def select_tiles(
    tileset: Tileset,
    view: TileView,
    ready: Collection[int],
    lost: Collection[int] = (),
    most: int = MOST_TILES,
    triangles: Mapping[int, int] | None = None,
    most_triangles: int = 0,
    start: int = 0,
) -> TileChoice:
    """Choose tiles by the size of their error on the screen, with what stands in for those that are not there yet.

    A tile is replaced when all its children in view can be drawn or have been replaced themselves, never before; so pictures have
    no holes where there was something, and with a camera that stands still they only get finer.

    Parameters
    ----------
    tileset : Tileset
    view : TileView
    ready : collection of int
        Rows that can be drawn now.
    lost : collection of int
        Rows that cannot be had; what they would have replaced stays.
    most : int
        Tiles to show at most; the error allowed grows until so many suffice, unless the tileset has nothing coarser.
    triangles : mapping of int to int
        Triangles of the tiles that have been seen; others count as many as those do on average.
    most_triangles : int
        Triangles to show at most, in the same way; 0 for any number.
    start : int
        ``coarser`` of the last choice, where looking for the error to allow begins; the answer does not depend on it.
    """

    def tried(step: int) -> tuple[_Walk, float]:
        walk = _walk(tileset, view, view.max_pixels * COARSER**step)
        return walk, _weight(tileset, walk, most, triangles or {}, most_triangles)

    step = start
    walk, weight = tried(step)
    if weight <= 1.0:
        while step > 0 and (finer := tried(step - 1))[1] <= 1.0:
            step, walk = step - 1, finer[0]
    while weight > 1.0 and (step < MOST_STEPS):
        before = weight
        step += 1
        walk, weight = tried(step)
        if weight == before and view.max_pixels * COARSER**step > max(walk.pixels, default=0.0):
            break
    covered = _covered(tileset, walk, ready)
    return replace(_chosen(tileset, walk, covered, ready, lost), coarser=step)


def _weight(tileset: Tileset, walk: _Walk, most: int, triangles: Mapping[int, int], most_triangles: int) -> float:
    """Return how many times too much a walk comes to: tiles or triangles, whichever is worse."""
    tiles = walk.ends(tileset) / most
    if not most_triangles or not triangles:
        return tiles
    ends = [row for row in walk.rows if row not in walk.opened or not tileset.replaces[row]]
    known = [triangles[row] for row in ends if row in triangles]
    mean = sum(known) / len(known) if known else sum(triangles.values()) / len(triangles)
    unknown = sum(row not in triangles and not tileset.is_empty[row] for row in ends)
    return max(tiles, (sum(known) + mean * unknown) / most_triangles)


def _walk(tileset: Tileset, view: TileView, allowed: float) -> _Walk:
    """Return the tiles in view whose parents are too coarse."""
    starts, children = tileset.children
    walk = _Walk([], [], set(), {})
    frontier = np.flatnonzero(tileset.parent < 0).astype(np.int64)
    closed = None if tileset.requests is None else tileset.requests.closed_to(view.eye)
    while len(frontier):
        pixels, is_seen = _on_screen(tileset, view, frontier)
        if closed is not None:
            is_seen &= ~np.isin(frontier, closed)
        frontier, pixels = frontier[is_seen], pixels[is_seen]
        for row, parent in zip(frontier.tolist(), tileset.parent[frontier].tolist(), strict=True):
            walk.below.setdefault(parent, []).append(row)
        has_more = (starts[frontier + 1] > starts[frontier]) | tileset.is_stub[frontier]
        if closed is not None and len(closed):
            shut = np.bincount(tileset.parent[closed][tileset.parent[closed] >= 0], minlength=len(tileset.parent))[frontier]
            # A tile all of whose children are closed stays itself.
            has_more &= (shut < starts[frontier + 1] - starts[frontier]) | tileset.is_stub[frontier]
        opened = frontier[has_more & ((pixels > allowed) | tileset.is_empty[frontier])]
        walk.rows += frontier.tolist()
        walk.pixels += pixels.tolist()
        walk.opened.update(opened.tolist())
        counts = starts[opened + 1] - starts[opened]
        offsets = np.repeat(starts[opened] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) if len(opened) else counts
        frontier = children[np.arange(int(counts.sum())) + offsets] if len(opened) else opened
    return walk


def _on_screen(tileset: Tileset, view: TileView, rows: Int) -> tuple[Float, Bool]:
    """Return (M,) errors of these tiles [px], and which are in view; one that does not say where it is counts as near."""
    centres, radii = tileset.centres[rows], tileset.radii[rows]
    is_placed = np.isfinite(radii) & np.isfinite(centres).all(axis=1)
    away = np.abs(np.where(is_placed[:, None], centres, view.eye) - view.eye)
    rises = np.nan_to_num(tileset.heights[rows])
    # The sphere around an upright box is wider than the box is.
    wide = np.nan_to_num(radii)
    wide = np.where(rises < wide, np.sqrt(np.maximum(wide**2 - rises**2, 0.0)), wide)
    flat = np.maximum(np.hypot(away[:, 0], away[:, 1]) - wide, 0.0)
    high = np.maximum(away[:, 2] - rises, 0.0)
    distance = np.maximum(np.hypot(flat, high), 1.0)
    inside = (np.nan_to_num(centres) @ view.planes[:, :3].T + view.planes[:, 3] > -np.nan_to_num(radii)[:, None]).all(axis=1)
    return tileset.geometric_error[rows] / (distance * view.slope), inside | ~is_placed


def _covered(tileset: Tileset, walk: _Walk, ready: Collection[int]) -> set[int]:
    """Return the rows whose part of the view can be filled with what is ready, coarse or fine."""
    covered: set[int] = set()
    for row in reversed(walk.rows):
        is_ready = row in ready
        if row in walk.opened and not is_ready and not tileset.is_stub[row] and (tileset.replaces[row] or tileset.is_empty[row]):
            is_ready = all(child in covered for child in walk.below.get(row, ()))
        elif row not in walk.opened:
            is_ready = is_ready or bool(tileset.is_empty[row])
        if is_ready:
            covered.add(row)
    return covered


def _chosen(tileset: Tileset, walk: _Walk, covered: set[int], ready: Collection[int], lost: Collection[int]) -> TileChoice:
    wanted: dict[int, float] = {}
    for row, pixels in zip(walk.rows, walk.pixels, strict=True):
        # Coarse tiles have the greater errors, so they come first.
        if row in lost:
            continue
        if row in walk.opened and tileset.is_stub[row]:
            wanted[row] = 2.0 * pixels + 1.0
        elif row not in ready and not tileset.is_empty[row]:
            wanted[row] = pixels
    shown: list[int] = []
    stack = list(walk.below.get(-1, ()))
    while stack:
        row = stack.pop()
        below = walk.below.get(row, [])
        if row not in walk.opened:
            shown += [row] if row in ready else _finer(tileset, row, ready)
        elif tileset.replaces[row]:
            is_filled = not tileset.is_stub[row] and all(child in covered for child in below)
            if is_filled or tileset.is_empty[row] or (row not in ready and row not in wanted):
                stack += below
            elif row in ready:
                shown.append(row)
            # Else the coarse tile is on its way, and single finer ones would only give way to it.
        else:
            shown += [row] if row in ready else []
            stack += below
    leaves = (row for row in walk.rows if row not in walk.opened or not tileset.replaces[row])
    complete = not any(row in wanted for row in leaves) and not any(row in wanted for row in walk.opened if tileset.is_stub[row])
    return TileChoice(tuple(shown), wanted, frozenset(shown) | frozenset(row for row in walk.rows if row in ready), complete)


def _finer(tileset: Tileset, row: int, ready: Collection[int]) -> list[int]:
    """Return what is ready below a coarse tile that is still on its way, when that fills its place: the camera went away."""
    starts, children = tileset.children
    found: list[int] = []
    stack = children[starts[row] : starts[row + 1]].tolist()
    while stack:
        child = stack.pop()
        below = children[starts[child] : starts[child + 1]].tolist()
        if child in ready:
            found.append(child)
        elif tileset.is_empty[child] and below:
            stack += below
        elif not tileset.is_empty[child]:
            return []
    return found
