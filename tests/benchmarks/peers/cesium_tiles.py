"""The same tileset along the same views in CesiumJS under headless Chromium, and here: seconds until a view is whole.

    python -m tests.benchmarks.peers.cesium_tiles TILESET.json

Needs node, chromium, and a folder with the npm packages ``cesium`` and ``playwright-core`` (``CIMDESK_PEERS``, or
``node_modules`` beside this file). Both fetch the tileset from one server on this machine, without anything cached.
"""

from __future__ import annotations

import functools
import http.server
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

SIZE = (1280, 720)
PIXELS = 16.0
"""Error on the screen that CesiumJS allows by default; here stricter rules hold."""
LONGEST = 45.0
GATHER = 0.09
PAGE = b"""<!doctype html><style>html,body,#view,#view div,#view canvas{margin:0;width:100%;height:100%;display:block}</style>
<script>window.CESIUM_BASE_URL="/cesium/"</script><script src="/cesium/Cesium.js"></script><div id="view"></div>"""


def missing() -> str:
    """Return what is not here, or nothing."""
    for tool in ("node", "chromium"):
        if shutil.which(tool) is None:
            return tool
    for name in ("cesium/Build/Cesium/Cesium.js", "playwright-core/package.json"):
        if not (modules() / "node_modules" / name).exists():
            return name
    return ""


def modules() -> Path:
    return Path(os.environ.get("CIMDESK_PEERS", Path(__file__).parent))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, roots, *args):
        self.roots = roots
        super().__init__(*args)

    def log_message(self, *_):
        pass

    def do_GET(self):
        name = self.path.split("?")[0]
        kind, _, rest = name.strip("/").partition("/")
        try:
            data = PAGE if name == "/" else (self.roots[kind] / rest).read_bytes()
        except (KeyError, OSError):
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        kinds = {".js": "text/javascript", ".json": "application/json", ".wasm": "application/wasm", ".css": "text/css"}
        self.send_header("Content-Type", kinds.get(Path(rest).suffix, "text/html" if name == "/" else "application/octet-stream"))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def serve(folder: str, port) -> None:
    """Serve the tileset and CesiumJS for ever, in a process of its own; tell the port."""
    roots = {"tiles": Path(folder), "cesium": modules() / "node_modules/cesium/Build/Cesium"}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, roots))
    port.put(server.server_port)
    server.serve_forever()


class Pane:
    """Draws as the window does: when something asks for it, and at most every so often while tiles come."""

    def __init__(self, stage):
        self.stage, self.is_asked, self.came = stage, True, threading.Event()
        stage.scene.needs_render.connect(self.ask)
        stage.scene.woken.connect(self.wake)
        self.renders = 0

    def ask(self, _):
        self.is_asked = True

    def wake(self, _):
        self.came.set()

    def fill(self) -> None:
        """Draw until the view is whole."""
        end = time.perf_counter() + LONGEST
        self.is_asked = True
        while time.perf_counter() < end:
            if not self.is_asked:
                self.came.wait(1.0)
                time.sleep(GATHER)
            self.came.clear()
            self.is_asked = False
            self.stage.scene.prepare()
            self.stage.window.Render()
            self.renders += 1
            (visual,) = self.stage.scene.visuals.values()
            if visual.choice.complete and not visual.is_pending:
                return


def here(address: str, path):
    """Return seconds, frame, tiles and triangles of each view, and the views as earth-centred cameras.

    ``path`` gives azimuth, elevation, distance and target of each view, from the bounds of the tileset.
    """
    from cimdesk.base.crs import Crs
    from cimdesk.scene.camera import VIEW_ANGLE_DEG
    from tests.benchmarks.test_streaming_speed import InWindow, frame, staged

    begun = time.perf_counter()
    session, stage = staged(Path(f"{address}/tiles/tileset.json"), InWindow())
    crs = session.workspace.frame.crs
    results, views, pane = [], [], None
    for k, (azimuth, elevation, distance, target) in enumerate(path(session.workspace)):
        begun = begun if k == 0 else time.perf_counter()
        stage.scene.camera.set_view(azimuth, elevation, distance, target)
        pane = pane or Pane(stage)
        pane.fill()
        (visual,) = stage.scene.visuals.values()
        seconds = time.perf_counter() - begun
        eye, forward = stage.scene.camera.eye, stage.scene.camera.forward
        world = np.array([eye, eye + 100.0 * forward, eye + np.array([0.0, 0.0, 100.0])])
        at, ahead, above = crs.transform(Crs.epsg(4978), world)
        up = (above - at) / np.linalg.norm(above - at)
        ahead = (ahead - at) / np.linalg.norm(ahead - at)
        up -= ahead * (up @ ahead)
        views.append({"eye": at.tolist(), "direction": ahead.tolist(), "up": (up / np.linalg.norm(up)).tolist()})
        steady = float(np.median([frame(stage) for _ in range(5)]))
        triangles = sum(len(visual.tiles[row].block.triangles) for row in visual.shown)
        results.append({"seconds": seconds, "frame": steady, "tiles": len(visual.shown), "triangles": triangles})
    stage.close()
    return results, views, VIEW_ANGLE_DEG


