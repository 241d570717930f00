"""Actions on selections, and on which features are in sight."""

from __future__ import annotations

from cimdesk.ui import handlers_select
from cimdesk.ui.action import Action
from cimdesk.ui.needs import Need

ROWS: tuple[Action, ...] = (
    Action(
        "select.expression",
        "Select by expression…",
        "Select the features of the current layer for which a condition holds",
        "City",
        handlers_select.by_expression,
        "Ctrl+E",
        Need.FEATURES,
        group=4,
    ),
    Action(
        "select.invert",
        "Invert selection",
        "Select what is not selected, in the same layers",
        "City",
        handlers_select.invert,
        "Ctrl+I",
        Need.FEATURES,
        group=4,
    ),
    Action(
        "select.hide",
        "Hide selection",
        "Draw the selected features no longer",
        "City",
        handlers_select.hide,
        "H",
        Need.SELECTION,
        group=5,
    ),
    Action(
        "select.isolate",
        "Isolate selection",
        "Draw the selected features alone in their layers",
        "City",
        handlers_select.isolate,
        "I",
        Need.SELECTION,
        group=5,
    ),
    Action(
        "select.show_all",
        "Show all features",
        "Draw again what was hidden or left out",
        "City",
        handlers_select.show_all,
        "Alt+H",
        Need.OPEN,
        group=5,
    ),
    Action(
        "layer.filter",
        "Filter…",
        "Draw and list only the features for which a condition holds",
        "City",
        handlers_select.filter_layer,
        "Ctrl+Shift+F",
        Need.FEATURES,
        group=5,
    ),
    Action(
        "layer.clear_filter",
        "Remove filter",
        "Draw and list all features of the current layer again",
        "City",
        handlers_select.clear_filter,
        needs=Need.FEATURES,
        group=5,
    ),
)
