"""What a plant of a city model is called: a tree where its class, its trunk or its species say so."""

from __future__ import annotations

from cimdesk.base.i18n import tr
from cimdesk.model.features import FeatureTable, plain_value

PLANT = "SolitaryVegetationObject"
TREE_CODES = ("1060", "1070")
"""Coniferous and deciduous trees in the list of classes that CityGML gives for plants."""
TREE_WORDS = ("tree", "baum", "arbre", "boom", "树", "木")
CLASSES = ("class", "function", "usage")
TREE_FACTS = ("species", "trunkdiameter")
"""What is known of trees and of hardly any other single plant."""


def plant_words(table: FeatureTable, row: int) -> str:
    """Return ``Tree`` or ``Plant`` in the current language for a single plant."""
    known = {name.lower(): name for name in table.columns if name.lower() in (*CLASSES, *TREE_FACTS)}
    values = {short: plain_value(table.columns[name][row]) for short, name in known.items()}
    said = {name: str(value) for name, value in values.items() if value not in (None, "")}
    classes = [said[name].lower() for name in CLASSES if name in said]
    if classes:
        is_tree = any(text in TREE_CODES or any(word in text for word in TREE_WORDS) for text in classes)
    else:
        is_tree = any(name in said for name in TREE_FACTS)
    return tr("Tree") if is_tree else tr("Plant")
