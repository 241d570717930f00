"""EXT_meshopt_compression, KHR_meshopt_compression: buffer views packed by meshoptimizer, and the filters applied before that.

Written from the bitstream appendices of the extensions' specifications (Khronos, Arseny Kapoulkine).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, UInt8
from cimdesk.formats.gltf_json import as_int
from cimdesk.formats.tiles3d_paths import BrokenPart

_MAX_STRIDE = 256
_SQRT_HALF = 0.7071067811865476


def decode_meshopt(data: bytes, entry: Mapping[str, Any], limit: int) -> bytes:
    """Return the bytes of a compressed buffer view.

    Parameters
    ----------
    data : bytes
        The compressed bytes.
    entry : mapping
        The extension object: mode, filter, count, byteStride.
    limit : int
        Bytes the result may have.

    Raises
    ------
    BrokenPart
        If they are no such stream, end too soon, or unpack to more than ``limit``.
    """
    count, stride = as_int(entry.get("count"), -1), as_int(entry.get("byteStride"), 0)
    mode, kind = str(entry.get("mode")), str(entry.get("filter", "NONE"))
    if count < 0 or not 1 <= stride <= _MAX_STRIDE or count * stride > limit:
        raise _broken()
    packed = np.frombuffer(data, dtype=np.uint8)
    if mode == "ATTRIBUTES":
        return _filtered(_attributes(packed, count, stride), kind, stride).tobytes()
    if mode not in ("TRIANGLES", "INDICES") or stride not in (2, 4) or kind != "NONE":
        raise _broken()
    return _indices(packed, count, mode).astype("<u2" if stride == 2 else "<u4").tobytes()


def _broken() -> BrokenPart:
    return BrokenPart("bad-meshopt", "A buffer packed by meshoptimizer cannot be decoded.")


def _attributes(packed: UInt8, count: int, stride: int) -> UInt8:
    from cimdesk.formats.meshopt_kernels import unpack_attributes, unpack_attributes_1

    version = packed[0] - 0xA0 if len(packed) and packed[0] in (0xA0, 0xA1) else -1
    tail = max(32, stride) if version == 0 else max(24, stride + stride // 4)
    # Every block of at most 256 vertices takes a byte of header for each byte of a vertex, or in version 1 for each four of them.
    least = count * stride // 4 if version == 0 else count * stride // 16
    if stride % 4 or version < 0 or len(packed) < 1 + tail or len(packed) * 256 < least:
        raise _broken()
    out = np.zeros((count, stride), dtype=np.uint8)
    if not (unpack_attributes if version == 0 else unpack_attributes_1)(packed, out):
        raise _broken()
    return out


def _indices(packed: UInt8, count: int, mode: str) -> AnyArray:
    from cimdesk.formats.meshopt_kernels import unpack_indices, unpack_triangles

    out = np.zeros(count, dtype=np.uint32)
    if mode == "TRIANGLES":
        fits = count % 3 == 0 and len(packed) >= 1 + count // 3 + 16 and packed[0] in (0xE0, 0xE1)
        good = fits and unpack_triangles(packed, out)
    else:
        good = len(packed) >= 1 + count + 4 and packed[0] in (0xD0, 0xD1) and unpack_indices(packed, out)
    if not good:
        raise _broken()
    return out


def _filtered(values: UInt8, kind: str, stride: int) -> AnyArray:
    """Return decoded attributes with their filter undone."""
    if kind == "NONE":
        return values
    if kind == "EXPONENTIAL":
        words = values.view("<i4")
        # Float32 takes what lies beyond its range as infinite, as the reference decoder does.
        with np.errstate(over="ignore"):
            floats: AnyArray = np.ldexp((words << 8 >> 8).astype(np.float64), words >> 24).astype("<f4")
        return floats
    if kind == "OCTAHEDRAL" and stride in (4, 8):
        return _octahedral(values.view("i1" if stride == 4 else "<i2"))
    if kind == "QUATERNION" and stride == 8:
        return _quaternions(values.view("<i2"))
    if kind == "COLOR" and stride in (4, 8):
        return _colors(values.view("u1" if stride == 4 else "<u2"))
    raise _broken()


def _octahedral(packed: AnyArray) -> AnyArray:
    """Return (N, 4) unit vectors from octahedral coordinates; the fourth number is kept."""
    x, y, one = (packed[:, k].astype(np.float32) for k in range(3))
    z = one - np.abs(x) - np.abs(y)
    fold = np.minimum(z, 0.0)
    x = x + np.where(x >= 0, fold, -fold)
    y = y + np.where(y >= 0, fold, -fold)
    length = np.sqrt(x * x + y * y + z * z)
    scale = np.divide(np.float32(np.iinfo(packed.dtype).max), length, out=np.zeros_like(length), where=length > 0)
    out = packed.copy()
    for k, axis in enumerate((x, y, z)):
        out[:, k] = _rounded(axis * scale)
    return out


def _quaternions(packed: AnyArray) -> AnyArray:
    """Return (N, 4) unit quaternions from three components; the greatest, left out, is named by two bits of the fourth."""
    scale = np.float32(_SQRT_HALF) / (packed[:, 3] | 3).astype(np.float32)
    parts = [packed[:, k].astype(np.float32) * scale for k in range(3)]
    rest = 1.0 - sum(part * part for part in parts)
    parts.append(np.sqrt(np.maximum(rest, 0.0)))
    order = packed[:, 3] & 3
    out = np.empty_like(packed)
    rows = np.arange(len(packed))
    for k, part in enumerate(parts):
        out[rows, (order + k + 1) & 3] = _rounded(np.clip(part, -1.0, 1.0) * np.float32(32767.0))
    return out


def _colors(packed: AnyArray) -> AnyArray:
    """Return (N, 4) red, green, blue and alpha from luma and two differences; the top digit of the fourth tells how many count."""
    most = int(np.iinfo(packed.dtype).max)
    light, alpha = packed[:, 0].astype(np.int64), packed[:, 3].astype(np.int64)
    signed = packed.view(np.dtype(packed.dtype.str.replace("u", "i"))).astype(np.int64)
    orange, green = signed[:, 1], signed[:, 2]
    span = (1 << np.frexp(alpha.astype(np.float64))[1].astype(np.int64)) - 1
    clear = alpha & (span >> 1)
    parts = np.column_stack([light + orange - green, light + green, light - orange - green, clear << 1 | clear & 1])
    scaled = parts * (np.float32(most) / np.maximum(span, 1).astype(np.float32))[:, None]
    out: AnyArray = np.clip(_rounded(scaled), 0, most).astype(packed.dtype)
    return out


def _rounded(values: AnyArray) -> AnyArray:
    """Return whole numbers, halves away from zero."""
    is_up: Bool = values >= 0
    whole: AnyArray = np.trunc(values + np.where(is_up, np.float32(0.5), np.float32(-0.5))).astype(np.int32)
    return whole
