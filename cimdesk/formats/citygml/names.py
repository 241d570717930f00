"""What the element names of CityGML, GML and ADEs stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from cimdesk.model.mesh import Surface

GML = ("http://www.opengis.net/gml", "http://www.opengis.net/gml/3.2")
# As bytes, for lxml would encode the names of attributes anew for each element, which takes as long as finding them.
IDS = tuple(f"{{{uri}}}id".encode() for uri in GML)
HREF = b"{http://www.w3.org/1999/xlink}href"

KINDS = {
    "GroundSurface": Surface.GROUND, "OuterFloorSurface": Surface.GROUND, "FloorSurface": Surface.GROUND,
    "WallSurface": Surface.WALL, "InteriorWallSurface": Surface.WALL,
    "RoofSurface": Surface.ROOF, "OuterCeilingSurface": Surface.ROOF, "CeilingSurface": Surface.ROOF,
    "Window": Surface.OPENING, "Door": Surface.OPENING, "WindowSurface": Surface.OPENING, "DoorSurface": Surface.OPENING,
    "ClosureSurface": Surface.OTHER, "WaterSurface": Surface.OTHER, "WaterGroundSurface": Surface.OTHER,
    "WaterClosureSurface": Surface.OTHER, "GenericThematicSurface": Surface.OTHER, "Marking": Surface.OTHER,
    "HoleSurface": Surface.OTHER,
}  # fmt: skip
"""Thematic surfaces: they give their owner's faces a kind and are no features of their own."""

FEATURES = frozenset(
    """
    Building BuildingPart BuildingInstallation IntBuildingInstallation BuildingFurniture BuildingRoom Room BuildingUnit Storey
    BuildingConstructiveElement OtherConstruction
    Bridge BridgePart BridgeInstallation IntBridgeInstallation BridgeConstructionElement BridgeConstructiveElement BridgeRoom
    BridgeFurniture Tunnel TunnelPart TunnelInstallation IntTunnelInstallation TunnelConstructiveElement HollowSpace
    TunnelFurniture
    TransportationComplex Road Track Railway Square Waterway Section Intersection TrafficSpace AuxiliaryTrafficSpace
    ClearanceSpace TrafficArea AuxiliaryTrafficArea Hole
    PlantCover SolitaryVegetationObject WaterBody LandUse CityFurniture
    ReliefFeature TINRelief MassPointRelief BreaklineRelief RasterRelief
    GenericCityObject GenericOccupiedSpace GenericUnoccupiedSpace GenericLogicalSpace CityObjectGroup
    """.split()  # noqa: SIM905
)
MEMBERS = frozenset(
    """
    cityObjectMember featureMember featureMembers member versionMember versionTransitionMember appearanceMember
    """.split()  # noqa: SIM905
)
"""Children of the root that hold city objects and what belongs to them."""


class Part(IntEnum):
    """What an element inside a geometry does."""

    POLYGON = 1
    PATCH = 2
    HOLDER = 3
    RING = 4
    POSITIONS = 5
    POSITION = 6
    COORDINATES = 7
    LINK = 8
    REVERSIBLE = 9
    CURVE = 10
    POINT = 11
    GRID = 12
    GROUP = 13


