"""The ground: an elevation surface with shading baked into its picture, and the plain plane that everything stands on."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int, UInt8
from cimdesk.model.layers import Layer
from cimdesk.model.style import rgba
from cimdesk.model.terrain import Terrain
from cimdesk.scene.geometry import actor_of, poly_data, pull_to_eye, set_point_array, set_pull
from cimdesk.scene.look import Look, unit_rgb
from cimdesk.scene.relief import relief
from cimdesk.scene.textures import PictureTexture
from cimdesk.scene.visual import Context, View, Visual

MAX_PICTURE = 2048
GRID_PULL = 0.002
HORIZON_SHARE = 0.32
"""How much of the sky's blue the haze at the horizon has."""
SKY_SHARE = 0.98
"""Distance of the sky as a share of the far clipping plane."""
GRID_STEPS = (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)


class TerrainVisual(Visual):
    """Draws a terrain."""

    def __init__(self, context: Context, layer: Layer, terrain: Terrain) -> None:
        super().__init__(context, layer)
        self.terrain = terrain
        self._look = ""
        points, triangles, coordinates = relief(terrain, context.origin)
        self.data = poly_data(points, triangles)
        set_point_array(self.data, coordinates, "tcoords")
        self.actor = actor_of(self.data)
        grid_points, segments = grid_lines(terrain, context.origin)
        self.grid = actor_of(poly_data(grid_points, lines=segments))
        self.grid.GetProperty().LightingOff()
        pull_to_eye(self.grid)
        self.actors = [self.actor, self.grid]
        self.picture: PictureTexture | None = None
        self.extent = np.array([points.min(axis=0), points.max(axis=0)], dtype=np.float64)
        self.sync(layer)

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        look = self.context.look.name
        if look != self._look:
            self._look = look
            self._paint()
        surface = self.actor.GetProperty()
        surface.SetAmbient(1.0)
        surface.SetDiffuse(0.0)
        opacity = layer.opacity * (0.55 if self.context.xray else 1.0)
        surface.SetOpacity(opacity)
        (self.actor.ForceTranslucentOn if opacity < 1.0 else self.actor.ForceOpaqueOn)()
        shown = layer.visible and layer.opacity > 0.0
        self.actor.SetVisibility(shown)
        self.grid.SetVisibility(shown and self.context.xray)
        self.grid.GetProperty().SetColor(*unit_rgb(self.context.look.dim))
        self.grid.GetProperty().SetOpacity(0.35)

    def prepare(self, view: View) -> None:
        if self.context.xray:
            set_pull(self.grid, GRID_PULL, view.near, view.far)

    def _paint(self) -> None:
        step = max(1, -(-max(self.terrain.shape) // MAX_PICTURE))
        picture = ground_picture(self.terrain, self.context.look, step)
        if self.picture is None:
            self.picture = PictureTexture(picture)
            self.actor.SetTexture(self.picture.texture)
        else:
            self.picture.replace(picture)


def ground_picture(terrain: Terrain, look: Look, step: int = 1) -> UInt8:
    """Return the (R, C, 3) uint8 colours of the ground: neutral flats, green slopes, paler heights, with hill shading."""
    coarse = Terrain(
        np.ascontiguousarray(terrain.elevations[::step, ::step]),
        terrain.west,
        terrain.north,
        terrain.cell_x * step,
        terrain.cell_y * step,
    )
    z = np.where(
        np.isfinite(coarse.elevations),
        coarse.elevations,
        np.nanmedian(coarse.elevations) if np.isfinite(coarse.elevations).any() else 0.0,
    )
    smooth = _blurred(z.astype(np.float32), 2)
    d_north, d_east = np.gradient(smooth, coarse.cell_y, coarse.cell_x)
    slope = np.hypot(d_north, d_east)
    middle, low, high = np.percentile(z, [40, 2, 99.5])
    relief = max(float(high - low), 1.0)
    height = np.clip((z - middle) / relief, 0.0, 1.0)
    # Flat city ground stays quiet; hills turn green with slope and height, and pale again on the very top of big relief.
    green = np.clip((z - middle) / max(12.0, 0.10 * relief), 0.0, 1.0) * np.clip(0.35 + slope / 0.10, 0.0, 1.0)
    rock = np.clip((height - 0.55) / 0.4, 0.0, 1.0) * np.clip((relief - 250.0) / 400.0, 0.0, 1.0)
    base, meadow, stone = (np.array(rgba(c)[:3], dtype=np.float32) for c in (look.ground, look.green, look.rock))
    color = base + (meadow - base) * green[..., None]
    color = color + (stone - color) * rock[..., None]
    exaggeration = float(np.clip(0.25 / max(float(np.percentile(slope, 90)), 1e-4), 1.0, 6.0))
    light = Terrain(smooth, coarse.west, coarse.north, coarse.cell_x, coarse.cell_y).hillshade(225.0, 48.0, exaggeration)
    flat = np.sin(np.radians(48.0))
    shade = 1.0 + look.shade * 0.55 * (light - flat)
    return np.asarray(np.clip(color * shade[..., None], 0, 255), dtype=np.uint8)


def grid_lines(terrain: Terrain, origin: Float) -> tuple[Float32, Int]:
    """Return local points and segments of a metric grid on the surface: the depth cue of the X-ray view."""
    (west, south, _), (east, north, _) = terrain.bounds
    spacing = next((s for s in GRID_STEPS if (east - west) / s <= 30), GRID_STEPS[-1])
    xs, ys = (
        np.arange(np.ceil(west / spacing), east / spacing) * spacing,
        np.arange(np.ceil(south / spacing), north / spacing) * spacing,
    )
    steps = 96
    lines = [np.column_stack([np.full(steps, x), np.linspace(south, north, steps)]) for x in xs]
    lines += [np.column_stack([np.linspace(west, east, steps), np.full(steps, y)]) for y in ys]
    if not lines:
        return np.zeros((0, 3), dtype=np.float32), np.zeros((0, 2), dtype=np.int64)
    xy = np.concatenate(lines)
    z = terrain.sample(xy)
    first = np.arange(len(xy) - 1)
    known = np.isfinite(z)
    first = first[((first + 1) % steps != 0) & known[:-1] & known[1:]]
    points = np.column_stack([xy, np.where(known, z, 0.0)]) - origin
    return points.astype(np.float32), np.column_stack([first, first + 1])


def _blurred(values: Float32, passes: int) -> Float32:
    out = values.astype(np.float32)
    for _ in range(passes):
        padded = np.pad(out, 1, mode="edge")
        mixed = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] + 4.0 * padded[1:-1, 1:-1]) / 8.0
        out = mixed.astype(np.float32)
    return out


