"""Rings of surfaces waiting as text, and how they become arrays many at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from cimdesk.base.arrays import Bool, Float, Int, offsets_from_counts
from cimdesk.formats.citygml.appearance import PicturePlaces
from cimdesk.formats.citygml.batches import line_of
from cimdesk.formats.compiled import pays
from cimdesk.formats.findings import Findings
from cimdesk.formats.surface_arrays import SurfaceArrays

# Odd constants of splitmix64 (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators).
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
WORTH = 4_000_000
"""Bytes of positions from which compiled code pays for its loading."""


class Rings:
    """Surfaces and their rings, in the order they were read.

    Attributes
    ----------
    texts : list of str
        Numbers with one space between them.
    lengths : list of int
        How many numbers each ring has.
    runs : list of int
        Seven numbers for surfaces of one object, each with one ring, or for a single surface with any number of them: the first
        ring, how many surfaces, feature row, level of detail, `Surface` code, colour and whether to turn them round.
    """

    def __init__(self, findings: Findings) -> None:
        self.texts: list[str] = []
        self.lengths: list[int] = []
        self.runs: list[int] = []
        self._findings = findings

    def add_surfaces(self, first: int, count: int, owner: tuple[int, int, int, int], painted: dict[int, int]) -> None:
        """Take note of whose the rings from ``first`` on are, each a surface of its own.

        Parameters
        ----------
        first, count : int
            Rings.
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
        self.lengths.append(0)

    def add_positions(self, element: Any, dimension: str | None, is_new: bool) -> None:
        """Take the positions of an element as a new ring or as more of the last one."""
        text = element.text or ""
        if dimension == "2":
            text, count = _with_heights(text)
        else:
            # Counting spaces takes a third of the time of splitting; most files put exactly one between numbers.
            text = text.strip()
            if "\n" in text or "  " in text or "\t" in text:
                text = " ".join(text.split())
            count = text.count(" ") + 1 if text else 0
            if count % 3:
                text, count = _with_heights(text) if count % 2 == 0 else self._refused(element)
        if is_new:
            self.lengths.append(count)
        else:
            self.lengths[-1] += count
        if count:
            self.texts.append(text)

    def add_old_positions(self, element: Any) -> None:
        """Take ``gml:coordinates``, the form of GML 2, as a new ring: ``x,y,z x,y,z``."""
        decimal, separator, gap = element.get("decimal", "."), element.get("cs", ","), element.get("ts", " ")
        positions = (element.text or "").replace(gap, " ").split()
        numbers = [number.replace(decimal, ".") for position in positions for number in [*position.split(separator), "0"][:3]]
        if len(numbers) % 3:
            numbers = []
        self.lengths.append(len(numbers))
        if numbers:
            self.texts.append(" ".join(numbers))

    def arrays(self, lod_names: list[str], laid: PicturePlaces) -> tuple[SurfaceArrays, Float]:
        """Return everything as arrays, with the pictures ``laid`` on surfaces, and the (V, 3) vertices as written."""
        vertices, corners = _welded(self._coordinates())
        lengths = np.array(self.lengths, dtype=np.int64) // 3
        first_runs, counts, *values = np.array(self.runs, dtype=np.int64).reshape(-1, 7).T
        first_rings = np.repeat(first_runs - offsets_from_counts(counts)[:-1], counts) + np.arange(counts.sum())
        ring_counts = np.diff(np.append(first_rings, len(lengths)))
        owners, lods, kinds, materials, flips = (np.repeat(each, counts) for each in values)
        materials, pictures = laid.lay(materials, ring_counts, lengths)
        if flips.any():
            turned = _turned(np.repeat(flips.astype(np.bool_), ring_counts), lengths)
            corners = corners[turned]
            pictures = pictures and replace(pictures, places=pictures.places[turned])
        return SurfaceArrays(owners, lods, kinds, materials, ring_counts, lengths, corners, lod_names, pictures), vertices

    def _refused(self, element: Any) -> tuple[str, int]:
        text = "Coordinates are not three numbers each; the ring is left out."
        self._findings.error("bad-coordinates", f"line {line_of(element)}", text)
        return "", 0

    def _coordinates(self) -> Float:
        joined = " ".join(self.texts)
        if pays(len(joined), WORTH) and joined.isascii():
            from cimdesk.formats.number_kernels import plain_numbers

            found = plain_numbers(joined.encode())
            if found is not None:
                return found.reshape(-1, 3)
        try:
            numbers = np.array(orjson.loads(f"[{joined.replace(' ', ',')}]"), dtype=np.float64)
        except (ValueError, TypeError):
            # Plus signs, numbers ending in a point, NaN and things that are no numbers.
            numbers = np.array([self._number(text) for text in joined.split(" ")])
        return numbers.reshape(-1, 3)

    def _number(self, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            self._findings.error("bad-coordinates", "", "{text} is no coordinate.", text=repr(text[:40]))
            return float("nan")


def _with_heights(text: str) -> tuple[str, int]:
    """Return positions of two numbers with a height of zero, and how many numbers that are."""
    found = text.split()
    full = [number for k in range(0, len(found) - 1, 2) for number in (found[k], found[k + 1], "0")]
    return " ".join(full), len(full)


def _welded(coordinates: Float) -> tuple[Float, Int]:
    """Return the different rows of (C, 3) coordinates and, for each row, which of them it is."""
    if not len(coordinates):
        return coordinates, np.zeros(0, dtype=np.int64)
    if pays(len(coordinates), WORTH // 20):
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
