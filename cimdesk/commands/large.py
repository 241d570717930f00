"""City models too large to be held whole: tiled once, in the background, and streamed from then on."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from cimdesk.base.crs import Crs
from cimdesk.base.errors import Problem
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, Progress
from cimdesk.base.paths import cache_dir
from cimdesk.commands.session import Session
from cimdesk.commands.tiled import address_of
from cimdesk.commands.tiling import tile_files
from cimdesk.formats import registry
from cimdesk.formats.registry import Source
from cimdesk.formats.tiles3d_stated import stated_plan

TILE_FROM = 100 << 20
"""Size from which a city model is tiled instead of held in memory [bytes]; packed files count three times."""
FORMATS = ("CityJSON", "CityJSONSeq", "CityGML")
FORM = 2
"""Of the tiles: those of an earlier one are made anew when their file is added again. Far blocks had no attributes in the first."""
TILED_FROM = "tiled_from"
"""Option of a layer: the file its tiles were made of."""


def tiles_folder(session: Session) -> Path:
    """Return where tiles of a project's large sources are kept: beside the project, else in the cache."""
    path = session.path
    return path.parent / f"{path.stem}_tiles" if path and not session.is_scratch else cache_dir() / "tiles"


def is_large_city(path: Path) -> bool:
    """Return whether a file is a city model that should be tiled."""
    if address_of(path) is not None or not path.is_file():
        return False
    size = path.stat().st_size * (3 if path.suffix.lower() == ".gz" else 1)
    return size >= TILE_FROM and registry.reader_for(path).name in FORMATS


def tile_once(path: Path, folder: Path, crs: Crs | None, progress: Progress, cancel: CancelToken) -> tuple[Path, list[Problem]]:
    """Return the tileset of a file, made now unless it is there already; and what was wrong with the file.

    Raises
    ------
    CimdeskError
        If the file cannot be tiled. A run that was cancelled goes on the next time.
    """
    state = path.stat()
    said = f"{FORM}\n{path.resolve()}\n{state.st_size}\n{state.st_mtime_ns}\n{crs.definition if crs else ''}"
    plan = hashlib.sha256(said.encode()).hexdigest()
    where = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    out = folder / f"{_stem(path)}-{where}"
    if stated_plan(out) == plan:
        return out, []

    def told(fraction: float | None, text: str = "") -> None:
        progress(fraction, tr("Tiling {name}").format(name=path.name))

    folder.mkdir(parents=True, exist_ok=True)
    result = tile_files([path], out, crs, progress=told, cancel=cancel, plan=plan)
    return out, result.problems


def named_after(source: Source, path: Path) -> Source:
    """Return the source of a tileset under the name of the file it was made of."""
    return replace(source, name=_stem(path), options={**source.options, TILED_FROM: str(path)})


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (".gz", ".json", ".jsonl", ".ndjson", ".gml", ".xml", ".cityjson", ".citygml", ".city"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    return name
