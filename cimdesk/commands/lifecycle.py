"""Lifecycle: mark the stage of assets, one by one or by the thousand, and import schedules.

An event may lie in the past of an asset's history when the chain of stages stays legal with it: it may follow the stage before
its date, and the stage after its date may follow it. Anything else is refused with its reason; the legal rest is one undoable edit.
"""

from __future__ import annotations

import csv
import difflib
import io
import time
import uuid
from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cimdesk.base.collector import collector_paused
from cimdesk.base.errors import DataError, Problem, Severity, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.units import FIRST_MOMENT, LAST_MOMENT, format_time, parse_time
from cimdesk.commands.anchors import anchors, has_feature
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.formats.encodings import decode_text
from cimdesk.model.document import Changes, RecordChange
from cimdesk.model.lifecycle import ALLOWED, STAGE_PALETTE, Stage, StageEvent
from cimdesk.model.selection import AssetRef
from cimdesk.model.workspace import features_of

SCHEDULE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "asset", "asset_id", "feature", "编号", "设施编号"),
    "stage": ("stage", "to", "阶段"),
    "date": ("date", "when", "日期"),
    "who": ("who", "by", "责任人", "操作人"),
    "why": ("why", "reason", "note", "原因", "说明"),
}
"""Names a schedule's columns may have. The first three columns must be there."""
HINTS = 20
"""How many unknown assets of one schedule are told what they may have meant."""


@dataclass(frozen=True)
class MarkOutcome:
    """What became of a request to mark stages.

    Attributes
    ----------
    changed : tuple of AssetRef
    refused : tuple of (AssetRef, str)
        With the reason, in the current language.
    changes : Changes or None
        What the one edit touched; None when nothing was legal.
    """

    changed: tuple[AssetRef, ...]
    refused: tuple[tuple[AssetRef, str], ...]
    changes: Changes | None


@dataclass(frozen=True)
class RowRefusal:
    """A row of a schedule that was not taken: its number (1 is the first after the header), its asset as written, and why."""

    row: int
    asset: str
    reason: str


@dataclass(frozen=True)
class ScheduleOutcome:
    """What became of a schedule.

    Attributes
    ----------
    changed : tuple of AssetRef
        Once for each accepted row.
    refused : tuple of RowRefusal
    changes : Changes or None
    """

    changed: tuple[AssetRef, ...]
    refused: tuple[RowRefusal, ...]
    changes: Changes | None


@dataclass(frozen=True, slots=True)
class _Wish:
    asset: AssetRef
    stage: Stage
    date: float
    who: str
    why: str


def mark(
    session: Session, refs: Iterable[AssetRef], stage: Stage, date: float, who: str, why: str, key: str | None = None
) -> MarkOutcome:
    """Mark assets as being in a stage from a date on, in one undoable edit.

    Parameters
    ----------
    session : Session
    refs : iterable of AssetRef
    stage : Stage
    date : float
        When they entered it, or will [POSIX s].
    who, why : str
    key : str, optional
        What the keys of the new records begin with; made up when not given.

    Returns
    -------
    MarkOutcome

    Raises
    ------
    UsageError
        If the date is no moment.
    ProjectError
        If it cannot be written; nothing has changed then.
    """
    _require_moment(date)
    refs = tuple(refs)
    with collector_paused():
        accepted, refused = _Plan(session).sort_out([_Wish(ref, stage, date, who, why) for ref in refs])
    name = tr(STAGE_PALETTE[stage][0])
    if len(accepted) == 1:
        label = tr("Mark {name} as {stage}").format(name=accepted[0].asset.feature, stage=name)
    else:
        label = tr("Mark {count} assets as {stage}").format(count=len(accepted), stage=name)
    changes = _do(session, label, accepted, key)
    return MarkOutcome(tuple(wish.asset for wish in accepted), tuple((refs[k], reason) for k, reason in refused), changes)


def import_schedule(session: Session, rows: Iterable[Mapping[str, str]]) -> ScheduleOutcome:
    """Mark the stages of a schedule, by date, in one undoable edit.

    Parameters
    ----------
    session : Session
    rows : iterable of mapping
        With ``id`` (``layer:feature``, or an identifier only one layer has), ``stage``, ``date`` (ISO), ``who``, ``why``.
    """
    wishes: list[tuple[int, str, _Wish]] = []
    refusals: list[RowRefusal] = []
    finder = _Finder(session)
    for number, row in enumerate(rows, start=1):
        text = (row.get("id") or "").strip()
        try:
            wishes.append((number, text, _wish_of(row, finder.find(text), session.author)))
        except UsageError as error:
            refusals.append(RowRefusal(number, text, error.message))
    wishes.sort(key=lambda item: item[2].date)
    accepted, refused = _Plan(session, repeats=True).sort_out([wish for _, _, wish in wishes])
    refusals.extend(RowRefusal(wishes[k][0], wishes[k][1], reason) for k, reason in refused)
    changes = _do(session, tr("Import schedule of {count} stages").format(count=len(accepted)), accepted, None)
    return ScheduleOutcome(tuple(wish.asset for wish in accepted), tuple(sorted(refusals, key=lambda r: r.row)), changes)


