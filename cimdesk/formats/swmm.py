"""SWMM sections -> UtilityNetwork. Layout of the rows: SWMM 5.2 User's Manual, Appendix D; units: Appendix A.1."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cimdesk.base.arrays import Float, Strings, offsets_from_counts
from cimdesk.formats.findings import Findings
from cimdesk.formats.inp_network import InpNetwork, Part, apply_tags, object_column
from cimdesk.formats.inp_sections import InpText, Section, parse
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer, as_strings
from cimdesk.model.network import LinkKind, NodeKind, Utility, UtilityNetwork

SECTIONS = (
    "TITLE", "OPTIONS", "FILES", "RAINGAGES", "TEMPERATURE", "EVAPORATION", "SUBCATCHMENTS", "SUBAREAS", "INFILTRATION", "AQUIFERS",
    "GROUNDWATER", "GWF", "SNOWPACKS", "LID_CONTROLS", "LID_USAGE", "JUNCTIONS", "OUTFALLS", "DIVIDERS", "STORAGE", "CONDUITS",
    "PUMPS", "ORIFICES", "WEIRS", "OUTLETS", "XSECTIONS", "TRANSECTS", "STREETS", "INLETS", "INLET_USAGE", "LOSSES", "CONTROLS",
    "POLLUTANTS", "LANDUSES", "BUILDUP", "WASHOFF", "COVERAGES", "LOADINGS", "TREATMENT", "INFLOWS", "DWF", "PATTERNS", "RDII",
    "HYDROGRAPHS", "CURVES", "TIMESERIES", "REPORT", "TAGS", "MAP", "COORDINATES", "VERTICES", "POLYGONS", "SYMBOLS", "LABELS",
    "BACKDROP", "PROFILES", "ADJUSTMENTS", "EVENTS", "USERFLAGS", "END",
)  # fmt: skip
OWN_SECTIONS = frozenset({
    "RAINGAGES", "EVAPORATION", "SUBCATCHMENTS", "SUBAREAS", "INFILTRATION", "OUTFALLS", "DIVIDERS", "STORAGE", "CONDUITS",
    "ORIFICES", "WEIRS", "OUTLETS", "XSECTIONS", "TIMESERIES", "LOSSES", "POLYGONS",
})  # fmt: skip

_NODES = {"JUNCTIONS": NodeKind.JUNCTION, "OUTFALLS": NodeKind.OUTFALL, "DIVIDERS": NodeKind.DIVIDER, "STORAGE": NodeKind.STORAGE}
_LINKS = {
    "CONDUITS": LinkKind.CONDUIT, "PUMPS": LinkKind.PUMP, "ORIFICES": LinkKind.ORIFICE, "WEIRS": LinkKind.WEIR,
    "OUTLETS": LinkKind.OUTLET,
}  # fmt: skip
_OBJECTS = ("SUBCATCHMENTS", "RAINGAGES", *_NODES, *_LINKS)
_FLOW = {"CFS": 0.028316846592, "GPM": 6.30901964e-5, "MGD": 0.0438126364, "CMS": 1.0, "LPS": 1e-3, "MLD": 1e3 / 86400}
_US = frozenset({"CFS", "GPM", "MGD"})
FOOT, ACRE, HECTARE = 0.3048, 4046.8564224, 1e4


@dataclass(frozen=True)
class Units:
    """Factors from the file's units to SI: flow [m3/s], length [m], area of land [m2]; and how offsets are written."""

    flow: float
    length: float
    land: float
    offsets_are_elevations: bool


def read_network(data: bytes, findings: Findings) -> tuple[UtilityNetwork, dict[str, int]]:
    """Return the network of a SWMM file, its subcatchments in ``areas``, and the counts of its objects.

    Parameters
    ----------
    data : bytes
    findings : Findings
        Told of everything that is wrong.
    """
    text = parse(data, SECTIONS, findings)
    options = {row[0].upper(): " ".join(row[1:]) for row in text.section("OPTIONS").rows}
    units = _units(text, options, findings)
    sections = {name: text.section(name).with_words(1, findings) for name in _NODES}
    sections |= {name: text.section(name).with_words(3, findings) for name in _LINKS}
    node_parts = [Part(kind, sections[name], _nodes(sections[name], units, findings)) for name, kind in _NODES.items()]
    areas = _areas(text, units, findings)
    _apply_inflows(node_parts, text, units, areas, findings)
    xsections = _cross_sections(text.section("XSECTIONS").with_words(2, findings), units, findings)
    link_parts = [
        Part(kind, sections[name], _links(sections[name], kind, xsections, units, findings)) for name, kind in _LINKS.items()
    ]
    _check_sections(link_parts, xsections, findings)
    _check_dividers(sections["DIVIDERS"], link_parts, findings)
    apply_tags(node_parts, link_parts, text.section("TAGS"), str.upper)
    network = InpNetwork(findings, key=str.upper).build(
        Utility.DRAINAGE, node_parts, link_parts, text.section("COORDINATES"), text.section("VERTICES"), "invert_elevation",
        areas, _metadata(text, options),
    )  # fmt: skip
    network = replace(network, links=FeatureTable(network.links.ids, _with_inverts(network, units)))
    objects = {name.lower(): len(text.section(name)) for name in _OBJECTS}
    return network, {name: count for name, count in objects.items() if count}


