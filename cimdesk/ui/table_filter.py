"""Filter of the attribute table: which rows fit the words or the condition and are in sight, and how many that are."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QLabel, QLineEdit

from cimdesk.base.arrays import Bool, Int
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.model.expression import ExpressionError
from cimdesk.model.features import FeatureTable
from cimdesk.model.visibility import shown_rows
from cimdesk.ui.desk import Desk
from cimdesk.ui.feature_model import FeatureModel, matching_rows

AT_ONCE = 30_000
"""Tables up to this long are filtered on the spot, longer ones in a job."""
LONGEST_REASON = 70
"""Characters of what is wrong that stand beside the filter; the tip says all."""


class RowFilter(QObject):
    """Keeps the model's rows to those that fit.

    Attributes
    ----------
    field, count : QLineEdit, QLabel
        Where the filter is written, and what says how many rows are shown or what is wrong with it.
    applied : Signal
        Other rows are shown.
    """

    applied = Signal()

    def __init__(self, desk: Desk, model: FeatureModel, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._model = model
        self._in_sight: Bool | None = None
        self.field = QLineEdit()
        self.field.setClearButtonEnabled(True)
        self.count = QLabel()
        self.count.setObjectName("dim")
        self._wait = QTimer(self, singleShot=True, interval=180)
        self._wait.timeout.connect(self.apply)
        self.field.textChanged.connect(self._on_text)

    def apply(self) -> None:
        """Look again which rows fit."""
        table, text, shown = self._model.table, self.field.text(), self._rows_in_sight()
        self._in_sight = shown
        if not text.strip():
            self._on_matched((table, None if shown is None else np.flatnonzero(shown).astype(np.int64), ""))
        elif len(table) <= AT_ONCE:
            self._on_matched(_matched(table, text, shown))
        else:

            def work(progress: Progress, cancel: CancelToken) -> tuple[FeatureTable, Int | None, str]:
                return _matched(table, text, shown)

            self._desk.run(JobSpec(tr("Filtering"), work, self._on_matched, key="filter"))

    def follow_sight(self) -> None:
        """Look again where other features of the layer are in sight now."""
        if self._rows_in_sight() is not self._in_sight:
            self.apply()

    def tell_count(self) -> None:
        """Say how many rows are shown."""
        shown, total = self._model.rowCount(), len(self._model.table)
        text = (
            tr("{count} rows").format(count=f"{total:,}")
            if shown == total
            else tr("{shown} of {count} rows").format(shown=f"{shown:,}", count=f"{total:,}")
        )
        self.count.setText(text if total else "")

    def retranslate(self) -> None:
        """Say everything in the current language."""
        self.field.setPlaceholderText(tr("Filter: a word, or storeys > 20 and use = 'office'"))
        self.field.setAccessibleName(tr("Filter"))
        self.tell_count()

    def _rows_in_sight(self) -> Bool | None:
        """Return which rows the layer's own filter, and hiding by hand, leave in sight; None for all."""
        workspace, layer = self._desk.session.workspace, self._model.layer
        if not layer or workspace.document.get("layer", layer) is None:
            return None
        return shown_rows(workspace, workspace.layer(layer))

    def _on_text(self, _text: str) -> None:
        self._wait.start()

    def _on_matched(self, result: tuple[FeatureTable, Int | None, str]) -> None:
        table, rows, wrong = result
        if table is not self._model.table:
            return
        self._say_wrong(wrong)
        if not wrong:
            self._model.set_matching(rows)
            self.tell_count()
            self.applied.emit()

    def _say_wrong(self, text: str) -> None:
        """Say what is wrong with the filter; an empty text for nothing."""
        if text:
            self.count.setText(text if len(text) < LONGEST_REASON else text[: LONGEST_REASON - 1] + "…")
        self.field.setToolTip(text)
        self.count.setToolTip(text)
        self.count.setObjectName("alarm" if text else "dim")
        self.count.style().unpolish(self.count)
        self.count.style().polish(self.count)


def _matched(table: FeatureTable, text: str, shown: Bool | None) -> tuple[FeatureTable, Int | None, str]:
    """Return the table, the rows of it that fit a filter and are in sight, and what is wrong with the filter."""
    try:
        rows = matching_rows(table, text)
    except ExpressionError as error:
        return table, None, error.localized()
    return table, rows if shown is None else rows[shown[rows]], ""
