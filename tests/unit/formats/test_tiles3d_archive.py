"""Tilesets in archives: the same as in folders, and nothing outside or too large comes out of them."""

from __future__ import annotations

import gzip
import zipfile

import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats import registry
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from cimdesk.formats.tiles3d_archive import TilesetArchive
from cimdesk.formats.tiles3d_paths import BrokenPart
from tests.unit.formats.tile_files import square_glb, tile, write_tileset


def packed(tmp_path, name="town.3tz", inside="", compression=zipfile.ZIP_DEFLATED, **files):
    folder = tmp_path / "plain"
    folder.mkdir()
    write_tileset(
        folder, tile(error=50, children=[tile("t/a.glb"), tile("b.glb")]), {"t/a.glb": square_glb(), "b.glb": square_glb()}
    )
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, inside + file.relative_to(folder).as_posix())
        for extra, data in files.items():
            archive.writestr(extra, data)
    return path


@pytest.mark.parametrize("name", ["town.3tz", "town.zip"])
@pytest.mark.parametrize("inside", ["", "town/"])
def test_an_archive_reads_like_its_folder(tmp_path, name, inside):
    path = packed(tmp_path, name, inside)
    assert registry.reader_for(path) is READER
    result = registry.read(path, ReadOptions(max_error=0.0))
    assert result.objects["triangles"] == 4
    assert result.sources[0].name == "town"
    assert not result.problems


def test_an_archive_without_a_tileset_is_not_claimed_or_refused(tmp_path):
    for name in ("a.zip", "a.3tz"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("readme.txt", "nothing")
    assert READER.claim(tmp_path / "a.zip", b"PK\3\4") == 0.0
    with pytest.raises(DataError):
        registry.read(tmp_path / "a.3tz")


@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_a_broken_archive_is_one_message(tmp_path, damage):
    path = packed(tmp_path)
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 2], "noise": b"PK\3\4" + b"\xff" * 500, "empty": b""}[damage])
    with pytest.raises(DataError):
        registry.read(path)


def test_damaged_members_are_told_and_the_rest_is_read(tmp_path):
    path = packed(tmp_path, compression=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    at = data.index(b"b.glb") + 40
    data[at] ^= 0xFF
    path.write_bytes(data)
    result = registry.read(path, ReadOptions(max_error=0.0))
    assert result.objects["triangles"] == 2
    assert [problem.code for problem in result.problems] == ["unreadable-content"]


def test_names_that_lead_outside_are_refused(tmp_path):
    archive = TilesetArchive.open(packed(tmp_path))
    for uri in ("../x.glb", "t/../../x.glb", "/etc/passwd", "file:///etc/passwd", "C:\\x", "http://example.org/x"):
        with pytest.raises(BrokenPart) as caught:
            archive.reference(uri)
        assert caught.value.code == "unsafe-uri"


def test_members_that_swell_are_cut_off_at_the_limit(tmp_path):
    bomb = gzip.compress(b"\0" * 50_000_000)
    archive = TilesetArchive.open(packed(tmp_path, **{"zeros.glb": b"\0" * 20_000_000, "gzip.glb": bomb}))
    for name in ("zeros.glb", "gzip.glb"):
        with pytest.raises(BrokenPart) as caught:
            archive.read(name, 1 << 20)
        assert caught.value.code == "too-large"
    assert archive.read("zeros.glb", 1 << 25) == b"\0" * 20_000_000
