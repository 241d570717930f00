"""Elevation rasters larger than memory: windows read at the resolution wanted, from one file, from many, or from a pyramid.

Reads may come from several threads; every thread uses handles of its own while it reads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.base.crs import Crs
from cimdesk.model.elevation import LargeSource, PatchSampler, Rectangle, resampled

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from cimdesk.base.errors import Problem
    from cimdesk.formats.remote_raster import Dataset, RemoteDataset

SPARE_HANDLES = 3
GDAL_CACHE = 96 << 20
"""Bytes of blocks that GDAL keeps."""
MAX_READ = 40_000_000
"""Cells decoded for one window at most; a file without overviews is read sparsely beyond that."""


@dataclass
class RasterFile:
    """One band of a raster file.

    Attributes
    ----------
    path : Path
    band : int
        From 1.
    driver : str
    crs : Crs or None
        System to be taken for the file's coordinates; None takes what it says.
    target : Crs or None
        System to read in; None for the file's own.
    offset : float
        Added to all heights [m].
    vertical : str
    remote : RemoteDataset or None
        Read instead of the path.
    """

    path: Path
    band: int
    driver: str
    crs: Crs | None = None
    target: Crs | None = None
    offset: float = 0.0
    vertical: str = ""
    remote: RemoteDataset | None = None
    is_quick = False
    _spare: list[Any] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @cached_property
    def bounds(self) -> Float:
        """(2, 3) world bounds; heights unknown."""
        with self._handle() as handle:
            west, south, east, north = handle.bounds
        return np.array([[west, south, np.nan], [east, north, np.nan]])

    @cached_property
    def cell(self) -> float:
        """Size of a cell [m]."""
        with self._handle() as handle:
            return float(min(abs(handle.transform.a), abs(handle.transform.e)))

    @cached_property
    def _sampler(self) -> PatchSampler:
        return PatchSampler(self.read, float(self.bounds[0, 0]), float(self.bounds[1, 1]), self.cell)

    def sample(self, xy: Float) -> Float:
        """Return (N,) heights at (N, 2 or 3) world points."""
        return self._sampler.sample(xy)

    def raised(self, offset: float) -> RasterFile:
        """Return the same with all heights higher."""
        return replace(self, offset=self.offset + offset, _spare=[], _lock=threading.Lock())

    def aimed(self, crs: Crs | None, target: Crs) -> RasterFile:
        """Return the same in another system; ``crs`` is the file's own."""
        return replace(self, crs=crs, target=target, _spare=[], _lock=threading.Lock())

    def problems(self) -> tuple[Problem, ...]:
        """Return what could not be fetched so far."""
        return () if self.remote is None else self.remote.problems()

    def read(self, area: Rectangle, rows: int, columns: int) -> Float32:
        """Return (rows, columns) heights at the centres of equal cells over ``area``; NaN where there are none."""
        with self._handle() as handle:
            return self._window(handle, area, rows, columns)

    def _window(self, handle: Dataset, area: Rectangle, rows: int, columns: int) -> Float32:
        west, south, east, north = area
        transform = handle.transform
        step_x, step_y = (east - west) / columns, (north - south) / rows
        # Fractional cells of the file at which heights are wanted; whole numbers are centres.
        x = (west + (np.arange(columns) + 0.5) * step_x - transform.c) / transform.a - 0.5
        y = (north - (np.arange(rows) + 0.5) * step_y - transform.f) / transform.e - 0.5
        out = np.full((rows, columns), np.nan, dtype=np.float32)
        within_x, within_y = _within(x, handle.width), _within(y, handle.height)
        if not within_x.any() or not within_y.any():
            return out
        factor = _factor(min(step_x / abs(transform.a), step_y / abs(transform.e)))
        left, right = _span(x[within_x], handle.width, factor)
        top, bottom = _span(y[within_y], handle.height, factor)
        cells = self._cells(handle, (top, bottom, left, right), factor)
        # At the edge of the file the coarse cells are a little smaller.
        scale_y, scale_x = cells.shape[0] / (bottom - top), cells.shape[1] / (right - left)
        inner = resampled(cells, (y[within_y] + 0.5 - top) * scale_y - 0.5, (x[within_x] + 0.5 - left) * scale_x - 0.5)
        out[np.ix_(within_y, within_x)] = inner + np.float32(self.offset)
        return out

    def _cells(self, handle: Dataset, part: tuple[int, int, int, int], factor: int) -> Float32:
        """Return the cells of a part of the file, ``factor`` times coarser; damaged blocks are NaN."""
        from rasterio.enums import Resampling
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        top, bottom, left, right = part
        shape = (-(-(bottom - top) // factor), -(-(right - left) // factor))
        is_sparse = factor > 1 and not handle.overviews(1) and (bottom - top) * (right - left) > MAX_READ
        window = Window(left, top, right - left, bottom - top)
        resampling = Resampling.nearest if factor == 1 or is_sparse else Resampling.average
        try:
            return _metres(handle, self._band_in(handle), window, shape, resampling)
        except RasterioError:
            return self._undamaged(handle, part, factor, shape)

    def _undamaged(self, handle: Dataset, part: tuple[int, int, int, int], factor: int, shape: tuple[int, int]) -> Float32:
        from rasterio.enums import Resampling
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        top, bottom, left, right = part
        out = np.full(shape, np.nan, dtype=np.float32)
        step = max(1, 128 // factor) * factor
        for row in range(top, bottom, step):
            for column in range(left, right, step):
                height, width = min(step, bottom - row), min(step, right - column)
                r, c = (row - top) // factor, (column - left) // factor
                size = (-(-height // factor), -(-width // factor))
                try:
                    piece = _metres(handle, self._band_in(handle), Window(column, row, width, height), size, Resampling.nearest)
                except RasterioError:
                    continue
                out[r : r + size[0], c : c + size[1]] = piece
        return out

    def _band_in(self, handle: Dataset) -> int:
        return int(min(self.band, handle.count))

    @contextmanager
    def _handle(self) -> Iterator[Dataset]:
        """Lend an open file that no other thread uses meanwhile."""
        import rasterio

        with rasterio.Env(GDAL_PAM_ENABLED=False, GDAL_DISABLE_READDIR_ON_OPEN="FALSE", GDAL_CACHEMAX=GDAL_CACHE):
            with self._lock:
                handle = self._spare.pop() if self._spare else None
            if handle is None:
                handle = self._opened()
            try:
                yield handle
            finally:
                with self._lock:
                    is_kept = len(self._spare) < SPARE_HANDLES
                    if is_kept:
                        self._spare.append(handle)
                if not is_kept:
                    handle.close()

    def _opened(self) -> Dataset:
        import rasterio

        if self.remote is not None:
            return self.remote

        dataset = rasterio.open(self.path, driver=self.driver or None, sharing=False)
        place = dataset.transform
        gcps = bool(dataset.gcps[0]) and place.is_identity
        is_upright = not gcps and place.b == 0 and place.d == 0 and place.a > 0 and place.e < 0
        if is_upright and (self.target is None or self.target == self.crs):
            return dataset
        return _warped(dataset, self.crs, self.target, gcps)


def _warped(dataset: DatasetReader, crs: Crs | None, target: Crs | None, gcps: bool) -> DatasetReader:
    """Return a view of a file that is north-up in the system wanted."""
    from rasterio.crs import CRS
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    from cimdesk.formats.raster_warp import horizontal_wkt

    said = CRS.from_wkt(horizontal_wkt(crs)) if crs is not None else (dataset.gcps[1] if gcps else dataset.crs)
    # Without any system source and target are the same, so any will do.
    source = said or CRS.from_epsg(3857)
    wanted = CRS.from_wkt(horizontal_wkt(target)) if target is not None else source
    is_float = np.dtype(dataset.dtypes[0]).kind == "f"
    nodata = dataset.nodata if dataset.nodata is not None else (np.nan if is_float else None)
    options: dict[str, Any] = {} if nodata is None else {"src_nodata": dataset.nodata, "nodata": nodata}
    if nodata is None:
        options = {"add_alpha": True}
    vrt: DatasetReader = WarpedVRT(dataset, src_crs=source, crs=wanted, resampling=Resampling.bilinear, **options)
    return vrt


def _metres(handle: Dataset, band: int, window: Any, shape: tuple[int, int], resampling: Any) -> Float32:
    """Return a window as metres: scale and offset applied, no-data and infinities NaN."""
    cells = handle.read(band, window=window, out_shape=shape, masked=True, resampling=resampling)
    base = getattr(handle, "src_dataset", handle)
    scale, offset = base.scales[band - 1], base.offsets[band - 1]
    values = np.ma.getdata(cells).astype(np.float32)
    if (scale, offset) != (1.0, 0.0):
        values = (values.astype(np.float64) * scale + offset).astype(np.float32)
    mask = np.ma.getmask(cells)
    if mask is not np.ma.nomask:
        values[mask] = np.nan
    values[~np.isfinite(values)] = np.nan
    return values


def _within(places: Float, count: int) -> Any:
    return (places >= -0.5 - 1e-6) & (places <= count - 0.5 + 1e-6)


def _factor(ratio: float) -> int:
    """Return the power of two by which cells may be coarser than those of the file."""
    level = int(np.floor(np.log2(max(ratio, 1.0)) + 1e-6))
    return 1 << max(0, level)


def _span(places: Float, count: int, factor: int) -> tuple[int, int]:
    """Return first and end of the cells that interpolation needs, in whole coarse cells."""
    first = max(0, (int(np.floor(places.min())) - factor) // factor * factor)
    last = min(count, -(-(int(np.ceil(places.max())) + 1 + factor) // factor) * factor)
    return first, max(last, first + 1)


@dataclass
class MosaicSource:
    """Several sources side by side; where they overlap, the first that has an elevation counts."""

    parts: tuple[LargeSource, ...]
    is_quick = False

    @cached_property
    def bounds(self) -> Float:
        """(2, 3) bounds of all."""
        boxes = np.array([part.bounds for part in self.parts])
        return np.array([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])

    @cached_property
    def cell(self) -> float:
        """Finest cell of any."""
        return min(part.cell for part in self.parts)

    @property
    def vertical(self) -> str:
        """Vertical datum, if all agree on it."""
        names = {part.vertical for part in self.parts}
        return names.pop() if len(names) == 1 else ""

    @cached_property
    def _sampler(self) -> PatchSampler:
        return PatchSampler(self.read, float(self.bounds[0, 0]), float(self.bounds[1, 1]), self.cell)

    @cached_property
    def _boxes(self) -> Float:
        return np.array([[*part.bounds[0, :2], *part.bounds[1, :2]] for part in self.parts])

    def read(self, area: Rectangle, rows: int, columns: int) -> Float32:
        """Return heights over ``area``, from every part that it meets."""
        west, south, east, north = area
        step_x, step_y = (east - west) / columns, (north - south) / rows
        boxes = self._boxes
        meets = (boxes[:, 0] < east) & (boxes[:, 2] > west) & (boxes[:, 1] < north) & (boxes[:, 3] > south)
        out = np.full((rows, columns), np.nan, dtype=np.float32)
        for index in np.flatnonzero(meets):
            box = boxes[index]
            # Only the cells of the answer that the part can fill, with one around for what lies on its edge.
            c0 = max(0, int(np.floor((box[0] - west) / step_x)) - 1)
            c1 = min(columns, int(np.ceil((box[2] - west) / step_x)) + 1)
            r0 = max(0, int(np.floor((north - box[3]) / step_y)) - 1)
            r1 = min(rows, int(np.ceil((north - box[1]) / step_y)) + 1)
            if c1 <= c0 or r1 <= r0:
                continue
            part_area = (west + c0 * step_x, north - r1 * step_y, west + c1 * step_x, north - r0 * step_y)
            found = self.parts[index].read(part_area, r1 - r0, c1 - c0)
            target = out[r0:r1, c0:c1]
            np.copyto(target, found, where=np.isnan(target))
        return out

    def sample(self, xy: Float) -> Float:
        """Return (N,) heights at (N, 2 or 3) world points."""
        return self._sampler.sample(xy)

    def raised(self, offset: float) -> MosaicSource:
        """Return the same with all heights higher."""
        return MosaicSource(tuple(part.raised(offset) for part in self.parts))

    def aimed(self, crs: Crs | None, target: Crs) -> MosaicSource:
        """Return the same in another system."""
        return MosaicSource(tuple(part.aimed(crs, target) for part in self.parts))


@dataclass
class PyramidSource:
    """A source with coarser copies of it.

    Attributes
    ----------
    base : LargeSource
    levels : sequence of RasterFile
        From fine to coarse.
    """

    base: LargeSource
    levels: Sequence[RasterFile]
    is_quick = False

    @property
    def bounds(self) -> Float:
        """(2, 3) bounds."""
        return self.base.bounds

    @property
    def cell(self) -> float:
        """Finest cell."""
        return self.base.cell

    @property
    def vertical(self) -> str:
        """Vertical datum."""
        return self.base.vertical

    @cached_property
    def _sampler(self) -> PatchSampler:
        return PatchSampler(self.read, float(self.bounds[0, 0]), float(self.bounds[1, 1]), self.cell)

    def read(self, area: Rectangle, rows: int, columns: int) -> Float32:
        """Return heights over ``area`` from the coarsest copy that is fine enough."""
        west, south, east, north = area
        spacing = min((east - west) / columns, (north - south) / rows)
        best: Callable[[Rectangle, int, int], Float32] = self.base.read
        for level in self.levels:
            if level.cell <= spacing * 1.01:
                best = level.read
        return best(area, rows, columns)

    def sample(self, xy: Float) -> Float:
        """Return (N,) heights at (N, 2 or 3) world points."""
        return self._sampler.sample(xy)

    def raised(self, offset: float) -> PyramidSource:
        """Return the same with all heights higher."""
        return PyramidSource(self.base.raised(offset), [level.raised(offset) for level in self.levels])

    def aimed(self, crs: Crs | None, target: Crs) -> PyramidSource:
        """Return the same in another system."""
        return PyramidSource(self.base.aimed(crs, target), [level.aimed(crs, target) for level in self.levels])
