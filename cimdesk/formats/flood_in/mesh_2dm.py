"""2dm meshes with the dat files beside them: results of TUFLOW, BASEMENT, HYDRO_AS-2D, SRH-2D and others, text or binary."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.flood_in import names
from cimdesk.formats.flood_in.finish import result_of
from cimdesk.formats.flood_in.mesh import Mesh, MeshFlow, no_speed, no_velocity, usable_faces
from cimdesk.formats.registry import ReadOptions, ReadResult

_CORNERS = {"E3T": 3, "E4Q": 4, "E6T": 6, "E8Q": 8, "E9Q": 8}
_HOURS = {0: 3600.0, 1: 60.0, 2: 1.0, 4: 86400.0}
_WORDS = {"hours": 3600.0, "hour": 3600.0, "h": 3600.0, "minutes": 60.0, "min": 60.0, "seconds": 1.0, "sec": 1.0, "s": 1.0,
          "days": 86400.0}  # fmt: skip
BINARY = 3000
MAXIMUM = 99_999.0
"""Time at which TUFLOW and others write the maxima of the run [units of the file]."""
_NO_VELOCITY = r"discharge|unit_?flow|flux|momentum|shear|stress|wind|gradient|(^|_)q[xy]?($|_)"
"""Names of vectors that are something else."""
_REMEDY = "Write the mesh and its results again."


def is_2dm(head: bytes) -> bool:
    """Return whether a file begins as a 2dm mesh."""
    return head.lstrip()[:6].upper() == b"MESH2D"


def is_dat(path: Path, head: bytes) -> bool:
    """Return whether a file is a dat of values on a mesh."""
    if path.suffix.lower() != ".dat":
        return False
    return head[:4] == struct.pack("<i", BINARY) or bool(
        re.match(rb"\s*(DATASET|SCALAR|VECTOR|OBJTYPE|RT_JULIAN|BEGSCL)\b", head, re.I)
    )


@dataclass(frozen=True)
class Values:
    """One quantity on a mesh by time.

    Attributes
    ----------
    name : str
    times : (T,) float64
        [s]
    width : int
        1 for a quantity, 2 for a vector.
    read : callable
        Number of a time -> (N, width) float64.
    count : int
        How many values there are.
    maximum : int or None
        Number of the row that holds the maxima of the run, after those of the times.
    """

    name: str
    times: Float
    width: int
    read: Callable[[int], Float]
    count: int
    maximum: int | None = None


def read_mesh(path: Path) -> tuple[Mesh, Float, int]:
    """Return a mesh, the heights of its nodes, and how many lines of faces could not be used.

    Raises
    ------
    DataError
        If there are no nodes or no faces in it, or a line of them is no numbers.
    """
    ids: list[int] = []
    points: list[tuple[float, float, float]] = []
    faces: list[list[int]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            word, *rest = line.split(None, 12)
            card = word.decode("latin-1").upper() if word else ""
            try:
                if card == "ND":
                    ids.append(int(rest[0]))
                    points.append((float(rest[1]), float(rest[2]), float(rest[3])))
                elif card in _CORNERS:
                    corners = [int(part) for part in rest[1 : 1 + _CORNERS[card]]]
                    faces.append(corners[:: 2 if card in ("E6T", "E8Q", "E9Q") else 1])
            except (ValueError, IndexError) as error:
                raise DataError(
                    path, "this line of the mesh is no row of numbers.", where=f"line {number}", remedy=_REMEDY
                ) from error
    if not ids or not faces:
        raise DataError(path, "the mesh has no faces.", remedy=_REMEDY)
    order = {node: k for k, node in enumerate(ids)}
    table = np.full((len(faces), 4), -1, dtype=np.int64)
    for k, corners in enumerate(faces):
        table[k, : len(corners)] = [order.get(node, len(ids)) for node in corners[:4]]
    xyz = np.array(points, dtype=np.float64)
    usable = usable_faces(xyz[:, :2], table)
    if not usable.any():
        raise DataError(path, "the mesh has no faces.", remedy=_REMEDY)
    return Mesh(xyz[:, :2], table[usable]), xyz[:, 2], int((~usable).sum())


def read_2dm(path: Path, options: ReadOptions, given: list[Path] | None = None) -> ReadResult:
    """Read a mesh with the dat files that belong to it: those given, or those beside it whose name begins with its own."""
    mesh, heights, lost = read_mesh(path)
    problems: list[Problem] = []
    if lost:
        problems.append(
            Problem(
                Severity.WARNING, "faces-left-out", path.name, "{count} faces are left out: their nodes cannot be.", {"count": lost}
            )
        )
    found: dict[str, Values] = {}
    for file in sorted(path.parent.glob(f"{_escaped(path.stem)}*")) if given is None else given:
        if file.suffix.lower() == ".dat" and file.is_file():
            try:
                found |= _quantities(file, len(mesh.nodes), len(mesh.faces) + lost)
            except DataError as error:
                if given is not None:
                    raise
                problems.append(Problem(Severity.WARNING, "values-left-out", file.name, "{reason}", {"reason": error.message}))
    flow = _flow_of(path, mesh, heights, found)
    objects = {"nodes": len(mesh.nodes), "faces": len(mesh.faces) + lost}
    return result_of("2dm", None, flow, objects, options, problems)


def read_dat(path: Path, options: ReadOptions) -> ReadResult:
    """Read values on the mesh that lies beside them: the 2dm whose name their own begins with, or the only one there.

    Raises
    ------
    DataError
        If there is no such mesh.
    """
    meshes = sorted(path.parent.glob("*.2dm"))
    fitting = [mesh for mesh in meshes if path.stem.lower().startswith(mesh.stem.lower())] or (meshes if len(meshes) == 1 else [])
    if not fitting:
        raise DataError(path, "there is no 2dm mesh beside it.", remedy="Put the mesh into the same folder, with the same name.")
    mesh = max(fitting, key=lambda file: len(file.stem))
    result = read_2dm(mesh, options, [path])
    sources = tuple(replace(source, name=path.stem) for source in result.sources)
    return replace(result, format="2dm values", sources=sources)


def _escaped(text: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", text)


def _quantities(file: Path, nodes: int, faces: int) -> dict[str, Values]:
    with file.open("rb") as stream:
        binary = stream.read(4) == struct.pack("<i", BINARY)
    values = _read_binary(file) if binary else _read_text(file)
    found: dict[str, Values] = {}
    for each in values:
        if each.count not in (nodes, faces):
            raise DataError(
                file, "it has {count} values, the mesh {nodes} nodes and {faces} faces.", remedy="Open it with its own mesh.",
                count=each.count, nodes=nodes, faces=faces,
            )  # fmt: skip
        quantity = names.quantity_of(each.name, file.stem.rsplit("_", 1)[-1])
        if each.width == 2:
            is_other = quantity in (names.DEPTH, names.LEVEL, names.BED) or re.search(_NO_VELOCITY, names.plain_name(each.name))
            quantity = "" if is_other else names.SPEED
        if quantity:
            found[quantity] = each
    return found


def _flow_of(path: Path, mesh: Mesh, heights: Float, found: dict[str, Values]) -> MeshFlow:
    water = found.get(names.DEPTH) or found.get(names.LEVEL)
    if water is None or not len(water.times):
        return MeshFlow(path.stem, mesh, True, heights, np.zeros(0), np.zeros)
    at_nodes = water.count == len(mesh.nodes)
    bed = heights if at_nodes else np.array([heights[row[row >= 0]].mean() for row in mesh.faces])
    is_level = names.DEPTH not in found

    def depth(k: int) -> Float:
        values = water.read(k)[:, 0]
        return np.maximum(values - bed if is_level else values, 0.0)

    speed, velocity = _motion(found, water)
    maximum = None if water.maximum is None else depth(water.maximum)
    return MeshFlow(
        path.stem, mesh, at_nodes, bed, water.times, depth, speed, maximum=maximum, statistics={"engine": "2dm"}, velocity=velocity
    )


def _motion(
    found: dict[str, Values], water: Values
) -> tuple[Callable[[int], Float | None], Callable[[int], tuple[Float, Float] | None]]:
    """Return what gives speeds and velocities: of a vector, of its two parts by themselves, or speeds alone."""

    def fits(values: Values | None) -> bool:
        return values is not None and values.count == water.count and len(values.times) == len(water.times)

    moving, parts = found.get(names.SPEED), [found[key] for key in (names.U, names.V) if key in found]
    if moving is not None and fits(moving) and moving.width == 2:
        vectors = moving
        return (lambda k: np.hypot.reduce(vectors.read(k), axis=1)), (lambda k: (vectors.read(k)[:, 0], vectors.read(k)[:, 1]))
    if len(parts) == 2 and all(fits(part) for part in parts):
        east, north = parts
        return (
            lambda k: np.hypot(east.read(k)[:, 0], north.read(k)[:, 0]),
            lambda k: (east.read(k)[:, 0], north.read(k)[:, 0]),
        )
    if moving is not None and fits(moving):
        speeds = moving
        return (lambda k: np.abs(speeds.read(k)[:, 0])), no_velocity
    return no_speed, no_velocity


def _read_binary(path: Path) -> list[Values]:
    """Read the cards of a binary dat; values stay on disk until they are asked for."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    name, counts, width, unit, flag_size, real = "", [0, 0], 1, 3600.0, 1, "<f4"
    times: list[float] = []
    places: list[int] = []
    at = 4
    integer = _integers_of(path, data)
    while at + 4 <= len(data):
        card = integer(at)
        at += 4
        if card in (100, 110, 120, 150, 160, 170, 180, 250):
            value = integer(at)
            at += 4
            if card == 110:
                real = {4: "<f4", 8: "<f8"}.get(value, "")
            elif card == 120:
                flag_size = value
            elif card in (170, 180):
                counts[card != 170] = value
            elif card == 250:
                unit = _HOURS.get(value, 3600.0)
            if not real or min(counts) < 0 or flag_size not in (1, 2, 4):
                raise _broken(path, at)
        elif card == 190:
            name = bytes(data[at : at + 40]).split(b"\0")[0].decode("latin-1").strip()
            at += 40
        elif card == 240:
            at += 8
        elif card in (130, 140):
            width = 1 if card == 130 else 2
        elif card == 200:
            size = np.dtype(real).itemsize
            has_flags = bool(np.frombuffer(bytes(data[at : at + flag_size]).ljust(flag_size, b"\0"), f"<i{flag_size}")[0])
            start = at + flag_size + 4 + (counts[1] * flag_size if has_flags else 0)
            if start + counts[0] * width * size > len(data):
                break
            times.append(float(np.frombuffer(bytes(data[at + flag_size : at + flag_size + 4]), "<f4")[0]) * unit)
            places.append(start)
            at = start + counts[0] * width * size
        elif card == 210:
            break
        else:
            raise _broken(path, at - 4)
    if not times:
        raise _broken(path, at)
    count = counts[0]

    def read(k: int) -> Float:
        size = np.dtype(real).itemsize * count * width
        return np.frombuffer(bytes(data[places[k] : places[k] + size]), real).astype(np.float64).reshape(count, width)

    return [_without_maximum(name, times, unit, width, read, count)]


