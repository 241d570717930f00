"""Materials and textures of excerpts: only what is used is written, each once, under a new number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

Json = dict[str, Any]


class Appearances:
    """Collects the appearance of one output from those of one or many inputs.

    Parameters
    ----------
    common : mapping or None
        Appearance of the header; features without one of their own refer to it.
    """

    def __init__(self, common: Any) -> None:
        self._common: Json = common if isinstance(common, dict) else {}
        self._lists: dict[str, list[Any]] = {"materials": [], "textures": [], "vertices-texture": []}
        self._rows: dict[str, dict[bytes, int]] = {name: {} for name in self._lists}
        self._rest: Json = {}
        self._of_common: Painting | None = None

    def taking(self, own: Any) -> Painting:
        """Return what repaints geometries of a feature whose appearance is ``own``; None for that of the header."""
        if isinstance(own, dict):
            return Painting({**self._common, **own}, self)
        if self._of_common is None:
            self._of_common = Painting(self._common, self)
        return self._of_common

    def templates(self, templates: Any) -> Any:
        """Return geometry templates repainted."""
        if not isinstance(templates, dict) or not isinstance(templates.get("templates"), list):
            return templates
        painting = self.taking(None)
        made = [dict(shape) for shape in templates["templates"] if isinstance(shape, dict)]
        if len(made) != len(templates["templates"]):
            return templates
        for shape in made:
            painting.repaint(shape)
        return {**templates, "templates": made}

    def document(self) -> Json:
        """Return what was used as an ``appearance``; empty when nothing was."""
        found = {name: rows for name, rows in self._lists.items() if rows}
        return {**self._rest, **found} if found else {}

    def number(self, name: str, value: Any) -> int:
        """Return the number of a material, a texture or a texture vertex in the output."""
        key = msgspec.json.encode(value)
        rows = self._rows[name]
        if key not in rows:
            rows[key] = len(self._lists[name])
            self._lists[name].append(value)
        return rows[key]

    def keep(self, rest: Json) -> None:
        """Keep the other members of an appearance, such as the default themes; the first one wins."""
        for name, value in rest.items():
            self._rest.setdefault(name, value)


class Painting:
    """The appearance of one input: gives geometries their numbers in the output."""

    def __init__(self, appearance: Json, out: Appearances) -> None:
        self._appearance = appearance
        self._out = out
        self._known: dict[str, dict[int, int | None]] = {"materials": {}, "textures": {}, "vertices-texture": {}}
        self._is_kept = False

    def repaint(self, geometry: Json) -> None:
        """Change the material and texture numbers of a geometry, which is the caller's own; what is not there becomes null."""
        if not geometry.get("material") and not geometry.get("texture"):
            return
        if not self._is_kept:
            self._is_kept = True
            self._out.keep({key: value for key, value in self._appearance.items() if key not in self._known})
        if isinstance(geometry.get("material"), dict):
            geometry["material"] = {theme: self._material(use) for theme, use in geometry["material"].items()}
        if isinstance(geometry.get("texture"), dict):
            geometry["texture"] = {theme: self._texture(use) for theme, use in geometry["texture"].items()}

    def _material(self, use: Json) -> Json:
        made = dict(use)
        for name in ("value", "values"):
            if name in use:
                made[name] = _mapped(use[name], lambda v: self._number("materials", v))
        return made

    def _texture(self, use: Json) -> Json:
        return {**use, "values": self._rings(use["values"])} if "values" in use else use

    def _rings(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        if value and isinstance(value[0], int):
            texture = self._number("textures", value[0])
            return [None] if texture is None else [texture, *(self._number("vertices-texture", v) for v in value[1:])]
        return [self._rings(each) for each in value]

    def _number(self, name: str, row: Any) -> int | None:
        """Return the number in the output; None for what is not there."""
        if not isinstance(row, int):
            return None
        known = self._known[name]
        if row not in known:
            values = self._appearance.get(name)
            is_there = isinstance(values, list) and 0 <= row < len(values)
            known[row] = self._out.number(name, values[row]) if is_there and values is not None else None
        return known[row]


def _mapped(value: Any, number: Callable[[int], int | None]) -> Any:
    if isinstance(value, list):
        return [_mapped(each, number) for each in value]
    return number(value) if isinstance(value, int) else value
