"""What a report says of floods beside their maps: what is cut off and damaged, two runs compared, a run against marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_area, format_count, format_quantity
from cimdesk.commands.flood_calibration import Calibration, peaks_text
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_comparison import comparison_of
from cimdesk.model.flood_statement import run_statement
from cimdesk.report.charts import scatter
from cimdesk.report.document import Chart, Section, Table, people_text

if TYPE_CHECKING:
    from cimdesk.commands.session import Session
    from cimdesk.model.layers import Layer

MOST_MARKS = 40


def impact_tables(exposure: dict[str, Any]) -> tuple[Table, ...]:
    """Return the tables of what has no dry way out, and of damage."""
    tables = []
    found = exposure["isolation"]
    if found is not None:
        title = tr("Without a dry way out: water deeper than {depth} stops traffic")
        rows = (
            (tr("Buildings"), format_count(found["buildings"])),
            (tr("of them dry"), format_count(found["dry_buildings"])),
            (tr("People"), people_text(float(found["people"]))),
            (tr("Roads under water [m]"), format_count(found["flooded_m"])),
            (tr("Roads cut off [m]"), format_count(found["cut_off_m"])),
        )
        name = title.format(depth=format_quantity(found["passable_depth_m"], "m", 2))
        tables.append(Table(name, ("", tr("Amount")), rows, frozenset({1})))
    damage = exposure["damage"]
    if damage["total"] > 0.0:
        money = [(tr(name), _money(lost)) for name, lost in damage["by_class"].items() if lost > 0.0]
        money.append((tr("Sum"), _money(damage["total"])))
        money.append((tr("lies between"), f"{_money(damage['low'])} – {_money(damage['high'])}"))
        state = tr("verified") if damage["verified"] else tr("unverified")
        title = tr("Damage to buildings by {table} curves ({state})").format(table=damage["table"], state=state)
        tables.append(Table(title, (tr("Class"), damage["currency"]), tuple(money), frozenset({1})))
    return tuple(tables)


def _money(value: float) -> str:
    """Return money in two figures that count."""
    return format_count(float(f"{value:.2g}"))


def damage_notes(exposure: dict[str, Any]) -> tuple[str, ...]:
    """Return where the damage curves come from."""
    damage = exposure["damage"]
    return (f"{tr('Damage')}: {tr(damage['source'])}",) if damage["total"] > 0.0 else ()


def comparison_sections(session: Session) -> list[Section]:
    """Return a chapter for each visible flood that is drawn against another."""
    sections = []
    for layer in session.workspace.layers():
        data = session.workspace.data(layer.id)
        if isinstance(data, FloodResult) and layer.visible and (found := comparison_of(session.workspace, layer)) is not None:
            sections.append(_comparison(session, found[1], found[2], layer, data))
    return sections


def _comparison(session: Session, first: Layer, a: FloodResult, second: Layer, b: FloodResult) -> Section:
    from cimdesk.commands.flood_compare import compare_runs

    data = compare_runs(session, a, b)
    depth, exposure = data["depth_difference"], data["exposure_difference"]
    facts = (
        (tr("Deeper by at most"), format_quantity(depth["max_increase_m"], "m")),
        (tr("Shallower by at most"), format_quantity(-depth["max_decrease_m"], "m")),
        (tr("Wetter area"), format_area(depth["wetter_m2"])),
        (tr("Drier area"), format_area(depth["drier_m2"])),
        (tr("Newly wet"), format_area(depth["newly_wet_m2"])),
        (tr("No longer wet"), format_area(depth["no_longer_wet_m2"])),
    )
    rows = [(tr("Buildings"), *_three(exposure["buildings_wet"])), (tr("People"), *_people(exposure["people"]))]
    if exposure["isolation"] is not None:
        rows.append((tr("Buildings without a dry way out"), *_three(exposure["isolation"]["buildings"])))
        rows.append((tr("Roads cut off [m]"), *_three(exposure["isolation"]["cut_off_m"])))
    damage = exposure["damage"]
    rows.append((f"{tr('Damage')} [{damage['currency']}]", _money(damage["a"]), _money(damage["b"]), _money(damage["difference"])))
    columns = (tr("Exposed"), f"A: {first.name}", f"B: {second.name}", tr("B minus A"))
    table = Table(tr("Exposure at the greatest depth of each run"), columns, tuple(rows), frozenset({1, 2, 3}))
    paragraphs = (f"A: {first.name}. {run_statement(a)}.", f"B: {second.name}. {run_statement(b)}.", *data["notes"])
    return Section(tr("{b} compared with {a}").format(a=first.name, b=second.name), paragraphs, facts, (table,))


def _three(change: dict[str, float]) -> tuple[str, str, str]:
    return format_count(change["a"]), format_count(change["b"]), f"{change['difference']:+,.0f}"


def _people(change: dict[str, float]) -> tuple[str, str, str]:
    few = 0 < abs(change["difference"]) < 10
    shown = f"{'-' if change['difference'] < 0 else '+'}< 10" if few else f"{change['difference']:+,.0f}"
    return people_text(change["a"]), people_text(change["b"]), shown


def calibration_sections(session: Session) -> list[Section]:
    """Return a chapter for each flood that has a table of marks."""
    from cimdesk.commands.flood_calibration import MARKS, calibration_of

    sections = []
    for layer in session.workspace.layers():
        if layer.options.get(MARKS) and (session.base_dir / str(layer.options[MARKS]["source"])).exists():
            found = calibration_of(session, layer.id)
            if found is not None:
                sections.append(_calibration(found))
    return sections


def _calibration(found: Calibration) -> Section:
    rows = []
    for row in found.rows[:MOST_MARKS]:
        numbers = [row.observed, row.modelled, row.error]
        texts = [f"{value:+.2f}" if k == 2 else f"{value:.2f}" for k, value in enumerate(numbers)]
        shown = [text if np.isfinite(value) else "–" for text, value in zip(texts, numbers, strict=True)]
        rows.append((row.name, *shown, ", ".join(part for part in (row.note, row.source) if part)))
    columns = (tr("Name"), tr("Observed [m]"), tr("Run [m]"), tr("Run minus observed [m]"), tr("Source"))
    table = Table("", columns, tuple(rows), frozenset({1, 2, 3}))
    seen, ours = np.array([row.observed for row in found.rows]), np.array([row.modelled for row in found.rows])
    both = np.isfinite(seen) & np.isfinite(ours)
    charts: tuple[Chart, ...] = ()
    if both.any():
        drawing = scatter(seen[both], ours[both], tr("Observed [m]"), tr("Run [m]"))
        charts = (Chart(tr("Observed against run; on the line both are the same"), drawing),)
    paragraphs = (f"{peaks_text(found.peaks)}.", f"{found.statement}.")
    return Section(tr("{name} against marks and gauges").format(name=found.name), paragraphs, (), (table,), (), charts)
