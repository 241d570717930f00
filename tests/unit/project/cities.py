"""Small real sessions for tests of projects and lifecycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cimdesk.commands import projects
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer, as_strings
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.network import Utility, UtilityNetwork


def vector_layer(count: int, prefix: str = "p") -> VectorLayer:
    """``count`` points in a row, 10 m apart."""
    coordinates = np.column_stack([431000.0 + 10.0 * np.arange(count), np.full(count, 2558000.0), np.zeros(count)])
    shapes = Shapes(ShapeKind.POINT, coordinates, np.arange(count + 1), np.arange(count), np.zeros(count, dtype=bool))
    return VectorLayer(FeatureTable(as_strings(f"{prefix}{k}" for k in range(count))), shapes)


def network(count: int) -> UtilityNetwork:
    """A line of ``count`` pipes ``L0``.. between nodes ``N0``.."""
    nodes = FeatureTable(as_strings(f"N{k}" for k in range(count + 1)))
    links = FeatureTable(as_strings(f"L{k}" for k in range(count)))
    positions = np.column_stack([100.0 * np.arange(count + 1), np.zeros(count + 1), np.full(count + 1, np.nan)])
    start = np.arange(count, dtype=np.int32)
    return UtilityNetwork(
        Utility.WATER, nodes, links, np.zeros(count + 1, np.uint8), np.zeros(count, np.uint8), positions, start, start + 1,
        np.full(count, 0.3), np.full(count, 100.0),
    )  # fmt: skip


def add_layer(session: Session, layer_id: str, data: VectorLayer | UtilityNetwork, source: str = "") -> None:
    """Add a layer with its data, as opening a file does."""
    kind = LayerKind.NETWORK if isinstance(data, UtilityNetwork) else LayerKind.VECTOR
    layer = Layer(layer_id, layer_id.title(), kind, source or f"{layer_id}.geojson")
    record = session.workspace.document.put("layer", layer_id, layer.to_record())
    session.do(Edit(f"Add {layer_id}", (record,), {layer_id: data}))


def city(path: Path | None = None, count: int = 20) -> Session:
    """A session with layer ``pipes`` (features ``p0``..) and network ``water``; in a file when ``path`` is given."""
    session = projects.create(path) if path else Session()
    add_layer(session, "pipes", vector_layer(count))
    add_layer(session, "water", network(5))
    return session
