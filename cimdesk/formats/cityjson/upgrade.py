"""What a sequence asks of CityJSON that an older file need not have: version 1.1 at least, and quantised vertices."""

from __future__ import annotations

import math
import re
from typing import Any

from cimdesk.formats.cityjson.writer import DEGREE_STEP, METRE_STEP

Json = dict[str, Any]
_CODES = re.compile(r"EPSG:+(\d+)|EPSG/\d+/(\d+)")


def upgraded(document: Json) -> Json:
    """Return a CityJSON object as version 1.1 when it is older; later ones as they are."""
    if not str(document.get("version", "1.0")).startswith("1.0"):
        return document
    objects = {key: dict(item) for key, item in document.get("CityObjects", {}).items() if isinstance(item, dict)}
    for key, item in objects.items():
        members = item.pop("members", None)
        if isinstance(members, list):
            item["children"] = members
            for member in members:
                if member in objects:
                    objects[member]["parents"] = [*objects[member].get("parents", ()), key]
        if isinstance(item.get("geometry"), list):
            item["geometry"] = [_with_text_lod(geometry) for geometry in item["geometry"]]
    made = {**document, "version": "1.1", "CityObjects": objects}
    templates = document.get("geometry-templates")
    if isinstance(templates, dict) and isinstance(templates.get("templates"), list):
        made["geometry-templates"] = {**templates, "templates": [_with_text_lod(shape) for shape in templates["templates"]]}
    metadata = document.get("metadata")
    if isinstance(metadata, dict) and isinstance(system := metadata.get("referenceSystem"), str):
        found = _CODES.search(system)
        if found and not system.startswith("http"):
            address = f"https://www.opengis.net/def/crs/EPSG/0/{found[1] or found[2]}"
            made["metadata"] = {**metadata, "referenceSystem": address}
    return made


def quantised(document: Json) -> Json:
    """Give a document whose vertices are plain coordinates a transform, in place; return its header."""
    if not isinstance(document.get("transform"), dict):
        vertices = document.get("vertices") or []
        low = [math.floor(min((v[k] for v in vertices), default=0.0)) for k in range(3)]
        step = DEGREE_STEP if all(abs(v[0]) <= 360 and abs(v[1]) <= 90 for v in vertices) and vertices else METRE_STEP
        scale = [step, step, METRE_STEP]
        document["transform"] = {"scale": scale, "translate": [float(v) for v in low]}
        document["vertices"] = [[round((v[k] - low[k]) / scale[k]) for k in range(3)] for v in vertices]
    return {key: value for key, value in document.items() if key not in ("CityObjects", "vertices")}


def _with_text_lod(geometry: Any) -> Any:
    if isinstance(geometry, dict) and isinstance(geometry.get("lod"), int | float):
        return {**geometry, "lod": str(geometry["lod"])}
    return geometry
