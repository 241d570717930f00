"""Pictures laid on surfaces: which, and where in them the corners are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int, offsets_from_counts
from cimdesk.formats.citygml.names import HREF, LOCAL_NAMES
from cimdesk.formats.findings import Findings
from cimdesk.formats.picture_places import DO_NOT_FIT, PictureFolder
from cimdesk.formats.surface_arrays import PicturedSurfaces
from cimdesk.model.pictured import PictureFile

FIRST_PICTURE = 1 << 30
"""Materials from here on are pictures laid on one surface."""


class PicturePlaces:
    """Pictures laid on surfaces, each surface with the texts that say where its corners are in the picture."""

    def __init__(self, folder: PictureFolder, findings: Findings) -> None:
        self._folder = folder
        self._findings = findings
        self._laid: list[tuple[PictureFile, list[str]]] = []

    def named(self, texture: Any) -> Iterator[tuple[str, PictureFile | None, list[str]]]:
        """Yield the surfaces that a texture names, with its picture and where in it the corners of each ring are.

        The picture is None where it cannot be read, or lies on the back of the surface.
        """
        name, wrap, is_front, targets = "", "none", True, []
        for part in texture:
            local, text = LOCAL_NAMES[part.tag], (part.text or "").strip()
            if local == "imageURI":
                name = text
            elif local == "wrapMode":
                wrap = text
            elif local == "isFront":
                is_front = text not in ("false", "0")
            elif local in ("target", "textureParameterization"):
                targets.append(part)
        number = self._folder.number(name, wrap in ("wrap", "mirror")) if is_front and targets else -1
        for part in targets:
            # In CityGML 3 the surface is named inside of an association, before it in what it is laid with.
            target = target_of(next(part.iterdescendants("{*}target"), part))
            texts = [each.text or "" for each in part.iter("{*}textureCoordinates")]
            yield target, self._folder.files[number] if number >= 0 and texts else None, texts

    def read(self, texture: Any) -> dict[str, int]:
        """Return the material of each surface that a texture names; -1 where it has no picture that can be laid on it."""
        found: dict[str, int] = {}
        for target, file, texts in self.named(texture):
            found.setdefault(target, -1 if file is None else FIRST_PICTURE + len(self._laid))
            if file is not None:
                self._laid.append((file, texts))
        return found

    def tell(self) -> None:
        """Add pictures that could not be read to the findings."""
        self._folder.tell()

    def lay(self, materials: Int, ring_counts: Int, ring_lengths: Int) -> tuple[Int, PicturedSurfaces | None]:
        """Return the materials that are colours, and the pictures of the surfaces that have one.

        Parameters
        ----------
        materials : (S,) int64
        ring_counts : (S,) int64, ring_lengths : (R,) int64
            Rings of each surface and corners of each ring, as they are written.
        """
        if not len(pictured := np.flatnonzero(materials >= FIRST_PICTURE)):
            return materials, None
        file_of = np.full(len(materials), -1, dtype=np.int64)
        rings, corners = offsets_from_counts(ring_counts), offsets_from_counts(ring_lengths)
        places = np.zeros((int(corners[-1]), 2))
        number_of = {file: number for number, file in enumerate(self._folder.files)}
        wrong = 0
        for surface in pictured.tolist():
            file, texts = self._laid[int(materials[surface]) - FIRST_PICTURE]
            first, last = rings[surface], rings[surface + 1]
            found = _places(texts, ring_lengths[first:last].tolist())
            if found is None:
                wrong += 1
                continue
            places[corners[first] : corners[last]] = found
            file_of[surface] = number_of[file]
        if wrong:
            self._findings.add("bad-picture-places", "", DO_NOT_FIT, count=wrong)
        return np.where(materials >= FIRST_PICTURE, -1, materials), PicturedSurfaces(tuple(self._folder.files), file_of, places)


def target_of(element: Any) -> str:
    """Return the id of the surface that a target names in one of the three ways there are."""
    found = (element.text or "").strip() or element.get("uri") or element.get(HREF) or ""
    return str(found).rpartition("#")[2]


def places_in(text: str) -> Float | None:
    """Return the (K, 2) places of a ring; None where a text is none."""
    try:
        found = np.array(text.split(), dtype=np.float64).reshape(-1, 2)
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None


def _places(texts: list[str], lengths: list[int]) -> Float | None:
    """Return the (C, 2) places of all corners of a surface, ring by ring; None where there are other numbers of them."""
    lists = [found for text in texts if (found := places_in(text)) is not None]
    if sorted(map(len, lists)) != sorted(lengths):
        return None
    if [len(each) for each in lists] != lengths:
        # Written in another order than the rings: those of one length each belong to one ring.
        if len(set(lengths)) < len(lengths):
            return None
        lists = sorted(lists, key=lambda each: lengths.index(len(each)))
    return np.concatenate(lists)
