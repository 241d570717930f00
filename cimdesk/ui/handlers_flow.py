"""What the actions do that show where flood water flows to."""

from __future__ import annotations

from cimdesk.commands.flood_outputs import show_flow
from cimdesk.model.flood_flow import ARROWS, STREAKS
from cimdesk.ui.desk import Desk
from cimdesk.ui.needs import flood_results


def toggle_arrows(desk: Desk) -> None:
    """Show arrows on the water of all floods, or none."""
    _toggle(desk, ARROWS)


def toggle_streaks(desk: Desk) -> None:
    """Show streaks that drift with the water of all floods, or none."""
    _toggle(desk, STREAKS)


def has_arrows(desk: Desk) -> bool:
    """Whether the floods show arrows."""
    return ARROWS in _kinds(desk)


def has_streaks(desk: Desk) -> bool:
    """Whether the floods show streaks."""
    return STREAKS in _kinds(desk)


def _kinds(desk: Desk) -> set[str]:
    return {desk.session.workspace.layer(key).style.flow for key, _, _ in flood_results(desk)}


def _toggle(desk: Desk, kind: str) -> None:
    keys = [key for key, _, _ in flood_results(desk) if not desk.session.workspace.is_guest(key)]
    if keys:
        show_flow(desk.session, keys, "" if kind in _kinds(desk) else kind)
