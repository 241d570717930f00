"""Put data of any reference system into the project's one: which system a project takes, and moving data into it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs, LocalFrame
from cimdesk.base.errors import DataError
from cimdesk.base.units import format_number
from cimdesk.formats.registry import Source
from cimdesk.model.city import CityModel
from cimdesk.model.features import VectorLayer
from cimdesk.model.flood import FloodResult
from cimdesk.model.imagery import Imagery
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.points import PointCloud
from cimdesk.model.sensors import Sensors
from cimdesk.model.terrain import Terrain
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData, bounds_of
from cimdesk.services.point_store import placed
from cimdesk.services.tile_store import TileStore

CHINA_WEST, CHINA_EAST = 73.5, 136.5
WIDEST_PICTURE = 20.0
"""Degrees across up to which the project takes a system in metres for a picture."""


def frame_for(source: Source, path: Path | None = None) -> LocalFrame:
    """Return the frame of a project whose first layer is ``source``: its own system when that is in metres, else a fitting one.

    Raises
    ------
    DataError
        If its coordinates cannot be those of its system, such as metres said to be degrees; ``path`` is what it was read from.
    """
    box = bounds_of(source.data)
    centre = np.nan_to_num(box.mean(axis=0))
    if source.crs is None:
        return LocalFrame.around(None, centre)
    crs = system_for_pictures(source.data) if isinstance(source.data, Imagery) else project_crs_for(source.crs, centre)
    middle = source.crs.transform(crs, centre[None, :])[0]
    if not np.isfinite(middle[:2]).all():
        raise DataError(
            path,
            "its coordinates (around {x}, {y}) cannot be those of {crs}.",
            remedy="Open it with the coordinate reference system it was really made in.",
            x=format_number(float(centre[0]), 6),
            y=format_number(float(centre[1]), 6),
            crs=source.crs.code or source.crs.name,
        )
    return LocalFrame.around(crs, middle)


def project_crs_for(crs: Crs, centre: Float) -> Crs:
    """Return a projected system in metres for data in ``crs`` around ``centre`` (3,) of that system.

    CGCS2000 3-degree Gauss-Kruger for CGCS2000 data (EPSG:4534 to 4554 by central meridian), UTM on WGS 84 for all else.
    """
    is_metric = not crs.is_geographic and not crs.is_geocentric and _unit_factor(crs) == 1.0
    if is_metric:
        return crs
    lon, lat, _ = crs.transform(Crs.epsg(4979 if crs.is_geocentric else 4326), centre[None, :])[0]
    if not np.isfinite([lon, lat]).all():
        return crs
    if _is_cgcs2000(crs) and CHINA_WEST < lon < CHINA_EAST:
        meridian = round(lon / 3.0) * 3
        return Crs.epsg(4534 + (meridian - 75) // 3)
    zone = int((lon + 180.0) // 6.0) % 60 + 1
    return Crs.epsg((32600 if lat >= 0 else 32700) + zone)


def system_for_pictures(imagery: Imagery) -> Crs:
    """Return the system of a project whose first layer is a picture: metres where it lies, Web Mercator for half the earth."""
    corners = imagery.crs.transform(Crs.epsg(4326), np.nan_to_num(imagery.bounds))
    if not np.isfinite(corners).all() or float(np.ptp(corners[:, :2], axis=0).max()) > WIDEST_PICTURE:
        return Crs.epsg(3857)
    if imagery.crs.code == "EPSG:3857":
        return project_crs_for(Crs.epsg(4326), corners.mean(axis=0))
    return project_crs_for(imagery.crs, np.nan_to_num(imagery.bounds.mean(axis=0)))


def place(data: LayerData, crs: Crs | None, frame: LocalFrame) -> LayerData:
    """Return ``data`` in the project's system; unchanged when either system is unknown or both are the same."""
    target = frame.crs
    if isinstance(data, PointCloud):
        return placed(data, crs, target)
    if crs is None or target is None or crs == target:
        return data
    if isinstance(data, Imagery):
        return data.in_system(target)
    if isinstance(data, CityModel):
        return _place_city(data, crs, target)
    if isinstance(data, TiledCity):
        if isinstance(data.tiles, TileStore):
            return replace(data, tileset=data.tiles.aim(crs, target))
        return replace(data, city=_place_city(data.city, crs, target))
    if isinstance(data, Terrain):
        from cimdesk.formats.raster import reproject_terrain

        terrain: Terrain = reproject_terrain(data, crs, target)
        return terrain
    if isinstance(data, VectorLayer):
        return replace(data, shapes=replace(data.shapes, coordinates=_move(data.shapes.coordinates, crs, target)))
    if isinstance(data, UtilityNetwork):
        areas = data.areas
        if isinstance(areas, VectorLayer):
            areas = replace(areas, shapes=replace(areas.shapes, coordinates=_move(areas.shapes.coordinates, crs, target)))
        moved = _move(data.positions, crs, target)
        return replace(data, positions=moved, bend_points=_move(data.bend_points, crs, target), areas=areas)
    if isinstance(data, Sensors):
        return replace(data, positions=_move(data.positions, crs, target))
    assert isinstance(data, FloodResult)
    from cimdesk.formats.flood_warp import reproject_flood

    return reproject_flood(data, crs, target)


def _place_city(city: CityModel, crs: Crs, target: Crs) -> CityModel:
    return replace(city, meshes={lod: _place_mesh(mesh, crs, target) for lod, mesh in city.meshes.items()})


def _place_mesh(mesh: TriangleMesh, crs: Crs, target: Crs) -> TriangleMesh:
    if not len(mesh.vertices):
        return mesh
    world = crs.transform(target, mesh.world_vertices())
    origin = np.floor(world.mean(axis=0))
    return replace(mesh, vertices=(world - origin).astype(np.float32), origin=origin)


def _move(points: Float, crs: Crs, target: Crs) -> Float:
    """Transform (N, 3) points; heights that are NaN stay NaN, places that cannot be expressed become NaN."""
    height = points[:, 2]
    moved = crs.transform(target, np.column_stack([points[:, :2], np.nan_to_num(height)]))
    if len(moved):
        moved = np.where(np.isfinite(moved), moved, np.nan)
        moved[:, 2] = np.where(np.isfinite(height), moved[:, 2], np.nan)
    return moved


def _is_cgcs2000(crs: Crs) -> bool:
    geodetic = crs.pyproj.geodetic_crs
    return geodetic is not None and "China Geodetic Coordinate System 2000" in geodetic.name


def _unit_factor(crs: Crs) -> float:
    return float(crs.pyproj.axis_info[0].unit_conversion_factor)
