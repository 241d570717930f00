"""Single glTF and GLB models as city models, read as tiles are: instances, features with properties, packed meshes, points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf import document_of
from cimdesk.formats.gltf_json import as_dict, number_list
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.formats.tiles3d import projected_by_contents
from cimdesk.formats.tiles3d_city import build_city
from cimdesk.formats.tiles3d_content import ContentReader, TileContent
from cimdesk.formats.tiles3d_paths import CONTENT_BYTES, BrokenPart, TilesetFolder
from cimdesk.formats.tiles3d_points import points_source
from cimdesk.model.city import CityModel
from cimdesk.model.features import as_strings
from cimdesk.model.layers import LayerKind
from cimdesk.model.workspace import bounds_of

LOD = "3"
GENERATOR = "cimdesk"
_REMEDY = "Export it again, or convert it with another program."


def read_model(path: Path, options: ReadOptions) -> ReadResult:
    """Read a glTF or GLB file that is no tile: one object for each feature, else for each node.

    Parameters
    ----------
    path : Path
    options : ReadOptions

    Raises
    ------
    DataError
        If it has neither triangles nor points that can be used.
    """
    findings = Findings()
    place, name = TilesetFolder.of(path), path.resolve().name
    contents = ContentReader(place, findings, by_node=True).read(name, np.eye(4))
    options.cancel.raise_if_cancelled()
    asset = _asset_of(place, name)
    opened = [(path.stem, content) for content in contents]
    system = projected_by_contents(opened)
    sources: list[Source] = []
    counts = {"meshes": 0, "triangles": 0}
    city = _city_of(opened, system, _origin_of(asset))
    if len(city.meshes[LOD].triangles):
        counts = {"meshes": len(city.features), "triangles": sum(c.triangle_count - c.added_triangles for _, c in opened)}
        sources.append(Source(path.stem, LayerKind.BUILDINGS, city, options.crs_for(system)))
    clouds = [part for _, content in opened for part in content.clouds]
    cloud = points_source(path, path.stem, clouds, system, options, findings)
    if cloud is not None:
        sources.append(cloud)
        counts["points"] = sum(content.point_count for _, content in opened)
    if instances := sum(content.instance_count for _, content in opened):
        counts["instances"] = instances
    if not sources:
        raise _nothing_in(path, findings)
    extents = [bounds_of(source.data) for source in sources]
    return ReadResult(
        "GLB" if path.suffix.lower() != ".gltf" else "glTF",
        str(asset["version"]) if "version" in asset else None,
        None if system is None else system.definition,
        {name: count for name, count in counts.items() if count},
        np.array([np.min([e[0] for e in extents], axis=0), np.max([e[1] for e in extents], axis=0)]),
        tuple(sources),
        findings.problems(),
    )


def _city_of(opened: list[tuple[str, TileContent]], system: Crs | None, origin: Float) -> CityModel:
    """Return the triangles with short identifiers, moved by the origin that an export of ours has kept."""
    city = build_city(opened, system, {})
    mesh = city.meshes["tiles"]
    table = city.features
    stem = opened[0][0] if opened else ""
    short = [str(key).removeprefix(f"{stem}#") for key in table.ids]
    columns = {name: column for name, column in table.columns.items() if name != "tile"}
    kinds = ["GenericCityObject" if kind == "Feature" else str(kind) for kind in columns["type"]]
    ids = as_strings(short) if len(set(short)) == len(short) else table.ids
    table = replace(table, ids=ids, columns={**columns, "type": as_strings(kinds)})
    return replace(city, features=table, meshes={LOD: replace(mesh, origin=mesh.origin + origin)})


def _nothing_in(path: Path, findings: Findings) -> DataError:
    """Return the refusal of a model, with the first thing that is wrong with it."""
    problems = findings.problems()
    if not problems:
        return DataError(path, "the model has no triangles.", remedy=_REMEDY)
    return DataError(path, problems[0].template, remedy=_REMEDY, **problems[0].values)


def _asset_of(place: TilesetFolder, name: str) -> dict[str, Any]:
    """Return the ``asset`` of a model; nothing when it cannot be read."""
    try:
        return as_dict(document_of(place.read(name, CONTENT_BYTES)).get("asset"))
    except BrokenPart:
        return {}


def _origin_of(asset: Mapping[str, Any]) -> Float:
    """Return the (3,) world origin that an export of ours has kept; zero for models from elsewhere."""
    kept = as_dict(asset.get("extras")).get("origin") if asset.get("generator") == GENERATOR else None
    origin = number_list(kept, 3)
    return np.zeros(3) if origin is None or np.abs(origin).max() >= 1e8 else np.array(origin)
