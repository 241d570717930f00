"""The measures of a scenario file: walls, gates, breaches, openings, pumps, culverts, storages, unblocked drains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cimdesk.formats.scenario_inputs import MeasureInput, Points
from cimdesk.formats.scenario_table import ScenarioTable, read_toml

KINDS = ("wall", "gate", "breach", "opening", "pump", "culvert", "storage", "unblock")

_REQUIRED, _POSITIVE = "required", "positive"
_NUMBERS: dict[str, dict[str, tuple[str, ...]]] = {
    "wall": {"height": (_POSITIVE,), "crest": ()},
    "gate": {"height": (_POSITIVE,), "crest": (), "sill": ()},
    "breach": {"width": (_REQUIRED, _POSITIVE), "bottom": (_REQUIRED,), "across": (_POSITIVE,)},
    "opening": {"width": (_POSITIVE,), "level": ()},
    "pump": {"capacity_m3_s": (_REQUIRED, _POSITIVE), "start_level": (), "stop_level": (), "start_depth": (_POSITIVE,)},
    "culvert": {
        "diameter": (_POSITIVE,), "width": (_POSITIVE,), "height": (_POSITIVE,), "manning": (_POSITIVE,), "barrels": (_POSITIVE,),
        "invert_from": (), "invert_to": (),
    },
    "storage": {"capacity_m3": (_REQUIRED, _POSITIVE), "sill": (), "width": (_POSITIVE,), "release_m3_s": (_POSITIVE,)},
}  # fmt: skip
_TIMES = {"gate": ("open_at", "open_over", "close_at"), "breach": ("start", "over")}


def read_measures(path: Path) -> tuple[MeasureInput, ...]:
    """Read a file that holds measures alone: ``[[measure]]`` tables as in a scenario file.

    Raises
    ------
    DataError
        Naming the field that is wrong, missing or unknown.
    """
    top = ScenarioTable(path, "", read_toml(path))
    found = tuple(read_measure(table) for table in top.tables("measure"))
    top.close()
    if not found:
        raise top.error("measure", "the file holds no measure.", remedy="Write [[measure]] tables.")
    return found


def read_measure(table: ScenarioTable) -> MeasureInput:
    """Return one ``[[measure]]``.

    Raises
    ------
    DataError
        If its kind is unknown, or a field is missing, wrong or not one of its kind.
    """
    kind = table.choice("kind", KINDS)
    name = str(table.take("name") or "")
    if kind == "unblock":
        nodes = read_nodes(table, "nodes")
        table.close()
        return MeasureInput(kind, name or kind, table.where, nodes=nodes)
    line, to = _places(table, kind)
    numbers: dict[str, float] = {}
    for key, rules in _NUMBERS[kind].items():
        value = table.need(key) if _REQUIRED in rules else table.number(key, None)
        if value is not None and _POSITIVE in rules and value <= 0.0:
            raise table.error(key, "{value} is too small.", value=value)
        if value is not None:
            numbers[key] = value
    for key in _TIMES.get(kind, ()):
        if key in table.values:
            numbers[key] = table.duration(key)
    flap = bool(table.take("flap")) if kind == "culvert" else False
    measure = MeasureInput(kind, name or kind, table.where, line, to, numbers, flap=flap)
    _complete(table, measure)
    table.close()
    return measure


def _places(table: ScenarioTable, kind: str) -> tuple[Points, Points]:
    if kind in ("pump", "culvert"):
        ends = table.points("from")
        to = table.points("to") if "to" in table.values or kind == "culvert" else ()
        if len(ends) != 1 or len(to) > 1:
            raise table.error("from", "give one point [x, y] for each end.")
        return ends, to
    if kind in ("breach", "storage"):
        line = table.points("at")
        if kind == "breach":
            return line, table.points("line") if "line" in table.values else ()
        return line, ()
    line = table.points("line")
    if len(line) < 2:
        raise table.error("line", "a line needs two points or more.")
    return line, ()


def _complete(table: ScenarioTable, measure: MeasureInput) -> None:
    numbers, kind = measure.numbers, measure.kind
    if kind in ("wall", "gate") and ("height" in numbers) == ("crest" in numbers):
        raise table.error("height", "give either height (above the ground) or crest (a level).")
    if kind == "culvert" and ("diameter" in numbers) == ("width" in numbers and "height" in numbers):
        raise table.error("diameter", "give either diameter, or width and height.")
    if kind == "pump" and "start_level" in numbers and numbers.get("stop_level", -1e9) > numbers["start_level"]:
        raise table.error("stop_level", "the pump would stop before it starts.", remedy="Give a stop_level below start_level.")


def read_nodes(table: ScenarioTable, key: str) -> tuple[str, ...]:
    """Return a list of node names."""
    nodes: Any = table.take(key) or []
    if not isinstance(nodes, Sequence) or isinstance(nodes, str):
        raise table.error(key, "'{value}' is no list of nodes.", value=nodes)
    return tuple(str(node) for node in nodes)
