"""Flood hazard maps in CityGML: water bodies of Project PLATEAU's i-UR with a rank of depth (fld, tnm, htd, ifld).

The water body is the flooded area of one event; the rank says how deep it gets there.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool
from cimdesk.base.paths import resource_dir
from cimdesk.formats.findings import Findings
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, column_of, plain_value
from cimdesk.model.flood_areas import CLASS, CLASSES, FROM, TO, DepthClass

_RANK = re.compile(r"(?:flooding|Flooding|DisasterRisk|Risk)\w*(?:\.\d+)?\.(rank|rankOrg)(\.text)?$")
_DEPTH = re.compile(r"Risk\w*(?:\.\d+)?\.depth$")
_FROM = re.compile(r"([\d.]+)\s*(?:m|ｍ|メートル)?\s*(?:以上|超|[~〜～-])")
_BELOW = re.compile(r"([\d.]+)\s*(?:m|ｍ|メートル)?\s*(?:未満|以下)")
# A class written with two numbers and nothing more: 0.5m～3.0m.
_BETWEEN = re.compile(r"([\d.]+)\s*(?:m|ｍ)?\s*[~〜～-]\s*([\d.]+)\s*(?:m|ｍ)")


def split_flood_areas(city: CityModel, findings: Findings) -> tuple[CityModel | None, CityModel | None]:
    """Return the areas of flood depth of a model, and what is left; None for none.

    Parameters
    ----------
    city : CityModel
        As read.
    findings : Findings
    """
    table = city.features
    keys = [name for name in table.columns if _RANK.search(name) or _DEPTH.search(name)]
    if not keys or "WaterBody" not in table.columns["type"]:
        return None, city
    found = [_class_of(table, row, keys) if table.columns["type"][row] == "WaterBody" else None for row in range(len(table))]
    is_area = np.array([each is not None for each in found], dtype=bool)
    if not is_area.any():
        return None, city
    if not any(name.endswith(".text") for name in keys) and any(name.endswith(".rankOrg") for name in keys):
        text = "Ranks of depth without a code list are read by the national classes; those of the municipality may differ."
        findings.info("national-ranks", "rankOrg", text)
    areas = city if is_area.all() else _part(city, is_area)
    kept = [each for each in found if each is not None]
    columns = {
        CLASS: column_of([each.label for each in kept]),
        FROM: column_of([each.low for each in kept]),
        TO: column_of([each.high if math.isfinite(each.high) else None for each in kept]),
    }
    # What a planner asks first comes first.
    ordered = {"type": areas.features.columns["type"], **columns, **areas.features.columns}
    classes = sorted(set(kept) | set(_table().values()), key=lambda each: (each.low, each.high))
    metadata = {**areas.metadata, CLASSES: [each.to_record() for each in classes]}
    areas = replace(areas, features=FeatureTable(areas.features.ids, ordered), metadata=metadata)
    return areas, None if is_area.all() else _part(city, ~is_area)


def _class_of(table: FeatureTable, row: int, keys: list[str]) -> DepthClass | None:
    """Return the deepest class that is said of a water body."""
    classes = []
    for name in keys:
        value = plain_value(table.columns[name][row])
        if value is None:
            continue
        if _DEPTH.search(name):
            classes.append(_by_depth(value))
        elif name.endswith(".text"):
            classes += [_by_text(part) for part in str(value).split(";")]
        elif f"{name}.text" not in table.columns or table.columns[f"{name}.text"][row] is None:
            # Codes look like numbers, and become such where some water has none.
            code = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
            classes += [_table().get(part.strip()) for part in code.split(";")]
    known = [each for each in classes if each is not None]
    return max(known, key=lambda each: each.low, default=None)


def _by_depth(value: Any) -> DepthClass | None:
    try:
        depth = float(value)
    except (TypeError, ValueError):
        return None
    return next((each for each in _table().values() if each.low <= depth < each.high), None)


def _by_text(text: str) -> DepthClass | None:
    """Return the class that an entry of a code list describes, such as ``0.5m以上3m未満``."""
    between = _BETWEEN.search(text)
    low, high = _FROM.search(text), _BELOW.search(text)
    if between is None and low is None and high is None:
        return None
    try:
        start = float(between[1]) if between else float(low[1]) if low else 0.0
        end = float(between[2]) if between else float(high[1]) if high else math.inf
    except ValueError:
        return None
    if not 0.0 <= start < end:
        return None
    return DepthClass(start, end, _color(start, end))


def _color(low: float, high: float) -> str:
    """Return the colour of the national class that a class lies in, or begins in."""
    classes = list(_table().values())
    middle = low + 0.1 if math.isinf(high) else 0.5 * (low + high)
    return next((each.color for each in classes if each.low <= middle < each.high), classes[-1].color)


@lru_cache(maxsize=1)
def _table() -> Mapping[str, DepthClass]:
    said = tomllib.loads((resource_dir() / "standards" / "flood_ranks.toml").read_text(encoding="utf-8"))
    return {
        str(row["code"]): DepthClass(float(row["limits"][0]), float((*row["limits"], math.inf)[1]), str(row["color"]))
        for row in said["rank"]
    }


def _part(city: CityModel, wanted: Bool) -> CityModel:
    """Return some features of a model with their shapes."""
    rows = np.cumsum(wanted) - 1
    parents = city.parents[wanted]
    is_inside = (parents >= 0) & wanted[parents]
    meshes = {}
    for lod, mesh in city.meshes.items():
        part = mesh.of_features(wanted)
        if len(part.triangles):
            meshes[lod] = replace(part, feature_index=rows[part.feature_index].astype(np.int32))
    return CityModel(
        city.features.take(wanted), np.where(is_inside, rows[parents], -1).astype(np.int32), meshes, dict(city.metadata)
    )
