"""A flood run on its way, in a folder: its scenario, the frames so far, the water now, and where to go on from.

``begun.json`` says whose run it is; ``scenario`` and ``checkpoint`` are `flood_records`; ``frames`` is a log that only grows;
``live`` is memory that two processes share. A process may end at any moment: what is in the folder then can be read.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float32
from cimdesk.base.errors import DataError
from cimdesk.base.processes import is_running, started_mark
from cimdesk.formats.flood_records import read_records, write_records
from cimdesk.formats.flood_result import PackedFrames
from cimdesk.model.flood import FloodResult, FloodScenario, GaugeSeries
from cimdesk.model.flood_flow import FlowFrames, blocks_over
from cimdesk.model.flood_inputs import LineSeries

SUFFIX = ".part"
ENVELOPES = ("max_depth", "max_speed", "max_depth_speed", "arrival")
_RECORD = struct.Struct("<III")
_HEADER_BYTES = 64
_OURS: set[Path] = set()
"""Folders in which this process is at work."""
_DAMAGED = (OSError, ValueError, KeyError, TypeError)


@dataclass(frozen=True)
class FrameNote:
    """What goes with a frame.

    Attributes
    ----------
    time : float
        [s from the start].
    volume, wet_area : float
        [m3, m2].
    statistics : mapping
        The figures of the run so far.
    gauge_times : list of float, gauge_depths, discharges : lists of lists
        What gauges and lines saw since the frame before.
    flow : str
        Velocities of blocks of cells, in base64; empty where they were not kept.
    """

    time: float
    volume: float
    wet_area: float
    statistics: Mapping[str, Any]
    gauge_times: list[float]
    gauge_depths: list[list[float]]
    discharges: list[list[float]]
    flow: str = ""


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scenario_file, self.checkpoint_file = path / "scenario", path / "checkpoint"
        self.answer_file, self.frames_file = path / "answer", path / "frames"
        self.live_file, self.reserve_file = path / "live", path / "reserve"

    def begin(self, scenario: FloodScenario, inputs: str, version: str) -> None:
        """Make the folder anew with a scenario.

        Raises
        ------
        DataError
            If it cannot be written, or another run is at work there.
        """
        if self.is_at_work:
            raise DataError(self.path, "another run is at work here.", remedy="Wait for it, or write to another file.")
        shutil.rmtree(self.path, ignore_errors=True)
        try:
            self.path.mkdir(parents=True)
        except OSError as error:
            raise DataError(
                self.path,
                "the folder cannot be made ({reason}).",
                remedy="Choose a folder you may write to.",
                reason=error.strerror,
            ) from error
        write_records(self.scenario_file, scenario)
        self._say({"name": scenario.name, "inputs": inputs, "version": version})

    def take_over(self) -> None:
        """Say that this process goes on with the run."""
        if self.is_at_work:
            raise DataError(self.path, "another run is at work here.", remedy="Wait for it, or write to another file.")
        self._say(self.begun)

    def _say(self, begun: Mapping[str, Any]) -> None:
        _OURS.add(self.path.absolute())
        record = {**begun, "pid": os.getpid(), "started": started_mark(os.getpid())}
        try:
            (self.path / "begun.json").write_text(json.dumps(record), encoding="utf-8")
        except OSError as error:
            raise DataError(
                self.path, "the file cannot be written ({reason}).",
                remedy="Choose a folder you may write to, with room on the disk.", reason=error.strerror,
            ) from error  # fmt: skip

    @property
    def begun(self) -> dict[str, Any]:
        """Who began what: ``name``, ``inputs``, ``version``, ``pid``; empty where there is no run."""
        try:
            found = json.loads((self.path / "begun.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def is_at_work(self) -> bool:
        """Whether the process that began it, or went on with it, still runs."""
        begun = self.begun
        pid = int(begun.get("pid", 0))
        if pid == os.getpid():
            return self.path.absolute() in _OURS
        return is_running(pid, str(begun.get("started", "")))

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is something to go on from."""
        return self.checkpoint_file.is_file()

    def scenario(self) -> FloodScenario:
        """Return what is simulated.

        Raises
        ------
        DataError
            If it cannot be read.
        """
        found = read_records(self.scenario_file)
        if not isinstance(found, FloodScenario):
            raise DataError(self.scenario_file, "this is no scenario.")
        return found

    def frames(self) -> list[tuple[FrameNote, bytes]]:
        """Return the frames so far with their notes; one that was not written to its end is left out."""
        return self.frames_from(0)[0]

    def frames_from(self, place: int) -> tuple[list[tuple[FrameNote, bytes]], int]:
        """Return the frames from a place in the log on, and the place after them."""
        found = []
        try:
            with self.frames_file.open("rb") as log:
                log.seek(place)
                while len(head := log.read(_RECORD.size)) == _RECORD.size:
                    note_size, size, check = _RECORD.unpack(head)
                    content = log.read(note_size + size)
                    if len(content) < note_size + size or zlib.crc32(content) != check:
                        break
                    found.append((FrameNote(**json.loads(content[:note_size])), content[note_size:]))
                    place += _RECORD.size + len(content)
        except _DAMAGED:
            return found, place
        return found, place

    def result_so_far(self) -> FloodResult | None:
        """Return the result up to the last frame, marked incomplete; None before the second frame."""
        frames = self.frames()
        if len(frames) < 2:
            return None
        scenario = self.scenario()
        notes = [note for note, _ in frames]
        packed = PackedFrames(scenario.result_terrain.shape, [blob for _, blob in frames])
        times = np.array([note.time for note in notes])
        noted = np.array([time for note in notes for time in note.gauge_times])
        depths = np.array([row for note in notes for row in note.gauge_depths], dtype=np.float64)
        grids = self._envelopes(packed)
        until = {"incomplete": True, "simulated_s": float(times[-1]), "duration_s": scenario.duration}
        flows = np.array([row for note in notes for row in note.discharges], dtype=np.float64)
        depths = depths.reshape(len(noted), len(scenario.gauges))
        flows = flows.reshape(len(noted), len(scenario.lines))
        return FloodResult(
            name=scenario.name, terrain=scenario.result_terrain, is_blocked=scenario.result_blocked, start_time=scenario.start_time,
            times=times, depths=packed.finish(), volume=np.array([note.volume for note in notes]),
            wet_area=np.array([note.wet_area for note in notes]), rain=scenario.rain,
            gauges=_gauges(scenario, noted, depths),
            lines=tuple(LineSeries(line, noted, flows[:, k]) for k, line in enumerate(scenario.lines)),
            statistics={**notes[-1].statistics, **until},
            max_depth=grids[0], max_speed=grids[1], max_depth_speed=grids[2], arrival=grids[3], flow=flow_of(scenario, notes),
        )  # fmt: skip

    def _envelopes(self, packed: PackedFrames) -> list[Float32]:
        live = LiveWater.opened(self.live_file, packed.shape[1:])
        if live is not None:
            return [live.envelope(name) for name in ENVELOPES]
        deepest: Float32 = np.max(list(packed), axis=0)
        unknown: Float32 = np.full(deepest.shape, np.nan, dtype=np.float32)
        return [deepest, unknown, unknown, unknown]

    def release(self) -> None:
        """Say that this process is done with the run, for now or for ever."""
        _OURS.discard(self.path.absolute())

    def remove(self) -> None:
        """Take everything away."""
        self.release()
        shutil.rmtree(self.path, ignore_errors=True)


