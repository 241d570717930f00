"""Colours of surfaces; textures are counted, not drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import UInt8
from cimdesk.formats.citygml.names import HREF, LOCAL_NAMES

NEUTRAL = (0.8, 0.8, 0.8)
"""The default of X3D, for materials that give no diffuse colour."""
TEXTURES = ("{*}ParameterizedTexture", "{*}GeoreferencedTexture")


class Palette:
    """Materials met so far.

    Attributes
    ----------
    textures : int
        Textures seen.
    """

    def __init__(self) -> None:
        self.textures = 0
        self._rows: dict[tuple[int, int, int, int], int] = {}

    @property
    def colors(self) -> UInt8:
        """(M, 4) RGBA of the materials."""
        return np.array(list(self._rows), dtype=np.uint8).reshape(-1, 4)

    def read(self, element: Any) -> dict[str, int]:
        """Count the textures inside ``element`` and return the material of each surface id its materials name.

        The first wins; a material under a texture is not meant to be seen and is left out.
        """
        targets: dict[str, int] = {}
        textured: set[str] = set()
        for item in element.iter(*TEXTURES, "{*}X3DMaterial"):
            if not item.tag.endswith("X3DMaterial"):
                self.textures += 1
                textured.update(_target(part) for part in item.iter("{*}target"))
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
        return {name: row for name, row in targets.items() if name not in textured}

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
