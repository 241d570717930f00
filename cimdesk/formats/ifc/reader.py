"""The reader of IFC files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Int, offsets_from_counts
from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings
from cimdesk.formats.ifc.header import HEAD_BYTES, is_step, nearest_schema, schema_of
from cimdesk.formats.ifc.reference import Placing, placing_of
from cimdesk.formats.ifc.worker import Model, load_model
from cimdesk.formats.registry import ReadOptions, ReadResult, Source, refuse_larger
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer, as_strings, column_of
from cimdesk.model.layers import LayerKind
from cimdesk.model.mesh import Surface, TriangleMesh

LOD = "4"
MAX_BYTES = 4 * 2**30
MAX_COLUMNS = 300
REST = "other attributes"
SPACES, LINES = "spaces", "lines"
_SURFACES = (
    (("IfcWall", "IfcCurtainWall"), Surface.WALL), (("IfcRoof",), Surface.ROOF), (("IfcWindow", "IfcDoor"), Surface.OPENING),
    (("IfcSlab", "IfcSite", "IfcGeotechnicalStratum", "IfcGeographicElement"), Surface.GROUND),
)  # fmt: skip


class IfcReader:
    """Reads IFC 2x3, 4 and 4x3."""

    name = "IFC"
    suffixes = (".ifc",)
    streams = True

    def claim(self, path: Path, head: bytes) -> float:
        """Claim exchange files (ISO 10303-21) with an IFC schema, and files that are called so."""
        if is_step(head):
            schema = schema_of(head if b"FILE_SCHEMA" in head.upper() else _longer(path))
            return 0.95 if schema.startswith("IFC") else 0.3
        return 0.5 if path.suffix.lower() in (".ifc", ".ifczip", ".ifcxml") else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read a file; raises `DataError` when nothing in it can be used."""
        refuse_larger(path, MAX_BYTES)
        schema = _checked_schema(path)
        options.progress(0.0)
        model = load_model(path, options)
        findings = Findings()
        if schema != nearest_schema(schema):
            text = "Schema {schema} is not supported; the file is read as {near}, its nearest relative."
            findings.add("nearest-schema", "FILE_SCHEMA", text, schema=schema, near=nearest_schema(schema))
        elif model.said["is_repaired"]:
            findings.info("repaired", "", "Numbers written against the standard are read as they are meant.")
        placing = placing_of(model.said["georeference"], float(model.said["unit"]), findings)
        for row, reason in model.said["failed"]:
            found = model.said["rows"][row]
            text = "{type} {name}: its shape cannot be made ({reason})."
            findings.error("bad-shape", found["id"], text, type=found["type"], name=found.get("name", ""), reason=reason)
        sources = _sources(path, model, placing, options)
        options.progress(1.0)
        extent = _extent(sources)
        crs = placing.crs.code if placing.crs else None
        return ReadResult("IFC", schema, crs, model.said["classes"], extent, sources, findings.problems())


def _checked_schema(path: Path) -> str:
    """Return the schema of a file that can be read, in one way or another."""
    head = _longer(path)
    if head[:2] == b"PK":
        raise DataError(path, "this is a packed IFC (ifcZIP).", remedy="Unpack it and open the .ifc file in it.")
    if head.lstrip()[:1] == b"<":
        raise DataError(path, "this is ifcXML, which is not read.", remedy="Export it as .ifc (STEP).")
    if not is_step(head):
        raise DataError(path, "this is no IFC file: it does not begin with ISO-10303-21.", remedy="Export it again.")
    schema = schema_of(head)
    if not nearest_schema(schema):
        raise DataError(
            path, "its schema {schema} is not supported; IFC 2x3, 4 and 4x3 are.", where="FILE_SCHEMA",
            remedy="Export it as IFC 4 or IFC 2x3.", schema=schema or "?",
        )  # fmt: skip
    return schema


