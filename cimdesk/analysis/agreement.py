"""How well a model agrees with what was observed: bias, mean and root-mean-square error, Nash-Sutcliffe efficiency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import AnyArray


@dataclass(frozen=True)
class Agreement:
    """Figures over the pairs where both are known.

    Attributes
    ----------
    count : int
    bias, mean_error, rmse, largest : float
        Mean of model minus observed, mean size of it, its root mean square, and its largest size [unit of the values].
    nse : float
        Nash and Sutcliffe (1970): 1 is perfect, 0 no better than the mean of what was observed; NaN where that does not vary.
    """

    count: int
    bias: float
    mean_error: float
    rmse: float
    largest: float
    nse: float


def agreement(observed: AnyArray, modelled: AnyArray) -> Agreement:
    """Return how well the model agrees; pairs with a NaN are left out.

    Parameters
    ----------
    observed, modelled : (N,) float
        In the same unit.
    """
    both = np.isfinite(observed) & np.isfinite(modelled)
    seen, ours = np.asarray(observed, dtype=np.float64)[both], np.asarray(modelled, dtype=np.float64)[both]
    if not len(seen):
        return Agreement(0, np.nan, np.nan, np.nan, np.nan, np.nan)
    error = ours - seen
    spread = float(np.sum((seen - seen.mean()) ** 2))
    # J. Hydrol. 10, 282-290. One reading, or readings all alike, have no spread to explain.
    nse = 1.0 - float(np.sum(error**2)) / spread if spread > 1e-12 * max(1.0, float(np.sum(seen**2))) else np.nan
    size = np.abs(error)
    return Agreement(
        len(seen), float(error.mean()), float(size.mean()), float(np.sqrt(np.mean(error**2))), float(size.max()), float(nse)
    )
