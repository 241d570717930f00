"""IFC models of which everything is known."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from cimdesk.base.errors import Cancelled, DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.base.workers import WorkerDiedError, WorkerRefusedError
from cimdesk.formats.ifc import READER, worker
from cimdesk.formats.registry import ReadOptions, read_head, reader_for
from cimdesk.model.mesh import Surface
from tests.unit.formats.ifc.models import write_wall


def volume(mesh) -> float:
    a, b, c = (mesh.vertices[mesh.triangles[:, k]].astype(float) for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)


@pytest.fixture(scope="module")
def wall(tmp_path_factory):
    return READER.read(write_wall(tmp_path_factory.mktemp("ifc") / "wall.ifc"), ReadOptions())


def test_openings_are_cut_out(wall):
    assert volume(wall.sources[0].data.meshes["4"]) == pytest.approx(4.0 * 0.2 * 3.0 - 1.0 * 0.2 * 1.0, rel=1e-5)


def test_millimetres_become_metres_on_the_map(wall):
    # The axes are turned by a quarter: the drawing's x goes north.
    assert wall.crs == "EPSG:25832+7837"
    assert wall.extent == pytest.approx(np.array([[499999.9, 5400000.0, 123.0], [500000.1, 5400004.0, 126.0]]), abs=1e-3)


def test_classes_are_counted_with_those_that_are_not_drawn(wall):
    assert wall.objects == {"IfcBuilding": 1, "IfcBuildingStorey": 1, "IfcOpeningElement": 1, "IfcSite": 1, "IfcWall": 1}


def test_a_click_on_the_wall_tells_everything(wall):
    features = wall.sources[0].data.features
    row = features.row(features.row_of("0YvctVUKr0kugbFTf53O9W"))
    assert row["type"] == "IfcWall"
    assert (row["name"], row["tag"], row["material"]) == ("South wall", "W1", "Brick")
    assert (row["storey"], row["building"], row["site"]) == ("First floor", "House", "Plot")
    assert row["storeyElevation"] == 3.0
    assert row["Pset_WallCommon.FireRating"] == "REI 90"
    assert row["Pset_WallCommon.Thickness"] == pytest.approx(0.2)
    assert row["Qto_WallBaseQuantities.Length"] == pytest.approx(4.0)


def test_parts_belong_to_their_storey_and_building(wall):
    city = wall.sources[0].data
    features = city.features
    rows = {name: features.row_of(f"0YvctVUKr0kugbFTf53O9{name}") for name in "WTB"}
    assert city.parents[rows["W"]] == rows["T"]
    assert city.parents[rows["T"]] == rows["B"]
    assert city.root_of(rows["W"]) == rows["B"]


def test_colours_and_kinds_come_along(wall):
    mesh = wall.sources[0].data.meshes["4"]
    assert set(mesh.surface.tolist()) == {Surface.WALL}
    assert mesh.colors[0].tolist() == [51, 102, 153, 128]
    assert len(mesh.edges)


@pytest.mark.parametrize("scale", ["$", "0.001", "1."])
def test_scales_with_and_without_the_unit_give_the_same_place(tmp_path, scale):
    extent = READER.read(write_wall(tmp_path / "wall.ifc", scale=scale), ReadOptions()).extent
    assert extent[1] - extent[0] == pytest.approx([0.2, 4.0, 3.0], abs=1e-3)


def test_a_site_gives_the_place_where_nothing_better_does(tmp_path):
    path = write_wall(
        tmp_path / "wall.ifc", per_metre=1.0, scale="", latitude="(48,0,0)", longitude="(9,0,0)", elevation="250.",
        north="#13", north_ratios="(1.,0.)",
    )  # fmt: skip
    result = READER.read(path, ReadOptions())
    assert result.crs == "EPSG:32632"
    # On its central meridian grid north is true north; x of the drawing points there, so y points west.
    assert result.extent[0] == pytest.approx([499999.9, 5316300.2, 253.0], abs=0.2)
    assert (result.extent[1] - result.extent[0]) == pytest.approx([0.2, 4.0, 3.0], abs=1e-3)
    assert [problem.code for problem in result.problems] == ["placed-by-site"]


def test_a_file_without_a_place_stays_in_its_own_coordinates(tmp_path):
    result = READER.read(write_wall(tmp_path / "wall.ifc", per_metre=1.0, scale=""), ReadOptions())
    assert result.crs is None
    assert result.extent == pytest.approx(np.array([[0.0, -0.1, 3.0], [4.0, 0.1, 6.0]]), abs=1e-6)


def test_a_schema_that_is_not_supported_is_read_as_its_nearest(tmp_path):
    result = READER.read(write_wall(tmp_path / "wall.ifc", schema="IFC4X3_RC4"), ReadOptions())
    assert result.version == "IFC4X3_RC4"
    assert [problem.code for problem in result.problems] == ["nearest-schema"]
    assert volume(result.sources[0].data.meshes["4"]) == pytest.approx(2.2, rel=1e-5)


def test_a_file_opened_again_needs_no_process(tmp_path, monkeypatch):
    path = write_wall(tmp_path / "wall.ifc")
    first = READER.read(path, ReadOptions())

    def refuse(*_):
        raise AssertionError("a process was started")

    monkeypatch.setattr(worker, "run_worker", refuse)
    again = READER.read(path, ReadOptions()).sources[0].data
    assert np.array_equal(again.meshes["4"].triangles, first.sources[0].data.meshes["4"].triangles)
    path.write_text(path.read_text("utf-8").replace("South wall", "North wall"), encoding="utf-8")
    with pytest.raises(AssertionError):
        READER.read(path, ReadOptions())


def test_a_damaged_cache_is_made_anew(tmp_path):
    path = write_wall(tmp_path / "wall.ifc", scale="0.00100")
    READER.read(path, ReadOptions())
    folder = worker.kept(worker.fingerprint(path))
    (folder / "arrays.npz").write_bytes(b"PK\x03\x04 damaged")
    assert READER.read(path, ReadOptions()).sources[0].data.meshes


def test_a_shape_that_brings_the_process_down_is_left_out(tmp_path, monkeypatch):
    tasks = []
    run = worker.run_worker

    def crash(module, task, *rest):
        tasks.append({**task, "skip": list(task["skip"])})
        if 50 not in task["skip"]:
            raise WorkerDiedError(-11, "#50" if task["is_careful"] else "shapes")
        return run(module, task, *rest)

    monkeypatch.setattr(worker, "run_worker", crash)
    result = READER.read(write_wall(tmp_path / "wall.ifc", scale="1.000"), ReadOptions())
    assert [(task["is_careful"], task["skip"]) for task in tasks] == [(False, []), (True, []), (True, [50])]
    assert "bad-shape" in {problem.code for problem in result.problems}
    assert len(result.sources[0].data.features) == 4


def test_a_process_that_dies_at_once_is_one_message(tmp_path, monkeypatch):
    def crash(*_):
        raise WorkerDiedError(-9, "parse")

    monkeypatch.setattr(worker, "run_worker", crash)
    with pytest.raises(DataError, match="brings the IFC reader down"):
        READER.read(write_wall(tmp_path / "wall.ifc", scale="1.0000"), ReadOptions())


def test_too_little_memory_is_one_message(tmp_path, monkeypatch):
    def refuse(*_):
        raise WorkerRefusedError({"code": "memory"})

    monkeypatch.setattr(worker, "run_worker", refuse)
    with pytest.raises(DataError, match="more memory"):
        READER.read(write_wall(tmp_path / "wall.ifc", scale="1.00000"), ReadOptions())


def test_cancelling_ends_the_reading(tmp_path):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        READER.read(write_wall(tmp_path / "wall.ifc", scale="1.000000"), ReadOptions(cancel=cancel))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", "ifcZIP"),
        (b"<?xml version='1.0'?><ifcXML/>", "ifcXML"),
        (b"solid cube", "does not begin"),
        (b"ISO-10303-21;\nHEADER;\nFILE_SCHEMA(('IFC5'));\nENDSEC;\n", "IFC5 is not supported"),
        (b"ISO-10303-21;\nHEADER;\nENDSEC;\n", "not supported"),
    ],
)
def test_what_is_no_ifc_is_refused_in_one_message(tmp_path, content, message):
    path = tmp_path / "model.ifc"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        READER.read(path, ReadOptions())


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_file_cut_short_is_read_as_far_as_it_goes_or_refused(tmp_path, share):
    path = write_wall(tmp_path / "wall.ifc")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with suppress(DataError):
        assert READER.read(path, ReadOptions()).version == "IFC4"


def test_files_are_claimed_by_their_first_bytes(tmp_path):
    path = write_wall(tmp_path / "wall.stp")
    assert READER.claim(path, read_head(path)) > 0.9
    assert reader_for(path) is READER
