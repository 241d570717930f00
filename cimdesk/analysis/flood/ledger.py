"""Where all the water of a run came from and went, in float64: what the stated mass error is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from cimdesk.base.arrays import Float


@dataclass
class FloodLedger:
    """Volumes so far [m3].

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

    def book_edge(self, entered: Float) -> None:
        """Book (N,) float64 volumes that entered through an edge [m3]; negative ones left."""
        self.edges_in += float(entered[entered > 0].sum())
        self.edges_out -= float(entered[entered < 0].sum())

    @property
    def mass_error(self) -> float:
        """What is missing (positive) or too much (negative), as a share of the largest volume held."""
        return self.mass_error_at(self.volumes[-1] if self.volumes else self.initial)

    def mass_error_at(self, last: float) -> float:
        """Return the same for a volume ``last`` in the grid now [m3]."""
        came = self.rain + self.inflow + self.edges_in + self.exchange_in
        missing = came - self.edges_out - self.infiltration - self.exchange_out - (last - self.initial)
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
