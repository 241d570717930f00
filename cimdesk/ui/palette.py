"""Command palette: any command, layer, bookmark or asset by a few letters of its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QFont, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.commands import bookmarks, search
from cimdesk.commands.search import SearchIndex
from cimdesk.model.appearance import describe
from cimdesk.model.selection import AssetRef
from cimdesk.ui.action_table import ACTIONS, BY_ID, Action
from cimdesk.ui.actions import ActionSet
from cimdesk.ui.attributes import readable_name
from cimdesk.ui.desk import Desk
from cimdesk.ui.handlers_view import go_to
from cimdesk.ui.layer_tree import Index
from cimdesk.ui.theme import current_theme, icon_pixmap

MOST = 40
MOST_ASSETS = 24


@dataclass(frozen=True)
class Entry:
    """One line of the palette."""

    text: str
    detail: str
    icon: str
    do: Callable[[], object]
    why_not: str = ""
    score: float = 0.0


def fuzzy_score(query: str, text: str) -> float:
    """Return how well ``query`` fits ``text``; 0 for not at all.

    All letters must occur in order. Word beginnings and unbroken runs count more, and short texts before long ones.
    """
    query, text = query.casefold().replace(" ", ""), text.casefold()
    if not query:
        return 1.0
    score, at, run = 0.0, -1, 0
    for letter in query:
        # The start of a word is worth a look before the next occurrence.
        after = text.find(letter, at + 1)
        if after < 0:
            return 0.0
        word = text.find(" " + letter, at + 1)
        if word >= 0 and after != at + 1:
            after = word + 1
        run = run + 1 if after == at + 1 else 1
        starts = after == 0 or not text[after - 1].isalnum()
        score += 1.0 + run * 0.6 + (1.6 if starts else 0.0)
        at = after
    whole = query in text.replace(" ", "")
    # Letters that are only strewn over a text are a guess: every text that holds the word comes before.
    return (score + 4.0 if whole else 0.4 * score) + 6.0 / (6.0 + len(text))


class Palette(QFrame):
    """A list under a text field, over the window."""

    def __init__(self, desk: Desk, actions: ActionSet, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("palette")
        self._desk = desk
        self._actions = actions
        self._window = parent
        self.input = QLineEdit()
        self.input.setObjectName("palette_input")
        self.input.textChanged.connect(self._on_text)
        self.input.installEventFilter(self)
        self.list = QListWidget()
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setUniformItemSizes(True)
        self.list.setItemDelegate(_EntryDelegate(self.list))
        self.list.itemClicked.connect(self._on_clicked)
        self.nothing = QLabel()
        self.nothing.setObjectName("dim")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.note = QLabel()
        self.note.setObjectName("small")
        self.note.setContentsMargins(16, 0, 16, 2)
        self.note.setWordWrap(True)
        self._searching = False
        self.index = SearchIndex()
        self._wait = QTimer(self, singleShot=True, interval=60)
        self._wait.timeout.connect(self.fill)
        self.entries: list[Entry] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 6)
        layout.setSpacing(4)
        layout.addWidget(self.input)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.nothing)
        layout.addWidget(self.note)
        self.hide()

    def open(self, search: bool = False) -> None:
        """Show the palette with the recently used commands first; ``search`` leaves commands out."""
        self._searching = search
        words = tr("Search by id, name, address, any attribute, or coordinates…")
        self.input.setPlaceholderText(words if search else tr("Search places, assets, commands…"))
        self.input.clear()
        self._follow_data()
        self.fill()
        self.raise_()
        self.show()
        self.input.setFocus()

    def fill(self) -> None:
        """List what fits the text."""
        query = self.input.text().strip()
        found = [] if self._searching else command_entries(self._desk, self._actions, query)
        if query:
            found += coordinate_entries(self._desk, query)
            found += place_entries(self._desk, query)
            found += asset_entries(self._desk, self.index, query)
            found.sort(key=lambda entry: -entry.score)
        self.entries = found[:MOST]
        self.list.clear()
        for entry in self.entries:
            item = QListWidgetItem(entry.text)
            item.setData(Qt.ItemDataRole.UserRole, entry)
            item.setToolTip(entry.why_not)
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self.nothing.setText(tr("Nothing found for “{text}”.").format(text=query) if query else "")
        self.list.setVisible(bool(self.entries))
        self.nothing.setHidden(bool(self.entries) or not query)
        self.note.setText(not_loaded_note(self._desk) if self._searching else "")
        self.note.setHidden(not self.note.text())
        self.place()

    def _follow_data(self) -> None:
        """Take in what was loaded since the last time, beside the window; the list is filled again when that is done."""
        tables, index = search.tables_of(self._desk.session), self.index
        if not index.is_behind(tables):
            return

        def work(progress: Progress, cancel: CancelToken) -> None:
            index.update(tables)

        def done(_nothing: None) -> None:
            if self.isVisible():
                self.fill()

        self._desk.run(JobSpec(tr("Preparing the search"), work, done, key="search-index"))

    def place(self) -> None:
        """Lie over the window, as high as the rows found."""
        parent, theme = self._window, current_theme()
        unit, row = theme.px("font_px"), theme.px("row_px") + 6
        width = min(unit * 54, parent.width() - 60)
        rows = row * max(len(self.entries), 0 if self._searching and self.nothing.isHidden() else 2) + 4
        if not self.note.isHidden():
            rows += self.note.heightForWidth(width - 2) + 6
        height = min(self.input.sizeHint().height() + 12 + rows, unit * 36, parent.height() - 90)
        self.setGeometry(QRect((parent.width() - width) // 2, 54, width, height))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            # Esc clears the selection elsewhere; while this is open it closes this.
            event.accept()
            return True
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._on_key(event)
        if event.type() == QEvent.Type.FocusOut and self.isVisible():
            self.hide()
        return False

    def _on_key(self, event: QKeyEvent) -> bool:
        key = event.key()
        if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            step = 1 if key == Qt.Key.Key_Down else -1
            self.list.setCurrentRow((self.list.currentRow() + step) % max(1, self.list.count()))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self._wait.isActive():
                self._wait.stop()
                self.fill()
            self.accept()
        elif key == Qt.Key.Key_Escape:
            self.hide()
        else:
            return False
        return True

    def accept(self) -> None:
        """Do the chosen line, if it can be done."""
        row = self.list.currentRow()
        if not 0 <= row < len(self.entries):
            return
        entry = self.entries[row]
        if entry.why_not:
            self._desk.message.emit(f"{entry.text}: {entry.why_not}")
            return
        self.hide()
        entry.do()

    def _on_text(self, _text: str) -> None:
        self._wait.start()

    def _on_clicked(self, item: QListWidgetItem) -> None:
        self.list.setCurrentItem(item)
        self.accept()


def command_entries(desk: Desk, actions: ActionSet, query: str) -> list[Entry]:
    """Return the commands that fit; without a query the recently used ones come first."""
    recent = [name for name in desk.settings.get("recent_actions", []) if name in BY_ID]
    rows: list[tuple[float, Action]] = []
    for place, action in enumerate(ACTIONS):
        bonus = 1.5 * (1.0 - recent.index(action.id) / 12.0) if action.id in recent else 0.0
        if not query:
            rows.append((100.0 * bonus - place * 0.001, action))
            continue
        # English names stay findable in every language; a fit of the menu's name alone counts little.
        score = max(fuzzy_score(query, tr(action.text)), fuzzy_score(query, action.text))
        score = max(score, 0.3 * fuzzy_score(query, f"{tr(action.menu)} {tr(action.text)}"))
        if score:
            rows.append((score + bonus, action))
    rows.sort(key=lambda row: -row[0])
    return [
        Entry(
            tr(action.text).rstrip("…"),
            "  ".join(part for part in (tr(action.menu), QKeySequence(action.shortcut.split("; ")[0]).toString()) if part),
            action.id,
            partial(actions.trigger, action.id),
            actions.why_not(action.id),
            score,
        )
        for score, action in rows
        if action.id != "help.commands"
    ]


def place_entries(desk: Desk, query: str) -> list[Entry]:
    """Return the layers and bookmarks that fit."""
    found = []
    for layer in desk.session.workspace.layers():
        if score := fuzzy_score(query, layer.name):
            found.append(Entry(layer.name, tr("Layer"), "layer.zoom", partial(_zoom_to_layer, desk, layer.id), score=score + 0.5))
    for key, record in bookmarks.bookmarks(desk.session):
        if score := fuzzy_score(query, str(record["name"])):
            found.append(
                Entry(
                    str(record["name"]), tr("Bookmark"), "view.add_bookmark", partial(desk.go_to_bookmark, key), score=score + 0.5
                )
            )
    return found


def asset_entries(desk: Desk, index: SearchIndex, query: str) -> list[Entry]:
    """Return assets of which an identifier or any attribute contains the query, the best first."""
    if len(query) < (1 if not query.isascii() else 2):
        return []
    workspace, needle = desk.session.workspace, query.casefold()
    names = {layer.id: layer.name for layer in workspace.layers()}
    found: list[Entry] = []
    for hit in index.find(query, MOST_ASSETS):
        ref = AssetRef(hit.layer, hit.feature)
        if hit.layer not in names:
            continue
        name = describe(workspace, ref)
        told = needle not in name.casefold() and hit.column
        said = f"{readable_name(hit.column)[0]}: {_short(hit.value)}  ·  " if told else ""
        score = 2.0 * len(needle) + 8.0 - hit.rank if hit.rank < 1.0 else max(fuzzy_score(query, name), len(needle)) - hit.rank
        found.append(Entry(name, said + names[hit.layer], "city.find", partial(go_to, desk, ref), score=score))
    return found


def coordinate_entries(desk: Desk, query: str) -> list[Entry]:
    """Return the place that two numbers mean, if they mean one."""
    place = search.coordinates_of(desk.session, query)
    if place is None:
        return []
    text = f"E {place[0]:,.1f}   N {place[1]:,.1f}"
    return [Entry(text, tr("Coordinates"), "view.fit_selection", partial(fly_to, desk, *place), score=1000.0)]


def not_loaded_note(desk: Desk) -> str:
    """Return what the search cannot know, because nobody has looked at it yet."""
    words = tr("“{name}” is streamed: {count} features seen so far are searched, what was never in view is not.")
    return "\n".join(words.format(name=name, count=f"{seen:,}") for name, seen, _ in search.not_loaded(desk.session))


def fly_to(desk: Desk, east: float, north: float) -> None:
    """Look at a place."""
    if desk.view is None or desk.view.scene is None:
        return
    camera = desk.view.scene.camera
    record = camera.to_record()
    camera.from_record({**record, "target": [east, north, float(record["target"][2])], "distance": 400.0})


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _zoom_to_layer(desk: Desk, layer_id: str) -> None:
    desk.select_layer(layer_id)
    desk.trigger("layer.zoom")


class _EntryDelegate(QStyledItemDelegate):
    """Draws a line of the palette: icon, text, and what it is at the right."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: Entry = index.data(Qt.ItemDataRole.UserRole)
        theme = current_theme()
        side = theme.px("icon_px")
        painter.save()
        rect = option.rect.adjusted(6, 0, -6, 0)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("accent_soft"))
            painter.drawRoundedRect(rect, 6, 6)
        token = "disabled" if entry.why_not else "text"
        picture = icon_pixmap(entry.icon, theme.tokens[token], side, painter.device().devicePixelRatioF())
        painter.drawPixmap(QPoint(rect.left() + 9, rect.center().y() - side // 2 + 1), picture)
        painter.setFont(theme.font(scale=0.88))
        painter.setPen(theme.color("dim"))
        detail = entry.why_not or entry.detail
        width = painter.fontMetrics().horizontalAdvance(detail)
        painter.drawText(rect.adjusted(0, 0, -10, 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, detail)
        painter.setFont(theme.font(QFont.Weight.Normal))
        painter.setPen(theme.color(token))
        space = rect.adjusted(side + 20, 0, -width - 24, 0)
        text = painter.fontMetrics().elidedText(entry.text, Qt.TextElideMode.ElideRight, space.width())
        painter.drawText(space, Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(200, current_theme().px("row_px") + 6)
