"""Capabilities of WMTS 1.0 and WMS 1.1 and 1.3 -> what such a service offers, as addresses and grids of tiles."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.imagery.grids import Level, lonlat_box, web_mercator
from cimdesk.formats.imagery.templates import Template
from cimdesk.model.imagery import moved_bounds

PIXEL = 0.00028
"""Side of a pixel that scale denominators are said for [m]: OGC 07-057r7, 6.1."""
METRES_PER_DEGREE = math.pi * 6378137.0 / 180.0
PICTURES = ("image/png", "image/jpeg", "image/jpgpng", "image/webp", "image/png8", "image/jpg", "image/gif")
MAX_LAYERS = 5000
WMS_TILE = 512
WMS_ZOOMS = (0, 21)
MERCATORS = ("EPSG:3857", "EPSG:900913", "EPSG:102100", "EPSG:102113")


@dataclass(frozen=True)
class Offer:
    """One layer of a service that can be shown.

    Attributes
    ----------
    name, title, attribution : str
    template : Template
    crs : Crs
    bounds : (2, 2) float64
        In `crs`.
    levels : tuple of Level
    """

    name: str
    title: str
    attribution: str
    template: Template
    crs: Crs
    bounds: Float
    levels: tuple[Level, ...]


def offers_of(data: bytes, address: str) -> list[Offer]:
    """Return what a capabilities document offers.

    Parameters
    ----------
    data : bytes
    address : str
        Where it came from.

    Raises
    ------
    DataError
        If it is no capabilities document, or offers nothing that can be shown.
    """
    root = _parsed(data, address)
    kind = _local(root)
    if kind == "Capabilities":
        found = list(_wmts(root, address))
    elif kind in ("WMS_Capabilities", "WMT_MS_Capabilities"):
        found = list(_wms(root, address))
    else:
        raise DataError(address, "this is no list of maps, its content is <{name}>.", remedy="Check the address.", name=kind[:60])
    if not found:
        raise DataError(
            address,
            "the service offers no map that can be shown.",
            remedy="It needs layers as PNG, JPEG or WebP in a known reference system.",
        )
    return found[:MAX_LAYERS]


def _parsed(data: bytes, address: str) -> Any:
    from lxml import etree

    if b"<!ENTITY" in data:
        raise DataError(address, "the document defines entities, which can do harm; it is not read.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True)
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DataError(
            address, "the list of maps cannot be read ({reason}).", remedy="Check the address.", reason=str(error)[:120]
        ) from error


# --- WMTS -----------------------------------------------------------------------------------------------------------------


def _wmts(root: Any, address: str) -> Iterator[Offer]:
    grids = {_text(node, "Identifier"): node for node in _all(root, "TileMatrixSet") if _first(node, "TileMatrix") is not None}
    provider = _text(root, "ServiceIdentification/Title") or _text(root, "ServiceProvider/ProviderName")
    kvp = _kvp_address(root, address)
    for layer in _all(root, "Contents/Layer"):
        name = _text(layer, "Identifier")
        formats = [f for f in (_said(node) for node in _all(layer, "Format")) if f.split(";")[0] in PICTURES]
        matrices = _chosen_grid(layer, grids)
        if not name or not formats or matrices is None:
            continue
        grid_name, crs, levels = matrices
        template = _wmts_template(layer, name, grid_name, formats[0], kvp)
        if template is None:
            continue
        bounds = _wmts_bounds(layer, crs, levels)
        yield Offer(name, _text(layer, "Title") or name, provider, template, crs, bounds, levels)


def _chosen_grid(layer: Any, grids: dict[str, Any]) -> tuple[str, Crs, tuple[Level, ...]] | None:
    """Return the best of the grids of a layer: Web Mercator where there is one."""
    found = []
    for link in _all(layer, "TileMatrixSetLink"):
        name = _text(link, "TileMatrixSet")
        if name in grids:
            read = _grid(grids[name])
            if read is not None:
                found.append((name, *read))
    return min(found, key=lambda item: item[1].code != "EPSG:3857", default=None)


def _grid(node: Any) -> tuple[Crs, tuple[Level, ...]] | None:
    said = _text(node, "SupportedCRS")
    crs = Crs.epsg(3857) if any(f":{code[5:]}" in said for code in MERCATORS) else Crs.parse(said)
    if crs is None:
        return None
    swaps = _is_north_first(crs) and "CRS84" not in said
    unit = METRES_PER_DEGREE if crs.is_geographic else 1.0
    levels = []
    for matrix in _all(node, "TileMatrix"):
        try:
            corner = [float(value) for value in _text(matrix, "TopLeftCorner").split()][:2]
            west, north = corner[::-1] if swaps else corner
            pixel = float(_text(matrix, "ScaleDenominator")) * PIXEL / unit
            tile = int(_text(matrix, "TileWidth")), int(_text(matrix, "TileHeight"))
            size = int(_text(matrix, "MatrixWidth")), int(_text(matrix, "MatrixHeight"))
        except ValueError:
            continue
        if pixel > 0.0 and np.isfinite([west, north, pixel]).all() and all(0 < side <= 4096 for side in tile) and min(size) > 0:
            levels.append(Level(_text(matrix, "Identifier"), west, north, pixel, tile, *size))
    return (crs, tuple(sorted(levels, key=lambda level: -level.pixel))) if levels else None


def _wmts_template(layer: Any, name: str, grid: str, form: str, kvp: str) -> Template | None:
    style = next((_text(node, "Identifier") for node in _all(layer, "Style") if node.get("isDefault") == "true"), "")
    style = style or _text(layer, "Style/Identifier")
    for node in _all(layer, "ResourceURL"):
        if node.get("resourceType") == "tile" and (node.get("format") or form).split(";")[0] in PICTURES:
            text = _filled(node.get("template") or "", {"TileMatrixSet": grid, "Style": style})
            for dimension in _all(layer, "Dimension"):
                text = _filled(text, {_text(dimension, "Identifier"): _text(dimension, "Default")})
            return Template(text)
    if not kvp:
        return None
    query = urlencode(
        {
            "SERVICE": "WMTS",
            "REQUEST": "GetTile",
            "VERSION": "1.0.0",
            "LAYER": name,
            "STYLE": style,
            "FORMAT": form,
            "TILEMATRIXSET": grid,
        }
    )
    return Template(f"{_with_query(kvp, query)}&TILEMATRIX={{TileMatrix}}&TILEROW={{TileRow}}&TILECOL={{TileCol}}")


def _kvp_address(root: Any, address: str) -> str:
    for operation in _all(root, "OperationsMetadata/Operation"):
        if operation.get("name") == "GetTile":
            for get in _all(operation, "DCP/HTTP/Get"):
                allowed = [_said(value).upper() for value in _all(get, "Constraint/AllowedValues/Value")]
                if not allowed or "KVP" in allowed:
                    return str(get.get("{http://www.w3.org/1999/xlink}href") or "")
    return address.split("?", 1)[0] if "?" in address else ""


def _wmts_bounds(layer: Any, crs: Crs, levels: tuple[Level, ...]) -> Float:
    box = _first(layer, "WGS84BoundingBox")
    whole = np.array([levels[0].box(0, levels[0].rows - 1)[0], levels[0].box(levels[0].columns - 1, 0)[1]])
    if box is None:
        return whole
    try:
        low = [float(v) for v in _text(box, "LowerCorner").split()]
        high = [float(v) for v in _text(box, "UpperCorner").split()]
        return _from_degrees((low[0], low[1], high[0], high[1]), crs, whole)
    except (ValueError, IndexError):
        return whole


# --- WMS ------------------------------------------------------------------------------------------------------------------


def _wms(root: Any, address: str) -> Iterator[Offer]:
    version = root.get("version") or "1.3.0"
    request = _first(root, "Capability/Request/GetMap")
    if request is None:
        return
    get = _first(request, "DCPType/HTTP/Get/OnlineResource")
    base = (get.get("{http://www.w3.org/1999/xlink}href") if get is not None else "") or address.split("?", 1)[0]
    formats = [f for f in (_said(node) for node in _all(request, "Format")) if f.split(";")[0] in PICTURES]
    if not formats:
        return
    form = "image/png" if "image/png" in formats else formats[0]
    title = _text(root, "Service/Title")
    for layer, systems, box, credit in _wms_layers(_first(root, "Capability/Layer"), [], None, title):
        name = _text(layer, "Name")
        if name and box is not None:
            offer = _wms_offer(name, _text(layer, "Title") or name, credit, systems, box, base, version, form)
            if offer is not None:
                yield offer


def _wms_layers(
    layer: Any, systems: list[str], box: tuple[float, ...] | None, credit: str
) -> Iterator[tuple[Any, list[str], tuple[float, ...] | None, str]]:
    """Yield the layers of a tree with what they inherit: reference systems, extent in degrees, attribution."""
    if layer is None:
        return
    said = [_said(node) for tag in ("CRS", "SRS") for node in _all(layer, tag)]
    systems = [*systems, *(part for text in said for part in text.split())]
    box = _wms_box(layer) or box
    credit = _text(layer, "Attribution/Title") or credit
    yield layer, systems, box, credit
    for child in _all(layer, "Layer"):
        yield from _wms_layers(child, systems, box, credit)


def _wms_box(layer: Any) -> tuple[float, ...] | None:
    node, old = _first(layer, "EX_GeographicBoundingBox"), _first(layer, "LatLonBoundingBox")
    try:
        if node is not None:
            names = ("westBoundLongitude", "southBoundLatitude", "eastBoundLongitude", "northBoundLatitude")
            return tuple(float(_text(node, name)) for name in names)
        if old is not None:
            return tuple(float(old.get(name)) for name in ("minx", "miny", "maxx", "maxy"))
    except (TypeError, ValueError):
        pass
    return None


def _wms_offer(
    name: str, title: str, credit: str, systems: list[str], box: tuple[float, ...], base: str, version: str, form: str
) -> Offer | None:
    mercator = next((code for code in MERCATORS if code in systems), None)
    is_new = version.startswith("1.3")
    if mercator is not None:
        crs, code = Crs.epsg(3857), mercator
        levels = web_mercator(*WMS_ZOOMS, WMS_TILE)
    elif {"EPSG:4326", "CRS:84"} & set(systems):
        crs, code = Crs.epsg(4326), "CRS:84" if "CRS:84" in systems and is_new else "EPSG:4326"
        levels = tuple(
            Level(str(z), -180.0, 90.0, 180.0 / (WMS_TILE * 2**z), (WMS_TILE, WMS_TILE), 2 ** (z + 1), 2**z)
            for z in range(WMS_ZOOMS[1])
        )
    else:
        return None
    bounds = _from_degrees(
        box, crs, np.array([levels[0].box(0, levels[0].rows - 1)[0], levels[0].box(levels[0].columns - 1, 0)[1]])
    )
    query = urlencode(
        {
            "SERVICE": "WMS", "REQUEST": "GetMap", "VERSION": version, "LAYERS": name, "STYLES": "", "FORMAT": form,
            "TRANSPARENT": "TRUE", "CRS" if is_new else "SRS": code, "WIDTH": WMS_TILE, "HEIGHT": WMS_TILE,
        }
    )  # fmt: skip
    template = Template(f"{_with_query(base, query)}&BBOX={{bbox}}", swaps=is_new and code == "EPSG:4326")
    return Offer(name, title, credit, template, crs, bounds, levels)


def _from_degrees(box: tuple[float, ...], crs: Crs, whole: Float) -> Float:
    west, south, east, north = box
    if not (west < east and south < north):
        return whole
    if crs.code == "EPSG:3857":
        return lonlat_box(west, south, east, north)
    found = moved_bounds(np.array([[west, south], [east, north]]), Crs.epsg(4326), crs)
    return found if np.isfinite(found).all() else whole


# --- XML ------------------------------------------------------------------------------------------------------------------


def _is_north_first(crs: Crs) -> bool:
    return bool(crs.pyproj.axis_info and crs.pyproj.axis_info[0].direction == "north")


def _local(node: Any) -> str:
    tag = node.tag if isinstance(node.tag, str) else ""
    return tag.rsplit("}", 1)[-1]


def _all(node: Any, path: str) -> list[Any]:
    """Return the descendants along a path of local names."""
    found = [node]
    for name in path.split("/"):
        found = [child for parent in found for child in parent if _local(child) == name]
    if not found and "/" not in path:
        contents = [child for child in node if _local(child) == "Contents"]
        return [child for parent in contents for child in parent if _local(child) == path]
    return found


def _first(node: Any, path: str) -> Any:
    return next(iter(_all(node, path)), None)


def _text(node: Any, path: str) -> str:
    found = _first(node, path)
    return _said(found) if found is not None else ""


def _said(node: Any) -> str:
    return " ".join((node.text or "").split())


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = re.sub(r"\{" + re.escape(name) + r"\}", lambda _, v=value: v, text, flags=re.IGNORECASE)  # type: ignore[misc]
    return text


def _with_query(address: str, query: str) -> str:
    parts = urlsplit(address)
    asked = {name.upper() for name, _ in parse_qsl(query, keep_blank_values=True)}
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name.upper() not in asked]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "&".join(part for part in (urlencode(kept), query) if part), ""))
