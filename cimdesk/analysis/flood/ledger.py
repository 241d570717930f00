"""Where all the water of a run came from and went, in float64: what the stated mass error is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import fsum

from cimdesk.base.arrays import Float

_SIGNS = {
    "rain": 1.0, "inflow": 1.0, "edges_in": 1.0, "exchange_in": 1.0, "edges_out": -1.0, "infiltration": -1.0, "exchange_out": -1.0,
}  # fmt: skip


@dataclass
class FloodLedger:
    """Volumes so far [m3]. They are sums of as many volumes as there are steps, so what rounding leaves out of each is kept.

    Attributes
    ----------
    initial : float
        Water at the start.
    rain, inflow, edges_in : float
        What came.
    edges_out, infiltration : float
        What went.
    exchange_in, exchange_out : float
        What drains and their like gave and took.
    volumes : list of float
        Water in the grid at each output time.
    remainders : list of float
        What rounding left out of the sums, in the order of `_SIGNS`.
    """

    initial: float
    rain: float = 0.0
    inflow: float = 0.0
    edges_in: float = 0.0
    edges_out: float = 0.0
    infiltration: float = 0.0
    exchange_in: float = 0.0
    exchange_out: float = 0.0
    volumes: list[float] = field(default_factory=list)
    remainders: list[float] = field(default_factory=lambda: [0.0] * len(_SIGNS))

    def book(self, name: str, volume: float) -> None:
        """Add a volume [m3] to one of the sums."""
        before = float(getattr(self, name))
        total = before + volume
        virtual = total - before
        self.remainders[list(_SIGNS).index(name)] += (before - (total - virtual)) + (volume - virtual)
        setattr(self, name, total)

    def book_edge(self, entered: Float) -> None:
        """Book (N,) float64 volumes that entered through an edge [m3]; negative ones left."""
        self.book("edges_in", float(entered[entered > 0].sum()))
        self.book("edges_out", -float(entered[entered < 0].sum()))

    @property
    def mass_error(self) -> float:
        """What is missing (positive) or too much (negative), as a share of the largest volume held."""
        return self.mass_error_at(self.volumes[-1] if self.volumes else self.initial)

    def mass_error_at(self, last: float) -> float:
        """Return the same for a volume ``last`` in the grid now [m3]."""
        sums = [sign * float(getattr(self, name)) for name, sign in _SIGNS.items()]
        left_out = [sign * volume for sign, volume in zip(_SIGNS.values(), self.remainders, strict=True)]
        missing = fsum([*sums, *left_out, self.initial, -last])
        held = max([self.initial, last, *self.volumes])
        return missing / held if held > 0.0 else 0.0

    def statistics(self) -> dict[str, float]:
        """Return the ledger as the figures that go with a result."""
        return {
            "rain_m3": self.rain,
            "inflow_m3": self.inflow + self.edges_in,
            "outflow_m3": self.edges_out,
            "infiltration_m3": self.infiltration,
            "exchange_in_m3": self.exchange_in,
            "exchange_out_m3": self.exchange_out,
            "volume_m3": self.volumes[-1] if self.volumes else self.initial,
            "mass_error": self.mass_error,
        }
