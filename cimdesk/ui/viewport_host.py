"""The viewport as its parts see it: what its input, its pace, its picking and its pictures ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtWidgets import QWidget

from cimdesk.commands.session import Session
from cimdesk.model.selection import AssetRef

if TYPE_CHECKING:
    from cimdesk.scene.scene import Scene


class Motion(Protocol):
    """What says how finely the view is drawn."""

    @property
    def is_moving(self) -> bool: ...
    def begin_motion(self) -> None: ...


class Choice(Protocol):
    """What turns places in the picture into a selection."""

    def click(self, position: QPointF, toggle: bool) -> None: ...
    def choose_area(self, refs: frozenset[AssetRef], toggle: bool) -> None: ...


class Cursor(Protocol):
    """Where the mouse is [logical px], and whether a button is held."""

    position: QPointF
    pressed: bool


class Host(Protocol):
    """The viewport. Its signals are named here without their types, which Qt gives them."""

    scene: Scene | None
    surface: QWidget | None
    session: Session | None
    tool: str
    navigation: str
    hovered: Any
    pointed: Any
    placed: Any
    measured: Any

    @property
    def pace(self) -> Motion: ...
    @property
    def picking(self) -> Choice: ...
    @property
    def pointer(self) -> Cursor: ...
    @property
    def renders(self) -> int: ...
    def device(self, position: QPointF | QPoint) -> tuple[float, float]: ...
    def to_logical(self, points: np.ndarray) -> list[QPointF]: ...
    def draw_ink(self) -> None: ...
    def request_render(self) -> None: ...
