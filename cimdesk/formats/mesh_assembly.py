"""From flat surfaces to one triangle mesh per level of detail, with instances of geometry templates placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cimdesk.base.arrays import Bool, Float, Int, UInt8, box_of_points, offsets_from_counts
from cimdesk.formats.compiled import pays
from cimdesk.formats.findings import Findings
from cimdesk.formats.picture_places import face_pictures
from cimdesk.formats.polygons import Polygons, Triangulation, triangulate
from cimdesk.formats.surface_arrays import SurfaceArrays, without_twins
from cimdesk.model.mesh import TriangleMesh

LARGEST = 1e8
"""Coordinates beyond this are no place on earth in any system [m]."""
FLAT = 0.978
"""Cosine (12 degrees) between the normals of neighbours whose common edge is not drawn: curved surfaces and terrain stay quiet."""
MAX_INSTANCE_VERTICES = 50_000_000
WORTH = 500_000
"""Edges from which compiled code pays for its loading."""
WHITE = (255, 255, 255, 255)


@dataclass
class Instances:
    """Where geometry templates stand.

    Attributes
    ----------
    rows, templates : lists of int
        Feature row and template of each instance.
    anchors : list of int
        Vertex row of the reference point.
    matrices : list of 16 floats
        Row-major.
    """

    rows: list[int] = field(default_factory=list)
    templates: list[int] = field(default_factory=list)
    anchors: list[int] = field(default_factory=list)
    matrices: list[list[float]] = field(default_factory=list)


def origin_of(vertices: Float) -> Float:
    """Return (3,) a place amid the usable vertices, rounded so that it reads well."""
    is_good = is_usable(vertices)
    usable = vertices if is_good.all() else vertices[is_good]
    if not len(usable):
        return np.zeros(3)
    return np.asarray(np.round(box_of_points(usable).sum(axis=0) / 2.0, 3), dtype=np.float64)


def is_usable(vertices: Float) -> Bool:
    """Return (V,) whether a vertex can be drawn."""
    # Column by column: numpy is slow over an axis of three.
    x, y, z = (np.abs(vertices[:, k]) < LARGEST for k in range(3))
    return np.asarray(x & y & z, dtype=np.bool_)


def build_meshes(
    surfaces: SurfaceArrays, vertices: Float, origin: Float, colors: UInt8, names: Sequence[str], findings: Findings
) -> dict[str, TriangleMesh]:
    """Triangulate surfaces and return one mesh per level of detail.

    Parameters
    ----------
    surfaces : SurfaceArrays
    vertices : (V, 3) float64
        World coordinates.
    origin : (3,) float64
        Of the meshes.
    colors : (M, 4) uint8
        Colour of each material.
    names : sequence of str
        Of the features, for findings.
    findings : Findings
    """
    usable = is_usable(vertices)
    if not usable.all():
        bad = surfaces.touching(~usable[surfaces.corners])
        for row, count in _counted(surfaces.owners[bad]):
            findings.error("bad-coordinate", names[row], "Surfaces with impossible coordinates are left out: {count}.", count=count)
        surfaces = surfaces.where(~bad)
    surfaces = without_twins(surfaces)
    local = vertices - origin
    local[~usable] = 0.0
    polygons = Polygons(
        local, surfaces.corners, offsets_from_counts(surfaces.ring_lengths), offsets_from_counts(surfaces.ring_counts)
    )
    found = triangulate(polygons)
    for row, count in _counted(surfaces.owners[found.is_degenerate]):
        findings.add("degenerate-surface", names[row], "Surfaces without area are not drawn: {count}.", count=count)
    for row, count in _counted(surfaces.owners[found.is_repaired & ~found.is_degenerate]):
        findings.add(
            "self-intersection", names[row], "Surfaces whose outlines cross themselves are drawn repaired: {count}.", count=count
        )
    drawn = ~found.is_degenerate[found.polygon_of_edge]
    edges, edge_polygon = _those(found.edges, drawn), _those(found.polygon_of_edge, drawn)
    points = np.concatenate([local, found.extra_points])
    lod_of_triangle, lod_of_edge = surfaces.lods[found.polygon_of], surfaces.lods[edge_polygon]
    meshes = {}
    for code, name in enumerate(surfaces.lod_names):
        mine = lod_of_triangle == code
        if mine.any():
            here = lod_of_edge == code
            outline = _crisp(_those(edges, here), _those(edge_polygon, here), found, surfaces.owners)
            triangles, polygon_of = _those(found.triangles, mine), _those(found.polygon_of, mine)
            meshes[name] = _mesh(points, triangles, polygon_of, outline, surfaces, origin, colors)
    return meshes


def _those(rows: Int, wanted: Bool) -> Int:
    """Return the ``wanted`` rows, mostly all of them, which then need no copy."""
    return rows if wanted.all() else rows[wanted]


def _mesh(
    points: Float, triangles: Int, polygon_of: Int, edges: Int, surfaces: SurfaceArrays, origin: Float, colors: UInt8
) -> TriangleMesh:
    used = np.zeros(len(points), dtype=bool)
    used[triangles] = True
    used[edges] = True
    renumbered = np.cumsum(used, dtype=np.int32) - np.int32(1)
    materials = surfaces.materials[polygon_of]
    painted = None
    if len(colors) and (materials >= 0).any():
        painted = np.concatenate([colors, np.array([WHITE], dtype=np.uint8)])[materials]
    return TriangleMesh(
        points[used].astype(np.float32),
        renumbered[triangles],
        surfaces.owners[polygon_of].astype(np.int32),
        surfaces.kinds[polygon_of].astype(np.uint8),
        origin,
        renumbered[edges],
        painted,
        None if surfaces.pictures is None else face_pictures(surfaces, surfaces.pictures, points, triangles, polygon_of),
    )


def _crisp(edges: Int, polygon_of: Int, found: Triangulation, owners: Int) -> Int:
    """Return each edge once, without those between two surfaces of one object that lie nearly in one plane."""
    if not len(edges):
        return edges
    if pays(len(edges), WORTH):
        from cimdesk.formats.polygon_kernels import crisp_edges

        return crisp_edges(edges, polygon_of, found.normals, owners, FLAT, int(edges.max()) + 1)
    ahead = edges[:, 0] < edges[:, 1]
    low, high = np.where(ahead, edges[:, 0], edges[:, 1]), np.where(ahead, edges[:, 1], edges[:, 0])
    order = np.argsort(low * (int(high.max()) + 1) + high, kind="stable")
    low, high, polygon_of, sides = low[order], high[order], polygon_of[order], np.where(ahead, 1, -1)[order]
    starts = np.flatnonzero(np.concatenate([[True], (low[1:] != low[:-1]) | (high[1:] != high[:-1])]))
    counts = np.diff(np.append(starts, len(low)))
    first = np.repeat(polygon_of[starts], counts)
    x, y, z = (found.normals[polygon_of] * found.normals[first]).T
    alike = (owners[polygon_of] == owners[first]) & (x + y + z > FLAT)
    # Inside a plane an edge is walked as often one way as the other; on its rim, one way only.
    inside = np.logical_and.reduceat(alike, starts) & (np.add.reduceat(sides, starts) == 0)
    kept = starts[~inside]
    return np.column_stack([low[kept], high[kept]])


def place_instances(
    instances: Instances, templates: dict[str, TriangleMesh], vertices: Float, origin: Float, findings: Findings
) -> dict[str, TriangleMesh]:
    """Return one mesh per level of detail of all instances of templates.

    Parameters
    ----------
    instances : Instances
    templates : mapping of LoD to TriangleMesh
        In template coordinates; ``feature_index`` is the template.
    vertices : (V, 3) float64
        World coordinates of the reference points.
    origin : (3,) float64
    findings : Findings
    """
    rows, wanted = np.array(instances.rows, dtype=np.int64), np.array(instances.templates, dtype=np.int64)
    anchors = vertices[np.array(instances.anchors, dtype=np.int64)]
    matrices = np.array(instances.matrices, dtype=np.float64).reshape(-1, 4, 4)
    placed: dict[str, list[TriangleMesh]] = {}
    total = 0
    for lod, mesh in templates.items():
        for template in np.unique(mesh.feature_index).tolist():
            mine = np.flatnonzero((wanted == template) & is_usable(anchors))
            part = _part(mesh, template)
            total += len(mine) * len(part.vertices)
            if total > MAX_INSTANCE_VERTICES:
                findings.error(
                    "too-large", "", "Instances of templates would make {count} vertices; the rest is left out.", count=total
                )
                break
            if len(mine):
                placed.setdefault(lod, []).append(_copies(part, matrices[mine], anchors[mine], rows[mine], origin))
    return {lod: TriangleMesh.merged(parts) for lod, parts in placed.items()}


def _part(mesh: TriangleMesh, feature: int) -> TriangleMesh:
    """Return the triangles, outlines and vertices of one feature alone."""
    mine = mesh.feature_index == feature
    used = np.zeros(len(mesh.vertices), dtype=bool)
    used[mesh.triangles[mine]] = True
    renumbered = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return replace(
        mesh,
        vertices=mesh.vertices[used],
        triangles=renumbered[mesh.triangles[mine]],
        feature_index=mesh.feature_index[mine],
        surface=mesh.surface[mine],
        edges=renumbered[mesh.edges[used[mesh.edges].all(axis=1)]],
        colors=None if mesh.colors is None else mesh.colors[mine],
        pictures=None if mesh.pictures is None else mesh.pictures.kept(mine),
    )


def _copies(part: TriangleMesh, matrices: Float, anchors: Float, rows: Int, origin: Float) -> TriangleMesh:
    """Return one template at K places: matrices (K, 4, 4), anchors (K, 3), feature rows (K,)."""
    count, size = len(rows), len(part.vertices)
    shape = part.world_vertices()
    vertices = np.einsum("kij,vj->kvi", matrices[:, :3, :3], shape) + (matrices[:, :3, 3] + anchors - origin)[:, None, :]
    shift = (np.arange(count, dtype=np.int32) * np.int32(size))[:, None, None]
    return TriangleMesh(
        vertices.reshape(-1, 3).astype(np.float32),
        (part.triangles[None] + shift).reshape(-1, 3),
        np.repeat(rows, len(part.triangles)).astype(np.int32),
        np.tile(part.surface, count),
        origin,
        (part.edges[None] + shift).reshape(-1, 2),
        None if part.colors is None else np.tile(part.colors, (count, 1)),
        None if part.pictures is None else part.pictures.repeated(count, len(part.triangles)),
    )


def _counted(owners: Int) -> list[tuple[int, int]]:
    rows, counts = np.unique(owners, return_counts=True)
    return list(zip(rows.tolist(), counts.tolist(), strict=True))
