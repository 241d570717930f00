"""The command that tiles city models."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cimdesk.app.console import DONE, DONE_WITH_PROBLEMS, Console, Outcome, add_json_option
from cimdesk.base.errors import UsageError

if TYPE_CHECKING:
    from cimdesk.base.jobs import CancelToken

LISTED = 200
"""Problems in the answer at most."""


def add_commands(commands: Any) -> None:
    """Add the command to the parser."""
    tile = commands.add_parser("tile", help="city models of any size to 3D Tiles 1.1")
    tile.add_argument("files", nargs="+", type=Path, metavar="FILE")
    tile.add_argument("out", type=Path, metavar="OUT", help="folder of the tileset; a run that was stopped goes on there")
    tile.add_argument("--format", choices=("1.1",), default="1.1", help="version of 3D Tiles")
    tile.add_argument("--crs", default="", metavar="EPSG:n", help="reference system of files that name none")
    tile.add_argument("--height", default="", metavar="COLUMN", help="column of heights where the files are plain polygons")
    tile.add_argument("--workers", type=_count, default=0, metavar="N", help="processes; all cores when left out")
    tile.add_argument("--scheduler", default="", metavar="ADDRESS", help="tile on a Dask cluster, such as tcp://10.0.0.5:8786")
    add_json_option(tile)
    tile.set_defaults(handler=run_tile)


def run_tile(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk tile FILE... OUT [--format 1.1]``"""
    from cimdesk.base.crs import Crs
    from cimdesk.base.heap import keep_freed_memory
    from cimdesk.commands.checking import plain_problem
    from cimdesk.commands.tiling import tile_files

    crs = Crs.parse(arguments.crs) if arguments.crs else None
    if arguments.crs and crs is None:
        raise UsageError("{text} is no coordinate reference system; write EPSG:4547.", text=arguments.crs)
    keep_freed_memory()
    with _cancelled_by_ctrl_c() as cancel:
        result = tile_files(
            arguments.files,
            arguments.out,
            crs,
            arguments.height,
            arguments.workers,
            arguments.scheduler,
            console.progress,
            cancel,
        )
    if result.resumed:
        console.note(f"{arguments.out}: went on where an earlier run was stopped")
    problems = [plain_problem(problem) for problem in result.problems[:LISTED]]
    data = {
        "path": str(arguments.out), "tiles": result.tiles, "features": result.features, "triangles": result.triangles,
        "seconds": round(result.seconds, 3), "resumed": result.resumed, "problems": problems,
    }  # fmt: skip
    lines = [
        f"{arguments.out}: {result.tiles:,} tiles, {result.features:,} features, {result.triangles:,} triangles "
        f"in {result.seconds:,.1f} s"
    ]
    for problem in problems:
        where = f" [{problem['where']}]" if problem["where"] else ""
        lines.append(f"  {problem['severity']}{where}: {problem['message']}")
    return Outcome(data, lines, DONE_WITH_PROBLEMS if any(each["severity"] != "info" for each in problems) else DONE)


@contextmanager
def _cancelled_by_ctrl_c() -> Iterator[CancelToken]:
    """Give a token that Ctrl+C cancels: the tasks that are being done then end in good order."""
    from cimdesk.base.jobs import CancelToken

    token = CancelToken()
    if threading.current_thread() is not threading.main_thread():
        yield token
        return

    def stop(number: int, frame: object) -> None:
        if token.cancelled:
            # Asked twice: at once.
            raise KeyboardInterrupt
        token.cancel()

    before = [(number, signal.signal(number, stop)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield token
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; write 1 to 256")
    return int(text)
