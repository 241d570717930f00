"""Small files of footprints with heights: GeoParquet, FlatGeobuf, OpenStreetMap."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import shapely

EAST, NORTH = 430_000.0, 2_550_000.0
BLOCKS = {"a": (0, 0, 20, 10), "b": (30, 0, 60, 20), "court": (0, 40, 40, 80)}
HEIGHTS = {"a": 12.0, "b": None, "court": 30.0}


def outlines() -> list[shapely.Polygon]:
    """Return three blocks, the last with a courtyard of 20 m by 20 m."""
    made = [shapely.box(EAST + w, NORTH + s, EAST + e, NORTH + n) for w, s, e, n in BLOCKS.values()]
    made[2] = made[2].difference(shapely.box(EAST + 10, NORTH + 50, EAST + 30, NORTH + 70))
    return made


def geoparquet(path: Path, geo: dict | None = None, geometry: str = "geometry") -> Path:
    """Write the blocks as GeoParquet in EPSG:4547; ``geo`` replaces its metadata."""
    import duckdb

    about = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": ["Polygon"],
                "crs": {"type": "ProjectedCRS", "name": "CGCS2000", "id": {"authority": "EPSG", "code": 4547}},
            }
        },
    }
    text = json.dumps(about if geo is None else geo).replace("'", "''")
    rows = []
    for key, shape in zip(BLOCKS, outlines(), strict=True):
        height = "NULL" if HEIGHTS[key] is None else f"{HEIGHTS[key]}::DOUBLE"
        rows.append(
            f"SELECT '{key}' AS id, unhex('{shapely.to_wkb(shape).hex()}') AS {geometry}, {height} AS height, 5 AS num_floors, "
            f"{{'primary': '楼 {key}'}} AS names, {{'xmin': 0.0}} AS bbox, 2.5 AS fixed, DATE '2024-05-01' AS built"
        )
    metadata = f", KV_METADATA {{geo: '{text}'}}" if text != "{}" else ""
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({' UNION ALL '.join(rows)}) TO '{path}' (FORMAT parquet{metadata})")
    return path


def flatgeobuf(path: Path) -> Path:
    """Write the blocks as FlatGeobuf in EPSG:4547."""
    import pyogrio

    heights = np.array([np.nan if value is None else value for value in HEIGHTS.values()])
    ids = np.array(list(BLOCKS), dtype=object)
    floors = np.array([5, 5, 5])
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array(outlines())), [ids, heights, floors], ["id", "height", "num_floors"],
        driver="FlatGeobuf", geometry_type="Polygon", crs="EPSG:4547",
    )  # fmt: skip
    return path


def osm(path: Path) -> Path:
    """Write two buildings, one on legs, and a meadow as OpenStreetMap XML near Guangzhou."""
    ways = {
        1: ({"building": "yes", "height": "24 m", "name": "Tower", "roof:shape": "flat"}, 0.0),
        2: ({"building": "yes", "building:levels": "4", "min_height": "6"}, 0.001),
        3: ({"landuse": "meadow"}, 0.002),
    }
    nodes, lines = [], []
    for way, (tags, shift) in ways.items():
        corners = [(113.3 + shift + dx, 23.1 + dy) for dx, dy in ((0, 0), (0.0003, 0), (0.0003, 0.0002), (0, 0.0002))]
        for k, (x, y) in enumerate(corners):
            nodes.append(f'<node id="{way * 10 + k}" version="1" lat="{y:.7f}" lon="{x:.7f}"/>')
        refs = "".join(f'<nd ref="{way * 10 + k}"/>' for k in (0, 1, 2, 3, 0))
        lines.append(f'<way id="{way}" version="1">{refs}' + "".join(f'<tag k="{k}" v="{v}"/>' for k, v in tags.items()) + "</way>")
    path.write_text(f'<?xml version="1.0"?><osm version="0.6">{"".join(nodes)}{"".join(lines)}</osm>', encoding="utf-8")
    return path
