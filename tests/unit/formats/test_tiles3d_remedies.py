"""What to do about a broken part of a tileset: the advice fits what is wrong with it."""

from __future__ import annotations

import json
import zipfile

import pytest

from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.i18n import load_catalogue
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from cimdesk.formats.tiles3d_archive import TilesetArchive
from cimdesk.formats.tiles3d_paths import DAMAGED, LARGE, MISSING, OUTSIDE, REMEDIES, UNKNOWN, BrokenPart, TilesetFolder
from cimdesk.formats.tiles3d_stream import TileStream
from cimdesk.services.tile_http import GONE
from cimdesk.services.tiling.scatter import problem_of, problem_record


def with_content(folder, name, data=None):
    """Write a tileset of one tile."""
    box = {"box": [0, 0, 0, 10, 0, 0, 0, 10, 0, 0, 0, 10]}
    tile = {"boundingVolume": box, "geometricError": 0, "refine": "ADD", "content": {"uri": name}}
    (folder / "tileset.json").write_text(json.dumps({"asset": {"version": "1.1"}, "geometricError": 10, "root": tile}))
    if data is not None:
        (folder / name).write_bytes(data)
    return folder / "tileset.json"


@pytest.mark.parametrize(
    ("name", "data", "code", "remedy"),
    [
        ("gone.glb", None, "missing-content", MISSING),
        ("cut.glb", b"glTF\2\0\0\0\xff\0\0\0", "short-glb", DAMAGED),
        ("odd.xyz", b"what is this", "unknown-content", UNKNOWN),
        ("../out.glb", None, "unsafe-uri", OUTSIDE),
    ],
)
def test_a_tile_that_is_missing_damaged_or_unknown_says_what_to_do(tmp_path, name, data, code, remedy):
    path = with_content(tmp_path, name, data)
    result = READER.read(path, ReadOptions())
    (problem,) = {problem.remedy: problem for problem in result.problems if problem.code == code}.values()
    assert problem.remedy == remedy
    assert problem.message.endswith(remedy)


def test_a_file_beyond_the_limit_is_to_be_cut(tmp_path):
    (tmp_path / "big.glb").write_bytes(b"\0" * 2000)
    with pytest.raises(BrokenPart) as caught:
        TilesetFolder(tmp_path).read("big.glb", 1000)
    assert caught.value.remedy == LARGE
    with zipfile.ZipFile(tmp_path / "a.3tz", "w") as archive:
        archive.writestr("big.glb", b"\0" * 2000)
    with pytest.raises(BrokenPart) as caught:
        TilesetArchive.open(tmp_path / "a.3tz").read("big.glb", 1000)
    assert (caught.value.code, caught.value.remedy) == ("too-large", LARGE)
    with pytest.raises(BrokenPart) as caught:
        TilesetArchive.open(tmp_path / "a.3tz").read("none.glb", 1000)
    assert caught.value.remedy == MISSING


def test_a_tileset_file_that_cannot_be_opened_says_the_same(tmp_path):
    path = with_content(tmp_path, "a.glb")
    with pytest.raises(DataError) as caught:
        TileStream(TilesetFolder.of(path), "other.json")
    assert caught.value.remedy == MISSING
    path.write_text("{ broken")
    with pytest.raises(DataError) as caught:
        TileStream(TilesetFolder.of(path), "tileset.json")
    assert caught.value.remedy == DAMAGED


def test_the_advice_outlives_the_process_that_found_the_problem():
    problem = Problem(Severity.ERROR, "short-glb", "a", "The GLB ends in its header.", {}, DAMAGED)
    assert problem_of(problem_record(problem)) == problem


def test_every_advice_has_its_chinese():
    catalogue = load_catalogue("zh_CN")
    wanted = {*REMEDIES.values(), DAMAGED, GONE} - {""}
    assert wanted <= set(catalogue)
