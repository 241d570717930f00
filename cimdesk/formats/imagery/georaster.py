"""Georeferenced pictures through GDAL: GeoTIFF and COG, JPEG 2000, and PNG, JPEG or WebP with a world file; mosaics of them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, UInt8
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, ServiceError
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.findings import Findings
from cimdesk.formats.imagery.warp import WarpGrid, placing, warp_grid, warped
from cimdesk.formats.remote_raster import RemoteDataset
from cimdesk.model.imagery import Picture

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

DRIVERS = {
    ".tif": "GTiff", ".tiff": "GTiff", ".gtiff": "GTiff", ".jp2": "JP2OpenJPEG", ".j2k": "JP2OpenJPEG",
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP",
}  # fmt: skip
WHOLE = 24_000_000
"""Pixels up to which a picture without overviews is looked at whole when it is opened."""
SPLITS = 4
"""How often a window that cannot be read is halved to save the rest of it."""
MOST_READ = 4096
"""Pixels along a side read for one picture."""
CHECKED = 4_000_000
"""Pixels up to which every block is looked at when a picture is opened."""
LOOK = 512
LOW_SHARE, HIGH_SHARE = 1.0, 99.0
"""Percentiles that become black and white in pictures of more than 8 bits."""


@dataclass(frozen=True)
class Frame:
    """One file of a picture layer.

    Attributes
    ----------
    path : Path
    to_pixel : (2, 3) float64
        World coordinates to columns and rows.
    bounds : (2, 2) float64
    size : tuple of 2 ints
        Columns and rows.
    remote : RemoteDataset or None
        Read instead of the path.
    """

    path: Path
    to_pixel: Float
    bounds: Float
    size: tuple[int, int]
    remote: RemoteDataset | None = None


class GeoPicture:
    """A `PictureSource` of one file or a mosaic; pixels are read through their overviews.

    Attributes
    ----------
    stretch : (B, 2) float64 or None
        Values that become black and white, for samples that are no bytes.
    """

    def __init__(
        self, title: str, crs: Crs, frames: Sequence[Frame], finest: float, stretch: Float | None, attribution: str = ""
    ) -> None:
        self.title = title
        self.attribution = attribution
        self.crs = crs
        self.frames = tuple(frames)
        self.finest = finest
        self.stretch = stretch
        self.bounds = np.array([np.min([f.bounds[0] for f in frames], axis=0), np.max([f.bounds[1] for f in frames], axis=0)])
        self.zooms = (0, 0)
        self._findings = Findings()
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._open = threading.local()

    def problems(self) -> tuple[Problem, ...]:
        """Return what was found broken so far."""
        fetched = [problem for frame in self.frames if frame.remote is not None for problem in frame.remote.problems()]
        with self._lock:
            return (*self._findings.problems(), *fetched)

    def picture(self, box: Float, crs: Crs, width: int, height: int, theme: str, cancel: CancelToken) -> Picture:
        """Return the picture of a box; the files of a mosaic are laid over each other in order."""
        grid = warp_grid(placing(crs, self.crs), box, width, height)
        out = np.zeros((height, width, 4), dtype=np.uint8)
        needed = grid.box
        if not np.isfinite(needed).all():
            return Picture(out)
        missing = 0
        for frame in self.frames:
            cancel.raise_if_cancelled()
            if (frame.bounds[0] >= needed[1]).any() or (needed[0] >= frame.bounds[1]).any():
                continue
            try:
                with frame.remote.parts.heeding(cancel) if frame.remote is not None else nullcontext():
                    found = self._of_frame(frame, grid)
            except ServiceError:
                # The server is away; its file says so among its problems.
                missing += 1
                continue
            if found is not None:
                np.copyto(out, found, where=found[..., 3:] >= np.maximum(out[..., 3:], 1))
        return Picture(out, missing)

    def _of_frame(self, frame: Frame, grid: WarpGrid) -> UInt8 | None:
        places = grid.places @ frame.to_pixel[:, :2].T + frame.to_pixel[:, 2]
        pixels = WarpGrid(places, grid.step, grid.width, grid.height)
        window = _window(pixels.box, frame.size)
        if window is None:
            return None
        left, top, right, bottom = window
        factor = max(pixels.pixel, (right - left) / MOST_READ, (bottom - top) / MOST_READ, 1.0)
        shape = max(1, round((bottom - top) / factor)), max(1, round((right - left) / factor))
        data = self._read(frame, window, shape)
        if data is None:
            return None
        step = (right - left) / shape[1], (bottom - top) / shape[0]
        return warped(data, pixels, (float(left), float(top)), step)

    def _read(self, frame: Frame, window: tuple[int, int, int, int], shape: tuple[int, int], depth: int = 0) -> UInt8 | None:
        """Read a window; where a part of it is damaged the others are read alone."""
        from rasterio.errors import RasterioError

        try:
            return self._handle(frame).read(window, shape, self.stretch)
        except (RasterioError, OSError, MemoryError) as error:
            self._tell(frame.path.name, str(error.__cause__ or error).splitlines()[0].strip(".")[:120])
        left, top, right, bottom = window
        if depth >= SPLITS or min(shape) < 2 or right - left < 2 or bottom - top < 2:
            return None
        out = np.zeros((*shape, 4), dtype=np.uint8)
        rows, columns = (0, shape[0] // 2, shape[0]), (0, shape[1] // 2, shape[1])
        x = [left + round((right - left) * c / shape[1]) for c in columns]
        y = [top + round((bottom - top) * r / shape[0]) for r in rows]
        for i in range(2):
            for j in range(2):
                part = self._read(
                    frame, (x[j], y[i], x[j + 1], y[i + 1]), (rows[i + 1] - rows[i], columns[j + 1] - columns[j]), depth + 1
                )
                if part is not None:
                    out[rows[i] : rows[i + 1], columns[j] : columns[j + 1]] = part
        return out

    def _tell(self, name: str, reason: str) -> None:
        with self._lock:
            if (name, reason) not in self._told:
                self._told.add((name, reason))
                self._findings.error("unreadable-part", name, "A part of the picture cannot be read ({reason}).", reason=reason)

    def _handle(self, frame: Frame) -> Handle:
        """Return the file opened for this thread: GDAL's handles are not shared."""
        if frame.remote is not None:
            return Handle.of(frame.remote)
        known: dict[Path, Handle] = self._open.__dict__.setdefault("known", {})
        if frame.path not in known:
            if len(known) > 32:
                known.clear()
            known[frame.path] = Handle.of(open_picture(frame.path))
        return known[frame.path]


