"""What faces with a picture look like from afar: one colour for each, for tiles, which have no pictures."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import replace

import numpy as np

from cimdesk.base.arrays import Float, UInt8
from cimdesk.base.pictures import read_picture
from cimdesk.base.srgb import to_linear, to_screen
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.pictured import PictureFile

SIZE = 96
"""Pixels along the longer side of what a picture is made smaller to."""
KEPT = 512
"""Pictures that are held so."""
STEP = 24
"""What colours are rounded to: tiles have few of them."""
_SAMPLES = np.array([[4, 1, 1], [1, 4, 1], [1, 1, 4], [2, 2, 2]]) / 6.0
"""Places in a triangle, as weights of its corners."""
log = logging.getLogger(__name__)


class SmallPictures:
    """Pictures made small, the last ones held."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, bytes | None], UInt8 | None] = OrderedDict()

    def means(self, file: PictureFile, places: Float) -> UInt8 | None:
        """Return the (K, 4) opaque mean colours of triangles whose (K, 3, 2) corners are there; None of a damaged picture."""
        pixels = self._small(file)
        if pixels is None:
            return None
        height, width = pixels.shape[:2]
        at = np.einsum("sc,kcx->ksx", _SAMPLES, places)
        at = at - np.floor(at) if file.is_repeated else np.clip(at, 0.0, 1.0)
        columns = np.minimum((at[..., 0] * width).astype(np.int64), width - 1)
        rows = np.minimum(((1.0 - at[..., 1]) * height).astype(np.int64), height - 1)
        light = to_linear(pixels[rows, columns, :3]).mean(axis=1) * file.tint
        out = np.full((len(places), 4), 255, dtype=np.uint8)
        out[:, :3] = np.minimum(np.round(to_screen(light) / STEP) * STEP, 254)
        return out

    def _small(self, file: PictureFile) -> UInt8 | None:
        key = (str(file.path), file.data)
        if key not in self._held:
            scale = min(1.0, SIZE / max(file.size))
            size = max(1, round(file.size[0] * scale)), max(1, round(file.size[1] * scale))
            try:
                self._held[key] = read_picture(file.path if file.data is None else file.data, size)
            except ValueError as error:
                log.warning("%s: %s", file.path, error)
                self._held[key] = None
            if len(self._held) > KEPT:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]


def colored_by_pictures(mesh: TriangleMesh) -> TriangleMesh:
    """Return a mesh whose faces with a picture have its mean colour there, and no pictures."""
    laid = mesh.pictures
    if laid is None:
        return mesh
    colors = np.full((len(mesh.triangles), 4), 255, dtype=np.uint8) if mesh.colors is None else mesh.colors.copy()
    small = SmallPictures()
    for file, mine in zip(laid.files, laid.rows_by_file(), strict=True):
        found = small.means(file, laid.places[mine].astype(np.float64)) if len(mine) else None
        if found is not None:
            colors[laid.triangles[mine]] = found
    return replace(mesh, colors=colors, pictures=None)
