"""Pictures by a process of their own: as drawn here, cancelled at once, with a plain message when they fail."""

from __future__ import annotations

import threading
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cimdesk.base.errors import Cancelled, ServiceError
from cimdesk.base.jobs import CancelToken, no_progress
from cimdesk.commands import projects
from cimdesk.commands.sources import import_files
from cimdesk.model.figure import SnapshotRequest
from cimdesk.services import drawing
from tests.samples import city_json


@pytest.fixture
def project(tmp_path):
    session = projects.create(tmp_path / "plan.gpkg", "Plan")
    import_files(session, [city_json(tmp_path / "town.city.json")])
    yield session
    session.close()


def test_pictures_are_those_drawn_in_this_process(project):
    from cimdesk.scene.view import snapshot

    requests = [SnapshotRequest(320, 200, "light"), SnapshotRequest(320, 200, "light", title="Second", legend=False)]
    told = []
    drawn = drawing.draw_pictures(project.path, requests, lambda fraction, text="": told.append((fraction, text)), CancelToken())
    for request, png in zip(requests, drawn, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(png))), snapshot(project.workspace, request))
    assert told[-1][0] == 1.0
    assert any("2 of 2" in text for _, text in told)


def test_an_edit_that_was_acknowledged_is_in_the_picture(project):
    from cimdesk.commands import layers

    request = SnapshotRequest(320, 200, "light", furniture=False)
    before, *_ = drawing.draw_pictures(project.path, [request], no_progress, CancelToken())
    layers.set_visible(project, [layer.id for layer in project.workspace.layers()], False)
    after, *_ = drawing.draw_pictures(project.path, [request], no_progress, CancelToken())
    assert before != after


def test_a_cancelled_picture_ends_its_process_at_once(project):
    cancel, begun = CancelToken(), time.monotonic()
    threading.Timer(0.3, cancel.cancel).start()
    with pytest.raises(Cancelled):
        drawing.draw_pictures(project.path, [SnapshotRequest(4000, 4000)] * 5, no_progress, cancel)
    assert time.monotonic() - begun < 5.0


def test_what_cannot_be_opened_is_said_plainly(tmp_path):
    broken = tmp_path / "broken.gpkg"
    broken.write_bytes(b"no project")
    with pytest.raises(ServiceError, match=r"broken\.gpkg"):
        drawing.draw_pictures(broken, [SnapshotRequest()], no_progress, CancelToken())


def test_a_process_that_dies_is_reported(project, monkeypatch):
    monkeypatch.setattr(drawing, "DRAWER", "cimdesk.no_such_module")
    with pytest.raises(ServiceError, match="could not be drawn"):
        drawing.draw_pictures(project.path, [SnapshotRequest()], no_progress, CancelToken())
