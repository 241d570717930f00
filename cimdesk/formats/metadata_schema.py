"""3D Metadata Specification: classes, enums and what raw values mean; and entities whose values stand in JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.formats.gltf_json import as_dict, as_int, as_list, json_object
from cimdesk.formats.tiles3d_paths import BrokenPart

NUMBERS = {
    "INT8": "i1", "UINT8": "u1", "INT16": "<i2", "UINT16": "<u2", "INT32": "<i4", "UINT32": "<u4", "INT64": "<i8", "UINT64": "<u8",
    "FLOAT32": "<f4", "FLOAT64": "<f8",
}  # fmt: skip
WIDTHS = {"SCALAR": 1, "ENUM": 1, "BOOLEAN": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


@dataclass(frozen=True)
class Schema:
    """Classes and enums by their identifiers."""

    classes: Mapping[str, Any] = field(default_factory=dict)
    enums: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(owner: Mapping[str, Any], resolve: Callable[[str], bytes]) -> Schema:
        """Return the schema of an object that has ``schema`` or ``schemaUri``; an empty one where it has neither.

        Raises
        ------
        BrokenPart
            If its file is missing or broken.
        """
        found = owner.get("schema")
        if not isinstance(found, dict) and isinstance(owner.get("schemaUri"), str):
            found = json_object(resolve(owner["schemaUri"]))
        schema = as_dict(found)
        return Schema(as_dict(schema.get("classes")), as_dict(schema.get("enums")))

    def properties(self, name: object) -> dict[str, Any]:
        """Return the properties of a class by their identifiers."""
        return as_dict(as_dict(self.classes.get(str(name))).get("properties"))

    def enum_names(self, kind: Mapping[str, Any]) -> dict[int, str]:
        """Return the names of the enum of a property by their numbers."""
        enum = as_dict(self.enums.get(str(kind.get("enumType"))))
        return {as_int(as_dict(v).get("value"), 0): str(as_dict(v).get("name", "")) for v in as_list(enum.get("values"))}

    def dtype(self, kind: Mapping[str, Any]) -> np.dtype[Any]:
        """Return the dtype of the numbers of a property.

        Raises
        ------
        BrokenPart
            If it is not among those of the specification.
        """
        if kind.get("type") == "ENUM":
            name = str(as_dict(self.enums.get(str(kind.get("enumType")))).get("valueType", "UINT16"))
        else:
            name = str(kind.get("componentType"))
        if name not in NUMBERS:
            raise BrokenPart("bad-type", "type “{type}” is unknown.", type=name[:40])
        return np.dtype(NUMBERS[name])


def scaled(raw: AnyArray, kind: Mapping[str, Any], entry: Mapping[str, Any]) -> AnyArray:
    """Return numbers with normalisation, scale and offset applied; whole numbers stay whole without them.

    Parameters
    ----------
    raw : (N,) or (N, width) array
    kind, entry : mapping
        The property of the class, and of the table, whose scale and offset come first.
    """
    values: AnyArray = raw
    if kind.get("normalized") is True and raw.dtype.kind in "iu":
        values = np.maximum(raw.astype(np.float64) / np.iinfo(raw.dtype).max, -1.0)
    width = raw.shape[1] if raw.ndim > 1 else 1
    for key, apply in (("scale", np.multiply), ("offset", np.add)):
        factor = _numbers(entry.get(key, kind.get(key)), width)
        if factor is not None:
            values = apply(values.astype(np.float64), factor if width > 1 else factor[0])
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    return values.astype(np.int64) if values.dtype != np.uint64 or not (values > 2**63 - 1).any() else values.astype(np.float64)


def without_no_data(raw: AnyArray, values: AnyArray, kind: Mapping[str, Any]) -> AnyArray:
    """Return numbers with the class's default, or NaN, where ``raw`` says that there is none."""
    missing = kind.get("noData")
    if not _is_number(missing) or not (raw == missing).any():
        return values
    default = kind.get("default")
    filler = float(default) if isinstance(default, int | float) else np.nan
    return np.where(raw == missing, filler, values.astype(np.float64))


def entity_values(entity: object, schema: Schema) -> dict[str, Any]:
    """Return the values of an entity (tileset, tile, content or group) whose properties stand in JSON, by their names.

    Defaults fill in for what is left out or has no data; numbers are normalised, scaled and offset.
    """
    described = schema.properties(as_dict(entity).get("class"))
    given = as_dict(as_dict(entity).get("properties"))
    out: dict[str, Any] = {}
    for name in dict.fromkeys((*described, *given)):
        kind = as_dict(described.get(name))
        value = given.get(name)
        if value is None or ("noData" in kind and value == kind["noData"]):
            value = kind.get("default")
        elif str(kind.get("type")) in WIDTHS and kind["type"] not in ("ENUM", "BOOLEAN") and kind.get("array") is not True:
            value = _plain(value, kind, schema)
        if value is not None:
            out[str(name)] = value
    return out


def _plain(value: Any, kind: Mapping[str, Any], schema: Schema) -> Any:
    """Return a number, vector or matrix as it is meant; what does not fit its class stays as it is written."""
    width = WIDTHS[str(kind["type"])]
    if not any(key in kind for key in ("normalized", "scale", "offset")):
        return value
    numbers = _numbers(value, width)
    if numbers is None:
        return value
    try:
        dtype = schema.dtype(kind)
        with np.errstate(invalid="ignore"):
            raw = numbers.astype(dtype).reshape(1, width)
    except (BrokenPart, ValueError, OverflowError):
        return value
    row = scaled(raw, kind, {})[0].tolist()
    return row[0] if width == 1 else row


def _numbers(value: Any, width: int) -> AnyArray | None:
    """Return (width,) float64 of a number or a list of numbers; None for anything else."""
    found = value if isinstance(value, list) else [value]
    if len(found) != width or not all(_is_number(each) for each in found):
        return None
    return np.array(found, dtype=np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and math.isfinite(value)
