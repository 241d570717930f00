"""Single plants are called trees where the model says that they are."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.model.features import FeatureTable
from cimdesk.model.plants import plant_words


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({}, "Plant"),
        ({"species": "Ficus microcarpa"}, "Tree"),
        ({"species": ""}, "Plant"),
        ({"trunkDiameter": 0.3}, "Tree"),
        ({"trunkDiameter": np.nan}, "Plant"),
        ({"class": "1070"}, "Tree"),
        ({"class": "1000", "species": "Rosa canina"}, "Plant"),
        ({"class": "Laubbaum"}, "Tree"),
        ({"class": "乔木"}, "Tree"),
    ],
)
def test_what_a_plant_is_called(attributes, words):
    table = FeatureTable(["P1"], {name: np.array([value]) for name, value in attributes.items()})
    assert plant_words(table, 0) == words
