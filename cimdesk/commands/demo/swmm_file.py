"""The sewers of the demo city as a SWMM 5.2 input file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from cimdesk.base.units import DEFAULT_ZONE
from cimdesk.commands.demo import places, storm
from cimdesk.commands.demo.drainage import MANNING, Sewers
from cimdesk.model.terrain import Terrain

OPTIONS = """FLOW_UNITS           CMS
INFILTRATION         HORTON
FLOW_ROUTING         DYNWAVE
LINK_OFFSETS         DEPTH
MIN_SLOPE            0
ALLOW_PONDING        YES
START_DATE           06/07/2026
START_TIME           10:00:00
REPORT_START_DATE    06/07/2026
REPORT_START_TIME    10:00:00
END_DATE             06/07/2026
END_TIME             16:00:00
SWEEP_START          01/01
SWEEP_END            12/31
DRY_DAYS             5
REPORT_STEP          00:05:00
WET_STEP             00:01:00
DRY_STEP             00:05:00
ROUTING_STEP         5
INERTIAL_DAMPING     PARTIAL
NORMAL_FLOW_LIMITED  BOTH
FORCE_MAIN_EQUATION  H-W
VARIABLE_STEP        0.75
LENGTHENING_STEP     0
MIN_SURFAREA         1.167
MAX_TRIALS           8
HEAD_TOLERANCE       0.0015
THREADS              1"""


def write_swmm(path: Path, sewers: Sewers, terrain: Terrain) -> None:
    """Write nodes, pipes, pumps, catchments, rain and tide; flow unit m3/s."""
    sections = [
        ("TITLE", ["Liede Riverside demo 猎德滨江演示: storm sewers, storm of 7 June 2026"]),
        ("OPTIONS", OPTIONS.splitlines()),
        ("EVAPORATION", ["CONSTANT 0.0", "DRY_ONLY NO"]),
        ("RAINGAGES", ["RG1 INTENSITY 0:05 1.0 TIMESERIES STORM"]),
        *_catchment_sections(sewers),
        *_node_sections(sewers, terrain),
        *_link_sections(sewers),
        (
            "CURVES",
            [
                "LIFT PUMP4 0.0 0.0",
                "LIFT 0.6 0.06",
                "LIFT 1.5 0.14",
                "LIFT 3.0 0.22",
                "LIFT 5.0 0.26",
                "SUMP STORAGE 0 60",
                "SUMP 4 60",
            ],
        ),
        ("TIMESERIES", list(_series())),
        ("REPORT", ["INPUT NO", "CONTROLS NO", "SUBCATCHMENTS NONE", "NODES NONE", "LINKS NONE"]),
        *_map_sections(sewers),
    ]
    text = "\n\n".join(f"[{name}]\n" + "\n".join(lines) for name, lines in sections) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def _catchment_sections(sewers: Sewers) -> list[tuple[str, list[str]]]:
    basins, areas, soils = [], [], []
    for k, c in enumerate(sewers.catchments):
        name, outlet = f"S{k + 1:04d}", sewers.node_name(c.outlet)
        basins.append(f"{name} RG1 {outlet} {c.area / 1e4:.4f} {c.paved * 100:.0f} {np.sqrt(c.area):.1f} 0.5 0")
        areas.append(f"{name} 0.013 0.20 1.5 5.0 25 OUTLET")
        soils.append(f"{name} 76 8 4 7 0")
    basins.append(f"SUMPROAD RG1 BZ0001 0.4200 100 {np.sqrt(4200.0):.1f} 5.0 0")
    areas.append("SUMPROAD 0.013 0.20 1.0 5.0 25 OUTLET")
    soils.append("SUMPROAD 76 8 4 7 0")
    return [("SUBCATCHMENTS", basins), ("SUBAREAS", areas), ("INFILTRATION", soils)]


def _node_sections(sewers: Sewers, terrain: Terrain) -> list[tuple[str, list[str]]]:
    junctions, outfalls = [], []
    for k in range(len(sewers.xy)):
        name, invert = sewers.node_name(k), sewers.invert[k]
        if sewers.is_outfall[k]:
            outfalls.append(f"{name} {invert:.3f} TIMESERIES TIDE YES")
        else:
            junctions.append(f"{name} {invert:.3f} {max(sewers.ground[k] - invert, 0.8):.3f} 0 0 200")
    low = _sump_ground(sewers, terrain)
    storage = [f"BZ0001 {low - 4.0:.3f} 4.000 0.4 TABULAR SUMP 0 0"]
    return [("JUNCTIONS", junctions), ("OUTFALLS", outfalls), ("STORAGE", storage)]


def _sump_ground(sewers: Sewers, terrain: Terrain) -> float:
    assert sewers.sump_xy is not None
    return float(terrain.sample(sewers.sump_xy[None, :])[0])


def _link_sections(sewers: Sewers) -> list[tuple[str, list[str]]]:
    conduits, sections = [], []
    for k in np.flatnonzero(sewers.to >= 0).tolist():
        name, down = sewers.link_name(k), int(sewers.to[k])
        drop = max(sewers.invert_down[k] - sewers.invert[down], 0.0)
        length = max(sewers.length[k], 1.0)
        conduits.append(f"{name} {sewers.node_name(k)} {sewers.node_name(down)} {length:.2f} {MANNING} 0 {drop:.3f} 0 0")
        sections.append(f"{name} CIRCULAR {sewers.diameter[k]:.3f} 0 0 0 1")
    pumps = [
        f"B{k} BZ0001 {sewers.node_name(sewers.sump_to)} LIFT {'ON' if k == 1 else 'OFF'} {0.5 * k:.1f} {0.25 * k:.2f}"
        for k in (1, 2)
    ]
    return [("CONDUITS", conduits), ("PUMPS", pumps), ("XSECTIONS", sections)]


def _series() -> Iterable[str]:
    # A value of an INTENSITY gage holds from its time until the next.
    for time, depth in zip(storm.record_times() - storm.STEP, storm.rain_depths(), strict=True):
        yield f"STORM {_clock(time)} {depth * 3600.0 / storm.STEP:.3f}"
    for time in np.arange(storm.RECORD_START, storm.RECORD_END + 1.0, 900.0):
        yield f"TIDE {_clock(time)} {storm.tide_level(np.array([time]))[0]:.3f}"


def _clock(time: float) -> str:
    return datetime.fromtimestamp(float(time), ZoneInfo(DEFAULT_ZONE)).strftime("%m/%d/%Y %H:%M")


def _map_sections(sewers: Sewers) -> list[tuple[str, list[str]]]:
    assert sewers.sump_xy is not None
    points = [f"{sewers.node_name(k)} {x:.2f} {y:.2f}" for k, (x, y) in enumerate(sewers.xy.tolist())]
    points.append(f"BZ0001 {sewers.sump_xy[0]:.2f} {sewers.sump_xy[1]:.2f}")
    rings = [f"S{k + 1:04d} {x:.2f} {y:.2f}" for k, c in enumerate(sewers.catchments) for x, y in c.ring[:-1].tolist()]
    x, y = sewers.sump_xy
    rings += [f"SUMPROAD {x + dx:.2f} {y + dy:.2f}" for dx, dy in ((-12, -70), (12, -70), (12, 70), (-12, 70))]
    tags = [f"Link {sewers.link_name(k)} {sewers.street[k].replace(' ', '_')}" for k in np.flatnonzero(sewers.to >= 0).tolist()]
    low, high = sewers.xy.min(axis=0) - 50.0, sewers.xy.max(axis=0) + 50.0
    extent = [f"DIMENSIONS {low[0]:.1f} {low[1]:.1f} {high[0]:.1f} {high[1]:.1f}", "UNITS Meters"]
    gage = places.ORIGIN
    return [
        ("TAGS", tags),
        ("MAP", extent),
        ("COORDINATES", points),
        ("POLYGONS", rings),
        ("SYMBOLS", [f"RG1 {gage[0] + 760.0:.1f} {gage[1] + 430.0:.1f}"]),
    ]
