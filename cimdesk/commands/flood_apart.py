"""Floods simulated in a process of their own: whatever happens to it, what it had computed is kept and can be gone on from."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from cimdesk import __version__
from cimdesk.base.errors import Cancelled, CimdeskError, DataError, ServiceError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, Progress
from cimdesk.base.workers import WorkerDiedError
from cimdesk.formats.flood_records import read_records
from cimdesk.formats.flood_result import PackedFrames
from cimdesk.formats.flood_run import RunFolder, flow_of
from cimdesk.model.flood import FloodResult, FloodScenario
from cimdesk.services.flood_process import SPARE, RunControl, RunStatus

CHECKPOINT_EVERY = 120.0
"""How often a run keeps all that it needs to go on from there [s of waiting]."""


@dataclass
class ApartRun:
    """A run in a process of its own, to be carried out once.

    Attributes
    ----------
    folder : RunFolder
    threads : int
        0 for all cores.
    is_shown : bool
        Whether the water now is wanted while it runs.
    checkpoint_every : float
        [s of waiting].
    control : RunControl
    scenario : FloodScenario or None
        What is simulated, once that is known.
    failure : CimdeskError or None
        Why it ended early, when a result up to there came out.
    """

    folder: RunFolder
    threads: int = 0
    is_shown: bool = False
    checkpoint_every: float = CHECKPOINT_EVERY
    control: RunControl = field(default_factory=RunControl)
    scenario: FloodScenario | None = None
    failure: CimdeskError | None = None

    def start(self, scenario: FloodScenario, inputs: str, progress: Progress, cancel: CancelToken) -> FloodResult:
        """Simulate a scenario from its beginning.

        Parameters
        ----------
        scenario : FloodScenario
        inputs : str
            Hash of what determines the result.
        progress, cancel
            Told and asked while it runs.

        Returns
        -------
        FloodResult
            Up to the last frame, with `failure`, if the run ended early after some frames.

        Raises
        ------
        Cancelled
            Nothing is left then, unless the run was told to leave.
        CimdeskError
            If it ended before its first frames.
        """
        progress(0.0, tr("Preparing the solver (the first time takes a while)"))
        try:
            self.folder.begin(scenario, inputs, __version__)
            return self._carry_out(scenario, inputs, False, progress, cancel)
        except BaseException:
            self._tidy()
            raise

    def resume(self, inputs: str | None, progress: Progress, cancel: CancelToken) -> FloodResult:
        """Go on from the checkpoint; otherwise like `start`.

        Parameters
        ----------
        inputs : str or None
            Hash of the scenario as it is now; None trusts the one that is kept.

        Raises
        ------
        DataError
            If there is no checkpoint, or it is of another scenario.
        """
        progress(None, tr("Preparing the solver (the first time takes a while)"))
        begun = self.folder.begun
        again = "Run the scenario from its beginning."
        if not begun or not self.folder.has_checkpoint:
            raise DataError(self.folder.path, "there is no run to go on from.", remedy=again)
        if inputs is not None and begun.get("inputs") != inputs:
            raise DataError(self.folder.path, "the scenario has changed since the checkpoint.", remedy=again)
        if begun.get("version") != __version__:
            text = "the checkpoint was made by version {version} of this program."
            raise DataError(self.folder.path, text, remedy=again, version=begun.get("version"))
        scenario = self.folder.scenario()
        _require_same_drains(scenario)
        self.folder.take_over()
        return self._carry_out(scenario, str(begun["inputs"]), True, progress, cancel)

    def _carry_out(
        self, scenario: FloodScenario, inputs: str, resume: bool, progress: Progress, cancel: CancelToken
    ) -> FloodResult:
        self.scenario = scenario
        threads = self.threads if self.threads > 0 else (os.cpu_count() or 1)
        task = {
            "folder": str(self.folder.path.absolute()), "threads": threads, "resume": resume, "live": self.is_shown,
            "checkpoint_every": self.checkpoint_every,
        }  # fmt: skip

        def told(status: RunStatus) -> None:
            progress(status.time / status.duration, status_words(status))

        try:
            with SPARE.take() as child:
                answer = child.carry_out(task, told, cancel, self.control)
            if answer.get("left"):
                raise Cancelled
            return self._finished(scenario, float(answer["seconds"]), threads, inputs)
        except Cancelled:
            raise
        except WorkerDiedError as error:
            return self._so_far(inputs, threads, _death(error))
        except CimdeskError as error:
            return self._so_far(inputs, threads, error)
        finally:
            self.folder.release()

    def _finished(self, scenario: FloodScenario, seconds: float, threads: int, inputs: str) -> FloodResult:
        result = read_records(self.folder.answer_file)
        assert isinstance(result, FloodResult)
        kept = self.folder.frames()
        frames = PackedFrames(scenario.result_terrain.shape, [blob for _, blob in kept])
        updates = result.statistics["cells"] * result.statistics["steps"] / seconds
        figures = {"seconds": seconds, "cell_updates_per_s": updates, "threads": threads, "inputs": inputs}
        flow = flow_of(scenario, [note for note, _ in kept])
        return replace(result, depths=frames.finish(), flow=flow, statistics={**result.statistics, **figures})

    def _so_far(self, inputs: str, threads: int, error: CimdeskError) -> FloodResult:
        result = self.folder.result_so_far() if self.control.status.is_ready else None
        if result is None:
            raise error
        self.failure = error
        figures = result.statistics
        updates = figures["cells"] * figures["steps"] / max(figures["seconds"], 1e-9)
        reason = {"cell_updates_per_s": updates, "threads": threads, "inputs": inputs, "ended_early": error.localized()}
        return replace(result, statistics={**figures, **reason})

    def told(self, result: FloodResult) -> CimdeskError | None:
        """Return what to tell a person about a result that ends early; None for a whole one."""
        if self.failure is None:
            return None
        return ServiceError(
            "{reason} What was simulated until {time} of {duration} is kept.", path=self.failure.path, where=self.failure.where,
            remedy=self.failure.remedy_template or "Continue the run, or run it again.",
            **{
                **self.failure.values, "reason": self.failure.message, "time": clock_words(float(result.times[-1])),
                "duration": clock_words(float(result.statistics["duration_s"])),
            },
        )  # fmt: skip

    def close(self) -> None:
        """Take the folder away, unless the run ended early and can go on from there."""
        if self.failure is None or not self.folder.has_checkpoint:
            self.folder.remove()

    def _tidy(self) -> None:
        if not (self.control.is_leaving and self.folder.has_checkpoint):
            self.folder.remove()


def _death(error: WorkerDiedError) -> ServiceError:
    killed = -error.status == getattr(signal, "SIGKILL", 9)
    text = "the flood solver was ended by the system." if killed else "the flood solver ended unexpectedly."
    return ServiceError(text, remedy="Continue the run, or run it again.")


def _require_same_drains(scenario: FloodScenario) -> None:
    drains = scenario.drainage
    if drains is None:
        return
    try:
        digest = hashlib.sha256(Path(drains.source).read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise DataError(drains.source, "the file cannot be read ({reason}).", reason=error.strerror or error) from error
    if digest != drains.digest:
        text = "the drainage network has changed since the checkpoint."
        raise DataError(drains.source, text, remedy="Run the scenario from its beginning.")


def status_words(status: RunStatus) -> str:
    """Return a status in one line: simulated time, pace, time left, mass error."""
    if not status.is_ready:
        return tr("Preparing the solver (the first time takes a while)")
    words = tr("{time} of {duration}").format(time=clock_words(status.time), duration=clock_words(status.duration))
    parts = [words, tr("{count} steps/s").format(count=f"{status.steps_per_s:,.0f}")]
    if status.is_paused:
        parts = [tr("paused"), words]
    elif status.seconds_left == status.seconds_left:  # not NaN
        parts.append(tr("{time} left").format(time=waiting_words(status.seconds_left)))
    parts.append(tr("mass error {error}").format(error=f"{status.mass_error:.0e}"))
    return " · ".join(parts)


def clock_words(seconds: float) -> str:
    """Return simulated time as hours and minutes, such as ``1:25``; with seconds below ten minutes, such as ``0:04:30``."""
    whole = round(seconds)
    words = f"{whole // 3600}:{whole // 60 % 60:02d}"
    return words if whole >= 600 else f"{words}:{whole % 60:02d}"


def waiting_words(seconds: float) -> str:
    """Return a time to wait as a person would say it."""
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60.0)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def warm_up() -> None:
    """Start a solver that waits, beside whatever goes on; the next run takes it."""
    threading.Thread(target=SPARE.prepare, daemon=True, name="flood-warm-up").start()


def dismiss_warm() -> None:
    """End the solver that waits; there will be no run."""
    threading.Thread(target=SPARE.dismiss, daemon=True, name="flood-dismiss").start()
