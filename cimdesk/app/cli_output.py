"""Commands that make figures and documents: snapshot, report."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from cimdesk.app.console import Console, Outcome, add_json_option
from cimdesk.app.sessions import given_time, opened, showing
from cimdesk.base.errors import UsageError

MAX_PIXELS = 16384


def add_commands(commands: Any) -> None:
    """Add the commands to the parser."""
    snapshot = commands.add_parser("snapshot", help="make one figure off-screen, with title, legend, scale, north, CRS and time")
    snapshot.add_argument("source", type=Path, metavar="PROJECT|FILE")
    snapshot.add_argument("-o", "--out", type=Path, required=True, metavar="PNG")
    snapshot.add_argument("--bookmark", metavar="NAME")
    snapshot.add_argument("--fit", metavar="LAYER", help="look at this layer (name or id); 'all' for everything, however far apart")
    snapshot.add_argument("--size", type=_size, default=(1920, 1080), metavar="WxH")
    snapshot.add_argument("--theme", choices=("light", "dark", "projector"), default="light")
    snapshot.add_argument("--time", metavar="TIME", help="ISO date-time")
    snapshot.add_argument("--title")
    snapshot.add_argument("--xray", action="store_true", help="see through the ground")
    snapshot.add_argument("--lang", choices=("en", "zh_CN"))
    add_json_option(snapshot)
    snapshot.set_defaults(handler=run_snapshot)

    report = commands.add_parser("report", help="write the report of a project as PDF or HTML")
    report.add_argument("project", type=Path)
    report.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.pdf|.html")
    report.add_argument("--lang", choices=("en", "zh_CN"), default="en")
    add_json_option(report)
    report.set_defaults(handler=run_report)


def run_snapshot(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk snapshot PROJECT|FILE -o PNG``"""
    from cimdesk.app.figures import write_figure

    if arguments.out.suffix.lower() != ".png":
        raise UsageError("A figure is written as .png, not {suffix}.", suffix=arguments.out.suffix or arguments.out.name)
    width, height = arguments.size
    moment = given_time(arguments.time) if arguments.time else None
    with showing(arguments.source, console) as session:
        write_figure(
            session,
            arguments.out,
            bookmark=arguments.bookmark,
            fit=arguments.fit,
            width=width,
            height=height,
            theme=arguments.theme,
            time=moment,
            title=arguments.title,
            xray=arguments.xray or None,
        )
    return Outcome({"path": str(arguments.out), "width": width, "height": height}, [str(arguments.out)])


def run_report(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk report PROJECT -o OUT``"""
    from cimdesk.app.figures import bookmark_figures
    from cimdesk.commands.reports import write_report

    if arguments.out.suffix.lower() not in (".pdf", ".html"):
        raise UsageError("A report is written as .pdf or .html, not {suffix}.", suffix=arguments.out.suffix or arguments.out.name)
    with opened(arguments.project, console, read_only=True) as session:
        figures = bookmark_figures(session, console.progress)
        data = write_report(session, arguments.out.absolute(), arguments.lang, figures)
    return Outcome({"path": str(arguments.out), **data}, [f"{arguments.out}: {data['pages']} pages, {data['figures']} figures"])


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)[xX×](\d+)", text)
    if not found or not all(16 <= int(part) <= MAX_PIXELS for part in found.groups()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 1920x1080 (16 to {MAX_PIXELS} each)")
    return int(found[1]), int(found[2])
