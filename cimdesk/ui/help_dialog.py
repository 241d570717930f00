"""Help: the guide's pages, and the page of keys made from the actions table."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, QUrl
from PySide6.QtWidgets import QDialog, QHBoxLayout, QListWidget, QListWidgetItem, QTextBrowser, QWidget

from cimdesk.base.i18n import current_language, tr
from cimdesk.base.paths import resource_dir
from cimdesk.ui.actions import shortcuts_page
from cimdesk.ui.desk import Desk
from cimdesk.ui.theme import current_theme

SHORTCUTS = "shortcuts"


class HelpDialog(QDialog):
    """Pages at the left, the page at the right."""

    def __init__(self, page: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Guide"))
        unit = current_theme().px("font_px")
        self.resize(QSize(min(unit * 74, 1200), min(unit * 50, 820)).boundedTo(self.screen().availableGeometry().size() * 0.92))
        self.list = QListWidget()
        self.list.setMaximumWidth(unit * 17)
        self.text = QTextBrowser()
        self.text.setOpenLinks(False)
        self.text.document().setDocumentMargin(unit * 1.5)
        self.text.anchorClicked.connect(self._on_link)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 8, 8, 8)
        row.addWidget(self.list)
        row.addWidget(self.text, 1)
        for name, title in page_titles():
            item = QListWidgetItem(title)
            item.setData(256, name)
            self.list.addItem(item)
        self.list.currentItemChanged.connect(self._on_chosen)
        self.show_page(page)

    def show_page(self, name: str) -> None:
        """Show one page."""
        for row in range(self.list.count()):
            if self.list.item(row).data(256) == name:
                self.list.setCurrentRow(row)

    def _on_chosen(self, item: QListWidgetItem | None, _former: QListWidgetItem | None) -> None:
        if item is not None:
            self.text.setMarkdown(page_text(str(item.data(256))))

    def _on_link(self, url: QUrl) -> None:
        self.show_page(Path(url.path()).stem)


def help_folder() -> Path:
    """Return the folder of the guide in the current language."""
    return resource_dir() / "help" / current_language()


def page_titles() -> list[tuple[str, str]]:
    """Return (name, title) of every page: the index first, the keys last."""
    files = sorted(help_folder().glob("*.md"), key=lambda file: (file.stem != "index", file.stem))
    pages = [(file.stem, file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")) for file in files if file.stem != SHORTCUTS]
    return [*pages, (SHORTCUTS, tr("Shortcuts"))]


def page_text(name: str) -> str:
    """Return a page as Markdown."""
    return shortcuts_page() if name == SHORTCUTS else (help_folder() / f"{name}.md").read_text(encoding="utf-8")


def ask(parent: QWidget | None, _desk: Desk, page: str) -> None:
    """Show a page of the guide."""
    dialog = HelpDialog(page, parent)
    dialog.exec()
    dialog.deleteLater()
