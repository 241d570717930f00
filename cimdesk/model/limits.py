"""Limits of classes and ends of ramps of whole columns: found once, and kept for as long as the column lives.

Sorting a million numbers, or telling a million texts apart, takes longer than colouring them. `ready_tables` does so beside the
window, so that a style nobody has seen before is as quick as one known; who cannot wait for it finds what he asks for himself.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.model.classes import Method, all_breaks, breaks_of, finite_of, percentiles, quantiles_of_sorted
from cimdesk.model.columns import encode, is_number
from cimdesk.model.features import FeatureTable
from cimdesk.model.style import MOST_CLASSES

CLIPS = ((0.0, 100.0), (1.0, 99.0), (2.0, 98.0), (5.0, 95.0))
"""Percentiles that ramps are cut off at, of which a person chooses."""
KEPT = 4096
AT_ONCE = 20_000
"""Texts told apart before others have their turn."""
MOST_NAMES = 5_000
"""Different texts beyond which nobody colours by them."""
T = TypeVar("T")

_lock = threading.Lock()
_kept: OrderedDict[tuple[int, Hashable], tuple[weakref.ref[AnyArray], object]] = OrderedDict()


def limits_of(values: AnyArray, method: Method, count: int) -> tuple[float, ...]:
    """Return the rising limits between classes of a column, as `breaks_of` finds them."""
    return _remembered(values, ("breaks", method, count), lambda: breaks_of(values, method, count))


def ends_of(values: AnyArray, clip: tuple[float, float], log: bool) -> tuple[float, float]:
    """Return the values at two percentiles of a column, 0..100, of positive values alone for a logarithmic ramp."""

    def find() -> tuple[float, float]:
        finite = finite_of(values)
        return percentiles(finite[finite > 0] if log else finite, *clip)

    return _remembered(values, ("ends", *clip, log), find)


def ready_tables(tables: Sequence[FeatureTable], is_unwanted: Callable[[], bool] = lambda: False) -> None:
    """Have every column of some tables ready; for another thread than the window's."""
    for table in tables:
        for name in list(table.columns):
            if is_unwanted():
                return
            make_ready(table.columns[name], is_unwanted)


def make_ready(values: AnyArray, is_unwanted: Callable[[], bool] = lambda: False) -> None:
    """Find what styles ask of a column. Others that ask for the same column wait for a few milliseconds of it at most.

    Parameters
    ----------
    values : (N,) array
    is_unwanted : callable
        Whether to stop, asked now and then.
    """
    if _recall(values, ("ready",)):
        return
    if is_number(values):
        _order(values, is_unwanted)
    else:
        _tell_apart(values, is_unwanted)


def _order(values: AnyArray, is_unwanted: Callable[[], bool]) -> None:
    ordered = np.sort(finite_of(values))
    if is_unwanted():
        return
    for (method, count), limits in all_breaks(ordered, MOST_CLASSES).items():
        _keep(values, ("breaks", method, count), limits)
    positive = ordered[np.searchsorted(ordered, 0.0, side="right") :]
    for clip in CLIPS:
        for log, part in ((False, ordered), (True, positive)):
            low, high = quantiles_of_sorted(part, np.array(clip) / 100.0).tolist() if len(part) else (0.0, 1.0)
            _keep(values, ("ends", *clip, log), (low, high))
    _keep(values, ("ready",), True)


def _tell_apart(values: AnyArray, is_unwanted: Callable[[], bool]) -> None:
    """Encode a column part by part, if its texts are so few that somebody may want a colour for each."""
    if values.dtype != object:
        encode(values).counts  # noqa: B018 - kept with it
        return
    sample = values[:: max(1, len(values) // AT_ONCE)].tolist()
    if not all(text is None or isinstance(text, str) for text in sample) or len(set(sample)) > min(MOST_NAMES, len(sample) // 2):
        return
    for end in range(AT_ONCE, len(values), AT_ONCE):
        if is_unwanted() or len(encode(values[:end]).names) > MOST_NAMES:
            return
    encoded = encode(values)
    encoded.counts  # noqa: B018 - kept with it
    encoded.places  # noqa: B018
    _keep(values, ("ready",), True)


def _remembered(values: AnyArray, key: Hashable, make: Callable[[], T]) -> T:
    known = _recall(values, key)
    if known is None:
        known = make()
        _keep(values, key, known)
    return known  # type: ignore[return-value]


def _recall(values: AnyArray, key: Hashable) -> object | None:
    with _lock:
        known = _kept.get((id(values), key))
        if known is None or known[0]() is not values:
            return None
        _kept.move_to_end((id(values), key))
        return known[1]


def _keep(values: AnyArray, key: Hashable, answer: object) -> None:
    with _lock:
        _kept[id(values), key] = (weakref.ref(values), answer)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
