"""Measures against floods: drawn, changed, switched on and off, taken away; each an edit that can be undone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.formats.scenario_inputs import MeasureInput
from cimdesk.model.measures import KINDS, LINE, NODES, PAIR, Measure, Places, measures_of

_POINTS = {LINE: 2, PAIR: 2}


def kind_name(kind: str) -> str:
    """Return what a kind of measure is called."""
    return {
        "wall": tr("Wall"), "gate": tr("Gate"), "breach": tr("Breach"), "opening": tr("Opening"), "pump": tr("Pump"),
        "culvert": tr("Culvert"), "storage": tr("Storage"), "unblock": tr("Unblocked drain"),
    }[kind]  # fmt: skip


def quantity_name(field: str) -> str:
    """Return what a number of a measure is called."""
    return {
        "height": tr("Height"), "width": tr("Width"), "over": tr("Grows over"), "capacity_m3_s": tr("Capacity"),
        "diameter": tr("Diameter"), "capacity_m3": tr("Volume"),
    }[field]  # fmt: skip


def measures(session: Session) -> dict[str, Measure]:
    """Return every measure of the project by key, in the order drawn."""
    return measures_of(session.workspace.document)


def draw(session: Session, kind: str, points: Places, numbers: Mapping[str, float], name: str = "", why: str = "") -> str:
    """Add a measure that was drawn and return its key.

    Parameters
    ----------
    session : Session
    kind : str
        One of `KINDS` that is given by points.
    points : points
        As drawn: the corners of a line, the two ends, or the place.
    numbers : mapping
        Of the kind; what is missing takes its start value.

    Raises
    ------
    UsageError
        If there are too few points.
    """
    shape = KINDS[kind].shape
    if shape == NODES or len(points) < _POINTS.get(shape, 1):
        raise UsageError("a measure of this kind needs more points.")
    all_numbers = {quantity.field: quantity.start for quantity in KINDS[kind].quantities} | dict(numbers)
    line: Places = points
    to: Places = ()
    if shape == PAIR:
        line, to = points[:1], points[1:2]
    elif kind == "breach":
        line, to = (_middle(points),), points
        all_numbers.setdefault("bottom", _lowest(session, points))
        all_numbers["width"] = max(all_numbers["width"], 0.5)
    return _add(session, Measure(kind, _free(session, name or kind_name(kind)), line, to, all_numbers, why=why))


def unblock(session: Session, nodes: Sequence[str], places: Places = ()) -> str:
    """Add the measure that clears some inlets of the drains and return its key.

    Raises
    ------
    UsageError
        If no node is given.
    """
    if not nodes:
        raise UsageError("choose the drains to unblock first.")
    name = f"{kind_name('unblock')} {nodes[0]}" + (f" +{len(nodes) - 1}" if len(nodes) > 1 else "")
    return _add(session, Measure("unblock", _free(session, name), places, nodes=tuple(nodes)))


def change(session: Session, key: str, **fields: object) -> None:
    """Change fields of a measure, such as ``name``, ``numbers`` or ``why``."""
    measure = _required(session, key)
    label = tr("Change {name}").format(name=measure.name)
    changed = replace(measure, **fields)  # type: ignore[arg-type]
    session.do(Edit(label, (session.workspace.document.put("measure", key, changed.to_record()),)))


def set_enabled(session: Session, keys: Sequence[str], on: bool) -> None:
    """Let measures take part in the next run, or not."""
    document = session.workspace.document
    changes = tuple(document.update("measure", key, enabled=on) for key in keys if _required(session, key).enabled != on)
    if changes:
        session.do(Edit(tr("Switch measures on") if on else tr("Switch measures off"), changes))


def remove(session: Session, keys: Sequence[str]) -> None:
    """Take measures away."""
    if keys:
        name = _required(session, keys[0]).name if len(keys) == 1 else tr("{count} measures").format(count=len(keys))
        document = session.workspace.document
        session.do(Edit(tr("Remove {name}").format(name=name), tuple(document.remove("measure", key) for key in keys)))


def as_inputs(chosen: Sequence[Measure]) -> tuple[MeasureInput, ...]:
    """Return measures as a scenario file would give them."""
    return tuple(MeasureInput(one.kind, one.name, one.name, one.line, one.to, dict(one.numbers), one.nodes) for one in chosen)


def summary(chosen: Sequence[Measure]) -> str:
    """Return measures in a few words, as results are named after them."""
    names = [one.name for one in chosen]
    return ", ".join(names[:2]) + (f" +{len(names) - 2}" if len(names) > 2 else "")


def size_words(measure: Measure) -> str:
    """Return the numbers of a measure in words."""
    words = []
    if KINDS[measure.kind].shape == LINE:
        line = np.array(measure.to or measure.line)
        words.append(f"{float(np.hypot(*np.diff(line, axis=0).T).sum()):,.0f} m")
    for quantity in KINDS[measure.kind].quantities:
        value = measure.numbers.get(quantity.field, quantity.start)
        unit = quantity.unit.replace("m3", "m³")
        words.append(f"{quantity_name(quantity.field)} {value:g} {unit}")
    return " · ".join(words) or ", ".join(measure.nodes[:4])


def _add(session: Session, measure: Measure) -> str:
    document = session.workspace.document
    taken = document.records("measure")
    key = next(text for k in range(1, len(taken) + 2) if (text := f"measure-{k}") not in taken)
    measure = replace(measure, who=session.author, time=round(time.time(), 3))
    session.do(Edit(tr("Draw {name}").format(name=measure.name), (document.put("measure", key, measure.to_record()),)))
    return key


def _free(session: Session, name: str) -> str:
    names = {measure.name for measure in measures(session).values()}
    return name if name not in names else next(n for k in range(2, len(names) + 3) if (n := f"{name} {k}") not in names)


def _required(session: Session, key: str) -> Measure:
    found = measures(session).get(key)
    if found is None:
        raise UsageError("There is no measure {name}.", name=key)
    return found


def _middle(points: Places) -> tuple[float, float]:
    """Return the place halfway along a line."""
    line = np.array(points)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    half = 0.5 * along[-1]
    return float(np.interp(half, along, line[:, 0])), float(np.interp(half, along, line[:, 1]))


def _lowest(session: Session, points: Places) -> float:
    """Return the lowest ground within some metres of a line: what a breach wears down to."""
    from cimdesk.model.terrain import Terrain

    layers = (session.workspace.data(layer.id) for layer in session.workspace.layers())
    terrain = next((data for data in layers if isinstance(data, Terrain)), None)
    if terrain is None:
        return 0.0
    x, y = _middle(points)
    reach = np.linspace(-20.0, 20.0, 9)
    around = np.array([[x + dx, y + dy] for dx in reach for dy in reach])
    heights = terrain.sample(around)
    return float(np.nanmin(heights)) if np.isfinite(heights).any() else 0.0
