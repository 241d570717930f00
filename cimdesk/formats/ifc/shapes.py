"""Tessellation of IFC products into arrays. Runs in the reading process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, UInt8
from cimdesk.formats.crease_edges import crease_edges
from cimdesk.formats.ifc.content import is_of, unit_scale
from cimdesk.formats.ifc.content import library as ifc_library

DEFLECTION = 0.005
"""How far a triangle may be from the curved face it stands for [m]."""
ANGLE = 0.6
"""How far the normals of neighbouring triangles of a curved face may turn [rad]: a pipe has about eleven sides."""
MESHED = ("IfcTriangulatedFaceSet",)
LIBRARIES = ("manifold", "opencascade")
"""Kernels in the order they are tried: the first takes a tenth of the time over walls with holes but knows fewer shapes; where it
makes something it is the same to a few millionths of the volume."""
LINES = ("IfcAlignment", "IfcAlignmentHorizontal", "IfcAlignmentVertical", "IfcAlignmentCant", "IfcLinearElement", "IfcAnnotation")
BAD = (RuntimeError, ValueError, TypeError, AttributeError, IndexError)
PALETTE = {
    "IfcWindow": (150, 190, 215, 130), "IfcCurtainWall": (165, 195, 215, 150), "IfcDoor": (150, 110, 75, 255),
    "IfcRoof": (178, 96, 74, 255), "IfcSlab": (196, 192, 184, 255), "IfcWall": (236, 230, 218, 255),
    "IfcSpace": (120, 170, 210, 90),
    "IfcColumn": (186, 182, 174, 255), "IfcBeam": (176, 172, 164, 255), "IfcStair": (190, 184, 172, 255),
    "IfcRailing": (110, 114, 120, 255), "IfcFurnishingElement": (176, 134, 92, 255), "IfcCovering": (222, 216, 204, 255),
    "IfcPipeSegment": (92, 122, 92, 255), "IfcDistributionElement": (120, 136, 150, 255), "IfcPavement": (92, 94, 98, 255),
    "IfcCourse": (104, 104, 104, 255), "IfcSurfaceFeature": (236, 214, 92, 255), "IfcSite": (150, 172, 120, 255),
    **dict.fromkeys(("IfcRoad", "IfcBridge", "IfcRailway", "IfcMarine", "IfcSpatialZone"), (176, 180, 186, 90)),
    "IfcGeographicElement": (140, 168, 112, 255), "IfcGeotechnicalStratum": (172, 148, 110, 255),
    "IfcEarthworksElement": (166, 140, 104, 255), "IfcFacilityPart": (186, 186, 182, 120), "IfcFacility": (186, 186, 182, 90),
}  # fmt: skip
"""Colours of products that have none: what a model on a drawing board looks like."""
NEUTRAL = (214, 209, 199, 255)


class Tessellator:
    """Makes triangles and lines of products.

    Attributes
    ----------
    failed : list of [int, str]
        Rows whose shape could not be made, and why.
    """

    def __init__(self, file: Any, rows: dict[int, int], is_careful: bool, skip: frozenset[int], tell: Callable[..., None]) -> None:
        self.failed: list[list[Any]] = []
        self._file, self._rows, self._is_careful, self._skip, self._tell = file, rows, is_careful, skip, tell
        self._shapes = _Shapes()
        self._lines: list[tuple[int, Float]] = []
        self._unit = 1.0

    def run(self, products: list[Any]) -> dict[str, AnyArray]:
        """Return the arrays of all shapes; see `_Shapes.arrays` and `_line_arrays`."""
        self._unit = unit_scale(self._file, "LENGTHUNIT")
        wanted = [product for product in products if product.id() not in self._skip]
        self.failed += [[self._rows[key], "skipped"] for key in sorted(self._skip) if key in self._rows]
        left = [product for product in wanted if not self._add_mesh(product)]
        for library in () if self._is_careful else LIBRARIES:
            done = self._iterate(left, library)
            left = [product for product in left if product.id() not in done]
        for count, product in enumerate(left):
            self._tell(0.7 + 0.2 * count / len(left), f"#{product.id()}", self._is_careful)
            self._make(product)
        return {**self._shapes.arrays(), **_line_arrays(self._lines)}

    def _settings(self, **extra: Any) -> Any:
        settings = ifc_library("geom").settings()
        options = {"mesher-linear-deflection": DEFLECTION, "mesher-angular-deflection": ANGLE, "apply-default-materials": False}
        for name, value in {**options, **extra}.items():
            settings.set(name, value)
        return settings

    def _iterate(self, products: list[Any], library: str) -> set[int]:
        """Make the bodies of many products on all cores; return the entity numbers of those that came out."""
        done: set[int] = set()
        if not products:
            return done
        try:
            cores = max(1, os.cpu_count() or 1)
            iterator = ifc_library("geom").iterator(self._settings(), self._file, cores, include=products, geometry_library=library)
            goes_on = bool(iterator.initialize())
            while goes_on:
                shape = iterator.get()
                if self._add_shape(shape):
                    done.add(shape.id)
                self._tell(0.3 + 0.4 * iterator.progress() / 100.0, "shapes")
                goes_on = bool(iterator.next())
        except BAD:
            return done  # those that are left are tried one by one
        return done

    def _make(self, product: Any) -> None:
        """Make one product's shape: its body, else the box around it, else its lines."""
        # The box of a site would hide everything in it.
        tries: list[dict[str, Any]] = [
            {},
            *([] if product.is_a("IfcSite") else [{"keep-bounding-boxes": True}]),
            {"dimensionality": 2},
        ]
        if any(is_of(product, kind) for kind in LINES):
            tries = tries[-1:]
        for extra, kernel in [(extra, kernel) for extra in tries for kernel in LIBRARIES]:
            try:
                shape = ifc_library("geom").create_shape(self._settings(**extra), product, geometry_library=kernel)
                if self._add_shape(shape) or ("dimensionality" in extra and self._add_lines(product, shape)):
                    return
            except BAD:
                continue
        kinds = [item.is_a() for each in product.Representation.Representations or () for item in each.Items or ()]
        if kinds and not product.is_a("IfcSite"):
            self.failed.append([self._rows[product.id()], ", ".join(dict.fromkeys(kinds))])

    def _add_shape(self, shape: Any) -> bool:
        row = self._rows.get(shape.id)
        geometry = shape.geometry
        if row is None or not len(geometry.faces_buffer):
            return False
        return self._shapes.add(row, str(geometry.id), geometry, _matrix(shape), shape.type)

    def _add_lines(self, product: Any, shape: Any) -> bool:
        edges = np.frombuffer(shape.geometry.edges_buffer, dtype=np.int32).reshape(-1, 2).astype(np.int64)
        vertices = np.frombuffer(shape.geometry.verts_buffer, dtype=np.float64).reshape(-1, 3)
        matrix = _matrix(shape)
        placed = vertices @ matrix[:3, :3].T + matrix[:3, 3]
        row = self._rows[product.id()]
        found = [(row, placed[chain]) for chain in _chains(edges)]
        self._lines += found
        return bool(found)

    def _add_mesh(self, product: Any) -> bool:
        """Take a product that is triangles already, such as a terrain, straight away: twenty times quicker than by its faces."""
        if getattr(product, "HasOpenings", None):
            return False
        shapes = [shape for shape in product.Representation.Representations or () if shape.RepresentationIdentifier == "Body"]
        items = [item for shape in shapes for item in shape.Items or ()]
        if not items or not all(any(is_of(item, kind) for kind in MESHED) for item in items):
            return False
        try:
            matrix = np.asarray(ifc_library("util.placement").get_local_placement(product.ObjectPlacement), dtype=np.float64)
            meshes = [_faces_of(item, self._unit) for item in items]
        except BAD:
            return False
        matrix = matrix.copy()
        matrix[:3, 3] *= self._unit
        for vertices, faces, colors in meshes:
            self._shapes.add_arrays(self._rows[product.id()], vertices, faces, colors, matrix, product.is_a())
        return True


