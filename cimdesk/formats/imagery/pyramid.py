"""Pictures put together from the tiles of a pyramid."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from cimdesk.base.arrays import Float, UInt8
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Problem, Severity
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.findings import Findings
from cimdesk.formats.imagery.decode import BadTileError, decoded
from cimdesk.formats.imagery.grids import Level, Tile, level_for, parent_of
from cimdesk.formats.imagery.kept import Kept
from cimdesk.formats.imagery.warp import placing, warp_grid, warped
from cimdesk.model.imagery import Picture

MEMORY = 96 << 20
"""Bytes of decoded tiles to keep for one source."""
MOST_TILES = 96
"""Tiles one picture may need; a picture of more is left empty, for it would show nothing but noise."""
RETRY_AFTER = 20.0
"""Seconds until a tile that did not come is asked for again."""


class LostTileError(Exception):
    """A tile that may be there cannot be had now; carries what to tell."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class TileFiles(Protocol):
    """Where the bytes of tiles are. Called from several threads at a time."""

    workers: int
    """Tiles worth asking for at a time."""

    def read(self, tile: Tile, cancel: CancelToken) -> bytes | None:
        """Return the bytes of a tile; None when there is none. Raises LostTileError and Cancelled."""
        ...


class TilePyramid:
    """What all sources made of tiles share: the levels, and getting tiles once.

    Attributes
    ----------
    title, attribution : str
    crs : Crs
    bounds : (2, 2) float64
    levels : tuple of Level
    files : TileFiles
    findings : Findings
    """

    def __init__(self, title: str, attribution: str, crs: Crs, bounds: Float, levels: Sequence[Level], files: TileFiles) -> None:
        self.title = title
        self.attribution = attribution
        self.crs = crs
        self.bounds = bounds
        self.levels = tuple(levels)
        self.files = files
        self.findings = Findings()
        self._lost: dict[Tile, float] = {}
        self._lock = threading.Lock()

    @property
    def finest(self) -> float:
        """Size of the finest pixel."""
        return min(level.pixel for level in self.levels)

    @property
    def zooms(self) -> tuple[int, int]:
        """First and last level, as they are called where their names are numbers."""
        names = [int(level.name) if level.name.isdigit() else k for k, level in enumerate(self.levels)]
        return min(names), max(names)

    def problems(self) -> tuple[Problem, ...]:
        """Return what was found missing or broken so far."""
        with self._lock:
            return self.findings.problems()

    def bytes_of(self, tile: Tile, cancel: CancelToken) -> bytes | None:
        """Return the bytes of a tile, None when there is none; raises LostTileError, at once for one lost a moment ago."""
        cancel.raise_if_cancelled()
        if self._lost.get(tile, 0.0) > time.monotonic():
            raise LostTileError(_lost(self.name_of(tile), "offline"))
        try:
            return self.files.read(tile, cancel)
        except LostTileError as lost:
            self.note(tile, lost.problem, RETRY_AFTER)
            raise

    def note(self, tile: Tile, problem: Problem, seconds: float) -> None:
        """Remember that a tile cannot be had for a while."""
        with self._lock:
            if tile not in self._lost:
                self.findings.add(problem.code, problem.where, problem.template, problem.severity, **dict(problem.values))
            self._lost[tile] = time.monotonic() + seconds

    def name_of(self, tile: Tile) -> str:
        """Return how a tile is called: level/column/row."""
        return f"{self.levels[tile.level].name}/{tile.column}/{tile.row}"

    def needed(self, box: Float, level: int) -> list[Tile]:
        """Return the tiles of a level that a (2, 2) box of the pyramid's system meets."""
        if np.isfinite(self.bounds).all():
            box = np.array([np.maximum(box[0], self.bounds[0]), np.minimum(box[1], self.bounds[1])])
            if (box[0] >= box[1]).any():
                return []
        c0, c1, r0, r1 = self.levels[level].range_of(box)
        if (c1 - c0 + 1) * (r1 - r0 + 1) > MOST_TILES:
            return []
        return [Tile(level, column, row) for row in range(r0, r1 + 1) for column in range(c0, c1 + 1)]


