"""Form: the card of a layer - CIM level, category, source, date, licence, accuracy, coverage - and its grade."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QWidget

from cimdesk.base.i18n import tr
from cimdesk.commands import cards
from cimdesk.model.cim import CimCard
from cimdesk.model.layers import Layer
from cimdesk.model.workspace import Workspace
from cimdesk.ui.card_facts import GRADE_TOKENS
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked
from cimdesk.ui.theme import current_theme


class CardDialog(FormDialog):
    """Shows and changes the card of a layer; empty fields say again what the data says itself."""

    def __init__(self, desk: Desk, layer: Layer, parent: QWidget | None = None) -> None:
        super().__init__(tr("Card of {name}").format(name=layer.name), tr("Apply"), parent, 44)
        workspace = desk.session.workspace
        self._card = cards.card_of(workspace, layer)
        self._derived = cards.derived_card(layer, workspace.data(layer.id))
        self.level = QComboBox()
        self.level.addItem(tr("none"), 0)
        for number, name in cards.levels():
            self.level.addItem(name, number)
        self.level.setCurrentIndex(self.level.findData(self._card.level))
        self.category = QComboBox()
        for code, name in cards.categories():
            self.category.addItem(name, code)
        self.category.setCurrentIndex(max(0, self.category.findData(self._card.category)))
        self.source, self.date = self._line("source"), self._line("date")
        self.date.setPlaceholderText("2024-06-07")
        self.licence, self.accuracy, self.coverage = self._line("licence"), self._line("accuracy"), self._line("coverage")
        self.content = _dim("")
        found = cards.grade_of(workspace, layer)
        self.grade = QLabel(grade_words(workspace, layer))
        self.grade.setStyleSheet(f"font-weight: 600; color: {current_theme().ink(GRADE_TOKENS[found.letter]).name()};")
        self.reasons = _dim("\n".join(cards.reasons(found)))
        for name, field in (
            ("level", self.level), ("category", self.category), ("source", self.source), ("date", self.date),
            ("licence", self.licence), ("accuracy", self.accuracy), ("coverage", self.coverage),
        ):  # fmt: skip
            self.row(cards.field_name(name), field)
            if name == "level":
                self.row("", self.content)
        self.row(tr("Grade"), self.grade)
        self.row("", self.reasons)
        self.level.currentIndexChanged.connect(self._show_content)
        self.date.textChanged.connect(self._check)
        self._show_content()
        self._check()

    def card(self) -> CimCard:
        """Return what the form says; where nothing is written, what the data says."""
        written = {name: getattr(self, name).text().strip() for name in ("source", "date", "licence", "accuracy", "coverage")}
        kept = {name: text or getattr(self._derived, name) for name, text in written.items()}
        return replace(self._card, level=int(self.level.currentData()), category=str(self.category.currentData()), **kept)

    def _line(self, name: str) -> QLineEdit:
        field = QLineEdit(str(getattr(self._card, name)))
        field.setPlaceholderText(str(getattr(self._derived, name)) or tr("unknown"))
        field.setCursorPosition(0)
        return field

    def _show_content(self) -> None:
        content = cards.level_content(int(self.level.currentData()))
        self.content.setText(tr(content) if content else tr("The standard has no level for data of this kind."))

    def _check(self) -> None:
        text = self.date.text().strip()
        is_good = not text or cards.surveyed_at(text) is not None
        self.accept_button.setEnabled(is_good)
        self.note.setText("" if is_good else tr("A date is written 2024, 2024-06 or 2024-06-07."))


def grade_words(workspace: Workspace, layer: Layer) -> str:
    """Return the grade of a layer in one line, such as ``B · 74 % complete · current``."""

    found = cards.grade_of(workspace, layer)
    complete = tr("{share} complete").format(share=f"{found.completeness:.0%}")
    return f"{found.letter}  ·  {complete}  ·  {tr(cards.CURRENCY_NAMES[found.currency])}"


def _dim(text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName("dim")
    label.setWordWrap(True)
    label.setMinimumWidth(1)
    label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
    return label


def ask(parent: QWidget | None, desk: Desk, layer: Layer) -> CimCard | None:
    """Show the card of a layer; return it when it was changed."""
    dialog = asked(CardDialog(desk, layer, parent))
    return dialog.card() if dialog is not None else None
