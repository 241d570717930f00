"""Sources too large to be held whole: tiled once, in the background, and streamed from then on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cimdesk.base.crs import Crs
from cimdesk.base.errors import CimdeskError, DataError, Problem, Severity
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, Progress, SynchronousRunner
from cimdesk.base.paths import cache_dir
from cimdesk.commands.session import Session
from cimdesk.commands.tiled import address_of
from cimdesk.commands.tiling_child import tile_apart
from cimdesk.formats import geoparquet, registry, vector
from cimdesk.formats.extrusion import height_among
from cimdesk.formats.registry import Source
from cimdesk.formats.tiles3d_stated import stated_plan
from cimdesk.model.layers import TILED_FROM, Layer
from cimdesk.services.tiling.states import states_of

TILE_FROM = 100 << 20
"""Size from which a city model is tiled instead of held in memory [bytes]; packed files count three times."""
MODELS_FROM = 300 << 20
"""The same of models and IFC, that have fewer objects in as many bytes."""
OUTLINES_FROM = 100_000
"""Outlines from which their buildings are tiled: raised in memory, 300,000 take 1.2 GB before anything of them is drawn."""
OUTLINES_HELD = 300_000
"""Outlines with heights from which a file is added as buildings at once: held as outlines, they take 1.3 kB each."""
OSM_FROM, OSM_PLAIN = 48 << 20, 8
"""Size from which a packed file of OpenStreetMap is tiled [bytes], and how many times that it is as plain text."""
SMALL_FILE = 16 << 20
"""No file of so many outlines is smaller [bytes]."""
BLOCK = 4 << 20
FORMATS = ("CityJSON", "CityJSONSeq", "CityGML")
MODELS = ("IFC", "Mesh")
TILED_HOW = "tiled_how"
"""Option of a layer: the record of `How` its tiles were made."""


@dataclass(frozen=True)
class How:
    """What decides on the tiles of a file, besides the file.

    Attributes
    ----------
    crs : str
        System of a file that names none.
    part : str
        The only table of it that is tiled; empty for all.
    extrusion : dict
        Record of how outlines are raised; empty for as it seems right.
    grounds : str
        File with the heights on which outlines stand.
    """

    crs: str = ""
    part: str = ""
    extrusion: Mapping[str, Any] | None = None
    grounds: str = ""

    def to_record(self) -> dict[str, Any]:
        """Return the form kept with a layer."""
        return {name: value for name, value in asdict(self).items() if value}

    @staticmethod
    def of(options: Mapping[str, Any]) -> How:
        """Return how the tiles of the layer with these options were made."""
        said = options.get(TILED_HOW)
        if not isinstance(said, Mapping):
            return How()
        return How(**{name: said[name] for name in ("crs", "part", "extrusion", "grounds") if name in said})


@dataclass(frozen=True)
class Made:
    """Tiles of a file.

    Attributes
    ----------
    folder : Path
    problems : list of Problem
        What was wrong with the file; known only when the tiles are new.
    is_new : bool
        Whether they were made just now.
    """

    folder: Path
    problems: list[Problem]
    is_new: bool


def streams(session: Session) -> bool:
    """Return whether tiles may come bit by bit: with a window there is somebody to look at them, on the command line not."""
    return not isinstance(session.runner, SynchronousRunner)


def tiles_folder(session: Session) -> Path:
    """Return where tiles of a project's large sources are kept: beside the project, else in the cache."""
    path = session.path
    if path is None or session.is_scratch or not os.access(path.parent, os.W_OK):
        return cache_dir() / "tiles"
    return path.parent / f"{path.stem}_tiles"


@dataclass(frozen=True)
class Parts:
    """Which tables of a file are tiled, and which are held as ever; an empty name is the whole file."""

    tiled: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


def is_large(path: Path, crs: Crs | None = None) -> bool:
    """Return whether something in a file is too large to be held whole, and can be tiled; see `parts_of`."""
    return bool(parts_of(path, crs).tiled)


def parts_of(path: Path, crs: Crs | None = None) -> Parts:
    """Return what of a file is too large to be held whole, and can be tiled.

    Parameters
    ----------
    crs : Crs or None
        What the person says of a file that names no system: a model that lies nowhere has to be placed by hand, which is
        possible only while it is held whole.
    """
    whole, nothing = Parts(("",)), Parts()
    if address_of(path) is not None or not path.is_file():
        return nothing
    size = path.stat().st_size * (3 if path.suffix.lower() == ".gz" else 1)
    if size < min(TILE_FROM, MODELS_FROM, SMALL_FILE):
        return nothing
    name = registry.reader_for(path).name
    if name in FORMATS:
        return whole if size >= TILE_FROM else nothing
    if name in MODELS:
        is_placed = crs is not None or (name == "IFC" and _is_placed_ifc(path))
        return whole if size >= MODELS_FROM and is_placed else nothing
    try:
        return _parts_of_outlines(path, name) if size >= SMALL_FILE else nothing
    except CimdeskError:
        return nothing


