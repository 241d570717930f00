"""A field for expressions: names offered while one types, what is wrong and where, and how many features it holds for."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QStringListModel, Qt, QTimer, Signal
from PySide6.QtWidgets import QCompleter, QHBoxLayout, QLabel, QLineEdit, QMenu, QToolButton, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.model.evaluation import matching
from cimdesk.model.expression import ExpressionError, quoted
from cimdesk.model.features import FeatureTable
from cimdesk.ui.desk import Desk
from cimdesk.ui.theme import icon

AT_ONCE = 60_000
"""Tables up to this long are looked through on the spot, longer ones in a job."""
WORDS = ("and", "or", "not", "in", "like", "contains", "between", "is null", "is not null")


class ExpressionEdit(QWidget):
    """One expression on the columns of a table.

    Attributes
    ----------
    changed : Signal of str
        The expression, when it can be understood; also when it is empty.
    """

    changed = Signal(str)

    def __init__(
        self, desk: Desk, table: Callable[[], FeatureTable | None], parent: QWidget | None = None, small: bool = False
    ) -> None:
        super().__init__(parent)
        self._desk = desk
        self._table = table
        self._is_small = small
        self.error: ExpressionError | None = None
        self.input = QLineEdit()
        self.input.setClearButtonEnabled(True)
        self.fields = QToolButton()
        self.fields.setObjectName("chip")
        self.fields.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.fields.setMenu(QMenu(self.fields))
        self.fields.menu().aboutToShow.connect(self._fill_menu)
        self.state = QLabel()
        self.state.setObjectName("small")
        self.state.setWordWrap(True)
        self._wait = QTimer(self, singleShot=True, interval=160)
        self._wait.timeout.connect(self.check)
        self.input.textEdited.connect(self._on_edited)
        self.input.textChanged.connect(self._on_edited)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.input, 1)
        row.addWidget(self.fields)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(row)
        column.addWidget(self.state)
        self._complete()
        self.retranslate()

    @property
    def text(self) -> str:
        """The expression as it stands."""
        return self.input.text().strip()

    @property
    def is_valid(self) -> bool:
        """Whether the expression can be understood."""
        return self.error is None

    def set_text(self, text: str) -> None:
        """Show another expression."""
        self.input.setText(text)
        self._wait.stop()
        self.check()

    def retranslate(self) -> None:
        """Say everything in the current language."""
        self.fields.setText("" if self._is_small else tr("Attributes"))
        self.fields.setToolTip(tr("Attributes"))
        self.fields.setAccessibleName(tr("Attributes"))
        if self._is_small:
            self.fields.setObjectName("flat")
            self.fields.setIcon(icon("ui.columns"))
        self.input.setPlaceholderText(tr("such as  height > 20 and use in ('office', 'shop')"))

    def check(self) -> None:
        """Look at the expression now."""
        self._wait.stop()
        table, text = self._table(), self.text
        self.error = None
        if not text or table is None:
            self._say("")
            self.changed.emit(text)
            return
        try:
            matching(text, table.take(slice(0, 2)))  # type: ignore[arg-type]
        except ExpressionError as error:
            self.error = error
            self._say(error.localized(), "alarm")
            return
        if len(table) <= AT_ONCE:
            self._tell(text, int(matching(text, table).sum()), len(table))
        else:
            self._count_aside(text, table)
        self.changed.emit(text)

    def _count_aside(self, text: str, table: FeatureTable) -> None:
        def work(progress: Progress, cancel: CancelToken) -> int:
            return int(matching(text, table).sum())

        def done(count: int) -> None:
            if text == self.text:
                self._tell(text, count, len(table))

        self._say(tr("Counting…"))
        self._desk.run(JobSpec(tr("Filtering"), work, done, key=f"expression:{id(self)}"))

    def _tell(self, text: str, count: int, total: int) -> None:
        self._say(tr("{count} of {total} features").format(count=f"{count:,}", total=f"{total:,}"))

    def _say(self, text: str, name: str = "small") -> None:
        self.state.setText(text)
        self.state.setVisible(bool(text))
        if self.state.objectName() != name:
            self.state.setObjectName(name)
            self.state.style().unpolish(self.state)
            self.state.style().polish(self.state)

    def _on_edited(self, _text: str) -> None:
        self._wait.start()

    def _complete(self) -> None:
        table = self._table()
        names = ["id", *map(quoted, table.columns)] if table is not None else []
        completer = _LastWord(self.input)
        completer.setModel(QStringListModel([*names, *WORDS], completer))
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.input.setCompleter(completer)

    def _fill_menu(self) -> None:
        menu = self.fields.menu()
        menu.clear()
        table = self._table()
        for name in ["id", *(table.columns if table is not None else ())]:
            menu.addAction(name).setData(name)
        menu.triggered.connect(self._on_field, Qt.ConnectionType.UniqueConnection)

    def _on_field(self, action: object) -> None:
        name = str(action.data())  # type: ignore[attr-defined]
        self.input.insert(quoted(name) + " ")
        self.input.setFocus()


class _LastWord(QCompleter):
    """Completes the word being written, not the whole line."""

    def __init__(self, input_: QLineEdit) -> None:
        super().__init__(input_)
        self._input = input_

    def splitPath(self, path: str) -> list[str]:
        word = self._word(path[: self._input.cursorPosition()])
        # An empty pattern would offer everything after every space.
        return [word if len(word) > 1 else "\0"]

    def pathFromIndex(self, index: object) -> str:
        before = self._input.text()[: self._input.cursorPosition()]
        after = self._input.text()[self._input.cursorPosition() :]
        chosen = str(index.data())  # type: ignore[attr-defined]
        return before[: len(before) - len(self._word(before))] + chosen + after

    @staticmethod
    def _word(text: str) -> str:
        at = len(text)
        while at and (text[at - 1].isalnum() or text[at - 1] in '_".'):
            at -= 1
        return text[at:]
