"""Small files of each kind as a planner would hand them in, written where a test wants them. All lie in EPSG:4547."""

from __future__ import annotations

import json
from pathlib import Path

EAST, NORTH = 431_000.0, 2_558_000.0
FACES = [[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]]


def city_json(path: Path, buildings: int = 3, crs: str | None = "https://www.opengis.net/def/crs/EPSG/0/4547") -> Path:
    """Write boxes of 10 m in a row, 20 m apart and 6, 9, 12 ... m high, ids b0, b1, ..."""
    objects, vertices = {}, []
    for k in range(buildings):
        x, top, first = 20_000 * k, 6_000 + 3_000 * k, len(vertices)
        ring = [(x, 0), (x + 10_000, 0), (x + 10_000, 10_000), (x, 10_000)]
        vertices += [[px, py, z] for z in (0, top) for px, py in ring]
        shell = [[[first + corner for corner in face]] for face in FACES]
        surfaces = [{"type": name} for name in ("GroundSurface", "RoofSurface", "WallSurface")]
        semantics = {"surfaces": surfaces, "values": [[0, 1, 2, 2, 2, 2]]}
        objects[f"b{k}"] = {
            "type": "Building",
            "attributes": {"use": "home" if k % 2 else "school", "storeys": 2 + k, "people": 20 + k, "name": f"楼 {k}"},
            "geometry": [{"type": "Solid", "lod": "2", "boundaries": [shell], "semantics": semantics}],
        }
    document = {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [0.001] * 3, "translate": [EAST, NORTH, 0.0]},
        "metadata": {"referenceSystem": crs} if crs else {},
        "CityObjects": objects,
        "vertices": vertices,
    }
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def drainage_inp(path: Path) -> Path:
    """Write three manholes in a row draining to an outfall: M1 -> M2 -> M3 -> O1, 50 m apart, DN 600."""
    nodes = [("M1", 10.0), ("M2", 9.5), ("M3", 9.0)]
    lines = ["[OPTIONS]", "FLOW_UNITS CMS", "", "[JUNCTIONS]", *(f"{name} {z} 3 0 0 0" for name, z in nodes)]
    lines += ["", "[OUTFALLS]", "O1 8.5 FREE NO", "", "[CONDUITS]"]
    lines += ["C1 M1 M2 50 0.013 0 0", "C2 M2 M3 50 0.013 0 0", "C3 M3 O1 50 0.013 0 0", "", "[XSECTIONS]"]
    lines += [f"{name} CIRCULAR 0.6 0 0 0 1" for name in ("C1", "C2", "C3")]
    lines += ["", "[COORDINATES]", *(f"{name} {EAST + 50 * k} {NORTH - 20}" for k, name in enumerate(("M1", "M2", "M3", "O1")))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def sensors_csv(path: Path) -> Path:
    """Write two water-level gauges with readings every 5 minutes; G1 rises from 0 to 1.1 m, G2 stays at 0.1 m."""
    rows = ["sensor,time,value,quantity,unit,x,y"]
    for k in range(12):
        moment = f"2026-06-07T12:{5 * k:02d}:00+08:00"
        rows.append(f"G1,{moment},{0.1 * k:.2f},water_level,m,{EAST + 5},{NORTH - 5}")
        rows.append(f"G2,{moment},0.10,water_level,m,{EAST + 45},{NORTH - 5}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def terrain_asc(path: Path, rows: int = 30, columns: int = 40, cell: float = 5.0) -> Path:
    """Write a plane falling gently to the south, with a hollow in the middle."""
    grid = []
    for r in range(rows):
        line = []
        for c in range(columns):
            hollow = 1.5 if abs(r - rows // 2) < 3 and abs(c - columns // 2) < 4 else 0.0
            line.append(f"{10.0 - 0.01 * cell * r - hollow:.3f}")
        grid.append(" ".join(line))
    header = f"ncols {columns}\nnrows {rows}\nxllcorner {EAST - 60}\nyllcorner {NORTH - 70}\ncellsize {cell}\nNODATA_value -9999\n"
    path.write_text(header + "\n".join(grid) + "\n", encoding="utf-8")
    return path
