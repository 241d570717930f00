"""Files made to hurt: every one is read in bounds or refused in one message, by `check` and by import alike."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
import sqlite3
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cimdesk.base.errors import CimdeskError
from cimdesk.base.i18n import set_language
from cimdesk.commands.checking import check
from cimdesk.commands.session import Session
from cimdesk.commands.sources import import_files
from tests.samples import city_json, drainage_inp, sensors_csv, terrain_asc

SECONDS = 20
MEMORY = 1_200_000_000
OUTSIDE = ["../outside.glb", "%2e%2e/outside.glb", "..\\outside.glb", "file:///etc/passwd", "/etc/passwd", "\0.glb"]
SECRET = "top-secret-of-another-folder"

Builder = Callable[[Path], Path]
CASES: dict[str, Builder] = {}


def case(builder: Builder) -> Builder:
    CASES[builder.__name__] = builder
    return builder


@contextmanager
def bounds() -> Iterator[None]:
    """Fail instead of hanging or filling the memory."""

    def expire(*_: object) -> None:
        raise TimeoutError(f"not finished after {SECONDS} s")

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    previous = signal.signal(signal.SIGALRM, expire)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, hard))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture(autouse=True, scope="module")
def _warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load the heavy libraries before the memory is bounded."""
    folder = tmp_path_factory.mktemp("warm")
    for path in (city_json(folder / "a.city.json"), drainage_inp(folder / "a.inp"), terrain_asc(folder / "a.asc")):
        import_files(Session(), [path], "EPSG:4547")
    (folder / "a.geojson").write_text('{"type": "Point", "coordinates": [1, 2]}')
    check(folder / "a.geojson")
    import_files(Session(), [sensors_csv(folder / "a.csv")], "EPSG:4547")
    gltf(folder / "a.gltf", {})
    check(folder / "a.gltf")


# ------------------------------------------------------------------------------------------------ anything


@case
def empty_file(folder: Path) -> Path:
    return write(folder / "a.city.json", b"")


@case
def one_byte(folder: Path) -> Path:
    return write(folder / "a.gpkg", b"S")


@case
def only_nul_bytes(folder: Path) -> Path:
    return write(folder / "a.inp", bytes(100_000))


@case
def nul_bytes_between_lines(folder: Path) -> Path:
    path = drainage_inp(folder / "a.inp")
    return write(path, path.read_bytes().replace(b"\n", b"\n\0\0\0"))


@case
def nul_bytes_in_a_table(folder: Path) -> Path:
    path = sensors_csv(folder / "a.csv")
    return write(path, path.read_bytes().replace(b",", b",\0"))


@case
def png_named_json(folder: Path) -> Path:
    return write(folder / "a.json", png())


@case
def png_named_tif(folder: Path) -> Path:
    return write(folder / "a.tif", png())


@case
def tiff_named_inp(folder: Path) -> Path:
    return write(folder / "a.inp", tiff(8, 8))


@case
def zip_named_csv(folder: Path) -> Path:
    return zipped(folder / "a.csv", {"a.txt": b"x" * 100})


@case
def json_named_gpkg(folder: Path) -> Path:
    return city_json(folder / "a.gpkg")


@case
def text_named_shp(folder: Path) -> Path:
    return write(folder / "a.shp", b"not a shapefile at all, just words\n" * 20)


@case
def text_named_glb(folder: Path) -> Path:
    return write(folder / "a.glb", b"not a model at all, just words\n" * 20)


@case
def text_named_b3dm(folder: Path) -> Path:
    return write(folder / "a.b3dm", b"not a tile at all, just words\n" * 20)


@case
def utf16_city(folder: Path) -> Path:
    path = city_json(folder / "a.city.json")
    return write(path, path.read_text("utf-8").encode("utf-16"))


@case
def utf16_network(folder: Path) -> Path:
    path = drainage_inp(folder / "a.inp")
    return write(path, path.read_text("utf-8").encode("utf-16"))


@case
def utf16_table(folder: Path) -> Path:
    path = sensors_csv(folder / "a.csv")
    return write(path, path.read_text("utf-8").encode("utf-16"))


