"""Coarser copies of large rasters that come without: made once, strip by strip, and kept in the cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float32
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import CancelToken, Progress
from cimdesk.base.paths import cache_dir
from cimdesk.formats.raster_source import PyramidSource, RasterFile
from cimdesk.model.elevation import LargeSource, halved

COARSEST_CELLS = 1_000_000
"""A level of at most this many cells is the last."""
STRIP = 512
"""Rows of a level made at a time."""
MOST_CELLS = 4e9
"""A level has no more cells than this: so many take gigabytes and many minutes."""
CACHE_BYTES = 8 << 30
"""Bytes that pyramids may take on the disk; those longest unused go first."""


def with_pyramid(
    base: LargeSource, files: Sequence[Path], band: int, crs: Crs | None, first: int, progress: Progress, cancel: CancelToken
) -> LargeSource:
    """Return a source with coarser copies, made now unless the cache has them.

    Parameters
    ----------
    base : LargeSource
        In its own system.
    files : sequence of Path
        What it reads; when one of them changes, the copies are made anew.
    band : int
    crs : Crs or None
        System of the base.
    first : int
        How many times coarser the first copy is; 1 for files that cannot be read in parts.

    Raises
    ------
    Cancelled
        If the person does not want to wait; nothing is left behind.
    """
    folder = cache_dir() / "terrain" / _key(files, band, first)
    if not (folder / "complete").is_file():
        _make(base, files[0] if len(files) == 1 else files[0].parent, folder, first, progress, cancel)
    os.utime(folder)
    levels = [RasterFile(path, 1, "GTiff", crs) for path in sorted(folder.glob("*.tif"), key=lambda path: int(path.stem))]
    return PyramidSource(base, levels)


def _key(files: Sequence[Path], band: int, first: int) -> str:
    said = hashlib.sha256(f"2 {band} {first}".encode())
    for file in files:
        stat = file.stat()
        said.update(f"{file.resolve()} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return said.hexdigest()[:24]


def _make(base: LargeSource, file: Path, folder: Path, first: int, progress: Progress, cancel: CancelToken) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _make_room(folder.parent)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=folder.parent))
    try:
        _write_levels(base, file, making, first, progress, cancel)
        (making / "complete").touch()
        shutil.rmtree(folder, ignore_errors=True)
        making.replace(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _write_levels(base: LargeSource, file: Path, folder: Path, first: int, progress: Progress, cancel: CancelToken) -> None:
    (west, south, _), (east, north, _) = base.bounds.tolist()
    cell = base.cell * first
    if float((east - west) / cell) * float((north - south) / cell) > MOST_CELLS:
        raise DataError(
            file, "the terrain would have {count} cells.", remedy="Open its parts by themselves: they lie far from one another.",
            count=f"{(east - west) / base.cell * ((north - south) / base.cell):,.0f}",
        )  # fmt: skip
    # Whole cells that cover everything; the last ones may reach beyond it.
    columns, rows = (max(1, int(np.ceil(extent / cell - 1e-6))) for extent in (east - west, north - south))
    level: _Level | None = _Level(folder / f"{first}.tif", rows, columns, (west, north), cell)
    chain = [level]
    while level is not None and level.rows * level.columns > COARSEST_CELLS:
        level = level.next()
        chain.append(level)
    try:
        for top in range(0, rows, STRIP):
            cancel.raise_if_cancelled()
            progress(top / rows, "")
            bottom = min(rows, top + STRIP)
            strip = base.read((west, north - bottom * cell, west + columns * cell, north - top * cell), bottom - top, columns)
            if west + (columns - 0.5) * cell > east and columns > 1:
                strip[:, -1] = strip[:, -2]
            if bottom == rows and north - (rows - 0.5) * cell < south and len(strip) > 1:
                strip[-1] = strip[-2]
            _append(chain, 0, strip, is_last=bottom == rows)
    finally:
        for each in chain:
            if each is not None:
                each.close()


class _Level:
    """A file that rows are appended to."""

    def __init__(self, path: Path, rows: int, columns: int, corner: tuple[float, float], cell: float) -> None:
        import rasterio
        from rasterio.transform import from_origin

        self.path, self.rows, self.columns, self.corner, self.cell = path, rows, columns, corner, cell
        self.filled = 0
        self.rest: Float32 = np.zeros((0, columns), dtype=np.float32)
        self.file: Any = rasterio.open(
            path, "w", driver="GTiff", width=columns, height=rows, count=1, dtype="float32", nodata=float("nan"),
            transform=from_origin(*corner, cell, cell), tiled=True, blockxsize=256, blockysize=256,
            compress="deflate", zlevel=1, predictor=3, BIGTIFF="IF_SAFER",
        )  # fmt: skip

    def next(self) -> _Level:
        factor = int(self.path.stem) * 2
        shape = -(-self.rows // 2), -(-self.columns // 2)
        return _Level(self.path.with_name(f"{factor}.tif"), *shape, self.corner, self.cell * 2.0)

    def close(self) -> None:
        self.file.close()


def _append(chain: Sequence[_Level | None], index: int, strip: Float32, is_last: bool) -> None:
    """Write rows to a level, and their half to the next."""
    from rasterio.windows import Window

    level = chain[index]
    if level is None:
        return
    level.file.write(strip, 1, window=Window(0, level.filled, level.columns, len(strip)))
    level.filled += len(strip)
    if index + 1 == len(chain):
        return
    rows = np.concatenate([level.rest, strip])
    whole = len(rows) if is_last else len(rows) // 2 * 2
    level.rest = rows[whole:]
    if whole:
        _append(chain, index + 1, halved(rows[:whole]), is_last)


def _make_room(folder: Path) -> None:
    """Remove the pyramids longest unused while all together are larger than allowed."""
    kept = [(each.stat().st_mtime, each) for each in folder.iterdir() if each.is_dir() and not each.name.startswith("making-")]
    sizes = {each: sum(file.stat().st_size for file in each.iterdir()) for _, each in kept}
    total = sum(sizes.values())
    for _, each in sorted(kept):
        if total <= CACHE_BYTES:
            break
        shutil.rmtree(each, ignore_errors=True)
        total -= sizes[each]
