"""Lines of a plan that are pipes or cables -> UtilityNetwork: ends snapped to nodes, diameters and depths in metres."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, offsets_from_counts
from cimdesk.base.errors import Problem, Severity
from cimdesk.model.features import FeatureTable, ShapeKind, VectorLayer, as_strings
from cimdesk.model.network import LinkKind, NodeKind, Utility, UtilityNetwork
from cimdesk.model.terrain import Terrain

if TYPE_CHECKING:
    from cimdesk.base.crs import Crs

TOLERANCE = 0.05
"""Ends nearer than this are one node [m]."""
_METRES_PER_DEGREE = 111_320.0

_WORDS: tuple[tuple[Utility, str], ...] = (
    (Utility.GAS, r"gas|natural_?gas|燃气|天然气|煤气|RQ|TR|MQ|YH"),
    (Utility.POWER, r"power|electric(ity)?|electrical|电力|供电|强电|路灯|DL|GD|LD"),
    (Utility.TELECOM, r"telecom(munication)?s?|communication|fibre|fiber|通信|通讯|电信|弱电|TX|DH|DS"),
    (Utility.HEAT, r"heat(ing)?|district_?heating|steam|热力|供热|RL|RS|ZQ"),
    (Utility.DRAINAGE, r"drainage|drain|sewer(age)?|storm_?water|waste_?water|foul|排水|雨水|污水|雨污合流|合流|PS|YS|WS|HS"),
    (Utility.WATER, r"water|water_?supply|water_?distribution|potable|给水|供水|自来水|JS|SS|ZS|PJ|XS"),
    (Utility.INDUSTRIAL, r"industrial|工业|GY"),
)
_UTILITY_COLUMNS = (
    "utility",
    "utility_type",
    "utility_class",
    "network",
    "pipe_class",
    "管线类型",
    "管线种类",
    "管线类别",
    "管线大类",
    "管类",
    "管线",
)
_CARRIERS = re.compile(
    r"(^|[_\W\d])(pipes?|pipelines?|mains?|lines?|cables?|conduits?|network|ducts?|sewers?)($|[_\W\d])|管|缆|线", re.IGNORECASE
)
_DIAMETER = re.compile(r"(diam|diameter|dn|管径|直径|口径|断面|外径)", re.IGNORECASE)
_START_DEPTH = re.compile(r"(起|start|from|up).*(埋深|depth|cover)|qdms", re.IGNORECASE)
_END_DEPTH = re.compile(r"(终|止|end|to|down|dn).*(埋深|depth|cover)|zdms", re.IGNORECASE)
_DEPTH = re.compile(r"(埋深|深度|depth|cover)(_?\(?m\)?)?", re.IGNORECASE)
_START_LEVEL = re.compile(r"(起|start|from|up).*(管底高程|管顶高程|管线高程|管内底|高程|标高|invert|elev|level|_z)", re.IGNORECASE)
_END_LEVEL = re.compile(
    r"(终|止|end|to|down|dn).*(管底高程|管顶高程|管线高程|管内底|高程|标高|invert|elev|level|_z)", re.IGNORECASE
)
_PIPE_COLUMNS = re.compile(
    r"diam|^dn$|管径|埋深|depth|material|材质|管材|pressure|压力|voltage|电压|cores|孔数|cable", re.IGNORECASE
)
_CABLE = (Utility.POWER, Utility.TELECOM)


@dataclass(frozen=True)
class PipeColumns:
    """Which columns of the lines say what; None where none does.

    Attributes
    ----------
    diameter : str or None
        Outer diameter, or a section such as ``500X300``; the unit is in the name (``diameter_mm``, ``dn(m)``) or told by size.
    start_depth, end_depth : str or None
        Depth of the axis below ground at the two ends [m].
    start_level, end_level : str or None
        Elevation at the two ends [m].
    """

    diameter: str | None = None
    start_depth: str | None = None
    end_depth: str | None = None
    start_level: str | None = None
    end_level: str | None = None

    @staticmethod
    def of(names: Sequence[str]) -> PipeColumns:
        """Return the columns that the usual English and Chinese names point at."""

        def first(pattern: re.Pattern[str]) -> str | None:
            return next((name for name in names if pattern.search(name)), None)

        depth = next((name for name in names if _DEPTH.fullmatch(name.strip())), None)
        start, end = first(_START_DEPTH), first(_END_DEPTH)
        return PipeColumns(first(_DIAMETER), start or depth, end or depth, first(_START_LEVEL), first(_END_LEVEL))


def utility_of(text: str) -> Utility | None:
    """Return the utility a word, code or layer name stands for (``gas_pipes``, ``RQ``, ``燃气管线``); None for others."""
    for utility, words in _WORDS:
        latin = "|".join(word for word in words.split("|") if word.isascii() and not word.isupper())
        codes = "|".join(word for word in words.split("|") if word.isascii() and word.isupper())
        chinese = "|".join(word for word in words.split("|") if not word.isascii())
        if re.search(rf"(?:^|[_\W\d])(?:{latin})(?:$|[_\W\d])", text, re.IGNORECASE) or (chinese and re.search(chinese, text)):
            return utility
        if codes and re.fullmatch(rf"(?:{codes})(?:[_\W\d].*|L|LINE)?", text.strip()):
            return utility
    return None


def utilities_of(name: str, layer: VectorLayer, forced: str = "") -> dict[Utility, Int]:
    """Return the rows of a layer that are pipes or cables, by utility; empty when it is a plain plan.

    Parameters
    ----------
    name : str
        Name of the layer.
    layer : VectorLayer
    forced : str
        A utility that the person chose, or ``none``.
    """
    everything = np.arange(len(layer.features))
    if layer.shapes.kind is not ShapeKind.LINE or forced == "none":
        return {}
    if forced:
        return {Utility(forced): everything}
    columns = {column.lower(): column for column in layer.features.columns}
    for wanted in _UTILITY_COLUMNS:
        if wanted in columns and (found := _by_column(layer.features.columns[columns[wanted]])):
            return found
    utility = utility_of(name)
    is_carrier = _CARRIERS.search(name) or any(_PIPE_COLUMNS.search(column) for column in layer.features.columns)
    return {utility: everything} if utility is not None and is_carrier else {}


def _by_column(values: AnyArray) -> dict[Utility, Int]:
    """Return rows by the utility their column names, when most rows name one."""
    meaning = {value: utility_of(str(value)) for value in set(values.tolist()) if value is not None}
    if sum(meaning.get(value) is not None for value in values.tolist()) * 2 <= len(values):
        return {}
    kinds = np.array([str(meaning.get(value) or Utility.UNKNOWN) for value in values.tolist()])
    return {Utility(kind): np.flatnonzero(kinds == kind) for kind in np.unique(kinds).tolist()}


def network_from_lines(
    layer: VectorLayer,
    utility: Utility | str,
    columns: PipeColumns | None = None,
    tolerance: float = TOLERANCE,
    rows: Int | None = None,
    crs: Crs | None = None,
) -> tuple[UtilityNetwork, tuple[Problem, ...]]:
    """Return the network that lines draw.

    Parameters
    ----------
    layer : VectorLayer
        Lines; z, where given, is the axis elevation [m].
    utility : Utility
    columns : PipeColumns, optional
        By default what the column names say.
    tolerance : float
        Ends nearer than this are one node [m].
    rows : (M,) int64, optional
        Features to use; by default all.
    crs : Crs, optional
        System of the layer; tells degrees from metres.

    Returns
    -------
    UtilityNetwork
        Nodes without elevation (z is NaN) carry column ``depth`` when the lines do; `with_ground` turns that into z.
    tuple of Problem
    """
    utility = Utility(utility)
    columns = columns or PipeColumns.of(list(layer.features.columns))
    lines = _lines_of(layer, rows)
    if not len(lines.owners):
        return _empty(utility), (Problem(Severity.WARNING, "no-lines", str(utility), "No line is long enough to be a pipe.", {}),)
    scale = _METRES_PER_DEGREE if crs is not None and crs.is_geographic else 1.0
    node_of_end, positions = _joined_ends(lines, layer.features, columns, tolerance / scale)
    count = len(lines.owners)
    start, end = node_of_end[:count], node_of_end[count:]
    diameters, more = _diameters(layer.features, columns.diameter, lines.owners)
    problems = (*lines.problems, *more, *_loops(utility, int((start == end).sum())))
    links = layer.features.take(lines.owners)
    nodes = _nodes(positions, _depths(layer.features, columns, lines.owners), node_of_end)
    network = UtilityNetwork(
        utility=utility,
        nodes=nodes,
        links=FeatureTable(_unique_ids(links.ids), links.columns),
        node_kind=np.full(len(nodes), NodeKind.JUNCTION, dtype=np.uint8),
        link_kind=np.full(count, LinkKind.CABLE if utility in _CABLE else LinkKind.PIPE, dtype=np.uint8),
        positions=positions,
        start=start.astype(np.int32),
        end=end.astype(np.int32),
        diameters=diameters,
        lengths=_lengths(lines, crs),
        bend_points=lines.points[lines.is_bend],
        bend_offsets=offsets_from_counts(np.diff(lines.offsets) - 2),
        metadata={"source": "lines", "columns": {k: v for k, v in vars(columns).items() if v}},
    )
    return network, problems


def _joined_ends(lines: _Lines, table: FeatureTable, columns: PipeColumns, tolerance: float) -> tuple[Int, Float]:
    """Return (2 M,) the node of the beginning of each line, then of each end, and (N, 3) where the nodes are."""
    ends = np.stack([lines.points[lines.offsets[:-1]], lines.points[lines.offsets[1:] - 1]])
    _apply_levels(ends, table, columns, lines.owners)
    node_of_end = _snap(np.concatenate(ends)[:, :2], tolerance)
    return node_of_end, _mean_by(node_of_end, np.concatenate(ends))


def _loops(utility: Utility, count: int) -> list[Problem]:
    template = "{count} lines end where they begin."
    return [Problem(Severity.INFO, "loops", str(utility), template, {"count": count})] if count else []


def with_ground(network: UtilityNetwork, ground: Terrain) -> UtilityNetwork:
    """Return the network with elevations where only depths were known: ground level minus depth.

    Nodes outside the terrain keep no elevation. Bends lie between the depths of the two ends of their link.
    """
    depths = network.nodes.columns.get("depth")
    if depths is None or not np.isnan(network.positions[:, 2]).any():
        return network
    positions = network.positions.copy()
    unknown = np.isnan(positions[:, 2])
    positions[unknown, 2] = ground.sample(positions[unknown]) - depths[unknown]
    bends = network.bend_points.copy()
    if len(bends) and network.bend_offsets is not None:
        link = np.repeat(np.arange(len(network.links)), np.diff(network.bend_offsets))
        mean = 0.5 * (depths[network.start[link]] + depths[network.end[link]])
        flat = np.isnan(bends[:, 2])
        bends[flat, 2] = ground.sample(bends[flat]) - mean[flat]
    return replace(network, positions=positions, bend_points=bends)


@dataclass(frozen=True)
class _Lines:
    """Lines of at least two different points: (P, 3) points, (L + 1,) offsets, owner rows, and which points are bends."""

    points: Float
    offsets: Int
    owners: Int
    is_bend: AnyArray
    problems: tuple[Problem, ...]


def _lines_of(layer: VectorLayer, rows: Int | None) -> _Lines:
    shapes = layer.shapes
    wanted = np.ones(len(shapes.feature_of_ring), dtype=bool) if rows is None else np.isin(shapes.feature_of_ring, rows)
    counts = np.diff(shapes.ring_offsets)
    starts, xy = shapes.ring_offsets[:-1], shapes.coordinates[:, :2]
    low, high = (reduce.reduceat(xy, starts) if len(starts) else np.zeros((0, 2)) for reduce in (np.minimum, np.maximum))
    extent = (high - low).max(axis=1, initial=0.0)
    usable = wanted & (counts >= 2) & (extent > 0)
    dropped = int((wanted & ~usable).sum())
    point_line = np.repeat(np.arange(len(counts)), counts)
    kept = usable[point_line]
    offsets = offsets_from_counts(counts[usable])
    is_bend = np.ones(int(offsets[-1]), dtype=bool)
    is_bend[offsets[:-1]] = False
    is_bend[offsets[1:] - 1] = False
    template = "{count} lines have no length; they are left out."
    problems = (Problem(Severity.WARNING, "short-lines", "", template, {"count": dropped}),) if dropped else ()
    return _Lines(shapes.coordinates[kept], offsets, shapes.feature_of_ring[usable], is_bend, problems)


def _snap(points: Float, tolerance: float) -> Int:
    """Return a node number for each of (E, 2) line ends, all starts before all ends; near ones share a number."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(points).query_pairs(tolerance, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points)))
    _, labels = connected_components(graph, directed=False)
    # Number the nodes in the order in which the lines meet them, so that the same file gives the same numbers.
    met = np.arange(len(points)).reshape(2, -1).T.ravel()
    _, first, inverse = np.unique(labels[met], return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    out = np.empty(len(points), dtype=np.int64)
    out[met] = rank[inverse]
    return out


def _mean_by(groups: Int, values: Float) -> Float:
    """Return (G, D) means over groups, ignoring NaN; NaN where a group has no value."""
    count = int(groups.max()) + 1
    out = np.full((count, values.shape[1]), np.nan)
    for column in range(values.shape[1]):
        known = np.isfinite(values[:, column])
        total = np.bincount(groups[known], weights=values[known, column], minlength=count)
        number = np.bincount(groups[known], minlength=count)
        np.divide(total, number, out=out[:, column], where=number > 0)
    return out


def _apply_levels(ends: Float, table: FeatureTable, columns: PipeColumns, owners: Int) -> None:
    """Fill missing z of the (2, L, 3) ends from the columns of elevations."""
    for side, name in enumerate((columns.start_level, columns.end_level)):
        if name is None:
            continue
        levels = _numbers(table.columns[name])[owners]
        unknown = np.isnan(ends[side, :, 2])
        ends[side, unknown, 2] = levels[unknown]


def _depths(table: FeatureTable, columns: PipeColumns, owners: Int) -> Float | None:
    """Return (2 L,) depths at the starts and then the ends [m]; None when no column has them."""
    names = (columns.start_depth, columns.end_depth)
    if names == (None, None):
        return None
    start, end = (_numbers(table.columns[name or names[0] or names[1] or ""])[owners] for name in names)
    return np.concatenate([start, end])


def _nodes(positions: Float, depths: Float | None, node_of_end: Int) -> FeatureTable:
    columns: Mapping[str, AnyArray] = {"degree": np.bincount(node_of_end, minlength=len(positions)).astype(np.int64)}
    if depths is not None:
        columns = {**columns, "depth": _mean_by(node_of_end, depths[:, None])[:, 0]}
    return FeatureTable(as_strings(f"N{k + 1}" for k in range(len(positions))), columns)


def _unique_ids(ids: AnyArray) -> AnyArray:
    """Return link ids; the parts of one feature are numbered from the second on."""
    seen: dict[str, int] = {}
    taken = {str(key) for key in ids}
    out = []
    for key in ids.tolist():
        seen[key] = seen.get(key, 0) + 1
        name, number = key, seen[key]
        while number > 1 and (name := f"{key}-{number}") in taken:
            number += 1
        taken.add(name)
        out.append(name)
    return as_strings(out)


def _numbers(values: AnyArray) -> Float:
    """Return a column as float64; the last number of a text such as ``500X300`` (the height), NaN for none."""
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    found = [re.findall(r"\d+(?:\.\d+)?", str(value)) if value is not None else [] for value in values.tolist()]
    return np.array([float(parts[-1]) if parts else np.nan for parts in found])


def _diameters(table: FeatureTable, name: str | None, owners: Int) -> tuple[Float, list[Problem]]:
    """Return (L,) diameters [m] by the unit in the column's name, else by their size."""
    if name is None:
        return np.full(len(owners), np.nan), []
    values = _numbers(table.columns[name])[owners]
    values[values <= 0] = np.nan
    unit = re.search(r"(?:[_\s(（\[])(mm|cm|m|in|inch|毫米|厘米|米)[)）\]]?$", name.strip(), re.IGNORECASE)
    factors = {"mm": 1e-3, "毫米": 1e-3, "cm": 1e-2, "厘米": 1e-2, "m": 1.0, "米": 1.0, "in": 0.0254, "inch": 0.0254}
    if unit:
        return values * factors[unit[1].lower()], []
    known = values[np.isfinite(values)]
    in_mm = len(known) > 0 and float(np.median(known)) > 6.0
    text = "Column {name} names no unit; its values are taken as {unit}."
    problem = Problem(Severity.INFO, "diameter-unit", name, text, {"name": name, "unit": "mm" if in_mm else "m"})
    return values * (1e-3 if in_mm else 1.0), [problem] if len(known) else []


def _lengths(lines: _Lines, crs: Crs | None) -> Float:
    """Return (L,) measured lengths [m], along the ellipsoid when coordinates are degrees."""
    a, b = lines.points[:-1], lines.points[1:]
    geod = crs.pyproj.get_geod() if crs is not None and crs.is_geographic else None
    if geod is not None:
        _, _, steps = geod.inv(a[:, 0], a[:, 1], b[:, 0], b[:, 1])
        steps = np.asarray(steps, dtype=np.float64)
    else:
        steps = np.linalg.norm(np.nan_to_num(b - a), axis=1)
    within = np.ones(len(steps), dtype=bool)
    within[lines.offsets[1:-1] - 1] = False
    line = np.repeat(np.arange(len(lines.owners)), np.diff(lines.offsets))[:-1]
    return np.asarray(np.bincount(line[within], weights=steps[within], minlength=len(lines.owners)), dtype=np.float64)


def _empty(utility: Utility) -> UtilityNetwork:
    none = np.zeros(0)
    kind, row = np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=np.int32)
    return UtilityNetwork(utility, FeatureTable.empty(), FeatureTable.empty(), kind, kind, np.zeros((0, 3)), row, row, none, none)
