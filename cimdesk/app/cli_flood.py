"""Commands about floods: flood run, and with `cli_flood_compare` flood exposure, compare, calibrate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cimdesk.app import cli_ensemble, cli_flood_compare, cli_flood_export, cli_section, cli_whatif
from cimdesk.app.console import DONE, DONE_WITH_PROBLEMS, Console, Outcome, add_json_option


def add_commands(commands: Any) -> None:
    """Add the commands to the parser."""
    flood = commands.add_parser("flood", help="simulate floods and count who and what is wet")
    subcommands = flood.add_subparsers(metavar="COMMAND", required=True)

    run = subcommands.add_parser("run", help="run the solver on a scenario file")
    run.add_argument("scenario", type=Path, metavar="SCENARIO.toml")
    run.add_argument("-o", "--out", type=Path, required=True, metavar="RESULT")
    run.add_argument("--threads", type=int, default=0, metavar="N", help="0 for all cores")
    run.add_argument(
        "--device", choices=("auto", "cpu", "gpu"), default="", help="what to compute on (default: what the scenario says, or cpu)"
    )
    run.add_argument("--resume", action="store_true", help="go on with a run that was broken off")
    run.add_argument(
        "--checkpoint", default="2min", metavar="TIME", help="how often to keep what is needed to go on (default: 2min)"
    )
    add_json_option(run)
    run.set_defaults(handler=run_flood)

    cli_flood_compare.add_commands(subcommands)
    cli_flood_export.add_commands(subcommands)
    cli_section.add_commands(subcommands)
    cli_whatif.add_commands(subcommands)
    cli_ensemble.add_commands(subcommands)


def run_flood(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk flood run SCENARIO.toml -o RESULT``"""
    from cimdesk.base.errors import UsageError
    from cimdesk.base.jobs import CancelToken
    from cimdesk.base.units import parse_duration
    from cimdesk.commands.flood import run_file
    from cimdesk.model.flood_statement import device_words

    try:
        every = parse_duration(arguments.checkpoint)
    except ValueError as error:
        raise UsageError("--checkpoint {time} is no time.", remedy="Say 30s, 2min or 1h.", time=arguments.checkpoint) from error
    data = run_file(
        arguments.scenario, arguments.out, arguments.threads, console.progress, CancelToken(), arguments.resume, every,
        arguments.device,
    )  # fmt: skip
    device = device_words(data.get("device", ""), data.get("device_name", ""))
    lines = [
        f"{arguments.out}: {data['cells']:,} cells, {data['steps']:,} steps in {data['seconds']:.1f} s "
        f"({data['cell_updates_per_s'] / 1e6:.1f} M cell updates/s, {device})",
        f"  mass error {data['mass_error']:.1e}, deepest {data['max_depth_m']:.2f} m, wet {data['wet_area_m2']:,.0f} m2",
    ]
    lines += [f"  {g['name']}: {g['max_depth_m']:.3f} m deep, level {g['max_level_m']:.3f} m" for g in data["gauges"]]
    if data["froude_warning"]:
        share = f"{data['froude_high_fraction']:.0%}"
        lines.append(f'  fast water in up to {share} of the wet cells: engine = "dynamic" suits it better')
    problems = data.get("problems", [])
    return Outcome(data, [*lines, *(f"  {p['message']}" for p in problems)], DONE_WITH_PROBLEMS if problems else DONE)
