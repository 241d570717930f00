"""Lifecycle stages of infrastructure assets: the stages, which may follow which, and the dated history of each asset."""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np

from cimdesk.base.arrays import Float, Int, Strings, UInt8, offsets_from_counts
from cimdesk.model.document import Changes, Document, Record
from cimdesk.model.selection import AssetRef


class Stage(IntEnum):
    """cimdesk's canonical states; the crosswalk to other standards is a table in resources/standards."""

    UNKNOWN = 0
    PLANNING = 1
    APPROVAL = 2
    DESIGN = 3
    PERMIT = 4
    CONSTRUCTION = 5
    ACCEPTANCE = 6
    HANDOVER = 7
    OPERATION = 8
    MAINTENANCE = 9
    OUT_OF_SERVICE = 10
    ABANDONED = 11
    REMOVED = 12

    @property
    def code(self) -> str:
        """The word used in files and on the command line, such as ``out_of_service``."""
        return self.name.lower()

    @staticmethod
    def from_code(code: str) -> Stage:
        """Return the stage of a word; raises ValueError for any other."""
        try:
            return Stage[code.strip().upper().replace("-", "_").replace(" ", "_")]
        except KeyError:
            raise ValueError(f"{code!r} is no stage; there are {', '.join(s.code for s in Stage)}") from None


STAGE_PALETTE: tuple[tuple[str, str], ...] = (
    ("Unknown", "#b9bec4"),
    ("Planning", "#c9b6e4"),
    ("Land/planning approval", "#a78bd0"),
    ("Design", "#7d6bb5"),
    ("Construction permit", "#f3d27a"),
    ("Construction", "#e8870e"),
    ("Acceptance", "#b5c95a"),
    ("Handover", "#7fbf7b"),
    ("Operation", "#1a9850"),
    ("Maintenance/renewal", "#2f7fc1"),
    ("Temporarily out of service", "#8d99a6"),
    ("Abandoned in place", "#6b5b53"),
    ("Removed", "#3d3d3d"),
)
"""English label and colour of each stage, by code."""

_S = Stage
ALLOWED: Mapping[Stage, frozenset[Stage]] = {
    _S.UNKNOWN: frozenset(Stage) - {_S.UNKNOWN},
    _S.PLANNING: frozenset({_S.APPROVAL, _S.DESIGN, _S.ABANDONED}),
    _S.APPROVAL: frozenset({_S.PLANNING, _S.DESIGN, _S.ABANDONED}),
    _S.DESIGN: frozenset({_S.APPROVAL, _S.PERMIT, _S.ABANDONED}),
    _S.PERMIT: frozenset({_S.DESIGN, _S.CONSTRUCTION, _S.ABANDONED}),
    _S.CONSTRUCTION: frozenset({_S.ACCEPTANCE, _S.PERMIT, _S.ABANDONED}),
    _S.ACCEPTANCE: frozenset({_S.HANDOVER, _S.CONSTRUCTION}),
    _S.HANDOVER: frozenset({_S.OPERATION}),
    _S.OPERATION: frozenset({_S.MAINTENANCE, _S.CONSTRUCTION, _S.OUT_OF_SERVICE, _S.ABANDONED, _S.REMOVED}),
    _S.MAINTENANCE: frozenset({_S.OPERATION, _S.CONSTRUCTION, _S.OUT_OF_SERVICE, _S.ABANDONED, _S.REMOVED}),
    _S.OUT_OF_SERVICE: frozenset({_S.OPERATION, _S.MAINTENANCE, _S.ABANDONED, _S.REMOVED}),
    _S.ABANDONED: frozenset({_S.REMOVED, _S.PLANNING, _S.MAINTENANCE}),
    _S.REMOVED: frozenset(),
}
"""Which stage may follow which."""


