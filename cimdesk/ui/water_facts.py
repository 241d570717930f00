"""What is known of the water at a place or an asset: every map of the shown flood there."""

from __future__ import annotations

import math

import numpy as np

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_time
from cimdesk.model.appearance import active_flood
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_maps import KEYS, available, map_named, shown_map, value_at, value_text
from cimdesk.model.workspace import Workspace

FACTS = ("max_depth", "max_level", "max_speed", "hazard_uk", "hazard_aidr", "hazard_cn", "arrival", "peak_time", "duration_0.30")
"""Maps whose values are told of a place, in this order; the one that is shown comes first."""


def facts_at(workspace: Workspace, x: float, y: float, time: float) -> list[tuple[str, str]]:
    """Return labels and values of the shown flood at a place of the world; empty where there is none, or the place is off it."""
    found = active_flood(workspace)
    if found is None:
        return []
    layer, result = found
    depth = value_at(result, "", x, y, time)
    if not math.isfinite(depth):
        return []
    facts = [(tr("Water now"), f"{depth:.2f} m")]
    shown = shown_map(layer, result)
    known = available(result)
    for key in sorted((key for key in known if key in FACTS or key == shown), key=lambda key: (key != shown, KEYS.index(key))):
        value = value_at(result, key, x, y)
        if math.isfinite(value):
            facts.append((tr(map_named(key).title), fact_text(result, key, value)))
    return facts


def fact_text(result: FloodResult, key: str, value: float) -> str:
    """Return a value of a map; moments of dated runs with their time of day."""
    text = value_text(result, key, value)
    if key.startswith(("arrival", "peak")) and result.start_time > 0 and np.isfinite(value):
        return f"{text} · {format_time(result.start_time + value)[11:]}"
    return text


def water_words(workspace: Workspace, world: tuple[float, float, float], time: float) -> str:
    """Return the value under the cursor of what the shown flood shows; empty where it is dry."""
    found = active_flood(workspace)
    if found is None:
        return ""
    layer, result = found
    key = shown_map(layer, result)
    value = value_at(result, key, world[0], world[1], time)
    if not math.isfinite(value) or (not key and value < 0.005):
        return ""
    return f"{tr('Water depth')} {value:.2f} m" if not key else f"{tr(map_named(key).title)} {value_text(result, key, value)}"
