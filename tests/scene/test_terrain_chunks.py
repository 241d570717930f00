"""Chunks of a terrain: how near they come to the elevations, holes, seams, colours, pictures laid on them, and choosing."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.base.signals import Signal
from cimdesk.model.grid_source import GridSource
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.terrain import Terrain, TerrainLook, TerrainStyle
from cimdesk.model.workspace import Workspace
from cimdesk.scene.look import look_of
from cimdesk.scene.terrain_chunks import MARGIN, build_chunk, chunk_mesh, draped, upload_chunk
from cimdesk.scene.terrain_paint import GroundPainter, HeightScale
from cimdesk.scene.terrain_tree import ChunkTree
from cimdesk.scene.terrain_visual import TerrainVisual
from cimdesk.scene.visual import Context, View

RIM = (True, True, True, True)


def hills(rows=300, columns=300, cell=10.0, seed=0):
    rng = np.random.default_rng(seed)
    east, north = np.meshgrid(np.arange(columns), np.arange(rows))
    z = 40 * np.sin(east / 31.0) + 25 * np.cos(north / 23.0) + rng.normal(0, 0.05, (rows, columns))
    return Terrain(z.astype(np.float32), 500_000.0, 2_560_000.0 + rows * cell, cell, cell)


def painter_of(terrain, look="light", kind=TerrainLook.HEIGHTS, **style):
    return GroundPainter(HeightScale.of(terrain), look_of(look), kind is TerrainLook.HEIGHTS, TerrainStyle(kind, **style))


def chunk_of(terrain, **style):
    (west, south, _), (east, north, _) = terrain.bounds
    return build_chunk(GridSource(terrain), (west, south, east, north), painter_of(terrain, **style))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 150), st.integers(2, 150), st.integers(0, 5))
def test_a_chunk_covers_its_rectangle_and_stays_close_to_the_elevations(rows, columns, seed):
    terrain = hills(rows, columns, seed=seed)
    block = chunk_of(terrain)
    origin = np.array([terrain.west, terrain.north, 0.0])
    points, places, triangles = chunk_mesh(block, origin, block.low - 5.0, RIM, 1.0)
    assert triangles.max() < len(points) == len(places)
    normal = np.cross(points[triangles[:, 1]] - points[triangles[:, 0]], points[triangles[:, 2]] - points[triangles[:, 0]])
    assert normal[:, 2].sum() / 2 == pytest.approx(rows * columns * 100.0, rel=1e-4)
    top = points[: (block.quads + 1) ** 2].astype(np.float64)
    inside = top[(block.quads + 1) * 2 : -(block.quads + 1) * 2]
    error = np.abs(terrain.sample(inside + origin) - inside[:, 2])
    assert np.nanmax(error) < 0.5 + block.error
    assert places[: (block.quads + 1) ** 2].min() == 0.0
    assert places.max() == 1.0


def test_flat_ground_takes_few_quads_and_rough_ground_all():
    flat = chunk_of(Terrain(np.zeros((256, 256), dtype=np.float32), 0.0, 256.0, 1.0, 1.0))
    rough = chunk_of(Terrain(np.random.default_rng(1).normal(0, 9, (256, 256)).astype(np.float32), 0.0, 256.0, 1.0, 1.0))
    assert flat.quads == 8
    assert flat.error == 0.0
    assert rough.quads == 64
    assert rough.error > 1.0


def test_cells_without_data_are_holes_and_the_ground_beside_them_keeps_its_height():
    z = np.full((64, 64), 5.0, dtype=np.float32)
    z[20:40, 20:40] = np.nan
    terrain = Terrain(z, 0.0, 64.0, 1.0, 1.0)
    block = chunk_of(terrain)
    points, _, triangles = chunk_mesh(block, np.zeros(3), 0.0, RIM, 1.0)
    centre = points[triangles].mean(axis=1)
    assert not ((np.abs(centre[:, 0] - 30.0) < 8.0) & (np.abs(centre[:, 1] - 34.0) < 8.0)).any()
    top = points[: (block.quads + 1) ** 2]
    np.testing.assert_allclose(top[:, 2], 5.0, atol=1e-3)
    alpha = block.texels[1:-1, 1:-1, 3]
    assert alpha[32, 32] == 0
    assert alpha[5, 5] == 255
    assert np.isclose((alpha > 127).mean(), 1 - 400 / 4096, atol=0.01)


def test_ground_without_any_elevation_makes_no_chunk():
    nothing = Terrain(np.full((16, 16), np.nan, dtype=np.float32), 0.0, 16.0, 1.0, 1.0)
    assert build_chunk(GridSource(nothing), (0.0, 0.0, 16.0, 16.0), painter_of(hills())) is None


def test_colours_of_neighbours_agree_along_their_seam():
    terrain = hills(256, 512)
    (west, south, _), (east, north, _) = terrain.bounds
    middle = (west + east) / 2
    source, painter = GridSource(terrain), painter_of(terrain)
    left = build_chunk(source, (west, south, middle, north), painter)
    right = build_chunk(source, (middle, south, east, north), painter)
    # Each has one texel beyond the seam: the other's first one.
    np.testing.assert_allclose(left.texels[1:-1, -1].astype(int), right.texels[1:-1, 1].astype(int), atol=1)
    np.testing.assert_allclose(left.heights[MARGIN:-MARGIN, -1 - MARGIN], right.heights[MARGIN:-MARGIN, MARGIN], atol=1e-3)


def test_slopes_towards_the_sun_are_lighter():
    east, north = np.meshgrid(np.arange(64.0), np.arange(64.0))
    towards = Terrain((-(64 - north) + 0 * east).astype(np.float32)[::-1] * -1, 0.0, 64.0, 1.0, 1.0)
    away = Terrain(towards.elevations[::-1].copy(), 0.0, 64.0, 1.0, 1.0)
    assert float(chunk_of(away).shade.mean()) != pytest.approx(float(chunk_of(towards).shade.mean()), abs=0.1)
    rises_to_the_north = towards if towards.elevations[0, 0] > towards.elevations[-1, 0] else away
    other = away if rises_to_the_north is towards else towards
    # The sun stands in the south-west, so ground that faces south is lit.
    assert chunk_of(rises_to_the_north).shade.mean() > chunk_of(other).shade.mean()


def test_contours_darken_their_heights_only():
    east = np.tile(np.linspace(0.0, 100.0, 256, dtype=np.float32), (256, 1))
    terrain = Terrain(east, 0.0, 256.0, 1.0, 1.0)
    plain, lined = chunk_of(terrain), chunk_of(terrain, contours=20.0)
    changed = (plain.texels[128, 1:-1, :3] != lined.texels[128, 1:-1, :3]).any(axis=1)
    at = np.flatnonzero(changed)
    assert 4 <= len(np.flatnonzero(np.diff(at) > 5)) + 1 <= 6
    assert changed.mean() < 0.08


def test_a_picture_is_shaded_and_lets_the_ground_through_where_it_is_clear():
    block = chunk_of(hills(256, 256))
    picture = np.zeros((128, 128, 4), dtype=np.uint8)
    picture[:64] = (200, 100, 50, 255)
    out = draped(block, picture)
    assert out.shape == (130, 130, 4)
    north = out[10:60, 10:120, :3].reshape(-1, 3)
    assert np.ptp(north[:, 0]) > 10
    np.testing.assert_allclose(north[:, 1] / north[:, 0], 0.5, atol=0.02)
    ground = block.texels[1:-1, 1:-1, :3].astype(float).mean(axis=(0, 1))
    np.testing.assert_allclose(out[70:120, 10:120, :3].mean(axis=(0, 1)), ground, atol=25)


def test_the_tree_divides_its_rectangle_without_gaps():
    tree = ChunkTree.over((0.0, 0.0, 3000.0, 1000.0), 5.0)
    assert (tree.rows, tree.columns) == (1, 3)
    area = 0.0
    for root in tree.roots():
        for child in tree.children(root):
            for key in tree.children(child):
                west, south, east, north = tree.rectangle(key)
                area += (east - west) * (north - south)
    assert area == pytest.approx(3_000_000.0)
    assert tree.rim((0, 0, 0)) == (True, True, True, False)


class Slow(GridSource):
    """A source that must not be read on the thread of the window."""

    is_quick = False


def visual_of(terrain, drape=None):
    context = Context(Workspace(), np.zeros(3), look_of("light"))
    context.origin = np.array([terrain.west, terrain.north, 0.0])
    context.drape = drape
    layer = Layer("t", "t", LayerKind.TERRAIN, "t.tif")
    return TerrainVisual(context, layer, terrain)


def view_of(terrain, height, slope=1.5e-3):
    (west, south, _), (east, north, _) = terrain.bounds
    eye = np.array([(east - west) / 2, (south - north) / 2, height])
    # Looks down; everything is in sight.
    matrix = np.zeros((4, 4))
    matrix[3] = (0.0, 0.0, -1.0, height + 1e6)
    return View(eye, np.array([0.0, 0.0, -1.0]), matrix, 1280, 720, 1.0, slope, 1.0, 1e5, False)


def settle(visual, view, seconds=20.0):
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        visual.advance(np.inf)
        visual.prepare(view)
        if not visual.is_pending and not visual.is_waiting:
            return
        time.sleep(0.002)
    raise AssertionError("never came to rest")


def covered(visual):
    return sum((e - w) * (n - s) for w, s, e, n in (visual.tree.rectangle(key) for key in visual.choice.shown))


@pytest.mark.parametrize("is_quick", [True, False])
def test_nearer_views_show_finer_chunks_that_cover_everything_once(is_quick):
    terrain = hills(900, 900)
    if not is_quick:
        source = Slow(terrain)
        terrain = Terrain(terrain.elevations[::10, ::10], terrain.west, terrain.north, 100.0, 100.0, source)
    visual = visual_of(terrain)
    try:
        settle(visual, view_of(terrain, 80_000.0))
        coarse = max(key[0] for key in visual.choice.shown)
        assert covered(visual) == pytest.approx(81_000_000.0)
        settle(visual, view_of(terrain, 3_000.0))
        assert max(key[0] for key in visual.choice.shown) > coarse
        assert covered(visual) == pytest.approx(81_000_000.0)
    finally:
        visual.stop()


def test_memory_stays_within_its_cap(monkeypatch):
    monkeypatch.setattr("cimdesk.scene.terrain_visual.MEMORY", 6 << 20)
    terrain = hills(1500, 1500)
    visual = visual_of(terrain)
    view = view_of(terrain, 500.0)
    for _ in range(40):
        visual.advance(np.inf)
        visual.prepare(view)
    assert sum(each.chunk.block.size for each in visual.chunks.values()) <= 9 << 20
    assert covered(visual) == pytest.approx(225_000_000.0)


class RedDrape:
    """Answers with red on the calling thread, and remembers who asked."""

    def __init__(self, color=(255, 0, 0, 255)):
        self.changed = Signal()
        self.color = color
        self.asked = []

    def request(self, request):
        self.asked.append((threading.current_thread().name, request.bounds))
        request.answer(np.full((4, 4, 4), self.color, dtype=np.uint8))


def test_a_drape_is_asked_away_from_the_window_and_its_picture_shown():
    terrain = hills(64, 64)
    drape = RedDrape()
    visual = visual_of(terrain, drape)
    view = view_of(terrain, 80_000.0)
    settle(visual, view)
    deadline = time.perf_counter() + 10.0
    while time.perf_counter() < deadline and not any(each.chunk.has_picture for each in visual.chunks.values()):
        time.sleep(0.01)
    visual.advance(np.inf)
    assert {name for name, _ in drape.asked} == {"terrain"}
    root = visual.chunks[(0, 0, 0)]
    assert root.chunk.has_picture
    assert not root.chunk.is_changed
    before = len(drape.asked)
    drape.changed.emit(None)
    deadline = time.perf_counter() + 10.0
    while time.perf_counter() < deadline and len(drape.asked) == before:
        time.sleep(0.01)
    assert len(drape.asked) > before
    visual.stop()
    assert not root.chunk.is_in_use


def test_a_changed_look_repaints_what_is_there():
    terrain = hills(64, 64)
    visual = visual_of(terrain)
    settle(visual, view_of(terrain, 80_000.0))
    before = visual.chunks[(0, 0, 0)].chunk.block.texels.copy()
    visual.context.look = look_of("dark")
    settle(visual, view_of(terrain, 80_000.0))
    assert visual.chunks[(0, 0, 0)].chunk.block.texels.mean() < before.mean() - 20


def test_exaggeration_stretches_the_drawing_only():
    terrain = hills(64, 64)
    visual = visual_of(terrain)
    visual.sync(visual.layer.but(options={"exaggeration": 3.0}))
    actor = visual.chunks[(0, 0, 0)].chunk.actor
    low, high = visual.chunks[(0, 0, 0)].known.low[2], visual.chunks[(0, 0, 0)].known.high[2]
    assert actor.GetScale()[2] == 3.0
    bounds = actor.GetBounds()
    assert bounds[5] == pytest.approx(visual.base + 3.0 * (high - visual.base), abs=0.5)
    assert low < high


def test_a_chunk_uploads_its_own_texture_coordinates():
    block = chunk_of(hills(256, 256))
    chunk = upload_chunk(block, np.zeros(3), 0.0, RIM, 5.0)
    assert chunk.actor.GetTexture() is not None
    chunk.set_picture(np.full((32, 32, 4), 9, dtype=np.uint8))
    assert chunk.is_changed
    chunk.upload()
    assert chunk.actor.GetTexture().GetInput().GetDimensions()[:2] == (34, 37)
