"""Pictures of faces put together on pages, made smaller where there are more of them than memory is for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from cimdesk.base.arrays import Bool, Float, UInt8
from cimdesk.base.pictures import read_picture
from cimdesk.base.srgb import to_linear, to_screen
from cimdesk.model.pictured import PictureFile

PAGE = 1024
"""Pixels along a side: what one frame can take over without a stop."""
LARGEST = 2048
"""The same for a page of one picture."""
RIM = 4
"""Pixels around each picture that repeat its last ones, so that nothing of its neighbours shows."""
BUDGET = 24 << 20
"""Pixels that all pages of a layer may have."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Spot:
    """Where a picture is on its page [px]: from the left, from the top, width and height."""

    picture: int
    left: int
    top: int
    width: int
    height: int


@dataclass
class Page:
    """Pictures side by side, or a single one that is large or goes on beyond its rim.

    Attributes
    ----------
    width, height : int
    is_repeated : bool
    rim : int
        Pixels around each picture that repeat its last ones.
    spots : list of Spot
    """

    width: int
    height: int
    is_repeated: bool = False
    rim: int = RIM
    spots: list[Spot] = field(default_factory=list)

    def placed(self, spot: Spot, places: Float) -> Float:
        """Return where (..., 2) places of a picture are on the page, both from the left and from the bottom."""
        if self.is_repeated:
            return places
        inside = np.clip(places, 0.0, 1.0)
        x = (spot.left + inside[..., 0] * spot.width) / self.width
        y = 1.0 - (spot.top + (1.0 - inside[..., 1]) * spot.height) / self.height
        return np.stack([x, y], axis=-1)


def plan_pages(files: Sequence[PictureFile], goes_on: Bool, is_used: Bool) -> list[Page]:
    """Return pages for the files that are used.

    Parameters
    ----------
    files : sequence of PictureFile
    goes_on : (F,) bool
        Pictures that are used beyond their rim: each has a page of its own, as those have that are too large for one with others.
    is_used : (F,) bool
    """
    used = {k: each.size for k, each in enumerate(files) if is_used[k]}
    scale = min(1.0, float(np.sqrt(BUDGET / max(sum(width * height for width, height in used.values()), 1))))
    fitted = {k: _fitted(size, scale) for k, size in used.items()}
    is_alone = {k: bool(goes_on[k]) or max(size) > PAGE - 2 * RIM for k, size in fitted.items()}
    alone = [Page(*fitted[k], bool(goes_on[k]), 0, [Spot(k, 0, 0, *fitted[k])]) for k in fitted if is_alone[k]]
    return alone + _shelves({k: size for k, size in fitted.items() if not is_alone[k]})


def _fitted(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return a size made smaller by ``scale`` at least, and so far that it fits on a page."""
    scale = min(scale, LARGEST / size[0], LARGEST / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _shelves(sizes: dict[int, tuple[int, int]]) -> list[Page]:
    """Return pages filled shelf by shelf, the highest pictures first."""
    pages: list[Page] = []
    left = top = shelf = PAGE
    for picture, (width, height) in sorted(sizes.items(), key=lambda item: -item[1][1]):
        if left + width + 2 * RIM > PAGE:
            left, top = 0, top + shelf
            shelf = height + 2 * RIM
        if top + height + 2 * RIM > PAGE:
            pages.append(Page(0, 0))
            left, top, shelf = 0, 0, height + 2 * RIM
        page = pages[-1]
        page.spots.append(Spot(picture, left + RIM, top + RIM, width, height))
        left += width + 2 * RIM
        page.width, page.height = max(page.width, left), max(page.height, top + shelf)
    return pages


def painted_page(page: Page, files: Sequence[PictureFile], is_wanted: Callable[[], bool] = lambda: True) -> UInt8 | None:
    """Return the (H, W, 3 or 4) pixels of a page, row 0 at the top; None when nobody wants it any longer.

    A picture that cannot be read is left out, and taken from ``page.spots``.
    """
    found: list[tuple[Spot, UInt8]] = []
    for spot in page.spots:
        if not is_wanted():
            return None
        if (pixels := _pixels_of(files[spot.picture], spot)) is not None:
            found.append((spot, pixels))
    page.spots[:] = [spot for spot, _ in found]
    channels = 4 if any(pixels[..., 3].min() < 255 for _, pixels in found) else 3
    whole = np.zeros((page.height, page.width, channels), dtype=np.uint8)
    for spot, pixels in found:
        rows = np.clip(np.arange(-page.rim, spot.height + page.rim), 0, spot.height - 1)
        columns = np.clip(np.arange(-page.rim, spot.width + page.rim), 0, spot.width - 1)
        top, left = spot.top - page.rim, spot.left - page.rim
        whole[top : top + len(rows), left : left + len(columns)] = pixels[rows[:, None], columns, :channels]
    return whole


def _pixels_of(file: PictureFile, spot: Spot) -> UInt8 | None:
    """Return (height, width, 4) pixels; None, and a line in the log, where the picture is damaged after its head."""
    try:
        pixels = read_picture(file.path if file.data is None else file.data, (spot.width, spot.height))
    except ValueError as error:
        log.warning("%s: %s", file.path, error)
        return None
    if file.tint != (1.0, 1.0, 1.0):
        codes = np.arange(256)
        for channel, share in enumerate(file.tint):
            pixels[..., channel] = to_screen(to_linear(codes) * share)[pixels[..., channel]]
    if file.alpha is not None:
        pixels[..., 3] = np.where(pixels[..., 3] >= 255.0 * file.alpha, 255, 0)
    return pixels
