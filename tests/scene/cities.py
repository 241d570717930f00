"""Synthetic cities: towers, mid-rise and dense low-rise on a river terrain, with pipes, sensors, roads and a flood."""

from __future__ import annotations

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.model.appearance import default_style
from cimdesk.model.city import CityModel
from cimdesk.model.document import RecordChange
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer, as_strings
from cimdesk.model.flood import FloodResult
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.mesh import Surface, TriangleMesh
from cimdesk.model.network import LinkKind, NodeKind, Utility, UtilityNetwork
from cimdesk.model.sensors import Observations, Sensors
from cimdesk.model.terrain import Terrain
from cimdesk.model.workspace import Workspace

ORIGIN = (431000.0, 2558000.0, 0.0)
T0 = 1780761600.0
HOUR = 3600.0


def boxes(x, y, width, depth, height, angle, base, origin=ORIGIN) -> TriangleMesh:
    """Return one closed box without a floor per row, 8 vertices each."""
    n = len(x)
    corner = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2.0
    c, s = np.cos(angle), np.sin(angle)
    dx, dy = corner[:, 0] * width[:, None], corner[:, 1] * depth[:, None]
    px = x[:, None] + dx * c[:, None] - dy * s[:, None]
    py = y[:, None] + dx * s[:, None] + dy * c[:, None]
    low = np.stack([px, py, np.broadcast_to(base[:, None], px.shape)], axis=-1)
    high = low.copy()
    high[..., 2] += height[:, None]
    vertices = np.concatenate([low, high], axis=1).reshape(-1, 3).astype(np.float32)
    walls = [(a, (a + 1) % 4, (a + 1) % 4 + 4, a + 4) for a in range(4)]
    tri = np.array([t for a, b, cc, d in walls for t in ((a, b, cc), (a, cc, d))] + [(4, 5, 6), (4, 6, 7)])
    kind = np.array([Surface.WALL] * 8 + [Surface.ROOF] * 2, dtype=np.uint8)
    edge = np.array([(4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7), (0, 1), (1, 2), (2, 3), (3, 0)])
    start = np.arange(n)[:, None, None] * 8
    return TriangleMesh(
        vertices,
        (tri[None] + start).reshape(-1, 3).astype(np.int32),
        np.repeat(np.arange(n), len(tri)).astype(np.int32),
        np.tile(kind, n),
        np.asarray(origin),
        (edge[None] + start).reshape(-1, 2).astype(np.int32),
    )


def river_terrain(size=2400.0, cell=6.0, seed=3) -> Terrain:
    """Return a plain falling to a river in the south, with hills in the north-west."""
    n = int(size / cell)
    east, north = np.meshgrid((np.arange(n) + 0.5) * cell, size - (np.arange(n) + 0.5) * cell)
    rng = np.random.default_rng(seed)
    z = 6.0 + 0.0016 * north
    bank = 330.0 + 130.0 * np.sin(east / 520.0)
    z -= 9.0 / (1.0 + np.exp((np.abs(north - bank) - 120.0) / 14.0))
    for _ in range(14):
        cx, cy, r = rng.uniform(-200, 900), rng.uniform(1850, 2500), rng.uniform(120, 330)
        z += rng.uniform(8, 34) * np.exp(-((east - cx) ** 2 + (north - cy) ** 2) / (2 * r * r))
    z -= 1.1 * np.exp(-((east - 1350) ** 2 + (north - 850) ** 2) / (2 * 210.0**2))
    return Terrain(z.astype(np.float32), ORIGIN[0], ORIGIN[1] + size, cell, cell)


