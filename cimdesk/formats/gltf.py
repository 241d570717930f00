"""glTF 2.0 (GLB or JSON) -> triangles in numpy. Geometry, colours and feature identifiers; no textures, skins or animation.

Cesium's and pg2b3dm's tiles are small files by the thousand; this reads one without building an object per node or vertex.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_int, as_list, json_object, number_list
from cimdesk.formats.tiles3d_paths import BrokenPart

MAX_ELEMENTS = 200_000_000
MAX_DEPTH = 200
FARTHEST = 1e9
"""Vertices beyond this are damage, not places [m]."""
_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5124: "<i4", 5125: "<u4", 5126: "<f4", 5130: "<f8"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_SUPPORTED = frozenset({
    "KHR_draco_mesh_compression", "KHR_mesh_quantization", "EXT_mesh_features", "EXT_structural_metadata", "CESIUM_RTC",
    "EXT_instance_features", "KHR_texture_transform", "EXT_texture_webp", "KHR_texture_basisu", "KHR_techniques_webgl",
    "CESIUM_primitive_outline", "EXT_feature_metadata", "KHR_materials_pbrSpecularGlossiness", "KHR_materials_unlit",
})  # fmt: skip

Resolver = Callable[[str], bytes]


@dataclass(frozen=True)
class Primitive:
    """Triangles of one glTF primitive, placed by its nodes.

    Attributes
    ----------
    points : (V, 3) float64
        In glTF's axes, y up [m].
    triangles : (T, 3) int64
    color : (4,) uint8
    feature_ids : (V,) int64 or None
        Feature of each vertex, -1 for none.
    table : int
        Property table the identifiers index, -1 for none.
    """

    points: Float
    triangles: Int
    color: AnyArray
    feature_ids: Int | None
    table: int = -1


@dataclass
class GltfModel:
    """What one glTF file holds.

    Attributes
    ----------
    primitives : list of Primitive
    document : dict
        The JSON, for metadata.
    center : (3,) float64 or None
        CESIUM_RTC offset in tile axes.
    point_count : int
        Points of point primitives; counted, not drawn.
    has_feature_textures : bool
        Whether features are told apart by a texture somewhere, which is not read.
    """

    primitives: list[Primitive]
    document: dict[str, Any]
    buffers: Buffers
    center: Float | None = None
    point_count: int = 0
    has_feature_textures: bool = False


@dataclass
class Buffers:
    """Bytes of a glTF file, by buffer and buffer view."""

    document: Mapping[str, Any]
    binary: bytes
    resolve: Resolver
    _loaded: dict[int, bytes] = field(default_factory=dict)

    def buffer(self, index: int) -> bytes:
        """Return the bytes of one buffer, wherever it lies."""
        if index not in self._loaded:
            entry = _item(self.document, "buffers", index)
            uri = entry.get("uri")
            if uri is None:
                self._loaded[index] = self.binary
            elif isinstance(uri, str) and uri.startswith("data:"):
                self._loaded[index] = _data_uri(uri)
            else:
                self._loaded[index] = self.resolve(str(uri))
        return self._loaded[index]

    def view(self, index: int) -> bytes:
        """Return the bytes of one buffer view."""
        entry = _item(self.document, "bufferViews", index)
        data = self.buffer(as_int(entry.get("buffer"), 0))
        start, length = as_int(entry.get("byteOffset"), 0), as_int(entry.get("byteLength"), 0)
        if start < 0 or length < 0 or start + length > len(data):
            raise BrokenPart(
                "short-buffer", "A buffer view ends after its buffer: {end} of {size} bytes.", end=start + length, size=len(data)
            )
        return data[start : start + length]

    def stride(self, index: int) -> int:
        """Return the byte stride of a buffer view, 0 when packed."""
        return as_int(_item(self.document, "bufferViews", index).get("byteStride"), 0)


def read_gltf(data: bytes, resolve: Resolver, findings: Findings, where: str) -> GltfModel:
    """Read a GLB or glTF JSON file.

    Parameters
    ----------
    data : bytes
    resolve : callable
        Gives the bytes of a file that the model refers to by a relative path.
    findings : Findings
        Told of primitives that cannot be used; ``where`` is their place.

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
    rtc = number_list(as_dict(as_dict(document.get("extensions")).get("CESIUM_RTC")).get("center"), 3)
    model.center = None if rtc is None else np.array(rtc)
    for node_matrix, mesh in _placed_meshes(document, findings, where):
        for entry in as_list(as_dict(mesh).get("primitives")):
            try:
                _add_primitive(model, as_dict(entry), node_matrix)
            except BrokenPart as broken:
                findings.error(broken.code, where, broken.template, **broken.values)
    return model


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


