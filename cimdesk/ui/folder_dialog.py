"""Form: which files of a folder to open, one line for each file or, of many, for each sub-folder and format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QWidget

from cimdesk.base.i18n import tr
from cimdesk.commands.folders import Found, Group, grouped
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked
from cimdesk.ui.theme import current_theme

MOST_SINGLE = 60
"""Files up to which each has a line."""
CHOSEN_AT_FIRST = 30
"""Files up to which all are ticked when the form opens: every file becomes a layer."""


class FolderDialog(FormDialog):
    """Lines with ticks."""

    def __init__(self, desk: Desk, folder: Path, found: Sequence[Found], parent: QWidget | None = None) -> None:
        super().__init__(tr("Files in {name}").format(name=folder.name), tr("Open"), parent, width=52)
        groups = grouped(found)
        if len(found) <= MOST_SINGLE:
            groups = [Group(each.place, each.format, (each,)) for group in groups for each in group.files]
        self._groups = groups
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Files in {name}").format(name=folder.name))
        self.list.setMinimumHeight(current_theme().px("font_px") * 20)
        is_chosen = len(found) <= CHOSEN_AT_FIRST
        for group in groups:
            item = QListWidgetItem(line_of(group))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if is_chosen else Qt.CheckState.Unchecked)
            item.setToolTip("\n".join(each.path.name for each in group.files[:12]))
            self.list.addItem(item)
        self.list.itemChanged.connect(self._count)
        every, none = QPushButton(tr("All")), QPushButton(tr("None"))
        every.clicked.connect(lambda: self._set_all(Qt.CheckState.Checked))
        none.clicked.connect(lambda: self._set_all(Qt.CheckState.Unchecked))
        row = QHBoxLayout()
        row.addWidget(every)
        row.addWidget(none)
        row.addStretch(1)
        self.body.addWidget(self.list, 1)
        self.body.addLayout(row)
        self._count()

    def chosen(self) -> list[Path]:
        """Return the files of the lines that are ticked."""
        ticked = (k for k in range(self.list.count()) if self.list.item(k).checkState() is Qt.CheckState.Checked)
        return [each.path for k in ticked for each in self._groups[k].files]

    def _set_all(self, state: Qt.CheckState) -> None:
        self.list.blockSignals(True)
        for k in range(self.list.count()):
            self.list.item(k).setCheckState(state)
        self.list.blockSignals(False)
        self._count()

    def _count(self, _item: QListWidgetItem | None = None) -> None:
        count = len(self.chosen())
        self.accept_button.setEnabled(count > 0)
        self.note.setText(tr("{count} files, each a layer of its own").format(count=f"{count:,}"))


def line_of(group: Group) -> str:
    """Return what a line says: where, what, how many and how large."""
    if len(group.files) == 1:
        (only,) = group.files
        name = f"{group.place}/{only.path.name}" if group.place else only.path.name
        return "  ·  ".join(part for part in (name, group.format, _size(group.size)) if part)
    files = tr("{count} files").format(count=f"{len(group.files):,}")
    return "  ·  ".join(part for part in (group.place or "./", group.format, files, _size(group.size)) if part)


def _size(size: int) -> str:
    """Return a number of bytes as people say it; nothing for folders."""
    if not size:
        return ""
    for unit in ("kB", "MB", "GB"):
        size_in = size / 1000.0 ** {"kB": 1, "MB": 2, "GB": 3}[unit]
        if size_in < 1000.0 or unit == "GB":
            return f"{size_in:.3g} {unit}"
    return ""


def ask(parent: QWidget | None, desk: Desk, folder: Path, found: Sequence[Found]) -> list[Path] | None:
    """Ask which files of a folder to open."""
    dialog = asked(FolderDialog(desk, folder, found, parent))
    return dialog.chosen() if dialog is not None else None
