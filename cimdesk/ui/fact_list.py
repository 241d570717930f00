"""Parts of the inspector: lines of labels and values, and the stage of what is selected."""

from __future__ import annotations

import math
import re

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.lifecycle import STAGE_PALETTE
from cimdesk.model.selection import AssetRef
from cimdesk.ui.asset_facts import Fact
from cimdesk.ui.desk import Desk
from cimdesk.ui.theme import current_theme


class FactList(QWidget):
    """Labels and values in two columns; labels are made once and reused."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(0, 2)
        self._grid.setColumnStretch(1, 3)
        self._rows: list[tuple[QLabel, QLabel]] = []

    def show_facts(self, facts: list[Fact]) -> None:
        """Show these lines."""
        theme = current_theme()
        while len(self._rows) < len(facts):
            label, value = QLabel(), QLabel()
            label.setObjectName("dim")
            for widget in (label, value):
                widget.setWordWrap(True)
                widget.setMinimumWidth(1)
                widget.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            row = len(self._rows)
            self._grid.addWidget(label, row, 0)
            self._grid.addWidget(value, row, 1)
            self._rows.append((label, value))
        for k, (label, value) in enumerate(self._rows):
            shown = k < len(facts)
            label.setVisible(shown)
            value.setVisible(shown)
            if shown:
                fact = facts[k]
                label.setText(_INSIDE.sub("\u200b", _breakable(fact.label)))
                value.setText(_breakable(fact.value))
                color = theme.ink(fact.token or "text").name()
                value.setStyleSheet(f"color: {color};" + ("font-weight: 600;" if fact.token else ""))
        self.setVisible(bool(facts))


class StageRow(QWidget):
    """The stage as a chip, and the link that changes it."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._label = QLabel()
        self._label.setObjectName("dim")
        self.chip = QLabel()
        self.change = QPushButton()
        self.change.setObjectName("link")
        self.change.setCursor(Qt.CursorShape.PointingHandCursor)
        self.change.clicked.connect(self._on_change)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 6, 0, 2)
        layout.setHorizontalSpacing(10)
        layout.setVerticalSpacing(3)
        layout.addWidget(self._label, 0, 0)
        layout.addWidget(self.chip, 0, 1)
        layout.addWidget(self.change, 1, 1)
        layout.setColumnStretch(2, 1)

    def show_refs(self, refs: frozenset[AssetRef]) -> None:
        """Show the stage of these assets; "mixed" when they differ."""
        self.setVisible(bool(refs))
        if not refs:
            return
        session = self._desk.session
        sample = sorted(refs)[:2000]
        stages = {session.workspace.stages.stage_at(ref, session.clock.time or math.inf) for ref in sample}
        stage = next(iter(stages)) if len(stages) == 1 else None
        text, color = STAGE_PALETTE[stage] if stage is not None else (tr("mixed"), "#9aa4af")
        theme = current_theme()
        tint = QColor(color)
        mixed = _mix(tint, theme.color("panel"), 0.24 if not theme.is_dark else 0.34)
        ink = theme.tokens["text"]
        self.chip.setText(tr(text))
        self.chip.setStyleSheet(
            f"background: {mixed.name()}; color: {ink}; border-left: 5px solid {color};"
            " border-radius: 6px; padding: 2px 9px; font-weight: 600;"
        )

    def retranslate(self) -> None:
        """Say everything in the current language."""
        self._label.setText(tr("Stage"))
        self.change.setText(tr("change") + "  M")

    def _on_change(self) -> None:
        self._desk.trigger("stage.mark")


def _mix(first: QColor, second: QColor, share: float) -> QColor:
    return QColor(*(round(a * share + b * (1 - share)) for a, b in zip(first.getRgb()[:3], second.getRgb()[:3], strict=True)))  # type: ignore[index]


_INSIDE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_]{12})(?=[^\W\d_]{4})")
"""Where names of attributes break, which may be longer than their column: between their words, else after twelve letters."""


def _breakable(text: str) -> str:
    """Let long names of attributes break after an underscore or dot."""
    return text.replace("_", "_\u200b").replace(".", ".\u200b") if len(text) > 14 else text
