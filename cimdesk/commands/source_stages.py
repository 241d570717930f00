"""Stages that a source tells itself: condition of construction, times of validity and versions, as a dated history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cimdesk.base.i18n import tr
from cimdesk.base.units import parse_time
from cimdesk.commands.lifecycle import ScheduleOutcome, import_schedule
from cimdesk.commands.session import Session
from cimdesk.model.city import CityModel
from cimdesk.model.features import plain_value
from cimdesk.model.lifecycle import Stage

CONDITION = "condition_of_construction"
# CityGML 3.0, ConditionOfConstructionValue; several stages of ours share a code, these are the ones it says for certain.
CONDITIONS = {
    "projected": Stage.PLANNING, "underconstruction": Stage.CONSTRUCTION, "functional": Stage.OPERATION,
    "declined": Stage.OUT_OF_SERVICE, "ruin": Stage.ABANDONED, "demolished": Stage.REMOVED,
}  # fmt: skip
BEGINS = ("validFrom",)
BUILT = ("dateOfConstruction", "yearOfConstruction")
ENDS = ("validTo", "dateOfDemolition", "yearOfDemolition", "terminationDate")
MOST_AT_ONCE = 20_000
"""Features up to which a source's stages are taken as soon as it is added."""


@dataclass(frozen=True)
class SourceStage:
    """A stage that a feature entered, as its source says: feature, stage, ISO date, and what the source wrote."""

    feature: str
    stage: Stage
    date: str
    why: str


def stages_in(city: CityModel) -> list[SourceStage]:
    """Return the dated stages a model tells, by feature and date; parts that say nothing follow what they are part of.

    Times of validity in the real world count before times of the data set; the latter count where the file has versions or ends.
    """
    columns = {
        name: city.features.columns[name]
        for name in (*BEGINS, *BUILT, *ENDS, CONDITION, "creationDate")
        if name in city.features.columns
    }
    if not columns:
        return []
    replaced = _successors(city.metadata.get("versions", ()))
    has_versions = bool(city.metadata.get("versions")) or "terminationDate" in columns
    found: list[SourceStage] = []
    told: dict[int, list[SourceStage]] = {}
    for row in range(len(city.features)):
        said = {name: str(value) for name, values in columns.items() if (value := plain_value(values[row])) is not None}
        feature = str(city.features.ids[row])
        parent = int(city.parents[row])
        own = list(_events(feature, said, has_versions, replaced))
        if not own and parent in told:
            own = [SourceStage(feature, each.stage, each.date, each.why) for each in told[parent]]
        told[row] = own
        found += own
    return found


def tells_changes(city: CityModel) -> bool:
    """Return whether a model says more than when things were made: ends, conditions or versions."""
    return bool(city.metadata.get("versions")) or any(name in city.features.columns for name in (CONDITION, *ENDS))


def take_stages(session: Session, layer_id: str) -> ScheduleOutcome:
    """Write the stages that a layer's source tells into the history of its features, in one undoable step.

    Stages that may not follow what is recorded are refused, with the reason; what is recorded already is not written again.
    """
    data = session.workspace.data(layer_id)
    found = stages_in(data) if isinstance(data, CityModel) else []
    rows = [
        {"id": f"{layer_id}:{each.feature}", "stage": each.stage.code, "date": each.date, "who": tr("Source"), "why": each.why}
        for each in found
    ]
    return import_schedule(session, rows)


def _events(feature: str, said: Mapping[str, str], has_versions: bool, replaced: Mapping[str, str]) -> Iterator[SourceStage]:
    begin = _first(said, (*BEGINS, *(("creationDate",) if has_versions else ()), *BUILT, "creationDate"))
    end = _first(said, ENDS)
    condition = said.get(CONDITION, "").strip()
    stage = CONDITIONS.get(condition.replace(" ", "").lower(), Stage.OPERATION if not condition else None)
    if stage is not None and stage is not Stage.REMOVED and begin is not None:
        name, date = begin
        yield SourceStage(feature, stage, date, f"{CONDITION} = {condition}; {name}" if condition else name)
    if stage is Stage.REMOVED and end is None and begin is not None:
        end = begin
    # The end of what was never built is no removal; the history would not allow it either.
    if end is not None and stage not in (Stage.PLANNING, Stage.CONSTRUCTION):
        why = f"{end[0]}; {replaced[feature]}" if feature in replaced else end[0]
        yield SourceStage(feature, Stage.REMOVED, end[1], why)


def _first(said: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the first of these dates that is one, as (column, ISO date)."""
    for name in names:
        text = said.get(name, "").strip().removesuffix(".0")
        text = f"{text}-01-01" if len(text) == 4 and text.isdigit() else text
        try:
            parse_time(text)
        except (ValueError, OverflowError):
            continue
        return name, text
    return None


def _successors(versions: Any) -> dict[str, str]:
    """Return what became of features between two versions: ``replace BU_2015``, ``delete``."""
    found: dict[str, str] = {}
    for version in versions:
        parts = {key.rpartition(".")[0] for key in version if key.startswith("transaction")}
        for part in parts:
            old, new, kind = (str(version.get(f"{part}.{key}", "")).lstrip("#") for key in ("oldFeature", "newFeature", "type"))
            if old:
                found[old] = f"{kind} {new}".strip()
    return found
