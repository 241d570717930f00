"""The card of a layer as lines of the inspector: label, value, and the token of its colour."""

from __future__ import annotations

from cimdesk.base.i18n import tr
from cimdesk.commands import cards
from cimdesk.model.cim import Currency
from cimdesk.model.layers import Layer
from cimdesk.model.workspace import Workspace

GRADE_TOKENS = {"A": "normal", "B": "attention", "C": "warning", "D": "alarm"}
CURRENCY_TOKENS = {Currency.CURRENT: "normal", Currency.AGEING: "warning", Currency.OUTDATED: "alarm", Currency.UNKNOWN: "stale"}


def card_facts(workspace: Workspace, layer: Layer) -> list[tuple[str, str, str]]:
    """Return what is known about a layer as a dataset; what is not known is said to be unknown."""
    card, found = cards.card_of(workspace, layer), cards.grade_of(workspace, layer)
    unknown = tr("unknown")
    facts = [
        (cards.field_name("level"), cards.level_name(card.level), ""),
        (cards.field_name("category"), cards.category_name(card.category), ""),
    ]
    facts += [
        (cards.field_name(name), getattr(card, name) or unknown, "")
        for name in ("source", "date", "licence", "accuracy", "coverage")
    ]
    complete = tr("{share} complete").format(share=f"{found.completeness:.0%}")
    facts.append((tr("Grade"), f"{found.letter}  ·  {complete}", GRADE_TOKENS[found.letter]))
    facts.append((tr("Currency"), tr(cards.CURRENCY_NAMES[found.currency]), CURRENCY_TOKENS[found.currency]))
    return facts
