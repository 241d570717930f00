"""Water as it is drawn: level, shoreline between cells, walls, frames."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.model.drainage import DrainageSeries
from cimdesk.model.features import as_strings
from cimdesk.model.flood import FloodResult
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain
from cimdesk.scene.flood import _block_max, local_bed
from cimdesk.scene.flood_surface import BLOCKED, DRY, LARGEST, ZERO, WaterFrames, packed
from tests.scene import cities

pytestmark = pytest.mark.render
WEST, NORTH = cities.ORIGIN[0], cities.ORIGIN[1] + 128.0


def result_of(bed, levels, blocked=None, cell=2.0, drainage=None) -> FloodResult:
    bed = np.asarray(bed, dtype=np.float32)
    blocked = np.zeros(bed.shape, bool) if blocked is None else blocked
    depths = np.stack([np.where(blocked, 0.0, np.maximum(level - bed, 0.0)) for level in levels]).astype(np.float32)
    times = np.arange(len(levels)) * 600.0
    terrain = Terrain(bed, WEST, NORTH, cell, cell)
    zero = np.zeros_like(bed)
    counts = np.zeros(len(levels))
    return FloodResult(
        "f",
        terrain,
        blocked,
        cities.T0,
        times,
        depths,
        depths.max(axis=0),
        zero,
        zero,
        zero,
        (),
        counts,
        counts,
        None,
        {},
        drainage,
    )


def signed(surface, step):
    return ((surface.codes & LARGEST).astype(float) - ZERO) * step


def slope(cells=64, rise=0.1):
    return np.tile(np.arange(cells) * rise, (cells, 1))


def test_the_shoreline_lies_where_the_level_meets_the_ground():
    frames = WaterFrames(result := result_of(slope(), [2.05]), result.terrain.elevations)
    depth = signed(frames.surface(0), frames.step)[10]
    last = int(np.flatnonzero(depth > 0)[-1])
    crossing = last + depth[last] / (depth[last] - depth[last + 1])
    assert crossing == pytest.approx(20.5, abs=0.05)


def test_the_level_is_flat_into_dry_ground():
    frames = WaterFrames(result := result_of(slope(), [2.05]), result.terrain.elevations)
    levels = frames.surface(0).levels[10]
    assert np.allclose(levels[:22], 2.05, atol=1e-3)


def test_water_goes_on_into_walls_and_is_marked_there():
    blocked = np.zeros((64, 64), bool)
    blocked[20:40, 20:40] = True
    frames = WaterFrames(result := result_of(np.zeros((64, 64)), [0.8], blocked), result.terrain.elevations)
    surface = frames.surface(0)
    assert ((surface.codes & BLOCKED) > 0)[blocked].all()
    assert not ((surface.codes & BLOCKED) > 0)[~blocked].any()
    depth = signed(surface, frames.step)
    assert depth[30, 20] == pytest.approx(0.8, abs=1e-3)
    assert depth[30, 21] == pytest.approx(0.8, abs=1e-3)
    assert depth[30, 30] == pytest.approx(DRY, abs=1e-3)


def test_water_does_not_pass_a_wall():
    bed = np.zeros((64, 64))
    bed[:, 32:] = 0.2
    blocked = np.zeros((64, 64), bool)
    blocked[:, 30:32] = True
    result = result_of(bed, [0.0], blocked)
    depths = result.depths.copy()
    depths[0, :, :30] = 1.0
    result = FloodResult(**{**vars(result), "depths": depths, "max_depth": depths[0]})
    depth = signed(WaterFrames(result, result.terrain.elevations).surface(0), 0.001)
    assert (depth[:, 32:] < 0).all()


def test_deep_water_goes_on_under_a_steep_bank():
    bed = np.zeros((64, 64))
    bed[:, 32:] = 3.0
    result = result_of(bed, [2.0])
    depths = result.depths.copy()
    depths[0, :, 32:] = 0.02
    result = FloodResult(**{**vars(result), "depths": depths, "max_depth": depths[0]})
    surface = WaterFrames(result, result.terrain.elevations).surface(0)
    assert surface.levels[30, 32] == pytest.approx(2.0, abs=1e-3)
    assert surface.codes[30, 32] & BLOCKED
    assert not surface.codes[30, 33] & BLOCKED


def reference(depth, bed, solid):
    """Return depths with a sign and levels of open cells, one cell at a time, where no bank is near."""
    out, levels = np.full(depth.shape, DRY), bed.astype(float).copy()
    for r, c in np.ndindex(depth.shape):
        if solid[r, c]:
            continue
        if depth[r, c] > 0.004:
            out[r, c], levels[r, c] = depth[r, c], bed[r, c] + depth[r, c]
            continue
        near = [
            bed[i, j] + depth[i, j]
            for i in range(max(r - 1, 0), min(r + 2, depth.shape[0]))
            for j in range(max(c - 1, 0), min(c + 2, depth.shape[1]))
            if depth[i, j] > 0.004 and not solid[i, j]
        ]
        if near:
            levels[r, c] = np.mean(near)
            out[r, c] = min(np.mean(near) - bed[r, c], -0.015)
    return out, levels


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_compiled_surfaces_agree_with_plain_numpy(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 12, 2))
    bed = rng.uniform(0, 2, shape).astype(np.float32)
    solid = rng.random(shape) < 0.2
    depth = np.where(solid | (rng.random(shape) < 0.5), 0.0, rng.uniform(0.01, 0.45, shape)).astype(np.float32)
    result = result_of(bed, [0.0], solid)
    result = FloodResult(**{**vars(result), "depths": depth[None], "max_depth": depth})
    frames = WaterFrames(result, bed)
    surface = frames.surface(0)
    wanted, levels = reference(depth, bed, solid)
    assert np.allclose(signed(surface, frames.step)[~solid], np.maximum(wanted, -4.0)[~solid], atol=2e-3)
    assert np.allclose(surface.levels[~solid], levels[~solid], atol=1e-4)


def test_two_frames_share_a_texel():
    frames = WaterFrames(result := result_of(slope(8), [0.3, 0.6]), result.terrain.elevations)
    texels = np.zeros((8, 8, 4), np.uint8)
    packed(frames.surface(0), frames.surface(1), texels)
    codes = texels.view("<u2")
    assert np.array_equal(codes[::-1, :, 0], frames.surface(0).codes)
    assert np.array_equal(codes[::-1, :, 1], frames.surface(1).codes)


def test_nodes_without_water_take_the_level_around_them():
    frames = WaterFrames(result := result_of(slope(), [2.05]), result.terrain.elevations)
    surface = frames.surface(0)
    nodes = surface.nodes(5).reshape(13, 13)
    assert nodes[3, 4] == pytest.approx(2.05, abs=1e-3)
    assert np.array_equal(surface.nodes(1), surface.levels.ravel())


def water_at(stage, x, y, height):
    column, row = stage.pixel((WEST + x, NORTH - y, height))
    return stage.draw()[row, column].astype(int)


def is_blue(pixel) -> bool:
    return bool(pixel[2] > pixel[0] + 12)


def test_between_frames_the_shore_moves_by_one_number(stage_of):
    result = result_of(slope(rise=0.05), [0.5, 2.0])
    stage = stage_of(cities.workspace_of(("terrain", LayerKind.TERRAIN, result.terrain), ("flood", LayerKind.FLOOD, result)))
    stage.scene.camera.set_view(0, 80, 150, (WEST + 64, NORTH - 64, 1))
    stage.scene.set_time(cities.T0 + 1.0)
    assert not is_blue(water_at(stage, 44.0, 64.0, 1.1))
    visual = stage.scene.visuals["flood"]
    loaded = visual.depth_map.image.GetMTime()
    stage.scene.set_time(cities.T0 + 500.0)
    assert is_blue(water_at(stage, 44.0, 64.0, 1.6))
    assert visual.depth_map.image.GetMTime() == loaded


def test_muddy_water_is_brown_and_so_is_its_legend(stage_of):
    from cimdesk.model.appearance import legend_cards

    result = result_of(np.zeros((64, 64)), [0.8])
    workspace = cities.workspace_of(("flood", LayerKind.FLOOD, result, {"options": {"water": "muddy"}}))
    stage = stage_of(workspace)
    stage.scene.camera.set_view(0, 80, 150, (WEST + 64, NORTH - 64, 1))
    stage.scene.set_time(cities.T0 + 1.0)
    red, _, blue = water_at(stage, 64.0, 64.0, 0.8)
    assert red > blue + 20
    (card,) = legend_cards(workspace, cities.T0 + 1.0)
    assert card.entries[0].color == "#e6d8bd"


def test_a_spilling_manhole_is_drawn_and_counted(stage_of):
    from cimdesk.model.appearance import legend_cards

    drains = DrainageSeries(
        as_strings(["A", "B"]), np.array([[WEST + 64.0, NORTH - 64.0], [np.nan, np.nan]]), np.zeros(2), np.ones(2),
        np.array([0.0, 600.0]), np.zeros((2, 2), np.float32), np.array([[0.0, 0.0], [-0.3, -0.1]], np.float32),
    )  # fmt: skip
    result = result_of(np.zeros((64, 64)), [0.8, 0.8], drainage=drains)
    workspace = cities.workspace_of(("flood", LayerKind.FLOOD, result))
    stage = stage_of(workspace)
    stage.scene.camera.set_view(0, 60, 150, (WEST + 64, NORTH - 64, 1))
    stage.scene.set_time(cities.T0 + 1.0)
    before = stage.draw().astype(int)
    stage.scene.set_time(cities.T0 + 600.0)
    after = stage.draw().astype(int)
    violet = (after[..., 0] > 140) & (after[..., 1] < 90) & (after[..., 2] > 110)
    assert violet.sum() > 30
    assert not ((before[..., 0] > 140) & (before[..., 1] < 90) & (before[..., 2] > 110)).any()
    (card,) = legend_cards(workspace, cities.T0 + 600.0)
    assert (card.entries[-1].label, card.entries[-1].count) == ("manholes spilling: 2", 0), "the number is said once"


def test_a_scrubbed_clock_draws_coarsely_and_a_still_one_finely(stage_of):
    result = result_of(np.zeros((600, 600)), [0.5, 0.8])
    stage = stage_of(cities.workspace_of(("flood", LayerKind.FLOOD, result)))
    visual = None
    for k in range(4):
        stage.scene.set_time(cities.T0 + 10.0 + k)
        stage.scene.prepare()
        visual = stage.scene.visuals["flood"]
    assert visual.sheets[-1].actor.GetVisibility()
    visual._changes.clear()
    stage.scene.prepare()
    assert visual.sheets[0].actor.GetVisibility()
    assert not visual.sheets[-1].actor.GetVisibility()
    stage.scene.detach()


def test_nothing_is_compiled_for_frames_of_a_file_or_a_run_that_was_made_ready():
    from cimdesk.scene import flood_kernels
    from cimdesk.scene.flood_ready import use_kernels

    use_kernels()
    compiled = ("fill_surface", "encode", "carry_into", "pick_nodes")
    ready = {name: len(getattr(flood_kernels, name).signatures) for name in compiled}
    for writable in (True, False):
        result = result_of(slope(), [2.05], blocked=slope() > 5.0)
        result.depths.flags.writeable = writable
        WaterFrames(result, result.terrain.elevations).surface(0).nodes(3)
    assert {name: len(getattr(flood_kernels, name).signatures) for name in compiled} == ready


@pytest.mark.parametrize("stride", [1, 2, 3, 7])
def test_the_deepest_of_a_square_is_that_of_its_cells(stride):
    values = np.random.default_rng(stride).random((20, 31)).astype(np.float32)
    rows, columns = -(-20 // stride), -(-31 // stride)
    wanted = [
        [values[i * stride : (i + 1) * stride, j * stride : (j + 1) * stride].max() for j in range(columns)] for i in range(rows)
    ]
    np.testing.assert_array_equal(_block_max(values, stride, rows, columns), wanted)


def test_unknown_ground_lies_as_low_as_the_lowest():
    result = result_of([[3.0, 1.0], [np.nan, 2.0]], [2.0])
    context = SimpleNamespace(origin=np.array([0.0, 0.0, 0.5]))
    np.testing.assert_array_equal(local_bed(result, context), [[2.5, 0.5], [0.5, 1.5]])
