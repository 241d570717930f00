"""Lifecycle stages of infrastructure assets: the stages, which may follow which, and the dated history of each asset."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

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
        self._events: dict[AssetRef, list[StageEvent]] = {}

    def rebuild(self, document: Document) -> None:
        """Read every event of the document."""
        self._events.clear()
        for key, record in document.records("stage_event").items():
            self._insert(StageEvent.from_record(key, record))

    def apply(self, changes: Changes) -> None:
        """Follow an edit."""
        for change in changes.records:
            if change.table != "stage_event":
                continue
            if change.before is not None:
                self._delete(StageEvent.from_record(change.key, change.before))
            if change.after is not None:
                self._insert(StageEvent.from_record(change.key, change.after))

    def history(self, asset: AssetRef) -> tuple[StageEvent, ...]:
        """Return the events of an asset by date."""
        return tuple(self._events.get(asset, ()))

    def stage_at(self, asset: AssetRef, time: float) -> Stage:
        """Return the stage an asset is in at a moment; UNKNOWN before its first event."""
        events = self._events.get(asset)
        if not events:
            return Stage.UNKNOWN
        row = bisect_right([event.date for event in events], time)
        return events[row - 1].stage if row else Stage.UNKNOWN

    def assets(self, layer: str) -> Iterable[AssetRef]:
        """Return the assets of a layer that have a history."""
        return (asset for asset in self._events if asset.layer == layer)

    @property
    def time_range(self) -> tuple[float, float] | None:
        """First and last date of all events; None when there are none."""
        dates = [event.date for events in self._events.values() for event in (events[0], events[-1])]
        return (min(dates), max(dates)) if dates else None

    def _insert(self, event: StageEvent) -> None:
        events = self._events.setdefault(event.asset, [])
        events.append(event)
        events.sort(key=lambda e: (e.date, e.recorded, e.key))

    def _delete(self, event: StageEvent) -> None:
        events = self._events[event.asset]
        events[:] = [e for e in events if e.key != event.key]
        if not events:
            del self._events[event.asset]
