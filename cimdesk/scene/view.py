"""Pictures of a workspace without a window: any size, any theme, with everything a figure must say."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from cimdesk.base.arrays import UInt8
from cimdesk.base.errors import ServiceError, UsageError
from cimdesk.base.i18n import current_language, tr, using_language
from cimdesk.base.units import format_time
from cimdesk.model.appearance import active_flood, legend_cards
from cimdesk.model.figure import SnapshotRequest
from cimdesk.model.flood_comparison import comparison_of
from cimdesk.model.flood_statement import run_statement
from cimdesk.model.imagery import Imagery, attributions
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.workspace import Workspace
from cimdesk.scene import toolkit as vtk
from cimdesk.scene.furniture import Captions, Furniture, Sides
from cimdesk.scene.look import look_of
from cimdesk.scene.scene import Scene

MAX_SIDE = 8192
WAIT = 60.0
"""Seconds a picture waits for tiles that are still on their way."""
SUPERSAMPLED = 3840 * 2160
"""Pictures up to this many pixels are drawn at twice their size and averaged; larger ones are smooth enough as they are."""


def snapshot(workspace: Workspace, request: SnapshotRequest) -> UInt8:
    """Return an (H, W, 3) uint8 picture, or (H, W, 4) when transparent.

    Raises
    ------
    UsageError
        If the size makes no sense.
    ServiceError
        If this machine offers no OpenGL at all.
    """
    with Studio(workspace) as studio:
        return studio.picture(request)


class Studio:
    """Takes several pictures of one workspace: what is drawn stays there from one to the next. A context manager."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._window: Any = None
        self._scene: Scene | None = None
        self._kind: tuple[object, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the graphics; safe twice."""
        if self._scene is not None:
            self._scene.detach()
            self._window.Finalize()
            self._scene = self._window = None

    def picture(self, request: SnapshotRequest) -> UInt8:
        """Return one picture; see `snapshot`."""
        if not (16 <= request.width <= MAX_SIDE and 16 <= request.height <= MAX_SIDE):
            raise UsageError("A picture is 16 to {most} pixels wide and high.", most=MAX_SIDE)
        with using_language(request.language or current_language()):
            return self._picture(request)

    def _picture(self, request: SnapshotRequest) -> UInt8:
        scale = 2 if request.width * request.height <= SUPERSAMPLED else 1
        time = _moment(self.workspace) if request.time is None else request.time
        scene = self._scene_for(request, scale)
        scene.show_only(request.layers)
        scene.set_time(time)
        scene.set_xray(request.xray)
        scene.prepare()
        if request.camera is not None:
            scene.camera.from_record(request.camera)
        else:
            # Only when all tiles are there is it known how much there is to show.
            scene.fit()
            scene.complete(WAIT)
            scene.fit()
        is_whole = scene.complete(WAIT)
        self._window.Render()
        picture = reduced(read_pixels(self._window, request.transparent), scale)
        if not request.furniture or request.transparent:
            return picture
        captions = _captions(self.workspace, scene, request, time, scale)
        if not is_whole:
            captions = replace(captions, notes=(*captions.notes, tr("Some tiles did not come in time")))
        return Furniture(picture, look_of(request.theme)).finish(captions)

    def _scene_for(self, request: SnapshotRequest, scale: int) -> Scene:
        """Return the scene, a new one when size, theme or background are not those of the picture before."""
        kind = (request.width, request.height, request.theme, request.transparent)
        if self._scene is None or self._kind != kind:
            self.close()
            self._window = offscreen_window(request.width * scale, request.height * scale)
            self._scene, self._kind = Scene(self.workspace, request.theme), kind
            self._window.SetDPI(72 * scale * max(1, round(request.height / 1080)))
            self._scene.attach(self._window)
            self._scene.set_quality("export")
            if request.transparent:
                self._scene.make_transparent()
        return self._scene


def offscreen_window(width: int, height: int) -> Any:
    """Return a render window that needs no screen, of this size.

    Raises
    ------
    ServiceError
        If neither a display, EGL nor OSMesa can give an OpenGL context.
    """
    for make in _window_makers():
        window = make()
        window.SetOffScreenRendering(1)
        window.SetShowWindow(False)
        window.SetMultiSamples(0)
        window.SetSize(width, height)
        window.Initialize()
        if window.SupportsOpenGL():
            return window
        window.Finalize()
    raise ServiceError(
        "This machine offers no OpenGL to draw with.",
        remedy="Install Mesa (libegl1, libgl1-mesa-dri) or run with a display.",
    )


def _window_makers() -> list[Any]:
    """Return ways to make a window, best first: VTK's own choice where there is a screen, else EGL."""
    chosen = os.environ.get("VTK_DEFAULT_OPENGL_WINDOW")
    if chosen or sys.platform != "linux" or os.environ.get("DISPLAY"):
        return [vtk.vtkRenderWindow]
    return [vtk.vtkEGLRenderWindow]


def read_pixels(window: Any, alpha: bool = False) -> UInt8:
    """Return the (H, W, 3 or 4) uint8 picture a window shows, top row first."""
    width, height = window.GetSize()
    buffer = vtk.vtkUnsignedCharArray()
    window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, buffer)
    pixels = vtk.vtk_to_numpy(buffer).reshape(height, width, 4)[::-1]
    return np.ascontiguousarray(pixels if alpha else pixels[..., :3])