@case
def utf16_grid(folder: Path) -> Path:
    path = terrain_asc(folder / "a.asc")
    return write(path, path.read_text("utf-8").encode("utf-16"))


@case
def no_such_file(folder: Path) -> Path:
    return folder / "missing.city.json"


@case
def name_too_long(folder: Path) -> Path:
    return folder / ("n" * 300 + ".json")


@case
def name_with_nul(folder: Path) -> Path:
    return folder / "a\0b.json"


@case
def folder_named_like_a_city(folder: Path) -> Path:
    return made(folder / "a.city.json")


@case
def folder_named_like_a_geopackage(folder: Path) -> Path:
    return made(folder / "a.gpkg")


@case
def folder_named_like_a_raster(folder: Path) -> Path:
    return made(folder / "a.tif")


@case
def folder_named_like_a_network(folder: Path) -> Path:
    return made(folder / "a.inp")


@case
def folder_whose_tileset_is_a_folder(folder: Path) -> Path:
    made(folder / "tiles" / "tileset.json")
    return folder / "tiles"


@case
def link_to_itself(folder: Path) -> Path:
    path = folder / "a.city.json"
    path.symlink_to(path)
    return path


@case
def folder_of_links_in_a_circle(folder: Path) -> Path:
    made(folder / "a")
    (folder / "a" / "b").symlink_to(folder / "a")
    return folder / "a"


@case
def dangling_link(folder: Path) -> Path:
    path = folder / "a.tif"
    path.symlink_to(folder / "gone.tif")
    return path


@case
def pipe_as_city(folder: Path) -> Path:
    os.mkfifo(folder / "a.city.json")
    return folder / "a.city.json"


@case
def pipe_as_raster(folder: Path) -> Path:
    os.mkfifo(folder / "a.tif")
    return folder / "a.tif"


@case
def endless_device(folder: Path) -> Path:
    path = folder / "a.csv"
    path.symlink_to("/dev/zero")
    return path


@case
def empty_device(folder: Path) -> Path:
    path = folder / "a.json"
    path.symlink_to("/dev/null")
    return path


@case
def tileset_that_is_a_pipe(folder: Path) -> Path:
    made(folder / "tiles")
    os.mkfifo(folder / "tiles" / "tileset.json")
    return folder / "tiles"


# ------------------------------------------------------------------------------------------------ enormous


@case
def sparse_city_of_20_gb(folder: Path) -> Path:
    return sparse(city_json(folder / "a.city.json"))


@case
def sparse_sequence_of_20_gb(folder: Path) -> Path:
    first = {"type": "CityJSON", "version": "2.0", "transform": {"scale": [1, 1, 1], "translate": [0, 0, 0]}, "CityObjects": {}}
    return sparse(write(folder / "a.city.jsonl", json.dumps({**first, "vertices": []}).encode() + b"\n"))


@case
def sparse_network_of_20_gb(folder: Path) -> Path:
    return sparse(drainage_inp(folder / "a.inp"))


@case
def sparse_table_of_20_gb(folder: Path) -> Path:
    return sparse(sensors_csv(folder / "a.csv"))


@case
def sparse_grid_of_20_gb(folder: Path) -> Path:
    return sparse(terrain_asc(folder / "a.asc"))


@case
def sparse_raster_of_20_gb(folder: Path) -> Path:
    return sparse(write(folder / "a.tif", tiff(8, 8)))


@case
def sparse_shapes_of_20_gb(folder: Path) -> Path:
    return sparse(write(folder / "a.geojson", b'{"type": "FeatureCollection", "features": ['))


@case
def sparse_tileset_of_20_gb(folder: Path) -> Path:
    return sparse(write(folder / "tileset.json", b'{"asset": {"version": "1.1"}, "geometricError": 1, "root": {'))


@case
def sparse_tile_of_20_gb(folder: Path) -> Path:
    return sparse(write(folder / "a.glb", struct.pack("<4sIII4s", b"glTF", 2, 0xFFFFFFFF, 0xFFFFFFF0, b"JSON")))


@case
def sparse_b3dm_of_20_gb(folder: Path) -> Path:
    return sparse(write(folder / "a.b3dm", struct.pack("<4s6I", b"b3dm", 1, 0xFFFFFFFF, 0, 0, 0xFFFFFFF0, 0)))


