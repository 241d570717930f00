"""Surfaces of many geometries as flat arrays, and the twins among them: those one object has twice in one level of detail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cimdesk.base.arrays import Bool, Float, Int, offsets_from_counts
from cimdesk.model.pictured import PictureFile

# Odd constants of splitmix64 (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators).
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class PicturedSurfaces:
    """Pictures that lie on some of the surfaces.

    Attributes
    ----------
    files : tuple of PictureFile
    file_of : (S,) int64
        Picture of each surface, -1 for none.
    places : (C, 2) float64
        Of each corner in the picture: 0 to 1 from the left, and from the bottom.
    """

    files: tuple[PictureFile, ...]
    file_of: Int
    places: Float


@dataclass(frozen=True)
class SurfaceArrays:
    """Surfaces of many geometries.

    Attributes
    ----------
    owners : (S,) int64
        Feature row of each surface.
    lods : (S,) int64
        Position in ``lod_names``.
    kinds : (S,) int64
        `Surface` codes.
    materials : (S,) int64
        Material of each surface, -1 for none.
    ring_counts : (S,) int64, ring_lengths : (R,) int64, corners : (C,) int64
        Rings of each surface, corners of each ring, and vertex row of each corner.
    lod_names : list of str
    pictures : PicturedSurfaces or None
    """

    owners: Int
    lods: Int
    kinds: Int
    materials: Int
    ring_counts: Int
    ring_lengths: Int
    corners: Int
    lod_names: list[str]
    pictures: PicturedSurfaces | None = None

    def where(self, wanted: Bool) -> SurfaceArrays:
        """Return the ``wanted`` (S,) surfaces."""
        ring_wanted = np.repeat(wanted, self.ring_counts)
        corner_wanted = np.repeat(ring_wanted, self.ring_lengths)
        pictures = self.pictures
        return SurfaceArrays(
            self.owners[wanted],
            self.lods[wanted],
            self.kinds[wanted],
            self.materials[wanted],
            self.ring_counts[wanted],
            self.ring_lengths[ring_wanted],
            self.corners[corner_wanted],
            self.lod_names,
            pictures and PicturedSurfaces(pictures.files, pictures.file_of[wanted], pictures.places[corner_wanted]),
        )

    def touching(self, is_bad_corner: Bool) -> Bool:
        """Return (S,) whether a surface has any of the (C,) bad corners."""
        surface_of_ring = np.repeat(np.arange(len(self.ring_counts)), self.ring_counts)
        bad = np.zeros(len(self.ring_counts), dtype=bool)
        bad[np.repeat(surface_of_ring, self.ring_lengths)[is_bad_corner]] = True
        return bad


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
