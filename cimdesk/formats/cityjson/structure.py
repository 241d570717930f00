"""What CityJSON text looks like, as typed structures; and decoding it part by part, so that one bad part costs only itself."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

T = TypeVar("T")
Index = Annotated[int, Meta(ge=-(2**62), le=2**62)]
Ring = list[Index]
Surfaces = list[list[Ring]]
Vertex = tuple[float, float, float]
SERIALS = itertools.count()

NESTING = {
    "MultiPoint": -1, "MultiLineString": 0, "MultiSurface": 1, "CompositeSurface": 1,
    "Solid": 2, "MultiSolid": 3, "CompositeSolid": 3,
}  # fmt: skip
"""Lists around the list of surfaces, itself included: 1 is a list of surfaces, 2 of shells, 3 of solids."""


class Geometry(Struct, gc=False):
    """One geometry of a city object; what depends on its type stays text until then."""

    type: str = ""
    lod: str | float | None = None
    boundaries: Raw = Raw()
    semantics: Raw = Raw()
    material: Raw = Raw()
    texture: Raw = Raw()
    template: int | None = None
    transformation: Raw = field(default_factory=Raw, name="transformationMatrix")


class CityObject(Struct, gc=False):
    """One city object. ``serial`` counts objects as they are decoded: more of them than ids show one that came twice."""

    type: str = ""
    geometry: list[Geometry] | None = None
    attributes: dict[str, Any] | None = None
    parents: list[str] | None = None
    children: list[str] | None = None
    members: list[str] | None = None
    address: Raw = Raw()
    serial: int = field(default_factory=SERIALS.__next__, name="@serial")


class Templates(Struct, gc=False):
    """Geometries that instances refer to, in coordinates of their own."""

    templates: list[Geometry] | None = None
    vertices: Raw = field(default_factory=Raw, name="vertices-templates")


class SemanticSurface(Struct, gc=False):
    """What a surface is; its attributes are not kept."""

    type: str = ""


class Semantics(Struct, gc=False):
    """Kinds of surfaces, and which surface is of which kind."""

    surfaces: Raw = Raw()
    values: Raw = Raw()


class MaterialUse(Struct, gc=False):
    """Material of a whole geometry (``value``) or of each of its surfaces (``values``) in one theme."""

    value: int | None = None
    values: Raw = Raw()


class Feature(Struct, gc=False):
    """One line of a CityJSON sequence, header or feature."""

    type: str = ""
    objects: dict[str, CityObject] | None = field(default=None, name="CityObjects")
    vertices: Raw = Raw()
    id: str = ""
    appearance: Raw = Raw()


class Batch(Generic[T]):
    """Decoder of many small texts of one type at the price of one.

    Parameters
    ----------
    kind : type
        Of each text.
    """

    def __init__(self, kind: Any) -> None:
        self._one = msgspec.json.Decoder(kind)
        self._many = msgspec.json.Decoder(list[kind])

    def decode(self, texts: Sequence[Raw | bytes]) -> tuple[list[T | None], dict[int, str]]:
        """Return the values of ``texts``, None for the bad ones, and what is wrong with those by their position."""
        try:
            return self._many.decode(b"[" + b",".join(texts) + b"]"), {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._one_by_one(texts)

    def _one_by_one(self, texts: Sequence[Raw | bytes]) -> tuple[list[T | None], dict[int, str]]:
        values: list[T | None] = []
        wrong: dict[int, str] = {}
        for position, text in enumerate(texts):
            try:
                values.append(self._one.decode(text))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                values.append(None)
                wrong[position] = str(error)
        return values, wrong


PARTS: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])
OBJECTS: msgspec.json.Decoder[dict[str, CityObject]] = msgspec.json.Decoder(dict[str, CityObject])
OBJECT: msgspec.json.Decoder[CityObject] = msgspec.json.Decoder(CityObject)
FEATURE: msgspec.json.Decoder[Feature] = msgspec.json.Decoder(Feature)
VERTICES: msgspec.json.Decoder[list[Vertex]] = msgspec.json.Decoder(list[Vertex])
TEMPLATES: msgspec.json.Decoder[Templates] = msgspec.json.Decoder(Templates)
SEMANTICS: Batch[Semantics] = Batch(Semantics)
SEMANTIC_SURFACES: Batch[list[SemanticSurface] | None] = Batch(list[SemanticSurface] | None)
MATERIALS: Batch[dict[str, MaterialUse]] = Batch(dict[str, MaterialUse])
BOUNDARIES: dict[int, Batch[list[Any]]] = {
    -1: Batch(list[Index]), 0: Batch(list[Ring]), 1: Batch(Surfaces), 2: Batch(list[Surfaces]), 3: Batch(list[list[Surfaces]]),
}  # fmt: skip
VALUES: dict[int, Batch[list[Any]]] = {
    1: Batch(list[Index | None] | None),
    2: Batch(list[list[Index | None]] | None),
    3: Batch(list[list[list[Index | None]]] | None),
}  # fmt: skip


def decode_any(text: Raw | bytes | None) -> Any:
    """Return the value of a text, None when it is missing or bad."""
    if text is None or not bytes(text):
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
