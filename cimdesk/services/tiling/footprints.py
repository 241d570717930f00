"""Plain polygons with a column of heights -> bodies: what open building footprints are."""

from __future__ import annotations

import numpy as np

from cimdesk.formats.extrusion import Extrusion, bodies
from cimdesk.formats.findings import Findings
from cimdesk.model.city_piece import CityPiece
from cimdesk.model.features import ShapeKind, VectorLayer


def extruded(layer: VectorLayer, height: str, findings: Findings) -> CityPiece:
    """Return polygons as bodies of their heights; those without a height lie flat.

    Parameters
    ----------
    layer : VectorLayer
    height : str
        Column of heights [m]; empty to look for one.
    findings : Findings
    """
    count = len(layer.features)
    if layer.shapes.kind is not ShapeKind.POLYGON:
        findings.add("not-tiled", "", "Points and lines have no bodies and are left out: {count}.", count=count)
        none = np.zeros(0, dtype=np.int64)
        table = layer.features.take(none)
        return CityPiece(table, none, np.zeros((0, 3)), none.reshape(0, 3), none, np.zeros(0, np.uint8))
    made = bodies(layer, Extrusion(height), findings)
    parents = np.full(count, -1, dtype=np.int64)
    return CityPiece(layer.features, parents, made.points, made.triangles, made.owner, made.kind)
