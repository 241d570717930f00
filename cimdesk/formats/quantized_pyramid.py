"""Pyramids of quantized-mesh tiles (``layer.json``) as a source of elevations, from a folder or a server."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.quantized_mesh import BrokenTileError, decode_tile, tile_grid
from cimdesk.formats.tiles3d_paths import BrokenPart, TilePlace
from cimdesk.model.elevation import PatchSampler, Rectangle, bilinear, resampled

Address: TypeAlias = tuple[int, int, int]
"""Level, column from the west, row from the south."""
TILE_BYTES = 64 << 20
GRID_BYTES = 48 << 20
"""Bytes of decoded tiles that are kept."""
SAMPLES = 64
"""Lines along a tile that its mesh is worth, for choosing the level."""
METRES_PER_DEGREE = 111_320.0
NODES = 33
"""Points along a side at which windows are transformed; between them it is linear."""
MAX_DEGREES = 12.0
"""Widest area that is opened as one terrain."""
MAX_LEVEL = 24
VERTICAL = "WGS 84 ellipsoid"
FLAT_NAME = "{z}_{x}_{y}.terrain"
"""Name of a tile that was saved by itself."""


@dataclass(frozen=True)
class TileLayer:
    """What ``layer.json`` says.

    Attributes
    ----------
    templates : tuple of str
    version : str
    is_mercator : bool
    from_north : bool
        Whether rows are counted from the north.
    first, last : int
        Levels.
    bounds : Rectangle
        Degrees.
    available : tuple of tuples of (start x, start y, end x, end y)
        By level; empty where the file does not say.
    extensions : tuple of str
    attribution : str
    """

    templates: tuple[str, ...]
    version: str
    is_mercator: bool
    from_north: bool
    first: int
    last: int
    bounds: Rectangle
    available: tuple[tuple[tuple[int, int, int, int], ...], ...]
    extensions: tuple[str, ...]
    attribution: str

    @staticmethod
    def parse(said: Mapping[str, Any]) -> TileLayer:
        """Return the layer of a decoded file; raises ValueError where it makes no sense."""
        templates = tuple(str(each) for each in said.get("tiles") or ())
        if not templates or not str(said.get("format", "")).startswith("quantized-mesh"):
            raise ValueError("tiles")
        available = tuple(
            tuple((int(r["startX"]), int(r["startY"]), int(r["endX"]), int(r["endY"])) for r in level)
            for level in said.get("available") or ()
        )
        last = int(said.get("maxzoom", len(available) - 1 if available else MAX_LEVEL))
        west, south, east, north = (float(value) for value in said.get("bounds") or (-180.0, -90.0, 180.0, 90.0))
        return TileLayer(
            templates,
            str(said.get("version", "")),
            "3857" in str(said.get("projection", "EPSG:4326")),
            str(said.get("scheme", "tms")).lower() in ("slippymap", "xyz"),
            max(0, int(said.get("minzoom", 0))),
            min(max(last, 0), MAX_LEVEL),
            (west, south, east, north),
            available,
            tuple(str(each) for each in said.get("extensions") or ()),
            str(said.get("attribution") or ""),
        )

    def counts(self, level: int) -> tuple[int, int]:
        """Return columns and rows of a level."""
        return (1 << level, 1 << level) if self.is_mercator else (2 << level, 1 << level)

    def address(self, degrees: Float, level: int) -> tuple[Float, Float]:
        """Return fractional columns and rows from the south of (N, 2) longitudes and latitudes."""
        columns, rows = self.counts(level)
        x = (degrees[:, 0] + 180.0) / 360.0 * columns
        if self.is_mercator:
            latitude = np.radians(np.clip(degrees[:, 1], -85.051, 85.051))
            y = (np.log(np.tan(np.pi / 4 + latitude / 2)) / np.pi + 1.0) / 2.0 * rows
        else:
            y = (degrees[:, 1] + 90.0) / 180.0 * rows
        return x, y

    def rectangle(self, address: Address) -> Rectangle:
        """Return west, south, east, north of a tile [degrees]."""
        level, x, y = address
        columns, rows = self.counts(level)
        west, east = x / columns * 360.0 - 180.0, (x + 1) / columns * 360.0 - 180.0
        if self.is_mercator:
            south, north = (float(np.degrees(2 * np.arctan(np.exp(np.pi * (2 * k / rows - 1))) - np.pi / 2)) for k in (y, y + 1))
        else:
            south, north = y / rows * 180.0 - 90.0, (y + 1) / rows * 180.0 - 90.0
        return west, south, east, north

    def may_have(self, address: Address) -> bool:
        """Return false for tiles that the file says do not exist."""
        level, x, y = address
        if not self.first <= level <= self.last:
            return False
        if not self.available:
            return True
        if level >= len(self.available):
            return False
        return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in self.available[level])

    def uri(self, address: Address, template: str) -> str:
        """Return the address of a tile's file."""
        level, x, y = address
        row = self.counts(level)[1] - 1 - y if self.from_north else y
        named = {"{z}": level, "{x}": x, "{y}": row, "{reverseY}": self.counts(level)[1] - 1 - row, "{version}": self.version}
        for name, value in named.items():
            template = template.replace(name, str(value))
        return template


