"""Compiled: numbers out of text, plain or in nested JSON lists, many at once. Import it late: it loads numba.

Only what is written in the usual way is taken; anything else is left to readers that know what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Raw

from cimdesk.base.arrays import AnyArray, Float, Int
from cimdesk.base.compiled import njit

_TENS = 10.0 ** np.arange(23)
"""Powers of ten that are exact: one multiplication or division by them rounds as it should (Clinger 1990)."""
_MOST_DIGITS = 15
"""Digits whose number is exact too."""
_MINUS, _POINT, _COMMA, _OPEN, _CLOSE, _ZERO, _NINE, _N = (ord(sign) for sign in "-.,[]09n")


class Nested(NamedTuple):
    """Numbers of texts of nested lists.

    Attributes
    ----------
    numbers : (N,) float64
        NaN for null.
    lengths : (L,) int64
        Numbers in each innermost list.
    groups : (G,) int64
        Innermost lists in each list around them.
    inside : (T, 2) int64
        For each text, the lists around innermost ones in it, and the numbers.
    """

    numbers: Float
    lengths: Int
    groups: Int
    inside: Int


@njit(cache=True, nogil=True, inline="always")
def _number(data: AnyArray, at: int, tens: AnyArray) -> tuple[float, int]:
    """Return the number at a position and where it ends; that is the position itself where the number is unusual."""
    begin = at
    negative = data[at] == _MINUS
    if negative:
        at += 1
    first = at
    point = -1
    value = np.int64(0)
    while at < len(data):
        digit = np.int64(data[at]) - _ZERO
        if digit >= 0 and digit <= 9:
            value = value * 10 + digit
        elif point < 0 and data[at] == _POINT:
            point = at
        else:
            break
        at += 1
    digits, decimals = at - first, 0
    if point >= 0:
        digits, decimals = point - first, at - point - 1
        if decimals == 0:
            return 0.0, begin
    if digits == 0 or digits > _MOST_DIGITS or (digits > 1 and data[first] == _ZERO):
        return 0.0, begin
    if at < len(data) and data[at] > _NINE and data[at] != _CLOSE:
        return 0.0, begin
    # Leading zeros are no digits that count; they can only make this refuse more than it must.
    if digits + decimals > _MOST_DIGITS + 1 or value >= 9007199254740992:
        return 0.0, begin
    found = np.float64(value)
    if decimals:
        found /= tens[decimals]
    return -found if negative else found, at


@njit(cache=True, nogil=True)
def _scan(
    data: AnyArray, level: int, tens: AnyArray, numbers: AnyArray, lengths: AnyArray, groups: AnyArray, inside: AnyArray
) -> tuple[int, int, int, int]:
    """Fill the outputs from one JSON list; return how many of each there are, -1 for unusual text."""
    n = rings = grouped = texts = 0
    depth = 0
    first_number = first_ring = first_group = text_number = 0
    wants_value = True
    may_close = False
    at = 0
    while at < len(data):
        sign = data[at]
        if sign == _OPEN:
            if not wants_value or depth > level:
                return -1, 0, 0, 0
            depth += 1
            if depth == 2:
                first_group, text_number = grouped, n
            if depth == level:
                first_ring = rings
            if depth == level + 1:
                first_number = n
            may_close = True
            at += 1
        elif sign == _CLOSE:
            if depth == 0 or (wants_value and not may_close):
                return -1, 0, 0, 0
            if depth == level + 1:
                lengths[rings] = n - first_number
                rings += 1
            if depth == level:
                groups[grouped] = rings - first_ring
                grouped += 1
            if depth == 2:
                inside[texts, 0], inside[texts, 1] = grouped - first_group, n - text_number
                texts += 1
            depth -= 1
            wants_value = may_close = False
            at += 1
        elif sign == _COMMA:
            if wants_value or depth == 0:
                return -1, 0, 0, 0
            wants_value, may_close = True, False
            at += 1
        elif sign in (32, 9, 10, 13):
            at += 1
        else:
            if not wants_value or depth != level + 1:
                return -1, 0, 0, 0
            if sign == _N:
                if at + 4 > len(data) or data[at + 1] != 117 or data[at + 2] != 108 or data[at + 3] != 108:
                    return -1, 0, 0, 0
                numbers[n] = np.nan
                at += 4
            else:
                numbers[n], end = _number(data, at, tens)
                if end == at:
                    return -1, 0, 0, 0
                at = end
            n += 1
            wants_value = may_close = False
    return (n, rings, grouped, texts) if depth == 0 and not wants_value else (-1, 0, 0, 0)


def nested_numbers(texts: Sequence[Raw], level: int) -> Nested | None:
    """Return the numbers of JSON texts, all of lists nested ``level`` times around numbers and nulls; None for anything unusual."""
    joined = b"[" + b",".join(texts) + b"]"
    data = np.frombuffer(joined, dtype=np.uint8)
    most = len(data) // 2 + 1
    lists = joined.count(b"[") + 1
    numbers, lengths, groups = np.empty(most), np.empty(lists, dtype=np.int64), np.empty(lists, dtype=np.int64)
    inside = np.empty((lists, 2), dtype=np.int64)
    n, rings, grouped, count = _scan(data, level, _TENS, numbers, lengths, groups, inside)
    if n < 0 or count != len(texts):
        return None
    return Nested(numbers[:n], lengths[:rings], groups[:grouped], inside[:count])


@njit(cache=True, nogil=True)
def _read(data: AnyArray, tens: AnyArray, numbers: AnyArray, counts: AnyArray) -> int:
    n = at = first = text = 0
    while at < len(data):
        sign = data[at]
        if sign == 0:
            if text + 1 == len(counts):
                return -1
            counts[text] = n - first
            first = n
            text += 1
            at += 1
        elif sign in (32, 9, 10, 13):
            at += 1
        else:
            numbers[n], end = _number(data, at, tens)
            if end == at or (end < len(data) and data[end] > 32):
                return -1
            n += 1
            at = end
    counts[text] = n - first
    return n


def separated_numbers(texts: Sequence[str]) -> tuple[Float, Int] | None:
    """Return the numbers of texts, with white space between them, and how many each has; None for anything unusual."""
    data = np.frombuffer("\0".join(texts).encode(), dtype=np.uint8)
    numbers, counts = np.empty(len(data) // 2 + 1), np.empty(len(texts), dtype=np.int64)
    n = _read(data, _TENS, numbers, counts)
    return None if n < 0 else (numbers[:n], counts)
