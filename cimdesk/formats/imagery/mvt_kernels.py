"""Compiled inner loop of vector tiles: the features of a layer, from bytes to points. Nothing is read outside a feature."""

from __future__ import annotations

import numpy as np

from cimdesk.base.compiled import njit


@njit(nogil=True, cache=True, error_model="numpy")
def read_varint(data, at, end):  # type: ignore[no-untyped-def]
    """Return a base-128 number and where it ends; -1 where it is cut off."""
    value = np.int64(0)
    shift = 0
    while at < end and shift < 63:
        byte = np.int64(data[at])
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    return value, -1


@njit(nogil=True, cache=True, error_model="numpy")
def decode_features(data, spans, key_count, value_count, kinds, points, starts, owners, tags, tag_owners):  # type: ignore[no-untyped-def]
    """Fill the arrays of `mvt.VectorPart`; return how many points, rings and tags there are.

    A feature that is cut off or breaks the rules of commands keeps the kind 0 and has no rings.
    """
    count = rings = tagged = 0
    for feature in range(spans.shape[0]):
        at, end = spans[feature, 0], spans[feature, 1]
        kind = 0
        geometry, geometry_end = -1, -1
        first_tag = tagged
        good = True
        while at < end:
            key, at = read_varint(data, at, end)
            if at < 0:
                good = False
                break
            wire, number = key & 7, key >> 3
            if wire == 0:
                value, at = read_varint(data, at, end)
                if at < 0:
                    good = False
                    break
                if number == 3:
                    kind = value if 0 <= value <= 3 else 0
                continue
            if wire == 2:
                size, at = read_varint(data, at, end)
            elif wire == 1:
                size = 8
            elif wire == 5:
                size = 4
            else:
                size = -1
            if at < 0 or size < 0 or size > end - at:
                good = False
                break
            if wire == 2 and number == 2:
                place = at
                while place >= 0 and place < at + size:
                    a, place = read_varint(data, place, at + size)
                    if place < 0:
                        break
                    b, place = read_varint(data, place, at + size)
                    if place < 0:
                        break
                    if 0 <= a < key_count and 0 <= b < value_count:
                        tags[tagged, 0], tags[tagged, 1] = a, b
                        tag_owners[tagged] = feature
                        tagged += 1
            elif wire == 2 and number == 4:
                geometry, geometry_end = at, at + size
            at += size
        if not good or geometry < 0 or kind == 0:
            tagged = first_tag
            continue
        first_point, first_ring = count, rings
        x = y = np.int64(0)
        at = geometry
        while at < geometry_end:
            command, at = read_varint(data, at, geometry_end)
            if at < 0:
                good = False
                break
            repeat = command >> 3
            command = command & 7
            if command == 7:
                continue
            # A point takes two bytes at least; a count beyond that is a lie.
            if command not in (1, 2) or repeat < 1 or 2 * repeat > geometry_end - at:
                good = False
                break
            if command == 1 and (kind != 1 or rings == first_ring):
                starts[rings] = count
                owners[rings] = feature
                rings += 1
            elif command == 2 and rings == first_ring:
                good = False
                break
            for _ in range(repeat):
                dx, at = read_varint(data, at, geometry_end)
                if at < 0:
                    good = False
                    break
                dy, at = read_varint(data, at, geometry_end)
                if at < 0:
                    good = False
                    break
                x += (dx >> 1) ^ -(dx & 1)
                y += (dy >> 1) ^ -(dy & 1)
                points[count, 0], points[count, 1] = x, y
                count += 1
            if not good:
                break
        if good:
            kinds[feature] = kind
        else:
            count, rings, tagged = first_point, first_ring, first_tag
    return count, rings, tagged
