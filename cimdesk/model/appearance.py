"""Appearance: what each layer's style makes of its features at a moment, and the legend that explains the picture."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int
from cimdesk.base.i18n import tr
from cimdesk.base.units import format_quantity
from cimdesk.model.city import CityModel
from cimdesk.model.coloring import NO_DATA_LABEL, OTHER_LABEL, color_by_codes, color_features
from cimdesk.model.drainage import SPILLS
from cimdesk.model.families import styled_features
from cimdesk.model.features import FeatureTable, ShapeKind, VectorLayer, plain_value
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_areas import CLASS, OPACITY, classes_of, is_flood_map
from cimdesk.model.flood_chance import CHANCE, CHANCES
from cimdesk.model.flood_comparison import comparison_legend, comparison_of, flowing
from cimdesk.model.flood_flow import flow_legend
from cimdesk.model.flood_maps import map_legend, map_named, shown_map
from cimdesk.model.imagery import Imagery
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.lifecycle import STAGE_PALETTE
from cimdesk.model.made_names import made_names
from cimdesk.model.network import NODE_PREFIX as NODE_PREFIX
from cimdesk.model.network import LinkKind, NodeKind, Utility, UtilityNetwork
from cimdesk.model.plants import PLANT, plant_words
from cimdesk.model.point_style import HIDDEN_CLASSES, default_point_style, dimension_title, point_legend, value_of
from cimdesk.model.points import PointCloud
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import STATUS_PALETTE, Sensors
from cimdesk.model.style import NEUTRAL, Coloring, LegendEntry, Style, StyleMode, rgba
from cimdesk.model.terrain import Terrain
from cimdesk.model.tile_point_style import title_of, value_of_point, with_point_legend
from cimdesk.model.tileset import TiledCity
from cimdesk.model.visibility import shown_of
from cimdesk.model.water import water_colors
from cimdesk.model.workspace import Workspace

DEPTH_CLASSES: tuple[tuple[float, float, str], ...] = (
    (0.03, 0.15, "#bfe3f5"),
    (0.15, 0.40, "#6db7e3"),
    (0.40, 1.0, "#2f7fc1"),
    (1.0, math.inf, "#124a86"),
)
"""Water depth classes [m] and their colours, shallow to deep."""
SPILL_COLOR = "#b5179e"
"""Manholes that water comes out of: no colour of water or status."""

UTILITY_COLORS: dict[Utility, str] = {
    Utility.WATER: "#00ffff",
    Utility.DRAINAGE: "#4c3926",
    Utility.GAS: "#ff00ff",
    Utility.HEAT: "#ff8000",
    Utility.POWER: "#ff0000",
    Utility.TELECOM: "#00ff00",
    Utility.INDUSTRIAL: "#000000",
    Utility.UNKNOWN: "#6600cc",
}
"""Pipeline colours of CJJ 61-2017, Appendix B."""

UTILITY_NAMES: dict[Utility, str] = {
    Utility.WATER: "Water supply",
    Utility.DRAINAGE: "Drainage",
    Utility.GAS: "Gas",
    Utility.HEAT: "Heat",
    Utility.POWER: "Power",
    Utility.TELECOM: "Telecom",
    Utility.INDUSTRIAL: "Industrial",
    Utility.UNKNOWN: "Unknown utility",
}

TYPE_COLORS: dict[str, str] = {
    "Building": NEUTRAL, "BuildingPart": NEUTRAL, "BuildingInstallation": NEUTRAL, "Bridge": "#ddd8cc", "BridgePart": "#ddd8cc",
    "Tunnel": "#b8b2a6", "Road": "#d3d4d2", "TransportSquare": "#dcdad3", "Railway": "#b9aea3", "WaterBody": "#9cc3dd",
    "Waterway": "#9cc3dd", "PlantCover": "#b5cfa0", "SolitaryVegetationObject": "#8fb573", "LandUse": "#dfe3cf",
    "TINRelief": "#cfd3bf", "CityFurniture": "#a8a49b", "GenericCityObject": "#d6d2c8", "OtherConstruction": "#d6d2c8",
}  # fmt: skip
"""Quiet colours of city objects by type, for city models that hold more than buildings."""
OWN_COLORS = 0.5
"""Share of its faces to which a model gives colours or pictures, from which on it is shown as its source has it."""

_LINK_NAMES: dict[tuple[Utility, LinkKind] | LinkKind, str] = {
    (Utility.WATER, LinkKind.PIPE): "Water pipe",
    (Utility.DRAINAGE, LinkKind.CONDUIT): "Sewer",
    (Utility.DRAINAGE, LinkKind.PIPE): "Sewer",
    (Utility.GAS, LinkKind.PIPE): "Gas pipe",
    (Utility.HEAT, LinkKind.PIPE): "Heat pipe",
    (Utility.POWER, LinkKind.CABLE): "Power cable",
    (Utility.TELECOM, LinkKind.CABLE): "Telecom cable",
    LinkKind.PIPE: "Pipe",
    LinkKind.PUMP: "Pump",
    LinkKind.VALVE: "Valve",
    LinkKind.CONDUIT: "Conduit",
    LinkKind.ORIFICE: "Orifice",
    LinkKind.WEIR: "Weir",
    LinkKind.OUTLET: "Outlet",
    LinkKind.CABLE: "Cable",
    LinkKind.SWITCH: "Switch",
    LinkKind.TRANSFORMER: "Transformer",
}
_NODE_NAMES: dict[NodeKind, str] = {
    NodeKind.JUNCTION: "Junction",
    NodeKind.RESERVOIR: "Reservoir",
    NodeKind.TANK: "Tank",
    NodeKind.OUTFALL: "Outfall",
    NodeKind.DIVIDER: "Divider",
    NodeKind.STORAGE: "Storage",
    NodeKind.VALVE: "Valve",
    NodeKind.HYDRANT: "Hydrant",
    NodeKind.METER: "Meter",
    NodeKind.SUBSTATION: "Substation",
    NodeKind.SOURCE: "Supply source",
}


@dataclass(frozen=True)
class LegendCard:
    """The legend of one coloured layer, already in the current language.

    Attributes
    ----------
    title : str
    entries : tuple of LegendEntry
    layer : str
        Layer id; of the first one where a card explains several.
    symbol : str
        ``fill``, ``line``, ``point`` or ``ramp``.
    """

    title: str
    entries: tuple[LegendEntry, ...]
    layer: str
    symbol: str


def color_layer(workspace: Workspace, layer: Layer, time: float) -> Coloring:
    """Return one colour per feature of a layer at a moment of the clock, and its legend.

    Networks have one per link. Layers without features (terrain, floods) have a legend only. Features out of sight are transparent.
    """
    data = workspace.data(layer.id)
    table = styled_features(workspace, layer.id)
    if isinstance(data, PointCloud):
        hidden = tuple(layer.options.get(HIDDEN_CLASSES) or ())
        return Coloring(np.zeros(0, dtype=np.uint8), np.zeros((1, 4), dtype=np.uint8), point_legend(layer.style, data, hidden))
    if isinstance(data, FloodResult) or table is None:
        legend = _flood_legend(layer, data, time) if isinstance(data, FloodResult) else ()
        return Coloring(np.zeros(0, dtype=np.uint8), np.zeros((1, 4), dtype=np.uint8), legend)
    return with_point_legend(color_table(workspace, layer, table, time).hiding(shown_of(layer, table)), layer.style, data)


def color_table(workspace: Workspace, layer: Layer, table: FeatureTable, time: float) -> Coloring:
    """Return what a layer's style makes of a table of its features, whether they are in sight or not."""
    data = workspace.data(layer.id)
    mode = layer.style.mode
    if mode is StyleMode.STAGE:
        return color_by_codes(workspace.stages.codes(layer.id, table.ids, time), STAGE_PALETTE)
    if mode is StyleMode.STATUS and isinstance(data, Sensors):
        return color_by_codes(data.status_at(time), STATUS_PALETTE)
    if mode is StyleMode.DEPTH:
        depths = feature_depths(workspace, layer.id, time)
        return _color_by_depth(layer.style, np.concatenate([depths, np.full(len(table) - len(depths), np.nan)]))
    return color_features(layer.style, table)


