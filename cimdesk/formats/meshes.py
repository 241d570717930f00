"""Single models as meshes: OBJ, PLY and STL in through trimesh, glTF and GLB through `gltf_model`; GLB out.

They lie in coordinates of their own; only people know where on earth that is.
"""

from __future__ import annotations

import io
import json
import logging
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, UInt8, starts_of_runs
from cimdesk.base.errors import DataError
from cimdesk.base.pictures import MAX_PIXELS
from cimdesk.formats.atomic import replacing
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_model import GENERATOR, LOD, read_model
from cimdesk.formats.picture_places import LaidPicture
from cimdesk.formats.registry import ReadOptions, ReadResult, Source, refuse_larger
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable
from cimdesk.model.layers import LayerKind
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.pictured import PictureFile

TRIMESH_SUFFIXES = (".obj", ".ply", ".stl")
SUFFIXES = (".glb", ".gltf", *TRIMESH_SUFFIXES)
MAX_BYTES = 2**30
Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""From world axes (z up) to those of glTF (y up)."""
log = logging.getLogger(__name__)
NEUTRAL = (242, 237, 227, 255)
# What trimesh raises on damaged files, besides its own ValueErrors, is whatever its parsing runs into.
PARSING_ERRORS = (
    ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError, ArithmeticError, NotImplementedError, EOFError,
    struct.error, RecursionError, MemoryError, NameError, OSError, ImportError, StopIteration, RuntimeError,
)  # fmt: skip


class MeshReader:
    """Reads one model as a city model with one object per part."""

    name = "Mesh"
    suffixes = SUFFIXES

    def claim(self, path: Path, head: bytes) -> float:
        """Claim by the suffix, and by the first bytes where the format has some."""
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            return 0.4 if head[:4] == b"glTF" else 0.0
        if suffix == ".gltf":
            return 0.9 if b"{" in head[:16] else 0.3
        return {".glb": 0.9 if head[:4] == b"glTF" else 0.3, ".ply": 0.9 if head[:3] == b"ply" else 0.3}.get(suffix, 0.7)

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read a model; raises `DataError` when it has no triangles that can be used."""
        findings = Findings()
        options.progress(0.0)
        refuse_larger(path, MAX_BYTES)
        if path.suffix.lower() not in TRIMESH_SUFFIXES:
            return read_model(path, options)
        parts = _load(path)
        options.cancel.raise_if_cancelled()
        city = _city(path, parts, findings)
        options.progress(1.0)
        source = Source(path.stem, LayerKind.BUILDINGS, city, options.crs_for(None))
        objects = {"meshes": len(city.features), "triangles": len(city.meshes[LOD].triangles)}
        return ReadResult(path.suffix[1:].upper(), None, None, objects, city.bounds, (source,), findings.problems())


READER = MeshReader()


@dataclass(frozen=True)
class _Part:
    """One mesh of a scene, placed: vertices (V, 3), faces (T, 3), colours (T, 4) or None, and what is laid on the faces."""

    name: str
    vertices: Float
    faces: Int
    colors: UInt8 | None
    laid: LaidPicture | None


def _load(path: Path) -> list[_Part]:
    """Return the meshes of a file with their placement in the scene applied."""
    import trimesh

    remedy = "Export it again, or convert it with another program."
    try:
        scene = trimesh.load_scene(path, file_type=path.suffix.lower()[1:], process=False)
        found = []
        for node in scene.graph.nodes_geometry:
            placement, name = scene.graph[node]
            shape = scene.geometry.get(name)
            if isinstance(shape, trimesh.Trimesh):
                vertices = np.asarray(shape.vertices, dtype=np.float64).reshape(-1, 3)
                faces = np.asarray(shape.faces, dtype=np.int64).reshape(-1, 3)
                placed = vertices @ placement[:3, :3].T + placement[:3, 3]
                found.append(_Part(str(node), placed, faces, _colors(shape, len(faces)), _laid(path, shape, faces)))
    except PARSING_ERRORS as error:
        log.info("%s: %r", path, error)
        raise DataError(path, "the model cannot be read; it is damaged, or not what its name says.", remedy=remedy) from error
    if not any(len(part.faces) for part in found):
        raise DataError(path, "the model has no triangles.", remedy=remedy)
    return found


