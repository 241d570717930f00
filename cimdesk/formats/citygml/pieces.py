"""A CityGML file as one model after the other, each of so many members, so that a file of any size fits into memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cimdesk.base.crs import Crs
from cimdesk.formats.citygml.appearance import Palette
from cimdesk.formats.citygml.attributes import AttributeReader
from cimdesk.formats.citygml.builder import CityBuilder
from cimdesk.formats.citygml.names import LOCAL_NAMES
from cimdesk.formats.citygml.objects import ObjectReader
from cimdesk.formats.citygml.prolog import prolog_of, root_of
from cimdesk.formats.citygml.reader import MAX_REPAIRS, far_colors, palette_beside, system_of
from cimdesk.formats.citygml.stream import Contents, Document, UndeclaredError, refuse_doctype
from cimdesk.formats.findings import Findings
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.city import CityModel

MEMBERS = 2_000
"""Members of one piece."""


def read_pieces(
    path: Path, options: ReadOptions, findings: Findings, members: int = MEMBERS, is_glance: bool = False
) -> Iterator[tuple[CityModel, Crs | None]]:
    """Yield the models of a file, each with its reference system.

    Links to members that lie in another piece are not found. Faces with a picture have its mean colour. A glance leaves out colours
    that are given for the whole city: they would have to be looked for to the end of the file.

    Raises
    ------
    DataError
        If it is damaged before its first object, or declares a document type.
    """
    document = Document(path, options, findings)
    before, _ = root_of(prolog_of(document.head()))
    if b"<!DOCTYPE" in before:
        refuse_doctype(path)
    contents = document.contents()
    attributes = AttributeReader.beside(path)
    done = 0
    for _ in range(MAX_REPAIRS):
        try:
            palette = palette_beside(document, are_colors=True)
            far = {} if is_glance or not contents.has(b"surfaceData") else far_colors(document, palette)
            for piece in _pieces(document, contents, attributes, palette, far, members, done):
                done += members
                yield piece
        except UndeclaredError as error:
            # Read again with more prefixes, from where it was.
            document.declare(error.prefixes)
            continue
        return


def _pieces(
    document: Document,
    contents: Contents,
    attributes: AttributeReader,
    palette: Palette,
    far: dict[str, int],
    most: int,
    skipped: int,
) -> Iterator[tuple[CityModel, Crs | None]]:
    builder, reader, system = CityBuilder(document.findings, palette), None, None
    waiting = 0
    for number, member in enumerate(document.members()):
        system = system or system_of(document.root)
        if number < skipped:
            continue
        if reader is None:
            builder = CityBuilder(document.findings, palette)
            builder.meshes.collector.materials = far
            reader = ObjectReader(builder, attributes, contents)
            builder.meshes.meet_system(system)
        if LOCAL_NAMES[member.tag] != "appearanceMember":
            reader.read(member)
        waiting += 1
        if waiting == most:
            yield _finished(builder, reader, attributes)
            reader, waiting = None, 0
    if reader is not None:
        yield _finished(builder, reader, attributes)


def _finished(builder: CityBuilder, reader: Any, attributes: AttributeReader) -> tuple[CityModel, Crs | None]:
    for name, links in reader.open_links.items():
        text = "A link leads to {id}, which is not among the objects read with it."
        builder.findings.error("far-link", builder.names[links[0].target.row], text, id=name)
    city = builder.build({}, attributes)
    return city, builder.meshes.crs
