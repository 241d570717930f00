"""Commands about floods: flood export."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cimdesk.app.console import Console, Outcome, add_json_option


def add_commands(subcommands: Any) -> None:
    """Add the command to those of ``flood``."""
    export = subcommands.add_parser("export", help="write a flood as NetCDF, Zarr, GeoTIFF, COG, GeoPackage or CSV")
    export.add_argument("result", type=Path, metavar="RESULT", help="a flood result, of cimdesk or another model")
    export.add_argument("-o", "--out", type=Path, required=True, metavar="OUT", help="file or folder; its suffix names the format")
    export.add_argument(
        "--what", default="", metavar="MAPS", help="depth, max_depth, hazard_uk ... with commas, or all; CSV: hydrographs, summary"
    )
    export.add_argument("--format", default="", metavar="FORMAT", help="nc, zarr, tif, cog, gpkg, geojson or csv")
    export.add_argument("--at", action="append", default=[], metavar="TIME", help="only this time from the start, such as 90min")
    export.add_argument("--point", action="append", default=[], metavar="NAME=X,Y", help="also a hydrograph at this place")
    export.add_argument("--fine", action="store_true", help="GeoTIFF, COG of a run on coarse cells: on the fine ground in them")
    add_json_option(export)
    export.set_defaults(handler=run_export)


def run_export(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk flood export RESULT -o OUT [--what MAPS] [--format FORMAT] [--at TIME] [--point NAME=X,Y] [--fine]``"""
    from cimdesk.base.jobs import CancelToken
    from cimdesk.commands.flood_outputs import ExportWish, export_file

    what = tuple(word.strip() for word in arguments.what.split(",") if word.strip())
    times = tuple(_seconds(text) for text in arguments.at)
    points = tuple(_point(text) for text in arguments.point)
    wish = ExportWish(arguments.out.absolute(), what, arguments.format.lower(), times, points, arguments.fine)
    data = export_file(arguments.result.absolute(), wish, console.progress, CancelToken())
    lines = [f"{arguments.out}: {data['format']}, {', '.join(data['what'])}"]
    lines += [f"  {file}" for file in data["files"] if len(data["files"]) > 1]
    return Outcome(data, lines)


def _seconds(text: str) -> float:
    from cimdesk.base.errors import UsageError
    from cimdesk.base.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError("--at {time} is no time.", remedy="Say 30s, 2min or 1h.", time=text) from error


def _point(text: str) -> tuple[str, float, float]:
    from cimdesk.base.errors import UsageError

    name, _, place = text.rpartition("=")
    try:
        x, y = (float(part) for part in place.split(","))
    except ValueError as error:
        raise UsageError("--point {text} is no place.", remedy="Say NAME=X,Y in the system of the result.", text=text) from error
    return name or f"{x:g},{y:g}", x, y
