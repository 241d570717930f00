"""One tile decoded by itself, ready to draw: from a task that says all there is to know, so that any process can do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, Strings
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Problem
from cimdesk.formats.facing import outward_features
from cimdesk.formats.findings import Findings
from cimdesk.formats.tiles3d_city import GEOCENTRIC, build_city
from cimdesk.formats.tiles3d_cloud import cloud_of
from cimdesk.formats.tiles3d_content import ContentReader, TileContent, merged_columns
from cimdesk.formats.tiles3d_entities import add_entity_columns
from cimdesk.formats.tiles3d_paths import TilePlace
from cimdesk.formats.tiles3d_stated import StatedBodies
from cimdesk.model.features import as_strings
from cimdesk.model.mesh import Surface, TriangleMesh, spans
from cimdesk.model.tileset import TileBlock

FADING = ("cancelled", "unreachable")
"""Codes of problems that another try may get over."""


@dataclass(frozen=True)
class DecodedTile:
    """What a tile gave: a block whose features count from zero, their ids and columns, and what was wrong."""

    block: TileBlock | None
    ids: Strings
    columns: dict[str, AnyArray]
    problems: tuple[Problem, ...]

    @property
    def may_come(self) -> bool:
        """Whether it is missing for now only."""
        return self.block is None and any(problem.code in FADING for problem in self.problems)


@dataclass(frozen=True)
class TileTask:
    """What it takes to decode a tile, beside the files it refers to.

    Attributes
    ----------
    row : int
        Of the tile.
    contents : mapping of str to mapping
        What the tileset says of each content, by its reference.
    transform : (4, 4) float64
        Tile to tileset coordinates.
    up_axis : str
        Of the models.
    is_geocentric : bool
        Whether tileset coordinates are earth-centred.
    own, target : Crs or None
        System of tileset coordinates that are not, and of the world.
    """

    row: int
    contents: Mapping[str, Mapping[str, Any]]
    transform: Float
    up_axis: str
    is_geocentric: bool
    own: Crs | None
    target: Crs | None

    def placed(self, points: Float) -> Float:
        """Return tileset coordinates (N, 3) in the world; infinite where there is no place."""
        own = GEOCENTRIC if self.is_geocentric else self.own
        if own is None or self.target is None or own == self.target:
            return points
        return own.transform(self.target, points)


def decode_tile(task: TileTask, place: TilePlace) -> DecodedTile:
    """Read the contents of a tile; never raises for bad ones.

    Parameters
    ----------
    task : TileTask
    place : TilePlace
        Where the contents are.
    """
    findings = Findings()
    opened = _opened(task, place, findings)
    city = build_city(opened, task.target if task.is_geocentric else None, {})
    mesh = _placed(city.meshes["tiles"], task)
    ids, columns = city.features.ids, dict(city.features.columns)
    own = len(ids)
    bodies = _bodies_of(opened, ids, task.placed)
    if bodies is not None:
        columns.update(_measures(columns["measured_height"], bodies))
    found = cloud_of(opened, task.placed, mesh.origin if len(mesh.triangles) else None, own)
    if found is None:
        block = block_of(task.row, mesh, own, _welded(opened, len(mesh.vertices))) if len(mesh.triangles) else None
        if block is not None and bodies is not None and bodies.tops is not None:
            anchors = (bodies.tops - block.origin).astype(np.float32)
            block = replace(block, anchors=anchors, bodies=bodies.sizes.astype(np.float32))
        return DecodedTile(block, ids, columns, findings.problems())
    cloud, origin, names, said = found
    ids = np.concatenate([ids, names])
    columns = merged_columns([(own, columns), (len(names), said)])
    columns["tile"] = np.concatenate([city.features.columns["tile"], as_strings([name.split(".points")[0] for name in names])])
    block = block_of(task.row, mesh, len(ids)) if len(mesh.triangles) else empty_block(task.row, len(ids), origin)
    anchors = block.anchors.copy()
    anchors[own:] = _middles(cloud.xyz, cloud.owner - own, len(names))
    return DecodedTile(replace(block, cloud=cloud, anchors=anchors), ids, columns, findings.problems())


def _opened(task: TileTask, place: TilePlace, findings: Findings) -> list[tuple[str, TileContent]]:
    reader = ContentReader(place, findings, task.up_axis)
    opened: list[tuple[str, TileContent]] = []
    for reference, described in task.contents.items():
        for content in reader.read(reference, task.transform):
            add_entity_columns(content, described)
            opened.append((reference, content))
    return opened


def _placed(mesh: TriangleMesh, task: TileTask) -> TriangleMesh:
    own, target = task.own, task.target
    if task.is_geocentric or own is None or target is None or own == target or not len(mesh.vertices):
        return mesh
    world = own.transform(target, mesh.world_vertices())
    origin = np.floor(world.mean(axis=0))
    return replace(mesh, vertices=(world - origin).astype(np.float32), origin=origin)


def _bodies_of(opened: Sequence[tuple[str, TileContent]], ids: Strings, place: Callable[[Float], Float]) -> StatedBodies | None:
    """Return where the features of a tile really are, in the world; None where its content does not say.

    Parameters
    ----------
    opened : sequence of (str, TileContent)
    ids : (N,) object
        Of the tile's features.
    place : callable
        Takes (N, 3) tileset coordinates to the world.
    """
    stated = [content.bodies for _, content in opened if content.bodies is not None]
    if len(opened) != 1 or not stated or len(stated[0].sizes) != len(ids):
        return None
    if stated[0].tops is None:
        return stated[0]
    tops = place(stated[0].tops)
    return replace(stated[0], tops=tops) if np.isfinite(tops).all() else None


def _measures(shown: Float, bodies: StatedBodies) -> dict[str, Float]:
    """Return columns of what features measure really, for those that are ``shown`` with any height."""
    found = {"measured_height": np.where(np.isfinite(shown), bodies.sizes[:, 2], shown)}
    if bodies.tops is not None:
        found["ground_elevation"] = (bodies.tops[:, 2] - bodies.sizes[:, 2]).round(2)
    return found


def _welded(opened: Sequence[tuple[str, TileContent]], count: int) -> Int | None:
    """Return what is known of vertices at the same place, of all contents one below the other; None if these are not ``count``."""
    parts, start = [], 0
    for _, content in opened:
        if content.points:
            parts.append(content.welded + start)
            start += len(content.welded)
    return np.concatenate(parts) if parts and start == count else None


def block_of(row: int, mesh: TriangleMesh, features: int, welded: Int | None = None) -> TileBlock:
    """Return a mesh as a block: a vertex is shared within one feature's surfaces of one kind and colour only.

    Parameters
    ----------
    row : int
        Of the tile.
    mesh : TriangleMesh
    features : int
        Number of features ``mesh.feature_index`` counts.
    welded : (V,) int64 or None
        Of each vertex, the first one at the same place, where that is known.
    """
    corners = [np.ascontiguousarray(mesh.triangles[:, k]) for k in range(3)]
    palette, color = _palette(mesh)
    kinds = (color * features + mesh.feature_index) * 2 + (mesh.surface == Surface.ROOF)
    vertex, kind, triangles = _shared_by_kind(mesh, corners, kinds)
    points, lines = _used(mesh.vertices, mesh.edges)
    return TileBlock(
        row,
        np.arange(features, dtype=np.int64),
        np.asarray(mesh.origin, dtype=np.float64),
        mesh.vertices[vertex],
        triangles,
        mesh.feature_index,
        (kind // 2 % features).astype(np.int32),
        (kind % 2).astype(bool),
        palette[kind // 2 // features],
        mesh.surface,
        points,
        lines,
        _tops(mesh, corners, features),
        outward_features(mesh.vertices, mesh.triangles, mesh.feature_index, features, welded)[mesh.feature_index],
    )


def _shared_by_kind(mesh: TriangleMesh, corners: list[AnyArray], kinds: AnyArray) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Return vertices of one kind each: (W,) their rows of ``mesh.vertices``, (W,) kinds; and (T, 3) int32 triangles of them."""
    count = len(mesh.vertices)
    kind = np.full(count, -1, dtype=np.int64)
    for rows in corners:
        kind[rows] = kinds
    if all((kind[rows] == kinds).all() for rows in corners):
        # Most files split vertices between faces already.
        vertex = np.flatnonzero(kind >= 0)
        if len(vertex) == count:
            return vertex, kind, mesh.triangles
        place = np.cumsum(kind >= 0) - 1
        return vertex, kind[vertex], place[mesh.triangles].astype(np.int32)
    code = mesh.triangles.astype(np.int64) + kinds[:, None] * np.int64(count)
    unique, compact = np.unique(code.ravel(), return_inverse=True)
    return unique % count, unique // count, compact.reshape(-1, 3).astype(np.int32)


