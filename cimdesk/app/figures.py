"""Figures for the command line and reports: one picture of a session, off-screen, with its furniture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.app.sessions import find_layer, meant
from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import current_language, tr
from cimdesk.base.jobs import Progress, no_progress
from cimdesk.commands.bookmarks import bookmarks
from cimdesk.formats.atomic import replacing
from cimdesk.model.layers import LayerKind
from cimdesk.model.workspace import bounds_of

if TYPE_CHECKING:
    from cimdesk.base.arrays import UInt8
    from cimdesk.commands.session import Session
    from cimdesk.model.figure import SnapshotRequest

REPORT_FIGURE_SIZE = (1920, 1080)
MAX_REPORT_FIGURES = 6


def write_figure(
    session: Session,
    path: Path,
    *,
    bookmark: str | None,
    fit: str | None,
    width: int,
    height: int,
    theme: str,
    time: float | None,
    title: str | None,
    xray: bool | None,
) -> None:
    """Draw what a bookmark shows (the city without one, or the layer to ``fit``) and write it as PNG.

    Raises
    ------
    UsageError
        If there is no such bookmark or layer.
    """
    record = find_bookmark(session, bookmark) if bookmark else None
    if fit:
        is_buried = any(layer.kind is LayerKind.NETWORK for layer in session.workspace.layers() if fit in (layer.id, layer.name))
        record = {**(record or {}), "camera": camera_on(session, fit), "xray": is_buried}
    request = request_for(session, record, width, height, theme, time, title, xray)
    command = f"cimdesk snapshot {session.path or ''} --size {width}x{height} --theme {theme} -o {path.name}"
    picture = png_of(session, request, {"Title": request.title, "Software": "cimdesk", "Command": command})
    with replacing(path) as temporary:
        temporary.write_bytes(picture)


def bookmark_figures(session: Session, progress: Progress = no_progress) -> list[tuple[str, bytes]]:
    """Return caption and PNG bytes of the bookmarks of a project, in order, for its report; one overall view when it has none."""
    from cimdesk.scene.view import Studio

    figures = []
    shown: Sequence[Mapping[str, Any] | None] = [record for _, record in bookmarks(session)][:MAX_REPORT_FIGURES] or (None,)
    with Studio(session.workspace) as studio:
        for k, record in enumerate(shown):
            request = request_for(session, record, *REPORT_FIGURE_SIZE, "light", None, None, None)
            progress(k / len(shown), request.title)
            figures.append((request.title, _png(studio.picture(request))))
    return figures


def png_of(session: Session, request: SnapshotRequest, text: dict[str, str] | None = None) -> bytes:
    """Return the PNG file of one picture, with words about it inside."""
    from cimdesk.scene.view import snapshot

    return _png(snapshot(session.workspace, request), text)


def _png(picture: UInt8, text: dict[str, str] | None = None) -> bytes:
    from cimdesk.scene.view import write_png

    file = BytesIO()
    write_png(file, picture, text)
    return file.getvalue()


def find_bookmark(session: Session, name: str) -> Mapping[str, Any]:
    """Return the bookmark that somebody named."""
    present = dict(bookmarks(session))
    names = {key: str(record["name"]) for key, record in present.items()}
    key = meant(name, names)
    if key is None:
        raise UsageError(
            "There is no bookmark {name}; there are {names}.", name=name, names=", ".join(names.values()) or tr("none")
        )
    return present[key]


def camera_on(session: Session, name: str) -> dict[str, Any]:
    """Return the camera that sees all of a layer, by its id or name, or all of the project for ``all``.

    Raises
    ------
    UsageError
        If there is no such layer, or nothing in it has a place.
    """
    workspace = session.workspace
    if name == "all":
        box = workspace.bounds()
    else:
        data = workspace.data(find_layer(session, name).id)
        box = np.full((2, 3), np.nan) if data is None else bounds_of(data)
    if not np.isfinite(box[:, :2]).all():
        raise UsageError("Nothing in {name} has a place to look at.", name=name)
    box = np.nan_to_num(box)
    size = float(np.linalg.norm(box[1] - box[0]))
    target = [float(value) for value in box.mean(axis=0)]
    return {"target": target, "azimuth": 340.0, "elevation": 55.0, "distance": max(1.35 * size, 50.0)}


def request_for(
    session: Session,
    bookmark: Mapping[str, Any] | None,
    width: int,
    height: int,
    theme: str,
    time: float | None,
    title: str | None,
    xray: bool | None,
) -> SnapshotRequest:
    """Return what to draw for a bookmark: its camera, time, layers and X-ray, unless asked otherwise."""
    from cimdesk.model.figure import SnapshotRequest

    record: Mapping[str, Any] = bookmark or {}
    settings = session.workspace.settings
    moment = next((t for t in (time, record.get("time"), settings.get("time")) if t is not None), None)
    layers = [layer.name for layer in session.workspace.layers()]
    project_title = str(settings.get("title", "")) or (session.path.stem if session.path else ", ".join(layers[:3]))
    name = str(record.get("name", ""))
    return SnapshotRequest(
        width=width,
        height=height,
        theme=theme,
        time=None if moment is None else float(moment),
        camera=dict(record["camera"]) if record.get("camera") else None,
        title=title or name or project_title,
        subtitle=project_title if (title or name) else "",
        language=current_language(),
        layers=tuple(record["layers"]) if record.get("layers") else None,
        xray=bool(record.get("xray", False)) if xray is None else xray,
    )
