"""CityModel: buildings and other city objects with their attributes, hierarchy and one mesh per level of detail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int32
from cimdesk.model.features import FeatureTable
from cimdesk.model.mesh import TriangleMesh


@dataclass(frozen=True)
class CityModel:
    """City objects of one source.

    Attributes
    ----------
    features : FeatureTable
        One row per city object; column ``type`` is the object type as written (``Building``, ``+Potato``).
    parents : (N,) int32
        Row of the parent object, -1 at the top.
    meshes : mapping of LoD name to TriangleMesh
        Keys as written (``"1"``, ``"2.2"``); ``feature_index`` is a row of ``features``.
    metadata : mapping
        Title, date, source and the like, as the file gives them.
    """

    features: FeatureTable
    parents: Int32
    meshes: Mapping[str, TriangleMesh] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lods(self) -> list[str]:
        """Levels of detail present, coarse to fine."""
        return sorted(self.meshes, key=lambda name: float(name) if name.replace(".", "", 1).isdigit() else -1.0)

    @property
    def finest(self) -> TriangleMesh:
        """The mesh of each object's finest level, merged: what is drawn by default."""
        remaining = np.ones(len(self.features), dtype=bool)
        parts: list[TriangleMesh] = []
        for lod in reversed(self.lods):
            mesh = self.meshes[lod]
            here = np.zeros(len(self.features), dtype=bool)
            here[mesh.feature_index] = True
            wanted = here & remaining
            if wanted.all() or np.array_equal(wanted, here):
                parts.append(mesh)
            elif wanted.any():
                parts.append(mesh.of_features(wanted))
            remaining &= ~here
        return parts[0] if len(parts) == 1 else TriangleMesh.merged(parts)

    @property
    def bounds(self) -> Float:
        """(2, 3) world minimum and maximum over all levels; NaN when there is no geometry."""
        boxes = [mesh.bounds for mesh in self.meshes.values() if len(mesh.vertices)]
        if not boxes:
            return np.full((2, 3), np.nan)
        return np.array([np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)])

    def root_of(self, row: int) -> int:
        """Return the row of the top-level object that ``row`` is part of."""
        seen = 0
        while self.parents[row] >= 0 and seen < len(self.parents):
            row = int(self.parents[row])
            seen += 1
        return row
