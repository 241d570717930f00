"""Two floods compared: depth and exposure of B minus those of A, on one grid and at the same moments of each run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.analysis.flood_difference import common_times, figures_of
from cimdesk.base.arrays import Float32
from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_comparison import AGAINST, MODES
from cimdesk.model.flood_statement import run_facts, run_statement
from cimdesk.model.regridding import OntoGrid, same_grid

if TYPE_CHECKING:
    from cimdesk.base.crs import Crs
    from cimdesk.commands.session import Session


@dataclass(frozen=True)
class Comparison:
    """Two runs on the grid of A.

    Attributes
    ----------
    a, b : FloodResult
    onto : OntoGrid
        Brings what B has onto the grid of A.
    notes : tuple of str
        What had to be done to make them comparable, in the current language.
    """

    a: FloodResult
    b: FloodResult
    onto: OntoGrid
    notes: tuple[str, ...]

    def depths_at(self, seconds: float | None) -> tuple[Float32, Float32]:
        """Return the (R, C) depths of A and B so many seconds after the start of each; the greatest of each run for None."""
        a = depth_after(self.a, seconds)
        first: Float32 = np.where(np.isfinite(self.a.terrain.elevations), a, np.float32(np.nan))
        return first, self.onto(depth_after(self.b, seconds))

    def difference(self, seconds: float | None) -> Float32:
        """Return (R, C) float32 depth of B minus that of A [m]; NaN where either has none, or walls stand in both."""
        a, b = self.depths_at(seconds)
        return np.asarray(b - a, dtype=np.float32)


def depth_after(result: FloodResult, seconds: float | None) -> Float32:
    """Return the (R, C) depth so many seconds after the start of a run, the greatest for None."""
    return result.max_depth if seconds is None else result.depth_at(result.start_time + seconds)


def compare(a: FloodResult, b: FloodResult) -> Comparison:
    """Return two runs made comparable.

    Raises
    ------
    UsageError
        If their grids do not overlap.
    """
    low = np.maximum(a.terrain.bounds[0, :2], b.terrain.bounds[0, :2])
    high = np.minimum(a.terrain.bounds[1, :2], b.terrain.bounds[1, :2])
    if (high <= low).any():
        raise UsageError("the two floods do not overlap, so there is nothing to compare.")
    notes = []
    if not same_grid(a.terrain, b.terrain):
        cells = (f"{b.terrain.cell_x:g} m", f"{a.terrain.cell_x:g} m")
        notes.append(tr("B was brought from its {b} cells onto the {a} cells of A.").format(b=cells[0], a=cells[1]))
    if not np.array_equal(a.times, b.times):
        text = tr("The runs have different output times: B was read at those of A, up to {end} h after the start of each.")
        notes.append(text.format(end=f"{min(a.times[-1], b.times[-1]) / 3600.0:.2f}"))
    elif a.start_time != b.start_time:
        notes.append(tr("The runs begin at different moments of the clock; each is read from its own start."))
    if a.statistics.get("engine") != b.statistics.get("engine"):
        notes.append(tr("The runs were made with different engines: a part of the difference is the engines'."))
    return Comparison(a, b, OntoGrid(b.terrain, a.terrain, b.is_blocked), tuple(notes))


def depth_difference(found: Comparison, seconds: float | None = None) -> dict[str, Any]:
    """Return the figures of the difference of depth, ready for JSON; with the wet area of both in time."""
    a, b = found.depths_at(seconds)
    grid = found.a.terrain
    area = grid.cell_x * grid.cell_y
    figures = {_NAMES[key]: value for key, value in asdict(figures_of(a, b, area)).items()}
    times = common_times(found.a, found.b)
    wet_a = np.interp(times, found.a.times, found.a.wet_area)
    wet_b = np.interp(times, found.b.times, found.b.wet_area)
    return {
        "sign": "B - A",
        "at_s": seconds,
        "cell_m": grid.cell_x,
        **figures,
        "max_depth_a_m": float(np.nanmax(a, initial=0.0)),
        "max_depth_b_m": float(np.nanmax(b, initial=0.0)),
        "time_s": times.tolist(),
        "wet_area_a_m2": wet_a.tolist(),
        "wet_area_b_m2": wet_b.tolist(),
    }


_NAMES = {
    "largest_rise": "max_increase_m", "largest_fall": "max_decrease_m", "mean": "mean_m", "rms": "rms_m", "wetter": "wetter_m2",
    "drier": "drier_m2", "newly_wet": "newly_wet_m2", "no_longer_wet": "no_longer_wet_m2", "volume": "volume_m3",
    "compared": "compared_m2",
}  # fmt: skip


def compare_runs(session: Session | None, a: FloodResult, b: FloodResult, seconds: float | None = None) -> dict[str, Any]:
    """Return depth and exposure of B minus those of A, ready for JSON.

    Parameters
    ----------
    session : Session or None
        Whose project is exposed; None leaves the exposure out.
    seconds : float or None
        After the start of each run; None compares the greatest depths.
    """
    from cimdesk.commands.flood_exposure import exposure_of

    found = compare(a, b)
    exposure = None
    if session is not None:
        of_a = exposure_of(session, a, None if seconds is None else a.start_time + seconds)
        of_b = exposure_of(session, b, None if seconds is None else b.start_time + seconds)
        exposure = exposure_difference(of_a, of_b)
    return {
        "a": {"name": a.name, "statement": run_statement(a), "facts": dict(run_facts(a))},
        "b": {"name": b.name, "statement": run_statement(b), "facts": dict(run_facts(b))},
        "notes": list(found.notes),
        "depth_difference": depth_difference(found, seconds),
        "exposure_difference": exposure,
    }


def exposure_difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Return exposure B minus A: of every count {``a``, ``b``, ``difference``}; of assets those that get wet and those kept dry."""

    def change(first: float, second: float) -> dict[str, float]:
        return {"a": first, "b": second, "difference": second - first}

    def changes(name: str) -> dict[str, dict[str, float]]:
        keys = dict.fromkeys([*a[name], *b[name]])
        return {key: change(a[name].get(key, 0), b[name].get(key, 0)) for key in keys}

    wet_a = {(each["layer"], each["id"]): each for each in a["assets"]}
    wet_b = {(each["layer"], each["id"]): each for each in b["assets"]}
    isolation = None
    if a["isolation"] is not None and b["isolation"] is not None:
        names = ("flooded_m", "cut_off_m", "buildings", "people")
        isolation = {name: change(a["isolation"][name], b["isolation"][name]) for name in names}
    return {
        "buildings": changes("buildings"),
        "buildings_wet": change(sum(a["buildings"].values()), sum(b["buildings"].values())),
        "people": change(a["people"], b["people"]),
        "people_by_depth": changes("people_by_depth"),
        "roads_m": changes("roads_m"),
        "assets_wet": [each for key, each in wet_b.items() if key not in wet_a],
        "assets_dry": [each for key, each in wet_a.items() if key not in wet_b],
        "isolation": isolation,
        "damage": {"currency": a["damage"]["currency"], **change(a["damage"]["total"], b["damage"]["total"])},
    }


