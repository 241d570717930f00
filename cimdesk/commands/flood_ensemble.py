"""Ensembles: one scenario under several return periods and sets of measures, and the annual chance of water that follows.

Every member is a run of its own, in a process of this computer or on a Dask cluster; see `flood_member`. A member whose result
is already there, from the same input, is not run again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import Float32
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Cancelled, DataError, ServiceError, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.base.workers import WorkerDiedError, WorkerRefusedError, WorkerSilentError, run_worker
from cimdesk.model.features import FeatureTable, VectorLayer
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_chance import CHANCE, CHANCES
from cimdesk.model.terrain import Terrain

if TYPE_CHECKING:
    from cimdesk.commands.session import Session

THRESHOLDS = (0.15, 0.30, 0.50)
AS_IS = "as-is"
CHILD = "cimdesk.commands.flood_member"
SILENCE = 1800.0
"""Seconds without a word after which a local run is taken to hang."""
CONNECTING = 15.0
"""Seconds to wait for a scheduler."""
ROUNDING = 1e-6
"""Of chances kept as float32, where a class begins."""


@dataclass(frozen=True)
class Ensemble:
    """What an ensemble is made of.

    Attributes
    ----------
    scenario : Path
    return_periods : rising tuple of float
        [years].
    measures : tuple of Path
        Files of measures, each a set by itself beside the city as it is.
    folder : Path
        Results go there.
    city, storm_duration : str, float
        Whose design storm replaces the rain of the scenario, and how long it is [s]; empty to change the return period of the
        design storm that the scenario has.
    thresholds : tuple of float
        Depths whose annual chance is asked for [m].
    """

    scenario: Path
    return_periods: tuple[float, ...]
    folder: Path
    measures: tuple[Path, ...] = ()
    city: str = ""
    storm_duration: float = 7200.0
    thresholds: tuple[float, ...] = THRESHOLDS

    @property
    def sets(self) -> tuple[tuple[str, Path | None], ...]:
        """Name and file of every set of measures; the first is the city as it is."""
        return ((AS_IS, None), *((path.stem, path) for path in self.measures))

    def tasks(self) -> list[dict[str, Any]]:
        """Return what each member is told, ready for JSON; the rarest storms first, for they take longest."""
        return [
            {
                "scenario": str(self.scenario.absolute()), "return_period": period, "city": self.city,
                "storm_duration": self.storm_duration, "measures": None if file is None else str(file.absolute()), "set": name,
                "out": str(self.file(name, period).absolute()),
            }
            for period in sorted(self.return_periods, reverse=True)
            for name, file in self.sets
        ]  # fmt: skip

    def file(self, name: str, period: float) -> Path:
        """Return the result of a member."""
        return self.folder / f"{name}-{period:g}y.flood"


def checked(ensemble: Ensemble) -> Ensemble:
    """Return an ensemble that makes sense, with its return periods in order.

    Raises
    ------
    UsageError, DataError
    """
    from cimdesk.formats.scenario import read_scenario
    from cimdesk.formats.scenario_measures import read_measures

    periods = tuple(sorted(set(ensemble.return_periods)))
    if not periods or periods[0] < 1.0 or not np.isfinite(periods[-1]):
        raise UsageError("Return periods are years, 1 or more, such as 2,10,50.")
    if not ensemble.thresholds or min(ensemble.thresholds) <= 0.0:
        raise UsageError("Depths of a probability map are above zero.")
    asked = read_scenario(ensemble.scenario)
    if not ensemble.city and not any(rain.city for rain in asked.rain):
        raise UsageError("the rain of the scenario is no design storm.", remedy="Name the city of one with --city.")
    names = [name for name, _ in ensemble.sets]
    if len(set(names)) < len(names):
        raise UsageError("Two files of measures have the same name.")
    for path in ensemble.measures:
        read_measures(path)
    try:
        ensemble.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(ensemble.folder, "the folder cannot be made ({reason}).", reason=error) from error
    return Ensemble(
        ensemble.scenario, periods, ensemble.folder, ensemble.measures, ensemble.city, ensemble.storm_duration,
        tuple(sorted(set(ensemble.thresholds))),
    )  # fmt: skip


def run_ensemble(
    ensemble: Ensemble,
    workers: int = 0,
    scheduler: str = "",
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    session: Session | None = None,
) -> dict[str, Any]:
    """Run every member that is not there yet, and write the maps; return the figures, ready for JSON.

    Parameters
    ----------
    ensemble : Ensemble
    workers : int
        Processes of this computer at once; 0 for one a core.
    scheduler : str
        Address of a Dask scheduler whose workers see the same files; empty runs here.
    progress, cancel
        Told and asked while it runs.
    session : Session or None
        A project whose buildings are counted, for the expected annual damage.

    Raises
    ------
    UsageError, DataError, ServiceError
    Cancelled
        What was finished by then is kept.
    """
    import os

    ensemble, token = checked(ensemble), cancel or CancelToken()
    tasks = ensemble.tasks()
    runner = _on_cluster(scheduler) if scheduler else _here(min(workers or os.cpu_count() or 1, len(tasks)))
    told = _Told(len(tasks), progress)
    members: list[dict[str, Any]] = []
    with runner as start:
        pending = {start(task, told.of(k), token) for k, task in enumerate(tasks)}
        while pending:
            done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            try:
                members += [future.result() for future in done]
            except (Exception, Cancelled):
                token.cancel()
                raise
            token.raise_if_cancelled()
    members.sort(key=lambda m: (m["set"], m["return_period"]))
    return {"members": members, "sets": [_maps(ensemble, name, session) for name, _ in ensemble.sets]}


Start = Callable[[dict[str, Any], Progress, CancelToken], Future[dict[str, Any]]]


@contextmanager
def _here(workers: int) -> Iterator[Start]:
    """Give what starts members in processes of this computer, a number of them at once."""
    pool = ThreadPoolExecutor(workers, "ensemble")

    def run(task: dict[str, Any], progress: Progress, cancel: CancelToken) -> dict[str, Any]:
        cancel.raise_if_cancelled()
        try:
            answer: dict[str, Any] = run_worker(CHILD, task, progress, cancel, SILENCE)
        except WorkerRefusedError as refusal:
            raise _refused(refusal.reason) from None
        except (WorkerDiedError, WorkerSilentError) as error:
            raise DataError(
                task["out"],
                "the run ended without a result ({reason}).",
                remedy="Run it again; what is finished is kept.",
                reason=error,
            ) from error
        return answer

    try:
        yield lambda task, progress, cancel: pool.submit(run, task, progress, cancel)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _on_cluster(address: str) -> Iterator[Start]:
    """Give what starts members on the workers of a Dask cluster, one at a time in each."""
    import distributed

    from cimdesk.commands.flood_member import on_worker

    # The package states no types.
    library: Any = distributed
    try:
        client = library.Client(address, timeout=CONNECTING, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ServiceError(
            "the Dask scheduler {address} does not answer.", remedy="Check the address, or start it.", address=address
        ) from error
    stop = library.Event(f"cimdesk-{threading.get_ident()}-{id(client)}", client=client)
    pool = ThreadPoolExecutor(256, "ensemble")

    def follow(task: dict[str, Any], progress: Progress, cancel: CancelToken) -> dict[str, Any]:
        future = client.submit(on_worker, task, stop.name, pure=False)
        while not future.done():
            if cancel.cancelled:
                stop.set()
                client.cancel([future], force=True)
                raise Cancelled
            threading.Event().wait(0.2)
        answer: dict[str, Any] = future.result()
        if "refusal" in answer:
            raise _refused(answer["refusal"])
        progress(1.0, "")
        return answer

    try:
        yield lambda task, progress, cancel: pool.submit(follow, task, progress, cancel)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        client.close()


def _refused(reason: dict[str, Any]) -> DataError:
    return DataError(reason["path"], "the run could not be made: {reason}", reason=reason["message"])


class _Told:
    """Adds the progress of members up to one."""

    def __init__(self, count: int, progress: Progress) -> None:
        self._shares = [0.0] * count
        self._progress = progress
        self._lock = threading.Lock()

    def of(self, k: int) -> Progress:
        """Return the progress of one member."""

        def tell(fraction: float | None, text: str = "") -> None:
            with self._lock:
                self._shares[k] = max(self._shares[k], fraction or 0.0)
                done = sum(share >= 1.0 for share in self._shares)
                whole = sum(self._shares) / len(self._shares)
                self._progress(whole, tr("{done} of {count} runs").format(done=done, count=len(self._shares)))

        return tell


def _maps(ensemble: Ensemble, name: str, session: Session | None) -> dict[str, Any]:
    """Write the maps of one set of measures and return its figures."""
    from cimdesk.analysis.flood.probability import annual_chance, expected_annual
    from cimdesk.commands.flood_exposure import exposure_of
    from cimdesk.formats.flood_out.rasters import write_grid
    from cimdesk.formats.vector_write import write_geopackage

    results = [_result(ensemble.file(name, period)) for period in ensemble.return_periods]
    crs, grid = results[0][1], results[0][0].terrain
    files: list[str] = []
    areas: dict[str, float] = {}
    layers: list[tuple[str, VectorLayer, Crs | None]] = []
    for threshold in ensemble.thresholds:
        deepest = [result.max_depth for result, _ in results]
        chance, least, most = annual_chance(deepest, ensemble.return_periods, threshold)
        for kind, values in (("", chance), ("-least", least), ("-most", most)):
            values[~np.isfinite(grid.elevations) | results[0][0].is_blocked] = np.nan
            path = ensemble.folder / f"{name}-chance-{threshold:g}m{kind}.tif"
            files.append(str(write_grid(path, values, grid, crs)))
        layers.append((f"chance_{threshold:g}m", chance_outlines(chance, grid), crs))
        areas[f"{threshold:g}"] = float(np.nansum(chance)) * grid.cell_x * grid.cell_y
    outlines = ensemble.folder / f"{name}-chance.gpkg"
    write_geopackage(outlines, layers)
    figures: dict[str, Any] = {"set": name, "files": [*files, str(outlines)], "expected_wet_m2": areas, "damage": None}
    if session is not None:
        counted = [exposure_of(session, result)["damage"] for result, _ in results]
        damages = [float(each["total"]) for each in counted]
        expected, lower, upper = expected_annual(damages, ensemble.return_periods)
        figures["damage"] = {
            "by_return_period": damages,
            "currency": counted[0]["currency"],
            "expected_annual": expected,
            "least": lower,
            "most": upper,
        }
    return figures


def chance_outlines(chance: Float32, grid: Terrain) -> VectorLayer:
    """Return the classes of (R, C) annual chances as polygons."""
    from cimdesk.formats.flood_out.outlines import outlines_of

    lows = [low for low, _, _ in CHANCES]
    codes = np.searchsorted(np.array(lows) - ROUNDING, np.nan_to_num(chance), side="right").astype(np.uint8)
    found = outlines_of(codes, grid, [label for _, _, label in CHANCES], lows)
    columns = {CHANCE if name == "class" else name: column for name, column in found.features.columns.items()}
    return VectorLayer(FeatureTable(found.features.ids, columns), found.shapes)


def _result(path: Path) -> tuple[FloodResult, Crs | None]:
    from cimdesk.formats.flood_result import READER
    from cimdesk.formats.registry import ReadOptions

    source = READER.read(path, ReadOptions()).sources[0]
    assert isinstance(source.data, FloodResult)
    return source.data, source.crs


def shown_thresholds(text: str) -> tuple[float, ...]:
    """Return numbers that commas part; raises UsageError for anything else."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError("{text} are no numbers; write 2,10,50.", text=text) from None