@case
def sparse_mesh_of_20_gb(folder: Path) -> Path:
    return sparse(write(folder / "a.ply", b"ply\nformat ascii 1.0\nelement vertex 3\n"))


@case
def sparse_geopackage_of_20_gb(folder: Path) -> Path:
    return sparse(geopackage(folder / "a.gpkg"))


@case
def raster_of_200000_by_200000_cells(folder: Path) -> Path:
    return write(folder / "a.tif", tiff(200_000, 200_000))


@case
def grid_of_200000_by_200000_cells(folder: Path) -> Path:
    head = b"ncols 200000\nnrows 200000\nxllcorner 0\nyllcorner 0\ncellsize 1\n"
    return write(folder / "a.asc", head + b"1 2 3\n")


@case
def grid_with_an_endless_number(folder: Path) -> Path:
    head = b"ncols " + b"9" * 5000 + b"\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n"
    return write(folder / "a.asc", head + b"1 2 3\n")


@case
def gzip_bomb(folder: Path) -> Path:
    return bomb(folder / "a.city.json.gz", b'{"type": "CityJSON", "version": "2.0", "CityObjects": {')


@case
def gzip_bomb_as_tileset(folder: Path) -> Path:
    return bomb(folder / "tileset.json", b'{"asset": {"version": "1.1"}, "geometricError": 1, "root": {')


@case
def cut_gzip(folder: Path) -> Path:
    path = folder / "a.city.json.gz"
    whole = gzip.compress(city_json(folder / "b.city.json").read_bytes())
    return write(path, whole[: len(whole) // 2])


# ------------------------------------------------------------------------------------------------ zip


@case
def zip_bomb(folder: Path) -> Path:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.csv", "w", force_zip64=True) as entry:
        entry.write(b"sensor,time,value\n")
        for _ in range(300):
            entry.write(bytes(1_000_000))
    return path


@case
def zip_with_names_that_climb(folder: Path) -> Path:
    return zipped(folder / "in" / "a.zip", {"../escaped.csv": b"sensor,time,value\nG,2026-01-01T00:00:00Z,1\n", "/tmp/x.shp": b"x"})


@case
def zip_without_anything(folder: Path) -> Path:
    return zipped(folder / "a.zip", {})


@case
def zip_in_a_zip(folder: Path) -> Path:
    inner = zipped(folder / "inner.zip", {"a.txt": b"x"}).read_bytes()
    return zipped(folder / "a.zip", {"inner.zip": inner})


@case
def cut_zip(folder: Path) -> Path:
    path = zipped(folder / "a.zip", {"a.shp": b"x" * 1000})
    return write(path, path.read_bytes()[:60])


# ------------------------------------------------------------------------------------------------ XML


@case
def kml_with_outside_entity(folder: Path) -> Path:
    (folder / "secret.txt").write_text(SECRET)
    doctype = f'<!DOCTYPE kml [<!ENTITY leak SYSTEM "file://{folder}/secret.txt">]>'
    return kml(folder / "in" / "a.kml", doctype, "&leak;")


@case
def kml_with_a_billion_laughs(folder: Path) -> Path:
    laughs = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 12))
    return kml(folder / "a.kml", f'<!DOCTYPE kml [<!ENTITY l0 "ha">{laughs}]>', "&l11;")


@case
def gml_with_a_billion_laughs(folder: Path) -> Path:
    laughs = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 12))
    text = (
        f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><CityModel xmlns="http://www.opengis.net/citygml/2.0">&l11;'
    )
    return write(folder / "a.gml", (text + "</CityModel>").encode())


@case
def kml_nested_deeply(folder: Path) -> Path:
    return write(folder / "a.kml", b'<kml xmlns="http://www.opengis.net/kml/2.2">' + b"<Folder>" * 100_000)


# ------------------------------------------------------------------------------------------------ JSON


@case
def nested_lists(folder: Path) -> Path:
    return write(folder / "a.json", b"[" * 100_000)


