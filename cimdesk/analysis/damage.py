"""Damage to buildings from water depth: a share of their value by a curve for each kind of use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import AnyArray, Float


@dataclass(frozen=True)
class DamageCurve:
    """What water does to one class of building.

    Attributes
    ----------
    name : str
        English name of the class.
    uses : tuple of str
        Uses of buildings that it is for.
    depths : rising depths above the ground floor [m]
    shares : (N,) float64
        Share of the value that is lost at each depth, 0..1.
    value_per_m2 : float
        Most that can be lost, per square metre of footprint [currency/m2].
    """

    name: str
    uses: tuple[str, ...]
    depths: Float
    shares: Float
    value_per_m2: float


def damage_of(depths: AnyArray, areas: AnyArray, curve: AnyArray, curves: Sequence[DamageCurve], floor: float = 0.0) -> Float:
    """Return (N,) float64 the damage to each building [currency].

    Parameters
    ----------
    depths : (N,) float
        Water at the wall [m]; NaN is none.
    areas : (N,) float
        Footprint [m2]; NaN counts nothing.
    curve : (N,) int
        Which of the ``curves`` is for each building; -1 for none, which loses nothing.
    floor : float
        Height of ground floors above the ground [m].
    """
    lost = np.zeros(len(depths))
    above = np.nan_to_num(np.asarray(depths, dtype=np.float64)) - floor
    for k, each in enumerate(curves):
        rows = (curve == k) & (above > 0.0)
        lost[rows] = np.interp(above[rows], each.depths, each.shares) * each.value_per_m2
    return np.asarray(lost * np.nan_to_num(np.asarray(areas, dtype=np.float64)))


def storeys_reached(depths: AnyArray, storeys: AnyArray, from_depth: float, storey_height: float, floor: float = 0.0) -> AnyArray:
    """Return (N,) int64 how many storeys the water reaches, 0 below ``from_depth`` [m], at most as many as there are."""
    values = np.nan_to_num(np.asarray(depths, dtype=np.float64))
    reached = 1 + np.floor(np.maximum(values - floor, 0.0) / storey_height).astype(np.int64)
    most = np.maximum(np.nan_to_num(np.asarray(storeys, dtype=np.float64), nan=1.0), 1.0).astype(np.int64)
    return np.where(values >= from_depth, np.minimum(reached, most), 0)
