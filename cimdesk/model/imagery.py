"""Imagery: pictures of the ground that can be asked for by place and size, whatever file or server they come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from cimdesk.base.arrays import Float, UInt8
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Problem
from cimdesk.base.jobs import CancelToken

EDGE_STEPS = 33
"""Points looked at along each edge of a coverage when it is put into another reference system."""
SPHERE_HALF = 20037508.342789244
"""Half the side of the Web Mercator square, EPSG:3857 [m]."""


@dataclass(frozen=True)
class Picture:
    """A picture of a rectangle of the ground.

    Attributes
    ----------
    pixels : (h, w, 4) uint8
        Red, green, blue, opacity (not premultiplied); row 0 is north. Transparent where there is nothing.
    missing : int
        Parts that should be there and did not come; worth asking for again later.
    """

    pixels: UInt8
    missing: int = 0


class PictureSource(Protocol):
    """Where pictures come from. `picture` is called from worker threads, several at a time."""

    title: str
    attribution: str
    crs: Crs
    bounds: Float
    """(2, 2) coverage in `crs`; NaN where it is unknown."""

    @property
    def finest(self) -> float:
        """Size of the finest pixel [units of `crs`]."""
        ...

    @property
    def zooms(self) -> tuple[int, int]:
        """First and last level of detail."""
        ...

    def picture(self, box: Float, crs: Crs, width: int, height: int, theme: str, cancel: CancelToken) -> Picture:
        """Return the picture of ``box``.

        Parameters
        ----------
        box : (2, 2) float64
            West, south and east, north in ``crs``.
        crs : Crs
        width, height : int
            Of the picture [px].
        theme : str
            ``light``, ``dark`` or ``projector``, for sources that are painted rather than photographed.
        cancel : CancelToken

        Raises
        ------
        Cancelled
        """
        ...

    def problems(self) -> tuple[Problem, ...]:
        """Return what was found missing or broken so far."""
        ...


@dataclass(frozen=True)
class Imagery:
    """The data of a picture layer.

    Attributes
    ----------
    source : PictureSource
    crs : Crs
        System in which boxes are given: the project's.
    bounds : (2, 3) float64
        Coverage in `crs`; heights are unknown.
    finest : float
        Size of the finest pixel [units of `crs`].
    """

    source: PictureSource
    crs: Crs
    bounds: Float
    finest: float

    @staticmethod
    def of(source: PictureSource) -> Imagery:
        """Return the pictures of a source in its own system."""
        return Imagery(source, source.crs, _with_heights(source.bounds), source.finest)

    def in_system(self, crs: Crs) -> Imagery:
        """Return the same pictures for boxes in another system."""
        if crs == self.crs:
            return self
        bounds = moved_bounds(self.source.bounds, self.source.crs, crs)
        return replace(self, crs=crs, bounds=_with_heights(bounds), finest=_moved_size(self.source, bounds, crs))

    def picture(self, box: Float, width: int, height: int, theme: str = "light", cancel: CancelToken | None = None) -> Picture:
        """Return the picture of a (2, 2) box of the project's system, see `PictureSource.picture`."""
        return self.source.picture(box, self.crs, width, height, theme, cancel or CancelToken())

    def meets(self, box: Float) -> bool:
        """Return whether there may be something in a (2, 2) box."""
        low, high = self.bounds[0, :2], self.bounds[1, :2]
        if not np.isfinite(self.bounds[:, :2]).all():
            return True
        return bool((low < box[1]).all() and (box[0] < high).all())


def moved_bounds(bounds: Float, crs: Crs, target: Crs) -> Float:
    """Return the (2, 2) box round a (2, 2) box of another system; NaN where none of it can be expressed there."""
    if crs == target or not np.isfinite(bounds).all():
        return bounds.copy()
    share = np.linspace(0.0, 1.0, EDGE_STEPS)
    x = bounds[0, 0] + share * (bounds[1, 0] - bounds[0, 0])
    y = bounds[0, 1] + share * (bounds[1, 1] - bounds[0, 1])
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    moved = crs.transform(target, np.column_stack([grid, np.zeros(len(grid))]))[:, :2]
    known = moved[np.isfinite(moved).all(axis=1)]
    if not len(known):
        return np.full((2, 2), np.nan)
    return np.array([known.min(axis=0), known.max(axis=0)])


def laid_over(pictures: Iterable[tuple[UInt8, float]], height: int, width: int) -> UInt8:
    """Return pictures laid over each other.

    Parameters
    ----------
    pictures : iterable of ((h, w, 4) uint8, float)
        From the lowest to the highest, with the opacity of each.
    height, width : int

    Returns
    -------
    (h, w, 4) uint8
        Not premultiplied, like the pictures.
    """
    out: UInt8 | None = None
    for pixels, opacity in pictures:
        top = pixels[..., 3]
        if opacity >= 1.0 and (out is None or int(top.min()) == 255):
            out = pixels
            continue
        # 8.8 fixed point: a whole chunk takes a few milliseconds.
        cover = (top.astype(np.int32) * round(opacity * 257.0) + 255) >> 8
        if out is None:
            out = pixels.copy()
            out[..., 3] = np.minimum(cover, 255)
            continue
        below = (out[..., 3].astype(np.int32) * (256 - cover) + 128) >> 8
        alpha = np.minimum(cover + below, 255)
        share = np.minimum((cover << 8) // np.maximum(alpha, 1), 256)[..., None]
        mixed = out.copy()
        mixed[..., :3] = out[..., :3] + (((pixels[..., :3].astype(np.int32) - out[..., :3]) * share) >> 8)
        mixed[..., 3] = alpha
        out = mixed
    return np.zeros((height, width, 4), dtype=np.uint8) if out is None else out


def flattened(picture: UInt8, base: UInt8) -> UInt8:
    """Return a (h, w, 4) picture over an opaque (h, w, 3) or (3,) one, as (h, w, 3) uint8."""
    alpha = picture[..., 3:].astype(np.uint16) + (picture[..., 3:] >> 7)
    mixed = picture[..., :3].astype(np.uint16) * alpha + base.astype(np.uint16) * (256 - alpha)
    flat: UInt8 = (mixed >> 8).astype(np.uint8)
    return flat


def attributions(imageries: Iterable[Imagery]) -> tuple[str, ...]:
    """Return whom the pictures are owed to, each once, in order."""
    return tuple(dict.fromkeys(item.source.attribution for item in imageries if item.source.attribution))


def _with_heights(bounds: Float) -> Float:
    return np.column_stack([bounds, np.full(2, np.nan)])


def _moved_size(source: PictureSource, bounds: Float, target: Crs) -> float:
    """Return the size of the finest pixel in another system, at the middle of the coverage."""
    if not np.isfinite(bounds).all():
        return source.finest
    middle = np.append(bounds.mean(axis=0), 0.0)
    back = target.transform(source.crs, middle[None, :])[0]
    if not np.isfinite(back).all():
        return source.finest
    step = source.finest * 64.0
    there = source.crs.transform(target, np.array([back, back + np.array([step, 0.0, 0.0])]))[:, :2]
    size = float(np.linalg.norm(there[1] - there[0])) / 64.0
    return size if np.isfinite(size) and size > 0.0 else source.finest
