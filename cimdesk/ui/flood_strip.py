"""The floods of the status bar: how far the one at work is, pause, and those that wait, to be put in order or taken out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QWidget

from cimdesk.base.i18n import tr

if TYPE_CHECKING:
    from cimdesk.ui.desk import Desk

REFRESH_MS = 500


class FloodStrip(QWidget):
    """Shown while a flood is at work or waits."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.words = QLabel()
        self.pause = QPushButton()
        self.pause.setAccessibleName(tr("Pause the flood"))
        self.pause.clicked.connect(desk.floods.toggle_pause)
        self.queue = QPushButton()
        self.queue.setMenu(QMenu(self.queue))
        self.queue.menu().aboutToShow.connect(self._fill)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        for widget in (self.words, self.pause, self.queue):
            layout.addWidget(widget)
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        desk.floods.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Say where the flood at work is, and how many wait."""
        floods = self._desk.floods
        current = floods.current
        self.setVisible(current is not None)
        if current is None:
            self._timer.stop()
            return
        from cimdesk.commands.flood_apart import clock_words, status_words, waiting_words

        if not self._timer.isActive():
            self._timer.start()
        status = current.run.control.status
        words = tr("starting…") if not status.is_ready else clock_words(status.time)
        if status.is_ready and status.seconds_left == status.seconds_left and not status.is_paused:
            words = f"{words} · " + tr("{time} left").format(time=waiting_words(status.seconds_left))
        if status.is_paused:
            words = tr("paused") + f" · {words}"
        self.words.setText(words)
        self.words.setToolTip(f"{current.title}\n{status_words(status)}")
        self.pause.setText(tr("continue") if status.is_paused else tr("pause"))
        self.pause.setEnabled(status.is_ready)
        count = len(floods.waiting)
        self.queue.setVisible(count > 0)
        self.queue.setText(tr("{count} waiting").format(count=count))

    def retranslate(self) -> None:
        """Say everything in the current language."""
        self.pause.setAccessibleName(tr("Pause the flood"))
        self.refresh()

    def _fill(self) -> None:
        menu, floods = self.queue.menu(), self._desk.floods
        menu.clear()
        for k, ordered in enumerate(floods.waiting):
            one = menu.addMenu(f"{k + 1}  {ordered.title}")
            earlier = one.addAction(tr("Run earlier"), partial(floods.move, ordered, -1))
            later = one.addAction(tr("Run later"), partial(floods.move, ordered, 1))
            earlier.setEnabled(k > 0)
            later.setEnabled(k < len(floods.waiting) - 1)
            one.addAction(tr("Do not run"), partial(floods.remove, ordered))
