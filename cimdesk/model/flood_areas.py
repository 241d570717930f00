"""Areas of flood depth: a hazard map whose surfaces belong to classes of depth, kept as a city model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cimdesk.model.city import CityModel

CLASS, FROM, TO = "depthClass", "depthFrom", "depthTo"
"""Columns of such a model: the name of the class and its limits [m]."""
CLASSES = "depth_classes"
OPACITY = 0.72
"""How much of the ground such areas hide at first."""


@dataclass(frozen=True)
class DepthClass:
    """A class of depth.

    Attributes
    ----------
    low, high : float
        [m]; ``high`` is infinite for the deepest.
    color : str
        ``#rrggbb``.
    """

    low: float
    high: float
    color: str

    @property
    def label(self) -> str:
        """What people read, such as ``0.5 – 3 m``."""
        if self.low <= 0.0:
            return f"< {self.high:g} m"
        if self.high == float("inf"):
            return f"≥ {self.low:g} m"
        return f"{self.low:g} – {self.high:g} m"

    def to_record(self) -> list[Any]:
        """Return the form kept in a model's metadata."""
        return [self.low, self.high, self.color]


def is_flood_map(data: object) -> bool:
    """Return whether data are areas of flood depth."""
    return isinstance(data, CityModel) and CLASSES in data.metadata


def classes_of(city: CityModel) -> tuple[DepthClass, ...]:
    """Return the classes of a model, shallow to deep."""
    return tuple(sorted((DepthClass(*record) for record in city.metadata.get(CLASSES, ())), key=lambda each: each.low))
