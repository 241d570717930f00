"""A what-if in a meeting: a wall at the underpass of the demo city, on a window of its storm, beside the whole storm again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from cimdesk.commands.flood import simulate
from cimdesk.commands.flood_scenario import load_scenario
from cimdesk.commands.flood_whatif import difference, plan, run_window, with_measures
from cimdesk.commands.measures import as_inputs
from cimdesk.model.measures import Measure

pytestmark = [pytest.mark.benchmark, pytest.mark.slow, pytest.mark.timeout(1800)]

WALL = Measure("wall", "Underpass", ((431_025.0, 2_558_305.0), (431_325.0, 2_558_305.0)), numbers={"height": 1.5})


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    from cimdesk.commands.demo import generate

    given = os.environ.get("CIMDESK_DEMO_CITY")
    return Path(given) / "data" if given else generate(tmp_path_factory.mktemp("demo"), "city", 7).project.parent / "data"


def test_a_wall_in_the_demo_city_is_answered_within_a_minute(data):
    scenario = load_scenario(data / "storm-50.toml")
    parent = simulate(scenario, 2)
    changed = with_measures(scenario, as_inputs([WALL]), "wall")
    started = time.perf_counter()
    nested = run_window(changed, plan(parent, [WALL], whole=False), 2).result
    seconds = time.perf_counter() - started
    whole = simulate(changed, 2)
    off = np.abs(nested.max_depth - whole.max_depth)
    print(
        f"\nwindow {nested.statistics['window_cells']:,} of {nested.max_depth.size:,} cells, {seconds:.1f} s; "
        f"whole {whole.statistics['seconds']:.1f} s; off by {off.max():.3f} m at most, rms {np.sqrt((off**2).mean()):.4f} m; "
        f"{difference(parent, nested)} beside {difference(parent, whole)}; mass error {nested.statistics['mass_error']:.1e}"
    )
    assert seconds < 60.0
    assert np.percentile(off, 99.9) < 0.02
