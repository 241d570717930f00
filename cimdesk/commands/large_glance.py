"""What a file too large to be held is, told without reading it: for the preview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import CimdeskError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.large import is_large, is_large_osm, is_large_table
from cimdesk.commands.tiled import address_of
from cimdesk.formats import geoparquet, registry, vector
from cimdesk.formats.citygml.pieces import read_pieces
from cimdesk.formats.cityjson.glance import glance_at
from cimdesk.formats.extrusion import height_among
from cimdesk.formats.findings import Findings
from cimdesk.formats.registry import ReadOptions, ReadResult
from cimdesk.services.point_server import glance_at_cloud, is_cloud_address

FIRST = 200
"""Objects of a CityGML file that are read to learn its system."""
MEGABYTE = 1e6


@dataclass(frozen=True)
class Glance:
    """What is known of a large file.

    Attributes
    ----------
    result : ReadResult
        Without sources.
    words : str
        What will be done with it, for people.
    """

    result: ReadResult
    words: str


def glance(path: Path, cancel: CancelToken | None = None) -> Glance | None:
    """Return what a file is that will be tiled, or fetched whole, when it is added; None for one that can be read for its preview.

    Raises
    ------
    DataError
        If it cannot be used at all.
    """
    address = address_of(path)
    if address is not None and is_cloud_address(address):
        seen = glance_at_cloud(address, ReadOptions(cancel=cancel or CancelToken()))
        return None if seen is None else Glance(replace(seen, problems=seen.problems[:-1]), seen.problems[-1].message)
    if not is_large(path):
        return None
    name = registry.reader_for(path).name
    if name in ("Vector", "GeoParquet"):
        return _outlines(path, name)
    if name == "CityGML":
        crs, extent = _system_of_gml(path), None
    elif name in ("CityJSON", "CityJSONSeq"):
        found = glance_at(path)
        crs, extent = (found.crs, found.extent) if found is not None else _system_of_sequence(path)
    else:
        return None
    return Glance(_result(name, crs, {}, extent), _words(path))


def _outlines(path: Path, name: str) -> Glance:
    if name == "GeoParquet":
        found = geoparquet.row_counts(path)
        counts, columns, crs, boxes = {path.stem: found.rows}, found.columns, found.crs, []
    elif is_large_osm(path):
        words = tr("Its buildings are added; for roads and points cut out a smaller area.")
        return Glance(_result("OpenStreetMap", Crs.epsg(4326), {}, None), f"{words} {_words(path)}")
    else:
        tables = vector.row_tables(path)
        counts = {table.name: table.rows for table in tables}
        first = next(table for table in tables if is_large_table(table))
        name, columns, crs = first.format, first.columns, first.crs
        boxes = [first.extent] if first.extent is not None else []
    extent = np.array([np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)]) if boxes else None
    if extent is not None:
        extent = np.column_stack([extent, [np.nan, np.nan]])
    words = tr("The outlines become buildings; their heights are in “{column}”.").format(column=height_among(columns))
    return Glance(_result(name, crs, counts, extent), f"{words} {_words(path)}")


def _system_of_gml(path: Path) -> Crs | None:
    try:
        return next((crs for _, crs in read_pieces(path, ReadOptions(), Findings(), FIRST, is_glance=True)), None)
    except CimdeskError:
        return None


def _system_of_sequence(path: Path) -> tuple[Crs | None, Float | None]:
    from cimdesk.services.tiling.inputs import head_of

    try:
        return head_of(path, Findings()).crs, None
    except CimdeskError:
        return None, None


def _result(name: str, crs: Crs | None, counts: Mapping[str, int], extent: Float | None) -> ReadResult:
    return ReadResult(name, None, (crs.code or crs.definition) if crs else None, counts, extent, ())


def _words(path: Path) -> str:
    size = path.stat().st_size / MEGABYTE
    said = f"{size / 1000.0:.1f} GB" if size >= 1000.0 else f"{size:.0f} MB"
    text = tr("Too large to be held ({size}): it is tiled once, in the background, and streamed from then on.")
    return text.format(size=said)
