"""Form: the scenario of a flood - rain, terrain, buildings, duration - with its rain drawn."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF, QSignalBlocker, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QHBoxLayout, QLineEdit, QSpinBox, QWidget

from cimdesk.base.i18n import tr
from cimdesk.commands.flood_cover import is_land_cover
from cimdesk.commands.flood_drainage import can_run_drains
from cimdesk.commands.flood_scenario import FloodForm, gpu_offer, scenario_from_session
from cimdesk.commands.flood_tables import design_storm, storm_cities
from cimdesk.commands.session import Session
from cimdesk.model.flood import FloodScenario, Series
from cimdesk.model.layers import LayerKind
from cimdesk.model.network import Utility, UtilityNetwork
from cimdesk.model.terrain import Terrain
from cimdesk.ui.desk import Desk
from cimdesk.ui.flood_driving import DrivingRows
from cimdesk.ui.forms import FormDialog, align_numbers, asked
from cimdesk.ui.theme import current_theme

UNIFORM = "uniform"
SWMM_SUFFIX = ".inp"
COMFORTABLE_CELLS = 500_000
FACTORS = (0, 2, 4, 5, 8, 10, 20)
"""Cells along a coarse one that is computed on; 0 for none."""


class FloodDialog(FormDialog):
    """Asks what the window's flood needs; everything else keeps its default."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(tr("Run flood"), tr("Run"), parent, width=42)
        self._desk = desk
        self.driving = DrivingRows(desk, getattr(getattr(parent, "inspector", None), "place", None))
        self._cities = storm_cities()
        self.name = QLineEdit()
        self.terrain = self._layers(LayerKind.TERRAIN)
        self.buildings = self._layers(LayerKind.BUILDINGS, LayerKind.TILES)
        self.buildings.addItem(tr("none"), "")
        self.drains = self._drain_layers()
        self.storm = QComboBox()
        for key, (city, _) in self._cities.items():
            self.storm.addItem(tr("Design storm, {city}").format(city=tr(city)), key)
        self.storm.addItem(tr("Even rain"), UNIFORM)
        self.years = QComboBox()
        self.intensity = _number(80.0, 1.0, 400.0, " mm/h")
        self.rain_hours = _number(2.0, 0.25, 24.0, " h")
        self.hours = _number(3.0, 0.25, 72.0, " h")
        self.cell = _number(5.0, 0.5, 100.0, " m")
        self.subgrid = QComboBox()
        self.subgrid.setToolTip(tr("Coarse cells know the ground within them: a whole city in minutes, shown on the fine cells."))
        for factor in FACTORS:
            self.subgrid.addItem("", factor)
        self.cover = self._covers()
        self.engine = QComboBox()
        self.engine.addItem(tr("Inertial: fast, for rain and slow floods"), "inertial")
        self.engine.addItem(tr("Dynamic: full equations, for steep streets and breaches"), "dynamic")
        self.device = self._devices()
        self.output = QSpinBox()
        self.output.setRange(1, 120)
        self.output.setValue(5)
        self.output.setSuffix(" min")
        self.has_level = QCheckBox(tr("start with water up to"))
        self.level = _number(0.0, -500.0, 9000.0, " m")
        self.level.setEnabled(False)
        self.has_level.toggled.connect(self.level.setEnabled)
        self.picture = RainPicture()
        self._add_rows()
        self._start_values()
        for box in (self.storm, self.years, self.terrain, self.drains, self.subgrid, self.engine):
            box.currentIndexChanged.connect(self._on_changed)
        for field in (self.intensity, self.rain_hours, self.hours, self.cell):
            field.valueChanged.connect(self._on_changed)
        self.driving.reading.changed.connect(self._allow_run)
        self._on_changed()

    def _add_rows(self) -> None:
        self.row(tr("Name"), self.name)
        self.row(tr("Terrain"), self.terrain)
        self.row(tr("Buildings"), self.buildings)
        self.row(tr("Drains"), self.drains)
        self.row(tr("Rain"), self.storm)
        self.row(tr("Return period"), self.years)
        self.row(tr("Rate"), self.intensity)
        self.row(tr("Rain lasts"), self.rain_hours)
        self.row(tr("Inflows, levels"), self.driving)
        self.row(tr("Simulate"), self.hours)
        cells = QWidget()
        beside = QHBoxLayout(cells)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.addWidget(self.cell, 1)
        beside.addWidget(self.subgrid, 2)
        self.row(tr("Cell size"), cells)
        self.row(tr("Roughness"), self.cover)
        self.row(tr("A frame every"), self.output)
        self.row(tr("Engine"), self.engine)
        self.row(tr("Computed on"), self.device)
        align_numbers(self.level)
        self.rows.addRow(self.has_level, self.level)
        self.body.addWidget(self.picture)

    def _layers(self, *kinds: LayerKind) -> QComboBox:
        box = QComboBox()
        workspace = self._desk.session.workspace
        for layer in workspace.layers():
            if layer.kind in kinds and workspace.data(layer.id) is not None:
                box.addItem(layer.name, layer.id)
        return box

    def _drain_layers(self) -> QComboBox:
        """Return the drainage networks that come from a SWMM file, the first of them chosen, and none."""
        box = QComboBox()
        box.addItem(tr("none"), "")
        workspace = self._desk.session.workspace
        for layer in workspace.layers():
            data = workspace.data(layer.id)
            is_drainage = isinstance(data, UtilityNetwork) and data.utility is Utility.DRAINAGE
            if is_drainage and layer.source.lower().endswith(SWMM_SUFFIX):
                box.addItem(layer.name, layer.id)
        if not can_run_drains():
            box.setEnabled(False)
            box.setToolTip(tr("SWMM is not installed."))
        else:
            # Streets without their drains flood deeper than they do.
            box.setCurrentIndex(min(1, box.count() - 1))
        return box

    def _devices(self) -> QComboBox:
        """Return what can compute; where there is no graphics processor, the box says why when it is pointed at."""
        box, (name, why_not) = QComboBox(), gpu_offer()
        box.addItem(tr("processor"), "cpu")
        if why_not:
            box.setToolTip(tr("No graphics processor: {reason}").format(reason=why_not))
        else:
            box.addItem(tr("graphics processor ({name})").format(name=name), "gpu")
        return box

    def _allow_devices(self) -> None:
        """Offer a graphics processor where one is and computes what is asked for."""
        is_possible = self.device.count() > 1 and not self.subgrid.currentData()
        if not is_possible:
            self.device.setCurrentIndex(0)
        self.device.setEnabled(is_possible)

    def _covers(self) -> QComboBox:
        """Return the land-cover rasters of the project, with even roughness as the first choice."""
        box = QComboBox()
        box.addItem(tr("even, n = {n:g}").format(n=FloodForm.manning_n), "")
        session = self._desk.session
        for layer in session.workspace.layers():
            if layer.kind is LayerKind.IMAGERY and is_land_cover(session.base_dir / layer.source):
                box.addItem(layer.name, layer.id)
        return box

    def _name_factors(self) -> None:
        """Tell the sizes of coarse cells; only the inertial engine has them."""
        is_possible = self.engine.currentData() == "inertial"
        for row, factor in enumerate(FACTORS):
            size = tr("computed on {size:g} m").format(size=factor * self.cell.value())
            self.subgrid.setItemText(row, size if factor else tr("computed as they are"))
        if not is_possible:
            with QSignalBlocker(self.subgrid):
                self.subgrid.setCurrentIndex(0)
        self.subgrid.setEnabled(is_possible)

    def _start_values(self) -> None:
        terrain = self._terrain()
        if terrain is not None:
            rows, columns = terrain.shape
            area = rows * terrain.cell_y * columns * terrain.cell_x
            wanted = math.sqrt(area / COMFORTABLE_CELLS)
            steps = (0.5, 1.0, 2.0, 4.0, 5.0, 8.0, 10.0, 20.0, 30.0, 50.0, 100.0)
            self.cell.setValue(next((s for s in steps if s >= max(wanted, terrain.cell_x) - 1e-9), 100.0))
        self._fill_years()

    def _fill_years(self) -> None:
        key = str(self.storm.currentData())
        self.years.blockSignals(True)
        self.years.clear()
        for years in self._cities[key][1] if key in self._cities else ():
            self.years.addItem(tr("{years:g} years").format(years=years), years)
        wanted = self.years.findData(50.0)
        self.years.setCurrentIndex(max(wanted, 0))
        self.years.blockSignals(False)

    def rain(self) -> Series:
        """Return the rain asked for [m/s]."""
        seconds = self.rain_hours.value() * 3600.0
        key = str(self.storm.currentData())
        if key == UNIFORM:
            return Series(np.array([0.0, seconds]), np.array([self.intensity.value() / 3.6e6, 0.0]))
        return design_storm(key, float(self.years.currentData()), seconds)

    def form(self) -> FloodForm:
        """Return what was asked for."""
        clock = self._desk.session.clock
        first, last = clock.range
        return FloodForm(
            name=self.name.text().strip() or self.name.placeholderText(),
            terrain=str(self.terrain.currentData()),
            rain=self.rain(),
            buildings=str(self.buildings.currentData() or ""),
            drainage=str(self.drains.currentData() or ""),
            cell=self.cell.value(),
            engine=str(self.engine.currentData()),
            device=str(self.device.currentData()),
            hydrographs=self.driving.entries(),
            subgrid=int(self.subgrid.currentData()),
            cover=str(self.cover.currentData() or ""),
            duration=self.hours.value() * 3600.0,
            output_every=self.output.value() * 60.0,
            level=self.level.value() if self.has_level.isChecked() else None,
            start_time=first if last > first else float(int(time.time() // 3600) * 3600),
        )

    def _terrain(self) -> Terrain | None:
        data = self._desk.session.workspace.data(str(self.terrain.currentData()))
        return data if isinstance(data, Terrain) else None

    def _on_changed(self, _value: object = None) -> None:
        uniform = self.storm.currentData() == UNIFORM
        if uniform == (self.years.count() > 0):
            self._fill_years()
        self._name_factors()
        self._allow_devices()
        self.rows.setRowVisible(self.cover, self.cover.count() > 1)
        self.rows.setRowVisible(self.years, not uniform)
        self.rows.setRowVisible(self.intensity, uniform)
        rain = self.rain()
        total = float(np.sum(rain.values[:-1] * np.diff(rain.times))) * 1000.0
        self.picture.show_rain(rain, self.hours.value() * 3600.0, tr("{total} mm in all").format(total=f"{total:.0f}"))
        words = str(self.years.currentText()) if not uniform else f"{self.intensity.value():g} mm/h"
        self.name.setPlaceholderText(tr("Storm, {words}").format(words=words))
        terrain = self._terrain()
        self.driving.show_terrain(terrain)
        if terrain is not None:
            cells = terrain.shape[0] * terrain.cell_y * terrain.shape[1] * terrain.cell_x / self.cell.value() ** 2
            text = tr("About {cells} cells. Screening model: rain on the ground, no pipes.")
            if self.drains.currentData():
                text = tr("About {cells} cells. Rain on the ground, exchanged with the drains by SWMM.")
            words = text.format(cells=f"{cells:,.0f}")
            if factor := int(self.subgrid.currentData()):
                more = tr("Computed on {cells} coarse ones; gates and breaches need full detail.")
                words = f"{words} {more.format(cells=f'{cells / factor**2:,.0f}')}"
            self.note.setText(words)
        self._allow_run()

    def _allow_run(self) -> None:
        """Run with a terrain, and not before the file that was asked for has been read."""
        self.accept_button.setEnabled(self._terrain() is not None and not self.driving.reading.is_reading)


class RainPicture(QWidget):
    """The rain of the form as bars."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rain: Series | None = None
        self._duration = 1.0
        self._words = ""

    def show_rain(self, rain: Series, duration: float, words: str) -> None:
        """Draw another rain over ``duration`` [s]."""
        self._rain, self._duration, self._words = rain, max(duration, float(rain.times[-1])), words
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(300, current_theme().px("font_px") * 6)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._rain is None:
            return
        theme = current_theme()
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("rain"))
        height = self.height() - 4.0
        peak = max(float(self._rain.values.max()), 1e-12)
        for begin, end, rate in zip(self._rain.times[:-1], self._rain.times[1:], self._rain.values[:-1], strict=True):
            x0, x1 = (float(t) / self._duration * self.width() for t in (begin, end))
            bar = float(rate) / peak * height
            painter.drawRect(QRectF(x0, self.height() - bar, max(1.0, (x1 - x0) * 0.85), bar))
        painter.setPen(theme.color("dim"))
        painter.setFont(theme.font(scale=0.88))
        words = tr("{amount}  ·  up to {rate} mm/h").format(amount=self._words, rate=f"{peak * 3.6e6:.0f}")
        painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, words)
        painter.end()


def _number(value: float, low: float, high: float, suffix: str) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setRange(low, high)
    field.setDecimals(2 if low < 1 else 1)
    field.setValue(value)
    field.setSuffix(suffix)
    return field


@dataclass(frozen=True)
class AskedFlood:
    """A flood as it was asked for; called to set the scenario up."""

    session: Session
    form: FloodForm

    @property
    def name(self) -> str:
        """What it is called."""
        return self.form.name

    def __call__(self) -> FloodScenario:
        """Return the scenario; may take a while."""
        return scenario_from_session(self.session, self.form)


def ask(parent: QWidget | None, desk: Desk) -> AskedFlood | None:
    """Ask for a scenario; it is set up by the job, as cutting the terrain may take a while."""
    dialog = asked(FloodDialog(desk, parent))
    if dialog is None:
        return None
    return AskedFlood(desk.session, dialog.form())
