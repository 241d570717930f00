"""Form: what colours a point cloud, how large its points are, and which classes are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QComboBox, QDoubleSpinBox, QListWidget, QListWidgetItem, QPushButton, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.layers import Layer
from cimdesk.model.point_style import HIDDEN_CLASSES, class_name, dimension_title, is_by_category, point_legend
from cimdesk.model.points import CLASSIFICATION, PointCloud
from cimdesk.model.style import NEUTRAL, RAMPS, Style, StyleMode
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked
from cimdesk.ui.style_dialog import RAMP_NAMES, LegendPreview

OWN, CATEGORY = "own", "category"
_MODES = (
    (OWN, "Colours of the points"),
    (str(StyleMode.SINGLE), "One colour"),
    (str(StyleMode.CATEGORIES), "By class"),
    (CATEGORY, "By category"),
    (str(StyleMode.GRADUATED), "By number"),
)
PLAIN = "#6a7683"


@dataclass(frozen=True)
class PointLook:
    """What the form says."""

    style: Style
    hidden_classes: tuple[int, ...]


class PointDialog(FormDialog):
    """Changes how a point cloud is drawn and shows its legend at once."""

    def __init__(self, desk: Desk, layer: Layer, parent: QWidget | None = None) -> None:
        super().__init__(tr("Style of {name}").format(name=layer.name), tr("Apply"), parent)
        self._layer = layer
        data = desk.session.workspace.data(layer.id)
        self._cloud = data if isinstance(data, PointCloud) else None
        self._color = layer.style.color if layer.style.color != NEUTRAL else PLAIN
        self.mode = QComboBox()
        self.attribute = QComboBox()
        self.column = QComboBox()
        self.ramp = QComboBox()
        self.color = QPushButton()
        self.color.clicked.connect(self._choose_color)
        self.point_size = QDoubleSpinBox()
        self.point_size.setRange(1.0, 20.0)
        self.point_size.setSingleStep(0.5)
        self.point_size.setSuffix(" px")
        self.classes = QListWidget()
        self.classes.setMaximumHeight(self.fontMetrics().height() * 10)
        self.legend = LegendPreview()
        self._fill()
        for label, field in (
            (tr("Colours"), self.mode), (tr("Attribute"), self.attribute), (tr("Attribute"), self.column), (tr("Ramp"), self.ramp),
            (tr("Colour"), self.color),
            (tr("Point size at least"), self.point_size), (tr("Classes shown"), self.classes),
        ):  # fmt: skip
            self.row(label, field)
        self.body.addWidget(self.legend)
        self._take(layer.style)
        for box in (self.mode, self.attribute, self.column, self.ramp):
            box.currentIndexChanged.connect(self._on_changed)
        self.classes.itemChanged.connect(self._on_changed)
        self._on_changed()

    def _fill(self) -> None:
        cloud = self._cloud
        offered = {OWN: cloud is not None and cloud.has_color, str(StyleMode.CATEGORIES): cloud is not None and bool(cloud.classes)}
        offered[CATEGORY] = cloud is not None and bool(cloud.categories)
        for mode, name in _MODES:
            if offered.get(mode, True):
                self.mode.addItem(tr(name), mode)
        dimensions = cloud.dimensions if cloud is not None else {}
        for name, dimension in dimensions.items():
            if not dimension.is_constant and name != CLASSIFICATION:
                self.attribute.addItem(dimension_title(name), name)
        for name in cloud.categories if cloud is not None else ():
            self.column.addItem(dimension_title(name), name)
        for name in RAMPS:
            self.ramp.addItem(tr(RAMP_NAMES.get(name, name)), name)
        hidden = self._layer.options.get(HIDDEN_CLASSES) or ()
        known = set(cloud.classes if cloud is not None else ()) | {int(code) for code in hidden}
        for code in sorted(known):
            item = QListWidgetItem(class_name(code))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked if code in hidden else Qt.CheckState.Checked)
            item.setData(Qt.ItemDataRole.UserRole, code)
            self.classes.addItem(item)

    def look_chosen(self) -> PointLook:
        """Return what the form says."""
        mode = str(self.mode.currentData())
        before = self._layer.style
        boxes = {str(StyleMode.GRADUATED): self.attribute, CATEGORY: self.column}
        attribute = str(boxes[mode].currentData() or "") if mode in boxes else CLASSIFICATION
        style = Style(
            mode=StyleMode.SINGLE if mode == OWN else StyleMode.CATEGORIES if mode == CATEGORY else StyleMode(mode),
            color=self._color if mode == str(StyleMode.SINGLE) else NEUTRAL,
            attribute=attribute,
            ramp=str(self.ramp.currentData()),
            categories=before.categories if attribute == before.attribute else None,
            size=self.point_size.value(),
        )
        return PointLook(style, self._hidden())

    def _hidden(self) -> tuple[int, ...]:
        items = [self.classes.item(k) for k in range(self.classes.count())]
        return tuple(int(i.data(Qt.ItemDataRole.UserRole)) for i in items if i.checkState() is Qt.CheckState.Unchecked)

    def _take(self, style: Style) -> None:
        mode = OWN if style.mode is StyleMode.SINGLE and style.color == NEUTRAL else str(style.mode)
        if self._cloud is not None and is_by_category(style, self._cloud):
            mode = CATEGORY
        self.column.setCurrentIndex(max(0, self.column.findData(style.attribute)))
        self.mode.setCurrentIndex(max(0, self.mode.findData(mode)))
        self.attribute.setCurrentIndex(max(0, self.attribute.findData(style.attribute)))
        self.ramp.setCurrentIndex(max(0, self.ramp.findData(style.ramp)))
        self.point_size.setValue(style.size)

    def _on_changed(self, _value: object = None) -> None:
        mode = str(self.mode.currentData())
        self.rows.setRowVisible(self.attribute, mode == str(StyleMode.GRADUATED))
        self.rows.setRowVisible(self.column, mode == CATEGORY)
        self.rows.setRowVisible(self.ramp, mode == str(StyleMode.GRADUATED))
        self.rows.setRowVisible(self.color, mode == str(StyleMode.SINGLE))
        self.rows.setRowVisible(self.classes, self.classes.count() > 1 or bool(self._hidden()))
        self.color.setStyleSheet(f"background: {self._color};")
        look = self.look_chosen()
        self.legend.show_entries(() if self._cloud is None else point_legend(look.style, self._cloud, look.hidden_classes))

    def _choose_color(self) -> None:
        color = QColorDialog.getColor(QColor(self._color), self, tr("Colour"))
        if color.isValid():
            self._color = color.name()
            self._on_changed()


def ask(parent: QWidget | None, desk: Desk, layer: Layer) -> PointLook | None:
    """Ask how a point cloud is drawn."""
    dialog = asked(PointDialog(desk, layer, parent))
    return dialog.look_chosen() if dialog is not None else None
