"""Small point clouds written with laspy, an independent library."""

from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np

ORIGIN = np.array([430_000.0, 2_550_000.0, 0.0])


def town(count: int, side: float = 200.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 3) points of a plain with blocks on it, and their classes: 2 ground, 6 building."""
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, count)) * side
    is_block = (x % 40 < 20) & (y % 40 < 20)
    z = np.where(is_block, 12.0, 0.0) + rng.random(count) * 0.2
    return np.column_stack([x, y, z]) + ORIGIN, np.where(is_block, 6, 2).astype(np.uint8)


def write_las(
    path: Path, points: np.ndarray, classes: np.ndarray | None = None, point_format: int = 7, crs: int | None = 4547, **columns
) -> Path:
    """Write a LAS or LAZ file, by the suffix; ``columns`` are dimensions, unknown ones become extra ones."""
    header = laspy.LasHeader(version="1.4" if point_format >= 6 else "1.2", point_format=point_format)
    header.scales, header.offsets = np.full(3, 0.001), np.floor(points.min(axis=0))
    if crs is not None:
        from pyproj import CRS

        header.add_crs(CRS.from_epsg(crs))
    known = set(header.point_format.dimension_names)
    for name, values in columns.items():
        if name not in known:
            header.add_extra_dim(laspy.ExtraBytesParams(name, np.asarray(values).dtype))
    las = laspy.LasData(header)
    las.x, las.y, las.z = points.T
    if classes is not None:
        las.classification = classes
    for name, values in columns.items():
        las[name] = values
    las.write(path)
    return path
