"""Commands that judge floods: flood exposure, flood compare, flood calibrate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cimdesk.app.console import DONE, DONE_WITH_PROBLEMS, Console, Outcome, add_json_option
from cimdesk.app.sessions import opened
from cimdesk.base.units import format_count


def add_commands(subcommands: Any) -> None:
    """Add the commands to those of ``flood``."""
    exposure = subcommands.add_parser("exposure", help="who and what is wet, cut off and damaged")
    exposure.add_argument("result", type=Path)
    exposure.add_argument("project", type=Path)
    exposure.add_argument("--at", type=float, metavar="SECONDS", help="after the start of the run; without it the greatest depth")
    exposure.add_argument("--passable", type=float, metavar="DEPTH", help="depth that stops traffic, in metres")
    exposure.add_argument(
        "--exit", type=_place, action="append", metavar="X,Y", help="a place that roads must lead to; may be repeated"
    )
    exposure.add_argument("--csv", type=Path, metavar="OUT", help="write the counts as a table")
    add_json_option(exposure)
    exposure.set_defaults(handler=run_exposure)

    compare = subcommands.add_parser("compare", help="the difference of two runs: depth, and exposure where a project is given")
    compare.add_argument("result_a", type=Path, metavar="RESULT_A")
    compare.add_argument("result_b", type=Path, metavar="RESULT_B")
    compare.add_argument("project", type=Path, nargs="?", metavar="PROJECT")
    compare.add_argument("--at", type=float, metavar="SECONDS", help="after the start of each run; without it the greatest depths")
    compare.add_argument("-o", "--out", type=Path, metavar="GEOTIFF", help="write the difference of depth as a raster")
    add_json_option(compare)
    compare.set_defaults(handler=run_compare)

    calibrate = subcommands.add_parser("calibrate", help="a run against surveyed marks and gauges")
    calibrate.add_argument("result", type=Path)
    calibrate.add_argument("marks", type=Path, metavar="MARKS.csv", help="name, x, y, level or depth, and maybe time and source")
    calibrate.add_argument("project", type=Path, nargs="?", metavar="PROJECT", help="whose water gauges are compared too")
    calibrate.add_argument(
        "--column", default="", metavar="NAME", help="the column that holds the level, where it is not called so"
    )
    calibrate.add_argument("--csv", type=Path, metavar="OUT", help="write the comparison as a table")
    add_json_option(calibrate)
    calibrate.set_defaults(handler=run_calibrate)


def _place(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no place such as 431205.0,2558410.0") from None
    return x, y


def run_exposure(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk flood exposure RESULT PROJECT``"""
    import numpy as np

    from cimdesk.commands.flood_compare import read_run
    from cimdesk.commands.flood_exposure import exposure_of, write_exposure_csv

    path = arguments.result.absolute()
    exits = np.array(arguments.exit, dtype=np.float64) if arguments.exit else None
    with opened(arguments.project, console, read_only=True) as session:
        time = None if arguments.at is None else read_run(path)[0].start_time + arguments.at
        data = exposure_of(session, path, time, passable_depth=arguments.passable, exits=exits)
    if arguments.csv is not None:
        write_exposure_csv(arguments.csv, data, path.name)
    lines = [f"people in buildings with water at the wall: {data['people']:,.0f}"]
    lines += [f"  {name}: {count}" for name, count in data["buildings"].items()]
    isolation, damage = data["isolation"], data["damage"]
    if isolation is not None:
        lines.append(
            f"without a dry way out (water over {isolation['passable_depth_m']:g} m stops traffic): "
            f"{format_count(isolation['buildings'])} buildings, {format_count(isolation['people'])} people, "
            f"{format_count(isolation['cut_off_m'])} m of road cut off"
        )
    if damage["total"] > 0:
        spread = f"{format_count(damage['low'])} to {format_count(damage['high'])}"
        lines.append(f"damage: {format_count(damage['total'])} {damage['currency']} ({spread}); {damage['table']}, unverified")
    if data["statement"]:
        lines.append(data["statement"])
    return Outcome(data, lines)


def run_compare(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk flood compare RESULT_A RESULT_B [PROJECT]``"""
    from cimdesk.commands.flood_compare import compare_files

    paths = arguments.result_a.absolute(), arguments.result_b.absolute()
    if arguments.project is None:
        data = compare_files(*paths, None, arguments.at, arguments.out)
    else:
        with opened(arguments.project, console, read_only=True) as session:
            data = compare_files(*paths, session, arguments.at, arguments.out)
    found = data["depth_difference"]
    lines = [
        f"B - A: up to {found['max_increase_m']:.2f} m deeper, {-found['max_decrease_m']:.2f} m shallower",
        f"  wetter {found['wetter_m2']:,.0f} m2, drier {found['drier_m2']:,.0f} m2, water {found['volume_m3']:+,.0f} m3",
    ]
    exposure = data["exposure_difference"]
    if exposure is not None:
        wet, people = exposure["buildings_wet"], exposure["people"]
        lines.append(f"  buildings {wet['a']:,.0f} -> {wet['b']:,.0f}, people {people['a']:,.0f} -> {people['b']:,.0f}")
    lines += [f"  {note}" for note in data["notes"]]
    lines += [f"  {side.upper()}: {data[side]['statement']}" for side in ("a", "b")]
    return Outcome(data, lines)


def run_calibrate(arguments: argparse.Namespace, console: Console) -> Outcome:
    """``cimdesk flood calibrate RESULT MARKS.csv [PROJECT]``"""
    from cimdesk.commands.flood_calibration import calibrate, calibration_data, peaks_text, write_calibration_csv
    from cimdesk.commands.flood_compare import read_run

    result = read_run(arguments.result.absolute())[0]
    if arguments.project is None:
        found = calibrate(result, arguments.marks, value=arguments.column)
    else:
        with opened(arguments.project, console, read_only=True) as session:
            found = calibrate(result, arguments.marks, session, arguments.column)
    if arguments.csv is not None:
        write_calibration_csv(arguments.csv, found)
    lines = [
        f"{row.name}: observed {row.observed:.2f} m, run {row.modelled:.2f} m, {row.error:+.2f} m {row.note}" for row in found.rows
    ]
    lines += [peaks_text(found.peaks), found.statement]
    for problem in found.problems:
        console.note(f"{problem.where}: {problem.message}")
    return Outcome(calibration_data(found), lines, DONE_WITH_PROBLEMS if found.problems else DONE)
