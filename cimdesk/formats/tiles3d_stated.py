"""What a tileset says of itself beyond the standard: its projected system, where its features are, what names them.

Contents that show features as something else, such as blocks, say where these really are and how high.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.crs import Crs
from cimdesk.formats.gltf_json import as_dict, json_object
from cimdesk.formats.tiles3d_paths import BrokenPart

EXTRAS = "cimdesk"
"""Key of what we say about a tileset in ``asset.extras``."""
MAX_DEFINITION = 20_000
FARTHEST = 1e8
"""Coordinates beyond this are no place on earth [m]."""


def stated_crs(document: Mapping[str, Any]) -> Crs | None:
    """Return the projected system that a written tileset came from; None when it does not say."""
    text = _stated(document).get("crs")
    if not isinstance(text, str) or len(text) > MAX_DEFINITION:
        return None
    crs = Crs.parse(text)
    return None if crs is None or crs.is_geocentric else crs


def stated_error(document: Mapping[str, Any]) -> float:
    """Return the largest geometric error at which a tileset still has every feature; infinite when it does not say."""
    value = _stated(document).get("featureError")
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    return float("inf")


def named_as_written(
    document: Mapping[str, Any], class_name: str, columns: Mapping[str, AnyArray]
) -> tuple[dict[str, AnyArray], AnyArray | None]:
    """Return a table's columns with the names they had before identifiers had to be made of them, and what names each feature.

    Parameters
    ----------
    document : mapping
        The glTF JSON.
    class_name : str
        Of the table.
    columns : mapping of str to (N,) array

    Returns
    -------
    columns : dict of str to (N,) array
    names : (N,) object or None
        Values of the property whose semantic is ``ID``, where every one is a text.
    """
    schema = as_dict(as_dict(as_dict(document.get("extensions")).get("EXT_structural_metadata")).get("schema"))
    described = as_dict(as_dict(as_dict(schema.get("classes")).get(class_name)).get("properties"))
    out: dict[str, AnyArray] = {}
    names: AnyArray | None = None
    for key, values in columns.items():
        about = as_dict(described.get(key))
        column = as_dict(about.get("extras")).get("column", key)
        if about.get("semantic") == "ID" and values.dtype == object and all(isinstance(v, str) and v for v in values.tolist()):
            names = values
        if column:
            out[str(column)] = _without_gaps(values, about.get("noData"))
    return out, names


@dataclass(frozen=True)
class StatedBodies:
    """Upright boxes around the features of a content as they really are.

    Attributes
    ----------
    sizes : (N, 3) float64
        To the east, to the north, and upwards [m].
    tops : (N, 3) float64 or None
        Middles of their upper sides, in the axes of the tile or, placed, in the world; None when they stand where they are shown.
    """

    sizes: Float
    tops: Float | None = None


def bodies_record(bodies: StatedBodies) -> dict[str, Any]:
    """Return ``asset.extras`` of a content that shows features as something else; ``bodies`` are in the axes of the tile."""
    said = {"sizes_cm": bodies.sizes} if bodies.tops is None else {"sizes_cm": bodies.sizes, "tops_cm": bodies.tops}
    # Whole centimetres: shorter, and read and written faster than fractions.
    return {EXTRAS: {name: np.rint(values * 100.0).astype(np.int64) for name, values in said.items()}}


def stated_bodies(document: Mapping[str, Any], count: int) -> StatedBodies | None:
    """Return where the ``count`` features of a content really are; None when it does not say, or not of all."""
    said = _stated(document)
    try:
        found = [np.array(said[name], dtype=np.float64) / 100.0 for name in ("sizes_cm", "tops_cm") if name in said]
    except (TypeError, ValueError, OverflowError):
        return None
    # Also false for what is no number.
    is_whole = all(values.shape == (count, 3) and (np.abs(values) < FARTHEST).all() for values in found)
    return StatedBodies(*found) if is_whole and "sizes_cm" in said and (found[0] >= 0.0).all() else None


def _without_gaps(values: AnyArray, missing: object) -> AnyArray:
    """Return texts with None where the class says that there is nothing."""
    if values.dtype != object or not isinstance(missing, str):
        return values
    out = np.empty(len(values), dtype=object)
    out[:] = [None if value == missing else value for value in values.tolist()]
    return out


def _stated(document: Mapping[str, Any]) -> dict[str, Any]:
    return as_dict(as_dict(as_dict(document.get("asset")).get("extras")).get(EXTRAS))


def stated_plan(folder: Path) -> str:
    """Return what identifies the input a written tileset was made of; empty where there is none."""
    try:
        return str(_stated(json_object((folder / "tileset.json").read_bytes())).get("plan") or "")
    except (OSError, BrokenPart):
        return ""


def is_written_tileset(folder: Path) -> bool:
    """Return whether a folder holds a tileset that this program wrote."""
    try:
        return bool(_stated(json_object((folder / "tileset.json").read_bytes())))
    except (OSError, BrokenPart):
        return False
