"""How water moves in the cells of HEC-RAS: velocities as the file has them, or made of those across the faces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.formats.flood_in.hecras_cells import Area

Velocity = Callable[[int], tuple[AnyArray, AnyArray] | None]
EAST, NORTH, ACROSS = "Cell Velocity - Velocity X", "Cell Velocity - Velocity Y", "Face Velocity"


def velocities_of(data: Any, base: str, areas: list[Area], level: Callable[[int], Float]) -> Velocity | None:
    """Return what gives the velocities of all cells at a time; None where the file has none.

    Parameters
    ----------
    data : h5py.File
    base : str
        Group of the time series of the areas.
    areas : list of Area
    level : callable
        Number of a time -> (C,) levels of all cells.
    """
    if all(f"{base}/{area.name}/{part}" in data for area in areas for part in (EAST, NORTH)):
        parts = [[data[f"{base}/{area.name}/{part}"] for area in areas] for part in (EAST, NORTH)]

        def stored(k: int) -> tuple[AnyArray, AnyArray]:
            east, north = (
                np.concatenate([values[k, : area.rows][area.cells] for values, area in zip(part, areas, strict=True)])
                for part in parts
            )
            return east.astype(np.float64), north.astype(np.float64)

        return stored
    if not all(f"{base}/{area.name}/{ACROSS}" in data for area in areas):
        return None
    across = [data[f"{base}/{area.name}/{ACROSS}"] for area in areas]

    def made(k: int) -> tuple[AnyArray, AnyArray]:
        levels = np.split(level(k), np.cumsum([len(area.cells) for area in areas])[:-1])
        found = [
            area.faces.velocities(values[k].astype(np.float64), own)
            for area, values, own in zip(areas, across, levels, strict=True)
        ]
        return np.concatenate([east for east, _ in found]), np.concatenate([north for _, north in found])

    return made


def fastest_of(data: Any, base: str, areas: list[Area]) -> Float | None:
    """Return (C,) the highest speed of the run at the faces of each cell, where the file has no more than that."""
    names = ("Maximum Face Velocity", "Minimum Face Velocity")
    if not all(f"{base}/{area.name}/{name}" in data for area in areas for name in names):
        return None
    return np.concatenate(
        [
            area.faces.fastest(
                np.maximum.reduce([np.abs(data[f"{base}/{area.name}/{name}"][0].astype(np.float64)) for name in names])
            )
            for area in areas
        ]
    )
