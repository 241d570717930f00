"""Chunks of a terrain: what each is made of, how pictures are draped over them, and how they become actors.

A terrain is a quadtree of chunks. A chunk covers a rectangle of world coordinates with up to 64 x 64 quads and a skirt that
hangs down all around, so that no gap shows beside a coarser neighbour. Its texture is the ground as seen from above, with
the hill shading of elevations finer than its quads baked in. Texture coordinates run from 0 to 1 over the chunk's bounds,
u to the east and v to the north.

Draping pictures
----------------
Something that has pictures (imagery) implements `Drape` and puts itself into ``Context.drape``:

- The terrain calls ``drape.request(PictureRequest)`` on one of its own worker threads, never on the thread of the window,
  for every chunk that comes into use. The request says the ``bounds`` (west, south, east, north in the project's
  coordinates) and the size in ``pixels``.
- The drape answers by ``request.answer(picture)``, at once or later, from any thread, as often as it likes (a coarse
  picture first, then a sharper one). A picture is (h, w, 4) uint8 RGBA, row 0 north, of any size; alpha 0 lets the
  ground's own colours through. None takes the picture away. Nothing is drawn by the call: the terrain uploads the picture
  within its budget of a coming frame.
- ``request.is_wanted()`` turns false when the chunk has gone out of use; work for it may then be given up.
- When the pictures themselves change (a layer added, hidden, reordered, made fainter), the drape emits ``changed``: all
  chunks in use ask again. What they show stays until the new answer is there.

While there is a drape, chunks are refined until a pixel of the picture is about a pixel of the screen, beyond the
resolution of the elevations where needed, so every request has the same size.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int32, UInt8
from cimdesk.base.signals import Signal
from cimdesk.model.elevation import ElevationSource, Rectangle, resampled
from cimdesk.scene.geometry import actor_of, cell_array, poly_data, set_point_array
from cimdesk.scene.textures import PictureTexture

QUADS = 64
"""Quads along a side of a chunk at most; flat ground takes fewer."""
COARSER_QUADS = (8, 16, 32)
TEXELS = 256
"""Texels along a side of a chunk's own texture at most."""
PICTURE_PIXELS = 512
"""Pixels along a side of a draped picture."""
MARGIN = 2
"""Samples read beyond each side, so that shading and texture go on across the seam."""
WALL_TEXELS = 3
"""Rows of a texture that have the colour of the walls at the rim."""
HIDDEN_ERROR = 1.0
"""Height error, in texels, that fewer quads may have: it is not seen."""


@dataclass(frozen=True)
class PictureRequest:
    """What a chunk asks a drape for.

    Attributes
    ----------
    bounds : Rectangle
        West, south, east, north in the project's coordinates.
    pixels : tuple of int
        Width and height of the picture wanted.
    answer : callable
        Takes a (h, w, 4) uint8 picture, row 0 north, or None; from any thread, any number of times.
    is_wanted : callable
        Whether the chunk is still in use; from any thread.
    """

    bounds: Rectangle
    pixels: tuple[int, int]
    answer: Callable[[UInt8 | None], None]
    is_wanted: Callable[[], bool]


class Drape(Protocol):
    """Gives pictures to lay over terrain; see the module's text."""

    changed: Signal[None]

    def request(self, request: PictureRequest) -> None:
        """Begin to get a picture; called on a worker thread of the terrain."""
        ...


class Painter(Protocol):
    """Colours the ground of a chunk; ``cut`` is the (4,) uint8 colour of the walls at the rim of the terrain."""

    @property
    def cut(self) -> UInt8: ...

    def paint(self, heights: Float32, cell_x: float, cell_y: float) -> tuple[UInt8, Float32]:
        """Return (R - 3, C - 3, 3) colours and (R - 3, C - 3) shading, 1 for flat ground, of (R, C) samples at vertices."""
        ...


@dataclass
class ChunkBlock:
    """A chunk as arrays: made in any thread, ready to upload.

    Attributes
    ----------
    bounds : Rectangle
    heights : (R, C) float32
        World heights on a fine grid with `MARGIN` samples beyond each side; filled where unknown.
    is_known : (R, C) bool
    quads : int
        Along a side.
    error : float
        Greatest height error of the quads against the fine grid [m].
    low, high : float
        Least and greatest height [m].
    texels : (h, w, 4) uint8
        Colours with shading, one texel beyond each side.
    shade : (h, w) float32
    cut : (4,) uint8
        Colour of walls at the rim.
    """

    bounds: Rectangle
    heights: Float32
    is_known: Bool
    quads: int
    error: float
    low: float
    high: float
    texels: UInt8
    shade: Float32
    cut: UInt8

    @property
    def size(self) -> int:
        """Bytes it takes, with what the graphics library copies of it."""
        vertices = (self.quads + 1) * (self.quads + 9)
        return self.heights.nbytes + self.is_known.nbytes + 2 * self.texels.nbytes + self.shade.nbytes + 60 * vertices

    @property
    def has_holes(self) -> bool:
        """Whether some of it has no elevation."""
        return not bool(self.is_known[MARGIN:-MARGIN, MARGIN:-MARGIN].all())

    def repaint(self, painter: Painter) -> None:
        """Colour it anew, for another theme or style."""
        self.texels, self.shade = _painted(self.heights, self.is_known, self.bounds, painter)
        self.cut = painter.cut


