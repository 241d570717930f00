"""Which tiles of a tileset to show, chosen by the size of their error on the screen: pure, without threads or pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from cimdesk.base.arrays import Bool, Float, Int
from cimdesk.model.sight import Sight
from cimdesk.model.tileset import Tileset

MOST_TILES = 300
"""Tiles drawn at a time: more of them cost more than what they show."""
COARSER, MOST_STEPS = 1.5, 60


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
    view: Sight,
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
    view : Sight
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


def _walk(tileset: Tileset, view: Sight, allowed: float) -> _Walk:
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


def _on_screen(tileset: Tileset, view: Sight, rows: Int) -> tuple[Float, Bool]:
    """Return (M,) errors of these tiles [px], and which are in view; one that does not say where it is counts as near."""
    centres, halves = tileset.centres[rows], tileset.halves[rows]
    is_placed = np.isfinite(tileset.radii[rows]) & np.isfinite(centres).all(axis=1)
    centres = np.where(is_placed[:, None], centres, view.eye)
    distances = np.maximum(view.distances(centres, halves), 1.0)
    return tileset.geometric_error[rows] / (distances * view.slope), view.sees(centres, halves) | ~is_placed


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
