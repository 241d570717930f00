"""Where an IFC file says it lies on earth, as plain values. Runs in the reading process."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.formats.ifc.content import library

CONVERSION = (
    "Eastings",
    "Northings",
    "OrthogonalHeight",
    "XAxisAbscissa",
    "XAxisOrdinate",
    "Scale",
    "FactorX",
    "FactorY",
    "FactorZ",
)
SYSTEM = ("Name", "Description", "GeodeticDatum", "VerticalDatum", "MapProjection", "MapZone")
# IFC 2x3 has no entities for this; the sets are by the buildingSMART agreement of 2017 and in use under both spellings.
_SETS = ("epset_mapconversion", "epset_projectedcrs")


def georeference_of(file: Any) -> dict[str, Any]:
    """Return what a file says of its place.

    Returns
    -------
    dict
        ``conversion`` and ``system`` by the names of their entities, ``map_unit`` [m], ``rigid`` (offsets), ``wcs`` (4 x 4),
        ``true_north`` (x, y), ``latitude``, ``longitude`` [degrees], ``elevation`` and ``site`` (placement of the site) [project
        unit]; what is not said is missing.
    """
    said: dict[str, Any] = {}
    _add_entities(file, said)
    if "conversion" not in said:
        _add_sets(file, said)
    for context in file.by_type("IfcGeometricRepresentationContext", include_subtypes=False):
        if context.ContextType == "Model" or "wcs" not in said:
            said["wcs"] = _placement(context.WorldCoordinateSystem).tolist()
            north = getattr(context.TrueNorth, "DirectionRatios", None)
            if north and len(north) >= 2 and (north[0] or north[1]):
                said["true_north"] = [float(north[0]), float(north[1])]
    for site in file.by_type("IfcSite"):
        latitude, longitude = _degrees(site.RefLatitude), _degrees(site.RefLongitude)
        if latitude is not None and longitude is not None:
            said |= {"latitude": latitude, "longitude": longitude, "elevation": float(site.RefElevation or 0.0)}
            said["site"] = _site_placement(site)
            break
    return said


def _add_entities(file: Any, said: dict[str, Any]) -> None:
    for kind in ("IfcMapConversion", "IfcRigidOperation"):
        try:
            found = file.by_type(kind)
        except RuntimeError:  # the schema has no such class
            continue
        for operation in found:
            target = operation.TargetCRS
            if target is not None:
                said["system"] = {key: value for key in SYSTEM if isinstance(value := getattr(target, key, None), str)}
                if unit := getattr(target, "MapUnit", None):
                    said["map_unit"] = _unit_of(unit)
            if kind == "IfcMapConversion":
                said["conversion"] = {
                    key: float(value) for key in CONVERSION if isinstance(value := getattr(operation, key, None), int | float)
                }
            else:
                offsets = [getattr(operation, key, None) for key in ("FirstCoordinate", "SecondCoordinate", "Height")]
                said["rigid"] = [float(getattr(value, "wrappedValue", value) or 0.0) for value in offsets]
            return


def _add_sets(file: Any, said: dict[str, Any]) -> None:
    for relation in file.by_type("IfcRelDefinesByProperties"):
        definition = relation.RelatingPropertyDefinition
        name = str(getattr(definition, "Name", "") or "").lower()
        if name not in _SETS or not definition.is_a("IfcPropertySet"):
            continue
        values = {}
        for each in definition.HasProperties or ():
            if each.is_a("IfcPropertySingleValue") and each.NominalValue is not None:
                values[each.Name] = each.NominalValue.wrappedValue
        if name == "epset_mapconversion":
            said["conversion"] = {key: number for key in CONVERSION if (number := _number(values.get(key))) is not None}
        else:
            said["system"] = {key: str(values[key]) for key in SYSTEM if key in values}
            said["map_unit"] = {"FOOT": 0.3048, "MILLIMETRE": 0.001}.get(str(values.get("MapUnit", "")).upper(), 1.0)


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _unit_of(unit: Any) -> float:
    """Return metres in a named unit."""
    scale = 1.0
    if unit.is_a("IfcConversionBasedUnit"):
        scale = float(unit.ConversionFactor.ValueComponent.wrappedValue)
        unit = unit.ConversionFactor.UnitComponent
    prefix = getattr(unit, "Prefix", None)
    return scale * float(library("util.unit").get_prefix_multiplier(prefix) if prefix else 1.0)


def _degrees(parts: Any) -> float | None:
    """Return degrees of ``(degrees, minutes, seconds, millionths)``, which all have the sign of the whole."""
    if not parts or len(parts) < 3:
        return None
    value = sum(part / scale for part, scale in zip(parts, (1.0, 60.0, 3600.0, 3.6e9), strict=False))
    return float(value)


def _placement(placement: Any) -> Any:
    try:
        return np.asarray(library("util.placement").get_axis2placement(placement), dtype=np.float64)
    except (AttributeError, TypeError, ValueError):
        return np.eye(4)


def _site_placement(site: Any) -> list[list[float]]:
    try:
        matrix = np.asarray(library("util.placement").get_local_placement(site.ObjectPlacement), dtype=np.float64)
    except (AttributeError, TypeError, ValueError):
        matrix = np.eye(4)
    rows: list[list[float]] = matrix.tolist()
    return rows
