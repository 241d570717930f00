"""Excerpts of CityJSON files and sequences: objects copied as they are written, with everything that arrays do not hold.

Geometry stays polygons with holes, semantics keep their attributes, materials, textures, templates and extensions stay. Only what
the caller names is changed: attributes are added, objects are raised. Numbers of vertices and of appearances are made anew.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from cimdesk.base.collector import collector_paused
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.formats.atomic import replacing
from cimdesk.formats.cityjson.appearances import Appearances
from cimdesk.formats.cityjson.encoding import load_text, without_not_numbers
from cimdesk.formats.cityjson.kinship import families, kept_ids, pruned
from cimdesk.formats.cityjson.sequence import is_sequence, lines_of
from cimdesk.formats.cityjson.upgrade import quantised, upgraded
from cimdesk.formats.cityjson.writer import reference_system
from cimdesk.formats.findings import Findings

Json: TypeAlias = dict[str, Any]
COPIED_AT_ONCE = 4 << 20
LOOK_EVERY = 500
_OWN = ("CityObjects", "vertices", "appearance")
_HEAD = ("version", "transform", "metadata", "extensions", "geometry-templates")
_EXTENT = "geographicalExtent"


@dataclass(frozen=True)
class Excerpt:
    """What of a file is written, and what is changed on the way.

    Attributes
    ----------
    ids : collection of str or None
        Objects to write with their parts and what they are parts of; None for all.
    attributes : mapping of id to attributes
        Added to what the objects have.
    lifts : mapping of id to float
        By how much objects are raised [m].
    crs : Crs or None
        System of a file that names none.
    """

    ids: Collection[str] | None = None
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lifts: Mapping[str, float] = field(default_factory=dict)
    crs: Crs | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out or changed."""
        return self.ids is None and not self.attributes and not self.lifts and self.crs is None

    def wanted(self, names: Mapping[str, str], objects: Mapping[str, Json]) -> set[str]:
        """Return the keys of the objects to write; ``names`` are the ids by which the project knows them."""
        if self.ids is None:
            return set(objects)
        return kept_ids(objects, {key for key, name in names.items() if name in self.ids})


