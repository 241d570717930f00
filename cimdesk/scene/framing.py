"""Bringing a city, or some of its assets, into the picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.model.city import CityModel
from cimdesk.model.layers import LayerKind
from cimdesk.model.selection import AssetRef
from cimdesk.model.tileset import TiledCity
from cimdesk.scene.camera import CameraControl
from cimdesk.scene.drawn_layers import DrawnLayers

CITY = (LayerKind.BUILDINGS, LayerKind.TILES, LayerKind.POINTS)
LONG = 0.4
"""A city whose shorter side is a smaller share of the longer one is framed whole."""
CROWD = 200
"""Buildings and other things from which on a city may reach beyond the picture."""


class Framing:
    """Points a camera at what is drawn.

    Attributes
    ----------
    is_done : bool
        Whether the camera points at something that somebody chose, or that was there.
    """

    def __init__(self, camera: CameraControl, drawn: DrawnLayers) -> None:
        self.is_done = False
        self._camera = camera
        self._drawn = drawn
        self._first_view: dict[str, Any] | None = None
        self._first_bounds = np.full((2, 3), np.nan)

    def follow(self) -> None:
        """Show everything, and again as more arrives or it turns out smaller, until somebody has moved the camera."""
        if not self._drawn.visuals:
            return
        is_first = not self.is_done
        has_changed = self._first_view is not None and not np.array_equal(self._first_bounds, self._drawn.bounds(), equal_nan=True)
        if not (is_first or has_changed):
            return
        if self._first_view is None or self._camera.to_record() == self._first_view:
            self.fit()
            self._first_view, self._first_bounds = self._camera.to_record(), self._drawn.bounds()
        else:
            self._first_view = None

    def fit(self, refs: frozenset[AssetRef] | None = None) -> None:
        """Bring everything visible (the buildings, where there are any), or these assets, into the picture."""
        everything = self._drawn.bounds()
        if refs is None:
            city = self._drawn.bounds(CITY)
            boxes = [city if np.isfinite(city).all() else everything]
        else:
            boxes = self._drawn.bounds_of(refs)
        boxes = [box for box in boxes if np.isfinite(box).all()]
        if not boxes:
            return
        self.is_done = True
        origin = self._drawn.context.origin
        low = np.min([box[0] for box in boxes], axis=0) + origin
        high = np.max([box[1] for box in boxes], axis=0) + origin
        self._camera.max_distance = 12.0 * max(float(np.linalg.norm(everything[1] - everything[0])), 500.0)
        if refs is not None:
            self._camera.frame(low, high, 1.6)
            return
        kinds = {visual.layer.kind for visual in self._drawn.visuals.values() if visual.layer.visible}
        size = high - low
        # Of a city the corners may lie outside the picture; ground, maps, a few buildings and what is long are looked at whole.
        is_long = float(size[:2].min()) < LONG * float(size[:2].max())
        is_whole = is_long or kinds <= {LayerKind.TERRAIN, LayerKind.IMAGERY} or not self._is_crowd()
        nearest = float(np.clip(2.0 * np.linalg.norm(size), 1.0, 30.0))
        self._camera.frame(low, high, 1.08 if is_whole else 0.86, nearest)

    def _is_crowd(self) -> bool:
        """Return whether there are so many buildings that some at the corners are not missed."""
        workspace = self._drawn.context.workspace
        for visual in self._drawn.visuals.values():
            data = workspace.data(visual.layer.id) if visual.layer.visible and visual.layer.kind in CITY else None
            # Of a streamed tileset nobody knows yet how many there are: it is always seen whole.
            city = data.city if isinstance(data, TiledCity) and data.tiles is None else data
            if isinstance(city, CityModel) and len(city.features) >= CROWD:
                return True
        return False
