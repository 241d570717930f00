"""What an action is, and the menus there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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
