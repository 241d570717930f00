"""Form: which columns tell the heights of outlines, and where the buildings stand."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QWidget

from cimdesk.base.i18n import tr
from cimdesk.commands.extruding import Extrusion, guessed_height, number_columns
from cimdesk.commands.ground import ground_of
from cimdesk.model.layers import Layer
from cimdesk.ui.column_box import column_titles
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked

UNITS = (("metres", 1.0), ("feet", 0.3048), ("centimetres", 0.01))
TERRAIN = "\0terrain"


@dataclass(frozen=True)
class ExtrudeChoice:
    """What the form says: how outlines are raised, and whether they stand on the terrain."""

    extrusion: Extrusion
    on_ground: bool


class ExtrudeDialog(FormDialog):
    """Asks for the columns of heights and of the ground, the height of a storey, and the unit."""

    def __init__(self, desk: Desk, layer: Layer, parent: QWidget | None = None) -> None:
        super().__init__(tr("Extrude {name} into buildings").format(name=layer.name), tr("Extrude"), parent, 40)
        table = desk.session.workspace.features(layer.id)
        names = number_columns(table) if table is not None else []
        guess = guessed_height(table) if table is not None else ""
        self.height_from = QComboBox()
        self.height_from.addItem(tr("none: all the same height"), "")
        data = desk.session.workspace.data(layer.id)
        heights = list(dict.fromkeys([*([guess] if guess else []), *names]))
        for name, title in zip(heights, column_titles(heights, data), strict=True):
            self.height_from.addItem(title, name)
        self.height_from.setCurrentIndex(max(0, self.height_from.findData(guess)))
        self.base = QComboBox()
        self.base.addItem(tr("the heights of the outlines"), "")
        if ground_of(desk.session.workspace) is not None:
            self.base.addItem(tr("the terrain"), TERRAIN)
            self.base.setCurrentIndex(1)
        for name, title in zip(names, column_titles(names, data), strict=True):
            self.base.addItem(title, name)
        self.default = _metres(0.0, 500.0, 6.0)
        self.storey = _metres(2.0, 10.0, 3.0)
        self.unit = QComboBox()
        for name, factor in UNITS:
            self.unit.addItem(tr(name), factor)
        for label, field in (
            (tr("Height from"), self.height_from), (tr("Columns are in"), self.unit), (tr("Stands on"), self.base),
            (tr("Height of a storey"), self.storey), (tr("Height where none is told"), self.default),
        ):  # fmt: skip
            self.row(label, field)
        self.note.setText(tr("Where no height is told, the number of storeys is taken. All attributes are kept."))

    def choice(self) -> ExtrudeChoice:
        """Return what the form says."""
        base = str(self.base.currentData())
        extrusion = Extrusion(
            str(self.height_from.currentData()),
            "" if base == TERRAIN else base,
            self.storey.value(),
            self.default.value(),
            float(self.unit.currentData()),
        )
        return ExtrudeChoice(extrusion, base == TERRAIN)


def _metres(least: float, most: float, value: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(least, most)
    box.setDecimals(1)
    box.setSingleStep(0.5)
    box.setSuffix(" m")
    box.setValue(value)
    return box


def ask(parent: QWidget | None, desk: Desk, layer: Layer) -> ExtrudeChoice | None:
    """Ask how outlines become buildings."""
    dialog = asked(ExtrudeDialog(desk, layer, parent))
    return dialog.choice() if dialog is not None else None
