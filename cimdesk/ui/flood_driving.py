"""Rows of the flood form for what drives a flood besides rain: hydrographs of loaded layers or of a file, and where they enter."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.commands.flood_series import EDGES, is_on
from cimdesk.model.hydrographs import DISCHARGE, Hydrograph, hydrographs_of
from cimdesk.model.terrain import Terrain
from cimdesk.ui.desk import Desk
from cimdesk.ui.hydrograph_reading import HydrographReading

EDGE_NAMES = {"north": "northern edge", "east": "eastern edge", "south": "southern edge", "west": "western edge"}
SEEN, CLICKED = "seen", "clicked"
_FILE = "file"
MOST_ROWS = 6


class DrivingRows(QWidget):
    """One row for each hydrograph, and one more to choose another.

    Parameters
    ----------
    desk : Desk
    clicked : (x, y) or None
        Place last clicked, where water may enter.
    """

    changed = Signal()

    def __init__(self, desk: Desk, clicked: tuple[float, float] | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.clicked = clicked
        self._terrain: Terrain | None = None
        self.series = _of_layers(desk)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self.rows: list[DrivingRow] = []
        self._asking: DrivingRow | None = None
        self.reading = HydrographReading(desk.runner)
        self.reading.found.connect(self._on_read)
        self.reading.changed.connect(self.changed)
        self._column.addWidget(self.reading)
        self._add_row()

    def show_terrain(self, terrain: Terrain | None) -> None:
        """Offer places on this terrain alone."""
        if terrain is self._terrain:
            return
        self._terrain = terrain
        for row in self.rows:
            row.offer_places()

    def entries(self) -> tuple[tuple[Hydrograph, str, tuple[float, float] | None], ...]:
        """Return what was chosen: series, edge and place."""
        return tuple(entry for row in self.rows if (entry := row.entry()) is not None)

    def places_of(self, series: Hydrograph) -> list[tuple[str, str]]:
        """Return keys and names of where a series can enter: levels along edges, discharges anywhere."""
        found = []
        if series.quantity == DISCHARGE:
            if (place := self.seen_at(series)) is not None and self._terrain is not None and is_on(self._terrain, place):
                found.append((SEEN, tr("where it was seen")))
            if self.clicked is not None and self._terrain is not None and is_on(self._terrain, self.clicked):
                found.append((CLICKED, tr("at the place last clicked")))
        return [*found, *((edge, tr(EDGE_NAMES[edge])) for edge in EDGES)]

    def seen_at(self, series: Hydrograph) -> tuple[float, float] | None:
        """Return the place of a series in the system of the project."""
        frame = self._desk.session.workspace.frame
        return series.place_in(frame.crs if frame is not None else None) if series.has_place else None

    def read_file(self, row: DrivingRow) -> None:
        """Ask for a file; when it has been read, its series are offered, and the row takes the first of them."""
        files = self._desk.ask.files(tr("Hydrographs of a file"))
        if files:
            self._asking = row
            self.reading.read(files[0])

    def _on_read(self, path: Path, found: list[Hydrograph]) -> None:
        self.series += [(path.name, one) for one in found]
        for row in self.rows:
            row.offer_series()
        if self._asking is not None:
            self._asking.take(found[0])

    def _add_row(self) -> None:
        row = DrivingRow(self)
        row.changed.connect(self._on_changed)
        self.rows.append(row)
        self._column.insertWidget(len(self.rows) - 1, row)

    def _on_changed(self) -> None:
        if self.rows[-1].entry() is not None and len(self.rows) < MOST_ROWS:
            self._add_row()
        self.changed.emit()


class DrivingRow(QWidget):
    """A series and where it enters."""

    changed = Signal()

    def __init__(self, host: DrivingRows) -> None:
        super().__init__(host)
        self._host = host
        self._kept: Hydrograph | None = None
        self.what, self.where = QComboBox(), QComboBox()
        self.what.setAccessibleName(tr("Hydrograph"))
        self.where.setAccessibleName(tr("Enters"))
        beside = QHBoxLayout(self)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.addWidget(self.what, 3)
        beside.addWidget(self.where, 2)
        self.offer_series()
        self.offer_places()
        self.what.activated.connect(self._on_what)
        self.where.activated.connect(self._on_where)

    def chosen(self) -> Hydrograph | None:
        """Return the series that was chosen."""
        found = self.what.currentData()
        return found if isinstance(found, Hydrograph) else None

    def entry(self) -> tuple[Hydrograph, str, tuple[float, float] | None] | None:
        """Return series, edge and place; None where there is no series."""
        series, where = self.chosen(), str(self.where.currentData() or "")
        if series is None:
            return None
        if where in EDGES:
            return series, where, None
        return series, "", self._host.clicked if where == CLICKED else self._host.seen_at(series)

    def offer_series(self) -> None:
        """List all series again; the one that is chosen stays."""
        kept = self.chosen()
        self.what.clear()
        self.what.addItem(tr("none"), "")
        for source, one in self._host.series:
            kind = tr("discharge") if one.quantity == DISCHARGE else tr("level")
            unit = "m³/s" if one.quantity == DISCHARGE else "m"
            text = tr("{name}, {kind} up to {most}").format(name=one.name, kind=kind, most=f"{one.values.max():.4g} {unit}")
            self.what.addItem(f"{text}  ·  {source}", one)
        self.what.addItem(tr("from a file…"), _FILE)
        self.choose(kept)

    def choose(self, series: Hydrograph | None) -> None:
        """Choose a series that is offered; none for None."""
        rows = [row for row in range(self.what.count()) if self.what.itemData(row) is series]
        self.what.setCurrentIndex(rows[0] if series is not None and rows else 0)

    def offer_places(self) -> None:
        """List where the chosen series can enter; the place that is chosen stays where it can."""
        kept, series = self.where.currentData(), self.chosen()
        self.where.clear()
        for key, name in self._host.places_of(series) if series is not None else ():
            self.where.addItem(name, key)
        self.where.setCurrentIndex(max(self.where.findData(kept), 0))
        self.where.setEnabled(series is not None)
        self.where.setVisible(series is not None)

    def _on_what(self, _row: int) -> None:
        if self.what.currentData() == _FILE:
            # Until there is another one, and for who asks for no file after all, it stays as it was.
            self.choose(self._kept)
            self._host.read_file(self)
        else:
            self.take(self.chosen())

    def take(self, series: Hydrograph | None) -> None:
        """Choose a series, and offer where it can enter."""
        self.choose(series)
        self._kept = series
        self.offer_places()
        self.changed.emit()

    def _on_where(self, _row: int) -> None:
        self.changed.emit()


def _of_layers(desk: Desk) -> list[tuple[str, Hydrograph]]:
    """Return the series of all loaded layers with the names of those."""
    workspace = desk.session.workspace
    crs = workspace.frame.crs if workspace.frame is not None else None
    return [
        (layer.name, one)
        for layer in workspace.layers()
        for one in hydrographs_of(workspace.data(layer.id), crs)
        if len(one.times) > 1
    ]