@dataclass
class TileMeshes:
    """The tiles themselves, decoded to grids; shared by all views of a layer.

    Attributes
    ----------
    place : TilePlace
    base : str
        What references are relative to.
    layer : TileLayer
    """

    place: TilePlace
    base: str
    layer: TileLayer
    _grids: OrderedDict[Address, Float32 | None] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def grid(self, address: Address) -> Float32 | None:
        """Return (n, n) heights over a tile, row 0 north; None when it cannot be had."""
        with self._lock:
            if address in self._grids:
                self._grids.move_to_end(address)
                return self._grids[address]
        grid = self._fetched(address) if self.layer.may_have(address) else None
        with self._lock:
            self._grids[address] = grid
            self._bytes += 64 if grid is None else grid.nbytes
            while self._bytes > GRID_BYTES:
                _, old = self._grids.popitem(last=False)
                self._bytes -= 64 if old is None else old.nbytes
        return grid

    def finest(self, address: Address) -> tuple[Address, Float32] | None:
        """Return the tile, or the nearest coarser one that there is."""
        level, x, y = address
        while level >= self.layer.first:
            grid = self.grid((level, x, y))
            if grid is not None:
                return (level, x, y), grid
            level, x, y = level - 1, x // 2, y // 2
        return None

    def _fetched(self, address: Address) -> Float32 | None:
        for template in self.layer.templates:
            try:
                reference = self.place.reference(self.layer.uri(address, template), self.base)
                if not self.place.exists(reference):
                    continue
                return tile_grid(decode_tile(self.place.read(reference, TILE_BYTES)))
            except (BrokenPart, BrokenTileError):
                continue
        return None


