"""MBTiles, PMTiles and folders of tiles: every tile at its place, damaged ones told."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pmtiles.tile import Entry, TileType, serialize_directory

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.formats import registry
from cimdesk.formats.imagery.pmtiles_file import BrokenArchiveError, LocalParts, PmtilesFile, directory_of, unpacked
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.imagery import Imagery
from cimdesk.model.layers import LayerKind
from tests.refusals import read_or_refused
from tests.unit.formats.imagery.tile_samples import color_of, feature, layer, png, ring, tiles_of, write_mbtiles, write_pmtiles

MERCATOR = Crs.epsg(3857)
HALF = 20037508.342789244


def opened(path) -> Imagery:
    result = registry.read(path, ReadOptions())
    assert result.sources[0].kind is LayerKind.IMAGERY
    return result.sources[0].data


def seen(imagery, zoom, column, row):
    """Return the colour in the middle of a tile, asked for at the tile's own size."""
    side = 2 * HALF / 2**zoom
    west, north = -HALF + column * side, HALF - row * side
    box = np.array([[west, north - side], [west + side, north]])
    return tuple(imagery.picture(box, 64, 64).pixels[32, 32].tolist())


@pytest.fixture(params=["mbtiles", "pmtiles", "folder"])
def archive(request, tmp_path):
    tiles = tiles_of(range(4))
    if request.param == "mbtiles":
        return write_mbtiles(tmp_path / "made.mbtiles", tiles)
    if request.param == "pmtiles":
        return write_pmtiles(tmp_path / "made.pmtiles", tiles)
    for (z, x, y), data in tiles.items():
        place = tmp_path / "made" / str(z) / str(x)
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{y}.png").write_bytes(data)
    return tmp_path / "made"


def test_every_tile_shows_at_its_place(archive):
    imagery = opened(archive)
    for zoom in range(4):
        for column in range(2**zoom):
            for row in range(2**zoom):
                assert seen(imagery, zoom, column, row) == (*color_of(zoom, column, row), 255), (zoom, column, row)


def test_a_broken_tile_is_made_of_its_parent_and_told(tmp_path):
    tiles = tiles_of(range(2))
    tiles[1, 0, 0] = b"\x89PNG but not really"
    imagery = opened(write_mbtiles(tmp_path / "made.mbtiles", tiles))
    assert seen(imagery, 1, 0, 0) == (*color_of(0, 0, 0), 255)  # its part of the coarser tile
    assert seen(imagery, 1, 1, 1) == (*color_of(1, 1, 1), 255)
    assert [problem.code for problem in imagery.source.problems()] == ["broken-tile"]
    assert imagery.source.problems()[0].where == "1/0/0"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_all_picture_formats_of_tiles_are_read(tmp_path, form):
    data = png((200, 100, 50), 256, form)
    imagery = opened(write_mbtiles(tmp_path / "made.mbtiles", {(0, 0, 0): data}))
    assert np.abs(np.array(seen(imagery, 0, 0, 0)[:3]) - [200, 100, 50]).max() <= 3


def test_avif_is_refused_with_what_can_be_shown(tmp_path):
    path = write_pmtiles(tmp_path / "made.pmtiles", {(0, 0, 0): b"\0\0\0\x1cftypavif" + bytes(40)}, TileType.AVIF)
    with pytest.raises(DataError, match="AVIF; PNG, JPEG, WebP"):
        registry.read(path)


def test_metadata_gives_name_and_credit_without_markup(tmp_path):
    path = write_mbtiles(
        tmp_path / "made.mbtiles", tiles_of(range(1)), name="Ortho 2024", attribution='<a href="x">City&nbsp;of A</a> &copy; 2024',
        bounds="11.1,43.7,11.3,43.8",
    )  # fmt: skip
    imagery = opened(path)
    assert imagery.source.title == "Ortho 2024"
    assert imagery.source.attribution == "City of A © 2024"
    assert imagery.bounds[0, 0] == pytest.approx(11.1 / 180.0 * HALF)


def test_vector_tiles_in_mbtiles_are_painted(tmp_path):
    water = layer("water", [feature(3, ring((0, 0), (4096, 0), (4096, 4096), (0, 4096)))])
    imagery = opened(write_mbtiles(tmp_path / "made.mbtiles", {(0, 0, 0): gzip.compress(water)}, format="pbf"))
    assert seen(imagery, 0, 0, 0) == (0xB9, 0xD6, 0xE8, 255)


def test_an_empty_database_is_refused(tmp_path):
    with pytest.raises(DataError, match="no tiles"):
        registry.read(write_mbtiles(tmp_path / "made.mbtiles", {}))


def test_a_view_that_never_ends_is_given_up(tmp_path, monkeypatch):
    import sqlite3

    from cimdesk.formats.imagery import mbtiles

    monkeypatch.setattr(mbtiles, "LONGEST", 0.2)
    path = tmp_path / "made.mbtiles"
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE metadata (name text, value text)")
        base.execute(
            "CREATE VIEW tiles AS WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n) "
            "SELECT k AS zoom_level, k AS tile_column, k AS tile_row, k AS tile_data FROM n"
        )
    base.close()
    with pytest.raises(DataError, match="takes too long"):
        registry.read(path)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 5), st.integers(1, 10**6), st.booleans()), min_size=1, max_size=50))
def test_directories_agree_with_the_package_of_their_makers(steps):
    entries, at, place = [], 0, 0
    for step, run, length, follows in steps:
        at += step + 5
        place = place if follows or not entries else place + 1000
        entries.append(Entry(at, place, length, run))
        place += length
    found = directory_of(gzip.decompress(serialize_directory(entries)))
    assert found.ids.tolist() == [e.tile_id for e in entries]
    assert found.runs.tolist() == [e.run_length for e in entries]
    assert found.lengths.tolist() == [e.length for e in entries]
    assert found.offsets.tolist() == [e.offset for e in entries]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damaged_archives_are_refused_or_read_in_part(tmp_path_factory, data):
    path = write_pmtiles(tmp_path_factory.mktemp("made") / "a.pmtiles", tiles_of(range(2)))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    result = read_or_refused(registry.read, path)
    if result is not None:
        picture = result.sources[0].data.picture(np.array([[-HALF, -HALF], [HALF, HALF]]), 32, 32)
        assert picture.pixels.shape == (32, 32, 4)


def test_bombs_are_not_unpacked():
    with pytest.raises(BrokenArchiveError, match="too large"):
        unpacked(gzip.compress(bytes(1 << 20)), 1000)


def test_directories_in_a_circle_end(tmp_path):
    path = write_pmtiles(tmp_path / "made.pmtiles", tiles_of(range(1)))
    file = PmtilesFile(path, LocalParts(path))
    file._root.runs[:] = 0  # every entry now leads to a further directory
    file._directories.get = lambda key, make: file._root
    from cimdesk.formats.imagery.grids import Tile
    from cimdesk.formats.imagery.pyramid import LostTileError

    with pytest.raises(LostTileError):
        file.read(Tile(0, 0, 0), CancelToken())
