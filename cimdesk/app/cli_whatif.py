"""Command about measures: flood whatif."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cimdesk.app.console import Console, Outcome, add_json_option
from cimdesk.app.sessions import opened


def add_commands(subcommands: Any) -> None:
    """Add the command to those of ``flood``."""
    whatif = subcommands.add_parser("whatif", help="run a flood again with measures, on a window around them")
    whatif.add_argument("result", type=Path)
    whatif.add_argument("project", type=Path, nargs="?", help="whose exposure is compared too")
    whatif.add_argument("--measures", type=Path, required=True, metavar="FILE.toml", help="[[measure]] tables, as in a scenario")
    whatif.add_argument("-o", "--out", type=Path, required=True, metavar="RESULT")
    whatif.add_argument("--whole", action="store_true", help="run the whole grid instead of a window, drains included")
    drains = whatif.add_mutually_exclusive_group()
    drains.add_argument("--run-drains", action="store_true", help="simulate the drains again in a window, beyond it as they were")
    drains.add_argument("--recorded-drains", action="store_true", help="leave the drains of a window as they were")
    whatif.add_argument("--threads", type=int, default=0, metavar="N", help="0 for all cores")
    add_json_option(whatif)
    whatif.set_defaults(handler=run_whatif)


def run_whatif(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk flood whatif RESULT [PROJECT] --measures FILE.toml -o OUT``"""
    from cimdesk.base.jobs import CancelToken
    from cimdesk.commands.flood_compare import compare_runs
    from cimdesk.commands.flood_whatif import whatif_file

    data, before, after = whatif_file(
        arguments.result.absolute(), arguments.measures, arguments.out, True if arguments.whole else None, arguments.threads,
        console.progress, CancelToken(), True if arguments.run_drains else False if arguments.recorded_drains else None,
    )  # fmt: skip
    if arguments.project is None:
        data |= compare_runs(None, before, after)
    else:
        with opened(arguments.project, console, read_only=True) as session:
            data |= compare_runs(session, before, after)
    found = data["depth_difference"]
    lines = [
        f"{arguments.out}: {data['window_cells']:,} of {data['cells']:,} cells" if "window" in data else f"{arguments.out}: whole",
        f"  in {data['seconds']:.1f} s, mass error {data['mass_error']:.1e}",
        *([f"  without the measures the window is within {data['nesting_error_m']:.3f} m"] if "nesting_error_m" in data else []),
        f"  up to {found['max_increase_m']:.2f} m deeper, {-found['max_decrease_m']:.2f} m shallower",
    ]
    exposure = data["exposure_difference"]
    if exposure is not None:
        wet, people = exposure["buildings_wet"], exposure["people"]
        lines.append(f"  buildings {wet['a']:,.0f} -> {wet['b']:,.0f}, people {people['a']:,.0f} -> {people['b']:,.0f}")
    lines += [f"  {note}" for note in data["notes"]]
    return Outcome(data, lines)
