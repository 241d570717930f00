"""Measures against floods as solids on the ground: walls with their height, gates, pumps with the way they lift, culvert barrels.

They are drawn at their true size, and their lines a few pixels wide besides, so that they are seen from afar.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.model.measures import KINDS, Measure, measures_of
from cimdesk.model.style import rgba
from cimdesk.scene.geometry import actor_of, poly_data, pull_to_eye, set_point_array, set_pull
from cimdesk.scene.visual import Context, View

STEP = 4.0
"""Points along a line are no farther apart, so that it follows the ground [m]."""
THICKNESS, FOOT = 1.0, 0.6
"""Of a wall, and how far it goes down below the ground [m]."""
POST_EVERY, POST_ABOVE = 8.0, 0.7
SIDES = 16
PULL = 0.006
OFF = "#9aa3ad"
"""Colour of what is switched off."""


class Solids:
    """Triangles and lines with a colour for each point, gathered from many measures."""

    def __init__(self) -> None:
        self._points: list[Float] = []
        self._triangles: list[Any] = []
        self._colors: list[Any] = []
        self._lines: list[Float] = []
        self._line_colors: list[Any] = []
        self._count = 0

    def add(self, points: Float, triangles: Any, color: str) -> None:
        """Add triangles (T, 3) over points (P, 3)."""
        self._points.append(points)
        self._triangles.append(np.asarray(triangles) + self._count)
        self._colors.append(np.tile(np.array(rgba(color)[:3], dtype=np.uint8), (len(points), 1)))
        self._count += len(points)

    def line(self, points: Float, color: str) -> None:
        """Add a line of constant width through points (P, 3)."""
        segments = np.stack([points[:-1], points[1:]], axis=1).reshape(-1, 3)
        self._lines.append(segments)
        self._line_colors.append(np.tile(np.array(rgba(color)[:3], dtype=np.uint8), (len(segments), 1)))

    def prism(self, base: Float, top: Float, color: str, is_strip: bool = False) -> None:
        """Add a closed wall between two rings of points (P, 3), with a lid: a fan, or a strip if the ring goes forth and back."""
        count = len(base)
        around = np.arange(count)
        after = (around + 1) % count
        sides = np.concatenate([
            np.column_stack([around, after, after + count]), np.column_stack([around, after + count, around + count]),
        ])  # fmt: skip
        lid = np.column_stack([np.full(count - 2, count), count + np.arange(1, count - 1), count + np.arange(2, count)])
        if is_strip:
            out = np.arange(count // 2 - 1)
            back = count - 1 - out
            lid = count + np.concatenate([np.column_stack([out, out + 1, back - 1]), np.column_stack([out, back - 1, back])])
        self.add(np.concatenate([base, top]), np.concatenate([sides, lid]), color)

    def cylinder(self, centre: Float, radius: float, height: float, color: str) -> None:
        """Add an upright cylinder that stands at ``centre``."""
        ring = _ring(radius) + centre
        self.prism(ring, ring + np.array([0.0, 0.0, height]), color)

    def tube(self, start: Float, end: Float, radius: float, color: str, end_radius: float | None = None) -> None:
        """Add a pipe between two points, or a cone where ``end_radius`` is another."""
        along = end - start
        length = float(np.linalg.norm(along))
        if length <= 0.0:
            return
        along = along / length
        side = np.cross(along, [0.0, 0.0, 1.0] if abs(along[2]) < 0.9 else [1.0, 0.0, 0.0])
        side /= np.linalg.norm(side)
        up = np.cross(side, along)
        turns = np.linspace(0.0, 2.0 * np.pi, SIDES, endpoint=False)
        ring = np.cos(turns)[:, np.newaxis] * side + np.sin(turns)[:, np.newaxis] * up
        self.prism(start + ring * radius, end + ring * (radius if end_radius is None else max(end_radius, 1e-3)), color)

    def triangles(self) -> tuple[Float32, Any, Any] | None:
        """Return points, triangles and colours; None when there are none."""
        if not self._points:
            return None
        return np.concatenate(self._points).astype(np.float32), np.concatenate(self._triangles), np.concatenate(self._colors)

    def lines(self) -> tuple[Float32, Any, Any] | None:
        """Return points, segments and colours; None when there are none."""
        if not self._lines:
            return None
        points = np.concatenate(self._lines).astype(np.float32)
        return points, np.arange(len(points)).reshape(-1, 2), np.concatenate(self._line_colors)


class Measures:
    """The measures of the document, drawn.

    Attributes
    ----------
    actors : list of VTK props
    selected : str
        Key of the measure that is drawn in the accent colour.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._solid, self._line = _actor(lit=True), _actor(lit=False)
        pull_to_eye(self._line)
        self.actors: list[Any] = [self._solid, self._line]
        self.selected = ""
        self._is_stale = True

    def mark(self) -> None:
        """Draw again before the next frame: the records, the ground or the theme have changed."""
        self._is_stale = True

    def prepare(self, view: View) -> None:
        """Follow records and camera. Called before each frame."""
        if self._is_stale:
            self._is_stale = False
            self._build()
        if self._line.GetVisibility():
            set_pull(self._line, PULL, view.near, view.far)
            self._line.GetProperty().SetLineWidth(1.4 * self._context.look.line_width * view.pixel_scale)

    def _build(self) -> None:
        solids = Solids()
        for key, measure in measures_of(self._context.workspace.document).items():
            color = OFF if not measure.enabled else KINDS[measure.kind].color
            shape(solids, measure, self._places(measure), self._context.look.accent if key == self.selected else color)
        for actor, found, role in ((self._solid, solids.triangles(), "triangles"), (self._line, solids.lines(), "lines")):
            actor.SetVisibility(found is not None)
            if found is not None:
                points, cells, colors = found
                data = poly_data(points, **{role: cells})
                set_point_array(data, colors, "scalars")
                actor.GetMapper().SetInputData(data)

    def _places(self, measure: Measure) -> list[Float]:
        """Return its line and its second part in local coordinates, on the ground."""
        return [self._on_ground(np.array(part, dtype=np.float64).reshape(-1, 2)) for part in (measure.line, measure.to)]

    def _on_ground(self, xy: Float) -> Float:
        dense = along_ground(xy)
        local: Float = np.column_stack([dense, np.zeros(len(dense))]) - [*self._context.origin[:2], 0.0]
        if len(local):
            local[:, 2] = self._context.ground(local)
        return local


