"""Error card: what happened, where, what to do next; details to copy."""

from __future__ import annotations

import platform
import traceback

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from cimdesk import __version__
from cimdesk.base.errors import CimdeskError
from cimdesk.base.i18n import tr
from cimdesk.ui.theme import current_theme, icon_pixmap


class ErrorDialog(QDialog):
    """One card for any error: expected ones say what to do, others ask for the details to be sent."""

    def __init__(self, error: BaseException, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        theme = current_theme()
        expected = isinstance(error, CimdeskError)
        self.setWindowTitle(tr("Could not do that") if expected else tr("Something went wrong in cimdesk"))
        self.setMinimumWidth(theme.px("font_px") * 38)
        self.details = details_of(error)
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addWidget(_label(self.windowTitle(), "title"))
        for text, name in card_lines(error):
            column.addWidget(_label(text, name))
        self._text = QPlainTextEdit(self.details)
        self._text.setReadOnly(True)
        self._text.setMinimumHeight(theme.px("font_px") * 11)
        self._text.setVisible(not expected)
        column.addWidget(self._text)
        column.addLayout(self._buttons(expected))
        sign = QLabel()
        token = "warning" if expected else "alarm"
        sign.setPixmap(
            icon_pixmap(
                "ui.warning" if expected else "ui.error", theme.ink(token).name(), theme.px("icon_px") * 2, self.devicePixelRatioF()
            )
        )
        sign.setAlignment(Qt.AlignmentFlag.AlignTop)
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 20, 20, 16)
        row.setSpacing(16)
        row.addWidget(sign)
        row.addLayout(column, 1)

    def _buttons(self, expected: bool) -> QHBoxLayout:
        row = QHBoxLayout()
        if expected:
            more = QPushButton(tr("Details"))
            more.clicked.connect(self._toggle_details)
            row.addWidget(more)
        copy = QPushButton(tr("Copy details"))
        copy.clicked.connect(self._copy)
        close = QPushButton(tr("Close"))
        close.setObjectName("primary")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        row.addWidget(copy)
        row.addStretch(1)
        row.addWidget(close)
        return row

    def _toggle_details(self) -> None:
        self._text.setVisible(not self._text.isVisible())
        self.adjustSize()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.details)


def card_lines(error: BaseException) -> list[tuple[str, str]]:
    """Return (text, style name) of each line of the card."""
    if not isinstance(error, CimdeskError):
        return [
            (f"{type(error).__name__}: {error}", ""),
            (
                tr("Your project is safe: every edit was written when made. Please send the details below to the developers."),
                "dim",
            ),
        ]
    lines = [(error.message, "")]
    place = "  ".join(part for part in (str(error.path) if error.path else "", error.where) if part)
    if place:
        lines.append((place, "dim"))
    if error.remedy:
        lines.append((error.remedy, ""))
    return lines


def details_of(error: BaseException) -> str:
    """Return what a developer needs: the error, where it was raised, and the versions."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return f"cimdesk {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n{trace}"


def show(parent: QWidget | None, error: BaseException) -> None:
    """Show the card and wait until it is closed."""
    dialog = ErrorDialog(error, parent)
    dialog.exec()
    dialog.deleteLater()


def _label(text: str, name: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    label.setObjectName(name)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
