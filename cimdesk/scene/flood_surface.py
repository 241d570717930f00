"""Where flood water is: depth codes of a frame, and the level of its surface.

A code is the depth in steps, with `ZERO` added: in dry cells beside water it says how far the ground stands above its level, so
that the shoreline lies where the two meet. Cells with buildings, and steep banks, carry the water beside them and the bit
`BLOCKED`: there it is the wall or the bank that cuts the water off.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float32, Int, UInt8
from cimdesk.model.flood import FloodResult

ZERO = 4000
LARGEST = 0x7FFF
BLOCKED = 0x8000
FINEST_STEP = 0.001
WET = 0.004
"""Depth from which a cell has a level [m]."""
DRY = -0.30
"""Depth that is said of ground far from water [m]."""
FILM, DEEP, STEEP = 0.3, 0.5, 0.2
"""A film of water shallower than the first, on ground that stands the third above water deeper than the second [m], is a bank:
the water beside it goes on under it, and the ground as drawn cuts it off."""
LEAST_RISE = -0.015
"""Dry ground below the water beside it is said to stand this far above it [m]: it is dry."""
KEPT_FRAMES = 4
_LIMITS = np.array([WET, DRY, LEAST_RISE, FILM, DEEP, STEEP], dtype=np.float32)


@dataclass(frozen=True)
class Surface:
    """Water of one frame.

    Attributes
    ----------
    codes : (R, C) uint16
        Depth codes.
    levels : (R, C) float32
        Local height of the surface [m]: flat into dry ground and into walls beside the water.
    state : (R, C) uint8
        Bit 1: there is water in or beside a cell, so that its level counts.
    """

    codes: AnyArray
    levels: Float32
    state: UInt8

    def nodes(self, stride: int) -> Float32:
        """Return (P,) levels at every ``stride``-th cell; a node without water takes that of the cells around it."""
        if stride == 1:
            return self.levels.ravel()
        from cimdesk.scene.flood_kernels import pick_nodes

        picked = np.empty(tuple(-(-n // stride) for n in self.levels.shape), dtype=np.float32)
        pick_nodes(self.levels, self.state, stride, picked)
        return picked.ravel()


class WaterFrames:
    """The surfaces of a result's frames, made when asked for; the last few are kept.

    Attributes
    ----------
    step : float
        Depth of one step of a code [m].
    """

    def __init__(self, result: FloodResult, bed: Float32) -> None:
        self._result = result
        self._bed = bed
        deepest = float(np.nanmax(result.max_depth, initial=0.0))
        self.step = max(FINEST_STEP, deepest / (LARGEST - ZERO - 100))
        self._solid: Bool = np.asarray(result.is_blocked | ~np.isfinite(result.terrain.elevations), dtype=bool)
        self._rims = _rims(self._solid)
        self._kept: OrderedDict[int, Surface] = OrderedDict()

    def follow(self, result: FloodResult) -> None:
        """Go on with a result that has grown: its last frame, and those after it, are others than before."""
        last = len(self._result.times) - 1
        self._result = result
        step = max(self.step, FINEST_STEP, float(np.nanmax(result.max_depth, initial=0.0)) / (LARGEST - ZERO - 100))
        kept = step == self.step
        self.step = step
        self._kept = OrderedDict((k, surface) for k, surface in self._kept.items() if kept and k < last)

    def surface(self, frame: int) -> Surface:
        """Return the water of a frame."""
        found = self._kept.get(frame)
        if found is None:
            depth = np.ascontiguousarray(self._result.depths[frame], dtype=np.float32).view()
            # Frames of a run may be written to, those of a file not: compiled code is for one of them, and made ready for that.
            depth.flags.writeable = False
            found = self._kept[frame] = self._made(depth)
            while len(self._kept) > KEPT_FRAMES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(frame)
        return found

    def _made(self, depth: Float32) -> Surface:
        from cimdesk.scene.flood_kernels import carry_into, encode, fill_surface

        signed, levels = np.empty_like(depth), np.empty_like(depth)
        state: UInt8 = np.empty(depth.shape, dtype=np.uint8)
        fill_surface(depth, self._bed, self._solid, _LIMITS, signed, levels, state)
        for cells, around in self._rims:
            carry_into(cells, around, signed.ravel(), levels.ravel(), state.ravel())
        codes = np.empty(depth.shape, dtype=np.uint16)
        encode(signed, state, self._solid, 1.0 / self.step, ZERO, LARGEST, codes)
        return Surface(codes, levels, state)


def packed(first: Surface, second: Surface, out: AnyArray) -> None:
    """Write the codes of two frames into (R, C, 4) uint8 texels, southern row first."""
    pair = out.view("<u2")
    pair[..., 0] = first.codes[::-1]
    pair[..., 1] = second.codes[::-1]


def _rims(solid: Bool) -> list[tuple[Int, Int]]:
    """Return for two rings of solid cells, from outside inward, their flat indices (M,) and those of their neighbours (M, 8)."""
    known = ~solid
    rings = []
    for _ in range(2):
        beside = np.pad(known, 1)
        rows, columns = solid.shape
        touched = np.any([beside[i : i + rows, j : j + columns] for i in range(3) for j in range(3)], axis=0)
        ring = touched & ~known
        cells = np.flatnonzero(ring)
        rings.append((cells, _around(cells, solid.shape)))
        known |= ring
    return rings


def _around(cells: Int, shape: tuple[int, ...]) -> Int:
    """Return (M, 8) flat indices of the neighbours of cells; beyond the edge, of the cells at it."""
    rows, columns = shape
    r, c = np.divmod(cells, columns)
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    return np.stack([np.clip(r + i, 0, rows - 1) * columns + np.clip(c + j, 0, columns - 1) for i, j in steps], axis=1)
