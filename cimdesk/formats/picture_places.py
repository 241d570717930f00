"""Pictures on surfaces: where their files are, and where in them the corners of triangles lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int
from cimdesk.base.pictures import MAX_PIXELS, picture_size
from cimdesk.formats.findings import Findings
from cimdesk.formats.surface_arrays import PicturedSurfaces, SurfaceArrays
from cimdesk.model.pictured import FacePictures, PictureFile

LARGEST = 1e4
"""Places in a picture beyond this are damage: none is repeated so often."""
DO_NOT_FIT = "Pictures whose places do not fit the corners of their surfaces are left out: {count}."


@dataclass(frozen=True, eq=False)
class LaidPicture:
    """One picture on all triangles of something.

    Attributes
    ----------
    file : PictureFile
    places : (T, 3, 2) float32
        As in `FacePictures`.
    """

    file: PictureFile
    places: Float32

    def turned(self) -> LaidPicture:
        """Return it for triangles whose corners run the other way."""
        return replace(self, places=self.places[:, ::-1])

    def kept(self, is_kept: Bool) -> LaidPicture:
        """Return it for some of the triangles."""
        return replace(self, places=self.places[is_kept])

    def repeated(self, is_mirrored: Bool) -> LaidPicture:
        """Return it for (N,) copies one after the other, of which some run the other way."""
        places = np.tile(self.places, (len(is_mirrored), 1, 1, 1))
        places[is_mirrored] = places[is_mirrored][:, :, ::-1]
        return replace(self, places=places.reshape(-1, 3, 2))

    @staticmethod
    def joined(parts: Sequence[tuple[LaidPicture | None, int]]) -> FacePictures | None:
        """Return the pictures of all parts, given each with the number of its triangles."""
        laid = [
            None if part is None else FacePictures(
                (part.file,), np.arange(count), np.zeros(count, dtype=np.int32), part.places
            ) for part, count in parts
        ]  # fmt: skip
        return FacePictures.merged([(each, count) for each, (_, count) in zip(laid, parts, strict=True)])


class PictureFolder:
    """Files of pictures that a document names, relative to the folder it is in.

    Parameters
    ----------
    document : Path
    findings : Findings

    Attributes
    ----------
    files : list of PictureFile
        Those named so far that may be read.
    """

    def __init__(self, document: Path, findings: Findings) -> None:
        self.files: list[PictureFile] = []
        self._folder = document.parent
        self._findings = findings
        self._numbers: dict[tuple[str, bool], int] = {}
        self._missing: list[str] = []
        self._outside: list[str] = []

    def number(self, name: str, is_repeated: bool) -> int:
        """Return the number of a picture; -1 when it is missing or outside of the folder."""
        key = name, is_repeated
        if key not in self._numbers:
            path = self._path(name)
            size = None if path is None else self._size(path, name)
            self._numbers[key] = -1 if size is None else len(self.files)
            if path is not None and size is not None:
                self.files.append(PictureFile(path, size, is_repeated))
        return self._numbers[key]

    def _path(self, name: str) -> Path | None:
        written = name.strip().replace("\\", "/")
        try:
            folder = self._folder.resolve()
            path = (folder / written).resolve()
            is_beside = "://" not in written and path.is_relative_to(folder)
            is_there = is_beside and path.is_file()
        except (OSError, ValueError, RuntimeError):
            is_beside, is_there = True, False
        if not is_there:
            (self._missing if is_beside else self._outside).append(name.strip()[:80])
        return path if is_there else None

    def _size(self, path: Path, name: str) -> tuple[int, int] | None:
        size = picture_size(path)
        if size is None:
            text = "A picture of surfaces is damaged, or of no kind that is known."
            self._findings.add("bad-picture", name[:80], text)
        elif size[0] * size[1] > MAX_PIXELS:
            text = "A picture of surfaces has more than {count} million pixels, which is too large."
            self._findings.add("bad-picture", name[:80], text, count=MAX_PIXELS // 1_000_000)
            return None
        return size

    def tell(self) -> None:
        """Add what could not be read to the findings."""
        for code, names, text in (
            ("missing-picture", self._missing, "Pictures of surfaces that are not beside the file: {count}, {name} for one."),
            ("picture-outside", self._outside, "Pictures outside the folder of the file are not read: {count}, {name} for one."),
        ):
            if names:
                self._findings.info(code, "", text, count=len(names), name=names[0])


def face_pictures(
    surfaces: SurfaceArrays, pictures: PicturedSurfaces, points: Float, triangles: Int, polygon_of: Int
) -> FacePictures | None:
    """Return the pictures of triangles that surfaces were cut into.

    Parameters
    ----------
    surfaces : SurfaceArrays
    pictures : PicturedSurfaces
        Of these.
    points : (V, 3) float64
        First those that corners of surfaces refer to, then crossings of their edges.
    triangles : (T, 3) int64
    polygon_of : (T,) int64
        Surface of each.
    """
    rows = np.flatnonzero(pictures.file_of[polygon_of] >= 0)
    if not len(rows):
        return None
    surface_of = np.repeat(np.repeat(np.arange(len(surfaces.owners)), surfaces.ring_counts), surfaces.ring_lengths)
    mine = pictures.file_of[surface_of] >= 0
    # A corner is found again by its surface and its point; one that comes twice is in the same place of the picture.
    keys, first = np.unique(surface_of[mine] * len(points) + surfaces.corners[mine], return_index=True)
    places = pictures.places[mine][first]
    wanted = (polygon_of[rows][:, None] * len(points) + triangles[rows]).ravel()
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found = places[at]
    missing = keys[at] != wanted
    if missing.any():
        found[missing] = _between(missing, wanted, points, keys, places)
    good = (np.abs(found.reshape(-1, 6)) < LARGEST).all(axis=1)
    if not good.any():
        return None
    file_of = pictures.file_of[polygon_of[rows[good]]].astype(np.int32)
    return FacePictures(pictures.files, rows[good], file_of, found.reshape(-1, 3, 2)[good].astype(np.float32))


def _between(missing: Bool, wanted: Int, points: Float, keys: Int, places: Float) -> Float:
    """Return the places of crossings of edges: where the picture would lie if it were laid on the surface flat."""
    out = np.zeros((int(missing.sum()), 2))
    surfaces = wanted[missing] // len(points)
    for surface in np.unique(surfaces).tolist():
        mine = slice(*np.searchsorted(keys, [surface * len(points), (surface + 1) * len(points)]))
        known = points[keys[mine] % len(points)]
        middle = known.mean(axis=0)
        laid, *_ = np.linalg.lstsq(_flat(known - middle), places[mine], rcond=None)
        here = surfaces == surface
        out[here] = _flat(points[wanted[missing][here] % len(points)] - middle) @ laid
    return out


def _flat(points: Float) -> AnyArray:
    return np.column_stack([points, np.ones(len(points))])
