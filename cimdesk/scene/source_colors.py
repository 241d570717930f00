"""Colours that a source gives to faces of its objects, and which faces it lays pictures on, as texels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Bool, Int, UInt8
from cimdesk.model.mesh import Surface, TriangleMesh
from cimdesk.model.style import rgba
from cimdesk.scene.look import Look


@dataclass(frozen=True)
class SourceColors:
    """One texel for each colour or picture that a feature has, so that a feature can be hidden.

    Attributes
    ----------
    colors : (M, 4) uint8
    owners : (M,) int64
        Feature of each.
    pictures : (M,) int64
        Picture that covers what has this texel as soon as it is drawn; -1 for none.
    is_roof : (M,) bool
    rows : (T,) int64
        Texel of each triangle.
    has : (T,) bool
        Whether the source gives the triangle a colour or a picture.
    """

    colors: UInt8
    owners: Int
    pictures: Int
    is_roof: Bool
    rows: Int
    has: Bool

    def seen(self, look: Look, is_hidden: Bool, is_marked: Bool, mark: UInt8, is_drawn: Bool) -> UInt8:
        """Return the (M, 4) texels as they are now.

        Parameters
        ----------
        look : Look
        is_hidden, is_marked : (N,) bool
            Features.
        mark : (4,) uint8
        is_drawn : (F,) bool
            Pictures that are drawn over their faces, which need not be drawn then.
        """
        colors = self.colors.copy()
        has_picture = self.pictures >= 0
        colors[has_picture] = np.where(self.is_roof[has_picture, None], rgba(look.roof), rgba(look.wall))
        colors[is_marked[self.owners], :3] = mark[:3]
        is_covered = has_picture & ~is_marked[self.owners]
        is_covered[is_covered] = is_drawn[self.pictures[is_covered]]
        colors[is_covered | is_hidden[self.owners], 3] = 0
        return colors


def source_colors(mesh: TriangleMesh) -> SourceColors | None:
    """Return the colours and pictures of the source; None when it gives none."""
    if not len(mesh.triangles) or (mesh.colors is None and mesh.pictures is None):
        return None
    owner = mesh.feature_index.astype(np.int64)
    colors = np.full((len(owner), 4), 255, dtype=np.uint8) if mesh.colors is None else np.ascontiguousarray(mesh.colors)
    packed = colors.view(np.uint32).ravel().astype(np.int64)
    unique, rows = np.unique(packed + (owner << 32), return_inverse=True)
    rows = rows.astype(np.int64)
    plain = (unique & 0xFFFFFFFF).astype(np.uint32).view(np.uint8).reshape(-1, 4)
    owners, count = unique >> 32, len(unique)
    has = np.asarray(~((colors[:, :3] == 255).all(axis=1)))
    pictures, is_roof = np.full(count, -1, dtype=np.int64), np.zeros(count, dtype=bool)
    if (laid := mesh.pictures) is not None:
        mine = laid.triangles
        files = len(laid.files)
        keys = (owner[mine] * files + laid.file_of) * 2 + (mesh.surface[mine] == Surface.ROOF)
        unique, among = np.unique(keys, return_inverse=True)
        rows[mine] = count + among
        has[mine] = True
        owners = np.concatenate([owners, unique // (2 * files)])
        pictures = np.concatenate([pictures, unique // 2 % files])
        is_roof = np.concatenate([is_roof, unique % 2 == 1])
        plain = np.concatenate([plain, np.full((len(unique), 4), 255, dtype=np.uint8)])
    return SourceColors(plain.copy(), owners, pictures, is_roof, rows, has)
