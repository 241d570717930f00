"""TIFF files that are not here: their directories, and any window of any of their images decoded from the bytes of its tiles alone.

A window is brought as a small TIFF of its own, with the tags of the image and no other tiles, which GDAL decodes in memory: so
every compression that it knows is known here, and it never waits for a network.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import Int
from cimdesk.formats.remote_parts import RemoteParts

MAX_DIRECTORIES = 64
MAX_ENTRIES = 500
MAX_TILES = 20_000_000
MAX_TAG_BYTES = 4 << 20
"""Bytes of a tag that is no list of tiles."""
MOST_BYTES = 256 << 20
"""Packed bytes of one window."""
NEAR, TOGETHER = 1 << 16, 8 << 20
"""Bytes between tiles that are read with them, and bytes read at once."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8"}
_KIND, _WIDTH, _LENGTH, _SAMPLES, _ROWS, _PLANAR = 254, 256, 257, 277, 278, 284
_STRIPS, _STRIP_SIZES, _TILE_WIDTH, _TILE_LENGTH, _TILES, _TILE_SIZES = 273, 279, 322, 323, 324, 325
_REPLACED = {_KIND, _WIDTH, _LENGTH, _ROWS, _STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES, 330, 34665, 34853}
_PLACE = (33550, 33922, 34264, 34735, 34736, 34737)
_VALUES = (42112, 42113)
"""Tags about values, which stand with the first image only."""


class BadTiffError(ValueError):
    """The file is no TIFF, or not one whose parts can be read by themselves."""


@dataclass(frozen=True)
class Tag:
    """The values of a tag as the file has them."""

    kind: int
    count: int
    data: bytes


