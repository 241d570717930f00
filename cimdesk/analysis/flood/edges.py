"""The four edges of the grid: their places in the arrays, and what is given at them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cimdesk.analysis.flood.kernels import CLOSED_HEIGHT
from cimdesk.base.arrays import AnyArray, Float
from cimdesk.model.flood import Series

_OWN = slice(1, -2)


class Edge(NamedTuple):
    """An edge in the (R + 3, C + 3) arrays.

    Attributes
    ----------
    number : int
        0 west, 1 east, 2 north, 3 south.
    cells, beyond, faces : index
        Its cells, the ring cells beyond them, and the faces between (west and north face of a cell have its index).
    inward : float
        Sign of a discharge that enters.
    is_across : bool
        Whether water crosses it along the rows (``qx``).
    """

    number: int
    cells: Any
    beyond: Any
    faces: Any
    inward: float
    is_across: bool


EDGES = {
    "west": Edge(0, (_OWN, 1), (_OWN, 0), (_OWN, 1), 1.0, True),
    "east": Edge(1, (_OWN, -3), (_OWN, -2), (_OWN, -2), -1.0, True),
    "north": Edge(2, (1, _OWN), (0, _OWN), (1, _OWN), 1.0, False),
    "south": Edge(3, (-3, _OWN), (-2, _OWN), (-2, _OWN), -1.0, False),
}


def series_at(series: Series | None, time: float) -> float:
    """Return a value of a series, linear between its points; zero where there is none."""
    return 0.0 if series is None else float(np.interp(time, series.times, series.values))


def given_discharges(h: AnyArray, z: AnyArray, k: AnyArray, discharge: float, dx: float) -> Float:
    """Share a discharge [m3 s-1] among the cells of an edge by their conveyance; a dry edge takes it at its lowest cells.

    Returns
    -------
    (N,) float64
        Unit discharges [m2 s-1].
    """
    is_open = z < 0.5 * CLOSED_HEIGHT
    depth = np.where(is_open, h, 0.0).astype(np.float64)
    weights = depth ** (5.0 / 3.0) / np.sqrt(np.maximum(k.astype(np.float64), 1e-12))
    if weights.sum() <= 0.0 and is_open.any():
        weights = (is_open & (z <= z[is_open].min() + 0.01)).astype(np.float64)
    total = float(weights.sum())
    return np.asarray(weights * (discharge / (total * dx) if total > 0.0 else 0.0))
