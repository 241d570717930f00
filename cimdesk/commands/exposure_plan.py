"""ExposurePlan: everything about exposure that does not change with the water, found once; then any depth is counted quickly.

Which cells touch which building, the area, use, people and storeys of each, the roads as a graph and the road that serves each
building, facilities and sensors. `ExposurePlan.at` then takes a few milliseconds for tens of thousands of buildings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cimdesk.analysis.gathering import Gathering, gather_points, gather_walls
from cimdesk.analysis.isolation import Access, RoadGraph, build_graph, gather_pieces, nearest_piece
from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int
from cimdesk.commands.exposure_tables import DamageTable, ExposureRules, damage_table, exposure_rules
from cimdesk.commands.flood_scenario import building_cells, is_building, roots_of
from cimdesk.commands.flood_tables import DepthTable, depth_table
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer
from cimdesk.model.flood import FloodResult
from cimdesk.model.layers import Layer
from cimdesk.model.mesh import Surface, TriangleMesh
from cimdesk.model.network import NODE_PREFIX, LinkKind, NodeKind, UtilityNetwork
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import Sensors
from cimdesk.model.tileset import TiledCity
from cimdesk.model.visibility import shown_of
from cimdesk.model.workspace import LayerData, Workspace

USE_COLUMNS = ("use", "function", "usage", "building_use", "class", "building")
PEOPLE_COLUMNS = ("people", "population", "residents", "occupants", "persons")
STOREY_COLUMNS = ("storeys", "storeysaboveground", "storeys_above_ground", "floors", "levels", "building:levels", "num_floors")
PLACE_COLUMNS = ("use", "amenity", "kind", "class", "type", "healthcare", "social_facility")
NAME_COLUMNS = ("name", "name_zh", "address")
RIVER = ("water_level", "level", "stage")
FACILITIES = frozenset(
    {
        "hospital", "clinic", "school", "kindergarten", "university", "elderly_care", "care_home", "nursing_home", "substation",
        "fire_station", "police", "shelter", "metro_station",
    }
)  # fmt: skip
ROAD_WORDS = ("road", "street", "highway", "道路", "路网", "街")
FRAGILE_NODES = {NodeKind.SUBSTATION: "substation", NodeKind.SOURCE: "supply source"}
FRAGILE_LINKS = {LinkKind.PUMP: "pump", LinkKind.SWITCH: "switch", LinkKind.TRANSFORMER: "transformer"}
COUNTED_NODES = {NodeKind.VALVE: "valve", NodeKind.HYDRANT: "hydrant", NodeKind.METER: "meter"}
DRY_AT_START = 0.01
"""Water deeper than this at the start [m] is a river or a lake: roads cross it on bridges."""


@dataclass(frozen=True)
class Buildings:
    """The top-level buildings of a layer that are on the grid.

    Attributes
    ----------
    layer : str
    ids : (N,) object
    uses, use : tuple of str, (N,) int64
        Names of the uses, and which of them each building has.
    curve : (N,) int64
        Its damage curve, -1 for none.
    names : sequence
    people, storeys, areas : (N,) float64
        Footprints in m2.
    centres : (N, 2) float64
    walls : Gathering
    road : (N,) int64
        The piece of road that serves it; -1 for none.
    """

    layer: str
    ids: AnyArray
    uses: tuple[str, ...]
    use: Int
    curve: Int
    names: Sequence[Any]
    people: Float
    storeys: Float
    areas: Float
    centres: Float
    walls: Gathering
    road: Int = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def use_of(self, row: int) -> str:
        """Return the use of one building."""
        return str(self.uses[int(self.use[row])])

    @property
    def is_facility(self) -> Bool:
        """(N,) bool: hospitals, schools and the like."""
        return np.array([use in FACILITIES for use in self.uses], dtype=bool)[self.use]


@dataclass(frozen=True)
class Roads:
    """The roads of the project as one graph; ``owners`` name the layer and feature that each piece is of."""

    graph: RoadGraph
    cells: Gathering
    pieces: Int
    layers: tuple[str, ...]
    layer_of: Int
    ids: AnyArray


@dataclass(frozen=True)
class Places:
    """Facilities, sensors and parts of networks that water harms, each at a point."""

    layer: str
    ids: tuple[str, ...]
    kinds: tuple[str, ...]
    names: tuple[str, ...]
    cells: Gathering
    is_listed: Bool


@dataclass(frozen=True)
class ExposurePlan:
    """What may get wet, on the grid of one flood.

    Attributes
    ----------
    table : DepthTable
    rules : ExposureRules
    damage : DamageTable
    buildings, places : tuples
    roads : Roads or None
    access : Access or None
    exits : (X, 2) float64 or None
    """

    table: DepthTable
    rules: ExposureRules
    damage: DamageTable
    buildings: tuple[Buildings, ...]
    places: tuple[Places, ...]
    roads: Roads | None
    access: Access | None
    exits: Float | None

    def with_passable_depth(self, depth: float) -> ExposurePlan:
        """Return the plan with another depth that stops traffic [m]."""
        return replace(self, rules=replace(self.rules, passable_depth=depth))

    def with_exits(self, exits: Float | None) -> ExposurePlan:
        """Return the plan with other places that roads must lead to; None for the largest dry part."""
        access = Access(self.roads.graph, exits) if self.roads is not None else None
        return replace(self, access=access, exits=exits)


def plan_exposure(
    workspace: Workspace,
    result: FloodResult,
    in_sight: bool = False,
    table: DepthTable | None = None,
    rules: ExposureRules | None = None,
    damage: DamageTable | None = None,
    exits: Float | None = None,
) -> ExposurePlan:
    """Return the plan of counting on the grid of a flood.

    Parameters
    ----------
    workspace : Workspace
        With the layers loaded.
    result : FloodResult
        Any on the grid; its depths at the start tell where rivers are.
    in_sight : bool
        Count only buildings that the filters of their layers, and hiding by hand, leave in sight.
    """
    rules, damage = rules or exposure_rules(), damage or damage_table()
    buildings: list[Buildings] = []
    places: list[Places] = []
    roads: list[tuple[Layer, VectorLayer]] = []
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if isinstance(data, TiledCity):
            data = data.whole()
        if isinstance(data, CityModel):
            if is_building(data).any():
                buildings.append(_buildings(layer, data, result, in_sight, damage))
        elif isinstance(data, VectorLayer) and data.shapes.kind is ShapeKind.LINE and is_road(layer, data.features):
            roads.append((layer, data))
        elif data is not None:
            places += _places(layer, data, result)
    network = _roads(roads, result)
    access = Access(network.graph, exits) if network is not None else None
    if network is not None:
        served = [nearest_piece(network.graph, each.centres, rules.reach) for each in buildings]
        buildings = [replace(each, road=road) for each, road in zip(buildings, served, strict=True)]
    return ExposurePlan(table or depth_table(), rules, damage, tuple(buildings), tuple(places), network, access, exits)


def wall_cells(data: CityModel | TiledCity | VectorLayer, result: FloodResult) -> Gathering:
    """Return the open cells at the walls of each feature of a layer; buildings too small for a cell take the one they stand in.

    Only top-level objects of a city have cells.
    """
    city = data.whole() if isinstance(data, TiledCity) else data
    count = len(city.features)
    walls = gather_walls(building_cells(result.terrain, [city]), result.is_blocked, count)
    if not isinstance(city, CityModel):
        return walls
    roots = roots_of(city)
    known = np.zeros(count, dtype=bool)
    known[walls.owners] = known[walls.dry] = True
    missing = np.flatnonzero(is_building(city) & ~known[roots] & (roots == np.arange(count)))
    small = gather_points(result.terrain, centres_of(city, roots)[missing], result.is_blocked)
    return _joined(walls, small, missing)


def _joined(first: Gathering, second: Gathering, rows: Int) -> Gathering:
    """Return both gatherings as one; ``rows`` say which things of the first the second is about."""
    cells = np.concatenate([first.cells, second.cells])
    starts = np.concatenate([first.starts, second.starts + len(first.cells)])
    owners = np.concatenate([first.owners, rows[second.owners]])
    return Gathering(cells, starts, owners, np.concatenate([first.dry, rows[second.dry]]), first.count)


def centres_of(city: CityModel, roots: AnyArray) -> Float:
    """Return (features, 2) middle of the triangles of each top-level object; NaN where there are none."""
    mesh = city.finest
    owner = roots[mesh.feature_index]
    middles = mesh.world_vertices()[:, :2][mesh.triangles].mean(axis=1)
    counts = np.bincount(owner, minlength=len(roots)).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.column_stack([np.bincount(owner, middles[:, k], minlength=len(roots)) / counts for k in range(2)])


def footprint_areas(mesh: TriangleMesh, roots: AnyArray) -> Float:
    """Return (features,) float64 footprint of each top-level object [m2]: its ground faces, else half of all seen from above."""
    corners = mesh.world_vertices()[:, :2][mesh.triangles]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = 0.5 * np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    owner = roots[mesh.feature_index]
    ground = np.bincount(owner, np.where(mesh.surface == Surface.GROUND, area, 0.0), minlength=len(roots))
    # A closed body covers its ground twice: from above and from below.
    return np.asarray(np.where(ground > 0.0, ground, 0.5 * np.bincount(owner, area, minlength=len(roots))))


def _buildings(layer: Layer, city: CityModel, result: FloodResult, in_sight: bool, damage: DamageTable) -> Buildings:
    roots = roots_of(city)
    walls = wall_cells(city, result)
    on_grid = np.zeros(len(roots), dtype=bool)
    on_grid[walls.owners] = on_grid[walls.dry] = True
    tops = on_grid & is_building(city) & (roots == np.arange(len(roots)))
    shown = shown_of(layer, city.features) if in_sight else None
    if shown is not None:
        tops &= shown
    rows = np.flatnonzero(tops)
    table = city.features.take(rows)
    told = np.array([str(use) if use else "unknown" for use in column(table, USE_COLUMNS, "unknown")], dtype=str)
    uses, use = np.unique(told, return_inverse=True)
    curve = np.array([damage.curve_of(str(name)) for name in uses], dtype=np.int64)[use] if len(uses) else use
    storeys = numbers(column(table, STOREY_COLUMNS, 1.0))
    return Buildings(
        layer.id,
        table.ids,
        tuple(str(name) for name in uses),
        use,
        curve,
        column(table, NAME_COLUMNS, ""),
        numbers(column(table, PEOPLE_COLUMNS, 0.0)),
        np.maximum(storeys, 1.0),
        footprint_areas(city.finest, roots)[rows],
        centres_of(city, roots)[rows],
        _only(walls, rows),
    )


def _only(walls: Gathering, rows: Int) -> Gathering:
    """Return the cells of these things alone, numbered anew."""
    number = np.full(walls.count, -1, dtype=np.int64)
    number[rows] = np.arange(len(rows))
    sizes = np.diff(np.append(walls.starts, len(walls.cells)))
    kept = number[walls.owners] >= 0
    sizes_kept = sizes[kept]
    starts = np.cumsum(sizes_kept) - sizes_kept
    dry = number[walls.dry]
    return Gathering(walls.cells[np.repeat(kept, sizes)], starts, number[walls.owners[kept]], dry[dry >= 0], len(rows))


def _roads(layers: Sequence[tuple[Layer, VectorLayer]], result: FloodResult) -> Roads | None:
    """Return the roads of all layers as one graph."""
    if not layers:
        return None
    shapes = [data.shapes for _, data in layers]
    counts = np.array([len(data.features) for _, data in layers])
    first = np.cumsum(counts) - counts
    points = np.cumsum([0] + [len(s.coordinates) for s in shapes])
    merged = Shapes(
        ShapeKind.LINE,
        np.concatenate([s.coordinates for s in shapes]),
        np.concatenate([s.ring_offsets[:-1] + p for s, p in zip(shapes, points, strict=False)] + [points[-1:]]),
        np.concatenate([s.feature_of_ring + f for s, f in zip(shapes, first, strict=True)]),
        np.concatenate([s.is_hole for s in shapes]),
    )
    levels = np.concatenate([levels_of(data.features) for _, data in layers])
    graph = build_graph(merged, levels)
    rivers = result.is_blocked | (np.nan_to_num(np.asarray(result.depths[0])) > DRY_AT_START)
    owner = np.searchsorted(first, graph.feature, side="right") - 1
    cells = gather_pieces(graph, result.terrain, rivers)
    above = np.flatnonzero(levels[graph.feature] != 0)
    # What is on a bridge or in a tunnel says nothing of the water on the ground.
    cells = _only_dry(cells, above)
    ids = np.concatenate([data.features.ids for _, data in layers])
    on_grid = np.sort(np.concatenate([cells.owners, cells.dry]))
    return Roads(graph, cells, on_grid, tuple(layer.id for layer, _ in layers), owner, ids)


def _only_dry(cells: Gathering, rows: Int) -> Gathering:
    """Return the gathering with these things always dry."""
    sizes = np.diff(np.append(cells.starts, len(cells.cells)))
    kept = ~np.isin(cells.owners, rows)
    starts = np.cumsum(sizes[kept]) - sizes[kept]
    dry = np.concatenate([cells.dry, cells.owners[~kept]])
    return Gathering(cells.cells[np.repeat(kept, sizes)], starts, cells.owners[kept], dry, cells.count)


def levels_of(table: FeatureTable) -> Int:
    """Return (N,) int64 the level of each road: 0 on the ground, else on a bridge (above) or in a tunnel (below)."""
    levels = np.nan_to_num(numbers(column(table, ("layer", "level"), 0.0))).astype(np.int64)
    for name, level in (("bridge", 1), ("tunnel", -1)):
        told = column(table, (name,), None)
        is_so = np.array([str(value).lower() not in ("", "no", "false", "0", "nan", "none") for value in told], dtype=bool)
        levels = np.where(is_so & (levels == 0), level, levels)
    return levels


def _places(layer: Layer, data: LayerData, result: FloodResult) -> list[Places]:
    if isinstance(data, Sensors):
        # A gauge of a river's level stands in the water by design.
        rows = np.array([k for k, told in enumerate(column(data.features, ("quantity",), "")) if told not in RIVER], dtype=np.int64)
        names = np.array(column(data.features, NAME_COLUMNS, ""), dtype=object)[rows].tolist()
        ids = data.features.ids[rows].tolist()
        return [_place(layer, ids, ["sensor"] * len(rows), names, data.positions[rows], result)] if len(rows) else []
    if isinstance(data, UtilityNetwork):
        return _network_places(layer, data, result)
    if isinstance(data, VectorLayer) and data.shapes.kind is not ShapeKind.LINE:
        kinds = [str(kind).lower() for kind in column(data.features, PLACE_COLUMNS, "")]
        rows = np.array([k for k, kind in enumerate(kinds) if kind in FACILITIES], dtype=np.int64)
        if len(rows):
            names = column(data.features, NAME_COLUMNS, "")
            middles = _middles(data.shapes, len(data.features))[rows]
            return [
                _place(
                    layer,
                    data.features.ids[rows].tolist(),
                    [kinds[k] for k in rows.tolist()],
                    [names[k] for k in rows.tolist()],
                    middles,
                    result,
                )
            ]
    return []


def _network_places(layer: Layer, network: UtilityNetwork, result: FloodResult) -> list[Places]:
    kinds = {**FRAGILE_NODES, **COUNTED_NODES}
    rows = np.flatnonzero(np.isin(network.node_kind, list(kinds)))
    ends = 0.5 * (network.positions[network.start] + network.positions[network.end])
    links = np.flatnonzero(np.isin(network.link_kind, list(FRAGILE_LINKS)))
    ids = [f"{NODE_PREFIX}{key}" for key in network.nodes.ids[rows]] + [str(key) for key in network.links.ids[links]]
    words = [kinds[NodeKind(network.node_kind[k])] for k in rows]
    words += [FRAGILE_LINKS[LinkKind(network.link_kind[k])] for k in links]
    node_names, link_names = column(network.nodes, NAME_COLUMNS, ""), column(network.links, NAME_COLUMNS, "")
    names = [node_names[k] for k in rows.tolist()] + [link_names[k] for k in links.tolist()]
    points = np.concatenate([network.positions[rows], ends[links]])
    if not len(points):
        return []
    listed = np.array([NodeKind(network.node_kind[k]) in FRAGILE_NODES for k in rows] + [True] * len(links), dtype=bool)
    return [_place(layer, ids, words, names, points, result, listed)]


def _place(
    layer: Layer,
    ids: Sequence[Any],
    kinds: Sequence[str],
    names: Sequence[Any],
    points: Float,
    result: FloodResult,
    listed: Bool | None = None,
) -> Places:
    cells = gather_points(result.terrain, points[:, :2], result.is_blocked)
    is_listed = np.ones(len(ids), dtype=bool) if listed is None else listed
    return Places(layer.id, tuple(map(str, ids)), tuple(kinds), tuple(str(n or "") for n in names), cells, is_listed)


def _middles(shapes: Shapes, count: int) -> Float:
    owner = np.repeat(shapes.feature_of_ring, np.diff(shapes.ring_offsets))
    sums = [np.bincount(owner, shapes.coordinates[:, k], minlength=count) for k in range(2)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.column_stack(sums) / np.bincount(owner, minlength=count)[:, np.newaxis])


def is_road(layer: Layer, table: FeatureTable) -> bool:
    """Whether lines are roads: the layer says so, or its features are classed as highways."""
    text = f"{layer.name} {layer.part}".lower()
    return any(word in text for word in ROAD_WORDS) or "highway" in table.columns


def column(table: FeatureTable, names: tuple[str, ...], missing: Any) -> Sequence[Any]:
    """Return the first of these columns that the table has, else as many ``missing`` values."""
    lower = {name.lower(): name for name in table.columns}
    found = next((lower[name] for name in names if name in lower), None)
    values: Sequence[Any] = table.columns[found].tolist() if found is not None else [missing] * len(table)
    return values


def numbers(values: Sequence[Any]) -> Float:
    """Return values as float64; what is no number counts as zero."""

    def number(value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError):
            return 0.0

    return np.nan_to_num(np.array([number(value) for value in values], dtype=np.float64))


def ref_of(places: Places, row: int) -> AssetRef:
    """Return the asset that a place is."""
    return AssetRef(places.layer, places.ids[row])


def depths_for(result: FloodResult, time: float | None) -> Float32:
    """Return the (R, C) depth at a moment of the clock [POSIX s], or the greatest of the whole run for None."""
    return result.max_depth if time is None else result.depth_at(time)
