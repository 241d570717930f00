"""EPANET sections -> UtilityNetwork. Layout of the rows: EPANET 2.2 User Manual, Appendix C; units: Appendix A."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float, Strings
from cimdesk.formats.findings import Findings
from cimdesk.formats.inp_network import InpNetwork, Part, apply_tags, object_column
from cimdesk.formats.inp_sections import InpText, Section, parse, parse_hours
from cimdesk.model.network import LinkKind, NodeKind, Utility, UtilityNetwork

SECTIONS = (
    "TITLE", "JUNCTIONS", "RESERVOIRS", "TANKS", "PIPES", "PUMPS", "VALVES", "EMITTERS", "DEMANDS", "STATUS", "PATTERNS", "CURVES",
    "CONTROLS", "RULES", "ENERGY", "QUALITY", "SOURCES", "REACTIONS", "MIXING", "TIMES", "REPORT", "OPTIONS", "COORDINATES",
    "VERTICES", "LABELS", "BACKDROP", "TAGS", "ROUGHNESS", "END",
)  # fmt: skip
OWN_SECTIONS = frozenset(
    {"RESERVOIRS", "TANKS", "PIPES", "VALVES", "EMITTERS", "DEMANDS", "STATUS", "ENERGY", "REACTIONS", "MIXING"}
)

FOOT, INCH, PSI_HEAD, HORSEPOWER = 0.3048, 0.0254, 0.70307, 0.745699872
_FLOW = {
    "CFS": 0.028316846592, "GPM": 6.30901964e-5, "MGD": 0.0438126364, "IMGD": 0.0526168042, "AFD": 0.0142764102,
    "LPS": 1e-3, "LPM": 1e-3 / 60, "MLD": 1e3 / 86400, "CMH": 1 / 3600, "CMD": 1 / 86400, "CMS": 1.0,
}  # fmt: skip
_US = frozenset({"CFS", "GPM", "MGD", "IMGD", "AFD"})
_VALVES = frozenset({"PRV", "PSV", "PBV", "FCV", "TCV", "GPV", "PCV"})


@dataclass(frozen=True)
class Units:
    """Factors from the file's units to SI.

    Attributes
    ----------
    flow : float
        To m3/s.
    length : float
        Lengths and elevations, to m.
    diameter : float
        Pipe diameters, to m; those of tanks are lengths.
    pressure : float
        To m of water.
    power : float
        To kW.
    roughness : float
        To m with Darcy-Weisbach, else 1.
    """

    flow: float
    length: float
    diameter: float
    pressure: float
    power: float
    roughness: float


def read_network(data: bytes, findings: Findings) -> tuple[UtilityNetwork, dict[str, int]]:
    """Return the network of an EPANET file and the counts of its objects.

    Parameters
    ----------
    data : bytes
    findings : Findings
        Told of everything that is wrong.
    """
    text = parse(data, SECTIONS, findings)
    options = _options(text)
    units = _units(text, options, findings)
    sections = {name: text.section(name).with_words(1, findings) for name in ("JUNCTIONS", "RESERVOIRS", "TANKS")}
    sections |= {name: text.section(name).with_words(3, findings) for name in ("PIPES", "PUMPS", "VALVES")}
    node_parts = [
        Part(NodeKind.JUNCTION, sections["JUNCTIONS"], _junctions(sections["JUNCTIONS"], units, findings)),
        Part(NodeKind.RESERVOIR, sections["RESERVOIRS"], _reservoirs(sections["RESERVOIRS"], units, findings)),
        Part(NodeKind.TANK, sections["TANKS"], _tanks(sections["TANKS"], units, findings)),
    ]
    link_parts = [
        Part(LinkKind.PIPE, sections["PIPES"], _pipes(sections["PIPES"], units, findings)),
        Part(LinkKind.PUMP, sections["PUMPS"], _pumps(sections["PUMPS"], units, findings)),
        Part(LinkKind.VALVE, sections["VALVES"], _valves(sections["VALVES"], units, findings)),
    ]
    _apply_demands(node_parts[0], text.section("DEMANDS"), units, findings)
    _apply_status(link_parts, text.section("STATUS"), findings)
    apply_tags(node_parts, link_parts, text.section("TAGS"))
    network = InpNetwork(findings).build(
        Utility.WATER, node_parts, link_parts, text.section("COORDINATES"), text.section("VERTICES"), "elevation", None,
        _metadata(text, options, findings),
    )  # fmt: skip
    objects = {name.lower(): len(text.section(name)) for name in sections}
    return network, {name: count for name, count in objects.items() if count}


def _options(text: InpText) -> dict[str, str]:
    """Return the options by upper-case name; names of two words keep both."""
    options: dict[str, str] = {}
    for row in text.section("OPTIONS").rows:
        two = len(row) > 2 and row[0].upper() in ("SPECIFIC", "DEMAND", "EMITTER", "MINIMUM", "REQUIRED", "PRESSURE")
        name = " ".join(row[:2]) if two else row[0]
        options[name.upper()] = " ".join(row[2:] if two else row[1:])
    return options


def _units(text: InpText, options: dict[str, str], findings: Findings) -> Units:
    name = (options.get("UNITS") or "GPM").split()[0].upper()
    if name not in _FLOW:
        findings.error(
            "bad-units",
            _option_place(text, "UNITS"),
            "“{units}” are no flow units of EPANET; gallons per minute and feet are assumed.",
            units=name[:20],
        )
        name = "GPM"
    is_us = name in _US
    is_darcy = options.get("HEADLOSS", "H-W").upper().startswith("D")
    length = FOOT if is_us else 1.0
    return Units(
        flow=_FLOW[name],
        length=length,
        diameter=INCH if is_us else 1e-3,
        pressure=PSI_HEAD if is_us else 1.0,
        power=HORSEPOWER if is_us else 1.0,
        roughness=length * 1e-3 if is_darcy else 1.0,
    )


def _option_place(text: InpText, name: str) -> str:
    section = text.section("OPTIONS")
    return next((section.where(k) for k, row in enumerate(section.rows) if row[0].upper() == name), "[OPTIONS]")


def _types(section: Section, name: str) -> Strings:
    return np.full(len(section), name, dtype=object)


def _junctions(section: Section, units: Units, findings: Findings) -> dict[str, np.ndarray]:
    return {
        "type": _types(section, "junction"),
        "elevation": section.numbers(1, findings, 0.0) * units.length,
        "demand": section.numbers(2, findings, 0.0) * units.flow,
        "pattern": section.strings(3),
    }


def _reservoirs(section: Section, units: Units, findings: Findings) -> dict[str, np.ndarray]:
    head = section.numbers(1, findings, 0.0) * units.length
    return {"type": _types(section, "reservoir"), "elevation": head, "head": head, "pattern": section.strings(2)}


def _tanks(section: Section, units: Units, findings: Findings) -> dict[str, np.ndarray]:
    def length(column: int) -> Float:
        return section.numbers(column, findings, 0.0) * units.length

    return {
        "type": _types(section, "tank"),
        "elevation": length(1),
        "initial_level": length(2),
        "minimum_level": length(3),
        "maximum_level": length(4),
        "tank_diameter": length(5),
        "minimum_volume": section.numbers(6, findings, 0.0) * units.length**3,
        "curve": section.strings(7),
    }


def _pipes(section: Section, units: Units, findings: Findings) -> dict[str, np.ndarray]:
    statuses = [_pipe_status(row) for row in section.rows]
    for k, status in enumerate(statuses):
        if status not in ("open", "closed", "cv"):
            findings.add(
                "bad-status", section.where(k), "“{status}” is no status of a pipe; it is taken as open.", status=status[:20]
            )
            statuses[k] = "open"
    minor = [k for k, row in enumerate(section.rows) if len(row) == 7 and not _is_number(row[6])]
    losses = np.zeros(len(section))
    with_loss = [k for k in range(len(section)) if k not in set(minor)] if minor else list(range(len(section)))
    losses[with_loss] = section.only(with_loss).numbers(6, findings, 0.0)
    return {
        "type": _types(section, "pipe"),
        "length": section.numbers(3, findings) * units.length,
        "diameter": section.numbers(4, findings) * units.diameter,
        "roughness": section.numbers(5, findings) * units.roughness,
        "minor_loss": losses,
        "status": object_column(statuses),
        "is_open": np.array([status != "closed" for status in statuses], dtype=bool),
    }


def _pipe_status(row: list[str]) -> str:
    """Return the status of a pipe: eighth word, or the seventh when the minor loss is left out."""
    if len(row) > 7:
        return row[7].lower()
    return row[6].lower() if len(row) == 7 and not _is_number(row[6]) else "open"


def _pumps(section: Section, units: Units, findings: Findings) -> dict[str, np.ndarray]:
    words = [_keywords(row[3:]) for row in section.rows]
    count = len(section)
    columns: dict[str, np.ndarray] = {
        "type": _types(section, "pump"),
        "length": np.zeros(count),
        "diameter": np.full(count, np.nan),
        "curve": object_column([each.get("HEAD") for each in words]),
        "pattern": object_column([each.get("PATTERN") for each in words]),
        "status": object_column(["open"] * count),
        "is_open": np.ones(count, dtype=bool),
    }
    for name, key, factor in (("power", "POWER", units.power), ("speed", "SPEED", 1.0)):
        values = Section(section.name, [[each.get(key, "*")] for each in words], section.lines)
        columns[name] = values.numbers(0, findings) * factor
    for k, each in enumerate(words):
        if not each:
            findings.add(
                "no-pump-curve", section.where(k), "Pump “{id}” has neither a curve nor a power.", id=section.rows[k][0][:40]
            )
    return columns


def _keywords(words: list[str]) -> dict[str, str]:
    """Return the pairs of keyword and value of a pump; a lone first word is an old-style curve or power."""
    if words and words[0].upper() not in ("HEAD", "POWER", "SPEED", "PATTERN"):
        return {"POWER" if _is_number(words[0]) else "HEAD": words[0]}
    return {words[k].upper(): words[k + 1] for k in range(0, len(words) - 1, 2)}


def _valves(section: Section, units: Units, findings: Findings) -> dict[str, np.ndarray]:
    types = [(row[4] if len(row) > 4 else "").upper() for row in section.rows]
    settings = np.full(len(section), np.nan)
    factors = {"PRV": units.pressure, "PSV": units.pressure, "PBV": units.pressure, "FCV": units.flow}
    for k, kind in enumerate(types):
        if kind not in _VALVES:
            findings.error("bad-valve", section.where(k), "“{type}” is no type of valve.", type=kind[:20])
        elif kind == "PCV":
            findings.add("new-valve", section.where(k), "Valve type PCV is known from EPANET 2.3 on; EPANET 2.2 refuses this file.")
        if kind != "GPV":
            settings[k] = section.only([k]).numbers(5, findings)[0] * factors.get(kind, 1.0)
    is_gpv = np.array([kind == "GPV" for kind in types], dtype=bool)
    curves = np.where(is_gpv, section.strings(5), section.strings(7))
    return {
        "type": _types(section, "valve"),
        "length": np.zeros(len(section)),
        "diameter": section.numbers(3, findings) * units.diameter,
        "valve_type": object_column(types),
        "setting": settings,
        "minor_loss": section.numbers(6, findings, 0.0),
        "curve": curves,
        "status": object_column(["active"] * len(section)),
        "is_open": np.ones(len(section), dtype=bool),
    }


def _apply_demands(junctions: Part, section: Section, units: Units, findings: Findings) -> None:
    """Let the demand categories of [DEMANDS] replace the base demand of their junctions."""
    section = section.with_words(2, findings)
    row_of = {row[0]: k for k, row in enumerate(junctions.section.rows)}
    rows = np.array([row_of.get(row[0], -1) for row in section.rows], dtype=np.int64)
    for k in np.flatnonzero(rows < 0):
        findings.add(
            "unknown-node", section.where(int(k)), "Demand at “{node}”, which is no junction.", node=section.rows[k][0][:40]
        )
    values = section.numbers(1, findings)
    known = (rows >= 0) & np.isfinite(values)
    demands = junctions.columns["demand"]
    demands[rows[known]] = 0.0
    np.add.at(demands, rows[known], values[known] * units.flow)


def _apply_status(links: list[Part], section: Section, findings: Findings) -> None:
    """Let [STATUS] open and close links; numbers are settings of pumps and valves, zero stops a pump."""
    place = {row[0]: (part, k) for part in links for k, row in enumerate(part.section.rows)}
    for k, row in enumerate(section.with_words(2, findings).rows):
        if row[0] not in place:
            findings.add("unknown-link", section.where(k), "Status of “{link}”, which is not defined.", link=row[0][:40])
            continue
        part, at = place[row[0]]
        word = row[1].lower()
        if _is_number(word):
            is_open = part.kind is not LinkKind.PUMP or float(word) != 0.0
            part.columns["is_open"][at] = is_open
            part.columns["status"][at] = "open" if is_open else "closed"
        elif word in ("open", "closed", "active"):
            part.columns["is_open"][at] = word != "closed"
            part.columns["status"][at] = word
        else:
            findings.add("bad-status", section.where(k), "“{status}” is no status; it is left out.", status=word[:20])


def _metadata(text: InpText, options: dict[str, str], findings: Findings) -> dict[str, object]:
    times: dict[str, str] = {}
    section = text.section("TIMES")
    for k, row in enumerate(section.rows):
        split = 1 if row[0].upper() in ("DURATION", "STATISTIC") else 2
        name, value = " ".join(row[:split]).upper(), " ".join(row[split:])
        times[name] = value
        if name != "STATISTIC" and parse_hours(value) is None:
            findings.add(
                "bad-time", section.where(k), "“{value}” is no time for {name}; it is left out.", value=value[:40], name=name[:30]
            )
    return {
        "title": text.title,
        "flow_units": (options.get("UNITS") or "GPM").upper(),
        "headloss": options.get("HEADLOSS", "H-W").upper(),
        "duration": parse_hours(times.get("DURATION", "0")) or 0.0,
        "options": options,
        "times": times,
        "sections": text.counts(),
        "patterns": len({row[0] for row in text.section("PATTERNS").rows}),
        "curves": len({row[0] for row in text.section("CURVES").rows}),
        "encoding": text.encoding,
    }


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
