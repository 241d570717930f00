"""Feature table as a Qt model: rows are a permutation of the columnar table, so a million of them cost one array."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from cimdesk.base.arrays import Bool, Int
from cimdesk.model.columns import encode, is_number
from cimdesk.model.evaluation import matching, resolve
from cimdesk.model.expression import ExpressionError, quoted
from cimdesk.model.features import FeatureTable
from cimdesk.ui.attributes import show_value, titled
from cimdesk.ui.theme import current_theme

Index = QModelIndex | QPersistentModelIndex


Aside = Callable[[Callable[[], Int], Callable[[Int], None]], None]
"""Does work beside the window and hands over what it gave."""
SORTED_AT_ONCE = 100_000


class FeatureModel(QAbstractTableModel):
    """Shows a FeatureTable, sorted and filtered without copying its columns.

    Attributes
    ----------
    layer : str
        The layer whose features these are; empty for none.
    order : (N,) int64
        The table row of each row that is shown.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.layer = ""
        self.table = FeatureTable.empty()
        self.data_of: object = None
        self.order: Int = np.zeros(0, dtype=np.int64)
        self._names: list[str] = []
        self._matching: Int | None = None
        self._marked: Bool | None = None
        self._sort: tuple[int, Qt.SortOrder] = (-1, Qt.SortOrder.AscendingOrder)
        self._place: Int | None = None
        self.aside: Aside | None = None

    def set_table(self, table: FeatureTable | None, data: object = None) -> None:
        """Show another table, unsorted and unfiltered; ``data`` is the layer's, which knows the units."""
        self.beginResetModel()
        self.data_of = data
        self.table = table if table is not None else FeatureTable.empty()
        self._names = list(self.table.columns)
        self._matching = self._marked = None
        self._sort = (-1, Qt.SortOrder.AscendingOrder)
        self._arrange()
        self.endResetModel()

    @property
    def columns(self) -> list[str]:
        """The columns that are shown after the identifier."""
        return list(self._names)

    def show_columns(self, names: Sequence[str]) -> None:
        """Show only these columns, in this order; those that the table does not have are left away."""
        self.beginResetModel()
        self._names = [name for name in names if name in self.table.columns] or list(self.table.columns)
        self._sort = (-1, Qt.SortOrder.AscendingOrder)
        self._arrange()
        self.endResetModel()

    def mark(self, table_rows: Int | None) -> None:
        """Show these table rows as selected although the view's own selection does not hold them; None for none.

        A selection in thousands of pieces is too slow for the view.
        """
        if table_rows is None and self._marked is None:
            return
        self._marked = None
        if table_rows is not None:
            self._marked = np.zeros(len(self.table), dtype=bool)
            self._marked[table_rows] = True
        if self.rowCount():
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, self.columnCount() - 1))

    def set_matching(self, rows: Int | None) -> None:
        """Show only these table rows (rising), or all for None."""
        self.beginResetModel()
        self._matching = rows
        self._arrange()
        self.endResetModel()

    def rows_showing(self, table_rows: Int) -> Int:
        """Return the view rows (rising) of table rows; those filtered out are left away."""
        if self._place is None:
            self._place = np.full(len(self.table), -1, dtype=np.int64)
            self._place[self.order] = np.arange(len(self.order))
        places = self._place[table_rows]
        return np.sort(places[places >= 0])

    def title_of(self, column: str) -> str:
        """Return a column's readable name with its unit."""
        return titled(column, self.data_of)

    def feature_of(self, row: int) -> str:
        """Return the feature id of a view row."""
        return str(self.table.ids[self.order[row]])

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.order)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._names) + 1

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            row = self.order[index.row()]
            if index.column() == 0:
                return str(self.table.ids[row])
            return show_value(self.table.columns[self._names[index.column() - 1]][row])
        if role == Qt.ItemDataRole.BackgroundRole and self._marked is not None and self._marked[self.order[index.row()]]:
            return current_theme().color("accent_soft")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._alignment(index.column())
        return None

    def _alignment(self, column: int) -> Qt.AlignmentFlag:
        """Return how a column stands, its name included: numbers at the right."""
        is_number = column > 0 and self.table.columns[self._names[column - 1]].dtype.kind in "fi"
        return Qt.AlignmentFlag.AlignVCenter | (Qt.AlignmentFlag.AlignRight if is_number else Qt.AlignmentFlag.AlignLeft)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Vertical:
            return f"{section + 1}" if role == Qt.ItemDataRole.DisplayRole else None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._alignment(section)
        if role == Qt.ItemDataRole.ToolTipRole:
            return "id" if section == 0 else self._names[section - 1]
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return "id" if section == 0 else self.title_of(self._names[section - 1])

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sort = (column, order)
        self.layoutAboutToBeChanged.emit()
        self._arrange()
        self.layoutChanged.emit()

    def _arrange(self) -> None:
        """Put the rows in order; long tables stay as they are until that is done aside."""
        rows = self._matching if self._matching is not None else np.arange(len(self.table), dtype=np.int64)
        column, order = self._sort
        self._place = None
        if not (0 <= column <= len(self._names) and len(rows)):
            self.order = rows
            return
        table, name = self.table, None if column == 0 else self._names[column - 1]

        def work() -> Int:
            return rows[sort_rows(table, name, rows, order == Qt.SortOrder.DescendingOrder)]

        if self.aside is None or len(rows) <= SORTED_AT_ONCE:
            self.order = work()
            return
        if len(self.order) != len(rows):
            self.order = rows
        wanted = (self._sort, table, self._matching)

        def done(sorted_rows: Int) -> None:
            if wanted[0] == self._sort and table is self.table and wanted[2] is self._matching:
                self.layoutAboutToBeChanged.emit()
                self.order, self._place = sorted_rows, None
                self.layoutChanged.emit()

        self.aside(work, done)


