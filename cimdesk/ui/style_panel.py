"""Style panel: colours, filter, labels and heights of a layer, shown on the scene while they are chosen; cancel brings all back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from cimdesk.base.i18n import language_changed, tr
from cimdesk.commands import layers
from cimdesk.model.coloring import settled
from cimdesk.model.document import Changes
from cimdesk.model.families import styled_features
from cimdesk.model.features import FeatureTable
from cimdesk.model.flood import FloodResult
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.flood_page import FloodPage
from cimdesk.ui.style_pages import ColorsPage, FilterPage, HeightPage, LabelsPage, Page
from cimdesk.ui.style_points import PointChoices
from cimdesk.ui.theme import current_theme

PAGES = ("colors", "filter", "labels", "height")
PREVIEW_MS = 70


class StylePanel(QFrame):
    """A sheet over the right side of the window; the scene beside it stays alive.

    Attributes
    ----------
    style_ : Style
        What is chosen now.
    filter_ : str
    """

    def __init__(self, desk: Desk, layer: Layer, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("style_panel")
        self._desk = desk
        self._links = Links()
        self.layer = layer
        self.style_, self.filter_ = layer.style, layer.filter
        self.points = PointChoices(desk, layer)
        self.title = QLabel(layer.name)
        self.title.setObjectName("title")
        self.tabs = QTabBar()
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        data = desk.session.workspace.data(layer.id)
        is_flood = isinstance(data, FloodResult)
        self.colors: Page = FloodPage(desk, self) if is_flood else ColorsPage(desk, self)
        self.filter = FilterPage(desk, self)
        self.labels = LabelsPage(self, data)
        self.height_ = HeightPage(self, data)
        self.pages = QStackedWidget()
        for page in (self.colors, self.filter, self.labels, self.height_):
            self.tabs.addTab("")
            self.pages.addWidget(_scrolling(page))
        self.tabs.currentChanged.connect(self.pages.setCurrentIndex)
        self.apply_button = QPushButton()
        self.apply_button.setObjectName("primary")
        self.apply_button.clicked.connect(self.apply)
        self.cancel_button = QPushButton()
        self.cancel_button.clicked.connect(self.cancel)
        self._preview_later = QTimer(self, singleShot=True, interval=PREVIEW_MS)
        self._preview_later.timeout.connect(self._preview)
        self._lay_out()
        self._links.add(desk.session.workspace.changed, self._on_changed)
        desk.session_changed.connect(self._on_session)
        language_changed.connect(self._on_language)
        parent.installEventFilter(self)
        self.tabs.setTabVisible(PAGES.index("height"), layer.kind is LayerKind.VECTOR)
        has_table = self.table() is not None
        for page_name in ("filter", "labels"):
            self.tabs.setTabVisible(PAGES.index(page_name), has_table)
        self.retranslate()
        self.refresh()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 16, 0)
        head.addWidget(self.title, 1)
        tabs = QHBoxLayout()
        tabs.setContentsMargins(5, 2, 8, 0)
        tabs.addWidget(self.tabs, 1)
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.addStretch(1)
        foot.addWidget(self.cancel_button)
        foot.addWidget(self.apply_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(2)
        column.addLayout(head)
        column.addLayout(tabs)
        column.addWidget(self.pages, 1)
        column.addLayout(foot)

    def table(self) -> FeatureTable | None:
        """Return the features that the style is for."""
        return styled_features(self._desk.session.workspace, self.layer.id)

    def show_page(self, name: str) -> None:
        """Show one of `PAGES`."""
        self.tabs.setCurrentIndex(PAGES.index(name))

    def choose(self, **fields: object) -> None:
        """Change some fields of the style and show what comes of it."""
        self.style_ = replace(self.style_, **fields)  # type: ignore[arg-type]
        self.refresh()
        self._preview_later.start()

    def choose_filter(self, expression: str) -> None:
        """Filter by another expression."""
        if expression != self.filter_:
            self.filter_ = expression
            self._preview_later.start()

    def refresh(self) -> None:
        """Show the style in every field."""
        for page in (self.colors, self.labels, self.height_):
            page.show_style(self.style_)

    def retranslate(self) -> None:
        """Say everything in the current language."""
        for k, name in enumerate((tr("Colours"), tr("Filter"), tr("Labels"), tr("Height"))):
            self.tabs.setTabText(k, name)
        self.apply_button.setText(tr("Apply"))
        self.cancel_button.setText(tr("Cancel"))
        self.setAccessibleName(tr("Style of {name}").format(name=self.layer.name))

    def place(self) -> None:
        """Lie over the right side of the window."""
        parent, theme = self.parentWidget(), current_theme()
        assert parent is not None
        width = min(max(theme.px("font_px") * 29, 340), round(parent.width() * 0.5))
        top = _top_of(parent)
        self.setGeometry(parent.width() - width - 10, top + 10, width, parent.height() - top - 50)

    def apply(self) -> None:
        """Keep what is shown, as one step that can be undone."""
        if not self.filter.edit.is_valid:
            self.show_page("filter")
            return
        table = self.table()
        style = self.points.settled(self.style_)
        style = settled(style, table) if table is not None and not self.points.decide(style) else style
        self._close()
        self._desk.attempt(layers.set_look, self._desk.session, self.layer.id, style, self.filter_)

    def cancel(self) -> None:
        """Leave everything as it was."""
        self._close()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.cancel()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        # Esc clears the selection elsewhere; here it closes the panel.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.place()
        return False

    def _preview(self) -> None:
        self._desk.session.workspace.preview(self.layer.id, style=self.points.settled(self.style_), filter=self.filter_)

    def _close(self) -> None:
        self._preview_later.stop()
        self._links.clear()
        language_changed.disconnect(self._on_language)
        self._desk.session_changed.disconnect(self._on_session)
        parent = self.parentWidget()
        if parent is not None:
            parent.removeEventFilter(self)
        self._desk.session.workspace.preview(self.layer.id)
        self.hide()
        self.setParent(None)
        self.deleteLater()

    def _on_changed(self, changes: Changes) -> None:
        if self._desk.session.workspace.document.get("layer", self.layer.id) is None:
            self._close()
        elif self.layer.id in changes.data:
            self.refresh()

    def _on_session(self, _session: object) -> None:
        self._close()

    def _on_language(self, _language: str) -> None:
        # The lists hold words of the former language.
        self._close()


def _scrolling(page: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(page)
    return area


def _top_of(window: QWidget) -> int:
    """Return where the panels of the window begin, below its menus and tools."""
    central: Callable[[], QWidget] | None = getattr(window, "centralWidget", None)
    return central().y() if central is not None else 0


def open_panel(window: QWidget, desk: Desk, layer: Layer, page: str = "colors") -> StylePanel:
    """Open the panel of a layer; one that is open for another is cancelled."""
    for former in window.findChildren(StylePanel):
        former.cancel()
    panel = StylePanel(desk, layer, window)
    panel.show_page(page)
    panel.place()
    panel.show()
    panel.raise_()
    panel.setFocus()
    if page == "filter":
        panel.filter.edit.input.setFocus()
    return panel


def ask(parent: QWidget, desk: Desk, layer: Layer, page: str = "colors") -> None:
    """Open the style panel beside the scene; it changes the layer itself when it is applied."""
    open_panel(parent, desk, layer, page)