@dataclass
class QuantizedMeshSource:
    """Elevations of a tile pyramid.

    Attributes
    ----------
    meshes : TileMeshes
    degrees : Rectangle
        What is to be shown.
    deepest : int
        Finest level.
    target : Crs or None
        System to read in; None for longitude and latitude.
    offset : float
    """

    meshes: TileMeshes
    degrees: Rectangle
    deepest: int
    target: Crs | None = None
    offset: float = 0.0
    is_quick = False
    vertical = VERTICAL

    @cached_property
    def bounds(self) -> Float:
        """(2, 3) bounds; heights unknown."""
        west, south, east, north = self.degrees
        x, y = np.meshgrid(np.linspace(west, east, NODES), np.linspace(south, north, NODES))
        points = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
        if self.target is not None:
            points = Crs.epsg(4326).transform(self.target, points)
        points = points[np.isfinite(points).all(axis=1)]
        return np.array([[*points[:, :2].min(axis=0), np.nan], [*points[:, :2].max(axis=0), np.nan]])

    @cached_property
    def cell(self) -> float:
        """Spacing that the finest tiles are worth."""
        degrees = 360.0 / self.meshes.layer.counts(self.deepest)[0] / SAMPLES
        return degrees if self.target is None else degrees * METRES_PER_DEGREE

    @cached_property
    def _sampler(self) -> PatchSampler:
        return PatchSampler(self.read, float(self.bounds[0, 0]), float(self.bounds[1, 1]), self.cell)

    def sample(self, xy: Float) -> Float:
        """Return (N,) heights at world points."""
        return self._sampler.sample(xy)

    def raised(self, offset: float) -> QuantizedMeshSource:
        """Return the same with all heights higher."""
        return replace(self, offset=self.offset + offset)

    def aimed(self, crs: Crs | None, target: Crs) -> QuantizedMeshSource:
        """Return the same in another system."""
        return replace(self, target=target)

    def read(self, area: Rectangle, rows: int, columns: int) -> Float32:
        """Return (rows, columns) heights at the centres of equal cells over ``area``; NaN where there is no tile."""
        spacing = min((area[2] - area[0]) / columns, (area[3] - area[1]) / rows)
        level = self._level(spacing)
        degrees = self._degrees(area, rows, columns)
        west, south, east, north = self.degrees
        edge = 1e-7
        x, y = self.meshes.layer.address(degrees, level)
        inside = (degrees[:, 0] >= west - edge) & (degrees[:, 0] <= east + edge)
        inside &= (degrees[:, 1] >= south - edge) & (degrees[:, 1] <= north + edge)
        out = np.full(rows * columns, np.nan)
        self._fill(out, np.flatnonzero(inside), x, y, level)
        return (out + self.offset).astype(np.float32).reshape(rows, columns)

    def _fill(self, out: Float, known: Int, x: Float, y: Float, level: int) -> None:
        if not len(known):
            return
        columns, rows = self.meshes.layer.counts(level)
        column = np.clip(np.floor(x[known]), 0, columns - 1).astype(np.int64)
        row = np.clip(np.floor(y[known]), 0, rows - 1).astype(np.int64)
        keys, group = np.unique(column * (1 << 31) + row, return_inverse=True)
        for k, key in enumerate(keys.tolist()):
            found = self.meshes.finest((level, key >> 31, key & ((1 << 31) - 1)))
            if found is None:
                continue
            (at, tile_x, tile_y), grid = found
            part = known[group == k]
            scale = 2.0 ** (at - level)
            side = grid.shape[0] - 1
            u, v = x[part] * scale - tile_x, y[part] * scale - tile_y
            out[part] = bilinear(grid, (1.0 - v) * side, u * side)

    def _level(self, spacing: float) -> int:
        metres = spacing if self.target is not None else spacing * METRES_PER_DEGREE
        columns = 360.0 * METRES_PER_DEGREE / (SAMPLES * max(metres, 1e-6))
        level = int(np.ceil(np.log2(max(columns, 1.0)) - 0.1)) - (0 if self.meshes.layer.is_mercator else 1)
        return int(np.clip(level, self.meshes.layer.first, self.deepest))

    def _degrees(self, area: Rectangle, rows: int, columns: int) -> Float:
        """Return (rows * columns, 2) longitudes and latitudes of cell centres."""
        west, south, east, north = area
        step_x, step_y = (east - west) / columns, (north - south) / rows
        x, y = west + (np.arange(columns) + 0.5) * step_x, north - (np.arange(rows) + 0.5) * step_y
        if self.target is None:
            return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        nodes_x, nodes_y = np.linspace(x[0], x[-1], NODES), np.linspace(y[0], y[-1], NODES)
        mesh = np.stack(np.meshgrid(nodes_x, nodes_y), axis=-1).reshape(-1, 2)
        there = self.target.transform(Crs.epsg(4326), np.column_stack([mesh, np.zeros(len(mesh))]))
        lines = np.linspace(0.0, NODES - 1.0, rows), np.linspace(0.0, NODES - 1.0, columns)
        # Differences to the first node, for float32 would not resolve degrees to a metre.
        first = there[0, :2]
        parts = [resampled((there[:, k] - first[k]).astype(np.float32).reshape(NODES, NODES), *lines) for k in range(2)]
        return np.stack(parts, axis=-1).reshape(-1, 2).astype(np.float64) + first


