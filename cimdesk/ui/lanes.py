"""What the timeline's lanes show, as plain arrays: rain, wet area, alarms and works. No widgets here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float, Int
from cimdesk.model.appearance import active_flood, describe
from cimdesk.model.flood import FloodResult
from cimdesk.model.lifecycle import Stage, StageBook
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import Sensors, Status
from cimdesk.model.workspace import Workspace

WORK_STAGES = frozenset({Stage.PERMIT, Stage.CONSTRUCTION, Stage.ACCEPTANCE, Stage.MAINTENANCE})
MAX_WORKS = 200


@dataclass(frozen=True)
class RainLane:
    """Rain as bars: edges (N + 1,) [POSIX s] and rates (N,) [mm/h]."""

    edges: Float
    rates: Float


@dataclass(frozen=True)
class CurveLane:
    """A curve: times (N,) [POSIX s] and values (N,)."""

    times: Float
    values: Float


@dataclass(frozen=True)
class AlarmEvent:
    """A sensor reached warning or alarm."""

    time: float
    status: Status
    ref: AssetRef
    name: str


@dataclass(frozen=True)
class Work:
    """A bar of the gantt lane: assets under works between two moments; an open end is infinite."""

    begin: float
    end: float
    label: str
    stage: Stage
    assets: tuple[AssetRef, ...]


def rain_lane(workspace: Workspace) -> RainLane | None:
    """Return the rain of the flood that is shown, else of the first rain gauge; None without rain."""
    found = active_flood(workspace)
    if found is not None and found[1].rain is not None:
        result = found[1]
        assert result.rain is not None
        end = max(float(result.times[-1]), float(result.rain.times[-1]))
        edges = np.append(result.rain.times, end) + result.start_time
        return RainLane(edges, result.rain.values * 3.6e6)
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if isinstance(data, Sensors) and (lane := _gauged_rain(data)) is not None:
            return lane
    return None


def _gauged_rain(sensors: Sensors) -> RainLane | None:
    quantity = sensors.features.columns["quantity"]
    for row in np.flatnonzero(np.isin(quantity.astype(str), ("rain_intensity", "rainfall"))).tolist():
        times, values = sensors.observations.series(row)
        if len(times) < 2:
            continue
        step = float(np.median(np.diff(times)))
        rates = np.nan_to_num(values) * (3600.0 / step if quantity[row] == "rainfall" and step > 0 else 1.0)
        return RainLane(np.append(times - step, times[-1]), rates)
    return None


def wet_area_lane(workspace: Workspace) -> CurveLane | None:
    """Return the wet area [ha] of the flood that is shown; None without one."""
    found = active_flood(workspace)
    if found is None:
        return None
    result: FloodResult = found[1]
    return CurveLane(result.times + result.start_time, result.wet_area / 1e4)


def alarm_lane(workspace: Workspace) -> list[AlarmEvent]:
    """Return every moment at which a sensor reached warning or alarm, by time."""
    events: list[AlarmEvent] = []
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if isinstance(data, Sensors):
            events += _rises(data, layer.id)
    return sorted(events, key=lambda event: event.time)


def _rises(sensors: Sensors, layer_id: str) -> list[AlarmEvent]:
    observations = sensors.observations
    counts = np.diff(observations.offsets)
    owner: Int = np.repeat(np.arange(len(counts)), counts)
    if not len(owner):
        return []
    limits = sensors.thresholds[owner, 1:]
    level = (np.isfinite(limits) & (observations.values[:, None] >= limits)).sum(axis=1)
    before = np.concatenate([[0], level[:-1]])
    before[observations.offsets[:-1][counts > 0]] = 0
    names = sensors.features.columns["name"]
    return [
        AlarmEvent(
            float(observations.times[k]),
            Status.ALARM if level[k] == 2 else Status.WARNING,
            AssetRef(layer_id, str(sensors.features.ids[owner[k]])),
            str(names[owner[k]]),
        )
        for k in np.flatnonzero((level > before) & (level > 0)).tolist()
    ]


def works_lane(workspace: Workspace) -> list[Work]:
    """Return works from stage histories: assets that enter and leave works together are one bar."""
    bars: dict[tuple[float, float, str, Stage], list[AssetRef]] = {}
    for layer in workspace.layers():
        for asset in workspace.stages.assets(layer.id):
            for begin, end, why, stage in _works_of(workspace.stages, asset):
                bars.setdefault((begin, end, why, stage), []).append(asset)
    works = []
    for (begin, end, why, stage), assets in bars.items():
        label = why or describe(workspace, assets[0]) + (f" +{len(assets) - 1}" if len(assets) > 1 else "")
        works.append(Work(begin, end, label, stage, tuple(assets)))
    return sorted(works, key=lambda work: (work.begin, work.label))[:MAX_WORKS]


def _works_of(book: StageBook, asset: AssetRef) -> list[tuple[float, float, str, Stage]]:
    events = book.history(asset)
    found = []
    begin: tuple[float, str, Stage] | None = None
    for event in events:
        if event.stage in WORK_STAGES:
            begin = begin or (event.date, event.why, event.stage)
        elif begin is not None:
            found.append((begin[0], event.date, begin[1], begin[2]))
            begin = None
    if begin is not None:
        found.append((begin[0], float("inf"), begin[1], begin[2]))
    return found


def pack_rows(works: list[Work], gap: float) -> list[tuple[int, Work]]:
    """Return (row, work) so that bars of one row do not overlap; ``gap`` is the least space between them [s]."""
    ends: list[float] = []
    packed = []
    for work in works:
        row = next((k for k, end in enumerate(ends) if work.begin >= end + gap), len(ends))
        if row == len(ends):
            ends.append(work.end)
        else:
            ends[row] = work.end
        packed.append((row, work))
    return packed


def value_ticks(low: float, high: float, most: int) -> list[float]:
    """Return round values within a range, at most about ``most``."""
    rough = max((high - low) / most, 1e-9)
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(next(s * power for s in (1.0, 2.0, 5.0, 10.0) if s * power >= rough * (1 - 1e-9)))
    return [float(v) for v in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step]


def time_ticks(first: float, last: float, most: int) -> list[float]:
    """Return round local times within a range, at most ``most`` of them (zone of the display, eight hours east of UTC)."""
    if last <= first or most < 1:
        return []
    steps = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800, 2592000, 7776000, 31536000)
    step = next((s for s in steps if (last - first) / s <= most), 31536000 * 10)
    offset = 8 * 3600.0
    begin = np.ceil((first + offset) / step) * step - offset
    return [float(t) for t in np.arange(begin, last + 1e-6, step)]
