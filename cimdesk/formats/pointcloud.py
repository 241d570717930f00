"""Point clouds from LAS, LAZ and COPC files: read where there is an index, prepared in one pass where there is none."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.findings import Findings
from cimdesk.formats.pointcloud_copc import CopcNodes, ReadAt, file_reader
from cimdesk.formats.pointcloud_las import LasFile, glance, open_las, read_records
from cimdesk.formats.pointcloud_nodes import (
    DiskNodes,
    DiskSink,
    MemoryNodes,
    RecordScale,
    folder_for,
    known_nodes,
    make_room,
    write_index,
)
from cimdesk.formats.pointcloud_tree import Cube, MemorySink, TreeBuilder, coordinates
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.model.layers import LayerKind
from cimdesk.model.points import CLASSIFICATION, COLOR, HEIGHT, Dimension, PointBlock, PointCloud, PointNodes

IN_MEMORY = 1_500_000
"""Points up to which a cloud is held in memory and not prepared on disk."""
SAMPLE_POINTS = 50_000
"""Points looked at for ranges and classes."""
MOST_CATEGORIES = 60
"""Different values of a column that may have a colour each."""
GLANCE_PLACES, GLANCE_POINTS = 400, 800
_BYTES_A_POINT = 48
_NOTHING = "there are no points in it."


@dataclass(frozen=True)
class PointCloudReader:
    """Reads LAS, LAZ and COPC."""

    name: str = "LAS"
    suffixes: tuple[str, ...] = (".las", ".laz")
    streams: bool = True

    def claim(self, path: Path, head: bytes) -> float:
        """Claim by the first bytes."""
        return 1.0 if head[:4] == b"LASF" else 0.5 if path.suffix.lower() in self.suffixes and head else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Open a point cloud; one without an index is prepared first, which takes a while and is done once.

        Raises
        ------
        DataError
            If nothing in it can be used.
        """
        findings = Findings()
        las = open_las(path, findings)
        if las.is_copc:
            return read_copc(las, file_reader(path), path.stat().st_size, options, findings)
        nodes, problems = _prepared(las, options, findings)
        return result_of(_format_of(las), las.version, las.crs, path.stem, nodes, options, problems)

    def glance(self, path: Path, options: ReadOptions) -> ReadResult:
        """Open a cloud that has yet to be prepared with some points from all over it; any other one as `read` does.

        Raises
        ------
        DataError
            If nothing in it can be used.
        """
        findings = Findings()
        las = open_las(path, findings)
        if las.is_copc or las.announced <= IN_MEMORY or known_nodes(folder_for(path)) is not None:
            return self.read(path, options)
        parts = list(_usable(glance(las, GLANCE_PLACES, GLANCE_POINTS), las, findings))
        if not sum(map(len, parts)):
            return self.read(path, options)
        nodes = memory_nodes(path, parts, RecordScale(las.scale, las.offset))
        result = result_of(_format_of(las), las.version, las.crs, path.stem, nodes, options, findings.problems())
        (source,) = result.sources
        assert isinstance(source.data, PointCloud)
        cloud = replace(source.data, count=las.announced, is_glance=True)
        return replace(result, objects={"points": las.announced}, sources=(replace(source, data=cloud),))


def read_copc(las: LasFile, read_at: ReadAt, size: int, options: ReadOptions, findings: Findings) -> ReadResult:
    """Open a COPC file wherever it lies.

    Raises
    ------
    DataError
        If its hierarchy cannot be used.
    """
    nodes = CopcNodes(las, read_at, size, findings)
    if nodes.count < las.announced:
        findings.error(
            "cut-off", "", "The header tells of {said} points; {found} can be read ({reason}).",
            said=las.announced, found=nodes.count, reason="COPC",
        )  # fmt: skip
    name = las.path.name.removesuffix(".laz").removesuffix(".LAZ").removesuffix(".copc")
    return result_of("COPC", las.version, las.crs, name, nodes, options, findings.problems())


def result_of(
    format_name: str,
    version: str | None,
    crs: Crs | None,
    name: str,
    nodes: MemoryNodes | DiskNodes | CopcNodes,
    options: ReadOptions,
    problems: tuple[Problem, ...],
) -> ReadResult:
    """Return what nodes give as a layer, with the ranges of their dimensions."""
    sample = _sample(nodes)
    colors = [block.columns[COLOR] for block in sample if COLOR in block.columns]
    is_narrow = bool(colors) and nodes.scale.color_shift == 8 and not any(color.any() for color in colors)
    if is_narrow and not isinstance(nodes, DiskNodes):
        # Some programs write colours of 8 binary digits into fields that have 16.
        nodes.scale = replace(nodes.scale, color_shift=0)
        sample = _sample(nodes)
    cloud = _cloud_of(nodes, sample)
    return ReadResult(
        format=format_name,
        version=version,
        crs=None if crs is None else crs.code or crs.name,
        objects={"points": cloud.count},
        extent=cloud.bounds,
        sources=(Source(name, LayerKind.POINTS, cloud, options.crs_for(crs)),),
        problems=problems,
    )


