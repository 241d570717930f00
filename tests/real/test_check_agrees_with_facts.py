"""`check` beside what other programs found in the same files: object counts, reference systems, versions."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cimdesk.commands.checking import check

pytestmark = pytest.mark.real

WATER = ("junctions", "reservoirs", "tanks", "pipes", "pumps", "valves")
DRAINAGE = {
    "SUBCATCHMENTS": "subcatchments", "RAINGAGES": "raingages", "JUNCTIONS": "junctions", "OUTFALLS": "outfalls",
    "DIVIDERS": "dividers", "STORAGE": "storage", "CONDUITS": "conduits", "PUMPS": "pumps", "ORIFICES": "orifices",
    "WEIRS": "weirs", "OUTLETS": "outlets",
}  # fmt: skip


def family(name: str, fact: dict) -> str:
    """Return which comparison a file belongs to, from the keys of its facts alone."""
    if fact.get("kind") in ("CityJSON", "CityJSONSeq", "CityJSONFeature"):
        return "city"
    if name.endswith(".inp"):
        return "water" if "pipes" in fact or "section_lines" in fact else "drainage" if "sections" in fact else ""
    if "driver" in fact and "bands" in fact:
        return "raster"
    if "layers" in fact or fact.get("kind") == "FeatureCollection":
        return "vector"
    return ""


def files_of(facts: dict, wanted: str) -> Iterator[tuple[str, dict]]:
    return ((name, fact) for name, fact in sorted(facts.items()) if family(name, fact) == wanted)


def code_of(text: object) -> str | None:
    """Return ``EPSG:n`` or ``EPSG:n+m`` for any spelling with EPSG numbers in it; None for the rest."""
    text = str(text or "")
    numbers = re.findall(r"EPSG(?:[:/]+[0-9.]*)?[:/]+(\d{4,6})(?![\d.])", text) or re.findall(r"^(\d{4,6})$", text)
    return "EPSG:" + "+".join(numbers) if numbers else None


def nonzero(objects: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in objects.items() if count}


def compare(differences: list[str], name: str, what: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        differences.append(f"{name}: {what}: {ours!r}, they say {theirs!r}")


def test_city_models_agree_on_objects_versions_and_reference_systems(real_data: Path, facts: dict) -> None:
    differences: list[str] = []
    names = list(files_of(facts, "city"))
    for name, fact in names:
        report = check(real_data / name)
        if fact["kind"] == "CityJSONSeq" and fact.get("bad_json_lines"):
            # One document over many lines: their tool tried each line by itself and found nothing; the document is whole.
            document = json.loads((real_data / name).read_text("utf-8-sig"))
            kinds = Counter(item["type"] for item in document["CityObjects"].values())
            fact = {"kind": "CityJSON", "types": dict(kinds), "version": document["version"]}
            fact["crs"] = document.get("metadata", {}).get("referenceSystem")
        compare(differences, name, "objects", nonzero(report["objects"]), nonzero(fact["types"]))
        compare(differences, name, "format", report["format"], "CityJSON" if fact["kind"] == "CityJSON" else "CityJSONSeq")
        compare(differences, name, "version", report["version"], fact.get("version"))
        compare(differences, name, "crs", report["crs"], code_of(fact.get("crs")))
    assert not differences, "\n".join(differences)
    assert len(names) >= 55


def test_water_networks_agree_with_epanet(real_data: Path, facts: dict) -> None:
    differences: list[str] = []
    names = list(files_of(facts, "water"))
    for name, fact in names:
        report = check(real_data / name)
        rows = fact.get("section_lines", {})
        theirs = {key: fact[key] if key in fact else rows.get(key.upper(), 0) for key in WATER}
        compare(differences, name, "objects", nonzero(report["objects"]), nonzero(theirs))
        compare(differences, name, "format", report["format"], "EPANET")
        compare(differences, name, "crs", report["crs"], None)
        if "error" in fact:
            assert any(problem["severity"] != "info" for problem in report["problems"]), name
    assert not differences, "\n".join(differences)
    assert len(names) >= 20


def test_drainage_networks_agree_with_the_rows_of_their_sections(real_data: Path, facts: dict) -> None:
    differences: list[str] = []
    names = list(files_of(facts, "drainage"))
    for name, fact in names:
        report = check(real_data / name)
        theirs = {ours: fact["sections"].get(section, 0) for section, ours in DRAINAGE.items()}
        compare(differences, name, "objects", nonzero(report["objects"]), nonzero(theirs))
        compare(differences, name, "format", report["format"], "SWMM")
        compare(differences, name, "crs", report["crs"], None)
    assert not differences, "\n".join(differences)
    assert len(names) >= 20


def test_rasters_agree_on_bands_place_and_reference_system(real_data: Path, facts: dict) -> None:
    differences: list[str] = []
    names = list(files_of(facts, "raster"))
    for name, fact in names:
        report = check(real_data / name)
        assert report["readable"], name
        if "error" in fact:  # the cells that can be read are; the others are told
            assert any(problem["severity"] == "error" for problem in report["problems"]), name
        compare(differences, name, "bands", report["objects"]["bands"], fact["bands"])
        compare(differences, name, "crs", report["crs"], code_of(fact["crs"]))
        west, south, _, east, north, _ = report["extent"]
        assert [west, south, east, north] == pytest.approx(fact["bounds"], rel=1e-9, abs=1e-6), name
    assert not differences, "\n".join(differences)
    assert len(names) >= 12


def test_vector_files_agree_on_layers_features_and_reference_system(real_data: Path, facts: dict) -> None:
    differences: list[str] = []
    names = list(files_of(facts, "vector"))
    for name, fact in names:
        report = check(real_data / name)
        assert report["readable"], name
        if "layers" in fact:
            theirs = {layer: said["features"] for layer, said in fact["layers"].items()}
            compare(differences, name, "objects", report["objects"], theirs)
            compare(differences, name, "crs", report["crs"], code_of(next(iter(fact["layers"].values()))["crs"]))
        elif not name.startswith("sensors/"):  # gauges as GeoJSON are counted as things and readings
            compare(differences, name, "features", sum(report["objects"].values()), fact["features"])
            compare(differences, name, "crs", report["crs"], code_of(fact["crs"] and fact["crs"]["name"]))
        else:
            compare(differences, name, "things", report["objects"]["things"], fact["features"])
    assert not differences, "\n".join(differences)
    assert len(names) >= 14
