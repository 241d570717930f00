"""Hostile files of any kind: empty, misnamed, linked, enormous, packed, or with entities."""

from __future__ import annotations

import gzip
import json
import os
import struct
import zipfile
from pathlib import Path

from tests.samples import city_json, drainage_inp, sensors_csv, terrain_asc
from tests.unit.formats.hostile import (
    SECRET,
    bomb,
    case,
    geopackage,
    kml,
    made,
    png,
    sparse,
    tiff,
    write,
    zipped,
)

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
