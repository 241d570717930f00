"""Write a layer, or some features of it, to a file whose suffix names the format.

What comes from a CityJSON file and goes to CityJSON is copied from that file, so that nothing is lost that arrays do not hold; what
was decided in the project since - stages when asked for, buildings set down on the ground - is merged into it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.crs import Crs
from cimdesk.base.errors import CimdeskError, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress, no_progress
from cimdesk.commands.export_files import (
    ExportPlan,
    as_vector,
    write_city,
    write_model,
    write_terrain,
    write_tiles,
    write_vector,
)
from cimdesk.commands.ground import LIFT
from cimdesk.commands.session import Session
from cimdesk.commands.tiled import address_of
from cimdesk.formats.cityjson import Excerpt
from cimdesk.model.city import CityModel
from cimdesk.model.features import VectorLayer
from cimdesk.model.flood import FloodResult
from cimdesk.model.imagery import Imagery
from cimdesk.model.layers import TILED_FROM, Layer
from cimdesk.model.lifecycle import Stage
from cimdesk.model.points import PointCloud
from cimdesk.model.terrain import Terrain
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData

__all__ = ["FORMAT_NAMES", "ExportOptions", "as_vector", "export_job", "export_layer", "formats_for"]

STAGE_COLUMN = "lifecycle_stage"
TILES_FOLDER = ""
"""What stands for the suffix of a folder of 3D Tiles."""
CITY_SUFFIXES = (".city.json", ".city.jsonl", ".glb", TILES_FOLDER, ".3tz")
VECTOR_SUFFIXES = (".gpkg", ".geojson", ".csv")
TERRAIN_SUFFIXES = (".tif", ".asc")
FORMAT_NAMES = {
    ".city.json": "CityJSON", ".city.jsonl": "CityJSONSeq", ".glb": "GLB", TILES_FOLDER: "3D Tiles", ".3tz": "3D Tiles (3tz)",
    ".gpkg": "GeoPackage", ".geojson": "GeoJSON", ".csv": "CSV", ".tif": "GeoTIFF", ".asc": "ASCII grid",
}  # fmt: skip
_SPELLINGS = {".json": ".city.json", ".jsonl": ".city.jsonl", ".tiff": ".tif"}
_EXACT = ("CityJSON", "CityJSONSeq")
MOST_NAMED = 3
"""Identifiers named in a message."""
_TILEABLE = (*_EXACT, "CityGML")


@dataclass(frozen=True)
class ExportOptions:
    """What of a layer is written, and how.

    Attributes
    ----------
    ids : collection of str or None
        Only these features; None for all.
    stages : bool
        Whether the stage of each asset at the clock's time is written as an attribute.
    project_crs : bool
        Whether CityJSON is written in the project's system as well; else it keeps the one of its file.
    """

    ids: Collection[str] | None = None
    stages: bool = False
    project_crs: bool = False


def formats_for(data: LayerData | None) -> tuple[str, ...]:
    """Return the suffixes in which a layer's data can be written, the most telling first; none for what cannot be exported."""
    if data is None or isinstance(data, FloodResult | Imagery | PointCloud):
        return ()
    if isinstance(data, CityModel | TiledCity):
        return (*CITY_SUFFIXES, *VECTOR_SUFFIXES)
    return TERRAIN_SUFFIXES if isinstance(data, Terrain) else VECTOR_SUFFIXES


