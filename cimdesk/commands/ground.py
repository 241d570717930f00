"""Terrain as people change it: its look and its vertical datum; and buildings set down on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int
from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.city import CityModel
from cimdesk.model.document import Changes
from cimdesk.model.layers import Layer
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.terrain import ON_GROUND, Terrain, TerrainStyle, height_offset
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData, Workspace
from cimdesk.services.raised_tiles import raised, raised_city

HEIGHT_OFFSET = "height_offset"
"""Option of a layer: metres added to the heights of its source."""
RAYS = 9
"""Places under each building at which the ground is asked for."""


def set_terrain(session: Session, layer_id: str, style: TerrainStyle, offset: float) -> Changes:
    """Draw a terrain in another look, and raise its heights by ``offset`` metres against those of its file, as one step.

    Raises
    ------
    UsageError
        If the layer is no terrain.
    """
    layer = session.workspace.layer(layer_id)
    data = session.workspace.data(layer_id)
    if data is not None and not isinstance(data, Terrain):
        raise UsageError("{name} is no terrain.", name=layer.name)
    options = {**layer.options, **style.to_options(), "height_offset": float(offset)}
    record = session.workspace.document.update("layer", layer_id, options=options)
    if record.after == record.before:
        return Changes()
    by = offset - height_offset(layer.options)
    label = tr("Style of {name}").format(name=layer.name)
    if by == 0.0 or data is None:
        return session.do(Edit(label, (record,)))
    return session.do(Edit(label, (record,), {layer_id: data.raised(by)}, {layer_id: data}))


def set_on_ground(session: Session, layer_id: str, on: bool) -> Changes:
    """Set the buildings of a layer down on the terrain, or give them back the heights of their file. Undoable.

    Raises
    ------
    UsageError
        If the layer has no buildings that can be moved, or no terrain is loaded.
    """
    workspace = session.workspace
    layer = workspace.layer(layer_id)
    data = workspace.data(layer_id)
    if isinstance(data, TiledCity) and data.tiles is not None:
        return set_height(session, layer_id, ground_offset(session, layer_id) if on else 0.0, on_ground=on)
    city = _city_of(data)
    if city is None:
        raise UsageError("{name} has no buildings that can be set down.", name=layer.name)
    assert data is not None
    record = workspace.document.update("layer", layer_id, options={**layer.options, ON_GROUND: on})
    if record.after == record.before:
        return Changes()
    label = tr("Set {name} on the ground") if on else tr("Give {name} its own heights")
    if on:
        terrain = ground_of(workspace)
        if terrain is None:
            raise UsageError("There is no terrain to set buildings down on.", remedy="Add one first.")
        moved = grounded(data, terrain)
    else:
        moved = _with_city(data, shifted(city, -_lifts_of(city)))
    return session.do(Edit(label.format(name=layer.name), (record,), {layer_id: moved}, {layer_id: data}))


def can_be_set_down(data: LayerData | None) -> bool:
    """Whether a layer's data has buildings that can be moved."""
    return _city_of(data) is not None or isinstance(data, TiledCity)


def set_height(session: Session, layer_id: str, offset: float, on_ground: bool = False) -> Changes:
    """Raise a whole city model or tileset by ``offset`` metres against the heights that it gives. Undoable.

    Raises
    ------
    UsageError
        If the layer has no buildings.
    """
    workspace = session.workspace
    layer = workspace.layer(layer_id)
    data = workspace.data(layer_id)
    if not isinstance(data, TiledCity | CityModel):
        raise UsageError("{name} has no buildings that can be set down.", name=layer.name)
    options = {**layer.options, HEIGHT_OFFSET: round(float(offset), 3), ON_GROUND: on_ground}
    record = workspace.document.update("layer", layer_id, options=options)
    if record.after == record.before:
        return Changes()
    moved = at_height(data, {HEIGHT_OFFSET: options[HEIGHT_OFFSET] - height_offset(layer.options)})
    label = tr("Set {name} on the ground") if on_ground else tr("Height of {name}")
    return session.do(Edit(label.format(name=layer.name), (record,), {layer_id: moved}, {layer_id: data}))


def ground_offset(session: Session, layer_id: str) -> float:
    """Return the height to be added to a streamed tileset so that most of its features in memory stand on the terrain [m].

    All tiles move together, for tiles that have not come yet must fit to those that are there.

    Raises
    ------
    UsageError
        If there is no terrain, or none of the tileset above it has been looked at yet.
    """
    workspace = session.workspace
    layer, data = workspace.layer(layer_id), workspace.data(layer_id)
    terrain = ground_of(workspace)
    if terrain is None:
        raise UsageError("There is no terrain to set buildings down on.", remedy="Add one first.")
    assert isinstance(data, TiledCity)
    city = data.city if data.tiles is None else data.tiles.city()
    lifts = ground_lifts(city, terrain)
    drawn = np.zeros(len(lifts), dtype=bool)
    for mesh in city.meshes.values():
        drawn[mesh.feature_index] = True
    lifts = lifts[drawn & (lifts != 0.0)]
    if not len(lifts):
        raise UsageError(
            "Nothing of {name} that lies above the terrain is loaded yet.", name=layer.name, remedy="Look at it first."
        )
    return height_offset(layer.options) + float(np.median(lifts))


