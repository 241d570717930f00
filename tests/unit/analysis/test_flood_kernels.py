"""The compiled kernels against the plain numpy reference, on random water over random ground."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.analysis.flood import kernels, reference
from cimdesk.analysis.flood.grid import TILE_ROWS, Tiles, rain_shares

KEEP = {"float32": np.float32(1 - 2e-6), "float64": 1 - 4e-15}


def random_state(seed: int, dtype: str, rows: int = 37, columns: int = 45) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (rows + 3, columns + 3)
    inside = np.zeros(shape, dtype=bool)
    inside[1:-2, 1:-2] = rng.random((rows, columns)) > 0.1
    state = {
        "h": np.where(inside & (rng.random(shape) > 0.3), rng.gamma(0.5, 0.4, shape), 0.0),
        "z": np.where(inside, rng.normal(0.0, 0.5, shape), kernels.CLOSED_HEIGHT),
        "k": 9.81 * rng.uniform(0.01, 0.1, shape) ** 2,
        "qx": np.zeros(shape),
        "qy": np.zeros(shape),
        "share": inside.astype(float),
    }
    state["qx"][1:-2, 1:-1] = rng.normal(0.0, 0.3, (rows, columns + 1))
    state["qy"][1:-1, 1:-2] = rng.normal(0.0, 0.3, (rows + 1, columns))
    return {name: array.astype(dtype) for name, array in state.items()}


def all_tiles(state: dict[str, np.ndarray]) -> np.ndarray:
    rows, columns = state["h"].shape
    tiles = Tiles(rows - 3, columns - 3)
    tiles.activate_all()
    return tiles.active


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(["float32", "float64"]), dt=st.floats(0.01, 3.0))
def test_fluxes_match_the_reference(seed: int, dtype: str, dt: float):
    s = random_state(seed, dtype)
    real = np.dtype(dtype).type
    new_x, new_y = np.zeros_like(s["qx"]), np.zeros_like(s["qy"])
    tiles = all_tiles(s)
    kernels.flux_tiles(
        tiles, 0, len(tiles), s["h"], s["z"], s["k"], s["qx"], s["qy"], new_x, new_y, real(9.81 * dt / 2.0), real(dt)
    )
    wide = {name: array.astype(np.float64) for name, array in s.items()}
    expected = reference.fluxes(wide["h"], wide["z"], wide["k"], wide["qx"], wide["qy"], 9.81 * dt / 2.0, dt)
    tolerance = 2e-4 if dtype == "float32" else 1e-9
    for got, want in zip((new_x, new_y), expected, strict=True):
        # Right at the least flow depth rounding decides whether a face is wet.
        assert np.quantile(np.abs(got - want) / (np.abs(want) + 0.1), 0.999) < tolerance
        assert np.count_nonzero((got != 0) != (want != 0)) <= 2


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(["float32", "float64"]), dt=st.floats(0.1, 10.0))
def test_limiting_and_update_match_the_reference_and_keep_depths_positive(seed: int, dtype: str, dt: float):
    s = random_state(seed, dtype)
    real = np.dtype(dtype).type
    for q in ("qx", "qy"):
        s[q][s["z"] > 100.0] = 0.0
    s["qx"][:, 1:][s["z"][:, :-1] > 100.0] = 0.0
    s["qy"][1:][s["z"][:-1] > 100.0] = 0.0
    tiles = all_tiles(s)
    dt_dx, rain = real(dt / 2.0), real(1e-4)
    wide = {name: array.astype(np.float64) for name, array in s.items()}
    limits, flags = np.ones_like(s["h"]), np.zeros((s["h"].shape[0], 3), dtype=np.uint8)
    kernels.limit_tiles(tiles, 0, len(tiles), s["h"], s["qx"], s["qy"], limits, flags, dt_dx, real(KEEP[dtype]))
    kernels.scale_tiles(tiles, 0, len(tiles), s["qx"], s["qy"], limits, flags)
    want_x, want_y = reference.limited(wide["h"], wide["qx"], wide["qy"], float(dt_dx), float(KEEP[dtype]))
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(s["qx"], want_x, atol=tolerance)
    np.testing.assert_allclose(s["qy"], want_y, atol=tolerance)
    lo, before = np.zeros_like(s["h"]), s["h"].copy()
    envelopes = [np.zeros_like(s["h"]) for _ in range(4)]
    depths, losses = np.zeros(99), np.zeros(99)
    kernels.update_tiles(
        tiles,
        0,
        len(tiles),
        s["h"],
        lo,
        s["qx"],
        s["qy"],
        s["share"],
        *envelopes,
        depths,
        losses,
        dt_dx,
        rain,
        real(0.0),
        real(1.0),
    )
    want = reference.updated(wide["h"], want_x, want_y, wide["share"], float(dt_dx), float(rain))
    np.testing.assert_allclose(s["h"], want, atol=4 * tolerance, rtol=1e-5)
    assert s["h"].min() >= 0.0
    assert depths.max() == pytest.approx(float(s["h"].max()))
    moved = s["h"].sum(dtype=np.float64) + lo.sum(dtype=np.float64) - before.sum(dtype=np.float64)
    gained = float(rain) * s["share"].sum(dtype=np.float64)
    assert abs(moved - gained) <= (1e-6 if dtype == "float32" else 1e-13) * before.sum(dtype=np.float64)


def test_light_rain_is_not_lost_in_deep_water():
    h, lo = np.full(8, 5.0, dtype=np.float32), np.zeros(8, dtype=np.float32)
    still, one = np.zeros(8, dtype=np.float32), np.ones(8, dtype=np.float32)
    drop = np.float32(1e-7)
    assert h[0] + drop == h[0], "a float32 alone would forget it"
    for _ in range(10_000):
        kernels.update_row(h, lo, still, still, still, still, one, np.float32(0.1), drop)
    np.testing.assert_allclose(h, 5.001, atol=1e-6)


def test_infiltration_takes_no_more_than_there_is():
    h, lo = np.array([0.0, 0.001, 0.5], dtype=np.float64), np.zeros(3)
    taken = kernels.infiltrate_row(h, lo, 0.01)
    assert taken == pytest.approx(0.011)
    np.testing.assert_allclose(h, [0.0, 0.0, 0.49])


def test_a_dry_tile_wakes_when_water_reaches_its_neighbour():
    tiles = Tiles(4 * TILE_ROWS, 100)
    tiles.activate_at(np.array([5]), np.array([50]))
    assert len(tiles.active) == 2
    tiles.depths[1] = 0.1
    tiles.follow_water()
    assert len(tiles.active) == 3


def test_rain_on_roofs_is_shed_to_open_ground():
    is_open = np.ones((6, 8), dtype=bool)
    is_open[1:4, 2:6] = False
    share = rain_shares(is_open, np.ones_like(is_open), "shed")
    assert share.sum() == 48
    assert (share[~is_open] == 0).all()
    assert share.max() > 1
    assert rain_shares(is_open, np.ones_like(is_open), "drop").sum() == is_open.sum()


def test_a_light_well_gets_its_own_rain_only():
    is_open = np.ones((20, 20), dtype=bool)
    is_open[5:15, 5:15] = False
    is_open[9, 9] = True
    share = rain_shares(is_open, np.ones_like(is_open), "shed")
    assert share[9, 9] == 1
    assert share.sum() == 400