def _data_uri(uri: str) -> bytes:
    head, _, body = uri.partition(",")
    try:
        return base64.b64decode(body) if head.endswith(";base64") else body.encode()
    except (binascii.Error, ValueError):
        raise BrokenPart("bad-data-uri", "An embedded buffer is not base64.") from None


def _item(document: Mapping[str, Any], name: str, index: Any) -> dict[str, Any]:
    items = as_list(document.get(name))
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(items):
        raise BrokenPart("bad-index", "The content refers to {name} {index}, of which there are {count}.",
                         name=name, index=str(index)[:20], count=len(items))  # fmt: skip
    return as_dict(items[index])


def _placed_meshes(document: Mapping[str, Any], findings: Findings, where: str) -> Iterator[tuple[Float, Any]]:
    """Yield each mesh with the (4, 4) matrix of its nodes, from the roots of the scene."""
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
            node = _item(document, "nodes", index)
            placed = matrix @ _node_matrix(node)
            if "mesh" in node:
                instancing = as_dict(as_dict(node.get("extensions")).get("EXT_mesh_gpu_instancing"))
                if instancing:
                    findings.add("instances", where, "Instances of a mesh are not drawn yet; one of them stands for all.")
                yield placed, _item(document, "meshes", node["mesh"])
        except BrokenPart as broken:
            findings.error(broken.code, where, broken.template, **broken.values)
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


def _add_primitive(model: GltfModel, entry: dict[str, Any], matrix: Float) -> None:
    mode = as_int(entry.get("mode"), 4)
    attributes = as_dict(entry.get("attributes"))
    if "POSITION" not in attributes:
        return
    if mode == 0:
        model.point_count += as_int(_item(model.document, "accessors", attributes["POSITION"]).get("count"), 0)
        return
    if mode not in (4, 5, 6):
        return
    extensions = as_dict(entry.get("extensions"))
    draco = as_dict(extensions.get("KHR_draco_mesh_compression"))
    read = _draco_reader(model, draco) if draco else None
    positions = _attribute(model, attributes, "POSITION", read)
    if positions.ndim != 2 or positions.shape[1] != 3:
        raise BrokenPart("bad-positions", "The positions of a primitive are not three numbers each.")
    points = positions.astype(np.float64)
    if read is not None and read.faces is not None:
        indices = read.faces.reshape(-1).astype(np.int64)
    elif "indices" in entry:
        indices = accessor(model.document, model.buffers, entry["indices"]).reshape(-1).astype(np.int64)
    else:
        indices = np.arange(len(points), dtype=np.int64)
    triangles = _triangles(indices, 4 if read is not None and read.faces is not None else mode)
    if len(triangles) and (triangles.max() >= len(points) or triangles.min() < 0):
        raise BrokenPart(
            "bad-triangles", "A primitive uses vertex {index} of {count}.", index=int(triangles.max()), count=len(points)
        )
    ids, table = _feature_ids(model, attributes, extensions, read, len(points))
    with np.errstate(over="ignore", invalid="ignore"):
        points = points @ matrix[:3, :3].T + matrix[:3, 3]
    if np.linalg.det(matrix[:3, :3]) < 0:
        triangles = triangles[:, ::-1]
    usable = np.asarray((np.abs(points) < FARTHEST).all(axis=1))
    if not usable.all():
        triangles = triangles[usable[triangles].all(axis=1)]
        points = np.where(usable[:, None], points, points[usable][0] if usable.any() else 0.0)
    model.primitives.append(Primitive(points, triangles, _color(model.document, entry), ids, table))


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


def _attribute(model: GltfModel, attributes: dict[str, Any], name: str, draco: _Draco | None) -> AnyArray:
    if draco is not None and name in draco.by_name:
        return draco.by_name[name]
    return accessor(model.document, model.buffers, attributes[name])


def accessor(document: Mapping[str, Any], buffers: Buffers, index: Any) -> AnyArray:
    """Return (N,) or (N, width) values of an accessor; normalised integers become 0..1 or -1..1.

    Raises
    ------
    BrokenPart
        If it is inconsistent or reaches beyond its buffer.
    """
    entry = _item(document, "accessors", index)
    dtype_name = _COMPONENTS.get(as_int(entry.get("componentType"), 0))
    width = _WIDTHS.get(str(entry.get("type")), 0)
    count = as_int(entry.get("count"), -1)
    if dtype_name is None or not width or not 0 <= count <= MAX_ELEMENTS:
        raise BrokenPart("bad-accessor", "Accessor {index} has no usable type or count.", index=index)
    dtype = np.dtype(dtype_name)
    if "bufferView" in entry:
        start = as_int(entry.get("byteOffset"), 0)
        values = _strided(
            buffers.view(as_int(entry["bufferView"], -1)), dtype, width, count, start, buffers.stride(entry["bufferView"])
        )
    elif count > MAX_ELEMENTS // 20:
        raise BrokenPart("bad-accessor", "Accessor {index} has no usable type or count.", index=index)
    else:
        values = np.zeros((count, width), dtype)
    if "sparse" in entry:
        values = _with_sparse(values.copy(), as_dict(entry["sparse"]), buffers, dtype, width)
    if entry.get("normalized") is True and dtype.kind in "iu":
        values = np.maximum(values.astype(np.float64) / np.iinfo(dtype).max, -1.0)
    return values[:, 0] if width == 1 else values


