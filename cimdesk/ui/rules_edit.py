"""Rules of a style: the first condition that holds gives the colour, or keeps the feature out of sight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.features import FeatureTable
from cimdesk.model.ramps import CATEGORY_COLORS
from cimdesk.model.style import Rule
from cimdesk.ui.desk import Desk
from cimdesk.ui.expression_edit import ExpressionEdit
from cimdesk.ui.style_parts import choose_color
from cimdesk.ui.theme import current_theme, icon


class RulesEdit(QWidget):
    """The rules, one under the other.

    Attributes
    ----------
    changed : Signal of tuple of Rule
    """

    changed = Signal(object)

    def __init__(self, desk: Desk, table: Callable[[], FeatureTable | None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._table = table
        self._rows: list[RuleRow] = []
        self.add = QPushButton(tr("Add rule"))
        self.add.clicked.connect(self._on_add)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._column.addWidget(self.add)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules as they stand."""
        return tuple(row.rule for row in self._rows)

    def show_rules(self, rules: tuple[Rule, ...]) -> None:
        """Show other rules."""
        if rules == self.rules:
            return
        for row in self._rows:
            self._column.removeWidget(row)
            row.deleteLater()
        self._rows = []
        for rule in rules:
            self._append(rule)

    def _append(self, rule: Rule) -> None:
        row = RuleRow(self._desk, self._table, rule, self)
        row.changed.connect(self._on_changed)
        row.moved.connect(self._on_moved)
        self._rows.append(row)
        self._column.insertWidget(len(self._rows) - 1, row)

    def _on_add(self) -> None:
        self._append(Rule("", CATEGORY_COLORS[len(self._rows) % len(CATEGORY_COLORS)]))
        self._rows[-1].condition.input.setFocus()
        self._on_changed()

    def _on_changed(self) -> None:
        self.changed.emit(self.rules)

    def _on_moved(self, row: RuleRow, step: int) -> None:
        at = self._rows.index(row)
        if step == 0:
            self._rows.pop(at).deleteLater()
            self._column.removeWidget(row)
        elif 0 <= at + step < len(self._rows):
            self._rows.insert(at + step, self._rows.pop(at))
            self._column.removeWidget(row)
            self._column.insertWidget(at + step, row)
        self._on_changed()


class RuleRow(QWidget):
    """One rule: its colour, its condition, whether it draws, up, and away."""

    changed = Signal()
    moved = Signal(object, int)

    def __init__(self, desk: Desk, table: Callable[[], FeatureTable | None], rule: Rule, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rule = rule
        self.swatch = QToolButton()
        self.swatch.setToolTip(tr("Click for another colour"))
        self.swatch.clicked.connect(self._on_color)
        self.condition = ExpressionEdit(desk, table, small=True)
        self.condition.set_text(rule.condition)
        self.condition.changed.connect(self._on_condition)
        self.eye = self._button("ui.visible" if rule.visible else "ui.hidden", tr("Draw or hide these"), self._on_eye)
        self.up = self._button("ui.up", tr("Before the one above"), self._on_up)
        self.away = self._button("layer.remove", tr("Remove rule"), self._on_away)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(self.swatch)
        row.addSpacing(4)
        row.addWidget(self.condition, 1)
        for button in (self.eye, self.up, self.away):
            row.addWidget(button)
        for button in (self.swatch, self.eye, self.up, self.away):
            row.setAlignment(button, Qt.AlignmentFlag.AlignTop)
        self._paint()

    def _button(self, picture: str, tip: str, slot: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setObjectName("flat")
        button.setIcon(icon(picture))
        button.setIconSize(QSize(current_theme().px("icon_px") - 2, current_theme().px("icon_px") - 2))
        button.setToolTip(tip)
        button.clicked.connect(slot)
        return button

    def _paint(self) -> None:
        side = current_theme().px("row_px")
        self.swatch.setFixedSize(side, side)
        self.swatch.setStyleSheet(
            f"background: {self.rule.color}; border: 1px solid {current_theme().tokens['line']}; border-radius: 6px;"
        )

    def _on_condition(self, text: str) -> None:
        if text != self.rule.condition:
            self.rule = replace(self.rule, condition=text)
            self.changed.emit()

    def _on_color(self) -> None:
        if color := choose_color(self, self.rule.color):
            self.rule = replace(self.rule, color=color)
            self._paint()
            self.changed.emit()

    def _on_eye(self) -> None:
        self.rule = replace(self.rule, visible=not self.rule.visible)
        self.eye.setIcon(icon("ui.visible" if self.rule.visible else "ui.hidden"))
        self.changed.emit()

    def _on_up(self) -> None:
        self.moved.emit(self, -1)

    def _on_away(self) -> None:
        self.moved.emit(self, 0)
