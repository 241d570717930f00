"""Picking in the viewport: what is under the cursor, and what a click, a box or a lasso selects."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPointF, QTimer

from cimdesk.model.layers import LayerKind
from cimdesk.model.selection import AssetRef
from cimdesk.ui.viewport_host import Host

HOVER_AFTER_MS = 40


class Picking(QObject):
    """Turns places in the picture into assets; the viewport's signals tell of them."""

    def __init__(self, viewport: Host, parent: QObject) -> None:
        super().__init__(parent)
        self._viewport = viewport
        self._hover = QTimer(self, singleShot=True, interval=HOVER_AFTER_MS)
        self._hover.timeout.connect(self._look_under_cursor)

    def follow_cursor(self) -> None:
        """Look what is under the cursor once it rests."""
        self._hover.start()

    def stop(self) -> None:
        """Look no more."""
        self._hover.stop()

    def leave(self) -> None:
        """The cursor left the view: nothing is under it."""
        self._hover.stop()
        if self._viewport.scene is not None:
            self._viewport.scene.set_hover(None)
        self._viewport.hovered.emit(None)

    def click(self, position: QPointF, toggle: bool) -> None:
        """Select what is under ``position``; ``toggle`` adds or takes it out."""
        view, scene = self._viewport, self._viewport.scene
        if scene is None or view.session is None:
            return
        at = view.device(position)
        pick = scene.pick(*at)
        refs = [pick.ref] if pick is not None and pick.ref is not None else []
        view.placed.emit(pick.world if pick is not None else scene.places.world_at(*at))
        self.choose(refs, toggle)

    def choose(self, refs: list[AssetRef] | frozenset[AssetRef], toggle: bool) -> None:
        """Make ``refs`` the selection, or toggle them in it."""
        session = self._viewport.session
        if session is None:
            return
        if toggle:
            session.selection.toggle(refs)
        else:
            session.selection.set(refs)

    def choose_area(self, refs: frozenset[AssetRef], toggle: bool) -> None:
        """Select what a box or lasso holds; in the X-ray view that is the networks, where there are any."""
        scene, session = self._viewport.scene, self._viewport.session
        if scene is not None and scene.xray and session is not None:
            networks = {layer.id for layer in session.workspace.layers() if layer.kind is LayerKind.NETWORK}
            refs = frozenset(ref for ref in refs if ref.layer in networks) or refs
        self.choose(refs, toggle)

    def _look_under_cursor(self) -> None:
        view, scene = self._viewport, self._viewport.scene
        if scene is None or not view.renders or view.pointer.pressed:
            return
        x, y = view.device(view.pointer.position)
        pick = scene.pick(x, y)
        # While something is drawn or measured, nothing else is lit up or named.
        named = None if view.tool in ("draw", "measure") else pick
        scene.set_hover(named.ref if named is not None else None)
        view.hovered.emit(named)
        view.pointed.emit(pick.world if pick is not None else scene.places.world_at(x, y))
