"""Form: how a terrain is coloured and stretched, its contours, and what its heights are measured from."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QLabel, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.layers import Layer
from cimdesk.model.terrain import Terrain, TerrainLook, TerrainStyle, height_offset
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked

LOOK_NAMES = {
    TerrainLook.AUTO: "By height while nothing stands on it",
    TerrainLook.HEIGHTS: "By height",
    TerrainLook.GROUND: "Quiet ground",
}


@dataclass(frozen=True)
class TerrainChoice:
    """What the form says.

    Attributes
    ----------
    style : TerrainStyle
    offset : float
        Added to the heights of the file [m].
    """

    style: TerrainStyle
    offset: float


class TerrainDialog(FormDialog):
    """Changes how a terrain is drawn."""

    def __init__(self, desk: Desk, layer: Layer, parent: QWidget | None = None) -> None:
        super().__init__(tr("Style of {name}").format(name=layer.name), tr("Apply"), parent)
        style = TerrainStyle.of(layer.options)
        data = desk.session.workspace.data(layer.id)
        vertical = data.vertical if isinstance(data, Terrain) else ""
        self.look = QComboBox()
        for look, name in LOOK_NAMES.items():
            self.look.addItem(tr(name), str(look))
        self.look.setCurrentIndex(self.look.findData(str(style.look)))
        self.exaggeration = _number(0.1, 50.0, 0.5, style.exaggeration, 1, " ×")
        self.contours = _number(0.0, 10_000.0, 1.0, style.contours, 1, " m")
        self.contours.setSpecialValueText(tr("none"))
        self.vertical = QLabel(vertical or tr("The file names none"))
        self.vertical.setWordWrap(True)
        self.offset = _number(-12_000.0, 12_000.0, 0.1, height_offset(layer.options), 3, " m")
        self.offset.setToolTip(tr("Added to the heights of the file: minus the geoid height where they are above the ellipsoid"))
        for label, field in (
            (tr("Colours"), self.look), (tr("Exaggeration"), self.exaggeration), (tr("Contours every"), self.contours),
            (tr("Vertical datum"), self.vertical), (tr("Height offset"), self.offset),
        ):  # fmt: skip
            self.row(label, field)

    def choice(self) -> TerrainChoice:
        """Return what the form says."""
        look = TerrainLook(str(self.look.currentData()))
        return TerrainChoice(TerrainStyle(look, self.exaggeration.value(), self.contours.value()), self.offset.value())


def _number(least: float, most: float, step: float, value: float, decimals: int, suffix: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(decimals)
    box.setRange(least, most)
    box.setSingleStep(step)
    box.setSuffix(suffix)
    box.setValue(value)
    return box


def ask(parent: QWidget | None, desk: Desk, layer: Layer) -> TerrainChoice | None:
    """Ask how a terrain is drawn."""
    dialog = asked(TerrainDialog(desk, layer, parent))
    return dialog.choice() if dialog is not None else None
