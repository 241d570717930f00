"""Exchanges with what another run has recorded: depths along the rim of a window, drains that do not run again."""

from __future__ import annotations

import numpy as np

from cimdesk.analysis.flood.drainage import Coefficients, exchange_flow
from cimdesk.base.arrays import AnyArray, Float
from cimdesk.model.flood_inputs import HeldDepths, KnownDrains


class HeldExchange:
    """Brings cells to given depths at every step: one of a run's `exchanges`.

    Attributes
    ----------
    came, went : float
        What crossed that way [m3].
    """

    def __init__(self, held: HeldDepths, area: float) -> None:
        self._held = held
        self._area = area
        self.cells: AnyArray = np.asarray(held.cells)
        self.came = self.went = 0.0

    def deepest(self, time: float) -> float:
        """Return the greatest depth that is given at a time, or a little later [m]: the step must suit its waves."""
        later = min(int(np.searchsorted(self._held.times, time, side="right")), len(self._held.times) - 1)
        return float(self._held.depths[max(later - 1, 0) : later + 1].max(initial=0.0))

    def step(self, time: float, dt: float, depths: Float, levels: Float) -> Float:
        """Return the volumes that bring every cell to its depth [m3]."""
        first, later, share = _around(self._held.times, time + dt)
        wanted = (1.0 - share) * self._held.depths[first] + share * self._held.depths[later]
        return np.asarray((wanted - depths) * self._area)

    def accepted(self, volumes: Float) -> None:
        """Book what crossed the rim."""
        self.came += float(volumes[volumes > 0.0].sum())
        self.went -= float(volumes[volumes < 0.0].sum())


class KnownDrainsExchange:
    """Manholes under recorded heads, and recorded outfalls; how the pipes would answer to other water is left out."""

    def __init__(self, drains: KnownDrains, area: float) -> None:
        self._drains = drains
        self._laws = Coefficients()
        self.cells: AnyArray = np.asarray(drains.cells)
        self.taken: Float = np.zeros(len(self.cells))

    def step(self, time: float, dt: float, depths: Float, levels: Float) -> Float:
        """Return the volumes that should come to the surface [m3]."""
        drains, count = self._drains, len(self._drains.crests)
        first, later, share = _around(drains.times, time + 0.5 * dt)
        flows = drains.flows[later].astype(np.float64)
        heads = (1.0 - share) * drains.heads[first] + share * drains.heads[later]
        law = exchange_flow(heads, depths[:count], drains.crests, drains.area, self._laws)
        law = np.minimum(np.maximum(law, 0.0) * drains.open_share, drains.limits)
        # A manhole that gave water keeps giving it; any other takes what the law and the water there allow.
        flows[:count] = np.where(flows[:count] < 0.0, flows[:count], law)
        volumes = flows * dt
        most = np.maximum(levels[:count] - heads, 0.0) * drains.area
        volumes[:count] = np.where(volumes[:count] > 0.0, np.minimum(volumes[:count], most), volumes[:count])
        return np.asarray(-volumes)

    def accepted(self, volumes: Float) -> None:
        """Book what the drains took."""
        self.taken -= volumes


def _around(times: Float, time: float) -> tuple[int, int, float]:
    """Return the numbers of the times around a time, and the share of the second."""
    later = min(int(np.searchsorted(times, time, side="right")), len(times) - 1)
    first = max(later - 1, 0)
    span = times[later] - times[first]
    return first, later, min(max((time - times[first]) / span, 0.0), 1.0) if span > 0.0 else 0.0
