"""Array aliases, used in signatures, and the few checks made where data enters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int = NDArray[np.int64]
Int32 = NDArray[np.int32]
UInt8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]
Strings = NDArray[np.object_]
AnyArray = NDArray[Any]

Points3 = Float
"""(N, 3) float64 world coordinates: easting, northing, height [m]."""


def require_shape(name: str, array: AnyArray, *shape: int | None) -> None:
    """Raise ValueError unless ``array`` has this shape; None stands for any length."""
    if array.ndim != len(shape) or any(want is not None and have != want for have, want in zip(array.shape, shape, strict=True)):
        wanted = ", ".join("N" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({wanted}), not {array.shape}")


def box_of_points(points: AnyArray) -> Float:
    """Return (2, 3) minimum and maximum of (N, 3) points, N > 0; column by column, for numpy is slow over an axis of three."""
    return np.array([[points[:, k].min() for k in range(3)], [points[:, k].max() for k in range(3)]], dtype=np.float64)


def bounds_of_points(points: Points3) -> Float:
    """Return (2, 3) minimum and maximum of (N, 3) world points; those without place do not count, NaN where none has one."""
    placed = points[np.isfinite(points[:, 0]) & np.isfinite(points[:, 1])]
    heights = placed[np.isfinite(placed[:, 2]), 2]
    if not len(placed):
        return np.full((2, 3), np.nan)
    low, high = (heights.min(), heights.max()) if len(heights) else (np.nan, np.nan)
    x, y = placed[:, 0], placed[:, 1]
    return np.array([[x.min(), y.min(), low], [x.max(), y.max(), high]])


def starts_of_runs(values: AnyArray) -> Int:
    """Return where each run of equal values begins in (N,) values; nothing where there are none."""
    is_first = np.ones(len(values), dtype=bool)
    is_first[1:] = values[1:] != values[:-1]
    return np.flatnonzero(is_first)


def offsets_from_counts(counts: AnyArray) -> Int:
    """Return (N+1,) running offsets of a ragged array whose rows have these ``counts``."""
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets
