"""Actions that judge floods: compare two, hold one against marks, and say which ways out roads must have."""

from __future__ import annotations

from cimdesk.ui import handlers_compare
from cimdesk.ui.action import Action
from cimdesk.ui.needs import Need

ROWS: tuple[Action, ...] = (
    Action(
        "flood.difference",
        "Depth difference",
        "Draw the shown flood minus the one it is compared with: wetter and drier",
        "Flood",
        handlers_compare.toggle_difference,
        "Alt+D",
        Need.FLOOD,
        checked=handlers_compare.is_difference,
        group=2,
    ),
    Action(
        "flood.swipe",
        "Swipe A | B",
        "Draw two floods beside each other with a line to drag",
        "Flood",
        handlers_compare.toggle_swipe,
        "Alt+B",
        Need.FLOOD,
        checked=handlers_compare.is_swipe,
        group=2,
    ),
    Action(
        "flood.calibrate",
        "Marks and gauges…",
        "Hold the shown flood against surveyed marks and water gauges",
        "Flood",
        handlers_compare.calibrate,
        needs=Need.FLOOD,
        group=2,
    ),
    Action(
        "flood.exits",
        "Ways out: the selection",
        "Count roads as cut off that do not lead dry to the selected places; to the largest dry part without a selection",
        "Flood",
        handlers_compare.set_ways_out,
        needs=Need.OPEN,
        group=2,
    ),
)
