"""Lower panel: tabs for timeline, table, charts, exposure, alarms and messages, with the clock's controls beside them."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedWidget, QTabBar, QToolButton, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_time
from cimdesk.model.sensors import Status
from cimdesk.ui.action_table import CONTROLS
from cimdesk.ui.actions import ActionSet
from cimdesk.ui.charts import SeriesChart
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.exposure_panel import ExposurePanel
from cimdesk.ui.handlers_data import alarms
from cimdesk.ui.lists import AlarmsPanel, MessagesPanel
from cimdesk.ui.measures_panel import MeasuresPanel
from cimdesk.ui.table_panel import TablePanel
from cimdesk.ui.theme import current_theme, icon
from cimdesk.ui.timeline import Timeline

QWIDGETSIZE_MAX = (1 << 24) - 1
"""What Qt takes for no limit [px]."""
TABS = ("timeline", "table", "charts", "exposure", "measures", "alarms", "messages")


class BottomPanel(QWidget):
    """The tabs. A timeline without any times gives its room to the city.

    Attributes
    ----------
    folded : Signal of bool
        Only the row of tabs is left, or the pages are there again.
    """

    folded = Signal(bool)

    def __init__(self, desk: Desk, actions: ActionSet, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._desk = desk
        self._links = Links()
        self.timeline = Timeline(desk)
        self.table = TablePanel(desk)
        self.charts = SeriesChart(desk)
        self.exposure = ExposurePanel(desk)
        self.measures = MeasuresPanel(desk, actions)
        self.alarms = AlarmsPanel(desk)
        self.messages = MessagesPanel(desk)
        self.tabs = QTabBar()
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.setUsesScrollButtons(True)
        self.pages = QStackedWidget()
        for page in (self.timeline, self.table, self.charts, self.exposure, self.measures, self.alarms, self.messages):
            self.tabs.addTab("")
            self.pages.addWidget(page)
        self.tabs.currentChanged.connect(self._on_tab)
        self.hint = QLabel()
        self.hint.setObjectName("dim")
        self.hint.setContentsMargins(14, 0, 14, 6)
        self.hint.hide()
        self.clock = ClockControls(desk, actions)
        self._head = QHBoxLayout()
        self._head.setContentsMargins(3, 2, 14, 0)
        self._head.addWidget(self.tabs, 1)
        self._head.addWidget(self.clock)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(self._head)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.hint)
        desk.session_changed.connect(self._bind)
        desk.problems_changed.connect(self._name_tabs)
        # The names are said again once after many changes; a project that loads makes dozens.
        self._later = QTimer(self, singleShot=True, interval=60)
        self._later.timeout.connect(self._refresh)
        desk.availability_changed.connect(self._soon)
        self._bind()
        self.retranslate()

    def show_tab(self, name: str) -> None:
        """Show one tab by name."""
        self.tabs.setCurrentIndex(TABS.index(name))

    @property
    def tab(self) -> str:
        """The tab that is shown."""
        return TABS[self.tabs.currentIndex()]

    @property
    def is_folded(self) -> bool:
        """Whether only the row of tabs is left."""
        return not self.hint.isHidden()

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        self._name_tabs()
        self.timeline.redraw()
        for page in (self.table, self.charts, self.exposure, self.measures, self.alarms, self.messages):
            page.retranslate()
        self.clock.retranslate()
        self.hint.setText(tr("Nothing here has times yet: add readings, mark stages or run a flood."))
        self._fold()

    def _bind(self, _session: object = None) -> None:
        self._links.clear()
        self._links.add(self._desk.session.clock.changed, self._on_time)
        self._links.add(self._desk.session.workspace.changed, self._on_time)
        self._links.add(self._desk.session.clock.range_changed, self._on_time)
        self._name_tabs()

    def _refresh(self) -> None:
        self._name_tabs()
        self._fold()

    def _fold(self) -> None:
        """Leave only the tabs where the timeline is chosen and has nothing to show."""
        is_folded = self.tab == "timeline" and self.timeline.is_empty
        is_new = is_folded != self.is_folded
        self.pages.setVisible(not is_folded)
        self.hint.setVisible(is_folded)
        needed = self._head.sizeHint().height() + self.hint.sizeHint().height() + 2
        self.setMaximumHeight(needed if is_folded else QWIDGETSIZE_MAX)
        if is_new:
            self.folded.emit(is_folded)

    def _soon(self) -> None:
        if not self._later.isActive():
            self._later.start()

    def _on_time(self, _value: object) -> None:
        self._soon()

    def _name_tabs(self) -> None:
        raised = sum(status >= Status.WARNING for _, status in alarms(self._desk))
        found = len(self._desk.problems)
        names = (
            tr("Timeline"), tr("Table"), tr("Charts"), tr("Exposure"), tr("Measures"),
            f"{tr('Alarms')} {raised}" if raised else tr("Alarms"), f"{tr('Messages')} {found}" if found else tr("Messages"),
        )  # fmt: skip
        for k, name in enumerate(names):
            if self.tabs.tabText(k) != name:
                self.tabs.setTabText(k, name)

    def _on_tab(self, index: int) -> None:
        self.pages.setCurrentIndex(index)
        self._fold()
        page = self.pages.currentWidget()
        if isinstance(page, AlarmsPanel | ExposurePanel):
            page.refresh()


class ClockControls(QWidget):
    """Play, step, speed and the time."""

    def __init__(self, desk: Desk, actions: ActionSet, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._links = Links()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self._buttons: dict[str, QToolButton] = {}
        for name in CONTROLS:
            button = QToolButton()
            button.setObjectName("flat")
            button.setDefaultAction(actions[name])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            layout.addWidget(button)
            self._buttons[name] = button
        self.speed = QToolButton()
        self.speed.setObjectName("flat")
        self.speed.clicked.connect(self._next_speed)
        self.time = QLabel()
        self.time.setStyleSheet("font-weight: 700; padding-left: 8px;")
        layout.addWidget(self.speed)
        layout.addWidget(self.time)
        desk.player.changed.connect(self.refresh)
        desk.runner.changed.connect(self.refresh)
        desk.session_changed.connect(self.bind)
        self.bind()

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        self._links.clear()
        self._links.add(self._desk.session.clock.changed, self._on_time)
        self._links.add(self._desk.session.clock.range_changed, self._on_time)
        self.refresh()

    def refresh(self) -> None:
        """Show the time, the speed, and whether it plays."""
        first, last = self._desk.session.clock.range
        has_time = last > first and not self._desk.is_loading
        self.time.setText(format_time(self._desk.session.clock.time) if has_time else "–")
        self.speed.setText(f"×{speed_words(self._desk.player.speed)}")
        self._buttons["time.play"].setIcon(icon("ui.pause" if self._desk.player.playing else "time.play"))

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        self.speed.setToolTip(tr("Seconds of the city per second: click for the next speed"))
        side = current_theme().px("icon_px")
        for button in self._buttons.values():
            button.setIconSize(QSize(side - 2, side - 2))
        self.refresh()

    def _next_speed(self) -> None:
        before = self._desk.player.speed
        self._desk.player.faster()
        if self._desk.player.speed == before:
            self._desk.player.faster(-100)

    def _on_time(self, _value: object) -> None:
        self.refresh()


def speed_words(speed: int) -> str:
    """Return a speed in few characters: 600, 1h, 1d."""
    return {3600: "1h", 1800: "30min", 86400: "1d"}.get(speed, str(speed))
