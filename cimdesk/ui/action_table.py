"""ACTIONS: everything a person can do, one row each. Menus, toolbar, palette, shortcuts and their help page come from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from cimdesk.ui import handlers_data, handlers_plan, handlers_project, handlers_view
from cimdesk.ui.desk import Desk
from cimdesk.ui.needs import Need

MENUS = ("Project", "View", "City", "Underground", "Sensors", "Flood", "Lifecycle", "Review", "Present", "Help")


@dataclass(frozen=True)
class Action:
    """One thing a person can do.

    Attributes
    ----------
    id : str
        Stable name; the icon has the same.
    text, tip : str
        English; translated where shown. A text ending in ``…`` asks something first.
    menu : str
        One of `MENUS`.
    handler : callable
        ``handler(desk)``.
    shortcut : str
        Portable key sequence, several separated by ``; ``.
    needs : Need
        When it can be done.
    checked : callable or None
        ``checked(desk)`` for actions that are on or off.
    group : int
        Actions of a menu with different numbers are separated by a line.
    """

    id: str
    text: str
    tip: str
    menu: str
    handler: Callable[[Desk], object]
    shortcut: str = ""
    needs: Need = Need.NOTHING
    checked: Callable[[Desk], bool] | None = None
    group: int = field(default=0)


_P, _V, _D, _L = handlers_project, handlers_view, handlers_data, handlers_plan


ACTIONS: tuple[Action, ...] = (
    Action("project.new", "New project…", "Make an empty project file", "Project", _P.new_project, "Ctrl+N"),
    Action(
        "project.open",
        "Open…",
        "Open a project, or city data to add: CityJSON, 3D Tiles, GeoTIFF, GeoPackage, EPANET, SWMM, CSV",
        "Project",
        _P.open_files,
        "Ctrl+O",
    ),
    Action(
        "project.open_folder",
        "Open folder…",
        "Open a folder of 3D Tiles or of many files",
        "Project",
        _P.open_folder,
        "Ctrl+Shift+O",
    ),
    Action(
        "project.open_address",
        "Open address…",
        "Open 3D Tiles from a server by their http address",
        "Project",
        _P.open_address,
    ),
    Action("project.demo", "Demo city", "Make the demo city and open it", "Project", _P.open_demo),
    Action(
        "project.save",
        "Save",
        "Set a restore point; every edit is already on disk",
        "Project",
        _P.save,
        "Ctrl+S",
        Need.OPEN,
        group=1,
    ),
    Action(
        "project.save_as",
        "Save as…",
        "Save the project under another name",
        "Project",
        _P.save_as,
        "Ctrl+Shift+S",
        Need.OPEN,
        group=1,
    ),
    Action(
        "project.close",
        "Close project",
        "Close the project and return to the start page",
        "Project",
        _P.close_project,
        "Ctrl+W",
        Need.OPEN,
        group=1,
    ),
    Action("edit.undo", "Undo", "Take back the last edit", "Project", _P.undo, "Ctrl+Z", Need.UNDO, group=2),
    Action("edit.redo", "Redo", "Do the last undone edit again", "Project", _P.redo, "Ctrl+Y; Ctrl+Shift+Z", Need.REDO, group=2),
    Action("project.quit", "Quit", "Close the window", "Project", _P.quit_window, "Ctrl+Q", group=3),
    Action("view.fit", "Whole city", "Show everything that is visible", "View", _V.fit, "Home", Need.OPEN),
    Action("view.fit_selection", "Zoom to selection", "Show the selected assets", "View", _V.fit_selection, "F", Need.SELECTION),
    Action("view.north", "North up", "Turn the view to the north", "View", _V.north, "N", Need.OPEN),
    Action("view.top", "From above", "Look straight down, as on a map", "View", _V.top, "7", Need.OPEN),
    Action("view.south", "From the south", "Look north from the south", "View", _V.south, "1", Need.OPEN),
    Action("view.oblique", "Oblique", "Look down at an angle", "View", _V.oblique, "3", Need.OPEN),
    Action(
        "view.add_bookmark",
        "Add bookmark…",
        "Keep this view with its layers and time",
        "View",
        _V.add_bookmark,
        "Ctrl+B",
        Need.OPEN,
        group=1,
    ),
    Action(
        "view.left_panel",
        "Layers panel",
        "Show or hide the layers",
        "View",
        _V.left_panel,
        "Ctrl+1",
        group=2,
        checked=partial(_V.panel_is_shown, name="left"),
    ),
    Action(
        "view.right_panel",
        "Inspector",
        "Show or hide the inspector",
        "View",
        _V.right_panel,
        "Ctrl+2",
        group=2,
        checked=partial(_V.panel_is_shown, name="right"),
    ),
    Action(
        "view.bottom_panel",
        "Timeline and tables",
        "Show or hide the lower panel",
        "View",
        _V.bottom_panel,
        "Ctrl+3",
        group=2,
        checked=partial(_V.panel_is_shown, name="bottom"),
    ),
    Action("view.full_screen", "Full screen", "Use the whole screen", "View", _V.full_screen, "F11", group=2),
    Action(
        "view.theme_light",
        "Light theme",
        "For a bright office",
        "View",
        _V.light,
        group=3,
        checked=partial(_V.theme_is, name="light"),
    ),
    Action(
        "view.theme_dark",
        "Dark theme",
        "For a dim control room",
        "View",
        _V.dark,
        group=3,
        checked=partial(_V.theme_is, name="dark"),
    ),
    Action(
        "view.theme_projector",
        "Projector theme",
        "Large text and strong contrast",
        "View",
        _V.projector,
        group=3,
        checked=partial(_V.theme_is, name="projector"),
    ),
    Action("view.language_en", "English", "Use English", "View", _V.english, group=4, checked=_V.is_english),
    Action("view.language_zh", "简体中文", "Use Simplified Chinese", "View", _V.chinese, group=4, checked=_V.is_chinese),
    Action(
        "view.navigation_qgis",
        "Mouse as in QGIS",
        "Left pans, middle orbits, right zooms",
        "View",
        _V.like_qgis,
        group=5,
        checked=partial(_V.navigation_is, preset="qgis"),
    ),
    Action(
        "view.navigation_cesium",
        "Mouse as in Cesium",
        "Left pans, Ctrl+left orbits, right zooms",
        "View",
        _V.like_cesium,
        group=5,
        checked=partial(_V.navigation_is, preset="cesium"),
    ),
    Action(
        "view.navigation_paraview",
        "Mouse as in ParaView",
        "Left orbits, middle pans, right zooms",
        "View",
        _V.like_paraview,
        group=5,
        checked=partial(_V.navigation_is, preset="paraview"),
    ),
    Action(
        "view.navigation_cad",
        "Mouse as in CAD",
        "Left draws a box, middle pans, right orbits",
        "View",
        _V.like_cad,
        group=5,
        checked=partial(_V.navigation_is, preset="cad"),
    ),
    Action(
        "select.pick",
        "Select",
        "Click to select, Ctrl+click to add",
        "City",
        _V.pick_tool,
        "S",
        checked=partial(_V.tool_is, name="pick"),
    ),
    Action(
        "select.box", "Box", "Select everything in a rectangle", "City", _V.box_tool, "B", checked=partial(_V.tool_is, name="box")
    ),
    Action(
        "select.lasso",
        "Lasso",
        "Select everything in a drawn outline",
        "City",
        _V.lasso_tool,
        "L",
        checked=partial(_V.tool_is, name="lasso"),
    ),
    Action(
        "select.all",
        "Select all of the layer",
        "Select every feature of the current layer",
        "City",
        _D.select_all,
        "Ctrl+A",
        Need.FEATURES,
        group=1,
    ),
    Action("select.clear", "Select nothing", "Clear the selection and leave the tool", "City", _V.clear_selection, "Esc", group=1),
    Action("layer.zoom", "Zoom to layer", "Show all of the current layer", "City", _D.zoom_to_layer, needs=Need.LAYER, group=2),
    Action(
        "layer.table",
        "Attribute table",
        "Show the attributes of the current layer",
        "City",
        _D.show_table,
        "F6",
        Need.FEATURES,
        group=2,
    ),
    Action("layer.style", "Style…", "Choose what colours the current layer", "City", _D.edit_style, "Ctrl+T", Need.LAYER, group=2),
    Action(
        "layer.rename", "Rename layer", "Give the current layer another name", "City", _D.rename_layer, "F2", Need.LAYER, group=2
    ),
    Action("layer.show_all", "Show all layers", "Make every layer visible", "City", _D.show_all, "Shift+H", Need.OPEN, group=2),
    Action(
        "layer.remove",
        "Remove layer",
        "Take the current layer out of the project; its file stays",
        "City",
        _D.remove_layer,
        "Ctrl+Del",
        Need.LAYER,
        group=2,
    ),
    Action(
        "city.measure",
        "Measure",
        "Measure distance, area and height difference",
        "City",
        _V.measure_tool,
        "D",
        Need.OPEN,
        group=3,
        checked=partial(_V.tool_is, name="measure"),
    ),
    Action(
        "city.find",
        "Find an asset…",
        "Find a building, pipe or sensor by name",
        "City",
        _V.find_asset,
        "Ctrl+F",
        Need.OPEN,
        group=3,
    ),
    Action(
        "underground.xray",
        "X-ray",
        "See the pipes through the ground",
        "Underground",
        _V.xray,
        "X",
        Need.OPEN,
        checked=_V.xray_is_on,
    ),
    Action(
        "trace.upstream",
        "Trace upstream",
        "Select everything that drains to the selected pipe",
        "Underground",
        _D.trace_upstream,
        "U",
        Need.PIPE,
        group=1,
    ),
    Action(
        "trace.downstream",
        "Trace downstream",
        "Select where the selected pipe drains to",
        "Underground",
        _D.trace_downstream,
        "Shift+U",
        Need.PIPE,
        group=1,
    ),
    Action(
        "trace.connected",
        "Trace connected",
        "Select everything connected to the selected pipe",
        "Underground",
        _D.trace_connected,
        "Ctrl+U",
        Need.PIPE,
        group=1,
    ),
    Action(
        "trace.isolate",
        "Isolate a burst",
        "Select the valves to close round the selected pipe, and what they cut off",
        "Underground",
        _D.isolate,
        "Ctrl+Shift+U",
        Need.PIPE,
        group=1,
    ),
    Action("sensors.next_alarm", "Next alarm", "Go to the next sensor in alarm", "Sensors", _D.next_alarm, "A", Need.SENSORS),
    Action("sensors.status", "Sensor alarms", "List the sensors by status", "Sensors", _D.show_alarms, needs=Need.SENSORS),
    Action(
        "sensors.chart",
        "Chart of readings",
        "Show the readings of the selected sensors",
        "Sensors",
        _D.show_charts,
        "C",
        Need.SENSORS,
    ),
    Action("flood.run", "Run flood…", "Simulate rain on the terrain", "Flood", _L.run_flood, "F9", Need.TERRAIN | Need.IDLE),
    Action(
        "flood.exposure",
        "Exposure",
        "Count the buildings, people and roads in the water",
        "Flood",
        _L.show_exposure,
        needs=Need.FLOOD,
    ),
    Action("flood.peak", "Go to the peak", "Set the clock to the largest wet area", "Flood", _L.go_to_peak, needs=Need.FLOOD),
    Action("flood.dry", "Hide the water", "Show the city without any flood", "Flood", _L.hide_water, needs=Need.FLOOD),
    Action("time.play", "Play", "Play or pause the clock", "Flood", _L.play, "Space", Need.TIME, checked=_L.is_playing, group=1),
    Action("time.step_back", "Step back", "One step back in time", "Flood", _L.step_back, ",", Need.TIME, group=1),
    Action("time.step_forward", "Step forward", "One step on in time", "Flood", _L.step_forward, ".", Need.TIME, group=1),
    Action(
        "time.start", "To the beginning", "Set the clock to the first moment", "Flood", _L.to_start, "Ctrl+Home", Need.TIME, group=1
    ),
    Action("time.end", "To the end", "Set the clock to the last moment", "Flood", _L.to_end, "Ctrl+End", Need.TIME, group=1),
    Action("time.slower", "Slower", "Play more slowly", "Flood", _L.slower, "[", Need.TIME, group=1),
    Action("time.faster", "Faster", "Play faster", "Flood", _L.faster, "]", Need.TIME, group=1),
    Action(
        "stage.mark",
        "Mark stage…",
        "Set the lifecycle stage of the selected assets",
        "Lifecycle",
        _L.mark_stage,
        "M",
        Need.SELECTION,
    ),
    Action(
        "stage.color",
        "Colour by stage",
        "Colour the current layer by lifecycle stage, or back",
        "Lifecycle",
        _L.color_by_stage,
        "Shift+M",
        Need.FEATURES,
        checked=_L.is_colored_by_stage,
    ),
    Action(
        "stage.history",
        "Stage history",
        "Show the stages of the selected asset in the inspector",
        "Lifecycle",
        _L.show_history,
        needs=Need.SELECTION,
    ),
    Action("review.note", "Add note…", "Write a note on the selected asset", "Review", _L.add_note, "Ctrl+Shift+N", Need.SELECTION),
    Action("review.messages", "Messages", "What was found wrong in the loaded files", "Review", _D.show_messages, "Ctrl+M"),
    Action(
        "review.snapshot",
        "Snapshot…",
        "Save this view as a picture with legend, scale and sources",
        "Review",
        _L.snapshot,
        "Ctrl+P",
        Need.OPEN,
        group=1,
    ),
    Action(
        "review.report",
        "Report…",
        "Write a report with maps, tables and sources",
        "Review",
        _L.report,
        "Ctrl+R",
        Need.OPEN,
        group=1,
    ),
    Action(
        "present.start",
        "Present",
        "Show only the city, in large type",
        "Present",
        _L.present,
        "F5",
        Need.OPEN,
        checked=_L.is_presenting,
    ),
    Action("present.next", "Next bookmark", "Go to the next bookmark", "Present", _L.next_bookmark, "Ctrl+Right", Need.OPEN),
    Action(
        "present.previous",
        "Previous bookmark",
        "Go back to the bookmark before",
        "Present",
        _L.previous_bookmark,
        "Ctrl+Left",
        Need.OPEN,
    ),
    Action("help.commands", "Search commands", "Find any command, place or asset", "Help", _V.show_palette, "Ctrl+K"),
    Action("help.guide", "Guide", "How to use cimdesk", "Help", _V.guide, "F1", group=1),
    Action("help.shortcuts", "Shortcuts", "All keys on one page", "Help", _V.shortcuts, "Ctrl+/", group=1),
    Action("help.about", "About cimdesk", "Version and licence", "Help", _V.about, group=2),
)

BY_ID = {action.id: action for action in ACTIONS}

TOOLS = (
    "project.open", "project.save", "edit.undo", "edit.redo", "",
    "select.pick", "select.box", "select.lasso", "",
    "city.measure", "underground.xray", "",
    "flood.run", "stage.mark", "trace.upstream", "",
    "review.snapshot", "review.report",
)  # fmt: skip
"""Buttons of the toolbar, in order; an empty word is a line."""

CONTROLS = ("time.start", "time.step_back", "time.play", "time.step_forward", "time.end")
"""Buttons beside the clock."""
