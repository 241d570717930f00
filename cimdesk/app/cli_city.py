"""Commands about assets: demo, stage, log, trace, sensors."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cimdesk.app.console import DONE, DONE_WITH_PROBLEMS, NO_DISPLAY, Console, Outcome, add_json_option, has_display
from cimdesk.app.sessions import given_time, opened
from cimdesk.base.errors import UsageError

if TYPE_CHECKING:
    from cimdesk.commands.session import Session
    from cimdesk.model.selection import AssetRef


def add_commands(commands: Any) -> None:
    """Add the commands to the parser."""
    demo = commands.add_parser("demo", help="write the demo city and its project, and open it")
    demo.add_argument("folder", nargs="?", type=Path, default=Path("demo-city"), metavar="DIR")
    demo.add_argument("--seed", type=int, default=7)
    demo.add_argument("--size", choices=("small", "city", "metropolis"), default="small")
    demo.add_argument("--fresh", action="store_true", help="replace a demo city that is there, with all edits in it")
    demo.add_argument("--no-window", action="store_true", help="do not open it; simulate its storm instead")
    add_json_option(demo)
    demo.set_defaults(handler=run_demo)

    stage = commands.add_parser("stage", help="mark the lifecycle stage of assets")
    stage.add_argument("project", type=Path)
    stage.add_argument("ids", nargs="+", metavar="ID", help="asset id, or layer:id")
    stage.add_argument("--to", required=True, metavar="STAGE")
    stage.add_argument("--date", required=True, help="ISO date")
    stage.add_argument("--by", required=True, metavar="WHO")
    stage.add_argument("--why", required=True, metavar="TEXT")
    add_json_option(stage)
    stage.set_defaults(handler=run_stage)

    log = commands.add_parser("log", help="the audit trail of a project")
    log.add_argument("project", type=Path)
    log.add_argument("--verify", action="store_true", help="verify the hash chain")
    log.add_argument("--csv", type=Path, metavar="OUT", help="write the trail to a CSV file")
    add_json_option(log)
    log.set_defaults(handler=run_log)

    trace = commands.add_parser("trace", help="trace a utility network")
    trace.add_argument("source", type=Path, metavar="PROJECT|NETWORK_FILE")
    trace.add_argument("--from", dest="start", required=True, metavar="ID", help="node or link; in a project also layer:id")
    trace.add_argument("--direction", required=True, choices=("up", "down", "connected", "isolate"))
    trace.add_argument("--closed", nargs="*", default=[], metavar="ID", help="valves or links that are closed")
    add_json_option(trace)
    trace.set_defaults(handler=run_trace)

    sensors = commands.add_parser("sensors", help="sensor status")
    status = sensors.add_subparsers(metavar="COMMAND", required=True).add_parser("status", help="status of every sensor at a time")
    status.add_argument("project", type=Path)
    status.add_argument("--at", metavar="TIME", help="ISO date-time; the last reading when left out")
    add_json_option(status)
    status.set_defaults(handler=run_sensor_status)


def run_demo(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk demo [DIR]``"""
    from cimdesk.base.jobs import CancelToken
    from cimdesk.commands.demo import generate

    if not arguments.no_window and not has_display():
        raise UsageError(NO_DISPLAY, remedy="Add --no-window.")
    summary = generate(
        arguments.folder.absolute(),
        arguments.size,
        arguments.seed,
        console.progress,
        CancelToken(),
        storm=arguments.no_window,
        fresh=arguments.fresh,
    )
    data = {
        "project": str(summary.project), "buildings": summary.buildings, "links": summary.links, "sensors": summary.sensors,
    }  # fmt: skip
    lines = [f"{summary.project}: {summary.buildings:,} buildings, {summary.links:,} links, {summary.sensors:,} sensors"]
    if arguments.no_window:
        return Outcome(data, lines)
    console.finish(Outcome(data, lines))
    from cimdesk.app.main import run_window

    raise SystemExit(run_window([summary.project]))


