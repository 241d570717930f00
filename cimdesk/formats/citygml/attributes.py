"""Attributes of city objects: named properties, generic ones, measures, codes, addresses, and whatever extensions add."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from cimdesk.base.units import unit_conversion
from cimdesk.formats.citygml.codelists import Codelists
from cimdesk.formats.citygml.names import HREF, LOCAL_NAMES, PROPERTIES, Property

MAX_DEPTH = 24
MAX_TEXT = 20_000
INTEGERS = frozenset({"storeysAboveGround", "storeysBelowGround", "yearOfConstruction", "yearOfDemolition", "lod"})
# Project PLATEAU, product specification: numbers that stand for "not known".
UNKNOWN = {"measuredHeight": -9999.0, "storeysAboveGround": 9999, "storeysBelowGround": 9999}
RENAMED = {"conditionOfConstruction": "condition_of_construction"}
"""What the project's own tables call it."""
_ADDRESS_ORDER = (
    "Thoroughfare",
    "Premise",
    "PostCode",
    "PostalCode",
    "DependentLocality",
    "Locality",
    "AdministrativeArea",
    "Country",
)

Attributes = dict[str, Any]


@dataclass
class AttributeReader:
    """Turns property elements into attributes.

    Attributes
    ----------
    codelists : Codelists
    guessed : set of str
        Attributes of extensions whose type only their values tell.
    codes : set of str
        Attributes that hold codes of a code list, which stay text.
    """

    codelists: Codelists
    guessed: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)

    @staticmethod
    def beside(path: Path) -> AttributeReader:
        """Return a reader that looks for code lists beside the file ``path``."""
        return AttributeReader(Codelists(path))

    def read(self, element: Any, found: Property, attributes: Attributes) -> None:
        """Take a property that holds a value or values, however deep."""
        name = RENAMED.get(found.name, found.name)
        if not len(element):
            self._put(attributes, name, element, found.is_extension)
            return
        if name == "height":
            self._read_height(element, attributes)
        if name == "keyValuePairAttribute" and self._read_pair(element, attributes):
            return
        used = 1
        prefix = name
        while any(key.startswith(f"{prefix}.") for key in attributes):
            used += 1
            prefix = f"{name}.{used}"
        self._flatten(element, prefix, attributes, MAX_DEPTH)

    def read_generic(self, element: Any, attributes: Attributes, prefix: str = "", depth: int = MAX_DEPTH) -> None:
        """Take a generic attribute of any version, or a set of them."""
        kind = LOCAL_NAMES[element.tag]
        if kind == "genericAttribute":
            for child in element:
                self.read_generic(child, attributes, prefix, depth)
            return
        name, value, children = element.get("name"), None, []
        for child in element:
            part = LOCAL_NAMES[child.tag]
            if part == "name" and name is None:
                name = (child.text or "").strip()
            elif part == "value":
                value = child
            else:
                children.append(child)
        name = f"{prefix}{name or kind}"
        if kind in ("genericAttributeSet", "GenericAttributeSet"):
            for child in children if depth else ():
                self.read_generic(child, attributes, f"{name}.", depth - 1)
        elif value is not None:
            self._put_generic(attributes, name, kind.lower(), value)

    def _put_generic(self, attributes: Attributes, name: str, kind: str, value: Any) -> None:
        text = (value.text or "").strip()
        if kind.startswith("int"):
            attributes[name] = _integer(text)
        elif kind.startswith(("double", "measure")):
            self._put_measure(attributes, name, text, value.get("uom") or "")
        elif value.get("codeSpace"):
            self._put_code(attributes, name, text, value.get("codeSpace"))
        else:
            attributes[name] = text[:MAX_TEXT]

    def _flatten(self, element: Any, prefix: str, attributes: Attributes, depth: int) -> None:
        for child in element:
            name = LOCAL_NAMES[child.tag]
            # Objects begin with a capital and say only what kind of values follow.
            key = prefix if name[:1].isupper() else f"{prefix}.{name}"
            if not len(child):
                self._put(attributes, key, child, PROPERTIES[child.tag].is_extension)
            elif depth:
                self._flatten(child, key, attributes, depth - 1)

    def _put(self, attributes: Attributes, key: str, element: Any, is_extension: bool) -> None:
        text = (element.text or "").strip()
        if not text:
            text = (element.get(HREF) or "").removeprefix("#")
            if not text:
                return
        name = key.rpartition(".")[2]
        if unit := element.get("uom"):
            self._put_measure(attributes, key, text, unit)
        elif space := element.get("codeSpace"):
            self._put_code(attributes, key, text, space)
        elif name in INTEGERS:
            attributes.setdefault(key, _known(name, _integer(text[:4] if name.startswith("year") else text)))
        else:
            if is_extension:
                self.guessed.add(key)
            _append(attributes, key, text[:MAX_TEXT])

    def _put_measure(self, attributes: Attributes, key: str, text: str, unit: str) -> None:
        try:
            value = float(text)
        except ValueError:
            _append(attributes, key, text[:MAX_TEXT])
            return
        kept, factor, offset = _conversion(unit)
        if value == UNKNOWN.get(key):
            attributes.setdefault(key, None)
            return
        attributes.setdefault(key, value * factor + offset)
        if kept not in ("", "m", "1"):
            attributes[f"{key}.uom"] = kept

    def _put_code(self, attributes: Attributes, key: str, code: str, space: str) -> None:
        self.codes.add(key)
        _append(attributes, key, code)
        if text := self.codelists.text(space, code):
            _append(attributes, f"{key}.text", text)

    def _read_height(self, element: Any, attributes: Attributes) -> None:
        """Keep the height of CityGML 3 under the name it had before, which everything else looks for."""
        value = next((child for child in element.iter() if LOCAL_NAMES[child.tag] == "value"), None)
        if value is not None:
            self._put_measure(attributes, "measuredHeight", (value.text or "").strip(), value.get("uom") or "m")

    def _read_pair(self, element: Any, attributes: Attributes) -> bool:
        """Take a pair of key and value of i-UR as one attribute; return whether it is one."""
        parts = {LOCAL_NAMES[child.tag]: child for child in element.iter() if not len(child)}
        key = parts.pop("key", None)
        if key is None or len(parts) != 1 or not (name := (key.text or "").strip()):
            return False
        (value,) = parts.values()
        self._put(attributes, f"keyValuePairAttribute.{name}", value, True)
        return True


