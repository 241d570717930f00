"""Runs in a process of their own: the same bits, whatever happens to the process on the way."""

from __future__ import annotations

import os
import queue
import resource
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cimdesk.analysis.flood.inundation import run_inundation
from cimdesk.base.errors import Cancelled, CimdeskError, DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands import flood_child
from cimdesk.commands.flood import inputs_hash, simulate
from cimdesk.commands.flood_apart import ApartRun, clock_words, status_words, waiting_words
from cimdesk.formats.flood_records import read_records, write_records
from cimdesk.formats.flood_run import LiveWater, RunFolder, unfinished
from cimdesk.model.flood import EdgeBoundary, FloodResult, FloodScenario, Gauge, Series
from cimdesk.model.terrain import Terrain
from cimdesk.services.flood_process import SPARE, FloodProcess, RunStatus, error_from, error_record
from tests.numerics.sewers import drains, needs_swmm, swmm_text
from tests.numerics.test_drainage import AWAY, PIPES, RAIN, STREET, town
from tests.numerics.test_memory import everything

LONG = 3600.0 * 48


def storm(duration: float = 600.0, cells: int = 60, engine: str = "inertial", every: float = 100.0) -> FloodScenario:
    """Return rain on hilly ground, for a while or for longer than any test."""
    y, x = np.mgrid[:cells, :cells]
    ground = Terrain((np.sin(x / 9) + np.cos(y / 7)).astype(np.float32), 0.0, 2.0 * cells, 2.0, 2.0)
    return FloodScenario(
        "storm", ground, 0.03, np.zeros(ground.shape, dtype=bool), duration, every, engine=engine,
        rain=Series(np.array([0.0, duration]), np.array([2e-5, 0.0])), boundaries=(EdgeBoundary("west", "free"),),
        gauges=(Gauge("G", 41.0, 41.0),),
    )  # fmt: skip


