"""What the View, tool and Help actions do."""

from __future__ import annotations

import base64

from cimdesk.base.i18n import current_language, tr
from cimdesk.commands import bookmarks
from cimdesk.model.selection import AssetRef
from cimdesk.ui.desk import Desk
from cimdesk.ui.theme import current_theme

THUMBNAIL = (240, 136)
"""Width and height of the small picture of a bookmark [px]."""


def fit(desk: Desk) -> None:
    """Show everything visible."""
    if desk.view and desk.view.scene:
        desk.view.scene.fit()


def fit_selection(desk: Desk) -> None:
    """Show the selected assets."""
    if desk.view and desk.view.scene:
        desk.view.scene.fit(desk.session.selection.refs)


def _look(desk: Desk, preset: str) -> None:
    if desk.view and desk.view.scene:
        desk.view.scene.camera.look_from(preset)


def north(desk: Desk) -> None:
    """Turn to the north."""
    _look(desk, "north_up")


def top(desk: Desk) -> None:
    """Look straight down."""
    _look(desk, "top")


def south(desk: Desk) -> None:
    """Look from the south."""
    _look(desk, "south")


def oblique(desk: Desk) -> None:
    """Look down at an angle."""
    _look(desk, "oblique")


def add_bookmark(desk: Desk) -> None:
    """Keep this view under a name, with a thumbnail."""
    view = desk.view
    if view is None or view.scene is None:
        return
    session = desk.session
    count = len(session.workspace.document.records("bookmark"))
    name = desk.ask.text(tr("Add bookmark"), tr("Name"), tr("View {number}").format(number=count + 1))
    if name:
        first, last = session.clock.range
        picture = base64.b64encode(view.pictures.thumbnail(*THUMBNAIL)).decode("ascii")
        moment = session.clock.time if last > first else None
        desk.current_bookmark = bookmarks.add(session, name, view.scene.camera.to_record(), moment, thumbnail=picture)


def left_panel(desk: Desk) -> None:
    """Show or hide the layers."""
    _toggle(desk, "left")


def right_panel(desk: Desk) -> None:
    """Show or hide the inspector."""
    _toggle(desk, "right")


def bottom_panel(desk: Desk) -> None:
    """Show or hide the lower panel."""
    _toggle(desk, "bottom")


def _toggle(desk: Desk, name: str) -> None:
    if desk.shell:
        desk.shell.panels.toggle(name)


def panel_is_shown(desk: Desk, name: str) -> bool:
    """Whether a panel is shown."""
    return desk.shell is not None and desk.shell.panels.is_shown(name)


def full_screen(desk: Desk) -> None:
    """Use the whole screen, or not."""
    if desk.shell:
        desk.shell.toggle_full_screen()


def light(desk: Desk) -> None:
    """Use the light theme."""
    _theme(desk, "light")


def dark(desk: Desk) -> None:
    """Use the dark theme."""
    _theme(desk, "dark")


def projector(desk: Desk) -> None:
    """Use the projector theme."""
    _theme(desk, "projector")


def _theme(desk: Desk, name: str) -> None:
    if desk.shell:
        desk.settings.put(theme=name)
        desk.shell.set_theme(name)


def theme_is(_desk: Desk, name: str) -> bool:
    """Whether a theme is in use."""
    return current_theme().name == name


def english(desk: Desk) -> None:
    """Use English."""
    desk.set_language("en")


def chinese(desk: Desk) -> None:
    """Use Simplified Chinese."""
    desk.set_language("zh_CN")


def is_english(_desk: Desk) -> bool:
    """Whether the window speaks English."""
    return current_language() == "en"


def is_chinese(_desk: Desk) -> bool:
    """Whether the window speaks Chinese."""
    return current_language() == "zh_CN"


def like_qgis(desk: Desk) -> None:
    """Use the mouse as in QGIS."""
    _navigate(desk, "qgis")


def like_cesium(desk: Desk) -> None:
    """Use the mouse as in Cesium."""
    _navigate(desk, "cesium")


def like_paraview(desk: Desk) -> None:
    """Use the mouse as in ParaView."""
    _navigate(desk, "paraview")


def like_cad(desk: Desk) -> None:
    """Use the mouse as in CAD."""
    _navigate(desk, "cad")


def _navigate(desk: Desk, preset: str) -> None:
    desk.settings.put(navigation=preset)
    if desk.view:
        desk.view.navigation = preset


def navigation_is(desk: Desk, preset: str) -> bool:
    """Whether a mouse preset is in use."""
    return desk.view is not None and desk.view.navigation == preset


def pick_tool(desk: Desk) -> None:
    """Select by clicking."""
    _tool(desk, "pick")


def box_tool(desk: Desk) -> None:
    """Select by a rectangle."""
    _tool(desk, "box")


def lasso_tool(desk: Desk) -> None:
    """Select by an outline."""
    _tool(desk, "lasso")


def measure_tool(desk: Desk) -> None:
    """Measure, or stop measuring."""
    _tool(desk, "pick" if tool_is(desk, "measure") else "measure")


def open_section(desk: Desk) -> None:
    """Show what stands along a line that is drawn in the scene."""
    from cimdesk.ui.section_window import open_section as show

    if desk.view:
        show(desk)


def _tool(desk: Desk, name: str) -> None:
    if desk.view:
        desk.view.set_tool(name)


def tool_is(desk: Desk, name: str) -> bool:
    """Whether a tool is in use."""
    return desk.view is not None and desk.view.tool == name


def clear_selection(desk: Desk) -> None:
    """Leave presenting first, then the tool, then the selection."""
    if desk.shell and desk.shell.presenting:
        desk.shell.set_presenting(False)
    elif desk.view and desk.view.tool != "pick":
        desk.view.set_tool("pick")
    else:
        desk.session.selection.clear()


def xray(desk: Desk) -> None:
    """See through the ground, or not."""
    if desk.view and desk.view.scene:
        desk.view.scene.set_xray(not desk.view.scene.xray)
        desk.availability_changed.emit()


def xray_is_on(desk: Desk) -> bool:
    """Whether the ground is seen through."""
    return bool(desk.view and desk.view.scene and desk.view.scene.xray)


def show_palette(desk: Desk) -> None:
    """Open the command palette."""
    if desk.shell:
        desk.shell.show_palette()


def find_asset(desk: Desk) -> None:
    """Open the search of everything that is loaded."""
    if desk.shell:
        desk.shell.show_palette(search=True)


def go_to(desk: Desk, ref: AssetRef) -> None:
    """Select an asset and show it."""
    desk.select([ref])
    fit_selection(desk)


def guide(desk: Desk) -> None:
    """Open the guide."""
    desk.ask.form("help", desk, page="index")


def shortcuts(desk: Desk) -> None:
    """Open the page of keys."""
    desk.ask.form("help", desk, page="shortcuts")


def about(desk: Desk) -> None:
    """Say what this is."""
    desk.ask.form("about", desk)
