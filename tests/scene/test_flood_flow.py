"""Arrows and streaks on flood water as they are drawn: where, how large, which way, in which colours."""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest

from cimdesk.model.appearance import legend_cards
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_flow import SPEEDS, FlowFrames, packed_flow
from cimdesk.model.layers import LayerKind
from cimdesk.model.style import Style, rgba
from cimdesk.scene import toolkit as vtk
from cimdesk.scene.flood_compare import DifferenceVisual
from cimdesk.scene.flood_map import FloodMapVisual
from cimdesk.scene.flood_nodes import gathered
from tests.scene import cities
from tests.scene.test_flood_water import result_of

pytestmark = pytest.mark.render
SIDE, CELL = 128, 2.0


def river(east=0.4, north=0.0, frames=2) -> FloodResult:
    """Return a flat lake a metre deep that flows everywhere alike, dry ground in its northern quarter."""
    bed = np.zeros((SIDE, SIDE))
    bed[: SIDE // 4] = 3.0
    result = result_of(bed, [1.0] * frames, cell=CELL)
    blocks = np.ones((SIDE // 4, SIDE // 4))
    terrain = result.terrain
    flow = FlowFrames((terrain.west, terrain.north, 8.0, 8.0), blocks.shape, (packed_flow(east * blocks, north * blocks),) * frames)
    return FloodResult(**{**vars(result), "flow": flow})


def staged(stage_of, result, kind, **fields):
    workspace = cities.workspace_of(("flood", LayerKind.FLOOD, result, {"style": Style(flow=kind)}))
    stage = stage_of(workspace, size=(640, 480), **fields)
    stage.scene.set_time(cities.T0 + 1.0)
    stage.look(0.0, 90.0, 260.0, (128.0, -32.0, 0.0))
    return stage


def marks(stage):
    """Return the corners of what is drawn, by mark without its dark rim, and their colours."""
    flow = stage.scene.visuals["flood"].flow
    assert flow.actor.GetVisibility()
    corners = vtk.vtk_to_numpy(flow.data.GetPoints().GetData())
    colors = vtk.vtk_to_numpy(flow.data.GetPointData().GetScalars())
    each = 7 if flow.kind == "arrows" else 10
    half = len(corners) // 2
    return corners[half:].reshape(-1, each, 3), colors[half:].reshape(-1, each, 4)[:, 0]


@pytest.mark.parametrize(("east", "north"), [(0.4, 0.0), (0.0, 0.4), (-0.3, -0.3)])
def test_arrows_point_where_the_water_flows_to(stage_of, east, north):
    arrows, _ = marks(staged(stage_of, river(east, north), "arrows"))
    along = arrows[:, 6] - arrows[:, :2].mean(axis=1)
    along /= np.linalg.norm(along, axis=1)[:, None]
    wanted = np.array([east, north]) / np.hypot(east, north)
    np.testing.assert_allclose(along[:, :2], np.tile(wanted, (len(along), 1)), atol=1e-3)


def test_arrows_stand_evenly_on_the_screen_and_on_water_alone(stage_of):
    stage = staged(stage_of, river(), "arrows")
    arrows, _ = marks(stage)
    middle = arrows[:, [0, 1, 6]].mean(axis=1)
    assert (middle[:, 1] < stage.scene.visuals["flood"].extent[1, 1] - 0.24 * SIDE * CELL).all()
    far = []
    for distance in (260.0, 130.0):
        stage.look(0.0, 90.0, distance, (128.0, -60.0, 0.0))
        arrows, _ = marks(stage)
        world = arrows[:, 6].astype(float) + stage.scene.context.origin
        screen = stage.scene.places.screen_of(world)[:, :2]
        gaps = np.hypot(*(screen[:, None] - screen[None]).transpose(2, 0, 1)) + np.eye(len(screen)) * 1e9
        far.append(np.median(gaps.min(axis=1)))
    assert far[0] == pytest.approx(far[1], rel=0.1), "nearer or farther, the gaps on the screen are the same"


def test_faster_water_has_longer_arrows_of_another_colour(stage_of):
    lengths = []
    for speed, (_, color) in zip((0.1, 0.3, 0.7, 1.4), SPEEDS, strict=True):
        arrows, colors = marks(staged(stage_of, river(speed), "arrows"))
        lengths.append(float(np.median(np.linalg.norm(arrows[:, 6] - arrows[:, 0], axis=1))))
        assert (colors == rgba(color)).all()
    assert lengths == sorted(lengths)
    assert lengths[-1] > 1.5 * lengths[0]


def test_still_water_shows_no_flow(stage_of):
    stage = staged(stage_of, river(0.0), "arrows")
    assert not stage.scene.visuals["flood"].flow.actor.GetVisibility()


def test_a_flood_without_velocities_is_drawn_as_before(stage_of):
    plain = result_of(np.zeros((SIDE, SIDE)), [1.0, 1.0], cell=CELL)
    stage = staged(stage_of, plain, "arrows")
    assert not stage.scene.visuals["flood"].flow.actor.GetVisibility()
    assert [card.title for card in legend_cards(stage.scene.workspace, cities.T0)] == ["Water depth"]


def test_the_legend_says_what_the_colours_of_arrows_mean(stage_of):
    stage = staged(stage_of, river(), "arrows")
    cards = {card.title: card for card in legend_cards(stage.scene.workspace, cities.T0)}
    assert [entry.label for entry in cards["Flow"].entries] == ["0 – 0.25 m/s", "0.25 – 0.5 m/s", "0.5 – 1 m/s", "over 1 m/s"]
    assert [entry.color for entry in cards["Flow"].entries] == [color for _, color in SPEEDS]


def compared(stage_of, theirs, mode, kind="arrows", ours=None):
    """Return a stage of a river to the east (or ``ours``) drawn against ``theirs``."""
    against = {"against": {"layer": "other", "mode": mode, "at": 0.5}}
    workspace = cities.workspace_of(
        ("flood", LayerKind.FLOOD, ours or river(0.4), {"style": Style(flow=kind), "options": against}),
        ("other", LayerKind.FLOOD, theirs, {"visible": False}),
    )
    stage = stage_of(workspace, size=(640, 480))
    stage.scene.set_time(cities.T0 + 1.0)
    stage.look(0.0, 90.0, 260.0, (128.0, -32.0, 0.0))
    return stage


def titles(stage):
    return [card.title for card in legend_cards(stage.scene.workspace, cities.T0)]


@pytest.mark.parametrize("kind", ["arrows", "streaks"])
def test_a_difference_shows_the_flow_of_the_layer_itself_and_says_whose_it_is(stage_of, kind):
    stage = compared(stage_of, river(-0.4), "difference", kind)
    assert isinstance(stage.scene.visuals["flood"], DifferenceVisual)
    drawn, _ = marks(stage)
    along = drawn[:, 6] - drawn[:, 0] if kind == "arrows" else drawn[:, 0] - drawn[:, 8]
    assert (along[:, 0] > 0).all(), "to the east as in the layer itself"
    assert titles(stage)[-1] == "Flow of Flood"


def test_arrows_over_a_difference_lie_on_the_higher_water(stage_of):
    deep = result_of(np.zeros((SIDE, SIDE)), [2.5, 2.5], cell=CELL)
    stage = compared(stage_of, deep, "difference")
    corners, _ = marks(stage)
    tails = corners[:, :2].mean(axis=1)
    assert (tails[:, 2] + stage.scene.context.origin[2] > 2.5).all()


def test_a_difference_from_a_layer_without_velocities_has_no_flow(stage_of):
    plain = result_of(np.zeros((SIDE, SIDE)), [1.0, 1.0], cell=CELL)
    stage = compared(stage_of, river(-0.4), "difference", ours=plain)
    assert not stage.scene.visuals["flood"].flow.actor.GetVisibility()
    assert not [title for title in titles(stage) if title.startswith("Flow")]


def test_each_side_of_a_swipe_has_its_own_flow(stage_of):
    stage = compared(stage_of, river(-0.4), "swipe")
    swipe = stage.scene.visuals["flood"]
    for side, sign in ((swipe.left, -1.0), (swipe.right, 1.0)):
        corners = vtk.vtk_to_numpy(side.flow.data.GetPoints().GetData()).reshape(-1, 7, 3)
        assert (sign * (corners[:, 6, 0] - corners[:, 0, 0]) > 0).all()
        assert side.flow.actor in swipe._clipped
    assert titles(stage)[-1] == "Flow"


def test_a_swipe_says_whose_flow_it_is_where_one_side_has_none(stage_of):
    plain = result_of(np.zeros((SIDE, SIDE)), [1.0, 1.0], cell=CELL)
    assert titles(compared(stage_of, plain, "swipe"))[-1] == "Flow of Flood"
    assert titles(compared(stage_of, river(), "swipe", ours=plain))[-1] == "Flow of Other"


def test_a_map_of_the_whole_run_shows_no_flow(stage_of):
    workspace = cities.workspace_of(("flood", LayerKind.FLOOD, river(), {"style": Style(flow="arrows", attribute="max_depth")}))
    stage = stage_of(workspace, size=(640, 480))
    stage.scene.set_time(cities.T0 + 1.0)
    stage.look(0.0, 90.0, 260.0, (128.0, -32.0, 0.0))
    assert isinstance(stage.scene.visuals["flood"], FloodMapVisual)
    assert "Flow" not in titles(stage)


def test_streaks_stay_in_a_picture_that_stands_and_drift_when_the_clock_moves(stage_of):
    stage = staged(stage_of, river(0.5), "streaks")
    first, _ = marks(stage)
    stage.draw()
    again, _ = marks(stage)
    np.testing.assert_array_equal(first, again)
    flow = stage.scene.visuals["flood"].flow
    before = len(first)
    heads = flow._drift._points.copy()
    lives = flow._drift._left.copy()
    for seconds in (10.0, 12.0):
        stage.scene.set_time(cities.T0 + seconds)
        stage.draw()
    after = flow._drift._points
    kept = np.flatnonzero(lives > 0.5)[:20]
    moved = np.array([np.abs(after[:, 1] - heads[k, 1]).argmin() for k in kept])
    assert (after[moved, 0] - heads[kept, 0] > 0.0).mean() > 0.8
    assert len(marks(stage)[0]) > 0.8 * before


def test_two_scenes_show_the_same_streaks(stage_of):
    first, _ = marks(staged(stage_of, river(0.5), "streaks"))
    again, _ = marks(staged(stage_of, river(0.5), "streaks"))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("kind", ["arrows", "streaks"])
def test_a_frame_of_flow_takes_no_ten_milliseconds(stage_of, kind):
    stage = staged(stage_of, river(0.5, frames=5), kind)
    flow, seconds = stage.scene.visuals["flood"].flow, []
    lay = flow.prepare

    def timed(*given):
        started = process_time()
        lay(*given)
        seconds.append(process_time() - started)

    flow.prepare = timed
    for k in range(25):
        stage.scene.set_time(cities.T0 + 20.0 * k)
        stage.draw()
    assert np.median(seconds) < 0.010


def test_fountains_close_together_on_the_screen_are_one_that_spills_all():
    screen = np.array([[100.0, 100.0, 50.0], [110.0, 100.0, 50.0], [400.0, 100.0, 50.0]])
    places, flow, count = gathered(screen, np.array([0.1, 0.5, 0.2]), 30.0)
    np.testing.assert_array_equal(places[:, 0], [110.0, 400.0])
    np.testing.assert_allclose(flow, [0.6, 0.2])
    assert count.tolist() == [2, 1]


def test_no_fountains_are_gathered_to_none():
    places, flow, count = gathered(np.zeros((0, 3)), np.zeros(0), 30.0)
    assert places.shape == (0, 3)
    assert len(flow) == len(count) == 0