@dataclass(frozen=True)
class Handle:
    """An open file, the bands that are its colours (from 1), and its palette if it has one.

    All is asked for before anything is read: an error in one read is met again by the next question.
    """

    dataset: DatasetReader | RemoteDataset
    bands: tuple[int, ...]
    palette: UInt8 | None

    @staticmethod
    def of(dataset: DatasetReader | RemoteDataset) -> Handle:
        """Return the handle of an open file."""
        from rasterio.enums import ColorInterp

        bands = color_bands(dataset)
        is_palette = dataset.colorinterp[bands[0] - 1] is ColorInterp.palette
        return Handle(dataset, tuple(bands), palette_of(dataset, bands[0]) if is_palette else None)

    def read(self, window: tuple[int, int, int, int], shape: tuple[int, int], stretch: Float | None) -> UInt8:
        """Return a window (left, top, right, bottom) as (h, w, 4) uint8 of ``shape``, through overviews where there are any."""
        from rasterio.enums import Resampling
        from rasterio.windows import Window

        left, top, right, bottom = window
        part = Window(left, top, right - left, bottom - top)
        is_whole = shape == (bottom - top, right - left)
        resampling = Resampling.nearest if self.palette is not None or is_whole else Resampling.average
        values = self.dataset.read(list(self.bands), window=part, out_shape=(len(self.bands), *shape), resampling=resampling)
        out = np.empty((*shape, 4), dtype=np.uint8)
        out[..., 3] = self.dataset.dataset_mask(window=part, out_shape=shape, resampling=Resampling.nearest)
        if self.palette is not None:
            out[..., :3] = self.palette[values[0], :3]
            out[..., 3] = np.minimum(out[..., 3], self.palette[values[0], 3])
            return out
        colors = values if stretch is None else stretched(values, stretch)
        out[..., :3] = np.moveaxis(colors if len(self.bands) == 3 else colors[[0, 0, 0]], 0, -1)
        return out


