"""Pictures in another reference system: every pixel from where it should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.base.crs import Crs
from cimdesk.formats.imagery.kernels import sample_grid
from cimdesk.formats.imagery.warp import WarpGrid, placing, warp_grid, warped

MERCATOR = Crs.epsg(3857)


def sampled_plainly(picture, grid, step, height, width):
    """Bilinear sampling, pixel by pixel, in plain numpy."""
    out = np.zeros((height, width, 4))
    padded = np.pad(picture.astype(float), ((1, 1), (1, 1), (0, 0)), mode="edge")
    for i in range(height):
        for j in range(width):
            gi, gj = i // step, j // step
            fy, fx = (i + 0.5) / step - gi, (j + 0.5) / step - gj
            p = (1 - fy) * ((1 - fx) * grid[gi, gj] + fx * grid[gi, gj + 1])
            p = p + fy * ((1 - fx) * grid[gi + 1, gj] + fx * grid[gi + 1, gj + 1])
            if not (0 <= p[0] < picture.shape[1] and 0 <= p[1] < picture.shape[0]):
                continue
            x, y = p[0] + 0.5, p[1] + 0.5  # in the padded picture, of pixel middles
            c, r = int(x), int(y)
            tx, ty = x - c, y - r
            four = padded[r : r + 2, c : c + 2]
            weights = np.outer([1 - ty, ty], [1 - tx, tx])[..., None]
            alpha = (weights * four[..., 3:]).sum(axis=(0, 1))
            if alpha[0] > 0:
                out[i, j, :3] = (weights * four[..., 3:] * four[..., :3]).sum(axis=(0, 1)) / alpha
                out[i, j, 3] = alpha[0]
    return out


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32 - 1))
def test_compiled_sampling_agrees_with_plain_numpy(seed):
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (9, 12, 4), dtype=np.uint8)
    ways = np.stack(np.meshgrid(np.linspace(-1, 13, 5), np.linspace(-1, 10, 4)), axis=-1) + random.normal(0, 0.4, (4, 5, 2))
    out = np.empty((12, 16, 4), dtype=np.uint8)
    sample_grid(picture, ways, 4, out)
    expected = sampled_plainly(picture, ways, 4, 12, 16)
    assert np.abs(out - expected).max() <= 0.51


def test_a_picture_in_its_own_system_stays_as_it_is():
    picture = np.random.default_rng(2).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    picture[..., 3] = 255
    box = np.array([[100.0, 200.0], [164.0, 264.0]])
    grid = warp_grid(placing(MERCATOR, MERCATOR), box, 64, 64)
    assert np.array_equal(warped(picture, grid, (100.0, 264.0), (1.0, -1.0)), picture)


@pytest.mark.parametrize(
    ("code", "centre", "half"),
    [
        (32632, (681_000.0, 4_849_000.0), 300.0),
        (32632, (681_000.0, 4_849_000.0), 60_000.0),
        (4547, (431_000.0, 2_558_000.0), 5_000.0),
        (32633, (300_000.0, 8_700_000.0), 200_000.0),
    ],
)
def test_no_pixel_is_more_than_half_a_pixel_from_where_it_should_be(code, centre, half):
    target = Crs.epsg(code)
    side = 512
    box = np.array([[centre[0] - half, centre[1] - half], [centre[0] + half, centre[1] + half]])
    place = placing(target, MERCATOR)
    grid = warp_grid(place, box, side, side)
    random = np.random.default_rng(3)
    at = random.integers(0, side, (400, 2)) + 0.5
    world = np.column_stack([box[0, 0] + at[:, 0] * 2 * half / side, box[1, 1] - at[:, 1] * 2 * half / side])
    exact = place(world)
    cell = (at // grid.step).astype(int)
    f = at / grid.step - cell
    p = grid.places
    x, y = cell[:, 0], cell[:, 1]
    upper = p[y, x] * (1 - f[:, :1]) + p[y, x + 1] * f[:, :1]
    lower = p[y + 1, x] * (1 - f[:, :1]) + p[y + 1, x + 1] * f[:, :1]
    away = np.linalg.norm(upper * (1 - f[:, 1:]) + lower * f[:, 1:] - exact, axis=1) / grid.pixel
    assert away.max() < 0.5


def test_a_dot_lands_on_its_place_in_the_other_system():
    target = Crs.epsg(32632)
    pixel = 2.0
    west, north = 1_252_000.0, 5_430_000.0
    picture = np.zeros((400, 400, 4), dtype=np.uint8)
    picture[..., 3] = 255
    picture[150:153, 220:223, :3] = 255
    middle = np.array([[west + 221.5 * pixel, north - 151.5 * pixel, 0.0]])
    there = MERCATOR.transform(target, middle)[0, :2]
    box = np.array([there - 100.0, there + 100.0])
    grid = warp_grid(placing(target, MERCATOR), box, 200, 200)
    found = warped(picture, grid, (west, north), (pixel, -pixel))
    rows, columns = np.nonzero(found[..., 0] > 127)
    assert columns.mean() + 0.5 == pytest.approx(100.0, abs=0.6)
    assert rows.mean() + 0.5 == pytest.approx(100.0, abs=0.6)


def test_pictures_much_finer_than_needed_are_averaged():
    checks = np.zeros((512, 512, 4), dtype=np.uint8)
    checks[..., 3] = 255
    checks[::2, ::2, :3] = 255
    checks[1::2, 1::2, :3] = 255
    places = np.stack(np.meshgrid([0.0, 512.0], [0.0, -512.0]), axis=-1)
    found = warped(checks, WarpGrid(places, 64, 64, 64), (0.0, 0.0), (1.0, -1.0))
    assert np.abs(found[..., :3].astype(int) - 127).max() <= 2


def test_places_that_the_system_cannot_express_are_transparent():
    places = np.full((2, 2, 2), np.inf)
    grid = WarpGrid(places, 64, 64, 64)
    assert np.isnan(grid.box).all()
    picture = np.full((8, 8, 4), 255, dtype=np.uint8)
    assert not warped(picture, grid, (0.0, 0.0), (1.0, -1.0)).any()
