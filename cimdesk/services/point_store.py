"""Nodes of a point cloud for the view: read in threads of their own, put into the project's system, within a fixed memory."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Cancelled, CimdeskError, Problem, ServiceError, Severity
from cimdesk.model.points import HEIGHT, Dimension, PointBlock, PointCloud, PointNodes, PointTree, name_of
from cimdesk.services.block_store import RETRY_AFTER, BlockStore
from cimdesk.services.point_server import ServedNodes

MEMORY = 400 << 20
"""Bytes that the points of one cloud may take."""
SERVER_WORKERS = 6
"""Nodes fetched at a time from a server: they mostly wait."""


@dataclass(frozen=True)
class Placement:
    """From the system of a cloud to that of the project.

    Attributes
    ----------
    own, target : Crs or None
        None leaves coordinates as they are.
    height_factor : float
        Metres of one unit of height.
    """

    own: Crs | None
    target: Crs | None
    height_factor: float

    @staticmethod
    def between(own: Crs | None, target: Crs | None) -> Placement:
        """Return the way from one system to another; heights come out in metres whatever the unit they are in."""
        return Placement(own, target, 1.0 if own is None else height_unit(own))

    @property
    def changes(self) -> bool:
        """Whether anything moves."""
        return self.height_factor != 1.0 or (self.own is not None and self.target is not None and self.own != self.target)

    def place(self, points: Float) -> Float:
        """Return (N, 3) points in the project's system; infinite where they cannot be."""
        placed = points
        if self.own is not None and self.target is not None and self.own != self.target:
            placed = self.own.transform(self.target, points)
            if not (self.own.is_geocentric or self.target.is_geocentric):
                placed = np.column_stack([placed[:, :2], np.where(np.isfinite(placed[:, 0]), points[:, 2], np.inf)])
        if self.height_factor != 1.0:
            placed = placed * [1.0, 1.0, self.height_factor]
        return placed

    def boxes(self, low: Float, high: Float) -> tuple[Float, Float]:
        """Return (N, 3) boxes around boxes; through their corners and middles."""
        steps = [np.array([x, y, z]) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0) for z in (0.0, 1.0)]
        corners = np.array([self.place(low + (high - low) * step) for step in steps])
        corners[~np.isfinite(corners)] = np.nan
        with np.errstate(invalid="ignore"):
            return np.fmin.reduce(corners), np.fmax.reduce(corners)


def height_unit(crs: Crs) -> float:
    """Return the metres of one unit of height: of the vertical system, else of a projected one; degrees go with metres."""
    if crs.pyproj.is_compound:
        return float(crs.pyproj.sub_crs_list[-1].axis_info[-1].unit_conversion_factor)
    if crs.is_geographic or crs.is_geocentric:
        return 1.0
    return float(crs.pyproj.axis_info[-1].unit_conversion_factor)


class PointStore(BlockStore[PointBlock]):
    """The points of one cloud.

    Attributes
    ----------
    nodes : PointNodes
    tree : PointTree
        In the project's system.
    """

    def __init__(self, nodes: PointNodes, placement: Placement, memory: int = MEMORY, workers: int = 2) -> None:
        super().__init__(memory, SERVER_WORKERS if isinstance(nodes, ServedNodes) else workers)
        self.nodes = nodes
        self.placement = placement
        self.tree = _placed_tree(nodes.tree, placement)

    def read(self, row: int) -> PointBlock:
        """Return a node now, from the source if need be; raises `DataError` when it cannot be read."""
        return self.block(row) or self._placed(self.nodes.read(row))

    def bring(self, row: int) -> None:
        nodes = self.nodes
        try:
            block = nodes.read_while(row, lambda: not self.is_unwanted()) if isinstance(nodes, ServedNodes) else nodes.read(row)
            self.keep(self._placed(block))
        except Cancelled:
            return
        except CimdeskError as error:
            problem = Problem(Severity.ERROR, "broken-node", error.where, error.template, dict(error.values))
            self.lose(row, time.monotonic() + RETRY_AFTER if isinstance(error, ServiceError) else np.inf, (problem,))

    def broken(self, row: int, error: Exception) -> Problem:
        return Problem(
            Severity.ERROR,
            "broken-node",
            name_of(self.tree.keys[row]),
            "The points of a node cannot be read ({reason}).",
            {"reason": str(error)[:160]},
        )

    def _placed(self, block: PointBlock) -> PointBlock:
        if not self.placement.changes or not len(block):
            return block
        world = self.placement.place(block.world())
        columns = block.columns
        is_placed = np.isfinite(world).all(axis=1)
        if not is_placed.all():
            # Kept in their place, so that the numbers of the others stay; they are drawn nowhere.
            world[~is_placed] = np.nan
        origin = np.floor(np.nan_to_num(np.nanmean(world, axis=0))) if is_placed.any() else np.zeros(3)
        return replace(block, origin=origin, xyz=(world - origin).astype(np.float32), columns=columns)


def placed(cloud: PointCloud, own: Crs | None, target: Crs | None) -> PointCloud:
    """Return a cloud whose points come in the project's system."""
    placement = Placement.between(own, target)
    dimensions = dict(cloud.dimensions)
    if placement.height_factor != 1.0 and HEIGHT in dimensions:
        known = dimensions[HEIGHT]
        dimensions[HEIGHT] = Dimension(HEIGHT, known.low * placement.height_factor, known.high * placement.height_factor)
    return replace(cloud, dimensions=dimensions, points=PointStore(cloud.nodes, placement))


def _placed_tree(tree: PointTree, placement: Placement) -> PointTree:
    if not placement.changes or not len(tree.counts):
        return tree
    low, high = placement.boxes(tree.low, tree.high)
    spacing = tree.spacing
    own, target = placement.own, placement.target
    if own is not None and target is not None and own != target:
        # Degrees or feet of the source: the root tells how long they are here.
        before, after = tree.high[0, :2] - tree.low[0, :2], high[0, :2] - low[0, :2]
        wide = before > 0.0
        ratio = float(np.nanmean(after[wide] / before[wide])) if wide.any() else 1.0
        spacing = spacing * (ratio if np.isfinite(ratio) and ratio > 0.0 else 1.0)
    return replace(tree, low=low, high=high, spacing=spacing)
