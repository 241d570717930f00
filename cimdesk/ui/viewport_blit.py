"""Back end that draws off-screen and copies the picture: quickest with software OpenGL, and works on every Qt platform."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from cimdesk.scene.scene import Scene


MOST_STEPS = 24
"""How often a small picture waits for what the scene builds bit by bit."""


class BlitSurface(QWidget):
    """Shows a scene through an off-screen render window.

    Attributes
    ----------
    renders : int
        Pictures drawn so far.
    frame_seconds : float
        How long the last full-resolution one took.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # The modern VTK back end must be registered before the first render window is made.
        import vtkmodules.vtkRenderingOpenGL2  # noqa: F401
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
        from vtkmodules.vtkRenderingCore import vtkRenderWindow

        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.renders = 0
        self.frame_seconds = 0.0
        self._scene: Scene | None = None
        self._dirty = True
        self._half = False
        self._pixels: Any = vtkUnsignedCharArray()
        self._image: QImage | None = None
        self._array: Any = None
        self._window: Any = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetShowWindow(False)
        self._window.SetMultiSamples(0)

    def attach(self, scene: Scene) -> None:
        """Show ``scene`` from now on."""
        self._resize_window()
        self._scene = scene
        scene.smoothing.reads_back = True
        scene.attach(self._window)

    def release(self) -> None:
        """Free the graphics."""
        self._scene = None
        if self._window is not None:
            self._window.Finalize()
            self._window = None

    def request(self) -> None:
        """Draw the scene again at the next paint."""
        self._dirty = True
        self.update()

    def small_picture(self, width: int, height: int) -> QImage:
        """Return the scene drawn once at another size, without showing it."""
        if self._scene is None:
            return QImage()
        self._window.SetSize(width, height)
        for _ in range(MOST_STEPS):
            self._dirty = False
            self._scene.prepare()
            if not self._dirty:
                break
        self._window.Render()
        image = self._read(width, height)
        self._scene.smoothing.smooth(self._array)
        picture = image.copy()
        self.request()
        return picture

    @property
    def pending(self) -> bool:
        """Whether a picture is asked for and not drawn yet."""
        return self._dirty

    def set_half(self, half: bool) -> None:
        """Draw at half resolution (a quarter of the pixels) from now on, or at full."""
        if half != self._half:
            self._half = half
            self.request()

    def scale(self) -> float:
        """Return picture pixels per logical pixel."""
        return float(self._window.GetSize()[0]) / max(1, self.width())

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._dirty = True
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._dirty and self._scene is not None:
            self._draw(self._scene)
        painter = QPainter(self)
        if self._image is None:
            painter.fillRect(self.rect(), QColor("#c9d9e6"))
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._half)
            painter.drawImage(QRect(0, 0, self.width(), self.height()), self._image)
        painter.end()

    def _draw(self, scene: Scene) -> None:
        self._dirty = False
        width, height = self._resize_window()
        begun = time.perf_counter()
        scene.prepare()
        self._window.Render()
        self._image = self._read(width, height)
        if not self._half:
            scene.smoothing.smooth(self._array)
            self.frame_seconds = time.perf_counter() - begun
            scene.frame_took(self.frame_seconds)
        self.renders += 1

    def _read(self, width: int, height: int) -> QImage:
        from vtkmodules.util.numpy_support import vtk_to_numpy

        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, self._pixels)
        pixels = vtk_to_numpy(self._pixels)  # type: ignore[no-untyped-call]
        self._array = pixels.reshape(height, width, 4)[::-1].copy()
        return QImage(self._array.data, width, height, width * 4, QImage.Format.Format_RGBX8888)

    def _resize_window(self) -> tuple[int, int]:
        scale = self.devicePixelRatioF() * (0.5 if self._half else 1.0)
        width, height = max(1, round(self.width() * scale)), max(1, round(self.height() * scale))
        if tuple(self._window.GetSize()) != (width, height):
            self._window.SetSize(width, height)
            self._window.SetDPI(round(72 * scale))
        return width, height
