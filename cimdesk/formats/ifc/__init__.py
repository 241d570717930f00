"""IFC 2x3, 4 and 4x3, read in a process of its own and kept tessellated on disk."""

from __future__ import annotations

from cimdesk.formats.ifc.reader import IfcReader

READER = IfcReader()

__all__ = ["READER"]
