"""Flood runs: set-up, the loop of time steps, water from outside, gauges, water ledger, frames, cancelling.

What one step does to the water is the engine's: `inertial` or `dynamic`. Results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from cimdesk.analysis.flood.cuda_devices import device_of
from cimdesk.analysis.flood.exchange import Exchange
from cimdesk.analysis.flood.run import WET_DEPTH, Run, Watch
from cimdesk.analysis.flood.subgrid_run import SubgridRun
from cimdesk.base.arrays import Float, Float32
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.model.flood import FloodResult, FloodScenario

__all__ = ["WET_DEPTH", "Frames", "NobodyWatches", "Run", "StackedFrames", "Watch", "new_run", "output_times", "run_inundation"]


class Frames(Protocol):
    """Takes the depth of each output time and gives them all back as one array-like (F, R, C) float32."""

    def append(self, depth: Float32) -> None: ...

    def finish(self) -> Float32: ...


class StackedFrames:
    """Frames kept as they are."""

    def __init__(self) -> None:
        self._frames: list[Float32] = []

    def append(self, depth: Float32) -> None:
        """Take a frame."""
        self._frames.append(depth)

    def finish(self) -> Float32:
        """Return (F, R, C) float32 depths."""
        return np.stack(self._frames)


class NobodyWatches:
    """A `Watch` that does nothing."""

    def began(self, run: Run) -> None:
        """Let it begin."""

    def stepped(self, run: Run) -> None:
        """Let it go on."""

    def kept(self, run: Run, depth: Float32) -> None:
        """Let the frame go."""


def run_inundation(
    scenario: FloodScenario,
    threads: int = 1,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    frames: Frames | None = None,
    exchanges: Sequence[Exchange] = (),
    watch: Watch | None = None,
) -> FloodResult:
    """Simulate a scenario.

    Parameters
    ----------
    scenario : FloodScenario
    threads : int
        Workers; the result is the same to the last bit for any number.
    progress, cancel
        Told and asked at every step.
    frames : Frames or None
        Where output frames are kept; None keeps them as they are.
    exchanges : sequence of Exchange
        What gives water to the surface and takes it at every step, such as drains.
    watch : Watch or None
        Looks on. A run that it brings to an earlier moment goes on from there; ``frames`` then holds the frames until then.

    Returns
    -------
    FloodResult
        ``statistics`` lacks ``seconds``, which only the caller's clock knows.

    Raises
    ------
    Cancelled
    """
    run = new_run(scenario, max(1, threads), cancel or CancelToken(), exchanges)
    store = StackedFrames() if frames is None else frames
    flow: list[bytes] = []
    watch = watch or NobodyWatches()
    outputs = output_times(scenario.duration, scenario.output_every)
    outputs = outputs[outputs >= scenario.begin_time]
    watch.began(run)
    with run:
        for end in outputs[run.frames_kept :]:
            run.advance(float(end), progress, watch)
            depth = run.frame()
            store.append(depth)
            flow.append(run.flow())
            watch.kept(run, depth)
    progress(1.0, tr("Flood simulated"))
    result = run.result(outputs, store.finish())
    # A run that went on from an earlier moment knows the flow since then only; who kept the rest puts it together.
    return replace(result, flow=run.flow_blocks.with_frames(flow)) if len(flow) == len(outputs) else result


def new_run(scenario: FloodScenario, threads: int, cancel: CancelToken, exchanges: Sequence[Exchange] = ()) -> Run:
    """Return a run of a scenario before its first step."""
    if device_of(scenario) == "gpu":
        from cimdesk.analysis.flood.cuda_run import CudaRun

        return CudaRun(scenario, threads, cancel, exchanges)
    if scenario.subgrid is None:
        return Run(scenario, threads, cancel, exchanges)
    return SubgridRun(scenario, threads, cancel, exchanges)


def output_times(duration: float, every: float) -> Float:
    """Return (F,) seconds from the start at which frames are kept: 0, every, ... and the end."""
    times = np.arange(0.0, duration, every)
    if len(times) > 1 and duration - times[-1] < 1e-9 * duration:
        times = times[:-1]
    return np.append(times, duration)
