"""Gather a project's findings into a report and write it as PDF or HTML, in either language."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk import __version__
from cimdesk.base.i18n import tr, using_language
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.base.units import format_area, format_number, format_quantity, format_time
from cimdesk.commands.session import Session
from cimdesk.formats.atomic import replacing
from cimdesk.model.flood import FloodResult
from cimdesk.model.lifecycle import STAGE_PALETTE, Stage
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import STATUS_PALETTE, Sensors, Status
from cimdesk.report.charts import Lane, bars, time_lanes
from cimdesk.report.document import Chart, Figure, ReportContent, Section, Table, people_text, render_html, render_pdf

Pictures = Sequence[tuple[str, bytes]]
"""Pictures for a report: caption and the bytes of a PNG file."""

RECENT_EVENTS = 15


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
    sensors = _sensor_section(session)
    stages = _stage_section(session)
    sections += [section for section in (sensors, stages, _data_section(session), _method_section(bool(floods))) if section]
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
    deepest = float(np.nanmax(result.max_depth)) if result.max_depth.size else 0.0
    facts = [
        (tr("Engine"), str(stats.get("engine", ""))),
        (tr("Cell size"), format_quantity(result.terrain.cell_x, "m")),
        (tr("Cells"), format_number(float(stats.get("cells", result.terrain.elevations.size)), 9)),
        (tr("Duration"), format_quantity(float(result.times[-1]) / 3600.0, "h")),
        (tr("Mass error"), f"{float(stats.get('mass_error', float('nan'))):.1e}"),
        (tr("Greatest depth"), format_quantity(deepest, "m")),
        (tr("Largest wet area"), format_area(float(result.wet_area.max(initial=0.0)))),
    ]
    buildings = {str(key): int(value) for key, value in exposure["buildings"].items()}
    rows = tuple((tr(use), format_number(count, 9)) for use, count in sorted(buildings.items(), key=lambda item: -item[1]) if count)
    table = Table(tr("Buildings with water at the wall, by use"), (tr("Use"), tr("Buildings")), rows, frozenset({1}))
    highlights = [
        (format_number(sum(buildings.values()), 9), tr("buildings with water at the wall")),
        (people_text(float(exposure["people"])), tr("people in them")),
        (format_quantity(deepest, "m"), tr("greatest depth")),
        (format_area(float(result.wet_area.max(initial=0.0))), tr("largest wet area")),
    ]
    chart = Chart(tr("Rain and flooded area over the run"), _flood_chart(result))
    text = tr("Simulated with the local-inertial form of the shallow-water equations on a regular grid; a screening model.")
    title = tr("Flood: {name}").format(name=name)
    return Section(title, (text,), tuple(facts), (table,) if rows else (), (), (chart,)), highlights


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
    recent: list[tuple[float, AssetRef, Stage, str, str]] = []
    for layer in session.workspace.layers():
        for asset in book.assets(layer.id):
            counts[book.stage_at(asset, moment)] += 1
            recent += [(event.date, asset, event.stage, event.who, event.why) for event in book.history(asset)[-1:]]
    if not counts.sum():
        return None
    shown = [(tr(label), float(count), color) for (label, color), count in zip(STAGE_PALETTE, counts, strict=True) if count]
    recent.sort(key=lambda item: (-item[0], str(item[1])))
    rows = tuple(
        (format_time(date)[:10], str(asset), tr(STAGE_PALETTE[stage][0]), who, why)
        for date, asset, stage, who, why in recent[:RECENT_EVENTS]
    )
    columns = (tr("Date"), tr("Asset"), tr("Stage"), tr("Who"), tr("Why"))
    return Section(
        tr("Lifecycle stages"),
        tables=(Table(tr("Latest changes"), columns, rows),),
        charts=(Chart(tr("Assets by stage"), bars(shown)),),
    )


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
    return Section(tr("Data"), tables=(Table("", columns, tuple(rows), frozenset({2, 4})),))


def _method_section(has_flood: bool) -> Section:
    paragraphs = [
        tr("Figures and numbers come from the layers named above at the moment shown; heights are as their sources give them.")
    ]
    if has_flood:
        paragraphs.append(
            tr(
                "The flood model solves the local-inertial equations (de Almeida and Bates 2013): it is valid for gradually "
                "varied, mostly subcritical flow. It does not replace a calibrated study."
            )
        )
        paragraphs.append(tr("Counts of people below ten are not told."))
    return Section(tr("Method and limits"), tuple(paragraphs))
