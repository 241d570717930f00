"""How dangerous flood water is: the UK hazard rating and the Australian H1-H6, from running maxima.

The limits are data (``resources/standards/hazard.toml``) and handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cimdesk.base.arrays import Float32, UInt8


def uk_hazard_rating(
    max_depth: Float32, max_speed: Float32, max_depth_speed: Float32, debris: Mapping[str, Sequence[float]], land_use: str = "urban"
) -> Float32:
    """Return HR = d (v + 0.5) + DF of the UK (Defra and Environment Agency, FD2321), zero where dry.

    ``d v`` is the running maximum of the product, not the product of two maxima that came at different times.

    Parameters
    ----------
    max_depth, max_speed, max_depth_speed : (R, C) float32
        Running maxima [m, m/s, m2/s].
    debris : mapping of land use to three factors
        For depths up to 0.25 m, up to 0.75 m, and above (or faster than 2 m/s).
    land_use : str
    """
    shallow, medium, deep = debris[land_use]
    factor = np.where(max_depth <= 0.25, shallow, np.where((max_depth > 0.75) | (max_speed > 2.0), deep, medium))
    rating = max_depth_speed + 0.5 * max_depth + factor
    return np.where(max_depth > 0.0, rating, 0.0).astype(np.float32)


def aidr_classes(max_depth: Float32, max_speed: Float32, max_depth_speed: Float32, limits: Sequence[Sequence[float]]) -> UInt8:
    """Return the Australian hazard class H1..H6 as 1..6, 0 where dry (AIDR Guideline 7-3).

    Parameters
    ----------
    max_depth, max_speed, max_depth_speed : (R, C) float32
        Running maxima [m, m/s, m2/s].
    limits : rows of (depth x speed, depth, speed)
        Largest values of H1, H2, ...; what exceeds the last row is the class after it.
    """
    classes = np.full(max_depth.shape, len(limits) + 1, dtype=np.uint8)
    for k in range(len(limits) - 1, -1, -1):
        product, depth, speed = limits[k]
        classes[(max_depth_speed <= product) & (max_depth <= depth) & (max_speed <= speed)] = k + 1
    classes[max_depth <= 0.0] = 0
    return classes
