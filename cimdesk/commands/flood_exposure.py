"""Exposure of the open project to a flood: its buildings, people, facilities, roads, sensors and stations by depth; and as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.commands.exposure_plan import depths_for, wall_cells
from cimdesk.commands.flood_areas import as_grid, depth_ranks
from cimdesk.commands.flood_scenario import is_building, roots_of
from cimdesk.formats.atomic import replacing
from cimdesk.formats.registry import read
from cimdesk.model.city import CityModel
from cimdesk.model.features import VectorLayer
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_statement import run_statement
from cimdesk.model.layers import LayerKind
from cimdesk.model.tileset import TiledCity

if TYPE_CHECKING:
    from cimdesk.commands.exposure_plan import ExposurePlan
    from cimdesk.commands.session import Session

EXITS = "exits"
"""Option of a project's settings: the places that roads must lead to, as world coordinates."""


def exposure_of(
    session: Session,
    result: FloodResult | CityModel | Path | str,
    time: float | None = None,
    in_sight: bool = False,
    passable_depth: float | None = None,
    exits: Float | None = None,
) -> dict[str, Any]:
    """Return who and what is wet, ready for JSON.

    Parameters
    ----------
    session : Session
        With the layers loaded.
    result : FloodResult, CityModel or path
        A run, a map of flood depths, or the file of either.
    time : float or None
        Moment on the clock [POSIX s]; None takes the greatest depth of the whole run.
    in_sight : bool
        Count only buildings that the filters of their layers, and hiding by hand, leave in sight.
    passable_depth : float or None
        Depth that stops traffic [m]; None takes the one of ``exposure.toml``.
    exits : (X, 2) float64 or None
        Places that roads must lead to; None takes those of the project, or the largest dry part where it names none.

    Returns
    -------
    dict
        ``buildings`` {use: buildings with water at the wall above the first depth limit}, ``people`` in them,
        ``assets`` (wet facilities, sensors and stations with their depths), ``roads_m`` {class: length}, and the same by depth
        class: ``buildings_by_depth`` {use: [count per class]}, ``people_by_depth``, with ``classes`` and ``limits_m``;
        ``people_by_storeys`` (people on the storeys that water reaches, by how many those are), ``network_parts`` {kind: wet},
        ``isolation`` (roads, buildings and people without a dry way out; null without roads), ``damage``, and ``statement``:
        what the run has to say of itself.
    """
    if isinstance(result, Path | str):
        result = _read_flood(session, Path(result))
    plan = plan_for(session, result, in_sight, exits)
    if passable_depth is not None:
        plan = plan.with_passable_depth(passable_depth)
    return report_of(plan, result, time)


def plan_for(session: Session, result: FloodResult | CityModel, in_sight: bool = False, exits: Float | None = None) -> ExposurePlan:
    """Return the plan of counting the session's project on the grid of a flood; see `exposure_of`."""
    from cimdesk.commands.exposure_plan import plan_exposure

    if exits is None:
        exits = exits_of(session)
    if isinstance(result, CityModel):
        return plan_exposure(session.workspace, as_grid(result), in_sight, depth_ranks(result), exits=exits)
    if not isinstance(result, FloodResult):
        raise UsageError("exposure needs a flood result.")
    return plan_exposure(session.workspace, result, in_sight, exits=exits)


def report_of(plan: ExposurePlan, result: FloodResult | CityModel, time: float | None = None) -> dict[str, Any]:
    """Return the counts of a plan at a moment, or of the greatest depth for None, as `exposure_of` does."""
    from cimdesk.commands.exposure_count import count_exposure

    if isinstance(result, CityModel):
        return {"time": None, "statement": None, **count_exposure(plan, as_grid(result).max_depth).report()}
    counted = count_exposure(plan, depths_for(result, time)).report()
    return {"time": time, "statement": run_statement(result), **counted}


def exits_of(session: Session) -> Float | None:
    """Return the (X, 2) places that the project's roads must lead to; None where it names none."""
    kept = session.workspace.settings.get(EXITS)
    return np.array(kept, dtype=np.float64).reshape(-1, 2) if kept else None


