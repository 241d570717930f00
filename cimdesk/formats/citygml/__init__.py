"""CityGML 1.0, 2.0 and 3.0, streamed member by member into a `CityModel`."""

from __future__ import annotations

from cimdesk.formats.citygml.reader import CityGMLReader

READER = CityGMLReader()

__all__ = ["READER"]
