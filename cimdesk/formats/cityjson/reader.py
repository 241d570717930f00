"""Readers of CityJSON files and of CityJSON sequences; which of the two a file is, its content decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from cimdesk.base.collector import collector_paused
from cimdesk.base.errors import DataError
from cimdesk.formats.cityjson.builder import CityBuilder
from cimdesk.formats.cityjson.encoding import byte_of, load_text, refuse_json, without_not_numbers
from cimdesk.formats.cityjson.header import count_textures, read_crs, read_metadata, read_transform, read_version
from cimdesk.formats.cityjson.sequence import is_sequence, read_sequence
from cimdesk.formats.cityjson.structure import OBJECT, OBJECTS, PARTS, SERIALS, CityObject, decode_any
from cimdesk.formats.cityjson.surfaces import Numbering
from cimdesk.formats.findings import Findings
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.model.layers import LayerKind

TAIL_BYTES = 4096
SEQUENCE_SUFFIXES = (".jsonl", ".ndjson", ".cityjsonl", ".jsonlines")


class CityJSONReader:
    """Reads one CityJSON object."""

    name = "CityJSON"
    suffixes = (".city.json", ".cityjson", ".json")

    def claim(self, path: Path, head: bytes) -> float:
        """Claim JSON that speaks of CityObjects at its beginning or its end."""
        text = _plain_head(head)
        lower = path.name.lower()
        if text.lstrip()[:1] != b"{":
            return 0.3 if head and lower.endswith((".city.json", ".cityjson")) else 0.0
        if lower.endswith(SEQUENCE_SUFFIXES):
            return 0.6 if _speaks_cityjson(text) else 0.0
        if _speaks_cityjson(text):
            return 0.95
        if lower.endswith((".city.json", ".cityjson")):
            return 0.9
        return 0.9 if lower.endswith((".json", ".json.gz")) and _speaks_cityjson(_tail(path)) else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read a file; raises `DataError` when nothing in it can be used."""
        return read_cityjson(path, options)


