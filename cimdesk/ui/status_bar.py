"""Status bar: where the cursor is, the reference system, the selection, jobs with cancel, alarms, and when it was saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_length, format_time
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.sensors import Status
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.elided_label import ElidedLabel
from cimdesk.ui.flood_strip import FloodStrip
from cimdesk.ui.handlers_data import alarms
from cimdesk.ui.jobs import RunningJob
from cimdesk.ui.theme import current_theme
from cimdesk.ui.water_facts import water_words

MESSAGE_MS = 6000
MOST_SAID = 36
"""How many signs of what a job does are shown."""
LONG_TITLE, SHORT_TITLE = 34, 16
"""How many signs of a job's title are shown, and where there is little room."""
SPACING, RIMS = 18, 28
GIVING_WAY = ("doing", "system", "saved", "water", "bar", "title", "position")
"""What is left out one after another where there is no room for all, the least important first."""


class StatusBar(QWidget):
    """One quiet line under everything."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._desk = desk
        self._links = Links()
        self.position = ElidedLabel()
        self.system = ElidedLabel()
        self.selection = ElidedLabel()
        self.job_text = ElidedLabel()
        self._place, self._water, self._widest_place = "", "", 0
        self.job_bar = QProgressBar()
        self.job_bar.setTextVisible(False)
        self.job_bar.setFixedWidth(120)
        self.job_cancel = QPushButton()
        self.job_cancel.clicked.connect(self._cancel_job)
        self.floods = FloodStrip(desk)
        self.alarms = QPushButton()
        self.alarms.setObjectName("status_alarm")
        self.alarms.clicked.connect(self._show_alarms)
        self.message = ElidedLabel()
        self.saved = ElidedLabel()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 3, 14, 4)
        layout.setSpacing(SPACING)
        jobs = (self.job_text, self.job_bar, self.job_cancel, self.floods)
        for widget in (self.position, self.system, self.selection, *jobs, self.alarms):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(self.message)
        layout.addWidget(self.saved)
        self._clear = QTimer(self, singleShot=True, interval=MESSAGE_MS)
        self._clear.timeout.connect(self._forget)
        self._later = QTimer(self, singleShot=True, interval=80)
        self._later.timeout.connect(self.refresh)
        desk.message.connect(self.say)
        desk.runner.changed.connect(self.show_jobs)
        desk.session_changed.connect(self.bind)
        desk.availability_changed.connect(self._soon)
        self.bind()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        self._widest_place = 0
        self._links.clear()
        self._links.add(self._desk.session.clock.changed, self._soon_with)
        self.refresh()

    def say(self, text: str) -> None:
        """Show a short line for a few seconds."""
        self.message.setText(text)
        self.message.setToolTip(text)
        self._clear.start()
        self._fit()

    def _forget(self) -> None:
        self.message.clear()
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def show_position(self, world: tuple[float, float, float] | None) -> None:
        """Show the coordinates under the cursor."""
        if world is None:
            self._place, self._water = "E –   N –   H –", ""
        else:
            water = water_words(self._desk.session.workspace, world, self._desk.session.clock.time)
            self._place = f"E {world[0]:,.1f}  N {world[1]:,.1f}  H {world[2]:.2f} m"
            self._water = f"  ·  {water}" if water else ""
        self._fit()

    def guide_measuring(self, points: list[tuple[float, float, float]]) -> None:
        """Say how a measured line goes on, while there is one."""
        self._desk.message.emit(tr("Click for the next point; double-click or Esc to end.") if points else "")

    def refresh(self) -> None:
        """Say everything again."""
        desk = self._desk
        if not self._place:
            self.show_position(None)
        frame = desk.session.workspace.frame
        self.system.setText(
            _short_system(frame.crs.definition) if frame and frame.crs else tr("local coordinates") if frame else ""
        )
        self.selection.setText(selection_summary(desk))
        self.alarms.setText(alarm_words(desk))
        self.alarms.setVisible(bool(self.alarms.text()))
        worst = max((status for _, status in alarms(desk)), default=Status.NORMAL)
        self.alarms.setStyleSheet(f"color: {current_theme().ink('alarm' if worst >= Status.ALARM else 'warning').name()};")
        self.saved.setText(_saved_text(desk))
        self.selection.setVisible(desk.is_open and bool(self.selection.text()))
        self.show_jobs()

    def show_jobs(self) -> None:
        """Show the last job that was started, and how many more there are."""
        jobs = self._desk.runner.jobs
        for widget in (self.job_text, self.job_cancel):
            widget.setVisible(bool(jobs))
        if jobs:
            job = jobs[-1]
            self.job_text.setToolTip(f"{job.spec.title}\n{job.text}")
            self.job_bar.setRange(0, 0 if job.fraction is None else 100)
            if job.fraction is not None:
                self.job_bar.setValue(round(job.fraction * 100))
            self.job_cancel.setText(tr("stopping…") if job.cancel.cancelled else tr("cancel"))
            self.job_cancel.setEnabled(not job.cancel.cancelled)
        self._fit()

    def _fit(self) -> None:
        """Leave out what there is no room for, the least important first; what still does not fit ends in "…"."""
        room = self.width() - RIMS
        left_out: tuple[str, ...] = ()
        for count in range(len(GIVING_WAY) + 1):
            left_out = GIVING_WAY[:count]
            if self._needed(left_out) <= room:
                break
        jobs, is_open = self._desk.runner.jobs, self._desk.is_open
        self.position.setText(self._place_words(left_out))
        self.job_text.setText(_job_words(jobs, left_out))
        self.position.setVisible(is_open and bool(self.position.text()))
        self.system.setVisible(is_open and bool(self.system.text()) and "system" not in left_out)
        self.job_bar.setVisible(bool(jobs) and "bar" not in left_out)
        self.saved.setVisible(not self._gives_way(left_out))

    def _needed(self, left_out: tuple[str, ...]) -> int:
        """Return how wide the line is without some of its parts [px]."""
        jobs, is_open = self._desk.runner.jobs, self._desk.is_open
        widths = []
        if is_open and "position" not in left_out:
            # As wide as it has been: the parts beside it do not come and go with every move of the mouse.
            place = self.position.needed(self._place_words(left_out))
            if "water" not in left_out:
                self._widest_place = place = max(self._widest_place, place)
            widths.append(place)
        if is_open and "system" not in left_out:
            widths.append(self.system.needed(self.system.text()))
        if jobs and "bar" not in left_out:
            widths.append(self.job_bar.width())
        if not self._gives_way(left_out):
            widths.append(self.saved.needed(self.saved.text()))
        widths += [label.needed(label.text()) for label in (self.selection, self.message) if not label.isHidden()]
        widths.append(self.job_text.needed(_job_words(jobs, left_out)))
        widths += [part.sizeHint().width() for part in (self.job_cancel, self.floods, self.alarms) if not part.isHidden()]
        return sum(width + SPACING for width in widths if width)

    def _gives_way(self, left_out: tuple[str, ...]) -> bool:
        """Whether it is left unsaid that edits are kept; that they are not is always said."""
        session = self._desk.session
        return "saved" in left_out and not session.read_only and not session.is_scratch

    def _place_words(self, left_out: tuple[str, ...]) -> str:
        if "position" in left_out:
            return ""
        return self._place if "water" in left_out else self._place + self._water

    def retranslate(self) -> None:
        """Say everything in the current language."""
        self.floods.retranslate()
        self.refresh()

    def _cancel_job(self) -> None:
        if self._desk.runner.jobs:
            self._desk.runner.cancel(self._desk.runner.jobs[-1])

    def _show_alarms(self) -> None:
        self._desk.trigger("sensors.status")

    def _soon(self) -> None:
        if not self._later.isActive():
            self._later.start()

    def _soon_with(self, _value: object) -> None:
        self._soon()


def _job_words(jobs: Sequence[RunningJob], left_out: tuple[str, ...]) -> str:
    """Return the title of the last job that was started, how far it is, what it is doing, and how many more there are."""
    if not jobs:
        return ""
    job, more = jobs[-1], f"  +{len(jobs) - 1}" if len(jobs) > 1 else ""
    percent = "" if job.fraction is None else f" {job.fraction:.0%}"
    title = _cut(job.spec.title, SHORT_TITLE if "title" in left_out else LONG_TITLE)
    is_said = bool(job.text) and job.text not in job.spec.title and "doing" not in left_out
    doing = f"  ·  {_cut(job.text, MOST_SAID)}" if is_said else ""
    return f"{title}{percent}{doing}{more}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def alarm_words(desk: Desk) -> str:
    """Return how many sensors are in alarm and in warning now, such as "● 2 alarms · 4 warnings"; empty for none."""
    raised = Counter(status for _, status in alarms(desk))
    count, warnings = raised[Status.ALARM], raised[Status.WARNING]
    parts = []
    if count:
        parts.append((tr("{count} alarms") if count != 1 else tr("{count} alarm")).format(count=count))
    if warnings:
        parts.append((tr("{count} warnings") if warnings != 1 else tr("{count} warning")).format(count=warnings))
    return "● " + " · ".join(parts) if parts else ""


def selection_summary(desk: Desk) -> str:
    """Return what is selected in a few words: "3 pipes · 212 m", "12 in 2 layers"."""
    refs = desk.session.selection.refs
    if not refs:
        return ""
    workspace = desk.session.workspace
    layers = {ref.layer for ref in refs}
    if len(layers) == 1:
        layer_id = next(iter(layers))
        if workspace.document.get("layer", layer_id) is None:
            return ""
        data = workspace.data(layer_id)
        if isinstance(data, UtilityNetwork):
            rows = data.links.rows_of(ref.feature for ref in refs)
            if len(rows):
                total = format_length(float(data.lengths[rows].sum()))
                pipes = (tr("{count} pipes") if len(rows) != 1 else tr("{count} pipe")).format(count=f"{len(rows):,}")
                nodes = len(refs) - len(rows)
                joints = (tr("{count} nodes") if nodes != 1 else tr("{count} node")).format(count=f"{nodes:,}")
                return " · ".join([pipes, joints, total] if nodes else [pipes, total])
        return tr("{count} in {layer}").format(count=f"{len(refs):,}", layer=workspace.layer(layer_id).name)
    return tr("{count} in {layers} layers").format(count=f"{len(refs):,}", layers=len(layers))


def _saved_text(desk: Desk) -> str:
    if not desk.is_open:
        return ""
    if desk.session.is_scratch or desk.session.path is None:
        return tr("not saved yet")
    if desk.session.read_only:
        held = desk.session.store.locked_by if desk.session.store else None
        if held is None:
            return tr("read only")
        return tr("read only: {owner} on {host} edits it since {time}").format(
            owner=held.owner, host=held.host, time=format_time(held.opened)
        )
    return tr("saved") if not desk.session.is_dirty else tr("every edit kept")


def _short_system(definition: str) -> str:
    return definition if len(definition) < 24 else tr("own system")