@dataclass(frozen=True, slots=True)
class StageEvent:
    """An asset entered a stage: one record of table ``stage_event``.

    Attributes
    ----------
    key : str
    asset : AssetRef
    stage : Stage
    date : float
        When it happened or will happen [POSIX s].
    who, why : str
    recorded : float
        When it was written down [POSIX s].
    """

    key: str
    asset: AssetRef
    stage: Stage
    date: float
    who: str
    why: str
    recorded: float

    def to_record(self) -> dict[str, Any]:
        """Return the JSON-able form."""
        return {
            "layer": self.asset.layer, "feature": self.asset.feature, "stage": self.stage.code,
            "date": self.date, "who": self.who, "why": self.why, "recorded": self.recorded,
        }  # fmt: skip

    @staticmethod
    def from_record(key: str, record: Record) -> StageEvent:
        """Return the event of a record."""
        return StageEvent(
            key,
            AssetRef(str(record["layer"]), str(record["feature"])),
            Stage.from_code(str(record["stage"])),
            float(record["date"]),
            str(record["who"]),
            str(record["why"]),
            float(record["recorded"]),
        )


class StageBook:
    """Stage history of every asset, kept in step with the document's ``stage_event`` records."""

    def __init__(self) -> None:
        self._layers: dict[str, _LayerStages] = {}

    @property
    def last_recorded(self) -> float:
        """The latest moment at which an event was written down [POSIX s]; minus infinity when there was none."""
        return max((stages.last_recorded for stages in self._layers.values()), default=-math.inf)

    def rebuild(self, document: Document) -> None:
        """Read every event of the document."""
        self._layers.clear()
        for key, record in document.records("stage_event").items():
            self._of_layer(str(record["layer"])).insert(key, record)

    def apply(self, changes: Changes) -> None:
        """Follow an edit."""
        for change in changes.records:
            if change.table != "stage_event":
                continue
            if change.before is not None:
                self._of_layer(str(change.before["layer"])).delete(change.key, change.before)
            if change.after is not None:
                self._of_layer(str(change.after["layer"])).insert(change.key, change.after)

    def history(self, asset: AssetRef) -> tuple[StageEvent, ...]:
        """Return the events of an asset by date."""
        return tuple(StageEvent.from_record(key, record) for _, _, key, _, record in self._entries(asset))

    def dated_stages(self, asset: AssetRef) -> tuple[tuple[float, Stage], ...]:
        """Return date [POSIX s] and stage of the events of an asset by date; quicker than `history`."""
        return tuple((entry[0], Stage(entry[3])) for entry in self._entries(asset))

    def stage_at(self, asset: AssetRef, time: float) -> Stage:
        """Return the stage an asset is in at a moment; UNKNOWN before its first event."""
        return Stage(_code_at(self._entries(asset), time))

    def codes(self, layer: str, feature_ids: Strings, time: float) -> UInt8:
        """Return the stage of many features of a layer at a moment, all at once.

        Parameters
        ----------
        layer : str
        feature_ids : (N,) object
            Identifiers, str; the same array asked again is answered fastest.
        time : float
            [POSIX s].

        Returns
        -------
        (N,) uint8
            `Stage` codes; UNKNOWN for features without a history.
        """
        stages = self._layers.get(layer)
        return np.zeros(len(feature_ids), dtype=np.uint8) if stages is None else stages.codes(feature_ids, time)

    def assets(self, layer: str) -> Iterable[AssetRef]:
        """Return the assets of a layer that have a history."""
        stages = self._layers.get(layer)
        return () if stages is None else (AssetRef(layer, feature) for feature, events in stages.events.items() if events)

    @property
    def time_range(self) -> tuple[float, float] | None:
        """First and last date of all events; None when there are none."""
        ranges = [found for stages in self._layers.values() if (found := stages.time_range) is not None]
        return (min(r[0] for r in ranges), max(r[1] for r in ranges)) if ranges else None

    def _of_layer(self, layer: str) -> _LayerStages:
        stages = self._layers.get(layer)
        if stages is None:
            stages = self._layers[layer] = _LayerStages()
        return stages

    def _entries(self, asset: AssetRef) -> list[_Entry]:
        stages = self._layers.get(asset.layer)
        return [] if stages is None else stages.events.get(asset.feature, [])


_Entry: TypeAlias = tuple[float, float, str, int, Record]
"""Date, moment of recording, key, stage code, record: in the order that events of an asset follow each other."""

_CODES = {stage.code: int(stage) for stage in Stage}


