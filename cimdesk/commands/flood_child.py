"""The other end of `cimdesk.services.flood_process`: the solver, alone in its process. Run as ``python -m``."""

from __future__ import annotations

import base64
import errno
import json
import math
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.errors import Cancelled, CimdeskError, DataError, ServiceError
from cimdesk.base.jobs import no_progress
from cimdesk.base.workers import limit_memory
from cimdesk.formats.flood_records import read_records, write_records
from cimdesk.formats.flood_run import ENVELOPES, FrameLog, FrameNote, LiveWater, RunFolder, allocate, without_frames
from cimdesk.model.flood import FloodScenario
from cimdesk.services.flood_process import error_record

if TYPE_CHECKING:
    from cimdesk.analysis.flood.inundation import Run
    from cimdesk.commands.flood_drainage import DrainageRun

TOLD_EVERY = 0.1
"""How often the parent is told where the run is [s]."""
LOOKED_AT_EVERY = 0.25
"""How often at most the water now is shown [s]."""
COSTS_AT_MOST = 0.05
"""Share of the time that showing, summing and checkpoints may take."""
FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})

Say = Callable[[dict[str, Any]], None]


def main() -> None:
    """Be the child."""
    # Ctrl+C reaches everybody who shares the terminal; it is the parent who decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    limit_memory()
    orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True, name="orders").start()

    def say(word: dict[str, Any]) -> None:
        try:
            line.write(json.dumps(word).encode() + b"\n")
            line.flush()
        except OSError:
            return  # nobody listens any more, which the next order tells

    status = 1
    try:
        _load(orders)
        task = orders.get()
        if task is not None:
            say(_done(task, orders, say))
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        # Native libraries sometimes fall over while they are taken down, and a thread still listens; nothing is left to do.
        sys.stderr.flush()
        os._exit(status)


def _listen(orders: queue.SimpleQueue[Any]) -> None:
    for word in sys.stdin.buffer:
        orders.put(json.loads(word))
    orders.put(None)


def _load(orders: queue.SimpleQueue[Any]) -> None:
    """Have the kernels ready: from the cache in a second, compiled the first time; those of a task that came, by that task."""
    from cimdesk.analysis.flood.inundation import run_inundation
    from cimdesk.model.terrain import Terrain

    for engine in ("inertial", "dynamic"):
        if not orders.empty():
            return
        ground = Terrain(np.zeros((4, 4), dtype=np.float32), 0.0, 4.0, 1.0, 1.0)
        run_inundation(FloodScenario("", ground, 0.03, np.zeros((4, 4), dtype=bool), 1.0, 1.0, initial_level=0.1, engine=engine))


def _done(task: dict[str, Any], orders: queue.SimpleQueue[Any], say: Say) -> dict[str, Any]:
    """Carry out a task and return the last word."""
    try:
        return {"answer": _simulate(RunFolder(Path(task["folder"])), task, orders, say)}
    except Cancelled:
        return {"answer": {"left": True}}
    except CimdeskError as error:
        return {"error": error_record(error)}
    except MemoryError:
        text = "the flood needs more memory than this computer has."
        return {"error": error_record(ServiceError(text, remedy="Use larger cells, or a smaller extent."))}
    except OSError as problem:
        if problem.errno not in FULL:
            raise
        remedy = "Make room on the disk, then continue the run."
        return {"error": error_record(DataError(task["folder"], "the disk is full.", remedy=remedy))}


def _simulate(folder: RunFolder, task: dict[str, Any], orders: queue.SimpleQueue[Any], say: Say) -> dict[str, Any]:
    from cimdesk.analysis.flood.inundation import run_inundation
    from cimdesk.commands.flood_drainage import coupled

    scenario = folder.scenario()
    memory = read_records(folder.checkpoint_file) if task["resume"] else None
    frames = FrameLog(folder, scenario.result_terrain.shape, memory["frames"] if memory else 0)
    with nullcontext() if scenario.drainage is None else coupled(scenario) as drains:
        observer = Observer(folder, frames, memory, drains, task, orders, say)
        exchanges = () if drains is None else (drains,)
        result = run_inundation(scenario, task["threads"], no_progress, None, frames, exchanges, observer)
        result = result if drains is None else drains.finish(result)
    frames.close()
    write_records(folder.answer_file, without_frames(result))
    return {"seconds": observer.seconds}


