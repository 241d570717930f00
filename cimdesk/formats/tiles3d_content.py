"""One content of a tile -> placed triangles, features with attributes, and counts. Knows the containers, not the tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, Strings
from cimdesk.formats.b3dm import composite_parts, counted, read_b3dm
from cimdesk.formats.crease_edges import crease_edges
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf import GltfModel, read_gltf
from cimdesk.formats.gltf_json import as_list
from cimdesk.formats.gltf_metadata import PropertyTables
from cimdesk.formats.tiles3d_paths import CONTENT_BYTES, BrokenPart, TilePlace
from cimdesk.formats.tiles3d_stated import named_as_written

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
    colors : list of (4,) uint8
    names : list of str
        What tells a feature from the others of the content.
    columns : dict of str to (features,) array
    lasting : list of str
        Identifiers the content itself declares; as many as ``names``, or none.
    point_count, instance_count : int
        Counted, not drawn.
    """

    points: list[Float] = field(default_factory=list)
    triangles: list[Int] = field(default_factory=list)
    features: list[Int] = field(default_factory=list)
    colors: list[AnyArray] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    columns: dict[str, AnyArray] = field(default_factory=dict)
    lasting: list[str] = field(default_factory=list)
    point_count: int = 0
    instance_count: int = 0

    @property
    def triangle_count(self) -> int:
        """Number of triangles over all primitives."""
        return sum(len(each) for each in self.triangles)

    def edges(self) -> Int:
        """Return (E, 2) int64 outlines of the faces, as rows of all ``points`` one below the other."""
        if not self.points:
            return np.zeros((0, 2), dtype=np.int64)
        starts = np.cumsum([0, *(len(each) for each in self.points[:-1])])
        rows = np.concatenate([each + start for each, start in zip(self.triangles, starts, strict=True)])
        return crease_edges(np.concatenate(self.points), rows)


@dataclass(frozen=True)
class ContentReader:
    """Reads contents of one tileset.

    Attributes
    ----------
    folder : TilePlace
    findings : Findings
    up_axis : str
        ``asset.gltfUpAxis`` of old tilesets, else ``Y``.
    """

    folder: TilePlace
    findings: Findings
    up_axis: str = "Y"

    def read(self, reference: str, transform: Float) -> list[TileContent]:
        """Return what a file gives; several for a composite tile, none when it is broken, which is noted."""
        try:
            return self._parts(self.folder.read(reference, CONTENT_BYTES), reference, transform, 0)
        except BrokenPart as broken:
            self.findings.error(broken.code, reference, broken.template, **broken.values)
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
            points = counted(data, "POINTS_LENGTH")
            self.findings.add("points", reference, "Point tiles are not drawn yet ({count} points).", count=points)
            return [TileContent(point_count=points)]
        if magic == b"i3dm":
            instances = counted(data, "INSTANCES_LENGTH")
            self.findings.add("instances", reference, "Instanced tiles are not drawn yet ({count} instances).", count=instances)
            return [TileContent(instance_count=instances)]
        if magic == b"glTF" or data.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] == b"{":
            return [self._model(data, reference, transform, None, 0, {})]
        raise BrokenPart("unknown-content", "This is no tile content of a known kind (it begins with {magic}).", magic=repr(magic))

    def _composite(self, data: bytes, reference: str, transform: Float, depth: int) -> list[TileContent]:
        found: list[TileContent] = []
        for k, part in enumerate(composite_parts(data)):
            try:
                for content in self._parts(part, reference, transform, depth + 1):
                    content.names = [f"{k}.{name}" for name in content.names]
                    found.append(content)
            except BrokenPart as broken:
                self.findings.error(broken.code, f"{reference} [{k}]", broken.template, **broken.values)
        return found

    def _batched(self, data: bytes, reference: str, transform: Float) -> TileContent:
        model = read_b3dm(data, self.findings, reference)
        return self._model(model.gltf, reference, transform, model.center, model.batch_length, model.columns)

    def _model(
        self, data: bytes, reference: str, transform: Float, center: Float | None, batch_length: int, columns: dict[str, AnyArray]
    ) -> TileContent:
        base = self.folder.base_of(reference)

        def resolve(uri: str) -> bytes:
            return self.folder.read(self.folder.reference(uri, base), CONTENT_BYTES)

        model = read_gltf(data, resolve, self.findings, reference)
        tables: PropertyTables | None = None
        try:
            tables = PropertyTables(model.document, model.buffers, resolve)
        except BrokenPart as broken:
            self.findings.add(broken.code, reference, broken.template, **broken.values)
        content = TileContent(point_count=model.point_count, instance_count=_instances(model))
        if columns:
            content.names = [str(k) for k in range(batch_length)]
            content.columns = dict(columns)
        if model.has_feature_textures:
            self.findings.info("feature-texture", reference, "Features told apart by a texture are not read yet.")
        if model.point_count:
            self.findings.add("points", reference, "Point tiles are not drawn yet ({count} points).", count=model.point_count)
        _add_features(content, model, tables if not columns else None, batch_length if columns else -1, self.findings, reference)
        shift = np.zeros(3)
        for each in (center, model.center):
            if each is not None:
                shift = shift + each
        turn = _UP.get(self.up_axis, _UP["Y"])
        for primitive in model.primitives:
            local = primitive.points @ turn.T + shift
            content.points.append(local @ transform[:3, :3].T + transform[:3, 3])
            flipped = np.linalg.det(transform[:3, :3]) < 0
            content.triangles.append(primitive.triangles[:, ::-1] if flipped else primitive.triangles)
            content.colors.append(primitive.color)
        return content