def read_schedule(path: Path) -> list[dict[str, str]]:
    """Return the rows of a schedule file (CSV in UTF-8, UTF-16 or GB 18030), for `import_schedule`.

    Raises
    ------
    DataError
        If it cannot be read or lacks a column.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(path, "The file cannot be read: {reason}.", reason=error.strerror or str(error)) from error
    text, _ = decode_text(raw)
    try:
        lines = list(csv.reader(io.StringIO(text), strict=False))
    except csv.Error as error:
        raise DataError(path, "This is no CSV table: {reason}.", remedy="Save it as CSV again.", reason=str(error)) from error
    header = [name.strip().lower() for name in lines[0]] if lines else []
    at = {field: next((header.index(name) for name in names if name in header), -1) for field, names in SCHEDULE_COLUMNS.items()}
    for field in ("id", "stage", "date"):
        if at[field] < 0:
            remedy = "Name a column {names} in the first line."
            names = " / ".join(SCHEDULE_COLUMNS[field])
            raise DataError(path, "There is no column {field}.", where="line 1", remedy=remedy, field=field, names=names)
    return [{field: line[k].strip() if 0 <= k < len(line) else "" for field, k in at.items()} for line in lines[1:] if any(line)]


def import_schedule_file(session: Session, path: Path) -> ScheduleOutcome:
    """Mark the stages of a schedule file in one undoable edit; what was refused goes to the session's messages.

    Raises
    ------
    DataError
        If the file cannot be read or lacks a column.
    """
    outcome = import_schedule(session, read_schedule(path))
    for refusal in outcome.refused:
        values = {"file": path.name, "asset": refusal.asset, "reason": refusal.reason}
        template = "{file}: {asset} is not marked: {reason}"
        session.messages.emit(("", Problem(Severity.WARNING, "stage-refused", f"row {refusal.row}", template, values)))
    return outcome


def resolve_ids(session: Session, texts: Iterable[str]) -> list[AssetRef]:
    """Return the assets that texts name: ``layer:feature``, or an identifier that only one layer has.

    Raises
    ------
    UsageError
        If one names no asset, or several.
    """
    finder = _Finder(session)
    return [finder.find(text) for text in texts]


class _Finder:
    """Finds assets by what people write."""

    def __init__(self, session: Session) -> None:
        self._layers = {layer.id: session.workspace.data(layer.id) for layer in session.workspace.layers()}
        self._names: list[str] | None = None
        self._hints_left = HINTS

    def find(self, text: str) -> AssetRef:
        layer, colon, feature = text.partition(":")
        if colon and layer in self._layers and feature:
            data = self._layers[layer]
            if data is None or has_feature(data, feature):
                return AssetRef(layer, feature)
            raise UsageError("There is no asset {id} in layer {layer}.{hint}", id=feature, layer=layer, hint=self._hint(feature))
        found = [
            AssetRef(key, name) for key, data in self._layers.items() if data is not None
            for name in (text, f"node:{text}") if has_feature(data, name)
        ]  # fmt: skip
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError("{id} names several assets; write one of {refs}.", id=text, refs=", ".join(map(str, found)))
        raise UsageError("There is no asset {id}.{hint}", id=text or "–", hint=self._hint(text))

    def _hint(self, text: str) -> str:
        """Return names like one that is unknown; only for the first few, as each takes a look at every name there is."""
        if not self._hints_left:
            return ""
        self._hints_left -= 1
        if self._names is None:
            tables = [features_of(data) for data in self._layers.values() if data is not None]
            self._names = [str(key) for table in tables if table is not None for key in table.ids[:20_000]]
        near = difflib.get_close_matches(text, self._names, n=3, cutoff=0.75)
        return " " + tr("Did you mean {names}?").format(names=", ".join(near)) if near else ""


class _Plan:
    """Sorts wishes into legal and refused ones, each judged with those accepted before it.

    Parameters
    ----------
    repeats : bool
        Whether an asset may be named more than once.
    """

    def __init__(self, session: Session, repeats: bool = False) -> None:
        self._workspace = session.workspace
        self._repeats = repeats
        self._new: dict[AssetRef, list[tuple[float, Stage]]] = {}
        self._layers = {layer.id: layer.name for layer in session.workspace.layers()}

    def sort_out(self, wishes: Sequence[_Wish]) -> tuple[list[_Wish], list[tuple[int, str]]]:
        """Return the accepted wishes, and position and reason of the others."""
        accepted: list[_Wish] = []
        refused: list[tuple[int, str]] = []
        for k, wish in enumerate(wishes):
            reason = self._objection(wish)
            if reason:
                refused.append((k, reason))
            else:
                accepted.append(wish)
                insort(self._new[wish.asset], (wish.date, wish.stage), key=lambda event: event[0])
        return accepted, refused

    def _objection(self, wish: _Wish) -> str:
        chain = self._new.get(wish.asset)
        if chain is None:
            if reason := self._missing(wish.asset):
                return reason
            chain = list(self._workspace.stages.dated_stages(wish.asset))
            self._new[wish.asset] = chain
        elif not self._repeats:
            return tr("it is named twice")
        return objection(chain, wish.stage, wish.date)

    def _missing(self, asset: AssetRef) -> str:
        if asset.layer not in self._layers:
            return tr("there is no layer {layer}").format(layer=asset.layer)
        data = self._workspace.data(asset.layer)
        if data is None:
            return tr("the data of {layer} is not loaded, so the asset cannot be checked").format(layer=self._layers[asset.layer])
        if not has_feature(data, asset.feature):
            return tr("there is no such asset in {layer}").format(layer=self._layers[asset.layer])
        return ""


def objection(chain: Sequence[tuple[float, Stage]], stage: Stage, date: float) -> str:
    """Return why a stage may not be put into a history, in the current language; empty when it may.

    Parameters
    ----------
    chain : sequence of (float, Stage)
        Dates [POSIX s] and stages so far, by date.
    stage : Stage
    date : float
        [POSIX s].
    """
    row = bisect_right(chain, date, key=lambda event: event[0])
    before = chain[row - 1][1] if row else Stage.UNKNOWN
    if row and before is stage:
        return tr("it has been in stage {stage} since {date}").format(stage=_name(stage), date=_day(chain[row - 1][0]))
    if stage not in ALLOWED[before]:
        if not ALLOWED[before]:
            return tr("it is in stage {stage}, which nothing can follow").format(stage=_name(before))
        allowed = ", ".join(_name(each) for each in sorted(ALLOWED[before]))
        return tr("{stage} cannot follow {before}; what can is {allowed}").format(
            stage=_name(stage), before=_name(before), allowed=allowed
        )
    if row < len(chain) and chain[row][1] not in ALLOWED[stage]:
        later = chain[row]
        return tr("{stage} on {date} cannot come before {later}, which is recorded for {later_date}").format(
            stage=_name(stage), date=_day(date), later=_name(later[1]), later_date=_day(later[0])
        )
    return ""


def _do(session: Session, label: str, accepted: Sequence[_Wish], key: str | None) -> Changes | None:
    if not accepted:
        return None
    with collector_paused():
        return session.do(Edit(label, _records_of(session, accepted, key)))


def _records_of(session: Session, accepted: Sequence[_Wish], key: str | None) -> tuple[RecordChange, ...]:
    places = _places(session, accepted)
    # Always later than what was recorded before: of events of one date the later recorded one counts.
    recorded = round(max(time.time(), session.workspace.stages.last_recorded + 0.001), 3)
    prefix = key or uuid.uuid4().hex[:12]
    single = len(accepted) == 1 and key is not None
    records = []
    for k, wish in enumerate(accepted):
        # Events of one moment follow each other by key, so the number has leading zeros.
        name = prefix if single else f"{prefix}-{k:06d}"
        record = StageEvent(name, wish.asset, wish.stage, float(wish.date), wish.who, wish.why, recorded).to_record()
        if (place := places.get(wish.asset)) is not None:
            record["place"] = place
        records.append(RecordChange("stage_event", name, None, record))
    return tuple(records)


def _places(session: Session, wishes: Sequence[_Wish]) -> dict[AssetRef, list[float]]:
    """Return where the assets are, so that other software shows their stages on a map."""
    by_layer: dict[str, dict[str, AssetRef]] = {}
    for wish in wishes:
        by_layer.setdefault(wish.asset.layer, {})[wish.asset.feature] = wish.asset
    places = {}
    for layer, refs in by_layer.items():
        data = session.workspace.data(layer)
        if data is None:
            continue
        for ref, point in zip(refs.values(), anchors(data, list(refs)).tolist(), strict=True):
            if point[0] == point[0] and point[1] == point[1]:
                places[ref] = point
    return places


def _wish_of(row: Mapping[str, str], asset: AssetRef, author: str) -> _Wish:
    stage = stage_of(row.get("stage") or "")
    text = (row.get("date") or "").strip()
    try:
        date = parse_time(text)
    except (ValueError, OverflowError):
        raise UsageError("{text} is no ISO date such as 2026-06-07.", text=text or "–") from None
    return _Wish(asset, stage, date, (row.get("who") or "").strip() or author, (row.get("why") or "").strip())


def stage_of(text: str) -> Stage:
    """Return the stage that a person means: its code, or its name in English or the current language.

    Raises
    ------
    UsageError
        If it is none.
    """
    wanted = text.strip().casefold()
    for stage in Stage:
        english = STAGE_PALETTE[stage][0]
        if wanted in (
            stage.code,
            stage.code.replace("_", "-"),
            stage.code.replace("_", " "),
            english.casefold(),
            tr(english).casefold(),
        ):
            return stage
    raise UsageError("{text} is no stage; there are {stages}.", text=text or "–", stages=", ".join(stage.code for stage in Stage))


def _require_moment(date: float) -> None:
    if not FIRST_MOMENT < date < LAST_MOMENT:
        raise UsageError("{date} is no date.", date=date)


def _name(stage: Stage) -> str:
    return tr(STAGE_PALETTE[stage][0])


def _day(date: float) -> str:
    return format_time(date)[:10]
