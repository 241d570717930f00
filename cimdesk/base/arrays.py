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


def offsets_from_counts(counts: AnyArray) -> Int:
    """Return (N+1,) running offsets of a ragged array whose rows have these ``counts``."""
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets
