"""Sprites: small pictures of constant size on the screen, all from one texture and in one actor."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, UInt8
from cimdesk.scene import toolkit as vtk
from cimdesk.scene.geometry import cell_array
from cimdesk.scene.textures import PictureTexture

if TYPE_CHECKING:
    from PIL import Image

ATLAS_WIDTH = 1024
MAX_HEIGHT = 4096


class Atlas:
    """Pictures packed in rows into one texture.

    Attributes
    ----------
    texture : vtkTexture or None
        Made anew by `pack` whenever pictures were added.
    """

    def __init__(self) -> None:
        self._pictures: dict[Hashable, UInt8] = {}
        self._place: dict[Hashable, tuple[int, int, int, int]] = {}
        self._height = 1
        self._is_stale = True
        self.picture: PictureTexture | None = None

    def need(self, key: Hashable, draw: Callable[[], Image.Image]) -> None:
        """Make sure there is a picture of this name; ``draw`` makes it the first time."""
        if key not in self._pictures:
            self._pictures[key] = np.asarray(draw().convert("RGBA"))
            self._is_stale = True

    def size(self, key: Hashable) -> tuple[int, int]:
        """Return width and height of a picture [px]."""
        height, width = self._pictures[key].shape[:2]
        return width, height

    def clear(self) -> None:
        """Forget every picture."""
        self._pictures.clear()
        self._is_stale = True

    def pack(self) -> bool:
        """Bring the texture up to date; return whether it changed."""
        if not self._is_stale:
            return False
        self._is_stale = False
        x = y = shelf = 0
        for key, picture in sorted(self._pictures.items(), key=lambda item: -item[1].shape[0]):
            height, width = picture.shape[:2]
            if x + width + 1 > ATLAS_WIDTH:
                x, y, shelf = 0, y + shelf + 1, 0
            self._place[key] = (x, y, width, height)
            x, shelf = x + width + 1, max(shelf, height)
        self._height = max(y + shelf, 1)
        sheet: UInt8 = np.zeros((self._height, ATLAS_WIDTH, 4), dtype=np.uint8)
        for key, picture in self._pictures.items():
            x, y, width, height = self._place[key]
            sheet[y : y + height, x : x + width] = picture[:, : ATLAS_WIDTH - x]
        self.picture = PictureTexture(sheet, smooth=False)
        return True

    @property
    def is_full(self) -> bool:
        """Whether so much has gathered that it is time to `clear`."""
        return self._height > MAX_HEIGHT

    def coordinates(self, keys: list[Hashable]) -> tuple[Float, Float]:
        """Return (N, 2) sizes [px] and (N, 4) texture rectangles u0, v0, u1, v1 of packed pictures, v from the bottom."""
        place = np.array([self._place[key] for key in keys], dtype=np.float64).reshape(-1, 4)
        u0, v1 = place[:, 0] / ATLAS_WIDTH, 1.0 - place[:, 1] / self._height
        u1, v0 = (place[:, 0] + place[:, 2]) / ATLAS_WIDTH, 1.0 - (place[:, 1] + place[:, 3]) / self._height
        return place[:, 2:], np.column_stack([u0, v0, u1, v1])


class Sprites:
    """Draws pictures of an atlas at pixels of the screen.

    Attributes
    ----------
    actor : vtkTexturedActor2D
    """

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        mapper = vtk.vtkPolyDataMapper2D()
        self.actor = vtk.vtkTexturedActor2D()
        self.actor.SetMapper(mapper)
        self.actor.SetVisibility(False)
        self._mapper = mapper

    def place(self, keys: list[Hashable], corners: Float, height: int) -> None:
        """Show pictures with their top left corners at (N, 2) pixels from the left and top of a picture ``height`` px high."""
        self.actor.SetVisibility(bool(keys))
        if not keys:
            return
        if self.atlas.pack() or self.actor.GetTexture() is None:
            assert self.atlas.picture is not None
            self.actor.SetTexture(self.atlas.picture.texture)
        size, uv = self.atlas.coordinates(keys)
        low = np.round(corners)
        left, right = low[:, 0], low[:, 0] + size[:, 0]
        top, bottom = height - low[:, 1], height - low[:, 1] - size[:, 1]
        points = np.zeros((len(keys), 4, 3), dtype=np.float32)
        points[:, :, 0] = np.stack([left, right, right, left], axis=1)
        points[:, :, 1] = np.stack([bottom, bottom, top, top], axis=1)
        tcoords = np.empty((len(keys), 4, 2), dtype=np.float32)
        tcoords[:, :, 0] = uv[:, [0, 2, 2, 0]]
        tcoords[:, :, 1] = uv[:, [1, 1, 3, 3]]
        self._mapper.SetInputData(_quads(points.reshape(-1, 3), tcoords.reshape(-1, 2)))


def _quads(points: AnyArray, tcoords: AnyArray) -> Any:
    data = vtk.vtkPolyData()
    vtk_points = vtk.vtkPoints()
    vtk_points.SetData(vtk.numpy_to_vtk(points, deep=True))
    data.SetPoints(vtk_points)
    first = np.arange(0, len(points), 4, dtype=np.int32)
    data.SetPolys(cell_array(np.concatenate([first[:, None] + [0, 1, 2], first[:, None] + [0, 2, 3]])))
    array = vtk.numpy_to_vtk(tcoords, deep=True)
    array.SetName("tcoords")
    data.GetPointData().SetTCoords(array)
    return data
