"""Compiled: triangles of many features to the vertices of a GLB, beside the same in plain numpy. Import it late: it loads numba."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Float32
from cimdesk.base.compiled import njit


@njit(cache=True, nogil=True)
def _split(
    points: AnyArray, triangles: AnyArray, owner: AnyArray, at: AnyArray, normals: AnyArray, owned: AnyArray, indices: AnyArray
) -> tuple[int, int]:
    """Fill the outputs; return how many vertices and triangles there are."""
    head = np.full(len(points), -1, dtype=np.int32)
    following = np.empty(len(owned), dtype=np.int32)
    code = np.empty(len(owned), dtype=np.int64)
    count = faces = 0
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x, y, z = np.float64(points[a, 0]), np.float64(points[a, 1]), np.float64(points[a, 2])
        ux, uy, uz = points[b, 0] - x, points[b, 1] - y, points[b, 2] - z
        vx, vy, vz = points[c, 0] - x, points[c, 1] - y, points[c, 2] - z
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if not length > 1e-12:
            continue
        scale = 127.0 / length
        ix, iy, iz = int(np.rint(nx * scale)), int(np.rint(ny * scale)), int(np.rint(nz * scale))
        key = (np.int64(owner[t]) << 24) | ((ix + 128) << 16) | ((iy + 128) << 8) | (iz + 128)
        for corner in range(3):
            v = triangles[t, corner]
            found = head[v]
            while found >= 0 and code[found] != key:
                found = following[found]
            if found < 0:
                found = count
                count += 1
                following[found], head[v], code[found] = head[v], found, key
                # Z up becomes y up.
                at[found, 0], at[found, 1], at[found, 2] = points[v, 0], points[v, 2], -points[v, 1]
                normals[found, 0], normals[found, 1], normals[found, 2], normals[found, 3] = ix, iz, -iy, 0
                owned[found] = owner[t]
            indices[faces, corner] = found
        faces += 1
    return count, faces


def split_vertices(points: Float32, triangles: AnyArray, owner: AnyArray) -> tuple[Float32, AnyArray, AnyArray, AnyArray]:
    """Return vertices in glTF's axes that are shared only within one feature and one direction; faces without area are left out.

    Parameters
    ----------
    points : (V, 3) float32
        Z up.
    triangles : (T, 3) int
    owner : (T,) int

    Returns
    -------
    at : (U, 3) float32
        Y up.
    normals : (U, 4) int8
        Length 127; the fourth is padding.
    owned : (U,) float32
        Feature of each vertex, as glTF keeps it.
    indices : (F, 3) uint32
    """
    size = 3 * len(triangles)
    at, normals = np.empty((size, 3), dtype=np.float32), np.empty((size, 4), dtype=np.int8)
    owned, indices = np.empty(size, dtype=np.float32), np.empty((len(triangles), 3), dtype=np.uint32)
    count, faces = _split(
        np.ascontiguousarray(points, dtype=np.float32),
        np.ascontiguousarray(triangles, dtype=np.int64),
        np.ascontiguousarray(owner, dtype=np.int64),
        at,
        normals,
        owned,
        indices,
    )
    return at[:count], normals[:count], owned[:count], indices[:faces]


def split_vertices_reference(points: Float32, triangles: AnyArray, owner: AnyArray) -> tuple[Float32, AnyArray, AnyArray, AnyArray]:
    """Return the same as `split_vertices` in plain numpy; vertices come in another order."""
    a, b, c = (points[triangles[:, k]].astype(np.float64) for k in range(3))
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    is_face = length > 1e-12
    turned = np.rint(normal[is_face] * (127.0 / length[is_face, None])).astype(np.int64)
    corners = triangles[is_face].ravel()
    keys = np.column_stack([corners, np.repeat(np.column_stack([owner[is_face], turned]), 3, axis=0)])
    found, indices = np.unique(keys, axis=0, return_inverse=True)
    at = points[found[:, 0]]
    normals = np.column_stack([found[:, 2], found[:, 4], -found[:, 3], np.zeros(len(found))]).astype(np.int8)
    turned_points = np.column_stack([at[:, 0], at[:, 2], -at[:, 1]])
    return turned_points, normals, found[:, 1].astype(np.float32), indices.reshape(-1, 3).astype(np.uint32)