def _units(text: InpText, options: dict[str, str], findings: Findings) -> Units:
    name = (options.get("FLOW_UNITS") or "CFS").split()[0].upper()
    if name not in _FLOW:
        findings.error(
            "bad-units",
            "[OPTIONS]",
            "“{units}” are no flow units of SWMM; cubic feet per second and feet are assumed.",
            units=name[:20],
        )
        name = "CFS"
    is_us = name in _US
    by_elevation = options.get("LINK_OFFSETS", "DEPTH").upper().startswith("ELEV")
    return Units(_FLOW[name], FOOT if is_us else 1.0, ACRE if is_us else HECTARE, by_elevation)


def _nodes(section: Section, units: Units, findings: Findings) -> dict[str, np.ndarray]:
    inverts = section.numbers(1, findings, 0.0) * units.length
    columns: dict[str, np.ndarray] = {"type": _types(section), "invert_elevation": inverts}
    depth_at = {"JUNCTIONS": 2, "STORAGE": 2}.get(section.name)
    if section.name == "DIVIDERS":
        # Link, type and its parameters come first: one value for CUTOFF and TABULAR, three for WEIR, none for OVERFLOW.
        parameters = {"OVERFLOW": 0, "CUTOFF": 1, "TABULAR": 1, "WEIR": 3}
        depths = [row[4 + parameters.get(row[3].upper(), 1) :][:1] if len(row) > 3 else [] for row in section.rows]
        maximum = Section(section.name, depths, section.lines).numbers(0, findings, 0.0) * units.length
        columns["divider_type"] = section.strings(3)
        columns["diverted_link"] = section.strings(2)
    elif depth_at is not None:
        maximum = section.numbers(depth_at, findings, 0.0) * units.length
        columns["initial_depth"] = section.numbers(depth_at + 1, findings, 0.0) * units.length
    else:
        maximum = np.full(len(section), np.nan)
        columns["outfall_type"] = section.strings(2)
    # A depth of zero means "up to the highest pipe crown", which is no rim anyone surveyed.
    maximum = np.where(maximum > 0.0, maximum, np.nan)
    columns["maximum_depth"] = maximum
    columns["rim_elevation"] = inverts + maximum
    if section.name == "STORAGE":
        columns["storage_shape"] = section.strings(4)
    return columns


def _types(section: Section) -> Strings:
    name = {"STORAGE": "storage"}.get(section.name, section.name.lower().rstrip("s"))
    return np.full(len(section), name, dtype=object)


@dataclass(frozen=True)
class _CrossSections:
    shapes: dict[str, str]
    heights: dict[str, float]
    widths: dict[str, float]
    barrels: dict[str, float]


def _cross_sections(section: Section, units: Units, findings: Findings) -> _CrossSections:
    """Return shape, height, width [m] and number of barrels by link; named shapes (streets, transects) have no height here."""
    named = {"IRREGULAR", "STREET", "DUMMY"}
    shapes = [row[1].upper() for row in section.rows]
    words = [["*"] * 3 if s in named else row[2:4] + row[6:7] for s, row in zip(shapes, section.rows, strict=True)]
    sizes = Section(section.name, words, section.lines)
    keys = [row[0].upper() for row in section.rows]
    heights = sizes.numbers(0, findings) * units.length
    customs = [["*"] if s == "CUSTOM" or s in named else row[3:4] for s, row in zip(shapes, section.rows, strict=True)]
    widths = Section(section.name, customs, section.lines).numbers(0, findings, 0.0) * units.length
    barrels = sizes.numbers(2, findings, 1.0)
    widths = np.where(np.array([s in ("CIRCULAR", "FORCE_MAIN") for s in shapes], dtype=bool) | (widths == 0.0), heights, widths)
    return _CrossSections(
        dict(zip(keys, shapes, strict=True)),
        dict(zip(keys, heights.tolist(), strict=True)),
        dict(zip(keys, widths.tolist(), strict=True)),
        dict(zip(keys, barrels.tolist(), strict=True)),
    )


