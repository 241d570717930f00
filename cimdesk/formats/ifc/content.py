"""What an IFC file says about its products: classes, places in the structure, types, materials, properties and quantities.

Runs in the reading process.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

MAX_TEXT = 2000
MAX_DEPTH = 8
HOLES = ("IfcFeatureElementSubtraction", "IfcVirtualElement", "IfcPort", "IfcGrid")
"""Products that are no things of their own: they shape or connect others."""
DIRECT = ("Description", "ObjectType", "Tag", "LongName", "PredefinedType", "CompositionType", "UsageType", "Elevation", "Status")
_LENGTHS = frozenset({"IfcLengthMeasure", "IfcPositiveLengthMeasure", "IfcNonNegativeLengthMeasure"})
_MEASURES = {
    "IfcQuantityLength": "LENGTHUNIT", "IfcQuantityArea": "AREAUNIT", "IfcQuantityVolume": "VOLUMEUNIT",
    "IfcAreaMeasure": "AREAUNIT", "IfcVolumeMeasure": "VOLUMEUNIT", **dict.fromkeys(_LENGTHS, "LENGTHUNIT"),
}  # fmt: skip

Attributes = dict[str, Any]


def library(name: str) -> Any:
    """Return a module of IfcOpenShell, whose types are not complete."""
    return import_module(f"ifcopenshell.{name}")


def unit_scale(file: Any, kind: str) -> float:
    """Return how many metres (square, cubic) the project's unit of a kind is; 1 when it does not say."""
    try:
        return float(library("util.unit").calculate_unit_scale(file, kind))
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, IndexError):
        return 1.0


