"""What the C library does with memory that is given back."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt`` in the GNU C library."""
KEPT = 512 << 20


def keep_freed_memory() -> None:
    """Have this process use the memory of large arrays again rather than give it back and ask for it anew.

    Every new page is cleared by the system first: a tenth of the time of work that makes one large array after the other.
    For processes that do such work alone and end; elsewhere than with the GNU C library nothing changes.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, KEPT)
        library.mallopt(_TRIM_THRESHOLD, KEPT)
