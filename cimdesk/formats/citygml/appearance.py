"""Colours and pictures of surfaces."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int, UInt8, offsets_from_counts
from cimdesk.formats.citygml.names import HREF, LOCAL_NAMES
from cimdesk.formats.findings import Findings
from cimdesk.formats.picture_places import DO_NOT_FIT, PictureFolder
from cimdesk.formats.surface_arrays import PicturedSurfaces

NEUTRAL = (0.8, 0.8, 0.8)
"""The default of X3D, for materials that give no diffuse colour."""
TEXTURES = ("{*}ParameterizedTexture", "{*}GeoreferencedTexture")
FIRST_PICTURE = 1 << 30
"""Materials from here on are pictures laid on one surface."""


class Palette:
    """Materials and pictures met so far.

    Attributes
    ----------
    textures : int
        Textures seen.
    pictures : PicturePlaces
    """

    def __init__(self, folder: PictureFolder | None, findings: Findings) -> None:
        self.textures = 0
        self.pictures = PicturePlaces(folder, findings)
        self._rows: dict[tuple[int, int, int, int], int] = {}

    @property
    def colors(self) -> UInt8:
        """(M, 4) RGBA of the materials."""
        return np.array(list(self._rows), dtype=np.uint8).reshape(-1, 4)

    def read(self, element: Any) -> dict[str, int]:
        """Count the textures inside ``element`` and return the material of each surface id that they and its materials name.

        The first wins; a material under a texture is not meant to be seen and is left out.
        """
        targets: dict[str, int] = {}
        textured: dict[str, int] = {}
        for item in element.iter(*TEXTURES, "{*}X3DMaterial"):
            if not item.tag.endswith("X3DMaterial"):
                self.textures += 1
                for name, row in self.pictures.read(item).items():
                    textured.setdefault(name, row)
                continue
            color: tuple[float, ...] = NEUTRAL
            clear, front, named = 0.0, True, []
            for part in item:
                name, text = LOCAL_NAMES[part.tag], (part.text or "").strip()
                if name == "diffuseColor":
                    color = _color(text)
                elif name == "transparency":
                    clear = _number(text)
                elif name == "isFront":
                    front = text not in ("false", "0")
                elif name == "target":
                    named.append(_target(part))
            if front:
                row = self._row(color, clear)
                for name in named:
                    targets.setdefault(name, row)
        return {name: row for name, row in (targets | textured).items() if row >= 0}

    def _row(self, color: tuple[float, ...], clear: float) -> int:
        red, green, blue, alpha = np.clip(np.round(np.array([*color, 1.0 - clear]) * 255.0), 0, 255).astype(int).tolist()
        return self._rows.setdefault((red, green, blue, alpha), len(self._rows))


def _target(element: Any) -> str:
    """Return the id of the surface that a target names in one of the three ways there are."""
    found = (element.text or "").strip() or element.get("uri") or element.get(HREF) or ""
    return str(found).rpartition("#")[2]


def _color(text: str) -> tuple[float, ...]:
    parts = [_number(part) for part in text.split()]
    return tuple(parts) if len(parts) == 3 else NEUTRAL


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if abs(value) < 1e6 else 0.0


class PicturePlaces:
    """Pictures laid on surfaces, each surface with the texts that say where its corners are in the picture."""

    def __init__(self, folder: PictureFolder | None, findings: Findings) -> None:
        self._folder = folder
        self._findings = findings
        self._texts: list[tuple[int, list[str]]] = []

    def read(self, texture: Any) -> dict[str, int]:
        """Return the material of each surface that a texture names; -1 where it has no picture that can be laid on it."""
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
        found: dict[str, int] = {}
        number = -1
        if self._folder is not None and is_front and targets:
            number = self._folder.number(name, wrap in ("wrap", "mirror"))
        for part in targets:
            # In CityGML 3 the surface is named inside of an association, before it in what it is laid with.
            target = _target(next(part.iterdescendants("{*}target"), part))
            texts = [each.text or "" for each in part.iter("{*}textureCoordinates")]
            row = -1
            if number >= 0 and texts:
                row = FIRST_PICTURE + len(self._texts)
                self._texts.append((number, texts))
            found.setdefault(target, row)
        return found

    def tell(self) -> None:
        """Add pictures that could not be read to the findings."""
        if self._folder is not None:
            self._folder.tell()

    def lay(self, materials: Int, ring_counts: Int, ring_lengths: Int) -> tuple[Int, PicturedSurfaces | None]:
        """Return the materials that are colours, and the pictures of the surfaces that have one.

        Parameters
        ----------
        materials : (S,) int64
        ring_counts : (S,) int64, ring_lengths : (R,) int64
            Rings of each surface and corners of each ring, as they are written.
        """
        if self._folder is None or not len(pictured := np.flatnonzero(materials >= FIRST_PICTURE)):
            return materials, None
        file_of = np.full(len(materials), -1, dtype=np.int64)
        rings, corners = offsets_from_counts(ring_counts), offsets_from_counts(ring_lengths)
        places = np.zeros((int(corners[-1]), 2))
        wrong = 0
        for surface in pictured.tolist():
            number, texts = self._texts[int(materials[surface]) - FIRST_PICTURE]
            first, last = rings[surface], rings[surface + 1]
            found = _places(texts, ring_lengths[first:last].tolist())
            if found is None:
                wrong += 1
                continue
            places[corners[first] : corners[last]] = found
            file_of[surface] = number
        if wrong:
            self._findings.add("bad-picture-places", "", DO_NOT_FIT, count=wrong)
        return np.where(materials >= FIRST_PICTURE, -1, materials), PicturedSurfaces(tuple(self._folder.files), file_of, places)


def _places(texts: list[str], lengths: list[int]) -> Float | None:
    """Return the (C, 2) places of all corners of a surface, ring by ring; None where there are other numbers of them."""
    try:
        lists = [np.array(text.split(), dtype=np.float64).reshape(-1, 2) for text in texts]
    except ValueError:
        return None
    if sorted(map(len, lists)) != sorted(lengths) or not all(np.isfinite(each).all() for each in lists):
        return None
    if [len(each) for each in lists] != lengths:
        # Written in another order than the rings: those of one length each belong to one ring.
        if len(set(lengths)) < len(lengths):
            return None
        lists = sorted(lists, key=lambda each: lengths.index(len(each)))
    return np.concatenate(lists)