class Describer:
    """Everything about the products that is not geometry.

    Attributes
    ----------
    rows : list of dict
        One per product that is a thing: ``id`` (GlobalId) and its attributes.
    parents : list of int
        Row of what each is part of; -1 at the top.
    rows_by_id : dict of int to int
        Row by entity number.
    drawn : list of entities
        Products that have a shape.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._scales = {kind: unit_scale(file, kind) for kind in ("LENGTHUNIT", "AREAUNIT", "VOLUMEUNIT")}
        self._definitions: dict[int, Attributes] = {}
        self._above = self._structure()
        self._sets = self._related("IfcRelDefinesByProperties", "RelatingPropertyDefinition")
        self._types = self._related("IfcRelDefinesByType", "RelatingType")
        self._materials = self._related("IfcRelAssociatesMaterial", "RelatingMaterial")
        self._classes = self._related("IfcRelAssociatesClassification", "RelatingClassification")
        products = [product for product in file.by_type("IfcProduct") if not any(is_of(product, name) for name in HOLES)]
        self.rows_by_id = {product.id(): row for row, product in enumerate(products)}
        self.rows = [self._row(product) for product in products]
        self.parents = [self._parent(product) for product in products]
        self.drawn = [product for product in products if getattr(product, "Representation", None) is not None]

    def project(self) -> Attributes:
        """Return what is said of the whole."""
        found = self._file.by_type("IfcProject")
        return {} if not found else {key: text for key in ("Name", "LongName", "Description") if (text := _text(found[0], key))}

    def _related(self, relation: str, role: str) -> dict[int, list[Any]]:
        """Return what a kind of relation says of each object."""
        found: dict[int, list[Any]] = {}
        for each in self._file.by_type(relation):
            other = getattr(each, role, None)
            for thing in getattr(each, "RelatedObjects", None) or ():
                if other is not None:
                    found.setdefault(thing.id(), []).append(other)
        return found

    def _structure(self) -> dict[int, Any]:
        """Return what each thing is directly part of, hosted by or contained in."""
        above: dict[int, Any] = {}
        for relation, one, many in (
            ("IfcRelContainedInSpatialStructure", "RelatingStructure", "RelatedElements"),
            ("IfcRelVoidsElement", "RelatingBuildingElement", "RelatedOpeningElement"),
            ("IfcRelNests", "RelatingObject", "RelatedObjects"),
            ("IfcRelAggregates", "RelatingObject", "RelatedObjects"),
        ):
            for each in self._file.by_type(relation):
                part = getattr(each, many, None)
                for thing in part if isinstance(part, tuple) else (part,):
                    if thing is not None and getattr(each, one, None) is not None:
                        above[thing.id()] = getattr(each, one)
        for each in self._file.by_type("IfcRelFillsElement"):
            # A door belongs to its storey; only where that is not said, to the wall its opening is in.
            if each.RelatedBuildingElement is not None and each.RelatingOpeningElement is not None:
                above.setdefault(each.RelatedBuildingElement.id(), each.RelatingOpeningElement)
        return above

    def _parent(self, product: Any) -> int:
        """Return the row of what a product is part of, up to its building, bridge or road; sites have no parts."""
        above = self._above.get(product.id())
        for _ in range(MAX_DEPTH):
            if above is None or above.is_a("IfcSite") or above.is_a("IfcProject"):
                return -1
            if (row := self.rows_by_id.get(above.id())) is not None:
                return row
            above = self._above.get(above.id())
        return -1

    def _row(self, product: Any) -> Attributes:
        row: Attributes = {"id": _text(product, "GlobalId") or f"#{product.id()}", "type": product.is_a()}
        if name := _text(product, "Name"):
            row["name"] = name
        for key in DIRECT:
            value = _plain(getattr(product, key, None))
            if value not in (None, "", "NOTDEFINED"):
                row[key[0].lower() + key[1:]] = value * self._scales["LENGTHUNIT"] if key == "Elevation" else value
        self._add_place(product, row)
        for kind in self._types.get(product.id(), ()):
            row["typeName"] = _text(kind, "Name") or kind.is_a()
            for definition in getattr(kind, "HasPropertySets", None) or ():
                row.update(self._definition(definition))
        if names := self._material_names(product):
            row["material"] = "; ".join(names)
        for each in self._classes.get(product.id(), ()):
            code = _text(each, "Identification") or _text(each, "ItemReference")
            text = " ".join(part for part in (code, _text(each, "Name")) if part)
            if text:
                row["classification"] = f"{row['classification']}; {text}" if "classification" in row else text
        for definition in self._sets.get(product.id(), ()):
            # Several at once are a set of definitions (IFC 4).
            for each in definition if isinstance(definition, tuple) else (definition,):
                row.update(self._definition(each))
        return row

    def _add_place(self, product: Any, row: Attributes) -> None:
        """Write storey, space, building or facility and site of a product into its row."""
        above: Any = self._above.get(product.id())
        for _ in range(4 * MAX_DEPTH):
            if above is None:
                return
            name = _text(above, "Name") or _text(above, "LongName") or above.is_a()
            for kind, key in (
                ("IfcBuildingStorey", "storey"), ("IfcSpace", "space"), ("IfcBuilding", "building"),
                ("IfcFacilityPart", "facilityPart"),
                ("IfcFacility", "facility"), ("IfcSite", "site"),
            ):  # fmt: skip
                if is_of(above, kind):
                    row.setdefault(key, name)
                    if key == "storey" and isinstance(getattr(above, "Elevation", None), float):
                        row.setdefault("storeyElevation", round(above.Elevation * self._scales["LENGTHUNIT"], 4))
                    break
            above = self._above.get(above.id())

    def _material_names(self, product: Any) -> list[str]:
        found: list[str] = []
        kinds = self._types.get(product.id(), ())
        given = self._materials.get(product.id()) or [m for kind in kinds for m in self._materials.get(kind.id(), ())]
        for material in given:
            _collect_materials(material, found, MAX_DEPTH)
        return list(dict.fromkeys(found))

    def _definition(self, definition: Any) -> Attributes:
        """Return the properties or quantities of a set, by ``Set.Name``; SI for lengths, areas and volumes."""
        key = definition.id()
        if key not in self._definitions:
            said: Attributes = {}
            name = _text(definition, "Name") or definition.is_a()
            if definition.is_a("IfcPropertySet"):
                for each in definition.HasProperties or ():
                    self._add_property(each, name, said, MAX_DEPTH)
            elif definition.is_a("IfcElementQuantity"):
                for each in definition.Quantities or ():
                    self._add_quantity(each, name, said, MAX_DEPTH)
            self._definitions[key] = said
        return self._definitions[key]

    def _add_property(self, each: Any, prefix: str, said: Attributes, depth: int) -> None:
        name = f"{prefix}.{_text(each, 'Name')}"
        if each.is_a("IfcPropertySingleValue"):
            value = self._value(each.NominalValue, each.Unit)
        elif each.is_a("IfcPropertyEnumeratedValue"):
            value = self._joined(each.EnumerationValues)
        elif each.is_a("IfcPropertyListValue"):
            value = self._joined(each.ListValues)
        elif each.is_a("IfcPropertyBoundedValue"):
            low, high = (self._value(side, each.Unit) for side in (each.LowerBoundValue, each.UpperBoundValue))
            value = f"{'' if low is None else low} – {'' if high is None else high}"
        elif each.is_a("IfcComplexProperty") and depth:
            for part in each.HasProperties or ():
                self._add_property(part, name, said, depth - 1)
            return
        else:
            return
        if value not in (None, ""):
            said[name] = value

    def _add_quantity(self, each: Any, prefix: str, said: Attributes, depth: int) -> None:
        name = f"{prefix}.{_text(each, 'Name')}"
        if each.is_a("IfcPhysicalComplexQuantity"):
            for part in (each.HasQuantities or ()) if depth else ():
                self._add_quantity(part, name, said, depth - 1)
            return
        value = each[3] if len(each) > 3 else None
        if isinstance(value, int | float):
            scale = self._scales.get(_MEASURES.get(each.is_a(), ""), 1.0) if each.Unit is None else 1.0
            said[name] = round(value * scale, 9)

    def _joined(self, values: Any) -> str:
        return "; ".join(str(value) for each in values or () if (value := self._value(each, None)) is not None)

    def _value(self, measure: Any, unit: Any) -> Any:
        if measure is None:
            return None
        value = _plain(measure.wrappedValue)
        kind = _MEASURES.get(measure.is_a())
        if kind and unit is None and isinstance(value, float):
            return round(value * self._scales[kind], 9)
        return value


def _collect_materials(material: Any, found: list[str], depth: int) -> None:
    """Collect the names of a material, its layers, profiles and parts."""
    if material is None or not depth:
        return
    name = _text(material, "Name") or _text(material, "LayerSetName") if material.is_a("IfcMaterial") else ""
    if name:
        found.append(name)
    for key in (
        "ForLayerSet", "ForProfileSet", "MaterialLayers", "MaterialProfiles", "MaterialConstituents", "Materials", "Material",
    ):  # fmt: skip
        part = getattr(material, key, None)
        for each in part if isinstance(part, tuple) else (part,):
            _collect_materials(each, found, depth - 1)


def is_of(entity: Any, kind: str) -> bool:
    """Return whether an entity is of a class, which its schema may not have."""
    try:
        return bool(entity.is_a(kind))
    except RuntimeError:  # a class that this schema does not have
        return False


def _text(entity: Any, key: str) -> str:
    value = getattr(entity, key, None)
    return " ".join(value.split())[:MAX_TEXT] if isinstance(value, str) else ""


def _plain(value: Any) -> Any:
    """Return a value as text, number or truth; None for entities and nothing."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value.strip()[:MAX_TEXT]
    if isinstance(value, tuple) and value and all(isinstance(part, str | int | float) for part in value):
        return "; ".join(map(str, value))[:MAX_TEXT]
    return None
