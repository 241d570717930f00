"""Numba's compiler for every kernel: what it compiled is kept in the user's cache, where that can be written.

The program's own folder may be read-only, and a disk may be full: a kernel that cannot be kept still runs, and is compiled again
in the next start. What is kept holds good as long as the text of the kernel's module and of all modules of the program that it
takes functions and constants from: numba itself looks at the first only, and an upgrade would mix old code with new. Importing
this loads numba, which takes a fifth of a second: import it where kernels are, and those when needed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

from cimdesk.base.paths import cache_dir

log = logging.getLogger(__name__)

if "NUMBA_CACHE_DIR" not in os.environ:
    vars(numba.config)["CACHE_DIR"] = str(cache_dir() / "kernels")


_PROGRAM = __name__.partition(".")[0]
_IMPORTS = re.compile(rf"^from ({_PROGRAM}[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)


@cache
def _text_of(module: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the text of a module and the modules of the program that it names when it is imported; nothing where none is kept."""
    try:
        text = Path(str(sys.modules[module].__file__)).read_bytes()
    except (KeyError, AttributeError, OSError):
        return b"", ()
    named = []
    for package, names in _IMPORTS.findall(text.decode()):
        named += [package, *(f"{package}.{name}" for name in re.findall(r"\w+", names))]
    return text, tuple(name for name in named if name in sys.modules)


def source_digest(module: str) -> str:
    """Return a digest of the text of an imported module and of all of the program that it is made of."""
    found, waiting = {module}, [module]
    while waiting:
        new = set(_text_of(waiting.pop())[1]) - found
        found |= new
        waiting += new
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + b"\0" + _text_of(name)[0] + b"\0")
    return digest.hexdigest()


class _OptionalCache(FunctionCache):
    """A cache that outlives a change of the clock but not one of the sources, and that a full disk does not turn into an error."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._cache_file._source_stamp = source_digest(function.__module__)

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
            dispatcher._cache = _OptionalCache(dispatcher.py_func)
        return dispatcher

    return compiled
