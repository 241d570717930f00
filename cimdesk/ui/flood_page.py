"""The page of the style panel for floods: which map is shown, and its legend."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel

from cimdesk.base.i18n import tr
from cimdesk.model.appearance import depth_legend
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_comparison import flowing
from cimdesk.model.flood_flow import flow_legend
from cimdesk.model.flood_maps import DEPTH_NOW, available, map_legend, map_named
from cimdesk.model.style import FLOWS, Style
from cimdesk.ui.desk import Desk
from cimdesk.ui.style_pages import Page, StyleHost
from cimdesk.ui.style_parts import Swatch, SwatchList

FLOW_NAMES = {"arrows": "Arrows", "streaks": "Streaks that drift"}


def map_choices(result: FloodResult) -> list[tuple[str, str]]:
    """Return keys and names of what a flood can show; the key of the depth at the clock is empty."""
    return [("", tr(DEPTH_NOW)), *((key, tr(map_named(key).title)) for key in available(result))]


class FloodPage(Page):
    """Which map of a flood is shown."""

    def __init__(self, desk: Desk, panel: StyleHost) -> None:
        super().__init__(panel)
        self._desk = desk
        self.shown = QComboBox()
        result = self._result()
        for key, name in map_choices(result) if result is not None else []:
            self.shown.addItem(name, key)
        self.row(tr("Show"), self.shown)
        self.flow = QComboBox()
        for kind, name in (("", tr("not shown")), *((kind, tr(FLOW_NAMES[kind])) for kind in FLOWS)):
            self.flow.addItem(name, kind)
        self.flow_swatches = SwatchList()
        self.swatches = SwatchList()
        self.note = QLabel()
        self.note.setObjectName("dim")
        self.note.setWordWrap(True)
        self.column.addWidget(self.swatches)
        self.column.addWidget(self.note)
        flow = QFormLayout()
        flow.setHorizontalSpacing(14)
        label = QLabel(tr("Flow"))
        label.setObjectName("dim")
        label.setBuddy(self.flow)
        self.flow.setAccessibleName(tr("Flow"))
        flow.addRow(label, self.flow)
        self.column.addLayout(flow)
        self.column.addWidget(self.flow_swatches)
        self.column.addStretch(1)
        self.shown.currentIndexChanged.connect(self._on_shown)
        self.flow.currentIndexChanged.connect(self._on_flow)

    def _result(self) -> FloodResult | None:
        data = self._desk.session.workspace.data(self.panel.layer.id)
        return data if isinstance(data, FloodResult) else None

    def show_style(self, style: Style) -> None:
        """Show which map it is, and its legend."""
        result = self._result()
        with self.showing():
            self.shown.setCurrentIndex(max(0, self.shown.findData(style.attribute)))
            self.flow.setCurrentIndex(max(0, self.flow.findData(style.flow)))
        key = str(self.shown.currentData() or "")
        legend = depth_legend(self.panel.layer.options) if result is None or not key else map_legend(result, key)
        self.swatches.show_swatches([Swatch("", entry.label, entry.color, -1, True) for entry in legend])
        can_flow = result is not None and self._can_flow(result, key)
        self.flow.setEnabled(can_flow)
        self.flow.setToolTip("" if can_flow else tr("Maps of the whole run, and results without velocities, show no flow."))
        lines = flow_legend() if can_flow and style.flow else ()
        self.flow_swatches.show_swatches([Swatch("", entry.label, entry.color, -1, True) for entry in lines])
        self.flow_swatches.setVisible(bool(lines))
        self.note.setText(_note_of(key, result))
        self.note.setVisible(bool(self.note.text()))

    def _can_flow(self, result: FloodResult, key: str) -> bool:
        """Return whether arrows and streaks are drawn over this layer when it shows a map, or the depth at the clock."""
        layer = self.panel.layer
        return bool(flowing(self._desk.session.workspace, replace(layer, style=replace(layer.style, attribute=key)), result))

    def _on_shown(self, _row: int) -> None:
        self.choose(attribute=str(self.shown.currentData() or ""))

    def _on_flow(self, _row: int) -> None:
        self.choose(flow=str(self.flow.currentData() or ""))


def _note_of(key: str, result: FloodResult | None) -> str:
    if key == "hazard_uk":
        return tr("Depth × (speed + 0.5) + debris factor for urban land; Defra and Environment Agency FD2321, limits of May 2008.")
    if key == "hazard_aidr":
        return tr("Depth, speed and their product of one moment; AIDR Guideline 7-3 (2017).")
    if key == "hazard_cn":
        return tr("0.15 m is the limit of GB 50014 for one lane of a road; the limits above it are a draft.")
    if key.startswith(("arrival_", "peak", "duration")) and result is not None and key not in result.envelopes:
        return tr("Told from the frames: no finer than the time between two of them.")
    return ""
