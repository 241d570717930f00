"""Availability of implicit tiles: subtree files (binary and JSON), bitstreams and Morton order."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Int
from cimdesk.formats.gltf_json import as_dict, as_int, as_list, json_object
from cimdesk.formats.tiles3d_paths import BrokenPart

MAX_SUBTREE_TILES = 8_000_000


@dataclass(frozen=True)
class Subtree:
    """What one subtree file says.

    Attributes
    ----------
    tiles : (N,) bool
        Tiles that exist, level by level, each level in Morton order.
    contents : list of (N,) bool
        For each content of the template, tiles that have it.
    children : (C,) bool
        Subtrees that hang below, in Morton order of the level after the last.
    document : dict
    view : callable
        Gives the bytes of a buffer view, for metadata.
    """

    tiles: Bool
    contents: list[Bool]
    children: Bool
    document: dict[str, Any]
    view: Callable[[int], bytes]


def tiles_in_levels(levels: int, branching: int) -> int:
    """Return the number of tiles of a full tree with this many levels."""
    return int((branching**levels - 1) // (branching - 1))


def read_subtree(data: bytes, levels: int, branching: int, resolve: Callable[[str], bytes]) -> Subtree:
    """Read a subtree, binary (``subt``) or JSON.

    Parameters
    ----------
    data : bytes
    levels, branching : int
        Levels in the subtree, and children per tile (4 or 8).
    resolve : callable
        Gives the bytes of a buffer kept in a file of its own.

    Raises
    ------
    BrokenPart
        If it is cut off or inconsistent.
    """
    binary = b""
    if data[:4] == b"subt":
        if len(data) < 24:
            raise BrokenPart("bad-subtree", "The subtree ends in its header.")
        json_size, binary_size = struct.unpack_from("<QQ", data, 8)
        if 24 + json_size + binary_size > len(data):
            raise BrokenPart("bad-subtree", "The subtree says {said} bytes and has {size}.",
                             said=24 + json_size + binary_size, size=len(data))  # fmt: skip
        document = json_object(data[24 : 24 + json_size])
        binary = data[24 + json_size : 24 + json_size + binary_size]
    else:
        document = json_object(data)
    count = tiles_in_levels(levels, branching)
    if count > MAX_SUBTREE_TILES:
        raise BrokenPart("bad-subtree", "A subtree of {levels} levels is too large.", levels=levels)
    bits = _Bits(document, binary, resolve)
    contents = document.get("contentAvailability")
    return Subtree(
        bits.read(document.get("tileAvailability"), count),
        [bits.read(each, count) for each in (contents if isinstance(contents, list) else [contents] if contents else [])],
        bits.read(document.get("childSubtreeAvailability"), branching**levels),
        document,
        bits.view,
    )


@dataclass(frozen=True)
class _Bits:
    document: dict[str, Any]
    binary: bytes
    resolve: Callable[[str], bytes]

    def read(self, availability: Any, count: int) -> Bool:
        """Return (count,) bool of an availability object: a constant or a bitstream, first bit lowest."""
        entry = as_dict(availability)
        if "constant" in entry:
            return np.full(count, as_int(entry["constant"], int(entry["constant"] is True)) == 1)
        data = self.view(as_int(entry.get("bitstream", entry.get("bufferView")), -1))
        if len(data) * 8 < count:
            raise BrokenPart("bad-subtree", "An availability has {found} of {wanted} bits.", found=len(data) * 8, wanted=count)
        return np.unpackbits(np.frombuffer(data, np.uint8), count=count, bitorder="little").astype(bool)

    def view(self, index: int) -> bytes:
        """Return the bytes of a buffer view."""
        views = as_list(self.document.get("bufferViews"))
        if not 0 <= index < len(views):
            raise BrokenPart("bad-subtree", "An availability has neither a constant nor a bitstream.")
        view = as_dict(views[index])
        buffers = as_list(self.document.get("buffers"))
        number = as_int(view.get("buffer"), -1)
        if not 0 <= number < len(buffers):
            raise BrokenPart("bad-subtree", "The subtree refers to a buffer that it does not have.")
        uri = as_dict(buffers[number]).get("uri")
        data = self.binary if uri is None else self.resolve(str(uri))
        start, length = as_int(view.get("byteOffset"), 0), as_int(view.get("byteLength"), 0)
        if start < 0 or length < 0 or start + length > len(data):
            raise BrokenPart("short-buffer", "A buffer view ends after its buffer: {end} of {size} bytes.",
                             end=start + length, size=len(data))  # fmt: skip
        return data[start : start + length]


def from_morton(codes: Int, dimensions: int) -> AnyArray:
    """Return (N, dimensions) int64 coordinates of Morton codes, x in the lowest bits."""
    out = np.zeros((len(codes), dimensions), dtype=np.int64)
    rest = codes.astype(np.int64)
    bit = 0
    while rest.any():
        for axis in range(dimensions):
            out[:, axis] |= (rest & 1) << bit
            rest >>= 1
        bit += 1
    return out