@case
def nested_city(folder: Path) -> Path:
    deep = b"[" * 100_000 + b"]" * 100_000
    head = b'{"type": "CityJSON", "version": "2.0", "transform": {"scale": [1,1,1], "translate": [0,0,0]}, "vertices": [], '
    return write(folder / "a.city.json", head + b'"CityObjects": {"b": {"type": "Building", "attributes": {"a": ' + deep + b"}}}}")


@case
def nested_sequence(folder: Path) -> Path:
    deep = b"[" * 100_000 + b"]" * 100_000
    head = {"type": "CityJSON", "version": "2.0", "transform": {"scale": [1, 1, 1], "translate": [0, 0, 0]}, "CityObjects": {}}
    line = b'{"type": "CityJSONFeature", "id": "b", "vertices": [], "CityObjects": {"b": {"type": "Building", "attributes": {"a": '
    return write(folder / "a.city.jsonl", json.dumps({**head, "vertices": []}).encode() + b"\n" + line + deep + b"}}}}\n")


@case
def nested_geojson(folder: Path) -> Path:
    deep = b"[" * 100_000 + b"]" * 100_000
    feature = b'{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": ' + deep + b"}}"
    return write(folder / "a.geojson", b'{"type": "FeatureCollection", "features": [' + feature + b"]}")


@case
def geojson_of_collections_in_collections(folder: Path) -> Path:
    deep = b'{"type": "GeometryCollection", "geometries": [' * 20_000 + b"]}" * 20_000
    return write(folder / "a.geojson", b'{"type": "Feature", "properties": {}, "geometry": ' + deep + b"}")


@case
def nested_tileset(folder: Path) -> Path:
    volume = b'"boundingVolume": {"sphere": [0,0,0,1]}, "geometricError": 1'
    deep = (b"{" + volume + b', "children": [') * 20_000 + b"{" + volume + b"}" + b"]}" * 20_000
    return write(folder / "tileset.json", b'{"asset": {"version": "1.1"}, "geometricError": 1, "root": ' + deep + b"}")


@case
def nested_readings(folder: Path) -> Path:
    deep = b"[" * 100_000 + b"]" * 100_000
    return write(folder / "a.json", b'{"value": [{"@iot.id": 1, "name": "x", "Datastreams": ' + deep + b"}]}")


@case
def city_whose_parents_go_round(folder: Path) -> Path:
    ring = {f"b{k}": {"type": "BuildingPart", "parents": [f"b{(k + 1) % 3}"], "children": [f"b{(k - 1) % 3}"]} for k in range(3)}
    return city(folder, {"CityObjects": ring})


@case
def city_with_everything_of_the_wrong_type(folder: Path) -> Path:
    wrong = {"version": 2, "transform": "x", "metadata": [], "CityObjects": {"b": [1, 2], "c": {"type": 5, "geometry": {"a": 1}}}}
    return city(folder, {**wrong, "vertices": {"a": 1}, "appearance": 7, "geometry-templates": []})


@case
def city_with_enormous_numbers(folder: Path) -> Path:
    path = city_json(folder / "a.city.json")
    return write(path, path.read_bytes().replace(b"[0, 0, 0]", b"[1e999, " + b"9" * 5000 + b", -1e308]"))


@case
def city_with_enormous_indices(folder: Path) -> Path:
    faces = [[[2**70, -(2**70), 1e300]], [[0, 1, 2]]]
    building = {"type": "Building", "geometry": [{"type": "MultiSurface", "lod": "1", "boundaries": faces}]}
    return city(folder, {"CityObjects": {"b": building}, "vertices": [[0, 0, 0], [1, 0, 0], [0, 1, 0]]})


@case
def city_whose_texture_lies_outside(folder: Path) -> Path:
    write(folder / "secret.png", png())
    made(folder / "in")
    document = json.loads(city_json(folder / "b.json").read_text("utf-8"))
    image = {"type": "PNG", "image": "../secret.png"}
    document["appearance"] = {
        "textures": [image, {"type": "PNG", "image": "/dev/zero"}, {"type": "PNG", "image": "http://127.0.0.1:9/x"}]
    }
    return write(folder / "in" / "a.city.json", json.dumps(document).encode())


# ------------------------------------------------------------------------------------------------ 3D Tiles and models


