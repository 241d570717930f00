"""Where assets are: one point for each, for what is pinned to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cimdesk.base.arrays import Float, Int
from cimdesk.model.city import CityModel
from cimdesk.model.features import VectorLayer
from cimdesk.model.network import NODE_PREFIX, UtilityNetwork
from cimdesk.model.sensors import Sensors
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData, features_of


def has_feature(data: LayerData, feature: str) -> bool:
    """Whether a layer's data has this feature: of a network a link, or ``node:<id>``."""
    if feature.startswith(NODE_PREFIX) and isinstance(data, UtilityNetwork):
        return feature.removeprefix(NODE_PREFIX) in data.nodes
    table = features_of(data)
    return table is not None and feature in table


def anchors(data: LayerData, features: Sequence[str]) -> Float:
    """Return one point for each feature of a layer.

    Parameters
    ----------
    data : LayerData
    features : sequence of str, length N
        Features the data has.

    Returns
    -------
    (N, 3) float64
        World coordinates; x and y NaN where unknown, z 0 where only that is unknown.
    """
    points = np.full((len(features), 3), np.nan)
    if isinstance(data, TiledCity):
        data = data.city
    table = features_of(data)
    if table is None:
        return points
    if isinstance(data, UtilityNetwork):
        points = _network_points(data, features)
    else:
        rows = np.array([table.row_of(feature) for feature in features], dtype=np.int64)
        if isinstance(data, CityModel):
            points = _building_points(data, rows)
        elif isinstance(data, VectorLayer):
            points = _shape_points(data, rows)
        elif isinstance(data, Sensors):
            points = data.positions[rows].copy()
    points[np.isnan(points[:, 2]) & np.isfinite(points[:, 0]), 2] = 0.0
    return points


def _network_points(network: UtilityNetwork, features: Sequence[str]) -> Float:
    points = np.empty((len(features), 3))
    for k, feature in enumerate(features):
        if feature.startswith(NODE_PREFIX):
            points[k] = network.positions[network.nodes.row_of(feature.removeprefix(NODE_PREFIX))]
        else:
            row = network.links.row_of(feature)
            points[k] = (network.positions[network.start[row]] + network.positions[network.end[row]]) / 2.0
    return points


def _building_points(city: CityModel, rows: Int) -> Float:
    """Middle of the triangles of each object at its finest level; of its parts where it has none of its own."""
    place = np.full((len(city.features), 3), np.nan)
    open_rows = np.zeros(len(city.features), dtype=bool)
    open_rows[rows] = True
    by_owner = (np.arange(len(city.features)), city.parents.astype(np.int64))
    for owner in by_owner:
        for lod in reversed(city.lods):
            mesh = city.meshes[lod]
            owners = owner[mesh.feature_index]
            wanted = (owners >= 0) & open_rows[owners]
            if not wanted.any():
                continue
            index = owners[wanted]
            middles = mesh.vertices[mesh.triangles[wanted]].mean(axis=1, dtype=np.float64)
            count = np.bincount(index, minlength=len(place))
            here = np.flatnonzero(count)
            for axis in range(3):
                total = np.bincount(index, middles[:, axis], minlength=len(place))
                place[here, axis] = total[here] / count[here] + mesh.origin[axis]
            open_rows[here] = False
    return place[rows]


def _shape_points(layer: VectorLayer, rows: Int) -> Float:
    shapes = layer.shapes
    lengths = np.diff(shapes.ring_offsets)
    owner = np.repeat(shapes.feature_of_ring, lengths)
    count = np.bincount(owner, minlength=len(layer.features)).astype(np.float64)
    count[count == 0] = np.nan
    sums = [np.bincount(owner, shapes.coordinates[:, axis], minlength=len(layer.features)) for axis in range(3)]
    points: Float = np.column_stack([total / count for total in sums])
    return points[rows]
