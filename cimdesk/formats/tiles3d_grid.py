"""Where the tiles of a written tileset lie: a quadtree over longitude and latitude; over plain metres without a reference system.

Implicit tiling cuts a *region* in longitude and latitude exactly, whatever the size of the city; a box in a projected system would
drift away from its contents by the meridian convergence, a hundred metres at the edge of a province.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32, Int, Points3, box_of_points
from cimdesk.base.crs import Crs

GEOCENTRIC = Crs.epsg(4978)
GEODETIC = Crs.epsg(4979)
EARTH = 6_371_008.8
"""Mean radius [m]."""
Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""From axes with z up (tiles) to those with y up (glTF): (x, y, z) becomes (x, z, -y)."""

MANY = 1_500
"""Points from which a polynomial is worth its making."""
CLOSE = 2e-5
"""How far it may be off [m]: less than the coordinates of a tile are rounded by."""


MARGIN = 0.05
"""How much larger than its contents the stated volume of a tile is [m]: coordinates of contents are rounded."""
BEND = 1e-4
"""The same as a share of its width."""
Extent: TypeAlias = tuple[float, float, float, float, float, float]
"""West, south, east and north [rad; m without a system], lowest and highest place [m]."""


@dataclass(frozen=True)
class TileFrame:
    """Local axes of one tile's content: east, north and up at a place on the globe, or shifted metres without a system.

    Attributes
    ----------
    crs : Crs or None
        Of the world coordinates given to `to_local`.
    origin : (3,) float64
        Earth-centred place of the local zero [m]; a plain place without a system.
    axes : (3, 3) float64
        Columns are the directions of local x, y, z; identity without a system.
    """

    crs: Crs | None
    origin: Float
    axes: Float

    @staticmethod
    def at(crs: Crs | None, centre: Float) -> TileFrame:
        """Return the frame around ``centre`` (3,), in ``crs``."""
        if crs is None:
            return TileFrame(None, np.asarray(centre, dtype=np.float64), np.eye(3))
        longitude, latitude, _ = crs.transform(GEODETIC, centre[None, :])[0]
        lon, lat = np.radians(longitude), np.radians(latitude)
        east = [-np.sin(lon), np.cos(lon), 0.0]
        north = [-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)]
        up = [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]
        return TileFrame(crs, crs.transform(GEOCENTRIC, centre[None, :])[0], np.array([east, north, up]).T)

    def to_local(self, points: Points3) -> Float32:
        """Return (N, 3) float32 local coordinates, z up, of (N, 3) float64 world points."""
        if self.crs is None:
            return np.asarray((points - self.origin) @ self.axes, dtype=np.float32)
        if len(points) >= MANY:
            near = self._nearly(points)
            if near is not None:
                return near
        return self._exactly(points).astype(np.float32)

    def to_tileset(self, points: Points3) -> Float:
        """Return (N, 3) float64 tileset coordinates, z up, of (N, 3) float64 world points, as exact as local ones."""
        return np.asarray(self.to_local(points).astype(np.float64) @ self.axes.T + self.origin)

    def _exactly(self, points: Points3) -> Float:
        assert self.crs is not None
        return np.asarray((self.crs.transform(GEOCENTRIC, points) - self.origin) @ self.axes)

    def _nearly(self, points: Points3) -> Float32 | None:
        """Return local coordinates by a polynomial of third degree through exact ones; None where that is not exact enough.

        Over a few kilometres the two differ by less than a hundredth of a millimetre, and it takes a fifth of the time.
        """
        from cimdesk.formats.tiles3d_kernels import sums_of_terms

        low, high = box_of_points(points)
        middle, half = (low + high) / 2.0, np.maximum((high - low) / 2.0, 1.0)
        steps = np.cos(np.pi * (np.arange(6) + 0.5) / 6.0)
        x, y, z = (part.ravel() for part in np.meshgrid(steps, steps, [-1.0, 0.0, 1.0]))
        samples = np.column_stack([x, y, z])
        exact = self._exactly(middle + samples * half)
        if not np.isfinite(exact).all():
            return None
        factors, *_ = np.linalg.lstsq(_terms(x, y, z), exact, rcond=None)
        some = points[:: max(len(points) // 64, 1)]
        checked = (some - middle) / half
        off = max(
            float(np.abs(_terms(x, y, z) @ factors - exact).max()),
            float(np.abs(_terms(*checked.T) @ factors - self._exactly(some)).max()),
        )
        if not off < CLOSE:
            return None
        return sums_of_terms(points, middle, half, factors)

    @property
    def node_matrix(self) -> list[float]:
        """Sixteen numbers, column by column, for the glTF node that holds the content in glTF's axes.

        A viewer turns glTF's y up into z up before it places the tile, so the matrix is the frame seen from those axes.
        """
        matrix = np.eye(4)
        matrix[:3, :3] = Y_UP @ self.axes @ Y_UP.T
        matrix[:3, 3] = Y_UP @ self.origin
        return [float(value) for value in matrix.T.ravel()]


@dataclass(frozen=True)
class TileGrid:
    """A quadtree over a part of the globe, or over a square in plain metres.

    Attributes
    ----------
    crs : Crs or None
        Of the points given to it; None for coordinates without a system.
    west, south, width, depth : float
        Of the root tile: [rad] with a system, else [m].
    """

    crs: Crs | None
    west: float
    south: float
    width: float
    depth: float

    @staticmethod
    def cells(crs: Crs | None, near: Float, size: float) -> TileGrid:
        """Return the endless grid of cells ``size`` metres wide around ``near`` (3,): its root is one cell, level 0.

        Cells begin at round multiples from the south pole and the date line.
        """
        if crs is None:
            return TileGrid(None, 0.0, 0.0, size, size)
        latitude = float(np.radians(crs.transform(GEODETIC, near[None, :])[0, 1]))
        tall = size / EARTH
        # The width of a degree changes slowly: one width for each band of a quarter degree.
        band = np.round(np.degrees(latitude) * 4.0) / 4.0
        wide = tall / max(float(np.cos(np.radians(band))), 0.02)
        return TileGrid(crs, -np.pi, -np.pi / 2.0, wide, tall)

    def around(self, low: Int, high: Int) -> tuple[TileGrid, int, Int]:
        """Return the quadtree whose leaves are the cells ``low`` to ``high`` (2,), both included.

        Returns
        -------
        grid : TileGrid
        levels : int
            Level at which its tiles are the cells of this grid.
        corner : (2,) int64
            Cell that is tile (0, 0) of that level.
        """
        count = int((high - low).max()) + 1
        levels = int(np.ceil(np.log2(count))) if count > 1 else 0
        spare = 2**levels - (high - low + 1)
        corner = low - spare // 2
        side = float(2**levels)
        grid = TileGrid(
            self.crs,
            self.west + float(corner[0]) * self.width,
            self.south + float(corner[1]) * self.depth,
            self.width * side,
            self.depth * side,
        )
        return grid, levels, corner

    @staticmethod
    def over(crs: Crs | None, bounds: Float) -> TileGrid:
        """Return a quadtree whose root holds the world box ``bounds`` (2, 3), with about square tiles."""
        corners = np.array([[bounds[i, 0], bounds[j, 1], bounds[0, 2]] for i in (0, 1) for j in (0, 1)])
        plan = flat_places(crs, corners)
        low, high = plan.min(axis=0), plan.max(axis=0)
        middle = (low + high) / 2.0
        shrink = float(np.cos(middle[1])) if crs is not None else 1.0
        side = max(float((high[0] - low[0]) * shrink), float(high[1] - low[1]), 1e-9) * 1.0001
        return TileGrid(crs, float(middle[0] - side / shrink / 2), float(middle[1] - side / 2), side / shrink, side)

    def tiles_of(self, points: Points3, level: int) -> Int:
        """Return (N, 2) columns and rows of the tiles of a level that hold (N, 3) world points; not limited to the root."""
        return self.cells_of(flat_places(self.crs, points), level)

    def cells_of(self, plan: Float, level: int) -> Int:
        """Return (N, 2) columns and rows of the tiles of a level that hold the flat places (N, 2) of `flat_places`."""
        share = (plan - [self.west, self.south]) / [self.width, self.depth]
        return np.floor(share * 2.0**level).astype(np.int64)

    def size(self, level: int) -> float:
        """Return the side of a tile of a level [m], the shorter one."""
        if self.crs is None:
            return self.width / 2.0**level
        return self.depth * EARTH / 2.0**level

    def tile_box(self, level: int, x: int, y: int) -> tuple[float, float, float, float]:
        """Return west, south, east and north of a tile, in the grid's units."""
        wide, deep = self.width / 2.0**level, self.depth / 2.0**level
        return self.west + x * wide, self.south + y * deep, self.west + (x + 1) * wide, self.south + (y + 1) * deep

    def extent(self, box: Float) -> Extent:
        """Return west, south, east and north in the grid's units, lowest and highest place [m] around a world box (2, 3)."""
        if self.crs is None:
            (x, y, z), (right, back, top) = np.add(box, [[-MARGIN], [MARGIN]]).tolist()
            return x, y, right, back, z, top
        # Straight lines of the system are bent on the globe: the middles of the sides may lie further out than the corners.
        steps = (np.array([0.0, 0.5, 1.0])[:, None] * (box[1] - box[0]) + box[0]).T
        places = np.array([[x, y, z] for x in steps[0] for y in steps[1] for z in box[:, 2]])
        found = self.crs.transform(GEODETIC, places)
        west, south = np.radians(found[:, :2].min(axis=0))
        east, north = np.radians(found[:, :2].max(axis=0))
        tall = MARGIN / EARTH + BEND * float(north - south)
        wide = MARGIN / EARTH / max(float(np.cos(north)), 0.02) + BEND * float(east - west)
        low, high = float(found[:, 2].min()) - MARGIN, float(found[:, 2].max()) + MARGIN
        return float(west) - wide, float(south) - tall, float(east) + wide, float(north) + tall, low, high

    def frame_around(self, points: Points3) -> tuple[TileFrame, Extent]:
        """Return the axes of a content with these (N, 3) world points, N > 0, and where it is."""
        box = box_of_points(points)
        return TileFrame.at(self.crs, box.sum(axis=0) / 2.0), self.extent(box)

    def volume(self, low: float, high: float) -> dict[str, list[float]]:
        """Return the bounding volume of the root between two heights [m]."""
        if self.crs is not None:
            return {"region": [self.west, self.south, self.west + self.width, self.south + self.depth, low, high]}
        half = [self.width / 2.0, self.depth / 2.0, max((high - low) / 2.0, 1e-3)]
        centre = [self.west + half[0], self.south + half[1], (low + high) / 2.0]
        return {"box": [*centre, half[0], 0.0, 0.0, 0.0, half[1], 0.0, 0.0, 0.0, half[2]]}

    def to_record(self) -> dict[str, Any]:
        """Return plain values that `from_record` takes."""
        return {
            "crs": None if self.crs is None else self.crs.definition,
            "west": self.west,
            "south": self.south,
            "width": self.width,
            "depth": self.depth,
        }

    @staticmethod
    def from_record(record: dict[str, Any]) -> TileGrid:
        """Return the grid of a record."""
        crs = record["crs"]
        return TileGrid(None if crs is None else Crs(str(crs)), record["west"], record["south"], record["width"], record["depth"])


def flat_places(crs: Crs | None, points: Points3) -> Float:
    """Return (N, 2) longitudes and latitudes [rad] of (N, 3) world points; plain x and y [m] without a system."""
    if crs is None:
        return np.asarray(points[:, :2], dtype=np.float64)
    return np.asarray(np.radians(crs.transform(GEODETIC, points)[:, :2]), dtype=np.float64)


def _terms(x: Float, y: Float, z: Float) -> Float:
    """Return (N, 13) terms: of third degree in plan, and straight upwards."""
    terms = np.empty((13, len(x)))
    xx, yy = x * x, y * y
    terms[0] = 1.0
    for row, values in enumerate((x, y, z, xx, x * y, yy, x * z, y * z, xx * x, xx * y, x * yy, yy * y), start=1):
        terms[row] = values
    return terms.T


def morton(columns: AnyArray, rows: AnyArray) -> Int:
    """Return the Morton codes of tile columns and rows, columns in the lowest bits."""
    out = np.zeros(len(columns), dtype=np.int64)
    x, y = np.asarray(columns, dtype=np.int64), np.asarray(rows, dtype=np.int64)
    for bit in range(int(max(x.max(initial=0), y.max(initial=0))).bit_length()):
        out |= ((x >> bit) & 1) << (2 * bit)
        out |= ((y >> bit) & 1) << (2 * bit + 1)
    return out
