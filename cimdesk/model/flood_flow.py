"""Where the water of a flood flows to and how fast: velocities of blocks of cells by frame, packed, and how they are shown."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32
from cimdesk.base.i18n import tr
from cimdesk.model.style import FLOWS, LegendEntry
from cimdesk.model.terrain import Terrain

STEP = 0.002
"""Velocities are kept in steps of this [m/s]."""
MOST_BLOCKS = 65_536
MOST_BYTES = 64_000_000
"""Of all frames of a run together, before they are packed."""
RECENT = 4
ARROWS, STREAKS = FLOWS
SLOWEST = 0.05
"""Slower water stands, as far as arrows go [m/s]."""
SPEEDS: tuple[tuple[float, str], ...] = ((0.0, "#ffffff"), (0.25, "#ffe14d"), (0.5, "#ff9a1f"), (1.0, "#e0301e"))
"""Where each class of speed begins [m/s], and its colour."""


@dataclass(frozen=True, eq=False)
class FlowFrames:
    """Velocities of blocks of cells, one frame for each of a flood.

    Attributes
    ----------
    grid : (west, north, width, height) float
        Corner of the blocks and size of one [m].
    shape : rows, columns
    packed : tuple of bytes
        Deflated (2, r, c) int16 in steps of ``step``: to the east and to the north, row 0 north; empty where nothing is known.
    step : float
        [m/s].
    """

    grid: tuple[float, float, float, float]
    shape: tuple[int, int]
    packed: tuple[bytes, ...] = ()
    step: float = STEP
    _recent: OrderedDict[int, Float32] = field(default_factory=OrderedDict, repr=False)

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def nbytes(self) -> int:
        """Memory in use [bytes]."""
        return sum(len(frame) for frame in self.packed)

    def with_frames(self, packed: Iterable[bytes]) -> FlowFrames:
        """Return other frames over the same blocks."""
        return replace(self, packed=tuple(packed), _recent=OrderedDict())

    def frame(self, index: int) -> Float32:
        """Return the (2, r, c) float32 velocities of a frame to the east and to the north [m/s]; zero where it is dry."""
        found = self._recent.get(index)
        if found is None:
            blob = self.packed[index]
            found = np.zeros((2, *self.shape), dtype=np.float32)
            if blob:
                found[:] = np.frombuffer(zlib.decompress(blob), dtype="<i2").reshape(2, *self.shape) * np.float32(self.step)
            found.flags.writeable = False
            self._recent[index] = found
            while len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        return found

    def between(self, first: int, second: int, weight: float) -> Float32:
        """Return (2, r, c) velocities on the way from one frame to another."""
        early = self.frame(first)
        return early if first == second or weight <= 0.0 else early + (self.frame(second) - early) * np.float32(weight)

    def rows_at(self, points: Float) -> Float:
        """Return (N, 2) row and column, with fractions, of (N, 2) world points: whole numbers at the middle of a block."""
        west, north, width, height = self.grid
        return np.column_stack([(north - points[:, 1]) / height - 0.5, (points[:, 0] - west) / width - 0.5])

    def at_points(self, index: int, points: Float) -> Float:
        """Return (N, 2) float64 velocities of a frame at world points, linear between blocks [m/s]; zero beyond them."""
        return sampled(self.frame(index), self.rows_at(points))


def sampled(velocity: Float32, at: Float) -> Float:
    """Return (N, 2) velocities of (2, r, c) blocks at (N, 2) rows and columns; zero beyond the outermost half blocks.

    Blocks without water have no say: beside them the velocity is that of the wet ones.
    """
    rows, columns = velocity.shape[1:]
    low = np.floor(at).astype(np.int64)
    part = at - low
    total, weight = np.zeros((len(at), 2)), np.zeros(len(at))
    for i in (0, 1):
        for j in (0, 1):
            r, c = low[:, 0] + i, low[:, 1] + j
            inside = (r >= 0) & (r < rows) & (c >= 0) & (c < columns)
            r, c = np.where(inside, r, 0), np.where(inside, c, 0)
            value = velocity[:, r, c].T.astype(np.float64)
            share = np.where(inside & (value != 0.0).any(axis=1), np.abs(1 - i - part[:, 0]) * np.abs(1 - j - part[:, 1]), 0.0)
            total += share[:, None] * value
            weight += share
    return np.where(weight[:, None] > 1e-6, total / np.maximum(weight, 1e-6)[:, None], 0.0)


def blocks_over(grid: Terrain, frames: float) -> tuple[int, FlowFrames]:
    """Return how many cells are along a block of a grid, so that so many frames stay small, and the blocks without frames."""
    rows, columns = grid.shape
    most = max(64.0, min(float(MOST_BLOCKS), MOST_BYTES / (4.0 * max(frames, 1.0))))
    factor = 1
    while -(-rows // factor) * -(-columns // factor) > most:
        factor += 1
    shape = (-(-rows // factor), -(-columns // factor))
    return factor, FlowFrames((grid.west, grid.north, grid.cell_x * factor, grid.cell_y * factor), shape)


def packed_flow(east: AnyArray, north: AnyArray, step: float = STEP) -> bytes:
    """Return (r, c) velocities as `FlowFrames` keep them."""
    counts = np.rint(np.clip(np.nan_to_num(np.stack([east, north])) / step, -32767.0, 32767.0)).astype("<i2")
    return zlib.compress(counts.tobytes(), level=1)


def block_flow(depth: AnyArray, east: AnyArray, north: AnyArray, factor: int) -> tuple[Float32, Float32]:
    """Return (r, c) velocities of blocks of cells: what flows through them over what stands in them.

    Parameters
    ----------
    depth : (R, C) float
        [m].
    east, north : (R, C) float
        Unit discharges [m2/s].
    factor : int
        Cells along a block; those at the southern and eastern rim may be smaller.
    """
    shallow = depth < SHALLOW
    deep = block_sums(np.where(shallow, 0.0, depth), factor)
    inverse = np.where(deep > 0.0, 1.0 / np.maximum(deep, 1e-9), 0.0)
    parts = [(block_sums(np.where(shallow, 0.0, part), factor) * inverse).astype(np.float32) for part in (east, north)]
    return parts[0], parts[1]


SHALLOW = 0.01
"""Shallower water has no velocity to speak of [m]."""


def block_sums(values: AnyArray, factor: int) -> Float:
    """Return (r, c) float64 sums over blocks."""
    if factor == 1:
        return values.astype(np.float64)
    rows, columns = values.shape
    at_row, at_column = np.arange(0, rows, factor), np.arange(0, columns, factor)
    return np.asarray(np.add.reduceat(np.add.reduceat(values, at_row, axis=0, dtype=np.float64), at_column, axis=1))


def speed_classes(speeds: Float) -> AnyArray:
    """Return the number of the class of each speed, from 0."""
    return np.searchsorted([low for low, _ in SPEEDS[1:]], speeds, side="right")


def flow_legend() -> tuple[LegendEntry, ...]:
    """Return what the colours of arrows and streaks mean."""
    lows = [low for low, _ in SPEEDS]
    said = [f"{low:g} – {high:g} m/s" for low, high in pairwise(lows)]
    said.append(tr("over {low} {unit}").format(low=f"{lows[-1]:g}", unit="m/s"))
    return tuple(LegendEntry(text, color) for text, (_, color) in zip(said, SPEEDS, strict=True))
