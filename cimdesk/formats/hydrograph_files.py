"""Which files hold hydrographs that may drive a flood, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cimdesk.base.errors import DataError
from cimdesk.formats import registry
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.hydrographs import LEVEL, Hydrograph, cleaned, hydrographs_of

_UNSTEADY = re.compile(r"\.u\d\d$", re.IGNORECASE)
NOISE = 0.01
"""Discharges against the stream up to this share of the largest are noise, and none."""


def read_hydrographs(path: Path, options: ReadOptions | None = None) -> list[Hydrograph]:
    """Return the discharges and levels of a file: of HEC-RAS plans and unsteady flow files, flood results, and readings.

    Parameters
    ----------
    path : Path
    options : ReadOptions or None
        Who is told how far it is, and asked whether to stop.

    Raises
    ------
    DataError
        If it cannot be read, or holds none.
    """
    from cimdesk.formats.flood_in.hecras import is_hecras
    from cimdesk.formats.flood_in.hecras_boundaries import plan_hydrographs, unsteady_hydrographs

    if not path.is_file():
        raise DataError(path, "there is no such file.", remedy="Check the name, or locate the file again.")
    if _UNSTEADY.search(path.name):
        found = unsteady_hydrographs(path)
    elif is_hecras(path):
        found = plan_hydrographs(path)
    else:
        found = [one for source in registry.read(path, options).sources for one in hydrographs_of(source.data, source.crs)]
    found = [one for one in map(cleaned, found) if len(one.times)]
    if not found:
        raise DataError(path, "it holds neither discharges nor levels by time.", remedy="Name a file with hydrographs.")
    return found


def chosen(path: Path, found: Sequence[Hydrograph], quantity: str, name: str, reverse: bool = False) -> Hydrograph:
    """Return the hydrograph of a quantity and name; without a name the only one of its quantity.

    Raises
    ------
    DataError
        If there is none, or several, or water goes the other way.
    """
    fitting = [one for one in found if one.quantity == quantity and (not name or one.name == name)]
    if len(fitting) != 1:
        known = ", ".join(f"'{one.name}'" for one in found if one.quantity == quantity) or "-"
        template = "there is no series '{name}' of this kind." if not fitting else "several of its series are of this kind."
        raise DataError(path, template, where=name, remedy="Name one of these: {known}.", name=name, known=known)
    one = fitting[0]
    turned = replace(one, values=-one.values) if reverse and quantity != LEVEL else one
    return entering(turned, path, remedy="Write reverse = true where it is told against the stream, or give a level instead.")


def entering(one: Hydrograph, path: Path | None, remedy: str) -> Hydrograph:
    """Return a hydrograph as it may drive a flood: a level as it is, a discharge without the noise of water that goes back.

    Raises
    ------
    DataError
        If water goes the other way; ``remedy`` tells what may be done about it.
    """
    if one.quantity == LEVEL:
        return one
    if one.values.min() < -NOISE * max(float(np.abs(one.values).max()), 1e-9):
        raise DataError(path, "the discharge goes both ways or the other way.", where=one.name, remedy=remedy)
    return replace(one, values=np.maximum(one.values, 0.0))
