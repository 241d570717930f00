"""Inner loops of the meshoptimizer decoders, compiled. Import inside functions: it loads numba."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, UInt8
from cimdesk.base.compiled import njit


@njit(cache=True, nogil=True)
def unpack_attributes(packed: UInt8, out: UInt8) -> bool:
    """Decode a version 0 vertex stream into ``out`` (N, stride); return whether it holds together.

    Blocks of up to 256 vertices, byte by byte of a vertex: groups of sixteen zigzag differences in 0, 2, 4 or 8 bits each.
    """
    count, stride = out.shape
    tail = max(32, stride)
    end = len(packed) - tail
    last = packed[len(packed) - stride :].copy()
    most = min((8192 // stride) // 16 * 16, 256)
    buffer = np.zeros(256, dtype=np.uint8)
    at = 1
    for start in range(0, count, most):
        size = min(most, count - start)
        groups = (size + 15) // 16
        for k in range(stride):
            header = at
            at += (groups + 3) // 4
            if at > end:
                return False
            for group in range(groups):
                bits = (packed[header + group // 4] >> ((group % 4) * 2)) & 3
                at = unpack_group(packed, at, end, bits, buffer, group * 16)
                if at < 0:
                    return False
            value = last[k]
            for i in range(size):
                code = buffer[i]
                step = (code >> 1) ^ (255 if code & 1 else 0)
                value = np.uint8((value + step) & 255)
                out[start + i, k] = value
            last[k] = value
    return bool(at == end)


@njit(cache=True, nogil=True)
def unpack_group(packed: UInt8, at: int, end: int, bits: int, buffer: UInt8, start: int) -> int:
    """Decode sixteen bytes; return where the next group begins, -1 when the data ends before."""
    if bits == 0:
        buffer[start : start + 16] = 0
        return at
    if bits == 3:
        if at + 16 > end:
            return -1
        buffer[start : start + 16] = packed[at : at + 16]
        return at + 16
    width = 2 if bits == 1 else 4
    full = (1 << width) - 1
    extra = at + 2 * width
    if extra > end:
        return -1
    for i in range(16):
        bit = i * width
        value = (packed[at + bit // 8] >> (8 - width - bit % 8)) & full
        if value == full:
            if extra >= end:
                return -1
            value = packed[extra]
            extra += 1
        buffer[start + i] = value
    return extra


@njit(cache=True, nogil=True)
def unpack_indices(packed: UInt8, out: AnyArray) -> bool:
    """Decode an index sequence: differences to one of two last indices."""
    end = len(packed) - 4
    at = 1
    last = np.zeros(2, dtype=np.int64)
    for i in range(len(out)):
        value, at = read_varint(packed, at, end)
        if at < 0:
            return False
        which = value & 1
        value >>= 1
        last[which] = (last[which] + ((value >> 1) ^ -(value & 1))) & 0xFFFFFFFF
        out[i] = last[which]
    return at == end


@njit(cache=True, nogil=True)
def read_varint(packed: UInt8, at: int, end: int) -> tuple[np.int64, int]:
    """Return a number of up to 32 bits in groups of seven, lowest first, and where the next one begins (-1: too short)."""
    value = np.int64(0)
    for k in range(5):
        if at >= end:
            return np.int64(0), -1
        byte = np.int64(packed[at])
        at += 1
        value |= (byte & 127) << (7 * k)
        if byte < 128:
            break
    return np.int64(value & 0xFFFFFFFF), at


@njit(cache=True, nogil=True)
def read_delta(packed: UInt8, at: int, end: int, last: np.int64) -> tuple[np.int64, int]:
    """Return ``last`` moved by a zigzag difference, and where the next number begins (-1: too short, then and ever after)."""
    if at < 0:
        return last, -1
    value, after = read_varint(packed, at, end)
    return np.int64((last + ((value >> 1) ^ -(value & 1))) & 0xFFFFFFFF), after


@njit(cache=True, nogil=True)
def unpack_triangles(packed: UInt8, out: AnyArray) -> bool:
    """Decode an index buffer: triangles as edges and vertices seen lately, a byte each, with escapes."""
    count = len(out)
    code_at = 1
    at = 1 + count // 3
    end = len(packed) - 16
    free = 13 if packed[0] & 15 >= 1 else 15
    edges = np.full((16, 2), 0xFFFFFFFF, dtype=np.int64)
    vertices = np.full(16, 0xFFFFFFFF, dtype=np.int64)
    edge_at = vertex_at = 0
    fresh = 0
    last = np.int64(0)
    for i in range(0, count, 3):
        code = np.int64(packed[code_at])
        code_at += 1
        if code < 0xF0:
            edge = (edge_at - 1 - (code >> 4)) & 15
            a, b = edges[edge, 0], edges[edge, 1]
            fec = code & 15
            is_new = True
            if fec < free:
                c = fresh if fec == 0 else vertices[(vertex_at - 1 - fec) & 15]
                is_new = fec == 0
                fresh += 1 if is_new else 0
            elif fec != 15:
                c = (last + (1 if fec == 14 else -1)) & 0xFFFFFFFF
                last = c
            else:
                last, at = read_delta(packed, at, end, last)
                c = last
            vertices[vertex_at] = c
            vertex_at = (vertex_at + (1 if is_new else 0)) & 15
        else:
            if code < 0xFE:
                aux = np.int64(packed[end + (code & 15)])
                fea = 0
            else:
                if at >= end:
                    return False
                aux = np.int64(packed[at])
                at += 1
                fea = 0 if code == 0xFE else 15
                if aux == 0:
                    fresh = 0
            feb, fec = aux >> 4, aux & 15
            a = b = c = np.int64(0)
            if fea == 0:
                a = fresh
                fresh += 1
            if feb == 0:
                b = fresh
                fresh += 1
            else:
                b = vertices[(vertex_at - feb) & 15]
            if fec == 0:
                c = fresh
                fresh += 1
            else:
                c = vertices[(vertex_at - fec) & 15]
            if code >= 0xFE:
                if fea == 15:
                    last, at = read_delta(packed, at, end, last)
                    a = last
                if feb == 15:
                    last, at = read_delta(packed, at, end, last)
                    b = last
                if fec == 15:
                    last, at = read_delta(packed, at, end, last)
                    c = last
            vertices[vertex_at] = a
            vertex_at = (vertex_at + 1) & 15
            vertices[vertex_at] = b
            vertex_at = (vertex_at + (1 if feb in (0, 15) else 0)) & 15
            vertices[vertex_at] = c
            vertex_at = (vertex_at + (1 if fec in (0, 15) else 0)) & 15
            edges[edge_at, 0], edges[edge_at, 1] = b, a
            edge_at = (edge_at + 1) & 15
        edges[edge_at, 0], edges[edge_at, 1] = c, b
        edge_at = (edge_at + 1) & 15
        edges[edge_at, 0], edges[edge_at, 1] = a, c
        edge_at = (edge_at + 1) & 15
        if at < 0:
            return False
        out[i], out[i + 1], out[i + 2] = a, b, c
    return at == end


@njit(cache=True, nogil=True)
def unpack_attributes_1(packed: UInt8, out: UInt8) -> bool:
    """Decode a version 1 vertex stream into ``out`` (N, stride); return whether it holds together.

    As version 0, and: bytes that do not change or are kept as they are, groups in 1 bit, and differences of 2 or 4 bytes at once.
    """
    count, stride = out.shape
    words = stride // 4
    tail = len(packed) - stride - words
    end = len(packed) - max(stride + words, 24)
    last = packed[tail : tail + stride].copy()
    channels = packed[tail + stride :]
    most = min((8192 // stride) // 16 * 16, 256)
    steps = np.zeros((4, 256), dtype=np.uint8)
    at = 1
    for start in range(0, count, most):
        size = min(most, count - start)
        control = at
        at += words
        if at > end:
            return False
        for word in range(words):
            for k in range(4):
                at = unpack_lane(packed, at, end, (packed[control + word] >> (2 * k)) & 3, size, steps[k])
                if at < 0:
                    return False
            if not add_steps(steps, size, channels[word], last[4 * word : 4 * word + 4], out[start : start + size, 4 * word :]):
                return False
    return bool(at == end)


@njit(cache=True, nogil=True)
def unpack_lane(packed: UInt8, at: int, end: int, control: int, size: int, steps: UInt8) -> int:
    """Decode the differences of one byte of a block; return where the next begin, -1 when the data ends before."""
    if control == 2:
        steps[:size] = 0
        return at
    if control == 3:
        if at + size > end:
            return -1
        steps[:size] = packed[at : at + size]
        return at + size
    groups = (size + 15) // 16
    header = at
    at += (groups + 3) // 4
    if at > end:
        return -1
    for group in range(groups):
        level = ((packed[header + group // 4] >> ((group % 4) * 2)) & 3) + control
        # Levels are none, 1, 2, 4 and 8 bits; those beside the single bit are as in version 0.
        if level == 1:
            at = unpack_bits(packed, at, end, steps, group * 16)
        else:
            at = unpack_group(packed, at, end, max(level - 1, 0), steps, group * 16)
        if at < 0:
            return -1
    return at


@njit(cache=True, nogil=True)
def unpack_bits(packed: UInt8, at: int, end: int, buffer: UInt8, start: int) -> int:
    """Decode sixteen bytes of one bit each, lowest first, set ones as a byte of their own; -1 when the data ends before."""
    extra = at + 2
    if extra > end:
        return -1
    for i in range(16):
        value = np.uint8((packed[at + i // 8] >> (i % 8)) & 1)
        if value:
            if extra >= end:
                return -1
            value = packed[extra]
            extra += 1
        buffer[start + i] = value
    return extra


@njit(cache=True, nogil=True)
def add_steps(steps: UInt8, size: int, channel: int, last: UInt8, out: UInt8) -> bool:
    """Write four bytes of each vertex of a block from their differences, and keep the last; return whether the kind is known."""
    kind, turn = channel & 3, channel >> 4
    if kind == 3:
        return False
    for i in range(size):
        if kind == 2:
            step = np.int64(0)
            value = np.int64(0)
            for k in range(4):
                step |= np.int64(steps[k, i]) << (8 * k)
                value |= np.int64(last[k]) << (8 * k)
            value ^= ((step >> turn) | (step << (32 - turn))) & 0xFFFFFFFF
            for k in range(4):
                last[k] = np.uint8((value >> (8 * k)) & 255)
        elif kind == 1:
            for k in (0, 2):
                code = np.int64(steps[k, i]) | (np.int64(steps[k + 1, i]) << 8)
                wide = (np.int64(last[k]) | (np.int64(last[k + 1]) << 8)) + ((code >> 1) ^ -(code & 1))
                last[k], last[k + 1] = np.uint8(wide & 255), np.uint8((wide >> 8) & 255)
        else:
            for k in range(4):
                code = np.int64(steps[k, i])
                last[k] = np.uint8((np.int64(last[k]) + ((code >> 1) ^ -(code & 1))) & 255)
        for k in range(4):
            out[i, k] = last[k]
    return True
