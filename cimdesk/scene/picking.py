"""From pixels to assets: one pixel by the depth of the last frame, areas by projected reference points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.model.appearance import describe, value_text
from cimdesk.model.selection import AssetRef
from cimdesk.scene.canvas import Canvas
from cimdesk.scene.visual import Context, View, Visual

TOLERANCE_PX = 2.5


@dataclass(frozen=True)
class Pick:
    """What is under a pixel.

    Attributes
    ----------
    ref : AssetRef or None
        None for bare ground.
    world : tuple of 3 floats
        The point hit.
    label, value : str
        Name of the thing, and the value it is coloured by with its unit.
    """

    ref: AssetRef | None
    world: tuple[float, float, float]
    label: str
    value: str


class Picker:
    """Answers what is where on the screen."""

    def __init__(self, context: Context, canvas: Canvas, visuals: dict[str, Visual]) -> None:
        self.context = context
        self.canvas = canvas
        self.visuals = visuals

    def pick(self, x: float, y: float) -> Pick | None:
        """Return what is under a pixel (device px from the top left); None for the sky."""
        flat = self._pick_symbol(x, y)
        if flat is not None:
            return flat
        found = self.canvas.world_at(x, y)
        through = self._see_through(x, y, found)
        if through is not None:
            return through
        if found is None:
            return None
        local, is_on_top = found
        visual, row = self._nearest(local, is_on_top)
        world = tuple(float(v) for v in local + self.context.origin)
        if visual is None:
            return Pick(None, world, "", "")  # type: ignore[arg-type]
        return self._named(visual, row, world)  # type: ignore[arg-type]

    def inside(self, polygon: list[tuple[float, float]], view: View) -> frozenset[AssetRef]:
        """Return the assets of visible layers whose reference point is inside a polygon on the screen."""
        refs: set[AssetRef] = set()
        for visual in self.visuals.values():
            if not visual.layer.visible or visual.layer.opacity <= 0.0:
                continue
            anchors = visual.anchors()
            screen = view.project(np.nan_to_num(anchors))
            hit = inside_polygon(screen[:, :2], np.asarray(polygon)) & (screen[:, 2] > 0) & np.isfinite(anchors).all(axis=1)
            shown = visual.in_sight()
            if shown is not None:
                hit &= shown[: len(hit)]
            refs.update(AssetRef(visual.layer.id, visual.feature_id(int(row))) for row in np.flatnonzero(hit))
        return frozenset(refs)

    def _pick_symbol(self, x: float, y: float) -> Pick | None:
        for visual in self.visuals.values():
            row = visual.pick_symbol(x, y)
            if row is not None:
                world = visual.anchors()[row] + self.context.origin
                return self._named(visual, row, (float(world[0]), float(world[1]), float(world[2])))
        return None

    def _see_through(self, x: float, y: float, found: tuple[Float, bool] | None) -> Pick | None:
        """Return what is see-through in front of the point that was drawn: it writes no depth that could be read back."""
        ray = self.canvas.ray(x, y)
        if ray is None or (found is not None and found[1]):
            return None
        start, end = ray if found is None else (ray[0], found[0])
        best: tuple[float, Visual, int] | None = None
        for visual in self.visuals.values():
            if visual.layer.visible and visual.layer.opacity > 0.0:
                hit = visual.pick_through(start, end)
                if hit is not None and (best is None or hit.distance < best[0]):
                    best = (hit.distance, visual, hit.row)
        if best is None:
            return None
        way = end - start
        world = start + way / float(np.linalg.norm(way)) * best[0] + self.context.origin
        return self._named(best[1], best[2], (float(world[0]), float(world[1]), float(world[2])))

    def _nearest(self, local: Float, is_on_top: bool) -> tuple[Visual | None, int]:
        distance = float(np.linalg.norm(local - self.canvas.drawn_eye))
        tolerance = max(0.05, TOLERANCE_PX * distance * self.canvas.drawn_slope)
        best: tuple[float, Visual, int] | None = None
        for visual in self.visuals.values():
            if not visual.layer.visible or visual.layer.opacity <= 0.0 or visual.is_on_top != is_on_top:
                continue
            hit = visual.pick(local, tolerance * (4.0 if is_on_top else 1.0))
            if hit is not None and (best is None or hit.distance < best[0]):
                best = (hit.distance, visual, hit.row)
        return (None, -1) if best is None else (best[1], best[2])

    def _named(self, visual: Visual, row: int, world: tuple[float, float, float]) -> Pick:
        ref = AssetRef(visual.layer.id, visual.feature_id(row))
        workspace = self.context.workspace
        return Pick(ref, world, describe(workspace, ref), value_text(workspace, ref, self.context.time))


def inside_polygon(points: Float, polygon: Float) -> np.ndarray:
    """Return (N,) bool of screen points (N, 2) inside a polygon (M, 2), by the even-odd rule."""
    x, y = points[:, 0], points[:, 1]
    inside = np.zeros(len(points), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside
