"""Surfaces that one object has twice in one level of detail, as when it is given both as a solid and as its surfaces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cimdesk.base.arrays import offsets_from_counts
from cimdesk.formats.cityjson.surfaces import SurfaceArrays

# Odd constants of splitmix64 (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators).
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def without_twins(surfaces: SurfaceArrays) -> SurfaceArrays:
    """Return the surfaces with one of each that have the same owner, level and directed edges: one with semantics if any."""
    if not len(surfaces.owners):
        return surfaces
    prints = _fingerprints(surfaces)
    order = np.lexsort((surfaces.kinds == 0, prints))
    ordered = prints[order]
    is_twin = np.concatenate([[False], ordered[1:] == ordered[:-1]])
    if not is_twin.any():
        return surfaces
    keep = np.ones(len(prints), dtype=bool)
    keep[order[is_twin]] = False
    return surfaces.where(keep)


def _fingerprints(surfaces: SurfaceArrays) -> NDArray[np.uint64]:
    """Return (S,) hashes that do not depend on where a ring starts, but on which way it runs."""
    ring_offsets = offsets_from_counts(surfaces.ring_lengths)
    filled = surfaces.ring_lengths > 0
    following = np.arange(1, len(surfaces.corners) + 1)
    following[ring_offsets[1:][filled] - 1] = ring_offsets[:-1][filled]
    corners = surfaces.corners.astype(np.uint64)
    edges = _mixed((corners + np.uint64(1)) * _STEP + corners[following])
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(edges, dtype=np.uint64)])
    offsets = ring_offsets[offsets_from_counts(surfaces.ring_counts)]
    totals = sums[offsets[1:]] - sums[offsets[:-1]]
    # Surfaces of nothing are not twins: each is reported.
    nothing = offsets[1:] == offsets[:-1]
    totals[nothing] = np.arange(int(nothing.sum()), dtype=np.uint64)
    owner = _mixed(surfaces.owners.astype(np.uint64) * _STEP + surfaces.lods.astype(np.uint64))
    return _mixed(totals + owner)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))
