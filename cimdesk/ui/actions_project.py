"""Actions on projects and edits."""

from __future__ import annotations

from cimdesk.ui import handlers_project
from cimdesk.ui.action import Action
from cimdesk.ui.needs import Need

ROWS: tuple[Action, ...] = (
    Action("project.new", "New project…", "Make an empty project file", "Project", handlers_project.new_project, "Ctrl+N"),
    Action(
        "project.open",
        "Open…",
        "Open a project, or city data to add: CityJSON, 3D Tiles, GeoTIFF, GeoPackage, EPANET, SWMM, CSV",
        "Project",
        handlers_project.open_files,
        "Ctrl+O",
    ),
    Action(
        "project.open_folder",
        "Open folder…",
        "Open a folder of 3D Tiles or of many files",
        "Project",
        handlers_project.open_folder,
        "Ctrl+Shift+O",
    ),
    Action(
        "project.open_address",
        "Open address…",
        "Open 3D Tiles, tiles of pictures, WMTS, WMS or PMTiles from a server by their http address",
        "Project",
        handlers_project.open_address,
    ),
    Action("project.demo", "Demo city", "Make the demo city and open it", "Project", handlers_project.open_demo),
    Action(
        "project.save",
        "Save",
        "Set a restore point; every edit is already on disk",
        "Project",
        handlers_project.save,
        "Ctrl+S",
        Need.OPEN,
        group=1,
    ),
    Action(
        "project.save_as",
        "Save as…",
        "Save the project under another name",
        "Project",
        handlers_project.save_as,
        "Ctrl+Shift+S",
        Need.OPEN,
        group=1,
    ),
    Action(
        "project.return_to",
        "Return to…",
        "Bring the project back to a restore point; undo leads on again",
        "Project",
        handlers_project.return_to,
        needs=Need.OPEN,
        group=1,
    ),
    Action(
        "project.close",
        "Close project",
        "Close the project and return to the start page",
        "Project",
        handlers_project.close_project,
        "Ctrl+W",
        Need.OPEN,
        group=1,
    ),
    Action("edit.undo", "Undo", "Take back the last edit", "Project", handlers_project.undo, "Ctrl+Z", Need.UNDO, group=2),
    Action(
        "edit.redo",
        "Redo",
        "Do the last undone edit again",
        "Project",
        handlers_project.redo,
        "Ctrl+Y; Ctrl+Shift+Z",
        Need.REDO,
        group=2,
    ),
    Action("project.quit", "Quit", "Close the window", "Project", handlers_project.quit_window, "Ctrl+Q", group=3),
)