class _LayerStages:
    """Events of one layer, with arrays over all its assets that are made when first asked for.

    An asset that changes afterwards is looked up by itself, until there are so many that new arrays are cheaper.
    """

    def __init__(self) -> None:
        self.events: dict[str, list[_Entry]] = {}
        self.last_recorded = -math.inf
        self._row_of: dict[str, int] = {}
        self._starts = np.zeros(1, dtype=np.int64)
        self._dates: Float = np.zeros(0)
        self._stages: UInt8 = np.zeros(0, dtype=np.uint8)
        self._changed: set[str] = set()
        self._range: tuple[float, float] | None = None
        self._range_known = True
        self._asked: tuple[Strings, int, Int] | None = None

    def insert(self, key: str, record: Record) -> None:
        feature = str(record["feature"])
        code = _CODES.get(record["stage"])
        entry = (
            float(record["date"]),
            float(record["recorded"]),
            key,
            Stage.from_code(record["stage"]) if code is None else code,
            record,
        )
        events = self.events.setdefault(feature, [])
        if events and events[-1][:3] > entry[:3]:
            insort(events, entry, key=_order)
        else:
            events.append(entry)
        self._changed.add(feature)
        self.last_recorded = max(self.last_recorded, entry[1])
        if self._range is not None:
            self._range = (min(self._range[0], entry[0]), max(self._range[1], entry[0]))
        elif self._range_known:
            self._range = (entry[0], entry[0])

    def delete(self, key: str, record: Record) -> None:
        feature = str(record["feature"])
        events = self.events[feature]
        events[:] = [entry for entry in events if entry[2] != key]
        self._changed.add(feature)
        if self._range is not None and float(record["date"]) in self._range:
            self._range, self._range_known = None, False

    @property
    def time_range(self) -> tuple[float, float] | None:
        if not self._range_known:
            dates = [entry[0] for events in self.events.values() if events for entry in (events[0], events[-1])]
            self._range, self._range_known = (min(dates), max(dates)) if dates else None, True
        return self._range

    def codes(self, feature_ids: Strings, time: float) -> UInt8:
        if len(self._changed) * 8 > len(self._row_of):
            self._rebuild()
        known = len(self._starts) - 1
        changed = {self._row_of.setdefault(feature, len(self._row_of)): feature for feature in self._changed}
        by_row = np.zeros(len(self._row_of) + 1, dtype=np.uint8)
        begun = np.concatenate([[0], np.cumsum(self._dates <= time)])
        count = begun[self._starts[1:]] - begun[self._starts[:-1]]
        has = np.flatnonzero(count)
        by_row[:known][has] = self._stages[self._starts[:-1][has] + count[has] - 1]
        for row, feature in changed.items():
            by_row[row] = _code_at(self.events[feature], time)
        return by_row[self._rows(feature_ids)]

    def _rows(self, feature_ids: Strings) -> Int:
        """Return (N,) rows of features, one past the last for those without a history."""
        total = len(self._row_of)
        if self._asked is None or self._asked[0] is not feature_ids or self._asked[1] != total:
            find = self._row_of.get
            rows = np.fromiter((find(key, total) for key in feature_ids), dtype=np.int64, count=len(feature_ids))
            self._asked = (feature_ids, total, rows)
        return self._asked[2]

    def _rebuild(self) -> None:
        kept = [events for events in self.events.values() if events]
        self._row_of = {feature: row for row, feature in enumerate(f for f, events in self.events.items() if events)}
        self._starts = offsets_from_counts(np.fromiter(map(len, kept), dtype=np.int64, count=len(kept)))
        total = int(self._starts[-1])
        self._dates = np.fromiter((entry[0] for events in kept for entry in events), dtype=np.float64, count=total)
        self._stages = np.fromiter((entry[3] for events in kept for entry in events), dtype=np.uint8, count=total)
        self._changed.clear()
        self._asked = None


def _order(entry: _Entry) -> tuple[float, float, str]:
    return entry[:3]


def _code_at(events: list[_Entry], time: float) -> int:
    row = bisect_right(events, time, key=_date)
    return events[row - 1][3] if row else 0


def _date(entry: _Entry) -> float:
    return entry[0]