def _gauges(scenario: FloodScenario, times: Any, depths: Any) -> tuple[GaugeSeries, ...]:
    terrain = scenario.terrain
    found = []
    for k, gauge in enumerate(scenario.gauges):
        row, column = int((terrain.north - gauge.y) / terrain.cell_y), int((gauge.x - terrain.west) / terrain.cell_x)
        bed = float(terrain.elevations[row, column])
        found.append(GaugeSeries(gauge, times, depths[:, k], depths[:, k] + bed))
    return tuple(found)


class FrameLog(PackedFrames):
    """Frames that are also written to the log of a run, to be whole on disk before the run goes on.

    Parameters
    ----------
    file : Path
    shape : rows, columns
    keep : int
        How many frames of the log, if there is one, the run goes on from.
    """

    def __init__(self, folder: RunFolder, shape: tuple[int, int], keep: int = 0) -> None:
        known = folder.frames()[:keep]
        if len(known) < keep:
            raise DataError(folder.frames_file, "frames are missing.", remedy="Run the scenario from its beginning.")
        super().__init__(shape, [blob for _, blob in known])
        end = sum(_RECORD.size + len(_note_bytes(note)) + len(blob) for note, blob in known)
        self._log = folder.frames_file.open("r+b" if known else "wb")
        self._log.truncate(end)
        self._log.seek(end)

    def note(self, note: FrameNote) -> None:
        """Write the last frame with its note."""
        content = _note_bytes(note) + self.packed[-1]
        self._log.write(_RECORD.pack(len(content) - len(self.packed[-1]), len(self.packed[-1]), zlib.crc32(content)) + content)
        self._log.flush()
        # It is in the log now; a long run need not keep it twice.
        self.packed[-1] = b""

    def close(self) -> None:
        """Close the log."""
        self._log.close()


