"""Columns of points as records: whole numbers for coordinates, bytes for colours and classes, all else as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings
from cimdesk.formats.pointcloud_nodes import RecordScale

FARTHEST = 1e12
MAX_STEP = 1.0
MOST_LETTERS = 60
_COLORS = ("red", "green", "blue")
_AGAIN = "Export it again as LAZ or as text with x, y and z first."


def packed_records(path: Path, columns: dict[str, AnyArray], findings: Findings) -> tuple[AnyArray, RecordScale]:
    """Return columns as records with whole numbers for coordinates, as fine as they can be.

    Parameters
    ----------
    path : Path
        Named in errors.
    columns : dict of str to (N,) array
        ``x y z`` and any others; texts are cut.
    findings : Findings

    Raises
    ------
    DataError
        If there are no coordinates.
    """
    if not {"x", "y", "z"} <= set(columns):
        raise DataError(path, "it has no columns x, y and z.", remedy=_AGAIN)
    world = np.column_stack([columns[axis].astype(np.float64) for axis in "xyz"])
    with np.errstate(invalid="ignore"):
        is_placed = np.isfinite(world).all(axis=1) & (np.abs(world) < FARTHEST).all(axis=1)
    if not is_placed.all():
        findings.error("no-place", "", "{count} points have no usable coordinates and are left out.", count=int((~is_placed).sum()))
        world = world[is_placed]
    if not len(world):
        raise DataError(path, "there are no points in it.", remedy=_AGAIN)
    offset = np.floor(world.min(axis=0))
    span = float(np.ptp(world, axis=0).max()) + 1.0
    step = min(10.0 ** np.ceil(np.log10(span / 2e9)), MAX_STEP)
    whole = np.clip(np.rint((world - offset) / step), -(2.0**31), 2.0**31 - 1.0).astype(np.int32)
    kept = {_free(name): _packed(name, values[is_placed]) for name, values in columns.items() if name not in ("x", "y", "z")}
    dtype: list[tuple[str, Any]] = [("X", "<i4"), ("Y", "<i4"), ("Z", "<i4")]
    records = np.empty(len(whole), dtype=[*dtype, *((name, values.dtype.newbyteorder("<")) for name, values in kept.items())])
    for k, name in enumerate("XYZ"):
        records[name] = whole[:, k]
    for name, values in kept.items():
        records[name] = values
    return records, RecordScale(np.full(3, step), offset, color_shift=0)


def _free(name: str) -> str:
    """Return a name that is not that of a coordinate of the records."""
    return f"property {name}".strip() if name in ("X", "Y", "Z", "") else name


def _packed(name: str, values: AnyArray) -> AnyArray:
    if values.dtype == object:
        texts = ["" if value is None else str(value)[:MOST_LETTERS] for value in values.tolist()]
        return np.array(texts or [""], dtype=np.str_)[: len(texts)]
    if name in _COLORS and values.dtype != np.uint8:
        top = float(np.nanmax(values, initial=0.0))
        factor = 255.0 if values.dtype.kind == "f" and top <= 1.0 else 255.0 / 65535.0 if top > 255.0 else 1.0
        return np.clip(np.nan_to_num(values.astype(np.float64) * factor), 0.0, 255.0).astype(np.uint8)
    if name == "classification":
        return np.clip(np.nan_to_num(values.astype(np.float64)), 0.0, 255.0).astype(np.uint8)
    return values
