"""Numba's compiler, told where to keep what it compiled: in the user's cache, as the program's own folder may be read-only."""

from __future__ import annotations

import os

from numba import config, njit

from cimdesk.base.paths import cache_dir

__all__ = ["njit"]

if "NUMBA_CACHE_DIR" not in os.environ:
    vars(config)["CACHE_DIR"] = str(cache_dir() / "kernels")
