"""From nested boundaries, semantics and materials to flat arrays of surfaces, thousands of geometries at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Any

import numpy as np
from msgspec import Raw, Struct

from cimdesk.base.arrays import Int, offsets_from_counts
from cimdesk.formats.cityjson.pictures import TextureList, lay_pictures
from cimdesk.formats.cityjson.structure import (
    BOUNDARIES,
    MATERIALS,
    NESTING,
    SEMANTIC_SURFACES,
    SEMANTICS,
    VALUES,
    Geometry,
    MaterialUse,
    decode_any,
)
from cimdesk.formats.compiled import pays
from cimdesk.formats.findings import Findings
from cimdesk.formats.surface_arrays import PicturedSurfaces, SurfaceArrays
from cimdesk.model.mesh import Surface
from cimdesk.model.pictured import PictureFile

FLUSH_AT = 20_000
WORTH = 6_000_000
"""Bytes of boundaries from which compiled code pays for its loading."""
MAX_LODS = 32
NO_LOD = "?"
KINDS = {
    "GroundSurface": Surface.GROUND, "OuterFloorSurface": Surface.GROUND, "FloorSurface": Surface.GROUND,
    "WallSurface": Surface.WALL, "InteriorWallSurface": Surface.WALL,
    "RoofSurface": Surface.ROOF, "OuterCeilingSurface": Surface.ROOF, "CeilingSurface": Surface.ROOF,
    "Window": Surface.OPENING, "Door": Surface.OPENING,
}  # fmt: skip


class Numbering(Struct, frozen=True, gc=False):
    """How the numbers in one part of a file relate to those of the whole model.

    Attributes
    ----------
    vertex_start, vertex_count : int
        First row and number of the vertices its geometries refer to.
    material_start, material_count : int
        The same for materials.
    theme : str
        Material theme to prefer.
    textures : TextureList or None
    """

    vertex_start: int = 0
    vertex_count: int = 0
    material_start: int = 0
    material_count: int = 0
    theme: str = ""
    textures: TextureList | None = None


@dataclass
class _Pending:
    """Geometries waiting to be flattened together, column by column."""

    geometries: list[Geometry] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    numberings: list[Numbering] = field(default_factory=list)


@dataclass(frozen=True)
class _Flat:
    """Boundaries of surfaces as arrays: the geometry of each surface, its number of rings, theirs of corners, and the corners."""

    geometry_of: Int
    ring_counts: Int
    ring_lengths: Int
    corners: Int


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

    def add_usual(self, row: int, name: str, geometries: Sequence[Geometry], numbering: Numbering) -> bool:
        """Take all geometries of a feature if that is simple; return whether it was: nothing is taken when it was not."""
        for geometry in geometries:
            if geometry.type not in NESTING or not geometry.boundaries:
                return False
        for geometry in geometries:
            pending = self._pending[NESTING[geometry.type]]
            pending.geometries.append(geometry)
            pending.rows.append(row)
            pending.names.append(name)
            pending.numberings.append(numbering)
            if len(pending.rows) >= FLUSH_AT:
                self._flush(NESTING[geometry.type])
        return True

    def surfaces(self, files: Sequence[PictureFile] = ()) -> SurfaceArrays:
        """Return everything taken so far, flat; ``files`` are what numbers of pictures stand for, and may still grow."""
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
            _joined_pictures(done, files),
        )

    def _flush(self, depth: int) -> None:
        pending = self._pending[depth]
        self._pending[depth] = _Pending()
        if not pending.rows:
            return
        texts = [g.boundaries for g in pending.geometries]
        if depth > 0 and pays(_size_of(texts), WORTH) and (flat := _flat_compiled(texts, depth)):
            self._done.append(self._arrays(pending, flat, depth))
            return
        found, wrong = BOUNDARIES[depth].decode(texts)
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
            geometry_of, surfaces = _unnest(boundaries, depth)
            ring_counts, rings = _open(surfaces)
            ring_lengths, corners = _open(rings)
            flat = _Flat(geometry_of, ring_counts, ring_lengths, np.fromiter(corners, np.int64, len(corners)))
            self._done.append(self._arrays(pending, flat, depth))

    def _arrays(self, pending: _Pending, flat: _Flat, depth: int) -> SurfaceArrays:
        lods = np.array([self._lod(g.lod) for g in pending.geometries], dtype=np.int64)
        surfaces_in = np.bincount(flat.geometry_of, minlength=len(pending.rows))

        def nested(row: int) -> list[Any]:
            (found,), _ = BOUNDARIES[depth].decode([pending.geometries[row].boundaries])
            return found or []

        arrays = SurfaceArrays(
            np.array(pending.rows, dtype=np.int64)[flat.geometry_of],
            lods[flat.geometry_of],
            self._kinds(pending, nested, surfaces_in, depth),
            self._materials(pending, nested, surfaces_in, depth),
            flat.ring_counts,
            flat.ring_lengths,
            flat.corners,
            [],
            self._pictures(pending, flat, depth),
        )
        return self._in_range(arrays, pending, flat.geometry_of)

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

    def _kinds(self, pending: _Pending, nested: Callable[[int], list[Any]], surfaces_in: Int, depth: int) -> Int:
        """Return the (S,) `Surface` codes of the semantics."""
        texts: dict[int, Raw] = {}
        starts, lengths = [0] * len(pending.rows), [0] * len(pending.rows)
        codes: list[int] = []
        for geometry, (start, length, values_text) in self._semantics(pending, codes):
            starts[geometry], lengths[geometry] = start, length
            if values_text:
                texts[geometry] = values_text
        values, geometry_of, ragged = _surface_values(texts, nested, surfaces_in, depth)
        for geometry in ragged:
            self._findings.add(
                "semantics", pending.names[geometry], "Semantics are given for another number of surfaces than there are."
            )
        known = (values >= 0) & (values < np.array(lengths, dtype=np.int64)[geometry_of])
        for geometry in np.unique(geometry_of[~known & (values != -1)]).tolist():
            self._findings.add("semantics", pending.names[geometry], "Semantics refer to a kind of surface that is not listed.")
        kinds = np.zeros(len(values), dtype=np.int64)
        kinds[known] = np.array(codes, dtype=np.int64)[(np.array(starts, dtype=np.int64)[geometry_of] + values)[known]]
        return kinds

    def _semantics(self, pending: _Pending, codes: list[int]) -> Iterator[tuple[int, tuple[int, int, Raw]]]:
        """Yield for each geometry that has semantics where its kinds begin in ``codes``, how many they are, and the values."""
        having = [k for k, g in enumerate(pending.geometries) if g.semantics]
        found, wrong = SEMANTICS.decode([pending.geometries[k].semantics for k in having])
        # Lists of kinds are nearly the same in all geometries of a file, and are decoded once.
        lists = {bytes(each.surfaces): 0 for each in found if each is not None and each.surfaces}
        kinds, bad = SEMANTIC_SURFACES.decode(list(lists))
        lengths = [len(surfaces or ()) for surfaces in kinds]
        begins = list(accumulate(lengths, initial=len(codes)))
        codes.extend([int(KINDS.get(s.type, Surface.OTHER)) for surfaces in kinds for s in surfaces or ()])
        lists = {text: number for number, text in enumerate(lists)}
        for position, (geometry, each) in enumerate(zip(having, found, strict=True)):
            number = lists.get(bytes(each.surfaces), -1) if each is not None else -1
            reason = wrong.get(position) or bad.get(number)
            if reason:
                self._findings.add("semantics", pending.names[geometry], "Semantics cannot be used ({reason}).", reason=reason)
            elif each is not None and number >= 0 and lengths[number]:
                yield geometry, (begins[number], lengths[number], each.values)

    def _materials(self, pending: _Pending, nested: Callable[[int], list[Any]], surfaces_in: Int, depth: int) -> Int:
        """Return the (S,) rows of the materials, -1 for none."""
        having = [k for k, g in enumerate(pending.geometries) if g.material]
        if not having:
            return np.full(int(surfaces_in.sum()), -1, dtype=np.int64)
        found, _ = MATERIALS.decode([pending.geometries[k].material for k in having])
        whole = np.full(len(pending.rows), -1, dtype=np.int64)
        texts: dict[int, Raw] = {}
        for geometry, themes in zip(having, found, strict=True):
            use = _of_theme(themes or {}, pending.numberings[geometry].theme)
            if use is not None and use.value is not None and 0 <= use.value < 2**31:
                whole[geometry] = use.value
            elif use is not None and use.values:
                texts[geometry] = use.values
        values, geometry_of, _ = _surface_values(texts, nested, surfaces_in, depth)
        values = np.where(whole[geometry_of] >= 0, whole[geometry_of], values)
        counts = np.array([n.material_count for n in pending.numberings], dtype=np.int64)
        starts = np.array([n.material_start for n in pending.numberings], dtype=np.int64)
        known = (values >= 0) & (values < counts[geometry_of])
        for geometry in np.unique(geometry_of[~known & (values != -1)]).tolist():
            self._findings.add("material", pending.names[geometry], "A surface refers to a material that is not listed.")
        return np.where(known, values + starts[geometry_of], -1)

    def _pictures(self, pending: _Pending, flat: _Flat, depth: int) -> PicturedSurfaces | None:
        """Return the pictures of the surfaces; what files their numbers stand for is told at the end."""
        uses = [
            (k, geometry.texture, numbering.textures)
            for k, (geometry, numbering) in enumerate(zip(pending.geometries, pending.numberings, strict=True))
            if geometry.texture and numbering.textures is not None
        ]
        if not uses:
            return None
        found = lay_pictures(uses, depth, flat.geometry_of, flat.ring_counts, flat.ring_lengths, self._findings)
        return None if found is None else PicturedSurfaces((), *found)


def _joined_pictures(parts: list[SurfaceArrays], files: Sequence[PictureFile]) -> PicturedSurfaces | None:
    """Return the pictures of surfaces put one after the other."""
    if not any(part.pictures for part in parts):
        return None
    file_of = [part.pictures.file_of if part.pictures else np.full(len(part.owners), -1, dtype=np.int64) for part in parts]
    places = [part.pictures.places if part.pictures else np.zeros((len(part.corners), 2)) for part in parts]
    return PicturedSurfaces(tuple(files), np.concatenate(file_of), np.concatenate(places))


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


def _size_of(texts: Iterable[Raw]) -> int:
    """Return the size of all texts [bytes]."""
    return sum([len(memoryview(text)) for text in texts])


def _flat_compiled(texts: Sequence[Raw], depth: int) -> _Flat | None:
    """Return the boundaries of many geometries as arrays; None where one of them is not as usual."""
    from cimdesk.formats.number_kernels import nested_numbers

    found = nested_numbers(texts, depth + 2)
    if found is None or np.isnan(found.numbers).any():
        return None
    corners = found.numbers.astype(np.int64)
    if (corners != found.numbers).any():
        return None
    return _Flat(np.repeat(np.arange(len(texts)), found.inside[:, 0]), found.groups, found.lengths, corners)


def _values_compiled(texts: Sequence[Raw], depth: int) -> tuple[Int, Int] | None:
    """Return the number of values of each text, and the values, -1 for null; None where one of them is not as usual."""
    from cimdesk.formats.number_kernels import nested_numbers

    found = nested_numbers(texts, depth)
    if found is None:
        return None
    numbers = np.where(np.isnan(found.numbers), -1.0, found.numbers)
    values = numbers.astype(np.int64)
    return None if (values != numbers).any() else (found.inside[:, 1], values)


def _surface_values(
    texts: dict[int, Raw], nested: Callable[[int], list[Any]], surfaces_in: Int, depth: int
) -> tuple[Int, Int, list[int]]:
    """Align nested values with surfaces.

    Parameters
    ----------
    texts : mapping of geometry to text
        Values nested as the boundaries are, one number or null per surface.
    nested : callable
        Gives the boundaries of a geometry as lists.
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
    geometry_of = np.repeat(np.arange(len(surfaces_in)), surfaces_in)
    if not texts:
        return np.full(len(geometry_of), -1, dtype=np.int64), geometry_of, []
    rows = np.fromiter(texts, np.int64, len(texts))
    raw = list(texts.values())
    compiled = _values_compiled(raw, depth) if pays(_size_of(raw), WORTH) else None
    given_counts, given = compiled or _values(texts, nested, depth)
    counts = np.zeros(len(surfaces_in), dtype=np.int64)
    counts[rows] = given_counts
    starts = np.zeros(len(surfaces_in), dtype=np.int64)
    starts[rows] = offsets_from_counts(counts[rows])[:-1]
    within = np.arange(len(geometry_of)) - np.repeat(offsets_from_counts(surfaces_in)[:-1], surfaces_in)
    values = np.full(len(geometry_of), -1, dtype=np.int64)
    has = within < counts[geometry_of]
    values[has] = given[(starts[geometry_of] + within)[has]]
    return values, geometry_of, rows[counts[rows] != surfaces_in[rows]].tolist()


def _values(texts: dict[int, Raw], nested: Callable[[int], list[Any]], depth: int) -> tuple[Int, Int]:
    """Return the number of values of each text, and the values, -1 for those that are missing or bad."""
    found, wrong = VALUES[depth].decode(list(texts.values()))
    lists: list[Any] = [
        _aligned(decode_any(texts[row]), nested(row), depth) if position in wrong or value is None else value
        for position, (row, value) in enumerate(zip(texts, found, strict=True))
    ]
    owner, flat = _unnest(lists, depth)
    return np.bincount(owner, minlength=len(lists)), np.array([-1 if value is None else value for value in flat], dtype=np.int64)


def _aligned(values: Any, boundaries: list[Any], depth: int) -> list[Any]:
    """Return ``values`` nested exactly as ``boundaries``, with None where something is missing or of another type."""
    given = values if isinstance(values, list) else []
    padded = [given[k] if k < len(given) else None for k in range(len(boundaries))]
    if depth > 1:
        return [_aligned(value, inner, depth - 1) for value, inner in zip(padded, boundaries, strict=True)]
    return [value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62 else None for value in padded]