class _Shapes:
    """Triangles of many products; shapes used many times are unpacked once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Float, Int, UInt8 | None, Int]] = {}
        self._parts: list[tuple[int, Float, Int, UInt8, Int]] = []

    def add(self, row: int, key: str, geometry: Any, matrix: Float, kind: str) -> bool:
        """Take a tessellated shape; return whether it has triangles that can be drawn."""
        known = self._known.get(key)
        if known is None:
            vertices = np.frombuffer(geometry.verts_buffer, dtype=np.float64).reshape(-1, 3).copy()
            faces = np.frombuffer(geometry.faces_buffer, dtype=np.int32).reshape(-1, 3).astype(np.int64)
            known = self._known[key] = (vertices, faces, _colors(geometry, len(faces)), crease_edges(vertices, faces))
        return self._place(row, known, matrix, kind)

    def add_arrays(self, row: int, vertices: Float, faces: Int, colors: UInt8 | None, matrix: Float, kind: str) -> bool:
        """Take triangles as they are."""
        return self._place(row, (vertices, faces, colors, crease_edges(vertices, faces)), matrix, kind)

    def _place(self, row: int, known: tuple[Float, Int, UInt8 | None, Int], matrix: Float, kind: str) -> bool:
        vertices, faces, colors, edges = known
        placed = vertices @ matrix[:3, :3].T + matrix[:3, 3]
        if not len(faces) or not np.isfinite(placed).all() or np.abs(placed).max() > 1e9:
            return False
        if np.linalg.det(matrix[:3, :3]) < 0.0:
            faces = faces[:, ::-1]
        painted = np.tile(np.array(color_of(kind), dtype=np.uint8), (len(faces), 1)) if colors is None else colors.copy()
        painted[painted[:, 3] == 0] = color_of(kind)
        self._parts.append((row, placed, faces, painted, edges))
        return True

    def arrays(self) -> dict[str, AnyArray]:
        """Return vertices (V, 3) [m], triangles (T, 3), rows (T,), colors (T, 4) and edges (E, 2)."""
        starts = np.cumsum([0, *(len(part[1]) for part in self._parts)])[:-1]
        parts = self._parts
        return {
            "vertices": np.concatenate([np.zeros((0, 3)), *(part[1] for part in parts)]),
            "triangles": _joined([part[2] + start for part, start in zip(parts, starts, strict=True)], 3),
            "rows": np.repeat([part[0] for part in parts], [len(part[2]) for part in parts]).astype(np.int32),
            "colors": np.concatenate([np.zeros((0, 4), dtype=np.uint8), *(part[3] for part in parts)]),
            "edges": _joined([part[4] + start for part, start in zip(parts, starts, strict=True)], 2),
        }


def color_of(kind: str) -> tuple[int, int, int, int]:
    """Return the colour of a class that the file gives none."""
    found = next((color for name, color in PALETTE.items() if kind.startswith(name)), None)
    if found is None and kind.startswith(("IfcFlow", "IfcPipe", "IfcDuct", "IfcCable", "IfcDistribution")):
        return PALETTE["IfcDistributionElement"]
    return found or NEUTRAL


def _joined(arrays: list[Int], width: int) -> AnyArray:
    return np.concatenate([np.zeros((0, width), dtype=np.int64), *arrays]).astype(np.int32)


def _colors(geometry: Any, count: int) -> UInt8 | None:
    """Return (T, 4) colours; alpha is zero where the file gives none, None when it gives none at all."""
    table = np.frombuffer(geometry.colors_buffer, dtype=np.float64).reshape(-1, 4)
    codes = np.frombuffer(geometry.material_ids_buffer, dtype=np.int32)
    if not len(table) or len(codes) != count:
        return None
    scaled = np.clip(np.round(np.nan_to_num(table) * 255.0), 0, 255).astype(np.uint8)
    scaled[:, 3] = np.maximum(scaled[:, 3], 40)
    return np.concatenate([scaled, np.zeros((1, 4), dtype=np.uint8)])[
        np.where((codes >= 0) & (codes < len(table)), codes, len(table))
    ]


def _matrix(shape: Any) -> Float:
    return np.frombuffer(shape.transformation_buffer, dtype=np.float64).reshape(4, 4, order="F")


def _faces_of(item: Any, unit: float) -> tuple[Float, Int, UInt8 | None]:
    vertices = np.asarray(item.Coordinates.CoordList, dtype=np.float64) * unit
    faces = np.asarray(item.CoordIndex, dtype=np.int64) - 1
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError("an index is out of range")
    colors = _given_colors(item, len(faces))
    flags = np.asarray(getattr(item, "Flags", None) or (), dtype=np.int64)
    if len(flags) == len(faces):
        # IfcTriangulatedIrregularNetwork: -1 and -2 are holes and voids, which are not seen.
        faces, colors = faces[flags >= 0], None if colors is None else colors[flags >= 0]
    return vertices, faces, colors


def _given_colors(item: Any, count: int) -> UInt8 | None:
    for given in getattr(item, "HasColours", None) or ():
        table = np.asarray(given.Colours.ColourList, dtype=np.float64)
        codes = np.asarray(given.ColourIndex, dtype=np.int64) - 1
        if len(codes) == count and len(table) and codes.min() >= 0 and codes.max() < len(table):
            alpha = 1.0 if given.Opacity is None else float(getattr(given.Opacity, "wrappedValue", given.Opacity))
            return np.round(np.column_stack([table, np.full(len(table), alpha)])[codes] * 255.0).astype(np.uint8)
    for styled in getattr(item, "StyledByItem", None) or ():
        if (color := _style_color(styled.Styles)) is not None:
            return np.tile(np.array(color, dtype=np.uint8), (count, 1))
    return None


def _style_color(styles: Iterable[Any]) -> tuple[int, int, int, int] | None:
    for style in styles:
        if style.is_a("IfcSurfaceStyle"):
            for part in style.Styles:
                if part.is_a("IfcSurfaceStyleShading"):
                    color, clear = part.SurfaceColour, getattr(part, "Transparency", None) or 0.0
                    red, green, blue = (round(255 * channel) for channel in (color.Red, color.Green, color.Blue))
                    return red, green, blue, max(40, round(255 * (1.0 - clear)))
        elif hasattr(style, "Styles") and (found := _style_color(style.Styles)):
            return found
    return None


def _chains(edges: Int) -> list[Int]:
    """Return runs of edges (E, 2) in which one begins where the last ended, as rows of vertices."""
    if not len(edges):
        return []
    cuts = np.flatnonzero(edges[1:, 0] != edges[:-1, 1]) + 1
    return [np.append(run[:, 0], run[-1, 1]) for run in np.split(edges, cuts)]


def _line_arrays(lines: list[tuple[int, Float]]) -> dict[str, AnyArray]:
    return {
        "line_points": np.concatenate([np.zeros((0, 3)), *(points for _, points in lines)]),
        "line_counts": np.array([len(points) for _, points in lines], dtype=np.int64),
        "line_rows": np.array([row for row, _ in lines], dtype=np.int64),
    }