class RasterPyramid(TilePyramid):
    """A `PictureSource` of tiles that are pictures."""

    def __init__(self, title: str, attribution: str, crs: Crs, bounds: Float, levels: Sequence[Level], files: TileFiles) -> None:
        super().__init__(title, attribution, crs, bounds, levels, files)
        self._tiles: Kept[UInt8 | None] = Kept(MEMORY, lambda tile: 64 if tile is None else tile.nbytes)

    def picture(self, box: Float, crs: Crs, width: int, height: int, theme: str, cancel: CancelToken) -> Picture:
        """Return the picture of a box; tiles that are not there are taken from coarser ones."""
        grid = warp_grid(placing(crs, self.crs), box, width, height)
        source_box, pixel = grid.box, grid.pixel
        if not np.isfinite(source_box).all() or not np.isfinite(pixel):
            return _empty(width, height)
        chosen = level_for(self.levels, pixel)
        level = self.levels[chosen]
        rim = 1.5 * level.pixel
        tiles = self.needed(source_box + np.array([[-rim, -rim], [rim, rim]]), chosen)
        if not tiles:
            return _empty(width, height)
        pixels, missing = self._mosaic(tiles, cancel)
        first = level.box(tiles[0].column, tiles[0].row)
        return Picture(warped(pixels, grid, (first[0, 0], first[1, 1]), (level.pixel, -level.pixel)), missing)

    def tile(self, tile: Tile, cancel: CancelToken) -> UInt8 | None:
        """Return the pixels of one tile as it is kept; None when there is none. Raises LostTileError."""
        return self._tiles.get(tile, lambda: self._decoded(tile, cancel))

    def _mosaic(self, tiles: list[Tile], cancel: CancelToken) -> tuple[UInt8, int]:
        width, height = self.levels[tiles[0].level].tile
        c0, r0 = tiles[0].column, tiles[0].row
        columns, rows = tiles[-1].column - c0 + 1, tiles[-1].row - r0 + 1
        out = np.zeros((rows * height, columns * width, 4), dtype=np.uint8)
        missing = 0
        self._fetch(tiles, cancel)
        for tile in tiles:
            cancel.raise_if_cancelled()
            pixels, is_lost = self._best(tile, cancel)
            missing += is_lost
            if pixels is not None:
                x, y = (tile.column - c0) * width, (tile.row - r0) * height
                out[y : y + height, x : x + width] = _fitted(pixels, width, height)
        return out, missing

    def _fetch(self, tiles: list[Tile], cancel: CancelToken) -> None:
        """Get tiles several at a time where that is worth it; those that do not come are met again one by one."""

        def get(tile: Tile) -> None:
            self.tile(tile, cancel)

        together(get, tiles, self.files.workers)

    def _best(self, tile: Tile, cancel: CancelToken) -> tuple[UInt8 | None, bool]:
        """Return a tile, or its part of a coarser one, and whether it should have come and did not."""
        is_lost = False
        part = (0.0, 0.0, 1.0, 1.0)
        current = tile
        while True:
            try:
                pixels = self.tile(current, cancel)
            except LostTileError:
                is_lost, pixels = True, None
            if pixels is not None:
                return (pixels if current == tile else _part(pixels, part)), is_lost
            above = parent_of(self.levels, current)
            if above is None:
                return None, is_lost
            current, inner = above
            part = _inside(inner, part)

    def _decoded(self, tile: Tile, cancel: CancelToken) -> UInt8 | None:
        data = self.bytes_of(tile, cancel)
        if data is None:
            return None
        try:
            return decoded(data)
        except BadTileError as error:
            problem = Problem(
                Severity.WARNING, "broken-tile", self.name_of(tile), "The tile is no picture ({reason}).", {"reason": str(error)}
            )
            self.note(tile, problem, RETRY_AFTER if self.files.workers > 1 else float("inf"))
            if self.files.workers > 1:
                raise LostTileError(problem) from error
            return None


def together(work: Callable[[Tile], None], tiles: Sequence[Tile], workers: int) -> None:
    """Do ``work`` for tiles with several threads, which are gone afterwards; LostTileError is left to whoever asks again.

    The first other error is raised.
    """
    if workers < 2 or len(tiles) < 2:
        return
    left = list(reversed(tiles))
    errors: list[BaseException] = []

    def run() -> None:
        while left and not errors:
            try:
                tile = left.pop()
            except IndexError:
                return
            try:
                work(tile)
            except LostTileError:
                continue
            except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
                errors.append(error)

    threads = [threading.Thread(target=run, name="imagery", daemon=True) for _ in range(min(workers, len(tiles)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _lost(name: str, reason: str) -> Problem:
    return Problem(Severity.WARNING, "tile-lost", name, "The tile did not come ({reason}).", {"reason": reason})


def _empty(width: int, height: int) -> Picture:
    return Picture(np.zeros((height, width, 4), dtype=np.uint8))


def _fitted(pixels: UInt8, width: int, height: int) -> UInt8:
    """Return a tile at the size its level has; servers and files sometimes mix sizes."""
    if pixels.shape[:2] == (height, width):
        return pixels
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def _part(pixels: UInt8, part: tuple[float, float, float, float]) -> UInt8:
    """Return a part (left, top, right, bottom; 0..1) of a tile at the size of a whole one."""
    from PIL import Image

    height, width = pixels.shape[:2]
    box = (part[0] * width, part[1] * height, part[2] * width, part[3] * height)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, box=box))


def _inside(outer: tuple[float, float, float, float], part: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Return the part of a whole that is ``part`` of its part ``outer``."""
    width, height = outer[2] - outer[0], outer[3] - outer[1]
    return (
        outer[0] + part[0] * width, outer[1] + part[1] * height, outer[0] + part[2] * width, outer[1] + part[3] * height,
    )  # fmt: skip
