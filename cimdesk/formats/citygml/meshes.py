"""Meshes of one model, made batch by batch: reference systems, levels of detail, and shapes placed many times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, box_of_points
from cimdesk.base.crs import Crs
from cimdesk.formats.citygml.appearance import Palette
from cimdesk.formats.citygml.geometry import GeometryCollector, Target
from cimdesk.formats.citygml.reference import Frame, frame_of
from cimdesk.formats.findings import Findings
from cimdesk.formats.mesh_assembly import Instances, build_meshes, is_usable, origin_of, place_instances
from cimdesk.model.mesh import TriangleMesh

BATCH_RINGS = 40_000
"""Rings that wait before they are made triangles: what keeps the memory flat."""
SEARCHED = 100
"""Geometries in which a reference system is looked for while the file has named none."""
IDENTITY = np.eye(4).ravel().tolist()


class MeshBuilder:
    """Makes meshes of geometries as they come.

    Parameters
    ----------
    findings : Findings
    palette : Palette
    names : sequence of str
        Of the features, for findings; may still grow.

    Attributes
    ----------
    collector : GeometryCollector
        Takes the surfaces of features, or of a shared shape while one is read.
    crs : Crs or None
        The system everything is brought into: the first one named.
    is_single : bool
        No geometry names a system of its own.
    """

    def __init__(self, findings: Findings, palette: Palette, names: Sequence[str]) -> None:
        self.collector = GeometryCollector(findings)
        self.crs: Crs | None = None
        self._features = self.collector
        self._shapes = GeometryCollector(findings)
        self._shapes.lod_names = self.collector.lod_names
        self._findings = findings
        self._palette = palette
        self._names = names
        self._system: str | None = None
        self._frames: dict[str | None, Frame] = {}
        self.is_single = False
        self._searched = 0
        self._origin: Float | None = None
        self._scale = np.ones(3)
        self._boxes: list[Float] = []
        self._parts: dict[str, list[TriangleMesh]] = {}
        self._shape_numbers: dict[tuple[str, int], int] = {}
        self._instances = Instances()
        self._anchors: list[list[float]] = []
        self._placed: list[Float] = []

    def expect(self, systems: set[str], is_plain: bool, id_names: tuple[bytes, ...], has_flat: bool) -> None:
        """Take note of what geometries may have, so that nothing else is looked for in each of them.

        Parameters
        ----------
        systems : set of str
            Reference systems that the file names.
        is_plain : bool
            There are no others.
        id_names : tuple of bytes
            Attributes that name surfaces something may refer to.
        has_flat : bool
            There may be coordinates of two numbers.
        """
        self.is_single = is_plain and len(systems) < 2
        if self.is_single:
            self._system = next(iter(systems), None)
        for collector in (self._features, self._shapes):
            collector.id_names, collector.has_flat = id_names, has_flat

    def meet_system(self, name: str | None) -> None:
        """Take note that coordinates from now on are in the system ``name``."""
        if name and name != self._system and not self.is_single:
            self.flush()
            self._system = name

    def settle(self) -> None:
        """Make meshes of what waits when it is much; called between objects."""
        if len(self._features) > BATCH_RINGS and self.collector is self._features:
            self.flush()

    def add(self, geometry: Any, target: Target, flip: bool = False) -> None:
        """Take every surface of a GML geometry."""
        if not self.is_single and self.collector is self._features:
            self.meet_system(geometry.get("srsName") or self._searched_system(geometry))
        self.collector.add(geometry, target, flip)
        if len(self._features) > BATCH_RINGS:
            self.flush()

    def _searched_system(self, geometry: Any) -> str | None:
        """Look deeper for a reference system while the file has named none."""
        if self._system is not None or self._searched >= SEARCHED:
            return None
        self._searched += 1
        return next((found for element in geometry.iter() if (found := element.get("srsName"))), None)

    def follow_links(self, follow: Callable[[str, Target, bool], None]) -> None:
        """Call ``follow`` for the links inside geometries."""
        self._features.follow = self._shapes.follow = follow

    def has_shape(self, name: str, lod: int) -> bool:
        """Return whether the shared shape ``name`` has been read for a level of detail."""
        return (name, lod) in self._shape_numbers

    def add_shape(self, name: str, geometry: Any, lod: int) -> str:
        """Take a shared shape and return the name by which to place it; one without a name gets one."""
        name = name or f" {len(self._shape_numbers)}"
        if not self.has_shape(name, lod):
            number = self._shape_numbers[name, lod] = len(self._shape_numbers)
            self._shapes.materials = self._features.materials
            self.collector = self._shapes
            self.add(geometry, Target(number, lod, 0, set()))
            self.collector = self._features
        return name

    @property
    def is_in_shape(self) -> bool:
        """Whether a shared shape is being read."""
        return self.collector is self._shapes

    def place(self, name: str, target: Target, matrix: list[float], anchor: list[str]) -> None:
        """Place a shared shape for a feature.

        Parameters
        ----------
        name : str
        target : Target
        matrix : list of 16 floats
            Row-major; other lengths are reported and taken for no change.
        anchor : list of 3 str
            Reference point as written.
        """
        try:
            point = [float(number) for number in anchor]
        except ValueError:
            point = []
        if len(point) not in (2, 3):
            self._findings.error("bad-instance", self._names[target.row], "A shared shape has no reference point; it is left out.")
            return
        if len(matrix) != 16 or not np.isfinite(matrix).all():
            self._findings.add(
                "bad-instance",
                self._names[target.row],
                "The transformation of a shared shape is not 16 numbers; it is placed as it is.",
            )
            matrix = IDENTITY
        self._instances.rows.append(target.row)
        self._instances.templates.append(self._shape_numbers[name, target.lod])
        self._instances.anchors.append(len(self._instances.anchors))
        self._instances.matrices.append(matrix)
        self._anchors.append([*point, 0.0][:3])

    def flush(self) -> None:
        """Make meshes of what waits."""
        taken = self._features.take(self._palette.pictures, self._names)
        anchors, self._anchors = np.array(self._anchors, dtype=np.float64).reshape(-1, 3), []
        if taken is None and not len(anchors):
            return
        vertices = np.zeros((0, 3)) if taken is None else taken[1]
        frame = self._frame(np.concatenate([vertices, anchors]))
        world = self._to_common(frame, np.concatenate([vertices, anchors]))
        is_good = is_usable(world)
        usable = world if is_good.all() else world[is_good]
        if self._origin is None and len(usable):
            self._origin = origin_of(world)
            self._scale = frame.scale(float(self._origin[1]))
        if len(usable):
            self._boxes.append(box_of_points(usable))
        self._placed.append(world[len(vertices) :])
        if taken is None:
            return
        origin = self.origin
        # Where the unit is the degree, triangles are made in metres: slopes and angles mean nothing otherwise.
        made = build_meshes(
            taken[0], world[: len(vertices)] * self._scale, origin * self._scale, self._palette.colors, self._names, self._findings
        )
        for lod, mesh in made.items():
            self._parts.setdefault(lod, []).append(self._unscaled(mesh))

    def finish(self) -> tuple[dict[str, TriangleMesh], Float | None]:
        """Return the mesh of each level of detail, and the (2, 3) extent; None without any coordinates."""
        self.flush()
        for lod, mesh in self._placed_shapes().items():
            self._parts.setdefault(lod, []).append(self._unscaled(mesh))
            self._boxes.append(self._parts[lod][-1].bounds)
        meshes = {lod: parts[0] if len(parts) == 1 else TriangleMesh.merged(parts) for lod, parts in sorted(self._parts.items())}
        if not self._boxes:
            return meshes, None
        return meshes, np.array([np.min([box[0] for box in self._boxes], axis=0), np.max([box[1] for box in self._boxes], axis=0)])

    @property
    def origin(self) -> Float:
        """(3,) world coordinates of the local zero of the meshes."""
        return np.zeros(3) if self._origin is None else self._origin

    def _placed_shapes(self) -> dict[str, TriangleMesh]:
        names = [name.strip() for name, _ in self._shape_numbers]
        taken = self._shapes.take(self._palette.pictures, names)
        if taken is None or not self._placed:
            return {}
        shapes = build_meshes(taken[0], taken[1], np.zeros(3), self._palette.colors, names, self._findings)
        anchors = np.concatenate(self._placed) * self._scale
        return place_instances(self._instances, shapes, anchors, self.origin * self._scale, self._findings)

    def _unscaled(self, mesh: TriangleMesh) -> TriangleMesh:
        if (self._scale == 1.0).all():
            return mesh
        return replace(mesh, vertices=(mesh.vertices / self._scale).astype(np.float32), origin=self.origin)

    def _frame(self, points: Float) -> Frame:
        if self._system not in self._frames:
            self._frames[self._system] = frame_of(self._system, points, self._findings)
        return self._frames[self._system]

    def _to_common(self, frame: Frame, written: Float) -> Float:
        world = frame.world(written)
        if self.crs is None:
            self.crs = frame.crs
        if frame.crs is None or self.crs is None or frame.crs == self.crs:
            return world
        self._findings.info(
            "several-crs",
            "",
            "Coordinates in {other} are brought into {crs}.",
            other=frame.crs.code or "?",
            crs=self.crs.code or "?",
        )
        return frame.crs.transform(self.crs, world)
