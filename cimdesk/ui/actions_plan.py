"""Actions of planning: floods, stages, review, presenting, help."""

from __future__ import annotations

from cimdesk.ui import handlers_data, handlers_plan, handlers_view
from cimdesk.ui.action import Action
from cimdesk.ui.needs import Need

ROWS: tuple[Action, ...] = (
    Action(
        "flood.run", "Run flood…", "Simulate rain on the terrain", "Flood", handlers_plan.run_flood, "F9", Need.TERRAIN | Need.IDLE
    ),
    Action(
        "flood.exposure",
        "Exposure",
        "Count the buildings, people and roads in the water",
        "Flood",
        handlers_plan.show_exposure,
        needs=Need.FLOOD,
    ),
    Action(
        "flood.peak", "Go to the peak", "Set the clock to the largest wet area", "Flood", handlers_plan.go_to_peak, needs=Need.FLOOD
    ),
    Action("flood.dry", "Hide the water", "Show the city without any flood", "Flood", handlers_plan.hide_water, needs=Need.FLOOD),
    Action(
        "time.play",
        "Play",
        "Play or pause the clock",
        "Flood",
        handlers_plan.play,
        "Space",
        Need.TIME,
        checked=handlers_plan.is_playing,
        group=1,
    ),
    Action("time.step_back", "Step back", "One step back in time", "Flood", handlers_plan.step_back, ",", Need.TIME, group=1),
    Action(
        "time.step_forward", "Step forward", "One step on in time", "Flood", handlers_plan.step_forward, ".", Need.TIME, group=1
    ),
    Action(
        "time.start",
        "To the beginning",
        "Set the clock to the first moment",
        "Flood",
        handlers_plan.to_start,
        "Ctrl+Home",
        Need.TIME,
        group=1,
    ),
    Action(
        "time.end", "To the end", "Set the clock to the last moment", "Flood", handlers_plan.to_end, "Ctrl+End", Need.TIME, group=1
    ),
    Action("time.slower", "Slower", "Play more slowly", "Flood", handlers_plan.slower, "[", Need.TIME, group=1),
    Action("time.faster", "Faster", "Play faster", "Flood", handlers_plan.faster, "]", Need.TIME, group=1),
    Action(
        "stage.mark",
        "Mark stage…",
        "Set the lifecycle stage of the selected assets",
        "Lifecycle",
        handlers_plan.mark_stage,
        "M",
        Need.SELECTION,
    ),
    Action(
        "stage.color",
        "Colour by stage",
        "Colour the current layer by lifecycle stage, or back",
        "Lifecycle",
        handlers_plan.color_by_stage,
        "Shift+M",
        Need.FEATURES,
        checked=handlers_plan.is_colored_by_stage,
    ),
    Action(
        "stage.history",
        "Stage history",
        "Show the stages of the selected asset in the inspector",
        "Lifecycle",
        handlers_plan.show_history,
        needs=Need.SELECTION,
    ),
    Action(
        "stage.schedule",
        "Import schedule…",
        "Mark the stages that a CSV table lists: id, stage, date, who, why",
        "Lifecycle",
        handlers_plan.import_schedule,
        needs=Need.OPEN,
        group=1,
    ),
    Action(
        "stage.source",
        "Stages from the data",
        "Take the stages that the current layer's file tells: condition, validity, versions",
        "Lifecycle",
        handlers_plan.take_stages,
        needs=Need.FEATURES,
        group=1,
    ),
    Action(
        "review.note",
        "Add note…",
        "Write a note on the selected asset",
        "Review",
        handlers_plan.add_note,
        "Ctrl+Shift+N",
        Need.SELECTION,
    ),
    Action(
        "review.close_note",
        "Close note",
        "Close the open notes on the selected asset, or open them again",
        "Review",
        handlers_plan.close_note,
        needs=Need.SELECTION,
    ),
    Action(
        "review.messages", "Messages", "What was found wrong in the loaded files", "Review", handlers_data.show_messages, "Ctrl+M"
    ),
    Action(
        "review.snapshot",
        "Snapshot…",
        "Save this view as a picture with legend, scale and sources",
        "Review",
        handlers_plan.snapshot,
        "Ctrl+P",
        Need.OPEN,
        group=1,
    ),
    Action(
        "review.report",
        "Report…",
        "Write a report with maps, tables and sources",
        "Review",
        handlers_plan.report,
        "Ctrl+R",
        Need.OPEN,
        group=1,
    ),
    Action(
        "present.start",
        "Present",
        "Show only the city, in large type",
        "Present",
        handlers_plan.present,
        "F5",
        Need.OPEN,
        checked=handlers_plan.is_presenting,
    ),
    Action(
        "present.next", "Next bookmark", "Go to the next bookmark", "Present", handlers_plan.next_bookmark, "Ctrl+Right", Need.OPEN
    ),
    Action(
        "present.previous",
        "Previous bookmark",
        "Go back to the bookmark before",
        "Present",
        handlers_plan.previous_bookmark,
        "Ctrl+Left",
        Need.OPEN,
    ),
    Action("help.commands", "Search commands", "Find any command, place or asset", "Help", handlers_view.show_palette, "Ctrl+K"),
    Action("help.guide", "Guide", "How to use cimdesk", "Help", handlers_view.guide, "F1", group=1),
    Action("help.shortcuts", "Shortcuts", "All keys on one page", "Help", handlers_view.shortcuts, "Ctrl+/", group=1),
    Action("help.about", "About cimdesk", "Version and licence", "Help", handlers_view.about, group=2),
)
