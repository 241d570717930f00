"""Card over the viewport while a measure is drawn: what it is, its numbers, what to do next."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.commands.measures import kind_name, quantity_name
from cimdesk.model.measures import KINDS
from cimdesk.ui.draw_tool import Drawing
from cimdesk.ui.theme import current_theme, paint_card

BELOW_HEAD = 4.4
"""Room above the card, for that of the scenario [heights of a letter]. What is drawn is mostly in the lower part of the view."""


class DrawCard(QWidget):
    """Shows and changes the numbers of a drawing; finishes it or gives up."""

    def __init__(self, viewport: QWidget, drawing: Drawing, give_up: Callable[[], object]) -> None:
        super().__init__(viewport)
        self._viewport = viewport
        self._drawing = drawing
        title = QLabel(kind_name(drawing.kind))
        title.setStyleSheet("font-weight: 700;")
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(title)
        self.fields: dict[str, QDoubleSpinBox] = {}
        for quantity in KINDS[drawing.kind].quantities:
            label = QLabel(quantity_name(quantity.field))
            label.setObjectName("dim")
            field = QDoubleSpinBox()
            field.setRange(quantity.least, quantity.most)
            field.setDecimals(1 if quantity.most >= 1000.0 else 2)
            field.setSingleStep(max(0.1, 0.1 * quantity.start))
            field.setSuffix(f" {quantity.unit.replace('m3', 'm³')}")
            field.setValue(drawing.numbers[quantity.field])
            field.setAccessibleName(quantity_name(quantity.field))
            field.valueChanged.connect(self._on_value)
            row.addWidget(label)
            row.addWidget(field)
            self.fields[quantity.field] = field
        self.done = QPushButton(tr("Finish"))
        self.done.setObjectName("primary")
        self.done.clicked.connect(drawing.finish)
        cancel = QPushButton(tr("Cancel"))
        cancel.clicked.connect(give_up)
        row.addWidget(cancel)
        row.addWidget(self.done)
        self.hint = QLabel()
        self.hint.setObjectName("dim")
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self.hint)
        drawing.changed = self.refresh
        self.refresh()
        self.show()
        self.raise_()

    def refresh(self) -> None:
        """Follow the drawing."""
        drawing = self._drawing
        for name, field in self.fields.items():
            if abs(field.value() - drawing.numbers[name]) > 1e-9 and not field.hasFocus():
                field.blockSignals(True)
                field.setValue(drawing.numbers[name])
                field.blockSignals(False)
        self.done.setEnabled(drawing.is_complete)
        self.hint.setText(drawing.hint())
        self.place()

    def place(self) -> None:
        """Stand in the middle, below the card of the scenario."""
        self.adjustSize()
        top = round(BELOW_HEAD * current_theme().px("font_px"))
        self.move(max(8, (self._viewport.width() - self.width()) // 2), top)

    def _on_value(self, _value: float) -> None:
        self._drawing.numbers.update({name: field.value() for name, field in self.fields.items()})
        self._drawing.refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        paint_card(painter, self, theme, 9.0)
        painter.end()
