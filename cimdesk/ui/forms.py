"""The frame of every form: a title, labelled rows, and two buttons. Forms live in their own modules."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from cimdesk.base.i18n import tr
from cimdesk.ui.theme import current_theme

FRAME = 9.0
"""What stands above and under the rows of a form [heights of a letter]."""
D = TypeVar("D", bound="FormDialog")


class Sheet(QScrollArea):
    """The rows of a form: as high as they are, or as the screen lets them be, then they scroll."""

    def __init__(self, body: QVBoxLayout) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # The rows are reached by the tab key, which brings them into sight.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        body.setContentsMargins(0, 0, 0, 0)
        self._page = QWidget()
        self._page.setLayout(body)
        self.setWidget(self._page)
        self._page.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            # Rows came or went: the form is as high as they are again.
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def minimumSizeHint(self) -> QSize:
        wanted = self._page.minimumSizeHint().expandedTo(self._page.sizeHint())
        room = self.screen().availableGeometry().height() - round(FRAME * current_theme().px("font_px"))
        # A note below that takes a second line can bring the bar too, so its width is always there.
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self._page.minimumSizeHint().width() + bar, min(wanted.height(), room))

    def sizeHint(self) -> QSize:
        return QSize(self._page.sizeHint().width(), 0).expandedTo(self.minimumSizeHint())


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
        heading = QLabel(title)
        heading.setObjectName("title")
        # A least width of the dialog itself would be believed instead of that of the rows.
        heading.setMinimumWidth(unit * width - 40)
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
        column.addWidget(Sheet(self.body), 1)
        column.addLayout(buttons)

    def row(self, label: str, field: QWidget) -> None:
        """Add a labelled field."""
        name = QLabel(label)
        name.setObjectName("dim")
        name.setBuddy(field)
        field.setAccessibleName(label)
        align_numbers(field)
        self.rows.addRow(name, field)


def align_numbers(field: QWidget) -> None:
    """Put the number of a field, or the numbers within it, at its right, where numbers are compared."""
    boxes = [field] if isinstance(field, QAbstractSpinBox) else field.findChildren(QAbstractSpinBox)
    for box in boxes:
        box.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


def asked(dialog: D) -> D | None:
    """Show a form and wait; return it when accepted, None when cancelled."""
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    dialog.deleteLater()
    return dialog if accepted else None
