"""A basemap painted from vector tiles: quiet land, water, green, roads and buildings, and the names of places.

Shapes are put into the project's system point by point and painted there, so that they are sharp at any size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Problem, Severity
from cimdesk.base.i18n import current_language
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.imagery.decode import BadTileError
from cimdesk.formats.imagery.grids import Level, Tile, level_for, parent_of
from cimdesk.formats.imagery.kept import Kept
from cimdesk.formats.imagery.lettering import Name, draw_names
from cimdesk.formats.imagery.map_style import (
    AREAS,
    CLASS,
    COARSEST_RANK,
    PALETTES,
    STROKES,
    Palette,
    classes_of,
    place_names,
    population_of,
)
from cimdesk.formats.imagery.mvt import LINE, POLYGON, VectorPart, vector_parts
from cimdesk.formats.imagery.paint import Canvas
from cimdesk.formats.imagery.pyramid import LostTileError, TileFiles, TilePyramid, together
from cimdesk.formats.imagery.warp import placing, warp_grid
from cimdesk.model.imagery import Picture

MEMORY = 128 << 20
NODES = 17
"""Points along the side of a tile whose place is found exactly; between them it is interpolated."""
WIDE = 200_000.0
"""Side of tiles from which on every point is placed exactly [m]."""
NAME_MARGIN = 128
"""Names this far outside a picture take part in it, so that neighbouring pictures agree about them [px]."""
RIM_PIXEL = 1.2
"""Largest pixel at which buildings have rims [m]."""


@dataclass(frozen=True)
class Shapes:
    """Shapes of one class: (P, 2) float64 world points and (R + 1,) starts of rings or lines."""

    points: Float
    starts: Int


@dataclass(frozen=True)
class PlacedTile:
    """A tile in the project's system.

    Attributes
    ----------
    areas, lines : dict of int to Shapes
        By class.
    names : tuple of Name
        In world coordinates.
    box : (P, 2) float64
        Its outline.
    has_sea : bool
        Whether what no land covers is water.
    size : int
        Bytes.
    """

    areas: dict[int, Shapes]
    lines: dict[int, Shapes]
    names: tuple[Name, ...]
    box: Float
    has_sea: bool
    size: int


class VectorPyramid(TilePyramid):
    """A `PictureSource` of vector tiles.

    Attributes
    ----------
    has_land : bool
        Whether the tiles have polygons of the land, so that all else is water.
    """

    def __init__(
        self, title: str, attribution: str, crs: Crs, bounds: Float, levels: Sequence[Level], files: TileFiles, has_land: bool
    ) -> None:
        super().__init__(title, attribution, crs, bounds, levels, files)
        self.has_land = has_land
        self._tiles: Kept[PlacedTile | None] = Kept(MEMORY, lambda tile: 64 if tile is None else tile.size)

    @property
    def finest(self) -> float:
        """Size of the finest pixel worth painting: shapes stay sharp beyond the tiles' own."""
        return super().finest / 8.0

    def picture(self, box: Float, crs: Crs, width: int, height: int, theme: str, cancel: CancelToken) -> Picture:
        """Return the map of a box, painted."""
        canvas = Canvas(width, height)
        pixel = np.array([(box[1, 0] - box[0, 0]) / width, (box[1, 1] - box[0, 1]) / height])
        wide = box + np.array([[-1.0], [1.0]]) * pixel * NAME_MARGIN
        grid = warp_grid(placing(crs, self.crs), wide, width, height, tolerance=2.0)
        if not np.isfinite(grid.box).all():
            return Picture(canvas.pixels)
        source_pixel = grid.pixel * width / (width + 2 * NAME_MARGIN)
        tiles, missing = self._placed(self.needed(grid.box, level_for(self.levels, source_pixel)), crs, cancel)
        palette = PALETTES.get(theme, PALETTES["light"])
        corner = np.array([box[0, 0], box[1, 1]])
        frame = _Frame(corner, np.array([pixel[0], -pixel[1]]), float(pixel.mean()))
        self._paint(canvas, tiles, frame, palette, cancel)
        names = [name for tile in tiles for name in tile.names if frame.pixel <= COARSEST_RANK[name.rank]]
        at = frame.of(np.array([name.place for name in names], dtype=np.float64).reshape(-1, 2))
        draw_names(canvas.pixels, names, at, palette.text, palette.halo, 18 if theme == "projector" else 13)
        return Picture(canvas.pixels, missing)

    def _placed(self, tiles: list[Tile], crs: Crs, cancel: CancelToken) -> tuple[list[PlacedTile], int]:
        together(lambda tile: self._bytes_ahead(tile, crs, cancel), tiles, self.files.workers)
        found: dict[Tile, PlacedTile] = {}
        missing = 0
        for tile in tiles:
            cancel.raise_if_cancelled()
            current: Tile | None = tile
            is_lost = False
            while current is not None:
                try:
                    placed = self._tile(current, crs, cancel)
                except LostTileError:
                    is_lost, placed = True, None
                if placed is not None:
                    found[current] = placed
                    break
                above = parent_of(self.levels, current)
                current = above[0] if above is not None else None
            missing += is_lost
        # Coarser ones that stand in for missing ones are painted first.
        return [found[tile] for tile in sorted(found)], missing

    def _bytes_ahead(self, tile: Tile, crs: Crs, cancel: CancelToken) -> None:
        self._tile(tile, crs, cancel)

    def _tile(self, tile: Tile, crs: Crs, cancel: CancelToken) -> PlacedTile | None:
        key = (tile, crs.definition, current_language())
        return self._tiles.get(key, lambda: self._read(tile, crs, cancel))

    def _read(self, tile: Tile, crs: Crs, cancel: CancelToken) -> PlacedTile | None:
        data = self.bytes_of(tile, cancel)
        if data is None:
            return None
        try:
            parts = vector_parts(data)
        except BadTileError as error:
            problem = Problem(
                Severity.WARNING,
                "broken-tile",
                self.name_of(tile),
                "The tile is no vector tile ({reason}).",
                {"reason": str(error)},
            )
            self.note(tile, problem, float("inf"))
            return None
        return placed_tile(parts, self.levels[tile.level].box(tile.column, tile.row), self.crs, crs, self.has_land)

    def _paint(self, canvas: Canvas, tiles: list[PlacedTile], frame: _Frame, palette: Palette, cancel: CancelToken) -> None:
        for has_sea, name in ((False, "land"), (True, "water")):
            outlines = [tile.box for tile in tiles if tile.has_sea == has_sea]
            if outlines:
                starts = np.concatenate([[0], np.cumsum([len(box) for box in outlines])]).astype(np.int64)
                canvas.fill(frame.of(np.concatenate(outlines)), starts, palette.fills[name])
        for name in AREAS:
            cancel.raise_if_cancelled()
            if name == "building":
                continue
            for shapes in _of_class(tiles, "areas", name):
                canvas.fill(frame.of(shapes.points), shapes.starts, palette.fills[name])
        self._paint_lines(canvas, tiles, frame, palette)
        for shapes in _of_class(tiles, "areas", "building"):
            points = frame.of(shapes.points)
            if frame.pixel <= 12.0:
                canvas.fill(points, shapes.starts, palette.fills["building"], min(1.0, 1.6 - 0.1 * frame.pixel))
            if frame.pixel <= RIM_PIXEL:
                canvas.stroke(points, shapes.starts, 0.8, palette.building_rim, is_closed=True)

    def _paint_lines(self, canvas: Canvas, tiles: list[PlacedTile], frame: _Frame, palette: Palette) -> None:
        """Draw the rims of all wide roads below all roads, so that crossings are open."""
        drawn: list[tuple[str, Float32, Int, float]] = []
        for name, stroke in STROKES.items():
            if frame.pixel > stroke.coarsest:
                continue
            width = max(stroke.metres / frame.pixel, stroke.least)
            drawn += [(name, frame.of(s.points), s.starts, width) for s in _of_class(tiles, "lines", name)]
        for name, points, starts, width in drawn:
            if STROKES[name].is_cased and width >= 1.5:
                canvas.stroke(points, starts, width + 1.8, palette.rim)
        for name, points, starts, width in drawn:
            canvas.stroke(points, starts, width, palette.fills[name])


