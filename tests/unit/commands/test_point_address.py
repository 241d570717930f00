"""Point clouds by their address in a project: told before they are fetched, prepared beside the window, there again later."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.commands import sources
from cimdesk.commands.checking import check
from cimdesk.commands.session import Session
from cimdesk.formats import pointcloud
from cimdesk.model.points import PointCloud
from cimdesk.services import whole_files
from cimdesk.services.kept_files import kept_file
from tests.unit.formats.las_files import town, write_las
from tests.unit.services.tile_server import PartServer


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server that has a cloud which has to be prepared."""
    monkeypatch.setenv("CIMDESK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pointcloud, "IN_MEMORY", 1000)
    server = PartServer()
    server.files["/survey.laz"] = write_las(tmp_path / "a.laz", *town(30_000)).read_bytes()
    server.headers["/survey.laz"] = {"ETag": '"a"'}
    yield server
    server.close()


def path_of(server):
    return sources.Path(server.url("/survey.laz"))


def test_the_preview_tells_what_will_be_fetched_and_fetches_nothing(served):
    (seen,) = sources.preview([path_of(served)], tiles=True)
    assert seen.error is None
    assert seen.is_usable
    assert dict(seen.result.objects) == {"points": 30_000}
    assert "fetched once" in seen.large
    assert kept_file(served.url("/survey.laz")) is None


def test_a_check_looks_at_the_header_alone(served):
    report = check(path_of(served))
    assert report["readable"]
    assert report["objects"] == {"points": 30_000}
    assert [problem["code"] for problem in report["problems"]] == ["whole-file"]
    assert kept_file(served.url("/survey.laz")) is None


def test_an_address_becomes_a_layer_that_is_prepared_and_comes_back(served):
    session = Session()
    (layer,) = sources.import_files(session, [path_of(served)])
    assert layer.source == served.url("/survey.laz")
    cloud = session.workspace.data(layer.id)
    assert isinstance(cloud, PointCloud)
    assert cloud.count == 30_000
    assert not cloud.is_glance
    asked = len([1 for _, headers in served.seen if "Range" not in headers])
    again = Session()
    (other,) = sources.import_files(again, [path_of(served)])
    assert again.workspace.data(other.id).count == 30_000
    assert len([1 for _, headers in served.seen if "Range" not in headers]) == asked
    assert np.allclose(cloud.bounds, again.workspace.data(other.id).bounds)


def test_a_file_that_is_too_large_is_refused_in_the_preview(served, monkeypatch):
    monkeypatch.setattr(whole_files, "MOST_BYTES", 1000)
    (seen,) = sources.preview([path_of(served)], tiles=True)
    assert not seen.is_usable
    assert "larger than" in str(seen.error)
    assert not check(path_of(served))["readable"]
