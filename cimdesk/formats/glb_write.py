"""GLB contents of tiles: triangles with flat normals, features told apart by EXT_mesh_features, attributes as property tables."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from cimdesk.base.arrays import AnyArray, Bool, Float32, Int, Int32, UInt8
from cimdesk.base.srgb import to_linear
from cimdesk.formats.glb_pictures import PictureShelf, cut_corners
from cimdesk.formats.metadata_write import MetadataClass
from cimdesk.model.features import FeatureTable
from cimdesk.model.pictured import FacePictures

GENERATOR = "cimdesk"
MOST_COLORS = 32
"""Colours of one content; a content with more is drawn in one."""
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
_BYTE, _USHORT, _UINT, _FLOAT = 5120, 5123, 5125, 5126


@dataclass(frozen=True)
class TileMesh:
    """Triangles of one content in the axes of its frame, z up.

    Attributes
    ----------
    points : (V, 3) float32
        Relative to the frame's origin [m]; shared between faces or not.
    triangles : (T, 3) int
        Counter-clockwise seen from outside.
    owner : (T,) int
        Row of the feature each triangle belongs to.
    colors : (T, 4) uint8 or None
        sRGB colours of the source; None for none.
    pictures : FacePictures or None
        Embedded in the file.
    """

    points: Float32
    triangles: Int | Int32
    owner: Int | Int32
    colors: UInt8 | None = None
    pictures: FacePictures | None = None

    def plain(self, rows: Bool) -> TileMesh:
        """Return some of the triangles, without pictures."""
        return TileMesh(self.points, self.triangles[rows], self.owner[rows], None if self.colors is None else self.colors[rows])


def write_glb(
    mesh: TileMesh,
    node_matrix: list[float],
    features: FeatureTable | None = None,
    metadata: MetadataClass | None = None,
    extras: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the bytes of a GLB.

    Parameters
    ----------
    mesh : TileMesh
    node_matrix : list of 16 floats
        Of `TileFrame.node_matrix`: places the content, in double precision.
    features : FeatureTable or None
        Rows that ``mesh.owner`` names; None for a content whose triangles belong to nobody.
    metadata : MetadataClass or None
        Class of the features; needed with ``features``.
    extras : mapping or None
        Kept in ``asset.extras``.
    """
    builder = _Builder()
    shelf = PictureShelf()
    is_plain = np.ones(len(mesh.triangles), dtype=bool)
    primitives, materials = ([], []) if mesh.pictures is None else _pictured(builder, mesh, mesh.pictures, shelf, is_plain)
    if not primitives or is_plain.any():
        plain, more = _primitives(builder, mesh.plain(is_plain) if primitives else mesh, features is not None)
        primitives += [{**each, "material": each["material"] + len(materials)} for each in plain]
        materials += more
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": GENERATOR, **({"extras": dict(extras)} if extras else {})},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"matrix": node_matrix, "mesh": 0}],
        "meshes": [{"primitives": primitives}],
        "materials": materials,
        **shelf.entries(),
    }
    # Normals as bytes: a byte is finer than shading shows, and a vertex is a third smaller.
    used = ["KHR_mesh_quantization"]
    if features is not None:
        assert metadata is not None
        table = _property_table(builder, features, metadata)
        document["extensions"] = {"EXT_structural_metadata": {"schema": metadata.schema, "propertyTables": [table]}}
        used += ["EXT_mesh_features", "EXT_structural_metadata"]
    document["extensionsUsed"] = used
    document["extensionsRequired"] = ["KHR_mesh_quantization"]
    return builder.glb(document)


class _Builder:
    """Collects buffer views and accessors."""

    def __init__(self) -> None:
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self._parts: list[bytes] = []
        self._size = 0

    def view(self, data: bytes, target: int = 0, stride: int = 0) -> int:
        """Add a buffer view, aligned to eight bytes as property tables need it; return its number."""
        pad = -self._size % 8
        if pad:
            self._parts.append(b"\0" * pad)
            self._size += pad
        entry: dict[str, Any] = {"buffer": 0, "byteOffset": self._size, "byteLength": len(data)}
        if target:
            entry["target"] = target
        if stride:
            entry["byteStride"] = stride
        self._parts.append(data)
        self._size += len(data)
        self.views.append(entry)
        return len(self.views) - 1

    def accessor(self, view: int, component: int, kind: str, count: int, **more: Any) -> int:
        """Add an accessor; return its number."""
        self.accessors.append({"bufferView": view, "componentType": component, "count": count, "type": kind, **more})
        return len(self.accessors) - 1

    def glb(self, document: dict[str, Any]) -> bytes:
        """Return the file."""
        body = b"".join(self._parts)
        body += b"\0" * (-len(body) % 4)
        full = {**document, "accessors": self.accessors, "bufferViews": self.views, "buffers": [{"byteLength": len(body)}]}
        text = orjson.dumps(full, option=orjson.OPT_SERIALIZE_NUMPY)
        text += b" " * (-len(text) % 4)
        length = 12 + 8 + len(text) + 8 + len(body)
        head = struct.pack("<4sII", b"glTF", 2, length)
        return b"".join((head, struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(body), b"BIN\0"), body))


