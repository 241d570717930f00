"""LAS, LAZ and COPC: every point is kept once, levels thin evenly, damage costs what is damaged, the second opening is quick."""

from __future__ import annotations

import shutil
import struct

import laspy
import numpy as np
import pytest

from cimdesk.base.errors import Cancelled, DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.formats import pointcloud, pointcloud_nodes, pointcloud_tree, registry
from cimdesk.formats.pointcloud_kernels import assign_nodes
from cimdesk.formats.registry import ReadOptions
from tests.unit.formats.las_files import ORIGIN, town, write_las


def cloud_of(path, **options):
    result = registry.read(path, ReadOptions(**options))
    return result, result.sources[0].data


def all_points(cloud):
    blocks = [cloud.nodes.read(row) for row in np.flatnonzero(cloud.tree.counts).tolist()]
    return np.concatenate([block.world() for block in blocks]), blocks


def sorted_rows(points):
    return points[np.lexsort(points.T)]


@pytest.fixture
def on_disk(monkeypatch):
    """Prepare clouds on disk however small they are, in small pieces."""
    monkeypatch.setattr(pointcloud, "IN_MEMORY", 0)
    monkeypatch.setattr(pointcloud_nodes.DiskSink.__init__, "__defaults__", (200_000,))
    monkeypatch.setattr(pointcloud_tree, "LEAF_POINTS", 2_000)
    monkeypatch.setattr(pointcloud_tree, "MOST_IN_NODE", 3_000)


@pytest.mark.parametrize("suffix", ["las", "laz"])
@pytest.mark.parametrize("point_format", [0, 1, 3, 6, 7])
def test_every_point_comes_back_where_it_was(tmp_path, suffix, point_format):
    points, classes = town(3_000)
    path = write_las(tmp_path / f"a.{suffix}", points, classes, point_format)
    result, cloud = cloud_of(path)
    found, _ = all_points(cloud)
    assert result.objects == {"points": 3_000}
    assert result.crs == "EPSG:4547"
    assert np.abs(sorted_rows(np.round(points, 3)) - sorted_rows(np.round(found, 3))).max() < 2e-3
    assert cloud.classes.keys() == {2, 6}


def test_a_large_cloud_has_levels_that_add_to_each_other(tmp_path, on_disk):
    points, classes = town(40_000)
    result, cloud = cloud_of(write_las(tmp_path / "a.laz", points, classes))
    found, blocks = all_points(cloud)
    assert cloud.count == 40_000
    assert len(blocks) > 8
    assert np.abs(sorted_rows(np.round(points, 3)) - sorted_rows(np.round(found, 3))).max() < 2e-3
    tree = cloud.tree
    for block in blocks:
        assert (block.world() >= tree.low[block.row] - 1e-3).all()
        assert (block.world() <= tree.high[block.row] + 1e-3).all()
        above = tree.parent[block.row]
        assert above < 0 or (tree.low[above] <= tree.low[block.row]).all()
    assert result.problems == ()


def test_no_node_is_larger_than_allowed_even_where_all_points_crowd(tmp_path, on_disk):
    points, classes = town(20_000, side=200.0)
    points[1:15_000] = points[0] + (points[1:15_000] - points[0]) * 0.01
    _, cloud = cloud_of(write_las(tmp_path / "a.las", points, classes))
    assert cloud.tree.counts.max() <= 3_000
    assert cloud.tree.counts.sum() == 20_000


def test_points_at_one_place_end_somewhere(tmp_path, on_disk):
    points = np.tile(ORIGIN, (10_000, 1))
    _, cloud = cloud_of(write_las(tmp_path / "a.las", points))
    assert cloud.tree.counts.sum() == 10_000


def test_a_level_has_one_point_in_each_small_cell():
    rng = np.random.default_rng(2)
    cells = (rng.random((50_000, 3)) * 2**30).astype(np.uint32)
    cells[:, 2] = 0
    levels = pointcloud_tree._Levels(0, 3)
    keys = np.empty(len(cells), dtype=np.int64)
    assign_nodes(cells, 30, 7, 0, 3, levels.starts, levels.masks, levels.table, keys)
    level = keys >> 57
    for each in range(3):
        small = cells[level == each] >> (30 - each - 7)
        assert len(np.unique(small, axis=0)) == len(small)
    # A cell that is free takes the first point that comes: the root is nearly full.
    assert (level == 0).sum() > 0.9 * 128 * 128 * (1 - np.exp(-50_000 / 128**2))