def _add_features(
    content: TileContent, model: GltfModel, tables: PropertyTables | None, batch_length: int, findings: Findings, where: str
) -> None:
    """Number the features of all primitives: rows of tables first, then identifiers without a table, then what has none.

    ``batch_length`` is -1 without a batch table; with one, its rows are already in ``content``.
    """
    starts = _table_rows(content, model, tables, findings, where)
    loose: dict[int, int] = {}
    for primitive in model.primitives:
        corner = primitive.triangles[:, 0]
        ids = np.full(len(corner), -1, dtype=np.int64) if primitive.feature_ids is None else primitive.feature_ids[corner]
        start, size = starts.get(primitive.table, (0, batch_length if batch_length >= 0 else 0))
        in_table = (ids >= 0) & (ids < size)
        rows = np.where(in_table, ids + start, -1)
        values, inverse = np.unique(ids[~in_table], return_inverse=True)
        for value in values.tolist():
            if value not in loose:
                loose[value] = len(content.names)
                content.names.append(str(value) if value >= 0 else "")
        rows[~in_table] = np.array([loose[value] for value in values.tolist()], dtype=np.int64)[inverse]
        content.features.append(rows)


def _table_rows(
    content: TileContent, model: GltfModel, tables: PropertyTables | None, findings: Findings, where: str
) -> dict[int, tuple[int, int]]:
    """Add the rows of every property table in use; return where each starts and its size."""
    starts: dict[int, tuple[int, int]] = {}
    if tables is None:
        return starts
    used = sorted({p.table for p in model.primitives if 0 <= p.table < len(tables)})
    blocks: list[tuple[int, dict[str, AnyArray]]] = []
    for table in used:
        try:
            count = tables.rows(table)
            columns = tables.columns(table, findings, where)
        except BrokenPart as broken:
            findings.add(broken.code, where, broken.template, **broken.values)
            continue
        columns, lasting = named_as_written(model.document, tables.class_name(table), columns)
        content.lasting += [] if lasting is None else lasting.tolist()
        kind = np.full(count, tables.class_name(table) or None, dtype=object)
        starts[table] = (len(content.names), count)
        content.names.extend(f"{table}.{k}" if len(used) > 1 else str(k) for k in range(count))
        blocks.append((count, {"type": kind, **columns}))
    content.columns = merged_columns(blocks)
    return starts


def _instances(model: GltfModel) -> int:
    count = 0
    for node in as_list(model.document.get("nodes")):
        extension = node.get("extensions") if isinstance(node, dict) else None
        attributes = extension.get("EXT_mesh_gpu_instancing", {}).get("attributes") if isinstance(extension, dict) else None
        accessors = as_list(model.document.get("accessors"))
        for index in (attributes or {}).values() if isinstance(attributes, dict) else ():
            if isinstance(index, int) and 0 <= index < len(accessors) and isinstance(accessors[index], dict):
                count += int(accessors[index].get("count") or 0)
                break
    return count


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