def _links(section: Section, kind: LinkKind, xsections: _CrossSections, units: Units, findings: Findings) -> dict[str, np.ndarray]:
    keys = [row[0].upper() for row in section.rows]
    count = len(section)
    columns: dict[str, np.ndarray] = {
        "type": _types(section),
        "length": np.zeros(count),
        "diameter": np.array([xsections.heights.get(key, np.nan) for key in keys], dtype=np.float64),
        "width": np.array([xsections.widths.get(key, np.nan) for key in keys], dtype=np.float64),
        "shape": object_column([xsections.shapes.get(key, "").lower() or None for key in keys]),
        "is_open": np.ones(count, dtype=bool),
    }
    if kind is LinkKind.CONDUIT:
        columns["length"] = section.numbers(3, findings) * units.length
        columns["manning_n"] = section.numbers(4, findings)
        columns["start_offset"] = section.numbers(5, findings, _no_offset(units)) * units.length
        columns["end_offset"] = section.numbers(6, findings, _no_offset(units)) * units.length
        columns["barrels"] = np.array([xsections.barrels.get(key, 1.0) for key in keys], dtype=np.float64)
    elif kind is LinkKind.PUMP:
        columns["curve"] = section.strings(3)
        columns["is_open"] = np.array([len(row) < 5 or row[4].upper() != "OFF" for row in section.rows], dtype=bool)
        columns["status"] = object_column(["open" if is_on else "closed" for is_on in columns["is_open"]])
    else:
        # Outlets write the offset before the type, orifices and weirs after it.
        at, type_at = (3, 4) if kind is LinkKind.OUTLET else (4, 3)
        columns["start_offset"] = section.numbers(at, findings, _no_offset(units)) * units.length
        columns["regulator_type"] = section.strings(type_at)
    return columns


def _no_offset(units: Units) -> float:
    return np.nan if units.offsets_are_elevations else 0.0


def _check_sections(parts: list[Part], xsections: _CrossSections, findings: Findings) -> None:
    for part in parts:
        if part.kind is LinkKind.CONDUIT:
            for k, row in enumerate(part.section.rows):
                if row[0].upper() not in xsections.shapes:
                    findings.add("no-cross-section", part.section.where(k), "Conduit “{id}” has no cross-section.", id=row[0][:40])


def _check_dividers(section: Section, links: list[Part], findings: Findings) -> None:
    known = {row[0].upper() for part in links for row in part.section.rows}
    for k, row in enumerate(section.rows):
        if len(row) > 2 and row[2] != "*" and row[2].upper() not in known:
            findings.add("unknown-link", section.where(k), "Divider “{id}” diverts to link “{link}”, which is not defined.",
                         id=row[0][:40], link=row[2][:40])  # fmt: skip


def _with_inverts(network: UtilityNetwork, units: Units) -> dict[str, np.ndarray]:
    """Return the link columns completed with pipe inverts at both ends [m], offsets as depths [m], and the slope [-]."""
    columns = dict(network.links.columns)
    beds = network.positions[:, 2]
    for side, ends in (("start", network.start), ("end", network.end)):
        offsets = columns.get(f"{side}_offset", np.full(len(ends), np.nan))
        at_bed = np.isnan(offsets) & (network.link_kind == LinkKind.CONDUIT)
        inverts = np.where(at_bed, beds[ends], offsets if units.offsets_are_elevations else beds[ends] + offsets)
        columns[f"{side}_invert"] = inverts
        columns[f"{side}_offset"] = inverts - beds[ends]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = (columns["start_invert"] - columns["end_invert"]) / network.lengths
    columns["slope"] = np.where(network.lengths > 0.0, slopes, np.nan)
    return columns