@case
def tileset_that_climbs_out(folder: Path) -> Path:
    write(folder / "outside.glb", (b"glTF" + struct.pack("<II", 2, 12)))
    return tileset(folder / "in", OUTSIDE)


@case
def tileset_with_a_link_outside(folder: Path) -> Path:
    write(folder / "secret.json", json.dumps({"asset": {"version": "1.1"}, "leak": SECRET}).encode())
    path = tileset(folder / "in", ["inner.json"])
    (folder / "in" / "inner.json").symlink_to(folder / "secret.json")
    return path


@case
def tileset_of_pipes_and_devices(folder: Path) -> Path:
    path = tileset(folder / "in", ["pipe.b3dm", "zero.b3dm", "folder.b3dm", "pipe.json"])
    os.mkfifo(folder / "in" / "pipe.b3dm")
    os.mkfifo(folder / "in" / "pipe.json")
    (folder / "in" / "zero.b3dm").symlink_to("/dev/zero")
    made(folder / "in" / "folder.b3dm")
    return path


@case
def tileset_that_holds_itself(folder: Path) -> Path:
    return tileset(folder, ["tileset.json", "./tileset.json", "in/../tileset.json"])


@case
def implicit_tileset_without_end(folder: Path) -> Path:
    root = {"boundingVolume": {"box": [0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 9]}, "geometricError": 1, "refine": "ADD"}
    tiling = {"subdivisionScheme": "OCTREE", "subtreeLevels": 60, "availableLevels": 2**62, "subtrees": {"uri": "{level}.subtree"}}
    document = {
        "asset": {"version": "1.1"},
        "geometricError": 1,
        "root": {**root, "content": {"uri": "a.glb"}, "implicitTiling": tiling},
    }
    write(folder / "0.subtree", struct.pack("<IIQQ", 0x74627573, 1, 2**62, 2**62))
    return write(folder / "tileset.json", json.dumps(document).encode())


@case
def implicit_tileset_full_to_the_last_level(folder: Path) -> Path:
    root = {"boundingVolume": {"box": [0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 9]}, "geometricError": 1, "refine": "ADD"}
    tiling = {"subdivisionScheme": "OCTREE", "subtreeLevels": 12, "availableLevels": 12, "subtrees": {"uri": "0.subtree"}}
    document = {
        "asset": {"version": "1.1"},
        "geometricError": 1,
        "root": {**root, "content": {"uri": "a.glb"}, "implicitTiling": tiling},
    }
    body = {
        "tileAvailability": {"constant": 1},
        "contentAvailability": [{"constant": 1}],
        "childSubtreeAvailability": {"constant": 0},
    }
    text = json.dumps(body).encode()
    text += b" " * (-len(text) % 8)
    write(folder / "0.subtree", struct.pack("<IIQQ", 0x74627573, 1, len(text), 0) + text)
    return write(folder / "tileset.json", json.dumps(document).encode())


@case
def glb_that_says_it_is_huge(folder: Path) -> Path:
    return write(
        folder / "a.glb", struct.pack("<4sIII4s", b"glTF", 2, 0xFFFFFFFF, 0xFFFFFFF0, b"JSON") + b'{"asset": {"version": "2.0"}}'
    )


@case
def b3dm_that_says_it_is_huge(folder: Path) -> Path:
    return write(folder / "a.b3dm", struct.pack("<4s6I", b"b3dm", 1, 0xFFFFFFFF, 0xFFFFFFF0, 0xFFFFFFF0, 0xFFFFFFF0, 0xFFFFFFF0))


@case
def gltf_with_an_accessor_of_a_billion(folder: Path) -> Path:
    accessor = {"componentType": 5126, "count": 2**40, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 1]}
    return gltf(folder / "a.gltf", {"accessors": [accessor]})


@case
def gltf_with_a_buffer_outside(folder: Path) -> Path:
    write(folder / "secret.bin", bytes(36))
    view = {"buffer": 0, "byteLength": 36}
    accessor = {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 1]}
    buffers = [{"uri": "../secret.bin", "byteLength": 36}]
    return gltf(made(folder / "in") / "a.gltf", {"buffers": buffers, "bufferViews": [view], "accessors": [accessor]})


