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
        """Count the textures inside ``element`` and return the material of each surface id its materials name; the first wins."""
        targets: dict[str, int] = {}
        for item in element.iter(*TEXTURES, "{*}X3DMaterial"):
            if not item.tag.endswith("X3DMaterial"):
                self.textures += 1
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
                    named.append((text or part.get("uri") or part.get(HREF) or "").rpartition("#")[2])
            if front:
                row = self._row(color, clear)
                for name in named:
                    targets.setdefault(name, row)
        return targets

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
