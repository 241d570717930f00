"""What styles ask of large tables, found while nobody waits for it."""

from __future__ import annotations

import threading

from PySide6.QtCore import QObject, QTimer

from cimdesk.commands.session import Session
from cimdesk.model.families import styled_features
from cimdesk.model.features import FeatureTable
from cimdesk.model.limits import ready_tables
from cimdesk.ui.desk import Desk, Links

QUIET_MS = 600
"""How long nothing must have changed."""
LARGE = 20_000
"""Features of a table below which a style is found at once."""


class ReadyColumns(QObject):
    """Has the columns of large layers made ready when the project has been still for a moment."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._links = Links()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._quiet = QTimer(self, singleShot=True, interval=QUIET_MS)
        self._quiet.timeout.connect(self._begin)
        desk.session_changed.connect(self.bind)
        self.bind(desk.session)

    @property
    def is_busy(self) -> bool:
        """Whether there is something left to find."""
        return self._quiet.isActive() or (self._thread is not None and self._thread.is_alive())

    def bind(self, session: Session) -> None:
        """Follow another project."""
        self.stop()
        self._links.clear()
        self._links.add(session.workspace.changed, self._on_changed)
        self._quiet.start()

    def stop(self) -> None:
        """Look for nothing more; what is in the making is given up."""
        self._quiet.stop()
        self._stop.set()

    def _on_changed(self, _changes: object) -> None:
        self._quiet.start()

    def _begin(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            # Of another state of the project.
            self._stop.set()
            self._quiet.start()
            return
        tables = self._tables()
        if tables:
            self._stop = threading.Event()
            self._thread = threading.Thread(target=ready_tables, args=(tables, self._stop.is_set), name="columns", daemon=True)
            self._thread.start()

    def _tables(self) -> list[FeatureTable]:
        """Return the large tables, that of the layer at hand first."""
        workspace = self._desk.session.workspace
        layers = sorted(workspace.layers(), key=lambda layer: layer.id != self._desk.current_layer)
        tables = [styled_features(workspace, layer.id) for layer in layers if layer.visible]
        return [table for table in tables if table is not None and len(table) >= LARGE]
