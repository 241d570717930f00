"""Back ends of the viewport: what a widget must do that shows a scene, and which one suits this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from cimdesk.scene.scene import Scene


class Surface(Protocol):
    """A back end: a widget that shows a scene."""

    renders: int
    frame_seconds: float

    @property
    def pending(self) -> bool: ...
    def attach(self, scene: Scene) -> None: ...
    def release(self) -> None: ...
    def request(self) -> None: ...
    def set_half(self, half: bool) -> None: ...
    def small_picture(self, width: int, height: int) -> QImage: ...
    def scale(self) -> float: ...


def has_hardware_gl() -> bool:
    """Whether Qt can make an OpenGL context that is not drawn by the processor."""
    from PySide6.QtGui import QOffscreenSurface, QOpenGLContext

    context = QOpenGLContext()
    surface = QOffscreenSurface()
    if not context.create():
        return False
    surface.create()
    if not context.makeCurrent(surface):
        return False
    name = str(context.functions().glGetString(0x1F01) or "").lower()  # GL_RENDERER
    context.doneCurrent()
    return bool(name) and not any(word in name for word in ("llvmpipe", "softpipe", "swiftshader", "software", "gdi generic"))


def make_surface(parent: QWidget) -> QWidget:
    """Return the back end that suits this machine; ``CIMDESK_VIEWPORT`` (``fbo`` or ``blit``) decides instead."""
    wanted = os.environ.get("CIMDESK_VIEWPORT", "")
    if wanted != "blit" and (wanted == "fbo" or has_hardware_gl()):
        from cimdesk.ui.viewport_fbo import FboSurface

        return FboSurface(parent)
    from cimdesk.ui.viewport_blit import BlitSurface

    return BlitSurface(parent)
