"""Tables of the exposure panel: what is in the water by use and depth, and the facilities that are wet or cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.selection import AssetRef
from cimdesk.ui.desk import Desk
from cimdesk.ui.exposure_rows import Row, amount_text, difference_text, rows_of
from cimdesk.ui.theme import current_theme

if TYPE_CHECKING:
    from cimdesk.commands.exposure_count import ExposureCount

MOST_ASSETS = 40
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
NARROW = 80
"""Widths of a letter below which the table leaves a column out."""


class QuietTable(QTableWidget):
    """A table that is read, not written: no grid, whole rows."""

    def __init__(self, columns: int) -> None:
        super().__init__(0, columns)
        self.setFrameShape(QTableWidget.Shape.NoFrame)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().setVisible(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.fit()

    def fit(self) -> None:
        """Follow the size of the theme's letters."""
        self.verticalHeader().setDefaultSectionSize(current_theme().px("row_px"))

    def name_columns(self, names: list[str], numbers: tuple[int, ...]) -> None:
        """Name the columns; those with numbers stand at the right, as their numbers do."""
        self.setHorizontalHeaderLabels(names)
        for column in numbers:
            heading = QTableWidgetItem(names[column])
            heading.setTextAlignment(RIGHT)
            self.setHorizontalHeaderItem(column, heading)

    def write(self, row: int, column: int, text: str, is_number: bool) -> QTableWidgetItem:
        """Write one cell; its tip says what a narrow column cuts off."""
        item = QTableWidgetItem(text)
        item.setToolTip(text)
        if is_number:
            item.setTextAlignment(RIGHT)
        self.setItem(row, column, item)
        return item


class CountTable(QuietTable):
    """What is in the water, beside the flood it is compared with. A row selects what it counts."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(4)
        self._desk = desk
        self._count: ExposureCount | None = None
        self._rows: list[Row] = []
        self.itemClicked.connect(self._on_row)
        self.itemActivated.connect(self._on_row)

    def show_counts(self, count: ExposureCount, data: dict[str, Any], compared: dict[str, Any] | None, panel: QWidget) -> None:
        """Show the counts; where ``panel`` has little room the difference says enough."""
        self._count = count
        self._rows = rows_of(data, compared)
        self.setRowCount(len(self._rows))
        self.name_columns([tr("In the water"), tr("Count"), tr("Compared"), tr("Difference")], (1, 2, 3))
        is_narrow = panel.width() < NARROW * current_theme().px("font_px")
        self.setColumnHidden(2, compared is None or is_narrow)
        self.setColumnHidden(3, compared is None)
        for k, row in enumerate(self._rows):
            difference = "" if row.compared is None else difference_text(row.value - row.compared, row.unit)
            other = "" if row.compared is None else amount_text(row.compared, row.unit)
            for column, text in enumerate((row.label, amount_text(row.value, row.unit), other, difference)):
                self.write(k, column, text, column > 0)

    def _on_row(self, item: QTableWidgetItem) -> None:
        refs = self._count.refs(self._rows[item.row()].key) if self._count is not None and item.row() < len(self._rows) else []
        if refs:
            self._desk.select(refs)


class FacilityTable(QuietTable):
    """The facilities that are wet or cut off, deepest first. A row selects one and shows it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(3)
        self._desk = desk
        self.itemClicked.connect(self._on_row)
        self.itemActivated.connect(self._on_row)

    def show_counts(self, counts: dict[str, Any]) -> None:
        """List the facilities of a count."""
        assets = counts["assets"][:MOST_ASSETS]
        cut_off = [] if counts["isolation"] is None else counts["isolation"]["facilities"]
        wet = {(asset["layer"], asset["id"]) for asset in assets}
        lines = [(asset, f"{asset['depth_m']:.2f} m") for asset in assets]
        lines += [(asset, tr("cut off")) for asset in cut_off if (asset["layer"], asset["id"]) not in wet]
        self.setRowCount(min(len(lines), MOST_ASSETS))
        self.name_columns([tr("Facility"), tr("Kind"), tr("Depth")], (2,))
        for k, (asset, depth) in enumerate(lines[:MOST_ASSETS]):
            texts = (asset["name"] or asset["id"], tr(str(asset["kind"])), depth)
            for column, text in enumerate(texts):
                item = self.write(k, column, text, column == 2)
                item.setData(Qt.ItemDataRole.UserRole, AssetRef(asset["layer"], asset["id"]))

    def _on_row(self, item: QTableWidgetItem) -> None:
        self._desk.select([item.data(Qt.ItemDataRole.UserRole)])
        self._desk.trigger("view.fit_selection")
