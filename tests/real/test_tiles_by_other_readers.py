"""The tiled demo city as readers that are not ours see it.

Needs node and the packages that `tests/benchmarks/peers/validate_tileset.cjs` names, in a folder of their own:

    npm install --prefix FOLDER gltf-validator 3d-tiles-tools 3d-tiles-validator
    CIMDESK_NODE_MODULES=FOLDER/node_modules pytest -m slow tests/real/test_tiles_by_other_readers.py

Each of the three that is installed is asked. Where none is, the test is skipped and says so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cimdesk.base.jobs import CancelToken, no_progress
from cimdesk.commands.demo import generate
from cimdesk.commands.tiling import tile_files
from cimdesk.formats import registry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SCRIPT = Path(__file__).parents[1] / "benchmarks" / "peers" / "validate_tileset.cjs"


@pytest.fixture
def modules():
    """Return the folder with the validators."""
    folder = os.environ.get("CIMDESK_NODE_MODULES", "")
    if not shutil.which("node") or not folder or not Path(folder).is_dir():
        pytest.skip("no validators: install node and set CIMDESK_NODE_MODULES (see the top of this file)")
    return folder


def test_nobody_finds_an_error_in_the_tiled_demo_city(tmp_path, modules):
    generate(tmp_path / "demo", "small", 7, no_progress, CancelToken(), storm=False, fresh=True)
    files = sorted((tmp_path / "demo" / "data").glob("*.city.json"))
    result = tile_files(files, tmp_path / "out")
    environment = {**os.environ, "NODE_PATH": modules}
    command = ["node", str(SCRIPT), str(tmp_path / "out" / "tileset.json")]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if answer.returncode == 2:
        pytest.skip("none of the validators is installed")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    report = json.loads(answer.stdout)
    if report["official"]:
        assert report["official"]["errors"] == 0
    if report["khronos"]:
        assert (report["khronos"]["errors"], report["khronos"]["warnings"]) == (0, 0)
    if report["cesium"]:
        assert report["cesium"]["contents"] == result.tiles
        # From afar as from near: no content is without identifiers and attributes, and a building in several counts once.
        assert report["cesium"]["bare"] == 0
        assert report["cesium"]["features"] == result.features
    assert registry.read(tmp_path / "out").objects["features"] == result.features
