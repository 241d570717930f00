"""Attributes as people read them."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.formats.registry import read
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable
from cimdesk.model.network import UtilityNetwork
from cimdesk.ui.attributes import readable_name, show_attribute, show_row
from tests.samples import drainage_inp


@pytest.mark.parametrize(
    ("column", "name", "unit"),
    [
        ("attributes.address", "address", ""),
        ("floor_area_m2", "floor area", "m²"),
        ("measuredHeight", "measured height", "m"),
        ("diameter_mm", "diameter", "mm"),
        ("voltage_kv", "voltage", "kV"),
        ("use", "use", ""),
        ("m", "m", ""),
        ("管径_mm", "管径", "mm"),
        ("length", "length", ""),
    ],
)
def test_names_lose_underscores_and_keep_their_unit(column, name, unit):
    assert readable_name(column) == (name, unit)


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("floor_area_m2", 6857, "6,857 m²"),
        ("measuredHeight", 9.5, "9.50 m"),
        ("depth_m", np.float64(1.1), "1.10 m"),
        ("width_m", 28.0, "28 m"),
        ("year", 2016, "2016"),
        ("name", None, "–"),
        ("area_m2", None, "–"),
        ("manning_n", 0.013, "0.013"),
    ],
)
def test_values_are_told_with_unit_and_sensible_digits(column, value, text):
    assert show_attribute(column, value)[1] == text


def test_a_network_is_known_to_keep_metres(tmp_path):
    pipes = read(drainage_inp(tmp_path / "drainage.inp")).sources[0].data
    assert isinstance(pipes, UtilityNetwork)
    assert show_attribute("length", 60.43, pipes) == ("length", "60.4 m")
    assert show_attribute("diameter", 1.0, pipes) == ("diameter", "1.00 m (DN 1000)")
    assert show_attribute("drained_area", 9379.0, pipes) == ("drained area", "9,379 m²")


def test_heights_of_the_file_and_of_the_model_are_told_apart():
    city = CityModel(FeatureTable.empty(), np.zeros(0, dtype=np.int32), {}, {})
    names = [readable_name(column, city) for column in ("attributes.measuredHeight", "measured_height")]
    assert names == [("measured height", "m"), ("height (measured on the model)", "m")]


def test_a_unit_kept_beside_a_value_stands_behind_it():
    row = {"area": 1106.0, "area.uom": "m2", "height": None, "height.uom": "m", "alone.uom": "ha"}
    assert show_row(row) == [("area", "1106 m²"), ("height", "–"), ("alone: unit", "ha")]