def district(terrain: Terrain, count=2400, seed=1) -> CityModel:
    """Return buildings in street blocks: towers in the middle, mid-rise around, dense low-rise in the east."""
    rng = np.random.default_rng(seed)
    size = terrain.shape[0] * terrain.cell_x
    pitch = np.sqrt(size * (size - 620.0) / (count * 1.45))
    gx, gy = np.meshgrid(np.arange(pitch / 2, size, pitch), np.arange(600.0, size, pitch))
    x, y = gx.ravel(), gy.ravel()
    block = 6 * pitch
    street = (x % block < 0.75 * pitch) | (y % block < 0.75 * pitch)
    park = (np.abs(x - 820) < 150) & (np.abs(y - 900) < 110)
    hill = terrain.sample(np.column_stack([x + ORIGIN[0], y + ORIGIN[1]])) > 13.5
    keep = ~street & ~park & ~hill
    x, y = x[keep], y[keep]
    n = len(x)
    core = np.exp(-(((x - 900) / 330) ** 2 + ((y - 1150) / 300) ** 2))
    village = x > 1500
    height = rng.gamma(5.0, 3.0, n) + 6.0
    height = np.where(village, rng.uniform(7, 16, n), height)
    tower = rng.random(n) < 0.55 * core
    height = np.where(tower, rng.uniform(60, 180, n), height)
    share = np.where(village, rng.uniform(0.74, 0.93, n), rng.uniform(0.5, 0.78, n))
    share = np.where(tower, 0.62, share)
    width, depth = pitch * share, pitch * share * rng.uniform(0.7, 1.0, n)
    x, y = x + rng.normal(0, 0.05 * pitch, n), y + rng.normal(0, 0.05 * pitch, n)
    angle = np.where(village, rng.normal(0, 0.12, n), rng.normal(0, 0.02, n))
    base = terrain.sample(np.column_stack([x + ORIGIN[0], y + ORIGIN[1]])) - 0.3
    mesh = boxes(x, y, width, depth, height, angle, base)
    use = np.array(["office", "residential", "urban village"], dtype=object)[np.where(tower, 0, np.where(village, 2, 1))]
    kinds = np.full(n, "Building", dtype=object)
    table = FeatureTable(
        as_strings(f"B{k:05d}" for k in range(n)),
        {
            "type": kinds,
            "use": use,
            "storeys": np.round(height / 3).astype(np.int64),
            "year": 1950.0 + np.floor(rng.random(n) * 75),
        },
    )
    return CityModel(table, np.full(n, -1, np.int32), {"1": mesh})


def drainage(terrain: Terrain, utility=Utility.DRAINAGE, shift=0.0, depth=2.4, seed=5, pitch=120.0) -> UtilityNetwork:
    """Return a grid of pipes under the streets."""
    rng = np.random.default_rng(seed)
    size = terrain.shape[0] * terrain.cell_x
    xs, ys = np.arange(90.0 + shift, size, pitch), np.arange(640.0 + shift, size, pitch)
    gx, gy = np.meshgrid(xs, ys)
    world = np.column_stack([gx.ravel() + ORIGIN[0], gy.ravel() + ORIGIN[1]])
    rim = terrain.sample(world)
    positions = np.column_stack([world, rim - depth])
    number = np.arange(gx.size).reshape(gx.shape)
    start = np.concatenate([number[:, :-1].ravel(), number[1:, :].ravel()]).astype(np.int32)
    end = np.concatenate([number[:, 1:].ravel(), number[:-1, :].ravel()]).astype(np.int32)
    n, count = len(positions), len(start)
    return UtilityNetwork(
        utility,
        FeatureTable(as_strings(f"N{k}" for k in range(n)), {"rim_elevation": rim}),
        FeatureTable(as_strings(f"YS-{k}" for k in range(count)), {"material": np.full(count, "RCP", dtype=object)}),
        np.full(n, NodeKind.JUNCTION, np.uint8),
        np.full(count, LinkKind.CONDUIT if utility is Utility.DRAINAGE else LinkKind.PIPE, np.uint8),
        positions,
        start,
        end,
        rng.choice([0.4, 0.6, 0.8, 1.2, 1.8], count),
        np.full(count, pitch),
    )


