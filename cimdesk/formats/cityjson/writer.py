"""City models to CityJSON 2.0 files and CityJSON sequences. Flat faces are put together again from the
triangles they were drawn with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Int
from cimdesk.base.collector import collector_paused
from cimdesk.base.crs import Crs
from cimdesk.formats.atomic import replacing
from cimdesk.formats.cityjson.face_rings import Surfaces, surfaces_of
from cimdesk.formats.cityjson.hierarchy import REST
from cimdesk.formats.cityjson.merging import flat_faces
from cimdesk.formats.cityjson.surfaces import NO_LOD
from cimdesk.model.city import CityModel
from cimdesk.model.features import plain_value
from cimdesk.model.mesh import Surface, TriangleMesh

METRE_STEP = 0.001
DEGREE_STEP = 1e-8
THEME = "source"
METRES_PER_DEGREE = 111_320.0
FLATNESS = 1.5
"""How far corners may lie from the plane of a face [steps of their numbers]."""
KEPT_METADATA = ("identifier", "pointOfContact", "referenceDate", "title")
SURFACE_TYPES = {
    Surface.GROUND: "GroundSurface", Surface.WALL: "WallSurface", Surface.ROOF: "RoofSurface",
    Surface.OPENING: "Window", Surface.OTHER: "ClosureSurface",
}  # fmt: skip


def write_cityjson(path: Path | str, city: CityModel, crs: Crs | None, ids: Iterable[str] | None = None) -> int:
    """Write a city model as one CityJSON 2.0 object.

    Parameters
    ----------
    path : path
        Replaced only when the new file is complete.
    city : CityModel
    crs : Crs or None
        System of its coordinates.
    ids : iterable of str, optional
        Objects to write, with their parts; all by default.

    Returns
    -------
    int
        Number of city objects written.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    with collector_paused():
        export = _Export(city, crs, ids)
        document = export.header()
        objects, used = export.objects(export.rows)
        document["CityObjects"] = objects
        document["vertices"] = export.vertices[used].tolist()
        with replacing(path) as temporary:
            temporary.write_bytes(msgspec.json.encode(document))
    return len(objects)


def write_cityjsonseq(path: Path | str, city: CityModel, crs: Crs | None, ids: Iterable[str] | None = None) -> int:
    """Write a city model as a CityJSON sequence: a header, then each top-level object with its parts on a line.

    Parameters and result are those of `write_cityjson`.
    """
    export = _Export(city, crs, ids)
    count = 0
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(msgspec.json.encode({**export.header(), "CityObjects": {}, "vertices": []}) + b"\n")
        for rows in export.families():
            objects, used = export.objects(rows)
            feature = {
                "type": "CityJSONFeature",
                "id": str(city.features.ids[rows[0]]),
                "CityObjects": objects,
                "vertices": export.vertices[used].tolist(),
            }
            file.write(msgspec.json.encode(feature) + b"\n")
            count += len(objects)
    return count


@dataclass(frozen=True)
class _Level:
    """One level of detail with its surfaces sorted by feature; their corners are rows of the export's vertices."""

    name: str
    surfaces: Surfaces
    offsets: Int
    kinds: AnyArray
    materials: Int | None
    is_closed: Bool

    def corners(self, row: int) -> Int:
        """Return the corners of the surfaces of a feature."""
        part = self.surfaces.surface_offsets[self.offsets[row : row + 2]]
        begin, stop = self.surfaces.ring_offsets[part]
        return self.surfaces.corners[begin:stop]


