"""Outlines with heights -> bodies: what building footprints are. Level of detail 1: a floor, a flat roof and walls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Int, UInt8, offsets_from_counts
from cimdesk.formats.findings import Findings
from cimdesk.formats.polygons import Polygons, triangulate
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer
from cimdesk.model.mesh import Surface, TriangleMesh

EXTRUDE = "extrude"
"""Option of a layer: how outlines become buildings."""
STOREY = 3.0
"""Height of a storey where only their number is known [m]."""
HIGHEST = 2000.0
FOOT = 0.3048
HEIGHT_NAMES = (
    "height", "building:height", "building_height", "measuredheight", "measured_height", "height_m", "hoehe", "h", "relh2",
    "roof_height", "b3_h_dak_50p", "mean_height", "hoogte", "高度", "建筑高度",
)  # fmt: skip
STOREY_NAMES = (
    "building:levels", "building_levels", "levels", "num_floors", "storeys", "storeysaboveground", "floors", "floor", "层数",
    "楼层",
)  # fmt: skip
GROUND_NAMES = ("ground", "ground_elevation", "base", "base_height", "elevation", "b3_h_maaiveld", "地面高程")
BOTTOM_NAMES = ("min_height", "building:min_height")
BOTTOM_STOREY_NAMES = ("building:min_level", "min_floor")
_NUMBER = re.compile(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*(m|ft|feet|')?(?=$|[\s;,'\"]|\d)")
_DEGREE = 1e5
"""About the metres in a degree: outlines in degrees are cut into triangles at this scale."""


@dataclass(frozen=True)
class Extrusion:
    """How outlines become bodies.

    Attributes
    ----------
    height : str
        Column of heights above the ground; empty to look for one, and for one of storeys.
    base : str
        Column of heights of the ground; empty to look for one, else the heights of the outlines.
    storey : float
        Height of a storey [m].
    default : float
        Height of outlines that tell none [m]; 0 lets them lie flat.
    unit : float
        Metres in a unit of the columns.
    """

    height: str = ""
    base: str = ""
    storey: float = STOREY
    default: float = 0.0
    unit: float = 1.0

    def to_record(self) -> dict[str, Any]:
        """Return the form kept with a layer."""
        return asdict(self)

    @staticmethod
    def of(options: Mapping[str, Any]) -> Extrusion | None:
        """Return how the layer with these options is extruded; None when it is not."""
        said = options.get(EXTRUDE)
        if not isinstance(said, Mapping):
            return None
        known = {field.name for field in fields(Extrusion)}
        return Extrusion(**{name: value for name, value in said.items() if name in known})


@dataclass(frozen=True)
class Bodies:
    """Triangles of bodies in double precision.

    Attributes
    ----------
    points : (V, 3) float64
        All lower points, then the upper ones in the same order.
    triangles : (T, 3) int64
        Counter-clockwise seen from outside.
    owner : (T,) int64
        Feature of each.
    kind : (T,) uint8
        `Surface` code.
    edges : (E, 2) int64
        Rims and corners.
    """

    points: Float
    triangles: Int
    owner: Int
    kind: UInt8
    edges: Int


def extrude(layer: VectorLayer, extrusion: Extrusion, findings: Findings) -> CityModel:
    """Return outlines as buildings with all their attributes.

    Of OpenStreetMap's areas only those are taken that are tagged as buildings.
    """
    layer = only_buildings(layer, findings)
    made = bodies(layer, extrusion, findings)
    table = building_table(layer.features, made)
    origin = np.floor(made.points.mean(axis=0)) if len(made.points) else np.zeros(3)
    mesh = TriangleMesh(
        (made.points - origin).astype(np.float32),
        made.triangles.astype(np.int32),
        made.owner.astype(np.int32),
        made.kind,
        origin,
        made.edges.astype(np.int32),
    )
    return CityModel(table, np.full(len(table), -1, dtype=np.int32), {"1": mesh})


def only_buildings(layer: VectorLayer, findings: Findings) -> VectorLayer:
    """Return the areas that are buildings: those of OpenStreetMap that are tagged so, all of other sources."""
    wanted = _are_buildings(layer.features)
    if wanted.all():
        return layer
    findings.info("not-buildings", "", "Areas that are no buildings are left out: {count}.", count=int((~wanted).sum()))
    return part_of(layer, wanted)


def building_table(table: FeatureTable, made: Bodies) -> FeatureTable:
    """Return the attributes of outlines as those of buildings, with their type and height."""
    columns: dict[str, AnyArray] = {"type": np.full(len(table), "Building", dtype=object)}
    columns |= {f"attributes.{name}" if name == "type" else name: values for name, values in table.columns.items()}
    if "measuredHeight" not in columns and len(made.points):
        columns["measuredHeight"] = _measured(made, len(table))
    return FeatureTable(table.ids, columns)


def bodies(layer: VectorLayer, extrusion: Extrusion, findings: Findings) -> Bodies:
    """Return polygons as bodies of their heights; those without a height lie flat.

    Parameters
    ----------
    layer : VectorLayer
        Of polygons.
    extrusion : Extrusion
    findings : Findings
    """
    heights = _heights(layer, extrusion, findings)
    points, owner_of_point, triangles, rows, edges, edge_rows = _plan(layer)
    base = np.nan_to_num(points[:, 2])
    grounds = _column(layer, (extrusion.base.casefold(),) if extrusion.base else GROUND_NAMES)
    if grounds is not None:
        there = grounds[owner_of_point] * extrusion.unit
        base = np.where(np.isfinite(there), there, base)
    above = _bottoms(layer, extrusion)
    # What begins above the top that is told, or taken for want of one, is as thick as a storey.
    heights = np.where((heights > 0.0) & (heights <= above), above + extrusion.storey, heights)
    bottoms = np.minimum(above, heights)[owner_of_point]
    lower = np.column_stack([points[:, :2], base + bottoms])
    upper = np.column_stack([points[:, :2], base + heights[owner_of_point]])
    n = len(points)
    raised = heights > 0.0
    rim = edges[raised[edge_rows]]
    a, b = rim.T
    wall_rows = edge_rows[raised[edge_rows]]
    floor = triangles[raised[rows]][:, ::-1]
    walls = np.concatenate([np.column_stack([a, b, b + n]), np.column_stack([a, b + n, a + n])])
    faces = np.concatenate([triangles + n, floor, walls])
    owner = np.concatenate([rows, rows[raised[rows]], wall_rows, wall_rows])
    kinds = [(Surface.ROOF, len(triangles)), (Surface.GROUND, len(floor)), (Surface.WALL, len(walls))]
    kind = np.repeat([int(code) for code, _ in kinds], [size for _, size in kinds]).astype(np.uint8)
    outline = np.concatenate([edges + n, rim, np.column_stack([a, a + n])])
    return Bodies(np.concatenate([lower, upper]), faces, owner, kind, outline)


def guessed_height(table: FeatureTable) -> str:
    """Return the column that seems to tell heights, else that of storeys; empty for none."""
    return height_among(table.columns)


def height_among(columns: Iterable[str]) -> str:
    """Return the name that seems to be that of a column of heights, else of storeys; empty for none."""
    known = {name.casefold(): name for name in columns}
    return next((known[name] for name in (*HEIGHT_NAMES, *STOREY_NAMES) if name in known), "")


def number_columns(table: FeatureTable) -> list[str]:
    """Return the columns that hold numbers, or texts that begin with one, in most of the rows that have a value."""
    found = []
    for name, values in table.columns.items():
        if values.dtype.kind in "iuf":
            found.append(name)
        elif values.dtype == object:
            sample = [value for value in values[:5000].tolist() if value not in (None, "")]
            if sample and np.isfinite(_as_numbers(np.array(sample, dtype=object))).mean() >= 0.8:
                found.append(name)
    return found


def _plan(layer: VectorLayer) -> tuple[Float, Int, Int, Int, Int, Int]:
    """Return points and their features, triangles that look up and theirs, the rings' edges with the body to their left and theirs.

    Outlines that cross themselves get points of their own where they do.
    """
    shapes = layer.shapes
    points = np.asarray(shapes.coordinates, dtype=np.float64)
    lengths = np.diff(shapes.ring_offsets)
    starts = np.flatnonzero(~shapes.is_hole.astype(bool))
    counts = np.diff(np.append(starts, len(lengths)))
    origin = points[0] * [1, 1, 0] if len(points) else np.zeros(3)
    reach = np.abs(points[:, :2]).max(axis=0, initial=0.0)
    scale = _DEGREE if reach[0] <= 360.0 and reach[1] <= 90.0 else 1.0
    flat = np.nan_to_num((points - origin) * [scale, scale, 0.0])
    found = triangulate(Polygons(flat, np.arange(len(points)), shapes.ring_offsets, offsets_from_counts(counts)))
    feature = shapes.feature_of_ring[starts].astype(np.int64)
    down = found.normals[found.polygon_of, 2] < 0.0
    triangles = np.where(down[:, None], found.triangles[:, ::-1], found.triangles)
    ring_down = found.normals[found.polygon_of_edge, 2] < 0.0
    edges = np.where(ring_down[:, None], found.edges[:, ::-1], found.edges)
    rows, edge_rows = feature[found.polygon_of], feature[found.polygon_of_edge]
    owners = np.empty(len(points) + len(found.extra_points), dtype=np.int64)
    owners[triangles] = rows[:, None]
    owners[edges] = edge_rows[:, None]
    owners[: len(points)] = np.repeat(shapes.feature_of_ring, lengths)
    # A crossing lies as high as the outline begins.
    first = np.full(len(layer.features), np.nan)
    first[owners[: len(points)][::-1]] = points[::-1, 2]
    extra = found.extra_points / [scale, scale, 1.0] + origin
    extra[:, 2] = first[owners[len(points) :]] if len(extra) else 0.0
    return np.concatenate([points, extra]), owners, triangles, rows, edges, edge_rows


def _heights(layer: VectorLayer, extrusion: Extrusion, findings: Findings) -> Float:
    """Return (N,) heights of the tops above the ground [m]; 0 where nothing tells one."""
    wanted = extrusion.height.casefold()
    found = _column(layer, (wanted,) if wanted else HEIGHT_NAMES)
    storeys = _column(layer, STOREY_NAMES)
    if found is None and storeys is None and not extrusion.default:
        findings.add("no-heights", "", "No column tells heights; the polygons lie flat. Name one with --height.")
        return np.zeros(len(layer.features))
    heights = np.full(len(layer.features), np.nan) if found is None else found * extrusion.unit
    if wanted in STOREY_NAMES:
        heights = np.full(len(layer.features), np.nan)
    heights = np.where((heights > 0.0) & (heights <= HIGHEST), heights, np.nan)
    if storeys is not None:
        heights = np.where(np.isfinite(heights), heights, np.where(storeys > 0.0, storeys * extrusion.storey, np.nan))
    missing = int((~np.isfinite(heights)).sum())
    if missing and extrusion.default:
        template = "Outlines without a height are {height} m high: {count}."
        findings.info("no-heights", "", template, count=missing, height=f"{extrusion.default:g}")
    elif missing:
        findings.add("no-heights", "", "Polygons without a height lie flat: {count}.", count=missing)
    return np.clip(np.where(np.isfinite(heights), heights, extrusion.default), 0.0, HIGHEST)


def _bottoms(layer: VectorLayer, extrusion: Extrusion) -> Float:
    """Return (N,) heights above the ground at which the bodies begin [m], such as those of bridges between houses."""
    bottoms = np.zeros(len(layer.features))
    for names, unit in ((BOTTOM_STOREY_NAMES, extrusion.storey), (BOTTOM_NAMES, extrusion.unit)):
        column = _column(layer, names)
        if column is not None:
            bottoms = np.where(column > 0.0, column * unit, bottoms)
    return bottoms


def _measured(made: Bodies, count: int) -> Float:
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    heights = made.points[made.triangles][:, :, 2]
    np.minimum.at(low, made.owner, heights.min(axis=1, initial=np.inf))
    np.maximum.at(high, made.owner, heights.max(axis=1, initial=-np.inf))
    return np.where(high >= low, np.round(high - low, 3), np.nan)


def _are_buildings(table: FeatureTable) -> Bool:
    """Return (N,) whether each area is a building: by the tags of OpenStreetMap, where the table has them."""
    tagged = [table.columns[name] for name in ("building", "building:part") if name in table.columns]
    tagged = [values for values in tagged if values.dtype == object]
    if not tagged or ("osm_id" not in table.columns and "osm_way_id" not in table.columns):
        return np.ones(len(table), dtype=bool)
    found = np.zeros(len(table), dtype=bool)
    for values in tagged:
        found |= np.array([value not in (None, "", "no") for value in values.tolist()], dtype=bool)
    return found


def part_of(layer: VectorLayer, wanted: Bool) -> VectorLayer:
    """Return the features of a layer that are ``wanted`` (N,)."""
    shapes = layer.shapes
    rings = wanted[shapes.feature_of_ring]
    lengths = np.diff(shapes.ring_offsets)
    new_row = np.cumsum(wanted) - 1
    kept = Shapes(
        ShapeKind.POLYGON,
        shapes.coordinates[np.repeat(rings, lengths)],
        offsets_from_counts(lengths[rings]),
        new_row[shapes.feature_of_ring[rings]].astype(np.int64),
        shapes.is_hole[rings],
    )
    return VectorLayer(layer.features.take(wanted), kept)


def _column(layer: VectorLayer, names: tuple[str, ...]) -> Float | None:
    """Return the first column of these names, whatever the case, as numbers."""
    known = {name.casefold(): values for name, values in layer.features.columns.items()}
    values = next((known[name] for name in names if name in known), None)
    return None if values is None else _as_numbers(values)


def _as_numbers(values: AnyArray) -> Float:
    """Return (N,) numbers; of texts the first number, feet as metres, NaN where there is none."""
    if values.dtype.kind in "iuf":
        return values.astype(np.float64)
    out = np.full(len(values), np.nan)
    for row, value in enumerate(values.tolist()):
        found = _NUMBER.match(str(value)) if value is not None else None
        if found:
            number = float(found[1].replace(",", "."))
            out[row] = number * FOOT if found[2] in ("ft", "feet", "'") else number
    return out
