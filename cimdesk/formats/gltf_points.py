"""Points of glTF contents: colours, features of property tables and properties kept by point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Int
from cimdesk.base.srgb import to_screen
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_int, as_list
from cimdesk.formats.gltf_metadata import PropertyTables
from cimdesk.formats.gltf_surface import Attribute, feature_set, vertex_colors, whole_ids
from cimdesk.formats.gltf_textures import base_color
from cimdesk.formats.pnts import PointPart
from cimdesk.formats.tiles3d_paths import BrokenPart

_NUMBERED = ("FEATURE_ID_", "BATCHID")
"""How attributes begin that only number features."""


def point_part(
    document: Mapping[str, Any],
    entry: Mapping[str, Any],
    attribute: Attribute,
    tables: PropertyTables | None,
    findings: Findings,
    where: str,
) -> PointPart:
    """Return a primitive of points where its file has it.

    Raises
    ------
    BrokenPart
        If its positions cannot be used.
    """
    positions = attribute("POSITION")
    if positions is None or positions.ndim != 2 or positions.shape[1] != 3:
        raise BrokenPart("bad-positions", "The positions of a primitive are not three numbers each.")
    count = len(positions)
    columns: dict[str, AnyArray] = {}
    light = np.ones((count, 3)) * base_color(document, entry)[0][:3]
    colors = vertex_colors(attribute)
    if colors is not None and len(colors) == count:
        light = light * colors[:, :3]
    if colors is not None or (light != 1.0).any():
        screen = to_screen(light)
        columns.update({name: np.ascontiguousarray(screen[:, k]) for k, name in enumerate(("red", "green", "blue"))})
    extensions = as_dict(entry.get("extensions"))
    ids = _features(extensions, attribute, count)
    if ids is not None:
        columns["feature_id"] = ids
        columns.update(_of_table(tables, extensions, attribute, ids, findings, where))
    columns.update(_by_point(tables, extensions, attribute, count))
    for name, values in _undescribed(entry, attribute, count, findings, where).items():
        columns.setdefault(name, values)
    return PointPart(positions.astype(np.float64), columns)


def _features(extensions: Mapping[str, Any], attribute: Attribute, count: int) -> Int | None:
    chosen = feature_set(extensions, attribute)
    if chosen is None or "texture" in chosen:
        return None
    if "attribute" not in chosen:
        return np.arange(count, dtype=np.int64)
    found = attribute(str(chosen["attribute"]))
    return None if found is None else whole_ids(found, count)


def _of_table(
    tables: PropertyTables | None, extensions: Mapping[str, Any], attribute: Attribute, ids: Int, findings: Findings, where: str
) -> dict[str, AnyArray]:
    """Return the properties of the features that points belong to."""
    table = as_int((feature_set(extensions, attribute) or {}).get("propertyTable"), -1)
    if tables is None or not 0 <= table < len(tables):
        return {}
    try:
        rows, columns = tables.rows(table), tables.columns(table, findings, where)
    except BrokenPart as broken:
        findings.add(broken.code, where, broken.template, remedy=broken.remedy, **broken.values)
        return {}
    inside = (ids >= 0) & (ids < rows)
    found: dict[str, AnyArray] = {}
    for name, values in columns.items():
        if not len(values):
            continue
        taken = values[np.where(inside, ids, 0)]
        if not inside.all():
            taken = taken.astype(np.float64) if taken.dtype.kind in "if" else taken.astype(object)
            taken[~inside] = None if taken.dtype == object else np.nan
        found[name] = taken
    return found


def _by_point(
    tables: PropertyTables | None, extensions: Mapping[str, Any], attribute: Attribute, count: int
) -> dict[str, AnyArray]:
    """Return the properties that every point has for itself."""
    if tables is None:
        return {}
    used = as_list(as_dict(extensions.get("EXT_structural_metadata")).get("propertyAttributes"))
    found: dict[str, AnyArray] = {}
    for name, (entry, kind) in tables.placed_properties("propertyAttributes", used).items():
        values = attribute(str(entry.get("attribute")))
        if values is not None and values.ndim == 1 and len(values) == count:
            found[name] = tables.scaled_numbers(values, kind, entry)
    return found


def _undescribed(entry: Mapping[str, Any], attribute: Attribute, count: int, findings: Findings, where: str) -> dict[str, AnyArray]:
    """Return numbers that points have without any metadata that says what they are: ``_INTENSITY`` is called INTENSITY."""
    used = as_list(as_dict(as_dict(entry.get("extensions")).get("EXT_structural_metadata")).get("propertyAttributes"))
    found: dict[str, AnyArray] = {}
    for key in as_dict(entry.get("attributes")):
        name = str(key).removeprefix("_")
        if used or name == key or not name or name.startswith(_NUMBERED):
            continue
        try:
            values = attribute(str(key))
        except BrokenPart as broken:
            findings.add(broken.code, where, broken.template, remedy=broken.remedy, **broken.values)
            continue
        if values is not None and values.ndim == 1 and len(values) == count:
            found[name] = values
    return found
