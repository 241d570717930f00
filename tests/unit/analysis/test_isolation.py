"""Roads as a graph, and what water cuts off: known answers on small towns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.analysis.isolation import Access, RoadGraph, build_graph, gather_pieces, nearest_piece
from cimdesk.model.features import ShapeKind, Shapes
from cimdesk.model.terrain import Terrain


def lines(*paths: list[tuple[float, float]]) -> Shapes:
    points = np.array([(x, y, np.nan) for path in paths for x, y in path])
    offsets = np.concatenate([[0], np.cumsum([len(path) for path in paths])])
    return Shapes(ShapeKind.LINE, points, offsets, np.arange(len(paths)), np.zeros(len(paths), dtype=bool))


CROSS = lines([(0, 50), (100, 50)], [(50, 0), (50, 100)])


def depths_where(graph: RoadGraph, wet) -> np.ndarray:
    return np.array([1.0 if wet(x, y) else 0.0 for x, y in graph.middles])


def test_lines_that_cross_without_a_vertex_meet():
    graph = build_graph(CROSS, piece=1000.0)
    assert len(graph.nodes) == 5
    assert len(graph.start) == 4
    assert graph.lengths.tolist() == pytest.approx([50.0] * 4)
    assert Access(graph).under(np.zeros(4), 0.3).cut_off_m == 0.0


def test_a_bridge_crosses_without_meeting():
    graph = build_graph(CROSS, np.array([0, 1]), piece=1000.0)
    assert len(graph.nodes) == 4
    assert len(graph.start) == 2


def test_a_street_that_ends_on_another_meets_it_even_when_it_stops_a_little_short():
    graph = build_graph(lines([(0, 0), (100, 0)], [(40, 0.03), (40, 60)]), piece=1000.0)
    assert len(graph.start) == 3
    assert len(np.unique(np.concatenate([graph.start, graph.end]))) == 4
    assert Access(graph).under(np.zeros(3), 0.3).cut_off_m == 0.0


def test_shared_stretches_do_not_break_the_network():
    graph = build_graph(lines([(0, 0), (100, 0)], [(50, 0), (150, 0)]), piece=1000.0)
    dry = Access(graph).under(np.zeros(len(graph.start)), 0.3)
    assert dry.cut_off_m == 0.0
    assert dry.reachable_m == pytest.approx(200.0)


def test_pieces_are_no_longer_than_asked_and_add_up():
    graph = build_graph(CROSS, piece=7.0)
    assert graph.lengths.max() <= 7.0 + 1e-9
    assert graph.lengths.sum() == pytest.approx(200.0)


def test_water_across_a_street_cuts_off_what_lies_behind_it():
    graph = build_graph(lines([(0, 0), (100, 0), (100, 40)]), piece=10.0)
    found = Access(graph).under(depths_where(graph, lambda x, y: 60 < x < 70), 0.3)
    assert found.flooded_m == pytest.approx(10.0)
    assert found.reachable_m == pytest.approx(70.0), "the larger part is what can be reached"
    assert found.cut_off_m == pytest.approx(60.0)
    assert sorted(set(found.parts)) == [-1, 0]


def test_an_exit_decides_which_side_is_cut_off():
    graph = build_graph(lines([(0, 0), (100, 0), (100, 40)]), piece=10.0)
    depths = depths_where(graph, lambda x, y: 60 < x < 70)
    assert Access(graph, np.array([[100.0, 40.0]])).under(depths, 0.3).cut_off_m == pytest.approx(60.0)
    assert Access(graph, np.array([[0.0, 0.0]])).under(depths, 0.3).cut_off_m == pytest.approx(70.0)


def test_the_passable_depth_decides():
    graph = build_graph(lines([(0, 0), (100, 0)]), piece=10.0)
    depths = np.where(np.arange(10) == 4, 0.25, 0.0)
    assert Access(graph).under(depths, 0.3).cut_off_m == 0.0
    assert Access(graph).under(depths, 0.2).cut_off_m == pytest.approx(40.0)


def test_a_way_round_keeps_a_street_reachable():
    ring = lines([(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)])
    graph = build_graph(ring, piece=10.0)
    found = Access(graph).under(depths_where(graph, lambda x, y: y < 1 and 40 < x < 50), 0.3)
    assert found.cut_off_m == 0.0


def test_networks_that_never_met_do_not_count_as_cut_off():
    graph = build_graph(lines([(0, 0), (100, 0)], [(0, 500), (30, 500)]), piece=10.0)
    assert Access(graph).under(np.zeros(len(graph.start)), 0.3).cut_off_m == 0.0
    with_exit = Access(graph, np.array([[0.0, 0.0]])).under(np.zeros(len(graph.start)), 0.3)
    assert with_exit.cut_off_m == 0.0


def test_an_exit_under_water_leaves_everything_else_cut_off():
    graph = build_graph(lines([(0, 0), (100, 0)]), piece=10.0)
    found = Access(graph, np.array([[0.0, 0.0]])).under(np.where(np.arange(10) == 0, 1.0, 0.0), 0.3)
    assert found.cut_off_m == pytest.approx(90.0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=40, max_size=40), st.integers(0, 24))
def test_the_graph_agrees_with_walking_from_the_exit(wet, exit_node):
    """A grid of streets: what can be reached is what a walk over dry pieces from the exit reaches."""
    streets = [[(0, 10 * k), (40, 10 * k)] for k in range(5)] + [[(10 * k, 0), (10 * k, 40)] for k in range(5)]
    graph = build_graph(lines(*streets), piece=1000.0)
    assert len(graph.start) == 40
    depths = np.array(wet, dtype=float)
    at = graph.nodes[exit_node]
    found = Access(graph, at[None]).under(depths, 0.5)
    reached, todo = {exit_node}, [exit_node]
    while todo:
        here = todo.pop()
        for k in np.flatnonzero(depths == 0.0):
            ends = {int(graph.start[k]), int(graph.end[k])}
            if here in ends:
                new = (ends - {here}) - reached
                reached |= new
                todo += new
    expected = sum(graph.lengths[k] for k in np.flatnonzero(depths == 0.0) if int(graph.start[k]) not in reached)
    assert found.cut_off_m == pytest.approx(expected)
    assert found.flooded_m + found.cut_off_m + found.reachable_m == pytest.approx(400.0)


def test_pieces_see_the_deepest_water_along_them_but_not_rivers_under_bridges():
    grid = Terrain(np.zeros((10, 10), dtype=np.float32), 0.0, 20.0, 2.0, 2.0)
    graph = build_graph(lines([(1, 11), (19, 11)]), piece=6.0)
    depth = np.zeros((10, 10), dtype=np.float32)
    depth[4, 4] = 0.8
    assert gather_pieces(graph, grid).deepest(depth).tolist() == pytest.approx([0.0, 0.8, 0.0])
    river = np.zeros((10, 10), dtype=bool)
    river[:, 4] = True
    assert gather_pieces(graph, grid, river).deepest(depth).tolist() == pytest.approx([0.0, 0.0, 0.0])


def test_buildings_find_the_nearest_road_within_reach():
    graph = build_graph(CROSS, piece=10.0)
    found = nearest_piece(graph, np.array([[95.0, 58.0], [95.0, 400.0], [np.nan, 1.0]]), 200.0)
    assert graph.middles[found[0]].tolist() == pytest.approx([95.0, 50.0])
    assert found[1:].tolist() == [-1, -1]


def test_no_roads_is_no_graph():
    graph = build_graph(Shapes(ShapeKind.LINE, np.zeros((0, 3)), np.zeros(1, int), np.zeros(0, int), np.zeros(0, bool)))
    found = Access(graph).under(np.zeros(0), 0.3)
    assert (found.cut_off_m, found.flooded_m, found.reachable_m) == (0.0, 0.0, 0.0)
    assert nearest_piece(graph, np.zeros((2, 2)), 10.0).tolist() == [-1, -1]
