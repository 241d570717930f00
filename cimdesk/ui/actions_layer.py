"""Actions on a layer as a dataset: export, card, outlines into buildings."""

from __future__ import annotations

from cimdesk.ui import handlers_layer
from cimdesk.ui.action import Action
from cimdesk.ui.needs import Need

ROWS: tuple[Action, ...] = (
    Action(
        "layer.export",
        "Export…",
        "Write the current layer, or what is selected of it, to a file in the format you choose",
        "City",
        handlers_layer.export_layer,
        "Ctrl+Shift+E",
        Need.LAYER,
        group=4,
    ),
    Action(
        "layer.card",
        "Card…",
        "CIM level, category, source, date, licence and accuracy of the current layer, and its grade",
        "City",
        handlers_layer.show_card,
        needs=Need.LAYER,
        group=4,
    ),
    Action(
        "layer.extrude",
        "Extrude into buildings…",
        "Raise the outlines of the current layer to the heights one of its columns tells",
        "City",
        handlers_layer.extrude,
        needs=Need.FEATURES,
        group=4,
    ),
)