def _cloud_of(nodes: PointNodes, sample: list[PointBlock]) -> PointCloud:
    dimensions: dict[str, Dimension] = {}
    classes: dict[int, int] = {}
    has_color = any(bool(block.columns[COLOR].any()) for block in sample if COLOR in block.columns)
    for name in dict.fromkeys([HEIGHT, *(name for block in sample for name in block.columns)]):
        columns = [values for block in sample if (values := block.values(name)) is not None and _is_number(values)]
        if not columns:
            continue
        values = np.concatenate(columns).astype(np.float64)
        values = values[np.isfinite(values)]
        if name == CLASSIFICATION:
            codes, counts = np.unique(values, return_counts=True)
            classes = {int(code): int(count) for code, count in zip(codes, counts, strict=True)}
        low, high = np.percentile(values, [0.5, 99.5]) if len(values) else (0.0, 0.0)
        dimensions[name] = Dimension(name, float(low), float(high))
    return PointCloud(nodes, int(nodes.tree.counts.sum()), dimensions, classes, has_color, _categories(sample))


def _categories(sample: list[PointBlock]) -> dict[str, dict[str, int]]:
    """Return how often each value of a column occurs that has a few different ones, numbers or texts, but for classes."""
    found: dict[str, dict[str, int]] = {}
    for name in dict.fromkeys(name for block in sample for name in block.columns):
        columns = [block.columns[name] for block in sample if name in block.columns]
        kinds = "U" if name == CLASSIFICATION else "biuU"
        if any(column.ndim != 1 or column.dtype.kind not in kinds for column in columns):
            continue
        values, counts = np.unique(np.concatenate(columns), return_counts=True)
        if 1 < len(values) <= MOST_CATEGORIES:
            order = np.argsort(-counts, kind="stable").tolist()
            found[name] = {str(values[k]): int(counts[k]) for k in order if str(values[k])}
    return found


def _is_number(values: AnyArray) -> bool:
    return values.ndim == 1 and values.dtype.kind in "biuf"


def _sample(nodes: PointNodes) -> list[PointBlock]:
    """Return the coarsest nodes, as many as have some ten thousand points; broken ones do not count."""
    found: list[PointBlock] = []
    total = 0
    for row in np.flatnonzero(nodes.tree.counts).tolist():
        try:
            found.append(nodes.read(row))
        except DataError:
            if row > 200:
                break
            continue
        total += len(found[-1])
        if total >= SAMPLE_POINTS or len(found) >= 24:
            break
    return found


def _prepared(las: LasFile, options: ReadOptions, findings: Findings) -> tuple[MemoryNodes | DiskNodes, tuple[Problem, ...]]:
    """Return the nodes of a file without an index: those known from before, else made now."""
    if las.announced <= IN_MEMORY:
        parts = list(_usable(_watched(read_records(las, findings), las, options), las, findings))
        return memory_nodes(las.path, parts, RecordScale(las.scale, las.offset)), findings.problems()
    folder = folder_for(las.path)
    known = known_nodes(folder)
    if known is None:
        known = _made(las, folder, options, findings)
    return known, tuple(_problem(entry) for entry in known.facts["problems"])


def memory_nodes(path: Path, parts: list[AnyArray], scale: RecordScale) -> MemoryNodes:
    """Return records held in memory as nodes.

    Raises
    ------
    DataError
        If there are none.
    """
    if not sum(map(len, parts)):
        raise DataError(path, _NOTHING, remedy="Export or download the point cloud again.")
    ends = [_box(records, scale) for records in parts]
    cube = Cube.around(np.min([low for low, _ in ends], axis=0), np.max([high for _, high in ends], axis=0))
    sink = MemorySink()
    builder = TreeBuilder(cube, scale.scale, scale.offset, sink, sum(map(len, parts)))
    for records in parts:
        builder.add(records)
    tree = builder.finish()
    return MemoryNodes(tree, sink.parts, builder.keys, scale)