def _areas(text: InpText, units: Units, findings: Findings) -> VectorLayer | None:
    """Return the subcatchments with their polygons; None when there are none."""
    section = text.section("SUBCATCHMENTS").with_words(1, findings)
    if not len(section):
        return None
    row_of: dict[str, int] = {}
    for k, row in enumerate(section.rows):
        if row_of.setdefault(row[0].upper(), k) != k:
            findings.error("duplicate-id", section.where(k), "“{id}” is defined before; this one is left out.", id=row[0][:40])
    section = section.only(sorted(row_of.values()))
    row_of = {row[0].upper(): k for k, row in enumerate(section.rows)}
    columns: dict[str, np.ndarray] = {
        "raingage": section.strings(1),
        "outlet": section.strings(2),
        "area": section.numbers(3, findings) * units.land,
        "impervious_percent": section.numbers(4, findings),
        "width": section.numbers(5, findings) * units.length,
        "slope_percent": section.numbers(6, findings),
    }
    known = _known_targets(text)
    for k, outlet in enumerate(columns["outlet"]):
        if outlet is not None and outlet.upper() not in known:
            findings.add("unknown-node", section.where(k), "Subcatchment “{id}” drains to “{node}”, which is not defined.",
                         id=section.rows[k][0][:40], node=outlet[:40])  # fmt: skip
    shapes = _polygons(text.section("POLYGONS").with_words(3, findings), row_of, findings)
    return VectorLayer(FeatureTable(as_strings(row[0] for row in section.rows), columns), shapes)


def _known_targets(text: InpText) -> set[str]:
    return {row[0].upper() for name in (*_NODES, "SUBCATCHMENTS") for row in text.section(name).rows}


def _polygons(section: Section, row_of: dict[str, int], findings: Findings) -> Shapes:
    owners = np.array([row_of.get(row[0].upper(), -1) for row in section.rows], dtype=np.int64)
    points = np.column_stack([section.numbers(1, findings), section.numbers(2, findings), np.full(len(section), np.nan)])
    whole = (owners >= 0) & np.isfinite(points[:, :2]).all(axis=1)
    owners, points = owners[whole], points[whole]
    order = np.argsort(owners, kind="stable")
    owners, points = owners[order], points[order]
    features, starts, counts = np.unique(owners, return_index=True, return_counts=True)
    rings: list[Float] = []
    kept: list[int] = []
    for feature, start, count in zip(features.tolist(), starts, counts, strict=True):
        if count < 3:
            continue
        ring = points[start : start + count]
        rings.append(ring if np.array_equal(ring[0, :2], ring[-1, :2]) else np.vstack([ring, ring[:1]]))
        kept.append(feature)
    coordinates = np.vstack(rings) if rings else np.zeros((0, 3))
    return Shapes(
        ShapeKind.POLYGON,
        coordinates,
        offsets_from_counts(np.array([len(ring) for ring in rings], dtype=np.int64)),
        np.array(kept, dtype=np.int64),
        np.zeros(len(kept), dtype=bool),
    )


def _apply_inflows(parts: list[Part], text: InpText, units: Units, areas: VectorLayer | None, findings: Findings) -> None:
    """Add what enters at each node: average dry-weather flow [m3/s] and area draining to it directly [m2]."""
    dry = text.section("DWF").with_words(3, findings)
    dry = dry.only(k for k, row in enumerate(dry.rows) if row[1].upper() == "FLOW")
    flows = dict(zip((row[0].upper() for row in dry.rows), dry.numbers(2, findings) * units.flow, strict=True))
    drained: dict[str, float] = {}
    if areas is not None:
        for outlet, area in zip(areas.features.columns["outlet"], areas.features.columns["area"], strict=True):
            if outlet is not None and np.isfinite(area):
                drained[outlet.upper()] = drained.get(outlet.upper(), 0.0) + float(area)
    for part in parts:
        keys = [row[0].upper() for row in part.section.rows]
        part.columns["dry_weather_flow"] = np.array([flows.get(key, 0.0) for key in keys], dtype=np.float64)
        part.columns["drained_area"] = np.array([drained.get(key, 0.0) for key in keys], dtype=np.float64)


def _metadata(text: InpText, options: dict[str, str]) -> dict[str, object]:
    units = next((row[1] for row in text.section("MAP").rows if row[0].upper() == "UNITS" and len(row) > 1), "")
    return {
        "title": text.title,
        "flow_units": (options.get("FLOW_UNITS") or "CFS").upper(),
        "routing": options.get("FLOW_ROUTING", "").upper(),
        "map_units": units,
        "options": options,
        "sections": text.counts(),
        "raingages": [row[0] for row in text.section("RAINGAGES").rows],
        "timeseries": len({row[0].upper() for row in text.section("TIMESERIES").rows}),
        "encoding": text.encoding,
    }