def _flood_legend(layer: Layer, result: FloodResult, time: float) -> tuple[LegendEntry, ...]:
    """Return the legend of the map that a flood layer shows, else of depths at the clock."""
    key = shown_map(layer, result)
    return map_legend(result, key) if key else depth_legend(layer.options) + spill_legend(result, time)


def depth_legend(options: Mapping[str, Any] | None = None) -> tuple[LegendEntry, ...]:
    """Return the legend of water depth, in the colours that the options of a flood layer ask for."""
    entries = []
    colors = water_colors(options or {}, [color for _, _, color in DEPTH_CLASSES])
    for (low, high, _), color in zip(DEPTH_CLASSES, colors, strict=True):
        text = tr("over {low} m").format(low=f"{low:.1f}") if math.isinf(high) else f"{low:.2f} – {high:.2f} m"
        entries.append(LegendEntry(text, color))
    return tuple(entries)


def _flow_card(workspace: Workspace, layer: Layer, result: FloodResult) -> LegendCard | None:
    """Return what arrows or streaks of a flood mean, where they are drawn; of two runs in one picture, whose they are."""
    drawn = flowing(workspace, layer, result) if layer.style.flow else ()
    if not drawn:
        return None
    compared = comparison_of(workspace, layer)
    is_of_one = compared is not None and len(drawn) == 1
    return LegendCard(tr("Flow of {name}").format(name=drawn[0].name) if is_of_one else tr("Flow"), flow_legend(), layer.id, "line")