def run_stage(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk stage PROJECT IDS... --to STAGE --date D --by WHO --why TEXT``"""
    from cimdesk.commands.lifecycle import mark
    from cimdesk.model.lifecycle import Stage

    try:
        to = Stage.from_code(arguments.to)
    except ValueError as error:
        raise UsageError("{reason}", reason=str(error)) from None
    date = given_time(arguments.date)
    with opened(arguments.project, console) as session:
        refs, refused = _known_assets(session, arguments.ids)
        outcome = mark(session, refs, to, date, arguments.by, arguments.why)
    refused += [{"id": str(ref), "reason": reason} for ref, reason in outcome.refused]
    changed = [str(ref) for ref in outcome.changed]
    lines = [f"{ref}: {to.code}" for ref in changed] + [f"{row['id']}: refused, {row['reason']}" for row in refused]
    return Outcome({"changed": changed, "refused": refused}, lines, DONE_WITH_PROBLEMS if refused else DONE)


def _known_assets(session: Session, texts: list[str]) -> tuple[list[AssetRef], list[dict[str, str]]]:
    """Return the assets that texts name, and those that name none with the reason; all of them naming none is an error."""
    from cimdesk.commands.lifecycle import resolve_ids

    refs: list[AssetRef] = []
    unknown: list[dict[str, str]] = []
    first: UsageError | None = None
    for text in texts:
        try:
            refs += resolve_ids(session, [text])
        except UsageError as error:
            first = first or error
            unknown.append({"id": text, "reason": error.localized()})
    if first is not None and not refs:
        raise first
    return refs, unknown


def run_log(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk log PROJECT [--verify] [--csv OUT]``"""
    from cimdesk.base.units import format_time, format_utc
    from cimdesk.formats.atomic import replacing
    from cimdesk.project.journal import verify, write_csv

    with opened(arguments.project, console, load=False, read_only=True) as session:
        assert session.store is not None
        journal = session.store.journal()
    if arguments.csv:
        with replacing(arguments.csv) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
            write_csv(journal, file)
    found = verify(journal)
    data = {
        **dict(found),
        "log": [{"number": e.number, "kind": e.kind, "label": e.label, "who": e.who, "time": format_utc(e.time)} for e in journal],
    }
    lines = [f"{e.number:5d}  {format_time(e.time)}  {e.who}  {e.kind}: {e.label}" for e in journal]
    if arguments.verify:
        verdict = "the trail is intact" if found["intact"] else f"the trail was changed at entry {found['first_bad']}"
        lines = [f"{found['events']} events; {verdict}"]
    return Outcome(data, lines, DONE if found["intact"] else DONE_WITH_PROBLEMS)


def run_trace(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk trace PROJECT|NETWORK_FILE --from ID --direction D``"""
    from cimdesk.commands.trace import describe, trace

    network, start = _network_and_start(arguments, console)
    data = describe(network, trace(network, start, arguments.direction, arguments.closed))
    counts = [f"{len(data[kind]):,} {kind}" for kind in ("nodes", "links", "customers")]
    line = f"{', '.join(counts)}, {data['length_m']:,.1f} m"
    return Outcome(data, [line, *(f"valve {valve}" for valve in data["valves"])])


def run_sensor_status(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk sensors status PROJECT [--at TIME]``"""
    from cimdesk.base.units import format_quantity, format_time, format_utc
    from cimdesk.model.sensors import Sensors, Status

    at = given_time(arguments.at) if arguments.at else None
    counts: dict[str, int] = {status.name.lower(): 0 for status in Status}
    alarms: list[dict[str, Any]] = []
    with opened(arguments.project, console, read_only=True) as session:
        layers = [(layer, session.workspace.data(layer.id)) for layer in session.workspace.layers()]
        found = [(layer, data) for layer, data in layers if isinstance(data, Sensors)]
        last = [data.observations.time_range[1] for _, data in found if data.observations.time_range]
        moment = at if at is not None else max(last, default=time.time())
        for layer, data in found:
            codes = data.status_at(moment)
            _, values = data.observations.latest(moment)
            for status in Status:
                counts[status.name.lower()] += int((codes == status).sum())
            for row in (codes == Status.ALARM).nonzero()[0]:
                told = data.features.row(int(row))
                alarms.append(
                    {
                        "layer": layer.id, "id": str(data.features.ids[row]), "name": told.get("name"),
                        "value": float(values[row]), "unit": told.get("unit"),
                    }
                )  # fmt: skip
    lines = [f"{format_time(moment)}", *(f"  {name}: {count}" for name, count in counts.items() if count)]
    lines += [
        f"  alarm {alarm['id']}  {alarm['name'] or ''}  {format_quantity(alarm['value'], alarm['unit'] or '')}" for alarm in alarms
    ]
    return Outcome({"time": format_utc(moment), "counts": counts, "alarms": alarms}, lines)


def _network_and_start(arguments: argparse.Namespace, console: Console) -> tuple[Any, str]:
    from cimdesk.commands.projects import is_project
    from cimdesk.formats import registry
    from cimdesk.model.network import UtilityNetwork

    if not is_project(arguments.source):
        sources = registry.read(arguments.source).sources
        networks = [source.data for source in sources if isinstance(source.data, UtilityNetwork)]
        start = arguments.start
    else:
        layer_id, colon, rest = arguments.start.partition(":")
        with opened(arguments.source, console, read_only=True) as session:
            named = [layer.id for layer in session.workspace.layers() if not colon or layer.id == layer_id]
            named = named or [layer.id for layer in session.workspace.layers()]
            networks = [data for key in named if isinstance(data := session.workspace.data(key), UtilityNetwork)]
            start = rest if colon and layer_id in named else arguments.start
    if not networks:
        raise UsageError("{name} holds no utility network.", name=str(arguments.source))
    bare = start.removeprefix("node:")
    holding = [network for network in networks if bare in network.nodes or bare in network.links]
    return (holding or networks)[0], start
