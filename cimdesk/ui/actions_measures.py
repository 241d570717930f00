"""Actions of measures against floods: drawing them, and running a flood again with them."""

from __future__ import annotations

from cimdesk.ui import handlers_measures as handlers
from cimdesk.ui.action import Action
from cimdesk.ui.needs import Need

_NEED = Need.TERRAIN

ROWS: tuple[Action, ...] = (
    Action("measure.wall", "Draw wall", "Draw a flood wall on the ground", "Flood", handlers.draw_wall, "W", _NEED, group=2),
    Action("measure.gate", "Draw gate", "Draw a flood gate on the ground", "Flood", handlers.draw_gate, "", _NEED, group=2),
    Action(
        "measure.breach", "Draw breach", "Draw a breach along a dike or wall", "Flood", handlers.draw_breach, "", _NEED, group=2
    ),
    Action(
        "measure.opening", "Draw opening", "Draw a way for water below a bridge", "Flood", handlers.draw_opening, "", _NEED, group=2
    ),
    Action("measure.pump", "Draw pump", "Draw a pump from intake to outlet", "Flood", handlers.draw_pump, "", _NEED, group=2),
    Action("measure.culvert", "Draw culvert", "Draw a culvert from end to end", "Flood", handlers.draw_culvert, "", _NEED, group=2),
    Action("measure.storage", "Place storage", "Place a tank for water", "Flood", handlers.draw_storage, "", _NEED, group=2),
    Action(
        "measure.unblock", "Unblock drains", "Clear the inlets of the selected manholes", "Flood", handlers.unblock, "", Need.PIPE,
        group=2,
    ),
    Action(
        "measure.storm", "Another storm with measures…", "Ask for another storm and simulate it with the measures", "Flood",
        handlers.run_storm, "", Need.TERRAIN, group=2,
    ),
    Action(
        "measure.run", "Run with measures", "Simulate the flood again with the measures that are switched on", "Flood",
        handlers.run_again, "Shift+F9", Need.FLOOD | Need.IDLE, group=2,
    ),
    Action(
        "measure.whole", "Run the whole with measures", "Simulate the whole flood again with the measures, its drains included",
        "Flood", handlers.run_whole, "", Need.FLOOD | Need.IDLE, group=2,
    ),
)  # fmt: skip