def open_layer(
    place: TilePlace,
    name: str,
    present: Sequence[Address] = (),
    window: Sequence[float] | None = None,
    path: Path | None = None,
) -> QuantizedMeshSource:
    """Return the source of a ``layer.json``.

    Parameters
    ----------
    place : TilePlace
    name : str
        Reference of the file.
    present : sequence of Address
        Tiles that lie in the folder, rows counted as their names do; empty for a server.
    path : Path or None
        Named in errors.
    window : west, south, east, north, optional
        Part to open [degrees].

    Raises
    ------
    DataError
        If it is no quantized-mesh layer, has no tiles, or covers more than can be one terrain.
    """
    layer = _layer_of(place, name, path)
    if layer.from_north:
        present = [(z, x, layer.counts(z)[1] - 1 - y) for z, x, y in present]
    layer = replace(layer, templates=(*layer.templates, FLAT_NAME)) if place.knows_files else layer
    meshes = TileMeshes(place, place.base_of(name), layer)
    found = _found(present, layer) if place.knows_files else _stated(layer)
    if found is None and not place.knows_files:
        found = layer.bounds, layer.last
    if found is None:
        raise DataError(
            path,
            "none of the terrain tiles that it describes is there; it holds no elevations itself.",
            where=name[-120:],
            remedy="Open the folder with its tiles, or ask the provider for the terrain as GeoTIFF.",
        )
    bounds, deepest = found
    if window:
        west, south, east, north = (float(value) for value in window)
        bounds = max(west, bounds[0]), max(south, bounds[1]), min(east, bounds[2]), min(north, bounds[3])
    if bounds[2] - bounds[0] > MAX_DEGREES or bounds[3] - bounds[1] > MAX_DEGREES or bounds[2] <= bounds[0]:
        raise DataError(
            path,
            "the terrain covers {extent} degrees; only a part of the globe can be one terrain.",
            where=name[-120:],
            remedy="Give west, south, east and north of the part as the option window.",
            extent=" × ".join(f"{value:.4g}" for value in (bounds[2] - bounds[0], bounds[3] - bounds[1])),
        )
    return QuantizedMeshSource(meshes, bounds, deepest)


def _layer_of(place: TilePlace, name: str, path: Path | None) -> TileLayer:
    try:
        return TileLayer.parse(json.loads(place.read(name, TILE_BYTES).decode("utf-8-sig")))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            path,
            "this describes terrain tiles that are no quantized meshes; it holds no elevations itself.",
            where=name[-120:],
            remedy="Ask the provider for quantized-mesh tiles, or for the terrain as GeoTIFF.",
        ) from error


def _stated(layer: TileLayer) -> tuple[Rectangle, int] | None:
    """Return bounds and finest level that the file says: its own bounds where they are a part of the globe, else the tiles'."""
    for level in range(min(layer.last, len(layer.available) - 1), layer.first - 1, -1):
        ranges = layer.available[level]
        if not ranges:
            continue
        if layer.bounds[2] - layer.bounds[0] < 180.0:
            return layer.bounds, level
        low = layer.rectangle((level, min(r[0] for r in ranges), min(r[1] for r in ranges)))
        high = layer.rectangle((level, max(r[2] for r in ranges), max(r[3] for r in ranges)))
        return _common((low[0], low[1], high[2], high[3]), layer.bounds), level
    return None


def _found(addresses: Sequence[Address], layer: TileLayer) -> tuple[Rectangle, int] | None:
    """Return the bounds and level of the finest tiles that lie in a folder."""
    if not addresses:
        return None
    deepest = max(z for z, _, _ in addresses)
    boxes = np.array([layer.rectangle(each) for each in addresses if each[0] == deepest])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1])), deepest


def _common(a: Rectangle, b: Rectangle) -> Rectangle:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def lone_tile(place: TilePlace, address: Address) -> QuantizedMeshSource:
    """Return the source of one tile, whose name says where it lies in the geographic scheme."""
    level = address[0]
    layer = TileLayer((FLAT_NAME,), "", False, False, level, level, (-180.0, -90.0, 180.0, 90.0), (), (), "")
    return QuantizedMeshSource(TileMeshes(place, "", layer), layer.rectangle(address), level)
