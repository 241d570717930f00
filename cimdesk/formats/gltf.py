"""glTF 2.0 (GLB or JSON) -> triangles in numpy, with colours and features; no skins or animation.

Cesium's and pg2b3dm's tiles are small files by the thousand; this reads one without building an object per node or vertex.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Int
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_buffers import Buffers, Resolver, accessor, item_of
from cimdesk.formats.gltf_instances import Primitive, read_crowd, repeated
from cimdesk.formats.gltf_json import as_dict, as_int, as_list, json_object, number_list
from cimdesk.formats.gltf_metadata import PropertyTables
from cimdesk.formats.gltf_points import point_part
from cimdesk.formats.gltf_surface import Surface
from cimdesk.formats.gltf_textures import Textures
from cimdesk.formats.metadata_schema import Schema
from cimdesk.formats.pnts import PointPart
from cimdesk.formats.tiles3d_paths import BrokenPart

MAX_DEPTH = 200
FARTHEST = 1e9
"""Vertices beyond this are damage, not places [m]."""
_SUPPORTED = frozenset({
    "KHR_draco_mesh_compression", "KHR_mesh_quantization", "EXT_mesh_features", "EXT_structural_metadata", "CESIUM_RTC",
    "EXT_instance_features", "EXT_mesh_gpu_instancing", "EXT_meshopt_compression", "KHR_meshopt_compression",
    "KHR_texture_transform", "EXT_texture_webp", "KHR_texture_basisu", "KHR_techniques_webgl", "CESIUM_primitive_outline",
    "EXT_feature_metadata", "KHR_materials_pbrSpecularGlossiness", "KHR_materials_unlit",
})  # fmt: skip


@dataclass
class GltfModel:
    """What one glTF file holds.

    Attributes
    ----------
    primitives : list of Primitive
    document : dict
        The JSON.
    buffers : Buffers
    tables : PropertyTables or None
        Properties of features.
    center : (3,) float64 or None
        CESIUM_RTC offset in tile axes.
    point_count : int
        Points of point primitives.
    clouds : list of PointPart
        These points, placed.
    instance_count : int
    """

    primitives: list[Primitive]
    document: dict[str, Any]
    buffers: Buffers
    tables: PropertyTables | None = None
    center: Float | None = None
    point_count: int = 0
    instance_count: int = 0
    clouds: list[PointPart] = field(default_factory=list)


@dataclass(frozen=True)
class _Work:
    """What reading the primitives of one file needs."""

    model: GltfModel
    surface: Surface
    findings: Findings
    where: str


def read_gltf(
    data: bytes, resolve: Resolver, findings: Findings, where: str, copies: int = 1, lays_pictures: bool = False
) -> GltfModel:
    """Read a GLB or glTF JSON file.

    Parameters
    ----------
    data : bytes
    resolve : callable
        Gives the bytes of a file that the model refers to by a relative path.
    findings : Findings
        Told of primitives that cannot be used; ``where`` is their place.
    copies : int
        How often it is going to be drawn: pictures on a crowd are shown less finely.
    lays_pictures : bool
        Keep pictures as they are on whole triangles, instead of cutting these into small ones of one colour.

    Raises
    ------
    BrokenPart
        If nothing in it can be used.
    """
    document, binary = _split(data)
    asset = as_dict(document.get("asset"))
    if str(asset.get("version", "")).startswith("1"):
        raise BrokenPart("old-gltf", "The content is glTF 1.0, which is not read; convert it to glTF 2.0.")
    unknown = [str(name) for name in as_list(document.get("extensionsRequired")) if str(name) not in _SUPPORTED]
    if unknown:
        raise BrokenPart("gltf-extension", "The content needs {names}, which is not read.", names=", ".join(unknown)[:120])
    model = GltfModel([], document, Buffers(document, binary, resolve))
    model.tables = _tables(model, findings, where)
    rtc = number_list(as_dict(as_dict(document.get("extensions")).get("CESIUM_RTC")).get("center"), 3)
    model.center = None if rtc is None else np.array(rtc)
    surface = Surface(document, Textures(document, model.buffers), model.tables, findings, where, copies, lays_pictures)
    work = _Work(model, surface, findings, where)
    for matrix, node, mesh in _placed_meshes(document, findings, where):
        _add_mesh(work, matrix, node, mesh)
    return model


def _tables(model: GltfModel, findings: Findings, where: str) -> PropertyTables | None:
    extension = as_dict(as_dict(model.document.get("extensions")).get("EXT_structural_metadata"))
    try:
        return PropertyTables(extension, model.buffers.view, Schema.of(extension, model.buffers.resolve))
    except BrokenPart as broken:
        findings.add(broken.code, where, broken.template, remedy=broken.remedy, **broken.values)
        return None


def document_of(data: bytes) -> dict[str, Any]:
    """Return the JSON of a GLB or glTF file.

    Raises
    ------
    BrokenPart
        If there is none that can be read.
    """
    return _split(data)[0]


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the JSON and the binary chunk of a GLB; of plain glTF, the JSON and nothing."""
    if data[:4] != b"glTF":
        return json_object(data), b""
    if len(data) < 20:
        raise BrokenPart("short-glb", "The GLB ends in its header.")
    version, length = struct.unpack_from("<II", data, 4)
    if version == 1:
        raise BrokenPart("old-gltf", "The content is glTF 1.0, which is not read; convert it to glTF 2.0.")
    if length > len(data):
        raise BrokenPart("short-glb", "The GLB says {said} bytes and has {size}.", said=length, size=len(data))
    document: dict[str, Any] | None = None
    binary = b""
    at = 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, at)
        if at + 8 + size > len(data):
            raise BrokenPart("short-glb", "The GLB says {said} bytes and has {size}.", said=at + 8 + size, size=len(data))
        chunk = data[at + 8 : at + 8 + size]
        if kind == b"JSON" and document is None:
            document = json_object(chunk)
        elif kind == b"BIN\0" and not binary:
            binary = chunk
        at += 8 + size
    if document is None:
        raise BrokenPart("no-json", "The GLB has no JSON chunk.")
    return document, binary