class CityJSONSeqReader:
    """Reads CityJSON objects line by line."""

    name = "CityJSONSeq"
    suffixes = (".city.jsonl", ".jsonl", ".ndjson")

    def claim(self, path: Path, head: bytes) -> float:
        """Claim lines of CityJSON features."""
        text = _plain_head(head)
        if text.lstrip()[:1] != b"{":
            return 0.3 if head and path.name.lower().endswith(".city.jsonl") else 0.0
        if b'"CityJSONFeature"' in text:
            return 0.97
        if path.name.lower().removesuffix(".gz").endswith(SEQUENCE_SUFFIXES):
            return 0.9 if _speaks_cityjson(text) or ".city." in path.name.lower() else 0.0
        return 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read a file; raises `DataError` when nothing in it can be used."""
        return read_cityjson(path, options)


def read_cityjson(path: Path, options: ReadOptions) -> ReadResult:
    """Read CityJSON or a sequence of it, whatever the file is called.

    Raises
    ------
    DataError
        If it is neither, or nothing in it can be used.
    """
    findings = Findings()
    options.progress(0.0)
    with collector_paused():
        data = load_text(path, findings)
        if is_sequence(data):
            format_name = "CityJSONSeq"
            builder, version, metadata = read_sequence(path, data, options, findings)
        else:
            format_name = "CityJSON"
            builder, version, metadata = _read_object(path, data, options, findings)
        del data
        options.cancel.raise_if_cancelled()
        options.progress(0.5)
        crs = read_crs(metadata, findings)
        city, extent = builder.build(metadata)
    options.progress(1.0)
    source = Source(layer_name(path), LayerKind.BUILDINGS, city, options.crs_for(crs))
    sources = (source,) if len(city.features) else ()
    objects = dict(sorted(builder.types.items()))
    return ReadResult(format_name, version, crs.code if crs else None, objects, extent, sources, findings.problems())


def layer_name(path: Path) -> str:
    """Return the file's name without the suffixes of CityJSON."""
    name = path.name
    for suffix in (".gz", ".json", ".jsonl", ".ndjson", ".cityjson", ".city"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    return name


def _read_object(
    path: Path, data: bytes, options: ReadOptions, findings: Findings
) -> tuple[CityBuilder, str | None, dict[str, Any]]:
    parts = _parts(path, data, findings)
    kind = decode_any(parts.get("type"))
    if "CityObjects" not in parts and kind != "CityJSON":
        raise DataError(path, "this JSON is not CityJSON: it has no CityObjects.", remedy="Choose a CityJSON file.")
    if kind != "CityJSON":
        findings.add("wrong-type", "type", "The type of the file is {type}, not CityJSON.", type=repr(kind)[:40])
    version = read_version(parts, findings)
    metadata = read_metadata(parts)
    builder = CityBuilder(findings, read_transform(parts, findings), path)
    appearance = decode_any(parts.get("appearance"))
    if textures := count_textures(appearance):
        metadata["textures"] = textures
    look = builder.add_appearance(appearance)
    builder.add_templates(parts.get("geometry-templates"), look)
    vertices = builder.add_vertices(parts.get("vertices"))
    objects = decode_objects(path, parts.get("CityObjects"), findings)
    options.cancel.raise_if_cancelled()
    options.progress(0.3)
    builder.add_objects(objects, Numbering(vertices.vertex_start, vertices.vertex_count, *look))
    return builder, version, metadata


def _parts(path: Path, data: bytes, findings: Findings) -> dict[str, Raw]:
    """Return the members of the outermost object, still text."""
    try:
        return PARTS.decode(data)
    except msgspec.ValidationError as error:
        raise DataError(path, "this JSON is not CityJSON: it has no CityObjects.", remedy="Choose a CityJSON file.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if data[byte_of(error, len(data)) :][:1] not in (b"N", b"I") and b"Infinity" not in data and b"NaN" not in data:
            refuse_json(path, data, error)
    data, count = without_not_numbers(data)
    try:
        parts = PARTS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        refuse_json(path, data, error)
    findings.add("not-a-number", "", "{count} numbers are NaN or Infinity, which JSON does not have.", count=count)
    return parts


def decode_objects(path: Path, text: Raw | None, findings: Findings) -> dict[str, CityObject]:
    """Return the city objects; one that cannot be decoded is left out with a finding."""
    if text is None:
        return {}
    first = next(SERIALS)
    try:
        objects = OBJECTS.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        objects = _objects_one_by_one(path, text, findings)
    if next(SERIALS) - first - 1 != len(objects):
        _report_repeated_keys(text, findings)
    return objects


def _objects_one_by_one(path: Path, text: Raw, findings: Findings) -> dict[str, CityObject]:
    try:
        texts = PARTS.decode(text)
    except msgspec.ValidationError as error:
        raise DataError(path, "CityObjects is not a JSON object.", remedy="Export the file again.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        refuse_json(path, bytes(text), error)
    objects = {}
    for key, item in texts.items():
        try:
            objects[key] = OBJECT.decode(item)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            findings.error("bad-object", key, "The city object cannot be read ({reason}).", reason=str(error))
            objects[key] = _salvaged(item)
    return objects


def _salvaged(text: Raw) -> CityObject:
    """Return what of a city object can be used on its own."""
    fields = decode_any(text)
    item = CityObject()
    if not isinstance(fields, dict):
        return item
    for name in ("type", "geometry", "attributes", "parents", "children", "members"):
        try:
            setattr(item, name, getattr(msgspec.convert({name: fields[name]} if name in fields else {}, CityObject), name))
        except (msgspec.ValidationError, RecursionError):
            continue
    return item


def _report_repeated_keys(text: Raw, findings: Findings) -> None:
    """Name the ids that occur twice in one JSON object; decoders keep the last silently."""
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        kept = dict(items)
        if len(kept) != len(items):
            seen: set[str] = set()
            for key, value in items:
                if key in seen and isinstance(value, dict) and "type" in value:
                    repeated.append(key)
                seen.add(key)
        return kept

    try:
        json.loads(bytes(text), object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return
    for key in repeated:
        findings.add("duplicate-id", key, "Id {id} occurs more than once in CityObjects; the last is kept.", id=key)


def _plain_head(head: bytes) -> bytes:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in head[:4]:
        return head.replace(b"\x00", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    return head.removeprefix(b"\xef\xbb\xbf")


def _speaks_cityjson(text: bytes) -> bool:
    return b'"CityJSON"' in text or b'"CityJSONFeature"' in text or b'"CityObjects"' in text


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            return file.read()
    except OSError:
        return b""
