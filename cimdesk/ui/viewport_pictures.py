"""Small pictures of the viewport: of what it shows, and from other views of the scene."""

from __future__ import annotations

from typing import Any, cast

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRect, QSize, Qt
from PySide6.QtGui import QImage, QPixmap

from cimdesk.ui.viewport_host import Host
from cimdesk.ui.viewport_surface import Surface


class Pictures:
    """Takes small pictures without disturbing what is shown."""

    def __init__(self, viewport: Host) -> None:
        self._viewport = viewport

    def thumbnail(self, width: int, height: int) -> bytes:
        """Return the present picture as a small JPEG, cut to the given shape [px]; nothing while there is none."""
        if self._viewport.surface is None:
            return b""
        picture = self._viewport.surface.grab()
        wanted = QSize(width, height)
        scaled = picture.scaled(wanted, Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation)
        scaled.setDevicePixelRatio(1.0)
        left, top = (scaled.width() - width) // 2, (scaled.height() - height) // 2
        return _jpeg(scaled.copy(QRect(left, top, width, height)))

    def seen_from(self, camera: dict[str, Any], width: int, height: int) -> QImage:
        """Return a small picture of the scene from another view [px]; the view that is shown stays as it is.

        The picture is null while the scene moves or is not drawn yet.
        """
        view = self._viewport
        if view.scene is None or not view.renders or view.pace.is_moving or cast(Surface, view.surface).pending:
            return QImage()
        before = view.scene.camera.to_record()
        view.scene.camera.from_record(camera)
        picture = cast(Surface, view.surface).small_picture(width, height)
        view.scene.camera.from_record(before)
        return picture


def _jpeg(pixmap: QPixmap) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    pixmap.save(buffer, "JPG", 82)
    buffer.close()
    return bytes(data.data())
