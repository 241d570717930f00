"""A runner that stands for the window's."""

from __future__ import annotations

from cimdesk.base.jobs import CancelToken, no_progress


class InWindow:
    """Runs jobs at once, as a window's runner would later: tilesets are streamed."""

    def start(self, job):
        result = job.work(no_progress, CancelToken())
        if job.done is not None:
            job.done(result)
