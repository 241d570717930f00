"""From nested boundaries, semantics and materials to flat arrays of surfaces, thousands of geometries at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from msgspec import Raw

from cimdesk.base.arrays import Int, offsets_from_counts
from cimdesk.formats.cityjson.structure import (
    BOUNDARIES,
    MATERIALS,
    NESTING,
    SEMANTICS,
    VALUES,
    Geometry,
    MaterialUse,
    decode_any,
)
from cimdesk.formats.findings import Findings
from cimdesk.formats.surface_arrays import SurfaceArrays
from cimdesk.model.mesh import Surface

FLUSH_AT = 20_000
MAX_LODS = 32
NO_LOD = "?"
KINDS = {
    "GroundSurface": Surface.GROUND, "OuterFloorSurface": Surface.GROUND, "FloorSurface": Surface.GROUND,
    "WallSurface": Surface.WALL, "InteriorWallSurface": Surface.WALL,
    "RoofSurface": Surface.ROOF, "OuterCeilingSurface": Surface.ROOF, "CeilingSurface": Surface.ROOF,
    "Window": Surface.OPENING, "Door": Surface.OPENING,
}  # fmt: skip


@dataclass(frozen=True)
class Numbering:
    """How the numbers in one part of a file relate to those of the whole model.

    Attributes
    ----------
    vertex_start, vertex_count : int
        First row and number of the vertices its geometries refer to.
    material_start, material_count : int
        The same for materials.
    theme : str
        Material theme to prefer.
    """

    vertex_start: int = 0
    vertex_count: int = 0
    material_start: int = 0
    material_count: int = 0
    theme: str = ""


@dataclass
class _Pending:
    """Geometries waiting to be flattened together, column by column."""

    geometries: list[Geometry] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    numberings: list[Numbering] = field(default_factory=list)


class SurfaceCollector:
    """Takes geometries one by one and flattens them in batches.

    Attributes
    ----------
    points, lines : int
        Points and lines seen, which make no surfaces.
    """

    def __init__(self, findings: Findings) -> None:
        self.points = 0
        self.lines = 0
        self._findings = findings
        self._lods: dict[str, int] = {}
        self._pending: dict[int, _Pending] = {depth: _Pending() for depth in BOUNDARIES}
        self._done: list[SurfaceArrays] = []

    def add(self, row: int, name: str, geometry: Geometry, numbering: Numbering) -> None:
        """Take one geometry of the feature ``row`` called ``name``."""
        depth = NESTING.get(geometry.type)
        if depth is None:
            self._findings.error("unknown-geometry", name, "Geometry type {type} is not known.", type=repr(geometry.type[:40]))
            return
        if not geometry.boundaries:
            self._findings.error("bad-geometry", name, "A {type} has no boundaries.", type=geometry.type)
            return
        pending = self._pending[depth]
        pending.geometries.append(geometry)
        pending.rows.append(row)
        pending.names.append(name)
        pending.numberings.append(numbering)
        if len(pending.rows) >= FLUSH_AT:
            self._flush(depth)

    def surfaces(self) -> SurfaceArrays:
        """Return everything taken so far, flat."""
        for depth in self._pending:
            self._flush(depth)
        none = np.zeros(0, dtype=np.int64)
        done = self._done or [SurfaceArrays(none, none, none, none, none, none, none, [])]
        return SurfaceArrays(
            np.concatenate([part.owners for part in done]),
            np.concatenate([part.lods for part in done]),
            np.concatenate([part.kinds for part in done]),
            np.concatenate([part.materials for part in done]),
            np.concatenate([part.ring_counts for part in done]),
            np.concatenate([part.ring_lengths for part in done]),
            np.concatenate([part.corners for part in done]),
            list(self._lods),
        )

    def _flush(self, depth: int) -> None:
        pending = self._pending[depth]
        self._pending[depth] = _Pending()
        if not pending.rows:
            return
        found, wrong = BOUNDARIES[depth].decode([g.boundaries for g in pending.geometries])
        for position, reason in wrong.items():
            self._findings.error(
                "bad-geometry",
                pending.names[position],
                "Boundaries of a {type} are not as they should be ({reason}).",
                type=pending.geometries[position].type,
                reason=reason,
            )
        boundaries = [[] if value is None else value for value in found]
        if depth == -1:
            self.points += sum(map(len, boundaries))
        elif depth == 0:
            self.lines += sum(map(len, boundaries))
        else:
            self._done.append(self._flatten(pending, boundaries, depth))

    def _flatten(self, pending: _Pending, boundaries: list[Any], depth: int) -> SurfaceArrays:
        geometry_of, surfaces = _unnest(boundaries, depth)
        ring_counts, rings = _open(surfaces)
        ring_lengths, corners = _open(rings)
        flat = np.fromiter(corners, np.int64, len(corners))
        lods = np.array([self._lod(g.lod) for g in pending.geometries], dtype=np.int64)
        surfaces_in = np.bincount(geometry_of, minlength=len(boundaries))
        arrays = SurfaceArrays(
            np.array(pending.rows, dtype=np.int64)[geometry_of],
            lods[geometry_of],
            self._kinds(pending, boundaries, surfaces_in, depth),
            self._materials(pending, boundaries, surfaces_in, depth),
            ring_counts,
            ring_lengths,
            flat,
            [],
        )
        return self._in_range(arrays, pending, geometry_of)

    def _in_range(self, arrays: SurfaceArrays, pending: _Pending, geometry_of: Int) -> SurfaceArrays:
        """Number the corners over the whole model; leave out surfaces that refer to vertices that are not there."""
        counts = np.array([n.vertex_count for n in pending.numberings], dtype=np.int64)
        starts = np.array([n.vertex_start for n in pending.numberings], dtype=np.int64)
        geometry_of_corner = np.repeat(np.repeat(geometry_of, arrays.ring_counts), arrays.ring_lengths)
        bad = (arrays.corners < 0) | (arrays.corners >= counts[geometry_of_corner])
        geometries, firsts = np.unique(geometry_of_corner[bad], return_index=True)
        for geometry, index in zip(geometries.tolist(), arrays.corners[bad][firsts].tolist(), strict=True):
            self._findings.error(
                "vertex-out-of-range",
                pending.names[geometry],
                "A surface refers to vertex {index}; there are {count} vertices. The surface is left out.",
                index=index,
                count=int(counts[geometry]),
            )
        np.add(arrays.corners, starts[geometry_of_corner], out=arrays.corners)
        return arrays.where(~arrays.touching(bad)) if bad.any() else arrays

    def _lod(self, lod: str | float | None) -> int:
        name = NO_LOD if lod is None or lod == "" else lod if isinstance(lod, str) else f"{lod:g}"
        if name not in self._lods and len(self._lods) >= MAX_LODS:
            self._findings.add(
                "too-many-lods", "", "There are more than {count} levels of detail; the rest is read as one.", count=MAX_LODS
            )
            name = NO_LOD
        return self._lods.setdefault(name, len(self._lods))

    def _kinds(self, pending: _Pending, boundaries: list[Any], surfaces_in: Int, depth: int) -> Int:
        """Return the (S,) `Surface` codes of the semantics."""
        having = [k for k, g in enumerate(pending.geometries) if g.semantics]
        found, wrong = SEMANTICS.decode([pending.geometries[k].semantics for k in having])
        for position, reason in wrong.items():
            self._findings.add("semantics", pending.names[having[position]], "Semantics cannot be used ({reason}).", reason=reason)
        texts: dict[int, Raw] = {}
        codes: list[int] = []
        starts = np.zeros(len(boundaries), dtype=np.int64)
        counts = np.zeros(len(boundaries), dtype=np.int64)
        for geometry, semantics in zip(having, found, strict=True):
            if semantics is None or not semantics.surfaces:
                continue
            starts[geometry], counts[geometry] = len(codes), len(semantics.surfaces)
            codes.extend([KINDS.get(s.type, Surface.OTHER) for s in semantics.surfaces])
            if semantics.values:
                texts[geometry] = semantics.values
        values, geometry_of, ragged = _surface_values(texts, boundaries, surfaces_in, depth)
        for geometry in ragged:
            self._findings.add(
                "semantics", pending.names[geometry], "Semantics are given for another number of surfaces than there are."
            )
        known = (values >= 0) & (values < counts[geometry_of])
        for geometry in np.unique(geometry_of[~known & (values != -1)]).tolist():
            self._findings.add("semantics", pending.names[geometry], "Semantics refer to a kind of surface that is not listed.")
        kinds = np.zeros(len(values), dtype=np.int64)
        kinds[known] = np.array(codes, dtype=np.int64)[(starts[geometry_of] + values)[known]]
        return kinds

    def _materials(self, pending: _Pending, boundaries: list[Any], surfaces_in: Int, depth: int) -> Int:
        """Return the (S,) rows of the materials, -1 for none."""
        having = [k for k, g in enumerate(pending.geometries) if g.material]
        if not having:
            return np.full(int(surfaces_in.sum()), -1, dtype=np.int64)
        found, _ = MATERIALS.decode([pending.geometries[k].material for k in having])
        whole = np.full(len(boundaries), -1, dtype=np.int64)
        texts: dict[int, Raw] = {}
        for geometry, themes in zip(having, found, strict=True):
            use = _of_theme(themes or {}, pending.numberings[geometry].theme)
            if use is not None and use.value is not None and 0 <= use.value < 2**31:
                whole[geometry] = use.value
            elif use is not None and use.values:
                texts[geometry] = use.values
        values, geometry_of, _ = _surface_values(texts, boundaries, surfaces_in, depth)
        values = np.where(whole[geometry_of] >= 0, whole[geometry_of], values)
        counts = np.array([n.material_count for n in pending.numberings], dtype=np.int64)
        starts = np.array([n.material_start for n in pending.numberings], dtype=np.int64)
        known = (values >= 0) & (values < counts[geometry_of])
        for geometry in np.unique(geometry_of[~known & (values != -1)]).tolist():
            self._findings.add("material", pending.names[geometry], "A surface refers to a material that is not listed.")
        return np.where(known, values + starts[geometry_of], -1)


def _of_theme(themes: dict[str, MaterialUse], wanted: str) -> MaterialUse | None:
    return themes.get(wanted) or next(iter(themes.values()), None)


def _open(lists: Sequence[Sequence[Any]]) -> tuple[Int, list[Any]]:
    """Return the length of each list, and their items in one list."""
    return np.fromiter(map(len, lists), np.int64, len(lists)), list(chain.from_iterable(lists))


def _unnest(nested: list[Any], depth: int) -> tuple[Int, list[Any]]:
    """Return the innermost items of lists nested ``depth`` times, and which of ``nested`` each came from."""
    owner = np.arange(len(nested))
    for _ in range(depth):
        counts, nested = _open(nested)
        owner = np.repeat(owner, counts)
    return owner, nested


def _surface_values(texts: dict[int, Raw], boundaries: list[Any], surfaces_in: Int, depth: int) -> tuple[Int, Int, list[int]]:
    """Align nested values with surfaces.

    Parameters
    ----------
    texts : mapping of geometry to text
        Values nested as the boundaries are, one number or null per surface.
    boundaries : list
        Of every geometry.
    surfaces_in : (G,) int64
        Number of surfaces of every geometry.
    depth : int
        Lists around the surfaces.

    Returns
    -------
    values : (S,) int64
        -1 where there is none.
    geometry_of : (S,) int64
    ragged : list of int
        Geometries that have values for another number of surfaces.
    """
    geometry_of = np.repeat(np.arange(len(boundaries)), surfaces_in)
    if not texts:
        return np.full(len(geometry_of), -1, dtype=np.int64), geometry_of, []
    rows = np.fromiter(texts, np.int64, len(texts))
    found, wrong = VALUES[depth].decode(list(texts.values()))
    nested: list[Any] = [
        _aligned(decode_any(texts[row]), boundaries[row], depth) if position in wrong or value is None else value
        for position, (row, value) in enumerate(zip(texts, found, strict=True))
    ]
    owner, flat = _unnest(nested, depth)
    given = np.array([-1 if value is None else value for value in flat], dtype=np.int64)
    counts = np.zeros(len(boundaries), dtype=np.int64)
    counts[rows] = np.bincount(owner, minlength=len(nested))
    starts = np.zeros(len(boundaries), dtype=np.int64)
    starts[rows] = offsets_from_counts(counts[rows])[:-1]
    within = np.arange(len(geometry_of)) - np.repeat(offsets_from_counts(surfaces_in)[:-1], surfaces_in)
    values = np.full(len(geometry_of), -1, dtype=np.int64)
    has = within < counts[geometry_of]
    values[has] = given[(starts[geometry_of] + within)[has]]
    return values, geometry_of, rows[counts[rows] != surfaces_in[rows]].tolist()


def _aligned(values: Any, boundaries: list[Any], depth: int) -> list[Any]:
    """Return ``values`` nested exactly as ``boundaries``, with None where something is missing or of another type."""
    given = values if isinstance(values, list) else []
    padded = [given[k] if k < len(given) else None for k in range(len(boundaries))]
    if depth > 1:
        return [_aligned(value, inner, depth - 1) for value, inner in zip(padded, boundaries, strict=True)]
    return [value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62 else None for value in padded]