def ring_cells(rings: int, spokes: int) -> Int:
    """Return the (T, 3) triangles between consecutive rings of as many points each."""
    spoke = np.arange(spokes)
    after = (spoke + 1) % spokes
    cells = []
    for ring in range(rings - 1):
        a, b = ring * spokes, (ring + 1) * spokes
        cells += [np.column_stack([a + spoke, b + spoke, b + after]), np.column_stack([a + spoke, b + after, a + after])]
    return np.concatenate(cells)


class GroundPlane:
    """A wide plane fading into the horizon, so that nothing floats in a void."""

    RINGS = (0.0, 1.0, 1.5, 2.5, 4.0, 7.0, 12.0, 24.0)
    SPOKES = 72

    def __init__(self) -> None:
        self._angles = np.linspace(0.0, 2.0 * np.pi, self.SPOKES, endpoint=False)
        count = len(self.RINGS) * self.SPOKES
        self._points: Float32 = np.zeros((count, 3), dtype=np.float32)
        self._colors: UInt8 = np.zeros((count, 3), dtype=np.uint8)
        self.data = poly_data(self._points, ring_cells(len(self.RINGS), self.SPOKES))
        self._scalars = set_point_array(self.data, self._colors, "scalars")
        self.actor = actor_of(self.data)
        self.actor.GetMapper().ScalarVisibilityOn()
        self.actor.GetProperty().LightingOff()
        self.actor.UseBoundsOff()
        self.actor.PickableOff()

    def place(self, centre: Float, radius: float, height: float, look: Look) -> None:
        """Lay the plane around a local ``centre`` at a local ``height``, plain up to ``radius`` and fading beyond."""
        ground, horizon, sky = (np.array(rgba(c)[:3], dtype=np.float64) for c in (look.ground, look.horizon, look.sky))
        haze = horizon + (sky - horizon) * HORIZON_SHARE
        for ring, factor in enumerate(self.RINGS):
            part = slice(ring * self.SPOKES, (ring + 1) * self.SPOKES)
            self._points[part, 0] = centre[0] + np.cos(self._angles) * factor * radius
            self._points[part, 1] = centre[1] + np.sin(self._angles) * factor * radius
            self._points[part, 2] = height
            fade = np.clip((factor - 1.0) / (self.RINGS[-2] - 1.0), 0.0, 1.0) ** 0.6
            self._colors[part] = ground + (haze - ground) * fade
        self.data.GetPoints().Modified()
        self._scalars.Modified()
        self.data.Modified()

    def set_opacity(self, opacity: float) -> None:
        """Fade the plane for the X-ray view."""
        self.actor.GetProperty().SetOpacity(opacity)


class SkyDome:
    """The sky around the eye: hazy at the horizon, bluer higher up, wherever the camera looks."""

    ELEVATIONS = (-90.0, -1.0, 0.0, 3.0, 8.0, 16.0, 30.0, 90.0)
    SHARES = (HORIZON_SHARE, HORIZON_SHARE, HORIZON_SHARE, 0.55, 0.78, 0.94, 1.0, 1.0)
    SPOKES = 24

    def __init__(self) -> None:
        turn = np.linspace(0.0, 2.0 * np.pi, self.SPOKES, endpoint=False)
        rise = np.radians(self.ELEVATIONS)[:, None]
        east, north = np.sin(turn) * np.cos(rise), np.cos(turn) * np.cos(rise)
        points = np.stack([east, north, np.broadcast_to(np.sin(rise), east.shape)], axis=-1).reshape(-1, 3)
        self._colors: UInt8 = np.zeros((len(points), 3), dtype=np.uint8)
        self.data = poly_data(points.astype(np.float32), ring_cells(len(self.ELEVATIONS), self.SPOKES))
        self._scalars = set_point_array(self.data, self._colors, "scalars")
        self.actor = actor_of(self.data)
        self.actor.GetMapper().ScalarVisibilityOn()
        self.actor.GetProperty().LightingOff()
        self.actor.UseBoundsOff()
        self.actor.PickableOff()

    def paint(self, look: Look) -> None:
        """Take the colours of a theme."""
        horizon, sky = (np.array(rgba(c)[:3], dtype=np.float64) for c in (look.horizon, look.sky))
        self._colors[:] = np.repeat(horizon + (sky - horizon) * np.array(self.SHARES)[:, None], self.SPOKES, axis=0)
        self._scalars.Modified()
        self.data.Modified()

    def prepare(self, view: View) -> None:
        """Follow the eye."""
        self.actor.SetPosition(*view.eye)
        self.actor.SetScale(SKY_SHARE * view.far)