def compare_files(
    a: Path, b: Path, session: Session | None = None, seconds: float | None = None, out: Path | None = None
) -> dict[str, Any]:
    """Compare two result files; see `compare_runs`. ``out`` takes the difference of depth as a GeoTIFF."""
    first, crs = read_run(a)
    second, other = read_run(b)
    if crs is not None and other is not None and crs != other:
        raise UsageError("the two floods are in different reference systems ({a}, {b}).", a=crs.name, b=other.name)
    data = compare_runs(session, first, second, seconds)
    if out is not None:
        from cimdesk.formats.raster_write import write_geotiff

        write_geotiff(out, compare(first, second).difference(seconds), crs or other, grid=first.terrain)
        data["raster"] = str(out)
    return data


def read_run(path: Path) -> tuple[FloodResult, Crs | None]:
    """Return a run from a file that any reader of floods knows, and its reference system."""
    from cimdesk.formats.registry import read

    for source in read(path).sources:
        if isinstance(source.data, FloodResult):
            return source.data, source.crs
    raise UsageError("{name} holds no flood run.", name=path.name)


# --- in a project ------------------------------------------------------------------------------------------------------


def set_comparison(session: Session, layer_id: str, against: str, mode: str = "difference", at: float = 0.5) -> None:
    """Draw a flood layer against another (which is A), undoably: the difference, or both with a swipe; alone for an empty id."""
    from cimdesk.commands.history import Edit

    if mode not in MODES:
        raise UsageError("there is no way of comparing called {mode}.", mode=mode)
    layer = session.workspace.layer(layer_id)
    options = {key: value for key, value in layer.options.items() if key != AGAINST}
    label = tr("Show {name}").format(name=layer.name)
    if against:
        compare(_run(session, against), _run(session, layer_id))
        options[AGAINST] = {"layer": against, "mode": mode, "at": min(max(float(at), 0.0), 1.0)}
        label = tr("Compare {b} with {a}").format(a=session.workspace.layer(against).name, b=layer.name)
    record = session.workspace.document.update("layer", layer_id, options=options)
    if record.before != record.after:
        session.do(Edit(label, (record,)))


def move_swipe(session: Session, layer_id: str, at: float) -> None:
    """Keep where the line of a swipe stands; moving it again is the same undo step."""
    from cimdesk.commands.history import Edit

    layer = session.workspace.layer(layer_id)
    kept = layer.options.get(AGAINST)
    if kept and round(at, 3) != kept["at"]:
        options = {**layer.options, AGAINST: {**kept, "at": round(at, 3)}}
        record = session.workspace.document.update("layer", layer_id, options=options)
        session.do(Edit(tr("Move the line of {name}").format(name=layer.name), (record,), merge=f"swipe:{layer_id}"))


def _run(session: Session, layer_id: str) -> FloodResult:
    data = session.workspace.data(layer_id)
    if not isinstance(data, FloodResult):
        raise UsageError("comparing needs two flood results that are loaded.")
    return data
