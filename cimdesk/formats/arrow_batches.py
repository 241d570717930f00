"""Tables that GDAL hands on batch by batch in the C interface of Arrow, as numpy arrays.

https://arrow.apache.org/docs/format/CStreamInterface.html; no library for Arrow is needed for the few types that are read here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray

_NUMBERS = {"c": "i1", "C": "u1", "s": "<i2", "S": "<u2", "i": "<i4", "I": "<u4", "l": "<i8", "L": "<u8", "f": "<f4", "g": "<f8"}
_OFFSETS = {"u": "<i4", "z": "<i4", "U": "<i8", "Z": "<i8"}


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))),
    ("private_data", ctypes.c_void_p),
]
_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))),
    ("private_data", ctypes.c_void_p),
]
_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]


def batches(source: Any) -> Iterator[dict[str, AnyArray]]:
    """Yield batches of a table by the names of its columns.

    Numbers stay numbers where none is missing, and are float64 with NaN otherwise; texts and bytes are objects with None for gaps.
    Columns of other types are left out.

    Parameters
    ----------
    source
        With ``__arrow_c_stream__``.

    Raises
    ------
    RuntimeError
        With what the source says when it cannot go on.
    """
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsule = source.__arrow_c_stream__()
    stream = ctypes.cast(pointer_of(capsule, b"arrow_array_stream"), ctypes.POINTER(_Stream))
    schema = _Schema()
    _checked(stream, stream.contents.get_schema(stream, ctypes.byref(schema)))
    try:
        columns = [schema.children[k].contents for k in range(schema.n_children)]
        kinds = [(column.name.decode(), column.format.decode()) for column in columns]
        while True:
            array = _Array()
            _checked(stream, stream.contents.get_next(stream, ctypes.byref(array)))
            if not array.release:
                return
            try:
                batch = {
                    name: _values(array.children[k].contents, kind)
                    for k, (name, kind) in enumerate(kinds)
                    if kind in _NUMBERS or kind in _OFFSETS
                }
            finally:
                array.release(ctypes.byref(array))
            yield batch
    finally:
        schema.release(ctypes.byref(schema))


def _checked(stream: Any, status: int) -> None:
    if status:
        said = stream.contents.get_last_error(stream)
        raise RuntimeError(said.decode("utf-8", "replace") if said else f"status {status}")


def _values(array: _Array, kind: str) -> AnyArray:
    """Return a copy of the values of a column."""
    valid = _valid(array)
    if kind in _NUMBERS:
        numbers = _buffer(array, 1, np.dtype(_NUMBERS[kind]), array.offset, array.length)
        return numbers if valid.all() else np.where(valid, numbers.astype(np.float64), np.nan)
    offsets = _buffer(array, 1, np.dtype(_OFFSETS[kind]), array.offset, array.length + 1)
    out = np.full(array.length, None, dtype=object)
    if not array.length:
        return out
    first = int(offsets[0])
    data = ctypes.string_at((array.buffers[2] or 0) + first, int(offsets[-1]) - first) if offsets[-1] > first else b""
    places = (offsets - first).tolist()
    rows = np.flatnonzero(valid).tolist()
    pieces = [data[places[row] : places[row + 1]] for row in rows]
    filled = np.empty(len(rows), dtype=object)
    filled[:] = [piece.decode("utf-8", "replace") for piece in pieces] if kind in "uU" else pieces
    out[rows] = filled
    return out


def _valid(array: _Array) -> AnyArray:
    if not array.null_count or not array.buffers[0]:
        return np.ones(array.length, dtype=bool)
    size = (array.offset + array.length + 7) // 8
    bits = np.frombuffer(ctypes.string_at(array.buffers[0], size), np.uint8)
    return np.unpackbits(bits, bitorder="little")[array.offset : array.offset + array.length].astype(bool)


def _buffer(array: _Array, number: int, dtype: np.dtype[Any], offset: int, count: int) -> AnyArray:
    address = array.buffers[number]
    if not address or not count:
        return np.zeros(count, dtype=dtype)
    return np.frombuffer(ctypes.string_at(address + offset * dtype.itemsize, count * dtype.itemsize), dtype)
