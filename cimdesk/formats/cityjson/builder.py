"""Puts a city model together from decoded objects, whichever file or line they came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw

from cimdesk.base.arrays import Float, UInt8
from cimdesk.formats.cityjson.hierarchy import feature_table, parent_rows
from cimdesk.formats.cityjson.pictures import TextureList
from cimdesk.formats.cityjson.structure import TEMPLATES, VERTICES, CityObject, Geometry, decode_any
from cimdesk.formats.cityjson.surfaces import Numbering, SurfaceCollector
from cimdesk.formats.findings import Findings
from cimdesk.formats.mesh_assembly import Instances, build_meshes, is_usable, origin_of, place_instances
from cimdesk.formats.picture_places import PictureFolder
from cimdesk.model.city import CityModel
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.pictured import PictureFile

Appearance = tuple[int, int, str, TextureList | None]
"""First row and number of materials, the theme to prefer, and textures."""
IDENTITY = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
NEUTRAL = (0.95, 0.93, 0.89)


class CityBuilder:
    """Collects city objects and their vertices, then builds the model.

    Parameters
    ----------
    findings : Findings
    transform : tuple of two (3,) float64, or None
        Scale and translation of quantised vertices.
    document : Path or None
        The file, beside which pictures are looked for; None to leave them out.

    Attributes
    ----------
    types : Counter of str
        Objects per type as written, repeated ids included.
    textured : int
        Geometries with textures.
    """

    def __init__(self, findings: Findings, transform: tuple[Float, Float] | None, document: Path | None = None) -> None:
        self.types: Counter[str] = Counter()
        self.textured = 0
        self._findings = findings
        self._transform = transform
        self._ids: dict[str, int] = {}
        self._objects: list[CityObject] = []
        self._vertices: list[Float] = []
        self._vertex_count = 0
        self._colors: list[UInt8] = []
        self._pictures = None if document is None else PictureFolder(document, findings)
        self._surfaces = SurfaceCollector(findings)
        self._instances = Instances()
        self._template_count = 0
        self._templates: dict[str, TriangleMesh] = {}

    def add_vertices(self, text: Raw | None, where: str = "") -> Numbering:
        """Take the ``vertices`` of the file or of one feature; what is added next refers to them."""
        vertices = decode_vertices(text, self._findings, where)
        if self._transform is not None:
            vertices = vertices * self._transform[0] + self._transform[1]
        start = self._vertex_count
        self._vertices.append(vertices)
        self._vertex_count += len(vertices)
        return Numbering(start, len(vertices))

    def add_appearance(self, appearance: Any) -> Appearance:
        """Take the materials and textures of an ``appearance``."""
        materials = appearance.get("materials") if isinstance(appearance, dict) else None
        colors = material_colors(materials if isinstance(materials, list) else [])
        start = sum(map(len, self._colors))
        self._colors.append(colors)
        theme = appearance.get("default-theme-material") if isinstance(appearance, dict) else None
        textures = None
        if self._pictures is not None and isinstance(appearance, dict) and appearance.get("textures"):
            textures = TextureList(appearance, self._pictures)
        return start, len(colors), theme if isinstance(theme, str) else "", textures

    def add_templates(self, text: Raw | None, appearance: Appearance) -> None:
        """Take the ``geometry-templates`` of the file; ``appearance`` is what `add_appearance` returned."""
        if not text:
            return
        try:
            found = TEMPLATES.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._findings.error("bad-template", "geometry-templates", "Templates cannot be used ({reason}).", reason=str(error))
            return
        shapes = found.templates or []
        vertices = decode_vertices(found.vertices, self._findings, "vertices-templates")
        self._template_count = len(shapes)
        names = [f"template {k}" for k in range(len(shapes))]
        collector = SurfaceCollector(self._findings)
        for row, shape in enumerate(shapes):
            collector.add(row, names[row], shape, Numbering(0, len(vertices), *appearance))
        colors = np.concatenate(self._colors)
        self._templates = build_meshes(collector.surfaces(self._files()), vertices, np.zeros(3), colors, names, self._findings)

    def add_objects(self, objects: Mapping[str, CityObject], numbering: Numbering, where: str = "") -> None:
        """Take city objects by id; ``where`` is the line they are on."""
        for key, item in objects.items():
            name = key
            if key in self._ids:
                name = next(f"{key}~{k}" for k in range(2, len(self._ids) + 3) if f"{key}~{k}" not in self._ids)
                self._findings.add("duplicate-id", where or key, "Id {id} occurs again; it is read as {name}.", id=key, name=name)
            row = len(self._objects)
            self._ids[name] = row
            self._objects.append(item)
            self.types[item.type] += 1
            for geometry in item.geometry or ():
                if geometry.texture:
                    self.textured += 1
                if geometry.type == "GeometryInstance":
                    self._add_instance(row, name, geometry, numbering)
                else:
                    self._surfaces.add(row, name, geometry, numbering)

    def build(self, metadata: dict[str, Any]) -> tuple[CityModel, Float | None]:
        """Return the model, and the (2, 3) extent of its vertices; None without any."""
        vertices = np.concatenate(self._vertices) if self._vertices else np.zeros((0, 3))
        origin = origin_of(vertices)
        names = list(self._ids)
        colors = np.concatenate(self._colors) if self._colors else np.zeros((0, 4), dtype=np.uint8)
        meshes = build_meshes(self._surfaces.surfaces(self._files()), vertices, origin, colors, names, self._findings)
        if self._pictures is not None:
            self._pictures.tell()
        placed = place_instances(self._instances, self._templates, vertices, origin, self._findings)
        for lod, mesh in placed.items():
            meshes[lod] = TriangleMesh.merged([meshes[lod], mesh]) if lod in meshes else mesh
        parents, groups = parent_rows(self._ids, self._objects, self._findings)
        extent = _extent(vertices, list(placed.values()))
        if self._surfaces.points:
            metadata["points"] = self._surfaces.points
            self._findings.info("not-drawn", "", "Points are counted but not drawn: {count}.", count=self._surfaces.points)
        if self._surfaces.lines:
            metadata["lines"] = self._surfaces.lines
            self._findings.info("not-drawn", "", "Lines are counted but not drawn: {count}.", count=self._surfaces.lines)
        if self.textured:
            metadata["textured_geometries"] = self.textured
        table = feature_table(names, self._objects, groups, self._findings)
        return CityModel(table, parents, dict(sorted(meshes.items())), metadata), extent

    def _files(self) -> Sequence[PictureFile]:
        return () if self._pictures is None else self._pictures.files

    def _add_instance(self, row: int, name: str, geometry: Geometry, numbering: Numbering) -> None:
        anchor, matrix = decode_any(geometry.boundaries), decode_any(geometry.transformation)
        anchor = anchor[0] if isinstance(anchor, list) and len(anchor) == 1 else None
        if not isinstance(anchor, int) or not 0 <= anchor < numbering.vertex_count:
            self._findings.error("vertex-out-of-range", name, "An instance refers to a vertex that is not there; it is left out.")
            return
        template = -1 if geometry.template is None else geometry.template
        if not 0 <= template < self._template_count:
            self._findings.error("bad-instance", name, "There is no geometry template {number}.", number=geometry.template)
            return
        if not (isinstance(matrix, list) and len(matrix) == 16 and all(_is_reasonable(v) for v in matrix)):
            self._findings.error("bad-instance", name, "The transformation of a template is not 16 numbers; it is placed as it is.")
            matrix = IDENTITY
        self._instances.rows.append(row)
        self._instances.templates.append(template)
        self._instances.anchors.append(anchor + numbering.vertex_start)
        self._instances.matrices.append([float(v) for v in matrix])


def decode_vertices(text: Raw | None, findings: Findings, where: str = "") -> Float:
    """Return (V, 3) float64 vertices; NaN where one is not three numbers."""
    if text is None or not text:
        return np.zeros((0, 3))
    try:
        found = VERTICES.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _decode_bad_vertices(decode_any(text), findings, where)
    return np.fromiter(chain.from_iterable(found), np.float64, len(found) * 3).reshape(-1, 3)


def _decode_bad_vertices(found: Any, findings: Findings, where: str) -> Float:
    if not isinstance(found, list):
        findings.error("bad-vertices", where, "The vertices cannot be read.")
        return np.zeros((0, 3))
    vertices = np.full((len(found), 3), np.nan)
    for row, vertex in enumerate(found):
        if isinstance(vertex, list) and len(vertex) == 3 and all(_is_reasonable(v) for v in vertex):
            vertices[row] = vertex
        else:
            findings.error("bad-vertices", f"{where} vertex {row}".strip(), "A vertex is not three numbers.")
    return vertices


def material_colors(materials: list[Any]) -> UInt8:
    """Return (M, 4) RGBA of materials."""
    colors = np.empty((len(materials), 4))
    for row, material in enumerate(materials):
        fields = material if isinstance(material, dict) else {}
        diffuse, clear = fields.get("diffuseColor"), fields.get("transparency", 0.0)
        good = isinstance(diffuse, list) and len(diffuse) == 3 and all(_is_reasonable(v) for v in diffuse)
        colors[row] = [*(diffuse if good and diffuse else NEUTRAL), 1.0 - clear if _is_reasonable(clear) else 1.0]
    return np.asarray(np.clip(np.round(colors * 255.0), 0, 255), dtype=np.uint8)


def _is_reasonable(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _extent(vertices: Float, placed: list[TriangleMesh]) -> Float | None:
    usable = vertices[is_usable(vertices)]
    boxes = [mesh.bounds for mesh in placed if len(mesh.vertices)]
    if len(usable):
        boxes.append(np.array([usable.min(axis=0), usable.max(axis=0)]))
    if not boxes:
        return None
    return np.array([np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)])
