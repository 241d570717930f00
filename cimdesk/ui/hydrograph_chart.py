"""Hydrographs of the shown flood: depths and levels at gauges and at a place that was clicked, discharges across lines."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QComboBox, QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.appearance import active_flood
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_maps import hydrograph_at
from cimdesk.ui.charts import MOST_SERIES, Curve, SeriesChart
from cimdesk.ui.desk import Desk
from cimdesk.ui.theme import current_theme

DEPTH, LEVEL, DISCHARGE = "depth", "level", "discharge"
_NONE = (float("nan"),) * 3


def curves_of(result: FloodResult, quantity: str, place: tuple[float, float] | None = None) -> list[Curve]:
    """Return the curves of one quantity over the moments of the run; those of gauges and lines, and of a place."""
    start = result.start_time
    if quantity == DISCHARGE:
        return [Curve(line.gauge.name, "m³/s", start + line.times, line.discharges, _NONE) for line in result.lines]
    curves = [
        Curve(series.gauge.name, "m", start + series.times, series.depths if quantity == DEPTH else series.levels, _NONE)
        for series in result.gauges
    ]
    told = None if place is None else hydrograph_at(result, *place)
    if told is not None:
        curves.insert(0, Curve(tr("Here"), "m", start + told[0], told[1] if quantity == DEPTH else told[2], _NONE))
    return curves


class HydrographChart(SeriesChart):
    """Draws the hydrographs of the shown flood; a click sets the clock.

    Attributes
    ----------
    quantity : str
        ``depth``, ``level`` or ``discharge``.
    place : (x, y) or None
        World coordinates of a place that is drawn too; in a compact chart it alone.
    """

    def __init__(self, desk: Desk, compact: bool = False, parent: QWidget | None = None) -> None:
        self.quantity = DEPTH
        self.place: tuple[float, float] | None = None
        super().__init__(desk, compact, parent)

    def gather(self) -> None:
        """Read the curves again."""
        found = active_flood(self._desk.session.workspace)
        curves = [] if found is None else curves_of(found[1], self.quantity, self.place)
        if self._compact:
            curves = curves[:1] if self.place is not None and curves and np.nanmax(curves[0].values, initial=0.0) > 0.0 else []
            self.setVisible(bool(curves))
        self.curves = curves[:MOST_SERIES]
        self.update()


class HydrographDialog(QDialog):
    """The hydrographs of the shown flood, by quantity, with a way to a file."""

    def __init__(self, desk: Desk, place: tuple[float, float] | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Hydrographs"))
        unit = current_theme().px("font_px")
        self.resize(unit * 52, unit * 28)
        self.chart = HydrographChart(desk)
        self.chart.place = place
        self.quantity = QComboBox()
        for key, name in ((DEPTH, tr("Water depth")), (LEVEL, tr("Water level")), (DISCHARGE, tr("Discharge"))):
            self.quantity.addItem(name, key)
        self.quantity.currentIndexChanged.connect(self._on_quantity)
        label = QLabel(tr("Show"))
        label.setBuddy(self.quantity)
        self.export = QPushButton(tr("Export…"))
        self.export.clicked.connect(self._on_export)
        self._desk = desk
        head = QHBoxLayout()
        head.addWidget(label)
        head.addWidget(self.quantity)
        head.addStretch(1)
        head.addWidget(self.export)
        column = QVBoxLayout(self)
        column.addLayout(head)
        column.addWidget(self.chart, 1)
        self.chart.gather()

    def _on_quantity(self, _row: int) -> None:
        self.chart.quantity = str(self.quantity.currentData())
        self.chart.gather()

    def _on_export(self) -> None:
        from cimdesk.ui.handlers_flood_outputs import export_hydrographs

        self._desk.attempt(export_hydrographs, self._desk, self.chart.place)


def ask(parent: QWidget | None, desk: Desk, place: tuple[float, float] | None = None) -> None:
    """Show the hydrographs, with the place last clicked where nothing else says which."""
    inspector = getattr(parent, "inspector", None)
    at = place if place is not None else getattr(inspector, "place", None)
    HydrographDialog(desk, at, parent).exec()