class Observer:
    """Looks on from inside the child: tells, shows, keeps checkpoints, obeys. A `Watch`."""

    def __init__(
        self, folder: RunFolder, frames: FrameLog, memory: Any, drains: DrainageRun | None, task: dict[str, Any],
        orders: queue.SimpleQueue[Any], say: Say,
    ) -> None:  # fmt: skip
        self._folder, self._frames, self._memory, self._drains = folder, frames, memory, drains
        self._orders, self._say = orders, say
        self._is_shown, self._checkpoint_every = bool(task["live"]), float(task["checkpoint_every"])
        self._before = float(memory["seconds"]) if memory else 0.0
        self._started = self._told = self._shown = self._checkpointed = time.perf_counter()
        self._gap = self._checkpoint_gap = 0.0
        self._pauses = 0.0
        self._noted = 0
        self._pace = (0.0, 0, 0.0)
        self._steps_per_s, self._mass_error, self._left = 0.0, 0.0, math.nan

    @property
    def seconds(self) -> float:
        """Time the run took so far, without pauses and without what came before it went on [s]."""
        return self._before + time.perf_counter() - self._started - self._pauses

    def began(self, run: Run) -> None:
        """Put back what was kept; make room for what is shared and for a last checkpoint."""
        from cimdesk.analysis.flood.memory import memory_of, put_back

        if self._memory is not None:
            try:
                put_back(run, self._memory["run"])
            except ValueError as error:
                raise DataError(
                    self._folder.path, "the checkpoint does not belong to this scenario ({reason}).",
                    remedy="Run the scenario from its beginning.", reason=error,
                ) from error  # fmt: skip
            self._noted = self._memory["noted"]
            self._memory = None
            if self._drains is not None:
                self._drains.catch_up()
        size = sum(value.nbytes for part in memory_of(run).values() for value in part.values() if isinstance(value, np.ndarray))
        allocate(self._folder.reserve_file, size + 1_000_000)
        self._live = LiveWater.made(self._folder.live_file, run.depth.shape)
        self._pace = (time.perf_counter(), run.steps, run.time)
        self._show(run)

    def stepped(self, run: Run) -> None:
        """Do what is due."""
        while not self._orders.empty():
            self._obey(self._orders.get(), run)
        now = time.perf_counter()
        if now - self._told < TOLD_EVERY:
            return
        if now - self._shown > max(LOOKED_AT_EVERY, self._gap):
            self._show(run)
        self._tell(run)
        if now - self._checkpointed > max(self._checkpoint_every, self._checkpoint_gap):
            try:
                self.checkpoint(run)
            except DataError:
                # The disk may be full; frames will tell, and the earlier checkpoint is still there.
                self._checkpointed = time.perf_counter()

    def kept(self, run: Run, depth: Any) -> None:
        """Write the frame to disk, and the maxima to where they can be seen."""
        times, depths, discharges = run.gauges.since(self._noted)
        self._noted += len(times)
        figures = {**run.statistics(), "seconds": self.seconds}
        flow = base64.b64encode(run.flow()).decode()
        note = FrameNote(run.time, run.ledger.volumes[-1], run.wet_area, figures, times, depths, discharges, flow)
        try:
            self._frames.note(note)
        except OSError as error:
            if error.errno in FULL:
                self._keep_last(run)
            raise
        self._live.put(run.time, depth, dict(zip(ENVELOPES, run.envelopes(), strict=True)))

    def checkpoint(self, run: Run) -> None:
        """Write all that is needed to go on from here."""
        from cimdesk.analysis.flood.memory import memory_of

        started = time.perf_counter()
        memory = {
            "run": memory_of(run), "frames": run.frames_kept, "noted": self._noted, "seconds": self.seconds, "time": run.time,
        }  # fmt: skip
        write_records(self._folder.checkpoint_file, memory)
        self._checkpointed = time.perf_counter()
        self._checkpoint_gap = (self._checkpointed - started) / COSTS_AT_MOST

    def _keep_last(self, run: Run) -> None:
        """Give up the room that was kept for a last checkpoint; the frame that found none is simulated again from there."""
        self._folder.reserve_file.unlink(missing_ok=True)
        volumes, areas = run.ledger.volumes, run.wet_areas
        last = volumes.pop(), areas.pop()
        with suppress(DataError):  # then an earlier one has to do
            self.checkpoint(run)
        volumes.append(last[0])
        areas.append(last[1])

    def _obey(self, order: str | None, run: Run) -> None:
        if order is None or order == "leave":
            self.checkpoint(run)
            raise Cancelled
        if order != "pause":
            return
        paused = time.perf_counter()
        self.checkpoint(run)
        self._show(run)
        self._tell(run, is_paused=True)
        waiting: str | None = "pause"
        while waiting == "pause":
            waiting = self._orders.get()
        now = time.perf_counter()
        self._pauses += now - paused
        self._pace = (now, run.steps, run.time)
        if waiting != "resume":
            raise Cancelled
        self._tell(run)

    def _show(self, run: Run) -> None:
        """Show the water, and sum it up, both in a small share of the time."""
        started = time.perf_counter()
        self._mass_error = run.mass_error()
        if self._is_shown:
            self._live.put(run.time, run.depth)
        self._shown = time.perf_counter()
        self._gap = (self._shown - started) / COSTS_AT_MOST

    def _tell(self, run: Run, is_paused: bool = False) -> None:
        now = self._told = time.perf_counter()
        since, steps, at = self._pace
        if now - since > 1.0 or not self._steps_per_s:
            span = max(now - since, 1e-6)
            self._steps_per_s = (run.steps - steps) / span
            speed = (run.time - at) / span
            self._left = (run.scenario.duration - run.time) / speed if speed > 0.0 else math.nan
            self._pace = (now, run.steps, run.time) if now - since > 1.0 else self._pace
        self._say({
            "status": {
                "time": run.time, "duration": run.scenario.duration, "steps": run.steps, "steps_per_s": self._steps_per_s,
                "mass_error": self._mass_error, "seconds_left": self._left, "is_paused": is_paused, "frames": run.frames_kept,
                "is_ready": True,
            }
        })  # fmt: skip


if __name__ == "__main__":
    main()
