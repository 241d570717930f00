"""Form: select by expression."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.families import styled_features
from cimdesk.model.layers import Layer
from cimdesk.ui.desk import Desk
from cimdesk.ui.expression_edit import ExpressionEdit
from cimdesk.ui.forms import FormDialog, asked


class SelectDialog(FormDialog):
    """Asks for an expression and what to do with the selection there is."""

    def __init__(self, desk: Desk, layer: Layer, parent: QWidget | None = None) -> None:
        super().__init__(tr("Select in {name}").format(name=layer.name), tr("Select"), parent, 42)
        self.edit = ExpressionEdit(desk, lambda: styled_features(desk.session.workspace, layer.id))
        self.how = QComboBox()
        for text, value in (
            (tr("a new selection"), "replace"), (tr("add to the selection"), "add"), (tr("take from the selection"), "remove"),
            (tr("only within the selection"), "within"),
        ):  # fmt: skip
            self.how.addItem(text, value)
        self.row(tr("Condition"), self.edit)
        self.row(tr("Makes"), self.how)
        self.edit.changed.connect(self._on_changed)
        self.edit.input.textChanged.connect(self._on_text)
        self.accept_button.setEnabled(False)
        self.edit.input.setFocus()

    def choice(self) -> tuple[str, str]:
        """Return the expression and how it changes the selection."""
        return self.edit.text, str(self.how.currentData())

    def _on_changed(self, text: str) -> None:
        self.accept_button.setEnabled(bool(text) and self.edit.is_valid)

    def _on_text(self, _text: str) -> None:
        self.accept_button.setEnabled(False)


def ask(parent: QWidget | None, desk: Desk, layer: Layer) -> tuple[str, str] | None:
    """Ask which features of a layer to select."""
    dialog = asked(SelectDialog(desk, layer, parent))
    return dialog.choice() if dialog is not None else None
