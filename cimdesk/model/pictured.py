"""Pictures that a source lays on the faces of its objects: photographs of facades and roofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Bool, Float32, Int, Int32, require_shape


@dataclass(frozen=True, eq=False)
class PictureFile:
    """Where the pixels of a picture are.

    Attributes
    ----------
    path : Path
        A file; what holds the picture where ``data`` is given.
    size : (int, int)
        Width and height [px].
    is_repeated : bool
        Whether it goes on beyond its rim: else its last pixels do.
    data : bytes or None
        The file itself, where it is part of another one.
    tint : (float, float, float)
        By which the linear light of its colours is multiplied.
    alpha : float or None
        Alpha (0 to 1) below which nothing is drawn, all else being opaque; None to draw what is not quite clear.
    """

    path: Path
    size: tuple[int, int]
    is_repeated: bool = True
    data: bytes | None = None
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    alpha: float | None = None


@dataclass(frozen=True, eq=False)
class FacePictures:
    """Pictures on some triangles of a mesh.

    Attributes
    ----------
    files : tuple of PictureFile
    triangles : (K,) int64
        Rows of the triangles that have a picture, ascending.
    file_of : (K,) int32
        Their pictures.
    places : (K, 3, 2) float32
        Of their corners in the picture: 0 to 1 from the left, and from the bottom.
    """

    files: tuple[PictureFile, ...]
    triangles: Int
    file_of: Int32
    places: Float32

    def __post_init__(self) -> None:
        require_shape("file_of", self.file_of, len(self.triangles))
        require_shape("places", self.places, len(self.triangles), 3, 2)

    def rows_by_file(self) -> list[Int]:
        """Return for each picture which of the K rows have it, in ascending order."""
        order = np.argsort(self.file_of, kind="stable")
        counts = np.bincount(self.file_of, minlength=len(self.files))
        return np.split(order, np.cumsum(counts)[:-1])

    def kept(self, is_kept: Bool) -> FacePictures | None:
        """Return what is left when the mesh keeps only some of its (T,) triangles; None when no picture is."""
        mine = is_kept[self.triangles]
        if not mine.any():
            return None
        rows = np.cumsum(is_kept)[self.triangles[mine]] - 1
        return FacePictures(self.files, rows, self.file_of[mine], self.places[mine])

    def repeated(self, count: int, triangles: int) -> FacePictures:
        """Return the pictures of ``count`` copies of a mesh of so many triangles, one after the other."""
        starts = np.repeat(np.arange(count) * triangles, len(self.triangles))
        rows = np.tile(self.triangles, count) + starts
        return FacePictures(self.files, rows, np.tile(self.file_of, count), np.tile(self.places, (count, 1, 1)))

    @staticmethod
    def merged(parts: Sequence[tuple[FacePictures | None, int]]) -> FacePictures | None:
        """Return the pictures of meshes put one after the other, given each with the number of its triangles."""
        files: dict[PictureFile, int] = {}
        rows, numbers, places = [], [], []
        start = 0
        for part, count in parts:
            if part is not None:
                number_of = np.array([files.setdefault(each, len(files)) for each in part.files], dtype=np.int32)
                rows.append(part.triangles + start)
                numbers.append(number_of[part.file_of])
                places.append(part.places)
            start += count
        if not rows:
            return None
        return FacePictures(tuple(files), np.concatenate(rows), np.concatenate(numbers), np.concatenate(places))