def reduced(picture: UInt8, factor: int) -> UInt8:
    """Return the picture ``factor`` times smaller, each pixel the mean of what it covers."""
    if factor == 1:
        return picture
    height, width, channels = picture.shape
    blocks = picture.reshape(height // factor, factor, width // factor, factor, channels)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32).round(), dtype=np.uint8)


def write_png(path: Path | str | BinaryIO, picture: UInt8, text: dict[str, str] | None = None) -> None:
    """Write a picture as PNG, with words such as the command that makes it again."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_itxt(key, value)
    Image.fromarray(picture).save(path, format="PNG", pnginfo=info, compress_level=4)


def _moment(workspace: Workspace) -> float:
    """Return the time a picture shows when none is asked for: a flood's fullest moment, else the last reading."""
    flood = active_flood(workspace)
    if flood is not None and len(flood[1].volume):
        return flood[1].start_time + float(flood[1].times[int(np.argmax(flood[1].volume))])
    from cimdesk.model.sensors import Sensors

    ends = []
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if isinstance(data, Sensors) and data.observations.time_range:
            ends.append(data.observations.time_range[1])
    if ends:
        return max(ends)
    return workspace.stages.time_range[1] if workspace.stages.time_range else 0.0


def _captions(workspace: Workspace, scene: Scene, request: SnapshotRequest, time: float, scale: int) -> Captions:
    settings = workspace.settings
    shown = [layer for layer in scene.drawn.layers() if layer.visible and workspace.data(layer.id) is not None]
    frame = workspace.frame
    facts = [frame.crs.code or frame.crs.name if frame and frame.crs else tr("no reference system")]
    if time > 0.0:
        facts.append(format_time(time))
    scenario = request.scenario or next((flood[1].name for flood in [active_flood(workspace)] if flood), "")
    if scenario:
        facts.append(tr("scenario {name}").format(name=scenario))
    notes = []
    sides = None
    flood = active_flood(workspace)
    if flood is not None and any(layer.id == flood[0].id for layer in shown):
        notes.append(tr("Water model: {statement}; no certainty about single buildings").format(statement=run_statement(flood[1])))
        if (compared := comparison_of(workspace, flood[0])) is not None:
            a, b, statement = compared[1].name, flood[0].name, run_statement(compared[2])
            is_swipe = compared[0].mode == "swipe"
            text = tr("Left A {a}, right B {b}; A: {statement}") if is_swipe else tr("A {a}, B {b}; A: {statement}")
            notes.append(text.format(a=a, b=b, statement=statement))
            sides = Sides(compared[0].at, f"A · {a}", f"B · {b}") if is_swipe else None
    pictures = [data for layer in shown if isinstance(data := workspace.data(layer.id), Imagery) and layer.opacity > 0.0]
    if owed := attributions(pictures):
        notes.append(tr("Map: {credits}").format(credits=", ".join(owed)))
    sources = [
        Path(layer.source).name + (f" ({layer.options['vintage']})" if "vintage" in layer.options else "")
        for layer in shown
        if layer.source
    ]
    if sources:
        notes.append(tr("Sources: {names}").format(names=", ".join(dict.fromkeys(sources))))
    if request.command:
        notes.append(request.command)
    explained = {layer.id for layer in shown if layer.kind is not LayerKind.NETWORK or not scene.hides_underground}
    cards = tuple(card for card in legend_cards(workspace, time) if card.layer in explained)
    return Captions(
        request.title or str(settings.get("title", "")),
        request.subtitle,
        tuple(facts),
        tuple(notes),
        scene.camera.heading_deg,
        scene.camera.metres_per_pixel() * scale,
        cards if request.legend else (),
        sides,
    )


def _source_name(layer: Layer) -> str:
    name = Path(layer.source).name or layer.name
    return f"{name} ({layer.options['vintage']})" if "vintage" in layer.options else name