def at_height(data: LayerData, options: Mapping[str, object]) -> LayerData:
    """Return freshly loaded data at the height that its layer's options say, where that is kept beside the source."""
    lift = height_offset(options)
    if lift and isinstance(data, CityModel):
        return raised_city(data, lift)
    return raised(data, lift) if isinstance(data, TiledCity) else data


def ground_of(workspace: Workspace, fresh: Mapping[str, LayerData | None] | None = None) -> Terrain | None:
    """Return the first terrain there is, among ``fresh`` data too."""
    for layer in workspace.layers():
        data = (fresh or {}).get(layer.id) or workspace.data(layer.id)
        if isinstance(data, Terrain):
            return data
    return None


def settled(workspace: Workspace, fresh: Mapping[str, LayerData | None]) -> dict[str, LayerData | None]:
    """Return freshly loaded data with the buildings of layers that say so set down; terrain among it counts."""
    out = dict(fresh)
    terrain = ground_of(workspace, fresh)
    if terrain is None:
        return out
    came = any(isinstance(data, Terrain) for data in fresh.values())
    for layer in workspace.layers():
        if not layer.options.get(ON_GROUND) or (layer.id not in fresh and not came):
            continue
        data = fresh.get(layer.id) or workspace.data(layer.id)
        if data is not None and _city_of(data) is not None and not _is_settled(layer, data):
            out[layer.id] = grounded(data, terrain)
    return out


def _is_settled(layer: Layer, data: LayerData) -> bool:
    city = _city_of(data)
    return city is not None and LIFT in city.features.columns


LIFT = "lift_to_ground"
"""Column that says by how much each building was raised [m]."""


def grounded(data: LayerData, terrain: Terrain) -> LayerData:
    """Return a city whose buildings stand on the terrain: the lowest point of each at the lowest ground beneath it."""
    city = _city_of(data)
    assert city is not None
    return _with_city(data, shifted(city, ground_lifts(city, terrain)))


def ground_lifts(city: CityModel, terrain: Terrain) -> Float:
    """Return (N,) metres by which each feature must be raised to stand on the ground; 0 where there is none.

    A building and its parts move together.
    """
    root = _roots(city.parents)
    count = len(root)
    low = np.full((count, 3), np.inf)
    high = np.full((count, 2), -np.inf)
    for mesh in city.meshes.values():
        corners = mesh.vertices[mesh.triangles].astype(np.float64) + mesh.origin
        owner = root[mesh.feature_index]
        np.minimum.at(low, owner, corners.min(axis=1))
        np.maximum.at(high, owner, corners.max(axis=1)[:, :2])
    known = np.flatnonzero(np.isfinite(low).all(axis=1))
    shares = np.linspace(0.1, 0.9, int(np.sqrt(RAYS)))
    ground = np.full((len(known), RAYS), np.nan)
    for k, (fx, fy) in enumerate((x, y) for x in shares for y in shares):
        place = low[known, :2] + (high[known] - low[known, :2]) * np.array([fx, fy])
        ground[:, k] = terrain.sample(place)
    lifts = np.zeros(count)
    met = np.isfinite(ground).any(axis=1)
    lifts[known[met]] = np.nanmin(ground[met], axis=1) - low[known[met], 2]
    return lifts[root]


def shifted(city: CityModel, lifts: Float) -> CityModel:
    """Return the city with each feature ``lifts`` metres higher, and its lift so far in a column."""
    meshes = {lod: _shifted_mesh(mesh, lifts) for lod, mesh in city.meshes.items()}
    total = lifts + _lifts_of(city)
    columns = {name: values for name, values in city.features.columns.items() if name != LIFT}
    if np.any(np.abs(total) > 1e-9):
        columns[LIFT] = total
    return replace(city, meshes=meshes, features=replace(city.features, columns=columns))


def _shifted_mesh(mesh: TriangleMesh, lifts: Float) -> TriangleMesh:
    by_vertex = np.zeros(len(mesh.vertices))
    by_vertex[mesh.triangles.ravel()] = np.repeat(lifts[mesh.feature_index], 3)
    vertices = mesh.vertices.copy()
    vertices[:, 2] = (vertices[:, 2].astype(np.float64) + by_vertex).astype(np.float32)
    return replace(mesh, vertices=vertices)


def _lifts_of(city: CityModel) -> Float:
    column = city.features.columns.get(LIFT)
    return np.zeros(len(city.features)) if column is None else np.nan_to_num(np.asarray(column, dtype=np.float64))


def _roots(parents: AnyArray) -> Int:
    root = np.arange(len(parents))
    up = np.where(parents >= 0, parents, root).astype(np.int64)
    for _ in range(32):
        further = up[up]
        if np.array_equal(further, up):
            break
        up = further
    return up


def _city_of(data: LayerData | None) -> CityModel | None:
    if isinstance(data, TiledCity):
        return data.city if data.tiles is None else None
    return data if isinstance(data, CityModel) else None


def _with_city(data: LayerData, city: CityModel) -> LayerData:
    return replace(data, city=city) if isinstance(data, TiledCity) else city
