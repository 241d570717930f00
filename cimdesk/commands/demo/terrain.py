"""The ground of the demo city: river bed and quay, a gentle fall to the river, kerbs, creeks, the underpass and the hills."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.commands.demo import places
from cimdesk.commands.demo.plan import Plan, Street
from cimdesk.model.terrain import Terrain

QUAY_LEVEL = 3.5
LAND_LEVEL = 2.95
"""Ground just behind the riverside avenue, lower than the quay: rain reaches the river through the sewers only [m]."""
FALL = 1.0 / 480.0
KERB = 0.15
VILLAGE_SINK = 1.05
HUMP, PARAPET = 0.42, 0.8


def make_terrain(plan: Plan) -> Terrain:
    """Return the elevations of a plan, cells of `places.CELLS`."""
    west, south, east, north = plan.window
    cell = places.CELLS[plan.size]
    shape = (round((north - south) / cell), round((east - west) / cell))
    x = west + (np.arange(shape[1]) + 0.5) * cell
    y = north - (np.arange(shape[0]) + 0.5) * cell
    xy = np.stack(np.meshgrid(x, y), axis=-1)
    middle = places.ORIGIN[1] - places.RIVER_WIDTH / 2.0 + _sway(plan, x)
    is_north = xy[..., 1] >= middle[None, :]
    z = np.empty(shape)
    for side in (1, -1):
        here = is_north if side > 0 else ~is_north
        if here.any():
            uv = plan.warps[side].inverse(xy[here])
            z[here] = _natural(plan, side, uv[:, 0], uv[:, 1])
    z += _ripples(plan, xy)
    _add_range(plan, z, cell)
    is_land = z > 1.0
    z[is_land & _rasterized(plan, shape, cell, [s for s in plan.streets if s.is_road])] -= KERB
    _cut(plan, xy, is_north, z)
    return Terrain(np.round(z, 3).astype(np.float32), west, north, cell, cell)


def _sway(plan: Plan, x: AnyArray) -> Float:
    """Return (C,) how far the river's middle lies from its straight course."""
    north = plan.warps[1].forward(np.linspace(-3200.0, 4800.0, 400), np.zeros(400))
    south = plan.warps[-1].forward(np.linspace(-3200.0, 4800.0, 400), np.zeros(400))
    straight = places.ORIGIN[1] - places.RIVER_WIDTH / 2.0
    return np.asarray((np.interp(x, north[:, 0], north[:, 1]) + np.interp(x, south[:, 0], south[:, 1])) / 2.0 - straight)


def _natural(plan: Plan, side: int, u: Float, v: Float) -> Float:
    """Return heights before streets and creeks are cut, at plan coordinates."""
    land = LAND_LEVEL + np.maximum(v - 60.0, 0.0) * FALL + np.clip(v - 1500.0, 0.0, None) * 0.003
    promenade = np.interp(v, [0.0, 10.0, 34.0, places.PROMENADE], [QUAY_LEVEL, QUAY_LEVEL, QUAY_LEVEL - 0.25, LAND_LEVEL])
    depth = np.interp(-v, [0.0, 0.4, 6.0, 45.0, 120.0, 170.0], [QUAY_LEVEL, -0.6, -1.0, -1.8, -2.4, -2.5])
    z = np.where(v < 0.0, depth, np.where(v < places.PROMENADE, promenade, land))
    if side < 0:
        return np.asarray(z)
    village = _box(u, 1030.0, 1345.0, 40.0) * _box(v, 85.0, 335.0, 40.0)
    axis = _box(u, 585.0, 675.0, 12.0) * _box(v, 90.0, 300.0, 12.0)
    z = z - VILLAGE_SINK * village + 0.5 * axis
    return np.asarray(z + _hills(u, v))


def _box(t: Float, low: float, high: float, edge: float) -> Float:
    """Return a smooth 0..1 window, 0 at ``low`` and ``high``, 1 from ``edge`` inside."""
    rise = np.clip(np.minimum(t - low, high - t) / edge, 0.0, 1.0)
    return np.asarray(rise * rise * (3.0 - 2.0 * rise))


def _hills(u: Float, v: Float) -> Float:
    """Return the height of the park hill behind the railway above the plain, at plan coordinates."""
    foot = _box(u, 74.0, 911.0, 60.0) * _box(v, 758.0, 1130.0, 45.0)
    crown = 46.0 * np.exp(-(((u - 330.0) / 170.0) ** 2) - ((v - 900.0) / 105.0) ** 2)
    crown += 33.0 * np.exp(-(((u - 655.0) / 140.0) ** 2) - ((v - 880.0) / 90.0) ** 2)
    crown += 1.6 * np.sin(u / 31.0 + 1.0) * np.sin(v / 27.0) + 2.0
    return np.asarray(foot * np.maximum(crown, 0.0))


