"""Editable tables behind floods: depth and hazard classes, and design storms by city and return period."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.paths import resource_dir

if TYPE_CHECKING:
    from cimdesk.model.flood import Series


@dataclass(frozen=True)
class DepthTable:
    """Classes of depth.

    Attributes
    ----------
    limits : rising depths [m]
    labels : tuple of str
        English names of the classes, one more than there are limits.
    name, source : str
    """

    name: str
    limits: tuple[float, ...]
    labels: tuple[str, ...]
    source: str


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads((resource_dir() / "standards" / name).read_text(encoding="utf-8"))


def depth_table() -> DepthTable:
    """Return the depth classes in use."""
    table = _load("hazard.toml")["depth"]
    return DepthTable(str(table["name"]), tuple(map(float, table["limits"])), tuple(table["labels"]), str(table["source"]))


def hazard_tables() -> dict[str, Any]:
    """Return the tables ``uk`` and ``aidr`` as `analysis.flood.hazard` takes them."""
    return {key: value for key, value in _load("hazard.toml").items() if key != "depth"}


def storm_cities() -> dict[str, tuple[str, tuple[float, ...]]]:
    """Return the name and return periods [years] of each city that has design storms."""
    tables = _load("design_storms.toml")
    return {key: (str(t["name"]), tuple(float(row["return_period"]) for row in t["rows"])) for key, t in tables.items()}


def design_storm(city: str, return_period: float, duration: float = 7200.0, peak: float = 0.4, step: float = 300.0) -> Series:
    """Return the Chicago hyetograph of a city's storm.

    Parameters
    ----------
    city : str
        Key in ``design_storms.toml``, such as ``guangzhou``.
    return_period : float
        [years]; one that the table has.
    duration, step : float
        [s].
    peak : float
        Share of the duration before the peak.

    Raises
    ------
    UsageError
        If there is no such city or return period.
    """
    from cimdesk.analysis.flood.rainfall import StormFormula, chicago_hyetograph

    tables = _load("design_storms.toml")
    if city.lower() not in tables:
        raise UsageError("there is no design storm for '{city}'; there are: {known}.", city=city, known=", ".join(tables))
    rows = tables[city.lower()]["rows"]
    row = next((r for r in rows if float(r["return_period"]) == return_period), None)
    if row is None:
        known = ", ".join(str(r["return_period"]) for r in rows)
        raise UsageError("there is no storm of {years} years for this city; there are: {known}.", years=return_period, known=known)
    formula = StormFormula(return_period, float(row["a"]), float(row["b"]), float(row["n"]))
    return chicago_hyetograph(formula, duration, peak, step)


def depth_labels() -> list[str]:
    """Return the names of the depth classes in the current language."""
    return [tr(label) for label in depth_table().labels]