def _parts_of_outlines(path: Path, name: str) -> Parts:
    if name == "GeoParquet":
        found = geoparquet.row_counts(path)
        return Parts(("",)) if found.rows >= OUTLINES_HELD and height_among(found.columns) else Parts()
    if name != "Vector":
        return Parts()
    if vector.is_osm(path):
        return Parts(("",)) if is_large_osm(path) else Parts()
    tables = vector.row_tables(path)
    large = [table.name for table in tables if is_large_table(table)]
    if len(tables) == 1 and large:
        return Parts(("",))
    return Parts(tuple(large), tuple(table.name for table in tables if table.name not in large and table.rows) if large else ())


def is_large_osm(path: Path) -> bool:
    """Return whether a file of OpenStreetMap is so large that its buildings alone are added."""
    return vector.is_osm(path) and path.stat().st_size >= OSM_FROM * (1 if path.suffix.lower() == ".pbf" else OSM_PLAIN)


def is_large_table(table: vector.RowTable) -> bool:
    """Return whether a table has so many outlines with heights that they are added as buildings."""
    return table.may_have_areas and table.rows >= OUTLINES_HELD and bool(height_among(table.columns))


def _is_placed_ifc(path: Path) -> bool:
    """Return whether an IFC file says where on earth it lies."""
    before = b""
    with path.open("rb") as file:
        # Block by block: a long search would hold up the window.
        while block := file.read(BLOCK):
            if b"IFCMAPCONVERSION" in before + block:
                return True
            before = block[-32:]
    return False


def tile_once(path: Path, out: Path, how: How, progress: Progress, cancel: CancelToken) -> Made:
    """Return the tiles of a file, made now in the folder ``out`` unless they are there already.

    Raises
    ------
    CimdeskError
        If the file cannot be tiled. A run that was cancelled goes on the next time.
    """
    plan = plan_of(path, how)
    if stated_plan(out) == plan:
        return Made(out, [], False)

    def told(fraction: float | None, text: str = "") -> None:
        progress(fraction, tr("Tiling: {step}").format(step=tr(text)) if text else "")

    return Made(out, tile_apart(path, out, how.to_record(), plan, told, cancel), True)


def place_of_tiles(path: Path, folder: Path, how: How) -> Path:
    """Return the folder in which the tiles of a file are, or will be: one for each system, table and way of raising it."""
    said = [str(path.resolve()), *([how.crs, how.part, how.extrusion] if how.crs or how.part or how.extrusion else [])]
    key = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:8]
    return folder / f"{stem_of(path)}-{key}"


def plan_of(path: Path, how: How) -> str:
    """Return what tells tiles of a file as it is now from those of an earlier one."""
    return hashlib.sha256(json.dumps([states_of(path), how.to_record()], sort_keys=True).encode()).hexdigest()


def named_after(source: Source, path: Path, how: How) -> Source:
    """Return the source of a tileset under the name of the file it was made of."""
    options = {**source.options, TILED_FROM: str(path.absolute()), TILED_HOW: how.to_record()}
    return replace(source, name=how.part or stem_of(path), options=options)


def source_file(layer: Layer) -> Path | None:
    """Return the file that the tiles of a layer were made of, when it is there; None for other layers."""
    said = layer.options.get(TILED_FROM)
    path = Path(str(said)) if said else None
    return path if path is not None and path.is_file() else None


def missing_tiles(layer: Layer, tiles: Path) -> DataError | None:
    """Return what is said when the tiles of a layer are gone and the file they were made of is not."""
    path = source_file(layer)
    if path is None or tiles.exists():
        return None
    remedy = "City > Read again tiles it anew."
    if How.of(layer.options).grounds:
        remedy = "Extrude the outlines again."
    return DataError(tiles, "the tiles are gone; {name}, of which they were made, is there.", remedy=remedy, name=path.name)


def is_outdated(layer: Layer, tiles: Path) -> bool:
    """Return whether the file that a layer's tiles were made of is there, and they are not, or are of an earlier state of it."""
    path = source_file(layer)
    return path is not None and stated_plan(tiles) != plan_of(path, How.of(layer.options))


def changed_since(layer: Layer) -> Problem:
    """Return what is said of a layer whose file has changed since its tiles were made."""
    template = "{name} has changed since its tiles were made. City > Read again tiles it anew."
    if How.of(layer.options).grounds:
        template = "{name} has changed since its buildings were made. Extrude the outlines again."
    return Problem(Severity.WARNING, "tiles-outdated", layer.name, template, {"name": Path(str(layer.options[TILED_FROM])).name})


def stem_of(path: Path) -> str:
    """Return the name of a file without what tells its format."""
    name = path.name
    for suffix in (".gz", ".json", ".jsonl", ".ndjson", ".gml", ".xml", ".cityjson", ".citygml", ".city"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    return name if name != path.name else path.stem
