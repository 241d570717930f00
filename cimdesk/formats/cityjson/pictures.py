"""Textures of CityJSON: which picture lies on which surface, and where in it the corners are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from msgspec import Raw

from cimdesk.base.arrays import Float, Int, offsets_from_counts
from cimdesk.formats.cityjson.structure import decode_any
from cimdesk.formats.findings import Findings
from cimdesk.formats.picture_places import DO_NOT_FIT, PictureFolder


class TextureList:
    """The textures of one ``appearance``.

    Parameters
    ----------
    appearance : dict
    folder : PictureFolder
        Takes their files.
    """

    def __init__(self, appearance: dict[str, Any], folder: PictureFolder) -> None:
        theme = appearance.get("default-theme-texture")
        self._theme = theme if isinstance(theme, str) else ""
        self._folder = folder
        self._textures = _items(appearance.get("textures"))
        self._numbers: dict[int, int] = {}
        found = _items(appearance.get("vertices-texture"))
        try:
            self._places = np.array(found, dtype=np.float64).reshape(-1, 2)
        except (ValueError, TypeError):
            self._places = np.zeros((0, 2))

    def rings_of(self, text: Raw, depth: int) -> list[list[Any]] | None:
        """Return the rings of each surface of a geometry, each a texture and the places of its corners; None for none."""
        found = decode_any(text)
        if not isinstance(found, dict):
            return None
        use = found.get(self._theme) or next(iter(found.values()), None)
        surfaces = _items(use.get("values")) if isinstance(use, dict) else []
        for _ in range(depth - 1):
            surfaces = [each for shell in surfaces for each in _items(shell)]
        return [_items(surface) for surface in surfaces] or None

    def laid(self, rings: list[Any], lengths: list[int]) -> tuple[int, Float] | None:
        """Return the picture of a surface and the (C, 2) places of its corners.

        None where it has none; ValueError where what is written does not fit the (R,) lengths of its rings.
        """
        if not rings or not all(isinstance(ring, list) and ring for ring in rings) or rings[0][0] is None:
            return None
        rows = [place for ring in rings for place in ring[1:]]
        if [len(ring) - 1 for ring in rings] != lengths or not all(
            type(row) is int and 0 <= row < len(self._places) for row in rows
        ):
            raise ValueError
        number = self._number(rings[0][0])
        return None if number < 0 else (number, self._places[rows])

    def _number(self, texture: Any) -> int:
        if type(texture) is not int or not 0 <= texture < len(self._textures):
            raise ValueError
        if texture not in self._numbers:
            entry = self._textures[texture]
            name = entry.get("image") if isinstance(entry, dict) else None
            wrap = entry.get("wrapMode") if isinstance(entry, dict) else None
            self._numbers[texture] = self._folder.number(name, wrap in ("wrap", "mirror")) if isinstance(name, str) else -1
        return self._numbers[texture]


def lay_pictures(
    uses: Iterable[tuple[int, Raw, TextureList]],
    depth: int,
    geometry_of: Int,
    ring_counts: Int,
    ring_lengths: Int,
    findings: Findings,
) -> tuple[Int, Float] | None:
    """Return the (S,) pictures of the surfaces of many geometries, -1 for none, and the (C, 2) places of their corners.

    None when none has one.

    Parameters
    ----------
    uses : iterable of (geometry, its ``texture``, the textures it refers to)
    depth : int
        Lists around a surface.
    geometry_of : (S,) int64
        Ascending.
    ring_counts : (S,) int64, ring_lengths : (R,) int64
    findings : Findings
    """
    file_of = np.full(len(geometry_of), -1, dtype=np.int64)
    rings, corners = offsets_from_counts(ring_counts), offsets_from_counts(ring_lengths)
    places = np.zeros((int(corners[-1]), 2))
    wrong = 0
    for geometry, text, textures in uses:
        written = textures.rings_of(text, depth)
        if written is None:
            continue
        first, last = np.searchsorted(geometry_of, [geometry, geometry + 1]).tolist()
        if len(written) != last - first:
            wrong += last - first
            continue
        for surface, each in enumerate(written, start=first):
            start, stop = rings[surface], rings[surface + 1]
            try:
                found = textures.laid(each, ring_lengths[start:stop].tolist())
            except ValueError:
                wrong += 1
                continue
            if found is not None:
                file_of[surface], places[corners[start] : corners[stop]] = found
    if wrong:
        findings.add("bad-picture-places", "", DO_NOT_FIT, count=wrong)
    return (file_of, places) if (file_of >= 0).any() else None


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
