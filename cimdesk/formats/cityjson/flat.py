"""Lines of a CityJSON sequence as flat triangles in double precision, the finest level of detail only: for tiling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, islice

import msgspec
import numpy as np
from msgspec import Raw, Struct, field

from cimdesk.base.arrays import Bool, Float, Int, offsets_from_counts
from cimdesk.base.crs import Crs
from cimdesk.formats.cityjson.builder import Appearance, CityBuilder, decode_vertices
from cimdesk.formats.cityjson.header import read_crs, read_metadata, read_transform
from cimdesk.formats.cityjson.hierarchy import feature_table, parent_rows
from cimdesk.formats.cityjson.sequence import add_line, read_header
from cimdesk.formats.cityjson.structure import FEATURE, CityObject, Vertex, decode_any
from cimdesk.formats.cityjson.surfaces import Numbering
from cimdesk.formats.findings import Findings
from cimdesk.formats.mesh_assembly import LARGEST, WHITE, is_usable, origin_of, place_instances
from cimdesk.formats.polygons import Polygons, triangulate
from cimdesk.formats.surface_arrays import SurfaceArrays, without_twins
from cimdesk.model.city_piece import CityPiece
from cimdesk.model.mesh import TriangleMesh

BATCH = 500
"""Lines decoded together."""


@dataclass(frozen=True)
class SequenceHead:
    """What the lines of a sequence need to know of its first one.

    Attributes
    ----------
    line : bytes
        The header; empty when the sequence has none.
    crs : Crs or None
    place : (3,) float64
        A place in the city, NaN when neither header nor first feature tells.
    """

    line: bytes
    crs: Crs | None
    place: Float


def read_head_lines(first: bytes, second: bytes, findings: Findings) -> SequenceHead:
    """Return what the first line says, with a place out of the second one."""
    parts = read_header(first, 1, findings)
    transform = read_transform(parts, findings)
    crs = read_crs(read_metadata(parts), findings) if parts else None
    place = np.full(3, np.nan)
    try:
        vertices = decode_vertices(FEATURE.decode(second if parts else first).vertices, findings, "line 2")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        vertices = np.zeros((0, 3))
    if len(vertices):
        place = vertices[0] if transform is None else vertices[0] * transform[0] + transform[1]
    elif transform is not None:
        place = transform[1]
    return SequenceHead(first if parts else b"", crs, place)


def read_lines(head: bytes, lines: Iterable[tuple[int, bytes]], findings: Findings, with_head: bool = False) -> CityPiece:
    """Return the features of some lines of a sequence.

    Parameters
    ----------
    head : bytes
        The header line, empty for none.
    lines : iterable of (int, bytes)
        Byte of the file where each line begins, and the line.
    findings : Findings
    with_head : bool
        Take the objects in the header too.
    """
    parts = read_header(head, 1, findings) if head else {}
    builder = FlatBuilder(findings, read_transform(parts, findings))
    appearance = decode_any(parts.get("appearance"))
    look = builder.add_appearance(appearance)
    builder.add_templates(parts.get("geometry-templates"), look)
    if with_head and head:
        add_line(head, "line 1", builder, look, findings, is_header=True)
    waiting = iter(lines)
    while batch := list(islice(waiting, BATCH)):
        if not builder.add_batch([line for _, line in batch], look):
            # One of them is bad or has materials of its own: each by itself, with what is wrong.
            for at, line in batch:
                add_line(line, f"byte {at}", builder, look, findings)
    return builder.piece()


class _PlainFeature(Struct, gc=False):
    """A line of a sequence as nearly all are: everything as it should be."""

    type: str = ""
    objects: dict[str, CityObject] = field(default_factory=dict, name="CityObjects")
    vertices: Raw = Raw()
    id: str = ""
    appearance: Raw = Raw()


_VERTICES: msgspec.json.Decoder[list[list[Vertex]]] = msgspec.json.Decoder(list[list[Vertex]])
_PLAIN: msgspec.json.Decoder[list[_PlainFeature]] = msgspec.json.Decoder(list[_PlainFeature])

_NONE = Raw(b"[]")


def decode_many_vertices(texts: list[Raw]) -> tuple[Int, Float] | None:
    """Return how many vertices each text has, and all of them (V, 3); None when a text is no list of three numbers each."""
    from cimdesk.formats.number_kernels import nested_numbers

    found = nested_numbers(texts, 2)
    if found is not None and (found.lengths == 3).all() and not np.isnan(found.numbers).any():
        return found.groups, found.numbers.reshape(-1, 3)
    try:
        lists = _VERTICES.decode(b"[" + b",".join(texts) + b"]")
    except (msgspec.DecodeError, RecursionError):
        return None
    flat = list(chain.from_iterable(lists))
    counts = np.fromiter(map(len, lists), np.int64, len(lists))
    return counts, np.fromiter(chain.from_iterable(flat), np.float64, 3 * len(flat)).reshape(-1, 3)


class FlatBuilder(CityBuilder):
    """Collects objects like any other, and gives them as one piece."""

    def add_batch(self, lines: list[bytes], look: Appearance) -> bool:
        """Take many lines at once; return whether that was possible. Nothing is taken when it was not."""
        try:
            features = _PLAIN.decode(b"[" + b",".join(lines) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if len(features) != len(lines) or any(f.appearance or f.type != "CityJSONFeature" for f in features):
            return False
        found = decode_many_vertices([feature.vertices or _NONE for feature in features])
        if found is None:
            return False
        counts, vertices = found
        start = self._vertex_count
        for feature, count in zip(features, counts.tolist(), strict=True):
            self.add_objects(feature.objects, Numbering(start, count, *look), feature.id)
            start += count
        self._vertex_count = start
        if self._transform is not None:
            vertices = vertices * self._transform[0] + self._transform[1]
        self._vertices.append(vertices)
        return True

    def add_objects(self, objects: Mapping[str, CityObject], numbering: Numbering, where: str = "") -> None:
        """Take city objects by id, without the counts that nobody asks for here."""
        ids, surfaces = self._ids, self._surfaces
        for key, item in objects.items():
            row = len(self._objects)
            if key not in ids and item.geometry is not None and surfaces.add_usual(row, key, item.geometry, numbering):
                ids[key] = row
                self._objects.append(item)
            else:
                super().add_objects({key: item}, numbering, where)

    def _all_vertices(self) -> Float:
        return np.concatenate(self._vertices) if self._vertices else np.zeros((0, 3))

    def piece(self) -> CityPiece:
        """Return everything collected."""
        names = list(self._ids)
        colors = np.concatenate(self._colors) if self._colors else np.zeros((0, 4), dtype=np.uint8)
        surfaces, points = self._placed(_finest(self._surfaces.surfaces(), len(names)))
        surfaces, points, triangles, polygon_of = _triangles(surfaces, points, names, self._findings)
        owner, kind = surfaces.owners[polygon_of], surfaces.kinds[polygon_of].astype(np.uint8)
        materials = surfaces.materials[polygon_of]
        painted = None
        if len(colors) and (materials >= 0).any():
            painted = np.concatenate([colors, np.array([WHITE], dtype=np.uint8)])[materials]
        parents, groups = parent_rows(self._ids, self._objects, self._kinship())
        table = feature_table(names, self._objects, groups, self._findings)
        piece = CityPiece(table, parents.astype(np.int64), points, triangles, owner, kind, painted)
        return self._with_instances(piece) if self._instances.rows else piece

    def _placed(self, surfaces: SurfaceArrays) -> tuple[SurfaceArrays, Float]:
        """Return surfaces with the world points that their corners are."""
        return surfaces, self._all_vertices()

    def _kinship(self) -> Findings:
        """Return where it is noted that parts or what they are parts of are missing."""
        return self._findings

    def _with_instances(self, piece: CityPiece) -> CityPiece:
        vertices = self._all_vertices()
        origin = origin_of(vertices)
        placed = place_instances(self._instances, self._templates, vertices, origin, self._findings)
        if not placed:
            return piece
        mesh = placed[max(placed)]
        return _joined(piece, mesh)


def _joined(piece: CityPiece, mesh: TriangleMesh) -> CityPiece:
    has_own = np.zeros(len(piece.features), dtype=bool)
    has_own[piece.owner] = True
    wanted: Bool = ~has_own[mesh.feature_index]
    colors = None
    if piece.colors is not None or mesh.colors is not None:
        white = np.uint8(255)
        ours = np.full((len(piece.triangles), 4), white) if piece.colors is None else piece.colors
        theirs = np.full((len(mesh.triangles), 4), white) if mesh.colors is None else mesh.colors
        colors = np.concatenate([ours, theirs[wanted]])
    return CityPiece(
        piece.features,
        piece.parents,
        np.concatenate([piece.points, mesh.world_vertices()]),
        np.concatenate([piece.triangles, mesh.triangles[wanted].astype(np.int64) + len(piece.points)]),
        np.concatenate([piece.owner, mesh.feature_index[wanted].astype(np.int64)]),
        np.concatenate([piece.kind, mesh.surface[wanted]]),
        colors,
    )


def _finest(surfaces: SurfaceArrays, count: int) -> SurfaceArrays:
    """Return the surfaces of the finest level of detail each object has."""
    if len(surfaces.lod_names) < 2:
        return surfaces
    order = sorted(range(len(surfaces.lod_names)), key=lambda code: _fineness(surfaces.lod_names[code]))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    ranks = rank[surfaces.lods]
    best = np.full(count, -1, dtype=np.int64)
    np.maximum.at(best, surfaces.owners, ranks)
    return surfaces.where(ranks == best[surfaces.owners])


def _fineness(name: str) -> float:
    return float(name) if name.replace(".", "", 1).isdigit() else -1.0


def _triangles(
    surfaces: SurfaceArrays, points: Float, names: list[str], findings: Findings
) -> tuple[SurfaceArrays, Float, Int, Int]:
    """Return the surfaces that can be drawn, world points with those that repairs add, triangles, and the surface of each."""
    if not (np.abs(points).max(initial=0.0) < LARGEST):
        usable = is_usable(points)
        bad = surfaces.touching(~usable[surfaces.corners])
        for row in np.unique(surfaces.owners[bad]).tolist():
            findings.error("bad-coordinate", names[row], "Surfaces with impossible coordinates are left out: {count}.",
                           count=int((surfaces.owners[bad] == row).sum()))  # fmt: skip
        surfaces = surfaces.where(~bad)
        points = np.where(usable[:, None], points, 0.0)
    surfaces = without_twins(surfaces)
    origin = origin_of(points)
    found = triangulate(
        Polygons(
            points - origin, surfaces.corners, offsets_from_counts(surfaces.ring_lengths), offsets_from_counts(surfaces.ring_counts)
        )
    )
    for row in np.unique(surfaces.owners[found.is_degenerate]).tolist():
        findings.add("degenerate-surface", names[row], "Surfaces without area are not drawn: {count}.",
                     count=int((surfaces.owners[found.is_degenerate] == row).sum()))  # fmt: skip
    return surfaces, np.concatenate([points, found.extra_points + origin]), found.triangles, found.polygon_of
