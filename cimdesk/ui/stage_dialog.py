"""Form: which stage the selected assets enter, when and why."""

from __future__ import annotations

import time
from collections import Counter

from PySide6.QtCore import QDateTime
from PySide6.QtWidgets import QComboBox, QDateTimeEdit, QLabel, QLineEdit, QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_time, parse_time
from cimdesk.model.lifecycle import ALLOWED, STAGE_PALETTE, Stage
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked
from cimdesk.ui.theme import current_theme


class StageDialog(FormDialog):
    """Offers the stages that may follow first, and says what the assets are in now."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        refs = desk.session.selection.refs
        title = tr("Mark stage of {count} assets") if len(refs) != 1 else tr("Mark stage of one asset")
        super().__init__(title.format(count=f"{len(refs):,}"), tr("Mark"), parent)
        self._desk = desk
        moment = desk.session.clock.time if desk.session.clock.range[1] > desk.session.clock.range[0] else time.time()
        book = desk.session.workspace.stages
        now = Counter(book.stage_at(ref, moment) for ref in refs)
        words = ", ".join(f"{tr(STAGE_PALETTE[stage][0])} ({count:,})" for stage, count in now.most_common(4))
        present = QLabel(words)
        present.setWordWrap(True)
        self.stage = QComboBox()
        legal = set.intersection(*(set(ALLOWED[stage]) for stage in now)) if now else set(Stage)
        for stage in sorted(Stage, key=lambda stage: (stage not in legal, stage)):
            if stage is not Stage.UNKNOWN:
                suffix = "" if stage in legal else f"  ({tr('may not follow')})"
                self.stage.addItem(tr(STAGE_PALETTE[stage][0]) + suffix, int(stage))
        self.date = QDateTimeEdit()
        self.date.setDisplayFormat("yyyy-MM-dd HH:mm")
        self.date.setCalendarPopup(True)
        self.date.setDateTime(QDateTime.fromString(format_time(moment), "yyyy-MM-dd HH:mm"))
        self.why = QLineEdit()
        self.why.setPlaceholderText(tr("Order, document or reason"))
        self.row(tr("Now"), present)
        self.row(tr("Enters stage"), self.stage)
        self.row(tr("Date"), self.date)
        self.row(tr("Why"), self.why)
        self.note.setText(tr("Recorded as {who}.").format(who=desk.session.author))
        self.why.textChanged.connect(self._on_why)
        self._on_why("")
        self.setMinimumHeight(current_theme().px("font_px") * 19)

    def _on_why(self, _text: str) -> None:
        """A history without reasons explains nothing: marking waits for one."""
        given = bool(self.why.text().strip())
        self.accept_button.setEnabled(given)
        self.accept_button.setToolTip("" if given else tr("Say why first."))

    def answer(self) -> tuple[Stage, float, str]:
        """Return (stage, date [POSIX s], why)."""
        date = parse_time(self.date.dateTime().toString("yyyy-MM-dd'T'HH:mm"))
        return Stage(int(self.stage.currentData())), date, self.why.text().strip()


def ask(parent: QWidget | None, desk: Desk) -> tuple[Stage, float, str] | None:
    """Ask for a stage, a date and a reason."""
    dialog = asked(StageDialog(desk, parent))
    return dialog.answer() if dialog is not None else None