def export_layer(
    session: Session,
    layer_id: str,
    path: Path,
    options: ExportOptions | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> int:
    """Write a layer's features to ``path`` now; return how many were written.

    Parameters
    ----------
    path : Path
        Its suffix names the format; a folder, a name without a suffix or ``tileset.json`` means 3D Tiles. What is there stays whole
        until the new file is.

    Raises
    ------
    UsageError
        If the layer cannot be written in the format of that suffix.
    DataError
        If the file cannot be written.
    """
    plan, write = _planned(session, layer_id, path, options or ExportOptions())
    return write(plan, progress, cancel or CancelToken())


def export_job(session: Session, layer_id: str, path: Path, options: ExportOptions, done: Callable[[int], object]) -> JobSpec[int]:
    """Return the job that writes a layer; what it writes is gathered now. Raises as `export_layer`."""
    plan, write = _planned(session, layer_id, path, options)

    def work(progress: Progress, cancel: CancelToken) -> int:
        return write(plan, progress, cancel)

    return JobSpec(tr("Exporting {name}").format(name=path.name), work, done)


Writer = Callable[[ExportPlan, Progress, CancelToken], int]


def _planned(session: Session, layer_id: str, path: Path, options: ExportOptions) -> tuple[ExportPlan, Writer]:
    workspace = session.workspace
    layer = workspace.layer(layer_id)
    data = workspace.data(layer_id)
    if data is None:
        reason = workspace.unavailable(layer_id)
        raise UsageError("Layer {name} has no data to export. {reason}", name=layer.name, reason=reason)
    writer = _writer_for(data, path)
    if _located(session, layer.source) == path.resolve():
        raise UsageError("{name} is the file this layer is read from; choose another name.", name=str(path))
    ids = None if options.ids is None else frozenset(options.ids)
    features = data.features if isinstance(data, CityModel | VectorLayer) else None
    if ids and features is not None and ids.isdisjoint(features.ids):
        named = ", ".join(sorted(ids)[:MOST_NAMED])
        raise UsageError("Layer {name} has no feature {ids}.", name=layer.name, ids=named)
    columns = _stage_columns(session, layer_id) if options.stages else {}
    chosen = Crs.parse(layer.crs)
    crs = workspace.frame.crs if workspace.frame is not None and workspace.frame.crs is not None else chosen
    excerpt = _excerpt(data, ids, columns, chosen)
    source = None if options.project_crs else _source_of(session, layer, _EXACT)
    plain = excerpt.ids is None and not excerpt.attributes and not excerpt.lifts
    tiles_from = _source_of(session, layer, _TILEABLE) if plain and not options.project_crs else None
    return ExportPlan(path, data, crs, ids, columns, source, excerpt, tiles_from, chosen), writer


def _writer_for(data: LayerData, path: Path) -> Writer:
    """Return what writes the format that a path names; raises UsageError for one that the data cannot have."""
    suffixes = formats_for(data)
    if not suffixes:
        raise UsageError("A layer of this kind cannot be exported.")
    suffix = path.suffix.lower()
    suffix = TILES_FOLDER if path.name.lower() == "tileset.json" or path.is_dir() else _SPELLINGS.get(suffix, suffix)
    if suffix not in suffixes:
        raise UsageError(
            "A layer of this kind cannot be written as {suffix}; it can be written as {choices}.",
            suffix=path.suffix or path.name,
            choices=", ".join(each for each in suffixes if each),
        )
    if suffix in (TILES_FOLDER, ".3tz"):
        return write_tiles
    if suffix == ".glb":
        return write_model
    if suffix in CITY_SUFFIXES:
        return write_city
    return write_terrain if isinstance(data, Terrain) else write_vector


def _source_of(session: Session, layer: Layer, formats: tuple[str, ...]) -> Path | None:
    """Return the file a layer is read from, or its tiles were made of, when it is there and of one of these formats."""
    from cimdesk.formats import registry

    path = _located(session, str(layer.options.get(TILED_FROM) or layer.source))
    if path is None or not path.is_file():
        return None
    try:
        return path if registry.reader_for(path).name in formats else None
    except CimdeskError:
        return None


def _located(session: Session, source: str) -> Path | None:
    path = Path(source)
    return None if not source or address_of(path) is not None else (session.base_dir / path).resolve()


def _excerpt(data: LayerData, ids: frozenset[str] | None, columns: dict[str, AnyArray], crs: Crs | None) -> Excerpt:
    """Return what is copied of the source: the edits of the project as changes to it."""
    if not isinstance(data, CityModel | TiledCity):
        return Excerpt()
    features = (data.city if isinstance(data, TiledCity) else data).features
    attributes: dict[str, dict[str, object]] = {}
    for name, values in columns.items():
        for row in np.flatnonzero(values != None).tolist():  # noqa: E711 - element by element
            attributes.setdefault(str(features.ids[row]), {})[name] = values[row]
    lifts: dict[str, float] = {}
    if LIFT in features.columns:
        raised = np.nan_to_num(np.asarray(features.columns[LIFT], dtype=np.float64))
        lifts = {str(features.ids[row]): float(raised[row]) for row in np.flatnonzero(raised).tolist()}
    return Excerpt(ids, attributes, lifts, crs)


def _stage_columns(session: Session, layer_id: str) -> dict[str, AnyArray]:
    """Return the stage of each feature at the clock's time, None where nobody knows it."""
    table = session.workspace.features(layer_id)
    if table is None:
        return {}
    codes = session.workspace.stages.codes(layer_id, table.ids, session.clock.time or np.inf)
    column = np.full(len(table), None, dtype=object)
    for code in np.unique(codes).tolist():
        if code != Stage.UNKNOWN:
            column[codes == code] = Stage(code).code
    return {STAGE_COLUMN: column} if (codes != Stage.UNKNOWN).any() else {}
