"""Tables of a scenario file: fields are taken out one by one and checked, and what nobody asked for is refused."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cimdesk.base.errors import DataError
from cimdesk.base.units import parse_duration
from cimdesk.formats.scenario_inputs import Amount, Driving, Points, SeriesInput


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises
    ------
    DataError
        If there is none, or it is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(path, "there is no such file.", remedy="Check the name, or locate the file again.") from None
    except UnicodeDecodeError as error:
        raise DataError(path, "the scenario is not UTF-8 text.", remedy="Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(path, "the scenario is not valid TOML: {reason}.", reason=str(error)) from error
    except OSError as error:
        raise DataError(path, "the file cannot be opened ({reason}).", reason=error.strerror or error) from error


_NEAR = 0.75
"""How alike a misspelt name and the known one are at least."""


class ScenarioTable:
    """One table of the file: fields are taken out and checked; what is left when it is closed is unknown."""

    def __init__(self, path: Path, where: str, values: Mapping[str, Any]) -> None:
        self.path = path
        self.where = where
        self.values = dict(values)
        self.known: list[str] = []

    def error(self, key: str, template: str, remedy: str = "", **values: Any) -> DataError:
        """Return the error about one field."""
        return DataError(self.path, template, where=".".join(part for part in (self.where, key) if part), remedy=remedy, **values)

    def close(self) -> None:
        """Refuse fields nobody has asked for: a misspelt one must not be silently left out."""
        if self.values:
            name = next(iter(self.values))
            near = difflib.get_close_matches(name, self.known, 1, _NEAR)
            raise self.no_such(name, near[0] if near else "")

    def no_such(self, name: str, near: str = "") -> DataError:
        """Return the error about a field that nobody knows, with the known one it was meant to be."""
        if near:
            return self.error(name, "there is no such field.", remedy="Write '{near}' instead.", near=near)
        return self.error(name, "there is no such field.", remedy="Check its spelling.")

    def missing(self, key: str) -> DataError:
        """Return the error about a field that must be there: the misspelt one, when something like it is."""
        near = difflib.get_close_matches(key, self.values, 1, _NEAR)
        return self.no_such(near[0], key) if near else self.error(key, "the field is missing.")

    def take(self, key: str) -> Any:
        """Return and remove a field; None when it is not there."""
        self.known.append(key)
        return self.values.pop(key, None)

    def mapping(self, key: str, value: Any) -> Mapping[str, Any]:
        """Return a value that must be a table."""
        if not isinstance(value, Mapping):
            raise self.error(key, "'{value}' is no table; write {{ ... }}.", value=value)
        return value

    def table(self, key: str, required: bool = True) -> ScenarioTable:
        """Return a sub-table."""
        if required and key not in self.values:
            raise self.missing(key)
        return ScenarioTable(self.path, f"{self.where}.{key}".strip("."), self.mapping(key, self.take(key) or {}))

    def tables(self, key: str) -> list[ScenarioTable]:
        """Return an array of sub-tables, maybe empty."""
        items = self.take(key) or []
        if not isinstance(items, Sequence) or isinstance(items, str):
            raise self.error(key, "'{value}' is no list of tables; write [[{field}]].", value=items, field=key)
        return [
            ScenarioTable(self.path, f"{self.where}.{key}[{k + 1}]".strip("."), self.mapping(key, item))
            for k, item in enumerate(items)
        ]

    def choice(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return one of some words."""
        value = self.take(key)
        if value is None and default is not None:
            return default
        if value is None:
            raise self.missing(key)
        if value not in allowed:
            raise self.error(key, "'{value}' is not one of {allowed}.", value=value, allowed=", ".join(allowed))
        return str(value)

    def number(self, key: str, default: float | None, above: float | None = None, least: float | None = None) -> float | None:
        """Return a finite number within limits."""
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
            raise self.error(key, "'{value}' is no number.", value=value)
        if (above is not None and not value > above) or (least is not None and not value >= least):
            raise self.error(key, "{value} is too small.", value=value)
        return float(value)

    def need(self, key: str, above: float | None = None, least: float | None = None) -> float:
        """Return a number that must be there."""
        value = self.number(key, None, above, least)
        if value is None:
            raise self.missing(key)
        return value

    def numbers(self, key: str, count: int) -> Any:
        """Return a tuple of numbers, or None."""
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, Sequence) or len(value) != count or not all(is_number(v) for v in value):
            raise self.error(key, "expected {count} numbers.", count=count)
        return tuple(float(v) for v in value)

    def duration(self, key: str, default: float | None = None) -> float:
        """Return a positive duration [s]."""
        value = self.take(key)
        if value is None and default is not None:
            return default
        if value is None:
            raise self.missing(key)
        try:
            seconds = parse_duration(value) if isinstance(value, str) or is_number(value) else -1.0
        except ValueError:
            seconds = -1.0
        if not 0.0 < seconds < 1e10:
            raise self.error(key, "'{value}' is no duration; write 3h, 90min or 45s.", value=value)
        return seconds

    def file(self, key: str) -> Path:
        """Return a path that must exist, relative to the scenario."""
        value = self.take(key)
        if value is None:
            raise self.missing(key)
        if not isinstance(value, str) or not value:
            raise self.error(key, "the field is missing.")
        found = self.path.parent / value
        if not found.exists():
            raise self.error(key, "there is no file '{value}'.", remedy="Paths are relative to the scenario file.", value=value)
        return found

    def amount(self, key: str, required: bool = False) -> Amount | None:
        """Return a number or an existing path; None when it is not there."""
        if isinstance(self.values.get(key), str):
            return self.file(key)
        return self.need(key) if required else self.number(key, None)

    def driving(self, key: str, required: bool = False) -> Driving | None:
        """Return a number, an existing path, or ``{ source = "...", series = "..." }``; None when it is not there."""
        value = self.values.get(key)
        if not isinstance(value, Mapping):
            return self.amount(key, required)
        block = ScenarioTable(self.path, f"{self.where}.{key}", self.take(key))
        flags = {name: block.take(name) or False for name in ("at_start", "reverse")}
        for name, flag in flags.items():
            if not isinstance(flag, bool):
                raise block.error(name, "expected true or false.")
        found = SeriesInput(block.file("source"), str(block.take("series") or ""), flags["at_start"], flags["reverse"])
        block.close()
        return found

    def points(self, key: str) -> Points:
        """Return one point or several, written ``[x, y]`` or ``[[x, y], ...]``."""
        value = self.take(key)
        pairs = [value] if isinstance(value, Sequence) and value and is_number(value[0]) else value
        if not isinstance(pairs, Sequence) or isinstance(pairs, str) or not pairs:
            raise self.error(key, "expected a point [x, y] or a list of points.")
        for pair in pairs:
            if not isinstance(pair, Sequence) or len(pair) != 2 or not all(is_number(v) for v in pair):
                raise self.error(key, "'{value}' is no point [x, y].", value=pair)
        return tuple((float(x), float(y)) for x, y in pairs)


def is_number(value: Any) -> bool:
    """Whether a value of the file is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value and abs(value) != float("inf")