def _city(path: Path, parts: list[_Part], findings: Findings) -> CityModel:
    names: dict[str, None] = {}
    meshes = []
    for part in parts:
        name = part.name
        unique = name if name not in names else next(f"{name}~{k}" for k in range(2, len(parts) + 2) if f"{name}~{k}" not in names)
        mesh = _mesh(part, len(names))
        left = len(part.faces) - len(mesh.triangles)
        if left:
            findings.add("bad-triangle", unique, "Triangles that cannot be drawn are left out: {count}.", count=left)
        names[unique] = None
        meshes.append(mesh)
    if not any(len(mesh.triangles) for mesh in meshes):
        raise DataError(path, "the model has no triangles.", remedy="Export it again, or convert it with another program.")
    table = FeatureTable.from_rows(
        list(names), [{"type": "GenericCityObject", "triangles": len(mesh.triangles)} for mesh in meshes]
    )
    return CityModel(table, np.full(len(names), -1, dtype=np.int32), {LOD: TriangleMesh.merged(meshes)})


def _mesh(part: _Part, feature: int) -> TriangleMesh:
    vertices, faces = part.vertices, part.faces
    in_range = np.asarray(((faces >= 0) & (faces < len(vertices))).all(axis=1), dtype=np.bool_)
    usable = np.asarray((np.abs(vertices) < 1e8).all(axis=1), dtype=np.bool_)
    good = np.zeros(len(faces), dtype=bool)
    good[in_range] = usable[faces[in_range]].all(axis=1)
    placed = np.where(usable[:, None], vertices, 0.0)
    origin = np.round(placed[usable].mean(axis=0), 3) if usable.any() else np.zeros(3)
    return TriangleMesh(
        (placed - origin).astype(np.float32),
        faces[good].astype(np.int32),
        np.full(int(good.sum()), feature, dtype=np.int32),
        np.zeros(int(good.sum()), dtype=np.uint8),
        origin,
        _sharp_edges(placed, faces[good]),
        None if part.colors is None else part.colors[good],
        LaidPicture.joined([(part.laid and part.laid.kept(good), int(good.sum()))]),
    )


def _sharp_edges(vertices: Float, faces: AnyArray) -> AnyArray:
    """Return (E, 2) edges that have a triangle on one side only, or between triangles at more than 30 degrees."""
    if not len(faces):
        return np.zeros((0, 2), dtype=np.int32)
    _, places = np.unique(np.round(vertices, 6), axis=0, return_inverse=True)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0.0)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    owner = np.tile(np.arange(len(faces)), 3)
    ends = np.sort(places.ravel()[edges], axis=1).astype(np.int64)
    keys = ends[:, 0] * len(vertices) + ends[:, 1]
    order = np.argsort(keys, kind="stable")
    starts = starts_of_runs(keys[order])
    counts = np.diff(np.append(starts, len(order)))
    drawn = np.ones(len(starts), dtype=bool)
    pair = starts[counts == 2]
    cosine = (normals[owner[order[pair]]] * normals[owner[order[pair + 1]]]).sum(axis=1)
    drawn[counts == 2] = cosine < np.cos(np.radians(30.0))
    return edges[order[starts[drawn]]].astype(np.int32)


def _colors(shape: Any, count: int) -> UInt8 | None:
    """Return (T, 4) colours of faces, vertices or the material; None when the model gives none."""
    try:
        if shape.visual.kind in ("face", "vertex"):
            colors = np.asarray(shape.visual.face_colors, dtype=np.uint8).reshape(-1, 4)
            return colors if len(colors) == count else None
        corner_colors = getattr(shape.visual, "vertex_attributes", {}).get("color")
        if corner_colors is not None and len(corner_colors) == len(shape.vertices):
            return np.asarray(_rgba(np.asarray(corner_colors))[np.asarray(shape.faces)[:, 0]], dtype=np.uint8)
        material = getattr(shape.visual, "material", None)
        main = getattr(material, "main_color", None)
    except PARSING_ERRORS:
        return None
    return None if main is None or len(main) != 4 else np.tile(np.asarray(main, dtype=np.uint8), (count, 1))


