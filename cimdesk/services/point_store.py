"""Nodes of a point cloud for the view: read in threads of their own, put into the project's system, within a fixed memory."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Cancelled, CimdeskError, Problem, ServiceError, Severity
from cimdesk.base.signals import Signal
from cimdesk.model.points import HEIGHT, Dimension, PointBlock, PointCloud, PointNodes, PointTree, name_of
from cimdesk.services.point_server import ServedNodes

MEMORY = 400 << 20
"""Bytes that the points of one cloud may take."""
MAX_PROBLEMS = 100
SERVER_WORKERS = 6
"""Nodes fetched at a time from a server: they mostly wait."""
RETRY_AFTER = 20.0
"""Seconds until a node that did not come from a server is asked for again."""
log = logging.getLogger(__name__)


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


class PointStore:
    """The points of one cloud.

    Attributes
    ----------
    nodes : PointNodes
    tree : PointTree
        In the project's system.
    arrived : Signal of None
        Emitted by the thread that brought something.
    memory, used : int
        Bytes allowed for points, and taken by them now.
    workers : int
        Threads at most.
    """

    def __init__(self, nodes: PointNodes, placement: Placement, memory: int = MEMORY, workers: int = 2) -> None:
        self.nodes = nodes
        self.placement = placement
        self.tree = _placed_tree(nodes.tree, placement)
        self.arrived: Signal[None] = Signal()
        self.memory = memory
        self.used = 0
        self.workers = SERVER_WORKERS if isinstance(nodes, ServedNodes) else workers
        self._lock = threading.Lock()
        self._blocks: OrderedDict[int, PointBlock] = OrderedDict()
        self._wishes: dict[int, dict[int, float]] = {}
        self._keep: dict[int, frozenset[int]] = {}
        self._asked: dict[int, frozenset[int]] = {}
        self._at_work: set[int] = set()
        self._threads = 0
        self._lost: dict[int, Problem] = {}
        self._until: dict[int, float] = {}
        self._is_full = False

    # --- what the scene asks ------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether what is wanted does not fit into the memory allowed."""
        return self._is_full

    @property
    def is_busy(self) -> bool:
        """Whether something wanted is on its way."""
        with self._lock:
            return bool(self._at_work) or self._best() is not None

    def want(self, client: object, wishes: Mapping[int, float], keep: Collection[int]) -> None:
        """Replace what a client asks for; what nobody asks for any more is not begun."""
        with self._lock:
            asked = frozenset(wishes) | frozenset(keep)
            # What did not fit before is not tried again for the same view.
            self._is_full = self._is_full and asked == self._asked.get(id(client))
            self._asked[id(client)] = asked
            self._wishes[id(client)] = dict(wishes)
            self._keep[id(client)] = frozenset(keep)
            for row in keep:
                if row in self._blocks:
                    self._blocks.move_to_end(row)
            waiting = sum(map(len, self._wishes.values()))
            if self._best() is None:
                return
            for _ in range(min(self.workers, waiting) - self._threads):
                self._threads += 1
                threading.Thread(target=self._work, name="points", daemon=True).start()

    def forget(self, client: object) -> None:
        """Drop the wishes of a client."""
        with self._lock:
            self._wishes.pop(id(client), None)
            self._keep.pop(id(client), None)
            self._asked.pop(id(client), None)

    def block(self, row: int) -> PointBlock | None:
        """Return a node when it is there."""
        return self._blocks.get(row)

    def is_lost(self, row: int) -> bool:
        """Return whether a node cannot be had, for good or for now."""
        return row in self._lost and time.monotonic() < self._until.get(row, np.inf)

    def problems(self) -> tuple[Problem, ...]:
        """Return what is broken so far."""
        with self._lock:
            return tuple(self._lost.values())[:MAX_PROBLEMS]

    def read(self, row: int) -> PointBlock:
        """Return a node now, from the source if need be; raises `DataError` when it cannot be read."""
        return self.block(row) or self._placed(self.nodes.read(row))

    # --- the threads --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._lock:
                row = self._best()
                if row is None:
                    self._threads -= 1
                    return
                self._at_work.add(row)
            problem: Problem | None = None
            block: PointBlock | None = None
            is_passing = False
            try:
                block = self._placed(self._read(row))
            except Cancelled:
                pass
            except CimdeskError as error:
                is_passing = isinstance(error, ServiceError)
                problem = Problem(Severity.ERROR, "broken-node", error.where, error.template, dict(error.values))
            except Exception as error:
                # A node that breaks its reader is one node lost, not the thread.
                log.exception("node %d", row)
                where = name_of(self.tree.keys[row])
                problem = Problem(
                    Severity.ERROR,
                    "broken-node",
                    where,
                    "The points of a node cannot be read ({reason}).",
                    {"reason": str(error)[:160]},
                )
            with self._lock:
                self._at_work.discard(row)
                for wishes in self._wishes.values():
                    wishes.pop(row, None)
                if problem is not None:
                    self._lost[row] = problem
                    self._until[row] = time.monotonic() + RETRY_AFTER if is_passing else np.inf
                elif block is not None:
                    self._lost.pop(row, None)
                    self._keep_block(block)
            self.arrived.emit(None)

    def _read(self, row: int) -> PointBlock:
        if isinstance(self.nodes, ServedNodes):
            return self.nodes.read_while(row, lambda: self._is_asked(row))
        return self.nodes.read(row)

    def _is_asked(self, row: int) -> bool:
        return any(row in asked for asked in list(self._asked.values()))

    def _keep_block(self, block: PointBlock) -> None:
        if not self._make_room(block.size):
            self._is_full = True
            return
        self._blocks[block.row] = block
        self.used += block.size

    def _make_room(self, size: int) -> bool:
        """Let go of what was longest out of sight until ``size`` bytes fit; return whether they do."""
        if self.used + size <= self.memory:
            return True
        kept: set[int] = set().union(*self._keep.values())
        for row in [row for row in self._blocks if row not in kept]:
            self.used -= self._blocks.pop(row).size
            if self.used + size <= self.memory:
                return True
        return False

    def _best(self) -> int | None:
        """Return what is wanted most and not there yet."""
        if self._is_full:
            return None
        best: tuple[float, int] | None = None
        for wishes in self._wishes.values():
            for row, priority in wishes.items():
                is_open = row not in self._blocks and row not in self._at_work and not self.is_lost(row)
                if is_open and (best is None or priority > best[0]):
                    best = (priority, row)
        return None if best is None else best[1]

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
