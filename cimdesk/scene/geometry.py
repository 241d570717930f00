"""numpy arrays to VTK data without copying, actors with our shader hooks, and edges of meshes."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32, Int32
from cimdesk.scene import toolkit as vtk

ON_TOP = "\n  gl_Position.z = gl_Position.z * 0.02 - 0.98 * gl_Position.w;\n"
"""Vertex code that draws in front of everything: the depths 0..1 are squeezed into `TOP_DEPTH`."""
TOP_DEPTH = 0.02
ABOVE_ALL = "\n  gl_Position.z = gl_Position.z * 0.001 - 0.999 * gl_Position.w;\n"
"""The same for outlines, which must show in front of what is on top: into `ABOVE_DEPTH`."""
ABOVE_DEPTH = 0.001


def box_of(points: Float32) -> Float:
    """Return (2, 3) float64 least and greatest coordinates of (P, 3) points; column by column that is twenty times as fast."""
    return np.array([[points[:, k].min() for k in range(3)], [points[:, k].max() for k in range(3)]], dtype=np.float64)


def poly_data(points: Float32, triangles: AnyArray | None = None, lines: AnyArray | None = None) -> Any:
    """Return vtkPolyData over (P, 3) float32 points with (T, 3) triangles and (L, 2) line segments."""
    data = vtk.vtkPolyData()
    vtk_points = vtk.vtkPoints()
    vtk_points.SetData(vtk.numpy_to_vtk(np.ascontiguousarray(points, dtype=np.float32), deep=False))
    data.SetPoints(vtk_points)
    if triangles is not None:
        data.SetPolys(cell_array(triangles))
    if lines is not None:
        data.SetLines(cell_array(lines))
    return data


def cell_of_points(rows: AnyArray) -> Any:
    """Return a vtkCellArray of one cell that has all these points: a cell for each would cost four times the memory."""
    cells = vtk.vtkCellArray()
    offsets = np.array([0, len(rows)] if len(rows) else [0], dtype=np.int32)
    cells.SetData(vtk.numpy_to_vtk(offsets, deep=True), vtk.numpy_to_vtk(np.ascontiguousarray(rows), deep=True))
    return cells


def cell_array(rows: AnyArray) -> Any:
    """Return a vtkCellArray of equal-sized cells, one per row of point indices."""
    cells = vtk.vtkCellArray()
    offsets = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)
    connectivity = np.ascontiguousarray(rows, dtype=np.int32).ravel()
    cells.SetData(vtk.numpy_to_vtk(offsets, deep=False), vtk.numpy_to_vtk(connectivity, deep=False))
    return cells


def set_point_array(data: Any, values: AnyArray, role: str) -> Any:
    """Attach a per-point array as ``tcoords``, ``normals`` or ``scalars`` and return the VTK array."""
    array = vtk.numpy_to_vtk(np.ascontiguousarray(values), deep=False)
    array.SetName(role)
    point_data = data.GetPointData()
    {"tcoords": point_data.SetTCoords, "normals": point_data.SetNormals, "scalars": point_data.SetScalars}[role](array)
    return array


def actor_of(data: Any) -> Any:
    """Return an actor whose vertices stay in local coordinates, without scalar colouring."""
    mapper = vtk.vtkPolyDataMapper()
    mapper.SetInputData(data)
    mapper.SetVBOShiftScaleMethod(0)
    mapper.ScalarVisibilityOff()
    actor = vtk.vtkActor()
    actor.SetMapper(mapper)
    return actor


def hide_transparent_texels(actor: Any) -> None:
    """Let features whose texel has no alpha disappear, in an otherwise opaque actor."""
    actor.GetShaderProperty().AddFragmentShaderReplacement(
        "//VTK::TCoord::Impl", True, "//VTK::TCoord::Impl\n  if (fragOutput0.a < 0.02) discard;\n", False
    )


def hide_lines_by_texels(actor: Any) -> None:
    """Let lines of features whose texel has no alpha disappear; the others keep the colour of the actor, not of the texel."""
    actor.GetShaderProperty().AddFragmentShaderReplacement(
        "//VTK::TCoord::Impl",
        True,
        "vec4 ownColor = fragOutput0;\n//VTK::TCoord::Impl\n  if (fragOutput0.a < 0.02) discard;\n  fragOutput0 = ownColor;\n",
        False,
    )


def draw_on_top(actor: Any) -> None:
    """Draw in front of everything that is drawn normally, whatever lies between."""
    _place_vertices(actor, ON_TOP)


def draw_above_all(actor: Any) -> None:
    """Draw in front even of what is drawn on top."""
    actor.GetShaderProperty().AddVertexShaderReplacement(
        "//VTK::PositionVC::Impl", True, "//VTK::PositionVC::Impl" + ABOVE_ALL, False
    )


def clear_on_top(actor: Any) -> None:
    """Draw at the true depth again."""
    actor.GetShaderProperty().ClearVertexShaderReplacement("//VTK::PositionVC::Impl", True)


def pull_to_eye(actor: Any) -> None:
    """Make the actor win over surfaces just behind it; `set_pull` says by how much, before each frame."""
    _place_vertices(actor, "\n  gl_Position.z -= eyePull;\n")
    actor.GetShaderProperty().GetVertexCustomUniforms().SetUniformf("eyePull", 0.0)


def set_pull(actor: Any, fraction: float, near: float, far: float) -> None:
    """Pull towards the eye by this fraction of the distance: the depth of a point ``fraction`` nearer, at the same pixel."""
    # Of clip z = A z + B only B / w changes when a view-space point is scaled by s: B (1/s - 1), with B = -2 n f / (f - n).
    shift = 2.0 * near * far / (far - near) * (1.0 / (1.0 - fraction) - 1.0)
    actor.GetShaderProperty().GetVertexCustomUniforms().SetUniformf("eyePull", shift)


def _place_vertices(actor: Any, code: str) -> None:
    place = "//VTK::PositionVC::Impl"
    actor.GetShaderProperty().AddVertexShaderReplacement(place, True, place + code, False)


def sharp_edges(points: Float32, triangles: Int32, owner: Int32, angle_deg: float = 25.0) -> Int32:
    """Return (E, 2) vertex rows of edges on a boundary, between owners, or sharper than ``angle_deg``.

    Parameters
    ----------
    points : (V, 3) float32
    triangles : (T, 3) int32
        May use several vertices at one place; they are joined by position (1 cm).
    owner : (T,) int32
        Feature of each triangle.
    """
    if not len(triangles):
        return np.zeros((0, 2), dtype=np.int32)
    keys = np.round(points.astype(np.float64) * 100.0).astype(np.int64)
    span = keys.max(axis=0) - keys.min(axis=0) + 1
    keys -= keys.min(axis=0)
    _, first, weld = np.unique((keys[:, 0] * span[1] + keys[:, 1]) * span[2] + keys[:, 2], return_index=True, return_inverse=True)
    welded = weld[triangles]
    half = np.concatenate([welded[:, [0, 1]], welded[:, [1, 2]], welded[:, [2, 0]]])
    low, high = np.minimum(half[:, 0], half[:, 1]), np.maximum(half[:, 0], half[:, 1])
    triangle = np.tile(np.arange(len(triangles)), 3)
    code = low.astype(np.int64) * len(first) + high
    order = np.lexsort((owner[triangle], code))
    code, triangle, low, high = code[order], triangle[order], low[order], high[order]
    corners = points[triangles].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    same = (code[1:] == code[:-1]) & (owner[triangle[1:]] == owner[triangle[:-1]])
    flat = same & (np.abs(np.einsum("ij,ij->i", normal[triangle[1:]], normal[triangle[:-1]])) > np.cos(np.radians(angle_deg)))
    inner = np.zeros(len(code), dtype=bool)
    inner[1:] |= flat
    inner[:-1] |= flat
    starts = np.concatenate([[True], ~same])
    keep = starts & ~inner & (low != high)
    return np.column_stack([first[low[keep]], first[high[keep]]]).astype(np.int32)