@dataclass
class Image:
    """One image of the file: the picture itself, a coarser copy, or a mask.

    Attributes
    ----------
    width, height : int
        In pixels.
    tile : tuple of 2 ints
        Width and height of its tiles; of strips, that of the image and the rows of a strip.
    planes : int
        Images that lie one after the other in the lists of tiles.
    is_tiled, is_mask : bool
    tags : dict of int to Tag
    starts, sizes : tuple of (offset, count, code)
        Where the lists of the places and sizes of its tiles are.
    """

    width: int
    height: int
    tile: tuple[int, int]
    planes: int
    is_tiled: bool
    is_mask: bool
    tags: dict[int, Tag]
    starts: tuple[int, int, str]
    sizes: tuple[int, int, str]
    _lists: tuple[Int, Int] | None = field(default=None, repr=False)

    @property
    def across(self) -> tuple[int, int]:
        """Tiles in a row, and rows of tiles."""
        return -(-self.width // self.tile[0]), -(-self.height // self.tile[1])


class TiffParts:
    """A TIFF that is read in parts.

    Attributes
    ----------
    images : list of Image
        The picture and its coarser copies, the finest first.
    masks : list of Image
    """

    def __init__(self, parts: RemoteParts) -> None:
        self.parts = parts
        head = parts.read_at(0, 16)
        self._order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        version = struct.unpack(self._order + "H", head[2:4])[0] if self._order and len(head) == 16 else 0
        if version not in (42, 43):
            raise BadTiffError("it is no TIFF")
        self._is_big = version == 43
        start = struct.unpack(self._order + ("Q" if self._is_big else "I"), head[8:16] if self._is_big else head[4:8])[0]
        found = self._directories(start)
        self.masks = [image for image in found if image.is_mask]
        self.images = sorted((image for image in found if not image.is_mask), key=lambda image: -image.width)
        if not self.images:
            raise BadTiffError("it has no image")
        first = self.images[0]
        # Other pages of a scan are no coarser copies.
        self.images = [
            each for each in self.images if each is first or abs(each.width / first.width - each.height / first.height) < 0.02
        ]

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first number of a tag of the picture itself."""
        return self._number(self.images[0].tags, tag, default)

    def mask_of(self, image: Image) -> Image | None:
        """Return the mask of an image; None where all of it is to be seen."""
        return next((mask for mask in self.masks if (mask.width, mask.height) == (image.width, image.height)), None)

    def excerpt(self, image: Image, window: tuple[int, int, int, int]) -> tuple[bytes, tuple[int, int]]:
        """Return a TIFF of the tiles that meet a window, and the column and row at which it begins in the image.

        Parameters
        ----------
        image : Image
        window : tuple of 4 ints
            Left, top, right and bottom in its pixels.

        Raises
        ------
        BadTiffError
            If it would be too large, or its tiles lie outside the file.
        ServiceError
            If they cannot be had.
        """
        wide, high = image.tile
        columns, rows = image.across
        first = (max(0, window[0] // wide), max(0, window[1] // high))
        last = (min(columns, -(-window[2] // wide)), min(rows, -(-window[3] // high)))
        starts, sizes = self._lists(image)
        plane = np.arange(image.planes)[:, None, None] * (columns * rows)
        chosen = (plane + np.arange(first[1], last[1])[:, None] * columns + np.arange(first[0], last[0])).ravel()
        blocks = self._blocks(starts[chosen], sizes[chosen])
        bottom = min(last[1] * high, image.height) if not image.is_tiled else last[1] * high
        size = ((last[0] - first[0]) * wide, bottom - first[1] * high)
        return self._written(image, size, blocks, is_placed=False), (first[0] * wide, first[1] * high)

    def description(self) -> bytes:
        """Return a TIFF of one empty tile that says of place, kind and values what the file does."""
        image = self.images[0]
        size = image.tile if image.is_tiled else (image.width, min(image.tile[1], image.height))
        return self._written(image, size, [b""] * image.planes, is_placed=True)

    # --- directories ---------------------------------------------------------------------------------------------------

    def _directories(self, start: int) -> list[Image]:
        found: list[Image] = []
        seen: set[int] = set()
        waiting = [start]
        while waiting and len(found) < MAX_DIRECTORIES:
            at = waiting.pop(0)
            if not 8 <= at < self.parts.size or at in seen:
                continue
            seen.add(at)
            after, image, below = self._directory(at)
            if image is not None:
                found.append(image)
            waiting += [*below, after]
        return found

    def _directory(self, at: int) -> tuple[int, Image | None, list[int]]:
        form, head, entry, inline = ("Q", 8, 20, 8) if self._is_big else ("H", 2, 12, 4)
        count = struct.unpack(self._order + form, self._exact(at, head))[0]
        if count > MAX_ENTRIES:
            raise BadTiffError("a directory has too many entries")
        data = self._exact(at + head, count * entry)
        tags: dict[int, Tag] = {}
        lists: dict[int, tuple[int, int, str]] = {}
        for k in range(count):
            tag, kind = struct.unpack_from(self._order + "HH", data, k * entry)
            number = struct.unpack_from(self._order + ("Q" if self._is_big else "I"), data, k * entry + 4)[0]
            size = number * _SIZES.get(kind, 0)
            where = at + head + k * entry + entry - inline
            if size > inline:
                where = struct.unpack_from(self._order + ("Q" if self._is_big else "I"), data, (k + 1) * entry - inline)[0]
            if tag in (_STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES) and kind in _CODES:
                lists[tag] = (where, number, self._order + _CODES[kind])
            elif 0 < size <= MAX_TAG_BYTES:
                tags[tag] = Tag(kind, number, self._exact(where, size))
        after = struct.unpack(self._order + ("Q" if self._is_big else "I"), self._exact(at + head + count * entry, inline))[0]
        below = self._numbers(tags.pop(330)) if 330 in tags else []
        return after, self._image(tags, lists), below

    def _image(self, tags: dict[int, Tag], lists: dict[int, tuple[int, int, str]]) -> Image | None:
        is_tiled = _TILES in lists
        starts, sizes = lists.get(_TILES if is_tiled else _STRIPS), lists.get(_TILE_SIZES if is_tiled else _STRIP_SIZES)
        width, height = self._number(tags, _WIDTH), self._number(tags, _LENGTH)
        if starts is None or sizes is None or width <= 0 or height <= 0:
            return None
        tile = (self._number(tags, _TILE_WIDTH), self._number(tags, _TILE_LENGTH)) if is_tiled else (
            width, min(self._number(tags, _ROWS, height), height))  # fmt: skip
        planes = self._number(tags, _SAMPLES, 1) if self._number(tags, _PLANAR, 1) == 2 else 1
        kind = self._number(tags, _KIND, 0)
        if min(tile) <= 0 or not 0 < planes <= 64:
            return None
        image = Image(width, height, tile, planes, is_tiled, bool(kind & 4), tags, starts, sizes)
        needed = int(np.prod(image.across)) * planes
        if not needed <= min(starts[1], sizes[1]) or needed > MAX_TILES:
            raise BadTiffError("its lists of tiles are too short or too long")
        return image

    def _lists(self, image: Image) -> tuple[Int, Int]:
        if image._lists is None:
            found = []
            for where, count, code in (image.starts, image.sizes):
                found.append(np.frombuffer(self._exact(where, count * np.dtype(code).itemsize), code).astype(np.int64))
            image._lists = found[0], found[1]
        return image._lists

    def _number(self, tags: dict[int, Tag], name: int, default: int = 0) -> int:
        values = self._numbers(tags[name]) if name in tags else []
        return values[0] if values else default

    def _numbers(self, tag: Tag) -> list[int]:
        code = _CODES.get(tag.kind)
        return [] if code is None else [int(value) for value in np.frombuffer(tag.data, self._order + code)]

    def _exact(self, offset: int, size: int) -> bytes:
        data = self.parts.read_at(offset, size) if 0 <= offset <= self.parts.size else b""
        if len(data) < size:
            raise BadTiffError("it ends too soon")
        return data

    # --- windows -------------------------------------------------------------------------------------------------------

    def _blocks(self, starts: Int, sizes: Int) -> list[bytes]:
        """Return the bytes of tiles; those that lie near one another are asked for together."""
        is_there = (starts > 0) & (sizes > 0)
        if (starts[is_there] + sizes[is_there] > self.parts.size).any() or int(sizes[is_there].sum()) > MOST_BYTES:
            raise BadTiffError("its tiles lie outside the file, or are too many at once")
        blocks = [b""] * len(starts)
        run: list[int] = []
        for k in [*np.flatnonzero(is_there)[np.argsort(starts[is_there], kind="stable")].tolist(), -1]:
            is_far = k < 0 or (run and int(starts[k] - starts[run[-1]] - sizes[run[-1]]) > NEAR)
            if run and (is_far or int(starts[k] + sizes[k] - starts[run[0]]) > TOGETHER):
                begin = int(starts[run[0]])
                data = self.parts.read_at(begin, max(int(starts[j] + sizes[j]) for j in run) - begin)
                for j in run:
                    blocks[j] = data[int(starts[j]) - begin : int(starts[j] + sizes[j]) - begin]
                run = []
            run.append(k)
        return blocks

    def _written(self, image: Image, size: tuple[int, int], blocks: Sequence[bytes], is_placed: bool) -> bytes:
        """Return a BigTIFF of these tiles with the tags of an image, and those of its place or any other place."""
        tags = {name: tag for name, tag in image.tags.items() if name not in _REPLACED and (is_placed or name not in _PLACE)}
        for name in _VALUES:
            if name not in tags and name in self.images[0].tags:
                tags[name] = self.images[0].tags[name]
        if not is_placed:
            tags[33550] = Tag(12, 3, struct.pack(self._order + "3d", 1.0, 1.0, 0.0))
            tags[33922] = Tag(12, 6, struct.pack(self._order + "6d", 0.0, 0.0, 0.0, 1.0, 1.0, 0.0))
        places, body = [], bytearray()
        for block in blocks:
            places.append(len(body) if block else -1)
            body += block
        numbers: dict[int, Any] = {_WIDTH: [size[0]], _LENGTH: [size[1]]}
        if not image.is_tiled:
            numbers[_ROWS] = [image.tile[1]]
        begin, listed = (_TILES, _TILE_SIZES) if image.is_tiled else (_STRIPS, _STRIP_SIZES)
        numbers[listed] = [len(block) for block in blocks]
        numbers[begin] = [0] * len(blocks)
        count = len(tags) + len(numbers)
        outside = 16 + 8 + 20 * count + 8
        large = sum(len(tag.data) + 8 for tag in tags.values()) + sum(8 * len(values) for values in numbers.values())
        shift = outside + large
        numbers[begin] = [place + shift if place >= 0 else 0 for place in places]
        for name, values in numbers.items():
            tags[name] = Tag(16, len(values), struct.pack(f"{self._order}{len(values)}Q", *values))
        entries, values_part = bytearray(), bytearray()
        for name in sorted(tags):
            tag = tags[name]
            value = tag.data.ljust(8, b"\0")
            if len(tag.data) > 8:
                value = struct.pack(self._order + "Q", outside + len(values_part))
                values_part += tag.data + b"\0" * (-len(tag.data) % 8)
            entries += struct.pack(self._order + "HHQ", name, tag.kind, tag.count) + value
        head = (b"II" if self._order == "<" else b"MM") + struct.pack(self._order + "HHHQ", 43, 8, 0, 16)
        directory = struct.pack(self._order + "Q", count) + bytes(entries) + struct.pack(self._order + "Q", 0)
        return head + directory + bytes(values_part).ljust(large, b"\0") + bytes(body)


def _is_copy(image: Image, first: Image) -> bool:
    return image.width < first.width and abs(image.width / first.width - image.height / first.height) < 0.02
