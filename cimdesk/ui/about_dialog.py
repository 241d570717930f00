"""About: name, version, licence, and what it stands on."""

from __future__ import annotations

import platform

from PySide6.QtWidgets import QDialog, QLabel, QPushButton, QVBoxLayout, QWidget

from cimdesk import __version__
from cimdesk.base.i18n import tr
from cimdesk.ui.desk import Desk
from cimdesk.ui.theme import current_theme


class AboutDialog(QDialog):
    """A small card."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("About cimdesk"))
        self.setMinimumWidth(current_theme().px("font_px") * 30)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 18)
        column.setSpacing(8)
        for text, name in about_lines():
            label = QLabel(text)
            label.setObjectName(name)
            label.setWordWrap(True)
            column.addWidget(label)
        close = QPushButton(tr("Close"))
        close.setObjectName("primary")
        close.clicked.connect(self.accept)
        column.addWidget(close)


def about_lines() -> list[tuple[str, str]]:
    """Return (text, style name) of each line."""
    import PySide6

    return [
        (f"cimdesk {__version__}", "big_title"),
        (tr("Desktop workstation for city information models: buildings, pipes, sensors, floods and works in one scene."), ""),
        (tr("Licence: Apache 2.0"), "dim"),
        (tr("Floods can be computed on: {devices}").format(devices=_devices()), "dim"),
        (f"Python {platform.python_version()}  ·  Qt {PySide6.__version__}  ·  {platform.system()} {platform.machine()}", "dim"),
    ]


def _devices() -> str:
    from cimdesk.commands.flood_scenario import gpu_offer

    name, why_not = gpu_offer()
    if why_not:
        return tr("processor; no graphics processor: {reason}").format(reason=why_not)
    return tr("processor, graphics processor ({name})").format(name=name)


def ask(parent: QWidget | None, _desk: Desk) -> None:
    """Show the card."""
    dialog = AboutDialog(parent)
    dialog.exec()
    dialog.deleteLater()
