"""Commands about files and projects: check, import, export."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cimdesk.app.console import DONE, DONE_WITH_PROBLEMS, EXIT_REFUSED, EXIT_UNREACHABLE, Console, Outcome, add_json_option
from cimdesk.app.sessions import find_layer, open_or_create, opened
from cimdesk.base.errors import UsageError

if TYPE_CHECKING:
    from cimdesk.commands.session import Session
    from cimdesk.model.layers import Layer


def add_commands(commands: Any) -> None:
    """Add the commands to the parser."""
    check = commands.add_parser("check", help="tell what a file holds and every problem in it")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files, or folders of a tileset")
    add_json_option(check)
    check.set_defaults(handler=run_check)

    add = commands.add_parser("import", help="add files to a project as layers; makes the project when there is none")
    add.add_argument("project", type=Path, help="project file")
    add.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files, or folders of a tileset")
    add.add_argument("--crs", default="", metavar="EPSG:n", help="reference system of files that name none")
    add.add_argument("--at", default="", metavar="E,N[,H]", help="put models that do not say where they are at this place")
    add.add_argument("--turn", type=float, default=0.0, metavar="DEG", help="turn them clockwise")
    add.add_argument("--scale", type=float, default=1.0, metavar="S", help="metres of one unit of theirs")
    add.add_argument("--extrude", action="store_true", help="raise outlines into a layer of buildings")
    add.add_argument("--height", default="", metavar="COLUMN", help="column of their heights; looked for when left out")
    add.add_argument("--base", default="", metavar="COLUMN", help="column of the ground's heights; 'terrain' stands them on it")
    add.add_argument("--storey", type=float, default=3.0, metavar="M", help="height of a storey, where only their number is told")
    add.add_argument("--default-height", type=float, default=0.0, metavar="M", help="height where nothing is told")
    add_json_option(add)
    add.set_defaults(handler=run_import)

    export = commands.add_parser("export", help="write a layer to a file; the suffix names the format")
    export.add_argument("project", type=Path, help="project file")
    export.add_argument("layer", help="name or id of the layer")
    export.add_argument(
        "out",
        type=Path,
        help="buildings: .city.json, .city.jsonl, .glb, .3tz or a folder (3D Tiles); with attributes: .gpkg, .geojson, .csv; "
        "terrain: .tif, .asc",
    )
    export.add_argument("--ids", nargs="+", metavar="ID", help="only these features, with their parts")
    export.add_argument("--stages", action="store_true", help="with the lifecycle stage of each asset as an attribute")
    add_json_option(export)
    export.set_defaults(handler=run_export)


def run_check(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk check FILE...``"""
    from cimdesk.commands.checking import check

    reports = []
    for k, path in enumerate(arguments.files):
        console.progress(k / len(arguments.files), str(path))
        reports.append(check(path))
    lines = [line for report in reports for line in _check_lines(report)]
    # One file: its report is the document itself, and the list of one is there too for scripts that loop.
    data = {**reports[0], "files": reports} if len(reports) == 1 else {"files": reports}
    return Outcome(data, lines, _check_status(reports))


