"""Plans painted on the ground: painted again when a colour changes, and not for anything else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely

from cimdesk.formats.vector_shapes import shapes_of, take_apart
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.workspace import Workspace
from cimdesk.scene import vector
from cimdesk.scene.look import LOOKS
from cimdesk.scene.plan_picture import PlanGrid, paint
from cimdesk.scene.visual import Context


def plots(count: int) -> Shapes:
    """Return square plots of 10 m in a row, every third with a courtyard of 4 m."""
    shapes = [shapely.box(20.0 * k, 0.0, 20.0 * k + 10.0, 10.0) for k in range(count)]
    for k in range(0, count, 3):
        shapes[k] = shapes[k].difference(shapely.box(20.0 * k + 3.0, 3.0, 20.0 * k + 7.0, 7.0))
    return shapes_of(take_apart(np.array(shapes, dtype=object)), ShapeKind.POLYGON, np.arange(count))


def test_each_plot_has_its_colour_and_a_courtyard_none():
    shapes = plots(6)
    grid = PlanGrid.around(shapes)
    colors = np.column_stack([np.arange(6) * 40, np.full(6, 90), np.full(6, 10), [255, 255, 0, 255, 255, 255]]).astype(np.uint8)
    picture = paint(shapes, grid, colors)

    def at(x: float, y: float) -> list[int]:
        return picture[int((grid.north - y) / grid.pixel), int((x - grid.west) / grid.pixel)].tolist()

    for k in (0, 1, 3, 4, 5):
        assert at(20.0 * k + 1.5, 5.0) == colors[k].tolist()
    assert at(2 * 20.0 + 5.0, 5.0)[3] == 0, "transparent is left out"
    assert at(3 * 20.0 + 5.0, 5.0)[3] == 0, "a courtyard is no part of it"
    assert at(15.0, 5.0)[3] == 0


def test_hiding_or_fading_a_plan_does_not_paint_it_again(monkeypatch):
    layer = Layer("plots", "Plots", LayerKind.VECTOR, "plots.gpkg")
    plan = VectorLayer(FeatureTable(np.array(["a", "b"], dtype=object), {}), plots(2))
    workspace = Workspace()
    document = workspace.document
    workspace.apply((document.put("layer", "plots", layer.to_record()),), {"plots": plan})
    painted = []
    monkeypatch.setattr(vector, "paint", lambda *given: painted.append(1) or paint(*given))
    visual = vector.VectorVisual(Context(workspace, np.zeros(3), LOOKS["light"]), workspace.layer("plots"), plan)
    before = len(painted)
    visual.sync(replace(layer, visible=False))
    visual.sync(replace(layer, opacity=0.4))
    assert len(painted) == before
    visual.sync(replace(layer, style=replace(layer.style, color="#123456")))
    assert len(painted) == before + 1
