"""Pictures on the faces of a city model: read and put on pages in a thread, then drawn instead of the plain faces."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float32, Int, Int32, UInt8
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.pictured import FacePictures
from cimdesk.scene.facade_pages import Page, painted_page, plan_pages
from cimdesk.scene.geometry import actor_of, cell_array, hide_transparent_texels, poly_data, set_point_array
from cimdesk.scene.shading import light_flat_faces
from cimdesk.scene.textures import PictureTexture

BEYOND = 1e-3
"""How far places may lie outside of a picture that does not go on there."""
AMBIENT, DIFFUSE = 0.62, 0.40
"""Photographs have light and shade of their own; what lies flat under the sun is as bright as in its picture."""


@dataclass(frozen=True)
class ReadyPage:
    """A page with the triangles that show it.

    Attributes
    ----------
    page : Page
    pixels : (H, W, 3 or 4) uint8
    points : (3 K, 3) float32, coordinates : (3 K, 2) float32
        Corners of its triangles, and where they are on the page.
    owners : (K,) int32
        Features.
    """

    page: Page
    pixels: UInt8
    points: Float32
    coordinates: Float32
    owners: Int32


@dataclass
class _Drawn:
    """A page in the scene."""

    owners: Int32
    texture: PictureTexture
    data: Any
    actor: Any


class Facades:
    """The pictures of one mesh.

    Parameters
    ----------
    mesh : TriangleMesh
        In local coordinates.
    pictures : FacePictures
        Of this mesh.
    wake : callable
        Asks for a frame, from any thread.

    Attributes
    ----------
    is_drawn : (F,) bool
        Pictures that are in the scene.
    is_waiting : bool
        Whether some are still to come.
    """

    def __init__(self, mesh: TriangleMesh, pictures: FacePictures, wake: Callable[[], None]) -> None:
        self.is_drawn: Bool = np.zeros(len(pictures.files), dtype=bool)
        self.is_waiting = True
        self._mesh = mesh
        self._pictures = pictures
        self._wake = wake
        self._thread: threading.Thread | None = None
        self._is_stopped = threading.Event()
        self._ready: deque[ReadyPage | None] = deque()
        self._drawn: list[_Drawn] = []
        self._left_out: Bool | None = None

    def start(self) -> None:
        """Begin to read the pictures, unless that was done before."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="facades", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._is_stopped.set()
        self.is_waiting = False

    def advance(self) -> Any:
        """Return the actor of the next page that is ready; None when there is none."""
        if not self._ready:
            return None
        ready = self._ready.popleft()
        if ready is None:
            self.is_waiting = False
            return None
        self.is_drawn[[spot.picture for spot in ready.page.spots]] = True
        texture = PictureTexture(ready.pixels)
        if ready.page.is_repeated:
            texture.texture.RepeatOn()
            texture.texture.EdgeClampOff()
        data = poly_data(ready.points, self._kept(ready.owners))
        set_point_array(data, ready.coordinates, "tcoords")
        actor = actor_of(data)
        actor.SetTexture(texture.texture)
        actor.GetProperty().SetInterpolationToFlat()
        actor.GetProperty().SetAmbient(AMBIENT)
        actor.GetProperty().SetDiffuse(DIFFUSE)
        light_flat_faces(actor)
        if ready.pixels.shape[2] == 4:
            hide_transparent_texels(actor)
        self._drawn.append(_Drawn(ready.owners, texture, data, actor))
        return actor

    def leave_out(self, features: Bool) -> None:
        """Draw no pictures on these (N,) features, from now on: they are hidden, or in one colour."""
        if self._left_out is not None and np.array_equal(features, self._left_out):
            return
        was_any = self._left_out is not None and self._left_out.any()
        self._left_out = features
        if was_any or features.any():
            for drawn in self._drawn:
                drawn.data.SetPolys(cell_array(self._kept(drawn.owners)))

    def style(self, is_visible: bool, opacity: float) -> None:
        """Draw all of them this opaque."""
        for drawn in self._drawn:
            drawn.actor.SetVisibility(is_visible)
            drawn.actor.GetProperty().SetOpacity(opacity)
            (drawn.actor.ForceTranslucentOn if opacity < 1.0 else drawn.actor.ForceOpaqueOn)()

    def _kept(self, owners: Int32) -> Int:
        corners = np.arange(3 * len(owners)).reshape(-1, 3)
        return corners if self._left_out is None else corners[~self._left_out[owners]]

    # --- the thread -------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            pictures = self._pictures
            beyond = (np.abs(pictures.places - 0.5) > 0.5 + BEYOND).any(axis=(1, 2))
            repeated = np.array([each.is_repeated for each in pictures.files], dtype=bool)
            goes_on = np.zeros(len(pictures.files), dtype=bool)
            goes_on[pictures.file_of[beyond]] = True
            rows = pictures.rows_by_file()
            used = np.array([len(each) > 0 for each in rows], dtype=bool)
            for page in plan_pages(pictures.files, goes_on & repeated, used):
                pixels = painted_page(page, pictures.files, lambda: not self._is_stopped.is_set())
                if pixels is None:
                    return
                if page.spots:
                    self._tell(self._page(page, pixels, rows))
        finally:
            self._tell(None)

    def _tell(self, ready: ReadyPage | None) -> None:
        """Hand over a page, unless the scene has let go of the pictures: nobody may be there to wake any longer."""
        if not self._is_stopped.is_set():
            self._ready.append(ready)
            self._wake()

    def _page(self, page: Page, pixels: UInt8, rows: list[Int]) -> ReadyPage:
        pictures, mesh = self._pictures, self._mesh
        coordinates = [page.placed(spot, pictures.places[rows[spot.picture]].astype(np.float64)) for spot in page.spots]
        triangles = pictures.triangles[np.concatenate([rows[spot.picture] for spot in page.spots])]
        return ReadyPage(
            page,
            pixels,
            mesh.vertices[mesh.triangles[triangles].ravel()],
            np.concatenate(coordinates).reshape(-1, 2).astype(np.float32),
            mesh.feature_index[triangles],
        )
