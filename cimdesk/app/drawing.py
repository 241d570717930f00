"""The process that draws pictures for the window: an order on standard input, PNG files in a folder, progress on standard output.

The order is JSON: ``project``, ``folder``, and ``pictures``, each the fields of a `SnapshotRequest`. Each line that comes back is
JSON too: ``{"done": 1.0}`` counts pictures, ``{"error": "..."}`` says what went wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cimdesk.base.errors import CimdeskError
from cimdesk.base.i18n import set_language
from cimdesk.base.jobs import SynchronousRunner
from cimdesk.model.figure import SnapshotRequest

LOADING_SHARE = 0.4
"""Part of the first picture that loading the project counts for."""


def main() -> int:
    """Draw what standard input asks for; the exit code is 0 when all is drawn."""
    order = json.load(sys.stdin)
    requests = [_request(fields) for fields in order["pictures"]]
    if requests and requests[0].language:
        set_language(requests[0].language)
    try:
        _draw(Path(order["project"]), Path(order["folder"]), requests)
    except CimdeskError as error:
        _say(error=str(error))
        return 1
    return 0


def _request(fields: dict[str, Any]) -> SnapshotRequest:
    layers = fields.pop("layers")
    return SnapshotRequest(**fields, layers=None if layers is None else tuple(layers))


def _draw(project: Path, folder: Path, requests: list[SnapshotRequest]) -> None:
    from cimdesk.commands.projects import open_project
    from cimdesk.commands.sources import load_job
    from cimdesk.scene.view import Studio, write_png

    session = open_project(project, runner=SynchronousRunner(_on_loading), read_only=True)
    try:
        if (job := load_job(session)) is not None:
            session.run(job)
        with Studio(session.workspace) as studio:
            for number, request in enumerate(requests):
                _say(done=max(number, LOADING_SHARE))
                words = {"Software": "cimdesk", "Comment": request.command} if request.command else {"Software": "cimdesk"}
                write_png(folder / f"{number}.png", studio.picture(request), words)
        _say(done=len(requests))
    finally:
        session.close()


def _on_loading(fraction: float | None, text: str = "") -> None:
    _say(done=LOADING_SHARE * (fraction or 0.0))


def _say(**report: Any) -> None:
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