def gauges(terrain: Terrain, seed=8) -> Sensors:
    """Return water-level and rain gauges that pass through every status within six hours."""
    rng = np.random.default_rng(seed)
    n = 26
    xy = np.column_stack([rng.uniform(150, 2250, n), rng.uniform(560, 1700, n)])
    xy[:2] = [[1350, 850], [1180, 790]]
    world = xy + ORIGIN[:2]
    quantity = np.array(
        ["water_level", "rain_intensity", "flow_rate", "pressure", "gas_concentration", "manhole_open"], dtype=object
    )[np.where(np.arange(n) < 14, 0, np.arange(n) % 6)]
    thresholds = np.tile([0.15, 0.4, 0.6], (n, 1))
    thresholds[n // 2 :] = np.nan
    steps = np.arange(0, 6 * HOUR + 1, 300.0)
    peak = rng.uniform(0.05, 0.9, n)
    peak[0] = 0.95
    values = peak[:, None] * np.exp(-(((steps - 3 * HOUR) / 4000.0) ** 2))
    sensor = np.repeat(np.arange(n), len(steps))
    times = np.tile(steps, n) + T0
    late = (sensor % 9 == 4) & (times > T0 + HOUR)
    observations = Observations.from_rows(n, sensor[~late], times[~late], values.ravel()[~late])
    table = FeatureTable(
        as_strings(f"G{k:03d}" for k in range(n)),
        {"name": as_strings(f"Gauge PS-{k:03d}" for k in range(n)), "quantity": quantity, "unit": np.full(n, "m", dtype=object)},
    )
    positions = np.column_stack([world, terrain.sample(world)])
    return Sensors(table, positions, thresholds, np.full(n, 1800.0), observations)


def roads(terrain: Terrain, pitch=120.0) -> VectorLayer:
    """Return street centre lines without heights."""
    size = terrain.shape[0] * terrain.cell_x
    lines = []
    for at in np.arange(90.0, size, pitch):
        along = np.linspace(580.0, size - 40.0, 50)
        lines.append(np.column_stack([np.full(50, at), along]))
        if at > 600:
            lines.append(np.column_stack([np.linspace(20.0, size - 20.0, 50), np.full(50, at)]))
    xy = np.concatenate(lines) + ORIGIN[:2]
    count = len(lines)
    shapes = Shapes(
        ShapeKind.LINE,
        np.column_stack([xy, np.full(len(xy), np.nan)]),
        np.arange(0, 50 * count + 1, 50),
        np.arange(count),
        np.zeros(count, dtype=bool),
    )
    return VectorLayer(FeatureTable(as_strings(f"R{k}" for k in range(count))), shapes)


def parcels(terrain: Terrain) -> VectorLayer:
    """Return three planning zones, one with a hole."""
    rings = [
        np.array([[700, 800], [940, 800], [940, 1000], [700, 1000], [700, 800]], float),
        np.array([[1220, 700], [1500, 700], [1500, 960], [1220, 960], [1220, 700]], float),
        np.array([[1300, 780], [1300, 880], [1420, 880], [1420, 780], [1300, 780]], float),
        np.array([[1700, 1200], [2000, 1150], [2100, 1400], [1700, 1200]], float),
    ]
    xy = np.concatenate(rings) + ORIGIN[:2]
    table = FeatureTable(as_strings(["park", "renewal", "reserve"]), {"name": as_strings(["公园 Park", "Renewal area", "Reserve"])})
    return VectorLayer(
        table,
        Shapes(
            ShapeKind.POLYGON,
            np.column_stack([xy, np.full(len(xy), np.nan)]),
            np.cumsum([0, *(len(r) for r in rings)]),
            np.array([0, 1, 1, 2]),
            np.array([False, False, True, False]),
        ),
    )


def storm(terrain: Terrain, city: CityModel, frames=7) -> FloodResult:
    """Return a river that rises over its banks and an underpass that fills, around the buildings."""
    z = terrain.elevations
    rows, columns = terrain.shape
    blocked = np.zeros((rows, columns), dtype=bool)
    mesh = city.finest
    top = mesh.world_vertices()[mesh.triangles[mesh.surface == Surface.ROOF]]
    for triangle in top:
        c = (triangle[:, 0] - terrain.west) / terrain.cell_x
        r = (terrain.north - triangle[:, 1]) / terrain.cell_y
        r0, r1, c0, c1 = int(r.min()), int(r.max()) + 1, int(c.min()), int(c.max()) + 1
        blocked[max(r0, 0) : r1, max(c0, 0) : c1] = True
    times = np.linspace(0.0, 6 * HOUR, frames)
    rise = np.sin(np.pi * times / times[-1])
    east = np.arange(columns) * terrain.cell_x
    north = ((rows - np.arange(rows)) * terrain.cell_y)[:, None]
    low_lying = ((east - 1350) / 420) ** 2 + ((north - 850) / 300) ** 2 < 1.0
    depths = []
    for r in rise:
        river = np.maximum(5.3 + 1.9 * r - z, 0.0) * (north < 800)
        pool = np.where(low_lying, np.maximum(5.2 + 1.75 * r - z, 0.0), 0.0)
        depth = np.maximum(river, pool)
        depth[blocked] = 0.0
        depths.append(depth.astype(np.float32))
    stack = np.stack(depths)
    peak = stack.max(axis=0)
    zero = np.zeros_like(peak)
    volume = stack.sum(axis=(1, 2)) * terrain.cell_x * terrain.cell_y
    wet = (stack > 0.03).sum(axis=(1, 2)) * terrain.cell_x * terrain.cell_y
    return FloodResult(
        "storm", terrain, blocked, T0, times, stack, peak, zero, zero, np.where(peak > 0.05, 0.0, np.nan).astype(np.float32), (),
        volume.astype(float), wet.astype(float), None, {"mass_error": 3e-9, "engine": "inertial"},
    )  # fmt: skip


def workspace_of(*parts, crs="EPSG:4547", origin=ORIGIN) -> Workspace:
    """Return a workspace of (layer id, kind, data[, overrides]) tuples, each in its default style."""
    workspace = Workspace()
    records = [RecordChange("project", "settings", None, {"title": "Haizhu East", "crs": crs, "origin": list(origin)})]
    data = {}
    for key, kind, value, *rest in parts:
        layer = Layer(key, key.capitalize(), kind, f"{key}.dat", style=default_style(kind, value)).but(**(rest[0] if rest else {}))
        records.append(RecordChange("layer", key, None, layer.to_record()))
        data[key] = value
    workspace.apply(tuple(records), data)
    return workspace


def restyle(workspace: Workspace, key: str, **fields) -> None:
    """Change fields of a layer record."""
    document = workspace.document
    workspace.apply((document.update("layer", key, **fields),))


def demo_city(count=2400, flood=True) -> Workspace:
    """Return the whole picture: terrain, buildings, utilities, gauges, roads, zones and a flood."""
    terrain = river_terrain()
    city = district(terrain, count)
    parts = [
        ("terrain", LayerKind.TERRAIN, terrain),
        ("buildings", LayerKind.BUILDINGS, city),
        ("roads", LayerKind.VECTOR, roads(terrain)),
        ("zones", LayerKind.VECTOR, parcels(terrain), {"visible": False}),
        ("drainage", LayerKind.NETWORK, drainage(terrain)),
        ("water", LayerKind.NETWORK, drainage(terrain, Utility.WATER, 9.0, 1.3, 6)),
        ("gas", LayerKind.NETWORK, drainage(terrain, Utility.GAS, 16.0, 1.0, 7, 240.0)),
        ("gauges", LayerKind.SENSORS, gauges(terrain)),
    ]
    if flood:
        parts.append(("flood", LayerKind.FLOOD, storm(terrain, city), {"opacity": 0.86}))
    return workspace_of(*parts)


CRS = Crs.epsg(4547)
