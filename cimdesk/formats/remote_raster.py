"""GeoTIFFs on servers as datasets: what our readers ask of one from GDAL, answered from the tiles that a window needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cimdesk.base.arrays import AnyArray, UInt8
from cimdesk.base.errors import DataError, Problem
from cimdesk.formats.remote_parts import RemoteParts
from cimdesk.formats.tiff_head import PALETTE, PHOTOMETRIC, RGB, YCBCR
from cimdesk.formats.tiff_parts import BadTiffError, Image, TiffParts

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    Dataset: TypeAlias = "DatasetReader | RemoteDataset"

MOST_WHOLE = 16_000_000
"""Pixels up to which a file without coarser copies can be looked at from afar."""
MARGIN = 2
"""Pixels read around a window, for what lies between two of them."""


@dataclass(frozen=True)
class _Facts:
    """What GDAL says of the file from its tags alone."""

    crs: Any
    transform: Any
    bounds: Any
    gcps: Any
    dtypes: tuple[str, ...]
    nodata: float | None
    colorinterp: Any
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    count: int
    colormaps: dict[int, Any]


class RemoteDataset:
    """The part of a rasterio dataset that readers of elevations and pictures use; safe to share between threads."""

    driver = "GTiff"

    def __init__(self, parts: RemoteParts) -> None:
        self.parts = parts
        self.name = parts.name
        self._tiff = TiffParts(parts)
        first = self._tiff.images[0]
        self.width, self.height = first.width, first.height
        self._facts = _facts_of(self._tiff)
        self.block_shapes = [(first.tile[1], first.tile[0])] * self._facts.count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._facts, name)

    def __enter__(self) -> RemoteDataset:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        """Do nothing: there is nothing open."""

    def problems(self) -> tuple[Problem, ...]:
        """Return what could not be fetched so far."""
        return self.parts.problems()

    @property
    def looks_like_picture(self) -> bool:
        """Whether it holds colours: red, green and blue, a palette, or JPEG; a single grey band may be anything."""
        is_float = np.dtype(self._facts.dtypes[0]).kind == "f"
        return self._tiff.number(PHOTOMETRIC, -1) in (RGB, PALETTE, YCBCR) and not is_float

    @property
    def is_upright(self) -> bool:
        """Whether rows run to the east and columns to the south."""
        place = self._facts.transform
        has_points = bool(self._facts.gcps[0]) and place.is_identity
        return not has_points and place.b == 0 and place.d == 0 and place.a > 0 and place.e < 0

    @property
    def least(self) -> int:
        """Pixels of the coarsest copy."""
        last = self._tiff.images[-1]
        return last.width * last.height

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    def overviews(self, band: int) -> list[int]:
        """Return how many times coarser the copies are."""
        return [round(self.width / image.width) for image in self._tiff.images[1:]]

    def colormap(self, band: int) -> Any:
        """Return the palette of a band."""
        return self._facts.colormaps[band]

    def read(
        self,
        indexes: int | Sequence[int],
        window: Any = None,
        out_shape: Sequence[int] | None = None,
        masked: bool = False,
        resampling: Any = None,
    ) -> AnyArray:
        """Return bands of a window as rasterio does.

        Raises
        ------
        RasterioIOError
            If its tiles are damaged.
        ServiceError
            If they cannot be had.
        """
        part = _box(window, self)
        shape = tuple(out_shape[-2:]) if out_shape else (round(part[3] - part[1]), round(part[2] - part[0]))
        image = self._level(part, shape)
        values: AnyArray = self._read(image, part, indexes, shape, masked, resampling)
        mask = self._tiff.mask_of(image) if masked else None
        if mask is not None:
            hidden = self._read(mask, part, 1, shape, False, None) == 0
            values = np.ma.masked_array(values, np.ma.getmaskarray(values) | hidden)
        return values

    def dataset_mask(self, window: Any = None, out_shape: Sequence[int] | None = None, resampling: Any = None) -> UInt8:
        """Return 255 where there is something to see and 0 elsewhere."""
        from rasterio.enums import ColorInterp

        part = _box(window, self)
        shape = tuple(out_shape[-2:]) if out_shape else (round(part[3] - part[1]), round(part[2] - part[0]))
        image = self._level(part, shape)
        kinds = list(self._facts.colorinterp)
        out: UInt8
        if (mask := self._tiff.mask_of(image)) is not None:
            out = np.where(self._read(mask, part, 1, shape, False, resampling) > 0, 255, 0).astype(np.uint8)
        elif ColorInterp.alpha in kinds:
            alpha = self._read(image, part, kinds.index(ColorInterp.alpha) + 1, shape, False, resampling)
            out = np.where(alpha > 0, 255, 0).astype(np.uint8) if alpha.dtype != np.uint8 else np.asarray(alpha)
        elif self._facts.nodata is not None:
            hidden = np.ma.getmaskarray(self._read(image, part, list(range(1, self.count + 1)), shape, True, resampling))
            out = np.where(hidden.all(axis=0), 0, 255).astype(np.uint8)
        else:
            out = np.full(shape, 255, dtype=np.uint8)
        return out

    def _level(self, part: tuple[float, float, float, float], shape: tuple[int, ...]) -> Image:
        """Return the coarsest copy that is fine enough."""
        factor = min((part[2] - part[0]) / max(shape[1], 1), (part[3] - part[1]) / max(shape[0], 1))
        return [image for image in self._tiff.images if self.width / image.width <= max(factor * 1.01, 1.0)][-1]

    def _read(
        self,
        image: Image,
        part: tuple[float, float, float, float],
        indexes: int | Sequence[int],
        shape: tuple[int, ...],
        masked: bool,
        resampling: Any,
    ) -> AnyArray:
        import rasterio
        from rasterio.enums import Resampling
        from rasterio.errors import RasterioIOError
        from rasterio.windows import Window

        scale_x, scale_y = image.width / self.width, image.height / self.height
        left, top, right, bottom = part[0] * scale_x, part[1] * scale_y, part[2] * scale_x, part[3] * scale_y
        cover = (
            max(0, int(np.floor(left)) - MARGIN), max(0, int(np.floor(top)) - MARGIN),
            min(image.width, int(np.ceil(right)) + MARGIN), min(image.height, int(np.ceil(bottom)) + MARGIN),
        )  # fmt: skip
        try:
            data, (x, y) = self._tiff.excerpt(image, cover)
        except BadTiffError as error:
            raise RasterioIOError(str(error)) from error
        size = tuple(shape) if isinstance(indexes, int) else (len(indexes), *shape)
        place = Window(left - x, top - y, right - left, bottom - top)
        with rasterio.MemoryFile(data) as file, file.open(driver="GTiff") as small:
            found: AnyArray = small.read(
                indexes, window=place, out_shape=size, masked=masked, resampling=resampling or Resampling.nearest
            )
        return found


def open_remote(parts: RemoteParts) -> RemoteDataset:
    """Return a GeoTIFF that is read in parts.

    Raises
    ------
    DataError
        If it is none, or cannot be looked at without reading all of it.
    ServiceError
        If its directories cannot be had.
    """
    from rasterio.errors import RasterioError

    path = Path(parts.name)
    try:
        dataset = RemoteDataset(parts)
    except (BadTiffError, RasterioError) as error:
        raise DataError(
            path,
            "the raster cannot be read ({reason}).",
            remedy="Check the address, or download the file and open it.",
            reason=str(error),
        ) from error
    if dataset.least > MOST_WHOLE:
        raise DataError(
            path,
            "it has {count} pixels and no coarser copies of them, so that all of it would have to be fetched.",
            remedy="Convert it to a Cloud Optimized GeoTIFF, or download it and open the file.",
            count=dataset.least,
        )
    return dataset


def _facts_of(tiff: TiffParts) -> _Facts:
    import warnings

    import rasterio
    from rasterio.enums import ColorInterp
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.MemoryFile(tiff.description()) as file, file.open(driver="GTiff") as small:
            first = tiff.images[0]
            bounds = rasterio.transform.array_bounds(first.height, first.width, small.transform)
            kinds = small.colorinterp
            colormaps = {k + 1: small.colormap(k + 1) for k, kind in enumerate(kinds) if kind is ColorInterp.palette}
            return _Facts(
                small.crs, small.transform, rasterio.coords.BoundingBox(*bounds), small.gcps, small.dtypes, small.nodata,
                kinds, small.scales, small.offsets, small.count, colormaps,
            )  # fmt: skip


def _box(window: Any, dataset: RemoteDataset) -> tuple[float, float, float, float]:
    if window is None:
        return 0.0, 0.0, float(dataset.width), float(dataset.height)
    return window.col_off, window.row_off, window.col_off + window.width, window.row_off + window.height