def _made(las: LasFile, folder: Path, options: ReadOptions, findings: Findings) -> DiskNodes:
    """Prepare a large cloud in the cache: whole, or not at all."""
    make_room(las.path, las.announced * _BYTES_A_POINT)
    work = Path(tempfile.mkdtemp(prefix="making-", dir=folder.parent))
    sink: DiskSink | None = None
    try:
        sink = DiskSink(work / "points.bin")
        cube = _trusted_cube(las, options)
        builder = TreeBuilder(cube, las.scale, las.offset, sink, las.announced)
        for records in _ahead(_usable(_watched(read_records(las, findings), las, options), las, findings)):
            builder.add(records)
        if not builder.count:
            raise DataError(las.path, _NOTHING, remedy="Export or download the point cloud again.")
        tree = builder.finish()
        sink.close()
        shift = _color_shift(sink, builder.keys, work / "points.bin")
        scale = RecordScale(las.scale, las.offset, shift)
        facts = {"source": str(las.path), "problems": [_plain(problem) for problem in findings.problems()]}
        write_index(work, tree, builder.keys, sink, scale, facts)
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    finally:
        if sink is not None:
            sink.close()
        shutil.rmtree(work, ignore_errors=True)
    return DiskNodes(folder)


def _color_shift(sink: DiskSink, keys: list[int], file: Path) -> int:
    """Return 0 where the colours of the coarsest node need no more than 8 binary digits."""
    if sink.dtype is None or "red" not in (sink.dtype.names or ()):
        return 8
    start, count = next(piece for key in keys for piece in sink.extents.get(key, ()))
    records = np.fromfile(file, dtype=sink.dtype, count=count, offset=start)
    return 8 if any(int(records[name].max(initial=0)) > 255 for name in ("red", "green", "blue")) else 0


def _trusted_cube(las: LasFile, options: ReadOptions) -> Cube:
    """Return the cube around the box that the header tells of, when the first points lie in it; else around all points."""
    low, high = las.low, las.high
    if np.isfinite([low, high]).all() and (low <= high).all():
        first = next(read_records(las, Findings(), 50_000), None)
        if first is not None and len(first):
            points = _box(first, RecordScale(las.scale, las.offset))
            room = 0.01 * (high - low) + 1.0
            if (points[0] >= low - room).all() and (points[1] <= high + room).all():
                return Cube.around(low, high)
    boxes = []
    for records in read_records(las, Findings()):
        options.cancel.raise_if_cancelled()
        boxes.append(_box(records, RecordScale(las.scale, las.offset)))
    if not boxes:
        raise DataError(las.path, _NOTHING, remedy="Export or download the point cloud again.")
    return Cube.around(np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0))


def _box(records: AnyArray, scale: RecordScale) -> tuple[Float, Float]:
    raw = coordinates(records)
    world = np.array([raw.min(axis=0), raw.max(axis=0)]) * scale.scale + scale.offset
    return world.min(axis=0), world.max(axis=0)


def _usable(parts: Iterable[AnyArray], las: LasFile, findings: Findings) -> Iterator[AnyArray]:
    """Yield the records without single points that lie nowhere near the rest: damage, that would make the city a dot."""
    reach = np.maximum(10.0 * (las.high - las.low), 1e4)
    is_known = bool(np.isfinite([las.low, las.high]).all() and (las.low <= las.high).all())
    lost = 0
    for records in parts:
        if not is_known:
            yield records
            continue
        low, high = _box(records, RecordScale(las.scale, las.offset))
        if (low >= las.low - reach).all() and (high <= las.high + reach).all():
            yield records
            continue
        world = coordinates(records) * las.scale + las.offset
        is_near = ((world >= las.low - reach) & (world <= las.high + reach)).all(axis=1)
        if 2 * int(is_near.sum()) < len(records):
            yield records  # it is the header that is wrong
            continue
        lost += len(records) - int(is_near.sum())
        yield records[is_near]
    if lost:
        findings.error(
            "far-points", "", "{count} points lie far outside the box that the header tells of and are left out.", count=lost
        )


def _watched(parts: Iterable[AnyArray], las: LasFile, options: ReadOptions) -> Iterator[AnyArray]:
    """Yield parts, telling how far it is and asking whether it is still wanted."""
    done = 0
    for records in parts:
        done += len(records)
        options.progress(min(done / max(las.announced, 1), 1.0), las.path.name)
        options.cancel.raise_if_cancelled()
        yield records


def _ahead(parts: Iterator[AnyArray]) -> Iterator[AnyArray]:
    """Yield parts while the next one is being read."""
    with ThreadPoolExecutor(1, thread_name_prefix="points") as pool:
        coming = pool.submit(next, parts, None)
        while (records := coming.result()) is not None:
            coming = pool.submit(next, parts, None)
            yield records


def _format_of(las: LasFile) -> str:
    return "LAZ" if las.is_compressed else "LAS"


def _plain(problem: Problem) -> dict[str, Any]:
    return {
        "severity": str(problem.severity), "code": problem.code, "where": problem.where, "template": problem.template,
        "values": {name: value if isinstance(value, int | float) else str(value) for name, value in problem.values.items()},
    }  # fmt: skip


def _problem(entry: dict[str, Any]) -> Problem:
    return Problem(Severity(entry["severity"]), entry["code"], entry["where"], entry["template"], dict(entry["values"]))


READER = PointCloudReader()