def sort_rows(table: FeatureTable, column: str | None, rows: Int, descending: bool) -> Int:
    """Return the permutation of ``rows`` that sorts them by a column; missing values come last either way."""
    if column is None:
        order = np.argsort(table.ids[rows].astype(str), kind="stable")
        return order[::-1] if descending else order
    values = table.columns[column]
    if values.dtype == object:
        encoded = encode(values)
        codes = encoded.codes[rows]
        missing = codes < 0
        # Places in the alphabet are sorted, not texts: a million rows in a tenth of a second.
        values = np.append(encoded.ranks, -1)[codes]
    else:
        values = values[rows]
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
    order = np.argsort(values, kind="stable")
    if descending:
        order = order[::-1]
    return np.concatenate([order[~missing[order]], order[missing[order]]])


_SIGNS = re.compile(r"(>=|<=|!=|<>|==|>|<|=)")
_WORDS = re.compile(r"\b(and|or|not|in|like|contains|between|is)\b|且|或|包含|为空", re.IGNORECASE)


def is_expression(text: str) -> bool:
    """Whether a filter is a condition rather than words to look for."""
    return bool(_SIGNS.search(text) or (_WORDS.search(text) and ("'" in text or " is " in text)))


def matching_rows(table: FeatureTable, text: str) -> Int:
    """Return (M,) rows where the id or any attribute contains ``text``, whatever the case, or where a condition holds.

    ``storeys > 5 and use = office`` is a condition; an unknown word beside a comparison is a text.

    Raises
    ------
    ExpressionError
        If the text is a condition that cannot be understood.
    """
    text = text.strip()
    if not text:
        return np.arange(len(table), dtype=np.int64)
    if is_expression(text):
        return np.flatnonzero(_holding(table, text)).astype(np.int64)
    needle = text.casefold()
    found = np.fromiter((needle in str(key).casefold() for key in table.ids), dtype=bool, count=len(table))
    for values in table.columns.values():
        if values.dtype == object:
            found |= encode(values).rows_where(lambda name: needle in name.casefold())
        elif is_number(values) and _is_number(text):
            found |= values == float(text)
    return np.flatnonzero(found).astype(np.int64)


def _holding(table: FeatureTable, text: str) -> Bool:
    try:
        return matching(text, table, lenient=True)
    except ExpressionError:
        name, sign, value = (part.strip() for part in _SIGNS.split(text, maxsplit=1)) if _SIGNS.search(text) else ("", "", "")
        if resolve(name, table) is None or _SIGNS.search(value) or "'" in value:
            raise
        # Several words after the sign are one text.
        return matching(f"{quoted(name)} {sign} '{value}'", table)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def runs(rows: Int) -> list[tuple[int, int]]:
    """Return (first, last) of each run of consecutive numbers in rising ``rows``."""
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) > 1)
    firsts = np.concatenate([[0], breaks + 1])
    lasts = np.concatenate([breaks, [len(rows) - 1]])
    return [(int(rows[a]), int(rows[b])) for a, b in zip(firsts, lasts, strict=True)]
