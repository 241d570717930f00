"""Sensor readings: tables long and wide, SensorThings, gauge services, and every way a file can be damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.units import parse_time
from cimdesk.formats.observations import READER
from cimdesk.formats.observations_build import clean_series, quantity_of, unique_ids
from cimdesk.formats.observations_csv import layout_of
from cimdesk.formats.registry import ReadOptions, ReadResult
from cimdesk.model.sensors import Sensors, Status
from tests.refusals import read_or_refused

MUTATIONS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LONG = (
    "sensor,time,value,quantity,unit,lon,lat\nL1,2026-06-07 12:00,1.0,water_level,m,113.3,23.1\n"
    "R1,2026-06-07 12:00,3.5,rainfall,mm,113.4,23.2\nL1,2026-06-07 12:05,1.4,water_level,m,113.3,23.1\n"
)
NOON = parse_time("2026-06-07T12:00:00+08:00")


def write(path: Path, content: str | bytes | Any) -> Path:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def read(path: Path, **extra) -> ReadResult:
    return READER.read(path, ReadOptions(extra=extra))


def sensors_of(result: ReadResult) -> Sensors:
    return result.sources[0].data


def codes(result: ReadResult) -> set[str]:
    return {problem.code for problem in result.problems}


class TestTables:
    def test_one_reading_a_row_becomes_a_series_per_sensor(self, tmp_path: Path):
        path = write(tmp_path / "gauges.csv", LONG)
        assert READER.claim(path, LONG.encode()) > 0.8
        result = read(path)
        sensors = sensors_of(result)
        assert dict(result.objects) == {"rows": 3, "things": 2, "datastreams": 2, "observations": 3}
        assert sensors.features.ids.tolist() == ["L1", "R1"]
        assert sensors.features.columns["quantity"].tolist() == ["water_level", "rainfall"]
        np.testing.assert_allclose(sensors.positions[:, :2], [[113.3, 23.1], [113.4, 23.2]])
        times, values = sensors.observations.series(0)
        np.testing.assert_allclose(times, [NOON, NOON + 300])
        np.testing.assert_allclose(values, [1.0, 1.4])
        assert result.sources[0].crs == Crs.epsg(4326)
        assert result.crs is None, "the file itself names no system"

    def test_times_are_local_to_the_zone_that_is_asked_for(self, tmp_path: Path):
        path = write(tmp_path / "gauges.csv", LONG)
        utc = sensors_of(read(path, zone="UTC")).observations.time_range
        assert utc[0] == NOON + 8 * 3600

    def test_one_sensor_a_column_takes_its_unit_from_the_header(self, tmp_path: Path):
        path = write(tmp_path / "wide.csv", "time,Liede (ft),Donghao (m),rain_mm_h\n0,10,1.0,5\n300,20,1.5,\n")
        result = read(path)
        sensors = sensors_of(result)
        assert sensors.features.ids.tolist() == ["Liede", "Donghao", "rain"]
        assert sensors.features.columns["unit"].tolist() == ["m", "m", "mm/h"]
        assert sensors.features.columns["source_unit"].tolist() == ["ft", None, None]
        np.testing.assert_allclose(sensors.observations.series(0)[1], [3.048, 6.096])
        np.testing.assert_array_equal(sensors.observations.series(2)[1], [5, np.nan])
        assert "no-position" in codes(result)

    def test_a_series_of_a_scenario_is_read(self, tmp_path: Path):
        sensors = sensors_of(read(write(tmp_path / "river.csv", "time,discharge_m3_s\n0,4.5\n3600,12\n")))
        assert sensors.features.row(0) == {"name": "discharge", "quantity": "flow_rate", "unit": "m3/s"}

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
    def test_chinese_tables_of_any_encoding_are_read(self, tmp_path: Path, encoding: str):
        text = "测站名称,监测时间,水位(m)\n猎德涌,2026/6/7 12:00,1.25\n猎德涌,2026/6/7 12:05,1.30\n"
        text = text.replace("水位(m)", "监测值") if encoding == "utf-16" else text
        path = write(tmp_path / "a.csv", "站点,监测时间,监测值,监测项,单位\n猎德涌,2026/6/7 12:00,1.25,水位,米\n".encode(encoding))
        assert READER.claim(path, path.read_bytes()) > 0.8
        sensors = sensors_of(read(path))
        assert sensors.features.row(0)["name"] == "猎德涌"
        assert sensors.features.row(0)["quantity"] == "water_level"
        assert sensors.features.row(0)["unit"] == "m"
        assert sensors.observations.times.tolist() == [NOON]

    def test_a_table_of_stations_beside_the_readings_places_them(self, tmp_path: Path):
        write(
            tmp_path / "stations.csv",
            "id,name,lon,lat,unit,quantity,attention,warning,alarm\nL1,猎德,113.3,23.1,m,water_level,1,1.2,1.3\n",
        )
        result = read(write(tmp_path / "readings.csv", "id,time,value\nL1,2026-06-07 12:00,1.25\nL2,2026-06-07 12:00,9\n"))
        sensors = sensors_of(result)
        assert sensors.features.columns["name"].tolist() == ["猎德", "L2"]
        np.testing.assert_allclose(sensors.thresholds[0], [1, 1.2, 1.3])
        assert sensors.status_at(NOON).tolist() == [Status.WARNING, Status.NORMAL]
        problem = next(p for p in result.problems if p.code == "no-position")
        assert problem.values == {"count": 1, "all": 2}

    def test_bad_rows_are_reported_by_line_and_the_rest_is_read(self, tmp_path: Path):
        result = read(
            write(
                tmp_path / "a.csv",
                "id,time,value\nL1,2026-06-07 12:00,1\nL1,soon,2\n\nL1,2026-06-07 12:10,wet\nL1,2026-06-07 12:15,\n",
            )
        )
        problems = {p.code: p.where for p in result.problems}
        assert problems["bad-time"] == "line 3"
        assert problems["bad-value"] == "line 5"
        np.testing.assert_array_equal(sensors_of(result).observations.values, [1, np.nan, np.nan])

    def test_a_station_that_measures_several_things_is_several_sensors(self, tmp_path: Path):
        text = "station,time,parameter,value\nA,2026-06-07 12:00,water_level,1\nA,2026-06-07 12:00,rainfall,2\n"
        assert sensors_of(read(write(tmp_path / "a.csv", text))).features.ids.tolist() == ["A:water_level", "A:rainfall"]

    def test_date_and_time_in_two_columns_are_one_moment(self, tmp_path: Path):
        result = read(write(tmp_path / "a.csv", "date,time,level\n2026-06-07,12:00,1\n"))
        assert sensors_of(result).observations.times.tolist() == [NOON]

    def test_a_first_column_that_only_counts_is_no_time(self, tmp_path: Path):
        path = write(tmp_path / "frame.csv", ",a,b\n0,1,2\n1,3,4\n2,5,6\n")
        assert READER.claim(path, path.read_bytes()) == 0.0
        with pytest.raises(DataError, match="no column"):
            read(path)

    def test_a_table_with_a_header_alone_is_refused(self, tmp_path: Path):
        with pytest.raises(DataError, match="no readings"):
            read(write(tmp_path / "a.csv", "time,value\n"))

    @pytest.mark.parametrize("header", [["x", "y", "name"], ["id", "name"], ["WKT", "n"]])
    def test_tables_without_a_time_are_none_of_ours(self, header: list[str]):
        assert layout_of(header) is None

    def test_many_readings_are_sorted_into_their_series(self, tmp_path: Path):
        rng = np.random.default_rng(3)
        rows = [f"S{s},{t},{t / 10 + s}" for s, t in zip(rng.integers(0, 9, 3000), rng.permutation(3000), strict=True)]
        observations = sensors_of(read(write(tmp_path / "a.csv", "id,time,value\n" + "\n".join(rows)))).observations
        assert len(observations.times) == 3000
        for k in range(9):
            times, values = observations.series(k)
            assert (np.diff(times) > 0).all()
            assert np.ptp(values - times / 10) < 1e-9


def thing(key: int = 1, **members) -> dict:
    return {
        "@iot.id": key, "name": f"Gauge {key}",
        "Locations": [{"name": "here", "location": {"type": "Point", "coordinates": [113.3, 23.1, 4.0]}}],
        "Datastreams": [
            {
                "@iot.id": 10 * key, "name": "level", "unitOfMeasurement": {"name": "metre", "symbol": "m"},
                "ObservedProperty": {"name": "Water level"}, "properties": {"thresholds": [1.0, 2.0, 3.0]},
                "Observations": [
                    {"phenomenonTime": "2026-06-07T04:00:00Z", "result": 1.5},
                    {"phenomenonTime": "2026-06-07T04:00:00Z/2026-06-07T04:05:00Z", "result": "2.5"},
                ],
            }
        ],
        **members,
    }  # fmt: skip


class TestSensorThings:
    def test_an_expanded_set_of_things_is_read(self, tmp_path: Path):
        path = write(tmp_path / "things.json", {"value": [thing(1), thing(2)]})
        assert READER.claim(path, path.read_bytes()) >= 0.9
        result = read(path)
        sensors = sensors_of(result)
        assert dict(result.objects) == {"things": 2, "datastreams": 2, "observations": 4}
        assert sensors.features.ids.tolist() == ["10", "20"]
        assert sensors.features.row(0)["name"] == "Gauge 1 · level"
        assert sensors.features.row(0)["quantity"] == "water_level"
        np.testing.assert_allclose(sensors.positions[0], [113.3, 23.1, 4.0])
        np.testing.assert_allclose(sensors.observations.series(0)[0], [NOON, NOON + 300])
        assert sensors.status_at(NOON + 300)[0] == Status.WARNING

    def test_a_next_page_that_is_missing_is_reported(self, tmp_path: Path):
        result = read(write(tmp_path / "a.json", {"value": [thing()], "@iot.nextLink": "http://x/Things?$skip=1"}))
        assert "next-page" in codes(result)

    @pytest.mark.parametrize(
        ("document", "objects"),
        [
            (thing(), {"things": 1, "datastreams": 1, "observations": 2}),
            (thing()["Datastreams"][0], {"things": 0, "datastreams": 1, "observations": 2}),
            (
                {"phenomenonTime": "2026-06-07T04:00:00Z", "result": 1, "@iot.id": 5},
                {"things": 0, "datastreams": 0, "observations": 1},
            ),
            (
                {"value": [{**thing()["Datastreams"][0], "Thing": {"@iot.id": 1, "name": "G"}}]},
                {"things": 1, "datastreams": 1, "observations": 2},
            ),
            (
                {"value": [{"phenomenonTime": "2026-06-07T04:00:00Z", "result": 1, "Datastream": {"@iot.id": 7, "name": "d"}}]},
                {"things": 0, "datastreams": 1, "observations": 1},
            ),
            ({"value": [], "@iot.count": 0}, {"things": 0, "datastreams": 0, "observations": 0}),
        ],
    )
    def test_every_shape_of_payload_is_understood(self, tmp_path: Path, document: dict, objects: dict[str, int]):
        path = write(tmp_path / "a.json", document)
        assert READER.claim(path, path.read_bytes()) >= 0.9
        assert dict(read(path).objects) == objects

    def test_data_arrays_are_read(self, tmp_path: Path):
        rows = [[1, "2026-06-07T04:00:00Z", 1.5], [2, "2026-06-07T04:05:00Z", None], [3, "2026-06-07T04:10:00Z", "x"], [4]]
        part = {"Datastream": {"@iot.id": 7}, "components": ["id", "phenomenonTime", "result"], "dataArray": rows}
        result = read(write(tmp_path / "a.json", {"value": [part]}))
        np.testing.assert_array_equal(sensors_of(result).observations.values, [1.5, np.nan, np.nan])
        assert next(p for p in result.problems if p.code == "bad-observation").values == {"count": 2}

    def test_a_document_without_any_entity_is_refused(self, tmp_path: Path):
        with pytest.raises(DataError, match="no Thing"):
            read(write(tmp_path / "a.json", {"value": [{"phenomenon": 1}], "@iot.count": 1}))


STATION = {
    "telemetry_id": "E1", "rloi_id": 7, "external_name": "Bridge", "station_type": "S", "status": "Active", "qualifier": "u",
    "value": "3.6", "value_timestamp": "2021-05-28T10:30:00.000Z", "value_erred": False, "percentile_5": "1.5",
    "percentile_95": "0.3",
    "lon": -0.3, "lat": 50.9,
}  # fmt: skip


class TestGauges:
    def test_a_list_of_stations_is_a_layer_of_gauges(self, tmp_path: Path):
        rows = [
            STATION,
            {**STATION, "qualifier": "d"},
            {**STATION, "value_erred": True},
            {**STATION, "status": "Suspended", "telemetry_id": "E2"},
        ]
        result = read(write(tmp_path / "stations.json", rows))
        sensors = sensors_of(result)
        assert sensors.features.ids.tolist() == ["E1", "E1:downstream", "E1-2", "E2"]
        assert sensors.thresholds[0, 0] == 1.5
        now = parse_time("2021-05-28T11:00:00Z")
        assert sensors.status_at(now).tolist() == [Status.ATTENTION, Status.ATTENTION, Status.FAULT, Status.MAINTENANCE]
        assert "repeated-id" in codes(result)

    def test_a_station_has_its_series_and_flood_thresholds(self, tmp_path: Path):
        levels = [{"fwis_type": "A", "value": "3.5"}, {"fwis_type": "W", "value": "4.0"}, {"fwis_type": "W", "value": "3.9"}]
        telemetry = [{"ts": "2020-07-13T12:00Z", "_": 0.8, "err": False}, {"ts": "2020-07-13T11:45Z", "_": 99, "err": True}]
        result = read(write(tmp_path / "a.json", {"station": STATION, "telemetry": telemetry, "imtdThresholds": levels}))
        sensors = sensors_of(result)
        np.testing.assert_allclose(sensors.thresholds[0], [1.5, 3.5, 3.9])
        np.testing.assert_array_equal(sensors.observations.values, [np.nan, 0.8])
        assert "gaps" in codes(result)

    def test_water_services_name_their_missing_values_and_offsets(self, tmp_path: Path):
        series = {
            "sourceInfo": {
                "siteName": "CREEK", "siteCode": [{"value": "01"}], "timeZoneInfo": {"defaultTimeZone": {"zoneOffset": "-05:00"}},
                "geoLocation": {"geogLocation": {"latitude": 39.0, "longitude": -75.0}},
            },
            "variable": {"variableCode": [{"value": "00065"}], "unit": {"unitCode": "ft"}, "noDataValue": -999999.0},
            "values": [{"value": [
                {"value": "10", "dateTime": "2020-01-01T00:00:00.000"}, {"value": "-999999", "dateTime": "2020-01-02T00:00:00.000"},
            ]}],
        }  # fmt: skip
        sensors = sensors_of(read(write(tmp_path / "a.json", {"value": {"timeSeries": [series]}})))
        np.testing.assert_allclose(sensors.observations.values, [3.048, np.nan])
        assert sensors.observations.times[0] == parse_time("2020-01-01T05:00:00Z")

    def test_a_tab_separated_table_of_readings_is_read(self, tmp_path: Path):
        text = (
            "# US Geological Survey\nagency_cd\tsite_no\tdatetime\ttz_cd\t69_00065\t69_00065_cd\n5s\t15s\t20d\t6s\t14n\t10s\n"
            "USGS\t01\t2020-01-01 00:00\tEST\t10\tP\nUSGS\t01\t2020-01-01 00:15\tEST\t\tP\nUSGS\tbroken\n"
        )
        result = read(write(tmp_path / "a.txt", text))
        sensors = sensors_of(result)
        assert dict(result.objects) == {"rows": 2, "things": 1, "datastreams": 1, "observations": 2}
        assert sensors.observations.times[0] == parse_time("2020-01-01T05:00:00Z")
        assert next(p for p in result.problems if p.code == "bad-row").where == "line 6"


class TestBuilding:
    @given(st.lists(st.sampled_from("abc") | st.sampled_from(["a-2", "b-2"]), max_size=20))
    def test_ids_are_unique_and_the_first_of_each_keeps_its_name(self, keys: list[str]):
        ids = unique_ids(keys)
        assert len(set(ids)) == len(keys)
        assert all(ids[keys.index(key)] == key for key in keys)

    @given(st.lists(st.tuples(st.integers(0, 9) | st.just(float("nan")), st.floats(-9, 9)), max_size=30))
    def test_a_clean_series_rises_and_keeps_the_last_of_equal_times(self, rows: list[tuple[float, float]]):
        times, values = clean_series([t for t, _ in rows], [v for _, v in rows])
        assert (np.diff(times) > 0).all()
        last = {t: v for t, v in rows if t == t}
        assert dict(zip(times.tolist(), values.tolist(), strict=True)) == last

    @pytest.mark.parametrize(
        ("text", "unit", "quantity"),
        [
            ("Gage height, feet", "m", "water_level"), ("Discharge", "", "flow_rate"), ("水位", "", "water_level"),
            ("雨量", "", "rainfall"),
            ("积水深度", "", "water_depth"), ("", "m3/s", "flow_rate"), ("water_level", "", "water_level"), ("pm2_5", "", "pm2_5"),
            ("Specific odour", "", "specific_odour"), ("", "", ""),
        ],
    )  # fmt: skip
    def test_quantities_are_known_by_many_names(self, text: str, unit: str, quantity: str):
        assert quantity_of(text, unit) == quantity


class TestClaims:
    @pytest.mark.parametrize(
        ("name", "head"),
        [
            ("city.json", b'{"type":"CityJSON","version":"2.0","CityObjects":{}}'),
            ("tileset.json", b'{"asset":{"version":"1.1"},"geometricError":1,"root":{}}'),
            ("plan.geojson", b'{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"n":1},"geometry":null}]}'),
            ("places.json", b'[[{"name":"a","value":[1,2,3]}]]'),
            ("stops.csv", b"x,y,name\n1,2,a"),
            ("notes.txt", b"hello\nworld"),
            ("layer.json", b'{"tilejson":"2.1.0","format":"quantized-mesh-1.0","tiles":[]}'),
            ("net.json", b'{"_module":"pandapower.auxiliary","_class":"pandapowerNet"}'),
        ],
    )
    def test_other_files_are_left_to_others(self, name: str, head: bytes):
        assert READER.claim(Path(name), head) == 0.0

    def test_invalid_json_is_refused_with_its_place(self, tmp_path: Path):
        with pytest.raises(DataError, match=r"line 1, column \d+"):
            read(write(tmp_path / "a.json", '[{"telemetry_id": "E1", "value": }]'))


GOOD = {
    "long.csv": LONG.encode(),
    "wide.csv": b"time,a (m),b (m)\n0,1,2\n300,2,3\n",
    "things.json": json.dumps({"value": [thing(1), thing(2)]}).encode(),
    "stations.json": json.dumps([STATION, STATION]).encode(),
    "station.json": json.dumps({"station": STATION, "telemetry": [{"ts": "2020-07-13T12:00Z", "_": 0.8, "err": False}]}).encode(),
    "sites.txt": (
        b"# US Geological Survey\nagency_cd\tsite_no\tstation_nm\tdec_lat_va\tdec_long_va\n5s\t15s\t50s\t16s\t16s\n"
        b"USGS\t1\tA\t1\t2\n"
    ),
}


@pytest.mark.parametrize("name", GOOD)
@given(part=st.floats(0.0, 1.0, exclude_max=True), flips=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=6))
@MUTATIONS
def test_damaged_files_never_escape_as_anything_but_a_refusal(tmp_path: Path, name: str, part: float, flips: list[tuple[int, int]]):
    data = bytearray(GOOD[name])
    for place, value in flips:
        data[place % len(data)] = value
    path = write(tmp_path / name, bytes(data[: 1 + int(part * (len(data) - 1))] if not flips else data))
    read_or_refused(read, path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FORECAST = {"SetofValues": [{"Value": [{"_": "1", "$": {"date": "2020-01-01", "time": "00:00"}}]}]}
SERIES = {
    "sourceInfo": {"siteCode": [{"value": "1"}], "geoLocation": {"geogLocation": {"latitude": 1, "longitude": 2}}},
    "variable": {"unit": {"unitCode": "ft"}},
    "values": [{"value": [{"value": "1", "dateTime": "2020-01-01"}]}],
}
POINT = {"coordinates": [1, 2]}
USGS_READING = {"monitoring_location_id": "U", "time": "2020-01-01", "value": "1"}
RAIN_READING = {"telemetry_station_id": 1, "value": 2, "value_timestamp": "2020-01-01T00:00Z"}
DOCUMENTS = [
    {"value": [thing(1)]},
    [STATION],
    {"station": STATION, "telemetry": [{"ts": "2020-07-13T12:00Z", "_": 0.8}], "values": FORECAST},
    {"value": {"timeSeries": [SERIES]}},
    {"type": "FeatureCollection", "features": [{"geometry": POINT, "properties": USGS_READING}]},
    {"features": [{"geometry": POINT, "properties": RAIN_READING}]},
    {"floods": [{"ta_code": "a", "geometry": "{}"}]},
]


@given(document=st.sampled_from(DOCUMENTS), seed=st.randoms(use_true_random=False), value=VALUES)
@MUTATIONS
def test_a_value_of_any_other_type_is_read_around_or_refused(tmp_path: Path, document: Any, seed, value: Any):
    mutated = json.loads(json.dumps(document))
    node, key = mutated, None
    for _ in range(seed.randint(1, 7)):
        if not isinstance(node, dict | list) or not node:
            break
        parent, key = node, seed.choice(list(node)) if isinstance(node, dict) else seed.randrange(len(node))
        node = parent[key]
    if key is not None:
        parent[key] = value
    path = write(tmp_path / "a.json", mutated)
    read_or_refused(read, path)
