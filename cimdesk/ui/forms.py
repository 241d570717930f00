"""The frame of every form: a title, labelled rows, and two buttons. Forms live in their own modules."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.ui.theme import current_theme

D = TypeVar("D", bound="FormDialog")


class FormDialog(QDialog):
    """A dialog with a heading, rows, free space for a picture, and buttons.

    Attributes
    ----------
    rows : QFormLayout
    body : QVBoxLayout
        Holds the rows; more can be added under them.
    accept_button : QPushButton
    """

    def __init__(self, title: str, accept: str, parent: QWidget | None = None, width: int = 34) -> None:
        super().__init__(parent)
        unit = current_theme().px("font_px")
        self.setWindowTitle(title)
        self.setMinimumWidth(unit * width)
        heading = QLabel(title)
        heading.setObjectName("title")
        self.rows = QFormLayout()
        self.rows.setHorizontalSpacing(16)
        self.rows.setVerticalSpacing(9)
        self.rows.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.body = QVBoxLayout()
        self.body.setSpacing(12)
        self.body.addLayout(self.rows)
        self.note = QLabel()
        self.note.setObjectName("dim")
        self.note.setWordWrap(True)
        self.accept_button = QPushButton(accept)
        self.accept_button.setObjectName("primary")
        self.accept_button.setDefault(True)
        self.accept_button.clicked.connect(self.accept)
        cancel = QPushButton(tr("Cancel"))
        cancel.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addWidget(self.note, 1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.accept_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(14)
        column.addWidget(heading)
        column.addLayout(self.body, 1)
        column.addLayout(buttons)

    def row(self, label: str, field: QWidget) -> None:
        """Add a labelled field."""
        name = QLabel(label)
        name.setObjectName("dim")
        name.setBuddy(field)
        field.setAccessibleName(label)
        self.rows.addRow(name, field)


def asked(dialog: D) -> D | None:
    """Show a form and wait; return it when accepted, None when cancelled."""
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    dialog.deleteLater()
    return dialog if accepted else None
