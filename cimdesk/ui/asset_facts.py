"""Facts of an asset as lines of text: its class and layer, what holds at the clock, and all its attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_quantity, format_time
from cimdesk.commands.cards import card_of
from cimdesk.model.appearance import NODE_PREFIX, active_flood, feature_depths, value_text
from cimdesk.model.drainage import SPILLS
from cimdesk.model.flood_areas import CLASS, is_flood_map
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.points import PointCloud
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import STATUS_PALETTE, Sensors, Status
from cimdesk.model.tileset import TiledCity
from cimdesk.ui.attributes import point_attributes, show_attribute, show_row
from cimdesk.ui.desk import Desk


@dataclass(frozen=True)
class Fact:
    """One line: a label, a value, and the token of its colour when it is not plain text."""

    label: str
    value: str
    token: str = ""


def subtitle(desk: Desk, ref: AssetRef) -> str:
    """Return the class, layer and CIM level of an asset in one line."""
    workspace = desk.session.workspace
    layer = workspace.layer(ref.layer)
    table = workspace.features(ref.layer)
    parts = [layer.name]
    if table is not None and ref.feature in table:
        row = table.row_of(ref.feature)
        for name in (CLASS,) if is_flood_map(workspace.data(ref.layer)) else ("type", "class", "function", "use"):
            if name in table.columns and (value := table.columns[name][row]) is not None and str(value) not in parts:
                parts.append(str(value))
    data = workspace.data(ref.layer)
    if isinstance(data, UtilityNetwork) and ref.feature in data.links:
        diameter = float(data.diameters[data.links.row_of(ref.feature)])
        if np.isfinite(diameter) and diameter > 0:
            parts.append(f"DN {diameter * 1000:.0f}")
    if level := card_of(workspace, layer).level:
        parts.append(f"CIM{level}")
    return "  ·  ".join(parts[:4])


def facts_now(desk: Desk, ref: AssetRef) -> list[Fact]:
    """Return what holds at the clock: the reading and status of a sensor, water at the asset."""
    session = desk.session
    data = session.workspace.data(ref.layer)
    facts: list[Fact] = []
    if isinstance(data, Sensors) and ref.feature in data.features:
        row = data.features.row_of(ref.feature)
        status = Status(int(data.status_at(session.clock.time)[row]))
        token = {Status.NORMAL: "normal", Status.ATTENTION: "attention", Status.WARNING: "warning", Status.ALARM: "alarm"}.get(
            status, "stale"
        )
        facts.append(Fact(tr("Status"), tr(STATUS_PALETTE[status][0]), token))
        facts.append(Fact(tr("Reading"), value_text(session.workspace, ref, session.clock.time).split("·")[0].strip()))
        seen, _ = data.observations.latest(session.clock.time)
        if np.isfinite(seen[row]):
            facts.append(Fact(tr("Last heard"), format_time(float(seen[row]))))
    facts += _water_facts(desk, ref)
    facts += _drain_facts(desk, ref)
    return facts


def _drain_facts(desk: Desk, ref: AssetRef) -> list[Fact]:
    """Return what the drains of the flood did at a node: water in it, above the ground, and what comes out or goes in."""
    found = active_flood(desk.session.workspace)
    data = desk.session.workspace.data(ref.layer)
    if (
        found is None
        or found[1].drainage is None
        or not isinstance(data, UtilityNetwork)
        or not ref.feature.startswith(NODE_PREFIX)
    ):
        return []
    result, drains = found[1], found[1].drainage
    node = ref.feature.removeprefix(NODE_PREFIX)
    state = drains.state_of(node, desk.session.clock.time - result.start_time)
    if state is None:
        return []
    facts = [Fact(tr("Water in the node"), depth_text(state.depth))]
    if state.surcharge > 0.005:
        facts.append(Fact(tr("Surcharge"), tr("{depth} above the ground").format(depth=depth_text(state.surcharge)), "alarm"))
    flow = format_quantity(abs(state.exchange), "m³/s")
    if state.exchange < -SPILLS:
        facts.append(Fact(tr("Spills now"), flow, "alarm"))
    elif state.exchange > SPILLS:
        facts.append(Fact(tr("Takes in now"), flow))
    column = int(np.flatnonzero(drains.ids == node)[0])
    spilled = np.maximum(-drains.exchange[1:, column].astype(np.float64), 0.0) @ np.diff(drains.times)
    if spilled > 1.0:
        facts.append(Fact(tr("Spilled in all"), format_quantity(float(spilled), "m³"), "warning"))
    return facts


def _water_facts(desk: Desk, ref: AssetRef) -> list[Fact]:
    workspace = desk.session.workspace
    found = active_flood(workspace)
    table = workspace.features(ref.layer)
    if found is None or table is None or ref.feature not in table or isinstance(workspace.data(ref.layer), TiledCity):
        return []
    result = found[1]
    row = table.row_of(ref.feature)
    now = float(feature_depths(workspace, ref.layer, desk.session.clock.time)[row])
    series = _depth_series(desk, ref, row)
    if series is None:
        return []
    most = float(np.nanmax(series)) if np.isfinite(series).any() else 0.0
    begin, end = result.start_time + float(result.times[0]), result.start_time + float(result.times[-1])
    above = isinstance(workspace.data(ref.layer), UtilityNetwork)
    facts = []
    if begin <= desk.session.clock.time <= end:
        label = tr("Water above now") if above else tr("Water now")
        facts.append(Fact(label, depth_text(now), "attention" if now > 0.03 else ""))
    else:
        run = tr("simulated {begin} – {end}").format(begin=format_time(begin), end=format_time(end)[11:])
        facts.append(Fact(tr("Water now"), run))
    label = tr("Deepest above") if above else tr("Deepest")
    facts.append(Fact(label, depth_text(most), "alarm" if most > 0.4 else "warning" if most > 0.15 else ""))
    wet = np.flatnonzero(series > 0.05)
    if len(wet):
        facts.append(Fact(tr("Water arrives"), format_time(result.start_time + float(result.times[wet[0]]))))
    return facts


def depth_text(metres: float) -> str:
    """Return a depth to the centimetre; a flood model knows no more."""
    return f"{metres:,.2f} m" if math.isfinite(metres) else "–"


def _depth_series(desk: Desk, ref: AssetRef, row: int) -> np.ndarray | None:
    """Return the depth at one asset in every frame; kept while the same asset and flood are shown."""
    found = active_flood(desk.session.workspace)
    if found is None:
        return None
    result = found[1]
    known = _SERIES.get("last")
    if known is not None and known[0] == (ref, id(result)):
        return known[1]
    depths = [float(feature_depths(desk.session.workspace, ref.layer, result.start_time + float(t))[row]) for t in result.times]
    series = np.array(depths)
    _SERIES["last"] = ((ref, id(result)), series)
    return series


_SERIES: dict[str, tuple[tuple[AssetRef, int], np.ndarray]] = {}


def attributes_of(desk: Desk, ref: AssetRef) -> list[Fact]:
    """Return every attribute of an asset that has a value, and where it comes from."""
    workspace = desk.session.workspace
    if workspace.document.get("layer", ref.layer) is None:
        return []
    data = workspace.data(ref.layer)
    table, feature = workspace.features(ref.layer), ref.feature
    if isinstance(data, PointCloud):
        return point_facts(data.attributes(feature), workspace.layer(ref.layer).source)
    if isinstance(data, TiledCity) and (said := data.point(feature)):
        return point_facts(said, workspace.layer(ref.layer).source)
    if isinstance(data, UtilityNetwork) and feature.startswith("node:"):
        table, feature = data.nodes, feature.removeprefix("node:")
    if table is None or feature not in table:
        return []
    row = table.row_of(feature)
    shown = show_row({name: values[row] for name, values in table.columns.items()}, data)
    facts = [Fact(name, text) for name, text in shown if text not in ("–", "")]
    if isinstance(data, TiledCity):
        said = data.tileset.metadata.get("metadata") or {}
        facts += [Fact(f"{tr('Tileset')}: {label}", text) for label, text in (show_attribute(k, v, data) for k, v in said.items())]
    source = workspace.layer(ref.layer).source
    return [*facts, Fact(tr("Source"), source.replace("\\", "/").rsplit("/", 1)[-1])]


def point_facts(said: Mapping[str, Any], source: str) -> list[Fact]:
    """Return everything known about one point, and where it comes from."""
    facts = [Fact(name, text) for name, text in point_attributes(dict(said))]
    return [*facts, Fact(tr("Source"), source.replace("\\", "/").rsplit("/", 1)[-1])]
