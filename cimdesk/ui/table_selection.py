"""Selection of the attribute table: the rows that are selected are the assets that are selected everywhere."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QItemSelection, QItemSelectionModel, QObject, Signal
from PySide6.QtWidgets import QTableView

from cimdesk.base.arrays import Int
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.model.selection import AssetRef
from cimdesk.ui.desk import Desk
from cimdesk.ui.feature_model import FeatureModel, runs

AT_ONCE = 30_000
"""Rows up to this many are selected on the spot, more in a job."""
MOST_PIECES = 400
"""A selection in more pieces is painted by the model: the view is too slow for it."""


class RowSelection(QObject):
    """Keeps the view's selection and the session's the same.

    Attributes
    ----------
    changed : Signal
        Other rows are selected.
    """

    changed = Signal()

    def __init__(self, desk: Desk, model: FeatureModel, view: QTableView, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._model = model
        self._view = view
        self._following = False
        view.selectionModel().selectionChanged.connect(self._on_selected)
        model.modelReset.connect(self.follow)
        model.layoutChanged.connect(self.follow)

    def follow(self) -> None:
        """Select the rows of the assets that are selected, and bring the first into sight."""
        model = self._model
        if not model.layer:
            return
        features = self._desk.session.selection.of_layer(model.layer)
        rows = model.rows_showing(model.table.rows_of(features)) if features else np.zeros(0, dtype=np.int64)
        wanted = QItemSelection()
        last = model.columnCount() - 1
        pieces = runs(rows)
        for first, end in pieces if len(pieces) <= MOST_PIECES else []:
            wanted.select(model.index(first, 0), model.index(end, last))
        self._following = True
        model.mark(model.order[rows] if len(pieces) > MOST_PIECES else None)
        self._view.selectionModel().select(wanted, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._following = False
        self.changed.emit()
        if len(rows):
            self._view.scrollTo(model.index(int(rows[0]), 0))

    def on_session_selection(self, _refs: frozenset[AssetRef]) -> None:
        """Other assets are selected, here or elsewhere."""
        if not self._following:
            self.follow()

    def wanted_rows(self) -> Int:
        """Return the table rows that copies hold: the selected ones in sight, or all shown, in the order of the table."""
        model = self._model
        chosen = model.rows_showing(model.table.rows_of(self._desk.session.selection.of_layer(model.layer)))
        return model.order[chosen] if len(chosen) else model.order

    def _on_selected(self, _new: QItemSelection, _old: QItemSelection) -> None:
        layer = self._model.layer
        if self._following or not layer:
            return
        self._model.mark(None)
        parts = [(part.top(), part.bottom() + 1) for part in self._view.selectionModel().selection().toList()]
        rows = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(top, end) for top, end in parts)]))
        ids = self._model.table.ids[self._model.order[rows]]
        if len(ids) <= AT_ONCE:
            self._choose(frozenset(AssetRef(layer, key) for key in ids.tolist()))
        else:

            def work(progress: Progress, cancel: CancelToken) -> frozenset[AssetRef]:
                return frozenset(AssetRef(layer, key) for key in ids.tolist())

            self._desk.run(JobSpec(tr("Selecting"), work, self._choose, key="select-rows"))

    def _choose(self, refs: frozenset[AssetRef]) -> None:
        self._following = True
        self._desk.session.selection.set(refs)
        self._following = False
        self.changed.emit()
