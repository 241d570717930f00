"""What features of vector basemaps are, whichever schema their tiles follow, and how each is painted.

Known schemas: Protomaps (versions 2 to 4), OpenMapTiles, Shortbread. What is not known is left out: a quiet map is the aim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import Int, Strings
from cimdesk.formats.imagery.mvt import VectorPart

CLASSES = (
    "", "land", "built", "farm", "sand", "green", "wood", "special", "ice", "water", "waterway", "pier", "building", "boundary",
    "path", "rail", "tram", "service", "minor", "medium", "major", "highway", "runway",
)  # fmt: skip
"""Classes of what is painted; their numbers are kept in arrays."""
CLASS = {name: k for k, name in enumerate(CLASSES)}

AREAS = ("land", "built", "farm", "sand", "green", "wood", "special", "ice", "water", "pier", "building")
"""Filled, from the lowest to the highest."""


@dataclass(frozen=True)
class Stroke:
    """How a line is drawn: its width on the ground [m], at least so many pixels, and from which size of pixel on [m]."""

    metres: float
    least: float
    coarsest: float
    is_cased: bool = False


STROKES = {
    "waterway": Stroke(6.0, 1.0, 200.0),
    "boundary": Stroke(0.0, 1.1, 20000.0),
    "path": Stroke(1.8, 0.7, 3.2),
    "rail": Stroke(3.0, 1.0, 60.0),
    "tram": Stroke(2.0, 0.8, 8.0),
    "service": Stroke(4.0, 0.8, 8.0),
    "minor": Stroke(7.0, 0.9, 20.0, True),
    "medium": Stroke(9.0, 1.2, 80.0, True),
    "major": Stroke(12.0, 1.5, 400.0, True),
    "highway": Stroke(18.0, 1.8, 3000.0, True),
    "runway": Stroke(45.0, 1.5, 200.0),
}
"""Lines from the lowest to the highest."""


@dataclass(frozen=True)
class Palette:
    """Colours of one theme, ``#rrggbb``: by class, the rims of wide roads, buildings and water, and the letters."""

    fills: dict[str, str]
    rim: str
    building_rim: str
    text: str
    water_text: str
    halo: str


_LIGHT = {
    "land": "#f1f0ec", "built": "#ebe9e3", "farm": "#eef0e2", "sand": "#f1ebd6", "green": "#d8e6c8", "wood": "#cbdfba",
    "special": "#e9e5ec", "ice": "#f4f8fa", "water": "#b9d6e8", "waterway": "#b9d6e8", "pier": "#f1f0ec", "building": "#dcd7cd",
    "boundary": "#b3a4b8", "path": "#d3c8b6", "rail": "#b5b3b0", "tram": "#c6c1bb", "service": "#ffffff", "minor": "#ffffff",
    "medium": "#fffaeb", "major": "#fdeec3", "highway": "#f8d58f", "runway": "#dcdce2",
}  # fmt: skip
_DARK = {
    "land": "#2b3036", "built": "#30353b", "farm": "#2d342f", "sand": "#38362f", "green": "#2f3d33", "wood": "#2b3c30",
    "special": "#34343c", "ice": "#3b434a", "water": "#1b2f40", "waterway": "#1b2f40", "pier": "#2b3036", "building": "#3d434a",
    "boundary": "#6f6478", "path": "#484a4c", "rail": "#55585c", "tram": "#4b4f53", "service": "#474d54", "minor": "#4a5159",
    "medium": "#565d66", "major": "#656a70", "highway": "#7d7458", "runway": "#3f444b",
}  # fmt: skip
_PROJECTOR = {
    "land": "#ffffff", "built": "#f4f3ee", "farm": "#f3f6e2", "sand": "#f8efcf", "green": "#c6e2a8", "wood": "#b0d48f",
    "special": "#ece4f2", "ice": "#eef6fa", "water": "#8fc4e8", "waterway": "#8fc4e8", "pier": "#ffffff", "building": "#cfc6b4",
    "boundary": "#7d4f8c", "path": "#b39a72", "rail": "#7c7a76", "tram": "#9a958e", "service": "#ffffff", "minor": "#ffffff",
    "medium": "#fff2c4", "major": "#ffdf85", "highway": "#ffbe3d", "runway": "#c8c8d4",
}  # fmt: skip
PALETTES = {
    "light": Palette(_LIGHT, "#d2cdc2", "#c5bfb2", "#3c444d", "#4d7896", "#ffffff"),
    "dark": Palette(_DARK, "#1f2328", "#4d545c", "#c9d1d9", "#7fa6c4", "#181c21"),
    "projector": Palette(_PROJECTOR, "#8c8577", "#8f8672", "#000000", "#0b4a7d", "#ffffff"),
}