@case
def gltf_with_nodes_in_a_circle(folder: Path) -> Path:
    return gltf(folder / "a.gltf", {"nodes": [{"mesh": 0, "children": [1]}, {"children": [0, 1]}]})


@case
def obj_with_indices_out_of_range(folder: Path) -> Path:
    return write(folder / "a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 99999999999999999999\nf -5 1 2\nmtllib ../../etc/passwd\n")


@case
def ply_that_says_a_billion_vertices(folder: Path) -> Path:
    head = "ply\nformat binary_little_endian 1.0\nelement vertex 4000000000\nproperty float x\nproperty float y\nproperty float z\n"
    return write(
        folder / "a.ply", (head + "element face 4000000000\nproperty list uchar int vertex_indices\nend_header\n").encode() + b"abc"
    )


@case
def stl_that_says_a_billion_triangles(folder: Path) -> Path:
    return write(folder / "a.stl", bytes(80) + struct.pack("<I", 0xFFFFFFFF) + bytes(100))


# ------------------------------------------------------------------------------------------------ rasters, vectors, tables


@case
def tiff_whose_directory_points_at_itself(folder: Path) -> Path:
    return write(folder / "a.tif", b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8))


@case
def vrt_that_reads_another_file(folder: Path) -> Path:
    write(folder / "secret.tif", tiff(8, 8))
    band = '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>/etc/passwd</SourceFilename>'
    band += "</SimpleSource></VRTRasterBand>"
    return write(folder / "a.tif", f'<VRTDataset rasterXSize="8" rasterYSize="8">{band}</VRTDataset>'.encode())


@case
def ovf_named_geojson(folder: Path) -> Path:
    text = '<OGRVRTDataSource><OGRVRTLayer name="passwd"><SrcDataSource>CSV:/etc/passwd</SrcDataSource></OGRVRTLayer>'
    text += "</OGRVRTDataSource>"
    return write(folder / "a.geojson", text.encode())


@case
def gpkg_with_hostile_views_and_triggers(folder: Path) -> Path:
    path = geopackage(folder / "a.gpkg")
    with sqlite3.connect(path) as base:
        endless = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS fid, NULL AS geom, 'x' AS name FROM n"
        )
        base.execute(f"CREATE VIEW endless AS {endless}")
        base.execute(
            "INSERT INTO gpkg_contents VALUES ('endless', 'features', 'endless', '', '2026-01-01T00:00:00Z', 0, 0, 1, 1, 4326)"
        )
        base.execute("INSERT INTO gpkg_geometry_columns VALUES ('endless', 'geom', 'POINT', 4326, 0, 0)")
        base.execute("CREATE TRIGGER spoil AFTER INSERT ON places BEGIN DELETE FROM places; END")
    base.close()
    return path


@case
def gpkg_of_zero_pages(folder: Path) -> Path:
    path = geopackage(folder / "a.gpkg")
    return write(path, path.read_bytes()[:100] + bytes(path.stat().st_size - 100))


