"""Rules of 3D Tiles that a tileset can break and still be read: what breaks them is told, for other programs may stop there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_list, number_list
from cimdesk.formats.metadata_schema import WIDTHS, Schema, scaled
from cimdesk.formats.tiles3d_paths import BrokenPart

KNOWN_EXTENSIONS = frozenset({
    "3DTILES_content_gltf", "3DTILES_implicit_tiling", "3DTILES_metadata", "3DTILES_multiple_contents",
    "3DTILES_bounding_volume_S2", "3DTILES_batch_table_hierarchy", "3DTILES_draco_point_compression", "MAXAR_content_3tz",
})  # fmt: skip
_OF_CONTENTS = frozenset({
    "3DTILES_content_gltf", "MAXAR_content_3tz", "3DTILES_batch_table_hierarchy", "3DTILES_draco_point_compression",
})  # fmt: skip
"""Extensions that show in the contents, not in the tileset file."""


def check_document(document: Mapping[str, Any], findings: Findings, where: str) -> None:
    """Note what is wrong with a tileset file apart from its tiles and extensions."""
    version = as_dict(document.get("asset")).get("tilesetVersion")
    if version is not None and not isinstance(version, str):
        _tell(findings, where, "asset.tilesetVersion")
    if "schema" in document and "schemaUri" in document:
        findings.add("bad-schema", where, "The tileset has a schema of its own and one in a file; its own is used.")
    for name, kind in (("schema", dict), ("schemaUri", str), ("groups", list), ("properties", dict), ("extensions", dict)):
        if name in document and not isinstance(document[name], kind):
            _tell(findings, where, name)
    for name, value in as_dict(document.get("properties")).items():
        reach = number_list([as_dict(value).get("minimum"), as_dict(value).get("maximum")], 2)
        if reach is None or reach[0] > reach[1]:
            _tell(findings, where, f"properties.{name}")
    if "refine" not in as_dict(document.get("root")):
        findings.add("no-refine", where, "The root tile does not say how it is refined; REPLACE is taken.")


def check_extensions(
    document: Mapping[str, Any], seen: Collection[str], contents: Collection[str], findings: Findings, where: str
) -> None:
    """Note extensions that are not declared, declared and not there, or needed and not known.

    Parameters
    ----------
    document : mapping
    seen : collection of str
        Extensions found in its tiles.
    contents : collection of str
        Suffixes of the contents it refers to.
    """
    lists: dict[str, list[str]] = {}
    for name in ("extensionsUsed", "extensionsRequired"):
        value = document.get(name, [])
        lists[name] = [each for each in as_list(value) if isinstance(each, str)]
        if name in document and (not isinstance(value, list) or not value or len(set(lists[name])) != len(value)):
            _tell(findings, where, name)
    used, required = lists["extensionsUsed"], lists["extensionsRequired"]
    own = as_dict(document.get("extensions"))
    for name, value in own.items():
        if not isinstance(value, dict):
            _tell(findings, where, f"extensions.{name}")
    found = {*seen, *own}
    is_old = as_dict(document.get("asset")).get("version") == "1.0"
    if is_old and not {".gltf", ".glb"}.isdisjoint(contents):
        found.add("3DTILES_content_gltf")
    if ".3tz" in contents:
        found.add("MAXAR_content_3tz")
    for name in sorted({*used, *required, *found}):
        _check_extension(name, name in used, name in required, name in found, findings, where)


def _check_extension(name: str, is_used: bool, is_required: bool, is_found: bool, findings: Findings, where: str) -> None:
    short = name[:60]
    if name not in KNOWN_EXTENSIONS and is_required:
        findings.error("unknown-extension", where, "The tileset needs “{name}”, which is not read.", name=short)
    if is_required and not is_used:
        findings.add("bad-extensions", where, "Extension “{name}” is required and not listed as used.", name=short)
    elif is_found and not is_used:
        findings.add("bad-extensions", where, "Extension “{name}” is there and not listed as used.", name=short)
    elif is_used and not is_found and name not in _OF_CONTENTS:
        findings.add("bad-extensions", where, "Extension “{name}” is listed as used and is nowhere.", name=short)
    if name == "MAXAR_content_3tz" and is_found and is_used and not is_required:
        findings.add("bad-extensions", where, "Extension “{name}” is used and not listed as required.", name=short)


def extensions_in(tile: Mapping[str, Any]) -> Iterator[str]:
    """Yield the extensions of a tile, its volumes and its contents."""
    owners = [tile, tile.get("boundingVolume"), tile.get("viewerRequestVolume"), tile.get("content"), tile.get("metadata")]
    owners += as_list(tile.get("contents"))
    for owner in owners:
        yield from as_dict(as_dict(owner).get("extensions"))


def check_entity(entity: object, schema: Schema, findings: Findings, where: str) -> None:
    """Note what is wrong with the metadata of a tileset, group, tile or content."""
    described = as_dict(entity)
    name = described.get("class")
    if not isinstance(name, str) or name not in schema.classes:
        findings.add("bad-metadata", where, "The metadata are of class “{name}”, which there is not.", name=str(name)[:60])
        return
    given = as_dict(described.get("properties"))
    for key, kind in schema.properties(name).items():
        value, kind = given.get(key), as_dict(kind)
        if value is None:
            if kind.get("required") is True:
                findings.add("bad-metadata", where, "Metadata “{name}” must have a value and has none.", name=str(key)[:60])
        elif value != kind.get("noData") and not _fits(value, kind, schema):
            findings.add("bad-metadata", where, "Metadata “{name}” has a value that its class does not allow.", name=str(key)[:60])


def _fits(value: Any, kind: Mapping[str, Any], schema: Schema) -> bool:
    """Return whether a value in JSON is one that its property allows."""
    if kind.get("array") is True:
        count = kind.get("count")
        plain = {key: each for key, each in kind.items() if key not in ("array", "count", "min", "max", "scale", "offset")}
        fits = isinstance(value, list) and all(_fits(each, plain, schema) for each in value)
        return fits and (count is None or len(value) == count)
    type_name = str(kind.get("type"))
    if type_name == "STRING":
        return isinstance(value, str)
    if type_name == "BOOLEAN":
        return isinstance(value, bool)
    if type_name == "ENUM":
        return isinstance(value, str) and value in schema.enum_names(kind).values()
    return type_name not in WIDTHS or _numbers_fit(value, kind, schema)


def _numbers_fit(value: Any, kind: Mapping[str, Any], schema: Schema) -> bool:
    numbers = value if isinstance(value, list) else [value]
    if len(numbers) != WIDTHS[str(kind["type"])] or not all(_is_number(each) for each in numbers):
        return False
    try:
        dtype = schema.dtype(kind)
    except BrokenPart:
        return False
    if dtype.kind in "iu" and not all(np.iinfo(dtype).min <= each <= np.iinfo(dtype).max for each in numbers):
        return False
    with np.errstate(over="ignore"):
        meant = scaled(np.array([numbers], dtype=np.float64).astype(dtype).reshape(1, -1), kind, {}).ravel()
    low, high = (np.array(_listed(kind.get(key), len(numbers), bound)) for key, bound in (("min", -np.inf), ("max", np.inf)))
    slack = 1e-6 * np.maximum(np.abs(meant), 1e-3)
    return bool((meant >= low - slack).all() and (meant <= high + slack).all())


def _listed(value: Any, count: int, default: float) -> list[float]:
    numbers = value if isinstance(value, list) else [value]
    if len(numbers) != count or not all(_is_number(each) for each in numbers):
        return [default] * count
    return [float(each) for each in numbers]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _tell(findings: Findings, where: str, name: str) -> None:
    findings.add("bad-value", where, "“{name}” of the tileset is not as it should be; it is left out.", name=name[:80])