def same(one: FloodResult, other: FloodResult) -> None:
    for name in ("max_depth", "max_speed", "max_depth_speed", "arrival", "times", "volume", "wet_area"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_array_equal(np.asarray(one.depths), np.asarray(other.depths))
    for a, b in zip(one.gauges, other.gauges, strict=True):
        np.testing.assert_array_equal(a.levels, b.levels)
    varying = {"seconds", "cell_updates_per_s", "threads", "inputs", "ended_early"}
    assert {k: v for k, v in one.statistics.items() if k not in varying} == {
        k: v for k, v in other.statistics.items() if k not in varying
    }


class Runs:
    """A run in a thread, as a job has it."""

    def __init__(self, folder: Path, scenario: FloodScenario | None, **fields: object) -> None:
        self.apart = ApartRun(RunFolder(folder / "storm.flood.part"), 1, **fields)
        self.cancel = CancelToken()
        self.said: queue.SimpleQueue = queue.SimpleQueue()
        self.result: FloodResult | None = None
        self.error: CimdeskError | None = None
        self._scenario = scenario
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        progress = lambda fraction, text="": self.said.put((fraction, text))  # noqa: E731
        try:
            if self._scenario is None:
                self.result = self.apart.resume(None, progress, self.cancel)
            else:
                self.result = self.apart.start(self._scenario, inputs_hash(self._scenario), progress, self.cancel)
        except CimdeskError as error:
            self.error = error

    def wait(self, condition: Callable[[RunStatus], bool], seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while not condition(self.apart.control.status):
            assert time.monotonic() < until, self.apart.control.status
            assert self.thread.is_alive(), self.error
            time.sleep(0.01)

    def ended(self) -> FloodResult | CimdeskError | None:
        self.thread.join(60.0)
        assert not self.thread.is_alive()
        return self.result if self.error is None else self.error


def child_of_this_process() -> int:
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    found = [int(pid) for file in children for pid in file.read_text().split()]
    return next(pid for pid in found if flood_child.__name__ in Path(f"/proc/{pid}/cmdline").read_text())


def test_a_run_apart_gives_what_a_run_here_gives(tmp_path: Path):
    scenario = storm()
    run = ApartRun(RunFolder(tmp_path / "r.part"), 2)
    same(run.start(scenario, "x", lambda *_: None, CancelToken()), simulate(scenario, 1))
    assert run.told(run._finished(scenario, 1.0, 1, "x")) is None
    run.close()
    assert not list(tmp_path.iterdir())


def test_a_killed_solver_leaves_its_frames_and_one_message(tmp_path: Path):
    run = Runs(tmp_path, storm(LONG, cells=150))
    run.wait(lambda status: status.frames >= 4)
    os.kill(child_of_this_process(), signal.SIGKILL)
    result = run.ended()
    assert isinstance(result, FloodResult)
    assert result.statistics["incomplete"] is True
    assert len(result.times) == len(result.depths) == len(result.volume) >= 4
    assert result.statistics["simulated_s"] == result.times[-1]
    assert abs(result.statistics["mass_error"]) < 1e-6
    assert result.gauges[0].times[-1] <= result.times[-1]
    whole = simulate(replace(storm(LONG, cells=150), duration=float(result.times[-1])), 1)
    np.testing.assert_array_equal(np.asarray(result.depths)[1], np.asarray(whole.depths)[1])
    told = run.apart.told(result)
    assert "ended by the system" in told.localized()
    assert "is kept" in told.localized()


def test_cancelling_takes_less_than_a_fifth_of_a_second_and_leaves_nothing(tmp_path: Path):
    waits = []
    for _ in range(3):
        run = Runs(tmp_path, storm(LONG, cells=300))
        run.wait(lambda status: status.steps > 0)
        began = time.perf_counter()
        run.cancel.cancel()
        assert isinstance(run.ended(), Cancelled)
        waits.append(time.perf_counter() - began)
        assert not list(tmp_path.iterdir())
    assert max(waits) <= 0.2


def test_a_held_run_stands_still_and_then_comes_to_the_same(tmp_path: Path):
    scenario = storm(3600.0 * 4, cells=100)
    run = Runs(tmp_path, scenario, is_shown=True)
    run.wait(lambda status: status.steps > 50)
    run.apart.control.pause()
    run.wait(lambda status: status.is_paused)
    steps = run.apart.control.status.steps
    time.sleep(0.3)
    assert run.apart.control.status.steps == steps
    assert run.apart.folder.has_checkpoint
    live = LiveWater.opened(run.apart.folder.live_file, scenario.terrain.shape)
    at, depth = live.depth()
    assert at == run.apart.control.status.time
    assert depth.max() > 0.0
    run.apart.control.resume()
    same(run.ended(), simulate(scenario, 1))


@pytest.mark.parametrize("engine", ["inertial", "dynamic"])
def test_a_run_that_was_left_goes_on_to_the_last_bit(tmp_path: Path, engine: str):
    scenario = replace(everything(engine), duration=3000.0, timings=True)
    run = Runs(tmp_path, scenario)
    run.wait(lambda status: status.time > 400.0)
    assert unfinished(tmp_path) == []
    run.apart.control.leave()
    assert isinstance(run.ended(), Cancelled)
    assert [found.path for found in unfinished(tmp_path)] == [run.apart.folder.path]
    same(Runs(tmp_path, None).ended(), simulate(scenario, 1))


def test_a_killed_run_goes_on_from_its_checkpoint(tmp_path: Path):
    scenario = storm(3600.0 * 3, cells=100)
    run = Runs(tmp_path, scenario, checkpoint_every=0.1)
    run.wait(lambda status: status.frames >= 20 and run.apart.folder.has_checkpoint)
    os.kill(child_of_this_process(), signal.SIGKILL)
    assert isinstance(run.ended(), FloodResult)
    same(Runs(tmp_path, None).ended(), simulate(scenario, 1))


@needs_swmm
def test_drains_come_to_where_they_were(tmp_path: Path):
    scenario = replace(town(rain=RAIN, drainage=drains(tmp_path, swmm_text(STREET, AWAY, PIPES))), duration=3600.0)
    run = Runs(tmp_path, scenario)
    run.wait(lambda status: status.time > 900.0)
    run.apart.control.leave()
    assert isinstance(run.ended(), Cancelled)
    network = (tmp_path / "drains.inp").read_text(encoding="utf-8")
    (tmp_path / "drains.inp").write_text(network + "\n;changed\n", encoding="utf-8")
    assert "network has changed" in str(Runs(tmp_path, None).ended())
    (tmp_path / "drains.inp").write_text(network, encoding="utf-8")
    result, whole = Runs(tmp_path, None).ended(), simulate(scenario, 1)
    same(result, whole)
    np.testing.assert_array_equal(result.drainage.depths, whole.drainage.depths)


@needs_swmm
def test_a_swmm_that_is_killed_is_one_message_with_the_frames_kept(tmp_path: Path):
    scenario = replace(town(rain=RAIN, drainage=drains(tmp_path, swmm_text(STREET, AWAY, PIPES))), duration=LONG)
    run = Runs(tmp_path, scenario)
    run.wait(lambda status: status.frames >= 3)
    solver = child_of_this_process()
    swmm = next(int(pid) for file in Path(f"/proc/{solver}/task").glob("*/children") for pid in file.read_text().split())
    while swmm and b"resource_tracker" in Path(f"/proc/{swmm}/cmdline").read_bytes():
        swmm = [int(pid) for file in Path(f"/proc/{solver}/task").glob("*/children") for pid in file.read_text().split()][-1]
    os.kill(swmm, signal.SIGKILL)
    result = run.ended()
    assert isinstance(result, FloodResult), result
    assert result.statistics["incomplete"] is True
    assert "SWMM" in run.apart.told(result).localized() or "drain" in run.apart.told(result).localized()


def test_a_disk_that_fills_stops_the_run_with_its_frames_and_a_last_checkpoint(tmp_path: Path):
    scenario = storm(3600.0 * 6, cells=60)
    run = Runs(tmp_path, scenario, checkpoint_every=LONG)
    run.wait(lambda status: status.frames >= 2)
    size = run.apart.folder.reserve_file.stat().st_size - 800_000
    resource.prlimit(child_of_this_process(), resource.RLIMIT_FSIZE, (size, size))
    result = run.ended()
    assert isinstance(result, FloodResult)
    assert "disk is full" in run.apart.told(result).localized()
    assert run.apart.folder.has_checkpoint
    same(Runs(tmp_path, None).ended(), simulate(scenario, 1))


def test_too_little_memory_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(flood_child, "_simulate", no_memory)
    word = flood_child._done({"folder": str(tmp_path)}, queue.SimpleQueue(), lambda _: None)
    assert "more memory" in error_from(word["error"]).localized()


def test_a_run_of_another_scenario_or_version_is_not_gone_on_with(tmp_path: Path):
    run = Runs(tmp_path, storm(LONG))
    run.wait(lambda status: status.steps > 0)
    run.apart.control.leave()
    run.ended()
    progress, cancel = lambda *_: None, CancelToken()
    with pytest.raises(DataError, match="scenario has changed"):
        run.apart.resume(inputs_hash(storm(LONG, cells=61)), progress, cancel)
    checkpoint = run.apart.folder.checkpoint_file
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        ApartRun(run.apart.folder, 1).resume(None, progress, cancel)
    begun = run.apart.folder.path / "begun.json"
    begun.write_text(begun.read_text().replace('"version": "', '"version": "0.0.0-'))
    with pytest.raises(DataError, match="version"):
        ApartRun(run.apart.folder, 1).resume(None, progress, cancel)
    with pytest.raises(DataError, match="no run to go on from"):
        ApartRun(RunFolder(tmp_path / "nothing"), 1).resume(None, progress, cancel)


def test_a_spare_solver_is_taken_once_and_leaves_when_it_is_not_wanted():
    SPARE.prepare()
    with SPARE.take() as first:
        assert first.is_alive
    assert not first.is_alive
    SPARE.prepare()
    SPARE.dismiss()
    with FloodProcess() as other:
        assert other.pid != first.pid


@pytest.mark.parametrize("engine", ["inertial", "dynamic"])
def test_records_bring_back_a_scenario_to_the_last_bit(tmp_path: Path, engine: str):
    scenario = everything(engine)
    again = read_records(write_records(tmp_path / "s", scenario))
    assert inputs_hash(again) == inputs_hash(scenario)
    np.testing.assert_array_equal(run_inundation(again).max_depth, run_inundation(scenario).max_depth)


def test_damaged_records_are_refused_at_every_length(tmp_path: Path):
    file = write_records(tmp_path / "s", storm())
    whole = file.read_bytes()
    for size in np.random.default_rng(1).integers(0, len(whole) - 1, 20).tolist():
        file.write_bytes(whole[:size])
        with pytest.raises(DataError):
            read_records(file)
    with pytest.raises(TypeError):
        write_records(tmp_path / "t", {"a": object()})


def test_errors_pass_between_processes_whole():
    error = DataError("a.inp", "line {n} is wrong.", where="x", remedy="Mend {n}.", n=3)
    again = error_from(error_record(error))
    assert (type(again), again.localized(), again.where) == (DataError, error.localized(), "x")
    assert isinstance(error_from(error_record(Cancelled())), Cancelled)


def test_a_status_is_told_in_one_line():
    status = RunStatus(time=5100.0, duration=10800.0, steps_per_s=420.0, mass_error=1e-8, seconds_left=35.0, is_ready=True)
    assert status_words(status) == "1:25 of 3:00 · 420 steps/s · 35 s left · mass error 1e-08"
    assert status_words(replace(status, is_paused=True)) == "paused · 1:25 of 3:00 · mass error 1e-08"
    assert (clock_words(270.0), waiting_words(7800.0), waiting_words(240.0)) == ("0:04:30", "2 h 10 min", "4 min")
