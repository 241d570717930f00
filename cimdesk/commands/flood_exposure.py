"""Exposure of the open project to a flood: its buildings, people, facilities, roads, sensors and stations by depth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32
from cimdesk.base.errors import UsageError
from cimdesk.commands.flood_areas import as_grid, depth_ranks
from cimdesk.commands.flood_scenario import building_cells, is_building, roots_of
from cimdesk.commands.flood_tables import DepthTable, depth_table
from cimdesk.formats.registry import read
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, ShapeKind, VectorLayer
from cimdesk.model.flood import FloodResult
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.network import NodeKind, UtilityNetwork
from cimdesk.model.sensors import Sensors
from cimdesk.model.tileset import TiledCity
from cimdesk.model.visibility import shown_of

if TYPE_CHECKING:
    from cimdesk.commands.session import Session

USE_COLUMNS = ("use", "function", "usage", "building_use", "class", "building")
PEOPLE_COLUMNS = ("people", "population", "residents", "occupants", "persons")
NAME_COLUMNS = ("name", "name_zh", "address")
FACILITIES = frozenset(
    {
        "hospital", "clinic", "school", "kindergarten", "university", "elderly_care", "care_home", "nursing_home", "substation",
        "fire_station", "police", "shelter", "metro_station",
    }
)  # fmt: skip
ROAD_WORDS = ("road", "street", "highway", "道路", "路网", "街")
FRAGILE_NODES = (NodeKind.SUBSTATION,)


def exposure_of(
    session: Session, result: FloodResult | CityModel | Path | str, time: float | None = None, in_sight: bool = False
) -> dict[str, Any]:
    """Return who and what is wet, ready for JSON.

    Parameters
    ----------
    session : Session
        With the layers loaded.
    result : FloodResult, CityModel or path
        A run, a map of flood depths, or the file of either.
    time : float or None
        Moment on the clock [POSIX s]; None takes the greatest depth of the whole run.
    in_sight : bool
        Count only buildings that the filters of their layers, and hiding by hand, leave in sight.

    Returns
    -------
    dict
        ``buildings`` {use: buildings with water at the wall above the first depth limit}, ``people`` in them,
        ``assets`` (wet facilities, sensors and stations with their depths), ``roads_m`` {class: length}, and the same by depth
        class: ``buildings_by_depth`` {use: [count per class]}, ``people_by_depth``, with ``classes`` and ``limits_m``.
    """
    if isinstance(result, Path | str):
        result = _read_flood(session, Path(result))
    if isinstance(result, CityModel):
        grid = as_grid(result)
        return {"time": None, **_Counting(session, grid, grid.max_depth, depth_ranks(result), in_sight).report()}
    if not isinstance(result, FloodResult):
        raise UsageError("exposure needs a flood result.")
    depth = result.max_depth if time is None else result.depth_at(time)
    return {"time": time, **_Counting(session, result, depth, depth_table(), in_sight).report()}


def _read_flood(session: Session, path: Path) -> FloodResult | CityModel:
    """Return a run, or a map of flood depths brought into the project's system, from a file."""
    from cimdesk.commands.placing import place
    from cimdesk.formats.flood_result import read_result

    if path.suffix.lower() == ".flood":
        return read_result(path)
    found = next((source for source in read(path).sources if source.kind is LayerKind.FLOOD), None)
    if found is None:
        raise UsageError("exposure needs a flood result or a map of flood depths.")
    frame = session.workspace.frame
    data = found.data if frame is None else place(found.data, found.crs, frame)
    assert isinstance(data, FloodResult | CityModel)
    return data


def building_depths(layer_data: CityModel | TiledCity | VectorLayer, result: FloodResult, depth: Float32) -> Float32:
    """Return (features,) float32 depth at the walls of each building of a layer [m]; NaN for what is none or off the grid.

    Parts of a building have the depth of the whole.
    """
    from cimdesk.analysis.exposure import depth_at_buildings, depth_at_points

    city = layer_data.whole() if isinstance(layer_data, TiledCity) else layer_data
    count = len(city.features)
    index = building_cells(result.terrain, [city])
    deepest = depth_at_buildings(depth, index, result.is_blocked, count)
    if isinstance(city, CityModel):
        roots = roots_of(city)
        missing = is_building(city) & np.isnan(deepest[roots]) & (roots == np.arange(count))
        centres = _centres(city, roots)
        deepest[missing] = depth_at_points(depth, result.terrain, centres[missing], result.is_blocked)
        deepest = np.where(is_building(city), deepest[roots], np.float32(np.nan)).astype(np.float32)
    return deepest


def _centres(city: CityModel, roots: AnyArray) -> Float:
    """Return (features, 2) middle of the triangles of each top-level object; NaN where there are none."""
    mesh = city.finest
    owner = roots[mesh.feature_index]
    middles = mesh.world_vertices()[:, :2][mesh.triangles].mean(axis=1)
    counts = np.bincount(owner, minlength=len(roots)).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.column_stack([np.bincount(owner, middles[:, k], minlength=len(roots)) / counts for k in range(2)])


