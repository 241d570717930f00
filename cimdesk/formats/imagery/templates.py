"""Addresses with gaps: what stands in {z}, {x}, {y} and the other gaps of tile addresses for one tile."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from cimdesk.formats.imagery.grids import Level, Tile

_GAP = re.compile(r"\{([^{}]{1,60})\}")
_TILE_GAPS = {"x", "y", "-y", "q", "quadkey", "tilecol", "tilerow", "bbox-epsg-3857", "bbox"}


@dataclass(frozen=True)
class Template:
    """The address of tiles.

    Attributes
    ----------
    text : str
        With gaps such as ``{z}``, ``{x}``, ``{y}``, ``{-y}``, ``{q}``, ``{s}``, ``{switch:a,b}``, ``{r}``, ``{bbox}``,
        ``{TileMatrix}``, ``{TileRow}``, ``{TileCol}``.
    swaps : bool
        Whether a box is written with its y first, as WMS 1.3 wants for degrees.
    """

    text: str
    swaps: bool = False

    def address(self, level: Level, tile: Tile) -> str:
        """Return the address of a tile."""

        def fill(gap: re.Match[str]) -> str:
            return self._value(gap[1], level, tile)

        return _GAP.sub(fill, self.text)

    def _value(self, gap: str, level: Level, tile: Tile) -> str:
        name = gap.lower()
        if name in ("z", "zoom", "tilematrix"):
            return quote(level.name, safe=":")
        if name in ("x", "tilecol"):
            return str(tile.column)
        if name in ("y", "tilerow"):
            return str(tile.row)
        if name == "-y":
            return str(level.rows - 1 - tile.row)
        if name in ("q", "quadkey"):
            return quadkey(int(level.name), tile.column, tile.row)
        if name in ("bbox", "bbox-epsg-3857"):
            (west, south), (east, north) = level.box(tile.column, tile.row)
            order = (south, west, north, east) if self.swaps else (west, south, east, north)
            return ",".join(f"{float(value):.10g}" for value in order)
        if name == "s":
            return "abc"[(tile.column + tile.row) % 3]
        if name.startswith("switch:"):
            choices = gap.split(":", 1)[1].split(",")
            return choices[(tile.column + tile.row) % len(choices)]
        if name == "r":
            return ""
        return "{" + gap + "}"


def is_template(address: str) -> bool:
    """Return whether an address has the gaps of a tile address."""
    return bool({gap.lower() for gap in _GAP.findall(address)} & _TILE_GAPS)


def unknown_gaps(address: str) -> list[str]:
    """Return the gaps of a template that nothing is known for."""
    level = Level("0", 0.0, 0.0, 1.0, (256, 256), 1, 1)
    return _GAP.findall(Template(address).address(level, Tile(0, 0, 0)))


def quadkey(zoom: int, column: int, row: int) -> str:
    """Return the key of a tile in which each level adds a digit (Bing Maps)."""
    return "".join(str(((column >> k) & 1) + 2 * ((row >> k) & 1)) for k in range(zoom - 1, -1, -1))
