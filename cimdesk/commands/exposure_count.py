"""ExposureCount: who and what is wet, counted from a plan and a depth, and which assets each count stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.analysis.damage import damage_of, storeys_reached
from cimdesk.analysis.flood.hazard import depth_classes
from cimdesk.analysis.isolation import Isolation
from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int
from cimdesk.commands.exposure_plan import ExposurePlan
from cimdesk.model.selection import AssetRef

MOST_REFS = 5000
"""Assets that one row selects at most."""


@dataclass(frozen=True)
class ExposureCount:
    """What one depth does to a plan.

    Attributes
    ----------
    plan : ExposurePlan
    depths : tuple of (N,) float32
        Water at the walls of the buildings of each layer [m].
    piece_depths : (E,) float32
        Greatest depth along each piece of road [m].
    isolation : Isolation or None
        None where there are no roads.
    """

    plan: ExposurePlan
    depths: tuple[Float32, ...]
    piece_depths: Float32
    place_depths: tuple[Float32, ...]
    isolation: Isolation | None

    def report(self) -> dict[str, Any]:
        """Return the counts, ready for JSON; see `flood_exposure.exposure_of`."""
        plan = self.plan
        labels, limits = list(plan.table.labels), plan.table.limits
        uses, by_use, people, storeys = self._by_use()
        wet = {use: int(counts[1:].sum()) for use, counts in zip(uses, by_use, strict=True)}
        order = sorted(range(len(uses)), key=lambda k: (-wet[uses[k]], uses[k]))
        return {
            "classes": labels,
            "limits_m": list(limits),
            "class_table": plan.table.name,
            "buildings": {uses[k]: wet[uses[k]] for k in order},
            "buildings_total": int(by_use.sum()),
            "buildings_by_depth": {uses[k]: [int(n) for n in by_use[k]] for k in order},
            "people": float(people[1:].sum()),
            "people_by_depth": dict(zip(labels, people.tolist(), strict=True)),
            "people_on_flooded_storeys": float(sum(storeys.values())),
            "people_by_storeys": storeys,
            "assets": self._assets(),
            "network_parts": self._parts(),
            "roads_m": dict(zip(labels, self._road_lengths().tolist(), strict=True)),
            "isolation": self._isolation(),
            "damage": self._damage(),
        }

    def _by_use(self) -> tuple[list[str], Float, Float, dict[str, float]]:
        """Return the uses, (uses, classes) buildings, (classes,) people, and people by storeys that water reaches."""
        plan, rules = self.plan, self.plan.rules
        limits = plan.table.limits
        classes = len(limits) + 1
        by_use: dict[str, Float] = {}
        people = np.zeros(classes)
        storeys: dict[str, float] = {}
        for buildings, depths in zip(plan.buildings, self.depths, strict=True):
            depth_class = depth_classes(depths, limits).astype(np.int64)
            counts = np.bincount(buildings.use * classes + depth_class, minlength=len(buildings.uses) * classes)
            for name, row in zip(buildings.uses, counts.reshape(-1, classes), strict=True):
                by_use[name] = by_use.get(name, np.zeros(classes)) + row
            people += np.bincount(depth_class, buildings.people, minlength=classes)
            reached = storeys_reached(depths, buildings.storeys, limits[0], rules.storey_height, rules.floor_height)
            inside = np.bincount(reached, buildings.people * reached / buildings.storeys)
            for k in np.flatnonzero(inside[1:]) + 1:
                storeys[str(k)] = storeys.get(str(k), 0.0) + float(inside[k])
        table = np.array(list(by_use.values()), dtype=np.float64).reshape(-1, classes)
        return list(by_use), table, people, storeys

    def _assets(self) -> list[dict[str, Any]]:
        plan = self.plan
        found = []
        for buildings, depths in zip(plan.buildings, self.depths, strict=True):
            rows = np.flatnonzero((depths >= plan.table.limits[0]) & buildings.is_facility)
            kinds = [buildings.uses[k] for k in buildings.use[rows].tolist()]
            found += self._entries(buildings.layer, buildings.ids, kinds, buildings.names, depths, rows)
        for places, depths in zip(plan.places, self.place_depths, strict=True):
            rows = np.flatnonzero((np.nan_to_num(depths) >= plan.table.limits[0]) & places.is_listed)
            kinds = [places.kinds[k] for k in rows.tolist()]
            found += self._entries(places.layer, places.ids, kinds, places.names, depths, rows)
        return sorted(found, key=lambda asset: (-asset["depth_m"], asset["id"]))

    def _entries(
        self, layer: str, ids: Any, kinds: Sequence[str], names: Sequence[Any], depths: Float32, rows: Int
    ) -> list[dict[str, Any]]:
        """Return a line for each of these rows."""
        labels = [self.plan.table.labels[k] for k in depth_classes(depths[rows], self.plan.table.limits).tolist()]
        shown = np.round(depths[rows].astype(np.float64), 3).tolist()
        return [
            {"layer": layer, "id": str(ids[row]), "kind": kind, "name": str(names[row] or ""), "depth_m": depth, "class": label}
            for row, kind, depth, label in zip(rows.tolist(), kinds, shown, labels, strict=True)
        ]

    def _parts(self) -> dict[str, int]:
        """Return how many valves, hydrants and meters stand in water, by kind."""
        counts: dict[str, int] = {}
        for places, depths in zip(self.plan.places, self.place_depths, strict=True):
            for row in np.flatnonzero((np.nan_to_num(depths) >= self.plan.table.limits[0]) & ~places.is_listed).tolist():
                counts[places.kinds[row]] = counts.get(places.kinds[row], 0) + 1
        return counts

    def _road_lengths(self) -> Float:
        roads = self.plan.roads
        if roads is None:
            return np.zeros(len(self.plan.table.limits) + 1)
        classes = depth_classes(self.piece_depths[roads.pieces], self.plan.table.limits).astype(np.int64)
        lengths = roads.graph.lengths[roads.pieces]
        return np.asarray(np.bincount(classes, lengths, minlength=len(self.plan.table.limits) + 1), dtype=np.float64)

    def _isolation(self) -> dict[str, Any] | None:
        found, plan = self.isolation, self.plan
        if found is None or plan.access is None:
            return None
        cut_off = [self.without_access(k) for k in range(len(plan.buildings))]
        wet = [depths >= plan.table.limits[0] for depths in self.depths]
        people = sum(float(b.people[c].sum()) for b, c in zip(plan.buildings, cut_off, strict=True))
        dry = sum(int((c & ~w).sum()) for c, w in zip(cut_off, wet, strict=True))
        facilities = [
            {"layer": b.layer, "id": str(b.ids[k]), "kind": b.use_of(k), "name": str(b.names[k] or "")}
            for b, c in zip(plan.buildings, cut_off, strict=True)
            for k in np.flatnonzero(c & b.is_facility).tolist()
        ]
        return {
            "passable_depth_m": plan.rules.passable_depth,
            "exits": [[float(x), float(y)] for x, y in plan.exits[:, :2]] if plan.exits is not None and len(plan.exits) else None,
            "flooded_m": found.flooded_m,
            "cut_off_m": found.cut_off_m,
            "reachable_m": found.reachable_m,
            "parts": int(found.parts.max(initial=-1) + 1),
            "buildings": sum(int(c.sum()) for c in cut_off),
            "dry_buildings": dry,
            "people": people,
            "facilities": facilities,
            "source": plan.rules.source,
        }

    def _damage(self) -> dict[str, Any]:
        plan, table = self.plan, self.plan.damage
        by_class: dict[str, float] = {}
        for buildings, depths in zip(plan.buildings, self.depths, strict=True):
            # Below the depth from which buildings count as wet nothing is lost, so that both tables agree.
            wet = np.where(depths >= plan.table.limits[0], depths, 0.0)
            lost = damage_of(wet, buildings.areas, buildings.curve, table.curves, plan.rules.floor_height)
            for k, curve in enumerate(table.curves):
                by_class[curve.name] = by_class.get(curve.name, 0.0) + float(lost[buildings.curve == k].sum())
        total = sum(by_class.values())
        return {
            "currency": table.currency,
            "total": total,
            "low": total * table.low,
            "high": total * table.high,
            "by_class": dict(sorted(by_class.items(), key=lambda item: -item[1])),
            "table": table.name,
            "verified": table.is_verified,
            "source": table.source,
        }

    def without_access(self, k: int) -> Bool:
        """Return (N,) bool of the buildings of layer ``k``: the road that serves them cannot be reached dry."""
        buildings = self.plan.buildings[k]
        if self.isolation is None:
            return np.zeros(len(buildings.ids), dtype=bool)
        no_access = np.append(self.isolation.has_no_access, False)
        return np.asarray(no_access[buildings.road])

    # --- which assets a count stands for -------------------------------------------------------------------------------

    def refs(self, row: str) -> list[AssetRef]:
        """Return the assets behind a row of the panel, at most `MOST_REFS`.

        Parameters
        ----------
        row : str
            ``buildings:<use>``, ``people:<class number>``, ``storeys:<n>``, ``roads:<class number>``, ``isolation:roads``,
            ``isolation:buildings``, ``damage:<class>`` or ``parts:<kind>``.
        """
        group, _, key = row.partition(":")
        if group == "roads" or row == "isolation:roads":
            return self._road_refs(group, key)
        if group == "parts":
            return self._part_refs(key)
        found: list[AssetRef] = []
        for k, (buildings, depths) in enumerate(zip(self.plan.buildings, self.depths, strict=True)):
            chosen = self._chosen(k, group, key, depths)
            found += [AssetRef(buildings.layer, str(each)) for each in buildings.ids[chosen]]
        return found[:MOST_REFS]

    def _chosen(self, k: int, group: str, key: str, depths: Float32) -> Bool:
        plan, buildings = self.plan, self.plan.buildings[k]
        wet: Bool = np.asarray(depths >= plan.table.limits[0])
        if group == "isolation":
            return self.without_access(k)
        if group == "people":
            return np.asarray((depth_classes(depths, plan.table.limits) == int(key)) & (buildings.people > 0))
        if group == "storeys":
            rules = plan.rules
            reached = storeys_reached(depths, buildings.storeys, plan.table.limits[0], rules.storey_height, rules.floor_height)
            return np.asarray((reached == int(key)) & (buildings.people > 0))
        if group == "damage":
            names = np.array([curve.name == key for curve in plan.damage.curves] + [False], dtype=bool)
            return np.asarray(wet & names[buildings.curve])
        names = np.array([use == key for use in buildings.uses], dtype=bool)
        return np.asarray(wet & names[buildings.use])

    def _road_refs(self, group: str, key: str) -> list[AssetRef]:
        roads = self.plan.roads
        if roads is None or self.isolation is None:
            return []
        if group == "roads":
            chosen: AnyArray = depth_classes(self.piece_depths, self.plan.table.limits) == int(key)
        else:
            chosen = self.isolation.is_cut_off
        pairs = np.unique(np.column_stack([roads.layer_of[chosen], roads.graph.feature[chosen]]), axis=0)
        return [AssetRef(roads.layers[layer], str(roads.ids[feature])) for layer, feature in pairs][:MOST_REFS]

    def _part_refs(self, kind: str) -> list[AssetRef]:
        limit = self.plan.table.limits[0]
        return [
            AssetRef(places.layer, places.ids[row])
            for places, depths in zip(self.plan.places, self.place_depths, strict=True)
            for row in np.flatnonzero(np.nan_to_num(depths) >= limit)
            if places.kinds[row] == kind
        ][:MOST_REFS]


def count_exposure(plan: ExposurePlan, depth: Float32) -> ExposureCount:
    """Return who and what a depth makes wet.

    Parameters
    ----------
    depth : (R, C) float32
        On the grid of the plan [m].
    """
    roads = plan.roads
    pieces = roads.cells.deepest(depth) if roads is not None else np.zeros(0, dtype=np.float32)
    isolation = plan.access.under(pieces, plan.rules.passable_depth) if plan.access is not None else None
    walls = tuple(buildings.walls.deepest(depth) for buildings in plan.buildings)
    return ExposureCount(plan, walls, pieces, tuple(places.cells.deepest(depth) for places in plan.places), isolation)
