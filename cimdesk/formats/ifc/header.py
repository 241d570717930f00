"""What an IFC file says of itself before its data, and how a schema that cannot be read becomes its nearest relative."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

HEAD_BYTES = 65_536
SCHEMAS = ("IFC2X3", "IFC4", "IFC4X3_ADD2")
"""What the library reads."""
_SCHEMA = re.compile(rb"FILE_SCHEMA\s*\(\s*\(\s*'\s*([^']*?)\s*'", re.IGNORECASE)
_COMMENT = re.compile(rb"/\*.*?\*/", re.DOTALL)
# Oldest first: a schema is read as the first it begins with.
_NEAREST = (("IFC4X", "IFC4X3_ADD2"), ("IFC4", "IFC4"), ("IFC2X2", "IFC2X3"), ("IFC2X3", "IFC2X3"), ("IFC2X", "IFC2X3"))
# Entities of release candidates that have another name by now.
_RENAMED = {
    b"IFCSOLIDSTRATUM": b"IFCGEOTECHNICALSTRATUM",
    b"IFCVOIDSTRATUM": b"IFCGEOTECHNICALSTRATUM",
    b"IFCWATERSTRATUM": b"IFCGEOTECHNICALSTRATUM",
    b"IFCBUILDINGELEMENT": b"IFCBUILTELEMENT",
    b"IFCBUILDINGELEMENTTYPE": b"IFCBUILTELEMENTTYPE",
    b"IFCSHAREDFACILITIES": b"IFCFACILITYPARTCOMMON",
}
_RENAMES = re.compile(rb"=\s*(" + b"|".join(_RENAMED) + rb")\s*\(", re.IGNORECASE)
_KINDS_OF_STRATUM = {b"IFCSOLIDSTRATUM": b".SOLID.", b"IFCVOIDSTRATUM": b".VOID.", b"IFCWATERSTRATUM": b".WATER."}
_STRATUM = re.compile(rb"=\s*IFC(SOLID|VOID|WATER)STRATUM\s*\(([^;]*?),\s*[^,;]*\)\s*;", re.IGNORECASE)
# IFC4X3_RC: parts of roads, bridges, railways and ports were one entity with a choice of kinds.
_PART = re.compile(
    rb"=\s*IFCFACILITYPART\s*\(([^;]*),\s*IFC(ROAD|BRIDGE|RAILWAY|MARINE|FACILITY)PART(?:COMMON)?TYPEENUM\s*\(\s*(\.\w+\.)\s*\)"
    rb"\s*,\s*(\.\w+\.|\$)\s*\)\s*;",
    re.IGNORECASE,
)
_PART_NAMES = {
    b"ROAD": b"IFCROADPART", b"BRIDGE": b"IFCBRIDGEPART", b"RAILWAY": b"IFCRAILWAYPART", b"MARINE": b"IFCMARINEPART",
    b"FACILITY": b"IFCFACILITYPARTCOMMON",
}  # fmt: skip
# Writers that forget the type of a number, or write whole numbers with a point.
_UNTYPED = re.compile(rb"IFCMEASUREWITHUNIT\s*\(\s*([-+0-9.eE]+)\s*,", re.IGNORECASE)
_DIMENSION = re.compile(
    rb"(IFCGEOMETRICREPRESENTATIONCONTEXT\s*\(\s*(?:'[^']*'|\$)\s*,\s*(?:'[^']*'|\$)\s*,\s*\d)\.0*\s*,", re.IGNORECASE
)
_LONE_RELATION = re.compile(rb"IFCDIMENSIONALEXPONENTS\s*\(([^)]*)\)", re.IGNORECASE)


def is_step(head: bytes) -> bool:
    """Return whether a file begins as exchange files of ISO 10303-21 do."""
    return _COMMENT.sub(b"", head.removeprefix(b"\xef\xbb\xbf")).lstrip().startswith(b"ISO-10303-21")


def schema_of(head: bytes) -> str:
    """Return the schema named in the header, in capitals; empty when there is none."""
    found = _SCHEMA.search(_COMMENT.sub(b"", head))
    return found[1].decode("latin-1").upper() if found else ""


def nearest_schema(schema: str) -> str:
    """Return the schema that a file of ``schema`` is read as; empty when none is near."""
    if schema in SCHEMAS:
        return schema
    return next((near for start, near in _NEAREST if schema.startswith(start)), "")


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file, up to its data."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def needs_repair(path: Path) -> bool:
    """Return whether a file has what the library stumbles over although it is meant to be plain."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _UNTYPED.search(data) is not None or _DIMENSION.search(data) is not None


def repaired(data: bytes, schema: str, near: str) -> bytes:
    """Return a file's content as one of the schema ``near``, with the mistakes of careless writers put right."""
    if schema != near:
        data = _SCHEMA.sub(lambda found: found[0].replace(found[1], near.encode()), data, count=1)
        if near == "IFC4X3_ADD2":
            data = _STRATUM.sub(rb"= IFCGEOTECHNICALSTRATUM(\2,.\1.);", data)
            data = _PART.sub(_part, data)
            data = _RENAMES.sub(lambda found: found[0].replace(found[1], _RENAMED[found[1].upper()]), data)
    data = _UNTYPED.sub(rb"IFCMEASUREWITHUNIT(IFCRATIOMEASURE(\1),", data)
    data = _DIMENSION.sub(rb"\1,", data)
    return _LONE_RELATION.sub(lambda found: re.sub(rb"\.0*(?=\s*(?:,|\)|$))", b"", found[0]), data)


def _part(found: re.Match[bytes]) -> bytes:
    return b"= " + _PART_NAMES[found[2].upper()] + b"(" + found[1] + b"," + found[4] + b"," + found[3] + b");"
