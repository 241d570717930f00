"""The part of a run on coarse cells that a window is put in, brought back to its fine cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float32
from cimdesk.model.flood import FloodResult, FloodScenario

if TYPE_CHECKING:
    from cimdesk.analysis.flood.window import Window


@dataclass(frozen=True)
class FinePart:
    """A part of a run at full detail.

    Attributes
    ----------
    scenario, base : FloodScenario
        With the measures and without.
    parent : FloodResult
        The run there, its levels over the fine ground.
    window : Window
        In the cells of the part.
    """

    scenario: FloodScenario
    base: FloodScenario
    parent: FloodResult
    window: Window


def is_coarse(scenario: FloodScenario) -> bool:
    """Return whether the result of a scenario is on its coarse cells."""
    return scenario.subgrid is not None and not scenario.subgrid.is_downscaled


def fine_part(scenario: FloodScenario, base: FloodScenario, parent: FloodResult, window: Window) -> FinePart:
    """Return the part around a window of coarse cells; as wide again on every side, for it may have to grow.

    Parameters
    ----------
    scenario, base : FloodScenario
        Of the whole, on coarse cells.
    parent : FloodResult
        On coarse cells.
    window : Window
        In coarse cells.
    """
    from cimdesk.analysis.flood.window import Window, cut

    assert base.subgrid is not None
    factor = base.subgrid.factor
    around = window.grown(max(window.shape), parent.terrain.shape)
    whole = Window(around.top * factor, around.bottom * factor, around.left * factor, around.right * factor)
    inner = Window(
        (window.top - around.top) * factor, (window.bottom - around.top) * factor,
        (window.left - around.left) * factor, (window.right - around.left) * factor,
    )  # fmt: skip
    parts = [replace(cut(one, whole), drainage=one.drainage) for one in (scenario, base)]
    return FinePart(parts[0], parts[1], _downscaled(parts[1], parent, around, factor), inner)


def _downscaled(base: FloodScenario, parent: FloodResult, around: Window, factor: int) -> FloodResult:
    """Return the run in a part of the coarse grid on the fine cells of ``base``."""
    from cimdesk.analysis.flood.inundation import WET_DEPTH
    from cimdesk.analysis.flood.subgrid import shown_depths
    from cimdesk.analysis.flood.subgrid_tables import subgrid_tables
    from cimdesk.formats.flood_result import PackedFrames

    ground = np.ascontiguousarray(base.terrain.elevations)
    is_open = np.isfinite(ground) & ~base.is_blocked
    tables = subgrid_tables(ground, is_open, base.manning_n, factor, np.dtype(base.precision))
    area = base.terrain.cell_x * base.terrain.cell_y

    def fine(held: AnyArray) -> Float32:
        return shown_depths(tables, ground, is_open, np.asarray(held)[around.part], factor)

    def spread(values: Any) -> Float32:
        part = np.asarray(values)[around.part]
        return np.repeat(np.repeat(part, factor, axis=0), factor, axis=1).astype(np.float32)

    frames = PackedFrames(base.terrain.shape)
    volume, wet_area = np.zeros(len(parent.times)), np.zeros(len(parent.times))
    for k, held in enumerate(parent.depths):
        depth = fine(held)
        volume[k], wet_area[k] = float(depth.sum(dtype=np.float64)) * area, float(np.count_nonzero(depth > WET_DEPTH)) * area
        frames.append(depth)
    names = {gauge.name for gauge in base.gauges}
    return replace(
        parent, terrain=base.terrain, is_blocked=base.is_blocked, depths=frames.finish(), volume=volume, wet_area=wet_area,
        max_depth=fine(parent.max_depth), max_speed=spread(parent.max_speed), max_depth_speed=spread(parent.max_depth_speed),
        arrival=spread(parent.arrival), gauges=tuple(one for one in parent.gauges if one.gauge.name in names), lines=(),
        envelopes={name: spread(values) for name, values in parent.envelopes.items()}, flow=None,
    )  # fmt: skip
