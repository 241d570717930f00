"""A flood that is still being simulated, as a result that grows: its frames so far, and the water now as the last of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np

from cimdesk.base.arrays import AnyArray, Float32
from cimdesk.model.flood import FloodResult, FloodScenario
from cimdesk.model.flood_flow import FlowFrames

LIVE = "live"
"""In the statistics of such a result."""
WET_DEPTH = 0.03


class KeptFrames(Protocol):
    """Frames that are kept somewhere, by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any) -> Any: ...


class FramesAndNow:
    """Frames kept, and one more after them; indexes like an (F, R, C) float32 array."""

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(self, kept: KeptFrames, count: int, now: Float32) -> None:
        self._kept, self._count, self._now = kept, count, now

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (self._count + 1, *self._now.shape)

    def __len__(self) -> int:
        return self._count + 1

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            first, rest = key[0], key[1:]
            return self[first][rest] if isinstance(first, int | np.integer) else self[first][(slice(None), *rest)]
        if isinstance(key, int | np.integer):
            index = range(len(self))[int(key)]
            return self._now if index == self._count else self._kept[index]
        wanted = np.arange(len(self))[key]
        return np.stack([self[int(k)] for k in wanted])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        return np.asarray(self[:], dtype=dtype)


@dataclass
class LiveFlood:
    """Makes the results of a run that is on its way.

    Attributes
    ----------
    scenario : FloodScenario
    kept : KeptFrames
        Grows; those of `times` are there.
    times, volumes, wet_areas : list of float
        Of the frames kept.
    flow : FlowFrames or None
        Of the frames kept; the water now is said to flow as that of the last of them.
    """

    scenario: FloodScenario
    kept: KeptFrames
    times: list[float] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)
    wet_areas: list[float] = field(default_factory=list)
    flow: FlowFrames | None = None

    def __post_init__(self) -> None:
        self._deepest: Float32 = np.zeros(self.scenario.result_terrain.shape, dtype=np.float32)
        self._arrival: Float32 = np.full(self._deepest.shape, np.nan, dtype=np.float32)

    def result(self, time: float, depth: Float32) -> FloodResult:
        """Return the result up to ``time`` [s from the start], at which the water is ``depth`` (R, C) [m]."""
        scenario, area = self.scenario, self.scenario.result_terrain.cell_x**2
        self._deepest = np.maximum(self._deepest, depth)
        self._arrival[np.isnan(self._arrival) & (depth > 0.05)] = time
        is_new = not self.times or time > self.times[-1]
        frames: Any = FramesAndNow(self.kept, len(self.times) if is_new else len(self.times) - 1, depth)
        times = [*self.times, time] if is_new else self.times
        volumes = [*self.volumes, float(depth.sum(dtype=np.float64)) * area] if is_new else self.volumes
        areas = [*self.wet_areas, float(np.count_nonzero(depth > WET_DEPTH)) * area] if is_new else self.wet_areas
        flow = self.flow
        if flow is not None and is_new:
            flow = flow.with_frames([*flow.packed, flow.packed[-1] if len(flow) else b""])
        unknown = np.full(depth.shape, np.nan, dtype=np.float32)
        return FloodResult(
            name=scenario.name, terrain=scenario.result_terrain, is_blocked=scenario.result_blocked, start_time=scenario.start_time,
            times=np.array(times), depths=cast(Float32, frames), max_depth=self._deepest, max_speed=unknown,
            max_depth_speed=unknown, arrival=self._arrival, gauges=(), volume=np.array(volumes), wet_area=np.array(areas),
            rain=scenario.rain, flow=flow, statistics={LIVE: True, "engine": scenario.engine, "cell": scenario.terrain.cell_x},
        )  # fmt: skip