def run_import(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk import PROJECT FILE... [--crs EPSG]``"""
    from cimdesk.commands.cards import plain_card
    from cimdesk.commands.checking import plain_problem
    from cimdesk.commands.folders import expanded
    from cimdesk.commands.sources import import_files
    from cimdesk.commands.tiled import address_of

    place = _place_of(arguments.at)
    files = [path if address_of(path) else path.absolute() for path in arguments.files]
    with open_or_create(arguments.project, console) as session:
        layers = import_files(session, expanded(files), arguments.crs, console.progress)
        workspace = session.workspace
        if place or arguments.turn != 0.0 or arguments.scale != 1.0:
            layers = _placed(session, layers, place, arguments)
        if arguments.extrude:
            layers += _extruded(session, layers, arguments, console)
        rows: list[dict[str, Any]] = [
            {
                "name": layer.name, "kind": str(layer.kind), "features": feature_count(workspace.data(layer.id)), "id": layer.id,
                "card": plain_card(workspace, layer),
            }
            for layer in layers
        ]  # fmt: skip
        problems = [{"layer": a.id, **plain_problem(problem)} for a in layers for problem in workspace.problems(a.id)]
    lines = [f"{row['name']}: {row['kind']}, {row['features']:,} features" for row in rows]
    lines += [_problem_line(problem) for problem in problems]
    return Outcome({"project": str(arguments.project), "layers": rows, "problems": problems}, lines, _status(problems))


def _placed(session: Session, layers: list[Layer], place: tuple[float, ...], arguments: argparse.Namespace) -> list[Layer]:
    """Put the models among new layers where the person says; return the layers as they are then."""
    from dataclasses import replace

    from cimdesk.commands import model_places

    # Layers of one file are put there together.
    first = {layer.source: layer.id for layer in reversed(layers) if model_places.can_be_placed(session.workspace, layer.id)}
    models = list(first.values())
    if not models:
        raise UsageError("None of the files is a model that can be put somewhere by hand.",
                         remedy="Leave --at, --turn and --scale out.")  # fmt: skip
    for layer_id in models:
        start = model_places.placement_of(session.workspace, layer_id)
        start = replace(start, turn=arguments.turn, scale=arguments.scale)
        if place:
            start = model_places.standing_at(session.workspace, start, *place)
        model_places.place_model(session, layer_id, start)
    return [session.workspace.layer(layer.id) for layer in layers]


def _place_of(text: str) -> tuple[float, ...]:
    """Return easting and northing, and the height where it is given."""
    try:
        numbers = tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        numbers = (0.0,)
    if len(numbers) not in (0, 2, 3):
        raise UsageError("{text} is no place; write E,N or E,N,H in metres of the project.", text=text[:60])
    return numbers


def _extruded(session: Session, layers: list[Layer], arguments: argparse.Namespace, console: Console) -> list[Layer]:
    """Raise the outlines among new layers; return the layers of buildings."""
    from cimdesk.commands.extruding import Extrusion, can_be_extruded, extrude_layer

    on_ground = arguments.base == "terrain"
    how = Extrusion(arguments.height, "" if on_ground else arguments.base, arguments.storey, arguments.default_height)
    outlines = [layer for layer in layers if can_be_extruded(session.workspace.data(layer.id))]
    if not outlines:
        raise UsageError("No layer of these files has outlines that could become buildings.")
    return [session.workspace.layer(extrude_layer(session, layer.id, how, on_ground, console.progress)) for layer in outlines]


def run_export(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk export PROJECT LAYER OUT``"""
    from cimdesk.commands.export import ExportOptions, export_layer

    options = ExportOptions(arguments.ids, arguments.stages)
    with opened(arguments.project, console) as session:
        layer = find_layer(session, arguments.layer)
        count = export_layer(session, layer.id, arguments.out.absolute(), options, console.progress)
    return Outcome({"path": str(arguments.out), "features": count}, [f"{arguments.out}: {count:,} features"])


def feature_count(data: Any) -> int:
    """Return how many features, cells or tiles a layer's data has, as the tables of the command line count them."""
    from cimdesk.model.flood import FloodResult
    from cimdesk.model.imagery import Imagery
    from cimdesk.model.network import UtilityNetwork
    from cimdesk.model.points import PointCloud
    from cimdesk.model.terrain import Terrain
    from cimdesk.model.tileset import TiledCity

    if isinstance(data, PointCloud):
        return data.count
    if isinstance(data, TiledCity):
        return len(data.city.features)
    if isinstance(data, UtilityNetwork):
        return len(data.nodes) + len(data.links)
    if isinstance(data, Terrain):
        return int(data.elevations.size)
    if isinstance(data, FloodResult):
        return len(data.times)
    if isinstance(data, Imagery):
        return data.source.zooms[1] - data.source.zooms[0] + 1
    return 0 if data is None else len(data.features)


def _check_lines(report: dict[str, Any]) -> list[str]:
    if not report["readable"]:
        return [f"{report['path']}: cannot be used", *(_problem_line(problem) for problem in report["problems"])]
    version = f" {report['version']}" if report["version"] else ""
    head = f"{report['path']}: {report['format']}{version}, {report['crs'] or 'no reference system'}"
    counts = [f"  {name}: {count:,}" for name, count in report["objects"].items()]
    return [head, *counts, *(_problem_line(problem) for problem in report["problems"])]


def _problem_line(problem: dict[str, str]) -> str:
    where = f" [{problem['where']}]" if problem["where"] else ""
    return f"  {problem['severity']}{where}: {problem['message']}"


def _check_status(reports: list[dict[str, Any]]) -> int:
    bad = [report for report in reports if not report["readable"]]
    if bad:
        is_away = all(problem["code"] == "unreachable" for report in bad for problem in report["problems"])
        return EXIT_UNREACHABLE if is_away else EXIT_REFUSED
    return _status([problem for report in reports for problem in report["problems"]])


def _status(problems: list[dict[str, str]]) -> int:
    return DONE_WITH_PROBLEMS if any(problem["severity"] != "info" for problem in problems) else DONE