def address_text(element: Any) -> str:
    """Return an address as one line: street, code and place, country; xAL 2 and 3 both."""
    parts: dict[str, list[str]] = {}
    for leaf in element.iter():
        text = (leaf.text or "").strip()
        if not text or len(leaf) or PROPERTIES[leaf.tag].name in ("pos", "posList"):
            continue
        kind = ""
        for around in leaf.iterancestors():
            name = LOCAL_NAMES[around.tag]
            if name in _ADDRESS_ORDER:
                kind = name
                break
            if around is element:
                break
        found = parts.setdefault(kind, [])
        # The number follows the street, whichever the file writes first.
        found.insert(
            0
            if LOCAL_NAMES[leaf.tag] in ("ThoroughfareName", "NameElement") and kind == "Thoroughfare" and not _has_name(found)
            else len(found),
            text,
        )
    ordered = [" ".join(parts.pop(kind)) for kind in _ADDRESS_ORDER if kind in parts]
    return ", ".join(dict.fromkeys([*ordered, *(" ".join(rest) for rest in parts.values())]))


def _has_name(found: list[str]) -> bool:
    return any(not text[:1].isdigit() for text in found)


def _append(attributes: Attributes, key: str, text: str) -> None:
    before = attributes.get(key)
    attributes[key] = text if before is None else f"{before}; {text}"


def _integer(text: str) -> int | str | None:
    try:
        value = int(text)
    except ValueError:
        return text or None
    return value if abs(value) < 2**62 else text


def _known(name: str, value: Any) -> Any:
    return None if value == UNKNOWN.get(name, ()) else value


@lru_cache(maxsize=256)
def _conversion(unit: str) -> tuple[str, float, float]:
    return unit_conversion(_unit_name(unit)) if unit else ("", 1.0, 0.0)


def _unit_name(unit: str) -> str:
    """Return the unit of ``#m``, ``urn:adv:uom:m`` or ``http://www.opengis.net/def/uom/UCUM/0/m``."""
    name = unit.strip().rpartition("#")[2].rpartition(":")[2]
    if name.startswith("//") or "/uom/" in name:
        name = name.rpartition("/")[2]
    return {"9001": "m", "9002": "ft"}.get(name, name)
