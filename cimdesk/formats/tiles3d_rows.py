"""Tiles as they are found: growing lists of rows, what is still to be added to them, and what is still to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_list
from cimdesk.formats.tiles3d_entities import Entities
from cimdesk.formats.tiles3d_paths import TilePlace
from cimdesk.formats.tiles3d_volumes import Volume

MAX_TILES = 1_000_000


@dataclass
class TileTree:
    """Tiles as growing lists, parents before children.

    Attributes
    ----------
    parent, geometric_error, replaces, centres, radii, rises, contents, transforms : list
        As in `Tileset`; centres are in tileset coordinates.
    axes : list of (3, 3) float64
        Half axes of a box around each tile, in tileset coordinates.
    is_geocentric : bool
        Whether a region or a place on the globe says that tileset coordinates are earth-centred.
    requests : dict of int to ((4, 3) float64, bool)
        Volumes the eye must be in for a row to be shown, as `request_volume` gives them.
    described : dict of (int, str) to dict
        Metadata of a tile, its content and the content's group, by row and reference.
    entity : dict
        Metadata of the tileset that was opened.
    crs : Crs or None
        Projected system the tileset says it came from.
    missing : list of str
    external, implicit_roots, explicit : int
        Counts of what was followed.
    explicit_here : int
        Tiles written in the opened file itself.
    """

    parent: list[int] = field(default_factory=list)
    geometric_error: list[float] = field(default_factory=list)
    replaces: list[bool] = field(default_factory=list)
    centres: list[Float] = field(default_factory=list)
    radii: list[float] = field(default_factory=list)
    rises: list[float] = field(default_factory=list)
    axes: list[Float] = field(default_factory=list)
    contents: list[tuple[str, ...]] = field(default_factory=list)
    transforms: list[Float] = field(default_factory=list)
    is_geocentric: bool = False
    requests: dict[int, tuple[Float, bool]] = field(default_factory=dict)
    described: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    entity: dict[str, Any] = field(default_factory=dict)
    crs: Crs | None = None
    missing: list[str] = field(default_factory=list)
    external: int = 0
    implicit_roots: int = 0
    explicit: int = 0
    explicit_here: int = 0

    def add(self, parent: int, error: float, replaces: bool, volume: Volume, contents: tuple[str, ...], matrix: Float) -> int:
        """Add one tile and return its row."""
        self.parent.append(parent)
        self.geometric_error.append(error)
        self.replaces.append(replaces)
        self.centres.append(volume[0])
        self.radii.append(volume[1])
        self.rises.append(volume[2])
        self.axes.append(volume[3])
        self.contents.append(contents)
        self.transforms.append(matrix)
        return len(self.parent) - 1

    def volume(self, row: int) -> Volume:
        """Return the volume of a tile."""
        return self.centres[row], self.radii[row], self.rises[row], self.axes[row]


@dataclass(frozen=True)
class Pending:
    """A tile still to be added, with what it inherits."""

    tile: Mapping[str, Any]
    parent: int
    replaces: bool
    matrix: Float
    parent_error: float
    base: str
    where: str
    entities: Entities


@dataclass(frozen=True)
class Stub:
    """What is read on below a row: the file it needs first, and how to go on."""

    reference: str
    limit: int
    follow: Callable[[], None]


class Growing(Protocol):
    """A tree that tiles are being added to: `TreeReader`."""

    folder: TilePlace
    findings: Findings
    tree: TileTree
    is_full: bool

    @property
    def has_room(self) -> bool: ...
    def stop(self) -> None: ...
    def put_off(self, row: int, stub: Stub) -> None: ...
    def sorted_references(self, uris: list[Any], at: Pending) -> tuple[tuple[str, ...], list[str]]: ...
    def follow(self, nested: list[str], row: int, trail: tuple[str, ...]) -> None: ...
    def request(self, row: int, tile: Mapping[str, Any], matrix: Float, where: str) -> None: ...


def content_entries(tile: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of a tile's contents, those of the extension of 1.0 too."""
    several = as_dict(as_dict(tile.get("extensions")).get("3DTILES_multiple_contents"))
    found = [tile.get("content"), *as_list(tile.get("contents")), *as_list(several.get("contents", several.get("content")))]
    return [each for each in found if isinstance(each, dict)]
