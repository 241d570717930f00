"""Points of streamed tiles within a budget: where more are in sight than can be drawn in time, every so many stand for all."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int32

SMALLEST_TILE = 2_000
"""Tiles with no more points than this are drawn whole."""
SAMPLED = 1_000
"""Points of a tile that tell how much of it is in view."""
BESIDE = 1.0 / 25.0
"""What a point beside the view costs of one in it."""


def sample_of(points: Float32) -> Float32:
    """Return some of the (N, 3) points of a tile, from all over it."""
    return np.ascontiguousarray(points[:: max(len(points) // SAMPLED, 1)])


def weight(tiles: Iterable[tuple[int, Float32]], matrix: Float) -> float:
    """Return how many points in view cost as much to draw as some tiles.

    Parameters
    ----------
    tiles : iterable of (int, (S, 3) float32)
        Points of each, and a sample of their places.
    matrix : (4, 4) float64
        From local places to the picture.
    """
    sides = np.array([matrix[3] + matrix[0], matrix[3] - matrix[0], matrix[3] + matrix[1], matrix[3] - matrix[1]])
    total = 0.0
    for count, sample in tiles:
        share = float((sample @ sides[:, :3].T + sides[:, 3] > 0.0).all(axis=1).mean())
        total += count * max(share, BESIDE)
    return total


def step_for(total: float, budget: int) -> int:
    """Return how many points one that is drawn stands for, a power of two, so that about ``budget`` of ``total`` are drawn."""
    return int(2 ** max(round(math.log2(total / budget)), 0)) if total > budget > 0 else 1


def thinned(rows: Int32, step: int) -> Int32:
    """Return one of every ``step`` rows, not always the same: files often list points in lines, which would stand out."""
    if step <= 1 or len(rows) <= SMALLEST_TILE:
        return rows
    starts = np.arange(0, len(rows) - step + 1, step)
    chosen: Int32 = rows[starts + np.random.default_rng(len(rows)).integers(0, step, len(starts))]
    return chosen