def _add_range(plan: Plan, z: Float, cell: float) -> None:
    """Raise the wooded range in the north: the farther from the last street, the higher."""
    from rasterio.features import rasterize
    from rasterio.transform import from_origin
    from scipy.ndimage import distance_transform_edt
    from shapely import buffer, polygons

    woods = [b for b in plan.blocks if b.quarter == "hill" and b.v0 > 1200.0]
    if not woods:
        return
    shapes = [(buffer(polygons(plan.ring(b.side, b.u0, b.u1, b.v0, b.v1)), 20.0), 1) for b in woods]
    transform = from_origin(plan.window[0], plan.window[3], cell, cell)
    is_wood = np.asarray(rasterize(shapes, out_shape=(z.shape[0] + 200, z.shape[1]), transform=transform, dtype="uint8") > 0)
    is_wood = np.vstack([np.repeat(is_wood[:1], 200, axis=0), is_wood[:-200]])
    away = np.asarray(distance_transform_edt(is_wood))[200:] * cell
    y, x = np.mgrid[0 : z.shape[0], 0 : z.shape[1]] * cell
    ridge = (
        78.0 + 42.0 * np.sin(x / 610.0 + 0.4) + 30.0 * np.sin(x / 283.0 + y / 350.0) + 13.0 * np.sin(x / 97.0) * np.sin(y / 113.0)
    )
    rise = np.clip((away - 20.0) / 620.0, 0.0, 1.0)
    z += np.maximum(ridge, 20.0) * rise * rise * (3.0 - 2.0 * rise)


def _ripples(plan: Plan, xy: Float) -> Float:
    """Return decimetre-high undulations that give every street its low points; none in the river."""
    rng = np.random.default_rng([plan.seed, 11])
    x, y = xy[..., 0] - places.ORIGIN[0], xy[..., 1] - places.ORIGIN[1]
    out = np.zeros(xy.shape[:2])
    for length, height in ((610.0, 0.16), (370.0, 0.14), (233.0, 0.10), (151.0, 0.06)):
        direction, phase = rng.uniform(0.0, 2 * np.pi, 2)
        other, shift = rng.uniform(0.0, 2 * np.pi, 2)
        out += height * np.sin((x * np.cos(direction) + y * np.sin(direction)) * 2 * np.pi / length + phase)
        out += height * np.sin((x * np.cos(other) + y * np.sin(other)) * 2 * np.pi / length * 0.83 + shift)
    return out


def _rasterized(plan: Plan, shape: tuple[int, int], cell: float, streets: list[Street]) -> np.ndarray:
    """Return the (R, C) mask of cells whose centre is in one of the streets."""
    from rasterio.features import rasterize
    from rasterio.transform import from_origin
    from shapely import polygons

    shapes = [(polygons(plan.street_ring(street)), 1) for street in streets]
    transform = from_origin(plan.window[0], plan.window[3], cell, cell)
    return np.asarray(rasterize(shapes, out_shape=shape, transform=transform, dtype="uint8") > 0)


def _cut(plan: Plan, xy: Float, is_north: np.ndarray, z: Float) -> None:
    """Raise the railway, then cut the creeks and the underpass into the ground, in place."""
    cell = places.CELLS[plan.size]
    shape = (z.shape[0], z.shape[1])
    rails = [s for s in plan.streets if s.line.kind == "rail"]
    crossings = [s for s in plan.streets if s.line.axis == "u" and s.line.kind == "arterial"]
    bed = _rasterized(plan, shape, cell, rails) & ~_rasterized(plan, shape, cell, crossings)
    z[bed] += 0.7
    for creek in (s for s in plan.streets if s.line.kind == "creek"):
        near = is_north & (_rasterized(plan, shape, cell, [creek]) | _around_mouth(plan, xy, creek.line.at))
        uv = plan.warps[1].inverse(xy[near])
        is_water = np.abs(uv[:, 0] - creek.line.at) < max(places.CREEK_WIDTH / 2.0, cell)
        level = -0.9 + np.maximum(uv[:, 1], 0.0) * 0.0016
        z[near] = np.where(is_water, np.minimum(z[near], level), z[near])
    u0, v0 = places.UNDERPASS
    avenue = [s for s in crossings if s.line.at == u0 and s.side > 0]
    near = is_north & _rasterized(plan, shape, cell, avenue)
    uv = plan.warps[1].inverse(xy[near])
    across, along = np.abs(uv[:, 0] - u0), np.abs(uv[:, 1] - v0)
    half = max(9.0, cell * 1.5)
    dip = np.interp(along, [16.0, 84.0], [places.UNDERPASS_DEPTH, 0.0])
    # A hump before each ramp and parapets beside it keep the water of the streets out until it stands high.
    hump = HUMP * np.interp(along, [84.0, 92.0, 100.0, 112.0], [0.0, 1.0, 1.0, 0.0])
    parapet = np.where((along > 13.0) & (along < 92.0) & (across < half + max(4.0, cell)), PARAPET, 0.0)
    z[near] += np.where(across < half, hump - dip, parapet)


def _around_mouth(plan: Plan, xy: Float, at: float) -> np.ndarray:
    mouth = plan.warps[1].forward(np.array(at), np.array(0.0))
    return np.asarray((xy[..., 0] - mouth[0]) ** 2 + (xy[..., 1] - mouth[1]) ** 2 < 60.0**2)


def start_depth(plan: Plan, terrain: Terrain, level: float) -> Terrain:
    """Return the water standing in river and creeks at a river level, as a grid of depths [m]."""
    x, y = np.meshgrid(terrain.column_centres(), terrain.row_centres())
    xy = np.stack([x, y], axis=-1)
    v_north, v_south = plan.warps[1].inverse(xy)[..., 1], plan.warps[-1].inverse(xy)[..., 1]
    is_river = (v_north < 0.5) & (v_south < 0.5)
    creeks = [s for s in plan.streets if s.line.kind == "creek"]
    is_creek = _rasterized(plan, terrain.shape, terrain.cell_x, creeks)
    depth = np.where(is_river | is_creek, np.maximum(level - terrain.elevations, 0.0), 0.0)
    return Terrain(depth.astype(np.float32), terrain.west, terrain.north, terrain.cell_x, terrain.cell_y)
