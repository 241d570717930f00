"""sRGB bytes and the light they stand for (IEC 61966-2-1)."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, UInt8


def to_linear(codes: AnyArray) -> Float:
    """Return linear light 0..1 of sRGB bytes."""
    return _LINEAR[codes]


def to_screen(light: Float) -> UInt8:
    """Return sRGB bytes of linear light, clipped to 0..1."""
    clipped = np.clip(light, 0.0, 1.0)
    encoded = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.round(encoded * 255.0).astype(np.uint8)


def _linear_table() -> Float:
    codes = np.arange(256) / 255.0
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


_LINEAR = _linear_table()
