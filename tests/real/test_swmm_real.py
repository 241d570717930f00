"""Real drainage networks handed to SWMM: each one runs, or is refused in one line that names the place."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats.hydraulic import SWMM_READER
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.network import NodeKind
from cimdesk.services.swmm import SewerPlan, SewerProcess

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(find_spec("swmm") is None, reason="SWMM is not installed: drains are NOT tested"),
]
REFUSED = {
    # Names, as the line SWMM itself stops at; the reader tells of the same.
    "swmmio/Example1.inp": "line 205", "swmmio/invalid_model.inp": "line 59", "swmmio/model_full_features_network.inp": "line 94",
}  # fmt: skip


def plan_of(path: Path) -> SewerPlan:
    network = SWMM_READER.read(path, ReadOptions()).sources[0].data
    outfalls = np.flatnonzero(network.node_kind == NodeKind.OUTFALL)
    inlets = np.flatnonzero(network.node_kind != NodeKind.OUTFALL)
    return SewerPlan(path, network.nodes.ids, inlets, outfalls, 1.167, 1.0, None, 600.0, network.metadata["encoding"])


def test_every_real_network_runs_or_is_refused_by_line(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    files = sorted((real_data / "networks_drainage").rglob("*.inp"))
    assert len(files) > 15
    for path in files:
        name = path.relative_to(real_data / "networks_drainage").as_posix()
        plan = plan_of(path)
        if name in REFUSED:
            with pytest.raises(DataError) as caught:
                SewerProcess(plan)
            assert caught.value.where == REFUSED[name], name
            continue
        with SewerProcess(plan) as sewers:
            wet = sewers.advance(30, np.full(len(plan.inlets), 0.15), np.zeros(len(plan.outfalls)) - 1e3)
            assert np.isfinite(wet.heads).all(), name
            assert wet.received == pytest.approx(0.15), name
            assert sewers.totals().external >= 0.0, name
    assert not list(tmp_path.iterdir()), "SWMM left files behind"
