"""Command about sections through the water: flood section."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cimdesk.app.console import Console, Outcome, add_json_option


def add_commands(subcommands: Any) -> None:
    """Add the command to those of ``flood``."""
    section = subcommands.add_parser("section", help="cut ground, water, buildings and pipes along a line")
    section.add_argument("project", type=Path, metavar="PROJECT|RESULT", help="a project whose flood is shown, or a flood result")
    section.add_argument("--line", required=True, nargs="+", metavar="X,Y", help="two points or more, in the system of the project")
    section.add_argument(
        "--at", default="", metavar="TIME", help="90min after the start, or 2026-06-07T12:40; else the fullest moment"
    )
    section.add_argument("-o", "--out", type=Path, metavar="OUT.csv", help="write the section as a table")
    add_json_option(section)
    section.set_defaults(handler=run_section)


def run_section(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk flood section PROJECT|RESULT --line X,Y X,Y [--at TIME] [-o OUT.csv]``"""
    import numpy as np

    from cimdesk.app.sessions import showing
    from cimdesk.commands.flood_section import section_along, section_figures, write_csv

    line = np.array([_point(text) for text in arguments.line])
    with showing(arguments.project, console) as session:
        section = section_along(session.workspace, line)
        time = _moment(section, arguments.at)
        files = write_csv(section, arguments.out.absolute(), time) if arguments.out else []
    data = {**section_figures(section, time), "files": [str(file) for file in files]}
    lines = [f"{data['length_m']:.1f} m, {len(data['along_m'])} points" + (f"; {data['flood']}" if data["flood"] else "")]
    if data["max_depth_m"] is not None:
        lines.append(f"  deepest {data['max_depth_m']:.2f} m at {data['max_depth_at_m']:.1f} m, wet {data['wet_m']:.1f} m")
    lines.append(f"  {len(data['buildings'])} buildings, {len(data['pipes'])} pipes and nodes")
    return Outcome(data, [*lines, *(f"  {file}" for file in files)])


def _point(text: str) -> tuple[float, float]:
    from cimdesk.base.errors import UsageError

    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError("--line {text} is no place.", remedy="Say X,Y in the system of the project.", text=text) from None
    return x, y


def _moment(section: Any, text: str) -> float:
    """Return the moment that is meant: from the start of the run, of the clock, or of the most water."""
    import numpy as np

    from cimdesk.app.sessions import given_time
    from cimdesk.base.units import parse_duration

    flood = section.flood
    if flood is None:
        return 0.0
    if not text:
        return float(flood.start_time + flood.times[int(np.argmax(flood.volume))])
    try:
        return float(flood.start_time + parse_duration(text))
    except ValueError:
        return given_time(text)
