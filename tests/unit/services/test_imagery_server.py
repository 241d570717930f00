"""Pictures from a real server that delays, drops, cuts, redirects and refuses; what cannot come is told, nothing hangs."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import Cancelled, DataError, ServiceError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.basemaps import is_picture_address, is_service, maps_of
from cimdesk.commands.session import Session
from cimdesk.commands.sources import import_files
from cimdesk.formats.registry import ReadOptions
from cimdesk.services import http_ranges
from cimdesk.services.address_keys import with_keys, without_keys
from cimdesk.services.imagery_server import open_pictures
from cimdesk.services.tile_cache import TileCache
from cimdesk.services.tile_http import Limits
from tests.unit.formats.imagery.tile_samples import color_of, feature, layer, png, ring, tiles_of, write_pmtiles
from tests.unit.services.tile_server import PartServer

HALF = 20037508.342789244
QUICK = Limits(timeout=0.8, longest=1.5, tries=2, pause=0.02)
WMTS = (Path(__file__).parent / "wmts.xml").read_text()
WMS = (Path(__file__).parent / "wms.xml").read_text()


@pytest.fixture
def server():
    made = PartServer()
    for (z, x, y), data in tiles_of(range(4)).items():
        made.files[f"/t/{z}/{x}/{y}.png"] = data
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(http_ranges, "PATIENCE", QUICK)


def opened(server, tmp_path, path="/t/{z}/{x}/{y}.png"):
    return open_pictures(server.url(path), ReadOptions(), TileCache(tmp_path / "cache")).sources[0].data


def seen(imagery, zoom, column, row, cancel=None):
    side = 2 * HALF / 2**zoom
    west, north = -HALF + column * side, HALF - row * side
    box = np.array([[west, north - side], [west + side, north]])
    return imagery.picture(box, 64, 64, cancel=cancel)


def colour(picture):
    return tuple(picture.pixels[32, 32, :3].tolist())


def test_tiles_of_a_server_show_at_their_places(server, tmp_path):
    imagery = opened(server, tmp_path)
    assert colour(seen(imagery, 3, 5, 2)) == color_of(3, 5, 2)
    assert colour(seen(imagery, 2, 0, 3)) == color_of(2, 0, 3)


def test_rows_from_the_south_are_turned(server, tmp_path):
    for (z, x, y), data in tiles_of(range(4)).items():
        server.files[f"/tms/{z}/{x}/{2**z - 1 - y}.png"] = data
    assert colour(seen(opened(server, tmp_path, "/tms/{z}/{x}/{-y}.png"), 3, 5, 2)) == color_of(3, 5, 2)


def test_tiles_are_kept_on_the_disk_and_show_when_the_server_is_gone(server, tmp_path):
    first = opened(server, tmp_path)
    assert colour(seen(first, 3, 5, 2)) == color_of(3, 5, 2)
    asked = server.asked["/t/3/5/2.png"]
    again = opened(server, tmp_path)
    server.close()
    found = seen(again, 3, 5, 2)
    assert colour(found) == color_of(3, 5, 2)
    assert found.missing == 0
    assert server.asked["/t/3/5/2.png"] == asked


def test_what_was_never_fetched_is_told_when_the_server_is_gone_and_nobody_waits_long(server, tmp_path):
    imagery = opened(server, tmp_path)
    server.close()
    start = time.perf_counter()
    found = seen(imagery, 3, 5, 2)
    assert found.missing > 0
    assert time.perf_counter() - start < 6.0
    start = time.perf_counter()
    seen(imagery, 3, 1, 1)
    assert time.perf_counter() - start < 1.0  # by now it is known
    assert any(problem.code == "unreachable" for problem in imagery.source.problems())


@pytest.mark.parametrize("trouble", ["drop", "truncate", 500, 503])
def test_passing_trouble_is_got_over(server, tmp_path, trouble):
    imagery = opened(server, tmp_path)
    server.manners["/t/3/5/2.png"] = [trouble, ""]
    found = seen(imagery, 3, 5, 2)
    assert colour(found) == color_of(3, 5, 2)
    assert found.missing == 0


@pytest.mark.parametrize("trouble", ["drop", "truncate", 500])
def test_a_tile_that_stays_away_is_made_of_its_parent_and_told(server, tmp_path, trouble):
    imagery = opened(server, tmp_path)
    server.manners["/t/3/5/2.png"] = trouble
    found = seen(imagery, 3, 5, 2)
    assert colour(found) == color_of(2, 2, 1)
    assert found.missing == 1
    assert [problem.where for problem in imagery.source.problems()] == ["3/5/2"]


def test_a_tile_that_there_is_not_is_no_problem(server, tmp_path):
    del server.files["/t/3/5/2.png"]
    imagery = opened(server, tmp_path)
    found = seen(imagery, 3, 5, 2)
    assert colour(found) == color_of(2, 2, 1)
    assert found.missing == 0
    assert not imagery.source.problems()


@pytest.mark.parametrize("body", [b"<html>Log in first</html>", b"\x89PNG broken", b""])
def test_answers_that_are_no_picture_are_told_or_empty(server, tmp_path, body):
    imagery = opened(server, tmp_path)
    server.files["/t/3/5/2.png"] = body
    assert colour(seen(imagery, 3, 5, 2)) == color_of(2, 2, 1)
    assert bool(imagery.source.problems()) == bool(body)


def test_a_slow_server_is_given_up_and_a_cancelled_picture_at_once(server, tmp_path):
    imagery = opened(server, tmp_path)
    server.files["/t/3/5/2.png"] = png((1, 2, 3), 256) + bytes(200_000)
    server.manners["/t/3/5/2.png"] = "slow"
    start = time.perf_counter()
    assert seen(imagery, 3, 5, 2).missing == 1
    assert time.perf_counter() - start < 6.0
    server.manners["/t/3/1/6.png"] = "slow"
    server.files["/t/3/1/6.png"] = server.files["/t/3/5/2.png"]
    cancel = CancelToken()
    threading.Timer(0.3, cancel.cancel).start()
    start = time.perf_counter()
    with pytest.raises(Cancelled):
        seen(imagery, 3, 1, 6, cancel)
    assert time.perf_counter() - start < 1.2


def test_redirects_are_followed_but_not_to_private_places(server, tmp_path):
    imagery = opened(server, tmp_path)
    server.manners["/t/3/5/2.png"] = "to:" + server.url("/t/3/1/1.png")
    assert colour(seen(imagery, 3, 5, 2)) == color_of(3, 1, 1)
    server.manners["/t/3/1/6.png"] = "to:http://169.254.169.254/latest"
    assert seen(imagery, 3, 1, 6).missing == 1


def test_a_dead_address_is_refused_with_a_remedy(server, tmp_path):
    server.close()
    with pytest.raises(ServiceError, match="Check the address"):
        opened(server, tmp_path)


def test_unknown_gaps_are_refused(server, tmp_path):
    with pytest.raises(DataError, match=r"\{style\}"):
        opened(server, tmp_path, "/t/{z}/{x}/{y}.png?s={style}")


def test_vector_tiles_of_a_server_are_painted(server, tmp_path):
    water = layer("water", [feature(3, ring((0, 0), (4096, 0), (4096, 4096), (0, 4096)))])
    for z, x, y in tiles_of(range(2)):
        server.files[f"/v/{z}/{x}/{y}.pbf"] = water
    imagery = opened(server, tmp_path, "/v/{z}/{x}/{y}.pbf")
    assert colour(seen(imagery, 0, 0, 0)) == (0xB9, 0xD6, 0xE8)


def test_pmtiles_are_read_in_parts(server, tmp_path):
    server.files["/a.pmtiles"] = write_pmtiles(tmp_path / "a.pmtiles", tiles_of(range(4))).read_bytes()
    result = open_pictures(server.url("/a.pmtiles"), ReadOptions(), TileCache(tmp_path / "cache"))
    assert result.objects["tiles"] == 85
    assert colour(seen(result.sources[0].data, 3, 5, 2)) == color_of(3, 5, 2)
    server.close()
    assert colour(seen(result.sources[0].data, 3, 5, 2)) == color_of(3, 5, 2)


def test_a_server_of_whole_files_is_refused_for_pmtiles(server, tmp_path):
    server.files["/a.pmtiles"] = write_pmtiles(tmp_path / "a.pmtiles", tiles_of(range(2))).read_bytes()
    server.manners["/a.pmtiles"] = "whole"
    with pytest.raises(ServiceError, match="whole files only"):
        open_pictures(server.url("/a.pmtiles"), ReadOptions(), TileCache(tmp_path / "cache"))


def test_wmts_layers_are_found_and_shown(server, tmp_path):
    server.files["/WMTSCapabilities.xml"] = WMTS.replace("HOST", server.url("")).encode()
    address = server.url("/WMTSCapabilities.xml")
    assert is_service(address)
    maps = maps_of(address)
    assert [offer.name for offer in maps] == ["ortho", "plan"]
    for z, x, y in tiles_of(range(4)):
        server.files[f"/wmts/ortho/default/grid/{z}/{y}/{x}.png"] = png(color_of(z, x, y), 256)
    result = open_pictures(maps[0].address, ReadOptions(), TileCache(tmp_path / "cache"))
    assert result.format == "WMTS"
    assert result.sources[0].name == "Orthophoto 2024"
    assert colour(seen(result.sources[0].data, 3, 5, 2)) == color_of(1, 1, 0)  # its pixels are as large as those of level 1


def test_wmts_by_query_asks_for_the_right_tile(server, tmp_path):
    server.files["/WMTSCapabilities.xml"] = WMTS.replace("HOST", server.url("")).encode()
    server.files["/kvp"] = png((9, 8, 7), 256)
    result = open_pictures(server.url("/WMTSCapabilities.xml#layer=plan"), ReadOptions(), TileCache(tmp_path / "cache"))
    imagery = result.sources[0].data
    assert imagery.crs.code == "EPSG:4326"
    # The grid of degrees begins at 90 N, 180 W with pixels of 180 / 256 degrees: 12 E, 43 N is in column 1, row 0.
    found = imagery.picture(np.array([[10.0, 40.0], [14.0, 46.0]]), 8, 8)
    assert colour_at(found) == (9, 8, 7)
    asked = next(path for path, _ in server.seen if path.startswith("/kvp"))
    assert "TILEMATRIX=1&TILEROW=0&TILECOL=2" in asked
    assert "LAYER=plan" in asked


def colour_at(picture):
    return tuple(picture.pixels[4, 4, :3].tolist())


def test_wms_is_asked_for_boxes_of_its_tiles(server, tmp_path):
    server.files["/wms"] = png((20, 30, 40), 512)
    server.files["/caps"] = WMS.replace("HOST", server.url("")).encode()
    result = open_pictures(
        server.url("/caps?SERVICE=WMS&REQUEST=GetCapabilities#layer=streets"), ReadOptions(), TileCache(tmp_path / "c")
    )
    assert colour(seen(result.sources[0].data, 3, 4, 3)) == (20, 30, 40)
    assert result.sources[0].data.source.attribution == "Survey of A"
    asked = [path for path, _ in server.seen if path.startswith("/wms")]
    assert any("CRS=EPSG%3A3857" in path and "WIDTH=512" in path and "BBOX=" in path for path in asked)


def test_several_maps_without_a_choice_are_named(server, tmp_path):
    server.files["/WMTSCapabilities.xml"] = WMTS.replace("HOST", server.url("")).encode()
    with pytest.raises(DataError, match="ortho, plan"):
        open_pictures(server.url("/WMTSCapabilities.xml"), ReadOptions(), TileCache(tmp_path / "cache"))


@pytest.mark.parametrize(
    "body",
    [b"<Capabilities/>", b"no xml", b"<a><b></a>", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', b"<html><body/></html>"],
)
def test_capabilities_that_are_none_are_refused(server, tmp_path, body):
    server.files["/wmts"] = body
    with pytest.raises((DataError, ServiceError)):
        open_pictures(server.url("/wmts"), ReadOptions(), TileCache(tmp_path / "cache"))


def test_keys_stay_out_of_projects_and_come_back(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMDESK_HOME", str(tmp_path))
    address = "https://t0.example.org/{z}/{x}/{y}.png?style=a&tk=SECRET%2B1"
    public = without_keys(address)
    assert "SECRET" not in public
    assert "style=a" in public
    assert with_keys(public) == address
    assert (tmp_path / "data" / "keys.json").stat().st_mode & 0o077 == 0
    assert without_keys("https://a/{z}/{x}/{y}.png") == "https://a/{z}/{x}/{y}.png"


def test_addresses_of_pictures_and_of_tilesets_are_told_apart():
    assert is_picture_address("https://a/{z}/{x}/{y}.png")
    assert is_picture_address("https://a/wmts?SERVICE=WMTS&REQUEST=GetCapabilities")
    assert is_picture_address("https://a/city.pmtiles?v=1")
    assert not is_picture_address("https://a/tileset.json")


def test_an_address_becomes_a_layer_without_its_key(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CIMDESK_HOME", str(tmp_path / "home"))
    session = Session()
    layers = import_files(session, [Path(server.url("/t/{z}/{x}/{y}.png?apikey=SECRET"))])
    assert [str(made.kind) for made in layers] == ["imagery"]
    assert "SECRET" not in json.dumps(session.workspace.document.get("layer", layers[0].id))
    assert any("apikey=SECRET" in path for path, _ in server.seen)
    assert session.workspace.frame.crs == Crs.epsg(3857)
