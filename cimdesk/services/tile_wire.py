"""Messages between the window and the processes that decode tiles: pickled objects beside the plain memory of their arrays."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any

import numpy as np

_HEAD = struct.Struct("<II")
_ALIGNMENT = 64
"""Bytes at whose multiples arrays begin."""


def send(line: IO[bytes], *parts: Any) -> None:
    """Write a message, whose parts are pickled one by one: while one is read, nothing else runs in the interpreter that reads it.

    Parameters
    ----------
    line : binary file
    parts : objects
        Made of plain values, arrays and records of the program.
    """
    arrays: list[pickle.PickleBuffer] = []
    pickles = [pickle.dumps(part, protocol=5, buffer_callback=arrays.append) for part in parts]
    chunks = [*(memoryview(each) for each in pickles), *(array.raw() for array in arrays)]
    sizes = np.array([chunk.nbytes for chunk in chunks], dtype="<u8")
    line.write(_HEAD.pack(len(pickles), len(arrays)) + sizes.tobytes())
    for chunk, gap in zip(chunks, (-sizes.astype(np.int64) % _ALIGNMENT).tolist(), strict=True):
        line.write(chunk)
        line.write(bytes(gap))
    line.flush()


def receive(line: IO[bytes]) -> list[Any]:
    """Read a message and return its parts; arrays are views of one piece of memory.

    Raises
    ------
    EOFError
        If the other end is gone.
    """
    pickles, arrays = _HEAD.unpack(_read(line, _HEAD.size))
    sizes = np.frombuffer(_read(line, 8 * (pickles + arrays)), dtype="<u8").astype(np.int64)
    ends = np.cumsum(sizes + -sizes % _ALIGNMENT)
    memory = _read(line, int(ends[-1]))
    chunks = [memory[end - size - -size % _ALIGNMENT :][:size] for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)]
    rest = iter(chunks[pickles:])
    return [pickle.loads(chunk, buffers=rest) for chunk in chunks[:pickles]]


def _read(line: IO[bytes], size: int) -> memoryview:
    memory = np.empty(size, dtype=np.uint8).data
    got = 0
    while got < size:
        count = line.readinto(memory[got:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        got += count
    return memory