@dataclass(frozen=True)
class _Frame:
    """From world coordinates to pixels: the upper left corner, the step of a pixel in x and y, and its size [m]."""

    corner: Float
    step: Float
    pixel: float

    def of(self, points: Float) -> Float32:
        return ((points - self.corner) / self.step).astype(np.float32)


def placed_tile(parts: Iterable[VectorPart], box: Float, source: Crs, target: Crs, has_land: bool) -> PlacedTile:
    """Return the layers of a tile, whose (2, 2) box is given in ``source``, in the system ``target``."""
    spread = _spread(box, source, target)
    areas: dict[int, list[Shapes]] = {}
    lines: dict[int, list[Shapes]] = {}
    names: list[Name] = []
    size = 4096
    for part in parts:
        lettered = place_names(part, current_language())
        if lettered is not None:
            first = part.starts[np.searchsorted(part.owners, lettered.rows)]
            places = spread(part.points[np.minimum(first, len(part.points) - 1)].astype(np.float64) / part.extent)
            people = population_of(part, lettered.rows)
            names += [
                Name(str(name), (float(p[0]), float(p[1])), int(rank), float(count))
                for name, p, rank, count in zip(lettered.names, places, lettered.ranks, people, strict=True)
                if np.isfinite(p).all()
            ]
            continue
        classes = classes_of(part)
        if not classes.any():
            continue
        world = spread(part.points.astype(np.float64) / part.extent)
        for number in np.unique(classes[classes > 0]).tolist():
            for kind, into in ((POLYGON, areas), (LINE, lines)):
                rings = np.flatnonzero((classes[part.owners] == number) & (part.kinds[part.owners] == kind))
                if len(rings):
                    points, starts = _rings(part, rings, world)
                    into.setdefault(number, []).append(Shapes(points, starts))
                    size += points.nbytes + starts.nbytes
    outline = spread(np.array([[0, 0], [0, 0.25], [0, 0.5], [0, 0.75], [0, 1], [0.25, 1], [0.5, 1], [0.75, 1], [1, 1], [1, 0.75],
                               [1, 0.5], [1, 0.25], [1, 0], [0.75, 0], [0.5, 0], [0.25, 0]], dtype=np.float64))  # fmt: skip
    return PlacedTile(_merged(areas), _merged(lines), tuple(names), outline, has_land, size)


