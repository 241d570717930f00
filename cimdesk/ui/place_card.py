"""Card over the viewport while a model is put somewhere: its place, turn and scale as numbers, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtGui import QHideEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.placement import FARTHEST, LEAST_SCALE, MOST_SCALE
from cimdesk.ui.draw_card import BELOW_HEAD
from cimdesk.ui.place_tool import Placing
from cimdesk.ui.theme import current_theme, paint_card


class PlaceCard(QWidget):
    """Shows and changes where a model stands; keeps it or gives up.

    Attributes
    ----------
    fields : dict of str to QDoubleSpinBox
    """

    def __init__(
        self, viewport: QWidget, placing: Placing, name: str, ground: Callable[[float, float], float | None],
        give_up: Callable[[], object], left: Callable[[], object],
    ) -> None:  # fmt: skip
        super().__init__(viewport)
        self._viewport, self._placing, self._ground, self._left = viewport, placing, ground, left
        title = QLabel(tr("Place {name}").format(name=name))
        title.setStyleSheet("font-weight: 700;")
        self.fields: dict[str, QDoubleSpinBox] = {}
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        kinds = (
            ("east", tr("Easting"), -FARTHEST, FARTHEST, 1.0, 2, " m"),
            ("north", tr("Northing"), -FARTHEST, FARTHEST, 1.0, 2, " m"),
            ("height", tr("Height"), -12_000.0, 12_000.0, 0.5, 2, " m"),
            ("turn", tr("Turn"), -360.0, 360.0, 5.0, 1, "°"),
            ("scale", tr("Scale"), LEAST_SCALE, MOST_SCALE, 0.1, 4, " ×"),
        )
        for column, (key, label, least, most, step, decimals, suffix) in enumerate(kinds):
            grid.addWidget(_dim(label), 0, column)
            field = QDoubleSpinBox()
            field.setDecimals(decimals)
            field.setRange(least, most)
            field.setSingleStep(step)
            field.setSuffix(suffix)
            field.setKeyboardTracking(False)
            field.setAccessibleName(label)
            field.valueChanged.connect(self._on_value)
            grid.addWidget(field, 1, column)
            self.fields[key] = field
        self.fields["turn"].setWrapping(True)
        self.fields["turn"].setToolTip(tr("Degrees clockwise, seen from above"))
        self.fields["scale"].setToolTip(tr("Metres of one unit of the model: 0.001 for millimetres, 0.0254 for inches"))
        self.to_ground = QPushButton(tr("To the ground"))
        self.to_ground.clicked.connect(self._on_ground)
        cancel = QPushButton(tr("Cancel"))
        cancel.clicked.connect(give_up)
        self.done = QPushButton(tr("Place"))
        self.done.setObjectName("primary")
        self.done.clicked.connect(placing.finish)
        self.hint = _dim("")
        self.hint.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.hint, 1)
        for button in (self.to_ground, cancel, self.done):
            row.addWidget(button)
        column_box = QVBoxLayout(self)
        column_box.setContentsMargins(14, 10, 14, 10)
        column_box.setSpacing(6)
        column_box.addWidget(title)
        column_box.addLayout(grid)
        column_box.addLayout(row)
        placing.changed = self.refresh
        self.refresh()
        self.show()
        self.raise_()

    def refresh(self) -> None:
        """Follow the placing."""
        here = self._placing.placement
        for field, number in zip(self.fields.values(), (*here.at, here.turn, here.scale), strict=True):
            if not _shows(field, number):
                field.blockSignals(True)
                field.setValue(number)
                field.blockSignals(False)
        self.done.setEnabled(self._placing.is_complete)
        self.to_ground.setEnabled(self._ground(*here.at[:2]) is not None)
        self.hint.setText(self._placing.hint())
        self.place()

    def place(self) -> None:
        """Stand in the middle, below the card of the scenario."""
        self.adjustSize()
        top = round(BELOW_HEAD * current_theme().px("font_px"))
        self.move(max(8, (self._viewport.width() - self.width()) // 2), top)

    def hideEvent(self, event: QHideEvent) -> None:
        self._placing.changed = lambda: None
        self._left()
        super().hideEvent(event)

    def _on_value(self, _value: float) -> None:
        here = self._placing.placement
        known = (*here.at, here.turn, here.scale)
        # A field shows fewer digits than there are: what nobody has changed stays exact.
        numbers = [
            number if _shows(field, number) else field.value() for field, number in zip(self.fields.values(), known, strict=True)
        ]
        east, north, height, turn, scale = numbers
        self._placing.set(replace(here, at=(east, north, height), turn=turn, scale=scale))

    def _on_ground(self) -> None:
        here = self._placing.placement
        height = self._ground(*here.at[:2])
        if height is not None:
            self._placing.set(replace(here, at=(*here.at[:2], height)))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_card(painter, self, current_theme(), 9.0)
        painter.end()


def _shows(field: QDoubleSpinBox, number: float) -> bool:
    """Return whether a field shows a number, as far as its digits go."""
    return abs(field.value() - number) <= 0.5000001 * 10.0 ** -field.decimals()


def _dim(text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName("dim")
    return label
