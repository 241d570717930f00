"""Where a terrain stands: the plane under it."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float, Float32


def base_height(heights: Float32 | Float) -> float:
    """Return the height of the plane that a terrain with these heights stands on."""
    low, high = float(np.min(heights)), float(np.max(heights))
    return low - 0.02 * (high - low) - 0.5