_WATER_LAYERS = {"water", "ocean", "water_polygons", "waterway", "water_lines", "physical_line"}
_LAND_LAYERS = {"landuse", "land", "natural", "landcover", "park", "globallandcover", "sites"}
_KINDS: dict[str, str] = {
    **dict.fromkeys(("park", "garden", "grass", "pitch", "playground", "golf_course", "recreation_ground", "cemetery", "meadow",
                     "village_green", "nature_reserve", "national_park", "common", "dog_park", "zoo", "grassland", "scrub",
                     "heath", "shrub", "wetland", "allotments", "stadium", "protected_area", "orchard", "vineyard",
                     "public_park", "grave_yard", "miniature_golf", "fell"), "green"),
    **dict.fromkeys(("wood", "forest", "trees", "tree_row"), "wood"),
    **dict.fromkeys(("farmland", "farm", "crop", "farmyard", "crops", "barren", "greenhouse_horticulture"), "farm"),
    **dict.fromkeys(("sand", "beach", "rock", "bare_rock", "scree", "shingle", "dune"), "sand"),
    **dict.fromkeys(("residential", "commercial", "retail", "industrial", "urban_area", "urban", "railway", "brownfield",
                     "construction", "military", "suburb", "neighbourhood", "garages"), "built"),
    **dict.fromkeys(("school", "hospital", "university", "college", "kindergarten", "aerodrome", "pedestrian", "parking",
                     "library", "prison"), "special"),
    **dict.fromkeys(("glacier", "ice", "snow"), "ice"),
    **dict.fromkeys(("pier", "breakwater", "groyne", "bridge"), "pier"),
}  # fmt: skip
_ROADS: dict[str, str] = {
    **dict.fromkeys(("motorway", "highway", "trunk"), "highway"),
    **dict.fromkeys(("primary", "major_road", "secondary", "motorway_link", "trunk_link"), "major"),
    **dict.fromkeys(("tertiary", "medium_road", "primary_link", "secondary_link", "tertiary_link"), "medium"),
    **dict.fromkeys(("minor", "minor_road", "residential", "unclassified", "living_street", "road", "busway", "street"), "minor"),
    **dict.fromkeys(("service", "pedestrian", "track", "alley", "driveway"), "service"),
    **dict.fromkeys(("path", "footway", "cycleway", "steps", "bridleway", "corridor", "sidewalk", "crossing"), "path"),
    **dict.fromkeys(("rail", "narrow_gauge", "transit", "light_rail", "subway", "funicular", "monorail", "railway"), "rail"),
    "tram": "tram", "runway": "runway", "taxiway": "service",
}  # fmt: skip
_KIND_KEYS = ("kind_detail", "subclass", "class", "kind", "pmap:kind_detail", "pmap:kind")
_LAND_KEYS = ("landuse", "leisure", "natural", "amenity", "man_made", "aeroway", *_KIND_KEYS)


def classes_of(part: VectorPart) -> Int:
    """Return the class of every feature of a layer (row of `CLASSES`); 0 for what is not painted."""
    name = part.name
    if name in ("earth", "land") and "highway" not in part.keys and "landuse" not in part.keys and "kind" not in part.keys:
        return _all(part, "land")
    if name == "earth":
        return _all(part, "land")
    if name in _WATER_LAYERS:
        lines = part.kinds == 2
        out = _all(part, "water")
        out[lines] = CLASS["waterway"]
        return out
    if name in ("buildings", "building"):
        return _all(part, "building")
    if name in ("boundaries", "boundary"):
        return _all(part, "boundary")
    if name in ("roads", "transportation", "streets", "street_polygons", "transit", "bridges", "aeroway"):
        return _roads(part)
    if name in _LAND_LAYERS:
        return _named(part, _LAND_KEYS, _KINDS)
    return np.zeros(len(part.kinds), dtype=np.int64)


