"""Where the parts of a JSON file of any size lie, found in one pass over its bytes: what is in them is read stretch by stretch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import AnyArray, Int

EVERY = 100
"""One element in so many is remembered."""
BLOCK = 16 << 20
MOST_NOTES = 1 << 16
"""Parts of the outermost object, and remembered elements, in one block: more of them are no file for this."""


@dataclass(frozen=True)
class Part:
    """A member of the outermost object, or the lines of a file.

    Attributes
    ----------
    start, stop : int
        First byte of its value and the one after it; of a list or object, those of what is inside the brackets.
    count : int
        Elements of a list, members of an object; 0 for plain values.
    starts : (K,) int64
        First byte of one element in `EVERY`.
    """

    start: int
    stop: int
    count: int
    starts: Int

    def text(self, path: Path, start: int, stop: int) -> bytes:
        """Return the elements from one to another, as they stand in the file, without the comma behind; see `aligned`."""
        begin = int(self.starts[start // EVERY])
        last = -(-stop // EVERY)
        end = int(self.starts[last]) if stop < self.count and last < len(self.starts) else self.stop
        with path.open("rb") as file:
            file.seek(begin)
            return file.read(end - begin).rstrip().removesuffix(b",")

    def stretches(self, most_bytes: int) -> Iterator[tuple[int, int]]:
        """Yield first and last rows of stretches of about so many bytes."""
        step = aligned(int(most_bytes * self.count / max(self.stop - self.start, 1)))
        for start in range(0, self.count, step):
            yield start, min(start + step, self.count)


@dataclass(frozen=True)
class JsonParts:
    """What lies where in a file.

    Attributes
    ----------
    members : dict of str to Part
    is_whole : bool
        Whether the file comes to its end; of one that does not, the elements that do are listed.
    """

    members: dict[str, Part]
    is_whole: bool


def aligned(count: int) -> int:
    """Return the number of elements nearest to ``count`` at whose multiples a stretch can begin."""
    return max(EVERY, count // EVERY * EVERY)


def json_parts(path: Path) -> JsonParts | None:
    """Return the parts of a file that is one JSON object; None for anything else, and for gzipped files."""
    state = path.stat()
    return _parts(str(path), state.st_size, state.st_mtime_ns)


def json_lines(path: Path) -> Part:
    """Return the lines of a file that hold anything."""
    state = path.stat()
    return _lines(str(path), state.st_size, state.st_mtime_ns)


def value_of(path: Path, part: Part | None, most: int = 1 << 20) -> object:
    """Return a plain value, or a small object or list; None when there is none, or it is larger than so many bytes."""
    return _decoded(text_of(path, part, most))


def text_of(path: Path, part: Part | None, most: int = 1 << 20) -> bytes:
    """Return the text of a value, brackets included; empty when there is none, or it is larger than so many bytes."""
    if part is None or part.stop - part.start > most:
        return b""
    is_nested = len(part.starts) > 0
    with path.open("rb") as file:
        file.seek(part.start - is_nested)
        return file.read(part.stop - part.start + 2 * is_nested).strip()


def _blocks(path: str) -> Iterator[tuple[int, AnyArray]]:
    at = 0
    with Path(path).open("rb") as file:
        while block := file.read(BLOCK):
            if at == 0 and block.startswith(b"\xef\xbb\xbf"):
                block = b"   " + block[3:]
            yield at, np.frombuffer(block, np.uint8)
            at += len(block)


@lru_cache(maxsize=4)
def _parts(path: str, size: int, changed: int) -> JsonParts | None:
    from cimdesk.formats.json_part_kernels import DEPTH, END, fresh_state, outline

    with Path(path).open("rb") as file:
        if not file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
            return None
    state, events, found = fresh_state(), np.empty((MOST_NOTES, 3), dtype=np.int64), []
    for base, data in _blocks(path):
        count = outline(data, base, EVERY, state, events)
        if count < 0:
            return None
        found.append(events[:count].copy())
        if count and events[count - 1, 0] == END:
            break
    notes = np.concatenate(found) if found else events[:0]
    return JsonParts(_members(path, notes, state), bool(state[DEPTH] == 0))


def _members(path: str, notes: AnyArray, state: AnyArray) -> dict[str, Part]:
    from cimdesk.formats.json_part_kernels import CLOSE, COLON, COMMA, COUNT, ELEMENT, END, LAST, OPEN, QUOTE

    members: dict[str, Part] = {}
    breaks = np.append(np.flatnonzero(np.isin(notes[:, 0], (COMMA, END))), len(notes))
    first = 0
    with Path(path).open("rb") as file:
        for stop in breaks.tolist():
            mine = notes[first:stop]
            first = stop + 1
            kinds = mine[:, 0]
            if len(mine) < 3 or kinds[0] != QUOTE or kinds[1] != QUOTE or kinds[2] != COLON:
                continue
            file.seek(int(mine[0, 1]))
            key = _decoded(file.read(int(mine[1, 1] - mine[0, 1]) + 1))
            starts = mine[kinds == ELEMENT][:, 1]
            if OPEN in kinds:
                closed = mine[kinds == CLOSE]
                # Of a list that does not end, what stands before its last comma is whole.
                end, count = (int(closed[0, 1]), int(closed[0, 2])) if len(closed) else (int(state[LAST]), int(state[COUNT]))
                members[str(key)] = Part(int(starts[0]), end, count, starts.copy())
            elif stop < len(notes):
                members[str(key)] = Part(int(mine[2, 1]) + 1, int(notes[stop, 1]), 0, starts)
    return members


def _decoded(text: bytes) -> object:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=4)
def _lines(path: str, size: int, changed: int) -> Part:
    from cimdesk.formats.json_part_kernels import line_starts

    state, starts, found = np.zeros(2, dtype=np.int64), np.empty(BLOCK, dtype=np.int64), []
    for base, data in _blocks(path):
        found.append(starts[: line_starts(data, base, EVERY, state, starts)].copy())
    return Part(0, size, int(state[0]), np.concatenate(found) if found else starts[:0])
