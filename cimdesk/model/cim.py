"""The card of a dataset: CIM level, category, source, date, licence, accuracy, coverage; and how good that makes it.

The tables of levels and categories are data (``resources/standards/cim.toml``) and handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

CARD = "card"
"""Option of a layer: what a person has said on its card."""
LEVELS = 7
YEAR = 365.25 * 86400.0
_WEIGHTS = {"level": 1.0, "category": 1.0, "source": 2.0, "date": 2.0, "licence": 2.0, "accuracy": 1.5, "coverage": 0.5}
_GRADES = (("A", 0.9), ("B", 0.7), ("C", 0.5))


class Currency(StrEnum):
    """How fresh a dataset is, by the measure of its category."""

    CURRENT = "current"
    AGEING = "ageing"
    OUTDATED = "outdated"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class CimCard:
    """What is known about a dataset as a whole.

    Attributes
    ----------
    level : int
        CIM level 1..7; 0 where the standard has none for it.
    category : str
        Code of a category of data.
    source, licence, accuracy, coverage : str
        In words; empty for unknown.
    date : str
        ISO date or year of the survey; empty for unknown.
    """

    level: int = 0
    category: str = ""
    source: str = ""
    date: str = ""
    licence: str = ""
    accuracy: str = ""
    coverage: str = ""

    def edited(self, said: Mapping[str, Any]) -> CimCard:
        """Return the card with what a person has said instead of what was derived."""
        known = {field.name for field in fields(self)}
        return replace(self, **{name: value for name, value in said.items() if name in known})

    def changes_from(self, derived: CimCard) -> dict[str, Any]:
        """Return the fields that differ from a derived card: what has to be kept."""
        other = asdict(derived)
        return {name: value for name, value in asdict(self).items() if value != other[name]}


@dataclass(frozen=True)
class CardGrade:
    """How complete and how current a dataset is.

    Attributes
    ----------
    letter : str
        ``A`` to ``D``, for completeness.
    completeness : float
        0..1.
    currency : Currency
    missing : tuple of str
        Names of the card's fields that nobody has filled.
    age : float or None
        [years].
    share_drawn : float or None
        Share of the features that have geometry; None where that does not apply.
    errors : int
        Errors found while reading.
    """

    letter: str
    completeness: float
    currency: Currency
    missing: tuple[str, ...]
    age: float | None
    share_drawn: float | None
    errors: int


def grade(
    card: CimCard,
    now: float,
    surveyed: float | None,
    limits: tuple[float, float],
    share_drawn: float | None = None,
    errors: int = 0,
) -> CardGrade:
    """Return the grade of a card.

    Parameters
    ----------
    card : CimCard
    now, surveyed : float, float or None
        The time it is, and that of the survey [POSIX s]; None for unknown.
    limits : (float, float)
        Years up to which data of its category is current, and is ageing.
    share_drawn : float or None
        Share of the features that have geometry.
    errors : int
        Errors found while reading.
    """
    has_level = card.level > 0 or card.category in ("sensing", "results", "thematic")
    filled = {name: bool(value) for name, value in asdict(card).items()} | {"level": has_level}
    total = sum(_WEIGHTS.values())
    known = sum(weight for name, weight in _WEIGHTS.items() if filled[name]) / total
    drawn = 1.0 if share_drawn is None else min(1.0, share_drawn / 0.99)
    score = known * (0.7 + 0.3 * drawn) * (0.95 if errors else 1.0)
    letter = next((name for name, least in _GRADES if score >= least), "D")
    age = None if surveyed is None else max(0.0, (now - surveyed) / YEAR)
    currency = Currency.UNKNOWN
    if age is not None:
        currency = Currency.CURRENT if age <= limits[0] else Currency.AGEING if age <= limits[1] else Currency.OUTDATED
    missing = tuple(name for name in _WEIGHTS if not filled[name])
    return CardGrade(letter, score, currency, missing, age, share_drawn, errors)
