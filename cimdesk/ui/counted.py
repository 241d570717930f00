"""Counts of what a file holds, as people read them: 1 tile, 13 buildings."""

from __future__ import annotations

from cimdesk.base.i18n import tr
from cimdesk.model.appearance import words_of_type

_ONE_AND_MANY = {
    "tiles": ("{count} tile", "{count} tiles"),
    "contents": ("{count} content", "{count} contents"),
    "missing": ("{count} missing", "{count} missing"),
    "features": ("{count} feature", "{count} features"),
    "triangles": ("{count} triangle", "{count} triangles"),
    "points": ("{count} point", "{count} points"),
    "instances": ("{count} instance", "{count} instances"),
    "bands": ("{count} band", "{count} bands"),
    "width": ("{count} wide", "{count} wide"),
    "height": ("{count} high", "{count} high"),
    "levels": ("{count} level", "{count} levels"),
    "files": ("{count} file", "{count} files"),
    "subcatchments": ("{count} subcatchment", "{count} subcatchments"),
    "raingages": ("{count} rain gauge", "{count} rain gauges"),
    "junctions": ("{count} junction", "{count} junctions"),
    "outfalls": ("{count} outfall", "{count} outfalls"),
    "dividers": ("{count} divider", "{count} dividers"),
    "storage": ("{count} storage", "{count} storages"),
    "conduits": ("{count} conduit", "{count} conduits"),
    "pumps": ("{count} pump", "{count} pumps"),
    "orifices": ("{count} orifice", "{count} orifices"),
    "weirs": ("{count} weir", "{count} weirs"),
    "outlets": ("{count} outlet", "{count} outlets"),
    "reservoirs": ("{count} reservoir", "{count} reservoirs"),
    "tanks": ("{count} tank", "{count} tanks"),
    "pipes": ("{count} pipe", "{count} pipes"),
    "valves": ("{count} valve", "{count} valves"),
    "topics": ("{count} topic", "{count} topics"),
    "comments": ("{count} comment", "{count} comments"),
    "viewpoints": ("{count} viewpoint", "{count} viewpoints"),
    "things": ("{count} thing", "{count} things"),
    "datastreams": ("{count} datastream", "{count} datastreams"),
    "observations": ("{count} observation", "{count} observations"),
    "rows": ("{count} row", "{count} rows"),
    "columns": ("{count} column", "{count} columns"),
    "meshes": ("{count} mesh", "{count} meshes"),
    "times": ("{count} time", "{count} times"),
    "nodes": ("{count} node", "{count} nodes"),
    "faces": ("{count} face", "{count} faces"),
}


def counted(name: str, count: int) -> str:
    """Return how many objects of a kind there are; types of city objects and names of tables stay as they are in English."""
    forms = _ONE_AND_MANY.get(name)
    if forms is not None:
        return tr(forms[count != 1]).format(count=f"{count:,}")
    words = words_of_type(name)
    said = tr(words)
    return f"{count:,} {name if said == words else said}"
