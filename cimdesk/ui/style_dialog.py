"""Names of what colours a layer, and the small legend that forms show; the panel itself is `style_panel`."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.classes import Method
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.style import LegendEntry, StyleMode
from cimdesk.ui.theme import current_theme

SOURCE = "source"
"""Stands beside the modes for what the source of a layer gives."""
SOURCE_NAME = "As in the source"
PLAIN = "#b9c2cc"
"""What one colour begins with where the layer had those of its source."""
MODE_NAMES = {
    StyleMode.SINGLE: "One colour",
    StyleMode.CATEGORIES: "By category",
    StyleMode.GRADUATED: "In classes",
    StyleMode.CONTINUOUS: "Continuous ramp",
    StyleMode.RULES: "By rules",
    StyleMode.STAGE: "By lifecycle stage",
    StyleMode.STATUS: "By sensor status",
    StyleMode.DEPTH: "By water depth",
}
RAMP_NAMES = {
    "depth": "Water blues", "viridis": "Viridis", "warm": "Warm", "year": "Years", "cividis": "Cividis", "magma": "Magma",
    "plasma": "Plasma", "greens": "Greens", "blues": "Blues", "blue-red": "Blue to red", "brown-green": "Brown to green",
}  # fmt: skip
METHOD_NAMES = {
    Method.QUANTILE: "Equal counts",
    Method.EQUAL: "Equal steps",
    Method.NATURAL: "Natural breaks",
    Method.PRETTY: "Round numbers",
    Method.MANUAL: "By hand",
}


def modes_for(layer: Layer) -> list[StyleMode]:
    """Return what can colour a layer."""
    if layer.kind in (LayerKind.TERRAIN, LayerKind.FLOOD):
        return [layer.style.mode]
    modes = [
        StyleMode.SINGLE, StyleMode.CATEGORIES, StyleMode.GRADUATED, StyleMode.CONTINUOUS, StyleMode.RULES, StyleMode.STAGE,
    ]  # fmt: skip
    if layer.kind is LayerKind.SENSORS:
        modes.insert(0, StyleMode.STATUS)
    else:
        modes.append(StyleMode.DEPTH)
    return modes


class LegendPreview(QWidget):
    """The first entries of a legend."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[LegendEntry, ...] = ()

    def show_entries(self, entries: tuple[LegendEntry, ...]) -> None:
        """Show another legend."""
        self._entries = entries[:8]
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(260, round(len(self._entries) * current_theme().px("font_px") * 1.5) + 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        row = theme.px("font_px") * 1.5
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for k, entry in enumerate(self._entries):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(entry.color))
            painter.drawRoundedRect(QRectF(0, k * row + row * 0.2, row, row * 0.6), 3, 3)
            painter.setPen(theme.color("text"))
            text = f"{tr(entry.label)}   {entry.count:,}" if entry.count else tr(entry.label)
            painter.drawText(QRectF(row * 1.4, k * row, self.width() - row * 1.4, row), Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()
