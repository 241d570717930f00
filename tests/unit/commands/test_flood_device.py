"""What a flood is computed on: asked for in scenario files and on the command line, refused with a reason, stated by results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cimdesk.analysis.flood import cuda_devices
from cimdesk.analysis.flood.cuda_devices import NO_DEVICE, NO_DRIVER, NO_PACKAGE, REMEDIES, Gpu, check_device, memory_needed
from cimdesk.app.cli import main
from cimdesk.base.errors import DataError, ServiceError
from cimdesk.base.i18n import set_language
from cimdesk.commands.flood import inputs_hash, run_file
from cimdesk.formats.scenario import read_scenario
from cimdesk.model.flood import FloodScenario
from cimdesk.model.flood_statement import device_words
from cimdesk.model.terrain import Terrain

SCENARIO = """
[scenario]
terrain = "ground.asc"
duration = "20s"
{scenario}
[solver]
{solver}
[initial]
depth = 0.2
"""
GROUND = "ncols 6\nnrows 6\nxllcorner 0\nyllcorner 0\ncellsize 5\n" + "1 1 1 1 1 1\n" * 6


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cuda_devices, "find_gpu", lambda: Gpu("", NO_DRIVER))


def written(folder: Path, solver: str = "", scenario: str = "") -> Path:
    (folder / "ground.asc").write_text(GROUND)
    path = folder / "storm.toml"
    path.write_text(SCENARIO.format(solver=solver, scenario=scenario))
    return path


def test_a_scenario_names_the_device(tmp_path: Path):
    assert read_scenario(written(tmp_path)).device == "cpu"
    assert read_scenario(written(tmp_path, 'device = "auto"')).device == "auto"
    with pytest.raises(DataError, match="device"):
        read_scenario(written(tmp_path, 'device = "abacus"'))


def test_asking_for_a_graphics_processor_that_is_not_there_ends_before_the_run(tmp_path: Path, no_gpu: None):
    with pytest.raises(ServiceError, match="no NVIDIA driver") as refused:
        run_file(written(tmp_path, 'device = "gpu"'), tmp_path / "storm.flood")
    assert "processor" in refused.value.remedy
    assert not list(tmp_path.glob("storm.flood*"))


def test_the_command_line_decides_over_the_file_and_says_why_it_cannot(tmp_path: Path, no_gpu: None, capsys: pytest.CaptureFixture):
    scenario = written(tmp_path)
    assert main(["flood", "run", str(scenario), "-o", str(tmp_path / "a.flood"), "--device", "gpu"]) != 0
    assert "no NVIDIA driver" in capsys.readouterr().err


def test_a_run_says_what_it_was_computed_on(tmp_path: Path, no_gpu: None):
    figures = run_file(written(tmp_path, 'device = "auto"'), tmp_path / "storm.flood", threads=1)
    assert figures["device"] == "cpu"


def test_the_device_leaves_what_a_result_was_made_from_as_it_is():
    ground = Terrain(np.zeros((4, 4), dtype=np.float32), 0.0, 4.0, 1.0, 1.0)
    scenario = FloodScenario("", ground, 0.03, np.zeros((4, 4), dtype=bool), 1.0, 1.0)
    assert inputs_hash(scenario) == inputs_hash(replace(scenario, device="gpu"))


@pytest.mark.parametrize("reason", [NO_DRIVER, NO_DEVICE, NO_PACKAGE])
def test_every_reason_has_a_remedy_and_is_told_in_chinese(reason: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cuda_devices, "find_gpu", lambda: Gpu("", reason))
    set_language("zh_CN")
    with pytest.raises(ServiceError) as refused:
        check_device("gpu", False)
    assert refused.value.remedy
    assert REMEDIES[reason] not in refused.value.localized()
    assert reason not in refused.value.localized()
    assert check_device("auto", False) == "cpu"


def test_a_device_that_is_there_is_used_where_it_can_compute(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cuda_devices, "find_gpu", lambda: Gpu("H100", ""))
    assert check_device("auto", False) == "gpu"
    assert check_device("auto", True) == "cpu"
    assert check_device("cpu", False) == "cpu"


@pytest.mark.parametrize("engine", ["inertial", "dynamic"])
def test_a_run_too_large_for_the_memory_of_the_device_is_refused_before_it_starts(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scenario = written(tmp_path, 'device = "gpu"', f'engine = "{engine}"')
    monkeypatch.setattr(cuda_devices, "find_gpu", lambda: Gpu("H100", "", 2**27))
    with pytest.raises(ServiceError, match=r"needs 0\.3 GB of graphics memory, and 0\.1 GB are free") as refused:
        run_file(scenario, tmp_path / "storm.flood")
    assert "larger cells" in refused.value.remedy
    assert not list(tmp_path.glob("storm.flood*"))
    assert check_device("auto", False, 2**30) == "cpu"


def test_the_memory_needed_grows_with_cells_precision_engine_and_notes():
    def needed(**fields) -> float:
        ground = Terrain(np.zeros((1000, 1000), dtype=np.float32), 0.0, 1000.0, 1.0, 1.0)
        return memory_needed(FloodScenario("", ground, 0.03, np.zeros((1000, 1000), dtype=bool), 1.0, 1.0, **fields)) - 2**28

    assert needed() == pytest.approx(56e6, rel=0.01)
    assert needed(engine="dynamic") == pytest.approx(92e6, rel=0.01)
    assert needed(engine="dynamic", precision="float64") == pytest.approx(184e6, rel=0.01)
    assert needed(timings=True) == pytest.approx(84e6, rel=0.01)


def test_people_read_the_device_and_its_name():
    assert device_words("gpu", "H100") == "graphics processor (H100)"
    assert device_words("cpu") == "processor"
    assert device_words("") == "not stated"