def spill_legend(result: FloodResult, time: float) -> tuple[LegendEntry, ...]:
    """Return the line of the manholes that water comes out of, where there are some."""
    if result.drainage is None:
        return ()
    count = int(np.count_nonzero(result.drainage.spilling_at(time - result.start_time) > SPILLS))
    return (LegendEntry(tr("manholes spilling: {count}").format(count=count), SPILL_COLOR),) if count else ()


def active_flood(workspace: Workspace) -> tuple[Layer, FloodResult] | None:
    """Return the topmost visible flood layer that has a result."""
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if layer.kind is LayerKind.FLOOD and layer.visible and isinstance(data, FloodResult):
            return layer, data
    return None


def feature_depths(workspace: Workspace, layer_id: str, time: float) -> Float:
    """Return (N,) the deepest water touching each feature of a layer at a moment [m]; NaN where there is no flood result."""
    data = workspace.data(layer_id)
    table = workspace.features(layer_id)
    flood = active_flood(workspace)
    depths = np.full(0 if table is None else len(table), np.nan)
    if flood is None or data is None:
        return depths
    cells, starts, owners = _touched_cells(data, flood[1].terrain)
    if len(cells):
        around = _widest(flood[1].depth_at(time)).ravel()
        depths[owners] = np.maximum.reduceat(around[cells], starts)
    return depths


def stage_dates(workspace: Workspace, layer_id: str) -> Float:
    """Return the rising dates at which any feature of a layer enters a stage [POSIX s]."""
    stages = workspace.stages
    return np.unique([event.date for asset in stages.assets(layer_id) for event in stages.history(asset)])


_touched: list[tuple[Any, Terrain, tuple[Int, Int, Int]]] = []
_TOUCHED_KEPT = 4


