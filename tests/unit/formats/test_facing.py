"""Which features show their faces from outside only."""

from __future__ import annotations

import numpy as np

from cimdesk.formats.facing import outward_features

POINTS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float32) * [10, 8, 6]
QUADS = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [1, 5, 7, 3], [0, 2, 6, 4]]
BOX = np.array([[q[0], *q[k : k + 2]] for q in QUADS for k in (1, 2)])


def judged(triangles, points=POINTS, owner=None, count=1):
    owner = np.zeros(len(triangles), dtype=int) if owner is None else owner
    return outward_features(points.astype(np.float32), triangles, owner, count).tolist()


def test_a_box_and_a_box_without_its_ground_plate_face_outwards():
    assert judged(BOX) == [True]
    assert judged(BOX[:-2]) == [True]


def test_a_box_turned_inside_out_does_not():
    assert judged(BOX[:, ::-1]) == [False]


def test_one_wrong_face_or_a_missing_roof_is_found():
    turned = BOX.copy()
    turned[3] = turned[3, ::-1]
    assert judged(turned) == [False]
    assert judged(np.delete(BOX, [8, 9], axis=0)) == [False]


def test_features_are_judged_one_by_one_though_they_touch():
    points = np.concatenate([POINTS, POINTS + np.array([10.0, 0.0, 0.0])])
    triangles = np.concatenate([BOX, BOX[:, ::-1] + 8])
    assert judged(triangles, points, np.repeat([0, 1], len(BOX)), 2) == [True, False]


def test_a_roof_alone_and_a_feature_without_triangles_are_seen_from_both_sides():
    assert judged(BOX[8:10], count=2) == [False, False]
