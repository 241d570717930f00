"""Compiled: where the parts of a JSON text begin and end. Import it late: it loads numba."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.compiled import njit

QUOTE, COLON, COMMA, OPEN, ELEMENT, CLOSE, END = range(7)
"""What is noted: quotes, colons and commas of the outermost object, lists and objects in it, some of their elements, its end."""
DEPTH, IN_TEXT, ESCAPED, COUNT, IS_FILLED, LAST = range(6)
"""What is known from one block of text to the next."""


@njit(cache=True, nogil=True)
def _note(events: AnyArray, n: int, what: int, at: int, count: int) -> int:
    events[n, 0], events[n, 1], events[n, 2] = what, at, count
    return n + 1


@njit(cache=True, nogil=True)
def outline(data: AnyArray, base: int, every: int, state: AnyArray, events: AnyArray) -> int:
    """Note what stands in a block of text that begins at byte ``base``; return how many notes there are, -1 when they do not fit.

    Parameters
    ----------
    data : (N,) uint8
    base, every : int
        One element in so many is noted.
    state : (6,) int64
        Changed.
    events : (E, 3) int64
        Filled: what, the byte, and the number of elements before it.
    """
    depth, in_text, escaped = state[0], state[1] != 0, state[2] != 0
    count, is_filled, last = state[3], state[4] != 0, state[5]
    n = 0
    room = len(events) - 3
    for at in range(len(data)):
        sign = data[at]
        if in_text:
            if escaped:
                escaped = False
            elif sign == 92:
                escaped = True
            elif sign == 34:
                in_text = False
                if depth == 1:
                    n = _note(events, n, QUOTE, base + at, 0)
        elif sign <= 32:
            continue
        elif sign == 34:
            in_text = True
            is_filled = True
            if depth == 1:
                n = _note(events, n, QUOTE, base + at, 0)
        elif sign == 123 or sign == 91:
            is_filled = True
            depth += 1
            if depth == 2:
                count, is_filled, last = 0, False, base + at
                n = _note(events, n, OPEN, base + at, 0)
                n = _note(events, n, ELEMENT, base + at + 1, 0)
        elif sign == 125 or sign == 93:
            depth -= 1
            if depth == 1:
                n = _note(events, n, CLOSE, base + at, count + 1 if is_filled else count)
            elif depth == 0:
                n = _note(events, n, END, base + at, 0)
                break
        elif depth == 2 and sign == 44:
            count += 1
            last = base + at
            if count % every == 0:
                n = _note(events, n, ELEMENT, base + at + 1, count)
        elif depth == 1 and (sign == 44 or sign == 58):
            n = _note(events, n, COMMA if sign == 44 else COLON, base + at, 0)
        else:
            is_filled = True
        if n >= room:
            return -1
    state[0], state[1], state[2], state[3], state[4], state[5] = depth, in_text, escaped, count, is_filled, last
    return n


@njit(cache=True, nogil=True)
def line_starts(data: AnyArray, base: int, every: int, state: AnyArray, starts: AnyArray) -> int:
    """Note where one line in so many begins, of those that hold anything; return how many notes there are.

    Parameters
    ----------
    data : (N,) uint8
    base, every : int
    state : (2,) int64
        Lines so far, and whether the present one holds anything. Changed.
    starts : (E,) int64
        Filled.
    """
    lines, is_filled = state[0], state[1] != 0
    n = 0
    for at in range(len(data)):
        sign = data[at]
        if sign == 10:
            is_filled = False
        elif sign > 32 and not is_filled:
            is_filled = True
            if lines % every == 0:
                starts[n] = base + at
                n += 1
            lines += 1
    state[0], state[1] = lines, is_filled
    return n


def fresh_state() -> AnyArray:
    """Return what is known before the first block of a text."""
    return np.zeros(6, dtype=np.int64)
