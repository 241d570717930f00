"""Pace of the viewport: quick pictures while the camera moves, a fine one at rest, few while tiles arrive."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from shiboken6 import isValid

from cimdesk.ui.viewport_host import Host
from cimdesk.ui.viewport_surface import Surface

STILL_AFTER_MS = 150
PUBLISH_AFTER_MS = 800
GATHER_MS = 90
"""How long arriving tiles gather before their features reach the tables."""
SLOW_FRAME = 0.030
"""A frame slower than this is drawn at half resolution while the camera moves [s]."""


class Pace(QObject):
    """Says when the viewport draws, and how finely."""

    _tiles_came = Signal()

    def __init__(self, viewport: Host, parent: QObject) -> None:
        super().__init__(parent)
        self._viewport = viewport
        self._still = QTimer(self, singleShot=True, interval=STILL_AFTER_MS)
        self._still.timeout.connect(self._come_to_rest)
        self._gather = QTimer(self, singleShot=True, interval=GATHER_MS)
        self._gather.timeout.connect(viewport.request_render)
        self._publish = QTimer(self, singleShot=True, interval=PUBLISH_AFTER_MS)
        self._publish.timeout.connect(self._publish_features)
        self._tiles_came.connect(self._on_tiles, Qt.ConnectionType.QueuedConnection)

    @property
    def is_moving(self) -> bool:
        """Whether the camera moved a moment ago."""
        return self._still.isActive()

    def begin_motion(self) -> None:
        """Draw quickly until the camera has been still for a moment."""
        scene, surface = self._viewport.scene, self._viewport.surface
        if scene is None or surface is None:
            return
        if not self._still.isActive():
            shown = cast(Surface, surface)
            scene.set_quality("moving")
            shown.set_half(shown.frame_seconds > SLOW_FRAME)
        self._still.start()

    def wake(self, _nothing: None) -> None:
        """Come over to the window's thread: tiles arrive in others."""
        if isValid(self):
            self._tiles_came.emit()

    def stop(self) -> None:
        """Wait for nothing more."""
        for timer in (self._still, self._gather, self._publish):
            timer.stop()

    def _come_to_rest(self) -> None:
        scene, surface = self._viewport.scene, self._viewport.surface
        if scene is None or surface is None:
            return
        if self._viewport.pointer.pressed:
            self._still.start()
            return
        cast(Surface, surface).set_half(False)
        scene.set_quality("still")
        self._viewport.request_render()

    def _on_tiles(self) -> None:
        # Each picture keeps the processors from decoding the next tiles.
        if not self._gather.isActive():
            self._gather.start()
        if not self._publish.isActive():
            self._publish.start()

    def _publish_features(self) -> None:
        session = self._viewport.session
        if session is not None and self._viewport.scene is not None:
            from cimdesk.commands.tiled import publish

            publish(session)
