"""Gather a project's findings into a report and write it as PDF or HTML, in either language."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk import __version__
from cimdesk.base.i18n import tr, using_language
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.base.units import format_area, format_count, format_quantity, format_time
from cimdesk.commands import cards
from cimdesk.commands.flood_report import calibration_sections, comparison_sections, damage_notes, impact_tables
from cimdesk.commands.session import Session
from cimdesk.formats.atomic import replacing
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_statement import run_facts
from cimdesk.model.lifecycle import STAGE_PALETTE, Stage, StageEvent
from cimdesk.model.sensors import STATUS_PALETTE, Sensors, Status
from cimdesk.report.charts import Lane, bars, time_lanes
from cimdesk.report.document import Chart, Figure, ReportContent, Section, Table, people_text, render_html, render_pdf

Pictures = Sequence[tuple[str, bytes]]
"""Pictures for a report: caption and the bytes of a PNG file."""

RECENT_EVENTS = 15
FLOODED = 0.15
DRY = 0.01


def report_job(session: Session, path: Path, language: str, pictures: Pictures) -> JobSpec[dict[str, Any]]:
    """Return the job that writes a report; what it says is gathered now, the typesetting is done by the job."""
    content = build_content(session, language, pictures)

    def work(progress: Progress, cancel: CancelToken) -> dict[str, Any]:
        progress(0.2, path.name)
        return write_content(content, path)

    return JobSpec(tr("Report {name}").format(name=path.name), work, key="report")


def write_report(session: Session, path: Path, language: str, pictures: Pictures) -> dict[str, Any]:
    """Write the report of a project; return ``pages``, ``figures`` and ``tables``."""
    return write_content(build_content(session, language, pictures), path)


def write_content(content: ReportContent, path: Path) -> dict[str, Any]:
    """Write a report to a ``.pdf`` or ``.html`` file, whole or not at all."""
    if path.suffix.lower() == ".pdf":
        data, pages = render_pdf(content)
    else:
        data, pages = render_html(content).encode("utf-8"), 1
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return {"pages": pages, "figures": content.figure_count, "tables": content.table_count}


def build_content(session: Session, language: str, pictures: Pictures) -> ReportContent:
    """Return what the report of a project says, in ``language``."""
    with using_language(language):
        return _content(session, language, pictures)


def _content(session: Session, language: str, pictures: Pictures) -> ReportContent:
    workspace = session.workspace
    title = str(workspace.settings.get("title") or (session.path.stem if session.path else tr("Untitled project")))
    floods = [(layer, data) for layer in workspace.layers() if isinstance(data := workspace.data(layer.id), FloodResult)]
    sections = [_view_section(pictures)] if pictures else []
    highlights: list[tuple[str, str]] = []
    for layer, result in floods:
        section, numbers = _flood_section(session, layer.name, result)
        sections.append(section)
        highlights.extend(numbers)
    sections += [*comparison_sections(session), *calibration_sections(session)]
    sensors = _sensor_section(session)
    stages = _stage_section(session)
    sections += [
        section
        for section in (sensors, stages, _data_section(session), _method_section([result for _, result in floods]))
        if section
    ]
    frame = workspace.frame
    facts = [
        (tr("Reference system"), f"{frame.crs.code or ''} {frame.crs.name}".strip() if frame and frame.crs else tr("none (local)")),
        (tr("Moment shown"), format_time(_moment(session))),
        (tr("Written"), format_time(time.time())),
        (tr("Software"), f"cimdesk {__version__}"),
    ]
    if session.path:
        facts.append((tr("Project file"), session.path.name))
        facts.append((tr("Made again with"), f"cimdesk report {session.path.name} -o report.pdf --lang {language}"))
    return ReportContent(
        title,
        tr("Report on the state of the city and its infrastructure"),
        language,
        tuple(highlights[:4]),
        tuple(facts),
        tuple(sections),
        f"{title} · cimdesk {__version__}",
        tr("Contents"),
    )


def _moment(session: Session) -> float:
    return float(session.workspace.settings.get("time") or session.clock.time)


def _view_section(pictures: Pictures) -> Section:
    return Section(tr("Views"), figures=tuple(Figure(caption, png) for caption, png in pictures))


def _flood_section(session: Session, name: str, result: FloodResult) -> tuple[Section, list[tuple[str, str]]]:
    from cimdesk.commands.flood import exposure_of

    stats = result.statistics
    exposure = exposure_of(session, result)
    flooded, deepest = _on_land(result)
    facts = [
        *run_facts(result),
        (tr("Cells"), format_count(float(stats.get("cells", result.terrain.elevations.size)))),
        (tr("Greatest depth on land"), format_quantity(deepest, "m")),
        (tr("Land flooded over {depth}").format(depth=format_quantity(FLOODED, "m", 2)), format_area(flooded)),
    ]
    highlights = [
        (format_count(sum(exposure["buildings"].values())), tr("buildings with water at the wall")),
        (people_text(float(exposure["people"])), tr("people in them")),
        (format_quantity(deepest, "m"), tr("greatest depth on land")),
        (format_area(flooded), tr("land flooded")),
    ]
    chart = Chart(tr("Rain and flooded area over the run"), _flood_chart(result))
    title = tr("Flood: {name}").format(name=name)
    return Section(
        title, (*_how_simulated(result), *damage_notes(exposure)), tuple(facts), _exposure_tables(exposure), (), (chart,)
    ), highlights


def _how_simulated(result: FloodResult) -> tuple[str, ...]:
    """Return what to say of the engine of a run; nothing of results that other software made."""
    texts = {
        "inertial": tr(
            "Simulated with the local-inertial form of the shallow-water equations on a regular grid; a screening model."
        ),
        "dynamic": tr("Simulated with the full shallow-water equations on a regular grid."),
    }
    told = texts.get(str(result.statistics.get("engine", "")))
    drains = tr("The storm drains were simulated with SWMM; water goes both ways through their inlets and manholes.")
    return tuple(text for text in (told, drains if result.drainage is not None else None) if text)


def _on_land(result: FloodResult) -> tuple[float, float]:
    """Return area [m2] flooded deeper than `FLOODED` and greatest depth [m] where it was dry at the start: rivers do not count."""
    land = np.where(result.depths[0] <= DRY, result.max_depth, 0.0)
    cell = result.terrain.cell_x * result.terrain.cell_y
    return float((land > FLOODED).sum() * cell), float(np.nanmax(land, initial=0.0))


def _exposure_tables(exposure: dict[str, Any]) -> tuple[Table, ...]:
    limits = [f"{low:g}" for low in exposure["limits_m"]]
    classes = [f"< {limits[0]} m", *(f"{a} – {b} m" for a, b in pairwise(limits)), f"> {limits[-1]} m"]
    numeric = frozenset(range(1, len(classes) + 1))
    rows = [
        (tr(use), *(format_count(count) for count in counts))
        for use, counts in sorted(exposure["buildings_by_depth"].items(), key=lambda item: -sum(item[1][1:]))
    ]
    people = (tr("People"), *(people_text(count) for count in exposure["people_by_depth"].values()))
    roads = (tr("Streets [m]"), *(format_count(length) for length in exposure["roads_m"].values()))
    tables = [
        Table(
            tr("Buildings and people by depth at the wall, streets by depth"),
            (tr("Use"), *classes),
            (*rows, people, roads),
            numeric,
        )
    ]
    wet = [asset for asset in exposure["assets"] if asset["kind"] != "sensor"]
    if wet:
        found = tuple((str(asset["name"]), tr(str(asset["kind"])), format_quantity(asset["depth_m"], "m", 2)) for asset in wet[:20])
        tables.append(Table(tr("Critical facilities in water"), (tr("Name"), tr("Kind"), tr("Depth")), found, frozenset({2})))
    return (*tables, *impact_tables(exposure))


def _flood_chart(result: FloodResult) -> str:
    lanes = [Lane(tr("Flooded area [ha]"), result.times / 3600.0, result.wet_area / 1e4, "#124a86")]
    if result.rain is not None:
        lanes.insert(0, Lane(tr("Rain [mm/h]"), result.rain.times / 3600.0, result.rain.values * 3.6e6, "#5ba8e0", bars=True))
    return time_lanes(lanes, tr("hours from the start of the run"))


def _sensor_section(session: Session) -> Section | None:
    moment = _moment(session)
    counts = np.zeros(len(Status), dtype=np.int64)
    alarms: list[tuple[str, ...]] = []
    for layer in session.workspace.layers():
        data = session.workspace.data(layer.id)
        if not isinstance(data, Sensors):
            continue
        codes = data.status_at(moment)
        counts += np.bincount(codes, minlength=len(Status))
        _, values = data.observations.latest(moment)
        for row in np.flatnonzero((codes == Status.ALARM) | (codes == Status.WARNING)):
            attributes = data.features.row(int(row))
            status = tr(STATUS_PALETTE[codes[row]][0])
            reading = format_quantity(float(values[row]), str(attributes.get("unit") or ""))
            alarms.append((str(attributes.get("name") or data.features.ids[row]), status, reading))
    if not counts.sum():
        return None
    shown = [(tr(label), float(count), color) for (label, color), count in zip(STATUS_PALETTE, counts, strict=True) if count]
    table = Table(tr("Warnings and alarms"), (tr("Sensor"), tr("Status"), tr("Reading")), tuple(alarms[:40]), frozenset({2}))
    return Section(
        tr("Sensors at {time}").format(time=format_time(moment)),
        tables=(table,) if alarms else (),
        charts=(Chart(tr("Sensors by status"), bars(shown)),),
    )


def _stage_section(session: Session) -> Section | None:
    book, moment = session.workspace.stages, _moment(session)
    counts = np.zeros(len(Stage), dtype=np.int64)
    events: list[StageEvent] = []
    for layer in session.workspace.layers():
        for asset in book.assets(layer.id):
            history = book.history(asset)
            counts[book.stage_at(asset, moment)] += 1
            events += [event for event in history if event.date > moment]
            events += [event for event in history if event.date <= moment][-1:]
    if not counts.sum():
        return None
    shown = [(tr(label), float(count), color) for (label, color), count in zip(STAGE_PALETTE, counts, strict=True) if count]
    past = sorted((event for event in events if event.date <= moment), key=lambda event: -event.date)
    ahead = sorted((event for event in events if event.date > moment), key=lambda event: event.date)
    tables = [_event_table(title, rows) for title, rows in ((tr("Latest changes"), past), (tr("Planned next"), ahead)) if rows]
    return Section(tr("Lifecycle stages"), tables=tuple(tables), charts=(Chart(tr("Assets by stage"), bars(shown)),))


def _event_table(title: str, events: Sequence[StageEvent]) -> Table:
    rows = tuple(
        (format_time(event.date)[:10], str(event.asset), tr(STAGE_PALETTE[event.stage][0]), event.who, event.why)
        for event in events[:RECENT_EVENTS]
    )
    return Table(title, (tr("Date"), tr("Asset"), tr("Stage"), tr("Who"), tr("Why")), rows)


def _data_section(session: Session) -> Section:
    workspace = session.workspace
    rows = []
    for layer in workspace.layers():
        table = workspace.features(layer.id)
        state = tr("unavailable") if workspace.unavailable(layer.id) else str(len(workspace.problems(layer.id)) or "–")
        rows.append(
            (layer.name, tr(str(layer.kind)), f"{len(table):,}" if table is not None else "–", Path(layer.source).name, state)
        )
    columns = (tr("Layer"), tr("Kind"), tr("Features"), tr("Source"), tr("Problems"))
    return Section(tr("Data"), tables=(Table("", columns, tuple(rows), frozenset({2, 4})), _card_table(session)))


def _card_table(session: Session) -> Table:
    """Return the cards of the datasets: CIM level, category, date, licence, accuracy, grade."""
    workspace = session.workspace
    rows = []
    for layer in workspace.layers():
        card, found = cards.card_of(workspace, layer), cards.grade_of(workspace, layer)
        level = f"CIM{card.level}" if card.level else "–"
        words = (card.date, card.licence, card.accuracy)
        grade = f"{found.letter}, {tr(cards.CURRENCY_NAMES[found.currency])}"
        rows.append((layer.name, level, cards.category_name(card.category), *(word or "–" for word in words), grade))
    columns = (tr("Layer"), tr("CIM level"), tr("Category"), tr("Date"), tr("Licence"), tr("Accuracy"), tr("Grade"))
    return Table(tr("Cards of the datasets"), columns, tuple(rows))


def _method_section(floods: Sequence[FloodResult]) -> Section:
    paragraphs = [
        tr("Figures and numbers come from the layers named above at the moment shown; heights are as their sources give them.")
    ]
    engines = {str(result.statistics.get("engine", "")) for result in floods}
    if "inertial" in engines:
        paragraphs.append(
            tr(
                "The flood model solves the local-inertial equations (de Almeida and Bates 2013): it is valid for gradually "
                "varied, mostly subcritical flow. It does not replace a calibrated study."
            )
        )
    if "dynamic" in engines:
        paragraphs.append(
            tr(
                "The dynamic flood model solves the full shallow-water equations (MUSCL, hydrostatic reconstruction, HLLC), with "
                "shocks and fast flow. It does not replace a calibrated study."
            )
        )
    if floods:
        paragraphs.append(tr("Counts of people below ten are not told."))
    return Section(tr("Method and limits"), tuple(paragraphs))