def _placed_meshes(
    document: Mapping[str, Any], findings: Findings, where: str
) -> Iterator[tuple[Float, dict[str, Any], dict[str, Any]]]:
    """Yield each node that has a mesh with the (4, 4) matrix of its place, from the roots of the scene, and the mesh."""
    nodes = as_list(document.get("nodes"))
    scenes = as_list(document.get("scenes"))
    if scenes:
        chosen = as_int(document.get("scene"), 0)
        roots = as_list(as_dict(scenes[chosen if 0 <= chosen < len(scenes) else 0]).get("nodes"))
    else:
        children = {child for node in nodes for child in as_list(as_dict(node).get("children")) if isinstance(child, int)}
        roots = [k for k in range(len(nodes)) if k not in children]
    stack = [(root, np.eye(4), 0) for root in reversed(roots)]
    budget = 20 * len(nodes) + 20
    while stack:
        index, matrix, depth = stack.pop()
        budget -= 1
        if depth > MAX_DEPTH or budget < 0:
            findings.error("node-cycle", where, "The nodes of the content form a cycle; what is left of them is not drawn.")
            return
        try:
            node = item_of(document, "nodes", index)
            placed = matrix @ _node_matrix(node)
            if "mesh" in node:
                yield placed, node, item_of(document, "meshes", node["mesh"])
        except BrokenPart as broken:
            findings.error(broken.code, where, broken.template, remedy=broken.remedy, **broken.values)
            continue
        stack.extend((child, placed, depth + 1) for child in as_list(node.get("children")))