def build_chunk(source: ElevationSource, bounds: Rectangle, painter: Painter) -> ChunkBlock | None:
    """Read and colour one chunk; None where it has no elevation at all. For worker threads.

    Parameters
    ----------
    source : ElevationSource
    bounds : Rectangle
    painter : Painter
    """
    west, south, east, north = bounds
    texels = _texels(max(east - west, north - south), source.cell)
    step_x, step_y = (east - west) / texels, (north - south) / texels
    reach = MARGIN + 0.5
    area = (west - reach * step_x, south - reach * step_y, east + reach * step_x, north + reach * step_y)
    count = texels + 1 + 2 * MARGIN
    heights = source.read(area, count, count)
    is_known = np.isfinite(heights)
    inner = is_known[MARGIN:-MARGIN, MARGIN:-MARGIN]
    if not inner.any():
        return None
    if not is_known.all():
        heights = filled(heights, texels // QUADS + MARGIN + 1)
    fine = heights[MARGIN:-MARGIN, MARGIN:-MARGIN]
    quads, error = _quads_for(fine, HIDDEN_ERROR * max(step_x, step_y), bool(inner.all()))
    colors, shade = _painted(heights, is_known, bounds, painter)
    known = fine[inner]
    return ChunkBlock(bounds, heights, is_known, quads, error, float(known.min()), float(known.max()), colors, shade, painter.cut)


def filled(heights: Float32, passes: int) -> Float32:
    """Return the grid with unknown cells near known ones continued outwards, and the mean elsewhere."""
    out = heights.copy()
    for _ in range(passes):
        is_known = np.isfinite(out)
        if is_known.all():
            return out
        total = np.zeros_like(out)
        count = np.zeros_like(out)
        value = np.pad(np.where(is_known, out, np.float32(0.0)), 1)
        known = np.pad(is_known.astype(np.float32), 1)
        for r, c in ((0, 1), (2, 1), (1, 0), (1, 2), (0, 0), (0, 2), (2, 0), (2, 2)):
            total += value[r : r + out.shape[0], c : c + out.shape[1]]
            count += known[r : r + out.shape[0], c : c + out.shape[1]]
        new = ~is_known & (count > 0)
        out[new] = total[new] / count[new]
    return np.where(np.isfinite(out), out, np.float32(np.nanmean(heights)))


def _texels(extent: float, cell: float) -> int:
    """Return how many texels a chunk deserves: as many as it has cells, in powers of two."""
    cells = extent / max(cell, 1e-9)
    return int(np.clip(2 ** np.ceil(np.log2(max(cells * 0.75, 1.0))), QUADS, TEXELS))


def _quads_for(fine: Float32, tolerance: float, is_whole: bool) -> tuple[int, float]:
    """Return the fewest quads whose error is not seen, and the error."""
    count = fine.shape[0] - 1
    errors = {count: 0.0}
    for stride in (2 ** np.arange(1, int(np.log2(count)) + 1)).tolist():
        errors[count // stride] = errors[2 * count // stride] + _middle_error(fine[:: stride // 2, :: stride // 2])
    for quads in COARSER_QUADS if is_whole else ():
        if errors[quads] <= tolerance:
            return quads, errors[quads]
    return QUADS, errors[QUADS]


def _middle_error(fine: Float32) -> float:
    """Return by how much the samples between every other one differ from the mean of their neighbours.

    The error of a coarse surface is at most the sum of these over all finer levels.
    """
    across = np.abs(fine[::2, 1::2] - (fine[::2, :-1:2] + fine[::2, 2::2]) * np.float32(0.5))
    down = np.abs(fine[1::2, ::2] - (fine[:-1:2, ::2] + fine[2::2, ::2]) * np.float32(0.5))
    diagonal = (fine[:-1:2, :-1:2] + fine[2::2, 2::2] + fine[:-1:2, 2::2] + fine[2::2, :-1:2]) * np.float32(0.25)
    return float(max(across.max(), down.max(), np.abs(fine[1::2, 1::2] - diagonal).max()))


def _painted(heights: Float32, is_known: Bool, bounds: Rectangle, painter: Painter) -> tuple[UInt8, Float32]:
    west, south, east, north = bounds
    count = heights.shape[0] - 1 - 2 * MARGIN
    colors, shade = painter.paint(heights, (east - west) / count, (north - south) / count)
    alpha = np.full((*shade.shape, 1), 255, dtype=np.uint8)
    if not is_known.all():
        part = is_known[1:-1, 1:-1].astype(np.float32)
        alpha[..., 0] = 255.0 * (part[:-1, :-1] + part[:-1, 1:] + part[1:, :-1] + part[1:, 1:]) / 4.0
    return np.concatenate([colors, alpha], axis=-1), shade


@dataclass
class Chunk:
    """A chunk with its actor.

    Attributes
    ----------
    block : ChunkBlock
    actor : vtkActor
    low, high : (3,) float64
        Local corners of its box.
    """

    block: ChunkBlock
    actor: Any
    low: Float
    high: Float
    _data: Any
    _unit: Float32
    wake: Callable[[], None] = field(default=lambda: None)
    is_in_use: bool = True
    is_changed: bool = True
    has_picture: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _picture: UInt8 | None = None
    _next: UInt8 | None = None
    _texture: PictureTexture | None = None

    def set_picture(self, picture: UInt8 | None) -> None:
        """Lay a (h, w, 4) uint8 picture, row 0 north, over the ground, shaded like it; None takes it away. From any thread."""
        composed = None if picture is None else draped(self.block, picture)
        with self._lock:
            self._picture = picture
            self._next = composed
            self.has_picture = picture is not None
            self.is_changed = True
        self.wake()

    def repaint(self, painter: Painter) -> None:
        """Colour the ground anew."""
        self.block.repaint(painter)
        self.set_picture(self._picture)

    def upload(self) -> None:
        """Show what was last set; on the thread that draws."""
        with self._lock:
            self.is_changed = False
            texels = self.block.texels if self._next is None else self._next
            self._next = None
        wall = np.broadcast_to(self.block.cut, (WALL_TEXELS, texels.shape[1], 4))
        whole = np.concatenate([texels, wall])
        if self._texture is not None and self._texture.pixels.size == whole.size:
            self._texture.replace(whole)
            return
        self._texture = PictureTexture(whole)
        self.actor.SetTexture(self._texture.texture)
        # One texel lies beyond each side of the bounds, and the colour of walls below the southern one.
        size = np.array([texels.shape[1], texels.shape[0] + WALL_TEXELS], dtype=np.float32)
        inner = np.array([texels.shape[1] - 2, texels.shape[0] - 2], dtype=np.float32)
        first = np.array([1.0, 1.0 + WALL_TEXELS], dtype=np.float32)
        places = (first + self._unit * inner) / size
        places[self._unit[:, 1] < 0.0, 1] = 0.5 * WALL_TEXELS / size[1]
        set_point_array(self._data, places, "tcoords")
        self._data.Modified()

    def request(self, drape: Drape) -> None:
        """Ask for the picture; on a worker thread."""
        drape.request(PictureRequest(self.block.bounds, (PICTURE_PIXELS, PICTURE_PIXELS), self.set_picture, lambda: self.is_in_use))


def draped(block: ChunkBlock, picture: UInt8) -> UInt8:
    """Return a picture, shaded like the ground and with it where the picture is see-through, one texel beyond each side."""
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge").astype(np.float32)
    rows = (np.arange(height + 2) - 0.5) / height * (block.shade.shape[0] - 2) + 0.5
    columns = (np.arange(width + 2) - 0.5) / width * (block.shade.shape[1] - 2) + 0.5
    shade = resampled(block.shade, rows, columns)
    share = padded[..., 3:] / 255.0
    color = padded[..., :3] * (0.35 + 0.65 * shade)[..., None]
    alpha = resampled(block.texels[..., 3].astype(np.float32), rows, columns) if block.has_holes else None
    if float(share.min()) < 1.0:
        ground = np.stack([resampled(block.texels[..., k].astype(np.float32), rows, columns) for k in range(3)], axis=-1)
        color = ground + (color - ground) * share
    out = np.full((height + 2, width + 2, 4), 255, dtype=np.uint8)
    out[..., :3] = np.clip(color, 0.0, 255.0)
    if alpha is not None:
        out[..., 3] = alpha
    return out


def upload_chunk(block: ChunkBlock, origin: Float, base: float, rim: tuple[bool, bool, bool, bool], skirt: float) -> Chunk:
    """Return the chunk of a block, with its actor.

    Parameters
    ----------
    block : ChunkBlock
    origin : (3,) float64
    base : float
        Height that the skirt reaches down to at the rim of the terrain [m].
    rim : four bool
        Whether its northern, southern, western, eastern side is the terrain's.
    skirt : float
        How far the other sides hang down [m].
    """
    points, unit, triangles = chunk_mesh(block, origin, base, rim, skirt)
    data = poly_data(points, triangles)
    if not block.has_holes:
        data.SetPolys(_shared_cells(block.quads))
    actor = actor_of(data)
    surface = actor.GetProperty()
    surface.SetAmbient(1.0)
    surface.SetDiffuse(0.0)
    # The light is in the texture.
    surface.LightingOff()
    if block.has_holes:
        actor.GetShaderProperty().AddFragmentShaderReplacement(
            "//VTK::TCoord::Impl", True, "//VTK::TCoord::Impl\n  if (fragOutput0.a < holeCut) discard;\n", False
        )
        actor.GetShaderProperty().GetFragmentCustomUniforms().SetUniformf("holeCut", 0.5)
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    chunk = Chunk(block, actor, low, high, data, unit)
    chunk.upload()
    return chunk


def chunk_mesh(
    block: ChunkBlock, origin: Float, base: float, rim: tuple[bool, bool, bool, bool], skirt: float
) -> tuple[Float32, Float32, Int32]:
    """Return local points (P, 3), places (P, 2) in 0..1 over the bounds, and triangles (T, 3).

    Along the rim the wall has points of its own, whose place is (0, -1).
    """
    west, south, east, north = block.bounds
    quads, count = block.quads, block.heights.shape[0] - 1 - 2 * MARGIN
    stride = max(1, count // quads)
    share = np.linspace(0.0, 1.0, quads + 1)
    z = block.heights[MARGIN : MARGIN + count + 1 : stride, MARGIN : MARGIN + count + 1 : stride].astype(np.float64) - origin[2]
    x, y = west + share * (east - west) - origin[0], north - share * (north - south) - origin[1]
    top = np.stack([*np.meshgrid(x, y), z], axis=-1)
    unit = np.stack(np.meshgrid(share, 1.0 - share), axis=-1)
    skirts, skirt_places = [], []
    for side, place, is_rim in zip(_sides(top), _sides(unit), rim, strict=True):
        foot = side.copy()
        foot[:, 2] = np.minimum(side[:, 2], base - origin[2]) if is_rim else side[:, 2] - skirt
        skirts += [side, foot]
        skirt_places += [np.tile([0.0, -1.0], (len(side), 1))] * 2 if is_rim else [place, place]
    points = np.concatenate([top.reshape(-1, 3), *skirts]).astype(np.float32)
    places = np.concatenate([unit.reshape(-1, 2), *skirt_places]).astype(np.float32)
    triangles = grid_triangles(quads)
    if block.has_holes:
        triangles = triangles[_near_known(block, stride)[triangles].all(axis=1)]
    return points, places, triangles


def _sides(grid: AnyArray) -> list[AnyArray]:
    """Return the northern, southern, western and eastern side, each so that its skirt faces outwards."""
    return [grid[0, ::-1], grid[-1], grid[:, 0], grid[::-1, -1]]


def _near_known(block: ChunkBlock, stride: int) -> Bool:
    """Return (P,) whether a vertex of the mesh belongs to a quad with an elevation in it."""
    inner = block.is_known[MARGIN:-MARGIN, MARGIN:-MARGIN]
    quads = block.quads
    # Samples of a quad, with those on its far sides.
    cells = np.zeros((quads, quads), dtype=bool)
    for r in range(stride + 1):
        for c in range(stride + 1):
            cells |= inner[r : r + quads * stride : stride, c : c + quads * stride : stride]
    wide = np.pad(cells, 1)
    vertex = wide[:-1, :-1] | wide[:-1, 1:] | wide[1:, :-1] | wide[1:, 1:]
    # Skirts hang from known ground only: beside a hole they would stand free.
    known = inner[:: max(stride, 1), :: max(stride, 1)]
    return np.concatenate([vertex.ravel(), *(side for side in _sides(known) for _ in range(2))])


@cache
def grid_triangles(quads: int) -> Int32:
    """Return (T, 3) triangles of a chunk: its quads, then its four skirts."""
    number = np.arange((quads + 1) ** 2).reshape(quads + 1, quads + 1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    parts = [np.stack([a, d, c], axis=-1).reshape(-1, 3), np.stack([a, c, b], axis=-1).reshape(-1, 3)]
    start = number.size
    for _ in range(4):
        high = start + np.arange(quads + 1)
        low = high + quads + 1
        parts.append(np.column_stack([high[:-1], low[:-1], low[1:]]))
        parts.append(np.column_stack([high[:-1], low[1:], high[1:]]))
        start += 2 * (quads + 1)
    return np.concatenate(parts).astype(np.int32)


@cache
def _shared_cells(quads: int) -> Any:
    """Return the cells of a chunk without holes; all such chunks share them."""
    return cell_array(grid_triangles(quads))
