"""Depth classes and hazard ratings at their limits."""

from __future__ import annotations

import numpy as np

from cimdesk.analysis.flood.hazard import aidr_classes, depth_classes, uk_hazard_rating
from cimdesk.commands.flood_tables import depth_table, hazard_tables

TABLES = hazard_tables()


def grid(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float32)


def test_a_depth_on_the_limit_belongs_to_the_class_above():
    classes = depth_classes(np.array([0.0, 0.149, 0.15, 0.27, 0.6, 3.0, np.nan]), [0.15, 0.27, 0.40, 0.60])
    assert classes.tolist() == [0, 0, 1, 2, 4, 4, 0]


def test_the_depth_table_has_a_name_for_every_class():
    table = depth_table()
    assert len(table.labels) == len(table.limits) + 1
    assert list(table.limits) == sorted(table.limits)


def test_uk_rating_adds_debris_by_depth_and_speed():
    rating = uk_hazard_rating(grid(0.0, 0.2, 0.5, 1.0), grid(0, 1, 1, 1), grid(0, 0.2, 0.5, 1.0), TABLES["uk"]["debris"])
    np.testing.assert_allclose(rating[0], [0.0, 0.3, 1.75, 2.5], rtol=1e-6)


def test_aidr_classes_follow_the_guideline():
    limits = TABLES["aidr"]["limits"]
    depth = grid(0.0, 0.3, 0.5, 1.2, 2.0, 3.9, 4.1, 0.1)
    speed = grid(0.0, 0.5, 0.5, 0.4, 0.4, 1.0, 0.1, 3.0)
    classes = aidr_classes(depth, speed, depth * speed, limits)
    assert classes[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 5]


def test_aidr_uses_the_product_of_one_moment():
    # Deep and fast, but never at the same time: the running maximum of the product says so.
    deep_then_fast = aidr_classes(grid(0.4), grid(1.5), grid(0.2), TABLES["aidr"]["limits"])
    assert deep_then_fast[0, 0] == 2
