"""Real CityJSON files against facts found with other tools."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.formats.cityjson import READER, write_cityjson
from cimdesk.formats.registry import ReadOptions, reader_for
from cimdesk.model.mesh import Surface

pytestmark = pytest.mark.real

# The tool behind the facts took these for sequences of bad lines: they are CityJSON over many lines after a byte order mark.
MISREAD = {
    "bertt/building_with_innerring.city.json", "bertt/csol.city.json", "bertt/cube.city.json", "bertt/msol.city.json",
    "bertt/tetra.city.json", "bertt/torus.city.json", "bertt/twocube.city.json",
}  # fmt: skip


@pytest.fixture(scope="session")
def cityjson_facts(facts) -> dict[str, dict]:
    """Facts by path under ``cityjson/``."""
    return {key.removeprefix("cityjson/"): value for key, value in facts.items() if key.startswith("cityjson/") and "kind" in value}


@pytest.fixture(scope="session")
def results(real_data: Path, cityjson_facts) -> dict:
    """Every file, read."""
    return {key: READER.read(real_data / "cityjson" / key, ReadOptions()) for key in cityjson_facts}


def test_every_file_is_claimed_by_the_right_reader(real_data, cityjson_facts):
    for key, fact in cityjson_facts.items():
        wanted = "CityJSON" if key in MISREAD or fact["kind"] == "CityJSON" else "CityJSONSeq"
        assert reader_for(real_data / "cityjson" / key).name == wanted, key


def test_objects_versions_and_systems_are_those_of_the_facts(results, cityjson_facts):
    for key, fact in cityjson_facts.items():
        if key in MISREAD:
            continue
        result = results[key]
        assert dict(result.objects) == fact["types"], key
        assert result.version == fact.get("version"), key
        crs = Crs.parse(fact.get("crs"))
        assert result.crs == (crs.code if crs else None), key


def test_extents_are_those_of_the_facts(results, cityjson_facts):
    for key, fact in cityjson_facts.items():
        if "bbox" in fact and key != "cjio/dummy/dummy.json":
            assert results[key].extent.ravel() == pytest.approx(fact["bbox"], abs=1e-6), key


def test_levels_of_detail_are_those_of_the_facts(results, cityjson_facts):
    without_triangles = {"cjval_mixed/sem_point.city.json", "flatcitybuf/noise_extension.city.jsonl"}
    for key, fact in cityjson_facts.items():
        if key in MISREAD | without_triangles or not results[key].sources:
            continue
        wanted = {lod for lod in fact["lods"] if lod != "None"}
        assert wanted <= set(results[key].sources[0].data.meshes), key


def test_pretty_printed_files_after_a_byte_order_mark_are_cityjson(real_data, results):
    for key in MISREAD:
        content = json.loads((real_data / "cityjson" / key).read_text(encoding="utf-8-sig"))
        assert results[key].format == "CityJSON"
        assert sum(results[key].objects.values()) == len(content["CityObjects"])
        assert not results[key].problems
        assert results[key].sources[0].data.meshes


def volume(city, lod: str) -> float:
    """Return the volume enclosed by the triangles of one level [m3]."""
    mesh = city.meshes[lod]
    a, b, c = mesh.vertices[mesh.triangles].astype(np.float64).transpose(1, 0, 2)
    return float((np.cross(a, b) * c).sum() / 6.0)


@pytest.mark.parametrize(
    ("key", "lod", "expected"),
    [
        ("bertt/cube.city.json", "1", 1.0), ("bertt/csol.city.json", "1", 2.0), ("bertt/msol.city.json", "1", 2.0),
        ("bertt/tetra.city.json", "1", 1.0 / 6.0), ("cjval_mixed/cube.city.json", "1", 2.0),
    ],
)  # fmt: skip
def test_simple_solids_have_their_volume(results, key, lod, expected):
    assert volume(results[key].sources[0].data, lod) == pytest.approx(expected, rel=1e-5)


def test_a_file_and_its_sequence_are_the_same_city(results):
    one, other = (results[f"cjseq/3dbag_b2.city.{suffix}"].sources[0].data for suffix in ("json", "jsonl"))
    assert sorted(one.features.ids) == sorted(other.features.ids)
    assert set(one.features.columns) == set(other.features.columns)
    rows = other.features.rows_of(one.features.ids)
    for name, values in one.features.columns.items():
        assert [str(v) for v in values] == [str(v) for v in other.features.columns[name][rows]], name
    for row, match in enumerate(rows):
        parents = [city.features.ids[city.parents[r]] if city.parents[r] >= 0 else None for city, r in ((one, row), (other, match))]
        assert parents[0] == parents[1]
    mine, theirs = one.meshes["2.2"], other.meshes["2.2"]
    assert len(mine.triangles) == len(theirs.triangles)
    assert np.bincount(mine.surface).tolist() == np.bincount(theirs.surface).tolist()
    assert mine.bounds == pytest.approx(theirs.bounds, abs=1e-4)
    assert volume(one, "2.2") == pytest.approx(volume(other, "2.2"), rel=1e-4)


def test_files_that_must_be_reported_are(results, cityjson_facts):
    expected = [key for key, fact in cityjson_facts.items() if "expect" in fact]
    assert len(expected) == 3
    for key in expected:
        assert cityjson_facts[key]["expect"] == "report: vertex index out of range"
        assert "vertex-out-of-range" in {problem.code for problem in results[key].problems}, key
        assert results[key].sources[0].data.meshes, key


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("cjval_mixed/o4.json", "unknown-version"),
        ("cjval_mixed/duplicate.json", "duplicate-id"),
        ("cjval_mixed/cube_20.jsonl", "duplicate-id"),
        ("cjval_mixed/cube_20.jsonl", "wrong-type"),
        ("cjval_mixed/noise1.city.json", "bad-transform"),
        ("cjval_mixed/sem.json", "semantics"),
        ("cjval_mixed/sem_point.city.json", "not-drawn"),
        ("cjval_mixed/material2.city.json", "material"),
        ("cjdb/no_cityjson_obj.city.jsonl", "no-header"),
    ],
)
def test_faults_of_the_validator_corpus_are_found(results, key, code):
    assert code in {problem.code for problem in results[key].problems}


def test_good_files_have_no_problems(results):
    for key in (
        "cjseq/3dbag_b2.city.json",
        "citygml4j/lod2_buildings_v2.json",
        "cjval_mixed/japanese.city.json",
        "cjio/multi_lod.json",
    ):
        assert not results[key].problems, key


def test_vienna_has_parts_roofs_and_walls(results):
    city = results["cjdb/vienna.jsonl"].sources[0].data
    assert int((city.parents >= 0).sum()) == 443
    assert {Surface.GROUND, Surface.WALL, Surface.ROOF} <= set(np.unique(city.meshes["2"].surface).tolist())


def test_templates_of_real_trees_stand_in_the_city(results):
    city = results["flatcitybuf/geom_temp.city.jsonl"].sources[0].data
    trees = city.features.columns["type"] == "SolitaryVegetationObject"
    drawn = np.zeros(len(trees), dtype=bool)
    drawn[city.meshes["3"].feature_index] = True
    assert drawn[trees].all()


def test_delft_reads_back_after_writing(results, tmp_path):
    before = results["cjio/delft.json"].sources[0].data
    write_cityjson(tmp_path / "delft.city.json", before, Crs.epsg(7415))
    again = READER.read(tmp_path / "delft.city.json", ReadOptions())
    after = again.sources[0].data
    assert again.crs == "EPSG:7415"
    assert dict(again.objects) == dict(results["cjio/delft.json"].objects)
    assert after.bounds == pytest.approx(before.bounds, abs=0.001)
    assert list(before.features.columns) == list(after.features.columns)
    assert volume(after, "1") == pytest.approx(volume(before, "1"), rel=1e-4)
