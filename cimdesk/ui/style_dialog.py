"""Form: what colours a layer, with the legend that will explain it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QColorDialog, QComboBox, QDoubleSpinBox, QPushButton, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.appearance import color_layer
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.style import RAMPS, LegendEntry, Style, StyleMode
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked
from cimdesk.ui.theme import current_theme

MODE_NAMES = {
    StyleMode.SINGLE: "One colour",
    StyleMode.CATEGORIES: "By category",
    StyleMode.GRADUATED: "By number",
    StyleMode.STAGE: "By lifecycle stage",
    StyleMode.STATUS: "By sensor status",
    StyleMode.DEPTH: "By water depth",
}
RAMP_NAMES = {"depth": "Water blues", "viridis": "Viridis", "warm": "Warm", "year": "Years"}


class StyleDialog(FormDialog):
    """Changes a style and shows its legend at once."""

    def __init__(self, desk: Desk, layer: Layer, parent: QWidget | None = None) -> None:
        super().__init__(tr("Style of {name}").format(name=layer.name), tr("Apply"), parent)
        self._desk = desk
        self._layer = layer
        table = desk.session.workspace.features(layer.id)
        columns = table.columns if table is not None else {}
        self.mode = QComboBox()
        for mode in _modes_for(layer):
            self.mode.addItem(tr(MODE_NAMES[mode]), str(mode))
        self.attribute = QComboBox()
        for name in columns:
            self.attribute.addItem(name, name)
        self.ramp = QComboBox()
        for name in RAMPS:
            self.ramp.addItem(tr(RAMP_NAMES.get(name, name)), name)
        self.color = QPushButton()
        self._color = layer.style.color
        self.color.clicked.connect(self._choose_color)
        self.symbol_size = QDoubleSpinBox()
        self.symbol_size.setRange(1.0, 60.0)
        self.symbol_size.setSuffix(" px")
        self.labels = QComboBox()
        self.labels.addItem(tr("none"), "")
        for name in columns:
            self.labels.addItem(name, name)
        self.legend = LegendPreview()
        for label, field in (
            (tr("Colours"), self.mode), (tr("Attribute"), self.attribute), (tr("Ramp"), self.ramp), (tr("Colour"), self.color),
            (tr("Size"), self.symbol_size), (tr("Labels"), self.labels),
        ):  # fmt: skip
            self.row(label, field)
        self.body.addWidget(self.legend)
        self._take(layer.style)
        for box in (self.mode, self.attribute, self.ramp):
            box.currentIndexChanged.connect(self._on_changed)
        self._on_changed()

    def style_chosen(self) -> Style:
        """Return the style as the form says."""
        before = self._layer.style
        attribute = str(self.attribute.currentData() or "")
        same = attribute == before.attribute
        return Style(
            mode=StyleMode(str(self.mode.currentData())),
            color=self._color,
            attribute=attribute,
            ramp=str(self.ramp.currentData()),
            categories=before.categories if same else None,
            breaks=before.breaks if same else (),
            size=self.symbol_size.value(),
            labels=str(self.labels.currentData() or ""),
        )

    def _take(self, style: Style) -> None:
        self.mode.setCurrentIndex(max(0, self.mode.findData(str(style.mode))))
        self.attribute.setCurrentIndex(max(0, self.attribute.findData(style.attribute)))
        self.ramp.setCurrentIndex(max(0, self.ramp.findData(style.ramp)))
        self.symbol_size.setValue(style.size)
        self.labels.setCurrentIndex(max(0, self.labels.findData(style.labels)))

    def _on_changed(self, _value: object = None) -> None:
        mode = StyleMode(str(self.mode.currentData()))
        by_attribute = mode in (StyleMode.CATEGORIES, StyleMode.GRADUATED)
        self.rows.setRowVisible(self.attribute, by_attribute)
        self.rows.setRowVisible(self.ramp, mode is StyleMode.GRADUATED)
        self.rows.setRowVisible(self.color, mode is StyleMode.SINGLE)
        self.rows.setRowVisible(self.symbol_size, self._layer.kind in (LayerKind.SENSORS, LayerKind.VECTOR))
        self.color.setStyleSheet(f"background: {self._color};")
        workspace = self._desk.session.workspace
        shown: tuple[LegendEntry, ...] = ()
        if workspace.features(self._layer.id) is not None:
            shown = color_layer(workspace, self._layer.but(style=self.style_chosen()), self._desk.session.clock.time).legend
        self.legend.show_entries(shown)

    def _choose_color(self) -> None:
        color = QColorDialog.getColor(QColor(self._color), self, tr("Colour"))
        if color.isValid():
            self._color = color.name()
            self._on_changed()


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


def _modes_for(layer: Layer) -> list[StyleMode]:
    if layer.kind in (LayerKind.TERRAIN, LayerKind.FLOOD):
        return [layer.style.mode]
    modes = [StyleMode.SINGLE, StyleMode.CATEGORIES, StyleMode.GRADUATED, StyleMode.STAGE]
    if layer.kind is LayerKind.SENSORS:
        modes.insert(0, StyleMode.STATUS)
    else:
        modes.append(StyleMode.DEPTH)
    return modes


def ask(parent: QWidget | None, desk: Desk, layer: Layer) -> Style | None:
    """Ask how a layer is drawn."""
    dialog = asked(StyleDialog(desk, layer, parent))
    return dialog.style_chosen() if dialog is not None else None
