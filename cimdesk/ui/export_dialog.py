"""Form: in which format a layer is written, and what of it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtWidgets import QCheckBox, QComboBox, QWidget

from cimdesk.base.i18n import tr
from cimdesk.commands.export import FORMAT_NAMES, ExportOptions, formats_for
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked

TELLING = {
    ".city.json": "With every attribute; what was read from CityJSON stays exactly as it is there",
    ".city.jsonl": "One building a line, for cities of any size",
    ".glb": "For Blender and the web; a click tells the attributes",
    "": "A folder any 3D Tiles viewer opens, with levels of detail",
    ".3tz": "The same in a single file",
    ".gpkg": "For QGIS; buildings as their outlines on the ground, with heights",
    ".geojson": "For the web, in longitude and latitude; buildings as their outlines",
    ".csv": "A table for spreadsheets, with a place for each row",
    ".tif": "With its reference system",
    ".asc": "Plain text, for models that read nothing else",
}


@dataclass(frozen=True)
class ExportChoice:
    """What the form says: the suffix of the format, and what is written."""

    suffix: str
    options: ExportOptions


class ExportDialog(FormDialog):
    """Asks for the format, for all or the selection, and for stages."""

    def __init__(self, desk: Desk, layer: Layer, parent: QWidget | None = None) -> None:
        super().__init__(tr("Export {name}").format(name=layer.name), tr("Export…"), parent, 40)
        self._ids = [ref.feature for ref in sorted(desk.session.selection.refs) if ref.layer == layer.id]
        table = desk.session.workspace.features(layer.id)
        self.format = QComboBox()
        for suffix in formats_for(desk.session.workspace.data(layer.id)):
            self.format.addItem(f"{tr(FORMAT_NAMES[suffix])}   {suffix}".strip(), suffix)
        self.part = QComboBox()
        count = len(table) if table is not None else 0
        self.part.addItem(tr("all of the layer ({count})").format(count=f"{count:,}") if count else tr("all of the layer"), False)
        if self._ids and layer.kind is not LayerKind.TERRAIN:
            self.part.addItem(tr("the selection ({count})").format(count=f"{len(self._ids):,}"), True)
            self.part.setCurrentIndex(1)
        self.stages = QCheckBox(tr("with the lifecycle stage of each asset"))
        self.stages.setVisible(table is not None)
        self.row(tr("Format"), self.format)
        self.row(tr("Writes"), self.part)
        self.row("", self.stages)
        self.format.currentIndexChanged.connect(self._show_note)
        self._show_note()

    def choice(self) -> ExportChoice:
        """Return what the form says."""
        ids = self._ids if self.part.currentData() else None
        return ExportChoice(str(self.format.currentData()), ExportOptions(ids, self.stages.isChecked()))

    def _show_note(self) -> None:
        self.note.setText(tr(TELLING.get(str(self.format.currentData()), "")))


def ask(parent: QWidget | None, desk: Desk, layer: Layer) -> ExportChoice | None:
    """Ask how a layer is written."""
    dialog = asked(ExportDialog(desk, layer, parent))
    return dialog.choice() if dialog is not None else None
