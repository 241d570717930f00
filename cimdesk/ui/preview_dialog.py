"""Form: what files hold, before anything changes - format, objects, extent on a small map, reference system, problems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from cimdesk.base.arrays import Float, UInt8
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Severity
from cimdesk.base.i18n import tr
from cimdesk.commands.sources import LOCAL, Preview
from cimdesk.model.style import CATEGORY_COLORS
from cimdesk.ui.counted import counted
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog, asked
from cimdesk.ui.theme import current_theme

COMMON_SYSTEMS = ("EPSG:4547", "EPSG:4490", "EPSG:4326", "EPSG:3857", "EPSG:32649", "EPSG:28992", "EPSG:25832")
MOST_PROBLEMS = 6

Answer = tuple[list[Path], str]


class PreviewDialog(FormDialog):
    """One block per file, and one question when a file does not say where it lies."""

    def __init__(self, desk: Desk, previews: list[Preview], parent: QWidget | None = None) -> None:
        super().__init__(tr("What will be added"), tr("Add"), parent, width=58)
        self._previews = previews
        self.usable = [p for p in previews if p.is_usable]
        self.without_system = [p for p in self.usable if p.result is not None and p.result.crs is None]
        blocks = QWidget()
        column = QVBoxLayout(blocks)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(10)
        for k, preview in enumerate(previews):
            column.addWidget(_block(preview, CATEGORY_COLORS[k % len(CATEGORY_COLORS)]))
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setWidget(blocks)
        scroll.setMinimumHeight(current_theme().px("font_px") * 16)
        self.map = ExtentMap(previews, desk.session.workspace.bounds() if not self.without_system else None)
        row = QHBoxLayout()
        row.setSpacing(14)
        row.addWidget(scroll, 3)
        row.addWidget(self.map, 2)
        self.body.addLayout(row, 1)
        self.system = QComboBox()
        if self.without_system:
            self._ask_system(desk)
        unusable = len(previews) - len(self.usable)
        if unusable:
            self.note.setText(tr("{count} of {total} cannot be added.").format(count=unusable, total=len(previews)))
        self.accept_button.setEnabled(bool(self.usable))

    def _ask_system(self, desk: Desk) -> None:
        frame = desk.session.workspace.frame
        project = frame.crs.definition if frame and frame.crs else ""
        guess = guess_system(self.without_system, project)
        self.system.setEditable(True)
        offered = dict.fromkeys(name for name in (guess, project, *COMMON_SYSTEMS) if name)
        for name in offered:
            self.system.addItem(f"{name}  ({tr('likely')})" if name == guess else name, name)
        self.system.addItem(tr("None: local coordinates"), LOCAL)
        names = ", ".join(p.path.name for p in self.without_system[:3])
        question = QLabel(tr("{names} does not say its reference system. Which is it?").format(names=names))
        question.setWordWrap(True)
        self.body.addWidget(question)
        self.body.addWidget(self.system)

    def answer(self) -> Answer:
        """Return (files to add, reference system for those that have none)."""
        row = self.system.findText(self.system.currentText())
        system = str(self.system.itemData(row)) if row >= 0 else self.system.currentText().strip()
        return [p.path for p in self.usable], system if self.without_system else ""


def guess_system(previews: list[Preview], project: str) -> str:
    """Return the likeliest reference system: degrees look like EPSG:4326, everything else like the project."""
    boxes = [p.result.extent for p in previews if p.result is not None and p.result.extent is not None]
    if boxes and all(np.abs(box[:, 0]).max() <= 180.0 and np.abs(box[:, 1]).max() <= 90.0 for box in boxes):
        spans = [float(np.ptp(box[:, :2])) for box in boxes]
        # A small local drawing around zero also fits into degrees; only one away from the origin is taken for a place on earth.
        if all(np.abs(box[:, :2]).min() > 1.0 for box in boxes) and max(spans) < 30.0:
            return "EPSG:4326"
        return project or LOCAL
    return project


def extents_together(previews: list[Preview]) -> list[tuple[int, Float]]:
    """Return (row, (2, 2) extent) of the files that have one: as they are when all share a system, else in degrees."""
    found = [
        (k, p.result.extent, p.result.crs)
        for k, p in enumerate(previews)
        if p.result is not None and p.result.extent is not None and np.isfinite(p.result.extent[:, :2]).all()
    ]
    if len({system for _, _, system in found}) <= 1:
        return [(k, extent[:, :2]) for k, extent, _ in found]
    together = []
    for k, extent, system in found:
        crs = Crs.parse(system)
        if crs is not None:
            placed = crs.transform(Crs.epsg(4326), np.nan_to_num(extent))[:, :2]
            if np.isfinite(placed).all():
                together.append((k, placed))
    return together


def _block(preview: Preview, color: str) -> QWidget:
    frame = QFrame()
    column = QVBoxLayout(frame)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    result = preview.result
    title = QLabel(f"<span style='color:{color}'>■</span>&nbsp; <b>{preview.path.name}</b>")
    title.setWordWrap(True)
    column.addWidget(title)
    if preview.error is not None:
        column.addWidget(_line(preview.error.message, "alarm"))
        if preview.error.remedy:
            column.addWidget(_line(preview.error.remedy, "dim"))
        return frame
    assert result is not None
    system = result.crs or tr("no reference system")
    column.addWidget(
        _line("  ·  ".join(part for part in (f"{result.format} {result.version or ''}".strip(), system) if part), "dim")
    )
    if preview.picture is not None:
        column.addWidget(_thumbnail(preview.picture))
    objects = ",  ".join(counted(name, count) for name, count in list(result.objects.items())[:8] if count)
    if objects:
        column.addWidget(_line(objects, ""))
    if preview.large:
        column.addWidget(_line(preview.large, ""))
    elif not result.sources:
        column.addWidget(_line(tr("Nothing in it can be shown as a layer."), "alarm"))
    for problem in preview.surveyed:
        column.addWidget(_line(f"▲ {problem.message}", "warning"))
    for problem in result.problems[:MOST_PROBLEMS]:
        mark = {Severity.ERROR: "✕", Severity.WARNING: "▲", Severity.INFO: "·"}[problem.severity]
        where = f" ({problem.where})" if problem.where else ""
        column.addWidget(_line(f"{mark} {problem.message}{where}", "dim"))
    if len(result.problems) > MOST_PROBLEMS:
        column.addWidget(_line(tr("and {count} more").format(count=len(result.problems) - MOST_PROBLEMS), "dim"))
    return frame


def _thumbnail(pixels: UInt8) -> QLabel:
    height, width = pixels.shape[:2]
    label = QLabel()
    label.setPixmap(QPixmap.fromImage(QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()))
    return label


def _line(text: str, name: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    return label


class ExtentMap(QWidget):
    """Extents of the files, over the extent of the open project in grey."""

    def __init__(self, previews: list[Preview], project: Float | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._boxes = [(box, CATEGORY_COLORS[k % len(CATEGORY_COLORS)]) for k, box in extents_together(previews)]
        self._project = project[:, :2] if project is not None and np.isfinite(project[:, :2]).all() else None

    def sizeHint(self) -> QSize:
        unit = current_theme().px("font_px")
        return QSize(unit * 18, unit * 16)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("line"), 1.0))
        painter.setBrush(theme.color("bg"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        boxes = [box for box, _ in self._boxes]
        if not boxes:
            painter.setPen(theme.color("dim"))
            painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, tr("no extent"))
            painter.end()
            return
        low, high = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
        span = float(max(np.max(high - low), 1e-9)) * 1.25
        middle = (low + high) / 2.0
        scale = min(self.width(), self.height()) / span

        def at(point: Float) -> QPointF:
            return QPointF(
                self.width() / 2 + float(point[0] - middle[0]) * scale, self.height() / 2 - float(point[1] - middle[1]) * scale
            )

        painter.setClipRect(self.rect().adjusted(2, 2, -2, -2))
        if self._project is not None:
            painter.setPen(QPen(theme.color("dim"), 1.0, Qt.PenStyle.DashLine))
            painter.setBrush(theme.color("line", 90))
            painter.drawRect(QRectF(at(self._project[0]), at(self._project[1])).normalized())
        for box, name in self._boxes:
            fill = QColor(name)
            painter.setPen(QPen(fill, 1.6))
            fill.setAlpha(60)
            painter.setBrush(fill)
            drawn = QRectF(at(box[0]), at(box[1])).normalized()
            painter.drawRect(drawn if drawn.width() > 4 and drawn.height() > 4 else drawn.adjusted(-3, -3, 3, 3))
        painter.end()


def ask(parent: QWidget | None, desk: Desk, previews: list[Preview], done: Callable[[Answer | None], object]) -> None:
    """Show what files hold and hand the answer to ``done``."""
    dialog = asked(PreviewDialog(desk, previews, parent))
    done(dialog.answer() if dialog is not None else None)
