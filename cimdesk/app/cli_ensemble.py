"""The command flood ensemble."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from cimdesk.app.console import Console, Outcome, add_json_option


def add_commands(subcommands: Any) -> None:
    """Add the command to ``flood``."""
    ensemble = subcommands.add_parser("ensemble", help="run a scenario for several return periods and measures; map annual chances")
    ensemble.add_argument("scenario", type=Path, metavar="SCENARIO.toml")
    ensemble.add_argument("-o", "--out", type=Path, required=True, metavar="FOLDER", help="what is finished there is kept")
    ensemble.add_argument("--return-periods", required=True, metavar="YEARS", help="such as 2,5,10,50,100")
    ensemble.add_argument(
        "--measures", type=Path, action="append", default=[], metavar="FILE.toml", help="a set of measures; may be given again"
    )
    ensemble.add_argument("--city", default="", metavar="NAME", help="its design storm replaces the rain of the scenario")
    ensemble.add_argument("--storm", default="2h", metavar="TIME", help="how long that storm is (default: 2h)")
    ensemble.add_argument("--depths", default="0.15,0.3,0.5", metavar="METRES", help="depths whose chance is mapped")
    ensemble.add_argument("--project", type=Path, metavar="PROJECT", help="whose buildings count for the damage of an average year")
    ensemble.add_argument("--workers", type=int, default=0, metavar="N", help="runs at once on this computer; 0 for one a core")
    ensemble.add_argument("--scheduler", default="", metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786")
    add_json_option(ensemble)
    ensemble.set_defaults(handler=run_ensemble)


def run_ensemble(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk flood ensemble SCENARIO.toml --return-periods 2,5,10 -o FOLDER``"""
    from cimdesk.app.sessions import opened
    from cimdesk.base.errors import UsageError
    from cimdesk.base.jobs import CancelToken
    from cimdesk.base.units import parse_duration
    from cimdesk.commands import flood_ensemble
    from cimdesk.commands.flood_ensemble import Ensemble, shown_thresholds

    try:
        storm = parse_duration(arguments.storm)
    except ValueError as error:
        raise UsageError("--storm {time} is no time.", remedy="Say 30min or 2h.", time=arguments.storm) from error
    ensemble = Ensemble(
        arguments.scenario, shown_thresholds(arguments.return_periods), arguments.out, tuple(arguments.measures), arguments.city,
        storm, shown_thresholds(arguments.depths),
    )  # fmt: skip
    project = opened(arguments.project, console, read_only=True) if arguments.project else nullcontext()
    with project as session:
        data = flood_ensemble.run_ensemble(
            ensemble, arguments.workers, arguments.scheduler, console.progress, CancelToken(), session
        )
    lines = [
        f"{m['set']}, {m['return_period']:g} years: deepest {m['max_depth_m']:.2f} m, wet {m['wet_area_m2']:,.0f} m2, "
        f"mass error {m['mass_error']:.1e}" + (" (kept)" if m["kept"] else "")
        for m in data["members"]
    ]
    for each in data["sets"]:
        wet = ", ".join(f"over {depth} m {area:,.0f} m2" for depth, area in each["expected_wet_m2"].items())
        lines.append(f"{each['set']}: in an average year wet {wet}")
        if each["damage"]:
            lines.append(f"  damage of an average year {each['damage']['expected_annual']:,.0f} {each['damage']['currency']}")
        lines += [f"  {file}" for file in each["files"] if file.endswith(".gpkg")]
    return Outcome(data, lines)