def along_ground(xy: Float) -> Float:
    """Return a line (P, 2) with points no farther apart than `STEP`."""
    if len(xy) < 2:
        return xy
    parts = [xy[:1]]
    for a, b in pairwise(xy):
        count = max(1, int(np.ceil(np.hypot(*(b - a)) / STEP)))
        parts.append(a + (b - a) * (np.arange(1, count + 1) / count)[:, np.newaxis])
    return np.concatenate(parts)


def shape(solids: Solids, measure: Measure, places: list[Float], color: str) -> None:
    """Add the solid of one measure; ``places`` are its line and its second part, on the ground (P, 3)."""
    line, to = places
    if measure.kind in ("wall", "gate"):
        _wall(solids, line, measure.size, color, posts=measure.kind == "gate")
    elif measure.kind == "breach" and len(to) > 1:
        _breach(solids, line[0], to, measure.size, color)
    elif measure.kind == "opening":
        _opening(solids, line, measure.size, color)
    elif measure.kind == "pump" and len(line):
        _pump(solids, line[0], to[0] if len(to) else None, measure.size, color)
    elif measure.kind == "culvert" and len(line) and len(to):
        _culvert(solids, line[0], to[0], measure.size, color)
    elif measure.kind == "storage" and len(line):
        radius = float(np.clip(np.sqrt(measure.size / (3.0 * np.pi)), 3.0, 30.0))
        solids.cylinder(line[0] - [0.0, 0.0, 2.5], radius, 3.3, color)
    elif measure.kind == "unblock":
        for place in line:
            solids.cylinder(place, 1.6, 0.5, color)


def _wall(solids: Solids, line: Float, height: float, color: str, posts: bool) -> None:
    if len(line) < 2:
        return
    left, right = _sides(line, 0.5 * THICKNESS)
    top = np.array([0.0, 0.0, height])
    down = np.array([0.0, 0.0, FOOT])
    ring = np.concatenate([left, right[::-1]])
    solids.prism(ring - down, ring + top, color, is_strip=True)
    solids.line(line + top, color)
    if posts:
        lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line[:, :2], axis=0).T))])
        for at in np.linspace(0.0, lengths[-1], max(2, round(lengths[-1] / POST_EVERY) + 1)):
            place = np.array([np.interp(at, lengths, line[:, k]) for k in range(3)])
            solids.cylinder(place - down, 0.9, height + POST_ABOVE + FOOT, color)


