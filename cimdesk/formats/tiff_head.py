"""What a TIFF says of its samples, read without opening it: whether it is a picture or a grid of values."""

from __future__ import annotations

import struct
from pathlib import Path

PHOTOMETRIC, SAMPLE_FORMAT = 262, 339
RGB, PALETTE, YCBCR = 2, 3, 6
MAX_ENTRIES = 1000


def looks_like_picture(path: Path) -> bool:
    """Return whether a TIFF holds colours: red, green and blue, a palette, or JPEG; a single grey band may be anything."""
    tags = tiff_tags(path)
    is_float = tags.get(SAMPLE_FORMAT, 1) == 3
    return tags.get(PHOTOMETRIC, -1) in (RGB, PALETTE, YCBCR) and not is_float


def tiff_tags(path: Path) -> dict[int, int]:
    """Return the first value of the whole-number tags of the first directory; empty for what is no TIFF."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
            order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
            if not order or len(head) < 16:
                return {}
            is_big = struct.unpack(order + "H", head[2:4])[0] == 43
            file.seek(struct.unpack(order + ("Q" if is_big else "I"), head[8:16] if is_big else head[4:8])[0])
            count = struct.unpack(order + ("Q" if is_big else "H"), file.read(8 if is_big else 2))[0]
            size, where = (20, 12) if is_big else (12, 8)
            data = file.read(min(count, MAX_ENTRIES) * size)
            tags = {}
            for at in range(0, len(data) - size + 1, size):
                tag, kind = struct.unpack(order + "HH", data[at : at + 4])
                form = {1: "B", 3: "H", 4: "I"}.get(kind)
                number = struct.unpack(order + ("Q" if is_big else "I"), data[at + 4 : at + where])[0]
                width = {"B": 1, "H": 2, "I": 4}.get(form or "", 9)
                if form is None:
                    continue
                if number * width <= size - where:
                    tags[tag] = struct.unpack(order + form, data[at + where : at + where + width])[0]
                else:
                    place = struct.unpack(order + ("Q" if is_big else "I"), data[at + where : at + size])[0]
                    file.seek(place)
                    tags[tag] = struct.unpack(order + form, file.read(width))[0]
            return tags
    except (OSError, struct.error, OverflowError, ValueError):
        return {}