def _without_maximum(name: str, times: list[float], unit: float, width: int, read: Callable[[int], Float], count: int) -> Values:
    """Return values whose maxima, written as a last time that no run reaches, are none of the times."""
    has_maximum = len(times) > 1 and abs(times[-1] / unit - MAXIMUM) < 2.0
    seconds = np.array(times[:-1] if has_maximum else times)
    return Values(name, seconds, width, read, count, len(times) - 1 if has_maximum else None)


def _integers_of(path: Path, data: AnyArray) -> Callable[[int], int]:
    def integer(at: int) -> int:
        if at + 4 > len(data):
            raise _broken(path, at)
        return int(np.frombuffer(bytes(data[at : at + 4]), "<i4")[0])

    return integer


def _broken(path: Path, at: int) -> DataError:
    return DataError(path, "the records do not fit together; the file is damaged or cut short.", where=f"byte {at}", remedy=_REMEDY)


def _read_text(path: Path) -> list[Values]:
    """Read a dat of text, of the newer kind (TS) or the older (TIME)."""
    found: list[Values] = []
    name, count, cells, width, unit = path.stem, 0, 0, 1, 3600.0
    times: list[float] = []
    frames: list[Float] = []
    with path.open(encoding="latin-1") as file:
        numbered = enumerate(file, start=1)
        for number, line in numbered:
            words = line.split()
            if not words:
                continue
            card = words[0].upper()
            try:
                if card in ("SCALAR", "VECTOR", "BEGSCL", "BEGVEC"):
                    width = 2 if card in ("VECTOR", "BEGVEC") else 1
                elif card == "ND":
                    count = int(words[1])
                elif card == "NC":
                    cells = int(words[1])
                elif card == "NAME":
                    name = line.split(None, 1)[1].strip().strip('"')
                elif card == "TIMEUNITS":
                    unit = _WORDS.get(words[1].lower(), 3600.0)
                elif card in ("TS", "TIME"):
                    is_new = card == "TS"
                    has_flags = is_new and int(words[1]) != 0
                    times.append(float(words[-1]) * (unit if is_new else 1.0 if unit == 3600.0 else unit))
                    for _ in range(cells if has_flags else 0):
                        next(numbered)
                    rows = [next(numbered)[1].split()[:width] for _ in range(count)]
                    frames.append(np.array(rows, dtype=np.float64).reshape(count, width))
                elif card == "ENDDS" and frames:
                    found.append(_held(name, times, unit, width, frames, count))
                    times, frames = [], []
            except (ValueError, IndexError, StopIteration, RuntimeError) as error:
                raise DataError(
                    path,
                    "this line of the values is no row of numbers, or the file is cut short.",
                    where=f"line {number}",
                    remedy=_REMEDY,
                ) from error
    if frames:
        found.append(_held(name, times, unit, width, frames, count))
    if not found:
        raise DataError(path, "it holds no times.", remedy=_REMEDY)
    return found


def _held(name: str, times: list[float], unit: float, width: int, frames: list[Float], count: int) -> Values:
    kept = list(frames)
    return _without_maximum(name, times, unit, width, lambda k: kept[k], count)