def _node_matrix(node: Mapping[str, Any]) -> Float:
    matrix = number_list(node.get("matrix"), 16)
    if matrix is not None:
        return np.array(matrix).reshape(4, 4).T
    out = np.eye(4)
    x, y, z, w = number_list(node.get("rotation"), 4) or (0.0, 0.0, 0.0, 1.0)
    out[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    out[:3, :3] *= np.array(number_list(node.get("scale"), 3) or (1.0, 1.0, 1.0))
    out[:3, 3] = number_list(node.get("translation"), 3) or (0.0, 0.0, 0.0)
    return out


def _add_mesh(work: _Work, matrix: Float, node: Mapping[str, Any], mesh: Mapping[str, Any]) -> None:
    """Add the primitives of a mesh at the place of a node, at every instance of it."""
    model, findings, where = work.model, work.findings, work.where
    family = f"{model.instance_count}+" if model.instance_count else ""
    try:
        crowd = read_crowd(node, model.document, model.buffers, family, findings, where)
    except BrokenPart as broken:
        findings.error(broken.code, where, broken.template, remedy=broken.remedy, **broken.values)
        crowd = None
    copies = work.surface.copies
    if crowd is not None:
        model.instance_count += len(crowd)
        work.surface.copies = copies * len(crowd)
    for entry in as_list(mesh.get("primitives")):
        try:
            if as_int(as_dict(entry).get("mode"), 4) == 0:
                _add_points(work, as_dict(entry), matrix)
                continue
            primitive = _primitive(work, as_dict(entry))
            if primitive is None:
                continue
            if crowd is not None:
                primitive = repeated(primitive, crowd, findings, where)
            model.primitives.append(replace(_placed(primitive, matrix), part=str(node.get("name") or mesh.get("name") or "")))
        except BrokenPart as broken:
            findings.error(broken.code, where, broken.template, remedy=broken.remedy, **broken.values)
    work.surface.copies = copies


def _add_points(work: _Work, entry: dict[str, Any], matrix: Float) -> None:
    model = work.model
    attributes = as_dict(entry.get("attributes"))
    if "POSITION" not in attributes:
        return
    model.point_count += as_int(item_of(model.document, "accessors", attributes["POSITION"]).get("count"), 0)
    draco = as_dict(as_dict(entry.get("extensions")).get("KHR_draco_mesh_compression"))
    attribute = _Attributes(model, attributes, _draco_reader(model, draco) if draco else None)
    part = point_part(model.document, entry, attribute, model.tables, work.findings, work.where)
    model.clouds.append(part.moved(matrix))


def _primitive(work: _Work, entry: dict[str, Any]) -> Primitive | None:
    """Return a primitive where its file has it; None for one that is not drawn."""
    model = work.model
    mode = as_int(entry.get("mode"), 4)
    attributes = as_dict(entry.get("attributes"))
    if "POSITION" not in attributes:
        return None
    if mode not in (4, 5, 6):
        if mode in (1, 2, 3):
            work.findings.info("lines", work.where, "Lines in models are not drawn.")
        return None
    draco = as_dict(as_dict(entry.get("extensions")).get("KHR_draco_mesh_compression"))
    attribute = _Attributes(model, attributes, _draco_reader(model, draco) if draco else None)
    positions = attribute("POSITION")
    if positions is None or positions.ndim != 2 or positions.shape[1] != 3:
        raise BrokenPart("bad-positions", "The positions of a primitive are not three numbers each.")
    points = positions.astype(np.float64)
    triangles = _indexed(model, entry, mode, attribute.draco, len(points))
    painted = work.surface.paint(entry, points, triangles, attribute)
    cells = painted.cells
    return Primitive(
        cells.points,
        cells.triangles,
        painted.colors,
        painted.features,
        painted.table,
        painted.values,
        painted.further,
        added=len(cells.triangles) - len(triangles),
        has_outline=not painted.is_cut_out,
        laid=painted.laid,
    )


def _indexed(model: GltfModel, entry: Mapping[str, Any], mode: int, draco: _Draco | None, count: int) -> Int:
    """Return the (T, 3) vertex rows of a primitive's triangles."""
    if draco is not None and draco.faces is not None:
        indices, mode = draco.faces.reshape(-1).astype(np.int64), 4
    elif "indices" in entry:
        indices = accessor(model.document, model.buffers, entry["indices"]).reshape(-1).astype(np.int64)
    else:
        indices = np.arange(count, dtype=np.int64)
    triangles = _triangles(indices, mode)
    if len(triangles) and (triangles.max() >= count or triangles.min() < 0):
        raise BrokenPart("bad-triangles", "A primitive uses vertex {index} of {count}.", index=int(triangles.max()), count=count)
    return triangles


def _placed(primitive: Primitive, matrix: Float) -> Primitive:
    """Return a primitive moved by a node, faces outward, without vertices that cannot be places."""
    with np.errstate(over="ignore", invalid="ignore"):
        points = primitive.points @ matrix[:3, :3].T + matrix[:3, 3]
        usable = np.asarray((np.abs(points) < FARTHEST).all(axis=1))
    triangles, laid = primitive.triangles, primitive.laid
    if np.linalg.det(matrix[:3, :3]) < 0:
        triangles, laid = triangles[:, ::-1], laid and laid.turned()
    if usable.all():
        return replace(primitive, points=points, triangles=triangles, laid=laid)
    kept: Bool = np.asarray(usable[triangles].all(axis=1))
    return replace(
        primitive,
        points=np.where(usable[:, None], points, points[usable][0] if usable.any() else 0.0),
        triangles=triangles[kept],
        color=primitive.color if primitive.color.ndim == 1 else primitive.color[kept],
        feature_ids=None if primitive.feature_ids is None else primitive.feature_ids[kept],
        values={name: column[kept] for name, column in primitive.values.items()},
        further={table: rows[kept] for table, rows in primitive.further.items()},
        laid=laid and laid.kept(kept),
    )


def _triangles(indices: Int, mode: int) -> Int:
    """Return (T, 3) vertex rows of a triangle list (4), strip (5) or fan (6)."""
    if mode == 4:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    if len(indices) < 3:
        return np.zeros((0, 3), dtype=np.int64)
    if mode == 5:
        strip = np.column_stack([indices[:-2], indices[1:-1], indices[2:]])
        strip[1::2] = strip[1::2, [1, 0, 2]]
        return strip
    return np.column_stack([np.full(len(indices) - 2, indices[0]), indices[1:-1], indices[2:]])


@dataclass(frozen=True)
class _Draco:
    faces: AnyArray | None
    by_name: dict[str, AnyArray]


def _draco_reader(model: GltfModel, extension: dict[str, Any]) -> _Draco:
    import DracoPy

    data = model.buffers.view(as_int(extension.get("bufferView"), -1))
    try:
        mesh = DracoPy.decode(data)
    except (ValueError, TypeError, RuntimeError, DracoPy.FileTypeException) as error:
        raise BrokenPart("bad-draco", "A Draco mesh cannot be decoded: {reason}", reason=str(error)[:120]) from error
    by_id = {int(each["unique_id"]): np.asarray(each["data"]) for each in mesh.attributes}
    names = as_dict(extension.get("attributes"))
    by_name = {str(name): by_id[number] for name, number in names.items() if isinstance(number, int) and number in by_id}
    faces = getattr(mesh, "faces", None)
    return _Draco(None if faces is None else np.asarray(faces), by_name)


@dataclass(frozen=True)
class _Attributes:
    """Gives the vertex attributes of a primitive by their names."""

    model: GltfModel
    names: dict[str, Any]
    draco: _Draco | None

    def __call__(self, name: str) -> AnyArray | None:
        if self.draco is not None and name in self.draco.by_name:
            return self.draco.by_name[name]
        return accessor(self.model.document, self.model.buffers, self.names[name]) if name in self.names else None
