"""Text columns as numbers: each distinct value is found once, and a column that grows is only continued."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Int, Int32
from cimdesk.model.features import plain_value

KEPT = 64
"""Columns whose codes are kept; the least recently used go first."""
T = TypeVar("T")


@dataclass
class Encoded:
    """A column as codes of its distinct values.

    Attributes
    ----------
    names : list of str
        Distinct values in the order of their first occurrence.
    codes : (N,) int32
        Row of ``names``; -1 where the value is missing.
    """

    names: list[str]
    codes: Int32
    _answers: dict[str, object] = field(default_factory=dict, repr=False)

    @cached_property
    def counts(self) -> Int:
        """(M,) how often each name occurs."""
        return np.bincount(self.codes + 1, minlength=len(self.names) + 1)[1:].astype(np.int64)

    @cached_property
    def places(self) -> AnyArray:
        """(N,) codes one higher, 0 where the value is missing, as narrow as they fit."""
        count = len(self.names) + 1
        return (self.codes + 1).astype(np.uint8 if count <= 256 else np.uint16 if count <= 65_536 else np.uint32)

    @property
    def missing(self) -> int:
        """How many rows have no value."""
        return len(self.codes) - int(self.counts.sum())

    @cached_property
    def ranks(self) -> Int32:
        """(M,) place of each name in the alphabet."""
        out = np.empty(len(self.names), dtype=np.int32)
        out[sorted(range(len(self.names)), key=self.names.__getitem__)] = np.arange(len(self.names), dtype=np.int32)
        return out

    @cached_property
    def folded(self) -> list[str]:
        """The names in the form that comparisons without case use."""
        return [name.casefold() for name in self.names]

    def rows_where(self, test: Callable[[str], bool]) -> Bool:
        """Return (N,) bool of the rows whose name passes a test; it is asked once for each distinct name."""
        hits = np.zeros(len(self.names) + 1, dtype=bool)
        hits[:-1] = np.fromiter(map(test, self.names), dtype=bool, count=len(self.names))
        return hits[self.codes]

    def remember(self, key: str, make: Callable[[], T]) -> T:
        """Return what ``make`` gave for this key the first time."""
        if key not in self._answers:
            if len(self._answers) > 8:
                self._answers.clear()
            self._answers[key] = make()
        return self._answers[key]  # type: ignore[return-value]


@dataclass
class _Kept:
    owner: weakref.ref[AnyArray]
    index: dict[str, int]
    encoded: Encoded


_lock = threading.Lock()
_kept: OrderedDict[tuple[int, int, str], _Kept] = OrderedDict()


def encode(values: AnyArray) -> Encoded:
    """Return a column as codes. The answer is kept for as long as the array lives.

    A column that is a longer view of an array seen before, as tables of streamed tilesets are, is continued from where it ended.
    """
    owner: AnyArray = values if values.base is None or not isinstance(values.base, np.ndarray) else values.base
    place = (id(owner), int(values.__array_interface__["data"][0]), values.dtype.str)
    with _lock:
        known = _kept.get(place)
        if known is not None and known.owner() is not owner:
            known = None
        if known is not None and len(known.encoded.codes) == len(values):
            _kept.move_to_end(place)
            return known.encoded
        if known is not None and values.dtype == object and len(known.encoded.codes) > len(values):
            # Names stand in the order in which they first occur.
            codes = known.encoded.codes[: len(values)]
            return Encoded(known.encoded.names[: int(codes.max(initial=-1)) + 1], codes)
        if known is not None and len(known.encoded.codes) > len(values):
            known = None
        index, done = ({}, np.zeros(0, dtype=np.int32)) if known is None else (known.index, known.encoded.codes)
        encoded = Encoded([], np.concatenate([done, _codes(values[len(done) :], index)]))
        encoded.names = list(index)
        _kept[place] = _Kept(weakref.ref(owner), index, encoded)
        _kept.move_to_end(place)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
        for gone in [key for key, item in _kept.items() if item.owner() is None]:
            del _kept[gone]
        return encoded


def _codes(values: AnyArray, index: dict[str, int]) -> Int32:
    """Return the codes of more values; names not in ``index`` are added to it."""
    if values.dtype != object:
        return _plain_codes(values, index)
    texts = values.tolist()
    for text in dict.fromkeys(texts):
        if text is not None and text != "":
            index.setdefault(str(text), len(index))
    missing = {None: -1, "": -1}
    if any(not isinstance(text, str) and text is not None for text in dict.fromkeys(texts)):
        texts = [None if text is None else str(text) for text in texts]
    return np.fromiter((missing[text] if not text else index[text] for text in texts), dtype=np.int32, count=len(texts))


def _plain_codes(values: AnyArray, index: dict[str, int]) -> Int32:
    unique, inverse = np.unique(values, return_inverse=True)
    of_unique = np.array(
        [-1 if (plain := plain_value(value)) is None else index.setdefault(str(plain), len(index)) for value in unique],
        dtype=np.int32,
    )
    return of_unique[inverse.ravel()] if len(unique) else np.zeros(0, dtype=np.int32)


def is_number(values: AnyArray) -> bool:
    """Whether a column holds numbers."""
    return values.dtype.kind in "fiu"
