"""Colours of surfaces, of materials and of what pictures on them look like from afar."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import UInt8
from cimdesk.formats.citygml.names import LOCAL_NAMES
from cimdesk.formats.citygml.pictures import PicturePlaces, places_in, target_of
from cimdesk.formats.picture_colors import SmallPictures
from cimdesk.model.pictured import PictureFile

NEUTRAL = (0.8, 0.8, 0.8)
"""The default of X3D, for materials that give no diffuse colour."""
TEXTURES = ("{*}ParameterizedTexture", "{*}GeoreferencedTexture")


class Palette:
    """Materials and pictures met so far.

    Parameters
    ----------
    pictures : PicturePlaces
    are_colors : bool
        Take faces with a picture for faces in its mean colour there.

    Attributes
    ----------
    textures : int
        Textures seen.
    pictures : PicturePlaces
    """

    def __init__(self, pictures: PicturePlaces, are_colors: bool = False) -> None:
        self.textures = 0
        self.pictures = pictures
        self._small = SmallPictures() if are_colors else None
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
                for name, row in self._pictured(item).items():
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
                    named.append(target_of(part))
            if front:
                row = self._row(color, clear)
                for name in named:
                    targets.setdefault(name, row)
        return {name: row for name, row in (targets | textured).items() if row >= 0}

    def _pictured(self, texture: Any) -> dict[str, int]:
        """Return the material of each surface that a texture names; -1 where it has no picture that can be laid on it."""
        if self._small is None:
            return self.pictures.read(texture)
        return {name: self._mean(file, texts) for name, file, texts in self.pictures.named(texture)}

    def _mean(self, file: PictureFile | None, texts: list[str]) -> int:
        places = None if file is None else places_in(" ".join(texts[:1]))
        if file is None or places is None or len(places) < 3 or self._small is None:
            return -1
        # A fan around the middle is near enough to where the surface lies.
        around = np.stack([np.broadcast_to(places.mean(axis=0), places.shape), places, np.roll(places, -1, axis=0)], axis=1)
        found = self._small.means(file, around)
        return -1 if found is None else self._row(tuple((found[:, :3].mean(axis=0) / 255.0).tolist()), 0.0)

    def _row(self, color: tuple[float, ...], clear: float) -> int:
        red, green, blue, alpha = np.clip(np.round(np.array([*color, 1.0 - clear]) * 255.0), 0, 255).astype(int).tolist()
        return self._rows.setdefault((red, green, blue, alpha), len(self._rows))


def _color(text: str) -> tuple[float, ...]:
    parts = [_number(part) for part in text.split()]
    return tuple(parts) if len(parts) == 3 else NEUTRAL


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if abs(value) < 1e6 else 0.0
