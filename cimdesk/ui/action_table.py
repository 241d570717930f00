"""ACTIONS: everything a person can do, one row each. Menus, toolbar, palette, shortcuts and their help page come from here."""

from __future__ import annotations

from cimdesk.ui import (
    actions_city,
    actions_compare,
    actions_layer,
    actions_measures,
    actions_plan,
    actions_project,
    actions_select,
    actions_view,
)
from cimdesk.ui.action import MENUS, Action

__all__ = ["ACTIONS", "BY_ID", "CONTROLS", "MENUS", "TOOLS", "Action"]

ACTIONS: tuple[Action, ...] = (
    *actions_project.ROWS,
    *actions_view.ROWS,
    *actions_city.ROWS,
    *actions_layer.ROWS,
    *actions_select.ROWS,
    *actions_plan.ROWS,
    *actions_measures.ROWS,
    *actions_compare.ROWS,
)

BY_ID = {action.id: action for action in ACTIONS}

TOOLS = (
    "project.open", "project.save", "edit.undo", "edit.redo", "",
    "select.pick", "select.box", "select.lasso", "",
    "city.measure", "city.section", "underground.xray", "",
    "flood.run", "stage.mark", "trace.upstream", "",
    "review.snapshot", "review.report",
)  # fmt: skip
"""Buttons of the toolbar, in order; an empty word is a line."""

CONTROLS = ("time.start", "time.step_back", "time.play", "time.step_forward", "time.end")
"""Buttons beside the clock."""