def _longer(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _sources(path: Path, model: Model, placing: Placing, options: ReadOptions) -> tuple[Source, ...]:
    """Return the layers of a file: what is built, its spaces, and its lines such as alignments."""
    rows, parents = model.said["rows"], np.array(model.said["parents"], dtype=np.int64).reshape(-1)
    crs = options.crs_for(placing.crs)
    name = str(model.said["project"].get("Name") or "") if path.stem.lower() in ("model", "export") else path.stem
    is_space = np.array([row["type"] in ("IfcSpace", "IfcSpatialZone", "IfcExternalSpatialElement") for row in rows], dtype=bool)
    metadata = {key: model.said[key] for key in ("schema", "entities", "project", "georeference")}
    found = []
    for part, wanted in (("", ~is_space), (SPACES, is_space)):
        city = _city(model, placing, wanted, parents, {**metadata, "placed": placing.way})
        if len(city.features) and (part == "" or city.meshes):
            found.append(Source(f"{name} – {part}" if part else name, LayerKind.BUILDINGS, city, crs, part, visible=part != SPACES))
    lines = _lines(model, placing)
    if lines is not None:
        found.append(Source(f"{name} – {LINES}", LayerKind.VECTOR, lines, crs, LINES))
    # The first decides where a project lies, so what has no shapes comes last.
    found.sort(key=lambda source: not np.isfinite(_box(source)).all())
    return tuple(source for source in found if options.part in ("", source.part))


def _city(model: Model, placing: Placing, wanted: Bool, parents: Int, metadata: Mapping[str, Any]) -> CityModel:
    """Return the products that are ``wanted`` (N,) as a city model."""
    arrays = model.arrays
    new_rows = np.cumsum(wanted) - 1
    kept = np.flatnonzero(wanted)
    triangles_kept = wanted[arrays["rows"]]
    triangles = arrays["triangles"][triangles_kept]
    meshes = {}
    rows = [model.said["rows"][row] for row in kept]
    if len(triangles):
        used = np.zeros(len(arrays["vertices"]), dtype=bool)
        used[triangles.ravel()] = True
        numbers = (np.cumsum(used) - 1).astype(np.int32)
        edges = arrays["edges"][used[arrays["edges"]].all(axis=1)]
        world = placing.place(arrays["vertices"][used])
        origin = np.floor(world.mean(axis=0))
        owners = new_rows[arrays["rows"][triangles_kept]].astype(np.int32)
        surfaces = np.array([_surface_of(row) for row in rows], dtype=np.uint8)[owners]
        meshes[LOD] = TriangleMesh(
            (world - origin).astype(np.float32), numbers[triangles], owners, surfaces, origin, numbers[edges],
            arrays["colors"][triangles_kept],
        )  # fmt: skip
    above = parents[kept]
    is_inside = (above >= 0) & wanted[above]
    return CityModel(_table(rows), np.where(is_inside, new_rows[above], -1).astype(np.int32), meshes, dict(metadata))


def _surface_of(row: Mapping[str, Any]) -> int:
    kind = row["type"]
    if kind == "IfcSlab" and row.get("predefinedType") == "ROOF":
        return Surface.ROOF
    return next((code for names, code in _SURFACES if kind.startswith(names)), Surface.OTHER)


def _lines(model: Model, placing: Placing) -> VectorLayer | None:
    """Return alignments and annotations drawn as lines; None when there are none."""
    counts, owners = model.arrays["line_counts"], model.arrays["line_rows"]
    if not len(counts):
        return None
    kept, features = np.unique(owners, return_inverse=True)
    shapes = Shapes(
        ShapeKind.LINE, placing.place(model.arrays["line_points"]), offsets_from_counts(counts), features.astype(np.int64),
        np.zeros(len(counts), dtype=bool),
    )  # fmt: skip
    return VectorLayer(_table([model.said["rows"][row] for row in kept]), shapes)


def _table(rows: list[dict[str, Any]]) -> FeatureTable:
    """Return rows as a table; what few have is kept together when there are very many columns."""
    counts = Counter(key for row in rows for key in row)
    del counts["id"]
    kept = list(counts)
    columns: dict[str, AnyArray] = {}
    if len(kept) > MAX_COLUMNS:
        common = {key for key, _ in counts.most_common(MAX_COLUMNS)}
        kept = [key for key in kept if key in common]
        rest = [{key: value for key, value in row.items() if key != "id" and key not in common} or None for row in rows]
        columns[REST] = column_of(rest)
    columns = {key: column_of(_uniform([row.get(key) for row in rows])) for key in kept} | columns
    return FeatureTable(as_strings(_unique([row["id"] for row in rows])), columns)


def _uniform(values: list[Any]) -> list[Any]:
    """Return values of several types as text, so that 1 and "1" do not become JSON."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) > 1 and not kinds <= {int, float}:
        return [None if value is None else str(value) for value in values]
    if kinds == {bool} and None in values:
        return [None if value is None else "true" if value else "false" for value in values]
    return values


def _unique(names: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name}~{seen[name]}")
    return out


def _box(source: Source) -> Float:
    data = source.data
    return (
        data.bounds
        if isinstance(data, CityModel)
        else data.shapes.bounds
        if isinstance(data, VectorLayer)
        else np.full((2, 3), np.nan)
    )


def _extent(sources: tuple[Source, ...]) -> Float | None:
    boxes = [box for source in sources if np.isfinite(box := _box(source)).all()]
    if not boxes:
        return None
    return np.array([np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)])
