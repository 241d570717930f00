"""Bytes of a glTF file: buffers, buffer views (compressed ones too) and accessors as numpy arrays."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.formats.gltf_json import as_dict, as_int, as_list
from cimdesk.formats.meshopt import decode_meshopt
from cimdesk.formats.tiles3d_paths import BrokenPart

MAX_ELEMENTS = 200_000_000
MAX_DECODED = 1 << 29
"""Bytes that the compressed buffer views of one file may unpack to."""
_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5124: "<i4", 5125: "<u4", 5126: "<f4", 5130: "<f8"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}

Resolver = Callable[[str], bytes]


@dataclass
class Buffers:
    """Bytes of a glTF file, by buffer and buffer view."""

    document: Mapping[str, Any]
    binary: bytes
    resolve: Resolver
    _loaded: dict[int, bytes] = field(default_factory=dict)
    _unpacked: dict[int, bytes] = field(default_factory=dict)

    def buffer(self, index: int) -> bytes:
        """Return the bytes of one buffer, wherever it lies."""
        if index not in self._loaded:
            entry = item_of(self.document, "buffers", index)
            uri = entry.get("uri")
            self._loaded[index] = self.binary if uri is None else self.file(str(uri))
        return self._loaded[index]

    def file(self, uri: str) -> bytes:
        """Return the bytes a uri stands for: embedded, or in a file of its own."""
        return data_uri(uri) if uri.startswith("data:") else self.resolve(uri)

    def view(self, index: int) -> bytes:
        """Return the bytes of one buffer view, decompressed."""
        if index in self._unpacked:
            return self._unpacked[index]
        entry = item_of(self.document, "bufferViews", index)
        packed = _meshopt_of(entry)
        if not packed:
            return self._slice(entry)
        room = MAX_DECODED - sum(len(each) for each in self._unpacked.values())
        self._unpacked[index] = decode_meshopt(self._slice(packed), packed, room)
        return self._unpacked[index]

    def stride(self, index: int) -> int:
        """Return the byte stride of a buffer view, 0 when packed."""
        entry = item_of(self.document, "bufferViews", index)
        packed = _meshopt_of(entry)
        if packed and packed.get("mode") == "ATTRIBUTES":
            return as_int(packed.get("byteStride"), 0)
        return as_int(entry.get("byteStride"), 0)

    def _slice(self, entry: Mapping[str, Any]) -> bytes:
        data = self.buffer(as_int(entry.get("buffer"), 0))
        start, length = as_int(entry.get("byteOffset"), 0), as_int(entry.get("byteLength"), 0)
        if start < 0 or length < 0 or start + length > len(data):
            raise BrokenPart(
                "short-buffer", "A buffer view ends after its buffer: {end} of {size} bytes.", end=start + length, size=len(data)
            )
        return data[start : start + length]


def _meshopt_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    extensions = as_dict(entry.get("extensions"))
    return as_dict(extensions.get("KHR_meshopt_compression") or extensions.get("EXT_meshopt_compression"))


def data_uri(uri: str) -> bytes:
    """Return what is embedded in a ``data:`` uri."""
    head, _, body = uri.partition(",")
    try:
        return base64.b64decode(body) if head.endswith(";base64") else body.encode()
    except (binascii.Error, ValueError):
        raise BrokenPart("bad-data-uri", "An embedded buffer is not base64.") from None


def item_of(document: Mapping[str, Any], name: str, index: Any) -> dict[str, Any]:
    """Return an object of one of the lists of the document; raises BrokenPart when there is none."""
    items = as_list(document.get(name))
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(items):
        raise BrokenPart("bad-index", "The content refers to {name} {index}, of which there are {count}.",
                         name=name, index=str(index)[:20], count=len(items))  # fmt: skip
    return as_dict(items[index])


def accessor(document: Mapping[str, Any], buffers: Buffers, index: Any) -> AnyArray:
    """Return (N,) or (N, width) values of an accessor; normalised integers become 0..1 or -1..1.

    Raises
    ------
    BrokenPart
        If it is inconsistent or reaches beyond its buffer.
    """
    entry = item_of(document, "accessors", index)
    dtype_name = _COMPONENTS.get(as_int(entry.get("componentType"), 0))
    width = _WIDTHS.get(str(entry.get("type")), 0)
    count = as_int(entry.get("count"), -1)
    if dtype_name is None or not width or not 0 <= count <= MAX_ELEMENTS:
        raise BrokenPart("bad-accessor", "Accessor {index} has no usable type or count.", index=index)
    dtype = np.dtype(dtype_name)
    if "bufferView" in entry:
        view, start = as_int(entry["bufferView"], -1), as_int(entry.get("byteOffset"), 0)
        values = _strided(buffers.view(view), dtype, width, count, start, buffers.stride(view))
    elif count > MAX_ELEMENTS // 20:
        raise BrokenPart("bad-accessor", "Accessor {index} has no usable type or count.", index=index)
    else:
        values = np.zeros((count, width), dtype)
    if "sparse" in entry:
        values = _with_sparse(values.copy(), as_dict(entry["sparse"]), buffers, dtype, width)
    if entry.get("normalized") is True and dtype.kind in "iu":
        values = np.maximum(values.astype(np.float64) / np.iinfo(dtype).max, -1.0)
    return values[:, 0] if width == 1 else values


def _strided(data: bytes, dtype: np.dtype[Any], width: int, count: int, start: int, stride: int) -> AnyArray:
    size = dtype.itemsize * width
    stride = stride or size
    end = start + (stride * (count - 1) + size if count else 0)
    if start < 0 or stride < size or end > len(data):
        raise BrokenPart("short-buffer", "A buffer view ends after its buffer: {end} of {size} bytes.", end=end, size=len(data))
    return np.ndarray((count, width), dtype, data, start, (stride, dtype.itemsize))


def _with_sparse(values: AnyArray, sparse: dict[str, Any], buffers: Buffers, dtype: np.dtype[Any], width: int) -> AnyArray:
    count = as_int(sparse.get("count"), 0)
    where, what = as_dict(sparse.get("indices")), as_dict(sparse.get("values"))
    index_type = _COMPONENTS.get(as_int(where.get("componentType"), 0))
    if index_type is None or not 0 <= count <= len(values):
        raise BrokenPart("bad-accessor", "A sparse accessor is inconsistent.")
    rows = _strided(
        buffers.view(as_int(where.get("bufferView"), -1)), np.dtype(index_type), 1, count, as_int(where.get("byteOffset"), 0), 0
    )
    news = _strided(buffers.view(as_int(what.get("bufferView"), -1)), dtype, width, count, as_int(what.get("byteOffset"), 0), 0)
    if count and (rows.max() >= len(values) or rows.min() < 0):
        raise BrokenPart("bad-accessor", "A sparse accessor is inconsistent.")
    values[rows[:, 0].astype(np.int64)] = news
    return values
