"""Where the ground is: heights for everything that stands on it, and the plane that carries the scene."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.model.city import CityModel
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_areas import is_flood_map
from cimdesk.model.layers import Layer
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.terrain import Terrain, TerrainStyle
from cimdesk.model.tileset import TiledCity
from cimdesk.scene.relief import base_height
from cimdesk.scene.terrain import GroundPlane, SkyDome
from cimdesk.scene.visual import Context, View

UNDER_WATER = 0.5
"""Metres between a map of flood areas and the plane: surfaces in one place would flicker."""
UNDER_NETWORKS = 3.0
"""Metres between the lowest pipe and the plane, where a network is all there is."""
XRAY_OPACITY = 0.5
NEAR_GROUND = 5.0
"""Metres from the ground as drawn within which a picked point belongs to it."""
MOST_ASKED = 20_000
"""Features of a streamed city whose height on the ground is looked at."""
BELOW_PICTURES = 0.002
"""How far the plane lies below pictures, in radii."""


class Ground:
    """Heights from the first terrain there is (else from a flood's grid, else from the feet of the buildings)."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.terrain: Terrain | None = None
        self.base = 0.0
        self._layer = ""
        self.plane = GroundPlane()
        self.sky = SkyDome()
        self.actors: list[Any] = [self.sky.actor, self.plane.actor]
        self.is_shown = True
        self._placed: object = None
        self.plane.actor.SetVisibility(False)

    def follow(self, layers: list[Layer]) -> None:
        """Find the ground among the layers."""
        loaded = [(layer, self.context.workspace.data(layer.id)) for layer in layers]
        terrains = [(data, layer.id) for layer, data in loaded if isinstance(data, Terrain)]
        terrains += [(data.terrain, "") for _, data in loaded if isinstance(data, FloodResult)]
        self.terrain, self._layer = (terrains[0][0].at_hand, terrains[0][1]) if terrains else (None, "")
        self.base = self._base([data for _, data in loaded])
        buried = [data.bounds for _, data in loaded if isinstance(data, UtilityNetwork)]
        self.notice(layers)
        # What is above is looked at only where something is below: bounds of a city are found anew each time.
        self.context.is_covered = bool(buried) and any(
            _meet(surface.bounds, network) for surface in _surfaces(loaded) for network in buried
        )
        self._placed = None

    def notice(self, layers: list[Layer]) -> None:
        """See which layers are shown: ground alone may be colourful, under a city it keeps quiet."""
        data = self.context.workspace.data
        self.context.carries_city = any(layer.visible and _is_city(data(layer.id)) for layer in layers)

    def heights(self, points: Float) -> Float:
        """Return (N,) local ground heights at (N, 2 or 3) local points; the plane's where there is no terrain."""
        if self.terrain is None:
            return np.full(len(points), self.base)
        world = np.asarray(points, dtype=np.float64)[:, :2] + self.context.origin[:2]
        found = self._drawn(self.terrain.sample(world) - self.context.origin[2])
        return np.where(np.isfinite(found), found, self.base)

    def measured(self, point: Float) -> float:
        """Return the true local height of a (3,) local point that was picked: ground may be drawn exaggerated."""
        height = float(point[2])
        if self.terrain is None or self._exaggeration == 1.0:
            return height
        true = float(self.terrain.sample(np.asarray(point, dtype=np.float64)[None, :2] + self.context.origin[:2])[0])
        local = true - float(self.context.origin[2])
        is_ground = np.isfinite(local) and abs(float(self._drawn(np.array([local]))[0]) - height) < NEAR_GROUND
        return local if is_ground else height

    @property
    def _exaggeration(self) -> float:
        record = self.context.workspace.document.get("layer", self._layer) if self._layer else None
        return TerrainStyle.of(record.get("options") or {}).exaggeration if record else 1.0

    def _drawn(self, heights: Float) -> Float:
        """Return local heights as the terrain's are drawn."""
        factor = self._exaggeration
        if self.terrain is None or factor == 1.0:
            return heights
        low, high = self.terrain.bounds[:, 2]
        base = base_height(np.array([low, high])) - float(self.context.origin[2])
        return np.asarray(base + (heights - base) * factor)

    def sync(self, bounds: Float) -> None:
        """Lay the plane around the local bounds of what is visible."""
        has_pictures = self.context.drape is not None
        key = (bounds.tobytes(), self.context.look.name, self.context.xray, self.base, has_pictures)
        if key == self._placed:
            return
        self._placed = key
        is_known = bool(np.isfinite(bounds).all())
        self.plane.actor.SetVisibility(is_known and self.is_shown)
        self.sky.actor.SetVisibility(self.is_shown)
        self.sky.paint(self.context.look)
        if not is_known:
            return
        radius = 1.25 * float(np.linalg.norm(bounds[1, :2] - bounds[0, :2])) / 2.0 + 50.0
        # Pictures lie where the plane would; it then lies a little lower.
        height = self.base - (BELOW_PICTURES * radius if has_pictures else 0.0)
        self.plane.place(bounds.mean(axis=0), radius, height, self.context.look)
        self.plane.set_opacity(XRAY_OPACITY if self.context.xray and self.terrain is None else 1.0)

    def restyle(self) -> None:
        """Take over another theme or X-ray state."""
        self._placed = None

    def prepare(self, view: View) -> None:
        """Follow the camera: seen from below, the plane would hide everything."""
        self.plane.actor.GetProperty().SetBackfaceCulling(self.context.xray)
        self.sky.prepare(view)

    def _base(self, loaded: list[Any]) -> float:
        known = [foot for data in loaded if (foot := _foot(data)) is not None]
        if self.terrain is not None:
            valid = self.terrain.elevations[np.isfinite(self.terrain.elevations)]
            # A terrain of another place must not bury the city: the plane lies under both.
            known.append(base_height(valid) if valid.size else 0.0)
        if known:
            return min(known) - float(self.context.origin[2])
        depths = [data.bounds[0, 2] for data in loaded if isinstance(data, UtilityNetwork) and np.isfinite(data.bounds[0, 2])]
        return (min(depths) if depths else 0.0) - UNDER_NETWORKS - float(self.context.origin[2])


def _surfaces(loaded: list[tuple[Layer, Any]]) -> list[Terrain | CityModel | TiledCity]:
    return [data for layer, data in loaded if layer.visible and isinstance(data, Terrain | CityModel | TiledCity)]


def _is_city(data: Any) -> bool:
    return isinstance(data, CityModel | TiledCity | FloodResult)


def _meet(first: Float, second: Float) -> bool:
    """Whether two (2, 3) boxes overlap in plan; False where one is unknown."""
    return bool((first[0, :2] <= second[1, :2]).all() and (second[0, :2] <= first[1, :2]).all())


def _foot(data: Any) -> float | None:
    """Return the height at which most buildings of a city stand; None for other data."""
    if isinstance(data, TiledCity) and data.tiles is not None:
        return _foot_of_tiles(data)
    city = data.city if isinstance(data, TiledCity) else data
    if not isinstance(city, CityModel) or not city.meshes:
        return None
    mesh = city.finest
    if not len(mesh.triangles):
        return None
    if is_flood_map(city):
        return float(mesh.bounds[0, 2]) - UNDER_WATER
    low = np.full(len(city.features), np.inf)
    np.minimum.at(low, mesh.feature_index, mesh.vertices[mesh.triangles].min(axis=1)[:, 2])
    return float(np.percentile(low[np.isfinite(low)], 10.0) + mesh.origin[2])


def _foot_of_tiles(data: TiledCity) -> float | None:
    seen = data.city.features.columns.get("ground_elevation")
    known = None if seen is None or seen.dtype.kind != "f" else seen[np.isfinite(seen)]
    if known is not None and len(known):
        return float(np.percentile(known[:: max(len(known) // MOST_ASKED, 1)], 10.0))
    low = float(data.tileset.bounds[0, 2])
    return low if np.isfinite(low) else None
