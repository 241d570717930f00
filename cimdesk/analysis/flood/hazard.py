"""How dangerous the water is: classes of depth; ratings of depth and speed are in `model.hazard`.

The limits are data (``resources/standards/hazard.toml``) and handed in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cimdesk.base.arrays import AnyArray, UInt8
from cimdesk.model.hazard import aidr_classes as aidr_classes
from cimdesk.model.hazard import uk_hazard_rating as uk_hazard_rating


def depth_classes(depths: AnyArray, limits: Sequence[float]) -> UInt8:
    """Return the depth class of each value: 0 below the first limit, up to ``len(limits)``; a limit belongs to the class above.

    Parameters
    ----------
    depths : float array of any shape
        [m]; NaN is class 0.
    limits : rising depths [m]
    """
    values = np.nan_to_num(np.asarray(depths, dtype=np.float64), nan=-1.0)
    return np.searchsorted(np.asarray(limits, dtype=np.float64), values, side="right").astype(np.uint8)