class _Export:
    """A city model made ready to be written: quantised vertices, and slices per object."""

    def __init__(self, city: CityModel, crs: Crs | None, ids: Iterable[str] | None) -> None:
        self._city = city
        self._crs = crs
        wanted = None if ids is None else city.features.rows_of(ids)
        self._children = _children(city)
        self.rows = list(range(len(city.features))) if wanted is None else _with_descendants(wanted.tolist(), self._children)
        self._is_written = np.zeros(len(city.features), dtype=bool)
        self._is_written[self.rows] = True
        self._columns = [(name, _to_write(values)) for name, values in city.features.columns.items()]
        step = DEGREE_STEP if crs is not None and crs.is_geographic else METRE_STEP
        self._scale = np.array([step, step, METRE_STEP])
        self._metres = np.ones(3)
        self._translation = np.zeros(3)
        self.vertices: Int = np.zeros((0, 3), dtype=np.int64)
        self._colors: list[tuple[int, ...]] = []
        self._levels = self._prepare()

    def header(self) -> dict[str, Any]:
        """Return everything but objects and vertices."""
        metadata = {k: v for k, v in self._city.metadata.items() if k in KEPT_METADATA}
        if len(self.vertices):
            corners = np.array([self.vertices.min(axis=0), self.vertices.max(axis=0)]) * self._scale + self._translation
            metadata["geographicalExtent"] = np.round(corners, 9).ravel().tolist()
        if self._crs is not None and self._crs.code:
            metadata["referenceSystem"] = reference_system(self._crs.code)
        header: dict[str, Any] = {
            "type": "CityJSON",
            "version": "2.0",
            "transform": {"scale": self._scale.tolist(), "translate": self._translation.tolist()},
            "metadata": metadata,
        }
        header |= {k: v for k, v in self._city.metadata.items() if k == "extensions" or k.startswith("+")}
        if self._colors:
            header["appearance"] = {"materials": [_material(k, color) for k, color in enumerate(self._colors)]}
        return header

    def families(self) -> Iterator[list[int]]:
        """Yield each top-level row with its descendants, itself first; of a group also its members with theirs."""
        members = self._members()
        grouped = {row for rows in members.values() for row in rows}
        done: set[int] = set()
        roots = [row for row in self.rows if self._city.parents[row] < 0 or not self._is_written[self._city.parents[row]]]
        for row in (*(row for row in roots if row not in grouped), *roots):
            if row not in done:
                below = _with_descendants([row, *members.get(row, ())], self._children)
                family = [k for k in below if self._is_written[k] and k not in done]
                done.update(family)
                yield family

    def _members(self) -> dict[int, list[int]]:
        """Return the written rows of each written group."""
        groups = self._city.features.columns.get("group")
        members: dict[int, list[int]] = {}
        for row in self.rows if groups is not None else ():
            if groups is not None and groups[row] in self._city.features:
                members.setdefault(self._city.features.row_of(groups[row]), []).append(row)
        return {group: rows for group, rows in members.items() if self._is_written[group]}

    def objects(self, rows: Sequence[int]) -> tuple[dict[str, Any], Int]:
        """Return the city objects of ``rows`` by id, and the rows of ``vertices`` they use, which they number from 0."""
        pieces = [level.corners(row) for row in rows for level in self._levels]
        used, numbers = np.unique(np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64), return_inverse=True)
        numbers = numbers.ravel()
        objects: dict[str, Any] = {}
        start = 0
        sizes = iter([len(piece) for piece in pieces])
        for row in rows:
            geometry = []
            for level in self._levels:
                if count := next(sizes):
                    geometry.append(_geometry(level, row, numbers[start : start + count]))
                start += count
            objects[str(self._city.features.ids[row])] = self._object(row, geometry)
        self._add_members(objects)
        return objects, used

    def _object(self, row: int, geometry: list[dict[str, Any]]) -> dict[str, Any]:
        values = {name: column[row] for name, column in self._columns if column[row] is not None}
        item: dict[str, Any] = {"type": values.pop("type", None) or "GenericCityObject"}
        values.pop("group", None)
        address = values.pop("address", None)
        if isinstance(address, list):
            item["address"] = address
        elif address is not None:
            values["address"] = address
        rest = values.pop(REST, None)
        attributes = {name.removeprefix("attributes."): value for name, value in values.items()}
        attributes |= rest if isinstance(rest, dict) else {}
        if attributes:
            item["attributes"] = attributes
        if geometry:
            item["geometry"] = geometry
        ids, parent = self._city.features.ids, int(self._city.parents[row])
        if parent >= 0 and self._is_written[parent]:
            item["parents"] = [str(ids[parent])]
        children = [str(ids[k]) for k in self._children.get(row, ()) if self._is_written[k]]
        if children:
            item["children"] = children
        return item

    def _add_members(self, objects: dict[str, Any]) -> None:
        """List group members with their groups, where both are written."""
        groups = self._city.features.columns.get("group")
        if groups is None:
            return
        for name, item in objects.items():
            group = groups[self._city.features.row_of(name)]
            if group in objects:
                objects[group].setdefault("children", []).append(name)
                item.setdefault("parents", []).append(group)

    def _prepare(self) -> list[_Level]:
        """Quantise all vertices into one list and sort the triangles of each level by feature."""
        meshes = {name: mesh for name, mesh in self._city.meshes.items() if len(mesh.triangles)}
        if not meshes:
            return []
        world = [mesh.world_vertices() for mesh in meshes.values()]
        everything = np.concatenate(world)
        self._translation = np.floor(everything.min(axis=0))
        if self._crs is not None and self._crs.is_geographic:
            middle = np.radians(np.median(everything[:, 1]))
            self._metres = np.array([METRES_PER_DEGREE * max(0.01, float(np.cos(middle))), METRES_PER_DEGREE, 1.0])
        quantised = np.round((everything - self._translation) / self._scale).astype(np.int64)
        self.vertices, numbers = _distinct(quantised)
        levels, start = [], 0
        for name, mesh in meshes.items():
            levels.append(self._level(name, mesh, numbers[start : start + len(mesh.vertices)]))
            start += len(mesh.vertices)
        return levels

    def _level(self, name: str, mesh: TriangleMesh, numbers: Int) -> _Level:
        triangles = numbers[mesh.triangles]
        a, b, c = triangles.T
        keep = np.flatnonzero((a != b) & (b != c) & (a != c))
        order = keep[np.argsort(mesh.feature_index[keep], kind="stable")]
        triangles, owners = triangles[order], mesh.feature_index[order]
        count = len(self._city.features)
        materials = None
        if mesh.colors is not None:
            colors, which = np.unique(mesh.colors[order], axis=0, return_inverse=True)
            materials = which.ravel() + len(self._colors)
            self._colors += [tuple(color) for color in colors.tolist()]
        groups = owners.astype(np.int64) * 256 + mesh.surface[order]
        if materials is not None:
            groups = groups * (len(self._colors) + 1) + materials
        # As exact as they are: to whole steps, small triangles of one plane look away from each other.
        points = np.zeros((len(self.vertices), 3))
        points[numbers] = mesh.vertices * self._metres
        faces = flat_faces(triangles, groups, points, self._tolerance(mesh))
        surfaces = surfaces_of(triangles, faces, self.vertices * (self._scale * self._metres), METRE_STEP)
        owners = owners[surfaces.first]
        offsets = np.searchsorted(owners, np.arange(count + 1))
        closed = _closed_features(surfaces, owners, len(self.vertices), count)
        kinds = mesh.surface[order][surfaces.first]
        return _Level(name, surfaces, offsets, kinds, None if materials is None else materials[surfaces.first], closed)

    def _tolerance(self, mesh: TriangleMesh) -> float:
        """Return how far corners of this mesh may lie from the plane of their face: what rounding does to them [m]."""
        reach = np.abs(mesh.vertices).max(axis=0)
        return FLATNESS * max(METRE_STEP, float((np.spacing(reach) * self._metres).max()))


