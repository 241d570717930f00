"""Ensembles asked for in the window: the job that runs the members and adds the maps of the annual chance as layers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cimdesk.base.crs import Crs
from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.commands.flood_ensemble import AS_IS, Ensemble, checked, run_ensemble
from cimdesk.commands.measures import measures
from cimdesk.commands.session import Session
from cimdesk.commands.sources import LoadedSource, add_layers, open_job
from cimdesk.formats.scenario_measures import read_measures
from cimdesk.model.layers import LayerKind
from cimdesk.model.measures import Measure

DRAWN = "drawn"
"""Name of the set of measures that were drawn in the window."""
_TIMES = ("over", "start", "open_at", "open_over", "close_at")


@dataclass(frozen=True)
class EnsembleWish:
    """What the form asks for.

    Attributes
    ----------
    ensemble : Ensemble
    with_drawn : bool
        Whether the measures that are drawn and switched on are a set too.
    workers : int
        Runs at once; 0 for one a core.
    shown : float
        Depth whose chance is shown at the end [m].
    """

    ensemble: Ensemble
    with_drawn: bool = False
    workers: int = 0
    shown: float = 0.15

    @property
    def runs(self) -> int:
        """How many runs that is."""
        return len(set(self.ensemble.return_periods)) * (len(self.ensemble.sets) + self.with_drawn)


@dataclass(frozen=True)
class _Done:
    figures: dict[str, Any]
    layers: list[LoadedSource]


def ensemble_job(session: Session, wish: EnsembleWish, told: Callable[[str], None] | None = None) -> JobSpec[_Done]:
    """Return the job that runs an ensemble; in the end each set of measures is a layer of annual chances.

    Raises
    ------
    UsageError, DataError
        For what can be known before anything runs.
    """
    asked = wish.ensemble
    if wish.with_drawn:
        chosen = [measure for measure in measures(session).values() if measure.enabled]
        asked = replace(asked, measures=(*asked.measures, _drawn_file(chosen, asked.folder)))
    asked = checked(replace(asked, thresholds=tuple(sorted({*asked.thresholds, wish.shown}))))
    crs = _crs_of(session)

    def work(progress: Progress, cancel: CancelToken) -> _Done:
        figures = run_ensemble(asked, wish.workers, "", progress, cancel)
        files = [asked.folder / f"{name}-chance.gpkg" for name, _ in asked.sets]
        loaded = open_job(session, files, crs).work(progress, cancel)
        return _Done(figures, [_named(each, wish.shown) for each in loaded if _is_shown(each, wish.shown)])

    def done(found: _Done) -> None:
        add_layers(session, found.layers)
        if told is not None:
            count = len(found.figures["members"])
            kept = sum(bool(member["kept"]) for member in found.figures["members"])
            text = tr("{count} runs, {kept} of them kept from before; the chance of more than {depth} m in a year is shown.")
            told(text.format(count=count, kept=kept, depth=f"{wish.shown:g}"))

    return JobSpec(tr("Ensemble of {name}").format(name=asked.scenario.stem), work, done)


def _crs_of(session: Session) -> str:
    frame = session.workspace.frame
    found: Crs | None = frame.crs if frame is not None else None
    return found.definition if found is not None else ""


def _is_shown(loaded: LoadedSource, depth: float) -> bool:
    part = loaded.source.part or loaded.source.name
    return loaded.source.kind is LayerKind.VECTOR and part.endswith(f"chance_{depth:g}m")


def _named(loaded: LoadedSource, depth: float) -> LoadedSource:
    name = loaded.path.stem.removesuffix("-chance")
    said = tr("as it is") if name == AS_IS else tr("drawn measures") if name == DRAWN else name
    title = tr("Annual chance of {depth} m, {name}").format(depth=f"{depth:g}", name=said)
    return replace(loaded, source=replace(loaded.source, name=title))


def _drawn_file(drawn: Sequence[Measure], folder: Path) -> Path:
    """Write measures as a file beside the results and return it.

    Raises
    ------
    UsageError
        If there are none.
    """
    from cimdesk.formats.atomic import replacing

    if not drawn:
        raise UsageError("there is no measure that is switched on.", remedy="Draw one, or switch one on.")
    path = folder / f"{DRAWN}.toml"
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text("\n".join(_table(measure) for measure in drawn), encoding="utf-8")
    read_measures(path)
    return path


def _table(measure: Measure) -> str:
    """Return a measure as a ``[[measure]]`` of a scenario file."""
    line, to = ([list(point) for point in points] for points in (measure.line, measure.to))
    lines = ["[[measure]]", f"kind = {json.dumps(measure.kind)}", f"name = {json.dumps(measure.name, ensure_ascii=False)}"]
    if measure.kind == "unblock":
        lines.append(f"nodes = {json.dumps(list(measure.nodes), ensure_ascii=False)}")
    elif measure.kind in ("pump", "culvert"):
        lines.append(f"from = {json.dumps(line[:1])}")
        lines += [f"to = {json.dumps(to[:1])}"] if to else []
    elif measure.kind in ("breach", "storage"):
        lines.append(f"at = {json.dumps(line[:1])}")
        lines += [f"line = {json.dumps(to)}"] if to else []
    else:
        lines.append(f"line = {json.dumps(line)}")
    for key, value in measure.numbers.items():
        lines.append(f'{key} = "{value:g}s"' if key in _TIMES else f"{key} = {float(value)!r}")
    return "\n".join(lines) + "\n"