@case
def gpkg_cut_in_half(folder: Path) -> Path:
    path = geopackage(folder / "a.gpkg")
    return write(path, path.read_bytes()[: path.stat().st_size // 2])


@case
def shp_that_says_it_is_huge(folder: Path) -> Path:
    head = struct.pack(">7i", 9994, 0, 0, 0, 0, 0, 0x7FFFFFFF) + struct.pack("<2i8d", 1000, 5, *([0.0] * 8))
    record = struct.pack(">2i", 1, 0x7FFFFFF0) + struct.pack("<i4d2i", 5, 0, 0, 1, 1, 0x7FFFFFFF, 0x7FFFFFFF)
    return write(folder / "a.shp", head + record)


@case
def shp_with_a_link_as_table(folder: Path) -> Path:
    head = struct.pack(">7i", 9994, 0, 0, 0, 0, 0, 64) + struct.pack("<2i8d", 1000, 1, *([0.0] * 8))
    write(folder / "a.shp", head + struct.pack(">2i", 1, 10) + struct.pack("<i2d", 1, 5.0, 5.0))
    (folder / "a.dbf").symlink_to("/dev/zero")
    os.mkfifo(folder / "a.cpg")
    os.mkfifo(folder / "a.prj")
    return folder / "a.shp"


@case
def table_with_one_endless_line(folder: Path) -> Path:
    return write(folder / "a.csv", b"sensor,time,value\n" + b"x" * 5_000_000)


@case
def table_with_an_unclosed_quote(folder: Path) -> Path:
    return write(folder / "a.csv", b'sensor,time,value\n"' + b"G,2026-01-01T00:00:00Z,1\n" * 50_000)


@case
def table_with_a_million_columns(folder: Path) -> Path:
    return write(folder / "a.csv", b",".join(b"c%d" % k for k in range(300_000)) + b"\n" + b"1," * 300_000)


@case
def table_with_formulas_and_odd_numbers(folder: Path) -> Path:
    rows = b"=cmd|'/c calc'!A0,2026-01-01T00:00:00Z,1e999\nG,99999999-01-01,nan\nG,-1e300,inf\nG,1e300,1\nG,2026-02-31,2\n"
    return write(folder / "a.csv", b"sensor,time,value\n" + rows)


@case
def network_of_one_endless_line(folder: Path) -> Path:
    return write(folder / "a.inp", b"[JUNCTIONS]\n" + b"J " * 2_000_000)


@case
def network_with_odd_numbers(folder: Path) -> Path:
    path = drainage_inp(folder / "a.inp")
    return write(path, path.read_bytes().replace(b" 50 ", b" 1e999 ").replace(b" 3 0 0", b" nan inf -1e308"))


@case
def network_of_links_without_ends(folder: Path) -> Path:
    return write(folder / "a.inp", b"[PIPES]\n" + b"".join(b"P%d A%d B%d 10 100 100 0 Open\n" % (k, k, k) for k in range(2000)))


@case
def readings_with_odd_types(folder: Path) -> Path:
    thing = {
        "@iot.id": [],
        "name": {},
        "Locations": [{"location": "x"}],
        "Datastreams": [{"Observations": [1, None, {"result": {}}]}],
    }
    return write(folder / "a.json", json.dumps({"value": [thing, 5, None]}).encode())


# ------------------------------------------------------------------------------------------------ the tests


@pytest.mark.parametrize("name", sorted(CASES))
def test_hostile_file_is_read_in_bounds_or_refused_in_one_message(name: str, tmp_path: Path) -> None:
    path = CASES[name](tmp_path)
    before = everything_in(tmp_path)
    with bounds():
        started = time.monotonic()
        report = check(path)
        refusal = imported(path)
        seconds = time.monotonic() - started
    assert seconds < SECONDS
    text = json.dumps(report, ensure_ascii=False, allow_nan=False)
    assert SECRET not in text
    assert report["readable"] or len(report["problems"]) == 1
    for problem in report["problems"]:
        assert_reads_well(problem["message"])
    if not report["readable"]:
        assert refusal is not None
    if refusal is not None:
        assert refusal.remedy
        assert_reads_well(refusal.localized())
        assert str(path) in str(refusal)
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("name", ["empty_file", "no_such_file", "pipe_as_city", "zip_bomb", "nested_city", "png_named_json"])
def test_refusal_speaks_chinese_too(name: str, tmp_path: Path) -> None:
    path = CASES[name](tmp_path)
    set_language("zh_CN")
    with bounds():
        report = check(path)
    assert not report["readable"]
    message = report["problems"][0]["message"]
    assert sum("\u4e00" <= letter <= "\u9fff" for letter in message) > 5, message


@pytest.mark.parametrize("write_sample", [city_json, drainage_inp, sensors_csv, terrain_asc])
def test_file_with_spaces_chinese_and_a_long_name_is_read(write_sample: Callable[[Path], Path], tmp_path: Path) -> None:
    suffix = {city_json: ".city.json", drainage_inp: ".inp", sensors_csv: ".csv", terrain_asc: ".asc"}[write_sample]
    folder = made(tmp_path / "规划 数据 #1 %20" / ("长" * 60))
    path = write_sample(folder / ("雨水 管网 (final) é" + "x" * 150 + suffix))
    report = check(path)
    assert report["readable"], report["problems"]
    assert len(import_files(Session(), [path], "EPSG:4547")) == 1


def test_unreadable_project_source_is_told_and_the_rest_opens(tmp_path: Path) -> None:
    good, bad = city_json(tmp_path / "good.city.json"), city_json(tmp_path / "bad.city.json")
    session = Session()
    import_files(session, [good])
    with pytest.raises(CimdeskError):
        import_files(session, [write(bad, bad.read_bytes()[:100])])
    assert [layer.name for layer in session.workspace.layers()] == ["good"]


def test_a_file_that_may_not_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = city_json(tmp_path / "a.city.json")
    if os.geteuid() == 0:  # the superuser may open everything
        real_open = Path.open

        def refuse(self: Path, *arguments: object, **options: object) -> object:
            if self == path:
                raise PermissionError(13, "Permission denied", str(self))
            return real_open(self, *arguments, **options)

        monkeypatch.setattr(Path, "open", refuse)
    else:
        path.chmod(0)
    report = check(path)
    assert not report["readable"]
    assert "Permission denied" in report["problems"][0]["message"]


# ------------------------------------------------------------------------------------------------ helpers


def imported(path: Path) -> CimdeskError | None:
    try:
        import_files(Session(), [path], "")
    except CimdeskError as error:
        return error
    return None


def assert_reads_well(message: str) -> None:
    assert message.strip()
    assert len(message) < 2000, message
    for word in ("Traceback", "Error(", "NoneType", "numpy", "Exception", "object has no attribute", "Errno", "sqlite3_"):
        assert word not in message, message


def everything_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sparse(path: Path) -> Path:
    os.truncate(path, 20_000_000_000)
    return path


def zipped(path: Path, entries: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def bomb(path: Path, start: bytes, megabytes: int = 4000) -> Path:
    """Write a gzip file of a few megabytes that unpacks to ``megabytes`` of spaces."""
    block = gzip.compress(b" " * 50_000_000, 9)
    return write(path, gzip.compress(start) + block * (megabytes // 50))


def kml(path: Path, doctype: str, name: str) -> Path:
    place = f"<Placemark><name>{name}</name><Point><coordinates>113,23</coordinates></Point></Placemark>"
    text = f'<?xml version="1.0"?>{doctype}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{place}</Document></kml>'
    return write(path, text.encode())


def city(folder: Path, members: dict) -> Path:
    head = {"type": "CityJSON", "version": "2.0", "transform": {"scale": [1, 1, 1], "translate": [0, 0, 0]}}
    return write(folder / "a.city.json", json.dumps({**head, "CityObjects": {}, "vertices": [], **members}).encode())


def tileset(folder: Path, uris: list[str]) -> Path:
    volume = {"boundingVolume": {"sphere": [0, 0, 0, 9]}, "geometricError": 1}
    children = [{**volume, "content": {"uri": uri}} for uri in uris]
    root = {**volume, "refine": "ADD", "children": children}
    return write(folder / "tileset.json", json.dumps({"asset": {"version": "1.1"}, "geometricError": 1, "root": root}).encode())


def gltf(path: Path, members: dict) -> Path:
    mesh = {"primitives": [{"attributes": {"POSITION": 0}}]}
    document = {"asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "scene": 0, "nodes": [{"mesh": 0}], "meshes": [mesh]}
    return write(path, json.dumps({**document, **members}).encode())


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    body = chunk(b"IHDR", struct.pack(">2I5B", 1, 1, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def tiff(columns: int, rows: int) -> bytes:
    """Return a TIFF that says ``columns`` x ``rows`` bytes and holds 64."""
    tags = [(256, 4, columns), (257, 4, rows), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    tags += [(278, 4, rows), (279, 4, min(columns * rows, 0xFFFFFFFF))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 72) + bytes(range(64)) + struct.pack("<H", len(tags)) + entries + bytes(4)


def geopackage(path: Path) -> Path:
    import pyogrio
    import shapely

    points = shapely.to_wkb(shapely.points([[113.0, 23.0], [113.1, 23.1]]))
    pyogrio.raw.write(path, points, [], [], layer="places", geometry_type="Point", crs="EPSG:4326", driver="GPKG")
    return path
