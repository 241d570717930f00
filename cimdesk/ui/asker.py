"""Asker: the questions of the window as real dialogs. Each form is loaded when it is first asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

from cimdesk.base.i18n import tr
from cimdesk.ui.desk import Desk
from cimdesk.ui.settings import WindowSettings

log = logging.getLogger(__name__)

FORMS = {
    "hydrographs": "cimdesk.ui.hydrograph_chart",
    "preview": "cimdesk.ui.preview_dialog",
    "folder": "cimdesk.ui.folder_dialog",
    "style": "cimdesk.ui.style_panel",
    "points": "cimdesk.ui.point_dialog",
    "terrain": "cimdesk.ui.terrain_dialog",
    "select": "cimdesk.ui.select_dialog",
    "export": "cimdesk.ui.export_dialog",
    "card": "cimdesk.ui.card_dialog",
    "extrude": "cimdesk.ui.extrude_dialog",
    "stage": "cimdesk.ui.stage_dialog",
    "flood": "cimdesk.ui.flood_dialog",
    "ensemble": "cimdesk.ui.ensemble_dialog",
    "calibration": "cimdesk.ui.calibration_dialog",
    "snapshot": "cimdesk.ui.snapshot_dialog",
    "report": "cimdesk.ui.report_dialog",
    "help": "cimdesk.ui.help_dialog",
    "about": "cimdesk.ui.about_dialog",
}
"""Module of each form; its function ``ask(parent, desk, **values)`` returns the answer."""


class WindowAsker:
    """Asks with dialogs over the window."""

    def __init__(self) -> None:
        self.parent: QWidget | None = None
        self.project_folder: Callable[[], Path | None] = lambda: None
        self._settings = WindowSettings()

    def files(self, title: str) -> list[Path]:
        """Ask for files."""
        names, _ = QFileDialog.getOpenFileNames(self.parent, title, self._folder())
        self._remember(names[0] if names else "")
        return [Path(name) for name in names]

    def folder(self, title: str) -> Path | None:
        """Ask for a folder."""
        name = QFileDialog.getExistingDirectory(self.parent, title, self._folder())
        return Path(name) if name else None

    def save_path(self, title: str, suffix: str, name: str) -> Path | None:
        """Ask where to write a file; the suffix is added when it is left out."""
        folder = self.project_folder() or Path(self._folder())
        start = str(folder / f"{name}{suffix}")
        chosen, _ = QFileDialog.getSaveFileName(self.parent, title, start, f"*{suffix}")
        if not chosen:
            return None
        self._remember(chosen)
        path = Path(chosen)
        return path if path.suffix else path.with_suffix(suffix)

    def text(self, title: str, label: str, value: str = "") -> str | None:
        """Ask for one line of text."""
        text, accepted = QInputDialog.getText(self.parent, title, label, text=value)
        return text.strip() if accepted and text.strip() else None

    def choice(self, title: str, label: str, options: Sequence[str]) -> int | None:
        """Ask for one of several; its index."""
        chosen, accepted = QInputDialog.getItem(self.parent, title, label, list(options), 0, False)
        return options.index(chosen) if accepted else None

    def confirm(self, title: str, text: str, yes: str) -> bool:
        """Ask a yes-or-no question."""
        box = QMessageBox(QMessageBox.Icon.Question, title, text, parent=self.parent)
        accept = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
        box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.exec()
        return box.clickedButton() is accept

    def form(self, name: str, desk: Desk, **values: Any) -> Any:
        """Ask with one of `FORMS`."""
        return import_module(FORMS[name]).ask(self.parent, desk, **values)

    def show_error(self, error: Exception) -> None:
        """Show one card."""
        from cimdesk.ui.error_dialog import show

        log.warning("%s", error)
        show(self.parent, error)

    def _folder(self) -> str:
        return str(self._settings.get("folder", str(Path.home())))

    def _remember(self, name: str) -> None:
        if name:
            self._settings.put(folder=str(Path(name).parent))
