"""CityJSON sequences: a header line, then one feature with its own vertices per line. A bad line costs only itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from cimdesk.base.errors import DataError
from cimdesk.formats.cityjson.builder import Appearance, CityBuilder
from cimdesk.formats.cityjson.encoding import byte_of, without_not_numbers
from cimdesk.formats.cityjson.header import count_textures, read_metadata, read_transform, read_version
from cimdesk.formats.cityjson.structure import FEATURE, OBJECT, PARTS, CityObject, Feature, decode_any
from cimdesk.formats.cityjson.surfaces import Numbering
from cimdesk.formats.findings import Findings
from cimdesk.formats.registry import ReadOptions

REPORT_EVERY = 500


def is_sequence(data: bytes) -> bool:
    """Return whether text is lines of CityJSON, each complete, rather than one object over many lines."""
    lines = lines_of(data)
    _, first = next(lines, (0, b""))
    kind = _type_of(first)
    if kind == "CityJSONFeature":
        return True
    _, second = next(lines, (0, b""))
    return bool(second) and (_type_of(second) == "CityJSONFeature" or (kind is not None and second[:1] == b"{"))


def read_sequence(
    path: Path, data: bytes, options: ReadOptions, findings: Findings
) -> tuple[CityBuilder, str | None, dict[str, Any]]:
    """Read every line that can be; the header may be missing.

    Raises
    ------
    DataError
        If no line holds a feature or a header.
    """
    lines = lines_of(data)
    number, first = next(lines)
    header = read_header(first, number, findings)
    metadata = read_metadata(header)
    version = read_version(header, findings) if header else None
    builder = CityBuilder(findings, read_transform(header, findings), path)
    appearance = decode_any(header.get("appearance"))
    look = builder.add_appearance(appearance)
    builder.add_templates(header.get("geometry-templates"), look)
    textures = count_textures(appearance)
    good = bool(header)
    if header:
        textures += add_line(first, f"line {number}", builder, look, findings, is_header=True)[1]
    else:
        lines = lines_of(data)
    done = 0
    for number, line in lines:
        was_good, found = add_line(line, f"line {number}", builder, look, findings)
        good |= was_good
        textures += found
        done += len(line)
        if number % REPORT_EVERY == 0:
            options.cancel.raise_if_cancelled()
            options.progress(0.5 * done / len(data))
    if not good:
        raise DataError(path, "no line of the sequence can be read.", where="line 1", remedy="Copy or download the file again.")
    if textures:
        metadata["textures"] = textures
    return builder, version, metadata


def lines_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number, from 1, and text of each line that is not blank; the lines are not all held at once."""
    start, number = 0, 0
    while start < len(data):
        stop = data.find(b"\n", start)
        stop = len(data) if stop < 0 else stop
        number += 1
        line = data[start:stop].strip()
        if line:
            yield number, line
        start = stop + 1


def _type_of(line: bytes) -> str | None:
    """Return the ``type`` of a complete JSON object; None for anything else."""
    if line[:1] != b"{" or line[-1:] != b"}":
        return None
    try:
        kind = decode_any(PARTS.decode(line).get("type"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return kind if isinstance(kind, str) else ""


def read_header(line: bytes, number: int, findings: Findings) -> dict[str, Raw]:
    """Return the members of a header line; none when the first line is not one."""
    if _type_of(line) == "CityJSON":
        return PARTS.decode(line)
    findings.add(
        "no-header",
        f"line {number}",
        "The first line is not a CityJSON header: version, transform and reference system are unknown. "
        "Coordinates are taken as they are.",
    )
    return {}


def add_line(
    line: bytes, where: str, builder: CityBuilder, look: Appearance, findings: Findings, is_header: bool = False
) -> tuple[bool, int]:
    """Add one line, which is at ``where``; return whether it could be read, and how many textures it refers to."""
    feature = _decode(line, where, findings)
    if feature is None:
        return False, 0
    if not is_header and feature.type != "CityJSONFeature":
        findings.add("wrong-type", where, "The type of the line is {type}, not CityJSONFeature.", type=repr(feature.type[:40]))
    vertices = builder.add_vertices(feature.vertices, where)
    textures = 0
    if feature.appearance and not is_header:
        appearance = decode_any(feature.appearance)
        textures = count_textures(appearance)
        if isinstance(appearance, dict) and (appearance.get("materials") or appearance.get("textures")):
            own = builder.add_appearance(appearance)
            look = (*(own[:2] if own[1] else look[:2]), own[2] or look[2], own[3] or look[3])
    numbering = Numbering(vertices.vertex_start, vertices.vertex_count, *look)
    builder.add_objects(feature.objects or {}, numbering, where)
    return True, textures


def _decode(line: bytes, where: str, findings: Findings) -> Feature | None:
    try:
        return FEATURE.decode(line)
    except msgspec.ValidationError as error:
        return _salvaged(line, where, error, findings)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        cleaned, count = without_not_numbers(line) if b"NaN" in line or b"Infinity" in line else (line, 0)
        if count:
            findings.add("not-a-number", where, "{count} numbers are NaN or Infinity, which JSON does not have.", count=count)
            return _decode(cleaned, where, findings)
        place = f"{where}, byte {byte_of(error, len(line))}" if isinstance(error, msgspec.DecodeError) else where
        findings.error("bad-line", place, "The line is not valid JSON and is left out ({reason}).", reason=str(error))
        return None


def _salvaged(line: bytes, where: str, error: Exception, findings: Findings) -> Feature | None:
    """Return the objects of a feature that can be decoded one by one."""
    findings.error("bad-object", where, "Parts of the line cannot be read ({reason}).", reason=str(error))
    try:
        parts = PARTS.decode(line)
        texts = PARTS.decode(parts.get("CityObjects", Raw(b"{}")))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    objects: dict[str, CityObject] = {}
    for key, text in texts.items():
        try:
            objects[key] = OBJECT.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            objects[key] = CityObject()
    kind = decode_any(parts.get("type"))
    return Feature(kind if isinstance(kind, str) else "", objects, parts.get("vertices", Raw()))
