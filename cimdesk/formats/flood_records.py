"""Scenarios and the memory of runs in a file: one zip with ``record.json`` and one raw ``.npy`` for each array.

Numbers and arrays come back to the last bit. Nothing is executed on reading, so a file from elsewhere can do no harm.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.errors import DataError
from cimdesk.formats.atomic import replacing
from cimdesk.model import drainage, flood, flood_inputs, terrain

LARGE = 1_000_000
"""Arrays of more than this many bytes may be left in the file."""
_KIND = "@"
_RECORD = "record.json"
_MODULES = (flood, flood_inputs, drainage, terrain)
_TYPES: dict[str, Any] = {
    name: found for module in _MODULES for name, found in vars(module).items() if isinstance(found, type) and is_dataclass(found)
}
_LEFT_OUT = frozenset({("Terrain", "source")})
"""What is not data: a grid has its cells in memory, whatever terrain they were cut from."""
_BROKEN = (zipfile.BadZipFile, KeyError, ValueError, RuntimeError, EOFError, TypeError, IndexError, OSError)


def write_records(path: Path, value: Any) -> Path:
    """Write dataclasses of the flood model, arrays, numbers, texts, and lists, tuples and mappings of them; whole or not at all.

    Raises
    ------
    DataError
        If it cannot be written.
    TypeError
        If there is anything else in it.
    """
    arrays: list[AnyArray] = []

    def take(array: AnyArray) -> int:
        arrays.append(array)
        return len(arrays) - 1

    record = json.dumps(_encoded(value, take))
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_RECORD, record)
        for number, array in enumerate(arrays):
            with archive.open(f"{number}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)
    return path


def read_records(path: Path, mapped: bool = False) -> Any:
    """Return what `write_records` wrote.

    Parameters
    ----------
    path : Path
    mapped : bool
        Leave large arrays in the file and read of them what is looked at. They cannot be changed, nor are they checked as a whole.

    Raises
    ------
    DataError
        If the file is missing, cut short or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:

            def array(number: int) -> AnyArray:
                if mapped and archive.getinfo(f"{number}.npy").file_size > LARGE:
                    return _mapped(path, archive.getinfo(f"{number}.npy"))
                loaded: AnyArray = np.load(io.BytesIO(archive.read(f"{number}.npy")), allow_pickle=False)
                return loaded

            return _decoded(json.loads(archive.read(_RECORD)), array)
    except _BROKEN as error:
        raise DataError(path, "the file is damaged or cut short ({reason}).", reason=error) from error


def _mapped(path: Path, member: zipfile.ZipInfo) -> AnyArray:
    """Return an array that stays in the file: members are stored as they are."""
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError("an array is packed")
    with path.open("rb") as file:
        file.seek(member.header_offset)
        head = file.read(30)
        if head[:4] != b"PK\x03\x04":
            raise ValueError("an array is not where it should be")
        file.seek(member.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little"))
        begin = file.tell()
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read(file)
        size = file.tell() - begin + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if is_fortran or dtype.hasobject or size != member.file_size:
            raise ValueError("an array is not as long as it says")
        return np.memmap(path, dtype=dtype, mode="r", offset=file.tell(), shape=shape)


def _encoded(value: Any, take: Callable[[AnyArray], int]) -> Any:
    if value is None or (isinstance(value, str | bool | int | float) and not isinstance(value, np.generic)):
        return value
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return {_KIND: "texts", "items": [str(item) for item in value.tolist()]}
    if isinstance(value, np.ndarray | np.generic):
        shape = None if isinstance(value, np.ndarray) else ()
        return {_KIND: "array" if shape is None else "number", "number": take(np.asarray(value))}
    if isinstance(value, list) and len(value) > 1 and all(_is_like(item, value[0]) for item in value):
        return {_KIND: "stack", "number": take(np.stack(value))}
    if isinstance(value, list | tuple):
        return {_KIND: type(value).__name__, "items": [_encoded(item, take) for item in value]}
    if isinstance(value, Mapping):
        return {_KIND: "mapping", "items": {str(key): _encoded(item, take) for key, item in value.items()}}
    if _TYPES.get(type(value).__name__) is type(value):
        kind = type(value).__name__
        kept = {f.name: getattr(value, f.name) for f in fields(value) if (kind, f.name) not in _LEFT_OUT}
        return {_KIND: kind, "items": {name: _encoded(item, take) for name, item in kept.items()}}
    raise TypeError(f"{type(value).__name__} is not kept in a file")


def _is_like(value: Any, first: Any) -> bool:
    are_arrays = isinstance(value, np.ndarray) and isinstance(first, np.ndarray)
    return are_arrays and value.shape == first.shape and value.dtype == first.dtype and not value.dtype.hasobject


def _decoded(value: Any, array: Callable[[int], AnyArray]) -> Any:
    if not isinstance(value, dict):
        return value
    kind = value[_KIND]
    if kind in ("array", "number", "stack"):
        found = array(value["number"])
        return found if kind == "array" else found[()] if kind == "number" else list(found)
    items = value["items"]
    if kind == "texts":
        texts = np.empty(len(items), dtype=object)
        texts[:] = items
        return texts
    if kind in ("list", "tuple"):
        decoded = [_decoded(item, array) for item in items]
        return decoded if kind == "list" else tuple(decoded)
    named = {name: _decoded(item, array) for name, item in items.items()}
    return named if kind == "mapping" else _TYPES[kind](**named)