def _breach(solids: Solids, middle: Float, dike: Float, width: float, color: str) -> None:
    lift = np.array([0.0, 0.0, 0.4])
    solids.line(dike + lift, color)
    along = dike[-1] - dike[0]
    along = along / max(float(np.linalg.norm(along[:2])), 1e-9)
    for sign in (-0.5, 0.5):
        solids.cylinder(middle + along * (sign * width) * [1.0, 1.0, 0.0], 0.8, 3.0, color)


def _opening(solids: Solids, line: Float, width: float, color: str) -> None:
    if len(line) < 2:
        return
    left, right = _sides(line, 0.5 * width)
    lift = np.array([0.0, 0.0, 0.25])
    count = len(line)
    first = np.arange(count - 1)
    triangles = np.concatenate([
        np.column_stack([first, first + 1, first + count + 1]), np.column_stack([first, first + count + 1, first + count]),
    ])  # fmt: skip
    solids.add(np.concatenate([left, right]) + lift, triangles, color)
    for side in (left, right):
        solids.line(side + lift, color)


def _pump(solids: Solids, intake: Float, outlet: Float | None, capacity: float, color: str) -> None:
    radius = float(np.clip(1.5 * np.sqrt(capacity), 1.2, 6.0))
    high = np.array([0.0, 0.0, 4.0])
    solids.cylinder(intake - [0.0, 0.0, 0.5], radius, 3.5, color)
    if outlet is None:
        solids.tube(intake + high, intake + 1.75 * high, 0.9 * radius, color, 0.0)
        return
    start, end = intake + high, outlet + high
    along = end - start
    length = float(np.linalg.norm(along))
    head = min(3.0 * radius, 0.4 * length)
    neck = end - along / max(length, 1e-9) * head
    solids.tube(start, neck, 0.35 * radius, color)
    solids.tube(neck, end, 0.9 * radius, color, 0.0)
    solids.cylinder(outlet - [0.0, 0.0, 0.5], 0.5 * radius, 1.5, color)
    solids.line(np.stack([start, end]), color)


def _culvert(solids: Solids, start: Float, end: Float, diameter: float, color: str) -> None:
    up = np.array([0.0, 0.0, 0.5 * diameter])
    solids.tube(start + up, end + up, 0.5 * diameter, color)
    along = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
    for place, way in ((start, 1.0), (end, -1.0)):
        solids.tube(place + up, place + up + along * way, 0.75 * diameter + 0.2, color)
    solids.line(np.stack([start, end]) + 2.0 * up, color)


def _sides(line: Float, half: float) -> tuple[Float, Float]:
    """Return what is to the left and to the right of a line, so far away."""
    ways = np.diff(line[:, :2], axis=0)
    ways /= np.maximum(np.hypot(*ways.T), 1e-9)[:, np.newaxis]
    at = np.concatenate([ways[:1], ways[:-1] + ways[1:], ways[-1:]])
    at /= np.maximum(np.hypot(*at.T), 1e-9)[:, np.newaxis]
    across = np.column_stack([-at[:, 1], at[:, 0], np.zeros(len(at))]) * half
    return line + across, line - across


def _ring(radius: float) -> Float:
    turns = np.linspace(0.0, 2.0 * np.pi, SIDES, endpoint=False)
    return np.column_stack([radius * np.cos(turns), radius * np.sin(turns), np.zeros(SIDES)])


def _actor(lit: bool) -> Any:
    actor = actor_of(poly_data(np.zeros((1, 3), dtype=np.float32)))
    actor.GetMapper().ScalarVisibilityOn()
    actor.GetMapper().SetColorModeToDirectScalars()
    if lit:
        actor.GetProperty().SetAmbient(0.5)
        actor.GetProperty().SetDiffuse(0.6)
        actor.GetProperty().SetSpecular(0.0)
    else:
        actor.GetProperty().LightingOff()
    actor.PickableOff()
    actor.UseBoundsOff()
    actor.SetVisibility(False)
    return actor
