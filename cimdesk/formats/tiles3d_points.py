"""Points of tile contents as a layer of their own, beside that of the triangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings
from cimdesk.formats.pnts import PointPart
from cimdesk.formats.pointcloud import memory_nodes, result_of
from cimdesk.formats.pointcloud_columns import packed_records
from cimdesk.formats.registry import ReadOptions, Source
from cimdesk.model.point_style import dimension_named
from cimdesk.model.points import COLOR, HEIGHT

GEOCENTRIC = Crs.epsg(4978)
_PLACES = (HEIGHT, "x", "y", "z", COLOR)
POINTS = "points"
"""Part of a tileset that is its points."""


def points_source(
    file: Path, title: str, parts: Sequence[PointPart], crs: Crs | None, options: ReadOptions, findings: Findings
) -> Source | None:
    """Return the points of all contents as one layer; None where there are none.

    Parameters
    ----------
    file : Path
    title : str
    parts : sequence of PointPart
        In tileset coordinates.
    crs : Crs or None
        Projected system for earth-centred contents; None leaves coordinates as they are.
    options : ReadOptions
    findings : Findings
    """
    parts = [part for part in parts if len(part)]
    if not parts:
        return None
    points = np.concatenate([part.points for part in parts])
    if crs is not None:
        points = GEOCENTRIC.transform(crs, points)
    columns: dict[str, AnyArray] = {axis: points[:, k] for k, axis in enumerate("xyz")}
    columns = {**_in_terms_of_las(joined_columns(parts)), **columns}
    try:
        records, scale = packed_records(file, columns, findings)
    except DataError as error:
        findings.error("no-points", "", error.template, **error.values)
        return None
    result = result_of("3D Tiles", None, None, title, memory_nodes(file, [records], scale), options, ())
    return replace(result.sources[0], crs=options.crs_for(crs), part=POINTS)


def _in_terms_of_las(columns: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """Return columns of numbers under the names of dimensions of LAS where they spell one of them."""
    found = dict(columns)
    for name, values in columns.items():
        known = dimension_named(name)
        if known not in (*found, *_PLACES) and values.dtype.kind in "iuf":
            found[known] = found.pop(name)
    return found


def joined_columns(parts: Sequence[PointPart]) -> dict[str, AnyArray]:
    """Return the columns of all parts, one part below the other."""
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return {name: _joined([(len(part), part.columns.get(name)) for part in parts]) for name in names}


def _joined(pieces: Sequence[tuple[int, AnyArray | None]]) -> AnyArray:
    """Return pieces of one column, one below the other; where a part has none, white for colours and nothing for all else."""
    known = [piece for _, piece in pieces if piece is not None]
    if all(piece.dtype == np.uint8 for piece in known):
        return np.concatenate([np.full(count, 255, dtype=np.uint8) if piece is None else piece for count, piece in pieces])
    if any(piece.dtype.kind not in "biuf" for piece in known):
        blank = [np.full(count, None, dtype=object) if piece is None else piece.astype(object) for count, piece in pieces]
        return np.concatenate(blank)
    if len(known) == len(pieces):
        return np.concatenate(known)
    return np.concatenate([np.full(count, np.nan) if piece is None else piece.astype(np.float64) for count, piece in pieces])
