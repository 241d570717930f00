"""Form: what goes into a report - views, language, file - and writing it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QListWidget, QListWidgetItem, QWidget

from cimdesk.base.i18n import LANGUAGES, current_language, tr
from cimdesk.base.jobs import JobSpec
from cimdesk.commands import bookmarks
from cimdesk.model.appearance import active_flood
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked
from cimdesk.ui.theme import current_theme

if TYPE_CHECKING:
    from cimdesk.model.figure import SnapshotRequest

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


def write_report(desk: Desk, path: Path, language: str, keys: list[str]) -> None:
    """Draw bookmarks and the present view one after another, then write the report in a job."""
    from cimdesk.commands import pictures

    session = desk.session
    requests = [_request(desk, key, language) for key in keys]

    def done(drawn: list[bytes]) -> None:
        if desk.session is session:
            _start_report(desk, path, language, [(request.title, png) for request, png in zip(requests, drawn, strict=True)])

    if requests:
        desk.run(pictures.draw_job(session, requests, tr("Drawing the pictures of {name}").format(name=path.name), done))
    else:
        done([])


def _request(desk: Desk, key: str, language: str) -> SnapshotRequest:
    """Return what the picture of a bookmark, or of the present view for an empty key, should be."""
    from cimdesk.model.figure import SnapshotRequest

    session, scene = desk.session, desk.view.scene if desk.view else None
    found = active_flood(session.workspace)
    record = session.workspace.document.get("bookmark", key) if key else None
    first, last = session.clock.range
    now = session.clock.time if last > first else None
    camera = record["camera"] if record else scene.camera.to_record() if scene else None
    return SnapshotRequest(
        *PICTURE_SIZE,
        time=record.get("time") if record else now,
        camera=dict(camera) if camera else None,
        title=str(record["name"]) if record else tr("The city"),
        language=language,
        scenario=found[0].name if found else "",
        xray=bool(record.get("xray", False)) if record else bool(scene and scene.xray),
    )


def _start_report(desk: Desk, path: Path, language: str, pictures: list[tuple[str, bytes]]) -> None:
    from cimdesk.commands import reports

    job = reports.report_job(desk.session, path, language, pictures)

    def done(result: dict[str, Any]) -> None:
        if job.done is not None:
            job.done(result)
        desk.message.emit(tr("Written: {name}").format(name=path.name))

    desk.run(JobSpec(job.title, job.work, done, job.key))


def ask(parent: QWidget | None, desk: Desk) -> None:
    """Ask for a report and write it."""
    dialog = asked(ReportDialog(desk, parent))
    if dialog is None:
        return
    name = f"{desk.project_path.stem}-report" if desk.project_path else tr("report")
    path = desk.ask.save_path(tr("Save report"), str(dialog.format.currentData()), name)
    if path is not None:
        write_report(desk, path, str(dialog.language.currentData()), dialog.chosen_views())
