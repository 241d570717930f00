"""What a CityJSON file means, whatever its numbers of vertices and appearances are: for comparing two files."""

from __future__ import annotations

import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any


def meaning(path: Path, digits: int = 6) -> dict[str, Any]:
    """Return header and objects of a CityJSON file or sequence with everything that is referred to in its place."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = [json.loads(line) for line in lines]
    header = documents[0] if documents[0].get("type") == "CityJSON" else {}
    objects: dict[str, Any] = {}
    for document in documents:
        resolve = Resolver(header, document, digits)
        for key, item in (document.get("CityObjects") or {}).items():
            objects[key] = resolve.object(item)
    kept = {
        k: v for k, v in header.items() if k not in ("CityObjects", "vertices", "appearance", "geometry-templates", "transform")
    }
    return {"header": kept, "objects": objects}


class Resolver:
    """Puts coordinates, materials, textures and templates where their numbers are."""

    def __init__(self, header: dict[str, Any], document: dict[str, Any], digits: int) -> None:
        self._vertices = document.get("vertices") or []
        self._transform = header.get("transform")
        self._head = header.get("appearance") or {}
        self._look = {**(header.get("appearance") or {}), **(document.get("appearance") or {})}
        self._templates = header.get("geometry-templates") or {}
        self._digits = digits

    def object(self, item: Any) -> Any:
        if not isinstance(item, dict):
            return item
        made = {key: value for key, value in item.items() if key != "geometry"}
        for name in ("parents", "children", "members"):
            if isinstance(made.get(name), list):
                made[name] = sorted(made[name])
                if not made[name]:
                    del made[name]
        if isinstance(item.get("geometry"), list):
            made["geometry"] = [self.geometry(geometry) for geometry in item["geometry"]]
        return made

    def geometry(self, geometry: dict[str, Any], vertex=None) -> dict[str, Any]:
        made = dict(geometry)
        made["lod"] = str(geometry.get("lod"))
        made["boundaries"] = self.nested(geometry.get("boundaries"), vertex or self.vertex)
        if "template" in geometry:
            # Templates refer to the appearance of the header, whatever a feature brings.
            self._look, own = self._head, self._look
            shape = self._templates["templates"][geometry["template"]]
            places = self._templates["vertices-templates"]
            made["template"] = self.geometry(shape, lambda v: [round(c, self._digits) for c in places[v]])
            self._look = own
        for theme, use in (geometry.get("material") or {}).items():
            made.setdefault("painted", {})[theme] = {
                name: self.nested(value, partial(self.entry, "materials")) for name, value in use.items()
            }
        for theme, use in (geometry.get("texture") or {}).items():
            made.setdefault("textured", {})[theme] = self.textured(use.get("values"))
        made.pop("material", None)
        made.pop("texture", None)
        return made

    def vertex(self, number: int) -> list[float]:
        point = self._vertices[number]
        if self._transform:
            point = [v * s + t for v, s, t in zip(point, self._transform["scale"], self._transform["translate"], strict=True)]
        return [round(v, self._digits) for v in point]

    def entry(self, name: str, number: int) -> Any:
        """Return what a number refers to; None for what is not there."""
        values = self._look.get(name) or []
        return values[number] if isinstance(number, int) and 0 <= number < len(values) else None

    def nested(self, value: Any, number: Any) -> Any:
        if isinstance(value, list):
            return [self.nested(each, number) for each in value]
        return number(value) if isinstance(value, int) else value

    def textured(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        if value and isinstance(value[0], int):
            texture = self.entry("textures", value[0])
            return [None] if texture is None else [texture, *(self.entry("vertices-texture", v) for v in value[1:])]
        return [self.textured(each) for each in value]
