"""A town of boxes with uses, people and storeys, made without files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.layers import Layer
from cimdesk.model.mesh import Surface, TriangleMesh
from cimdesk.model.workspace import LayerData, Workspace

USES = ("residential", "school", "industrial", "office")


def town_of(rows: int, columns: int, spacing: float, size: float, origin: tuple[float, float] = (0.0, 0.0)) -> CityModel:
    """Return rows x columns square buildings of four uses, 10 people a storey, in the order of rows from the south-west."""
    y, x = np.mgrid[:rows, :columns]
    west, south = origin[0] + x.ravel() * spacing + 5.0, origin[1] + y.ravel() * spacing + 5.0
    return boxes(west, south, size)


def boxes(west: np.ndarray, south: np.ndarray, size: float, uses: Sequence[str] | None = None, **columns: object) -> CityModel:
    """Return one box for each corner."""
    count = len(west)
    corners = np.array([(0, 0), (size, 0), (size, size), (0, size)], dtype=float)
    base = np.zeros((count, 4, 3))
    base[:, :, 0], base[:, :, 1] = west[:, None] + corners[:, 0], south[:, None] + corners[:, 1]
    top = base + np.array([0.0, 0.0, 9.0])
    vertices = np.concatenate([base, top], axis=1).reshape(-1, 3)
    faces = np.array([(0, 2, 1), (0, 3, 2), (4, 5, 6), (4, 6, 7)])
    triangles = (faces[None] + 8 * np.arange(count)[:, None, None]).reshape(-1, 3)
    surface = np.tile([Surface.GROUND, Surface.GROUND, Surface.ROOF, Surface.ROOF], count).astype(np.uint8)
    origin = np.array([float(west.min()), float(south.min()), 0.0])
    owner = np.repeat(np.arange(count), 4).astype(np.int32)
    mesh = TriangleMesh((vertices - origin).astype(np.float32), triangles.astype(np.int32), owner, surface, origin)
    storeys = np.arange(count) % 3 + 1
    table = {
        "type": as_strings(["Building"] * count),
        "use": as_strings(uses if uses is not None else [USES[k % 4] for k in range(count)]),
        "storeys": storeys.astype(np.int64),
        "people": (10 * storeys).astype(np.int64),
        **columns,
    }
    features = FeatureTable(as_strings([f"B{k}" for k in range(count)]), table)
    return CityModel(features, np.full(count, -1, dtype=np.int32), {"1": mesh})


def with_layers(workspace: Workspace, layers: Sequence[tuple[Layer, LayerData]]) -> Workspace:
    """Add layers with their data."""
    records = tuple(workspace.document.put("layer", layer.id, layer.to_record()) for layer, _ in layers)
    workspace.apply(records, {layer.id: data for layer, data in layers})
    return workspace
