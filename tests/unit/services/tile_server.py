"""A real http server on loopback that can misbehave for chosen files."""

from __future__ import annotations

import gzip
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class TileServer:
    """Serves bytes by path.

    Attributes
    ----------
    files : dict of path to bytes
    manners : dict of path to callable or str
        ``drop``, ``truncate``, ``gzip``, ``slow``, a status code, or ``to:ADDRESS`` for a redirect; a list is worked off in
        turn, its last entry stays.
    gives_parts : bool
        Whether a range that is asked for is given alone; ``whole`` and ``other-part`` are manners of servers that do not.
    asked : Counter of path
    seen : list of (path, headers)
    """

    gives_parts = False

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.manners: dict[str, object] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.asked: Counter[str] = Counter()
        self.seen: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer._answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def _manner(self, path):
        manner = self.manners.get(path, "")
        if isinstance(manner, list):
            return manner.pop(0) if len(manner) > 1 else manner[0]
        return manner

    def _answer(self, request):
        path = request.path.split("?")[0]
        self.asked[path] += 1
        self.seen.append((request.path, dict(request.headers)))
        manner = self._manner(path)
        data = self.files.get(path)
        extra = dict(self.headers.get(path, {}))
        status = 200
        if manner == "drop":
            request.close_connection = True
            request.connection.close()
            return
        if isinstance(manner, int):
            status, data = manner, b"no"
        elif isinstance(manner, str) and manner.startswith("to:"):
            status, data = 302, b""
            extra["Location"] = manner[3:]
        elif data is None:
            status, data = 404, b"no"
        elif extra.get("ETag") and request.headers.get("If-None-Match") == extra["ETag"]:
            status, data = 304, b""
        elif self.gives_parts and manner != "whole" and request.headers.get("Range", "").startswith("bytes="):
            first, last = (int(v) if v else len(data) - 1 for v in request.headers["Range"][6:].split("-"))
            first += 1 if manner == "other-part" else 0
            status, total, data = 206, len(data), data[first : last + 1]
            extra["Content-Range"] = f"bytes {first}-{first + len(data) - 1}/{total}"
        elif manner == "gzip":
            data = gzip.compress(data)
            extra["Content-Encoding"] = "gzip"
        request.send_response(status)
        for name, value in extra.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        try:
            if manner == "truncate":
                request.wfile.write(data[: len(data) // 2])
                request.close_connection = True
            elif manner == "slow":
                for start in range(0, len(data), max(1, len(data) // 50)):
                    request.wfile.write(data[start : start + max(1, len(data) // 50)])
                    request.wfile.flush()
                    time.sleep(0.05)
            else:
                request.wfile.write(data)
        except OSError:
            request.close_connection = True


class PartServer(TileServer):
    """Gives parts of files where it is asked for them."""

    gives_parts = True