def test_the_second_opening_reads_nothing_again(tmp_path, on_disk, monkeypatch):
    points, classes = town(20_000)
    path = write_las(tmp_path / "a.laz", points, classes)
    first = cloud_of(path)[1]
    monkeypatch.setattr(pointcloud, "read_records", lambda *_: pytest.fail("read again"))
    again = cloud_of(path)[1]
    assert (again.tree.keys == first.tree.keys).all()
    assert again.dimensions == first.dimensions
    assert (again.nodes.read(0).xyz == first.nodes.read(0).xyz).all()


def test_a_changed_file_is_prepared_again(tmp_path, on_disk):
    path = tmp_path / "a.las"
    assert cloud_of(write_las(path, *town(9_000)))[1].count == 9_000
    assert cloud_of(write_las(path, *town(12_000)))[1].count == 12_000


def test_broken_preparations_are_made_anew(tmp_path, on_disk):
    path = write_las(tmp_path / "a.las", *town(9_000))
    folder = cloud_of(path)[1].nodes.folder
    (folder / "index.npz").write_bytes(b"nonsense")
    assert cloud_of(path)[1].count == 9_000
    assert len(all_points(cloud_of(path)[1])[0]) == 9_000


def test_cancelling_leaves_nothing_half_done(tmp_path, on_disk):
    path = write_las(tmp_path / "a.laz", *town(9_000))
    cancel = CancelToken()
    home = pointcloud_nodes.folder_for(path).parent
    with pytest.raises(Cancelled):
        registry.read(path, ReadOptions(cancel=cancel, progress=lambda *_: cancel.cancel()))
    assert not pointcloud_nodes.folder_for(path).exists()
    assert not list(home.glob("making-*"))


