"""Pictures from one reference system into another: exact at a coarse grid of places, straight between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float, UInt8
from cimdesk.base.crs import Crs

TOLERANCE = 0.25
"""Largest error of a place between the points of the grid [px of the source]."""
FIRST_STEP = 64
LEAST_STEP = 4

Place = Callable[[Float], Float]
"""(N, 2) places of the target -> (N, 2) places of the source, infinite or NaN where there are none."""


@dataclass(frozen=True)
class WarpGrid:
    """Where the pixels of a picture lie in its source.

    Attributes
    ----------
    places : (gh, gw, 2) float64
        Source coordinates of the pixel corners at every ``step`` pixels.
    step : int
    width, height : int
        Of the picture [px].
    """

    places: Float
    step: int
    width: int
    height: int

    @property
    def box(self) -> Float:
        """(2, 2) box of the source that is needed; NaN where nothing is."""
        known = self.places[np.isfinite(self.places).all(axis=-1)]
        return np.array([known.min(axis=0), known.max(axis=0)]) if len(known) else np.full((2, 2), np.nan)

    @property
    def pixel(self) -> float:
        """Size of a pixel of the picture in the source's units, at the finest."""
        known = np.where(np.isfinite(self.places), self.places, np.nan)
        across = np.linalg.norm(np.diff(known, axis=1), axis=-1)
        down = np.linalg.norm(np.diff(known, axis=0), axis=-1)
        sizes = np.concatenate([across.ravel(), down.ravel()])
        sizes = sizes[np.isfinite(sizes) & (sizes > 0.0)]
        return float(np.percentile(sizes, 10.0)) / self.step if len(sizes) else float("nan")


def placing(target: Crs, source: Crs) -> Place:
    """Return the function that finds places of the target system in the source's."""
    if target == source:
        return lambda points: points

    def place(points: Float) -> Float:
        return target.transform(source, np.column_stack([points, np.zeros(len(points))]))[:, :2]

    return place


def warp_grid(place: Place, box: Float, width: int, height: int, tolerance: float = TOLERANCE) -> WarpGrid:
    """Return where the pixels of the picture of a (2, 2) box lie, within ``tolerance`` pixels.

    The grid is halved until the middles of its cells, interpolated, lie where they exactly should.
    """
    step = FIRST_STEP
    while True:
        grid = WarpGrid(_places(place, box, width, height, step), step, width, height)
        if step <= LEAST_STEP or _error(grid, place, box) <= tolerance:
            return grid
        step //= 2


def _places(place: Place, box: Float, width: int, height: int, step: int, shift: float = 0.0) -> Float:
    columns = np.arange(-(-width // step) + (1 if shift == 0.0 else 0)) * float(step) + shift
    rows = np.arange(-(-height // step) + (1 if shift == 0.0 else 0)) * float(step) + shift
    x = box[0, 0] + columns * (box[1, 0] - box[0, 0]) / width
    y = box[1, 1] - rows * (box[1, 1] - box[0, 1]) / height
    points = np.stack(np.meshgrid(x, y), axis=-1)
    found = place(points.reshape(-1, 2)).reshape(points.shape)
    return np.where(np.isfinite(found), found, np.nan)


def _error(grid: WarpGrid, place: Place, box: Float) -> float:
    """Return the largest distance between interpolated and exact middles of cells [px]."""
    p = grid.places
    guessed = (p[:-1, :-1] + p[1:, :-1] + p[:-1, 1:] + p[1:, 1:]) / 4.0
    exact = _places(place, box, grid.width, grid.height, grid.step, grid.step / 2.0)
    away = np.linalg.norm(guessed - exact, axis=-1)
    away = away[np.isfinite(away)]
    pixel = grid.pixel
    return float(away.max()) / pixel if len(away) and pixel > 0.0 else 0.0


def warped(picture: UInt8, grid: WarpGrid, origin: tuple[float, float], cell: tuple[float, float]) -> UInt8:
    """Return a picture at the pixels of a grid.

    Parameters
    ----------
    picture : (H, W, 4) uint8
        In the source's system.
    grid : WarpGrid
    origin : tuple of 2 floats
        Source coordinates of the upper left corner of ``picture``.
    cell : tuple of 2 floats
        Step of a column in x and of a row in y; the second is negative for pictures with north up.

    Returns
    -------
    (h, w, 4) uint8
    """
    from cimdesk.formats.imagery.kernels import sample_grid

    picture, cell = _reduced(picture, grid.pixel, cell)
    places = (grid.places - np.asarray(origin)) / np.asarray(cell)
    out = np.empty((grid.height, grid.width, 4), dtype=np.uint8)
    sample_grid(np.ascontiguousarray(picture), np.where(np.isfinite(places), places, np.nan), grid.step, out)
    return out


def _reduced(picture: UInt8, pixel: float, cell: tuple[float, float]) -> tuple[UInt8, tuple[float, float]]:
    """Return a picture that is much finer than needed as means of whole blocks, so that nothing flickers."""
    factor = int(pixel / max(abs(cell[0]), abs(cell[1]))) if np.isfinite(pixel) else 1
    if factor < 2:
        return picture, cell
    from PIL import Image

    small = Image.fromarray(picture).convert("RGBa").reduce(factor).convert("RGBA")
    return np.asarray(small), (cell[0] * factor, cell[1] * factor)
