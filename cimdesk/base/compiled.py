"""Numba's compiler for every kernel: what it compiled is kept in the user's cache, where that can be written.

The program's own folder may be read-only, and a disk may be full: a kernel that cannot be kept still runs, and is compiled again
in the next start. Importing this loads numba, which takes a fifth of a second: import it where kernels are, and those when needed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache

from cimdesk.base.paths import cache_dir

log = logging.getLogger(__name__)

if "NUMBA_CACHE_DIR" not in os.environ:
    vars(numba.config)["CACHE_DIR"] = str(cache_dir() / "kernels")


class _OptionalCache(FunctionCache):
    """A cache that a full or read-only disk does not turn into an error of the work at hand."""

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            log.info("compiled code is not kept: %s", error)


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return numba's ``njit`` decorator with these options."""
    decorate = numba.njit(**options)

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = decorate(function)
        if isinstance(getattr(dispatcher, "_cache", None), FunctionCache):
            dispatcher._cache = _OptionalCache(dispatcher.py_func)  # type: ignore[no-untyped-call]
        return dispatcher

    return compiled
