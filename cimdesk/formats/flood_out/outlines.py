"""Classes of a grid as polygons along the edges of its cells, for GeoPackage and GeoJSON."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cimdesk.base.arrays import UInt8
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer, as_strings
from cimdesk.model.terrain import Terrain


def outlines_of(codes: UInt8, grid: Terrain, labels: Sequence[str], lows: Sequence[float]) -> VectorLayer:
    """Return one feature for each class that occurs: its polygons with holes, label, limits and area.

    Parameters
    ----------
    codes : (R, C) uint8
        Class of each cell from 1; 0 is none.
    labels, lows : sequences
        Of the classes.
    """
    from rasterio.features import shapes
    from rasterio.transform import from_origin

    place = from_origin(grid.west, grid.north, grid.cell_x, grid.cell_y)
    rings: list[np.ndarray] = []
    owners: list[int] = []
    holes: list[bool] = []
    present = [int(code) for code in np.unique(codes) if code]
    row_of = {code: k for k, code in enumerate(present)}
    for geometry, code in shapes(codes, mask=codes > 0, transform=place):
        for k, ring in enumerate(geometry["coordinates"]):
            rings.append(np.column_stack([np.asarray(ring, dtype=np.float64), np.full(len(ring), np.nan)]))
            owners.append(row_of[int(code)])
            holes.append(k > 0)
    order = np.argsort(owners, kind="stable")
    offsets = np.concatenate([[0], np.cumsum([len(rings[k]) for k in order])]).astype(np.int64)
    points = np.concatenate([rings[k] for k in order]) if rings else np.zeros((0, 3))
    shaped = Shapes(
        ShapeKind.POLYGON, points, offsets, np.asarray(owners, dtype=np.int64)[order], np.asarray(holes, dtype=bool)[order]
    )
    area = np.array([float(np.count_nonzero(codes == code)) * grid.cell_x * grid.cell_y for code in present])
    highs = [*lows[1:], np.inf]
    columns = {
        "class": as_strings([labels[code - 1] for code in present]),
        "low": np.array([max(float(lows[code - 1]), -1e9) for code in present]),
        "high": np.array([float(highs[code - 1]) if np.isfinite(highs[code - 1]) else np.nan for code in present]),
        "area_m2": area,
    }
    return VectorLayer(FeatureTable(as_strings([str(code) for code in present]), columns), shaped)
