"""A run against what was observed: surveyed marks, gauge readings in a table, and the water gauges of the project."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.analysis.agreement import Agreement, agreement
from cimdesk.analysis.gathering import cells_of
from cimdesk.base.arrays import Float
from cimdesk.base.errors import Problem, UsageError
from cimdesk.base.i18n import tr
from cimdesk.formats.atomic import replacing
from cimdesk.formats.flood_marks import Mark, read_marks
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_statement import run_statement
from cimdesk.model.sensors import Sensors

if TYPE_CHECKING:
    from cimdesk.commands.session import Session

MARKS = "marks"
"""Option of a flood layer: the table of marks that it is held against."""
LEVELS, DEPTHS = ("water_level", "level", "stage"), ("water_depth", "depth")
LEAST_READINGS = 3
DRY = 0.01
BURIED = 1.0
"""A gauge of depth whose foot is so much lower than the ground stands in a manhole [m]."""


@dataclass(frozen=True)
class Compared:
    """One mark or gauge.

    Attributes
    ----------
    name, source : str
    x, y : float
    quantity : str
        ``level`` or ``depth``.
    observed, modelled : float
        The peak [m]; ``modelled`` is NaN where the run is dry or has no cell.
    times, seen, ours : (N,) float64
        Of a gauge: moments [POSIX s], readings and the run at them [m]; empty for a mark.
    note : str
        Why there is no value, in the current language.
    """

    name: str
    source: str
    x: float
    y: float
    quantity: str
    observed: float
    modelled: float
    times: Float = field(default_factory=lambda: np.zeros(0))
    seen: Float = field(default_factory=lambda: np.zeros(0))
    ours: Float = field(default_factory=lambda: np.zeros(0))
    note: str = ""

    @property
    def error(self) -> float:
        """Model minus observed [m]."""
        return self.modelled - self.observed

    @property
    def fit(self) -> Agreement | None:
        """How well the whole series of a gauge agrees; None for a mark."""
        return agreement(self.seen, self.ours) if len(self.times) else None


@dataclass(frozen=True)
class Calibration:
    """A run against everything that was observed.

    Attributes
    ----------
    name, statement : str
        Of the run: its name, and what it has to say of itself.
    rows : tuple of Compared
    peaks : Agreement
        Over the peaks of all rows that the run wets.
    problems : tuple of Problem
    """

    name: str
    statement: str
    rows: tuple[Compared, ...]
    peaks: Agreement
    problems: tuple[Problem, ...] = ()

    @property
    def missed(self) -> int:
        """How many places the run leaves dry that were wet."""
        return sum(not np.isfinite(row.modelled) for row in self.rows)


def calibrate(result: FloodResult, marks: Path | None = None, session: Session | None = None, value: str = "") -> Calibration:
    """Hold a run against a table of marks, and against the water gauges of a project.

    Parameters
    ----------
    result : FloodResult
    marks : Path or None
    session : Session or None
    value : str
        Column of the table that holds the level, where it is not called so.

    Raises
    ------
    DataError
        If the table cannot be read.
    UsageError
        If there is nothing to compare with.
    """
    problems: list[Problem] = []
    rows: list[Compared] = []
    if marks is not None:
        found, problems = read_marks(marks, value)
        rows += _of_marks(result, found)
    if session is not None:
        rows += _of_gauges(result, session)
    if not rows:
        raise UsageError("there is nothing to hold the run against: no marks, and no water gauges with readings of its time.")
    peaks = agreement(np.array([r.observed for r in rows]), np.array([r.modelled for r in rows]))
    if len({row.quantity for row in rows}) > 1:
        # Levels and depths together vary for reasons that no model deserves credit for.
        peaks = replace(peaks, nse=np.nan)
    return Calibration(result.name, run_statement(result), tuple(rows), peaks, tuple(problems))


def _of_marks(result: FloodResult, marks: Sequence[Mark]) -> list[Compared]:
    rows = [_peak(result, mark) for mark in marks if not np.isfinite(mark.time)]
    timed = sorted((mark for mark in marks if np.isfinite(mark.time)), key=lambda mark: mark.name)
    for _, group in groupby(timed, key=lambda mark: mark.name):
        members = list(group)
        rows += [_series(result, members)] if len(members) >= LEAST_READINGS else [_peak(result, mark) for mark in members]
    return rows


def _peak(result: FloodResult, mark: Mark) -> Compared:
    quantity = "level" if np.isfinite(mark.level) else "depth"
    observed = mark.level if quantity == "level" else mark.depth
    cell = _wet_cell(result, mark.x, mark.y)
    if cell is None:
        return Compared(mark.name, mark.source, mark.x, mark.y, quantity, observed, np.nan, note=tr("outside the run"))
    if np.isfinite(mark.time):
        depth = float(result.depth_at(_clock(result, mark.time))[cell])
    else:
        depth = float(result.max_depth[cell])
    if not depth > DRY:
        note = tr("dry in the run")
        # A depth can be compared with none at all; a level that was never reached cannot.
        return Compared(
            mark.name, mark.source, mark.x, mark.y, quantity, observed, 0.0 if quantity == "depth" else np.nan, note=note
        )
    modelled = depth + float(result.terrain.elevations[cell]) if quantity == "level" else depth
    return Compared(mark.name, mark.source, mark.x, mark.y, quantity, observed, modelled)


def _series(result: FloodResult, marks: Sequence[Mark]) -> Compared:
    marks = sorted(marks, key=lambda mark: mark.time)
    times = np.array([_clock(result, mark.time) for mark in marks])
    is_level = bool(np.isfinite(marks[0].level))
    seen = np.array([mark.level if is_level else mark.depth for mark in marks])
    return _compared_series(result, marks[0].name, marks[0].source, (marks[0].x, marks[0].y), is_level, times, seen)


def _compared_series(
    result: FloodResult, name: str, source: str, place: tuple[float, float], is_level: bool, times: Float, seen: Float
) -> Compared:
    """Return a gauge whose readings are within the time of the run."""
    end = result.start_time + float(result.times[-1])
    within = (times >= result.start_time) & (times <= end) & np.isfinite(seen)
    times, seen = times[within], seen[within]
    quantity = "level" if is_level else "depth"
    cell = _wet_cell(result, *place)
    if cell is None or not len(times):
        note = tr("outside the run") if cell is None else tr("no readings while the run lasts")
        return Compared(name, source, *place, quantity, float(seen.max()) if len(seen) else np.nan, np.nan, note=note)
    depth = np.array([float(frame[cell]) for frame in result.depths])
    ours = np.interp(times - result.start_time, result.times, depth)
    if is_level:
        ground = float(result.terrain.elevations[cell])
        ours = np.where(ours > DRY, ours + ground, np.nan)
    peak = float(np.nanmax(ours)) if np.isfinite(ours).any() else np.nan
    return Compared(name, source, *place, quantity, float(seen.max()), peak, times, seen, ours)


def _clock(result: FloodResult, time: float) -> float:
    """Return a moment of the clock: small numbers are seconds from the start of the run."""
    return time if time >= 1e8 else result.start_time + time


def _of_gauges(result: FloodResult, session: Session) -> list[Compared]:
    rows = []
    for layer in session.workspace.layers():
        data = session.workspace.data(layer.id)
        if not isinstance(data, Sensors):
            continue
        for row, quantity in enumerate(data.features.columns["quantity"]):
            unit = str(data.features.columns["unit"][row] or "")
            if str(quantity) not in LEVELS + DEPTHS or unit not in ("m", ""):
                continue
            times, seen = data.observations.series(row)
            name = str(data.features.columns["name"][row] or data.features.ids[row])
            place = (float(data.positions[row, 0]), float(data.positions[row, 1]))
            if str(quantity) in DEPTHS and _is_buried(result, data.positions[row]):
                continue
            found = _compared_series(result, name, layer.name, place, str(quantity) in LEVELS, times, seen)
            if len(found.times) >= LEAST_READINGS:
                rows.append(found)
    return rows


def _is_buried(result: FloodResult, place: Float) -> bool:
    """Whether a gauge tells the depth in a manhole: the water on the ground above is another one."""
    row, column, inside = cells_of(result.terrain, place[None, :2])
    return bool(inside[0] and place[2] < float(result.terrain.elevations[int(row[0]), int(column[0])]) - BURIED)


def _wet_cell(result: FloodResult, x: float, y: float) -> tuple[int, int] | None:
    """Return the cell of a place: of a wall, or of dry ground beside the water, the open one beside it that gets deepest."""
    row, column, inside = cells_of(result.terrain, np.array([[x, y]]))
    if not inside[0]:
        return None
    at = (int(row[0]), int(column[0]))
    if not result.is_blocked[at] and result.max_depth[at] > DRY:
        return at
    rows = range(max(at[0] - 1, 0), min(at[0] + 2, result.terrain.shape[0]))
    columns = range(max(at[1] - 1, 0), min(at[1] + 2, result.terrain.shape[1]))
    around = [(r, c) for r in rows for c in columns if not result.is_blocked[r, c]]
    return max(around, key=lambda cell: float(result.max_depth[cell])) if around else None


# --- told ----------------------------------------------------------------------------------------------------------------


def calibration_data(found: Calibration) -> dict[str, Any]:
    """Return the comparison ready for JSON."""
    return {
        "run": found.name,
        "statement": found.statement,
        "peaks": {_FIGURES[key]: _plain(value) for key, value in asdict(found.peaks).items()},
        "missed": found.missed,
        "marks": [_entry(row) for row in found.rows],
        "problems": [problem.message for problem in found.problems],
    }


_FIGURES = {
    "count": "count",
    "bias": "bias_m",
    "mean_error": "mean_error_m",
    "rmse": "rmse_m",
    "largest": "largest_m",
    "nse": "nse",
}


def _entry(row: Compared) -> dict[str, Any]:
    entry = {
        "name": row.name, "x": row.x, "y": row.y, "quantity": row.quantity, "observed_m": _plain(row.observed),
        "modelled_m": _plain(row.modelled), "error_m": _plain(row.error), "source": row.source, "note": row.note,
    }  # fmt: skip
    fit = row.fit
    if fit is not None:
        entry["series"] = {_FIGURES[key]: _plain(value) for key, value in asdict(fit).items()}
    return entry


def _plain(value: float) -> float | int | None:
    return value if isinstance(value, int) else float(value) if np.isfinite(value) else None


def write_calibration_csv(path: Path, found: Calibration) -> int:
    """Write the comparison as a table; lines that begin with # say what run it is of and how well it agrees."""
    text = io.StringIO()
    text.write(f"# {found.name}\n# {found.statement}\n# {peaks_text(found.peaks)}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "x", "y", "quantity", "observed_m", "modelled_m", "error_m", "rmse_m", "nse", "source", "note"])
    for row in found.rows:
        fit = row.fit
        numbers = [row.observed, row.modelled, row.error, fit.rmse if fit else np.nan, fit.nse if fit else np.nan]
        shown = ["" if not np.isfinite(number) else f"{number:.3f}" for number in numbers]
        writer.writerow([row.name, f"{row.x:.3f}", f"{row.y:.3f}", row.quantity, *shown, row.source, row.note])
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8-sig")
    return len(found.rows)


def peaks_text(fit: Agreement) -> str:
    """Return how well the peaks agree, in one line of the current language."""
    if not fit.count:
        return tr("no peak to compare")
    parts = [
        tr("{count} peaks").format(count=fit.count),
        tr("bias {value} m").format(value=f"{fit.bias:+.2f}"),
        tr("mean error {value} m").format(value=f"{fit.mean_error:.2f}"),
        f"RMSE {fit.rmse:.2f} m",
    ]
    if np.isfinite(fit.nse):
        parts.append(f"NSE {fit.nse:.2f}")
    return ", ".join(parts)


# --- in a project ------------------------------------------------------------------------------------------------------


def set_marks(session: Session, layer_id: str, path: Path | None, value: str = "") -> None:
    """Say which table of marks a flood layer is held against, undoably; None for no table."""
    from cimdesk.commands.history import Edit

    layer = session.workspace.layer(layer_id)
    options = {key: kept for key, kept in layer.options.items() if key != MARKS}
    if path is not None:
        read_marks(path, value)
        file, base = path.resolve(), session.base_dir.resolve()
        name = file.relative_to(base).as_posix() if file.is_relative_to(base) else file.as_posix()
        options[MARKS] = {"source": name, "value": value}
    record = session.workspace.document.update("layer", layer_id, options=options)
    if record.before != record.after:
        session.do(Edit(tr("Marks of {name}").format(name=layer.name), (record,)))


def calibration_of(session: Session, layer_id: str) -> Calibration | None:
    """Return a flood layer against its marks and the project's gauges; None where there is nothing to hold it against.

    Raises
    ------
    DataError
        If its table cannot be read any more.
    """
    layer, data = session.workspace.layer(layer_id), session.workspace.data(layer_id)
    if not isinstance(data, FloodResult):
        return None
    kept = layer.options.get(MARKS)
    path = session.base_dir / str(kept["source"]) if kept else None
    if path is None and not _of_gauges(data, session):
        return None
    return calibrate(data, path, session, str(kept.get("value", "")) if kept else "")
