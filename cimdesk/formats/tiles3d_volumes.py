"""Bounding volumes of tiles as spheres with half axes and a height, and volumes that the eye must be in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.formats.gltf_json import as_dict, number_list
from cimdesk.formats.s2_cells import MAX_LEVEL, S2Cell, angles_on, cell_of_token

Volume: TypeAlias = tuple[Float, float, float, Float]
"""Centre, radius, half the height [m], and (3, 3) half axes of the box around it, as rows."""
NO_VOLUME: Volume = (np.full(3, np.nan), np.nan, np.nan, np.full((3, 3), np.nan))


@dataclass(frozen=True)
class FoundVolume:
    """A bounding volume, and whether its kind says that coordinates are earth-centred."""

    volume: Volume
    is_geocentric: bool = False


def read_volume(entry: Mapping[str, Any], matrix: Float) -> FoundVolume | None:
    """Return the sphere around a box, sphere, region or S2 cell in tileset coordinates; None when there is none to read.

    A region outside the globe has no place: its sphere is NaN.
    """
    if (s2 := _s2_entry(entry)) is not None:
        return FoundVolume(s2_sphere(*s2), True)
    if (box := number_list(entry.get("box"), 12)) is not None:
        return FoundVolume(_box_sphere(np.array(box), matrix))
    if (sphere := number_list(entry.get("sphere"), 4)) is not None:
        if sphere[3] < 0:
            return None
        centre, radius = _moved(np.array(sphere[:3]), sphere[3], matrix)
        return FoundVolume((centre, radius, radius, np.eye(3) * radius))
    if (region := number_list(entry.get("region"), 6)) is not None:
        return FoundVolume(region_sphere(region), True) if _is_region(region) else FoundVolume(NO_VOLUME)
    return None


def read_volumes(entries: Sequence[Mapping[str, Any]], matrix: Float) -> list[FoundVolume | None]:
    """Return what `read_volume` gives of each entry; regions are looked at all at once."""
    regions = [_only_region(entry) for entry in entries]
    known = [region for region in regions if region is not None]
    spheres = iter(region_spheres(np.array(known)) if known else ())
    return [
        read_volume(entry, matrix) if region is None else FoundVolume(next(spheres), True)
        for entry, region in zip(entries, regions, strict=True)
    ]


def _only_region(entry: Mapping[str, Any]) -> list[float] | None:
    """Return the region of an entry that has nothing else and lies on the globe."""
    region = number_list(entry.get("region"), 6) if len(entry) == 1 else None
    return region if region is not None and _is_region(region) else None


def _s2_entry(entry: Mapping[str, Any]) -> tuple[S2Cell, float, float] | None:
    """Return the cell and the two heights [m] of 3DTILES_bounding_volume_S2."""
    extension = as_dict(as_dict(entry.get("extensions")).get("3DTILES_bounding_volume_S2"))
    cell = cell_of_token(extension.get("token"))
    heights = number_list([extension.get("minimumHeight"), extension.get("maximumHeight")], 2)
    return None if cell is None or heights is None else (cell, heights[0], heights[1])


def s2_sphere(cell: S2Cell, low: float, high: float) -> Volume:
    """Return the earth-centred sphere around a cell between two heights [m], and half its height."""
    longitudes, latitudes = angles_on(cell, 4)
    return _sphere_around(longitudes, latitudes, low, high)


def _sphere_around(longitudes: Float, latitudes: Float, low: float, high: float) -> Volume:
    points = np.concatenate([geocentric(longitudes, latitudes, height) for height in (low, high)])
    return _volume_of(points, (points.min(axis=0) + points.max(axis=0)) / 2.0, abs(high - low) / 2.0)


def _volume_of(points: Float, centre: Float, half_height: float) -> Volume:
    """Return the volume around (N, 3) earth-centred points that lie between two heights."""
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    up = centre / max(float(np.linalg.norm(centre)), 1.0)
    east = np.array([-up[1], up[0], 0.0]) / max(float(np.hypot(up[0], up[1])), 1e-9)
    directions = np.array([east, np.cross(up, east), up])
    reach = np.abs((points - centre) @ directions.T).max(axis=0)
    # Over a wide area the ground itself bends away.
    return centre, radius, min(half_height + radius**2 / 1.27e7, radius), directions * reach[:, None]


def request_volume(entry: Mapping[str, Any], matrix: Float) -> tuple[Float, bool] | None:
    """Return a viewer request volume: (4, 3) its middle and the ends of three half axes, and whether it is a sphere.

    A region or cell becomes the box between its corners along the earth's surface.
    """
    if (box := number_list(entry.get("box"), 12)) is not None:
        values = np.array(box).reshape(4, 3)
        corners = np.vstack([values[0], values[0] + values[1:]])
        return corners @ matrix[:3, :3].T + matrix[:3, 3], False
    if (sphere := number_list(entry.get("sphere"), 4)) is not None:
        centre, radius = _moved(np.array(sphere[:3]), abs(sphere[3]), matrix)
        return np.vstack([centre, centre + np.eye(3) * radius]), True
    region = number_list(entry.get("region"), 6)
    if region is None and (s2 := _s2_entry(entry)) is not None:
        longitudes, latitudes = angles_on(s2[0], 4)
        region = [longitudes.min(), latitudes.min(), longitudes.max(), latitudes.max(), s2[1], s2[2]]
    if region is None or not _is_region(region):
        return None
    west, south, east, north, low, high = region
    east += 2 * np.pi if east < west else 0.0
    middle = ((west + east) / 2, (south + north) / 2, (low + high) / 2)
    ends = [middle, (east, middle[1], middle[2]), (middle[0], north, middle[2]), (middle[0], middle[1], high)]
    return np.concatenate([geocentric(np.array([x]), np.array([y]), z) for x, y, z in ends]), False


def _moved(centre: Float, radius: float, matrix: Float) -> tuple[Float, float]:
    scale = float(np.linalg.norm(matrix[:3, :3], 2))
    return matrix[:3, :3] @ centre + matrix[:3, 3], radius * scale


def _box_sphere(box: Float, matrix: Float) -> Volume:
    axes = box[3:].reshape(3, 3)
    centre, radius = _moved(box[:3], float(np.linalg.norm(np.linalg.norm(axes, axis=1))), matrix)
    far = float(np.linalg.norm(centre))
    up = centre / far if far > 6.3e6 else np.array([0.0, 0.0, 1.0])
    axes = axes @ matrix[:3, :3].T
    return centre, radius, min(float(np.abs(axes @ up).sum()), radius), axes


def _is_region(region: list[float]) -> bool:
    west, south, east, north = region[:4]
    return abs(west) <= 6.3 and abs(east) <= 6.3 and abs(south) <= 1.5709 and abs(north) <= 1.5709


def region_sphere(region: list[float]) -> Volume:
    """Return the earth-centred sphere around west, south, east, north [rad] and the two heights [m], and half its height."""
    return region_spheres(np.array([region]))[0]


def region_spheres(regions: Float) -> list[Volume]:
    """Return what `region_sphere` gives of each of (N, 6) regions: a subtree has some hundred, and each step costs as much for one.

    Around each are (N, 19, 3) points: nine at either height, then the middle.
    """
    west, south, east, north, low, high = regions.T
    east = np.where(east < west, east + 2 * np.pi, east)
    steps = np.array([0.0, 0.5, 1.0])
    rows, columns = np.repeat(steps, 3), np.tile(steps, 3)
    longitudes = west[:, None] + (east - west)[:, None] * np.concatenate([columns, columns, [0.5]])
    latitudes = south[:, None] + (north - south)[:, None] * np.concatenate([rows, rows, [0.5]])
    heights = np.column_stack([*[low] * 9, *[high] * 9, (low + high) / 2])
    points = geocentric(longitudes.ravel(), latitudes.ravel(), heights.ravel()).reshape(-1, 19, 3)
    centres, half_heights = points[:, 18], np.abs(high - low) / 2
    away = points[:, :18] - centres[:, None]
    radii = np.sqrt(np.einsum("nij,nij->ni", away, away).max(axis=1))
    ups = centres / np.maximum(np.sqrt(np.einsum("ni,ni->n", centres, centres)), 1.0)[:, None]
    flat = np.maximum(np.hypot(ups[:, 0], ups[:, 1]), 1e-9)
    easts = np.column_stack([-ups[:, 1] / flat, ups[:, 0] / flat, np.zeros(len(ups))])
    directions = np.stack([easts, np.cross(ups, easts), ups], axis=1)
    axes = directions * np.abs(np.einsum("nij,nkj->nik", away, directions)).max(axis=1)[:, :, None]
    # Over a wide area the ground itself bends away.
    rises = np.minimum(half_heights + radii**2 / 1.27e7, radii)
    return list(zip(centres, radii.tolist(), rises.tolist(), axes, strict=True))


def geocentric(longitudes: Float, latitudes: Float, height: float | Float) -> Float:
    """Return (N, 3) earth-centred metres on the WGS 84 ellipsoid of angles [rad]."""
    a, e2 = 6378137.0, 6.69437999014e-3
    normal = a / np.sqrt(1 - e2 * np.sin(latitudes) ** 2)
    return np.column_stack([
        (normal + height) * np.cos(latitudes) * np.cos(longitudes),
        (normal + height) * np.cos(latitudes) * np.sin(longitudes),
        (normal * (1 - e2) + height) * np.sin(latitudes),
    ])  # fmt: skip


def implicit_sphere(volume: Mapping[str, Any], level: int, place: tuple[int, ...], matrix: Float) -> Volume:
    """Return the bounding sphere of an implicit tile: its share of the root's region, box or S2 cell."""
    parts = 2**level
    if (s2 := _s2_entry(volume)) is not None:
        cell, low, high = s2
        if cell.level + level > MAX_LEVEL:
            return NO_VOLUME
        if len(place) == 3:
            step = (high - low) / parts
            low, high = low + step * place[2], low + step * (place[2] + 1)
        return s2_sphere(cell.child(level, place[0], place[1]), low, high)
    if (region := number_list(volume.get("region"), 6)) is not None and _is_region(region):
        west, south, east, north, low, high = region
        width, depth = (east - west) / parts, (north - south) / parts
        heights = [low, high]
        if len(place) == 3:
            heights = [low + (high - low) * (place[2] + k) / parts for k in (0, 1)]
        corner = (west + width * place[0], south + depth * place[1])
        return region_sphere([corner[0], corner[1], corner[0] + width, corner[1] + depth, *heights])
    if (box := number_list(volume.get("box"), 12)) is not None:
        values = np.array(box)
        axes = values[3:].reshape(3, 3).copy()
        centre = values[:3].copy()
        for axis, index in enumerate(place):
            centre += axes[axis] * ((2 * index + 1) / parts - 1)
            axes[axis] /= parts
        return _box_sphere(np.concatenate([centre, axes.ravel()]), matrix)
    return NO_VOLUME