def reference_system(code: str) -> str:
    """Return the OGC address of ``EPSG:n`` or ``EPSG:n+m``."""
    addresses = [f"https://www.opengis.net/def/crs/EPSG/0/{n.removeprefix('EPSG:')}" for n in code.split("+")]
    if len(addresses) == 1:
        return addresses[0]
    return "https://www.opengis.net/def/crs-compound?" + "&".join(f"{k}={address}" for k, address in enumerate(addresses, 1))


def _geometry(level: _Level, row: int, numbers: Int) -> dict[str, Any]:
    part = slice(int(level.offsets[row]), int(level.offsets[row + 1]))
    boundaries = level.surfaces.boundaries(part.start, part.stop, numbers)
    solid = bool(level.is_closed[row])
    geometry: dict[str, Any] = {"type": "Solid" if solid else "MultiSurface", "boundaries": [boundaries] if solid else boundaries}
    if level.name != NO_LOD:
        geometry["lod"] = level.name
    kinds = level.kinds[part].tolist()
    present = sorted(set(kinds) - {Surface.UNKNOWN})
    if present:
        number = {kind: k for k, kind in enumerate(present)}
        values: list[Any] = [number.get(kind) for kind in kinds]
        surfaces = [{"type": SURFACE_TYPES[Surface(kind)]} for kind in present]
        geometry["semantics"] = {"surfaces": surfaces, "values": [values] if solid else values}
    if level.materials is not None:
        painted = level.materials[part].tolist()
        geometry["material"] = {THEME: {"values": [painted] if solid else painted}}
    return geometry


