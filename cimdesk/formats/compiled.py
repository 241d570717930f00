"""Whether compiled code pays for its loading: numba takes a fifth of a second to import, which a small file would only wait for."""

from __future__ import annotations

import sys


def pays(size: int, worth: int) -> bool:
    """Return whether to use compiled code.

    Parameters
    ----------
    size : int
        How much there is to do.
    worth : int
        From how much on it pays to load numba for it; a twentieth is enough where numba is there already.
    """
    return size >= worth or (size * 20 >= worth and "numba" in sys.modules)