_PARTS = {
    "Polygon": Part.POLYGON,
    **dict.fromkeys(("PolygonPatch", "Triangle", "Rectangle"), Part.PATCH),
    **dict.fromkeys(("Surface", "TriangulatedSurface", "Tin", "PolyhedralSurface"), Part.HOLDER),
    "Ring": Part.RING,
    "posList": Part.POSITIONS,
    "pos": Part.POSITION,
    "coordinates": Part.COORDINATES,
    **dict.fromkeys(("surfaceMember", "baseSurface", "solidMember", "geometryMember", "exterior", "interior"), Part.LINK),
    "OrientableSurface": Part.REVERSIBLE,
    **dict.fromkeys(("LineString", "LineStringSegment", "Arc", "Circle", "ArcString", "OrientableCurve"), Part.CURVE),
    "Point": Part.POINT,
    **dict.fromkeys(("MultiSurface", "CompositeSurface", "Shell", "Solid", "CompositeSolid", "MultiSolid"), Part.GROUP),
    **dict.fromkeys(("RectifiedGridCoverage", "RectifiedGrid", "Grid"), Part.GRID),
}
PARTS = {f"{prefix}{name}": int(part) for prefix in (*(f"{{{uri}}}" for uri in GML), "") for name, part in _PARTS.items()}
GROUPS = frozenset(tag for tag, part in PARTS.items() if part == Part.GROUP)
GEOMETRIES = frozenset(
    """
    Solid MultiSolid CompositeSolid MultiSurface CompositeSurface Polygon Surface OrientableSurface TriangulatedSurface Tin
    PolyhedralSurface MultiGeometry GeometricComplex MultiCurve CompositeCurve LineString Curve OrientableCurve MultiLineString
    MultiPoint Point MultiPolygon
    """.split()  # noqa: SIM905
)


class Role(IntEnum):
    """What a property of a city object holds."""

    OTHER = 0
    SKIP = 1
    GEOMETRY = 2
    IMPLICIT = 3
    RELIEF = 4
    GENERIC = 5
    ADDRESS = 6
    GROUP_MEMBER = 7
    ENVELOPE = 8


@dataclass(frozen=True, slots=True)
class Property:
    """A property name taken apart.

    Attributes
    ----------
    role : Role
    name : str
        Local name.
    lod : str
        Level of detail the name speaks of; empty when it does not.
    is_extension : bool
        It belongs to no namespace of CityGML or GML.
    is_shape : bool
        It holds or places a geometry of its owner.
    """

    role: int
    name: str
    lod: str
    is_extension: bool
    is_shape: bool


_LOD = re.compile(r"lod([0-4])")
_ROLES = {
    **dict.fromkeys(("appearance", "metaDataProperty", "extent"), Role.SKIP),
    **dict.fromkeys(("tin", "reliefPoints", "ridgeOrValleyLines", "breaklines", "grid"), Role.RELIEF),
    **dict.fromkeys(
        ("stringAttribute", "intAttribute", "doubleAttribute", "dateAttribute", "uriAttribute", "measureAttribute"), Role.GENERIC
    ),
    **dict.fromkeys(("genericAttributeSet", "genericAttribute"), Role.GENERIC),
    "address": Role.ADDRESS,
    "groupMember": Role.GROUP_MEMBER,
}


def split_tag(tag: str) -> tuple[str, str]:
    """Return namespace and local name of a tag; a prefix that nobody declared counts as neither."""
    uri, _, name = tag.rpartition("}")
    return uri[1:], name.rpartition(":")[2]


class _Properties(dict[str, Property]):
    """Property of each tag met so far."""

    def __missing__(self, tag: str) -> Property:
        found = self[tag] = _property_of(tag)
        return found


class _LocalNames(dict[str, str]):
    """Local name of each tag met so far."""

    def __missing__(self, tag: str) -> str:
        name = self[tag] = split_tag(tag)[1]
        return name


def _property_of(tag: str) -> Property:
    """Return what the property called ``tag`` holds."""
    uri, name = split_tag(tag)
    is_extension = bool(uri) and "opengis.net/" not in uri and "citygml.org/" not in uri and "xAL" not in uri
    role, lod = int(_ROLES.get(name, Role.OTHER)), ""
    if name == "boundedBy" and uri in GML:
        role = int(Role.ENVELOPE)
    elif found := _LOD.match(name):
        role, lod = int(Role.IMPLICIT if "Implicit" in name else Role.GEOMETRY), found[1]
    return Property(role, name, lod, is_extension, role in (Role.GEOMETRY, Role.IMPLICIT, Role.RELIEF))


# Names of a file are few, whatever its size; those that anybody may invent are in files that somebody trusts enough to open.
PROPERTIES = _Properties()
LOCAL_NAMES = _LocalNames()
