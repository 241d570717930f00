"""From what a reader found to the layer it gives: a flood, or the ground alone where a mesh has no water."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cimdesk.base.errors import Problem, Severity
from cimdesk.formats.flood_in.gridding import flood_of, grid_for, gridding_of, in_metres, metres_per_unit
from cimdesk.formats.flood_in.mesh import MeshFlow
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain


def kept(options: ReadOptions) -> dict[str, Any]:
    """Return what of a reader's options a layer keeps, so that it is read alike again."""
    cell = options.extra.get("cell")
    return {"cell": float(cell)} if isinstance(cell, int | float) and cell > 0 else {}


def ground_of(flow: MeshFlow, options: ReadOptions) -> Terrain:
    """Return the ground of a mesh as a terrain."""
    flow = in_metres(flow)
    grid = grid_for(flow.mesh, kept(options).get("cell"))
    heights = gridding_of(flow.mesh, grid, flow.at_nodes).within(flow.bed) * flow.vertical
    return replace(grid, elevations=heights.astype(np.float32))


def result_of(
    kind: str, version: str | None, flow: MeshFlow, objects: Mapping[str, int], options: ReadOptions, problems: list[Problem]
) -> ReadResult:
    """Return what is read from a file: its flood where it has one, else its ground."""
    said = flow.crs
    flow = replace(flow, crs=options.crs_for(said))
    if flow.crs is not None and flow.vertical == 1.0 and metres_per_unit(flow.crs) != 1.0:
        flow = replace(flow, vertical=metres_per_unit(flow.crs))
    objects = {**objects, "times": len(flow.times)}
    if not len(flow.times):
        if flow.bed.size == 0 or not np.isfinite(flow.bed).any():
            return ReadResult(kind, version, said.code if said else None, objects, None, (), tuple(problems))
        terrain = ground_of(flow, options)
        problems.append(Problem(Severity.INFO, "no-water", flow.name, "the mesh has a ground and no water; it is read as terrain."))
        source = Source(flow.name, LayerKind.TERRAIN, terrain, in_metres(flow).crs, options=kept(options))
        return ReadResult(kind, version, said.code if said else None, objects, terrain.bounds, (source,), tuple(problems))
    flood = flood_of(flow, options, problems)
    source = Source(flow.name, LayerKind.FLOOD, flood, in_metres(flow).crs, options=kept(options))
    return ReadResult(kind, version, said.code if said else None, objects, flood.terrain.bounds, (source,), tuple(problems))