def _closed_features(surfaces: Surfaces, owners: AnyArray, vertex_count: int, count: int) -> Bool:
    """Return (N,) whether a feature's surfaces close: each directed edge once, and once the other way."""
    closed = np.bincount(owners, minlength=count) >= 4
    if not len(owners):
        return closed
    low, high = surfaces.edges()
    owner = owners.astype(np.int64)[surfaces.of_corners()]
    ahead = low < high
    keys = np.where(ahead, low, high) * vertex_count + np.where(ahead, high, low)
    _, edge = np.unique(keys, return_inverse=True)
    _, side, uses = np.unique(owner * len(keys) + edge, return_inverse=True, return_counts=True)
    balance = np.bincount(side, weights=np.where(ahead, 1.0, -1.0))
    closed[owner[(uses[side] != 2) | (balance[side] != 0.0)]] = False
    return closed


def _distinct(rows: Int) -> tuple[Int, Int]:
    """Return the distinct rows of (N, 3) integers, and which of them each row is."""
    order = np.lexsort(rows.T)
    ordered = rows[order]
    is_first = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])
    numbers = np.empty(len(rows), dtype=np.int64)
    numbers[order] = np.cumsum(is_first) - 1
    return ordered[is_first], numbers


def _material(number: int, color: Sequence[int]) -> dict[str, Any]:
    red, green, blue, alpha = (round(c / 255.0, 4) for c in color)
    return {"name": f"material {number}", "diffuseColor": [red, green, blue], "transparency": round(1.0 - alpha, 4)}


def _children(city: CityModel) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for row in np.flatnonzero(city.parents >= 0).tolist():
        children.setdefault(int(city.parents[row]), []).append(row)
    return children


def _with_descendants(rows: Sequence[int], children: Mapping[int, list[int]]) -> list[int]:
    """Return rows followed by what hangs below them, each once."""
    found: dict[int, None] = {}
    waiting = list(reversed(rows))
    while waiting:
        row = waiting.pop()
        if row not in found:
            found[row] = None
            waiting.extend(reversed(children.get(row, ())))
    return list(found)


def _to_write(values: AnyArray) -> list[Any]:
    """Return a column as JSON values, None where missing; nested values that reading made text are nested again."""
    if values.dtype == np.float64:
        finite = values[np.isfinite(values)]
        # Whole numbers become floats in a column only because some are missing.
        whole = len(finite) < len(values) and bool((finite == np.round(finite)).all()) and bool((np.abs(finite) < 2**53).all())
        return [None if not np.isfinite(v) else int(v) if whole else v for v in values.tolist()]
    return [_nested(plain_value(value)) for value in values.tolist()]


def _nested(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return value
    return value
