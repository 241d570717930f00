"""Every real CityJSON file through a project and out again: nothing is lost, whole or chosen object by object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cimdesk.commands import sources
from cimdesk.commands.export import ExportOptions, export_layer
from cimdesk.commands.session import Session
from cimdesk.model.city import CityModel
from tests.unit.formats.cityjson_meaning import meaning

pytestmark = pytest.mark.real

REPEATED = ("cube_20.jsonl", "cube_20_1.jsonl")
"""Two objects have one name: the second gets another, so the names differ."""
BROKEN = ("o.json", "o4.json", "sem.json")
"""They refer to vertices that are not there: what they mean cannot be told."""


def cities(folder: Path) -> list[Path]:
    found = sorted(path for path in (folder / "cityjson").rglob("*") if path.suffix in (".json", ".jsonl"))
    assert len(found) >= 55
    return [path for path in found if path.name not in (*REPEATED, *BROKEN)]


def comparable(found: dict[str, Any], old: bool) -> dict[str, Any]:
    """Return a meaning without what an excerpt must say anew; of files older than sequences without what 1.1 writes otherwise."""
    header = {key: value for key, value in found["header"].items() if value}
    metadata = dict(header.pop("metadata", {}))
    metadata.pop("geographicalExtent", None)
    if old:
        header.pop("version", None)
        metadata.pop("referenceSystem", None)
    objects = found["objects"]
    for item in objects.values():
        for name in ("parents", "children"):
            # Relatives that are not there cannot come along.
            kept = [other for other in item.pop(name, ()) if other in objects]
            item.update({name: kept} if kept else {})
    return {"header": header, "metadata": metadata, "objects": objects}


@pytest.mark.parametrize("suffix", [".city.json", ".city.jsonl"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_every_file_comes_out_as_it_went_in(real_data: Path, tmp_path: Path, suffix: str, by_hand: bool):
    compared = 0
    for path in cities(real_data):
        session = Session()
        layers = sources.import_files(session, [path], "local") if meaning(path)["objects"] else []
        for layer in layers:
            city = session.workspace.data(layer.id)
            assert isinstance(city, CityModel)
            out = tmp_path / f"out{suffix}"
            ids = city.features.ids.tolist() if by_hand else None
            count = export_layer(session, layer.id, out, ExportOptions(ids=ids))
            assert count == len(city.features), path.name
            old = not path.name.endswith("l")
            before, after = comparable(meaning(path, 3), old), comparable(meaning(out, 3), old)
            if not before["header"]:
                after["header"] = {}
            assert after == before, path.name
            compared += 1
    assert compared >= 45
