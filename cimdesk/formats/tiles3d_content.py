"""One content of a tile -> placed triangles, features with attributes, and counts. Knows the containers, not the tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, Strings
from cimdesk.formats.b3dm import composite_parts, counted, read_b3dm
from cimdesk.formats.crease_edges import crease_edges, weld
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf import GltfModel, read_gltf
from cimdesk.formats.gltf_instances import Crowd, repeated
from cimdesk.formats.i3dm import read_i3dm
from cimdesk.formats.picture_places import LaidPicture
from cimdesk.formats.pnts import PointPart, read_pnts
from cimdesk.formats.tiles3d_paths import CONTENT_BYTES, BrokenPart, TilePlace
from cimdesk.formats.tiles3d_stated import StatedBodies, named_as_written, stated_bodies
from cimdesk.model.features import column_of

MAX_NESTING = 8
_UP = {
    "X": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "Y": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
    "Z": np.eye(3),
}
"""Rotation from glTF axes to tile axes by the axis that points up in the glTF."""


@dataclass
class TileContent:
    """What one content gives, in tileset coordinates.

    Attributes
    ----------
    points : list of (V, 3) float64
        One array per primitive.
    triangles : list of (T, 3) int64
        Rows of the array of the same place.
    features : list of (T,) int64
        Row in this content's features, of each triangle.
    colors : list of (4,) or (T, 4) uint8
        Of all triangles or of each.
    laid : list of LaidPicture or None
        What lies on the triangles of each.
    outlined : list of bool
        Whether the creases of a primitive are worth drawing.
    names : list of str
        What tells a feature from the others of the content.
    columns : dict of str to (features,) array
    lasting : list of str
        Identifiers the content itself declares; as many as ``names``, or none.
    bodies : StatedBodies or None
        Where the features really are, when the content shows them as something else.
    clouds : list of PointPart
        Points that are no part of a face.
    point_count, instance_count : int
    added_triangles : int
        Triangles more than the file has, from cutting those with a picture on them.
    """

    points: list[Float] = field(default_factory=list)
    triangles: list[Int] = field(default_factory=list)
    features: list[Int] = field(default_factory=list)
    colors: list[AnyArray] = field(default_factory=list)
    laid: list[LaidPicture | None] = field(default_factory=list)
    outlined: list[bool] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    columns: dict[str, AnyArray] = field(default_factory=dict)
    lasting: list[str] = field(default_factory=list)
    bodies: StatedBodies | None = None
    clouds: list[PointPart] = field(default_factory=list)
    point_count: int = 0
    instance_count: int = 0
    added_triangles: int = 0

    @property
    def triangle_count(self) -> int:
        """Number of triangles over all primitives."""
        return sum(len(each) for each in self.triangles)

    @cached_property
    def welded(self) -> Int:
        """(V,) rows of the first vertices at the same place, of all ``points`` one below the other."""
        return weld(np.concatenate(self.points))

    def edges(self) -> Int:
        """Return (E, 2) int64 outlines of the faces, as rows of all ``points`` one below the other."""
        starts = np.cumsum([0, *(len(each) for each in self.points[:-1])])
        rows = [
            each + start
            for each, start, is_outlined in zip(self.triangles, starts, self.outlined, strict=True)
            if is_outlined and len(each)
        ] if self.points else []  # fmt: skip
        if not rows:
            return np.zeros((0, 2), dtype=np.int64)
        return crease_edges(np.concatenate(self.points), np.concatenate(rows), self.welded)


@dataclass(frozen=True)
class ContentReader:
    """Reads contents of one tileset.

    Attributes
    ----------
    folder : TilePlace
    findings : Findings
    up_axis : str
        ``asset.gltfUpAxis`` of old tilesets, else ``Y``.
    by_node : bool
        Whether this is a model of its own: what belongs to no feature is told apart by its nodes, and pictures stay what they are.
    """

    folder: TilePlace
    findings: Findings
    up_axis: str = "Y"
    by_node: bool = False

    def read(self, reference: str, transform: Float) -> list[TileContent]:
        """Return what a file gives; several for a composite tile, none when it is broken, which is noted."""
        try:
            return self._parts(self.folder.read(reference, CONTENT_BYTES), reference, transform, 0)
        except BrokenPart as broken:
            self.findings.error(broken.code, reference, broken.template, remedy=broken.remedy, **broken.values)
            return []

    def _parts(self, data: bytes, reference: str, transform: Float, depth: int) -> list[TileContent]:
        magic = data[:4]
        if magic == b"b3dm":
            return [self._batched(data, reference, transform)]
        if magic == b"cmpt":
            if depth >= MAX_NESTING:
                raise BrokenPart("deep-composite", "Composite tiles lie too deep inside each other.")
            return self._composite(data, reference, transform, depth)
        if magic == b"pnts":
            return [self._points(data, reference, transform)]
        if magic == b"i3dm":
            return [self._instanced(data, reference, transform)]
        if magic == b"glTF" or data.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] == b"{":
            return [self._model(data, reference, transform, _Wrapping())]
        if magic == b"PK\x03\x04":
            raise BrokenPart("nested-archive", "An archive inside a tileset is not followed; open it by itself.")
        raise BrokenPart("unknown-content", "This is no tile content of a known kind (it begins with {magic}).", magic=repr(magic))

    def _composite(self, data: bytes, reference: str, transform: Float, depth: int) -> list[TileContent]:
        found: list[TileContent] = []
        for k, part in enumerate(composite_parts(data)):
            try:
                for content in self._parts(part, reference, transform, depth + 1):
                    content.names = [f"{k}.{name}" for name in content.names]
                    found.append(content)
            except BrokenPart as broken:
                self.findings.error(broken.code, f"{reference} [{k}]", broken.template, remedy=broken.remedy, **broken.values)
        return found

    def _batched(self, data: bytes, reference: str, transform: Float) -> TileContent:
        model = read_b3dm(data, self.findings, reference)
        return self._model(model.gltf, reference, transform, _Wrapping(model.center, model.batch_length, model.columns))

    def _instanced(self, data: bytes, reference: str, transform: Float) -> TileContent:
        try:
            model = read_i3dm(data, transform, self.findings, reference)
            gltf = model.gltf
            if model.uri:
                gltf = self.folder.read(self.folder.reference(model.uri, self.folder.base_of(reference)), CONTENT_BYTES)
            wrapping = _Wrapping(None, model.batch_length, model.columns, model.crowd)
            content = self._model(gltf, reference, transform, wrapping)
        except BrokenPart as broken:
            # How many things are missing from the picture is still worth knowing.
            self.findings.error(broken.code, reference, broken.template, remedy=broken.remedy, **broken.values)
            return TileContent(instance_count=counted(data, "INSTANCES_LENGTH"))
        content.instance_count = model.count
        return content

    def _model(self, data: bytes, reference: str, transform: Float, wrapping: _Wrapping) -> TileContent:
        base = self.folder.base_of(reference)

        def resolve(uri: str) -> bytes:
            return self.folder.read(self.folder.reference(uri, base), CONTENT_BYTES)

        copies = 1 if wrapping.crowd is None else len(wrapping.crowd)
        model = read_gltf(data, resolve, self.findings, reference, copies, self.by_node)
        content = TileContent(point_count=model.point_count, instance_count=model.instance_count)
        if wrapping.columns:
            content.names = [str(k) for k in range(wrapping.batch_length)]
            content.columns = dict(wrapping.columns)
        self._place(model, wrapping, reference)
        if not self.by_node:
            model.primitives = [replace(primitive, part="") for primitive in model.primitives]
        _add_features(content, model, wrapping, self.findings, reference)
        bodies = stated_bodies(model.document, len(content.names))
        if bodies is not None and bodies.tops is not None:
            bodies = replace(bodies, tops=bodies.tops @ transform[:3, :3].T + transform[:3, 3])
        content.bodies = bodies
        content.clouds = [part.moved(transform) for part in model.clouds]
        is_mirrored = np.linalg.det(transform[:3, :3]) < 0
        for primitive in model.primitives:
            content.points.append(primitive.points @ transform[:3, :3].T + transform[:3, 3])
            content.triangles.append(primitive.triangles[:, ::-1] if is_mirrored else primitive.triangles)
            content.colors.append(primitive.color)
            content.laid.append(primitive.laid and primitive.laid.turned() if is_mirrored else primitive.laid)
            content.outlined.append(primitive.has_outline)
            content.added_triangles += primitive.added
        return content

    def _points(self, data: bytes, reference: str, transform: Float) -> TileContent:
        try:
            part = read_pnts(data, self.findings, reference)
        except BrokenPart as broken:
            # How many points are missing from the picture is still worth knowing.
            self.findings.error(broken.code, reference, broken.template, remedy=broken.remedy, **broken.values)
            return TileContent(point_count=counted(data, "POINTS_LENGTH"))
        return TileContent(clouds=[part.moved(transform)], point_count=len(part))

    def _place(self, model: GltfModel, wrapping: _Wrapping, where: str) -> None:
        """Take the primitives of a model from the axes of glTF to those of its tile, at every place it stands."""
        shift = np.zeros(3)
        for each in (wrapping.center, model.center):
            if each is not None:
                shift = shift + each
        turn = _UP.get(self.up_axis, _UP["Y"])
        model.clouds = [replace(part, points=part.points @ turn.T + shift) for part in model.clouds]
        for k, primitive in enumerate(model.primitives):
            placed = replace(primitive, points=primitive.points @ turn.T + shift)
            model.primitives[k] = placed if wrapping.crowd is None else repeated(placed, wrapping.crowd, self.findings, where)


@dataclass(frozen=True)
class _Wrapping:
    """What the container around a glTF adds to it.

    Attributes
    ----------
    center : (3,) float64 or None
    batch_length : int
    columns : dict of str to (batch_length,) array
        Batch table.
    crowd : Crowd or None
        Places of an instanced tile.
    """

    center: Float | None = None
    batch_length: int = 0
    columns: dict[str, AnyArray] = field(default_factory=dict)
    crowd: Crowd | None = None


def _add_features(content: TileContent, model: GltfModel, wrapping: _Wrapping, findings: Findings, where: str) -> None:
    """Number the features of all primitives: rows of tables first, then identifiers without a table, then what has none."""
    has_batch = bool(wrapping.columns)
    starts = {} if has_batch or wrapping.crowd is not None else _table_rows(content, model, findings, where)
    loose: dict[tuple[str, int], int] = {}
    for primitive in model.primitives:
        ids = primitive.feature_ids
        if ids is None:
            ids = np.full(len(primitive.triangles), -1, dtype=np.int64)
        start, size = starts.get(primitive.table, (0, wrapping.batch_length if has_batch else 0))
        in_table = (ids >= 0) & (ids < size)
        rows = np.where(in_table, ids + start, -1)
        values, inverse = np.unique(ids[~in_table], return_inverse=True)
        keys = [(primitive.family if value >= 0 else primitive.part, value) for value in values.tolist()]
        for key in keys:
            if key not in loose:
                loose[key] = len(content.names)
                content.names.append(f"{key[0]}{key[1]}" if key[1] >= 0 else key[0])
        rows[~in_table] = np.array([loose[key] for key in keys], dtype=np.int64)[inverse]
        content.features.append(rows)
    _add_values(content, model)
    if not has_batch:
        _add_further(content, model, findings, where)


def _add_further(content: TileContent, model: GltfModel, findings: Findings, where: str) -> None:
    """Add what the other feature sets say: the row of another table that all of a feature is in, where that is one only."""
    count = len(content.names)
    for table in sorted({each for primitive in model.primitives for each in primitive.further}):
        if model.tables is None or not 0 <= table < len(model.tables) or not count:
            continue
        pairs = [(rows, p.further[table]) for rows, p in zip(content.features, model.primitives, strict=True) if table in p.further]
        try:
            known, columns = model.tables.rows(table), model.tables.columns(table, findings, where)
        except BrokenPart as broken:
            findings.add(broken.code, where, broken.template, remedy=broken.remedy, **broken.values)
            continue
        low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
        for rows, others in pairs:
            np.minimum.at(low, rows, others)
            np.maximum.at(high, rows, others)
        is_one = (low == high) & (low >= 0) & (low < known)
        for name, values in columns.items():
            out = np.full(count, None, dtype=object)
            out[is_one] = values[low[is_one]].tolist()
            content.columns.setdefault(name, column_of([None if value != value else value for value in out.tolist()]))


def _add_values(content: TileContent, model: GltfModel) -> None:
    """Add properties that are kept by place (textures, vertices) as columns: the mean over a feature, or its commonest name."""
    count = len(content.names)
    names = dict.fromkeys(name for primitive in model.primitives for name in primitive.values)
    for name in names:
        found = [
            (rows, each.values[name]) for rows, each in zip(content.features, model.primitives, strict=True) if name in each.values
        ]
        rows = np.concatenate([rows for rows, _ in found])
        values = np.concatenate([values for _, values in found])
        content.columns.setdefault(name, _by_feature(rows, values, count))


def _by_feature(rows: Int, values: AnyArray, count: int) -> AnyArray:
    """Return (count,) means of numbers, or the commonest of names, over the rows of each feature."""
    if values.dtype == object:
        texts, codes = np.unique(values.astype(str), return_inverse=True)
        tally = np.zeros((count, len(texts)), dtype=np.int64)
        np.add.at(tally, (rows, codes), 1)
        out: AnyArray = texts[tally.argmax(axis=1)].astype(object)
        out[tally.sum(axis=1) == 0] = None
        return out
    known = np.isfinite(values)
    total = np.bincount(rows[known], weights=values[known].astype(np.float64), minlength=count)
    times = np.bincount(rows[known], minlength=count)
    means: AnyArray = np.divide(total, times, out=np.full(count, np.nan), where=times > 0)
    return means


def _table_rows(content: TileContent, model: GltfModel, findings: Findings, where: str) -> dict[int, tuple[int, int]]:
    """Add the rows of every property table in use; return where each starts and its size."""
    starts: dict[int, tuple[int, int]] = {}
    tables = model.tables
    if tables is None:
        return starts
    used = sorted({p.table for p in model.primitives if 0 <= p.table < len(tables)})
    blocks: list[tuple[int, dict[str, AnyArray]]] = []
    for table in used:
        try:
            count = tables.rows(table)
            columns = tables.columns(table, findings, where)
        except BrokenPart as broken:
            findings.add(broken.code, where, broken.template, remedy=broken.remedy, **broken.values)
            continue
        columns, lasting = named_as_written(model.document, tables.class_name(table), columns)
        content.lasting += [] if lasting is None else lasting.tolist()
        kind = np.full(count, tables.class_name(table) or None, dtype=object)
        starts[table] = (len(content.names), count)
        content.names.extend(f"{table}.{k}" if len(used) > 1 else str(k) for k in range(count))
        blocks.append((count, {"type": kind, **columns}))
    content.columns = merged_columns(blocks)
    return starts


def merged_columns(blocks: Sequence[tuple[int, dict[str, AnyArray]]]) -> dict[str, AnyArray]:
    """Return columns of all blocks one below the other.

    A column missing in a block, or shorter than it, is NaN or None there; where the kinds of number differ the widest wins, and
    text wins over numbers.
    """
    names = dict.fromkeys(name for _, columns in blocks for name in columns)
    return {name: _merged([(count, columns.get(name)) for count, columns in blocks]) for name in names}


def _merged(pieces: Sequence[tuple[int, AnyArray | None]]) -> AnyArray:
    kinds = {piece.dtype.kind for _, piece in pieces if piece is not None and len(piece)}
    whole = all(piece is not None and len(piece) == count for count, piece in pieces)
    if whole and len(kinds) == 1 and kinds <= set("bif"):
        return np.concatenate([piece for _, piece in pieces if piece is not None])
    if kinds <= set("if"):
        return np.concatenate([_padded(piece, count) for count, piece in pieces])
    return np.concatenate([_as_texts(piece, count) for count, piece in pieces])


def _padded(piece: AnyArray | None, count: int) -> Float:
    out: Float = np.full(count, np.nan)
    if piece is not None:
        out[: len(piece)] = piece
    return out


def _as_texts(piece: AnyArray | None, count: int) -> AnyArray:
    out: Strings = np.full(count, None, dtype=object)
    if piece is None:
        return out
    if piece.dtype.kind == "O":
        out[: len(piece)] = piece
    else:
        out[: len(piece)] = [None if value != value else str(value) for value in piece.tolist()]
    return out
