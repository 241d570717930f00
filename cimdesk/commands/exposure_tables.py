"""Editable tables behind exposure: what counts, how deep roads pass, and damage curves; each says where it comes from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.analysis.damage import DamageCurve
from cimdesk.base.errors import DataError
from cimdesk.base.paths import resource_dir


@dataclass(frozen=True)
class ExposureRules:
    """What counts as exposed.

    Attributes
    ----------
    storey_height, floor_height, reach, passable_depth : float
        [m].
    source : str
        Where the values come from.
    """

    storey_height: float
    floor_height: float
    reach: float
    passable_depth: float
    source: str


@dataclass(frozen=True)
class DamageTable:
    """Damage curves by use of building.

    Attributes
    ----------
    name, currency, source : str
    is_verified : bool
    low, high : float
        Factors between which the damage lies.
    curves : tuple of DamageCurve
    """

    name: str
    currency: str
    source: str
    is_verified: bool
    low: float
    high: float
    curves: tuple[DamageCurve, ...] = ()

    def curve_of(self, use: str) -> int:
        """Return which curve is for a use of buildings: one that names it, else the one for ``other``; -1 for none."""
        named = {each: k for k, curve in enumerate(self.curves) for each in curve.uses}
        return named.get(use, named.get("other", -1))


def exposure_rules(path: Path | None = None) -> ExposureRules:
    """Return the rules in ``exposure.toml``, or in another such file.

    Raises
    ------
    DataError
        If a value is missing or no depth.
    """
    file = path or resource_dir() / "standards" / "exposure.toml"
    table = _load(file)
    buildings, roads = _table(table, file, "buildings"), _table(table, file, "roads")
    return ExposureRules(
        _number(buildings, file, "buildings", "storey_height", least=0.5),
        _number(buildings, file, "buildings", "floor_height"),
        _number(buildings, file, "buildings", "reach"),
        _number(roads, file, "roads", "passable_depth"),
        f"{buildings.get('source', '')} {roads.get('source', '')}".strip(),
    )


def damage_table(path: Path | None = None) -> DamageTable:
    """Return the curves in ``damage.toml``, or in another such file.

    Raises
    ------
    DataError
        If a curve is incomplete, does not rise with depth, or loses more than there is.
    """
    file = path or resource_dir() / "standards" / "damage.toml"
    table = _load(file)
    common = table.get("depths")
    curves: list[DamageCurve] = []
    for k, each in enumerate(table.get("class", []), start=1):
        where = f"class[{k}]"
        depths = _row(each.get("depths", common), file, f"{where}.depths")
        shares = _row(each.get("shares"), file, f"{where}.shares")
        if len(depths) != len(shares) or len(depths) < 2:
            raise DataError(file, "there must be one share for each depth, and at least two.", where=where)
        if (np.diff(depths) <= 0).any() or (np.diff(shares) < 0).any():
            raise DataError(file, "depths must rise, and shares must not fall.", where=where)
        if shares[0] < 0 or shares[-1] > 1:
            raise DataError(file, "shares must lie between 0 and 1.", where=f"{where}.shares")
        uses = tuple(str(use) for use in each.get("uses", ()))
        value = _number(each, file, where, "value_per_m2")
        curves.append(DamageCurve(str(each.get("name", where)), uses, depths, shares, value))
    return DamageTable(
        str(table.get("name", file.stem)),
        str(table.get("currency", "")),
        str(table.get("source", "")),
        bool(table.get("verified", False)),
        _number(table, file, "", "low_factor"),
        _number(table, file, "", "high_factor"),
        tuple(curves),
    )


def _load(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(file, "there is no such file.", remedy="Check the name, or locate the file again.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(file, "this is no TOML file: {reason}", reason=error) from error


def _table(table: Mapping[str, Any], file: Path, name: str) -> Mapping[str, Any]:
    found = table.get(name)
    if not isinstance(found, dict):
        raise DataError(file, "the table {name} is missing.", where=name, name=name)
    return found


def _number(table: Mapping[str, Any], file: Path, where: str, name: str, least: float = 0.0) -> float:
    value = table.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not np.isfinite(value) or value < least:
        place = f"{where}.{name}".lstrip(".")
        raise DataError(file, "{name} must be a number of at least {least}.", where=place, name=name, least=f"{least:g}")
    return float(value)


def _row(values: Any, file: Path, where: str) -> np.ndarray:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)] if isinstance(values, list) else []
    if not isinstance(values, list) or len(numbers) != len(values):
        raise DataError(file, "expected a row of numbers.", where=where)
    return np.array(numbers, dtype=np.float64)
