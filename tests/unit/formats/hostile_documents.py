"""Hostile documents of one format each: their structure lies, goes round or has no end."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from pathlib import Path

from tests.samples import city_json, drainage_inp
from tests.unit.formats.hostile import (
    OUTSIDE,
    SECRET,
    case,
    city,
    geopackage,
    gltf,
    made,
    png,
    tiff,
    tileset,
    write,
)

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