def _laid(path: Path, shape: Any, faces: Int) -> LaidPicture | None:
    """Return the picture of the material of a mesh, laid on its faces; None where there is none that can be read."""
    try:
        visual = shape.visual
        material, places = getattr(visual, "material", None), getattr(visual, "uv", None)
        image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
        if image is None or places is None or len(places) != len(shape.vertices) or image.width * image.height > MAX_PIXELS:
            return None
        kept = io.BytesIO()
        image.convert("RGBA").save(kept, format="PNG", compress_level=1)
        file = PictureFile(path, (image.width, image.height), data=kept.getvalue())
        corners = np.nan_to_num(np.asarray(places, dtype=np.float32)[:, :2])[np.clip(faces, 0, len(places) - 1)]
    except PARSING_ERRORS:
        return None
    return LaidPicture(file, corners)


def _rgba(colors: AnyArray) -> UInt8:
    """Return (N, 4) 0..255 of (N, 3 or 4) integers, or fractions of one."""
    scaled = colors * 255.0 if colors.dtype.kind == "f" else colors
    out = np.full((len(colors), 4), 255, dtype=np.uint8)
    out[:, : colors.shape[1]] = np.clip(np.round(scaled), 0, 255)
    return out


def write_glb(path: Path | str, mesh: TriangleMesh, colors: UInt8 | None = None, extras: Mapping[str, Any] | None = None) -> None:
    """Write a mesh as binary glTF 2.0, y up, flat shaded, with a feature id per vertex.

    Parameters
    ----------
    path : path
        Replaced only when the new file is complete.
    mesh : TriangleMesh
        Written in its local coordinates, which viewers can show without jitter; ``origin`` is kept in ``asset.extras``.
    colors : (T, 4) uint8, optional
        Colour of each triangle; the mesh's own, or a neutral one, by default.
    extras : mapping, optional
        Added to ``asset.extras``, such as the reference system.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    painted = colors if colors is not None else mesh.colors
    if painted is None:
        painted = np.tile(np.array(NEUTRAL, dtype=np.uint8), (len(mesh.triangles), 1))
    corners = mesh.triangles.ravel()
    positions = (mesh.vertices[corners].astype(np.float64) @ Y_UP.T).astype("<f4")
    a, b, c = positions.reshape(-1, 3, 3).transpose(1, 0, 2).astype(np.float64)
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.divide(normals, lengths, out=np.tile([0.0, 1.0, 0.0], (len(normals), 1)), where=lengths > 0.0)
    blocks = {
        "POSITION": positions,
        "NORMAL": np.repeat(normals, 3, axis=0).astype("<f4"),
        "COLOR_0": np.repeat(painted.astype(np.uint8), 3, axis=0),
        "_FEATURE_ID_0": np.repeat(mesh.feature_index, 3).astype("<f4"),
    }
    document, body = _gltf_document(blocks, mesh.origin, bool((painted[:, 3] < 255).any()), dict(extras or {}))
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(body)))
        file.write(struct.pack("<I4s", len(text), b"JSON") + text)
        file.write(struct.pack("<I4s", len(body), b"BIN\x00") + body)


def _gltf_document(
    blocks: Mapping[str, AnyArray], origin: Float, clear: bool, extras: dict[str, Any]
) -> tuple[dict[str, Any], bytes]:
    """Return the JSON part and the binary part."""
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    attributes: dict[str, int] = {}
    body = b""
    for name, block in blocks.items():
        data = np.ascontiguousarray(block).tobytes()
        views.append({"buffer": 0, "byteOffset": len(body), "byteLength": len(data), "target": 34962})
        accessor: dict[str, Any] = {
            "bufferView": len(accessors),
            "componentType": 5121 if block.dtype == np.uint8 else 5126,
            "count": len(block),
            "type": "SCALAR" if block.ndim == 1 else f"VEC{block.shape[1]}",
        }
        if block.dtype == np.uint8:
            accessor["normalized"] = True
        if name == "POSITION" and len(block):
            accessor |= {"min": block.min(axis=0).tolist(), "max": block.max(axis=0).tolist()}
        attributes[name] = len(accessors)
        accessors.append(accessor)
        body += data
    material = {
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.9},
        "alphaMode": "BLEND" if clear else "OPAQUE",
    }
    return {
        "asset": {"version": "2.0", "generator": GENERATOR, "extras": {"origin": origin.tolist(), **extras}},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "city"}],
        "meshes": [{"primitives": [{"attributes": attributes, "material": 0}]}],
        "materials": [material],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(body)}],
    }, body