def _primitives(builder: _Builder, mesh: TileMesh, has_features: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Add the triangles, one primitive for each colour; return the primitives and their materials."""
    palette, group = _palette(mesh)
    primitives: list[dict[str, Any]] = []
    materials: list[dict[str, Any]] = []
    for number, color in enumerate(palette):
        mine = slice(None) if len(palette) == 1 else group == number
        primitive = _primitive(builder, mesh.points, mesh.triangles[mine], mesh.owner[mine], has_features)
        if primitive is not None:
            primitives.append({**primitive, "material": len(materials)})
            materials.append(_material(color))
    if primitives:
        return primitives, materials
    # Rows without a body must not be lost, and glTF has no empty meshes: they go with a speck of a millimetre.
    speck = np.array([[0, 0, 0], [1e-3, 0, 0], [0, 1e-3, 0]], dtype=np.float32)
    return _primitives(builder, TileMesh(speck, np.array([[0, 1, 2]]), np.zeros(1, dtype=np.int64)), has_features)


def _pictured(
    builder: _Builder, mesh: TileMesh, laid: FacePictures, shelf: PictureShelf, is_plain: Bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Add the triangles with pictures, one primitive for each picture; return the primitives and their materials.

    They are no longer ``is_plain`` (T,) then; those of a picture that cannot be read are.
    """
    primitives: list[dict[str, Any]] = []
    materials: list[dict[str, Any]] = []
    for file, mine in zip(laid.files, laid.rows_by_file(), strict=True):
        material = shelf.material(file, builder.view) if len(mine) else None
        if material is None:
            continue
        rows = laid.triangles[mine]
        corners, has_area = cut_corners(mesh.points, mesh.triangles[rows])
        faces = np.arange(len(corners)).reshape(-1, 3)
        primitive = _primitive(builder, corners, faces, mesh.owner[rows[has_area]], True)
        if primitive is not None:
            places = laid.places[mine[has_area]].reshape(-1, 2) * [1.0, -1.0] + [0.0, 1.0]
            view = builder.view(places.astype("<f4").tobytes(), ARRAY_BUFFER, 8)
            primitive["attributes"]["TEXCOORD_0"] = builder.accessor(view, _FLOAT, "VEC2", len(places))
            primitives.append({**primitive, "material": len(materials)})
            materials.append(material)
            is_plain[rows] = False
    return primitives, materials


def _primitive(
    builder: _Builder, points: Float32, triangles: AnyArray, owner: AnyArray, has_features: bool
) -> dict[str, Any] | None:
    from cimdesk.formats.glb_kernels import split_vertices

    at, normals, owned, indices = split_vertices(points, triangles, owner if has_features else np.zeros_like(owner))
    count = len(at)
    if not count:
        return None
    low, high = ([float(at[:, k].min()) for k in range(3)], [float(at[:, k].max()) for k in range(3)])
    attributes = {
        "POSITION": builder.accessor(builder.view(at.tobytes(), ARRAY_BUFFER, 12), _FLOAT, "VEC3", count, min=low, max=high),
        "NORMAL": builder.accessor(builder.view(normals.tobytes(), ARRAY_BUFFER, 4), _BYTE, "VEC3", count, normalized=True),
    }
    more: dict[str, Any] = {}
    if has_features:
        attributes["_FEATURE_ID_0"] = builder.accessor(builder.view(owned.tobytes(), ARRAY_BUFFER, 4), _FLOAT, "SCALAR", count)
        different = int(np.count_nonzero(np.bincount(owned.astype(np.int64))))
        described = {"featureCount": different, "attribute": 0, "propertyTable": 0, "label": "feature"}
        more = {"extensions": {"EXT_mesh_features": {"featureIds": [described]}}}
    kind, dtype = (_USHORT, "<u2") if count <= 65535 else (_UINT, "<u4")
    rows = builder.view(indices.astype(dtype).tobytes(), ELEMENT_ARRAY_BUFFER)
    return {"attributes": attributes, "indices": builder.accessor(rows, kind, "SCALAR", indices.size), "mode": 4, **more}


def _palette(mesh: TileMesh) -> tuple[list[AnyArray], AnyArray]:
    white = [np.full(4, 255, dtype=np.uint8)]
    if mesh.colors is None:
        return white, np.zeros(0)
    packed = np.ascontiguousarray(mesh.colors).view(np.uint32).ravel()
    found, group = np.unique(packed, return_inverse=True)
    if len(found) > MOST_COLORS:
        found, group = _fewer(found, group)
    return [np.array([value], dtype=np.uint32).view(np.uint8) for value in found], group


def _fewer(colors: AnyArray, group: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return `MOST_COLORS` packed colours that stand for all, each as often as it is used, and which of them each triangle has."""
    from PIL import Image

    pixels = colors[group].view(np.uint8).reshape(1, -1, 4)
    reduced = Image.fromarray(pixels).quantize(MOST_COLORS, method=Image.Quantize.FASTOCTREE)
    chosen, group = np.unique(np.asarray(reduced).ravel(), return_inverse=True)
    sums = np.column_stack([np.bincount(group, weights=pixels[0, :, k]) for k in range(4)])
    means = np.round(sums / np.bincount(group)[:, None]).astype(np.uint8)
    return np.ascontiguousarray(means).view(np.uint32).ravel()[: len(chosen)], group


def _material(color: AnyArray) -> dict[str, Any]:
    # Factors are linear light.
    factor = [*(round(float(v), 6) for v in to_linear(color[:3])), round(float(color[3]) / 255.0, 6)]
    material: dict[str, Any] = {
        "pbrMetallicRoughness": {"baseColorFactor": factor, "metallicFactor": 0.0, "roughnessFactor": 0.9},
        "doubleSided": True,
    }
    if factor[3] < 1.0:
        material["alphaMode"] = "BLEND"
    return material


def _property_table(builder: _Builder, features: FeatureTable, metadata: MetadataClass) -> dict[str, Any]:
    properties = {}
    for key, entry, blocks in metadata.encode(features.ids, features.columns):
        numbers = [builder.view(block) for block in blocks]
        properties[key] = {name: numbers[position] for name, position in entry.items()}
    return {"class": metadata.name, "count": len(features), "properties": properties}