def _all(part: VectorPart, name: str) -> Int:
    return np.full(len(part.kinds), CLASS[name], dtype=np.int64)


def _roads(part: VectorPart) -> Int:
    out = _named(part, ("highway", "railway", "aeroway", *_KIND_KEYS), _ROADS)
    # Underground: a map of the surface is quieter without it.
    for key, hidden in (("tunnel", ("yes", "building_passage", True, 1)), ("brunnel", ("tunnel",)), ("railway", ("subway",))):
        if key in part.keys:
            out[np.isin(part.column(key).astype(str), [str(value) for value in hidden])] = 0
    return out


def _named(part: VectorPart, keys: tuple[str, ...], classes: dict[str, str]) -> Int:
    """Return the class that the first known value among these keys stands for."""
    out = np.zeros(len(part.kinds), dtype=np.int64)
    for key in keys:
        if key not in part.keys:
            continue
        row = part.keys.index(key)
        numbers = np.array([CLASS[classes.get(value, "")] if isinstance(value, str) else 0 for value in part.values] or [0])
        mine = part.tags[:, 0] == row
        owners, found = part.tag_owners[mine], numbers[part.tags[mine, 1]]
        open_ = (out[owners] == 0) & (found > 0)
        out[owners[open_]] = found[open_]
    return out


@dataclass(frozen=True)
class PlaceNames:
    """Names worth lettering in one layer.

    Attributes
    ----------
    rows : (N,) int64
        Features.
    names : (N,) object
    ranks : (N,) int64
        Smaller is more important: 1 country ... 6 neighbourhood.
    """

    rows: Int
    names: Strings
    ranks: Int


_PLACE_RANKS = {
    "continent": 0, "country": 1, "state": 2, "region": 2, "province": 2, "city": 3, "locality": 6, "town": 4, "village": 5,
    "suburb": 6, "borough": 6, "quarter": 6, "macrohood": 6, "neighbourhood": 7, "hamlet": 7, "island": 5, "islet": 7,
}  # fmt: skip
COARSEST_RANK = {0: 1e9, 1: 1e9, 2: 5000.0, 3: 700.0, 4: 150.0, 5: 50.0, 6: 25.0, 7: 12.0}
"""Largest pixel at which names of a rank are lettered [m]."""
_PLACE_LAYERS = ("places", "place", "place_labels")


def place_names(part: VectorPart, language: str) -> PlaceNames | None:
    """Return the names of places in a layer, in a language where the tile has it; None for other layers."""
    if part.name not in _PLACE_LAYERS:
        return None
    kinds = part.column("place", "kind_detail", "class", "kind", "pmap:kind")
    if "kind" in part.keys and "kind_detail" in part.keys:
        kinds = np.where([k in _PLACE_RANKS for k in kinds], kinds, part.column("kind"))
    ranks = np.array([_PLACE_RANKS.get(str(kind), 99) for kind in kinds], dtype=np.int64)
    names = part.column(*name_keys(language))
    good = np.flatnonzero((ranks < 99) & np.array([isinstance(name, str) and bool(name.strip()) for name in names], dtype=bool))
    return PlaceNames(good, names[good], ranks[good])


def name_keys(language: str) -> tuple[str, ...]:
    """Return the keys under which tiles keep names, the best for a language first."""
    if language.startswith("zh"):
        return (
            "name:zh-Hans",
            "name:zh_Hans",
            "name:zh",
            "name_zh",
            "pgf:name:zh-Hans",
            "name",
            "name:latin",
            "name:en",
            "name_en",
        )
    return ("name:en", "name_en", "name:latin", "name", "name_int")


def population_of(part: VectorPart, rows: Int) -> Any:
    """Return the population of features, 0 where unknown: it decides which name wins where two have no room."""
    column = part.column("population", "pmap:rank")[rows]
    out = np.zeros(len(rows))
    for k, value in enumerate(column):
        try:
            out[k] = float(value) if value is not None else 0.0
        except (TypeError, ValueError):
            continue
    return out
