"""Where a person has put a model that does not say where on earth it is: a point, a turn, a scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.model.city import CityModel
from cimdesk.model.mesh import TriangleMesh

PLACEMENT = "placement"
"""Option of a layer that holds its placement."""
FARTHEST, LEAST_SCALE, MOST_SCALE = 1e8, 1e-6, 1e6


@dataclass(frozen=True)
class Placement:
    """From a model's own coordinates to the world.

    Attributes
    ----------
    at : tuple of 3 floats
        Easting, northing and height of the middle of the model's foot [m].
    turn : float
        Degrees clockwise, seen from above.
    scale : float
        Metres of one unit of the model.
    pivot : tuple of 3 floats
        The middle of the foot in the model's own coordinates.
    """

    at: tuple[float, float, float]
    turn: float = 0.0
    scale: float = 1.0
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @staticmethod
    def as_it_is(city: CityModel) -> Placement:
        """Return the placement of a model that stays where its own coordinates are."""
        (west, south, low), (east, north, _) = np.nan_to_num(city.bounds).tolist()
        foot = (round((west + east) / 2.0, 6), round((south + north) / 2.0, 6), round(low, 6))
        return Placement(foot, pivot=foot)

    @staticmethod
    def of(options: Mapping[str, Any]) -> Placement | None:
        """Return what a layer's options say; None when they say nothing, or nothing that can be."""
        said = options.get(PLACEMENT)
        if not isinstance(said, Mapping):
            return None
        numbers = [*_three(said.get("at")), said.get("turn", 0.0), said.get("scale", 1.0), *_three(said.get("pivot"))]
        if len(numbers) != 8 or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers):
            return None
        x, y, z, turn, scale, px, py, pz = (float(v) for v in numbers)
        placement = Placement((x, y, z), turn, scale, (px, py, pz))
        return placement if placement.is_sound else None

    @property
    def is_sound(self) -> bool:
        """Whether it can be: finite, and neither flat nor inside out."""
        numbers = np.array([*self.at, *self.pivot, self.turn])
        return bool((np.abs(numbers) <= FARTHEST).all()) and LEAST_SCALE <= self.scale <= MOST_SCALE

    def record(self) -> dict[str, Any]:
        """Return it as plain values, to be kept with the layer."""
        return {"at": list(self.at), "turn": self.turn, "scale": self.scale, "pivot": list(self.pivot)}

    def apply(self, points: Float) -> Float:
        """Return (N, 3) world coordinates of points of the model."""
        placed: Float = (points - np.array(self.pivot)) * self.scale @ self._turned().T + np.array(self.at)
        return placed

    def undo(self, points: Float) -> Float:
        """Return (N, 3) coordinates in the model of points in the world."""
        own: Float = (points - np.array(self.at)) @ self._turned() / self.scale + np.array(self.pivot)
        return own

    def _turned(self) -> Float:
        """Return the (3, 3) turn about the vertical."""
        c, s = float(np.cos(np.radians(self.turn))), float(np.sin(np.radians(self.turn)))
        return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def replaced(city: CityModel, before: Placement | None, after: Placement | None) -> CityModel:
    """Return a city moved from one placement to another; None is its own coordinates."""
    if before == after:
        return city

    def moved(mesh: TriangleMesh) -> TriangleMesh:
        if not len(mesh.vertices):
            return mesh
        own = mesh.world_vertices() if before is None else before.undo(mesh.world_vertices())
        world = own if after is None else after.apply(own)
        origin = np.floor(world.mean(axis=0))
        return replace(mesh, vertices=(world - origin).astype(np.float32), origin=origin)

    meshes = {lod: moved(mesh) for lod, mesh in city.meshes.items()}
    return _measured_again(replace(city, meshes=meshes))


def _measured_again(city: CityModel) -> CityModel:
    """Return a city whose columns about its own geometry fit to where it is now."""
    columns = dict(city.features.columns)
    if not {"measured_height", "ground_elevation"} <= columns.keys() or len(city.meshes) != 1:
        return city
    (mesh,) = city.meshes.values()
    low, high = mesh.heights(len(city.features))
    columns |= {"measured_height": (high - low).round(2), "ground_elevation": low.round(2)}
    return replace(city, features=replace(city.features, columns=columns))


def _three(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) and len(value) == 3 else []