def open_picture(path: Path) -> DatasetReader:
    """Open a picture with the driver of its name; raises RasterioError."""
    import rasterio

    with rasterio.Env(GDAL_PAM_ENABLED=False, GDAL_DISABLE_READDIR_ON_OPEN="FALSE"), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path, driver=DRIVERS.get(path.suffix.lower(), "GTiff"), sharing=False)


def color_bands(dataset: DatasetReader | RemoteDataset) -> list[int]:
    """Return the bands (from 1) that are red, green and blue, or the one that is grey or paletted."""
    from rasterio.enums import ColorInterp

    kinds = list(dataset.colorinterp)
    named = [kinds.index(c) + 1 for c in (ColorInterp.red, ColorInterp.green, ColorInterp.blue) if c in kinds]
    if len(named) == 3:
        return named
    return [1, 2, 3] if dataset.count >= 3 and ColorInterp.palette not in kinds else [1]


def palette_of(dataset: DatasetReader | RemoteDataset, band: int) -> UInt8:
    """Return the (256, 4) or (65536, 4) uint8 colours of a paletted band."""
    table = np.zeros((65536 if dataset.dtypes[band - 1] == "uint16" else 256, 4), dtype=np.uint8)
    for value, color in dataset.colormap(band).items():
        if 0 <= value < len(table):
            table[value] = color
    return table


