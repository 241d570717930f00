"""Rings of surfaces waiting as text, and how they become arrays many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Int, offsets_from_counts
from cimdesk.formats.citygml.pictures import PicturePlaces
from cimdesk.formats.citygml.positions import numbers_of, with_heights
from cimdesk.formats.compiled import pays
from cimdesk.formats.findings import Findings
from cimdesk.formats.surface_arrays import SurfaceArrays

# Odd constants of splitmix64 (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators).
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
WORTH = 200_000
"""Corners from which compiled code pays for its loading."""


class Rings:
    """Surfaces and their rings, in the order they were read.

    Attributes
    ----------
    texts : list of str
        Positions as written, mostly one text for each ring.
    continued : list of int
        Texts that go on with the ring of the text before.
    runs : list of int
        Seven numbers for surfaces of one object, each with one ring, or for a single surface with any number of them: the first
        text, how many surfaces, feature row, level of detail, `Surface` code, colour and whether to turn them round.
    """

    def __init__(self, findings: Findings) -> None:
        self.texts: list[str] = []
        self.continued: list[int] = []
        self.runs: list[int] = []
        self._findings = findings

    def add_surfaces(self, first: int, count: int, owner: tuple[int, int, int, int], painted: dict[int, int]) -> None:
        """Take note of whose the rings of the texts from ``first`` on are, each a surface of its own.

        Parameters
        ----------
        first, count : int
            Texts.
        owner : (row, lod, kind, material)
            Of them all.
        painted : dict of int to int
            Materials of single ones among them, by their position.
        """
        if painted:
            for k in range(count):
                self.runs += (first + k, 1, *owner[:3], painted.get(k, owner[3]), False)
        else:
            self.runs += (first, count, *owner, False)

    def begin_ring(self) -> None:
        """Start a ring without positions."""
        self.texts.append("")

    def add_positions(self, element: Any, dimension: str | None, is_new: bool) -> None:
        """Take the positions of an element as a new ring or as more of the last one."""
        if not is_new:
            self.continued.append(len(self.texts))
        text = element.text or ""
        self.texts.append(with_heights(text) if dimension == "2" else text)

    def add_old_positions(self, element: Any) -> None:
        """Take ``gml:coordinates``, the form of GML 2, as a new ring: ``x,y,z x,y,z``."""
        decimal, separator, gap = element.get("decimal", "."), element.get("cs", ","), element.get("ts", " ")
        positions = (element.text or "").replace(gap, " ").split()
        numbers = [number.replace(decimal, ".") for position in positions for number in [*position.split(separator), "0"][:3]]
        self.texts.append("" if len(numbers) % 3 else " ".join(numbers))

    def arrays(self, lod_names: list[str], laid: PicturePlaces, names: Sequence[str]) -> tuple[SurfaceArrays, Float]:
        """Return everything as arrays, with the pictures ``laid`` on surfaces, and the (V, 3) vertices as written."""
        first_texts, counts, *values = np.array(self.runs, dtype=np.int64).reshape(-1, 7).T

        def name_of(text: int) -> str:
            return names[int(values[0][np.searchsorted(first_texts, text, side="right") - 1])]

        numbers, number_counts = numbers_of(self.texts, name_of, self._findings)
        vertices, corners = _welded(numbers.reshape(-1, 3))
        first_runs, lengths = self._in_rings(first_texts, number_counts // 3)
        first_rings = np.repeat(first_runs - offsets_from_counts(counts)[:-1], counts) + np.arange(counts.sum())
        ring_counts = np.diff(np.append(first_rings, len(lengths)))
        owners, lods, kinds, materials, flips = (np.repeat(each, counts) for each in values)
        materials, pictures = laid.lay(materials, ring_counts, lengths)
        if flips.any():
            turned = _turned(np.repeat(flips.astype(np.bool_), ring_counts), lengths)
            corners = corners[turned]
            pictures = pictures and replace(pictures, places=pictures.places[turned])
        return SurfaceArrays(owners, lods, kinds, materials, ring_counts, lengths, corners, lod_names, pictures), vertices

    def _in_rings(self, first_texts: Int, lengths: Int) -> tuple[Int, Int]:
        """Return the rings that texts begin, and the lengths of rings by those of texts."""
        if not self.continued:
            return first_texts, lengths
        begins = np.ones(len(lengths), dtype=np.int64)
        begins[self.continued] = 0
        rings = offsets_from_counts(begins)
        return rings[first_texts], np.bincount(rings[1:] - 1, weights=lengths).astype(np.int64)


def _welded(coordinates: Float) -> tuple[Float, Int]:
    """Return the different rows of (C, 3) coordinates and, for each row, which of them it is."""
    if not len(coordinates):
        return coordinates, np.zeros(0, dtype=np.int64)
    if pays(len(coordinates), WORTH):
        from cimdesk.formats.polygon_kernels import welded

        return welded(coordinates)
    # Adding zero makes -0.0 the same as 0.0.
    bits = (coordinates + 0.0).view(np.uint64)
    keys = bits[:, 0] * _STEP
    for axis in (1, 2):
        keys = ((keys ^ (keys >> np.uint64(29))) + bits[:, axis]) * _MIX
        keys ^= keys >> np.uint64(32)
    _, first, corners = np.unique(keys, return_index=True, return_inverse=True)
    return coordinates[first], corners.astype(np.int64)


def _turned(flips: Bool, lengths: Int) -> Int:
    """Return (C,) where to take each corner from so that the rings with ``flips`` (R,) run backwards."""
    starts = np.repeat(offsets_from_counts(lengths)[:-1], lengths)
    order = np.arange(len(starts))
    return np.where(np.repeat(flips, lengths), 2 * starts + np.repeat(lengths, lengths) - 1 - order, order)