def _rings(part: VectorPart, rings: Int, world: Float) -> tuple[Float, Int]:
    counts = part.starts[rings + 1] - part.starts[rings]
    ends = np.concatenate([[0], np.cumsum(counts)])
    rows = np.repeat(part.starts[rings] - ends[:-1], counts) + np.arange(ends[-1])
    return world[rows], ends.astype(np.int64)


def _merged(shapes: dict[int, list[Shapes]]) -> dict[int, Shapes]:
    out = {}
    for number, parts in shapes.items():
        shift = np.concatenate([[0], np.cumsum([len(part.points) for part in parts])])
        starts = [part.starts[:-1] + start for part, start in zip(parts, shift[:-1], strict=True)]
        out[number] = Shapes(np.concatenate([part.points for part in parts]), np.concatenate([*starts, shift[-1:]]))
    return out


def _of_class(tiles: list[PlacedTile], what: str, name: str) -> list[Shapes]:
    """Return the shapes of a class in all tiles as one, so that overlaps at their edges count once."""
    found = [shapes for tile in tiles if (shapes := getattr(tile, what).get(CLASS[name])) is not None]
    return list(_merged({0: found}).values()) if found else []


def _spread(box: Float, source: Crs, target: Crs):  # type: ignore[no-untyped-def]
    """Return the function from places in a tile, (N, 2) in 0..1 from its upper left corner, to world coordinates."""
    span = box[1] - box[0]
    place = placing(source, target)

    def exact(unit: Float) -> Float:
        return place(np.column_stack([box[0, 0] + unit[:, 0] * span[0], box[1, 1] - unit[:, 1] * span[1]]))

    if source == target or float(span.max()) > WIDE:
        return exact
    # A little beyond the tile on all sides: its shapes go on there.
    low, high = -0.1, 1.1
    share = np.linspace(low, high, NODES)
    nodes = exact(np.stack(np.meshgrid(share, share), axis=-1).reshape(-1, 2)).reshape(NODES, NODES, 2)

    def interpolated(unit: Float) -> Float:
        at = np.clip((unit - low) / (high - low) * (NODES - 1), 0.0, NODES - 1 - 1e-9)
        cell = at.astype(np.int64)
        fx, fy = (at - cell)[:, :1], (at - cell)[:, 1:]
        column, row = cell[:, 0], cell[:, 1]
        upper = nodes[row, column] * (1 - fx) + nodes[row, column + 1] * fx
        lower = nodes[row + 1, column] * (1 - fx) + nodes[row + 1, column + 1] * fx
        return upper * (1 - fy) + lower * fy

    return interpolated
