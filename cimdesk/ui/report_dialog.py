"""Form: what goes into a report - views, language, file - and writing it."""

from __future__ import annotations

import io
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QComboBox, QListWidget, QListWidgetItem, QWidget

from cimdesk.base.i18n import LANGUAGES, current_language, tr
from cimdesk.base.jobs import JobSpec
from cimdesk.commands import bookmarks
from cimdesk.model.appearance import active_flood
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked
from cimdesk.ui.theme import current_theme

FORMATS = {".pdf": "PDF", ".html": "HTML"}
PICTURE_SIZE = (1600, 900)


class ReportDialog(FormDialog):
    """Asks for the views, the language and the format."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(tr("Report"), tr("Write…"), parent)
        self.format = QComboBox()
        for suffix, name in FORMATS.items():
            self.format.addItem(name, suffix)
        self.language = QComboBox()
        for code, name in LANGUAGES.items():
            self.language.addItem(name, code)
        self.language.setCurrentIndex(list(LANGUAGES).index(current_language()))
        self.views = QListWidget()
        self.views.setMaximumHeight(current_theme().px("row_px") * 6)
        self._add_view(tr("This view"), "")
        for key, record in bookmarks.bookmarks(desk.session):
            self._add_view(str(record["name"]), key)
        self.row(tr("Format"), self.format)
        self.row(tr("Language"), self.language)
        self.row(tr("Pictures"), self.views)
        self.note.setText(tr("Tables of floods, sensors and stages, sources and method are added by themselves."))

    def _add_view(self, name: str, key: str) -> None:
        item = QListWidgetItem(name)
        item.setData(Qt.ItemDataRole.UserRole, key)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(Qt.CheckState.Checked)
        self.views.addItem(item)

    def chosen_views(self) -> list[str]:
        """Return the bookmarks to draw; an empty key is the present view."""
        rows = [self.views.item(k) for k in range(self.views.count())]
        return [str(item.data(Qt.ItemDataRole.UserRole)) for item in rows if item.checkState() == Qt.CheckState.Checked]


def draw_pictures(desk: Desk, keys: list[str], language: str) -> list[tuple[str, bytes]]:
    """Return (caption, PNG) of bookmarks and of the present view, drawn off-screen."""
    from PIL import Image

    from cimdesk.scene.view import SnapshotRequest, snapshot

    session = desk.session
    found = active_flood(session.workspace)
    pictures = []
    for key in keys:
        record = session.workspace.document.get("bookmark", key) if key else None
        camera = dict(record["camera"]) if record else desk.view.scene.camera.to_record() if desk.view and desk.view.scene else None
        time = record.get("time") if record else session.clock.time if session.clock.range[1] > session.clock.range[0] else None
        name = str(record["name"]) if record else tr("The city")
        request = SnapshotRequest(
            *PICTURE_SIZE, time=time, camera=camera, title=name, language=language, scenario=found[0].name if found else ""
        )
        buffer = io.BytesIO()
        Image.fromarray(snapshot(session.workspace, request)).save(buffer, format="PNG")
        pictures.append((name, buffer.getvalue()))
        QApplication.processEvents()
    return pictures


def write_report(desk: Desk, path: Path, language: str, keys: list[str]) -> None:
    """Draw the pictures, then write the report in a job."""
    from cimdesk.commands import reports

    QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
    try:
        pictures = draw_pictures(desk, keys, language)
        job = reports.report_job(desk.session, path, language, pictures)
    finally:
        QApplication.restoreOverrideCursor()

    def done(result: object) -> None:
        if job.done is not None:
            job.done(result)  # type: ignore[arg-type]
        desk.message.emit(tr("Written: {name}").format(name=path.name))

    desk.run(JobSpec(job.title, job.work, done, job.key))


def ask(parent: QWidget | None, desk: Desk) -> None:
    """Ask for a report and write it."""
    dialog = asked(ReportDialog(desk, parent))
    if dialog is None:
        return
    name = str(desk.session.workspace.settings.get("title") or tr("report"))
    path = desk.ask.save_path(tr("Save report"), str(dialog.format.currentData()), name)
    if path is not None:
        write_report(desk, path, str(dialog.language.currentData()), dialog.chosen_views())
