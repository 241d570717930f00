"""Counting for the exposure panel: floods are planned once in a job, then counted at every step of the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.model.city import CityModel
from cimdesk.model.document import Changes
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_comparison import against_of
from cimdesk.ui.desk import Desk
from cimdesk.ui.needs import flood_maps, flood_results

if TYPE_CHECKING:
    from cimdesk.commands.exposure_count import ExposureCount
    from cimdesk.commands.exposure_plan import ExposurePlan

QUICK = 0.08
"""A step of the clock that takes longer [s] is counted beside the window from then on."""


@dataclass(frozen=True)
class Planned:
    """A flood made ready for counting."""

    plan: ExposurePlan
    flood: FloodResult
    has_time: bool


@dataclass(frozen=True)
class Shown:
    """The flood that is shown and the one it is compared with, by their layers; empty for none."""

    flood: str
    compared: str


@dataclass(frozen=True)
class Wanted:
    """What to count.

    Attributes
    ----------
    at_clock : bool
        At the clock, not at the greatest depth.
    passable_depth : float
        Deeper water stops traffic [m].
    """

    at_clock: bool
    passable_depth: float


class FloodCounter(QObject):
    """Plans and counts the floods that are shown.

    Attributes
    ----------
    planned : Signal
        A flood is ready for counting.
    counted : Signal of (Shown, ExposureCount, ExposureCount or None)
        The counts of the flood, and of the one it is compared with.
    """

    planned = Signal()
    counted = Signal(object, object, object)

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._plans: dict[str, Planned] = {}
        self._seconds = 0.0

    def forget(self) -> None:
        """Plan everything anew: what is counted changed."""
        self._plans.clear()

    def follow(self, changes: Changes) -> bool:
        """Forget the plans where a change touches what is counted; return whether anything may have to be shown again."""
        if not (changes.data or changes.touches("layer") or changes.touches("project")):
            return False
        moved = any(_sight(change.before) != _sight(change.after) for change in changes.records)
        if changes.data or moved or changes.touches("project"):
            self.forget()
        return True

    @property
    def has_plans(self) -> bool:
        """Whether any flood is ready for counting."""
        return bool(self._plans)

    def plan_of(self, key: str) -> Planned | None:
        """Return the plan of a flood; None while there is none."""
        return self._plans.get(key)

    def floods(self) -> dict[str, tuple[str, FloodResult | CityModel]]:
        """Return name and data of every flood that can be counted, by layer."""
        floods: dict[str, tuple[str, FloodResult | CityModel]] = {k: (name, found) for k, name, found in flood_results(self._desk)}
        return floods | {key: (name, areas) for key, name, areas in flood_maps(self._desk)}

    def shown(self) -> Shown:
        """Return which flood is shown, and with which it is compared."""
        workspace, floods = self._desk.session.workspace, self.floods()
        shown = next((key for key in floods if workspace.layer(key).visible), "")
        against = against_of(workspace.layer(shown).options) if shown else None
        compared = against.layer if against is not None else self._desk.compared_flood
        return Shown(shown, compared if compared in floods and compared != shown else "")

    def has_filter(self) -> bool:
        """Whether a layer shows a part of its features only."""
        return any(layer.shows_part for layer in self._desk.session.workspace.layers())

    def plan(self) -> None:
        """Make the floods that are shown ready, beside the window."""
        floods, shown = self.floods(), self.shown()
        for key in (shown.flood, shown.compared):
            if key and key not in self._plans:
                self._plan(key, floods[key][1])

    def count(self, wanted: Wanted) -> None:
        """Count: at once where that is quick, else beside the window."""
        shown = self.shown()
        if shown.flood not in self._plans:
            return
        if self._seconds < QUICK:
            self.counted.emit(shown, *self._timed(shown, wanted))
            return

        def work(progress: Progress, cancel: CancelToken) -> tuple[ExposureCount, ExposureCount | None]:
            return self._timed(shown, wanted)

        def done(counts: tuple[ExposureCount, ExposureCount | None]) -> None:
            if shown.flood in self._plans:
                self.counted.emit(shown, *counts)

        self._desk.run(JobSpec(tr("Counting exposure"), work, done, key="exposure-step"))

    def _plan(self, key: str, result: FloodResult | CityModel) -> None:
        from cimdesk.commands.flood_areas import as_grid
        from cimdesk.commands.flood_exposure import plan_for

        session = self._desk.session
        in_sight = self.has_filter()

        def work(progress: Progress, cancel: CancelToken) -> Planned:
            plan = plan_for(session, result, in_sight)
            if isinstance(result, CityModel):
                return Planned(plan, as_grid(result), False)
            return Planned(plan, result, len(result.times) > 1)

        def done(planned: Planned) -> None:
            self._plans[key] = planned
            self.planned.emit()

        self._desk.run(JobSpec(tr("Counting exposure"), work, done, key=f"exposure:{key}"))

    def _timed(self, shown: Shown, wanted: Wanted) -> tuple[ExposureCount, ExposureCount | None]:
        started = perf_counter()
        first, second = self._plans[shown.flood], self._plans.get(shown.compared)
        at_clock = wanted.at_clock and first.has_time
        seconds = self._desk.session.clock.time - first.flood.start_time if at_clock else None
        counted = count_of(first, seconds, wanted), None if second is None else count_of(second, seconds, wanted)
        self._seconds = perf_counter() - started
        return counted


def count_of(planned: Planned, seconds: float | None, wanted: Wanted) -> ExposureCount:
    """Count one flood, ``seconds`` after its start or, for None, at the greatest depth."""
    from cimdesk.commands.exposure_count import count_exposure
    from cimdesk.commands.exposure_plan import depths_for

    flood = planned.flood
    time = None if seconds is None or not planned.has_time else flood.start_time + seconds
    return count_exposure(planned.plan.with_passable_depth(wanted.passable_depth), depths_for(flood, time))


def _sight(record: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Return what decides which features of a layer are in sight."""
    return tuple((record or {}).get(name) for name in ("filter", "hidden", "only"))
