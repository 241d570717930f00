"""CityJSON 1.0, 1.1 and 2.0 and CityJSON sequences: files to and from `CityModel`."""

from __future__ import annotations

from cimdesk.formats.cityjson.excerpt import Excerpt, copy_excerpt, count_objects
from cimdesk.formats.cityjson.reader import CityJSONReader, CityJSONSeqReader
from cimdesk.formats.cityjson.writer import write_cityjson, write_cityjsonseq

READER = CityJSONReader()
SEQUENCE_READER = CityJSONSeqReader()

__all__ = ["READER", "SEQUENCE_READER", "Excerpt", "copy_excerpt", "count_objects", "write_cityjson", "write_cityjsonseq"]
