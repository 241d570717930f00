"""Back end that draws with hardware OpenGL straight into Qt's frame buffer."""

from __future__ import annotations

import ctypes
import sys
import time
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QOpenGLContext, QSurfaceFormat
from PySide6.QtOpenGLWidgets import QOpenGLWidget
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from cimdesk.scene.scene import Scene

GL_DRAW_FRAMEBUFFER = 0x8CA9
GL_COLOR_BUFFER_BIT = 0x4000
GL_NEAREST = 0x2600
GL_SCISSOR_TEST = 0x0C11
GL_LEQUAL = 0x0203
MOST_STEPS = 24
"""How often a small picture waits for what the scene builds bit by bit."""


def surface_format() -> QSurfaceFormat:
    """Return the format VTK needs: a core profile, no multisampling of Qt's own."""
    wanted = QSurfaceFormat()
    wanted.setRenderableType(QSurfaceFormat.RenderableType.OpenGL)
    wanted.setVersion(3, 2)
    wanted.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    wanted.setAlphaBufferSize(8)
    wanted.setSamples(0)
    return wanted


class FboSurface(QOpenGLWidget):
    """Shows a scene through `vtkGenericOpenGLRenderWindow` in the context of Qt.

    Attributes
    ----------
    renders : int
        Pictures drawn so far.
    frame_seconds : float
        How long the last one took.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # The modern VTK back end must be registered before the first render window is made.
        import vtkmodules.vtkRenderingOpenGL2  # noqa: F401
        from vtkmodules.vtkRenderingOpenGL2 import vtkGenericOpenGLRenderWindow

        self.setFormat(surface_format())
        self.setUpdateBehavior(QOpenGLWidget.UpdateBehavior.NoPartialUpdate)
        self.renders = 0
        self.frame_seconds = 0.0
        self._scene: Scene | None = None
        self._dirty = True
        self._context: QOpenGLContext | None = None
        self._gl: dict[str, Any] = {}
        window: Any = vtkGenericOpenGLRenderWindow()
        self._window = window
        self._window.SetReadyForRendering(False)
        self._window.SetFrameBlitModeToNoBlit()
        self._window.SetMultiSamples(0)
        self._observers = [
            window.AddObserver("WindowMakeCurrentEvent", self._on_make_current),
            window.AddObserver("WindowIsCurrentEvent", self._on_is_current),
        ]

    def attach(self, scene: Scene) -> None:
        """Show ``scene`` from now on."""
        self._scene = scene
        scene.attach(self._window)

    def release(self) -> None:
        """Free the graphics while the context is still there."""
        self._scene = None
        if self._context is None:
            return
        self.makeCurrent()
        self._window.Finalize()
        self._window.SetReadyForRendering(False)
        for observer in self._observers:
            self._window.RemoveObserver(observer)
        self._context = None

    def request(self) -> None:
        """Draw the scene again at the next paint."""
        self._dirty = True
        self.update()

    def small_picture(self, width: int, height: int) -> QImage:
        """Return the scene drawn once, cut and scaled to another size, without showing it."""
        if self._scene is None or self._context is None:
            return QImage()
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

        self._context.makeCurrent(self._context.surface())
        for _ in range(MOST_STEPS):
            self._dirty = False
            self._scene.prepare()
            if not self._dirty:
                break
        self._window.Render()
        columns, rows = self._window.GetSize()
        pixels = vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, columns - 1, rows - 1, 0, pixels)
        array = vtk_to_numpy(pixels).reshape(rows, columns, 4)[::-1].copy()  # type: ignore[no-untyped-call]
        picture = QImage(array.data, columns, rows, columns * 4, QImage.Format.Format_RGBX8888)
        mode = Qt.AspectRatioMode.KeepAspectRatioByExpanding
        scaled = picture.scaled(width, height, mode, Qt.TransformationMode.SmoothTransformation)
        self.request()
        return scaled.copy((scaled.width() - width) // 2, (scaled.height() - height) // 2, width, height)

    @property
    def pending(self) -> bool:
        """Whether a picture is asked for and not drawn yet."""
        return self._dirty

    def set_half(self, half: bool) -> None:
        """Do nothing: a graphics card draws at full resolution."""

    def scale(self) -> float:
        """Return picture pixels per logical pixel."""
        return float(self.devicePixelRatioF())

    def initializeGL(self) -> None:
        self._context = self.context()
        self._context.aboutToBeDestroyed.connect(self.release)
        self._load_functions(self._context)
        self._window.OpenGLInitContext()
        self._window.OpenGLInit()
        self._window.SetForceMaximumHardwareLineWidth(1)
        self._window.SetReadyForRendering(True)
        self._window.SetOwnContext(0)
        self._dirty = True

    def resizeGL(self, width: int, height: int) -> None:
        ratio = self.devicePixelRatioF()
        self._window.SetSize(max(1, round(width * ratio)), max(1, round(height * ratio)))
        self._window.SetDPI(round(72 * ratio))
        self._dirty = True

    def paintGL(self) -> None:
        state = self._window.GetState()
        state.Reset()
        state.Push()
        state.vtkglDepthFunc(GL_LEQUAL)
        if self._dirty and self._scene is not None:
            self._dirty = False
            begun = time.perf_counter()
            self._scene.prepare()
            self._window.Render()
            self.frame_seconds = time.perf_counter() - begun
            self._scene.frame_took(self.frame_seconds)
            self.renders += 1
        self.makeCurrent()
        width, height = self._window.GetSize()
        self._gl["glBindFramebuffer"](GL_DRAW_FRAMEBUFFER, self.defaultFramebufferObject())
        self._window.BlitDisplayFramebuffer(0, 0, 0, width, height, 0, 0, width, height, GL_COLOR_BUFFER_BIT, GL_NEAREST)
        self._make_opaque()
        state.Pop()

    def _make_opaque(self) -> None:
        """VTK leaves alpha at zero, through which Qt would blend the window's own grey."""
        gl = self._gl
        gl["glDisable"](GL_SCISSOR_TEST)
        gl["glColorMask"](0, 0, 0, 1)
        gl["glClearColor"](0.0, 0.0, 0.0, 1.0)
        gl["glClear"](GL_COLOR_BUFFER_BIT)
        gl["glColorMask"](1, 1, 1, 1)

    def _load_functions(self, context: QOpenGLContext) -> None:
        byte, uint, real = ctypes.c_ubyte, ctypes.c_uint, ctypes.c_float
        signatures: dict[str, tuple[Any, ...]] = {
            "glColorMask": (byte, byte, byte, byte), "glClearColor": (real, real, real, real), "glClear": (uint,),
            "glDisable": (uint,), "glBindFramebuffer": (uint, uint),
        }  # fmt: skip
        for name, arguments in signatures.items():
            self._gl[name] = ctypes.CFUNCTYPE(None, *arguments)(int(context.getProcAddress(name.encode())))
        if sys.platform.startswith("linux"):
            # VTK asks the loader for functions of the context that Qt has made current.
            library = ctypes.CDLL("libGL.so.1")
            self._window.SetOpenGLSymbolLoader2(ctypes.cast(library.glXGetProcAddressARB, ctypes.c_void_p).value, 0)

    def _on_make_current(self, _window: Any, _event: str) -> None:
        # Not the widget's own makeCurrent: that would also bind Qt's frame buffer under VTK's feet.
        if self._context is not None:
            self._context.makeCurrent(self._context.surface())

    def _on_is_current(self, _window: Any, _event: str) -> None:
        current = self._context is not None and QOpenGLContext.currentContext() is self._context
        self._window.SetIsCurrent(current)
