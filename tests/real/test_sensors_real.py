"""Real readings of gauges against facts found with independent tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.units import parse_time
from cimdesk.formats.observations import READER
from cimdesk.formats.registry import ReadOptions, ReadResult, read_head
from cimdesk.formats.vector import READER as VECTOR_READER
from cimdesk.model.sensors import Status

pytestmark = pytest.mark.real


def read(path: Path) -> ReadResult:
    head = read_head(path)
    assert READER.claim(path, head) > VECTOR_READER.claim(path, head), path.name
    return READER.read(path, ReadOptions())


def test_every_file_of_readings_is_read(real_data: Path, facts: dict):
    names = [name for name in facts if name.startswith("sensors/")]
    assert len(names) == 20
    for name in names:
        result = read(real_data / name)
        fact = facts[name]
        rows = fact.get("len") or fact.get("features")
        if rows:
            assert result.objects["rows"] == rows, name


def test_the_gauges_of_england_lie_in_england_and_have_a_status(real_data: Path):
    result = read(real_data / "sensors/defra/stations.json")
    sensors = result.sources[0].data
    assert len(sensors.features) == 3393
    assert result.sources[0].crs == Crs.epsg(4326)
    placed = sensors.positions[np.isfinite(sensors.positions[:, 0])]
    assert len(placed) == 3393 - 4
    assert (placed[:, 0] > -6.5).all()
    assert (placed[:, 0] < 2.0).all()
    assert (placed[:, 1] > 49.8).all()
    assert (placed[:, 1] < 56.0).all()
    counts = np.bincount(sensors.status_at(parse_time("2021-05-28T12:00:00Z")), minlength=7)
    assert counts[Status.NORMAL] > 2300
    assert counts[Status.ATTENTION] > 0
    assert counts[Status.MAINTENANCE] == 23


def test_rain_gauges_without_a_place_are_kept_and_counted(real_data: Path):
    result = read(real_data / "sensors/defra/rainfall.geojson.json")
    assert result.crs == "EPSG:4326"
    assert next(p for p in result.problems if p.code == "no-position").values == {"count": 5, "all": 938}


def test_a_spike_in_the_telemetry_is_kept_as_it_was_sent(real_data: Path):
    with_spike = read(real_data / "sensors/defra/spikeTelem.json").sources[0].data.observations
    without = read(real_data / "sensors/defra/nonSpikeTelem.json").sources[0].data.observations
    assert with_spike.values.max() == 1000.0
    assert without.values.max() < 3.0
    np.testing.assert_array_equal(with_spike.times, without.times)


def test_a_gauge_comes_with_its_flood_thresholds_and_its_forecast(real_data: Path):
    river = read(real_data / "sensors/defra/stationRiver.json").sources[0].data
    np.testing.assert_allclose(river.thresholds[0], [2.84, 3.5, 3.9])
    forecast = read(real_data / "sensors/defra/stationForecastData.json").sources[0].data
    assert len(forecast.features) == 2
    assert len(forecast.observations.series(1)[0]) == 4
    assert forecast.features.columns["name"][1].endswith("(forecast)")


def test_discharge_of_the_choptank_is_in_cubic_metres_a_second(real_data: Path):
    sensors = read(real_data / "sensors/usgs/waterservices_iv.txt").sources[0].data
    flow = next(k for k, quantity in enumerate(sensors.features.columns["quantity"]) if quantity == "flow_rate")
    times, values = sensors.observations.series(flow)
    assert values[0] == pytest.approx(974 * 0.3048**3)
    assert times[0] == parse_time("2019-02-14T00:00:00-05:00")


def test_sites_and_statistics_of_the_water_services_are_told_apart(real_data: Path):
    sites = read(real_data / "sensors/usgs/nwis_sites.txt")
    assert sites.objects["rows"] == 206
    assert sites.sources[0].data.positions[0, 2] == pytest.approx(2550 * 0.3048)
    statistics = read(real_data / "sensors/usgs/waterservices_stats.txt")
    assert statistics.sources == ()
    assert statistics.objects["rows"] == 2164


def test_pressures_of_a_simulated_network_are_a_series_per_node(real_data: Path):
    result = read(real_data / "networks_water/wntr/pressure.csv")
    assert dict(result.objects) == {"rows": 169, "things": 97, "datastreams": 97, "observations": 169 * 97}
