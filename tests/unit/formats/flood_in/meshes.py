"""Small results of other models, written by hand for tests."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

SIDE = 5
TIMES = (0.0, 600.0, 1800.0)


def nodes() -> np.ndarray:
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    return np.column_stack([x.ravel() * 10.0, y.ravel() * 10.0])


def triangles() -> np.ndarray:
    rows = []
    for r in range(SIDE - 1):
        for c in range(SIDE - 1):
            a = r * SIDE + c
            rows += [(a, a + 1, a + SIDE + 1), (a, a + SIDE + 1, a + SIDE)]
    return np.array(rows)


def bed() -> np.ndarray:
    return 0.01 * nodes()[:, 0]


def depths(k: int) -> np.ndarray:
    return np.maximum(0.5 * k - bed(), 0.0)


def volume(k: int) -> float:
    """Water of time ``k``, linear between nodes [m3]."""
    return float(sum(depths(k)[list(corners)].mean() * 50.0 for corners in triangles()))


def write_selafin(path: Path, order: str = ">", wide: bool = False, date: tuple[int, ...] | None = None) -> Path:
    real = np.dtype(order + ("f8" if wide else "f4"))
    out = bytearray()

    def record(body: bytes) -> None:
        out.extend(struct.pack(order + "i", len(body)) + body + struct.pack(order + "i", len(body)))

    def integers(*values: int) -> bytes:
        return np.array(values, dtype=order + "i4").tobytes()

    names = ("WATER DEPTH     M", "FREE SURFACE    M", "BOTTOM          M", "VELOCITY U      M/S", "VELOCITY V      M/S")
    record(b"TEST".ljust(72) + (b"SERAFIND" if wide else b"SERAFIN "))
    record(integers(len(names), 0))
    for name in names:
        record(name.encode().ljust(32))
    record(integers(1, 0, 400_000, 5_000_000, 0, 0, 0, 0, 0, 1 if date else 0))
    if date:
        record(integers(*date))
    record(integers(len(triangles()), len(nodes()), 3, 1))
    record((triangles() + 1).astype(order + "i4").tobytes())
    record(integers(*range(len(nodes()))))
    for axis in nodes().T:
        record(axis.astype(real).tobytes())
    for k, time in enumerate(TIMES):
        record(np.array([time], dtype=real).tobytes())
        for values in (depths(k), depths(k) + bed(), bed(), np.full(len(nodes()), 0.3), np.full(len(nodes()), 0.4)):
            record(values.astype(real).tobytes())
    path.write_bytes(bytes(out))
    return path


def write_2dm(path: Path) -> Path:
    lines = ["MESH2D"]
    lines += [f"ND {k + 1} {x} {y} {z}" for k, ((x, y), z) in enumerate(zip(nodes(), bed(), strict=True))]
    lines += [f"E3T {k + 1} {a + 1} {b + 1} {c + 1} 1" for k, (a, b, c) in enumerate(triangles())]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_dat_text(path: Path, name: str = "Depth", flags: bool = False) -> Path:
    lines = [
        "DATASET",
        'OBJTYPE "mesh2d"',
        "BEGSCL",
        f"ND {SIDE**2}",
        f"NC {len(triangles())}",
        f'NAME "{name}"',
        "TIMEUNITS seconds",
    ]
    for k, time in enumerate(TIMES):
        lines.append(f"TS {int(flags)} {time}")
        lines += ["1"] * (len(triangles()) if flags else 0)
        lines += [repr(float(value)) for value in depths(k)]
    path.write_text("\n".join([*lines, "ENDDS"]) + "\n")
    return path


def write_dat_binary(path: Path, with_maximum: bool = False) -> Path:
    out = struct.pack("<iiiiiii", 3000, 100, 3, 110, 4, 120, 1) + struct.pack("<i", 130)
    out += struct.pack("<iiii", 170, SIDE**2, 180, len(triangles())) + struct.pack("<i", 190) + b"Depth".ljust(40)
    out += struct.pack("<ii", 250, 0)
    times = [time / 3600.0 for time in TIMES] + ([99_999.0] if with_maximum else [])
    for k, time in enumerate(times):
        out += struct.pack("<ibf", 200, 0, time) + depths(min(k, len(TIMES) - 1)).astype("<f4").tobytes()
    path.write_bytes(out + struct.pack("<i", 210))
    return path


def write_sww(path: Path) -> Path:
    from scipy.io import netcdf_file

    with netcdf_file(path, "w") as file:
        file.zone, file.hemisphere = 56, "southern"
        file.xllcorner, file.yllcorner = 300_000.0, 6_000_000.0
        for name, size in (("points", SIDE**2), ("volumes_", len(triangles())), ("three", 3), ("times", len(TIMES))):
            file.createDimension(name, size)
        for name, kind, dims, values in (
            ("x", "d", ("points",), nodes()[:, 0]), ("y", "d", ("points",), nodes()[:, 1]), ("elevation", "d", ("points",), bed()),
            ("volumes", "i", ("volumes_", "three"), triangles()), ("time", "d", ("times",), TIMES),
            ("stage", "d", ("times", "points"), [depths(k) + bed() for k in range(len(TIMES))]),
            ("xmomentum", "d", ("times", "points"), [0.3 * depths(k) for k in range(len(TIMES))]),
            ("ymomentum", "d", ("times", "points"), [0.4 * depths(k) for k in range(len(TIMES))]),
        ):  # fmt: skip
            file.createVariable(name, kind, dims)[:] = values
    return path


def write_ugrid(path: Path) -> Path:
    import h5netcdf

    count = len(triangles())
    faces = np.array([[depths(k)[list(corners)].mean() for corners in triangles()] for k in range(len(TIMES))])
    ground = np.array([bed()[list(corners)].mean() for corners in triangles()])
    with h5netcdf.File(path, "w") as file:
        file.attrs["Conventions"] = "CF-1.8 UGRID-1.0"
        file.dimensions = {"node": SIDE**2, "face": count, "corner": 4, "time": len(TIMES)}
        topology = file.create_variable("mesh2d", (), data=np.int32(0))
        topology.attrs.update(
            cf_role="mesh_topology", topology_dimension=np.int32(2), node_coordinates="mesh2d_node_x mesh2d_node_y",
            face_node_connectivity="mesh2d_face_nodes", face_dimension="face",
        )  # fmt: skip
        for name, axis in zip(("mesh2d_node_x", "mesh2d_node_y"), nodes().T, strict=True):
            file.create_variable(name, ("node",), data=axis)
        table = np.column_stack([triangles() + 1, np.full(count, -999)]).astype(np.int32)
        made = file.create_variable("mesh2d_face_nodes", ("face", "corner"), data=table, fillvalue=np.int32(-999))
        made.attrs["start_index"] = np.int32(1)
        made = file.create_variable("time", ("time",), data=np.array(TIMES))
        made.attrs["units"] = "seconds since 2020-07-01 06:00:00"
        for name, values in (("mesh2d_waterdepth", faces), ("mesh2d_s1", faces + ground)):
            made = file.create_variable(name, ("time", "face"), data=values)
            made.attrs["mesh"] = "mesh2d"
        file.create_variable("mesh2d_flowelem_bl", ("face",), data=ground)
    return path


def write_vector_dat(path: Path, name: str = "V") -> Path:
    """Write a dat of text with the vector (0.3, 0.4) at every node and time."""
    lines = [
        "DATASET",
        'OBJTYPE "mesh2d"',
        "BEGVEC",
        f"ND {SIDE**2}",
        f"NC {len(triangles())}",
        f'NAME "{name}"',
        "TIMEUNITS seconds",
    ]
    for time in TIMES:
        lines += [f"TS 0 {time}", *["0.3 0.4"] * SIDE**2]
    path.write_text("\n".join([*lines, "ENDDS"]) + "\n")
    return path


HECRAS_SERIES = "Results/Unsteady/Output/Output Blocks/Base Output/Unsteady Time Series"
HECRAS_SUMMARY = "Results/Unsteady/Output/Output Blocks/Base Output/Summary Output"


def write_hecras(path: Path, moves: str = "faces", series: bool = True) -> Path:
    """Write a plan of HEC-RAS with one area of square cells, 10 m wide, in metres.

    ``moves`` says what tells of the velocity, which is (0.3, 0.4) wherever there is water: ``faces``, ``cells`` or nothing.
    """
    import h5py

    count = SIDE - 1
    points = nodes()
    ends, cells = [], [[] for _ in range(count * count)]

    def face(a: int, b: int, right: int | None, left: int | None) -> None:
        for cell, side in ((right, -1), (left, 1)):
            if cell is not None:
                cells[cell].append((len(ends), side))
        ends.append((a, b))

    for r in range(SIDE):  # along rows: whoever goes east has the south at the right
        for c in range(count):
            face(r * SIDE + c, r * SIDE + c + 1, (r - 1) * count + c if r else None, r * count + c if r < count else None)
    for r in range(count):  # along columns: whoever goes north has the east at the right
        for c in range(SIDE):
            face(r * SIDE + c, (r + 1) * SIDE + c, r * count + c if c < count else None, r * count + c - 1 if c else None)
    along = points[[b for _, b in ends]] - points[[a for a, _ in ends]]
    lengths = np.hypot(*along.T)
    normals = np.column_stack([along[:, 1], -along[:, 0]]) / lengths[:, None]
    low = np.array([bed()[list(points_of)].min() for points_of in ends])
    ground = np.array([0.1 * c for _ in range(count) for c in range(count)])
    levels = np.array([np.maximum(0.5 * k, ground) for k in range(len(TIMES))])
    across = np.where(0.5 * np.arange(len(TIMES))[:, None] > low, normals @ [0.3, 0.4], 0.0)
    info = np.array([[sum(map(len, cells[:k])), len(own)] for k, own in enumerate(cells)])
    with h5py.File(path, "w") as file:
        file.attrs["File Type"], file.attrs["Units System"] = b"HEC-RAS Results", b"SI Units"
        base = "Geometry/2D Flow Areas"
        named = np.array([(b"Town",)], dtype=[("Name", "S16")])
        file[f"{base}/Attributes"] = named
        file[f"{base}/Town/FacePoints Coordinate"] = points
        file[f"{base}/Town/Faces FacePoint Indexes"] = np.array(ends)
        file[f"{base}/Town/Cells Face and Orientation Info"] = info
        file[f"{base}/Town/Cells Face and Orientation Values"] = np.concatenate([np.array(own) for own in cells])
        file[f"{base}/Town/Cells Minimum Elevation"] = ground
        if series:
            stamps = [f"01JUL2020 06:{int(time) // 60:02d}:00:000".encode() for time in TIMES]
            file[f"{HECRAS_SERIES}/Time Date Stamp (ms)"] = np.array(stamps)
            at = f"{HECRAS_SERIES}/2D Flow Areas/Town"
            file[f"{at}/Water Surface"] = levels.astype(np.float32)
            if moves == "faces":
                file[f"{at}/Face Velocity"] = across.astype(np.float32)
            elif moves == "cells":
                for part, value in (("X", 0.3), ("Y", 0.4)):
                    file[f"{at}/Cell Velocity - Velocity {part}"] = np.where(levels > ground, value, 0.0).astype(np.float32)
        else:
            at = f"{HECRAS_SUMMARY}/2D Flow Areas/Town"
            file[f"{at}/Maximum Water Surface"] = np.stack([levels[-1], np.full(count * count, 1.0)]).astype(np.float32)
            if moves:
                file[f"{at}/Maximum Face Velocity"] = np.stack([across.max(axis=0)] * 2).astype(np.float32)
                file[f"{at}/Minimum Face Velocity"] = np.stack([across.min(axis=0)] * 2).astype(np.float32)
    return path
