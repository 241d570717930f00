"""Form: a picture of this view - size, theme, title, what frames it - and writing it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.appearance import active_flood
from cimdesk.model.figure import SnapshotRequest
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked
from cimdesk.ui.theme import THEMES, current_theme

SIZES = ((1920, 1080), (3840, 2160), (1280, 720), (2480, 1754), (3508, 2480), (1080, 1080))
THEME_NAMES = {"light": "Light theme", "dark": "Dark theme", "projector": "Projector theme"}


class SnapshotDialog(FormDialog):
    """Asks for the size and furniture."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(tr("Snapshot"), tr("Save…"), parent)
        self.picture_size = QComboBox()
        paper = {(2480, 1754): "A5 300 dpi", (3508, 2480): "A4 300 dpi", (3840, 2160): "4K", (1920, 1080): "Full HD"}
        for width, height in SIZES:
            self.picture_size.addItem(
                f"{width} × {height}" + (f"   {paper[width, height]}" if (width, height) in paper else ""), (width, height)
            )
        self.theme = QComboBox()
        for name in THEMES:
            self.theme.addItem(tr(THEME_NAMES[name]), name)
        self.theme.setCurrentIndex(THEMES.index(current_theme().name))
        self.title = QLineEdit(str(desk.session.workspace.settings.get("title") or ""))
        self.subtitle = QLineEdit()
        self.furniture = QCheckBox(tr("title, scale, north, reference system, time, sources"))
        self.legend = QCheckBox(tr("legend"))
        self.transparent = QCheckBox(tr("transparent sky"))
        self.furniture.setChecked(True)
        self.legend.setChecked(True)
        self.row(tr("Size"), self.picture_size)
        self.row(tr("Theme"), self.theme)
        self.row(tr("Title"), self.title)
        self.row(tr("Subtitle"), self.subtitle)
        for box in (self.furniture, self.legend, self.transparent):
            self.rows.addRow("", box)


def write_snapshot(desk: Desk, path: Path, size: tuple[int, int], camera: dict[str, object] | None, **options: object) -> None:
    """Draw a view of the project beside the window and write it as PNG, with the words that make it again."""
    from cimdesk.commands import pictures

    session = desk.session
    found = active_flood(session.workspace)
    command = f"cimdesk snapshot {session.path or ''} -o {path.name} --size {size[0]}x{size[1]}"
    first, last = session.clock.range
    request = SnapshotRequest(
        width=size[0], height=size[1], time=session.clock.time if last > first else None, camera=camera,
        scenario=found[0].name if found else "", command=command, **options,  # type: ignore[arg-type]
    )  # fmt: skip

    def done(drawn: list[bytes]) -> None:
        desk.attempt(pictures.write, path, drawn[0])
        desk.message.emit(tr("Saved {name}.").format(name=path.name))

    desk.run(pictures.draw_job(session, [request], tr("Drawing {name}").format(name=path.name), done))


def ask(parent: QWidget | None, desk: Desk) -> None:
    """Ask for a picture and write it."""
    dialog = asked(SnapshotDialog(desk, parent))
    if dialog is None or desk.view is None or desk.view.scene is None:
        return
    path = desk.ask.save_path(tr("Save picture"), ".png", desk.project_path.stem if desk.project_path else tr("city"))
    if path is not None:
        write_snapshot(
            desk, path, dialog.picture_size.currentData(), desk.view.scene.camera.to_record(),
            theme=str(dialog.theme.currentData()), title=dialog.title.text().strip(), subtitle=dialog.subtitle.text().strip(),
            furniture=dialog.furniture.isChecked(), legend=dialog.legend.isChecked(), transparent=dialog.transparent.isChecked(),
            xray=desk.view.scene.xray,
        )  # fmt: skip
