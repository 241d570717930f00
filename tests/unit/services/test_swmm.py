"""The process that SWMM runs in: what it is given, what it says when it refuses, how it ends."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.errors import DataError, ServiceError, UsageError
from cimdesk.services import swmm

needs_swmm = pytest.mark.skipif(find_spec("swmm") is None, reason="SWMM is not installed: drains are NOT tested")

TEXT = """[TITLE]
one pipe
[OPTIONS]
FLOW_UNITS CMS
FLOW_ROUTING KINWAVE
START_DATE 06/07/2026
START_TIME 11:30:00
ROUTING_STEP 20
[FILES]
SAVE HOTSTART end.hsf
[JUNCTIONS]
J1 8 2 0 0 0
[OUTFALLS]
O1 7.6 FREE NO
[CONDUITS]
C1 J1 O1 60 0.013 0 0 0 0
[XSECTIONS]
C1 CIRCULAR 0.4 0 0 0 1
[TIMESERIES]
TIDE FILE tide.dat
[REPORT]
INPUT YES
"""


def plan(folder: Path, text: str = TEXT, **fields: object) -> swmm.SewerPlan:
    file = folder / "net.inp"
    file.write_text(text, encoding="utf-8")
    given = {
        "source": file, "ids": np.array(["J1", "O1"], dtype=object), "inlets": np.array([0]), "outfalls": np.array([1]),
        "manhole_area": 1.167, "step": 1.0, "start": None, "duration": 600.0,
    }  # fmt: skip
    return swmm.SewerPlan(**{**given, **fields})


def without_series(text: str = TEXT) -> str:
    return text.replace("[TIMESERIES]\nTIDE FILE tide.dat\n", "")


def test_the_copy_for_swmm_keeps_its_lines_and_leaves_the_rain_to_the_surface(tmp_path: Path):
    given = plan(tmp_path)
    lines = swmm.prepared(TEXT, given, 1.0).splitlines()
    original = TEXT.splitlines()
    assert [k for k, line in enumerate(original) if lines[k] != line] == [
        k for k, line in enumerate(original)
        if line.startswith(("FLOW_ROUTING", "START_", "ROUTING_STEP", "SAVE", "TIDE FILE", "INPUT"))
    ]  # fmt: skip
    added = lines[len(original) :]
    for setting in ("IGNORE_RAINFALL YES", "IGNORE_RDII YES", "FLOW_ROUTING DYNWAVE", "VARIABLE_STEP 0", "START_TIME 11:30:00"):
        assert setting in added
    assert f'TIDE FILE "{tmp_path / "tide.dat"}"' in lines


def test_the_clock_of_the_scenario_sets_that_of_the_pipes(tmp_path: Path):
    lines = swmm.prepared(TEXT, plan(tmp_path, start=1780801200.0), 1.0).splitlines()
    assert "START_DATE 06/07/2026" in lines
    assert "START_TIME 11:00:00" in lines


@pytest.mark.parametrize(
    ("error", "report", "reason", "where"),
    [
        ("x", "  ERROR 209: undefined object OX at line 17 of [CONDUIT] section:\n  C1 J1 OX 60\n",
         "undefined object OX [209]: C1 J1 OX 60", 17),
        ("x", "ERROR 205: invalid keyword  at line 16 of input file:\n  [JUNK]\n", "invalid keyword [205]: [JUNK]", 16),
        ("x", "\n  ERROR 141: Outfall O1 has more than 1 inlet link.\n", "Outfall O1 has more than 1 inlet link [141].", 0),
        (" ERROR 317:\n cannot open", "", "ERROR 317: cannot open", 0),
    ],
)  # fmt: skip
def test_what_swmm_says_becomes_one_line(error: str, report: str, reason: str, where: int):
    assert swmm.swmm_message(error, report) == (reason, f"line {where}" if where else "")


def test_swmm_that_is_not_installed_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(swmm, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="swmm-toolkit"):
        swmm.require_swmm()


@needs_swmm
@pytest.mark.parametrize(
    ("old", "new", "where", "word"),
    [
        ("C1 J1 O1 60", "C1 J1 OX 60", "line 16", "OX"),
        ("J1 8 2", "J1 8 deep", "line 12", "deep"),
        ("C1 CIRCULAR 0.4", "C1 CIRCULAR -1", "line 18", "-1"),
        ("[JUNCTIONS]", "[JUNKTIONS]", "line 11", "JUNKTIONS"),
        ("[XSECTIONS]\nC1 CIRCULAR 0.4 0 0 0 1\n", "", "", "C1"),
    ],
)
def test_a_network_that_swmm_refuses_is_told_in_one_message(tmp_path: Path, old: str, new: str, where: str, word: str):
    with pytest.raises(DataError) as caught:
        swmm.SewerProcess(plan(tmp_path, without_series().replace(old, new)))
    assert caught.value.where == where
    assert word in caught.value.message
    assert caught.value.path == tmp_path / "net.inp"


@needs_swmm
def test_the_process_steps_and_ends_with_its_owner(tmp_path: Path):
    with swmm.SewerProcess(plan(tmp_path, without_series())) as sewers:
        assert sewers.heads == pytest.approx([8.0])
        state = sewers.advance(60, np.array([3.0]), np.array([7.6]))
        assert state.received == pytest.approx([3.0])
        assert state.heads[0] > 8.05
        assert sewers.depths()[0] == pytest.approx(state.heads[0] - 8.0, abs=1e-5)
        assert sewers.totals().stored > 0.1
        child, folder = sewers._process, Path(sewers._folder.name)
    assert not child.is_alive()
    assert not folder.exists()


@needs_swmm
def test_flow_that_becomes_unstable_stops_the_run(tmp_path: Path):
    with swmm.SewerProcess(plan(tmp_path, without_series())) as sewers, pytest.raises(ServiceError, match="unstable"):
        sewers.advance(3, np.array([np.nan]), np.array([7.6]))


@needs_swmm
def test_two_simulations_run_side_by_side(tmp_path: Path):
    with swmm.SewerProcess(plan(tmp_path, without_series())) as a, swmm.SewerProcess(plan(tmp_path, without_series())) as b:
        full, empty = a.advance(30, np.array([3.0]), np.array([7.6])), b.advance(30, np.array([0.0]), np.array([7.6]))
    assert full.heads[0] > empty.heads[0]


@needs_swmm
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_process_that_dies_is_an_error_and_not_a_hang(tmp_path: Path):
    with swmm.SewerProcess(plan(tmp_path, without_series())) as sewers:
        os.kill(sewers._process.pid, signal.SIGKILL)
        with pytest.raises(ServiceError, match="ended unexpectedly"):
            sewers.advance(1, np.array([0.0]), np.array([7.6]))
