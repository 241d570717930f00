"""Compiled inner loop of the octree of a point cloud: which level and node each point goes to."""

from __future__ import annotations

import numpy as np

from cimdesk.base.compiled import njit


@njit(nogil=True, cache=True)
def assign_nodes(cells, bits, grid_bits, first, last, starts, masks, table, keys):  # type: ignore[no-untyped-def]
    """Give each point the coarsest level whose thinning cell is still free, and the last level when none is.

    Parameters
    ----------
    cells : (N, 3) uint32
        Place in the cube, ``bits`` binary digits along each axis.
    bits, grid_bits : int
        A node has ``2 ** grid_bits`` thinning cells along each axis.
    first, last : int
        Levels.
    starts, masks : (last - first,) uint64
        Where the bits of each level begin in ``table``, and its number of bits less one, a power of two less one.
    table : (B,) uint8
        Bits of taken cells, kept from call to call. Two cells may share one: the later one's point goes to a finer level.
    keys : (N,) int64
        Filled with the packed node of each point; see `pack`.
    """
    for k in range(len(cells)):
        x, y, z = np.uint64(cells[k, 0]), np.uint64(cells[k, 1]), np.uint64(cells[k, 2])
        level = last
        for each in range(first, last):
            shift = np.uint64(max(bits - each - grid_bits, 0))
            h = (x >> shift) * np.uint64(0x9E3779B97F4A7C15)
            h = (h ^ (h >> np.uint64(29)) ^ (y >> shift)) * np.uint64(0xBF58476D1CE4E5B9)
            h = (h ^ (h >> np.uint64(32)) ^ (z >> shift)) * np.uint64(0x94D049BB133111EB)
            h ^= h >> np.uint64(31)
            bit = starts[each - first] + (h & masks[each - first])
            byte, one = bit >> np.uint64(3), np.uint8(1 << (bit & np.uint64(7)))
            if table[byte] & one == 0:
                table[byte] |= one
                level = each
                break
        shift = np.uint64(bits - level)
        keys[k] = (
            (np.int64(level) << np.int64(57))
            | (np.int64(x >> shift) << np.int64(38))
            | (np.int64(y >> shift) << np.int64(19))
            | np.int64(z >> shift)
        )