def stretched(values: AnyArray, stretch: Float) -> UInt8:
    """Return (B, h, w) values as bytes: ``stretch`` (B, 2) says what becomes black and what white."""
    low, high = stretch[:, 0, None, None], stretch[:, 1, None, None]
    share = (np.nan_to_num(values.astype(np.float32)) - low) / np.maximum(high - low, 1e-12)
    return (np.clip(share, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def stretch_of(dataset: DatasetReader | RemoteDataset, values: AnyArray, mask: UInt8) -> Float | None:
    """Return the values (B, 2) that become black and white, from a look at the picture; None for bytes."""
    if values.dtype == np.uint8:
        return None
    rows = []
    for band in values:
        known = band[(mask > 0) & np.isfinite(band)]
        low, high = np.percentile(known, [LOW_SHARE, HIGH_SHARE]) if known.size else (0.0, 1.0)
        rows.append([float(low), float(max(high, low + 1e-9))])
    return np.array(rows)


def open_pictures(
    paths: Sequence[Path], title: str, crs: Crs | None, remote: RemoteDataset | None = None
) -> tuple[GeoPicture, dict[str, int], Findings, Crs | None]:
    """Open one picture, or several as a mosaic; with ``remote`` that one instead, under the name of the path.

    Returns
    -------
    tuple
        The source, the counts for ``check``, what was found wrong, and the system that the first file names.

    Raises
    ------
    DataError
        If the first cannot be read or has no place.
    """
    from rasterio.errors import RasterioError

    findings = Findings()
    frames: list[Frame] = []
    finest = float("inf")
    stretch: Float | None = None
    objects: dict[str, int] = {}
    system = said = None
    for path in paths:
        try:
            with ExitStack() as stack:
                dataset = stack.enter_context(open_picture(path) if remote is None else remote)
                own = Crs.parse(dataset.crs.to_wkt()) if dataset.crs else None
                if not frames:
                    said, system = own, crs or own
                    objects = {"bands": dataset.count, "width": dataset.width, "height": dataset.height}
                elif own is not None and said is not None and own != said:
                    findings.add(
                        "other-crs", path.name, "It has another reference system than the first of the pictures and is left out."
                    )
                    continue
                frame, pixel = _frame(path, dataset)
                look = _look(path, dataset, findings)
                if look is not None and not frames:
                    stretch = stretch_of(dataset, *look)
                frames.append(frame)
                finest = min(finest, pixel)
        except (RasterioError, OSError, ValueError, MemoryError) as error:
            refusal = _broken(path, error)
            if len(paths) == 1:
                raise refusal from error
            findings.error("unreadable-file", path.name, "{text}", text=refusal.message)
    if not frames:
        raise DataError(paths[0], "none of the pictures can be read.", remedy="Copy or download them again.")
    if len(paths) > 1:
        objects = {"files": len(frames), "bands": objects["bands"]}
    return GeoPicture(title, system or Crs.epsg(3857), frames, finest, stretch), objects, findings, said


def _frame(path: Path, dataset: DatasetReader | RemoteDataset) -> tuple[Frame, float]:
    transform = dataset.transform
    points, _ = dataset.gcps
    if points and transform.is_identity:
        from rasterio.transform import from_gcps

        transform = from_gcps(points)
    matrix = np.array(tuple(transform)[:6], dtype=np.float64).reshape(2, 3)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) <= 0.0:
        raise ValueError("its place makes no sense")
    if transform.is_identity:
        raise ValueError("it does not say where it lies; a world file beside it would")
    corners = np.array([[0, 0], [dataset.width, 0], [0, dataset.height], [dataset.width, dataset.height]], dtype=np.float64)
    world = corners @ matrix[:, :2].T + matrix[:, 2]
    inverse = np.linalg.inv(matrix[:, :2])
    to_pixel = np.column_stack([inverse, -inverse @ matrix[:, 2]])
    pixel = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    size = (dataset.width, dataset.height)
    remote = dataset if isinstance(dataset, RemoteDataset) else None
    return Frame(path, to_pixel, np.array([world.min(axis=0), world.max(axis=0)]), size, remote), pixel


def _look(path: Path, dataset: DatasetReader | RemoteDataset, findings: Findings) -> tuple[AnyArray, UInt8] | None:
    """Read the picture coarsely: what can be read, and what its values are; None where only parts can."""
    from rasterio.errors import RasterioError

    bands = color_bands(dataset)
    # Of a picture on a server nothing is fetched before it is looked at.
    is_small = dataset.width * dataset.height <= CHECKED and not isinstance(dataset, RemoteDataset)
    shape = (dataset.height, dataset.width) if is_small else (min(LOOK, dataset.height), min(LOOK, dataset.width))
    if dataset.width * dataset.height > WHOLE and not dataset.overviews(bands[0]):
        findings.info("no-overviews", path.name, "The picture has no overviews; far views of it are slow.")
        return _corner(dataset, bands)
    try:
        return dataset.read(bands, out_shape=(len(bands), *shape)), dataset.dataset_mask(out_shape=shape)
    except RasterioError as error:
        reason = str(error.__cause__ or error).splitlines()[0].strip(".")[:120]
        findings.error("unreadable-part", path.name, "A part of the picture cannot be read ({reason}).", reason=reason)
        return None


def _corner(dataset: DatasetReader | RemoteDataset, bands: list[int]) -> tuple[AnyArray, UInt8]:
    from rasterio.windows import Window

    part = Window(max(0, dataset.width // 2 - LOOK), max(0, dataset.height // 2 - LOOK), 2 * LOOK, 2 * LOOK)
    return dataset.read(bands, window=part), dataset.dataset_mask(window=part)


def _window(box: Float, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    if not np.isfinite(box).all():
        return None
    left, top = (max(0, int(np.floor(v)) - 2) for v in box[0])
    right, bottom = (min(int(s), int(np.ceil(v)) + 2) for v, s in zip(box[1], size, strict=True))
    return (left, top, right, bottom) if right > left and bottom > top else None


def _broken(path: Path, error: Exception) -> DataError:
    reason = str(error.__cause__ or error).replace(str(path), path.name).strip().rstrip(".")
    return DataError(
        path,
        "the picture cannot be read ({reason}).",
        remedy="Copy or download it again, or convert it to GeoTIFF.",
        reason=reason.splitlines()[0][:160] if reason else type(error).__name__,
    )
