"""Cells of a HEC-RAS flow area: their outlines from faces, and the water that they hold at a level."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.errors import DataError
from cimdesk.formats.flood_in.hecras_faces import Faces, faces_of, table_values
from cimdesk.formats.flood_in.mesh import Mesh


@dataclass(frozen=True)
class Area:
    """One flow area.

    Attributes
    ----------
    name : str
    points : (N, 2) float64
        Face points, and after them the bends of faces along the rim.
    outlines : list of lists of int
        Points around each cell.
    cells : (C,) int64
        Rows of the file that these outlines are of; rows without an area are there for boundaries.
    rows : int
        How many rows the file has.
    bed : (C,) float64 or None
        Lowest ground.
    volumes : tuple of arrays or None
        Of each cell its first row and number of rows in a table of level and volume, and that table.
    areas : (C,) float64 or None
        As the file states.
    faces : Faces
    face_points : int
        How many of the points are ends of faces.
    """

    name: str
    points: Float
    outlines: list[list[int]]
    cells: AnyArray
    rows: int
    bed: Float | None
    volumes: tuple[AnyArray, Float] | None
    areas: Float | None
    faces: Faces
    face_points: int


def cells_of(path: Path, group: Any, name: str) -> Area:
    """Return the cells of a flow area.

    Raises
    ------
    DataError
        If its faces and points do not fit together.
    """
    points: Float = np.asarray(group["FacePoints Coordinate"][:], dtype=np.float64)
    ends = np.asarray(group["Faces FacePoint Indexes"][:], dtype=np.int64)
    info = np.asarray(group["Cells Face and Orientation Info"][:], dtype=np.int64)
    around = np.asarray(group["Cells Face and Orientation Values"][:], dtype=np.int64)[:, 0]
    if ends.size and (ends.max() >= len(points) or ends.min() < 0 or around.max(initial=-1) >= len(ends)):
        raise DataError(
            path, "the faces of the mesh name points that are not there.", where=name, remedy="Copy or download it again."
        )
    bends, all_points = _bends(group, points)
    outlines: list[list[int]] = []
    cells: list[int] = []
    for row, (first, count) in enumerate(info):
        outline = _outline(around[first : first + count], ends, bends) if count >= 3 else []
        if len(outline) >= 3:
            outlines.append(outline)
            cells.append(row)
    kept = np.array(cells, dtype=np.int64)
    if not cells:
        raise DataError(path, "the flow area has no cells.", where=name, remedy="Copy or download it again.")
    faces = np.concatenate([around[first : first + count] for first, count in info[kept]])
    offsets = np.concatenate([[0], np.cumsum(info[kept, 1])[:-1]])
    bed = _column(group, "Cells Minimum Elevation", kept)
    sizes = _column(group, "Cells Surface Area", kept)
    volumes = None
    if "Cells Volume Elevation Info" in group:
        table = np.asarray(group["Cells Volume Elevation Values"][:], dtype=np.float64)
        volumes = (np.asarray(group["Cells Volume Elevation Info"][:], dtype=np.int64)[kept], table)
    return Area(name, all_points, outlines, kept, len(info), bed, volumes, sizes, faces_of(group, offsets, faces), len(points))


def _column(group: Any, name: str, rows: AnyArray) -> Float | None:
    return np.asarray(group[name][:], dtype=np.float64)[rows] if name in group else None


def _bends(group: Any, points: Float) -> tuple[dict[int, list[int]], Float]:
    """Return the points within faces along the rim, by face, and all points with those at the end."""
    if "Faces Perimeter Info" not in group or not group["Faces Perimeter Values"].shape[0]:
        return {}, points
    info = np.asarray(group["Faces Perimeter Info"][:], dtype=np.int64)
    more = np.asarray(group["Faces Perimeter Values"][:], dtype=np.float64)
    found = {int(face): (len(points) + np.arange(info[face, 0], info[face].sum())).tolist() for face in np.flatnonzero(info[:, 1])}
    return found, np.concatenate([points, more])


def _outline(faces: AnyArray, ends: AnyArray, bends: dict[int, list[int]]) -> list[int]:
    """Return the points around a cell by walking along its faces; empty where they do not close."""
    left = {int(face): (int(ends[face, 0]), int(ends[face, 1])) for face in faces}
    first = int(faces[0])
    begin, at = left.pop(first)
    outline = [begin, *bends.get(first, []), at]
    while left:
        face = next((f for f, pair in left.items() if at in pair), None)
        if face is None:
            return []
        a, b = left.pop(face)
        within = bends.get(face, [])
        outline += [*within, b] if a == at else [*within[::-1], a]
        at = b if a == at else a
    return outline[:-1] if at == begin else []


def joined(areas: list[Area]) -> Mesh:
    """Return one mesh of all areas."""
    width = max(len(outline) for area in areas for outline in area.outlines)
    tables, nodes, start = [], [], 0
    for area in areas:
        table = np.full((len(area.outlines), width), -1, dtype=np.int64)
        for k, outline in enumerate(area.outlines):
            table[k, : len(outline)] = np.asarray(outline) + start
        tables.append(table)
        nodes.append(area.points)
        start += len(area.points)
    return Mesh(np.concatenate(nodes), np.concatenate(tables))


def mean_depths(levels: Float, bed: Float, areas: list[Area]) -> Float:
    """Return (F,) how deep the water of each cell would stand on an even ground: its volume by its area.

    A cell of HEC-RAS has a ground of its own below its one level. Without its table the depth over its lowest ground is given.
    """
    depths = np.maximum(levels - bed, 0.0)
    at = 0
    for area in areas:
        count = len(area.cells)
        if area.volumes is not None and area.areas is not None:
            volume = table_values(levels[at : at + count], area.volumes[0], area.volumes[1], area.areas)
            depths[at : at + count] = np.where(area.areas > 0, volume / np.maximum(area.areas, 1e-9), depths[at : at + count])
        at += count
    return depths
