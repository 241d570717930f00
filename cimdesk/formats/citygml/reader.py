"""The reader of CityGML files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cimdesk.base.collector import collector_paused
from cimdesk.base.errors import DataError
from cimdesk.formats.citygml.appearance import Palette
from cimdesk.formats.citygml.attributes import AttributeReader
from cimdesk.formats.citygml.builder import CityBuilder
from cimdesk.formats.citygml.flood_areas import split_flood_areas
from cimdesk.formats.citygml.names import GML, LOCAL_NAMES
from cimdesk.formats.citygml.objects import ObjectReader
from cimdesk.formats.citygml.pictures import PicturePlaces
from cimdesk.formats.citygml.prolog import prolog_of, root_of
from cimdesk.formats.citygml.stream import Contents, Document, UndeclaredError, refuse_doctype
from cimdesk.formats.findings import Findings
from cimdesk.formats.picture_places import PictureFolder
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.model.layers import LayerKind

MAX_REPAIRS = 8
MAX_ROUNDS = 3
KNOWN_VERSIONS = ("1.0", "2.0", "3.0")
_MODEL = re.compile(rb"<(?:[\w.-]+:)?CityModel[\s/>]")
_COLLECTION = re.compile(rb"<(?:[\w.-]+:)?FeatureCollection[\s/>]")
GENERAL = ("name", "description")


class CityGMLReader:
    """Reads CityGML 1.0, 2.0 and 3.0."""

    name = "CityGML"
    suffixes = (".gml", ".citygml", ".xml")

    def claim(self, path: Path, head: bytes) -> float:
        """Claim XML whose outermost element is a CityModel, or a collection of features in a namespace of CityGML."""
        lower = path.name.lower().removesuffix(".gz")
        prolog = prolog_of(head)
        if not prolog.startswith(b"<"):
            return 0.0
        _, root = root_of(prolog)
        if _MODEL.match(root):
            return 0.95 if b"citygml" in root.lower() or lower.endswith(self.suffixes) else 0.5
        if _COLLECTION.match(root):
            return 0.92 if b"opengis.net/citygml" in root else 0.0
        if not root and lower.endswith(self.suffixes):
            # A long comment comes first: look further.
            return 0.9 if _MODEL.match(root_of(prolog_of(_longer(path)))[1]) else 0.0
        return 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read a file; raises `DataError` when nothing in it can be used."""
        return read_citygml(path, options)


def read_citygml(path: Path, options: ReadOptions) -> ReadResult:
    """Read a CityGML file member by member.

    Raises
    ------
    DataError
        If it is no CityGML, is damaged before its first object, or declares a document type.
    """
    findings = Findings()
    document = Document(path, options, findings)
    before, _ = root_of(prolog_of(document.head()))
    if b"<!DOCTYPE" in before:
        refuse_doctype(path)
    options.progress(0.0)
    attributes = AttributeReader.beside(path)
    with collector_paused():
        builder = _read_all(document, attributes)
        city = builder.build(_metadata(document), attributes)
    options.progress(1.0)
    version = document.version
    if version not in KNOWN_VERSIONS:
        text = "Version {version} is not known (1.0, 2.0 and 3.0 are); what can be is read."
        findings.add("unknown-version", "", text, version=version or "?")
    crs = builder.meshes.crs
    areas, rest = split_flood_areas(city, findings)
    name, system = layer_name(path), options.crs_for(crs)
    kinds = ((LayerKind.FLOOD, areas), (LayerKind.BUILDINGS, rest))
    sources = tuple(Source(name, kind, part, system) for kind, part in kinds if part is not None and len(part.features))
    return ReadResult(
        "CityGML",
        version,
        crs.code if crs else None,
        dict(sorted(builder.types.items())),
        builder.extent,
        sources,
        findings.problems(),
    )


def layer_name(path: Path) -> str:
    """Return the file's name without the suffixes of CityGML."""
    name = path.name
    for suffix in (".gz", ".gml", ".xml", ".citygml"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    return name


def _read_all(document: Document, attributes: AttributeReader) -> CityBuilder:
    """Read the members; from the start again with more prefixes declared when some were not."""
    contents = document.contents()
    for _ in range(MAX_REPAIRS):
        builder = CityBuilder(document.findings, palette_beside(document))
        try:
            _read_members(document, contents, builder, attributes)
        except UndeclaredError as error:
            document.declare(error.prefixes)
            contents.gml.update(b"opengis.net/gml" + uri[26:].encode() for uri in document.declared.values() if uri in GML)
            continue
        if not builder.names and (
            document.root is None or LOCAL_NAMES[document.root.tag] not in ("CityModel", "FeatureCollection")
        ):
            raise DataError(document.path, "this XML is not CityGML: it has no CityModel.", remedy="Choose a CityGML file.")
        return builder
    raise DataError(document.path, "too many prefixes are not declared.", remedy="Export the file again.")


def _read_members(document: Document, contents: Contents, builder: CityBuilder, attributes: AttributeReader) -> None:
    reader = ObjectReader(builder, attributes, contents)
    if contents.has(b"surfaceData"):
        builder.meshes.collector.materials = far_colors(document, builder.palette)
    for member in document.members():
        if not builder.names:
            builder.meshes.meet_system(system_of(document.root))
        if LOCAL_NAMES[member.tag] != "appearanceMember":
            reader.read(member)
    for _ in range(MAX_ROUNDS):
        if not reader.open_links:
            break
        for member in document.members(again=True):
            reader.resolve(member)
    for name, links in reader.open_links.items():
        text = "A link leads to {id}, which is not there."
        document.findings.error("missing-link", builder.names[links[0].target.row], text, id=name)


def palette_beside(document: Document, are_colors: bool = False) -> Palette:
    """Return a palette that looks for pictures beside a file; ``are_colors`` as in `Palette`."""
    pictures = PicturePlaces(PictureFolder(document.path, document.findings), document.findings)
    return Palette(pictures, are_colors)


def far_colors(document: Document, palette: Palette) -> dict[str, int]:
    """Return the materials of surfaces that are given for the whole city, often at the end of the file, by their ids."""
    found: dict[str, int] = {}
    for member in document.members(again=True):
        if LOCAL_NAMES[member.tag] == "appearanceMember":
            for name, row in palette.read(member).items():
                found.setdefault(name, row)
    return found


def system_of(root: Any) -> str | None:
    """Return the reference system of the envelope around everything."""
    for envelope in root.iterfind("{*}boundedBy/{*}Envelope"):
        if name := envelope.get("srsName"):
            return str(name)
    return None


def _metadata(document: Document) -> dict[str, Any]:
    """Return what the file says about itself as a whole."""
    if document.root is None:
        return {}
    said = {LOCAL_NAMES[part.tag]: (part.text or "").strip() for part in document.root if isinstance(part.tag, str)}
    return {name: said[name] for name in GENERAL if said.get(name)}


def _longer(path: Path) -> bytes:
    try:
        return Document(path, ReadOptions(), Findings()).head()
    except DataError:
        return b""