def _note_bytes(note: FrameNote) -> bytes:
    return json.dumps(vars(note)).encode()


class LiveWater:
    """The water now and the maxima so far, in memory that two processes share through a file.

    The writer counts up before and after it writes; a reader that sees an odd or another count afterwards looks again later.
    """

    def __init__(self, file: Path, shape: tuple[int, int]) -> None:
        size = shape[0] * shape[1]
        self._count = np.memmap(file, dtype=np.int64, mode="r+", shape=(1,))
        self._time = np.memmap(file, dtype=np.float64, mode="r+", offset=8, shape=(1,))
        grids = np.memmap(file, dtype=np.float32, mode="r+", offset=_HEADER_BYTES, shape=(1 + len(ENVELOPES), size))
        self._grids = grids.reshape(1 + len(ENVELOPES), *shape)

    @classmethod
    def made(cls, file: Path, shape: tuple[int, int]) -> LiveWater:
        """Return it in a new file, for which the disk has room: writing to it cannot fail later.

        Raises
        ------
        OSError
        """
        allocate(file, _HEADER_BYTES + 4 * (1 + len(ENVELOPES)) * shape[0] * shape[1])
        return cls(file, shape)

    @classmethod
    def opened(cls, file: Path, shape: tuple[int, ...]) -> LiveWater | None:
        """Return it from a file that another process made; None where there is none of this shape."""
        rows, columns = shape
        try:
            if file.stat().st_size != _HEADER_BYTES + 4 * (1 + len(ENVELOPES)) * rows * columns:
                return None
            return cls(file, (rows, columns))
        except (OSError, ValueError):
            return None

    @property
    def count(self) -> int:
        """Changes with every writing; odd while one is at it."""
        return int(self._count[0])

    def put(self, time: float, depth: Any, envelopes: Mapping[str, Any] | None = None) -> None:
        """Write the (R, C) depths [m] of a ``time`` [s from the start], and the maxima where they are given."""
        self._count[0] += 1
        self._time[0] = time
        self._grids[0] = depth
        for k, name in enumerate(ENVELOPES) if envelopes else ():
            self._grids[1 + k] = envelopes[name] if envelopes else 0.0
        self._count[0] += 1

    def depth(self) -> tuple[float, Float32] | None:
        """Return the time [s from the start] and the (R, C) depths [m]; None while they are being written."""
        before = self.count
        time, depth = float(self._time[0]), np.array(self._grids[0])
        return (time, depth) if before == self.count and before % 2 == 0 and before else None

    def envelope(self, name: str) -> Float32:
        """Return one of `ENVELOPES`, (R, C) float32, as of the last frame."""
        return np.array(self._grids[1 + ENVELOPES.index(name)])


def allocate(file: Path, size: int) -> None:
    """Make a file of zeros that the disk has room for.

    Raises
    ------
    OSError
    """
    with file.open("wb") as opened:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(opened.fileno(), 0, size)
        else:
            zeros = bytes(1 << 20)
            for start in range(0, size, len(zeros)):
                opened.write(zeros[: size - start])


def flow_of(scenario: FloodScenario, notes: Sequence[FrameNote]) -> FlowFrames | None:
    """Return the velocities that go with frames; None where some have none."""
    if not notes or not all(note.flow for note in notes):
        return None
    grid = scenario.terrain if scenario.subgrid is None else scenario.subgrid.terrain
    blocks = blocks_over(grid, scenario.duration / scenario.output_every)[1]
    return blocks.with_frames(base64.b64decode(note.flow) for note in notes)


def unfinished(folder: Path) -> list[RunFolder]:
    """Return the runs in a folder that were broken off, can go on and are not at work, the latest first."""
    found = [RunFolder(path) for path in folder.glob(f"*{SUFFIX}") if path.is_dir()]
    waiting = [run for run in found if run.has_checkpoint and run.begun and not run.is_at_work]
    return sorted(waiting, key=lambda run: -run.checkpoint_file.stat().st_mtime)


def without_frames(result: FloodResult) -> FloodResult:
    """Return a result whose frames are elsewhere."""
    return replace(result, depths=np.zeros((0, 1, 1), dtype=np.float32), flow=None)
