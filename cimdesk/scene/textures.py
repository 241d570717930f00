"""Textures: one texel per feature, so that recolouring writes a few bytes; and pictures laid on surfaces."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float32, UInt8
from cimdesk.scene import toolkit as vtk

WIDTH = 1024
"""Texels per row of a feature texture."""
_ALPHA = np.array([0, 0, 0, 255, 0, 0, 0, 255], dtype=np.uint8).view(np.uint64)[0]
"""Bits of a pair of texels that say how opaque they are."""


class FeatureTexture:
    """RGBA colours of N entries as a texture; vertices refer to an entry by their texture coordinate.

    Attributes
    ----------
    texture : vtkTexture
    texels : (rows * WIDTH, 4) uint8
        Written in place by `write`.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.rows = max(1, -(-count // WIDTH))
        self.texels: UInt8 = np.zeros((self.rows * WIDTH, 4), dtype=np.uint8)
        self.image, self._array = _image_of(self.texels, WIDTH, self.rows)
        self.texture = vtk.vtkTexture()
        self.texture.SetInputData(self.image)
        self.texture.InterpolateOff()
        self.texture.MipmapOff()
        self.texture.SetColorModeToDirectScalars()

    def doubled(self) -> FeatureTexture:
        """Return one with twice the rows and the same entries; their coordinates change by half the height."""
        larger = FeatureTexture(2 * self.rows * WIDTH)
        larger.texels[: len(self.texels)] = self.texels
        return larger

    def coordinates(self, entries: AnyArray) -> Float32:
        """Return (M, 2) float32 texture coordinates of the centres of these entries."""
        out = np.empty((len(entries), 2), dtype=np.float32)
        out[:, 0] = (entries % WIDTH + 0.5) / WIDTH
        out[:, 1] = (entries // WIDTH + 0.5) / self.rows
        return out

    def write(self, colors: UInt8, start: int = 0, step: int = 1) -> None:
        """Set the colours of entries ``start, start + step, ...``; call `flush` after the last write."""
        packed = np.ascontiguousarray(colors).view(np.uint32).ravel()
        self.texels.view(np.uint32).ravel()[start : start + step * len(packed) : step] = packed

    def write_pairs(self, first: UInt8, second: UInt8, codes: AnyArray, start: int = 0) -> None:
        """Set two neighbouring entries of each feature, ``start`` being even, to rows of two (K, 4) palettes by (N,) codes.

        One pass over the features, whatever they are coloured by.
        """
        pairs = np.ascontiguousarray(np.concatenate([first, second], axis=1)).view(np.uint64).ravel()
        texels = self.texels.ravel().view(np.uint64)
        np.take(pairs, codes, out=texels[start // 2 : start // 2 + len(codes)], mode="clip")

    def tint_pairs(self, first: AnyArray, second: AnyArray, rows: AnyArray, start: int = 0) -> None:
        """Give the pairs of entries of some features other colours (4,), as far as they are not clear; ``start`` is even."""
        pair = np.concatenate([first, second]).astype(np.uint8).view(np.uint64)[0]
        texels = self.texels.ravel().view(np.uint64)[start // 2 :]
        is_seen = (texels[rows] & _ALPHA) != 0
        texels[rows if is_seen.all() else rows[is_seen]] = pair

    def flush(self) -> None:
        """Tell VTK that texels changed."""
        self._array.Modified()
        self.image.Modified()
        self.texture.Modified()


class PictureTexture:
    """An (R, C, 2, 3 or 4) uint8 picture as a texture; row 0 is the northern edge."""

    def __init__(self, picture: UInt8, smooth: bool = True) -> None:
        rows, columns, channels = picture.shape
        self.pixels: UInt8 = np.ascontiguousarray(picture[::-1]).reshape(-1, channels)
        self.image, self._array = _image_of(self.pixels, columns, rows)
        self.texture = vtk.vtkTexture()
        self.texture.SetInputData(self.image)
        self.texture.SetColorModeToDirectScalars()
        self.texture.SetInterpolate(smooth)
        self.texture.SetMipmap(smooth)
        self.texture.RepeatOff()
        self.texture.EdgeClampOn()
        if smooth:
            # Anisotropic filtering costs a third of the frame where the processor draws.
            self.texture.SetMaximumAnisotropicFiltering(1.0)

    def replace(self, picture: UInt8) -> None:
        """Show another picture of the same shape."""
        np.copyto(self.pixels.reshape(picture.shape), picture[::-1])
        self.touch()

    def touch(self) -> None:
        """Tell VTK that `pixels` changed."""
        self._array.Modified()
        self.image.Modified()
        self.texture.Modified()


def _image_of(pixels: UInt8, columns: int, rows: int) -> tuple[Any, Any]:
    image = vtk.vtkImageData()
    image.SetDimensions(columns, rows, 1)
    array = vtk.numpy_to_vtk(pixels, deep=False)
    array.SetName("colors")
    image.GetPointData().SetScalars(array)
    return image, array
