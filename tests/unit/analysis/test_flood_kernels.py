"""The compiled kernels against the plain numpy reference, on random water over random ground."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.analysis.flood import grid, kernels, reference, sweep
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


def whole_fluxes(s: dict[str, np.ndarray], g_dt_dx: np.floating, dt: np.floating) -> tuple[np.ndarray, np.ndarray]:
    """Return all new discharges, each row of faces in one go."""
    h, z, k, qx, qy = (s[name] for name in ("h", "z", "k", "qx", "qy"))
    new_x, new_y = np.zeros_like(qx), np.zeros_like(qy)
    for i in range(1, h.shape[0] - 2):
        kernels.flux_row(
            h[i, :-3], h[i, 1:-2], z[i, :-3], z[i, 1:-2], k[i, :-3], k[i, 1:-2], qx[i, :-3], qx[i, 1:-2], qx[i, 2:-1],
            qy[i, :-3], qy[i, 1:-2], qy[i + 1, :-3], qy[i + 1, 1:-2], new_x[i, 1:-2], g_dt_dx, dt,
        )  # fmt: skip
        j = h.shape[1] - 2
        kernels.flux_row(
            h[i, j - 1 : j], h[i, j : j + 1], z[i, j - 1 : j], z[i, j : j + 1], k[i, j - 1 : j], k[i, j : j + 1],
            qx[i, j - 1 : j], qx[i, j : j + 1], qx[i, j + 1 : j + 2], qy[i, j - 1 : j], qy[i, j : j + 1],
            qy[i + 1, j - 1 : j], qy[i + 1, j : j + 1], new_x[i, j : j + 1], g_dt_dx, dt,
        )  # fmt: skip
    for i in range(1, h.shape[0] - 1):
        own = slice(1, -2)
        kernels.flux_row(
            h[i - 1, own], h[i, own], z[i - 1, own], z[i, own], k[i - 1, own], k[i, own],
            qy[i - 1, own], qy[i, own], qy[min(i + 1, h.shape[0] - 1), own],
            qx[i - 1, own], qx[i, own], qx[i - 1, 2:-1], qx[i, 2:-1], new_y[i, own], g_dt_dx, dt,
        )  # fmt: skip
    return new_x, new_y


def limit_whole(h: np.ndarray, qx: np.ndarray, qy: np.ndarray, dt_dx: np.floating, keep: np.floating) -> None:
    """Scale all discharges, each row in one go."""
    limits, own = np.ones_like(h), slice(1, -2)
    for i in range(1, h.shape[0] - 2):
        kernels.limits_row(h[i, own], qx[i, own], qx[i, 2:-1], qy[i, own], qy[i + 1, own], limits[i, own], dt_dx, keep)
    for i in range(1, h.shape[0] - 1):
        kernels.scale_row(qx[i, 1:-1], limits[i, :-2], limits[i, 1:-1])
        kernels.scale_row(qy[i, own], limits[i - 1, own], limits[i, own])


def update_whole(h, lo, qx, qy, share, dt_dx, rain) -> None:
    """Bring all depths to the new time, each row in one go."""
    own = slice(1, -2)
    for i in range(1, h.shape[0] - 2):
        kernels.update_row(h[i, own], lo[i, own], qx[i, own], qx[i, 2:-1], qy[i, own], qy[i + 1, own], share[i, own], dt_dx, rain)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(["float32", "float64"]), dt=st.floats(0.01, 3.0))
def test_fluxes_match_the_reference(seed: int, dtype: str, dt: float):
    s = random_state(seed, dtype)
    real = np.dtype(dtype).type
    new_x, new_y = whole_fluxes(s, real(9.81 * dt / 2.0), real(dt))
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
    dt_dx, rain = real(dt / 2.0), real(1e-4)
    wide = {name: array.astype(np.float64) for name, array in s.items()}
    limit_whole(s["h"], s["qx"], s["qy"], dt_dx, real(KEEP[dtype]))
    want_x, want_y = reference.limited(wide["h"], wide["qx"], wide["qy"], float(dt_dx), float(KEEP[dtype]))
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(s["qx"], want_x, atol=tolerance)
    np.testing.assert_allclose(s["qy"], want_y, atol=tolerance)
    lo, before = np.zeros_like(s["h"]), s["h"].copy()
    update_whole(s["h"], lo, s["qx"], s["qy"], s["share"], dt_dx, rain)
    want = reference.updated(wide["h"], want_x, want_y, wide["share"], float(dt_dx), float(rain))
    np.testing.assert_allclose(s["h"], want, atol=4 * tolerance, rtol=1e-5)
    assert s["h"].min() >= 0.0
    assert max(kernels.deepest_row(row) for row in s["h"]) == np.float32(s["h"].max())
    moved = s["h"].sum(dtype=np.float64) + lo.sum(dtype=np.float64) - before.sum(dtype=np.float64)
    gained = float(rain) * s["share"].sum(dtype=np.float64)
    assert abs(moved - gained) <= (1e-6 if dtype == "float32" else 1e-13) * before.sum(dtype=np.float64)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from(["float32", "float64"]),
    dt=st.floats(0.1, 5.0),
    tile=st.tuples(st.integers(3, 40), st.integers(3, 60)),
    cuts=st.integers(1, 5),
)
def test_a_sweep_gives_the_bits_of_whole_rows_however_the_grid_is_cut(seed, dtype, dt, tile, cuts):
    s, real = random_state(seed, dtype), np.dtype(dtype).type
    for q in ("qx", "qy"):
        s[q][s["z"] > 100.0] = 0.0
    dt_dx, g_dt_dx, rain, keep = real(dt / 2.0), real(9.81 * dt / 2.0), real(1e-4), real(KEEP[dtype])
    rng = np.random.default_rng(seed)
    is_given = (rng.random(4) < 0.5).astype(np.uint8)
    given_q = rng.normal(0.0, 0.2, (4, 60)).astype(dtype)
    want_x, want_y = whole_fluxes(s, g_dt_dx, real(dt))
    for number, (q, place) in enumerate([
        (want_x, (slice(1, -2), 1)), (want_x, (slice(1, -2), -2)), (want_y, (1, slice(1, -2))), (want_y, (-2, slice(1, -2))),
    ]):  # fmt: skip
        if is_given[number]:
            q[place] = given_q[number, 1 : 1 + len(q[place])]
    limit_whole(s["h"], want_x, want_y, dt_dx, keep)
    want_h, want_lo = s["h"].copy(), np.zeros_like(s["h"])
    update_whole(want_h, want_lo, want_x, want_y, s["share"], dt_dx, rain)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(grid, "TILE_ROWS", tile[0])
        patched.setattr(grid, "TILE_COLUMNS", tile[1])
        tiles = Tiles(37, 45)
    tiles.activate_all()
    lo, envelopes = np.zeros_like(s["h"]), tuple(np.zeros_like(s["h"]) for _ in range(4))
    seams = np.zeros((tiles.shape[0], 3, 5, 48), dtype), np.zeros((tiles.shape[1], 3, 40, 5), dtype)
    sweep.keep_seams(tiles.active, 0, len(tiles.active), s["h"], s["qx"], s["qy"], *seams)
    ends = np.linspace(0, len(tiles.active), cuts + 1).astype(int)
    for k in rng.permutation(cuts):
        sweep.sweep_tiles(
            tiles.active, ends[k], ends[k + 1], s["h"], lo, s["qx"], s["qy"], s["z"], s["k"], s["share"], envelopes, *seams,
            is_given, given_q, tiles.depths, tiles.losses, dt_dx, g_dt_dx, real(dt), keep, rain, real(0.0), real(1.0), True,
        )  # fmt: skip
    for got, want in ((s["qx"], want_x), (s["qy"], want_y), (s["h"], want_h), (lo, want_lo)):
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(envelopes[0], want_h)
    assert tiles.depths.max() == np.float32(want_h.max())


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
