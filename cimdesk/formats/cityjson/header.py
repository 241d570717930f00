"""What a CityJSON file says about itself: version, transform, reference system, metadata, extensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Raw

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.formats.cityjson.structure import decode_any
from cimdesk.formats.findings import Findings

KNOWN_VERSIONS = ("1.0", "1.1", "2.0")
_CONTENT = frozenset({"type", "version", "CityObjects", "vertices", "transform", "metadata", "appearance", "geometry-templates"})


def read_version(parts: Mapping[str, Raw], findings: Findings) -> str | None:
    """Return the version as written; anything but 1.0, 1.1 and 2.0 is a finding."""
    version = decode_any(parts.get("version"))
    if version is None:
        findings.add("unknown-version", "version", "The file does not say which version of CityJSON it is.")
        return None
    text = version if isinstance(version, str) else str(version)
    if not text.startswith(KNOWN_VERSIONS):
        findings.add(
            "unknown-version",
            "version",
            "Version {version} is not known (1.0, 1.1 and 2.0 are); what can be is read.",
            version=text[:40],
        )
    return text


def read_transform(parts: Mapping[str, Raw], findings: Findings) -> tuple[Float, Float] | None:
    """Return scale and translation (3,), None when vertices are plain coordinates."""
    if "transform" not in parts:
        return None
    transform = decode_any(parts["transform"])
    fields = transform if isinstance(transform, dict) else {}
    scale, translation = _three(fields.get("scale")), _three(fields.get("translate"))
    if scale is None or translation is None:
        findings.error(
            "bad-transform", "transform", "The transform is not two times three numbers; vertices are taken as coordinates."
        )
        return None
    if not scale.all():
        findings.error("bad-transform", "transform", "A scale of the transform is zero: everything lies in one place.")
    return scale, translation


def _three(value: Any) -> Float | None:
    if not isinstance(value, list) or len(value) != 3:
        return None
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e300 for v in value):
        return None
    return np.array([float(v) for v in value])


def read_metadata(parts: Mapping[str, Raw]) -> dict[str, Any]:
    """Return metadata, extensions and extension properties (``+name``) of the file."""
    metadata = decode_any(parts.get("metadata"))
    kept: dict[str, Any] = dict(metadata) if isinstance(metadata, dict) else {}
    for name in parts:
        if name not in _CONTENT and (name == "extensions" or name.startswith("+")):
            kept[name] = decode_any(parts[name])
    return kept


def read_crs(metadata: Mapping[str, Any], findings: Findings) -> Crs | None:
    """Return the reference system of the metadata in any of the forms in use; None when there is none."""
    given = metadata.get("referenceSystem")
    if given is None and isinstance(old := metadata.get("crs"), dict):
        given = old.get("epsg")
    if given is None:
        return None
    text = str(given)
    crs = Crs.parse(text) if len(text) < 20_000 else None
    if crs is None:
        findings.add("unknown-crs", "metadata", "The reference system {system} is not known; choose one.", system=repr(text[:80]))
    return crs


def count_textures(appearance: Any) -> int:
    """Return the number of texture images an ``appearance`` refers to; they are not drawn."""
    textures = appearance.get("textures") if isinstance(appearance, dict) else None
    return len(textures) if isinstance(textures, list) else 0
