"""All that a run knows at a moment, taken out and put back, so that a run that was broken off goes on to the last bit.

What changes in a run is arrays, numbers and lists of them, held by a few objects (`Run.parts`). All of those are kept, whatever
they are for: a kernel may keep one more array without a word here. What objects hold besides is made anew from the scenario.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cimdesk.analysis.flood.inundation import Run

_NUMBERS = (bool, int, float, np.generic)
_NO = object()


def memory_of(run: Run) -> dict[str, dict[str, Any]]:
    """Return what a run knows between two steps, by part and name: arrays (not copied), numbers, lists and tuples of them."""
    memory = {}
    for part, owner in run.parts().items():
        known = {name: _kept(value) for name, value in vars(owner).items()}
        memory[part] = {name: value for name, value in known.items() if value is not _NO}
    return memory


def put_back(run: Run, memory: dict[str, dict[str, Any]]) -> None:
    """Bring a new run of the same scenario to where another was.

    Raises
    ------
    ValueError
        If the memory is of another scenario or of another version of the program.
    """
    parts = run.parts()
    if set(parts) != set(memory):
        raise ValueError(f"parts {sorted(memory)} instead of {sorted(parts)}")
    for part, owner in parts.items():
        for name, value in memory[part].items():
            if name not in vars(owner):
                raise ValueError(f"{part} knows no {name}")
            _restore(owner, name, vars(owner)[name], value)


def _kept(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _NO if value.dtype.hasobject else value
    if isinstance(value, _NUMBERS):
        return value
    if isinstance(value, list | tuple):
        items = [_kept(item) for item in value]
        return _NO if any(item is _NO for item in items) else type(value)(items)
    return _NO


def _restore(owner: object, name: str, now: Any, value: Any) -> None:
    if isinstance(now, list):
        now[:] = value
    elif _fills(now, value):
        np.copyto(now, value)
    elif isinstance(now, tuple) and len(now) == len(value) and all(map(_fills, now, value)):
        for array, kept in zip(now, value, strict=True):
            np.copyto(array, kept)
    elif isinstance(now, np.ndarray):
        if now.dtype != value.dtype or now.ndim != value.ndim:
            raise ValueError(f"{name} is of another kind")
        setattr(owner, name, value.copy())
    else:
        setattr(owner, name, value)


def _fills(now: Any, value: Any) -> bool:
    """Return whether the values of one array can be put into the other, which others may hold too."""
    are_arrays = isinstance(now, np.ndarray) and isinstance(value, np.ndarray)
    return are_arrays and now.shape == value.shape and now.dtype == value.dtype and now.flags.writeable
