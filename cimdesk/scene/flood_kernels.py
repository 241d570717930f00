"""Compiled: depths of a frame to depth codes and levels. Import it late: it loads numba. See `flood_surface`."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.compiled import njit


@njit(cache=True, nogil=True)
def _near_water(depth: AnyArray, solid: AnyArray, wet: float) -> AnyArray:
    """Return (R, C) uint8, not zero where there is water in a cell or beside it; most cells need no closer look."""
    rows, columns = depth.shape
    across = np.zeros((rows, columns), dtype=np.uint8)
    near = np.zeros((rows, columns), dtype=np.uint8)
    line = np.zeros(columns + 2, dtype=np.uint8)
    for r in range(rows):
        for c in range(columns):
            line[c + 1] = (depth[r, c] > wet) & (not solid[r, c])
        for c in range(columns):
            across[r, c] = line[c] | line[c + 1] | line[c + 2]
    for r in range(rows):
        above, below = max(r - 1, 0), min(r + 1, rows - 1)
        for c in range(columns):
            near[r, c] = across[above, c] | across[r, c] | across[below, c]
    return near


@njit(cache=True, nogil=True)
def fill_surface(
    depth: AnyArray, bed: AnyArray, solid: AnyArray, limits: AnyArray, signed: AnyArray, levels: AnyArray, state: AnyArray
) -> None:
    """Fill depths with a sign, levels and states of all cells; those of solid cells as if they were dry and far from water.

    Parameters
    ----------
    depth, bed : (R, C) float32
    solid : (R, C) bool
    limits : (6,) float32
        Wet, dry, least rise, film, deep, steep: the constants of `flood_surface`.
    signed, levels : (R, C) float32
    state : (R, C) uint8
        Bit 1: water in the cell or beside it; bit 2: the cell has a level of its own; bit 4: a bank.
    """
    rows, columns = depth.shape
    wet, dry, least, film, deep, steep = limits[0], limits[1], limits[2], limits[3], limits[4], limits[5]
    near, near_deep = _near_water(depth, solid, wet), _near_water(depth, solid, deep)
    for r in range(rows):
        r0, r1 = max(r - 1, 0), min(r + 2, rows)
        for c in range(columns):
            d, z = depth[r, c], bed[r, c]
            is_open = not solid[r, c]
            is_wet = is_open and d > wet
            signed[r, c], levels[r, c], state[r, c] = dry, z, 0
            if not near[r, c]:
                continue
            if is_wet:
                signed[r, c], levels[r, c], state[r, c] = d, z + d, 3
                if not d < film or not near_deep[r, c]:
                    continue
            count, deeps = 0, 0
            level, deep_level, deep_depth = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for i in range(r0, r1):
                for j in range(max(c - 1, 0), min(c + 2, columns)):
                    beside = depth[i, j]
                    if beside > wet and not solid[i, j]:
                        count += 1
                        level += bed[i, j] + beside
                        if beside > deep:
                            deeps += 1
                            deep_level += bed[i, j] + beside
                            deep_depth += beside
            if count and not is_wet:
                level /= count
                levels[r, c] = level
                state[r, c] = 1
                if is_open:
                    signed[r, c] = min(level - z, least)
            if deeps and is_open and z > deep_level / deeps + steep:
                signed[r, c], levels[r, c] = deep_depth / deeps, deep_level / deeps
                state[r, c] |= 4


@njit(cache=True, nogil=True)
def carry_into(cells: AnyArray, around: AnyArray, signed: AnyArray, levels: AnyArray, has: AnyArray) -> None:
    """Give solid cells the mean of the water beside them.

    Parameters
    ----------
    cells : (M,) int64, around : (M, 8) int64
        Flat indices of a ring of cells and of their neighbours.
    signed, levels : (N,) float32
    has : (N,) uint8
        Bit 2: the cell has a level of its own; set for the cells that get one.
    """
    given = np.zeros(len(cells), dtype=np.bool_)
    for k in range(len(cells)):
        count = 0
        depth, level = np.float32(0.0), np.float32(0.0)
        for m in range(8):
            n = around[k, m]
            if has[n] & 2:
                count += 1
                depth += signed[n]
                level += levels[n]
        if count:
            signed[cells[k]] = depth / count
            levels[cells[k]] = level / count
            given[k] = True
    # Only afterwards: cells of one ring take nothing from each other.
    for k in range(len(cells)):
        if given[k]:
            has[cells[k]] |= 3


@njit(cache=True, nogil=True)
def encode(signed: AnyArray, state: AnyArray, solid: AnyArray, scale: float, zero: int, largest: int, codes: AnyArray) -> None:
    """Fill (R, C) uint16 codes: depths in steps above ``zero``, with the highest bit set in solid cells and banks."""
    for r in range(signed.shape[0]):
        for c in range(signed.shape[1]):
            steps = min(max(int(np.rint(signed[r, c] * scale)) + zero, 0), largest)
            codes[r, c] = steps | 0x8000 if solid[r, c] or state[r, c] & 4 else steps


@njit(cache=True, nogil=True)
def pick_nodes(levels: AnyArray, state: AnyArray, stride: int, nodes: AnyArray) -> None:
    """Fill (R / stride, C / stride) levels at every ``stride``-th cell; a node without water takes the mean of its square."""
    for i in range(nodes.shape[0]):
        for j in range(nodes.shape[1]):
            r, c = i * stride, j * stride
            nodes[i, j] = levels[r, c]
            if state[r, c] & 1:
                continue
            count, total = 0, np.float32(0.0)
            for a in range(r, min(r + stride, levels.shape[0])):
                for b in range(c, min(c + stride, levels.shape[1])):
                    if state[a, b] & 1:
                        count += 1
                        total += levels[a, b]
            if count:
                nodes[i, j] = total / count
