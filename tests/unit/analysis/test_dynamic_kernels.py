"""The compiled dynamic scheme against the plain numpy reference, on random water among random walls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.analysis.flood import dynamic_kernels, dynamic_reference, kernels
from cimdesk.analysis.flood.grid import GRAVITY, Tiles

DX = 2.0


def random_water(seed: int, dtype: str, rows: int = 37, columns: int = 300) -> dict[str, np.ndarray]:
    """Return water that is partly dry, with walls, fast in places, over rough ground."""
    rng = np.random.default_rng(seed)
    shape = (rows + 3, columns + 3)
    inside = np.zeros(shape, dtype=bool)
    inside[1:-2, 1:-2] = rng.random((rows, columns)) > 0.08
    h = np.where(inside & (rng.random(shape) > 0.2), rng.gamma(1.0, 0.4, shape), 0.0)
    water = {
        "h": h,
        "z": np.where(inside, rng.normal(0.0, 0.3, shape), kernels.CLOSED_HEIGHT),
        "k": GRAVITY * rng.uniform(0.0, 0.1, shape) ** 2,
        "qx": h * rng.normal(0.0, 1.5, shape),
        "qy": h * rng.normal(0.0, 1.5, shape),
    }
    return {name: array.astype(dtype) for name, array in water.items()}


def staged(w: dict[str, np.ndarray], dt: float) -> tuple[list[np.ndarray], np.ndarray]:
    """Return h, lo, qx, qy after one compiled stage, outflows repaired, and the flags."""
    real = w["h"].dtype.type
    rows, columns = (n - 3 for n in w["h"].shape)
    tiles = Tiles(rows, columns)
    tiles.activate_all()
    lo = np.zeros_like(w["h"])
    out = [np.zeros_like(w["h"]) for _ in range(4)]
    edges, mass_x, mass_y = np.zeros((4, max(w["h"].shape)), real), np.zeros_like(w["h"]), np.zeros_like(w["h"])
    flags = np.zeros((rows + 3, 3), np.uint8)
    rest = [np.zeros_like(w["h"]) for _ in range(5)]
    keep = real(1.0 - 16 * np.finfo(real).eps)
    dynamic_kernels.stage_tiles(
        tiles.active, 0, len(tiles.active), w["h"], lo, w["qx"], w["qy"], w["z"], w["k"], *out, edges, mass_x, mass_y, flags,
        real(dt / DX), real(dt), real(GRAVITY), keep, False, *rest, tiles.depths, tiles.speeds, tiles.losses,
        real(0.0), real(0.0), real(0.0), np.zeros(4, np.uint8), np.zeros((4, max(w["h"].shape)), real),
    )  # fmt: skip
    before = [array.copy() for array in out]
    dynamic_kernels.repair(
        tiles.active, flags, w["h"], w["qx"], w["qy"], *out, edges, mass_x, mass_y, real(1.0), real(dt / DX), keep
    )
    return [*before, *out], flags


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(["float32", "float64"]), dt=st.floats(0.005, 0.1))
def test_a_stage_matches_the_reference(seed: int, dtype: str, dt: float):
    w = random_water(seed, dtype)
    (h, lo, qx, qy, *_), _ = staged(w, dt)
    wide = {name: array.astype(np.float64) for name, array in w.items()}
    want = dynamic_reference.stage(wide["h"], wide["z"], wide["k"], wide["qx"], wide["qy"], dt, DX)
    tolerance = 3e-5 if dtype == "float32" else 1e-12
    inside = (slice(1, -2), slice(1, -2))
    np.testing.assert_allclose(h[inside].astype(np.float64) + lo[inside], want[0], atol=tolerance)
    for got, expected in zip((qx, qy), want[1:], strict=True):
        wrong = np.abs(got[inside] - expected) > tolerance * 10
        # A cell all but emptied keeps its momentum or loses it, as rounding falls.
        assert np.count_nonzero(wrong & (want[0] > 1e-5)) <= 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(["float32", "float64"]))
def test_outflows_are_scaled_to_what_cells_hold_and_no_water_is_made(seed: int, dtype: str):
    w = random_water(seed, dtype)
    (*_, h, lo, _, _), flags = staged(w, 1.5)
    assert flags.any(), "such a step overdraws some cells"
    assert h.min() >= -1e-6 * (dtype == "float32") - 1e-15
    total = w["h"].sum(dtype=np.float64)
    assert h.sum(dtype=np.float64) + lo.sum(dtype=np.float64) == pytest.approx(total, rel=1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_turned_water_gives_turned_results_to_the_last_bit(dtype: str):
    w = random_water(7, dtype, 60, 60)
    turned = {name: array.copy() for name, array in w.items()}
    for name in w:
        turned[name][:-1, :-1] = w[{"qx": "qy", "qy": "qx"}.get(name, name)][:-1, :-1].T
    (h, _, qx, qy, *_), _ = staged(w, 0.05)
    (h_t, _, qx_t, qy_t, *_), _ = staged(turned, 0.05)
    inside = (slice(1, -2), slice(1, -2))
    np.testing.assert_array_equal(h[inside], h_t[inside].T)
    np.testing.assert_array_equal(qx[inside], qy_t[inside].T)
    np.testing.assert_array_equal(qy[inside], qx_t[inside].T)
