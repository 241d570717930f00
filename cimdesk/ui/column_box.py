"""A field for the name of a column or an expression: columns are listed by their titles, anything may be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox

from cimdesk.base.i18n import tr
from cimdesk.ui.attributes import titled


def column_titles(names: Sequence[str], data: object) -> list[str]:
    """Return the titles of columns; those that read alike have their name behind."""
    titles = [titled(name, data) for name in names]
    often = Counter(titles)
    return [f"{title} ({name})" if often[title] > 1 else title for title, name in zip(titles, names, strict=True)]


class ColumnBox(QComboBox):
    """Lists the columns of a layer under their titles, after "none"; an expression is written instead.

    Parameters
    ----------
    names : sequence of str
        Columns, as an expression names them.
    data
        What the layer holds, which knows the units.
    """

    def __init__(self, names: Sequence[str], data: object) -> None:
        super().__init__()
        self.setEditable(True)
        self.addItem(tr("none"), "")
        for name, title in zip(names, column_titles(names, data), strict=True):
            self.addItem(title, name)
            self.setItemData(self.count() - 1, name, Qt.ItemDataRole.ToolTipRole)

    def chosen(self, text: str) -> str:
        """Return the column that a text is the title of, else the text itself; empty for none."""
        row = self.findText(text, Qt.MatchFlag.MatchExactly | Qt.MatchFlag.MatchCaseSensitive)
        return str(self.itemData(row)) if row >= 0 else text.strip()

    def show_chosen(self, value: str) -> None:
        """Show a column by its title, or an expression as it is."""
        row = self.findData(value)
        self.setCurrentText(self.itemText(row) if row >= 0 else value)
