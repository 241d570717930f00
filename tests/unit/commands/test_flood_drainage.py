"""Scenarios with drains: what is refused before the run, what a result keeps, what clearing an inlet changes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import CimdeskError, DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands import flood
from cimdesk.commands.flood_drainage import unblocked
from cimdesk.formats.flood_result import read_result
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.model.terrain import Terrain
from cimdesk.services import swmm

pytestmark = pytest.mark.skipif(find_spec("swmm") is None, reason="SWMM is not installed: drains are NOT tested")

NETWORK = """[OPTIONS]
FLOW_UNITS LPS
FLOW_ROUTING DYNWAVE
[JUNCTIONS]
雨1 8 2 0 0 0
J2 7.9 2 0 0 0
DEEP 2 2 0 0 0
[OUTFALLS]
O1 7.6 FREE NO
[CONDUITS]
C1 雨1 J2 60 0.013 0 0 0 0
C2 J2 DEEP 50 0.013 0 0 0 0
C3 DEEP O1 50 0.013 0 0 0 0
[XSECTIONS]
C1 CIRCULAR 0.4 0 0 0 1
C2 CIRCULAR 0.4 0 0 0 1
C3 CIRCULAR 0.4 0 0 0 1
[COORDINATES]
雨1 431021 2558041
J2 431081 2558041
DEEP 431101 2558041
O1 431281 2558041
"""
SCENARIO = """[scenario]
name = "street"
terrain = "ground.tif"
duration = "5min"
output_every = "1min"
[[rain]]
rate_mm_h = 100.0
[drainage]
network = "drainage.inp"
sealed = ["J2"]
clogged = [{ nodes = ["雨1"], share = 0.5 }]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    y, x = np.mgrid[:40, :60]
    ground = (10.0 + 0.004 * (59 - x) + 0.02 * np.abs(y - 20)).astype(np.float32)
    write_geotiff(tmp_path / "ground.tif", Terrain(ground, 431000.0, 2558080.0, 2.0, 2.0), Crs("EPSG:4547"))
    (tmp_path / "drainage.inp").write_text(NETWORK, encoding="utf-8")
    (tmp_path / "street.toml").write_text(SCENARIO, encoding="utf-8")
    return tmp_path


def changed(folder: Path, old: str, new: str, name: str = "street.toml") -> Path:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    return folder / "street.toml"


def test_a_run_states_where_the_water_went_and_its_file_keeps_the_nodes(folder: Path):
    figures = flood.run_file(folder / "street.toml", folder / "out.flood", threads=1)
    stated = figures["drainage"]
    assert (stated["nodes"], stated["inlets"], stated["sealed"], stated["outfalls_on_grid"]) == (4, 1, 2, 0)
    assert stated["inflow_m3"] > 0.1
    assert stated["inflow_m3"] == pytest.approx(figures["exchange_out_m3"], rel=1e-6)
    kept = read_result(folder / "out.flood").drainage
    assert list(kept.ids) == ["雨1", "J2", "DEEP", "O1"]
    np.testing.assert_allclose(kept.times, [0, 60, 120, 180, 240, 300], atol=2.0)
    assert kept.depths.shape == kept.exchange.shape == kept.surcharge.shape == (6, 4)
    assert kept.depths[-1, 0] > 0.01
    assert kept.surcharge_at(300.0).max() == 0.0
    taken = (kept.exchange[1:, 0] * np.diff(kept.times)).sum()
    assert taken == pytest.approx(stated["inflow_m3"], rel=1e-3)


def test_a_network_in_a_chinese_encoding_runs(folder: Path):
    (folder / "drainage.inp").write_text(NETWORK, encoding="gb18030")
    figures = flood.run_file(folder / "street.toml", folder / "out.flood", threads=1)
    assert figures["drainage"]["inflow_m3"] > 0.1


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('network = "drainage.inp"', 'network = "none.inp"', "drainage.network"),
        ('network = "drainage.inp"', "", "drainage.network"),
        ('network = "drainage.inp"', 'network = "ground.tif"', ""),
        ("sealed", "seeled", "drainage.seeled"),
        ('sealed = ["J2"]', 'sealed = "J2"', "drainage.sealed"),
        ('sealed = ["J2"]', 'sealed = ["J9"]', "drainage.sealed"),
        ('nodes = ["雨1"]', 'nodes = ["J9"]', "drainage.clogged"),
        ("share = 0.5", "share = 1.5", "drainage.clogged[1].share"),
        ("[drainage]", "[drainage]\nclogging = -1", "drainage.clogging"),
        ("[drainage]", '[drainage]\nstep = "1min"', "drainage.step"),
        ("[drainage]", '[[measure]]\nkind = "wall"\n[drainage]', "measure[1].line"),
        ("[drainage]", '[[measure]]\nkind = "dam"\n[drainage]', "measure[1].kind"),
    ],
)
def test_faults_of_drains_are_told_with_their_field_before_the_run(folder: Path, old: str, new: str, where: str):
    with pytest.raises(DataError) as caught:
        flood.load_scenario(changed(folder, old, new))
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        (NETWORK[NETWORK.index("[COORDINATES]") :], "", "coordinates"),
        ("431021 2558041", "431021 9", "no manhole"),
        ("雨1 8 2", "雨1 3 2", "no manhole"),
        ("FLOW_UNITS LPS", "UNITS LPS", ""),
    ],
)
def test_faults_of_the_network_are_told_with_its_file(folder: Path, old: str, new: str, part: str):
    scenario = changed(folder, old, new, "drainage.inp")
    with pytest.raises(DataError) as caught:
        flood.simulate(flood.load_scenario(scenario), 1)
    assert part in str(caught.value)
    assert caught.value.path == folder / "drainage.inp"


def test_drains_without_swmm_are_refused_before_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(swmm, "find_spec", lambda name: None)
    with pytest.raises(CimdeskError, match="swmm-toolkit"):
        flood.load_scenario(folder / "street.toml")


def test_a_cancelled_run_leaves_no_process(folder: Path):
    import multiprocessing

    cancel = CancelToken()

    def progress(fraction: float | None, text: str = "") -> None:
        if fraction is not None and fraction > 0.1:
            cancel.cancel()

    with pytest.raises(CimdeskError, match="Cancelled"):
        flood.run_file(folder / "street.toml", folder / "out.flood", 1, progress, cancel)
    assert not [child for child in multiprocessing.active_children() if child.name == "cimdesk-swmm"]
    assert not (folder / "out.flood").exists()


def test_clearing_an_inlet_is_a_measure(folder: Path):
    as_written = flood.load_scenario(folder / "street.toml")
    cleared = flood.load_scenario(changed(folder, "[drainage]", '[[measure]]\nkind = "unblock"\nnodes = ["雨1"]\n[drainage]'))
    assert as_written.drainage.clogging.tolist() == [0.5, 0.0, 0.0, 0.0]
    assert cleared.drainage.clogging.tolist() == [0.0] * 4
    assert unblocked(as_written, ["雨1"]).drainage.clogging.tolist() == [0.0] * 4
    assert flood.inputs_hash(as_written) != flood.inputs_hash(cleared)
    a, b = (flood.simulate(one, 1).statistics["drainage"]["inflow_m3"] for one in (as_written, cleared))
    assert b > 1.05 * a
