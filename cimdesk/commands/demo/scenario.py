"""The flood scenario of the demo city: a 50-year storm on high water, as a scenario file and the series it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.commands.demo import places, storm
from cimdesk.commands.demo.gauges import Gauge, iso_time
from cimdesk.commands.demo.plan import Plan
from cimdesk.commands.demo.terrain import start_depth
from cimdesk.model.terrain import Terrain

CELLS = {"small": 4.0, "city": 10.0}
NAME = "50-year storm"
NAME_WITH_DRAINS = "50-year storm, with drains"
DRAINS_MM_PER_H = 42.0
"""What soil and sewers take together: sewers of a two-year standard, on the whole area."""

SOIL_MM_PER_H = 8.0
"""What soil takes by itself, on the whole area."""
LOSSES = '# Soil and the two-year sewers together.\ninfiltration = {{ model = "constant", rate_mm_h = {rate} }}'
SOIL = '# Soil alone; the sewers are below.\ninfiltration = {{ model = "constant", rate_mm_h = {rate} }}'
SEWERS = """
# The sewers themselves, by SWMM: streets drain into them, full ones come up through the manholes.
[drainage]
network = "drainage.inp"
"""

TEMPLATE = """# A 50-year storm meets high water in the Pearl River. Change a number and run it again.
[scenario]
name = "{name}"
terrain = "terrain.tif"
cell = {cell}
start = "{start}"
duration = "3h"
output_every = "5min"
engine = "inertial"
precision = "float32"

[surface]
manning = 0.035
buildings = {{ source = "city.city.json", treatment = "block" }}
{losses}

[initial]
depth = "river_depth.tif"

[[rain]]
hyetograph = "storm-50_rain.csv"

[[boundary]]
edge = "west"
kind = "level"
level = "tide.csv"

[[boundary]]
edge = "east"
kind = "level"
level = "tide.csv"
"""
GAUGE = """
[[gauge]]
name = "{name}"
at = [{x:.1f}, {y:.1f}]
"""


def write_scenario(folder: Path, plan: Plan, terrain: Terrain, gauges: Sequence[Gauge]) -> None:
    """Write ``storm-50.toml``, its rain, the tide and the water standing in river and creeks at its start.

    ``storm-50-drains.toml`` beside it is the same storm with the sewers simulated, which needs SWMM.
    """
    from cimdesk.formats.raster_write import write_geotiff

    level = float(storm.tide_level(np.array([storm.STORM_START]))[0])
    write_geotiff(folder / "river_depth.tif", start_depth(plan, terrain, level), Crs(places.CRS))
    times = storm.record_times() - storm.STEP
    is_storm = (times >= storm.STORM_START - 1.0) & (times <= storm.STORM_START + storm.STORM_DURATION + 1.0)
    rates = storm.rain_depths() * 3600.0 / storm.STEP
    rows = [f"{iso_time(time)},{rate:.3f}" for time, rate in zip(times[is_storm], rates[is_storm], strict=True)]
    _write(folder / "storm-50_rain.csv", ["time,rain_mm_h", *rows])
    moments = np.arange(storm.STORM_START, storm.RECORD_END + 1.0, 600.0)
    rows = [f"{iso_time(time)},{value:.3f}" for time, value in zip(moments, storm.tide_level(moments), strict=True)]
    _write(folder / "tide.csv", ["time,level_m", *rows])
    points = "".join(GAUGE.format(name=gauge.key, x=gauge.xy[0], y=gauge.xy[1]) for gauge in gauges if gauge.key.startswith("PS"))
    scenarios = (
        ("storm-50", NAME, LOSSES.format(rate=DRAINS_MM_PER_H), ""),
        ("storm-50-drains", NAME_WITH_DRAINS, SOIL.format(rate=SOIL_MM_PER_H), SEWERS),
    )
    for stem, name, losses, sewers in scenarios:
        text = TEMPLATE.format(name=name, cell=CELLS[plan.size], start=iso_time(storm.STORM_START), losses=losses)
        (folder / f"{stem}.toml").write_text(text + sewers + points, encoding="utf-8", newline="\n")


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