def _touched_cells(data: Any, terrain: Terrain) -> tuple[Int, Int, Int]:
    """Return flat cells of a grid that features touch, by feature; where each feature's begin; and which features those are.

    The last few answers are kept: the clock asks again for the same layer at every step.
    """
    for known, grid, answer in _touched:
        if known is data and grid is terrain:
            return answer
    points, owner = _feature_points(data)
    row = np.floor((terrain.north - points[:, 1]) / terrain.cell_y).astype(np.int64)
    column = np.floor((points[:, 0] - terrain.west) / terrain.cell_x).astype(np.int64)
    rows, columns = terrain.shape
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    pairs = np.unique(owner[inside] * (rows * columns) + row[inside] * columns + column[inside])
    owners, starts = np.unique(pairs // (rows * columns), return_index=True)
    answer = (pairs % (rows * columns), starts, owners)
    _touched.append((data, terrain, answer))
    del _touched[:-_TOUCHED_KEPT]
    return answer


def _widest(depth: np.ndarray) -> np.ndarray:
    """Return the greatest depth of each cell and its eight neighbours: a building's own cells are dry, those beside it are not."""
    padded = np.pad(np.nan_to_num(depth), 1)
    rows, columns = depth.shape
    windows = [padded[r : r + rows, c : c + columns] for r in range(3) for c in range(3)]
    return np.asarray(np.max(windows, axis=0))


def _feature_points(data: Any) -> tuple[Float, Int]:
    if isinstance(data, TiledCity):
        data = data.city
    if isinstance(data, CityModel):
        mesh = data.finest
        return mesh.world_vertices()[mesh.triangles.ravel(), :2], np.repeat(mesh.feature_index, 3).astype(np.int64)
    if isinstance(data, VectorLayer):
        return data.shapes.coordinates[:, :2], np.repeat(data.shapes.feature_of_ring, np.diff(data.shapes.ring_offsets))
    if isinstance(data, UtilityNetwork):
        ends = np.concatenate([data.positions[data.start, :2], data.positions[data.end, :2]])
        return np.nan_to_num(ends, nan=-1e12), np.tile(np.arange(len(data.links)), 2)
    if isinstance(data, Sensors):
        return np.nan_to_num(data.positions[:, :2], nan=-1e12), np.arange(len(data.features))
    return np.zeros((0, 2)), np.zeros(0, dtype=np.int64)


def _color_by_depth(style: Style, depths: Float) -> Coloring:
    codes = np.zeros(len(depths), dtype=np.uint8)
    entries = []
    for k, ((low, high, color), entry) in enumerate(zip(DEPTH_CLASSES, depth_legend(), strict=True), start=1):
        inside = (depths >= low) & (depths < high)
        codes[inside] = k
        entries.append(LegendEntry(entry.label, color, int(inside.sum())))
    palette = np.array([rgba(style.color), *(rgba(color) for _, _, color in DEPTH_CLASSES)], dtype=np.uint8)
    return Coloring(codes, palette, tuple(entries), tuple(range(1, len(entries) + 1)))


def legend_cards(workspace: Workspace, time: float) -> list[LegendCard]:
    """Return the legend of every visible coloured layer, in the order of the layer tree."""
    cards: list[LegendCard] = []
    utilities: list[tuple[str, LegendEntry]] = []
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if data is None or not layer.visible or layer.opacity <= 0:
            continue
        if isinstance(data, UtilityNetwork) and layer.style.mode is StyleMode.SINGLE:
            utilities.append((layer.id, LegendEntry(_utility_label(data), layer.style.color, len(data.links))))
            continue
        legend = color_layer(workspace, layer, time).legend
        if isinstance(data, FloodResult) and (compared := comparison_of(workspace, layer)) is not None:
            title, lines = comparison_legend(layer, compared[1], compared[0].mode, depth_legend(layer.options))
            cards.append(LegendCard(title, lines, layer.id, "fill"))
        elif legend:
            entries = tuple(LegendEntry(_translated(layer, entry.label), entry.color, entry.count) for entry in legend)
            card = LegendCard(_card_title(layer, data), entries, layer.id, _symbol(layer, data))
            # A map of a flood was asked for: its legend comes before all that is always there.
            cards.insert(0 if shown_map(layer, data) else len(cards), card)
        if isinstance(data, FloodResult) and (flow := _flow_card(workspace, layer, data)) is not None:
            cards.append(flow)
    if utilities:
        cards.append(LegendCard(tr("Utilities"), _summed(entry for _, entry in utilities), utilities[0][0], "line"))
    return cards


def _summed(entries: Iterable[LegendEntry]) -> tuple[LegendEntry, ...]:
    """Return one line for each label and colour, for all layers that share them."""
    counts: dict[tuple[str, str], int] = {}
    for entry in entries:
        counts[entry.label, entry.color] = counts.get((entry.label, entry.color), 0) + entry.count
    return tuple(LegendEntry(label, color, count) for (label, color), count in counts.items())


def _utility_label(network: UtilityNetwork) -> str:
    return tr(UTILITY_NAMES[network.utility])


def _translated(layer: Layer, label: str) -> str:
    fixed = label in (OTHER_LABEL, NO_DATA_LABEL)
    return tr(label) if fixed or layer.style.mode in (StyleMode.STAGE, StyleMode.STATUS) else label


def _card_title(layer: Layer, data: Any) -> str:
    mode = layer.style.mode
    if key := shown_map(layer, data):
        return tr(map_named(key).title)
    if layer.kind is LayerKind.FLOOD or mode is StyleMode.DEPTH:
        water = tr("Water depth")
        if mode is StyleMode.CATEGORIES:
            return f"{water} · {layer.name}"
        return water if layer.kind is LayerKind.FLOOD else f"{layer.name} · {water}"
    if mode is StyleMode.STATUS:
        return f"{layer.name} · {tr('Status')}"
    if mode is StyleMode.STAGE:
        return f"{layer.name} · {tr('Stage')}"
    if mode is StyleMode.RULES:
        return layer.name
    name = title_of(layer.style, data) or layer.style.attribute
    if isinstance(data, CityModel | TiledCity):
        name = made_names().get(name, (name, ""))[0]
    return f"{layer.name} · {dimension_title(name) if layer.kind is LayerKind.POINTS else name}"


def _symbol(layer: Layer, data: Any) -> str:
    if layer.style.mode is StyleMode.CONTINUOUS:
        return "ramp"
    if layer.kind is LayerKind.NETWORK:
        return "line"
    if layer.kind in (LayerKind.SENSORS, LayerKind.POINTS):
        return "point"
    if isinstance(data, VectorLayer):
        return {ShapeKind.POINT: "point", ShapeKind.LINE: "line", ShapeKind.POLYGON: "fill"}[data.shapes.kind]
    return "fill"


def default_style(kind: LayerKind, data: Any) -> Style:
    """Return what a freshly added layer looks like."""
    if isinstance(data, UtilityNetwork):
        return Style(color=UTILITY_COLORS[data.utility], size=2.5)
    if isinstance(data, Sensors):
        return Style(mode=StyleMode.STATUS, color="#66727f", size=14.0)
    if isinstance(data, FloodResult):
        return Style(mode=StyleMode.DEPTH, color="#6db7e3", ramp="depth")
    if isinstance(data, PointCloud):
        return default_point_style(data)
    if isinstance(data, Terrain):
        return Style(color="#cccbc6")
    if isinstance(data, Imagery):
        return Style(color="#9db8a4")
    if isinstance(data, VectorLayer) and CHANCE in data.features.columns:
        return Style(StyleMode.CATEGORIES, "#b3d1ec", CHANCE, categories={label: color for _, color, label in CHANCES})
    if isinstance(data, VectorLayer):
        colors = {ShapeKind.POINT: "#b4531a", ShapeKind.LINE: "#8d8f94", ShapeKind.POLYGON: "#d7b34a"}
        return Style(color=colors[data.shapes.kind], size=8.0 if data.shapes.kind is ShapeKind.POINT else 2.0)
    if isinstance(data, CityModel) and is_flood_map(data):
        ranks = {each.label: each.color for each in classes_of(data)}
        return Style(StyleMode.CATEGORIES, "#9cc3dd", CLASS, categories=ranks)
    return _city_style(data)


def has_own_colors(data: Any) -> bool:
    """Return whether the source of a layer may give colours or pictures of its own; of streamed tiles nobody knows."""
    if isinstance(data, TiledCity):
        return data.tiles is not None or data.city.finest.colored_share > 0.0
    return isinstance(data, CityModel) and data.finest.colored_share > 0.0


def default_opacity(data: Any) -> float:
    """Return how opaque a freshly added layer is."""
    return OPACITY if is_flood_map(data) else 1.0


def _city_style(data: Any) -> Style:
    """Return the colours of the source where it has them, else neutral clay for buildings alone.

    Where a model holds land, water or plants too, and no colours of its own, it gets quiet ones by type.
    """
    city = data.city if isinstance(data, TiledCity) else data
    if isinstance(city, CityModel) and "type" in city.features.columns and city.finest.colored_share < OWN_COLORS:
        types = {str(name) for name in city.features.columns["type"].tolist()}
        if {name for name in types if TYPE_COLORS.get(name, NEUTRAL) != NEUTRAL}:
            colors = {name: TYPE_COLORS.get(name, "#d6d2c8") for name in sorted(types)}
            return Style(StyleMode.CATEGORIES, NEUTRAL, "type", categories=colors)
    return Style(color=NEUTRAL)


def describe(workspace: Workspace, ref: AssetRef) -> str:
    """Return what people call a feature, such as ``Storm sewer YS-2217``."""
    data = workspace.data(ref.layer)
    if isinstance(data, UtilityNetwork):
        return _describe_network(data, ref.feature)
    if isinstance(data, PointCloud):
        return tr("Point {name}").format(name=ref.feature)
    table = workspace.features(ref.layer)
    if table is None or ref.feature not in table:
        return ref.feature
    row = table.row_of(ref.feature)
    name = next((str(value) for key in ("name", "Name", "NAME", "名称") if (value := _value(table, key, row))), "")
    if isinstance(data, Sensors):
        return name or ref.feature
    kind = _value(table, "type", row)
    if isinstance(data, CityModel | TiledCity) and kind:
        own = str(kind).lstrip("+")
        words = plant_words(table, row) if own == PLANT else tr(words_of_type(own))
        return f"{name} ({words})" if name else f"{words} {ref.feature}"
    return name or ref.feature


def value_text(workspace: Workspace, ref: AssetRef, time: float) -> str:
    """Return what the layer's style shows of a feature, with its unit: a class, a stage, a reading, a depth."""
    layer = workspace.layer(ref.layer)
    data, table = workspace.data(ref.layer), workspace.features(ref.layer)
    if isinstance(data, PointCloud):
        return value_of(layer.style, data.attributes(ref.feature))
    if isinstance(data, TiledCity) and (said := data.point(ref.feature)):
        return value_of_point(layer.style, said)
    if table is None or ref.feature not in table:
        return ""
    row, style = table.row_of(ref.feature), layer.style
    if isinstance(data, Sensors):
        return _reading(data, row, time)
    if style.mode is StyleMode.STAGE:
        return tr(STAGE_PALETTE[workspace.stages.stage_at(ref, time)][0])
    if style.mode is StyleMode.DEPTH:
        depth = float(feature_depths(workspace, ref.layer, time)[row])
        return f"{tr('Water depth')} {depth:.2f} m" if math.isfinite(depth) else ""
    if style.mode in (StyleMode.CATEGORIES, StyleMode.GRADUATED, StyleMode.CONTINUOUS):
        value = _value(table, style.attribute, row)
        text = format_quantity(value, "") if isinstance(value, float) else str(value if value is not None else "–")
        return f"{style.attribute} {text}"
    if isinstance(data, UtilityNetwork) and np.isfinite(data.diameters[row]):
        return f"DN {data.diameters[row] * 1000:.0f}"
    return ""


def _reading(sensors: Sensors, row: int, time: float) -> str:
    _, values = sensors.observations.latest(time)
    unit = _value(sensors.features, "unit", row) or ""
    status = tr(STATUS_PALETTE[int(sensors.status_at(time)[row])][0])
    value = float(values[row])
    # Levels are told to the centimetre, as gauges are read.
    text = f"{value:.2f} m" if unit == "m" and math.isfinite(value) else format_quantity(value, str(unit))
    return f"{text} · {status}"


def _describe_network(network: UtilityNetwork, feature: str) -> str:
    if feature.startswith(NODE_PREFIX):
        node = feature.removeprefix(NODE_PREFIX)
        if node not in network.nodes:
            return node
        kind = NodeKind(int(network.node_kind[network.nodes.row_of(node)]))
        drains = network.utility is Utility.DRAINAGE and kind is NodeKind.JUNCTION
        return f"{tr('Manhole' if drains else _NODE_NAMES[kind])} {node}"
    if feature not in network.links:
        return feature
    link = LinkKind(int(network.link_kind[network.links.row_of(feature)]))
    name = _LINK_NAMES.get((network.utility, link)) or _LINK_NAMES[link]
    return f"{tr(name)} {feature}"


def _value(table: FeatureTable, name: str, row: int) -> Any:
    return plain_value(table.columns[name][row]) if name in table.columns else None


def words_of_type(words: str) -> str:
    """Return ``BuildingPart`` as ``Building part``, ``TINRelief`` as ``TIN relief``."""
    first, *rest = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", words).split(" ")
    return " ".join([first, *(word if word.isupper() else word.lower() for word in rest)])
