"""Points in PLY and text: every usual order of columns, both byte orders, and lines or files that are broken."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats import registry
from cimdesk.formats.registry import ReadOptions

POINTS = np.random.default_rng(4).random((400, 3)) * [100.0, 100.0, 10.0] + [430_000.0, 2_550_000.0, 5.0]
POINTS[:, 0] = 430_000.0 + np.random.default_rng(6).permutation(400) * 0.25
COLORS = np.random.default_rng(5).integers(0, 256, (400, 3))


def read(path):
    result = registry.read(path, ReadOptions())
    return result, result.sources[0].data


def points_of(cloud):
    found = np.concatenate([cloud.nodes.read(row).world() for row in np.flatnonzero(cloud.tree.counts).tolist()])
    return found[np.argsort(found[:, 0])]


EXPECTED = POINTS[np.argsort(POINTS[:, 0])]


@pytest.mark.parametrize("delimiter", [" ", ",", ";", "\t"])
@pytest.mark.parametrize("name", ["a.xyz", "a.pts"])
def test_text_is_read_whatever_separates_its_numbers(tmp_path, name, delimiter):
    np.savetxt(tmp_path / name, POINTS, fmt="%.4f", delimiter=delimiter)
    result, cloud = read(tmp_path / name)
    assert result.objects == {"points": 400}
    assert points_of(cloud) == pytest.approx(EXPECTED, abs=2e-3)


def test_columns_are_told_by_their_number_and_by_their_names(tmp_path):
    seven = np.column_stack([POINTS, np.arange(400), COLORS])
    np.savetxt(tmp_path / "a.pts", seven, fmt="%.3f", header="400", comments="")
    np.savetxt(tmp_path / "b.xyz", seven[:, [4, 5, 6, 0, 1, 2, 3]], fmt="%.3f", header="R G B X Y Z Reflectance")
    for name in ("a.pts", "b.xyz"):
        cloud = read(tmp_path / name)[1]
        assert cloud.has_color
        assert cloud.dimensions["intensity"].high > 380
        assert points_of(cloud) == pytest.approx(EXPECTED, abs=2e-3)


def test_lines_that_are_no_points_are_counted(tmp_path):
    lines = [" ".join(f"{v:.3f}" for v in row) for row in POINTS]
    lines[10], lines[20], lines[30] = "oops", "1 2", "nan? 3 4"
    (tmp_path / "a.xyz").write_text("\n".join(lines))
    result, cloud = read(tmp_path / "a.xyz")
    assert cloud.count == 397
    assert [problem.code for problem in result.problems] == ["bad-lines"]


def ply(form, count=400, values=POINTS, extra=""):
    head = f"ply\nformat {form} 1.0\ncomment by hand\nelement vertex {count}\n"
    head += (
        "property double x\nproperty double y\nproperty double z\nproperty uchar red\nproperty uchar green\nproperty uchar blue\n"
    )
    order = ">" if "big" in form else "<"
    records = np.empty(len(values), dtype=[("p", f"{order}f8", 3), ("c", "u1", 3)])
    records["p"], records["c"] = values, COLORS
    if form == "ascii":
        body = "\n".join(" ".join(str(v) for v in [*p, *c]) for p, c in zip(values, COLORS, strict=True)).encode()
    else:
        body = records.tobytes()
    return (head + extra + "end_header\n").encode() + body


@pytest.mark.parametrize("form", ["binary_little_endian", "binary_big_endian", "ascii"])
def test_ply_points_are_read_in_every_form(tmp_path, form):
    (tmp_path / "a.ply").write_bytes(ply(form, extra="element face 0\nproperty list uchar int vertex_indices\n"))
    result, cloud = read(tmp_path / "a.ply")
    assert result.format == "PLY"
    assert cloud.has_color
    assert points_of(cloud) == pytest.approx(EXPECTED, abs=1e-3)


def test_a_ply_with_faces_stays_a_model(tmp_path):
    (tmp_path / "a.ply").write_bytes(ply("ascii", extra="element face 7\nproperty list uchar int vertex_indices\n"))
    assert registry.reader_for(tmp_path / "a.ply").name == "Mesh"


def test_a_ply_cut_off_keeps_what_it_has(tmp_path):
    (tmp_path / "a.ply").write_bytes(ply("binary_little_endian")[:-2000])
    result, cloud = read(tmp_path / "a.ply")
    assert [problem.code for problem in result.problems] == ["cut-off"]
    assert 300 < cloud.count < 400


def test_points_without_a_place_are_left_out(tmp_path):
    values = POINTS.copy()
    values[3, 0], values[5, 2] = np.nan, np.inf
    (tmp_path / "a.ply").write_bytes(ply("binary_little_endian", values=values))
    result, cloud = read(tmp_path / "a.ply")
    assert cloud.count == 398
    assert [problem.code for problem in result.problems] == ["no-place"]


@pytest.mark.parametrize(
    "content",
    [
        b"ply\nformat ascii 1.0\nelement vertex 5\nproperty float x\n",
        b"ply\nformat strange 1.0\nelement vertex 5\nproperty float x\nend_header\n",
        b"ply\nformat ascii 1.0\nelement vertex 5\nproperty list uchar int x\nend_header\n",
        b"ply\nformat ascii 1.0\nelement vertex 99999999999\nproperty float x\nproperty float y\nproperty float z\nend_header\n",
        b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nend_header\n1 2\n3 4\n",
        b"ply\nformat binary_big_endian 1.0\nelement vertex 5\nproperty float x\nproperty float y\nproperty float z\nend_header\n",
    ],
)
def test_broken_ply_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(DataError):
        registry.read(tmp_path / "a.ply", ReadOptions())