class _Counting:
    """Adds up one layer after another."""

    def __init__(self, session: Session, result: FloodResult, depth: Float32, table: DepthTable, in_sight: bool) -> None:
        self._in_sight = in_sight
        self._workspace = session.workspace
        self._result = result
        self._depth = depth
        self._table = table
        classes = len(table.limits) + 1
        self._buildings: dict[str, Float] = {}
        self._people = np.zeros(classes)
        self._roads = np.zeros(classes)
        self._assets: list[dict[str, Any]] = []

    def report(self) -> dict[str, Any]:
        """Return the counts of every layer of the project."""
        for layer in self._workspace.layers():
            data = self._workspace.data(layer.id)
            if isinstance(data, TiledCity):
                data = data.whole()
            if isinstance(data, CityModel):
                if is_building(data).any():
                    self._count_buildings(layer, data)
            elif isinstance(data, VectorLayer) and data.shapes.kind is ShapeKind.LINE and _is_road(layer, data.features):
                self._count_roads(data)
            elif isinstance(data, Sensors):
                self._note(layer, "sensor", data.features, data.positions[:, :2])
            elif isinstance(data, UtilityNetwork):
                fragile = np.isin(data.node_kind, FRAGILE_NODES)
                self._note(layer, "substation", data.nodes.take(fragile), data.positions[fragile, :2])
        wet = {use: int(counts[1:].sum()) for use, counts in self._buildings.items()}
        by_size = sorted(self._buildings, key=lambda use: (-wet[use], use))
        labels = list(self._table.labels)
        return {
            "classes": labels,
            "limits_m": list(self._table.limits),
            "class_table": self._table.name,
            "buildings": {use: wet[use] for use in by_size},
            "buildings_total": int(sum(counts.sum() for counts in self._buildings.values())),
            "buildings_by_depth": {use: [int(n) for n in self._buildings[use]] for use in by_size},
            "people": float(self._people[1:].sum()),
            "people_by_depth": dict(zip(labels, self._people.tolist(), strict=True)),
            "assets": sorted(self._assets, key=lambda asset: -asset["depth_m"]),
            "roads_m": dict(zip(labels, self._roads.tolist(), strict=True)),
        }

    def _count_buildings(self, layer: Layer, city: CityModel) -> None:
        from cimdesk.analysis.exposure import count_by_depth

        depths = building_depths(city, self._result, self._depth)
        tops = np.isfinite(depths) & (roots_of(city) == np.arange(len(depths)))
        shown = shown_of(layer, city.features) if self._in_sight else None
        if shown is not None:
            tops &= shown
        table = city.features.take(tops)
        uses = [str(use) if use else "unknown" for use in _column(table, USE_COLUMNS, "unknown")]
        counted = count_by_depth(depths[tops], uses, self._table.limits)
        for use, counts in zip(counted.groups, counted.counts, strict=True):
            self._buildings[use] = self._buildings.get(use, np.zeros(len(counts))) + counts
        people = _numbers(_column(table, PEOPLE_COLUMNS, 0.0))
        self._people += (
            count_by_depth(depths[tops], ["all"] * len(people), self._table.limits, people).total if len(people) else 0.0
        )
        names = _column(table, NAME_COLUMNS, "")
        for row in np.flatnonzero(depths[tops] >= self._table.limits[0]):
            if uses[row] in FACILITIES:
                self._add(layer, uses[row], str(table.ids[row]), names[int(row)], float(depths[tops][row]))

    def _count_roads(self, data: VectorLayer) -> None:
        from cimdesk.analysis.exposure import road_lengths

        self._roads += road_lengths(self._depth, self._result.terrain, data.shapes, self._table.limits)

    def _note(self, layer: Layer, kind: str, table: FeatureTable, positions: Float) -> None:
        from cimdesk.analysis.exposure import depth_at_points

        depths = depth_at_points(self._depth, self._result.terrain, positions, self._result.is_blocked)
        names = _column(table, NAME_COLUMNS, "")
        for row in np.flatnonzero(np.nan_to_num(depths) >= self._table.limits[0]):
            self._add(layer, kind, str(table.ids[row]), names[int(row)], float(depths[row]))

    def _add(self, layer: Layer, kind: str, key: str, name: Any, depth: float) -> None:
        label = self._table.labels[int(np.searchsorted(self._table.limits, depth, side="right"))]
        self._assets.append(
            {"layer": layer.id, "id": key, "kind": kind, "name": str(name or ""), "depth_m": round(depth, 3), "class": label}
        )


def _is_road(layer: Layer, table: FeatureTable) -> bool:
    text = f"{layer.name} {layer.part}".lower()
    return any(word in text for word in ROAD_WORDS) or "highway" in table.columns


def _column(table: FeatureTable, names: tuple[str, ...], missing: Any) -> Sequence[Any]:
    """Return the first of these columns that the table has, else as many ``missing`` values."""
    lower = {name.lower(): name for name in table.columns}
    found = next((lower[name] for name in names if name in lower), None)
    return table.columns[found].tolist() if found is not None else [missing] * len(table)


def _numbers(values: Any) -> Float:
    """Return values as float64; what is no number counts as zero."""

    def number(value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError):
            return 0.0

    return np.nan_to_num(np.array([number(value) for value in values], dtype=np.float64))
