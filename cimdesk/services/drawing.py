"""Pictures drawn by a process of their own, so that the window goes on working, and stays up whatever the graphics do.

The process opens the project from its file, which holds every acknowledged edit, and draws as ``cimdesk snapshot`` does.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from cimdesk.base.errors import ServiceError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, Progress
from cimdesk.model.figure import SnapshotRequest

DRAWER = "cimdesk.app.drawing"
"""Module that the process runs."""
POLL_SECONDS = 0.1
_END = ""


def draw_pictures(project: Path, requests: Sequence[SnapshotRequest], progress: Progress, cancel: CancelToken) -> list[bytes]:
    """Return the PNG file of each picture.

    Parameters
    ----------
    project : Path
        Project file.
    requests : sequence of SnapshotRequest
    progress : Progress
    cancel : CancelToken
        Ends the process at once.

    Raises
    ------
    ServiceError
        If a picture could not be drawn, with what the process said last.
    Cancelled
        If nobody wants them any more.
    """
    with tempfile.TemporaryDirectory(prefix="cimdesk-pictures-", ignore_cleanup_errors=True) as folder:
        order = {"project": str(project), "folder": folder, "pictures": [asdict(request) for request in requests]}
        process = subprocess.Popen(
            [sys.executable, "-m", DRAWER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        try:
            said = _follow(process, json.dumps(order), len(requests), progress, cancel)
        finally:
            process.kill()
            process.wait()
        files = [Path(folder) / f"{number}.png" for number in range(len(requests))]
        if process.returncode > 0 or not all(file.is_file() for file in files):
            raise ServiceError("The picture could not be drawn: {reason}", reason=said or tr("the process ended"))
        return [file.read_bytes() for file in files]


def _follow(process: subprocess.Popen[str], order: str, count: int, progress: Progress, cancel: CancelToken) -> str:
    """Hand over the order, pass progress on until the process ends, and return the last it said of an error."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    lines: queue.Queue[str] = queue.Queue()
    errors: deque[str] = deque(maxlen=20)
    readers = [
        threading.Thread(target=_read_into, args=(process.stdout, lines.put, lambda: lines.put(_END)), daemon=True),
        threading.Thread(target=_read_into, args=(process.stderr, errors.append, lambda: None), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        process.stdin.write(order)
        process.stdin.close()
    except BrokenPipeError:
        process.kill()
    while True:
        if cancel.cancelled:
            process.kill()
        try:
            line = lines.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if line == _END:
            break
        report: dict[str, Any] = json.loads(line)
        if "error" in report:
            errors.append(str(report["error"]))
        else:
            done = float(report["done"])
            text = tr("Drawing picture {number} of {count}").format(number=min(int(done) + 1, count), count=count)
            progress(done / count, text if count > 1 else "")
    process.wait()
    for reader in readers:
        reader.join()
    cancel.raise_if_cancelled()
    return next((line.strip() for line in reversed(errors) if line.strip()), "")


def _read_into(stream: IO[str], put: Any, end: Any) -> None:
    for line in stream:
        put(line)
    stream.close()
    end()