def set_exits(session: Session, exits: Float | None) -> None:
    """Say which places roads must lead to, undoably; None for the largest dry part."""
    from cimdesk.commands.history import Edit

    document = session.workspace.document
    settings = {key: value for key, value in session.workspace.settings.items() if key != EXITS}
    if exits is not None and len(exits):
        settings[EXITS] = [[float(x), float(y)] for x, y in exits[:, :2]]
    session.do(Edit(tr("Ways out for roads"), (document.put("project", "settings", settings),)))


def _read_flood(session: Session, path: Path) -> FloodResult | CityModel:
    """Return a run, or a map of flood depths brought into the project's system, from a file."""
    from cimdesk.commands.placing import place
    from cimdesk.formats.flood_result import read_result

    if path.suffix.lower() == ".flood":
        return read_result(path)
    found = next((source for source in read(path).sources if source.kind is LayerKind.FLOOD), None)
    if found is None:
        raise UsageError("exposure needs a flood result or a map of flood depths.")
    frame = session.workspace.frame
    data = found.data if frame is None else place(found.data, found.crs, frame)
    assert isinstance(data, FloodResult | CityModel)
    return data


def building_depths(layer_data: CityModel | TiledCity | VectorLayer, result: FloodResult, depth: Float32) -> Float32:
    """Return (features,) float32 depth at the walls of each building of a layer [m]; NaN for what is none or off the grid.

    Parts of a building have the depth of the whole.
    """
    city = layer_data.whole() if isinstance(layer_data, TiledCity) else layer_data
    deepest = wall_cells(city, result).deepest(depth)
    if isinstance(city, CityModel):
        deepest = np.where(is_building(city), deepest[roots_of(city)], np.float32(np.nan)).astype(np.float32)
    return deepest


def exposure_rows(data: dict[str, Any]) -> list[tuple[str, str, str, float, str]]:
    """Return every count as a row: group, name, class of depth, amount, unit."""
    rows: list[tuple[str, str, str, float, str]] = []
    for use, counts in data["buildings_by_depth"].items():
        rows += [("buildings", use, label, float(n), "1") for label, n in zip(data["classes"], counts, strict=True)]
    rows += [("people", "", label, float(n), "1") for label, n in data["people_by_depth"].items()]
    rows += [("people on flooded storeys", storeys, "", float(n), "1") for storeys, n in data["people_by_storeys"].items()]
    rows += [("roads", "", label, float(length), "m") for label, length in data["roads_m"].items()]
    isolation = data["isolation"]
    if isolation is not None:
        rows += [("isolation", "roads under water", "", float(isolation["flooded_m"]), "m")]
        rows += [("isolation", "roads cut off", "", float(isolation["cut_off_m"]), "m")]
        rows += [("isolation", "buildings without a dry way out", "", float(isolation["buildings"]), "1")]
        rows += [("isolation", "people without a dry way out", "", float(isolation["people"]), "1")]
    damage = data["damage"]
    rows += [("damage", name, "", float(lost), damage["currency"]) for name, lost in damage["by_class"].items()]
    rows += [("damage", name, "", float(damage[name]), damage["currency"]) for name in ("total", "low", "high")]
    rows += [("network parts", kind, "", float(count), "1") for kind, count in data["network_parts"].items()]
    rows += [
        ("asset", f"{each['kind']}: {each['name'] or each['id']}", each["class"], each["depth_m"], "m") for each in data["assets"]
    ]
    return rows


def write_exposure_csv(path: Path, data: dict[str, Any], name: str = "") -> int:
    """Write the counts as a table; lines that begin with # say what run they are of. Return the number of rows.

    Counts of people under ten are left out, as in reports.
    """
    from cimdesk.report.document import people_text

    rows = exposure_rows(data)
    text = io.StringIO()
    for line in (name, data["statement"] or "", f"{tr('Damage')}: {tr(data['damage']['source'])}"):
        if line:
            text.write(f"# {line}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "name", "depth_class", "amount", "unit"])
    for group, label, depth_class, amount, unit in rows:
        shown = people_text(amount).replace(",", "") if "people" in (group.split()[0], label.split(" ")[0]) else f"{amount:.10g}"
        writer.writerow([group, label, depth_class, shown, unit])
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8-sig")
    return len(rows)