def there(address: str, views, angle: float):
    """Return what CesiumJS measures for the same views."""
    job = {
        "modules": str(modules().resolve()), "chromium": shutil.which("chromium"), "page": f"{address}/",
        "tileset": f"{address}/tiles/tileset.json", "width": SIZE[0], "height": SIZE[1], "angle": angle, "pixels": PIXELS,
        "views": views, "longest": LONGEST,
    }  # fmt: skip
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(json.dumps(job))
        file.flush()
        script = Path(__file__).with_suffix(".mjs")
        ran = subprocess.run(["node", script, file.name], capture_output=True, text=True, timeout=3 * LONGEST * len(views))
    if ran.returncode:
        raise RuntimeError(ran.stderr[-2000:])
    found = json.loads(ran.stdout)
    # Without its style sheet the picture would be a small one, and so would its error be.
    assert tuple(found["size"]) == SIZE
    return found


def around(workspace):
    """Return an overview of a tileset, and two views into its middle."""
    (layer,) = workspace.layers()
    low, high = workspace.data(layer.id).bounds
    middle, wide = (low + high) / 2.0, float((high - low)[:2].max())
    ground = (middle[0], middle[1], max(float(low[2]), 0.0))
    return [(0.0, 48.0, 0.3 * wide, ground), (20.0, 30.0, min(0.15 * wide, 6_000.0), ground), (35.0, 16.0, 600.0, ground)]


def compare(tileset: Path, path=around):
    """Return the results here by our own rule, here with the error that CesiumJS allows, and there, for each view."""
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    context = multiprocessing.get_context("spawn")
    port = context.Queue()
    server = context.Process(target=serve, args=(str(tileset.parent), port), daemon=True)
    server.start()
    address = f"http://127.0.0.1:{port.get(timeout=30.0)}"
    try:
        results = []
        for pixels in (None, PIXELS):
            with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
                patch.setattr("cimdesk.services.tile_cache.cache_dir", lambda folder=folder: Path(folder))
                if pixels is not None:
                    patch.setattr("cimdesk.scene.tile_wishes.STILL_PIXELS", pixels)
                found, views, angle = here(address, path)
                results.append(found)
        return *results, there(address, views, angle)
    finally:
        server.terminate()
        server.join(5.0)


def report(own, alike, peer) -> str:
    lines = [f"CesiumJS {peer['version']}, headless Chromium, software WebGL; both 1280 x 720; seconds until a view is whole"]
    for k, (mine, same, other) in enumerate(zip(own, alike, peer["views"], strict=True)):
        cells = [
            f"{name} {each['seconds']:.2f} s ({each['tiles']} tiles, {each['triangles']:,} triangles, {each['frame'] * 1e3:.0f} ms)"
            for name, each in (("here", mine), (f"here at {PIXELS:.0f} px", same), ("CesiumJS", other))
        ]
        lines.append(f"view {k}: {'; '.join(cells)}{'' if other['complete'] else ' (not whole)'}")
    total = [sum(view["seconds"] for view in views) for views in (own, alike, peer["views"])]
    lines.append(
        f"all views: {total[0]:.2f} s, {total[1]:.2f} s, {total[2]:.2f} s: {total[2] / total[1]:.1f} times sooner at the same error"
    )
    first = own[0]["seconds"], alike[0]["seconds"], peer["views"][0]["seconds"]
    lines.append(f"first view from opening: {first[0]:.2f} s, {first[1]:.2f} s, {first[2]:.2f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    if missing():
        sys.exit(f"{missing()} is not here")
    print(report(*compare(Path(sys.argv[1]))))