def test_the_cache_lets_go_of_what_was_longest_unused(tmp_path, on_disk, monkeypatch):
    first = cloud_of(write_las(tmp_path / "a.las", *town(5_000)))[1].nodes.folder
    monkeypatch.setattr(pointcloud_nodes, "KEPT_BYTES", 1_000)
    second = cloud_of(write_las(tmp_path / "b.las", *town(5_000, seed=2)))[1].nodes.folder
    assert second.is_dir()
    assert not first.exists()


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, on_disk, monkeypatch):
    monkeypatch.setattr(pointcloud_nodes.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(DataError, match="room on disk"):
        registry.read(write_las(tmp_path / "a.las", *town(5_000)), ReadOptions())


def test_extra_dimensions_keep_their_names_and_values(tmp_path):
    points, classes = town(500)
    path = write_las(tmp_path / "a.laz", points, classes, reflectance=np.linspace(-20, 5, 500, dtype=np.float32))
    _, cloud = cloud_of(path)
    assert cloud.dimensions["reflectance"].low == pytest.approx(-20, abs=0.3)
    values = np.concatenate([block.columns["reflectance"] for block in all_points(cloud)[1]])
    assert np.sort(values) == pytest.approx(np.linspace(-20, 5, 500), abs=1e-4)


@pytest.mark.parametrize(("top", "expected"), [(255, 255), (65_535, 255), (0, 0)])
def test_colours_of_eight_and_sixteen_digits_look_alike(tmp_path, top, expected):
    points, classes = town(100)
    red = np.full(100, top, dtype=np.uint16)
    _, cloud = cloud_of(write_las(tmp_path / "a.las", points, classes, red=red, green=red, blue=red))
    assert int(cloud.nodes.read(0).columns["color"].max()) == expected
    assert cloud.has_color is (top > 0)


def test_geotiff_keys_name_the_system_too(tmp_path):
    points, classes = town(50)
    path = write_las(tmp_path / "a.las", points, classes, point_format=1, crs=32650)
    with laspy.open(path) as reader:
        assert any(vlr.record_id == 34735 for vlr in reader.header.vlrs)
    assert cloud_of(path)[0].crs == "EPSG:32650"


# --- damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["las", "laz"])
def test_a_file_cut_off_keeps_the_points_before_the_cut(tmp_path, suffix):
    path = write_las(tmp_path / f"a.{suffix}", *town(120_000))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    result, cloud = cloud_of(path)
    assert [problem.code for problem in result.problems] == ["cut-off"]
    # Packed points are lost with the piece of 50,000 that was cut.
    assert cloud.count == {"las": 80_000, "laz": 50_000}[suffix] or (suffix == "las" and cloud.count > 79_000)


def test_a_wrong_byte_in_packed_points_costs_only_what_comes_after(tmp_path):
    path = write_las(tmp_path / "a.laz", *town(150_000))
    data = bytearray(path.read_bytes())
    middle = len(data) * 3 // 4
    data[middle : middle + 64] = b"\xff" * 64
    path.write_bytes(data)
    _, cloud = cloud_of(path)
    assert cloud.count > 50_000


@pytest.mark.parametrize(
    ("at", "value", "text"),
    [
        (96, struct.pack("<I", 0xFFFFFFF0), "begin at byte"),
        (104, b"\x3b", "point format"),
        (131, struct.pack("<d", np.nan), "scale"),
        (131, struct.pack("<d", 0.0), "scale"),
        (105, struct.pack("<H", 7), "point format|bytes|header"),
        (100, struct.pack("<I", 0xFFFFFFFF), "begin at byte"),
    ],
)
def test_headers_that_lie_are_refused_in_one_sentence(tmp_path, at, value, text):
    path = write_las(tmp_path / "a.las", *town(200))
    data = bytearray(path.read_bytes())
    data[at : at + len(value)] = value
    path.write_bytes(data)
    with pytest.raises(DataError, match=text):
        registry.read(path, ReadOptions())


@pytest.mark.parametrize("content", [b"LASF", b"LASF" + bytes(300), b"LASFnonsense" * 40])
def test_what_only_begins_like_las_is_refused(tmp_path, content):
    path = tmp_path / "a.las"
    path.write_bytes(content)
    with pytest.raises(DataError):
        registry.read(path, ReadOptions())


def test_no_mutation_of_a_header_ends_in_a_traceback(tmp_path):
    """Every byte of the header and of the records after it is turned over, one file at a time."""
    path = write_las(tmp_path / "a.laz", *town(300))
    data = path.read_bytes()
    start = struct.unpack_from("<I", data, 96)[0]
    for at in range(4, start, 7):
        mutated = bytearray(data)
        mutated[at] ^= 0xFF
        path.write_bytes(mutated)
        try:
            result = registry.read(path, ReadOptions())
        except DataError:
            continue
        assert result.objects["points"] <= 300


def test_a_header_with_the_wrong_box_still_shows_all_points(tmp_path, on_disk):
    path = write_las(tmp_path / "a.las", *town(8_000))
    data = bytearray(path.read_bytes())
    data[179 : 179 + 48] = struct.pack("<6d", 0, 0, 0, 0, 0, 0)
    path.write_bytes(data)
    _, cloud = cloud_of(path)
    assert cloud.count == 8_000
    assert cloud.bounds[0, 0] >= ORIGIN[0]


def test_single_points_far_away_are_left_out_and_counted(tmp_path):
    points, classes = town(5_000)
    path = write_las(tmp_path / "a.las", points, classes)
    with laspy.open(path) as reader:
        start, size = reader.header.offset_to_point_data, reader.header.point_format.size
    data = bytearray(path.read_bytes())
    data[start + 3 * size : start + 3 * size + 4] = struct.pack("<i", 2**31 - 1)
    path.write_bytes(data)
    result, cloud = cloud_of(path)
    assert [problem.code for problem in result.problems] == ["far-points"]
    assert cloud.count == 4_999
    assert np.ptp(cloud.bounds[:, 0]) < 300


def test_columns_of_few_values_are_told_the_most_frequent_first(tmp_path):
    points, classes = town(3_000)
    lines = np.where(np.arange(3_000) % 3, 12, 40).astype(np.uint16)
    many = np.arange(3_000, dtype=np.uint16)
    path = write_las(tmp_path / "a.laz", points, classes, point_source_id=lines, intensity=many, reading=many.astype(np.float32))
    _, cloud = cloud_of(path)
    assert {name: list(values) for name, values in cloud.categories.items()} == {"point_source_id": ["12", "40"]}
