"""Pictures of a project, drawn beside the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import current_language
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.commands.session import Session
from cimdesk.formats.atomic import replacing
from cimdesk.model.figure import SnapshotRequest
from cimdesk.services.drawing import draw_pictures


def draw_job(
    session: Session, requests: Sequence[SnapshotRequest], title: str, done: Callable[[list[bytes]], object]
) -> JobSpec[list[bytes]]:
    """Return the job that draws pictures of a project and hands their PNG files to ``done``.

    Raises
    ------
    UsageError
        If the session has no file yet that another process could draw from.
    """
    if session.path is None:
        raise UsageError("There is no project to draw.", remedy="Open or make one first.")
    project, language = session.path, current_language()
    wanted = [request if request.language else replace(request, language=language) for request in requests]

    def work(progress: Progress, cancel: CancelToken) -> list[bytes]:
        return draw_pictures(project, wanted, progress, cancel)

    return JobSpec(title, work, done, key=title)


def write(path: Path, picture: bytes) -> None:
    """Write the PNG file of a picture, whole or not at all.

    Raises
    ------
    DataError
        If it cannot be written there.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(picture)
