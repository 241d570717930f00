"""Stretches of the objects of a large CityJSON file as flat triangles: for tiling, in any process, whatever the size of the file.

All objects of such a file share one list of vertices. It is laid down once as numbers on the disk; a stretch takes those it uses.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Raw

from cimdesk.base.arrays import Float, Int
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import CancelToken, Progress
from cimdesk.formats.cityjson.builder import decode_vertices
from cimdesk.formats.cityjson.encoding import without_not_numbers
from cimdesk.formats.cityjson.flat import FlatBuilder, decode_many_vertices
from cimdesk.formats.cityjson.header import read_crs, read_metadata, read_transform
from cimdesk.formats.cityjson.reader import decode_objects
from cimdesk.formats.cityjson.structure import PARTS, CityObject, decode_any
from cimdesk.formats.cityjson.surfaces import Numbering
from cimdesk.formats.findings import Findings
from cimdesk.formats.json_parts import EVERY, Part, json_parts, text_of
from cimdesk.formats.surface_arrays import SurfaceArrays
from cimdesk.model.city_piece import CityPiece

OBJECT_TEXT = 8 << 20
"""Bytes of objects in one stretch."""
VERTEX_TEXT = 4 << 20
"""Bytes of vertices decoded at a time."""
HEAD_TEXT = 64 << 20
"""Bytes that materials or templates may have."""
NOT_NUMBERS = "{count} numbers are NaN or Infinity, which JSON does not have."
_HEAD = ("version", "transform", "metadata", "appearance", "geometry-templates")


@dataclass(frozen=True, eq=False)
class LargeObject:
    """A CityJSON file that is read stretch by stretch.

    Attributes
    ----------
    path : Path
    objects, vertices : Part
        Where these are in it.
    head : bytes
        Everything else, as a JSON object.
    crs : Crs or None
    place : (3,) float64
        A place in it; NaN without vertices.
    is_pictured : bool
        Whether pictures lie on its faces; they are left out.
    """

    path: Path
    objects: Part
    vertices: Part
    head: bytes
    crs: Crs | None
    place: Float
    is_pictured: bool = False

    def stretches(self) -> list[tuple[int, int]]:
        """Return first and last bytes of stretches of objects."""
        starts = self.objects.starts.tolist()
        step = max(1, len(starts) * OBJECT_TEXT // max(self.objects.stop - self.objects.start, 1))
        cuts = [*starts[::step], self.objects.stop]
        return [(start, stop) for start, stop in pairwise(cuts) if stop > start]

    def prepare(self, folder: Path, name: str, findings: Findings, progress: Progress, cancel: CancelToken) -> bytes:
        """Lay down in a folder what stretches need; return what `read_objects` has to know of it."""
        if self.is_pictured:
            findings.info("no-pictures", "", "The file is so large that the pictures on its faces are left out.")
        vertices, head = folder / f"{name}.vertices", folder / f"{name}.head"
        temporary = vertices.with_suffix(".part")
        with temporary.open("wb") as file:
            for start, stop in self.vertices.stretches(VERTEX_TEXT):
                cancel.raise_if_cancelled()
                progress(start / self.vertices.count)
                text = b"[" + self.vertices.text(self.path, start, stop) + b"]"
                file.write(_decoded_vertices(text, stop - start, findings).astype("<f8").tobytes())
        temporary.replace(vertices)
        head.write_bytes(self.head)
        # Another run may lay down others under the same name.
        return msgspec.json.encode([str(head), str(vertices), hashlib.sha256(self.head).hexdigest()])


def large_object(path: Path) -> LargeObject | None:
    """Return how a file is read stretch by stretch; None for what is no whole CityJSON object, which others tell about."""
    parts = json_parts(path)
    if parts is None or not parts.is_whole:
        return None
    objects, vertices = parts.members.get("CityObjects"), parts.members.get("vertices")
    if objects is None or vertices is None or not objects.count or not vertices.count:
        return None
    texts = {name: text_of(path, parts.members.get(name), HEAD_TEXT) for name in ("type", *_HEAD)}
    if decode_any(texts.pop("type")) != "CityJSON":
        return None
    head = b"{" + b",".join(b'"%s":%s' % (name.encode(), text) for name, text in texts.items() if text) + b"}"
    try:
        said = PARTS.decode(head)
    except msgspec.DecodeError:
        return None
    place = np.full(3, np.nan)
    first = decode_vertices(Raw(b"[" + vertices.text(path, 0, min(EVERY, vertices.count)) + b"]"), Findings())
    if len(first):
        transform = read_transform(said, Findings())
        place = first[0] if transform is None else first[0] * transform[0] + transform[1]
    appearance = decode_any(said.get("appearance"))
    is_pictured = isinstance(appearance, dict) and bool(appearance.get("textures"))
    return LargeObject(path, objects, vertices, head, read_crs(read_metadata(said), Findings()), place, is_pictured)


def read_objects(path: Path, start: int, stop: int, prepared: bytes, findings: Findings) -> CityPiece:
    """Return a stretch of objects.

    Parameters
    ----------
    path : Path
    start, stop : int
        As `LargeObject.stretches` gives them.
    prepared : bytes
        As `LargeObject.prepare` gives it.
    findings : Findings

    Raises
    ------
    DataError
        If what is there is no JSON.
    """
    head, vertices, digest = msgspec.json.decode(prepared)
    with path.open("rb") as file:
        file.seek(start)
        text = b"{" + file.read(stop - start).rstrip().removesuffix(b",") + b"}"
    said = PARTS.decode(_head(head, digest))
    builder = _StretchBuilder(said, Path(vertices), findings)
    try:
        objects = decode_objects(path, Raw(text), findings)
    except DataError:
        text, count = without_not_numbers(text)
        if not count:
            raise
        findings.add("not-a-number", "", NOT_NUMBERS, count=count)
        objects = decode_objects(path, Raw(text), findings)
    builder.add(objects)
    return builder.piece()


def _decoded_vertices(text: bytes, count: int, findings: Findings) -> Float:
    """Return so many vertices (count, 3), whatever is wrong with them: those after them must keep their numbers."""
    found = decode_many_vertices([Raw(text)])
    if found is not None and len(found[1]) == count:
        return found[1]
    text, odd = without_not_numbers(text)
    if odd:
        findings.add("not-a-number", "", NOT_NUMBERS, count=odd)
    vertices = decode_vertices(Raw(text), findings)
    return vertices if len(vertices) == count else np.full((count, 3), np.nan)


@lru_cache(maxsize=1)
def _head(path: str, digest: str) -> bytes:
    return Path(path).read_bytes()


class _StretchBuilder(FlatBuilder):
    """Collects objects whose vertices are those of the whole file, on the disk."""

    def __init__(self, said: dict[str, Raw], vertices: Path, findings: Findings) -> None:
        super().__init__(findings, read_transform(said, Findings()))
        self._file = vertices
        look = self.add_appearance(decode_any(said.get("appearance")))
        self.add_templates(said.get("geometry-templates"), look)
        self._numbering = Numbering(0, vertices.stat().st_size // 24, *look)

    def add(self, objects: dict[str, CityObject]) -> None:
        """Take objects by id."""
        self.add_objects(objects, self._numbering)

    def _placed(self, surfaces: SurfaceArrays) -> tuple[SurfaceArrays, Float]:
        """Number the vertices that are used anew, from zero."""
        count = len(surfaces.corners)
        anchors = np.array(self._instances.anchors, dtype=np.int64)
        used, number = np.unique(np.concatenate([surfaces.corners, anchors]), return_inverse=True)
        points = _taken(self._file, used)
        if self._transform is not None:
            points = points * self._transform[0] + self._transform[1]
        self._vertices = [points]
        self._instances.anchors[:] = number[count:].tolist()
        return replace(surfaces, corners=number[:count].astype(np.int64)), points

    def piece(self) -> CityPiece:
        """Return everything collected, with the names of what its objects are parts of elsewhere in the file."""
        piece = super().piece()
        names = np.full(len(self._objects), None, dtype=object)
        for row, item in enumerate(self._objects):
            if item.parents and item.parents[0] not in self._ids:
                names[row] = item.parents[0]
        return replace(piece, parent_names=names) if any(names) else piece

    def _kinship(self) -> Findings:
        # Who is missing here may be in another stretch.
        return Findings()


def _taken(path: Path, rows: Int) -> Float:
    """Return some of the vertices; the file is let go of again, for what is mapped counts as memory."""
    if not len(rows):
        return np.zeros((0, 3))
    vertices = np.memmap(path, dtype="<f8", mode="r").reshape(-1, 3)
    return np.array(vertices[rows], dtype=np.float64)
