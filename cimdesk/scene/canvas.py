"""Canvas: the renderer with its lights, sky and quality, and the depths of the last frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.scene import toolkit as vtk
from cimdesk.scene.camera import VIEW_ANGLE_DEG, CameraControl
from cimdesk.scene.geometry import ABOVE_DEPTH, TOP_DEPTH
from cimdesk.scene.look import Look, unit_rgb
from cimdesk.scene.terrain import SKY_SHARE
from cimdesk.scene.visual import View

if TYPE_CHECKING:
    from vtkmodules.vtkRenderingCore import vtkRenderWindow

SUN = (-0.52, -0.60, 0.78)
SKY_LIGHT = (0.62, 0.25, 0.70)
OCCLUSION_RADIUS = 22.0
SOFTWARE_GL = ("llvmpipe", "softpipe", "swiftshader", "swr", "basic render")
SEARCH = 4
"""Pixels around the cursor in which a thin thing drawn on top is still hit."""


class Canvas:
    """One renderer in somebody else's window.

    Attributes
    ----------
    renderer : vtkRenderer
    window : vtkRenderWindow or None
    """

    def __init__(self, look: Look) -> None:
        self.renderer = vtk.vtkRenderer()
        self.renderer.SetAutomaticLightCreation(False)
        self.renderer.RemoveAllLights()
        # Little is see-through at a time; blending it in order costs less than weighing all of it.
        self.renderer.SetUseOIT(False)
        self._lights = [_sun_light(SUN), _sun_light(SKY_LIGHT)]
        for light in self._lights:
            self.renderer.AddLight(light)
        self.window: Any = None
        self.look = look
        self._size = (1280, 720)
        self._drawn_matrix: Float | None = None
        self.drawn_eye: Float = np.zeros(3)
        self.drawn_slope = 1e-3
        self._drawn_far = 1.0
        self._wants_occlusion = False
        self._last: list[Any] = []
        self.set_look(look)

    def attach(self, window: vtkRenderWindow) -> None:
        """Draw into a window."""
        self.detach()
        self.window = window
        window.AddRenderer(self.renderer)

    def detach(self) -> None:
        """Leave the window; no harm when there is none."""
        if self.window is not None:
            self.window.RemoveRenderer(self.renderer)
            self.window = None
            self._drawn_matrix = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the viewport [device px]."""
        if self.window is not None:
            width, height = self.window.GetSize()
            if width > 0 and height > 0:
                self._size = (width, height)
        return self._size

    @property
    def pixel_scale(self) -> float:
        """Device pixels per 72-dpi pixel."""
        return 1.0 if self.window is None else max(self.window.GetDPI() / 72.0, 0.5)

    @property
    def has_graphics_card(self) -> bool:
        """Whether OpenGL runs on hardware rather than on the processor."""
        if self.window is None or self.window.GetNeverRendered():
            return False
        text = str(self.window.ReportCapabilities()).lower()
        return not any(name in text for name in SOFTWARE_GL)

    def set_look(self, look: Look) -> None:
        """Use the lights and the sky of a theme."""
        self.look = look
        self.renderer.SetBackground(*unit_rgb(look.horizon))
        for light, (color, intensity) in zip(self._lights, (look.key, look.fill), strict=True):
            light.SetColor(*unit_rgb(color))
            light.SetIntensity(intensity)

    def set_quality(self, quality: str) -> None:
        """Switch smooth edges for still pictures (exports are drawn larger instead), and ambient occlusion.

        Occlusion is for exports, and for still pictures where the graphics card does the work.
        """
        self.renderer.SetUseFXAA(quality == "still")
        occlusion = quality == "export" or (quality == "still" and self.has_graphics_card)
        self._wants_occlusion = occlusion
        self.renderer.SetUseSSAO(occlusion)
        if occlusion:
            self.renderer.SetSSAORadius(OCCLUSION_RADIUS)
            self.renderer.SetSSAOBias(0.4)
            self.renderer.SetSSAOKernelSize(32)
            self.renderer.SSAOBlurOn()

    def set_smooth(self, on: bool) -> None:
        """Smooth the edges of this frame, or leave that for a later one."""
        self.renderer.SetUseFXAA(on)

    def draw_last(self, actors: list[Any]) -> None:
        """Draw these actors of the renderer after all others, in this order."""
        if actors == self._last:
            return
        self._last = actors
        # Taken out of the renderer, they would be uploaded again; their place in its list is all that changes.
        props = self.renderer.GetViewProps()
        for actor in actors:
            props.RemoveItem(actor)
            props.AddItem(actor)

    def place(self, control: CameraControl, origin: Float, low: Float, high: Float, is_moving: bool) -> View:
        """Set the camera, its clipping range around the local box ``low``..``high``, and the sky; return the view."""
        camera = self.renderer.GetActiveCamera()
        control.apply(camera, origin)
        width, height = self.size
        eye = control.eye - origin
        radius = float(np.linalg.norm(high - low)) / 2.0
        centre = (low + high) / 2.0
        gap = float(np.linalg.norm(np.maximum(np.maximum(low - eye, eye - high), 0.0)))
        # The plane goes on outside the box: under a level view it begins about as far away as the eye is high.
        near = max(0.25, min(0.6 * gap, 0.8 * abs(float(eye[2] - low[2]))), 0.01 * min(control.distance, radius))
        far = float(np.linalg.norm(eye - centre)) + 14.0 * max(radius, 50.0)
        camera.SetClippingRange(near, far)
        matrix = self._matrix(width / height)
        slope = 2.0 * float(np.tan(np.radians(VIEW_ANGLE_DEG / 2))) / height
        # From afar the shadows of single walls are below a pixel, and all that is left of them is noise.
        self.renderer.SetUseSSAO(self._wants_occlusion and 0.5 * control.distance * slope < OCCLUSION_RADIUS)
        self._drawn_matrix, self.drawn_eye, self.drawn_slope, self._drawn_far = matrix, eye, slope, far
        return View(eye, control.forward, matrix, width, height, self.pixel_scale, slope, near, far, is_moving)

    def world_at(self, x: float, y: float) -> tuple[Float, bool] | None:
        """Return the local point drawn at a pixel of the last frame, and whether it was drawn on top; None for the sky."""
        if self.window is None or self._drawn_matrix is None:
            return None
        width, height = self.size
        column, row = round(x), height - 1 - round(y)
        if not (0 <= column < width and 0 <= row < height):
            return None
        place, depth = self._nearest_on_top(column, row, width, height)
        if depth is None:
            place, depth = (column, row), float(self.window.GetZbufferDataAtPoint(column, row))
        is_on_top = depth < TOP_DEPTH
        if is_on_top:
            depth /= ABOVE_DEPTH if depth < ABOVE_DEPTH else TOP_DEPTH
        if depth >= 1.0:
            return None
        clip = np.array([2.0 * (place[0] + 0.5) / width - 1.0, 2.0 * (place[1] + 0.5) / height - 1.0, 2.0 * depth - 1.0, 1.0])
        local = np.linalg.solve(self._drawn_matrix, clip)
        point: Float = local[:3] / local[3]
        is_sky = np.linalg.norm(point - self.drawn_eye) > 0.93 * SKY_SHARE * self._drawn_far
        return None if is_sky else (point, is_on_top)

    def ray(self, x: float, y: float) -> tuple[Float, Float] | None:
        """Return the local points where the sight line through a pixel begins and ends; None before the first frame."""
        if self.window is None or self._drawn_matrix is None:
            return None
        width, height = self.size
        across, up = 2.0 * (x + 0.5) / width - 1.0, 1.0 - 2.0 * (y + 0.5) / height
        ends = np.linalg.solve(self._drawn_matrix, np.array([[across, up, -1.0, 1.0], [across, up, 0.999, 1.0]]).T).T
        return ends[0, :3] / ends[0, 3], ends[1, :3] / ends[1, 3]

    def _nearest_on_top(self, column: int, row: int, width: int, height: int) -> tuple[tuple[int, int], float | None]:
        x0, x1 = max(column - SEARCH, 0), min(column + SEARCH, width - 1)
        y0, y1 = max(row - SEARCH, 0), min(row + SEARCH, height - 1)
        buffer = vtk.vtkFloatArray()
        self.window.GetZbufferData(x0, y0, x1, y1, buffer)
        depths = vtk.vtk_to_numpy(buffer).reshape(y1 - y0 + 1, x1 - x0 + 1)
        rows, columns = np.nonzero(depths < TOP_DEPTH)
        if not len(rows):
            return (column, row), None
        k = int(np.argmin((rows + y0 - row) ** 2 + (columns + x0 - column) ** 2))
        return (int(columns[k]) + x0, int(rows[k]) + y0), float(depths[rows[k], columns[k]])

    def _matrix(self, aspect: float) -> Float:
        matrix = self.renderer.GetActiveCamera().GetCompositeProjectionTransformMatrix(aspect, -1.0, 1.0)
        return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def _sun_light(towards: tuple[float, float, float]) -> Any:
    light = vtk.vtkLight()
    light.SetLightTypeToSceneLight()
    light.PositionalOff()
    light.SetPosition(*towards)
    light.SetFocalPoint(0.0, 0.0, 0.0)
    return light