def _used(vertices: AnyArray, edges: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return the vertices that edges end at, and the (E, 2) int32 edges between those."""
    is_used = np.zeros(len(vertices), dtype=bool)
    is_used[edges[:, 0]] = is_used[edges[:, 1]] = True
    place = (np.cumsum(is_used) - 1).astype(np.int32)
    return vertices[is_used], place[edges]


def empty_block(row: int, features: int, origin: Float) -> TileBlock:
    """Return a block without triangles."""
    none = np.zeros(0, dtype=np.int32)
    no_points = np.zeros((0, 3), dtype=np.float32)
    return TileBlock(
        row,
        np.arange(features, dtype=np.int64),
        np.asarray(origin, dtype=np.float64),
        no_points,
        none.reshape(0, 3),
        none,
        none,
        np.zeros(0, dtype=bool),
        none.astype(np.uint32),
        none.astype(np.uint8),
        no_points,
        none.reshape(0, 2),
        np.full((features, 3), np.nan, dtype=np.float32),
    )


def _middles(xyz: AnyArray, owner: AnyArray, count: int) -> AnyArray:
    """Return (count, 3) float32 middles of groups of points, at the height of the highest."""
    size = np.maximum(np.bincount(owner, minlength=count), 1)
    middle = [np.bincount(owner, weights=xyz[:, k], minlength=count) / size for k in (0, 1)]
    top = np.full(count, -np.inf)
    np.maximum.at(top, owner, xyz[:, 2])
    return np.column_stack([*middle, np.where(np.isfinite(top), top, np.nan)]).astype(np.float32)


def _palette(mesh: TriangleMesh) -> tuple[AnyArray, AnyArray | int]:
    """Return the packed colours of a mesh and the number of each triangle's; 0 stands for white, which a layer's style paints."""
    if mesh.colors is None:
        return np.zeros(1, dtype=np.uint32), 0
    packed = np.ascontiguousarray(mesh.colors).view(np.uint32).ravel()
    palette, color = np.unique(np.where((mesh.colors[:, :3] == 255).all(axis=1), np.uint32(0), packed), return_inverse=True)
    return palette, color


def _tops(mesh: TriangleMesh, corners: list[AnyArray], features: int) -> AnyArray:
    """Return (features, 3) float32 local middles of the tops."""
    owner = mesh.feature_index
    counts: Float = 3.0 * np.bincount(owner, minlength=features).astype(np.float64)
    counts[counts == 0] = np.nan
    x, y, z = ([axis[rows] for rows in corners] for axis in mesh.vertices.T.astype(np.float64))
    middle = [np.bincount(owner, weights=a + b + c, minlength=features) / counts for a, b, c in (x, y)]
    top = np.maximum(np.maximum(z[0], z[1]), z[2])
    _, highest = spans(top, top, owner, features)
    return np.column_stack([*middle, np.where(np.isfinite(highest), highest, np.nan)]).astype(np.float32)
