"""Card over the viewport while a model is put somewhere: its place, turn and scale as numbers, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtGui import QHideEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.placement import FARTHEST, LEAST_SCALE, MOST_SCALE
from cimdesk.ui.draw_card import BELOW_HEAD
from cimdesk.ui.place_tool import Placing
from cimdesk.ui.theme import current_theme, paint_card

WIDTHS = {"east": 10.0, "north": 10.5, "height": 8.0, "turn": 7.0, "scale": 7.5}
"""Of the fields [heights of a letter]: so the card fits over a narrow view."""


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
        self.fields = self._make_fields()
        self.to_ground = QPushButton(tr("To the ground"))
        self.to_ground.clicked.connect(self._on_ground)
        cancel = QPushButton(tr("Cancel"))
        cancel.clicked.connect(give_up)
        self.done = QPushButton(tr("Place"))
        self.done.setObjectName("primary")
        self.done.clicked.connect(placing.finish)
        self.hint = _dim("")
        self.hint.setWordWrap(True)
        upper, lower = self._row("east", "north", "height"), self._row("turn", "scale")
        upper.addWidget(self.to_ground)
        lower.addStretch(1)
        lower.addWidget(cancel)
        lower.addWidget(self.done)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(5)
        column.addWidget(title)
        column.addLayout(upper)
        column.addLayout(lower)
        column.addWidget(self.hint)
        placing.changed = self.refresh
        self.refresh()
        self.show()
        self.raise_()

    def _make_fields(self) -> dict[str, QDoubleSpinBox]:
        fields = {}
        kinds = (
            ("east", tr("Easting"), -FARTHEST, FARTHEST, 1.0, 2, "E  ", " m"),
            ("north", tr("Northing"), -FARTHEST, FARTHEST, 1.0, 2, "N  ", " m"),
            ("height", tr("Height"), -12_000.0, 12_000.0, 0.5, 2, "H  ", " m"),
            ("turn", tr("Degrees clockwise, seen from above"), -360.0, 360.0, 5.0, 1, "↻  ", "°"),
            ("scale", tr("Metres of one unit of the model: 0.001 for millimetres, 0.0254 for inches"), LEAST_SCALE, MOST_SCALE, 0.1,
             4, "×  ", ""),
        )  # fmt: skip
        for key, label, least, most, step, decimals, prefix, suffix in kinds:
            field = QDoubleSpinBox()
            field.setDecimals(decimals)
            field.setRange(least, most)
            field.setSingleStep(step)
            field.setPrefix(prefix)
            field.setSuffix(suffix)
            field.setKeyboardTracking(False)
            field.setAccessibleName(label)
            field.setToolTip(label)
            field.setMinimumWidth(0)
            field.valueChanged.connect(self._on_value)
            fields[key] = field
        fields["turn"].setWrapping(True)
        return fields

    def _row(self, *names: str) -> QHBoxLayout:
        unit, row = current_theme().px("font_px"), QHBoxLayout()
        row.setSpacing(6)
        for name in names:
            self.fields[name].setFixedWidth(round(unit * WIDTHS[name]))
            row.addWidget(self.fields[name])
        return row

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
