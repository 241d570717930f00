"""What a report says is true of the runs it tells of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cimdesk.commands.history import Edit
from cimdesk.commands.reports import build_content
from cimdesk.commands.session import Session
from cimdesk.model.flood import FloodResult
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.terrain import Terrain
from cimdesk.report.document import ReportContent


def flood(engine: str) -> FloodResult:
    grid = np.full((4, 4), 0.3, dtype=np.float32)
    frames, times = np.stack([np.zeros_like(grid), grid]), np.array([0.0, 600.0])
    terrain = Terrain(np.zeros_like(grid), 0.0, 40.0, 10.0, 10.0)
    statistics = {"engine": engine, "cells": 16, "mass_error": 0.0} if engine else {}
    dry = grid < 0
    return FloodResult("run", terrain, dry, 0.0, times, frames, grid, grid, grid, grid, (), times, times, statistics=statistics)


def report(*results: FloodResult) -> ReportContent:
    session = Session()
    for k, result in enumerate(results):
        layer = Layer(f"flood-{k}", f"Run {k}", LayerKind.FLOOD, "run.flood")
        session.do(Edit("Add", (session.workspace.document.put("layer", layer.id, layer.to_record()),), {layer.id: result}))
    return build_content(session, "en", ())


def told(*results: FloodResult) -> str:
    return " ".join(text for section in report(*results).sections for text in section.paragraphs)


def flooded(result: FloodResult) -> str:
    return next(number for number, name in report(result).highlights if name == "land flooded")


def test_each_engine_is_told_by_its_own_equations():
    assert "local-inertial" in told(flood("inertial"))
    assert "full shallow-water" not in told(flood("inertial"))
    assert "full shallow-water" in told(flood("dynamic"))
    assert "local-inertial" not in told(flood("dynamic"))
    both = told(flood("inertial"), flood("dynamic"))
    assert "local-inertial" in both
    assert "full shallow-water" in both


@pytest.mark.parametrize("engine", ["", "HEC-RAS"])
def test_nothing_is_claimed_of_results_that_other_software_made(engine: str):
    assert "equations" not in told(flood(engine))


def test_flooded_land_is_counted_without_what_was_water_before():
    wet = flood("inertial")
    river = wet.depths.copy()
    river[0, 0, 0] = 1.0
    assert flooded(wet) == "1,600 m²"
    assert flooded(replace(wet, depths=river)) == "1,500 m²"