def copy_excerpt(
    source: Path,
    out: Path,
    excerpt: Excerpt,
    as_sequence: bool,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> int | None:
    """Write objects of a CityJSON file or sequence as one or the other.

    Parameters
    ----------
    source, out : Path
        ``out`` is replaced only when the new file is complete.
    excerpt : Excerpt
    as_sequence : bool
        Whether to write a sequence.

    Returns
    -------
    int or None
        Objects written; None when the file was copied byte by byte, because all of it was wanted as it is.

    Raises
    ------
    DataError
        If the source cannot be read or the result not written.
    """
    cancel = cancel or CancelToken()
    with _opened(source) as data, replacing(out) as temporary:
        is_lines = is_sequence(data)
        if is_lines == as_sequence and excerpt.is_whole:
            _copy(data, temporary, progress, cancel)
            return None
        with collector_paused():
            parts = _sequence_parts(data, progress, cancel) if is_lines else _object_parts(source, data)
            header = next(parts)
            if as_sequence:
                return _write_sequence(temporary, header, parts, excerpt, split=not is_lines, cancel=cancel)
            return _write_object(temporary, header, parts, excerpt, cancel)


def count_objects(line: bytes) -> int:
    """Return how many city objects a line of a sequence holds; 0 for one that cannot be read."""
    try:
        return len(_decoded("", line).get("CityObjects") or {}) if line.strip() else 0
    except DataError:
        return 0


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Yield the text of a file; a plain one is not read at once."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start[:1] == b"{" and b"\0" not in start:
            with path.open("rb") as file, closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as mapped:
                yield mapped
            return
    except OSError as error:
        raise DataError(path, "the file cannot be opened ({reason}).", reason=error.strerror or error) from error
    yield load_text(path, Findings())


def _copy(data: Any, out: Path, progress: Progress, cancel: CancelToken) -> None:
    size = len(data)
    with out.open("wb") as file:
        for start in range(0, size, COPIED_AT_ONCE):
            cancel.raise_if_cancelled()
            progress(start / size)
            file.write(data[start : start + COPIED_AT_ONCE])


def _decoded(path: Path | str, text: bytes, where: str = "") -> Json:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        cleaned, count = without_not_numbers(text) if b"NaN" in text or b"Infinity" in text else (text, 0)
        if count:
            return _decoded(path, cleaned, where)
        raise DataError(path, "the file is not valid JSON ({reason}).", where=where, reason=str(error)) from error
    if not isinstance(found, dict):
        raise DataError(path, "this JSON is not CityJSON: it has no CityObjects.", remedy="Choose a CityJSON file.")
    return found


def _object_parts(path: Path, data: Any) -> Iterator[Json]:
    """Yield the header of one CityJSON object, then all of it as one feature."""
    document = _decoded(path, bytes(data))
    yield {key: value for key, value in document.items() if key not in ("CityObjects", "vertices")}
    yield document


def _sequence_parts(data: Any, progress: Progress, cancel: CancelToken) -> Iterator[Json]:
    """Yield the header of a sequence, then its features; lines that cannot be read are left out."""
    size, done, is_first = len(data), 0, True
    for number, line in lines_of(data):
        try:
            found = _decoded("", line)
        except DataError:
            continue
        finally:
            done += len(line)
        is_header = is_first and found.get("type") == "CityJSON"
        if is_first:
            empty = {"type": "CityJSON", "version": "2.0"}
            yield {key: v for key, v in found.items() if key not in ("CityObjects", "vertices")} if is_header else empty
        is_first = False
        if found.get("CityObjects"):
            yield found
        if number % LOOK_EVERY == 0:
            cancel.raise_if_cancelled()
            progress(done / size)


def _write_object(out: Path, header: Json, parts: Iterator[Json], excerpt: Excerpt, cancel: CancelToken) -> int:
    """Write one CityJSON object: the objects as they come, then what they refer to."""
    writing = _Writing(header, excerpt)
    appearances = Appearances(header.get("appearance"))
    templates = appearances.templates(header.get("geometry-templates"))
    vertices: list[Any] = []
    count = 0
    with out.open("wb") as file:
        file.write(b'{"type":"CityJSON","CityObjects":{')
        for part in parts:
            cancel.raise_if_cancelled()
            objects = writing.objects(part, None, vertices, appearances)
            for name, item in objects.items():
                file.write((b"," if count else b"") + msgspec.json.encode(name) + b":" + msgspec.json.encode(item))
                count += 1
        file.write(b'},"vertices":' + msgspec.json.encode(vertices))
        rest = writing.header(vertices)
        for key, value in {**rest, "appearance": appearances.document(), "geometry-templates": templates}.items():
            if key != "type" and value:
                file.write(b"," + msgspec.json.encode(key) + b":" + msgspec.json.encode(value))
        file.write(b"}\n")
    return count


def _write_sequence(out: Path, header: Json, parts: Iterator[Json], excerpt: Excerpt, split: bool, cancel: CancelToken) -> int:
    """Write a sequence; one CityJSON object is split into its families, the lines of a sequence stay lines."""
    appearances = Appearances(header.get("appearance"))
    templates = appearances.templates(header.get("geometry-templates"))
    count = 0
    with out.open("wb") as file:
        if split:
            document = upgraded(next(parts))
            parts, header = iter((document,)), quantised(document)
        writing = _Writing(header, excerpt)
        first: Json = {**writing.header(None), "appearance": appearances.document(), "geometry-templates": templates}
        first = {key: value for key, value in first.items() if value} | {"CityObjects": {}, "vertices": []}
        file.write(msgspec.json.encode(first) + b"\n")
        for part in parts:
            cancel.raise_if_cancelled()
            for keys in families(part["CityObjects"]) if split else (list(part["CityObjects"]),):
                count += _write_line(file.write, writing, header, part, keys, split)
    return count


def _write_line(write: Callable[[bytes], Any], writing: _Writing, header: Json, part: Json, keys: list[str], split: bool) -> int:
    """Write one feature; return how many objects it has."""
    vertices: list[Any] = []
    appearances = Appearances(header.get("appearance"))
    objects = writing.objects(part, keys, vertices, appearances)
    if not objects:
        return 0
    line: Json = {} if split else {key: value for key, value in part.items() if key not in (*_OWN, *_HEAD)}
    first = str(line.get("id", ""))
    line |= {"type": "CityJSONFeature", "id": first if first in objects else next(iter(objects)), "CityObjects": objects}
    line["vertices"] = vertices
    if own := appearances.document():
        line["appearance"] = own
    write(msgspec.json.encode(line) + b"\n")
    return len(objects)


class _Writing:
    """Makes the objects of features ready to be written, and the header that fits them."""

    def __init__(self, header: Json, excerpt: Excerpt) -> None:
        self._header = header
        self._excerpt = excerpt
        self._seen: dict[str, int] = {}
        transform = header.get("transform")
        self._transform: Json | None = transform if isinstance(transform, dict) else None
        self._step = float(self._transform["scale"][2]) if self._transform else 0.0

    def header(self, vertices: list[Any] | None) -> Json:
        """Return the header without appearance and templates; the extent of a part is that of ``vertices``, None for not known."""
        found = {key: value for key, value in self._header.items() if key not in (*_OWN, "geometry-templates")}
        metadata = dict(found.get("metadata") or {})
        if self._excerpt.crs is not None and self._excerpt.crs.code and not metadata.get("referenceSystem"):
            metadata["referenceSystem"] = reference_system(self._excerpt.crs.code)
        if _EXTENT in metadata and (self._excerpt.ids is not None or self._excerpt.lifts):
            del metadata[_EXTENT]
            if vertices:
                metadata[_EXTENT] = self._extent(vertices)
        return {**found, "metadata": metadata} if metadata else found

    def objects(self, part: Json, keys: list[str] | None, vertices: list[Any], appearances: Appearances) -> dict[str, Json]:
        """Return the wanted objects of a feature with their numbers made anew."""
        everything: dict[str, Json] = {k: v for k, v in part["CityObjects"].items() if isinstance(v, dict)}
        here = everything if keys is None else {key: everything[key] for key in keys if key in everything}
        names = {key: self._name(key) for key in here}
        ids = self._excerpt.ids
        if ids is not None and not any(name in ids for name in names.values()):
            return {}
        wanted = self._excerpt.wanted(names, everything)
        numbers = _Numbers(part.get("vertices") or [], vertices)
        painting = appearances.taking(part.get("appearance"))
        out: dict[str, Json] = {}
        for key, item in here.items():
            if key not in wanted:
                continue
            made = pruned(item, wanted) if self._excerpt.ids is not None else dict(item)
            if extra := self._excerpt.attributes.get(names[key]):
                made["attributes"] = {**(item.get("attributes") or {}), **extra}
            geometries = item.get("geometry")
            if isinstance(geometries, list):
                rise = self._rise(self._excerpt.lifts.get(names[key], 0.0))
                made["geometry"] = [new for g in geometries if (new := numbers.geometry(g, rise, painting)) is not None]
            out[names[key] if keys is None else key] = made
        return out

    def _name(self, key: str) -> str:
        """Return the id by which the project knows an object: one that comes again got a number."""
        self._seen[key] = self._seen.get(key, 0) + 1
        return key if self._seen[key] == 1 else f"{key}~{self._seen[key]}"

    def _rise(self, lift: float) -> float:
        if not lift:
            return 0
        return round(lift / self._step) if self._step else lift

    def _extent(self, vertices: list[Any]) -> list[float]:
        columns = list(zip(*vertices, strict=True))
        corners = [[min(column) for column in columns], [max(column) for column in columns]]
        if self._transform:
            scale, shift = list(self._transform["scale"]), list(self._transform["translate"])
            corners = [[round(v * s + t, 9) for v, s, t in zip(corner, scale, shift, strict=True)] for corner in corners]
        return [*corners[0], *corners[1]]


class _Numbers:
    """Numbers vertices anew as they are used; raised ones are vertices of their own."""

    def __init__(self, vertices: list[Any], out: list[Any]) -> None:
        self._vertices = vertices
        self._out = out
        self._known: dict[float, dict[int, int]] = {}

    def geometry(self, geometry: Any, rise: float, painting: Any) -> Json | None:
        """Return a geometry with new numbers; None for one that refers to what is not there."""
        if not isinstance(geometry, dict):
            return None
        made = dict(geometry)
        known = self._known.setdefault(rise, {})
        try:
            made["boundaries"] = self._mapped(geometry.get("boundaries"), known, rise)
            painting.repaint(made)
        except (IndexError, TypeError, ValueError, AttributeError, KeyError):
            return None
        return made

    def _mapped(self, value: Any, known: dict[int, int], rise: float) -> Any:
        if isinstance(value, list):
            if value and type(value[0]) is int:
                return [known[v] if v in known else self._new(v, known, rise) for v in value]
            return [self._mapped(each, known, rise) for each in value]
        return value

    def _new(self, number: int, known: dict[int, int], rise: float) -> int:
        if number < 0:
            raise IndexError(number)
        vertex = self._vertices[number]
        known[number] = len(self._out)
        self._out.append([vertex[0], vertex[1], vertex[2] + rise] if rise else vertex)
        return known[number]