def _strided(data: bytes, dtype: np.dtype[Any], width: int, count: int, start: int, stride: int) -> AnyArray:
    size = dtype.itemsize * width
    stride = stride or size
    end = start + (stride * (count - 1) + size if count else 0)
    if start < 0 or stride < size or end > len(data):
        raise BrokenPart("short-buffer", "A buffer view ends after its buffer: {end} of {size} bytes.", end=end, size=len(data))
    return np.ndarray((count, width), dtype, data, start, (stride, dtype.itemsize))


def _with_sparse(values: AnyArray, sparse: dict[str, Any], buffers: Buffers, dtype: np.dtype[Any], width: int) -> AnyArray:
    count = as_int(sparse.get("count"), 0)
    where, what = as_dict(sparse.get("indices")), as_dict(sparse.get("values"))
    index_type = _COMPONENTS.get(as_int(where.get("componentType"), 0))
    if index_type is None or not 0 <= count <= len(values):
        raise BrokenPart("bad-accessor", "A sparse accessor is inconsistent.")
    rows = _strided(
        buffers.view(as_int(where.get("bufferView"), -1)), np.dtype(index_type), 1, count, as_int(where.get("byteOffset"), 0), 0
    )
    news = _strided(buffers.view(as_int(what.get("bufferView"), -1)), dtype, width, count, as_int(what.get("byteOffset"), 0), 0)
    if count and (rows.max() >= len(values) or rows.min() < 0):
        raise BrokenPart("bad-accessor", "A sparse accessor is inconsistent.")
    values[rows[:, 0].astype(np.int64)] = news
    return values


def _feature_ids(
    model: GltfModel, attributes: dict[str, Any], extensions: dict[str, Any], draco: _Draco | None, count: int
) -> tuple[Int | None, int]:
    """Return the feature of each vertex and the property table: EXT_mesh_features, else the legacy batch identifiers."""
    sets = [as_dict(each) for each in as_list(as_dict(extensions.get("EXT_mesh_features")).get("featureIds"))]
    sets.sort(key=lambda each: "propertyTable" not in each)
    for each in sets:
        if "texture" in each:
            model.has_feature_textures = True
            continue
        table = as_int(each.get("propertyTable"), -1)
        if "attribute" not in each:
            return np.arange(count, dtype=np.int64), table
        name = f"_FEATURE_ID_{each['attribute']}"
        if name in attributes:
            ids = _whole(_attribute(model, attributes, name, draco), count)
            null = each.get("nullFeatureId")
            return (np.where(ids == null, -1, ids) if isinstance(null, int) else ids), table
    for name in ("_BATCHID", "BATCHID", "_FEATURE_ID_0"):
        if name in attributes:
            return _whole(_attribute(model, attributes, name, draco), count), -1
    return None, -1


def _whole(values: AnyArray, count: int) -> Int:
    """Return identifiers as whole numbers: files keep them as floats, and Draco may quantise those."""
    values = values.reshape(len(values), -1)[:, 0] if len(values) else np.zeros(0)
    if len(values) != count:
        raise BrokenPart("bad-features", "{found} feature identifiers for {count} vertices.", found=len(values), count=count)
    whole = np.rint(np.nan_to_num(values.astype(np.float64), nan=-1.0, posinf=-1.0, neginf=-1.0))
    return np.clip(whole, -1, 2**31 - 1).astype(np.int64)


def _color(document: Mapping[str, Any], entry: dict[str, Any]) -> AnyArray:
    materials = as_list(document.get("materials"))
    index = entry.get("material")
    factor = None
    if isinstance(index, int) and 0 <= index < len(materials):
        material = as_dict(materials[index])
        shiny = as_dict(as_dict(material.get("extensions")).get("KHR_materials_pbrSpecularGlossiness"))
        factor = number_list(as_dict(material.get("pbrMetallicRoughness")).get("baseColorFactor"), 4) or number_list(
            shiny.get("diffuseFactor"), 4
        )
    if factor is None:
        return np.full(4, 255, dtype=np.uint8)
    # Factors are linear light; screens and our palette are sRGB.
    linear = np.clip(factor[:3], 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(np.append(encoded, np.clip(factor[3], 0.0, 1.0)) * 255).astype(np.uint8)
