"""One project of real files from four countries: a city, a drainage network, gauges and a terrain, opened again and by GDAL."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cimdesk.app.cli import main
from cimdesk.commands.projects import open_project
from cimdesk.commands.sources import load_job

pytestmark = pytest.mark.real

FILES = (
    ("cityjson/cjio/delft.json", "buildings", 570),
    ("networks_drainage/bellinge/bellinge_small.inp", "network", 31),
    ("sensors/defra/stations.json", "sensors", 3393),
    ("flood/anuga/merewether/topography1.zip", "terrain", None),
)


@pytest.fixture(scope="module")
def project(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("one") / "one.gpkg"
    assert main(["import", str(path), *(str(real_data / name) for name, _, _ in FILES)]) in (0, 1)
    return path


def test_every_file_became_a_layer_with_all_its_features(project: Path, real_data: Path, capsys: pytest.CaptureFixture[str]):
    again = project.with_name("again.gpkg")
    main(["import", str(again), *(str(real_data / name) for name, _, _ in FILES), "--json"])
    layers = json.loads(capsys.readouterr().out)["layers"]
    for _, kind, count in FILES:
        found = [row["features"] for row in layers if row["kind"] == kind]
        assert found, kind
        assert count is None or max(found) == count


def test_the_project_opens_again_with_everything_loaded_where_it_belongs(project: Path):
    session = open_project(project)
    try:
        session.run(load_job(session))
        workspace = session.workspace
        assert [workspace.unavailable(layer.id) for layer in workspace.layers()] == [""] * len(workspace.layers())
        assert workspace.frame.crs.code.startswith(("EPSG:7415", "EPSG:28992"))
        gauges = next(workspace.data(layer.id) for layer in workspace.layers() if layer.kind == "sensors")
        placed = np.isfinite(gauges.positions[:, 0])
        # England lies 200 to 800 km west of Delft in the Dutch grid.
        assert placed.mean() > 0.95
        assert np.median(gauges.positions[placed, 0]) < -100_000
    finally:
        session.close()


def test_gdal_opens_the_project_and_sees_its_layers(project: Path):
    import pyogrio

    tables = {str(name) for name, _ in pyogrio.list_layers(project)}
    assert "layer" in tables
    _, _, _, fields = pyogrio.raw.read(project, layer="layer", columns=["name"])
    assert len(fields[0]) >= len(FILES)


@pytest.mark.render
@pytest.mark.parametrize("layer", [None, "delft", "bellinge_small", "stations", "topography1"])
def test_its_snapshot_shows_each_of_them(project: Path, tmp_path: Path, layer: str | None):
    from PIL import Image

    out = tmp_path / "one.png"
    assert main(["snapshot", str(project), "-o", str(out), "--size", "960x540", *(["--fit", layer] if layer else [])]) == 0
    with Image.open(out) as picture:
        middle = picture.convert("RGB").crop((240, 120, 720, 480))
        background = max(count for count, _ in middle.getcolors(480 * 360))
        assert background < 0.995 * 480 * 360
