"""Rain that varies in space, and soils, against the equations they come from; no water lost."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cimdesk.analysis.flood.inundation import run_inundation
from cimdesk.model.flood import Series
from cimdesk.model.flood_inputs import (
    GaugedRain,
    RadarRain,
    Soil,
    inverse_distance_shares,
    merged_rates,
    thiessen_shares,
)

from .channels import constant, scenario

MM_H = 1.0 / 3.6e6
ENGINES = ("inertial", "dynamic")


def soaked(model: str, parameters: tuple[float, float, float], rain_mm_h: float, hours: float, **fields):
    """Return the result of rain on a level closed basin with one soil."""
    ground = np.zeros((6, 6))
    soil = Soil(model, np.array([parameters]), np.zeros((6, 6), np.uint8))
    fields.setdefault("precision", "float64")
    return run_inundation(
        scenario(ground, 5.0, hours * 3600.0, soil=soil, rain=constant(rain_mm_h * MM_H), output_every=600.0, **fields)
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_green_ampt_takes_what_the_differential_equation_gives(engine):
    conductivity, suction, deficit = 10.0 * MM_H, 0.11, 0.3

    def rate(t, taken):
        return min(60.0 * MM_H, conductivity * (1.0 + suction * deficit / max(taken[0], 1e-12)))

    exact = solve_ivp(lambda t, y: [rate(t, y)], (0.0, 7200.0), [0.0], rtol=1e-8, atol=1e-12, max_step=5.0).y[0, -1]
    result = soaked("green-ampt", (conductivity, suction, deficit), 60.0, 2.0, engine=engine)
    taken = result.statistics["infiltration_m3"] / (36 * 25.0)
    assert taken == pytest.approx(exact, rel=2e-3)
    assert abs(result.statistics["mass_error"]) <= 1e-12


@pytest.mark.parametrize("engine", ENGINES)
def test_horton_under_ponding_follows_his_curve(engine):
    initial, final, decay = 80.0 * MM_H, 8.0 * MM_H, 4.0 / 3600.0
    result = soaked("horton", (initial, final, decay), 120.0, 2.0, engine=engine)
    exact = final * 7200.0 + (initial - final) / decay * (1.0 - np.exp(-decay * 7200.0))
    assert result.statistics["infiltration_m3"] / (36 * 25.0) == pytest.approx(exact, rel=1e-3)
    assert abs(result.statistics["mass_error"]) <= 1e-12


def test_light_rain_goes_in_whole_and_tires_horton_s_soil_no_more_than_it_wets_it():
    initial, final, decay = 80.0 * MM_H, 20.0 * MM_H, 4.0 / 3600.0
    light = soaked("horton", (initial, final, decay), 10.0, 2.0)
    assert light.volume[-1] == pytest.approx(0.0, abs=1e-6)
    assert light.statistics["infiltration_m3"] == pytest.approx(light.statistics["rain_m3"], rel=1e-9)


def test_float32_loses_no_drop_of_light_rain_and_losses():
    result = soaked("green-ampt", (2.0 * MM_H, 0.1, 0.2), 6.0, 3.0, precision="float32", initial_level=3.0)
    assert abs(result.statistics["mass_error"]) <= 1e-6
    double = soaked("green-ampt", (2.0 * MM_H, 0.1, 0.2), 6.0, 3.0, initial_level=3.0)
    assert result.volume[-1] == pytest.approx(double.volume[-1], rel=1e-6)


def test_each_soil_class_takes_its_own():
    classes = np.zeros((6, 6), np.uint8)
    classes[:, 3:] = 1
    soil = Soil("horton", np.array([[36.0 * MM_H, 36.0 * MM_H, 0.0], [0.0, 0.0, 0.0]]), classes)
    ground = np.zeros((6, 6))
    ground[:, 3:] = 50.0  # water cannot come back up
    result = run_inundation(
        scenario(ground, 5.0, 600.0, soil=soil, initial_level=np.where(ground > 0.0, 50.0, 1.0), precision="float64")
    )
    assert result.statistics["infiltration_m3"] == pytest.approx(0.006 * 18 * 25.0, rel=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_rain_between_gauges_is_that_of_the_nearest(engine):
    ground = np.zeros((8, 40))
    ground[:, 20] = 5.0
    points = np.array([[10.0, 20.0], [190.0, 20.0]])
    x, y = 5.0 * (np.arange(40) + 0.5), 5.0 * (8 - np.arange(8) - 0.5)
    shares = thiessen_shares(x, y, points)
    times, rates = merged_rates(
        [(np.array([0.0, 600.0]), np.array([36.0, 0.0]) * MM_H), (np.array([0.0, 900.0]), np.array([72.0, 0.0]) * MM_H)]
    )
    rain = GaugedRain(times, rates, shares)
    result = run_inundation(scenario(ground, 5.0, 1800.0, rain_field=rain, engine=engine, precision="float64", output_every=300.0))
    west, east = result.depths[-1][:, :20].sum() * 25.0, result.depths[-1][:, 21:].sum() * 25.0
    assert west + east + result.depths[-1][:, 20].sum() * 25.0 == pytest.approx(result.statistics["rain_m3"], rel=1e-6)
    # The ridge lies in the east and sheds its rain to both sides alike.
    assert west == pytest.approx((0.006 * 20 + 0.018 * 0.5) * 8 * 25.0, rel=1e-3)
    assert east == pytest.approx(0.018 * 19.5 * 8 * 25.0, rel=1e-3)
    assert abs(result.statistics["mass_error"]) <= 1e-12


def test_shares_sum_to_one_and_a_gauge_s_own_cell_is_its_own():
    points = np.array([[5.0, 5.0], [95.0, 5.0], [50.0, 95.0]])
    x = y = np.arange(5.0, 100.0, 10.0)
    for shares in (thiessen_shares(x, y, points), inverse_distance_shares(x, y, points)):
        np.testing.assert_allclose(shares.sum(axis=0), 1.0, rtol=1e-6)
        assert shares[0, 0, 0] == pytest.approx(1.0, abs=1e-4)


def test_radar_rain_falls_where_and_when_its_rasters_say():
    rates = np.zeros((3, 2, 2), np.float32)
    rates[0, 0, 0], rates[1, 1, 1] = 36.0 * MM_H, 72.0 * MM_H
    rows = columns = (np.arange(8) // 4).astype(np.int32)
    rain = RadarRain(np.array([0.0, 300.0, 600.0]), rates, rows, columns)
    ground = np.zeros((8, 8))
    ground[4, :] = ground[:, 4] = ground[3, :] = ground[:, 3] = 9.0
    result = run_inundation(scenario(ground, 5.0, 900.0, rain_field=rain, precision="float64", output_every=300.0))
    assert result.depths[1][:3, :3].sum() > 0.0
    assert result.depths[1][5:, 5:].sum() == 0.0
    assert result.depths[2][5:, 5:].sum() > 0.0
    assert result.statistics["rain_m3"] == pytest.approx((0.003 + 0.006) * 16 * 25.0, rel=1e-6)


def test_a_field_of_one_rate_is_the_same_as_uniform_rain():
    y, x = np.mgrid[:30, :30]
    ground = 0.02 * x + 0.2 * np.sin(x / 4.0) * np.sin(y / 5.0)
    rain = Series(np.array([0.0, 300.0, 900.0]), np.array([50.0, 20.0, 0.0]) * MM_H)
    field = GaugedRain(rain.times, rain.values[:, np.newaxis], np.ones((1, 30, 30), np.float32))
    one = run_inundation(scenario(ground, 5.0, 1800.0, rain=rain, precision="float64", output_every=600.0))
    other = run_inundation(scenario(ground, 5.0, 1800.0, rain_field=field, precision="float64", output_every=600.0))
    assert other.statistics["rain_m3"] == pytest.approx(one.statistics["rain_m3"], rel=1e-6)
    np.testing.assert_allclose(other.depths[-1], one.depths[-1], atol=2e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_fields_and_soils_give_the_same_bits_on_any_number_of_threads(engine):
    rng = np.random.default_rng(5)
    ground = rng.normal(0.0, 0.2, (260, 800))
    soil = Soil(
        "green-ampt", np.array([[5.0 * MM_H, 0.1, 0.2], [20.0 * MM_H, 0.2, 0.3]]), (rng.random(ground.shape) > 0.5).astype(np.uint8)
    )
    field = GaugedRain(np.array([0.0]), np.array([[200.0 * MM_H]]), np.ones((1, *ground.shape), np.float32))
    flood = scenario(ground, 2.0, 20.0, soil=soil, rain_field=field, engine=engine, output_every=20.0)
    one, two = (run_inundation(flood, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.depths, two.depths)
    assert one.statistics["infiltration_m3"] == two.statistics["infiltration_m3"]
