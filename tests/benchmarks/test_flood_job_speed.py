"""What a process of its own costs a flood run: its time beside the same run here, its start, and how soon it stops."""

from __future__ import annotations

import resource
import threading
import time
from pathlib import Path

import pytest

from cimdesk.base.errors import Cancelled
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.flood import simulate
from cimdesk.commands.flood_apart import ApartRun
from cimdesk.formats.flood_run import RunFolder
from tests.unit.commands.test_flood_apart import storm

pytestmark = pytest.mark.benchmark


def apart(folder: Path, duration: float, cells: int, **fields: object) -> ApartRun:
    run = ApartRun(RunFolder(folder / "r.part"), 1, **fields)
    run.start(storm(duration, cells), "x", lambda *_: None, CancelToken())
    run.close()
    return run


def test_a_process_of_its_own_costs_little(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    scenario = storm(1800.0, 500)
    simulate(scenario, 1)
    here, there = [], []
    for _ in range(3):
        here.append(float(simulate(scenario, 1).statistics["seconds"]))
        run = ApartRun(RunFolder(tmp_path / "r.part"), 1, is_shown=True)
        there.append(float(run.start(scenario, "x", lambda *_: None, CancelToken()).statistics["seconds"]))
        run.close()
    with capsys.disabled():
        print(f"\nflood in its own process, shown: {min(there):.2f} s, here {min(here):.2f} s: {min(there) / min(here):.2f} x")
    assert min(there) < 1.3 * min(here)


def test_a_warm_start_takes_no_two_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    apart(tmp_path, 10.0, 60)
    waits, works = [], []
    for _ in range(3):
        began, before = time.perf_counter(), _processor()
        apart(tmp_path, 1.0, 60)
        waits.append(time.perf_counter() - began)
        works.append(_processor() - before)
    with capsys.disabled():
        print(f"\nflood, warm start to result: {min(waits):.2f} s by the clock, {min(works):.2f} s of the processor")
    # Of the processor, as the machine may be shared.
    assert min(works) <= 2.0


def _processor() -> float:
    """Return the time that this process and its ended children had the processor [s]."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in found)


def test_cancelling_takes_less_than_a_fifth_of_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    waits = []
    for _ in range(5):
        run, cancel = ApartRun(RunFolder(tmp_path / "r.part"), 1), CancelToken()

        def work(run: ApartRun = run, cancel: CancelToken = cancel) -> None:
            with pytest.raises(Cancelled):
                run.start(storm(1e6, 500), "x", lambda *_: None, cancel)

        thread = threading.Thread(target=work)
        thread.start()
        while not run.control.status.steps:
            time.sleep(0.01)
        began = time.perf_counter()
        cancel.cancel()
        thread.join()
        waits.append(time.perf_counter() - began)
    with capsys.disabled():
        print(f"\nflood, cancelled in {max(waits) * 1000:.0f} ms at most")
    assert max(waits) <= 0.2
