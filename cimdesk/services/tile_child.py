"""A process that decodes tiles for a window, one after the other, as long as the window is there and asks now and then.

What it is told and what it says are messages of `tile_wire`. It gets a `TileTask`, the contents that were fetched for it and the
language of the person, and answers with what `decode_tile` gives. For other files it asks the window, whose place knows the rules.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from typing import IO, Any

from cimdesk.base.i18n import current_language, set_language
from cimdesk.base.workers import limit_memory
from cimdesk.formats.tiles3d_decode import DecodedTile, TileTask, decode_tile
from cimdesk.services.block_store import NICER
from cimdesk.services.tile_fetched import Fetched, FetchedPlace, broken_of
from cimdesk.services.tile_wire import receive, send

IDLE = 120.0
"""Seconds without a task after which it ends."""
log = logging.getLogger(__name__)


def main() -> None:
    """Serve until there is nobody to serve."""
    limit_memory()
    if hasattr(os, "nice"):
        # On Windows its parent says so.
        os.nice(NICER)
    out = os.fdopen(os.dup(1), "wb")
    # What libraries print must not be taken for an answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    told: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, told), daemon=True).start()
    send(out, "ready")
    while True:
        try:
            task, fetched, language = told.get(timeout=IDLE)
        except queue.Empty:
            # Native libraries sometimes fall over while they are taken down; there is nothing left to do.
            os._exit(0)
        if language != current_language():
            set_language(language)
        _decode(task, fetched, told, out)


def _listen(line: IO[bytes], told: queue.SimpleQueue[list[Any]]) -> None:
    while True:
        try:
            told.put(receive(line))
        except (EOFError, OSError):
            # The window is gone, however it ended.
            os._exit(0)


def _decode(task: TileTask, fetched: dict[str, Fetched], told: queue.SimpleQueue[list[Any]], out: IO[bytes]) -> None:
    def ask(*question: Any) -> Any:
        send(out, "ask", question)
        is_answer, value = told.get()
        if not is_answer:
            raise broken_of(value)
        return value

    try:
        answer = answer_of(decode_tile(task, FetchedPlace(fetched, ask)))
    except Exception:
        # The window meets the same error when it tries itself, and says what it always says.
        log.exception("tile %d", task.row)
        answer = ("raised",)
    send(out, *answer)


def answer_of(tile: DecodedTile) -> tuple[Any, ...]:
    """Return a decoded tile as the parts of a message."""
    return ("tile", tile.block, tile.ids, tile.problems, tuple(tile.columns), *tile.columns.values())


def tile_of(answer: list[Any]) -> DecodedTile:
    """Return the tile that `answer_of` was given."""
    _, block, ids, problems, names, *values = answer
    return DecodedTile(block, ids, dict(zip(names, values, strict=True)), problems)


if __name__ == "__main__":
    main()
