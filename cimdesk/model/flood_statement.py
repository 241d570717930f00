"""What every figure and table of a flood states: engine, cell, Courant number, mass error, rain, and whether it is a screening."""

from __future__ import annotations

import numpy as np

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_quantity
from cimdesk.model.flood import FloodResult

COARSE = 10.0
"""Cells larger than this [m] make any run a screening: streets and walls are not resolved."""


def rain_depth(result: FloodResult) -> float:
    """Return the rain that fell on the model, averaged over it [mm]; zero where the run says nothing of rain."""
    stats = result.statistics
    area = float(result.max_depth.size) * result.terrain.cell_x * result.terrain.cell_y
    if "rain_m3" in stats:
        return float(stats["rain_m3"]) / area * 1000.0
    if result.rain is None or len(result.rain.times) < 2:
        return 0.0
    return float(np.sum(np.diff(result.rain.times) * result.rain.values[:-1])) * 1000.0


def is_screening(result: FloodResult) -> bool:
    """Whether a run only screens: simplified equations, or cells too coarse to see streets. Unknown engines count as screening."""
    return str(result.statistics.get("engine", "")) != "dynamic" or result.terrain.cell_x > COARSE


def device_words(device: str, name: str = "") -> str:
    """Return what a person reads of the device that a run was computed on."""
    if device == "gpu":
        return tr("graphics processor ({name})").format(name=name) if name else tr("graphics processor")
    return tr("processor") if device else tr("not stated")


def run_facts(result: FloodResult) -> tuple[tuple[str, str], ...]:
    """Return label and value of what a run has to state, in the current language; what it does not know it says so."""
    stats = result.statistics
    unknown = tr("not stated")
    hours = float(result.times[-1]) / 3600.0 if len(result.times) else 0.0
    facts = [
        (tr("Engine"), tr(str(stats["engine"])) if stats.get("engine") else unknown),
        (tr("Cell size"), format_quantity(result.terrain.cell_x, "m")),
        (tr("CFL number"), f"{float(stats['cfl']):.2f}" if "cfl" in stats else unknown),
        (tr("Mass error"), f"{float(stats['mass_error']):.1e}" if "mass_error" in stats else unknown),
        (tr("Rain"), _rain_text(result, unknown)),
        (tr("Duration"), format_quantity(hours, "h")),
        (tr("Computed on"), device_words(str(stats.get("device", "")), str(stats.get("device_name", "")))),
        (tr("Standing"), tr("screening") if is_screening(result) else tr("full shallow-water model, not calibrated here")),
    ]
    return tuple(facts)


def run_statement(result: FloodResult) -> str:
    """Return the same in one line, for captions, notes and the head of files."""
    stats = result.statistics
    parts = [tr("{engine} engine").format(engine=tr(str(stats["engine"]))) if stats.get("engine") else tr("engine not stated")]
    parts.append(tr("{cell} cells").format(cell=format_quantity(result.terrain.cell_x, "m")))
    if "cfl" in stats:
        parts.append(f"CFL {float(stats['cfl']):.2f}")
    error = stats.get("mass_error")
    parts.append(tr("mass error {error}").format(error=f"{float(error):.0e}") if error is not None else tr("mass error not stated"))
    parts.append(f"{tr('Rain').lower()} {_rain_text(result, tr('not stated'))}")
    if stats.get("device") == "gpu":
        parts.append(device_words("gpu"))
    if is_screening(result):
        parts.append(tr("screening"))
    return ", ".join(parts)


def _rain_text(result: FloodResult, unknown: str) -> str:
    if "rain_m3" not in result.statistics and result.rain is None:
        return unknown
    depth = rain_depth(result)
    return tr("none") if depth <= 0.0 else format_quantity(depth, "mm")
