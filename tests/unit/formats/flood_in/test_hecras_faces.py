"""Velocities of the cells of HEC-RAS: a stream that is the same everywhere comes out of its faces as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats.flood_in import READER
from cimdesk.formats.flood_in.hecras_faces import Faces
from cimdesk.formats.registry import ReadOptions, read
from cimdesk.model.flood import FloodResult
from tests.unit.formats.flood_in import meshes

STREAM = np.array([0.7, -1.1])


def polygons(tables: bool) -> tuple[Faces, int]:
    """Return three cells of three, five and six faces that lie anyhow, no two of them sharing one."""
    turns = np.concatenate([np.linspace(0, 2 * np.pi, n, endpoint=False) + 0.3 * n for n in (3, 5, 6)])
    normals = np.column_stack([np.cos(turns), np.sin(turns)])
    lengths = np.linspace(1.0, 4.0, len(turns))
    table = None
    if tables:
        info = np.column_stack([2 * np.arange(len(turns)), np.full(len(turns), 2)])
        bottoms = np.linspace(0.0, 1.0, len(turns))
        rows = np.stack([np.column_stack([bottoms, 0 * bottoms]), np.column_stack([bottoms + 1.0, lengths])], axis=1).reshape(-1, 2)
        table = (info, rows)
    return Faces(np.array([0, 3, 8]), np.arange(len(turns)), normals, lengths, table), len(turns)


@pytest.mark.parametrize("tables", [False, True])
def test_an_even_stream_is_found_in_cells_of_any_shape(tables: bool) -> None:
    faces, _ = polygons(tables)
    east, north = faces.velocities(faces.normals @ STREAM, np.full(3, 5.0))
    np.testing.assert_allclose(np.column_stack([east, north]), [STREAM] * 3, rtol=1e-4)


def test_dry_faces_have_no_say() -> None:
    faces, count = polygons(tables=True)
    level = 0.5
    bottoms = np.linspace(0.0, 1.0, count)
    across = np.where(bottoms < level, faces.normals @ STREAM, 99.0)
    east, north = faces.velocities(across, np.full(3, level))
    np.testing.assert_allclose([east[0], north[0]], STREAM, rtol=1e-4)
    assert np.hypot(east[2], north[2]) == 0.0  # none of its faces is wet


def test_one_wet_face_moves_the_water_along_its_normal() -> None:
    faces, count = polygons(tables=False)
    across = np.full(count, np.nan)
    across[0] = 2.0
    east, north = faces.velocities(across, np.zeros(3))
    np.testing.assert_allclose([east[0], north[0]], 2.0 * faces.normals[0], atol=1e-5)
    assert (east[1:] == 0).all()


def flood_of(path: Path) -> FloodResult:
    data = read(path, ReadOptions(extra={"cell": 2.5})).sources[0].data
    assert isinstance(data, FloodResult)
    return data


@pytest.mark.parametrize("moves", ["faces", "cells"])
def test_a_plan_gives_velocities_of_cells(moves: str, tmp_path: Path) -> None:
    flood = flood_of(meshes.write_hecras(tmp_path / "a.p01.hdf", moves))
    assert flood.flow is not None
    assert len(flood.flow) == 3
    east, north = flood.flow.frame(2)
    np.testing.assert_allclose(east, 0.3, atol=2e-3)
    np.testing.assert_allclose(north, 0.4, atol=2e-3)
    assert np.nanmax(flood.max_speed) == pytest.approx(0.5, rel=1e-4)
    assert np.nanmax(flood.max_depth_speed) == pytest.approx(0.5 * flood.max_depth.max(), rel=1e-3)
    assert not flood.flow.frame(0).any()


def test_a_plan_without_velocities_has_none(tmp_path: Path) -> None:
    flood = flood_of(meshes.write_hecras(tmp_path / "a.p01.hdf", ""))
    assert flood.flow is None
    assert np.isnan(flood.max_speed).all()


def test_maxima_alone_give_the_highest_speed_and_say_what_hazards_are(tmp_path: Path) -> None:
    result = read(meshes.write_hecras(tmp_path / "a.p01.hdf", series=False), ReadOptions(extra={"cell": 2.5}))
    flood = result.sources[0].data
    assert isinstance(flood, FloodResult)
    assert flood.flow is None
    assert np.nanmax(flood.max_speed) == pytest.approx(0.4, rel=1e-4)  # the faster of the faces
    assert "speeds-of-maxima" in [problem.code for problem in result.problems]


def test_damage_is_read_or_refused_in_one_message(tmp_path: Path) -> None:
    path = meshes.write_hecras(tmp_path / "a.p01.hdf")
    content = path.read_bytes()
    random = np.random.default_rng(18)
    refused: list[DataError] = []
    for _ in range(25):
        damaged = bytearray(content)
        for at in random.integers(0, len(damaged), random.integers(1, 30)):
            damaged[at] = random.integers(0, 256)
        path.write_bytes(damaged[: random.integers(len(damaged) // 2, len(damaged))] if random.random() < 0.2 else damaged)
        with np.errstate(all="ignore"):
            try:
                READER.read(path, ReadOptions(extra={"cell": 2.5}))
            except DataError as error:
                refused.append(error)
    assert all(error.remedy for error in refused)
    assert len(refused) < 25
